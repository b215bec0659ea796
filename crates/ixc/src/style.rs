//! The few colours of stderr, and when there are none.
//!
//! Colours mark the word before a message (`error:`), never its content. Invariant: none without a
//! terminal, none under `NO_COLOR`.

use std::io::{IsTerminal, stderr};

use crate::environment;

/// A word before a message, and how a terminal shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    word: &'static str,
    /// Parameters of the terminal's "select graphic rendition".
    rendition: &'static str,
}

/// What ended the command.
pub(crate) const ERROR: Mark = Mark { word: "error", rendition: "1;31" };
/// What to do about it.
pub(crate) const HINT: Mark = Mark { word: "hint", rendition: "1;36" };
/// What did not end it but may surprise.
pub(crate) const WARNING: Mark = Mark { word: "warning", rendition: "1;33" };

impl Mark {
    /// The word with its colon, coloured where stderr shows colours.
    pub(crate) fn text(self) -> String {
        let Self { word, rendition } = self;
        if stderr().is_terminal() && environment::wants_colours() {
            format!("\u{1b}[{rendition}m{word}:\u{1b}[0m")
        } else {
            format!("{word}:")
        }
    }

    /// Columns that the word, its colon and a blank take.
    pub(crate) fn width(self) -> usize {
        self.word.len() + 2
    }
}
