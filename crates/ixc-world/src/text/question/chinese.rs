//! The same questions in Chinese.
//!
//! Comparisons become counts of the larger group, since Chinese compares by number. Deliberately absent: types of
//! its own.

use super::{Asked, Form, Question, Type, Value, absent, can_ask, with_form};
use crate::{
    dice::Dice,
    kinds::{Family, Kind},
    scene::{Scene, Size, Thing},
    text::{
        Exchange, Language,
        grammar::any,
        nouns::{self, Detail},
        phrases::questions::CHINESE,
    },
};

pub(super) fn question(
    scene: &Scene,
    about: Type,
    form: Form,
    dice: &mut Dice,
) -> Option<Question> {
    let asked = ask(scene, about, dice)?;
    let language = Language::Chinese;
    Some(Question {
        about,
        form,
        language,
        value: asked.value,
        exchange: Exchange {
            ask: with_form(asked.ask, form, language, dice),
            say: if form == Form::Word { asked.word } else { asked.sentence },
        },
    })
}

/// The phrases of a type: to ask, to say.
fn phrases(name: &str) -> (&'static [&'static str], &'static [&'static str]) {
    let found = CHINESE.iter().find(|(about, _, _)| *about == name);
    let (_, ask, say) = found.expect("a type of the table");
    (ask, say)
}

fn ask(scene: &Scene, about: Type, dice: &mut Dice) -> Option<Asked> {
    let of_scene = |name: &str, value: Value, word: &str, dice: &mut Dice| {
        let (ask, say) = phrases(name);
        Asked {
            ask: any(ask, &[], dice),
            value,
            word: word.to_owned(),
            sentence: any(say, &[("answer", word)], dice),
        }
    };
    match about {
        Type::Existence => Some(existence(scene, dice)),
        Type::Weather => {
            Some(of_scene("weather", Value::Weather(scene.weather), scene.weather.chinese(), dice))
        }
        Type::Hour => Some(of_scene("hour", Value::Hour(scene.hour), scene.hour.chinese(), dice)),
        Type::Season => {
            Some(of_scene("season", Value::Season(scene.season), scene.season.chinese(), dice))
        }
        Type::Place => {
            Some(of_scene("place", Value::Place(scene.place), scene.place.chinese(), dice))
        }
        Type::Sign => {
            let word = scene.word()?;
            Some(of_scene("sign", Value::Word(word), word.english(), dice))
        }
        // Asked in English alone.
        Type::Comparison => None,
        _ => {
            let fitting: Vec<&Thing> =
                scene.things.iter().filter(|thing| can_ask(scene, thing, about)).collect();
            let thing = (!fitting.is_empty()).then(|| *dice.pick(&fitting))?;
            of_thing(thing, about, dice)
        }
    }
}

fn existence(scene: &Scene, dice: &mut Dice) -> Asked {
    let truth = dice.chance(50);
    let (kind, things): (Kind, String) = if truth {
        let thing = dice.pick(&scene.things);
        (thing.kind, nouns::chinese(thing, Detail::Full))
    } else {
        (absent(scene, dice), String::new())
    };
    let slots = [("name", kind.about().chinese), ("things", things.as_str())];
    let (ask, yes) = phrases("existence");
    let (_, no) = phrases("absent");
    Asked {
        ask: any(ask, &slots, dice),
        value: Value::Truth(truth),
        word: if truth { "有" } else { "没有" }.to_owned(),
        sentence: any(if truth { yes } else { no }, &slots, dice),
    }
}

fn of_thing(thing: &Thing, about: Type, dice: &mut Dice) -> Option<Asked> {
    let row = thing.kind.about();
    let number = nouns::chinese_number(thing.count);
    let (name, value, word) = match about {
        Type::Colour => {
            let colour = thing.colour?;
            let name = if row.family == Family::People { "people" } else { "colour" };
            (name, Value::Colour(colour), colour.chinese())
        }
        Type::Count => ("count", Value::Count(thing.count), number),
        Type::Position => {
            let side = thing.side?;
            ("position", Value::Side(side), side.chinese())
        }
        Type::Distance => ("distance", Value::Depth(thing.depth), thing.depth.chinese()),
        _ => {
            let size = thing.size?;
            ("size", Value::Size(size), if size == Size::Small { "小" } else { "大" })
        }
    };
    let (ask, say) = phrases(name);
    let slots = [("name", row.chinese), ("measure", row.measure), ("answer", word)];
    Some(Asked {
        ask: any(ask, &slots, dice),
        value,
        word: word.to_owned(),
        sentence: any(say, &slots, dice),
    })
}
