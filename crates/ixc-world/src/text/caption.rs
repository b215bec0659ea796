//! Captions in four styles, and the requests for them.
//!
//! A full description names the moment, the place, and every kind of thing with number, colour, size and
//! whereabouts. Invariant: every fact stated is true of the scene. Deliberately absent: what is not there.

use super::{
    Exchange, Language,
    grammar::{any, casual, joined, list, sentence, tidy},
    nouns::{self, Detail},
    phrases::captions as table,
};
use crate::{
    closed::closed,
    dice::{Dice, Purpose},
    scene::{Scene, Thing},
};

closed! {
    /// How a picture is described.
    Style {
        Short "short" "简短",
        Detailed "detailed" "详细",
        List "list" "列表",
        Poetic "poetic" "诗意",
    }
}

/// Some exchanges about a scene's picture, each in another style.
pub fn captions(scene: &Scene, count: usize) -> Vec<Exchange> {
    let mut dice = Dice::of(scene.id, Purpose::Captions);
    let language = Language::of(scene.id);
    let mut styles = Style::ALL.to_vec();
    dice.shuffle(&mut styles);
    styles.truncate(count);
    styles.into_iter().map(|style| exchange(scene, style, language, &mut dice)).collect()
}

/// One exchange in a style and a language.
pub fn exchange(scene: &Scene, style: Style, language: Language, dice: &mut Dice) -> Exchange {
    Exchange { ask: request(style, language, dice), say: caption(scene, style, language, dice) }
}

/// A request for a caption.
pub fn request(style: Style, language: Language, dice: &mut Dice) -> String {
    let phrases = match (language, style) {
        (Language::Chinese, style) => table::ASK_CHINESE[style as usize],
        (_, Style::Short) => table::ASK_SHORT,
        (_, Style::Detailed) => table::ASK_DETAILED,
        (_, Style::List) => table::ASK_LIST,
        (_, Style::Poetic) => table::ASK_POETIC,
    };
    let ask = match language {
        Language::English => sentence(phrases, &[], dice),
        Language::Chinese => any(phrases, &[], dice),
    };
    casual(ask, dice)
}

/// A caption.
pub fn caption(scene: &Scene, style: Style, language: Language, dice: &mut Dice) -> String {
    match (language, style) {
        (Language::English, Style::Short) => short(scene, dice),
        (Language::English, Style::Detailed) => detailed(scene, dice),
        (Language::English, Style::List) => itemised(scene, dice),
        (Language::English, Style::Poetic) => poetic(scene, dice),
        (Language::Chinese, style) => chinese(scene, style, dice),
    }
}

/// Some of a scene's things, at most `most`, in the scene's order.
fn some<'a>(scene: &'a Scene, most: usize, dice: &mut Dice) -> Vec<&'a Thing> {
    let mut at: Vec<usize> = (0..scene.things.len()).collect();
    dice.shuffle(&mut at);
    at.truncate(most);
    at.sort_unstable();
    at.into_iter().map(|at| &scene.things[at]).collect()
}

/// A short caption that tells of certain things.
pub(crate) fn of_things(
    scene: &Scene,
    things: &[Thing],
    language: Language,
    dice: &mut Dice,
) -> String {
    let things: Vec<&Thing> = things.iter().collect();
    match language {
        Language::English => short_of(scene, &things, dice),
        Language::Chinese => chinese_short(scene, &things, dice),
    }
}

/// One sentence: the moment, the place, up to three things.
pub(crate) fn short(scene: &Scene, dice: &mut Dice) -> String {
    let most = dice.between(2, 3);
    let things = some(scene, most, dice);
    short_of(scene, &things, dice)
}

fn short_of(scene: &Scene, things: &[&Thing], dice: &mut Dice) -> String {
    let names: Vec<String> =
        things.iter().map(|thing| nouns::indefinite(thing, Detail::Full)).collect();
    let moment = nouns::moment(scene, dice);
    let slots = [
        ("things", list(&names)),
        ("moment", moment),
        ("at", nouns::at(scene.place).to_owned()),
        ("is", nouns::is(things[0].count).to_owned()),
    ];
    sentence(table::SHORT, &slots.each_ref().map(|(name, words)| (*name, words.as_str())), dice)
}

/// A full description.
pub(crate) fn detailed(scene: &Scene, dice: &mut Dice) -> String {
    let mut sentences = vec![opening(scene, dice)];
    let mut things: Vec<&Thing> = scene.things.iter().collect();
    if dice.chance(50) {
        things.reverse();
    }
    while let Some(thing) = things.pop() {
        // A sentence for two leaves room for none of their places to be misunderstood.
        let pair = (dice.chance(30) && !things.is_empty()).then(|| things.pop()).flatten();
        sentences.push(about(scene, thing, pair, dice));
        for thing in [Some(thing), pair].into_iter().flatten() {
            sentences.extend(sign(thing, dice));
        }
    }
    tidy(&sentences.join(" "))
}

fn opening(scene: &Scene, dice: &mut Dice) -> String {
    let moment = nouns::moment(scene, dice);
    let slots = [
        ("moment", moment.as_str()),
        ("at", nouns::at(scene.place)),
        ("the", nouns::the(scene.place)),
    ];
    any(table::OPENING, &slots, dice)
}

