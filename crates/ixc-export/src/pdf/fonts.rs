//! Which face shows which character.
//!
//! Invariants: the packaged faces come first, so that most articles look the same everywhere; others are added only
//! for characters that these lack, or for a language whose signs have forms of their own. Deliberately absent:
//! shaping (`lines.rs`) and the search in folders (`find.rs`).

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    io::{Cursor, Read},
    path::PathBuf,
    rc::Rc,
    str::FromStr,
    sync::Arc,
};

use krilla::text::{Font, Tag};
use rustybuzz::{Face as Shaper, Language, Script, ShapePlan, Variation, ttf_parser};

use super::find;
use crate::{
    article::{Article, Piece},
    date,
    text::is_wide,
};

/// Subsets of Noto Serif and Noto Serif CJK under the SIL Open Font License; what they are stands beside them.
const SERIF: &[u8] = include_bytes!("../../fonts/serif.zip");
/// The packaged Latin faces' places.
const REGULAR: usize = 0;
const BOLD: usize = 1;

/// Marks that Latin and Chinese type both have, each in a form of its own.
const SHARED: &str = "\u{2014}\u{2018}\u{2019}\u{201c}\u{201d}\u{2026}\u{2025}·";

/// A font's file, and the face in it.
#[derive(Clone)]
pub(super) struct FontFile {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) index: u32,
    pub(super) is_packaged: bool,
}

impl FontFile {
    fn packaged(name: &str) -> FontFile {
        let mut archive = zip::ZipArchive::new(Cursor::new(SERIF)).expect("our own archive");
        let mut bytes = Vec::new();
        let mut file = archive.by_name(name).expect("a font that was packaged");
        file.read_to_end(&mut bytes).expect("our own archive is whole");
        FontFile { bytes: Arc::new(bytes), index: 0, is_packaged: true }
    }

    /// The face, where it is one that can be shaped and embedded.
    pub(super) fn open(&self) -> Option<Face<'_>> {
        let mut shaper = Shaper::from_slice(&self.bytes, self.index)?;
        let weight = ttf_parser::Tag::from_bytes(b"wght");
        // A file of all weights would be drawn in its thinnest.
        let is_variable = shaper.variation_axes().into_iter().any(|axis| axis.tag == weight);
        let data = self.bytes.clone().into();
        let font = if is_variable {
            shaper.set_variations(&[Variation { tag: weight, value: 400.0 }]);
            Font::new_variable(data, self.index, &[(Tag::new(b"wght"), 400.0)])?
        } else {
            Font::new(data, self.index)?
        };
        // A font of wide characters has the commonest of them.
        let is_wide = ['一', '가'].iter().any(|&sign| shaper.glyph_index(sign).is_some());
        Some(Face { shaper, font, is_wide })
    }

    /// Takes out the characters that the face has.
    pub(super) fn remove_covered(&self, missing: &mut BTreeSet<char>) {
        if let Ok(face) = ttf_parser::Face::parse(&self.bytes, self.index) {
            missing.retain(|&character| face.glyph_index(character).is_none());
        }
    }
}

/// A face that can be asked and drawn with.
pub(super) struct Face<'a> {
    pub(super) shaper: Shaper<'a>,
    pub(super) font: Font,
    /// Whether it is one of Chinese, Japanese or Korean.
    is_wide: bool,
}

/// What shaping depends on beside the text: the face, the direction, the script.
pub(super) type Manner = (usize, bool, Option<Script>);

/// All faces of a document.
pub(super) struct Faces<'a> {
    pub(super) faces: Vec<Face<'a>>,
    /// Whether lines are set to one width, as Chinese and Japanese type is.
    pub(super) is_justified: bool,
    pub(super) language: Option<Language>,
    /// What is made once for each manner of shaping.
    pub(super) plans: RefCell<HashMap<Manner, Rc<ShapePlan>>>,
}

/// The font files for an article: the packaged ones, and what the folders have of the characters that are left.
pub(super) fn gather(article: &Article, folders: &[PathBuf]) -> Vec<FontFile> {
    let language = &article.language;
    let mut files = vec![FontFile::packaged("regular.ttf"), FontFile::packaged("bold.ttf")];
    let mut missing = characters(article);
    files[REGULAR].remove_covered(&mut missing);
    if missing.is_empty() {
        return files;
    }
    if has_own_forms(language) {
        let (mut wide, rest) = missing.into_iter().partition(|&character| is_wide(character));
        files.extend(find::search(folders, &mut wide, language));
        missing = &wide | &rest;
    }
    let hanzi = FontFile::packaged("hanzi.otf");
    let before = missing.len();
    hanzi.remove_covered(&mut missing);
    if missing.len() < before {
        files.push(hanzi);
    }
    files.extend(find::search(folders, &mut missing, language));
    files
}

/// Whether the language writes characters in other forms than the packaged ones, which are the People's Republic's.
fn has_own_forms(language: &str) -> bool {
    match primary(language).as_str() {
        "ja" | "ko" | "yue" => true,
        "zh" | "cmn" => find::region(language) != "SC",
        _ => false,
    }
}

fn primary(language: &str) -> String {
    language.split('-').next().unwrap_or_default().to_ascii_lowercase()
}

/// Every character that must be seen.
fn characters(article: &Article) -> BTreeSet<char> {
    let mut all: BTreeSet<char> = "0123456789: ".chars().collect();
    let mut add = |text: &str| all.extend(text.chars().filter(|&c| !is_unseen(c)));
    let words = article.words;
    [&article.title, words.credits, words.generated, words.and].into_iter().for_each(&mut add);
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
    all
}

/// Whether a character shows nothing by itself: white, or Unicode's "default ignorable".
pub(super) fn is_unseen(character: char) -> bool {
    character.is_whitespace()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}')
}

impl<'a> Faces<'a> {
    /// Opens files that have been opened before.
    pub(super) fn new(files: &'a [FontFile], language: &str) -> Self {
        let faces = files.iter().map(|file| file.open().expect("a font that was opened before"));
        Faces {
            faces: faces.collect(),
            is_justified: matches!(primary(language).as_str(), "zh" | "yue" | "cmn" | "ja"),
            language: Language::from_str(language).ok(),
            plans: RefCell::default(),
        }
    }

    /// The face for a character between two others; where none has it, one that shows a box.
    pub(super) fn choose(
        &self,
        character: char,
        [before, after]: [Option<char>; 2],
        is_bold: bool,
    ) -> usize {
        let has = |at: &usize| self.faces[*at].shaper.glyph_index(character).is_some();
        let is_eastern = is_wide(character)
            || SHARED.contains(character) && [before, after].into_iter().flatten().any(is_wide);
        let latin = if is_bold { [BOLD, REGULAR] } else { [REGULAR, BOLD] };
        let all = 0..self.faces.len();
        let wide = all.clone().filter(|&at| is_eastern && self.faces[at].is_wide);
        wide.chain(latin).chain(all).find(has).unwrap_or(latin[0])
    }

    /// Whether bold text of this face must be drawn with an outline, since the face itself is not bold.
    pub(super) fn needs_outline(&self, face: usize, is_bold: bool) -> bool {
        is_bold && face != BOLD
    }
}
