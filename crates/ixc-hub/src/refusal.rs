//! Answers that are no: which of them may pass, and the words for the rest.
//!
//! The hub says more than its status: `X-Error-Code` tells a gated model from a missing one, and a
//! 401 stands for "no such model" as well. Deliberately absent: failures below HTTP.

use std::time::Duration;

use ureq::http::HeaderMap;

use ixc_net::header::{retry_after, text};
use ixc_net::words::quoted;

use crate::error::{Error, seconds};
use crate::limits::MAX_RETRY_AFTER;
use crate::retry::{Broken, Failure};
use crate::settings::Settings;

/// What a request is about, for the words of its errors.
pub(crate) struct Subject<'a> {
    /// The model.
    pub(crate) repo: &'a str,
    /// The revision or commit.
    pub(crate) revision: &'a str,
    /// The file, if it is about one.
    pub(crate) file: Option<&'a str>,
}

/// An answer that is no.
pub(crate) struct Refusal<'a> {
    /// Its status, 4xx or 5xx or something that has no business here.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: &'a HeaderMap,
    /// Whose answer it is.
    pub(crate) host: String,
    /// Whether that is the hub itself, or a store it sent us to.
    pub(crate) at_hub: bool,
    /// As whom and where we asked.
    pub(crate) settings: &'a Settings,
}

impl Refusal<'_> {
    /// Sorts it into what may pass and what will not.
    pub(crate) fn into_failure(self, subject: &Subject<'_>) -> Failure {
        let said = self.said();
        let why = format!("the server answers {}{said}", self.status);
        let after = retry_after(self.headers);
        match self.status {
            429 => self.busy(why, after),
            408 | 500..=599 => self.may_pass(why, after, None),
            // The signed address of a file store has run out; the hub signs a new one.
            401 | 403 if !self.at_hub => self.may_pass(why, None, None),
            401 | 403 => Failure::Fatal(self.denied(said, subject)),
            404 => Failure::Fatal(self.not_found(subject)),
            _ => Failure::Fatal(Error::Protocol { host: self.host, why }),
        }
    }

    /// The hub's own word for the case.
    fn code(&self) -> &str {
        text(self.headers, "x-error-code").unwrap_or_default()
    }

    /// The hub's explanation with a leading colon, or nothing. A server that repeats the token it
    /// was sent shall not bring it into a message.
    fn said(&self) -> String {
        let mut said = text(self.headers, "x-error-message").unwrap_or_default().to_owned();
        if let Some(token) = &self.settings.token {
            said = said.replace(token.secret(), "***");
        }
        if said.is_empty() { said } else { format!(": {}", quoted(&said)) }
    }

    /// A failure worth another attempt.
    fn may_pass(self, why: String, after: Option<Duration>, last: Option<Error>) -> Failure {
        Failure::Broken(Box::new(Broken { why, host: self.host, after, fresh: false, last }))
    }

    /// Too many requests: worth waiting if the server asks for a short while.
    fn busy(self, why: String, after: Option<Duration>) -> Failure {
        let wait = after.map(|d| format!(", and asks to wait {}", seconds(d))).unwrap_or_default();
        let busy = Error::Busy { host: self.host.clone(), wait };
        match after {
            Some(after) if after > MAX_RETRY_AFTER => Failure::Fatal(busy),
            after => self.may_pass(why, after, Some(busy)),
        }
    }

    /// The hub refuses the file or the model to whoever asks.
    fn denied(&self, said: String, subject: &Subject<'_>) -> Error {
        let repo = subject.repo.to_owned();
        let has_token = self.settings.token.is_some();
        if self.code() == "GatedRepo" {
            let page = format!("{}/{repo}", self.settings.endpoint);
            let hint = if has_token {
                "The token that was sent belongs to no account that has done so, or lacks the right \
                 to read gated models"
            } else {
                "Then make a token with read access and set HF_TOKEN"
            };
            return Error::Gated { repo, page, hint };
        }
        let hint = if has_token {
            "It does not exist, or the token that was sent has no access to it or has run out; \
             check the name and HF_TOKEN"
        } else {
            "It does not exist, or it is private; check the name, or set HF_TOKEN to a token with \
             read access"
        };
        Error::Denied { repo, status: self.status, said, hint }
    }

    /// The words of a 404.
    fn not_found(&self, subject: &Subject<'_>) -> Error {
        let Subject { repo, revision, file } = subject;
        let (what, hint) = match (self.code(), file) {
            ("EntryNotFound" | "", Some(file)) => (
                format!("file {} in {repo}@{revision}", quoted(file)),
                "The listing names it, so the hub is at odds with itself; pull again later",
            ),
            ("RevisionNotFound", _) => (
                format!("revision {revision} of {repo}"),
                "Check the branch, tag or commit after @ or --revision",
            ),
            _ => (
                format!("model {repo}"),
                "Check the spelling of org/name; if a folder was meant, it does not exist from here",
            ),
        };
        Error::NotFound { what, host: self.host.clone(), hint }
    }
}
