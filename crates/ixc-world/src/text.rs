//! Words made of truth: captions, questions, refusals, articles, edits, and language without pictures.
//!
//! Each is a function of a scene (or several) and dice, in English or Chinese. Invariants: whatever is said is
//! true, and the judges agree. Deliberately absent: files, prompts' markers.

pub mod article;
pub mod caption;
pub mod choosing;
pub mod edit;
pub(crate) mod grammar;
pub mod language;
pub mod matching;
pub(crate) mod nouns;
pub mod patches;
mod phrases;
pub mod question;
pub mod refusal;
pub mod talk;
pub mod things;
pub mod titles;
pub mod two;

use crate::{
    closed::closed,
    dice::{Dice, Purpose},
    split::SceneId,
};

closed! {
    /// What is spoken.
    Language {
        English "English" "英语",
        Chinese "Chinese" "中文",
    }
}

/// Chinese texts in a hundred.
pub const CHINESE_SHARE: usize = 15;

impl Language {
    /// The language of a scene's conversations, so that one does not change it half way.
    pub fn of(id: SceneId) -> Self {
        Self::draw(&mut Dice::of(id, Purpose::Language))
    }

    /// Chinese as often as its share.
    pub fn draw(dice: &mut Dice) -> Self {
        if dice.chance(CHINESE_SHARE) { Self::Chinese } else { Self::English }
    }
}

/// A question with its answer, as one exchange of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Exchange {
    /// What the user says.
    pub ask: String,
    /// What the model is to say.
    pub say: String,
}
