//! Things, places and times as phrases, in both languages.
//!
//! Invariant: [`crate::judge::read`] reads from each phrase what it was made of. Deliberately absent: sentences.

use super::grammar::fill;
use crate::{
    dice::Dice,
    kinds::{Family, Kind},
    places::Place,
    scene::{Depth, Hour, Scene, Side, Size, Thing, Weather},
};

/// What of a thing a phrase says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Number and kind.
    Plain,
    /// Colour and size as well.
    Full,
}

const NUMBERS: [&str; 6] = ["no", "one", "two", "three", "four", "five"];
const CHINESE_NUMBERS: [&str; 6] = ["零", "一", "两", "三", "四", "五"];

/// A small number as a word.
pub(crate) fn number(count: u8) -> &'static str {
    NUMBERS[usize::from(count.min(5))]
}

/// A small number as Chinese counts with it.
pub(crate) fn chinese_number(count: u8) -> &'static str {
    CHINESE_NUMBERS[usize::from(count.min(5))]
}

/// "is" or "are".
pub(crate) fn is(count: u8) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// "a small red ball", "three men in blue".
pub(crate) fn indefinite(thing: &Thing, detail: Detail) -> String {
    let article = if thing.count == 1 { "a" } else { number(thing.count) };
    super::grammar::tidy(&format!("x {article} {}", described(thing, detail)))[2..].to_owned()
}

/// "the small red ball", "the men in blue".
pub(crate) fn definite(thing: &Thing, detail: Detail) -> String {
    format!("the {}", described(thing, detail))
}

fn described(thing: &Thing, detail: Detail) -> String {
    let noun = thing.kind.english(thing.count);
    if detail == Detail::Plain {
        return noun.to_owned();
    }
    let size = thing.size.map_or(String::new(), |size| format!("{} ", size.english()));
    match thing.colour {
        Some(colour) if thing.kind.about().family == Family::People => {
            format!("{size}{noun} in {}", colour.english())
        }
        Some(colour) => format!("{size}{} {noun}", colour.english()),
        None => format!("{size}{noun}"),
    }
}

/// "一只黑色的猫", "三个穿蓝色衣服的男人".
pub(crate) fn chinese(thing: &Thing, detail: Detail) -> String {
    let about = thing.kind.about();
    let counted = format!("{}{}", chinese_number(thing.count), about.measure);
    if detail == Detail::Plain {
        return format!("{counted}{}", about.chinese);
    }
    format!("{counted}{}", chinese_described(thing))
}

/// "黑色的猫", without a number.
pub(crate) fn chinese_described(thing: &Thing) -> String {
    let about = thing.kind.about();
    let size = match thing.size {
        Some(Size::Small) => "小小的",
        Some(Size::Large) => "大大的",
        None => "",
    };
    let colour = match thing.colour {
        Some(colour) if about.family == Family::People => format!("穿{}衣服的", colour.chinese()),
        Some(colour) => format!("{}的", colour.chinese()),
        None => String::new(),
    };
    format!("{size}{colour}{}", about.chinese)
}

/// Where a thing is: "on the left in the distance".
pub(crate) fn location(thing: &Thing, indoors: bool, dice: &mut Dice) -> String {
    let depth = match thing.depth {
        Depth::Sky => "in the sky",
        Depth::Far if indoors => "at the wall",
        Depth::Near if indoors => "",
        Depth::Far => "{in the distance|far away|in the background}",
        Depth::Near => "{in the foreground|close by|near us}",
    };
    let side = thing.side.map_or("", side);
    let (first, second) = if dice.chance(50) { (side, depth) } else { (depth, side) };
    let words = fill(&format!("{first} {second}"), &[], dice);
    words.trim().to_owned()
}

/// "on the left".
pub(crate) fn side(side: Side) -> &'static str {
    match side {
        Side::Left => "on the left",
        Side::Middle => "in the middle",
        Side::Right => "on the right",
    }
}

/// Where a thing is, in Chinese; empty where nothing can be said.
pub(crate) fn chinese_location(thing: &Thing, indoors: bool) -> String {
    let depth = match thing.depth {
        Depth::Sky => "天上",
        _ if indoors => "",
        depth => depth.chinese(),
    };
    let side = thing.side.map_or("", Side::chinese);
    format!("{depth}{side}")
}

/// "in the park".
pub(crate) fn at(place: Place) -> &'static str {
    match place {
        Place::Meadow => "in the meadow",
        Place::Mountains => "in the mountains",
        Place::Forest => "in the forest",
        Place::Lake => "by the lake",
        Place::Beach => "on the beach",
        Place::Street => "in the street",
        Place::Park => "in the park",
        Place::LivingRoom => "in the living room",
        Place::Kitchen => "in the kitchen",
        Place::Bedroom => "in the bedroom",
    }
}

