//! What can be wrong with a recipe, a checkpoint of training, or a result.
//!
//! Each message says what was expected, what was found, where, and what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::data;

/// A mistake of a recipe or a file, or the system's refusal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The model.
    #[error(transparent)]
    Model(#[from] ixc_model::Error),
    /// Weights or tensors.
    #[error(transparent)]
    Numbers(#[from] ixc_nn::Error),
    /// A recipe that cannot be followed.
    #[error("{place}: {problem}")]
    Recipe {
        /// The file, the flag, or what of the recipe.
        place: String,
        /// Expected, found, and what to do.
        problem: String,
    },
    /// The system refused to open, read or write a file.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A checkpoint of training that is not what was written.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The checkpoint's folder, or its file.
        path: PathBuf,
        /// Expected and found.
        problem: String,
    },
    /// The data.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// Training that leads nowhere.
    #[error("step {step}: {problem}")]
    Diverged {
        /// Which step.
        step: u64,
        /// What was found, and what to do.
        problem: String,
    },
    /// The caller broke off.
    #[error("stopped before it was complete")]
    Cancelled,
}

impl Error {
    /// Wraps the system's answer; for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
