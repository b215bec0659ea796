//! The program as a person runs it: the real binary, its output, its exit codes.
//!
//! One binary for all tests, because linking each apart would take longer than running them. The model
//! is a tiny random one, written once with the fixtures' tokenizer; whole answers are compared with
//! the goldens where these are at hand.

mod bad_input;
mod bench;
mod chat;
mod compose;
mod eval;
mod help;
mod hub;
mod init;
mod inspect;
mod library;
mod merge;
mod perplexity;
mod quantize;
mod run;
mod session;
mod support;
mod tokenizer;
mod trace;
mod train;
mod world;
