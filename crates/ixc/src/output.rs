//! Where words go: data to stdout, everything else to stderr.
//!
//! Invariants: a reader that goes away (a closed pipe) ends the program quietly; nothing that a model
//! or a file says can drive the terminal. Deliberately absent: progress, which is in `progress`.

use std::{
    borrow::Cow,
    io::{ErrorKind, IsTerminal, Write, stderr, stdout},
};

use serde::Serialize;

use crate::{
    exit::{Exit, Failure},
    style::{self, Mark},
};

/// Writes to stdout at once. What a terminal would obey is made visible there; a file or a pipe gets
/// the text as it is.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let text = if out.is_terminal() { visible(text) } else { Cow::Borrowed(text) };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::Quiet(Exit::Done),
        _ => Failure::mistake(format!("cannot write to standard output: {error}")),
    })
}

/// Writes a line to stdout.
pub(crate) fn print_line(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

/// Writes bytes that no terminal is meant to show (a man page, a completion script).
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    print(&String::from_utf8_lossy(bytes))
}

/// Writes a JSON value, set out for reading.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print_line(&serde_json::to_string_pretty(value).map_err(unwritable)?)
}

/// Writes a JSON value on one line.
pub(crate) fn print_json_line(value: &impl Serialize) -> Result<(), Failure> {
    print_line(&serde_json::to_string(value).map_err(unwritable)?)
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::mistake(format!("cannot be written as JSON: {error}"))
}

/// Says something on stderr that may surprise but ends nothing.
pub(crate) fn warn(text: &str) {
    complain(style::WARNING, text);
}

/// Says something on stderr.
pub(crate) fn note(text: &str) {
    // With stderr closed there is nobody to tell.
    let _ = writeln!(stderr().lock(), "{}", visible(text));
}

/// Says something on stderr behind a mark, further lines below the first.
pub(crate) fn complain(mark: Mark, text: &str) {
    let indent = format!("\n{}", " ".repeat(mark.width()));
    let text = visible(text).replace('\n', &indent);
    let _ = writeln!(stderr().lock(), "{} {text}", mark.text());
}

/// The text with every control character but line ends and tabs replaced, so that it cannot move a
/// terminal's cursor, change its title or hide other text. Of a line end as Windows writes it only
/// the second half is left.
fn visible(text: &str) -> Cow<'_, str> {
    let drives = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            // Characters that turn the direction of the text around them.
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(drives) {
        Cow::Owned(text.replace('\r', "").replace(drives, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_drives_a_terminal_is_made_visible() {
        assert_eq!(visible("a\u{1b}[2Jb\u{202e}c\r\n\u{9b}d"), "a\u{fffd}[2Jb\u{fffd}c\n\u{fffd}d");
        assert_eq!(
            visible("two\nlines,\ta tab, 中文 émoji 🦀"),
            "two\nlines,\ta tab, 中文 émoji 🦀"
        );
    }
}
