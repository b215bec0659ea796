//! What can be wrong with one sample, and where it stands.
//!
//! Invariant: each way of being wrong has its own message with what was expected and what was found.
//! Text out of the user's file is quoted at most in its first characters. Deliberately absent: what is
//! wrong with a file as a whole ([`super::Error`]).

use std::{fmt, path::PathBuf};

use thiserror::Error;

use super::limits::MAX_SAMPLE_BYTES;

/// A sample that cannot be learned from, and where it stands.
#[derive(Debug, Error)]
#[error("{}, sample {index} (counted from 0{}): {fault}", file.display(), Named(id))]
pub struct Broken {
    /// Its data file.
    pub file: PathBuf,
    /// Its place among the file's samples, counted from 0.
    pub index: u64,
    /// Its `id`, where it has one.
    pub id: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// An `id` behind a comma.
struct Named<'a>(&'a Option<String>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, ", id {:?}", quoted(id)),
            None => Ok(()),
        }
    }
}

/// What is wrong with a sample.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// No JSON.
    #[error("expected a sample as JSON, found something else: {reason}")]
    Json {
        /// What the JSON reader says, with the line and column within the sample.
        reason: String,
    },
    /// More bytes than a sample may have.
    #[error("the sample has {bytes} bytes, the limit is {limit}", limit = MAX_SAMPLE_BYTES)]
    Large {
        /// Bytes found.
        bytes: u64,
    },
    /// A value of another type than the format has there.
    #[error("{place}: expected {expected}, found {found}")]
    Type {
        /// Where in the sample.
        place: String,
        /// What belongs there.
        expected: &'static str,
        /// The type of what is there.
        found: &'static str,
    },
    /// Neither `conversations` nor `messages`, or both.
    #[error("expected {expected}, found the keys {found}")]
    Keys {
        /// What a sample has.
        expected: &'static str,
        /// What this one has.
        found: String,
    },
    /// A key that would change what is learned, and cannot be obeyed.
    #[error(
        "{place}: the key `{key}` changes what is said or learned, and is not understood here; {hint}"
    )]
    Key {
        /// Where in the sample.
        place: String,
        /// The key.
        key: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A part of a turn that no layout has.
    #[error("{place}: expected a part of the type text, image_url or image, found {found:?}")]
    Part {
        /// Where in the sample.
        place: String,
        /// Its type.
        found: String,
    },
    /// A speaker that no layout has.
    #[error(
        "turn {turn} (counted from 0): expected a turn of user (or human), assistant (or gpt, bot) or \
         system, found {found:?}"
    )]
    Role {
        /// Which turn.
        turn: usize,
        /// Who speaks there.
        found: String,
    },
    /// Turns in an order that no layout has.
    #[error("turn {turn} (counted from 0): expected {expected}, found {found}")]
    Order {
        /// Which turn; the number of turns when they end too early.
        turn: usize,
        /// Who should speak there.
        expected: &'static str,
        /// Who does.
        found: &'static str,
    },
    /// Nobody answers.
    #[error(
        "expected at least one turn of the assistant to learn from, found none in {turns} turn(s)"
    )]
    NoAnswer {
        /// How many turns there are.
        turns: usize,
    },
    /// An answer without a word.
    #[error(
        "turn {turn} (counted from 0): expected an answer to learn from, found one without a word"
    )]
    EmptyAnswer {
        /// Which turn.
        turn: usize,
    },
    /// Places for images and images differ in number.
    #[error(
        "expected a `{marker}` for each image, found {markers} of them and {images} image(s); write one \
         per image, or none at all to put all images before the first question"
    )]
    Markers {
        /// The marker.
        marker: &'static str,
        /// How many the texts have.
        markers: usize,
        /// How many images the sample has.
        images: usize,
    },
    /// Image parts and the list of images differ in number.
    #[error(
        "expected an image in the sample's list for each image part without one, found {parts} such \
         part(s) and {images} image(s) in the list"
    )]
    ImageParts {
        /// Parts without an image of their own.
        parts: usize,
        /// Images in the list.
        images: usize,
    },
    /// An image's file is not there.
    #[error(
        "expected the image {path}, found no such file; relative paths are read from the folder given \
         for images, by default the data file's own"
    )]
    ImageMissing {
        /// Where it was looked for.
        path: String,
    },
    /// An image's file is there and cannot be used.
    #[error("the image {image}: {reason}")]
    ImageUnreadable {
        /// Its path, or which one it is when it stands in the sample itself.
        image: String,
        /// Why, with what was expected.
        reason: String,
    },
    /// An image on the network.
    #[error(
        "expected an image as a path or a data: URL, found {url:?}; nothing is fetched while training: \
         download it first"
    )]
    ImageRemote {
        /// The URL's first characters.
        url: String,
    },
    /// Images for a model that cannot see.
    #[error("expected text alone, since the model has no vision tower; found {images} image(s)")]
    NoTower {
        /// How many.
        images: usize,
    },
    /// Lists of labels and images differ in number.
    #[error(
        "image_labels: expected a list of words for each image, found {lists} list(s) and {images} image(s)"
    )]
    LabelLists {
        /// Lists.
        lists: usize,
        /// Images.
        images: usize,
    },
    /// An image has another number of labels than of rows.
    #[error(
        "image_labels[{image}]: expected a word, or \"\", for each of the {rows} rows that the model makes of an \
         image, row by row; found {words}"
    )]
    LabelWords {
        /// Which image.
        image: usize,
        /// Words found.
        words: usize,
        /// The model's rows.
        rows: usize,
    },
    /// Labels for a model whose image rows are no grid of patches.
    #[error(
        "image_labels: expected a model that sees an image as one square, found one that cuts it into tiles; \
         leave the key out"
    )]
    LabelsOfTiles,
    /// More positions than the context has.
    #[error(
        "expected at most {context} positions, found {}{positions}; shorten it, use fewer images, or \
         raise the context", if *all { "" } else { "at least " }
    )]
    TooLong {
        /// Positions of the sample.
        positions: usize,
        /// Whether all of them were counted: images are not opened any more once the context is full.
        all: bool,
        /// The context.
        context: usize,
    },
    /// The layout refuses it.
    #[error(transparent)]
    Layout(ixc_input::Error),
}

