//! Weight files: the published forms, hostile ones, and the way back.
//!
//! Each module holds one concern; `support` builds files of both formats byte by byte.

#![allow(clippy::print_stdout)] // figures belong on a test's output

mod archives;
mod broken_pickles;
mod conversion;
mod folders;
mod gguf;
mod goldens;
mod headers;
mod mutations;
mod pickles;
mod support;
mod writer;
