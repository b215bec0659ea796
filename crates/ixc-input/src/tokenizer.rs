//! The family's tokenizer: a SentencePiece BPE model with byte fallback, read from `tokenizer.model`.
//!
//! `encode` yields the ids that SentencePiece yields, in near-linear time; `decode` yields the text
//! that the published code yields. Invariant: with [`Markers::Literal`] no text, whoever wrote it,
//! yields an id that steers the model (see [`Tokenizer::is_reserved`]).
//! Deliberately absent: other SentencePiece models (unigram) and normalisers; they are
//! refused with an error that names the setting.

mod merge;
mod model_file;
mod train;

use std::{collections::HashMap, fs::File, io::Read, path::Path};

use crate::{
    Error,
    limits::MAX_TOKENIZER_BYTES,
    special,
    text_stream::{Spacing, TextStream},
};

pub use train::train;

/// What a text that spells a special piece, such as `</s>` or `[UNUSED_TOKEN_146]`, turns into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Markers {
    /// Ordinary pieces: the text is data and cannot steer the model.
    #[default]
    Literal,
    /// The special ids, as the published tokenizer does (`InternLM2Tokenizer` on transformers
    /// 4.33, the release that the checkpoints' configurations name): it also drops the white space
    /// on both sides of `<s>`, `</s>` and `<unk>`. For parity only.
    Typed,
}

/// What a piece is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A piece that merges may form.
    Normal,
    /// The piece of what nothing else covers; byte fallback leaves nothing to it.
    Unknown,
    /// A mark that text never yields, such as `<s>`.
    Control,
    /// A piece that is cut out of the text before the merges, the longest first.
    UserDefined,
    /// One byte of a character that has no piece.
    Byte(u8),
    /// A piece that only decoding meets.
    DecodeOnly,
}

/// One entry of the vocabulary.
#[derive(Debug)]
struct Piece {
    text: Box<str>,
    score: f32,
    kind: Kind,
    /// Steers the model; [`Markers::Literal`] never yields it.
    reserved: bool,
}

/// What SentencePiece writes for a blank (U+2581).
pub(crate) const BLANK: &str = "\u{2581}";

/// A vocabulary with the rules that turn text into its ids and back.
#[derive(Debug)]
pub struct Tokenizer {
    pieces: Vec<Piece>,
    ids: HashMap<Box<str>, u32>,
    /// The piece of each byte.
    bytes: Box<[u32; 256]>,
    /// By first byte, the lengths of the user-defined pieces in bytes, longest first.
    defined: Vec<Vec<usize>>,
    /// Bytes of the longest piece.
    longest: usize,
}