/// Faults, by what a user does about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Not JSON, or too much of it.
    Json,
    /// JSON of another form.
    Format,
    /// A key that cannot be obeyed.
    Key,
    /// Wrong speakers, or speakers in the wrong order.
    Turns,
    /// No answer, or an empty one.
    Answer,
    /// Places for images and images do not match.
    Markers,
    /// Labels do not fit the images or the model.
    Labels,
    /// An image is missing, or on the network.
    ImageMissing,
    /// An image cannot be read.
    ImageUnreadable,
    /// Longer than the context.
    TooLong,
}

impl Fault {
    /// Which kind it is.
    pub fn kind(&self) -> FaultKind {
        match self {
            Fault::Json { .. } | Fault::Large { .. } => FaultKind::Json,
            Fault::Type { .. } | Fault::Keys { .. } => FaultKind::Format,
            Fault::Key { .. } | Fault::Part { .. } => FaultKind::Key,
            Fault::Role { .. } | Fault::Order { .. } => FaultKind::Turns,
            Fault::NoAnswer { .. } | Fault::EmptyAnswer { .. } => FaultKind::Answer,
            Fault::Markers { .. } | Fault::ImageParts { .. } => FaultKind::Markers,
            Fault::LabelLists { .. } | Fault::LabelWords { .. } | Fault::LabelsOfTiles => {
                FaultKind::Labels
            }
            Fault::ImageMissing { .. } | Fault::ImageRemote { .. } => FaultKind::ImageMissing,
            Fault::ImageUnreadable { .. } | Fault::NoTower { .. } => FaultKind::ImageUnreadable,
            Fault::TooLong { .. } | Fault::Layout(_) => FaultKind::TooLong,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FaultKind::Json => "not JSON",
            FaultKind::Format => "another format",
            FaultKind::Key => "a key that is not understood",
            FaultKind::Turns => "wrong turns",
            FaultKind::Answer => "no answer",
            FaultKind::Markers => "images and places differ",
            FaultKind::Labels => "labels and image rows differ",
            FaultKind::ImageMissing => "image missing",
            FaultKind::ImageUnreadable => "image unreadable",
            FaultKind::TooLong => "longer than the context",
        })
    }
}

/// The beginning of a text out of a user's file, short enough for a message.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60; // characters
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
