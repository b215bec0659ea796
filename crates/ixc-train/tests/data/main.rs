//! The rungs of the data: files and pictures in, the published labels and an exact order out.

#![allow(clippy::print_stdout, reason = "a rung says what it compared")]

mod broken;
mod formats;
mod hostile;
mod labels;
mod stream;
mod support;
#[path = "../../../ixc-input/tests/words/mod.rs"]
mod words;
