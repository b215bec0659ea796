//! Exports as others read them: each format is parsed back by a reader that is not ours.
//!
//! The documents are generated: CJK, right to left, emoji, markup and scripts in every field. Deliberately absent:
//! how things look; `epubcheck` is asked where it is installed.

mod archives;
mod bad_input;
mod html;
mod markdown;
mod pdf;
mod pictures;
mod samples;
mod whole;
