//! The examination room: a model's answers to a benchmark, kept, judged, counted.
//!
//! questions → [`hold`]: the engine answers each, greedily and apart from all others → [`answers`] on disk →
//! the benchmark's judges → [`interval`]s in a table. One file for each benchmark. Invariant: scores are a pure
//! function of the file of answers, and that depends on model and questions alone; so a run that was
//! killed and goes on gives the same bytes as one that was not. Deliberately absent: the terminal, the network.

pub mod answers;
pub mod compose;
pub mod error;
mod hold;
pub mod interval;
pub mod world;

pub use error::Error;
pub use hold::{Question, hold};
