//! The kitchen: from a loaded model and a request to a stream of events.
//!
//! *Load* ([`engine::Engine::load`]) → *see* each picture → *read* the prompt in chunks → *speak* word
//! by word ([`generate`], [`sample`]) or search ([`beam`]) → text in whole characters ([`answer`]).
//! What was seen and read stays for the next request: of a conversation in its [`past`], of all others
//! in the engine, bounded in bytes. What is read for its own sake, every position of it, is a [`corpus`]: to
//! [`calibrate`] a model, and to tell its [`perplexity`].
//!
//! ```no_run
//! use ixc_engine::{Engine, Event, LoadOptions, Request};
//!
//! # fn main() -> Result<(), ixc_engine::Error> {
//! let engine = Engine::load("model".as_ref(), &LoadOptions::default())?;
//! for event in engine.answer(&Request::text("Who are you?"))? {
//!     if let Event::Text(piece) = event? {
//!         print!("{piece}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Everything is synchronous and, given a seed, deterministic. Deliberately absent: the network, the
//! terminal, the environment, training.

pub mod answer;
pub mod beam;
pub mod calibrate;
pub mod corpus;
pub mod engine;
pub mod error;
mod features;
pub mod generate;
pub mod limits;
pub mod past;
pub mod perplexity;
mod prefixes;
mod recent;
pub mod request;
pub mod sample;
mod saved;
mod whole;

pub use answer::{Answer, Answering, Event, Finish, Timings};
pub use engine::{Engine, LoadOptions};
pub use error::Error;
pub use past::Past;
pub use request::{Decoding, Request};
