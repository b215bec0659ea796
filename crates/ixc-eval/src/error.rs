//! What can be wrong with an examination.

use std::path::PathBuf;

use thiserror::Error;

/// Why an examination was not held, or not to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The answers that are there belong to another examination.
    #[error(
        "{} holds answers of another examination: expected {expected}, found {found}; name another folder, or \
         remove it to begin anew", path.display()
    )]
    OtherAnswers {
        /// The file of answers.
        path: PathBuf,
        /// What this examination is.
        expected: String,
        /// What that one was.
        found: String,
    },
    /// The engine refused a question.
    #[error("question {key}: {source}")]
    Engine {
        /// Which.
        key: String,
        /// Why.
        source: Box<ixc_engine::Error>,
    },
    /// A picture of the benchmark's own cannot be used.
    #[error("question {key}: {source}")]
    Picture {
        /// Which.
        key: String,
        /// Why.
        source: ixc_input::Error,
    },
    /// The library that articles are illustrated from cannot be made or used.
    #[error("the examination's library: {reason}")]
    Library {
        /// Why.
        reason: String,
    },
    /// Who watched wanted it to end; what was answered is kept.
    #[error("stopped before the last question; the same command goes on from here")]
    Cancelled,
}

impl Error {
    pub(crate) fn file<'a>(
        doing: &'static str,
        path: &'a std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::File { doing, path: path.into(), source }
    }
}
