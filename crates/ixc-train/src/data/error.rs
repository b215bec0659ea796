//! What can be wrong with a dataset as a whole.
//!
//! Deliberately absent: what is wrong with one sample ([`super::Fault`]), which need not end a run.

use std::path::PathBuf;

use thiserror::Error;

use super::{
    Broken,
    limits::{MAX_DRAWN, MAX_LIST_BYTES},
};

/// A mistake in a dataset, or in how it was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A sample is broken, and that was asked to be fatal.
    #[error(transparent)]
    Broken(#[from] Box<Broken>),
    /// A data file cannot be read.
    #[error("cannot read the data file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A data file is none: a folder, a pipe, a device.
    #[error(
        "cannot read {} as data: expected a file, found {found}; name a JSON file, a JSON Lines file or \
         a list of them", path.display()
    )]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// A data file is no list of samples.
    #[error("{}, byte {at}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from the file's start.
        at: u64,
        /// Expected and found.
        problem: String,
    },
    /// A file without a sample.
    #[error(
        "{}: expected samples, found none; a data file is a JSON list of them, or one a line",
        path.display()
    )]
    NoSamples {
        /// The file.
        path: PathBuf,
    },
    /// A list file larger than any.
    #[error(
        "{}: begins like a list of data files (`path number` lines), but has {bytes} bytes, the limit is \
         {limit}; a data file begins with `[` or `{{`", path.display(), limit = MAX_LIST_BYTES
    )]
    ListTooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        bytes: u64,
    },
    /// A line of a list file.
    #[error("{}, line {line}: {problem}", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Expected and found.
        problem: String,
    },
    /// A share was given for a list, whose lines have their own.
    #[error(
        "{}: is a list, whose lines say how much is drawn from each file; give no count or ratio for it",
        path.display()
    )]
    ShareOfList {
        /// The list.
        path: PathBuf,
    },
    /// A share that cannot be drawn.
    #[error(
        "{}: expected a share of 1 to {most} samples an epoch, found {found} of {samples}",
        path.display(), most = MAX_DRAWN
    )]
    Share {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        found: String,
        /// Samples of the file.
        samples: u64,
    },
    /// Nothing to draw from.
    #[error("expected at least one data file, found none")]
    NoFiles,
    /// A data file is not what it was when it was opened.
    #[error(
        "the data file {} changed while it was read: expected {expected} bytes and an unchanged time, \
         found {found} bytes; start again, with --resume from the last checkpoint", path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Bytes when it was opened.
        expected: u64,
        /// Bytes now.
        found: u64,
    },
    /// The data of a resumed run is not the data it began with.
    #[error(
        "the data is not what the run began with: {what}; restore it, or begin a new run from the \
         checkpoint's weights"
    )]
    OtherData {
        /// Which file, expected and found.
        what: String,
    },
    /// A position beyond the epoch's end.
    #[error(
        "expected a position below {samples} in the epoch, found {index}; is it of another dataset?"
    )]
    Position {
        /// The position.
        index: u64,
        /// Samples of an epoch.
        samples: u64,
    },
    /// An option outside its range.
    #[error("{option}: expected {expected}, found {found}")]
    Option {
        /// Which.
        option: &'static str,
        /// Its range.
        expected: String,
        /// The value.
        found: usize,
    },
    /// No token would be learned.
    #[error(
        "nothing would be learned: all {samples} samples of an epoch are broken ({kinds}); the first: \
         {first}"
    )]
    NothingLearned {
        /// Samples of an epoch.
        samples: u64,
        /// How many are broken in which way.
        kinds: String,
        /// What is said of the first of them.
        first: String,
    },
    /// The tokenizer lacks a special piece.
    #[error(transparent)]
    Tokenizer(#[from] ixc_input::Error),
}
