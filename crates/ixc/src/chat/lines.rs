//! Where lines come from: a terminal with editing, history and completion, or plain input.
//!
//! A line that ends in a backslash goes on in the next, and `"""` opens and closes a block; both are
//! joined here, so the conversation sees one text. The history file is a convenience: when it cannot
//! be read or written nothing is said.

use std::{
    borrow::Cow,
    fs,
    io::{BufRead, IsTerminal, Read, stdin, stdout},
    path::PathBuf,
};

use ixc_input::limits::MAX_PROMPT_BYTES;
use rustyline::{
    Config, Context, Editor, Helper,
    completion::{Completer, FilenameCompleter, Pair},
    error::ReadlineError,
    highlight::Highlighter,
    hint::Hinter,
    history::DefaultHistory,
    validate::{ValidationContext, ValidationResult, Validator},
};

use super::slash;
use crate::{environment, exit::Failure};

/// What stands before the cursor.
const PROMPT: &str = "> ";

/// Opens and closes a block of lines.
const FENCE: &str = "\"\"\"";

/// Questions that are remembered.
const HISTORY_ENTRIES: usize = 1000;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A whole text, of one line or several.
    Text(String),
    /// The user dropped the line (Ctrl-C).
    Cleared,
    /// There is no more.
    End,
}

/// Where lines come from.
pub(crate) enum Lines {
    /// A person at a terminal.
    Terminal { editor: Box<Editor<Assistant, DefaultHistory>>, history: Option<PathBuf> },
    /// A pipe or a file.
    Plain,
}

impl Lines {
    /// Opens the process's standard input.
    pub(crate) fn open() -> Result<Self, Failure> {
        if !(stdin().is_terminal() && stdout().is_terminal()) {
            return Ok(Self::Plain);
        }
        let failed = |error: ReadlineError| {
            Failure::mistake(format!("the terminal cannot be used: {error}"))
                .with_hint("give the question as an argument instead: ixc run \"…\"")
        };
        let config = Config::builder()
            .max_history_size(HISTORY_ENTRIES)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(failed)?
            .build();
        let mut editor = Editor::with_config(config).map_err(failed)?;
        editor.set_helper(Some(Assistant(FilenameCompleter::new())));
        let history = environment::history_file();
        if let Some(path) = &history {
            let _ = editor.load_history(path);
        }
        Ok(Self::Terminal { editor: Box::new(editor), history })
    }

    /// Whether a person sees what is written.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal { .. })
    }

    /// The next text.
    pub(crate) fn next(&mut self) -> Result<Line, Failure> {
        let (editor, history) = match self {
            Self::Terminal { editor, history } => (editor, history),
            Self::Plain => return plain(&mut stdin().lock()),
        };
        match editor.readline(PROMPT) {
            Ok(text) => {
                if !text.trim().is_empty() && editor.add_history_entry(&text).unwrap_or(false) {
                    remember(editor, history.as_ref());
                }
                Ok(Line::Text(unfold(&text)))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Cleared),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(Failure::mistake(format!("cannot read from the terminal: {error}"))),
        }
    }
}

/// Appends the newest question to the history file, if it can be.
fn remember(editor: &mut Editor<Assistant, DefaultHistory>, history: Option<&PathBuf>) {
    let Some(path) = history else { return };
    if let Some(folder) = path.parent() {
        let _ = fs::create_dir_all(folder);
    }
    let _ = editor.append_history(path);
}

/// The next text of a plain input.
fn plain(input: &mut impl BufRead) -> Result<Line, Failure> {
    let cannot = |error| Failure::mistake(format!("cannot read standard input: {error}"));
    let mut text = String::new();
    loop {
        let mut line = String::new();
        let room = (MAX_PROMPT_BYTES + 1).saturating_sub(text.len()) as u64;
        if input.by_ref().take(room).read_line(&mut line).map_err(cannot)? == 0 {
            return Ok(if text.is_empty() { Line::End } else { Line::Text(unfold(&text)) });
        }
        text.push_str(&line);
        if text.len() > MAX_PROMPT_BYTES {
            return Err(Failure::mistake(format!(
                "a question of more than {MAX_PROMPT_BYTES} bytes came from standard input"
            )));
        }
        let whole = text.strip_suffix('\n').unwrap_or(&text);
        let whole = whole.strip_suffix('\r').unwrap_or(whole);
        if !goes_on(whole) {
            return Ok(Line::Text(unfold(whole)));
        }
    }
}

/// Whether more lines belong to a text.
fn goes_on(text: &str) -> bool {
    if text.trim_start().starts_with(FENCE) {
        return text.matches(FENCE).count() < 2;
    }
    text.ends_with('\\')
}

/// The text that was meant: without the fences, without the backslashes that join lines.
fn unfold(text: &str) -> String {
    let fenced = text.trim().strip_prefix(FENCE).and_then(|rest| rest.strip_suffix(FENCE));
    match fenced {
        Some(block) => block.trim_matches(['\r', '\n']).into(),
        None => text.replace("\\\r\n", "\n").replace("\\\n", "\n"),
    }
}

/// What helps while a line is typed: completion, and knowing when it is complete.
pub(crate) struct Assistant(FilenameCompleter);

impl Helper for Assistant {}
impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Borrowed(hint)
    }
}
impl Hinter for Assistant {
    type Hint = String;
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(if goes_on(context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    /// Orders at the start of a line, file names behind those that take one.
    fn complete(
        &self,
        line: &str,
        position: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = &line[..position];
        if ["/image ", "/save "].iter().any(|order| typed.starts_with(order)) {
            return self.0.complete(line, position, context);
        }
        if !typed.starts_with('/') {
            return Ok((position, Vec::new()));
        }
        let names = slash::NAMES.iter().filter(|name| name.starts_with(typed));
        let pair = |name: &&str| Pair { display: (*name).into(), replacement: format!("{name} ") };
        Ok((0, names.map(pair).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined() {
        let mut input =
            "one\r\ntwo \\\nmore\n\"\"\"a\n\n b\"\"\"\n\n\"\"\"\nx\n\"\"\"\nlast".as_bytes();
        let mut found = Vec::new();
        loop {
            match plain(&mut input).unwrap() {
                Line::Text(text) => found.push(text),
                Line::End => break,
                Line::Cleared => unreachable!("only a terminal clears a line"),
            }
        }
        assert_eq!(found, ["one", "two \nmore", "a\n\n b", "", "x", "last"]);
    }

    #[test]
    fn an_unfinished_text_is_taken_as_it_is_at_the_end() {
        assert_eq!(plain(&mut "\"\"\"open".as_bytes()).unwrap(), Line::Text("\"\"\"open".into()));
        assert_eq!(plain(&mut "".as_bytes()).unwrap(), Line::End);
        assert_eq!(plain(&mut "a\\".as_bytes()).unwrap(), Line::Text("a\\".into()));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert!(plain(&mut [0xff, b'\n'].as_slice()).is_err());
    }
}
