//! From a scene's name to what is true of it.
//!
//! Every place, hour, season, weather and colour is about equally likely where it is possible, so that no
//! answer is a good guess. Invariants: the truth's digest belongs to the name's split; nothing stands in
//! front of anything else that is asked about. Deliberately absent: words and pictures.

use crate::{
    dice::{Dice, Purpose},
    judge::facts::Fact,
    kinds::Kind,
    places::Place,
    scene::{Depth, Hour, Scene, Season, Side, Size, Thing, Weather, Word},
    split::{SceneId, Split},
};

/// The scene of a name.
pub fn scene(id: SceneId) -> Scene {
    let mut dice = Dice::of(id, Purpose::Truth);
    let mut scene = attempt(id, &mut dice);
    // A truth falls to a split by its digest; the smallest split takes 20 attempts on average.
    while Split::of(&scene) != id.split || scene.things.len() < 2 {
        scene = attempt(id, &mut dice);
    }
    scene.look = Dice::of(id, Purpose::Look).bits();
    scene
}

/// A scene that is made of facts, of earlier ones rather than of later ones, and of chance where they are silent. Facts
/// that cannot hold do not: contradictions, a cow in a kitchen, a fourth thing in a full row; and the last ones, where
/// no scene of the split was found that holds all.
pub fn of_facts(id: SceneId, facts: &[Fact]) -> Scene {
    let mut dice = Dice::of(id, Purpose::Truth);
    for kept in (0..=facts.len()).rev() {
        let facts = &facts[..kept];
        let mut tries = (0..TRIES).map(|_| attempt_of(id, facts, &mut dice));
        let fits = |scene: &Scene| Split::of(scene) == id.split && !scene.things.is_empty();
        if let Some(mut scene) = tries.find(fits) {
            scene.look = Dice::of(id, Purpose::Look).bits();
            return scene;
        }
    }
    scene(id)
}

/// Attempts at a scene of some facts. A split has a twentieth of all scenes, or more.
const TRIES: usize = 60;

fn attempt_of(id: SceneId, facts: &[Fact], dice: &mut Dice) -> Scene {
    let mut scene = setting(id, dice);
    for fact in facts.iter().rev() {
        match *fact {
            Fact::Place(place) => scene.place = place,
            Fact::Season(season) => scene.season = season,
            Fact::Hour(hour) => scene.hour = hour,
            Fact::Weather(weather) => scene.weather = weather,
            _ => {}
        }
    }
    if !weathers(scene.season).contains(&scene.weather) {
        scene.weather = *dice.pick(weathers(scene.season));
    }
    let stock = scene.place.stock();
    let rows = [(Depth::Sky, stock.sky), (Depth::Far, stock.far), (Depth::Near, stock.near)];
    let mut stated: Vec<(Kind, Depth)> = Vec::new();
    for fact in facts {
        if let Fact::Exists(kind) = *fact
            && stated.iter().all(|(known, _)| *known != kind)
            && let Some(depth) = depth_of(kind, rows, facts, dice)
        {
            stated.push((kind, depth));
        }
    }
    // What is near comes last, since it must not hide what is far.
    for (row_depth, kinds) in rows {
        for &(kind, depth) in stated.iter().filter(|(_, depth)| *depth == row_depth) {
            stand(&mut scene, kind, depth, facts, dice);
        }
        // Something more, or too few scenes are made of these facts for one to be of the split.
        let kind = (!kinds.is_empty() && dice.chance(40)).then(|| *dice.pick(kinds));
        if let Some(kind) = kind.filter(|kind| stated.iter().all(|(known, _)| known != kind)) {
            stand(&mut scene, kind, row_depth, &[], dice);
        }
    }
    scene.things.truncate(MOST);
    scene.things.sort_by_key(|thing| (thing.depth, thing.side));
    scene
}

/// What the facts say of a kind, the first that says anything.
fn said<T>(facts: &[Fact], says: impl Fn(Fact) -> Option<T>) -> Option<T> {
    facts.iter().find_map(|&fact| says(fact))
}

/// How far back a kind is, if it may stand in the place at all.
fn depth_of(
    kind: Kind,
    rows: [(Depth, &[Kind]); 3],
    facts: &[Fact],
    dice: &mut Dice,
) -> Option<Depth> {
    let depth = said(facts, |fact| match fact {
        Fact::Depth(of, depth) if of == kind => Some(depth),
        _ => None,
    });
    let fits = |(row, kinds): &(Depth, &[Kind])| {
        kinds.contains(&kind) && depth.is_none_or(|depth| depth == *row)
    };
    let fitting: Vec<Depth> = rows.into_iter().filter(fits).map(|(row, _)| row).collect();
    (!fitting.is_empty()).then(|| *dice.pick(&fitting))
}

