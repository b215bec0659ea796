//! What can be wrong with a dual encoder's folder, in words for whoever named it.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// A mistake in a checkpoint, or in what it is asked to read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The weights.
    #[error(transparent)]
    Model(#[from] ixc_model::Error),
    /// The weights' files, or numbers.
    #[error(transparent)]
    Numbers(#[from] ixc_nn::Error),
    /// A file that is not there or cannot be read.
    #[error("{}: {source}; expected {expected}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it is for.
        expected: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is not what it should be.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Expected, found, and what to do.
        problem: String,
    },
    /// A text that cannot be read.
    #[error("the text cannot be read: {problem}")]
    Text {
        /// Why.
        problem: String,
    },
}

impl Error {
    pub(crate) fn malformed(path: &Path, problem: impl Into<String>) -> Self {
        Self::Malformed { path: path.into(), problem: problem.into() }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Numbers(error.into())
    }
}
