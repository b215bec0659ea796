//! Services that pictures are asked of, as the editor sees them: one that finds some, one that makes some.
//!
//! Invariants: a picture's file is taken when the service gives it and kept by its digest ([`Kept`]), since no service
//! must give it twice; a service that fails ends nothing. Deliberately absent: the network, which is the
//! implementation's.

use std::{cell::RefCell, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{article::Assets, limits::KEPT_BYTES, source::digest};

/// What a service that searches calls a picture: a number or a text, sent back as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Key {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number}"),
            Self::Text(text) => out.write_str(text),
        }
    }
}

/// How a picture was made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Made {
    /// By which model, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// From which seed, where the service has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// From which words, as they were sent.
    pub prompt: String,
}

/// What is asked of a service.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What the picture should show.
    pub caption: &'a str,
    /// Pictures of this service that were shown before.
    pub exclude: &'a [Key],
    /// How many pictures are of use.
    pub most: usize,
    /// Decides what is drawn at random.
    pub seed: u64,
}

/// What a service says of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// It has it.
    Found {
        /// Under this name.
        key: Key,
        /// Where its file was.
        address: String,
    },
    /// It made it.
    Made(Made),
}

/// A picture that a service gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its file.
    pub bytes: Vec<u8>,
    /// What is said of it.
    pub about: About,
}

/// What a service gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Pictures, the best first.
    pub pictures: Vec<Offered>,
    /// Why others are not among them, in words for the user.
    pub left_out: Vec<String>,
}

/// Why a service gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It was told to stop.
    Stopped,
    /// In words for the user: which service, what was expected, what was found, what to do.
    Because(String),
}

/// A service that pictures are asked of.
pub trait Service: fmt::Debug {
    /// What the user calls it; the same in every run.
    fn name(&self) -> &str;

    /// The host that texts go to, for the user.
    fn host(&self) -> &str;

    /// Pictures for a caption, at most `wanted.most`. `stop` is asked while it waits, several times a second.
    ///
    /// # Errors
    /// When there is none to be had, and when it is told to stop.
    fn pictures(&self, wanted: &Wanted<'_>, stop: &dyn Fn() -> bool) -> Result<Given, Failed>;
}

/// The files of pictures that services gave, by their digests.
#[derive(Debug, Default)]
pub struct Kept(RefCell<Assets>);

impl Kept {
    /// Keeps a file; its digest.
    ///
    /// # Errors
    /// The bytes that there would be, when that is more than [`KEPT_BYTES`].
    pub fn keep(&self, bytes: impl Into<Arc<[u8]>>) -> Result<String, u64> {
        let bytes = bytes.into();
        let (name, mut kept) = (digest(&bytes), self.0.borrow_mut());
        if !kept.contains_key(&name) {
            let held: usize = kept.values().map(|kept| kept.len()).sum();
            let sum = (held + bytes.len()) as u64;
            if sum > KEPT_BYTES {
                return Err(sum);
            }
            kept.insert(name.clone(), bytes);
        }
        Ok(name)
    }

    /// A file.
    pub fn get(&self, digest: &str) -> Option<Arc<[u8]>> {
        self.0.borrow().get(digest).cloned()
    }
}

/// When services are asked to make pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generate {
    /// Where nothing else has a picture.
    #[default]
    Missing,
    /// At each place, beside what was found.
    Always,
    /// Not at all.
    Never,
}

impl Generate {
    /// Whether it is what is done unasked.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