/// Puts in a kind as facts have it, where there is room for it.
fn stand(scene: &mut Scene, kind: Kind, depth: Depth, facts: &[Fact], dice: &mut Dice) {
    let count = said(facts, |fact| match fact {
        Fact::Count(of, count) if of == kind => Some(count.clamp(1, kind.about().most)),
        _ => None,
    });
    let side = said(facts, |fact| match fact {
        Fact::Side(of, side) if of == kind => Some(side),
        _ => None,
    });
    let count = count.unwrap_or(1);
    let mut sides: Vec<Option<Side>> = Side::ALL.iter().copied().map(Some).collect();
    dice.shuffle(&mut sides);
    // Where what is stated has no room, the thing stands elsewhere.
    sides.sort_by_key(|other| *other != side);
    if count > 1 {
        sides = vec![None];
    }
    let in_row = scene.things.iter().filter(|thing| thing.depth == depth).count();
    let room = |side: &Option<Side>| match depth {
        Depth::Sky => in_row == 0,
        Depth::Far if scene.place.indoors() => wall_has_room(scene.place, in_row, *side),
        _ => true,
    };
    let stands = |side: &Option<Side>| room(side) && clear(scene, kind, depth, *side);
    let Some(side) = sides.into_iter().find(stands).filter(|_| fits(scene, kind)) else { return };
    place(scene, kind, count.into(), depth, side, dice);
    let thing = scene.things.last_mut().expect("just put");
    for fact in facts.iter().rev() {
        match *fact {
            Fact::Colour(of, colour) if of == kind && kind.about().colours.contains(&colour) => {
                thing.colour = Some(colour);
            }
            Fact::Size(of, size) if of == kind && thing.size.is_some() => thing.size = Some(size),
            Fact::Word(word) if thing.word.is_some() => thing.word = Some(word),
            _ => {}
        }
    }
}

/// Whether there is room at a wall for its window, its bed, what hangs there, and one thing more.
fn wall_has_room(place: Place, hung: usize, side: Option<Side>) -> bool {
    let bed = place == Place::Bedroom;
    side.is_some_and(|side| !bed || side != Side::Middle) && hung < if bed { 1 } else { 2 }
}

/// Where and when, and nothing there yet.
fn setting(id: SceneId, dice: &mut Dice) -> Scene {
    let place = *dice.pick(Place::ALL);
    let season = *dice.pick(Season::ALL);
    let hour = *dice.pick(Hour::ALL);
    let weather = *dice.pick(weathers(season));
    Scene { id, place, season, hour, weather, things: Vec::new(), look: 0 }
}

fn attempt(id: SceneId, dice: &mut Dice) -> Scene {
    let mut scene = setting(id, dice);
    let stock = scene.place.stock();
    if !stock.sky.is_empty() && dice.chance(35) {
        sky(&mut scene, stock.sky, dice);
    }
    row(&mut scene, stock.far, Depth::Far, dice);
    row(&mut scene, stock.near, Depth::Near, dice);
    while scene.things.len() > MOST {
        scene.things.remove(dice.below(scene.things.len()));
    }
    scene.things.sort_by_key(|thing| (thing.depth, thing.side));
    scene
}

/// Kinds of things in a scene at most.
const MOST: usize = 5;

fn weathers(season: Season) -> &'static [Weather] {
    use Weather::*;
    match season {
        Season::Winter => &[Clear, Cloudy, Snowy, Snowy, Snowy, Foggy],
        _ => &[Clear, Cloudy, Rainy, Foggy, Stormy],
    }
}

/// Whether a kind belongs into a scene, and is not in it yet.
pub(crate) fn fits(scene: &Scene, kind: Kind) -> bool {
    let wet = matches!(scene.weather, Weather::Rainy | Weather::Stormy | Weather::Snowy);
    let winter = scene.season == Season::Winter;
    let outdoors = !scene.place.indoors();
    scene.find(kind).is_none()
        && match kind {
            Kind::Snowman => winter,
            Kind::Flower | Kind::Crab => !winter,
            Kind::Mushroom => matches!(scene.season, Season::Summer | Season::Autumn),
            Kind::Balloon | Kind::Kite => {
                !wet && scene.weather != Weather::Foggy && scene.hour != Hour::Night
            }
            Kind::Umbrella => !wet && !winter,
            Kind::Chair => !outdoors || (!wet && !winter),
            _ => true,
        }
}

