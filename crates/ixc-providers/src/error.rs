//! What is wrong with a configuration.
//!
//! Invariant: no message holds a key. Deliberately absent: what a service does wrong, which is in words for the
//! editor's warnings (`call`).

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why there are no services.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is larger than any is.
    #[error("{}: it has more than {limit} bytes, the limit for {what}", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// How large it may be.
        limit: u64,
    },
    /// The configuration is not one.
    #[error("{}{place}: {what}", path.display())]
    Config {
        /// Its file.
        path: PathBuf,
        /// Where in it: empty, or as in `, [[generate]] number 2`.
        place: String,
        /// What was expected, what was found, what to do.
        what: String,
    },
}
