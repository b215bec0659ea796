//! What is odd in a model's answers, and what was done about it.
//!
//! Invariant: nothing odd ends a composition, and nothing odd is mended in silence: each is an event, and stays
//! in its stage's data. Deliberately absent: opinions on style.

use std::fmt;

use ixc_input::composition::MAX_SECTIONS;
use serde::{Deserialize, Serialize};

/// Something odd; places and sections are counted from 0, as the prompts do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "odd", rename_all = "snake_case")]
pub enum Odd {
    /// Nothing was written.
    NoText,
    /// The article ended at the words allowed.
    CutShort,
    /// More sections than may be: those behind are left out.
    TooManySections {
        /// Written.
        found: usize,
    },
    /// No place is named.
    NoPlaces,
    /// There is no such section; left out.
    PlaceOutOfRange {
        /// The place.
        place: usize,
        /// How many sections there are.
        sections: usize,
    },
    /// A place is named again; counted once.
    PlaceRepeated {
        /// The place.
        place: usize,
    },
    /// More places than were asked for: those named last are left out.
    MorePlaces {
        /// Asked for.
        wanted: usize,
        /// Named.
        found: usize,
    },
    /// Fewer places than were asked for: others are added, far from the rest.
    FewerPlaces {
        /// Asked for.
        wanted: usize,
        /// Named.
        found: usize,
        /// Added.
        added: Vec<usize>,
    },
    /// More places than pictures, and no other source: those named last are left out.
    MorePlacesThanPictures {
        /// Named.
        places: usize,
        /// Given.
        pictures: usize,
    },
    /// More pictures are asked for than there are sections.
    MoreThanSections {
        /// Asked for.
        wanted: usize,
        /// Sections.
        sections: usize,
    },
    /// A caption is empty: the section's own words are searched for.
    NoCaption {
        /// The place.
        place: usize,
    },
    /// A caption did not end with a quotation mark.
    UnclosedCaption {
        /// The place.
        place: usize,
    },
    /// No picture was found: the place stays open.
    NoPicture {
        /// The place.
        place: usize,
    },
    /// A library could not be searched: what others have is taken.
    SearchFailed {
        /// The place.
        place: usize,
        /// Why.
        reason: String,
    },
    /// A service gave no picture, or fewer: what others have is taken.
    ServiceFailed {
        /// The place.
        place: usize,
        /// Which service, and why.
        reason: String,
    },
    /// A picture that was found cannot be read; left out.
    Unreadable {
        /// Its name.
        picture: String,
        /// Why.
        reason: String,
    },
    /// The answer names no candidate: the first one is taken.
    NoChoice {
        /// The place.
        place: usize,
        /// What was said.
        answer: String,
    },
    /// The model refused the question: this stage goes on without an answer.
    Refused {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Odd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoText => write!(out, "the model wrote nothing"),
            Self::CutShort => write!(out, "the article ends at the words or positions allowed"),
            Self::TooManySections { found } => write!(
                out,
                "the article has {found} sections; those behind the first {MAX_SECTIONS} are left out"
            ),
            Self::NoPlaces => write!(out, "the model names no place for a picture"),
            Self::PlaceOutOfRange { place, sections } => write!(
                out,
                "the model names section {place} of 0 to {}, which is not there; left out",
                sections.saturating_sub(1)
            ),
            Self::PlaceRepeated { place } => {
                write!(out, "the model names section {place} more than once; counted once")
            }
            Self::MorePlaces { wanted, found } => write!(
                out,
                "the model names {found} places where {wanted} were asked for; the last are left out"
            ),
            Self::FewerPlaces { wanted, found, added } => write!(
                out,
                "the model names {found} places where {wanted} were asked for; added: {}",
                listed(added)
            ),
            Self::MorePlacesThanPictures { places, pictures } => write!(
                out,
                "the model names {places} places and there are {pictures} pictures; the last places are left out"
            ),
            Self::MoreThanSections { wanted, sections } => write!(
                out,
                "{wanted} pictures were asked for and the article has {sections} sections, each with one at most"
            ),
            Self::NoCaption { place } => write!(
                out,
                "the model gives no caption at section {place}; its text is searched for instead"
            ),
            Self::UnclosedCaption { place } => {
                write!(out, "the caption at section {place} has no closing quotation mark")
            }
            Self::NoPicture { place } => {
                write!(out, "no picture was found for section {place}; its place stays open")
            }
            Self::SearchFailed { place, reason } => {
                write!(out, "no search for section {place}: {reason}")
            }
            Self::ServiceFailed { place, reason } => {
                write!(out, "at section {place}, {reason}")
            }
            Self::Unreadable { picture, reason } => {
                write!(out, "the picture {picture} is left out: {reason}")
            }
            Self::NoChoice { place, answer } => write!(
                out,
                "the model chooses no candidate at section {place} (it says {answer:?}); the first one is taken"
            ),
            Self::Refused { reason } => write!(out, "the model gives no answer: {reason}"),
        }
    }
}

fn listed(places: &[usize]) -> String {
    if places.is_empty() {
        return "none, as every section has one".into();
    }
    places.iter().map(|place| format!("section {place}")).collect::<Vec<_>>().join(", ")
}
