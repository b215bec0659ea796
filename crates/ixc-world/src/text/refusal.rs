//! Questions about what is not there, and the honest answer.
//!
//! Invariant: the kind is neither among the things nor in the background. Deliberately absent: questions that
//! presuppose nothing ("is there …?"), which are existence questions.

use serde::{Deserialize, Serialize};

use super::{
    Exchange, Language,
    grammar::{any, sentence},
    phrases::questions as table,
    question::absent,
};
use crate::{
    dice::{Dice, Purpose},
    kinds::Kind,
    scene::Scene,
};

/// A question that presupposes what is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What is asked about.
    pub kind: Kind,
    /// The words.
    pub exchange: Exchange,
}

/// Some such questions about a scene.
pub fn refusals(scene: &Scene, count: usize) -> Vec<Refusal> {
    let mut dice = Dice::of(scene.id, Purpose::Refusals);
    let language = Language::of(scene.id);
    let mut found: Vec<Refusal> = Vec::new();
    while found.len() < count {
        let new = refusal(scene, language, &mut dice);
        if found.iter().all(|old| old.kind != new.kind) {
            found.push(new);
        }
    }
    found
}

fn refusal(scene: &Scene, language: Language, dice: &mut Dice) -> Refusal {
    let about_sign = scene.word().is_none() && dice.chance(10);
    let kind = if about_sign { Kind::Sign } else { absent(scene, dice) };
    if language == Language::Chinese {
        let slots = [("name", kind.about().chinese)];
        let ask = any(table::ABSENT_CHINESE, &slots, dice);
        return Refusal {
            kind,
            exchange: Exchange { ask, say: any(table::REFUSE_CHINESE, &slots, dice) },
        };
    }
    let slots = [("one", kind.about().one)];
    let ask = if about_sign { table::ABSENT_SIGN } else { table::ABSENT };
    let ask = sentence(ask, &slots, dice);
    Refusal { kind, exchange: Exchange { ask, say: sentence(table::REFUSE, &slots, dice) } }
}
