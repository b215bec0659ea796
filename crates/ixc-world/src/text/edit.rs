//! Changes of a paragraph: expand, rewrite, shorten, insert.
//!
//! Before and after are made of one scene and the same throws, so that what was not to change does not.
//! Invariant: [`crate::judge::edit`] finds each result obedient. Deliberately absent: changes of pictures.

use ixc_input::composition;
use serde::{Deserialize, Serialize};

use super::{
    Exchange, Language,
    article::{facts_of, one_sentence, paragraph},
    caption,
    grammar::{any, sentence, tidy},
    nouns::{self, Detail},
    phrases::articles as table,
};
use crate::{
    closed::closed,
    dice::{Dice, Purpose},
    judge::{self, facts::Fact},
    kinds::Kind,
    sample,
    scene::{Hour, Scene, Season, Thing, Weather},
    split::SceneId,
};

closed! {
    /// What is done to a paragraph.
    Action {
        Expand "expand" "扩写",
        Rewrite "rewrite" "改写",
        Shorten "shorten" "缩写",
        Insert "insert" "插入",
    }
}

/// A change with its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// What is done.
    pub action: Action,
    /// The paragraph; for an insertion, both neighbours.
    pub before: Vec<String>,
    /// Facts that the result must state.
    pub must: Vec<Fact>,
    /// Facts that it must not state.
    pub never: Vec<Fact>,
    /// The prompt and the result.
    pub exchange: Exchange,
}

/// The change of a name and a kind.
pub fn edit(id: SceneId, action: Action) -> Edit {
    let mut dice = Dice::of(id, Purpose::Edits);
    let language = Language::draw(&mut dice);
    let scene = sample::scene(id);
    match action {
        Action::Expand => expand(&scene, language, &mut dice),
        Action::Rewrite => rewrite(&scene, language, &mut dice),
        Action::Shorten => shorten(&scene, language, &mut dice),
        Action::Insert => loop {
            let made = insert(&scene, language, &mut dice);
            // Chance may give a neighbour one of the new sentences.
            if judge::edit::judge(&made, &made.exchange.say) {
                return made;
            }
        },
    }
}

fn shuffled(scene: &Scene, dice: &mut Dice) -> Vec<Thing> {
    let mut things = scene.things.clone();
    dice.shuffle(&mut things);
    things
}

fn name(thing: &Thing, language: Language) -> String {
    match language {
        Language::English => nouns::indefinite(thing, Detail::Full),
        Language::Chinese => nouns::chinese(thing, Detail::Full),
    }
}

fn exists(things: &[Thing]) -> Vec<Fact> {
    things.iter().map(|thing| Fact::Exists(thing.kind)).collect()
}

fn expand(scene: &Scene, language: Language, dice: &mut Dice) -> Edit {
    let things = shuffled(scene, dice);
    let (material, told) = things.split_last().expect("a scene has two things at least");
    let told = &told[..told.len().min(2)];
    let before = paragraph(scene, told, language, dice);
    let more = match language {
        Language::English => format!(" {}", tidy(&one_sentence(scene, material, dice))),
        Language::Chinese => caption::chinese_about(scene, material, dice),
    };
    let mut must = exists(told);
    must.extend(facts_of(material));
    let step = composition::expand(&before, &name(material, language));
    let exchange =
        Exchange { ask: composition::marked(&step.parts), say: format!("{before}{more}") };
    Edit { action: Action::Expand, before: vec![before], must, never: Vec::new(), exchange }
}

fn shorten(scene: &Scene, language: Language, dice: &mut Dice) -> Edit {
    let things = shuffled(scene, dice);
    let told = &things[..things.len().min(4)];
    let before = paragraph(scene, told, language, dice);
    let kept = &told[..1];
    let say = caption::of_things(scene, kept, language, dice);
    let step = composition::shorten(&before);
    let exchange = Exchange { ask: composition::marked(&step.parts), say };
    let must = vec![Fact::Place(scene.place), Fact::Exists(kept[0].kind)];
    Edit { action: Action::Shorten, before: vec![before], must, never: Vec::new(), exchange }
}

fn insert(scene: &Scene, language: Language, dice: &mut Dice) -> Edit {
    let neighbour = |dice: &mut Dice| {
        let number = (1 << 47) | (dice.bits() >> 18);
        let scene = sample::scene(SceneId { number, ..scene.id });
        let things = shuffled(&scene, dice);
        paragraph(&scene, &things[..1], language, dice)
    };
    let mut before = vec![neighbour(dice), neighbour(dice)];
    if dice.chance(25) {
        // An article's first or last paragraph has but one neighbour.
        let at = dice.below(2);
        before[at] = String::new();
    }
    let told = &shuffled(scene, dice)[..2];
    let outline = match language {
        Language::English => {
            let names: Vec<String> = told.iter().map(|thing| name(thing, language)).collect();
            format!(
                "{} {}, with {}",
                nouns::moment(scene, dice),
                nouns::at(scene.place),
                super::grammar::list(&names)
            )
        }
        Language::Chinese => {
            format!(
                "{}的{}，{}和{}",
                nouns::chinese_moment(scene),
                scene.place.chinese(),
                name(&told[0], language),
                name(&told[1], language)
            )
        }
    };
    let say = paragraph(scene, told, language, dice);
    let mut must = exists(told);
    must.push(Fact::Place(scene.place));
    let step = composition::insert(&before[0], &before[1], &outline);
    let exchange = Exchange { ask: composition::marked(&step.parts), say };
    Edit { action: Action::Insert, before, must, never: Vec::new(), exchange }
}

