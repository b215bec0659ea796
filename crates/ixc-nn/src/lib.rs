//! Layers and numbers on candle: what a transformer is made of, and the files its weights live in.
//!
//! Weights are read through [`weights::Checkpoint`] and keep their stored precision; activations are
//! float32 tensors. Deliberately absent: words, pictures, and any knowledge of which model this is.

pub mod error;
pub mod limits;
pub mod weights;

pub use error::Error;
