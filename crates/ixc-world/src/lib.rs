//! A world that can be drawn: seeded scenes with their whole truth, and everything made of it.
//!
//! *Imagine*: a split, a seed, a number → [`sample::scene`] → [`scene::Scene`], plain data.
//! *Draw*: [`draw::picture`]. *Speak*: [`text`], in English and Chinese. *Judge*: [`judge`]. *Write*: [`mod@write`],
//! training data in the published form. Everything is a function of that truth.
//! Invariant: splits are disjoint by construction, in their random streams and in the truths that occur
//! ([`split`]). Deliberately absent: tensors, models, the network, the terminal.

mod closed;
pub mod dice;
pub mod draw;
pub mod error;
pub mod judge;
pub mod kinds;
pub mod places;
pub mod sample;
pub mod scene;
pub mod split;
pub mod text;
pub mod write;

pub use error::Error;