/// One property of the scene becomes another, and the text with it.
fn rewrite(scene: &Scene, language: Language, dice: &mut Dice) -> Edit {
    let things = shuffled(scene, dice);
    let told = things[..things.len().min(2)].to_vec();
    let change = change(scene, &told, language, dice);
    let mut throws = dice.clone();
    let before = paragraph(scene, &told, language, dice);
    let say = paragraph(&change.scene, &change.told, language, &mut throws);
    let step = composition::rewrite(&before, &change.instruction);
    let exchange = Exchange { ask: composition::marked(&step.parts), say };
    Edit {
        action: Action::Rewrite,
        before: vec![before],
        must: change.must,
        never: change.never,
        exchange,
    }
}

struct Change {
    scene: Scene,
    told: Vec<Thing>,
    instruction: String,
    must: Vec<Fact>,
    never: Vec<Fact>,
}

fn change(scene: &Scene, told: &[Thing], language: Language, dice: &mut Dice) -> Change {
    let chinese = language == Language::Chinese;
    let word = |english: &'static str, chinese_word: &'static str| {
        if chinese { chinese_word } else { english }
    };
    let mut changed = Change {
        scene: scene.clone(),
        told: told.to_vec(),
        instruction: String::new(),
        must: Vec::new(),
        never: Vec::new(),
    };
    let free_season = matches!(scene.weather, Weather::Clear | Weather::Cloudy | Weather::Foggy);
    match dice.below(4) {
        0 if free_season => {
            let new = other(Season::ALL, scene.season, dice);
            changed.scene.season = new;
            let phrases = if chinese { table::RESEASON_CHINESE } else { table::RESEASON };
            changed.instruction =
                sentence(phrases, &[("new", word(new.english(), new.chinese()))], dice);
            (changed.must, changed.never) =
                (vec![Fact::Season(new)], vec![Fact::Season(scene.season)]);
        }
        1 => {
            let new = other(Hour::ALL, scene.hour, dice);
            changed.scene.hour = new;
            let phrases = if chinese { table::REHOUR_CHINESE } else { table::REHOUR };
            changed.instruction =
                sentence(phrases, &[("new", word(new.english(), new.chinese()))], dice);
            (changed.must, changed.never) = (vec![Fact::Hour(new)], vec![Fact::Hour(scene.hour)]);
        }
        2 if told[0].colour.is_some() => {
            let thing = &told[0];
            let old = thing.colour.expect("it has one");
            let new = other(thing.kind.about().colours, old, dice);
            changed.told[0].colour = Some(new);
            let the = nouns::definite(thing, Detail::Plain);
            let phrases = if chinese { table::RECOLOUR_CHINESE } else { table::RECOLOUR };
            let slots = [
                ("thing", word_of(&the, thing, chinese)),
                ("new", word(new.english(), new.chinese())),
            ];
            changed.instruction = sentence(phrases, &slots, dice);
            changed.must = vec![Fact::Colour(thing.kind, new)];
            changed.never = vec![Fact::Colour(thing.kind, old)];
        }
        _ => replace(scene, &mut changed, language, dice),
    }
    changed
}

fn word_of<'a>(the: &'a str, thing: &Thing, chinese: bool) -> &'a str {
    if chinese { thing.kind.about().chinese } else { the }
}

/// A thing becomes one of another kind.
fn replace(scene: &Scene, changed: &mut Change, language: Language, dice: &mut Dice) {
    let old = changed.told[0].clone();
    let stock = scene.place.stock();
    let row = [stock.sky, stock.far, stock.near][old.depth as usize];
    let plain = |kind: &&Kind| scene.find(**kind).is_none() && **kind != Kind::Sign;
    let fitting: Vec<Kind> = row.iter().filter(plain).copied().collect();
    let kind = if fitting.is_empty() {
        super::question::absent(scene, dice)
    } else {
        *dice.pick(&fitting)
    };
    let about = kind.about();
    let new = Thing {
        kind,
        colour: (!about.colours.is_empty()).then(|| *dice.pick(about.colours)),
        count: old.count.min(about.most),
        size: None,
        word: None,
        ..old.clone()
    };
    let the = nouns::definite(&old, Detail::Plain);
    let new_name = name(&new, language);
    let slots =
        [("old", word_of(&the, &old, language == Language::Chinese)), ("new", new_name.as_str())];
    changed.instruction = match language {
        Language::English => sentence(table::REPLACE, &slots, dice),
        Language::Chinese => any(table::REPLACE_CHINESE, &slots, dice),
    };
    changed.must = facts_of(&new);
    changed.never = vec![Fact::Exists(old.kind)];
    changed.told[0] = new;
}

/// One of several that is not a certain one.
fn other<T: Copy + PartialEq>(all: &[T], not: T, dice: &mut Dice) -> T {
    let rest: Vec<T> = all.iter().copied().filter(|item| *item != not).collect();
    *dice.pick(&rest)
}
