//! What ends a composition or an edit early.
//!
//! Each message says what was expected, what was found, where, and what to do. Deliberately absent: what is odd
//! in an answer, which ends nothing ([`crate::odd`]).

use std::path::PathBuf;

use thiserror::Error;

use crate::chat::Refusal;

/// Why there is no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An option is out of range.
    #[error("{option}: expected {expected}, found {found}")]
    Option {
        /// Which.
        option: &'static str,
        /// Its range.
        expected: String,
        /// Its value.
        found: String,
    },
    /// It was told to stop; what was made until then is in the composition.
    #[error("stopped")]
    Cancelled,
    /// The model gives no article at all.
    #[error("the article cannot be written: {}", .0.0)]
    NoArticle(Refusal),
    /// The model does not change a paragraph.
    #[error("the model gives no answer: {}", .0.0)]
    NoAnswer(Refusal),
    /// Another number of pictures than the request names.
    #[error("expected the {expected} own pictures that the request names, found {found}")]
    OwnPictures {
        /// Of the request.
        expected: usize,
        /// Given.
        found: usize,
    },
    /// A picture's file is not what it was.
    #[error(
        "{path}: the picture is another one than when the composition was made; put the first one back, or compose anew"
    )]
    Changed {
        /// The file.
        path: String,
    },
    /// A picture cannot be read.
    #[error("{name}: {source}")]
    Picture {
        /// Which.
        name: String,
        /// Why.
        source: ixc_input::Error,
    },
    /// A library does not give what is asked of it.
    #[error("the library {library}: {reason}")]
    Library {
        /// Which.
        library: String,
        /// Why.
        reason: String,
    },
    /// A picture that a service gave, whose file is not there.
    #[error(
        "the picture {picture} that the service {service} gave is not kept any more; \
         put the folder of pictures back beside the record (article.json has article.assets), \
         or have others found with --again candidates"
    )]
    NotKept {
        /// The service.
        service: String,
        /// Its file's SHA-256.
        picture: String,
    },
    /// A record of stages that cannot be gone on from.
    #[error("{what}; expected what --json wrote, perhaps with later stages cut out")]
    Record {
        /// What is wrong.
        what: String,
    },
    /// A project's file that cannot be used.
    #[error(
        "this is no project that can be used: {what}; expected a file that ixc saved, as it was saved"
    )]
    Project {
        /// What is wrong.
        what: String,
    },
    /// An edit that cannot be made of this article.
    #[error("{what}; `ixc edit FILE show` tells the blocks and their numbers")]
    Edit {
        /// What is wrong.
        what: String,
    },
    /// A file of the system's.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
