//! Failures that may pass, and trying again.
//!
//! An attempt says whether another one could help; the loop bounds how often and how fast. Retries
//! count anew only after an attempt brought a fair amount of new bytes, so a server cannot hold us
//! forever with crumbs. Deliberately absent: what is attempted.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::limits::{MAX_BACKOFF, MAX_RETRY_AFTER};
use crate::progress::{Progress, Watch};
use crate::settings::Settings;

/// Why a request did not give what it should.
pub(crate) enum Failure {
    /// No further attempt helps.
    Fatal(Error),
    /// Another attempt may.
    Broken(Box<Broken>),
}

/// A failure that may pass.
pub(crate) struct Broken {
    /// What happened.
    pub(crate) why: String,
    /// With which server.
    pub(crate) host: String,
    /// How long the server asked to wait.
    pub(crate) after: Option<Duration>,
    /// Whether enough new bytes arrived that the retries start anew.
    pub(crate) fresh: bool,
    /// The error when no retry is left, if it is not [`Error::Unreachable`].
    pub(crate) last: Option<Error>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Fatal(error)
    }
}

impl Failure {
    /// A failure that may pass, without further particulars.
    pub(crate) fn broken(host: &str, why: impl Into<String>) -> Self {
        Failure::Broken(Box::new(Broken {
            why: why.into(),
            host: host.to_owned(),
            after: None,
            fresh: false,
            last: None,
        }))
    }
}

/// Repeats an attempt that may pass, with growing pauses, at most `retries` times in a row.
pub(crate) fn retrying<T>(
    what: &str,
    retries: u32,
    settings: &Settings,
    watch: &mut Watch<'_>,
    mut attempt: impl FnMut(&mut Watch<'_>) -> Result<T, Failure>,
) -> Result<T> {
    let mut attempts = 0;
    let mut failed = 0u32;
    loop {
        attempts += 1;
        let broken = match attempt(watch) {
            Ok(value) => return Ok(value),
            Err(Failure::Fatal(error)) => return Err(error),
            Err(Failure::Broken(broken)) => broken,
        };
        failed = if broken.fresh { 1 } else { failed + 1 };
        if failed > retries {
            let Broken { why, host, last, .. } = *broken;
            let what = what.to_owned();
            return Err(last.unwrap_or(Error::Unreachable { what, host, attempts, why }));
        }
        let doubled = settings.backoff.saturating_mul(1 << (failed - 1).min(16));
        let pause = broken.after.unwrap_or(doubled.min(MAX_BACKOFF)).min(MAX_RETRY_AFTER);
        let why = &broken.why;
        watch.tell(Progress::Retrying { what, failed, allowed: retries, pause, why })?;
        watch.pause(what, pause)?;
    }
}
