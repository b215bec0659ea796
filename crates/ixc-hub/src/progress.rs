//! What a download tells its caller while it runs, and how the caller stops it.
//!
//! Events carry absolute positions, so a display that misses some is still right at the next.
//! Every event is also a question: [`ControlFlow::Break`] ends the download, keeping what arrived.
//! Deliberately absent: speed, remaining time and drawing, which are the display's.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::limits::POLL;

/// One step of a download. Names are those of the repository; counts are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<'a> {
    /// The hub said which commit the revision is and which files a model needs.
    Resolved {
        /// The commit.
        commit: &'a str,
        /// Number of files the model needs.
        files: usize,
        /// Their size.
        total: u64,
        /// How much of it is still to be fetched.
        to_fetch: u64,
    },
    /// The cache has this file already.
    Cached {
        /// The file.
        file: &'a str,
        /// Its size.
        size: u64,
    },
    /// A file begins.
    Started {
        /// The file.
        file: &'a str,
        /// Its size, if the hub said.
        size: Option<u64>,
        /// How much of it an earlier download left.
        resumed: u64,
    },
    /// A file grew, or an earlier part of it was read again to check it.
    Advanced {
        /// The file.
        file: &'a str,
        /// Bytes from its beginning. Falls back to zero when a server cannot resume.
        done: u64,
    },
    /// A request failed and is repeated after a pause.
    Retrying {
        /// The file, or `the listing`.
        what: &'a str,
        /// How often it failed in a row.
        failed: u32,
        /// How often it may.
        allowed: u32,
        /// The pause.
        pause: Duration,
        /// Why it failed.
        why: &'a str,
    },
    /// Nothing moves: a pause before a retry, or another process fetches the same file.
    Waiting {
        /// The file, or `the listing`.
        what: &'a str,
    },
    /// A file is complete, verified and in its place.
    Finished {
        /// The file.
        file: &'a str,
        /// Its size.
        size: u64,
    },
}

/// The caller's progress function.
pub type Report<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'a;

/// The progress function, with its answer turned into an error that ends the work.
pub(crate) struct Watch<'a> {
    report: &'a mut Report<'a>,
}

impl<'a> Watch<'a> {
    /// Wraps the caller's function.
    pub(crate) fn new(report: &'a mut Report<'a>) -> Self {
        Watch { report }
    }

    /// Tells one event; [`Error::Cancelled`] when the caller wants to stop.
    pub(crate) fn tell(&mut self, progress: Progress<'_>) -> Result<()> {
        match (self.report)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }

    /// Waits, asking the caller every [`POLL`] whether to go on.
    pub(crate) fn pause(&mut self, what: &str, length: Duration) -> Result<()> {
        let end = Instant::now() + length;
        loop {
            self.tell(Progress::Waiting { what })?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(POLL));
        }
    }
}
