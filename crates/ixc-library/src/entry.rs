//! What a library knows of a picture, as plain data.
//!
//! The same form is a row of the tables, a line of an export's list, and what a search gives back.
//! Deliberately absent: pixels, and where any of it is kept.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::look::Look;

/// A picture's number in its library. It is never given to another picture, even after a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(pub i64);

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The SHA-256 of a picture's file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Who says what a caption says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Whoever added the picture, on that occasion.
    Given,
    /// A file beside the picture.
    Sidecar,
    /// The picture's file itself.
    Embedded,
    /// A model that looked at it.
    Model,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Given, Self::Sidecar, Self::Embedded, Self::Model];

    /// The word for it, in the tables and in lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Sidecar => "sidecar",
            Self::Embedded => "embedded",
            Self::Model => "model",
        }
    }
}

/// A text that says what a picture shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caption {
    /// The words, on one line.
    pub text: String,
    /// As in BCP 47 (`en`, `zh`), where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who says so.
    pub origin: Origin,
    /// Which model, where it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// How a picture was generated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// By which model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// From which seed, as its maker writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// From which words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

/// What is said about a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The first is what a page prints; all are searched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captions: Vec<Caption>,
    /// Words beside the captions; searched too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where it comes from: an address, a book, a collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Under which licence it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// How it was generated; `None` for a picture that was not, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
}

impl About {
    /// Takes from `other` whatever is not said here.
    pub(crate) fn fill(&mut self, other: Self) {
        fn fill<T>(own: &mut Option<T>, other: Option<T>) {
            *own = own.take().or(other);
        }
        if self.captions.is_empty() {
            self.captions = other.captions;
        }
        if self.tags.is_empty() {
            self.tags = other.tags;
        }
        fill(&mut self.source, other.source);
        fill(&mut self.licence, other.licence);
        fill(&mut self.author, other.author);
        fill(&mut self.generated, other.generated);
    }
}

/// A picture of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number.
    pub id: Id,
    /// Its file: relative to the library's folder where it lies in it, absolute elsewhere.
    pub path: PathBuf,
    /// Of the file.
    pub sha256: Digest,
    /// What it looks like, for finding others that look the same.
    #[serde(skip)]
    pub look: Look,
    /// Bytes of the file.
    pub bytes: u64,
    /// When the file was last changed, in nanoseconds since 1970.
    #[serde(skip)]
    pub modified: i64,
    /// Pixels a row, turned as its camera noted.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What is said about it.
    #[serde(flatten)]
    pub about: About,
}

impl Entry {
    /// The caption that a page prints.
    pub fn caption(&self) -> Option<&str> {
        self.about.captions.first().map(|caption| caption.text.as_str())
    }
}

/// A file that an import could not take as it is, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// The file or folder.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// A path may hold bytes that JSON cannot.
fn lossy<S: serde::Serializer>(path: &std::path::Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}
