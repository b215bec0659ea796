//! The article as a PDF: pages of A4, fonts inside, text that can be selected, searched and read aloud.
//!
//! The flow: `fonts.rs` finds a face for every character (`find.rs` looks among the user's), `breaks.rs` and
//! `lines.rs` make lines of them, `fill.rs` fills pages, `draw.rs` draws those. Invariant: no character is left out:
//! one for which there is no font is a box, and the result names it. Deliberately absent: hyphenation, footnotes,
//! columns, links inside the document.

mod breaks;
mod draw;
mod fill;
mod find;
mod fonts;
mod lines;

use std::{collections::BTreeSet, path::Path};

use krilla::error::KrillaError;

use crate::{Error, Options, Written, album::Kind, article::Article, put};
use fill::{Item, Pages};
use fonts::Faces;

/// Writes the document.
pub(crate) fn write(article: &Article, to: &Path, options: &Options) -> Result<Written, Error> {
    let (bytes, missing) = made(article, options)?;
    let mut written = put::whole(article, to, &bytes, options.overwrite)?;
    written.without_glyph = missing.into_iter().collect();
    if options.keep_metadata {
        // A JPEG goes into a PDF as it is; of a PNG only the pixels and the profile do.
        let is_png = |asset: usize| article.assets[asset].kind == Kind::Png;
        written
            .without_metadata
            .extend(article.figures().filter(|figure| is_png(figure.asset)).map(|f| f.number));
        written.without_metadata.sort_unstable();
        written.without_metadata.dedup();
    }
    Ok(written)
}

/// The document's bytes, and the characters for which there is no font.
fn made(article: &Article, options: &Options) -> Result<(Vec<u8>, BTreeSet<char>), Error> {
    let mut files = fonts::gather(article, &options.font_folders);
    let mut is_remade = false;
    loop {
        let faces = Faces::new(&files, &article.language);
        let pages = fill::pages(article, &faces);
        let missing = without_glyph(&pages);
        match draw::draw(article, &faces, &pages, missing.is_empty(), is_remade) {
            Ok(bytes) => return Ok((bytes, missing)),
            // One of the user's fonts that can be read and not be embedded: the article goes on without it.
            Err(KrillaError::Font(font, why)) => {
                let at = faces.faces.iter().position(|face| face.font == font);
                let at = at.filter(|&at| !files[at].is_packaged);
                files.remove(at.ok_or(Error::Pdf { why })?);
            }
            Err(KrillaError::Image(..)) if !is_remade => is_remade = true,
            Err(error) => return Err(Error::Pdf { why: error.to_string() }),
        }
    }
}

/// The characters that stand on the pages as boxes.
fn without_glyph(pages: &Pages) -> BTreeSet<char> {
    let mut missing = BTreeSet::new();
    for (_, item) in pages.pages.iter().flatten() {
        let Item::Line { line, .. } = item else { continue };
        for run in &line.runs {
            let boxes = run.glyphs.iter().filter(|glyph| glyph.glyph_id.to_u32() == 0);
            let texts = boxes.map(|glyph| &run.text[glyph.text_range.clone()]);
            missing.extend(texts.flat_map(str::chars).filter(|&c| !fonts::is_unseen(c)));
        }
    }
    missing
}