/// "the park".
pub(crate) fn the(place: Place) -> &'static str {
    at(place).split_once(' ').map_or("", |(_, rest)| rest)
}

/// Weather as an adjective.
pub(crate) fn weather(scene: &Scene, dice: &mut Dice) -> &'static str {
    match (scene.weather, scene.hour) {
        (Weather::Clear, Hour::Night) => "clear",
        (Weather::Clear, _) => ["clear", "sunny"][dice.below(2)],
        (Weather::Cloudy, _) => ["cloudy", "overcast"][dice.below(2)],
        (Weather::Foggy, _) => ["foggy", "misty"][dice.below(2)],
        (weather, _) => weather.english(),
    }
}

/// Somewhere at a place of this kind, in words that people use and the world does not: a phrase with choices.
pub(crate) fn somewhere(place: Place) -> &'static str {
    match place {
        Place::Meadow => {
            "{on a farm|on an old farm|in the {country|countryside|fields}|in a {green |wide |}meadow|out in the fields}"
        }
        Place::Mountains => {
            "{in a {small |quiet |}mountain {village|valley|hut}|in the {high |}{mountains|hills|Alps}|high up in the mountains|in a village in the mountains}"
        }
        Place::Forest => {
            "{in {the|a} {dark |deep |quiet |}{woods|forest|wood}|on a forest path|in a forest clearing|among the trees}"
        }
        Place::Lake => {
            "{by {a|the} {quiet |small |}{lake|lakeside|pond}|on the {lake|shore of a lake}|at the {lake|water}}"
        }
        Place::Beach => {
            "{at the {sea|seaside|beach|coast|ocean}|on {the|a} {beach|coast|island}|by the sea|in a harbour}"
        }
        Place::Street => {
            "{in {a|the} {small |old |busy |}{town|city|street}|in a market town|downtown|in the streets of {a town|the city}}"
        }
        Place::Park => {
            "{in {a|the} {green |city |old |}{park|garden}|in the public gardens|in a park in the city}"
        }
        Place::LivingRoom => {
            "{at home|in a {cosy |warm |}{living room|lounge}|at home in the living room|by the sofa}"
        }
        Place::Kitchen => {
            "{in {a|the|grandmother's} {warm |old |}kitchen|at the kitchen table|in a bakery}"
        }
        Place::Bedroom => "{in {a|the|my} {quiet |small |}bedroom|in a child's room|in bed}",
    }
}

/// "a foggy winter morning".
pub(crate) fn moment(scene: &Scene, dice: &mut Dice) -> String {
    let (weather, season, hour) =
        (weather(scene, dice), scene.season.english(), scene.hour.english());
    let slots = [("weather", weather), ("season", season), ("hour", hour)];
    let phrase = fill("{a $weather $season $hour|a $weather $hour in $season}", &slots, dice);
    super::grammar::tidy(&format!("x {phrase}"))[2..].to_owned()
}

/// "多云的秋天早晨".
pub(crate) fn chinese_moment(scene: &Scene) -> String {
    format!("{}的{}{}", scene.weather.chinese(), scene.season.chinese(), scene.hour.chinese())
}

/// What a kind does, as (one does, several do).
pub(crate) fn verb(kind: Kind, dice: &mut Dice) -> (&'static str, &'static str) {
    let verbs: &[_] = match kind {
        Kind::Boat => &[("floats", "float"), ("rocks gently", "rock gently"), ("sails", "sail")],
        Kind::Balloon | Kind::Plane | Kind::Kite | Kind::Bird => {
            &[("flies", "fly"), ("glides", "glide"), ("floats", "float")]
        }
        Kind::Clock | Kind::Painting => &[("hangs", "hang")],
        Kind::Ball | Kind::Book | Kind::Apple => &[("lies", "lie"), ("rests", "rest")],
        _ => match kind.about().family {
            Family::People => &[("stands", "stand"), ("waits", "wait"), ("smiles", "smile")],
            Family::Animals => {
                &[("rests", "rest"), ("waits", "wait"), ("looks around", "look around")]
            }
            Family::Vehicles => &[("stands", "stand"), ("waits", "wait")],
            Family::Buildings => &[("stands", "stand"), ("rises", "rise")],
            Family::Plants => &[("grows", "grow"), ("stands", "stand")],
            Family::Objects => &[("stands", "stand"), ("waits", "wait")],
        },
    };
    *dice.pick(verbs)
}

/// The form of a verb that goes with a number.
pub(crate) fn agree((one, several): (&'static str, &'static str), count: u8) -> &'static str {
    if count == 1 { one } else { several }
}
