//! What can be wrong with a folder that a world is written to.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// A mistake in what was asked, or the system's refusal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
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
    /// The folder holds another world.
    #[error(
        "{} holds {found}, and {wanted} was asked for; choose another folder, or delete this one",
        path.display()
    )]
    OtherWorld {
        /// The folder.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// A picture's size that cannot be drawn.
    #[error("pictures of {found} pixels a side were asked for; from {} to {} can be drawn",
        crate::draw::SIDES.start(), crate::draw::SIDES.end())]
    Side {
        /// Pixels asked for.
        found: u32,
    },
    /// More scenes than there are numbers for.
    #[error("{found} scenes were asked for; a folder takes from 1 to {limit}")]
    Count {
        /// Scenes asked for.
        found: u64,
        /// Scenes allowed.
        limit: u64,
    },
    /// The caller broke off.
    #[error("stopped before it was complete; the same command goes on where it stopped")]
    Cancelled,
}

impl Error {
    /// Wraps the system's answer; for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
