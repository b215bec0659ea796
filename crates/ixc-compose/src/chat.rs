//! The model as the editor sees it: one turn and the beginning of an answer in, the rest of the answer out.
//!
//! Invariant: each ask stands alone; what asks share (an article's text, pictures) is the implementation's to
//! find. Deliberately absent: tensors, tokens, templates; a refusal is words, so that any implementation can give it.

use std::{fmt, ops::ControlFlow};

use ixc_input::{composition::Step, image::Picture};
use serde::{Deserialize, Serialize};

/// How the next word is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decoding {
    /// Always the best.
    Greedy,
    /// Drawn with the protocol's numbers, from this seed.
    Sample(u64),
    /// The best whole answer of so many side by side.
    Beams(usize),
}

/// The protocol's numbers for what is drawn (composition.md, step 1).
pub const TOP_P: f32 = 0.8;
/// As [`TOP_P`].
pub const TOP_K: usize = 40;
/// As [`TOP_P`]; of the article and of changed paragraphs, drawn or not.
pub const REPETITION_PENALTY: f32 = 1.005;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The turn, and how the answer begins.
    pub step: Step,
    /// The turn's pictures, in its order.
    pub pictures: Vec<&'a Picture>,
    /// How words are found.
    pub decoding: Decoding,
    /// Whether words that were said become less likely, by [`REPETITION_PENALTY`].
    pub penalised: bool,
    /// Words (tokens) at most.
    pub words_max: usize,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The model ended it.
    #[default]
    Itself,
    /// It reached the words or positions allowed.
    Length,
    /// Enough was heard.
    Heard,
    /// It was told to stop.
    Stopped,
}

/// What an answer cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Positions of the prompt.
    pub positions: usize,
    /// How many of them were known from earlier asks, and not read again.
    pub reused: usize,
}

/// An answer, without the beginning that was put into the model's mouth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The text; what there was when it was stopped.
    pub text: String,
    /// Why it ended.
    pub ended: Ended,
    /// What it cost.
    pub cost: Cost,
}

/// Why there is no answer, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A model that answers.
pub trait Chat {
    /// Answers. `hear` gets each piece of text as soon as it is certain, and ends the answer by breaking off;
    /// `stop` is asked between any two pieces of work.
    ///
    /// # Errors
    /// When the ask cannot be answered, such as one that is longer than the context.
    fn answer(
        &self,
        ask: &Ask<'_>,
        stop: &dyn Fn() -> bool,
        hear: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Reply, Refusal>;
}