impl Tokenizer {
    /// Reads the bytes of a `tokenizer.model`.
    ///
    /// # Errors
    /// When the bytes are not a SentencePiece model, when it is not BPE with byte fallback and
    /// without normalisation, when a piece is damaged, or when a limit is passed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let pieces = model_file::read(bytes)?;
        let mut ids = HashMap::with_capacity(pieces.len());
        let mut byte_ids = [None; 256];
        let mut defined = vec![Vec::new(); 256];
        let mut longest = 0;
        for (position, piece) in pieces.iter().enumerate() {
            let id = u32::try_from(position).expect("the limit on pieces is below 2^32");
            if ids.insert(piece.text.clone(), id).is_some() {
                let problem = "repeats an earlier piece".into();
                return Err(Error::TokenizerPiece { id: position, problem });
            }
            match piece.kind {
                Kind::Byte(byte) => byte_ids[usize::from(byte)] = Some(id),
                Kind::UserDefined => {
                    defined[usize::from(piece.text.as_bytes()[0])].push(piece.text.len());
                }
                Kind::Normal => longest = longest.max(piece.text.len()),
                Kind::Unknown | Kind::Control | Kind::DecodeOnly => {}
            }
        }
        for lengths in &mut defined {
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
        }
        let mut bytes = Box::new([0; 256]);
        for (value, id) in byte_ids.into_iter().enumerate() {
            bytes[value] = id.ok_or_else(|| Error::TokenizerMalformed {
                reason: format!("no piece stands for byte {value:#04X}, all 256 are needed"),
            })?;
        }
        Ok(Self { pieces, ids, bytes, defined, longest })
    }

    /// Reads a `tokenizer.model`.
    ///
    /// # Errors
    /// As [`Tokenizer::from_bytes`], and when the file cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::ReadTokenizer { path: path.into(), source };
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        let mut bytes = Vec::new();
        if found <= MAX_TOKENIZER_BYTES {
            // One byte over the limit is enough to notice a file that grows or has no length.
            file.take(MAX_TOKENIZER_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
            return Self::from_bytes(&bytes);
        }
        Err(Error::TokenizerTooLarge { found, limit: MAX_TOKENIZER_BYTES })
    }

    /// Number of pieces; ids run from 0 to one below.
    pub fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    /// The piece of an id as the file spells it (a blank is U+2581), or `None` outside the vocabulary.
    pub fn piece(&self, id: u32) -> Option<&str> {
        self.entry(id).map(|piece| &*piece.text)
    }

    /// The id of a piece as the file spells it.
    pub fn id(&self, piece: &str) -> Option<u32> {
        self.ids.get(piece).copied()
    }

    /// Whether an id steers the model: control and unknown pieces, `<s>`, `</s>`, `<unk>`, and every
    /// `[UNUSED_TOKEN_n]`. Ids outside the vocabulary are not reserved.
    pub fn is_reserved(&self, id: u32) -> bool {
        self.entry(id).is_some_and(|piece| piece.reserved)
    }

    /// The ids of a text, without `<s>` in front.
    ///
    /// Equal to SentencePiece's; time grows as n log n, whatever the text.
    pub fn encode(&self, text: &str, markers: Markers) -> Vec<u32> {
        let mut ids = Vec::new();
        if markers == Markers::Literal {
            self.encode_span(text, markers, &mut ids);
            return ids;
        }
        let mut rest = 0;
        // White space goes on the sides that touch a marker.
        let mut after_marker = false;
        for (at, _) in text.match_indices('<') {
            let Some((name, id)) = self.marker_at(&text[at..]) else { continue };
            let mut span = text[rest..at].trim_end_matches(is_python_space);
            if after_marker {
                span = span.trim_start_matches(is_python_space);
            }
            self.encode_span(span, markers, &mut ids);
            ids.push(id);
            (rest, after_marker) = (at + name.len(), true);
        }
        let mut span = &text[rest..];
        if after_marker {
            span = span.trim_start_matches(is_python_space);
        }
        self.encode_span(span, markers, &mut ids);
        ids
    }

    /// The text of ids, equal to the published `decode`: bytes that form no character become U+FFFD,
    /// one each, and blanks before `.`, `?`, `!`, `,` and some English endings are dropped
    /// ([`Spacing::Published`]).
    ///
    /// With `skip_special`, `<s>`, `</s>`, `<unk>` and other control pieces yield nothing; without,
    /// their names. `[UNUSED_TOKEN_n]` is text in both, as published.
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, Error> {
        self.decode_spaced(ids, skip_special, Spacing::Published)
    }

    /// As [`Tokenizer::decode`], with the choice of what happens to blanks: with
    /// [`Spacing::Exact`], `encode` followed by this gives the text back (U+2581 becomes a blank).
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn decode_spaced(
        &self,
        ids: &[u32],
        skip_special: bool,
        spacing: Spacing,
    ) -> Result<String, Error> {
        let mut stream = TextStream::new(self, skip_special, spacing);
        let mut text = String::new();
        for &id in ids {
            text.push_str(&stream.push(id)?);
        }
        text.push_str(&stream.finish());
        Ok(text)
    }

    /// What an id says when it is read aloud.
    pub(crate) fn spoken(&self, id: u32) -> Result<Spoken<'_>, Error> {
        let vocabulary = self.pieces.len();
        let piece = self.entry(id).ok_or(Error::TokenOutsideVocabulary { id, vocabulary })?;
        Ok(match piece.kind {
            Kind::Byte(byte) => Spoken::Byte(byte),
            Kind::Control | Kind::Unknown => Spoken::Special(&piece.text),
            Kind::Normal | Kind::UserDefined | Kind::DecodeOnly => Spoken::Text(&piece.text),
        })
    }

    fn entry(&self, id: u32) -> Option<&Piece> {
        self.pieces.get(usize::try_from(id).ok()?)
    }

    /// The marker a text begins with, among those that the published tokenizer cuts out first.
    fn marker_at(&self, text: &str) -> Option<(&'static str, u32)> {
        let name = [special::BOS, special::EOS, special::UNK]
            .into_iter()
            .find(|name| text.starts_with(name))?;
        Some((name, self.id(name)?))
    }

    /// The piece that text may become, by merging or by definition.
    fn candidate(&self, text: &str, markers: Markers) -> Option<(u32, &Piece)> {
        let id = self.id(text)?;
        let piece = self.entry(id)?;
        let ordinary = matches!(piece.kind, Kind::Normal | Kind::UserDefined);
        let allowed = ordinary && (markers == Markers::Typed || !piece.reserved);
        allowed.then_some((id, piece))
    }

    /// Bytes of the longest user-defined piece that the text begins with.
    fn defined_prefix(&self, text: &str, markers: Markers) -> Option<usize> {
        let first = text.as_bytes().first()?;
        self.defined[usize::from(*first)].iter().copied().find(|&length| {
            text.get(..length)
                .and_then(|prefix| self.candidate(prefix, markers))
                .is_some_and(|(_, piece)| piece.kind == Kind::UserDefined)
        })
    }

    /// The ids of a text in which nothing is cut out but user-defined pieces.
    fn encode_span(&self, text: &str, markers: Markers, ids: &mut Vec<u32>) {
        let text = text.replace(' ', BLANK);
        let mut symbols = merge::Symbols::default();
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let defined = self.defined_prefix(&text[at..], markers);
            let length = defined.unwrap_or(first.len_utf8());
            symbols.push(length, defined.is_some());
            at += length;
        }
        let score = |piece: &str| {
            if piece.len() > self.longest {
                return None;
            }
            self.candidate(piece, markers).map(|(_, piece)| piece.score)
        };
        for piece in merge::merge(&text, symbols, score) {
            match self.candidate(piece, markers) {
                Some((id, _)) => ids.push(id),
                None => ids.extend(piece.bytes().map(|byte| self.bytes[usize::from(byte)])),
            }
        }
    }
}

/// What an id says when it is read aloud; see [`Tokenizer::spoken`].
pub(crate) enum Spoken<'t> {
    /// Text, a blank written as U+2581.
    Text(&'t str),
    /// A part of a character.
    Byte(u8),
    /// The name of a mark that is not text.
    Special(&'t str),
}

impl Spoken<'_> {
    /// Characters that an id covers of the text it was made from, a lone byte counting as one.
    pub(crate) fn width(&self) -> usize {
        match self {
            Spoken::Text(text) | Spoken::Special(text) => text.chars().count(),
            Spoken::Byte(_) => 1,
        }
    }
}

/// What Python's `str.strip` takes for white space.
fn is_python_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}
