//! ixc-export: an illustrated article becomes a file that others open.
//!
//! The flow: a [`Document`] is plain data; `article.rs` cleans its text and prepares its pictures (`album.rs`)
//! once for all formats; a format's own file makes bytes of that; `put.rs` lets them appear when they are whole.
//! Invariants: text is text (no markup, script or control character of it comes to life), the same document gives
//! the same bytes, a failed or killed export leaves what was there. Deliberately absent: models, the terminal, the
//! network, the clock, and external programs.

mod album;
mod archive;
mod article;
mod date;
mod document;
mod docx;
mod encode;
mod epub;
mod error;
mod format;
mod html;
pub mod limits;
mod markdown;
mod markup;
mod pdf;
mod put;
mod strip;
mod text;
mod words;

use std::path::{Path, PathBuf};

use article::Article;
pub use document::{Block, Credit, Document, Options, Picture, Source};
pub use error::Error;
pub use format::{Format, check_target};

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file that a reader opens.
    pub path: PathBuf,
    /// Bytes of all that was written.
    pub bytes: u64,
    /// Pictures that were stored, each once.
    pub pictures: usize,
    /// Numbers (from 1) of the pictures that had to be made anew although [`Options::keep_metadata`] was asked for:
    /// too wide, turned, or of a format that the export does not have.
    pub without_metadata: Vec<usize>,
    /// Characters for which no font was found, so that a PDF shows a box in their place. Other formats leave fonts to
    /// the reader's program.
    pub without_glyph: Vec<char>,
}

/// Writes a document.
///
/// # Errors
/// When the place cannot be written ([`check_target`]), the document or the options cannot be, a picture cannot be
/// used, or the disk refuses. Then what was there before is there still.
pub fn write(
    document: &Document,
    format: Format,
    to: &Path,
    options: &Options,
) -> Result<Written, Error> {
    check_target(to, format, options.overwrite)?;
    let article = Article::new(document, options)?;
    match format {
        Format::Markdown => markdown::write(&article, to, options.overwrite),
        Format::Html => html::write(&article, to, options.overwrite),
        Format::Epub => epub::write(&article, to, options.overwrite),
        Format::Docx => docx::write(&article, to, options.overwrite),
        Format::Pdf => pdf::write(&article, to, options),
    }
}
