//! The article as a PDF: pages of A4, fonts inside, text that can be selected, searched and read aloud.
//!
//! The flow: `fonts.rs` finds a face for every character (`find.rs` looks among the user's), `breaks.rs` and
//! `lines.rs` make lines of them, `fill.rs` fills pages, `draw.rs` draws those. Invariant: no character is left out:
//! one for which there is no font is an error that names it. Deliberately absent: hyphenation, footnotes, columns.

mod breaks;
mod draw;
mod fill;
mod find;
mod fonts;
mod lines;

use std::path::{Path, PathBuf};

use crate::{Error, Written, article::Article, put};

/// Writes the document; `given` are files of fonts, or folders to find some in.
pub(crate) fn write(
    article: &Article,
    to: &Path,
    overwrite: bool,
    given: &[PathBuf],
) -> Result<Written, Error> {
    let files = fonts::gather(article, given)?;
    let faces = fonts::Faces::new(&files, &article.language);
    let pages = fill::pages(article, &faces);
    let bytes = draw::draw(article, &faces, &pages).map_err(|why| Error::Pdf { why })?;
    put::whole(article, to, &bytes, overwrite)
}
