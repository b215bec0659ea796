//! The tables of phrases, a file for each kind of text.
//!
//! Data alone: `{a|b}` is a choice, `$name` a slot ([`super::grammar`]). Deliberately absent: code.

pub(super) mod articles;
pub(super) mod captions;
pub(super) mod choosing;
pub(super) mod knowledge;
pub(super) mod questions;
pub(super) mod stories;
pub(super) mod talk;
