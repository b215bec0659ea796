//! How the program ends: the exit codes, and the failures that lead to them.
//!
//! The codes stand here once; help, man pages and tests take them from [`HELP`]. Invariant: every
//! failure names its code where it arises, so that no code is guessed from a message.
//! Deliberately absent: backtraces; a user's mistake is not ours to debug.

use std::{fmt::Display, process::ExitCode};

use crate::{output, style};

/// What the shell is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing went wrong.
    Done,
    /// What was asked cannot be done: a path, a picture, a prompt, an option's value.
    Mistake,
    /// The command line cannot be read.
    Usage,
    /// The model cannot be loaded.
    Model,
    /// The hub or the network.
    Hub,
    /// Ctrl-C.
    Interrupted,
}

/// The codes as help and man pages state them.
pub(crate) const HELP: &str = "\
Exit status:
  0    done; for `inspect`: the model would load
  1    what was asked cannot be done: a path, a picture, a prompt, an option's value
  2    the command line cannot be read: an unknown flag, flags that exclude each other
  3    the model cannot be loaded: absent, incomplete, damaged, or of another family
  4    the hub or the network did not give what was asked
  101  a bug in ixc
  130  stopped with Ctrl-C";

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Mistake => 1,
            Self::Usage => 2,
            Self::Model => 3,
            Self::Hub => 4,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// To be told on stderr.
    Told {
        /// The code.
        exit: Exit,
        /// What was expected, what was found, where.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Flags that do not go together; clap tells it with the usage.
    Usage(Box<clap::Error>),
    /// Everything has been said already, or nobody listens any more.
    Quiet(Exit),
}

impl Failure {
    /// A failure with a message.
    pub(crate) fn new(exit: Exit, message: impl Display) -> Self {
        Self::Told { exit, message: message.to_string(), hint: None }
    }

    /// A mistake in what was asked.
    pub(crate) fn mistake(message: impl Display) -> Self {
        Self::new(Exit::Mistake, message)
    }

    /// For `map_err`: a library's error with the code of the place where it arose.
    pub(crate) fn of<E: Display>(exit: Exit) -> impl Fn(E) -> Self {
        move |error| Self::new(exit, error)
    }

    /// Adds what to do about it.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Told { exit, message, .. } => {
                Self::Told { exit, message, hint: Some(hint.into()) }
            }
            other => other,
        }
    }

    /// Says what happened on stderr; returns the code.
    pub(crate) fn tell(self) -> Exit {
        match self {
            Self::Told { exit, message, hint } => {
                output::complain(style::ERROR, &message);
                if let Some(hint) = hint {
                    output::complain(style::HINT, &hint);
                }
                exit
            }
            Self::Usage(error) => {
                // Nothing is left to do when even stderr is closed.
                let _ = error.print();
                Exit::Usage
            }
            Self::Quiet(exit) => exit,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code of a panic is Rust's own.
    const BUG: u8 = 101;

    #[test]
    fn the_help_states_every_code() {
        let all =
            [Exit::Done, Exit::Mistake, Exit::Usage, Exit::Model, Exit::Hub, Exit::Interrupted];
        let codes: Vec<u8> = all.into_iter().map(Exit::code).chain([BUG]).collect();
        let mut stated: Vec<u8> = HELP
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
            .collect();
        assert!(codes.iter().all(|code| stated.contains(code)), "{codes:?} in {stated:?}");
        stated.dedup();
        assert_eq!(stated.len(), codes.len());
    }
}
