//! The workshop: a recipe and a dataset become a checkpoint.
//!
//! recipe + dataset → samples → the prompt layout of inference → the splice of inference → batch → the
//! forward pass of inference → loss → step → checkpoint → merge. The same model and the same input as the
//! engine's, and never the engine itself, so that training and inference cannot drift apart.
//! Deliberately absent: sampling, the terminal, the network.

pub mod checkpoint;
pub mod data;
pub mod error;
pub mod log;
pub mod recipe;
pub mod result;
pub mod run;
pub mod schedule;
pub mod step;
pub mod trainable;

pub use error::Error;
pub use recipe::Recipe;
