//! What can be wrong with a document, its pictures, or the place it is to be written to.
//!
//! Every message says what was expected, what was found, where, and what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why nothing was written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The name does not say in which format.
    #[error(
        "{} does not say in which format: expected a name that ends in {expected}, or a folder for Markdown with \
         its pictures", path.display()
    )]
    UnknownFormat {
        /// The path that was given.
        path: PathBuf,
        /// The endings that are known.
        expected: &'static str,
    },
    /// Something is there already.
    #[error("{} is there already; name another place, or ask for it to be replaced", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// The kind of thing that is there cannot be replaced by what is to be written.
    #[error("{} is {found}, and {wanted} was to be written there; name another place", path.display())]
    OtherKind {
        /// What is there.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What was to be written.
        wanted: &'static str,
    },
    /// The folder to write into is not there.
    #[error("the folder {} is not there; make it first, or name another place", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// An article needs a title.
    #[error("the document has no title; expected one line of text")]
    NoTitle,
    /// An article needs something in it.
    #[error("the document \"{title}\" has nothing in it; expected text or pictures")]
    Empty {
        /// Its title.
        title: String,
    },
    /// The language is not a language tag.
    #[error("the language is '{found}'; expected a BCP 47 tag such as en, zh-Hans or pt-BR")]
    Language {
        /// What was given.
        found: String,
    },
    /// A number of the options is outside what can be.
    #[error("{name} is {found}; expected {least} to {most}")]
    Option {
        /// Which.
        name: &'static str,
        /// What was given.
        found: u64,
        /// The least that can be.
        least: u64,
        /// The most that can be.
        most: u64,
    },
    /// A document is larger than any article.
    #[error("the document has {found} {what}, the limit is {limit}; export it in parts")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much may be.
        limit: u64,
    },
    /// A picture's file cannot be read.
    #[error("picture {number} of the article: cannot read {}: {source}", path.display())]
    PictureFile {
        /// Its place among the article's pictures, from 1.
        number: usize,
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A picture cannot be used.
    #[error("picture {number} of the article{at}: {source}", at = place(path.as_deref()))]
    Picture {
        /// Its place among the article's pictures, from 1.
        number: usize,
        /// Its file, where it has one.
        path: Option<PathBuf>,
        /// Why.
        source: ixc_input::Error,
    },
    /// A PDF cannot be made of the article.
    #[error("the article cannot be made a PDF: {why}; write it as .html, .epub or .docx")]
    Pdf {
        /// What is in the way.
        why: String,
    },
    /// A file or folder cannot be written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn file<'a>(
        doing: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::File { doing, path: path.into(), source }
    }
}

fn place(path: Option<&Path>) -> String {
    path.map_or(String::new(), |path| format!(" ({})", path.display()))
}
