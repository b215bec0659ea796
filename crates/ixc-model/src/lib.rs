//! The heart: InternLM-XComposer2, as one readable figure.
//!
//! Read [`xcomposer`] first: picture → tower → projector → splice → decoder → logits. Everything the
//! model is comes from its checkpoint's files ([`config`]), nothing from a name.
//! Deliberately absent: sampling, conversations, progress, printing.

pub mod adapter;
pub mod config;
pub mod decoder;
pub mod error;
pub mod from_parts;
pub mod gguf;
pub mod importance;
pub mod init;
pub mod limits;
pub mod load;
pub mod parameters;
pub mod quantise;
pub mod read;
pub mod shapes;
pub mod splice;
pub mod stage;
pub mod tensors;
pub mod tiles;
pub mod training;
pub mod vision;
pub mod xcomposer;

pub use config::{Family, ModelConfig};
pub use error::Error;
pub use parameters::{Group, Parameter, Plan};
pub use stage::Stage;
pub use xcomposer::XComposer;
