//! Words and pictures: everything between a user's files and text and the numbers a model reads.
//!
//! *See*: bytes → [`image::load`] → [`prepare::prepare`] → pixels.
//! *Speak*: turns → [`prompt::layout`] → segments (text ids | image slot), and ids back to text.
//! Deliberately absent: tensors, models, files' paths, the network. Everything from outside meets a
//! limit of [`limits`] here first.

pub mod composition;
pub mod conversation;
pub mod data_url;
pub mod error;
pub mod image;
pub mod limits;
pub mod prepare;
pub mod prompt;
pub mod resize;
pub mod samples;
pub mod special;
pub mod text_stream;
pub mod tokenizer;

pub use error::Error;
