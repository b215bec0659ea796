//! What can be wrong with a library, in words for whoever asked.
//!
//! Deliberately absent: what is wrong with one picture of an import; that is a [`crate::Complaint`], and the
//! import goes on.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::Id;

/// A mistake in what was asked, or the system's refusal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no library.
    #[error(
        "{} is no library: it has no {}; `ixc library create` makes one of any folder of pictures",
        path.display(),
        crate::FILE
    )]
    NoLibrary {
        /// The folder.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{} is a library already; add pictures to it, or choose another folder", path.display())]
    AlreadyLibrary {
        /// The folder.
        path: PathBuf,
    },
    /// The file is a database of something else, or of a later ixc.
    #[error("{} cannot be used as a library: expected {expected}, found {found}", path.display())]
    OtherFile {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// The database refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Database {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A record that no version of ixc writes.
    #[error(
        "{}: picture {id} has a damaged record ({what}); restore the file from a copy, or make the library \
         anew from its folders", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which picture.
        id: Id,
        /// Which part of it.
        what: &'static str,
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
    /// No picture has this number.
    #[error("the library has no picture {id}; `ixc library search` and `show` tell the numbers")]
    NoPicture {
        /// The number.
        id: Id,
    },
    /// What is said about the pictures of an import cannot be kept.
    #[error("what is said about the pictures: {problem}")]
    Given {
        /// What is wrong with it.
        problem: String,
    },
    /// A place that an export must not write to.
    #[error("{} is not empty; an export needs a new or an empty folder", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A picture of an export is no longer what the library says.
    #[error(
        "{}: {problem}; `ixc library verify` finds all such pictures, `ixc library add` takes them in as they are now",
        path.display()
    )]
    Changed {
        /// The picture's file.
        path: PathBuf,
        /// In which way.
        problem: &'static str,
    },
    /// The library's vectors are another encoder's.
    #[error(
        "{}: its vectors are of {kept}, and vectors of {given} cannot be compared with them; use the first, or \
         give up the library's vectors for new ones (`ixc library add --embed-anew`)", path.display()
    )]
    OtherEncoder {
        /// The library's file.
        path: PathBuf,
        /// Whose vectors it has.
        kept: String,
        /// Which encoder was given.
        given: String,
    },
    /// A search by a picture, without an encoder or vectors.
    #[error(
        "{}: a search by a picture compares vectors, and {problem}; `ixc library add --embed REF` makes them with \
         a CLIP or SigLIP checkpoint", path.display()
    )]
    NoVectors {
        /// The library's file.
        path: PathBuf,
        /// What is missing.
        problem: &'static str,
    },
    /// The encoder could not embed what is searched for.
    #[error("{encoder} cannot embed {what}: {problem}")]
    Encoder {
        /// Which encoder.
        encoder: String,
        /// Of what.
        what: &'static str,
        /// Why.
        problem: String,
    },
    /// What is said of the vectors is of no form that ixc writes.
    #[error(
        "{}: what is kept of its vectors is damaged; `ixc library add --embed-anew` makes them anew", path.display()
    )]
    DamagedVectors {
        /// The library's file.
        path: PathBuf,
    },
    /// The graph of vectors cannot be made or written.
    #[error("{}: cannot make the graph of its vectors: {problem}; searches compare all of them meanwhile", path.display())]
    Graph {
        /// The library's file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// More was asked than can be.
    #[error("{what}: {found} were asked for, the limit is {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// The caller broke off.
    #[error("stopped before the last picture; what was done is kept")]
    Cancelled,
}

impl Error {
    /// Wraps the system's answer; for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// Wraps SQLite's answer; for `map_err`.
    pub(crate) fn database(
        action: &'static str,
        path: &Path,
    ) -> impl Fn(rusqlite::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Database { action, path: path.clone(), source }
    }
}