/// A sentence about one thing or two.
pub(crate) fn about(scene: &Scene, thing: &Thing, pair: Option<&Thing>, dice: &mut Dice) -> String {
    let indoors = scene.place.indoors();
    let name = nouns::indefinite(thing, Detail::Full);
    let location = located(thing, indoors, dice);
    let verb = nouns::agree(nouns::verb(thing.kind, dice), thing.count);
    let is = nouns::is(thing.count);
    let one = [("thing", name.as_str()), ("where", &location), ("verb", verb), ("is", is)];
    let Some(other) = pair else { return any(table::THING, &one, dice) };
    let other_name = nouns::indefinite(other, Detail::Full);
    let other_location = located(other, indoors, dice);
    let other_verb = nouns::agree(nouns::verb(other.kind, dice), other.count);
    let slots = [
        one[0],
        one[1],
        one[2],
        one[3],
        ("thingb", other_name.as_str()),
        ("whereb", &other_location),
        ("verbb", other_verb),
        ("isb", nouns::is(other.count)),
    ];
    any(table::PAIR, &slots, dice)
}

/// Where a thing is, never nothing: several near things of a room are side by side.
fn located(thing: &Thing, indoors: bool, dice: &mut Dice) -> String {
    let location = nouns::location(thing, indoors, dice);
    if location.is_empty() { "side by side".to_owned() } else { location }
}

fn sign(thing: &Thing, dice: &mut Dice) -> Option<String> {
    let word = thing.word?.english();
    Some(any(table::SIGN, &[("word", word)], dice))
}

/// "Place: park. Season: …"
fn itemised(scene: &Scene, dice: &mut Dice) -> String {
    let names: Vec<String> = scene
        .things
        .iter()
        .map(|thing| {
            let number = nouns::number(thing.count);
            let name = nouns::definite(thing, Detail::Full);
            let location = nouns::location(thing, scene.place.indoors(), dice);
            format!("{number} {} {location}", &name[4..]).trim().to_owned()
        })
        .collect();
    let sign = scene.word().map_or(String::new(), |word| format!("\nSign: \"{}\"", word.english()));
    format!(
        "Place: {}\nSeason: {}\nTime: {}\nWeather: {}\nThings: {}{sign}",
        scene.place.english(),
        scene.season.english(),
        scene.hour.english(),
        scene.weather.english(),
        joined(&names, ", ", ", "),
    )
}

fn poetic(scene: &Scene, dice: &mut Dice) -> String {
    let slots = [
        ("season", scene.season.english()),
        ("hour", scene.hour.english()),
        ("at", nouns::at(scene.place)),
    ];
    let mut sentences = vec![any(table::MOOD[scene.weather as usize], &slots, dice)];
    for thing in some(scene, 3, dice) {
        let name = nouns::indefinite(thing, Detail::Full);
        let location = located(thing, scene.place.indoors(), dice);
        let verb = nouns::agree(nouns::verb(thing.kind, dice), thing.count);
        let slots = [
            ("thing", name.as_str()),
            ("where", &location),
            ("verb", verb),
            ("is", nouns::is(thing.count)),
        ];
        sentences.push(any(table::POETIC, &slots, dice));
    }
    sentences.push(any(table::ENDING, &[], dice));
    tidy(sentences.join(" ").trim())
}

fn chinese(scene: &Scene, style: Style, dice: &mut Dice) -> String {
    let moment = nouns::chinese_moment(scene);
    let place = scene.place.chinese();
    let slots = [("moment", moment.as_str()), ("place", place)];
    match style {
        Style::Short => {
            let things = some(scene, 3, dice);
            chinese_short(scene, &things, dice)
        }
        Style::Detailed => {
            let mut text = any(table::OPENING_CHINESE, &slots, dice);
            for thing in &scene.things {
                text.push_str(&chinese_about(scene, thing, dice));
                if let Some(word) = thing.word {
                    text.push_str(&format!("牌子上写着\"{}\"。", word.english()));
                }
            }
            text
        }
        Style::List => {
            let names = chinese_names(&scene.things.iter().collect::<Vec<_>>(), "、");
            format!(
                "地点：{place}\n季节：{}\n时间：{}\n天气：{}\n内容：{names}",
                scene.season.chinese(),
                scene.hour.chinese(),
                scene.weather.chinese()
            )
        }
        Style::Poetic => {
            let slots = [
                ("season", scene.season.chinese()),
                ("hour", scene.hour.chinese()),
                ("place", place),
            ];
            let mut text = any(table::MOOD_CHINESE[scene.weather as usize], &slots, dice);
            for thing in some(scene, 2, dice) {
                text.push_str(&chinese_about(scene, thing, dice));
            }
            text + &any(table::ENDING_CHINESE, &[], dice)
        }
    }
}

fn chinese_names(things: &[&Thing], last_joint: &str) -> String {
    let names: Vec<String> =
        things.iter().map(|thing| nouns::chinese(thing, Detail::Full)).collect();
    joined(&names, "、", last_joint)
}

fn chinese_short(scene: &Scene, things: &[&Thing], dice: &mut Dice) -> String {
    let (moment, names) = (nouns::chinese_moment(scene), chinese_names(things, "和"));
    let slots = [("moment", moment.as_str()), ("place", scene.place.chinese()), ("things", &names)];
    any(table::SHORT_CHINESE, &slots, dice)
}

/// A Chinese sentence about a thing.
pub(crate) fn chinese_about(scene: &Scene, thing: &Thing, dice: &mut Dice) -> String {
    let location = nouns::chinese_location(thing, scene.place.indoors());
    let location = if location.is_empty() { "这里".to_owned() } else { location };
    let name = nouns::chinese(thing, Detail::Full);
    any(table::THING_CHINESE, &[("where", &location), ("thing", &name)], dice)
}
