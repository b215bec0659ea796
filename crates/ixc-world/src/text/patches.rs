//! A word for each patch of a picture, so that every image row can be asked for what it shows.
//!
//! Invariant: a patch's word is true of what the drawing has there. The question stands before the picture, so the
//! rows know which word is asked for. Deliberately absent: ids of words.

use super::{
    Exchange, Language,
    caption::{Style, caption},
    grammar::any,
    nouns,
    phrases::captions as table,
};
use crate::{
    closed::closed,
    dice::{Dice, Purpose},
    draw::patches::{self, Shown},
    scene::{Scene, Thing, Word},
};

closed! {
    /// What is asked of each patch.
    Asked {
        Kind "kind" "种类",
        Colour "colour" "颜色",
        Number "number" "数量",
        Side "side" "位置",
    }
}

/// A question about all patches of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patches {
    /// What is asked.
    pub asked: Asked,
    /// The question, which the picture follows, and a caption.
    pub exchange: Exchange,
    /// A word for each patch, row by row; empty where there is none to say.
    pub words: Vec<&'static str>,
}

/// The question about a scene drawn `side` pixels wide: for half of the scenes the kinds of things, for a quarter
/// each their colours (where one has a colour to ask for) and how many there are of each.
pub fn patches(scene: &Scene, side: u32) -> Patches {
    let mut dice = Dice::of(scene.id, Purpose::Patches);
    let wished = *dice.weighted(&[(Asked::Kind, 2), (Asked::Colour, 1), (Asked::Number, 1)]);
    asking(scene, side, wished, &mut dice)
}

/// A question about a scene drawn `side` pixels wide: the wished one, or for the kinds of things where it has no answer.
pub fn asking(scene: &Scene, side: u32, wished: Asked, dice: &mut Dice) -> Patches {
    let language = Language::of(scene.id);
    let shown = patches::patches(scene, side);
    let words = |asked| -> Vec<&str> {
        shown.iter().map(|shown| word(scene, *shown, asked, language)).collect()
    };
    let (asked, words) = match words(wished) {
        nothing if nothing.iter().all(|word| word.is_empty()) => (Asked::Kind, words(Asked::Kind)),
        some => (wished, some),
    };
    let phrases = match (language, asked) {
        (Language::Chinese, asked) => table::ASK_PATCHES_CHINESE[asked as usize],
        (Language::English, asked) => table::ASK_PATCHES[asked as usize],
    };
    let ask = any(phrases, &[], dice);
    let say = caption(scene, Style::Short, language, dice);
    Patches { asked, exchange: Exchange { ask, say }, words }
}

/// What each patch of a scene's picture shows, in English, row by row, of a sign what it reads: for rows that no question
/// stands before, so that they can know neither another language nor what is asked.
pub fn kinds(scene: &Scene, side: u32) -> Vec<&'static str> {
    let read = |shown: &Option<Shown>| match shown {
        Some(Shown::Thing(index)) => scene.things[*index].word.map(Word::english),
        _ => None,
    };
    let kind = |shown| word(scene, shown, Asked::Kind, Language::English);
    let shown = patches::patches(scene, side);
    shown.iter().map(|shown| read(shown).unwrap_or_else(|| kind(*shown))).collect()
}

/// The word for what a patch shows. Of the background only what it is can be said.
fn word(scene: &Scene, shown: Option<Shown>, asked: Asked, language: Language) -> &'static str {
    let pick = |english, chinese| match language {
        Language::English => english,
        Language::Chinese => chinese,
    };
    match (shown, asked) {
        (Some(Shown::Thing(index)), asked) => {
            let Thing { kind, colour, count, side, .. } = scene.things[index];
            match asked {
                Asked::Kind => pick(kind.about().one, kind.about().chinese),
                Asked::Colour => colour.map_or("", |one| pick(one.english(), one.chinese())),
                Asked::Side => side.map_or("", |one| pick(one.english(), one.chinese())),
                Asked::Number => pick(nouns::number(count), nouns::chinese_number(count)),
            }
        }
        (Some(Shown::Sky), Asked::Kind) => pick("sky", "天空"),
        (Some(Shown::Place), Asked::Kind) => pick(scene.place.english(), scene.place.chinese()),
        _ => "",
    }
}
