//! A picture that can be taken: where it comes from, what it shows, who made it.
//!
//! Invariant: plain data, the same in every run; what is a service's carries the digest under which its file is
//! kept. Deliberately absent: files and pixels (`source`).

use std::fmt;

use ixc_library::{About, Caption, Generated, Id, Origin as Said};
use serde::{Deserialize, Serialize};

use crate::service::{Key, Made};

/// Where a picture comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The user's own, by its place among them.
    Own(usize),
    /// A library's.
    Library {
        /// Which.
        library: String,
        /// The picture's name there.
        id: Id,
    },
    /// A file that an edit brought; its bytes are in the project alone.
    File {
        /// Where it was.
        path: String,
    },
    /// A service found it.
    Search {
        /// Which.
        service: String,
        /// What the service calls it.
        key: Key,
        /// Its file's SHA-256, under which it is kept.
        digest: String,
    },
    /// A service made it.
    Generated {
        /// Which.
        service: String,
        /// How.
        #[serde(flatten)]
        made: Made,
        /// Its file's SHA-256, under which it is kept.
        digest: String,
    },
}

impl Origin {
    /// Of a service's picture: the digest under which its file is kept.
    pub fn kept(&self) -> Option<&str> {
        match self {
            Self::Search { digest, .. } | Self::Generated { digest, .. } => Some(digest),
            Self::Own(_) | Self::Library { .. } | Self::File { .. } => None,
        }
    }

    /// Of a service's picture: which service.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::Search { service, .. } | Self::Generated { service, .. } => Some(service),
            Self::Own(_) | Self::Library { .. } | Self::File { .. } => None,
        }
    }

    /// Of a picture that a service made and that shows this: its file's digest, and what a library is told of it.
    pub(crate) fn made(&self, caption: &str) -> Option<(&str, About)> {
        let Self::Generated { service, made, digest } = self else { return None };
        let Made { model, seed, prompt } = made.clone();
        let generated =
            Generated { model, seed: seed.map(|seed| seed.to_string()), prompt: Some(prompt) };
        let text = caption.to_owned();
        let about = About {
            captions: vec![Caption { text, language: None, origin: Said::Given, model: None }],
            source: Some(service.clone()),
            generated: Some(generated),
            ..About::default()
        };
        Some((digest, about))
    }

    /// What this service calls it, if it is one that it found.
    pub(crate) fn key(&self, of: &str) -> Option<Key> {
        match self {
            Self::Search { service, key, .. } if service == of => Some(key.clone()),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    /// Its name, for a message.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(own) => write!(out, "your own, number {}", own + 1),
            Self::Library { library, id } => write!(out, "{id} of {library}"),
            Self::File { path } => out.write_str(path),
            Self::Search { service, key, .. } => write!(out, "{key} of {service}"),
            Self::Generated { service, .. } => write!(out, "made by {service}"),
        }
    }
}

/// A picture that can be taken, with what its source says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Where it comes from.
    pub origin: Origin,
    /// What it shows; may be empty.
    pub caption: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Credit::is_empty")]
    pub credit: Credit,
}

/// Who made a picture, and what others may do with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Under what terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Where it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Of a generated picture: by what, and from which words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
}

impl Credit {
    /// What a library knows.
    pub(crate) fn of(about: About) -> Self {
        let About { author, licence, source, generated, .. } = about;
        let told = |generated: Generated| {
            let told: Vec<String> =
                [generated.model, generated.prompt].into_iter().flatten().collect();
            told.join(": ")
        };
        Self { author, licence, source, generated: generated.map(told) }
    }

    /// Of a picture that a service made.
    pub(crate) fn made(service: &str, made: &Made) -> Self {
        let by = made.model.as_deref().unwrap_or(service);
        Self { generated: Some(format!("{by}: {}", made.prompt)), ..Self::default() }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
