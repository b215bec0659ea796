//! Which face shows which character.
//!
//! Invariant: the packaged Latin faces are always there; others are added only for characters that these lack, or
//! because their files were named. Deliberately absent: shaping (`lines.rs`) and the search in folders (`find.rs`).

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use krilla::text::Font;
use rustybuzz::Face as Shaper;

use super::find;
use crate::{
    Error,
    article::{Article, Piece},
    date,
    text::is_wide,
};

/// Caladea, SIL Open Font License 1.1; where it is from stands beside it.
const REGULAR: &[u8] = include_bytes!("../../fonts/Caladea-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../fonts/Caladea-Bold.ttf");
/// The packaged faces' places.
const REGULAR_AT: usize = 0;
const BOLD_AT: usize = 1;

/// A font's file, and the face in it.
#[derive(Clone)]
pub(super) struct FontFile {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) index: u32,
}

/// A face that can be asked and drawn with.
pub(super) struct Face<'a> {
    pub(super) shaper: Shaper<'a>,
    pub(super) font: Font,
}

/// All faces of a document.
pub(super) struct Faces<'a> {
    pub(super) faces: Vec<Face<'a>>,
    /// Whether the language is written in wide characters: then their fonts show its quotation marks and dashes.
    pub(super) is_east: bool,
}

/// The font files that an article needs.
///
/// # Errors
/// When a named file is no font that may be embedded, or characters are left for which no font was found.
pub(super) fn gather(article: &Article, given: &[PathBuf]) -> Result<Vec<FontFile>, Error> {
    let packaged = |bytes: &[u8]| FontFile { bytes: Arc::new(bytes.to_vec()), index: 0 };
    let mut files = vec![packaged(REGULAR), packaged(BOLD)];
    for path in given.iter().filter(|path| !path.is_dir()) {
        files.push(find::named(path, &article.language)?);
    }
    let mut missing = characters(article);
    for file in &files {
        find::remove_covered(file, &mut missing);
    }
    find::complete(&mut files, &mut missing, given, &article.language);
    missing.retain(|&character| !is_mark(character));
    if missing.is_empty() {
        return Ok(files);
    }
    let kind = if missing.iter().copied().any(is_wide) { "a Chinese font" } else { "a font" };
    let count = missing.len();
    let example = if kind == "a font" {
        "a Noto font of that script"
    } else {
        "Noto Serif CJK (the package fonts-noto-cjk, or google-noto-serif-cjk-fonts)"
    };
    let characters: String = missing.into_iter().take(12).collect();
    Err(Error::NoFont { kind, characters, count, example })
}

/// Every character that must be seen.
fn characters(article: &Article) -> BTreeSet<char> {
    let mut all = String::new();
    let mut add = |text: &str| all.push_str(text);
    let words = article.words;
    [&article.title, words.credits, words.generated, words.and, "0123456789:"].map(&mut add);
    add(&date::date(article.created));
    article.author.iter().for_each(|author| add(author));
    for piece in &article.pieces {
        match piece {
            Piece::Heading(heading) => add(heading),
            Piece::Paragraph(lines) => lines.iter().for_each(|line| add(line)),
            Piece::Figure(figure) => {
                add(&figure.label(words));
                let rest = [&figure.author, &figure.licence, &figure.source, &figure.generated];
                rest.into_iter().flatten().for_each(|text| add(text));
            }
        }
    }
    all.chars().filter(|&character| !is_unseen(character)).collect()
}

/// Whether a character shows nothing by itself (white, or Unicode's "default ignorable", or the sign for what cannot be
/// said, for which every font has a box).
pub(super) fn is_unseen(character: char) -> bool {
    character.is_whitespace()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fffd}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character sits on the one before it; fonts have the two as one.
pub(super) fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}' | '\u{1f3fb}'..='\u{1f3ff}')
}

impl<'a> Faces<'a> {
    /// Opens files that have been opened before.
    pub(super) fn new(files: &'a [FontFile], language: &str) -> Self {
        let face = |file: &'a FontFile| {
            let shaper = Shaper::from_slice(&file.bytes, file.index)?;
            Some(Face { shaper, font: Font::new(file.bytes.clone().into(), file.index)? })
        };
        let faces = files.iter().map(|file| face(file).expect("a font that was opened before"));
        let primary = language.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let is_east = matches!(primary.as_str(), "zh" | "yue" | "cmn" | "ja" | "ko");
        Faces { faces: faces.collect(), is_east }
    }

    /// The face for a character.
    pub(super) fn choose(&self, character: char, is_bold: bool) -> usize {
        let has = |at: &usize| {
            self.faces.get(*at).is_some_and(|face| face.shaper.glyph_index(character).is_some())
        };
        let latin = if is_bold { [BOLD_AT, REGULAR_AT] } else { [REGULAR_AT, BOLD_AT] };
        let others = BOLD_AT + 1..self.faces.len();
        let is_eastern = is_wide(character)
            || self.is_east
                && matches!(character, '\u{2014}' | '\u{2018}'..='\u{201d}' | '\u{2026}' | '·');
        // Among others, a font of wide characters is known by having the commonest of them.
        let is_wide_font = |at: &usize| self.faces[*at].shaper.glyph_index('一').is_some();
        let eastern = others.clone().filter(is_wide_font).find(has).filter(|_| is_eastern);
        eastern.or_else(|| latin.iter().copied().chain(others).find(has)).unwrap_or(latin[0])
    }

    /// Whether bold text of this face must be drawn with an outline, since the face itself is not bold.
    pub(super) fn needs_outline(&self, face: usize, is_bold: bool) -> bool {
        is_bold && face != BOLD_AT
    }
}
