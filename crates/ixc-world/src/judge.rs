//! Judges: pure functions of a text and a truth, used by the evaluation and by this world's own tests.
//!
//! Invariant: a judge reads words, never wording: any text that says the same is judged the same, as far as the
//! vocabulary of [`read`] goes. Deliberately absent: scores over many texts.

pub mod answer;
pub mod article;
pub mod edit;
pub mod facts;
pub mod read;
pub mod refusal;