/// Something in the sky: one, or several over the whole width.
fn sky(scene: &mut Scene, stock: &[Kind], dice: &mut Dice) {
    let fitting: Vec<Kind> = stock.iter().copied().filter(|&kind| fits(scene, kind)).collect();
    if fitting.is_empty() {
        return;
    }
    let kind = *dice.pick(&fitting);
    let count = if dice.chance(50) { 1 } else { dice.between(1, kind.about().most.into()) };
    let side = (count == 1).then(|| *dice.pick(Side::ALL));
    place(scene, kind, count, Depth::Sky, side, dice);
}

/// A row of things: several of one kind over the whole width, or single ones side by side.
fn row(scene: &mut Scene, stock: &[Kind], depth: Depth, dice: &mut Dice) {
    // A room's wall has a window, and a bedroom's also a bed; both need their side.
    let wall = depth == Depth::Far && scene.place.indoors();
    let several = !wall && dice.chance(if depth == Depth::Near { 50 } else { 40 });
    let mut free: Vec<Side> = Side::ALL.to_vec();
    if wall && scene.place == Place::Bedroom {
        free.remove(Side::Middle as usize);
    }
    dice.shuffle(&mut free);
    if wall {
        free.remove(0);
    }
    if several {
        let many = |kind: &Kind| kind.about().most > 1 && fits(scene, *kind);
        let fitting: Vec<Kind> = stock.iter().copied().filter(many).collect();
        let fitting: Vec<Kind> =
            fitting.into_iter().filter(|&kind| clear(scene, kind, depth, None)).collect();
        if !fitting.is_empty() {
            let kind = *dice.pick(&fitting);
            let count = dice.between(2, kind.about().most.into());
            place(scene, kind, count, depth, None, dice);
            return;
        }
    }
    let singles = dice.between(usize::from(depth == Depth::Near), 2) + usize::from(dice.chance(20));
    for _ in 0..singles {
        let Some(side) = free.pop() else { return };
        let stands = |kind: &Kind| fits(scene, *kind) && clear(scene, *kind, depth, Some(side));
        let fitting: Vec<Kind> = stock.iter().copied().filter(stands).collect();
        if fitting.is_empty() {
            continue;
        }
        let kind = *dice.pick(&fitting);
        place(scene, kind, 1, depth, Some(side), dice);
    }
}

/// Height, as a share of the picture's, above which a near thing covers what is far behind it.
const TALL: f32 = 0.3;
/// Width from which a near thing leaves no room beside it.
const WIDE: f32 = 0.36;

/// Whether a kind can stand in a row at a side (none: over the whole width) and leave all else to be seen.
fn clear(scene: &Scene, kind: Kind, depth: Depth, side: Option<Side>) -> bool {
    let about = kind.about();
    // A bus is no higher than others, but stands on the road, and so farther up.
    let covers = depth == Depth::Near && (about.height > TALL || kind == Kind::Bus);
    let wide = |kind: Kind| kind.about().height * kind.about().aspect > WIDE;
    scene.things.iter().all(|other| match other.depth {
        Depth::Sky => true,
        Depth::Far if depth == Depth::Near => !covers || !meet(side, other.side, Side::eq_side),
        row if row == depth => {
            let crowded = wide(kind) || wide(other.kind);
            !meet(side, other.side, if crowded { Side::beside } else { Side::eq_side })
        }
        _ => true,
    })
}

/// Whether two sides meet; several over the whole width meet everything.
fn meet(one: Option<Side>, other: Option<Side>, meets: fn(Side, Side) -> bool) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => meets(one, other),
        _ => true,
    }
}

impl Side {
    fn eq_side(self, other: Self) -> bool {
        self == other
    }

    fn beside(self, other: Self) -> bool {
        (self as i8 - other as i8).abs() <= 1
    }
}

fn place(
    scene: &mut Scene,
    kind: Kind,
    count: usize,
    depth: Depth,
    side: Option<Side>,
    dice: &mut Dice,
) {
    let about = kind.about();
    let colour = (!about.colours.is_empty()).then(|| *dice.pick(about.colours));
    // Several share the width, which would hide their size.
    let size = (about.sized && count == 1).then(|| *dice.pick(Size::ALL));
    let word = (kind == Kind::Sign).then(|| *dice.pick(Word::ALL));
    let count = u8::try_from(count).expect("at most five");
    // A lone thing over the width would have no side to ask for.
    let side = if count == 1 { side.or(Some(Side::Middle)) } else { None };
    scene.things.push(Thing { kind, colour, count, size, depth, side, word });
}
