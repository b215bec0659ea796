//! The file `tokenizer.model`: a SentencePiece model in protobuf, decoded and checked, or written.
//!
//! Only the fields that decide the ids are here, by the numbers of SentencePiece's own
//! `sentencepiece_model.proto`. Invariant: what [`read`] returns is BPE with byte fallback and no
//! normalisation, every piece non-empty, every score finite. Everything else is an error here, so
//! that the rest of the tokenizer has no such case.

use prost::Message;

use super::{Kind, Piece};
use crate::{
    Error,
    limits::{MAX_PIECE_BYTES, MAX_PIECES, MAX_TOKENIZER_BYTES},
    special,
};

/// `ModelProto`.
#[derive(Clone, PartialEq, Message)]
struct ModelFile {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<PieceEntry>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<NormalizerSpec>,
    #[prost(message, optional, tag = "5")]
    denormalizer: Option<NormalizerSpec>,
}

/// `ModelProto.SentencePiece`.
#[derive(Clone, PartialEq, Message)]
struct PieceEntry {
    #[prost(string, optional, tag = "1")]
    piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

/// `TrainerSpec`.
#[derive(Clone, PartialEq, Message)]
struct TrainerSpec {
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
    /// Written for others; what counts are the pieces.
    #[prost(int32, optional, tag = "4")]
    vocab_size: Option<i32>,
    #[prost(bool, optional, tag = "35")]
    byte_fallback: Option<bool>,
}

/// `NormalizerSpec`.
#[derive(Clone, PartialEq, Message)]
struct NormalizerSpec {
    /// Written for others; what counts is the table.
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(bytes = "vec", optional, tag = "2")]
    precompiled_charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3")]
    add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    escape_whitespaces: Option<bool>,
}

/// The pieces of a model that this crate can follow to the letter.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Piece>, Error> {
    let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if found > MAX_TOKENIZER_BYTES {
        return Err(Error::TokenizerTooLarge { found, limit: MAX_TOKENIZER_BYTES });
    }
    let malformed = |reason: String| Error::TokenizerMalformed { reason };
    let file = ModelFile::decode(bytes).map_err(|error| malformed(error.to_string()))?;
    if file.pieces.is_empty() {
        return Err(malformed("it holds no pieces".into()));
    }
    if file.pieces.len() > MAX_PIECES {
        let found = file.pieces.len();
        return Err(malformed(format!("it holds {found} pieces, the limit is {MAX_PIECES}")));
    }
    check_trainer(&file.trainer.unwrap_or_default())?;
    check_normalizer(&file.normalizer.unwrap_or_default())?;
    let back = file.denormalizer.unwrap_or_default().precompiled_charsmap.unwrap_or_default();
    check("denormalizer_spec.precompiled_charsmap", map_size(&back), NO_MAP)?;
    let pieces: Vec<Piece> = file
        .pieces
        .into_iter()
        .enumerate()
        .map(|(id, entry)| piece(id, entry))
        .collect::<Result<_, _>>()?;
    match pieces.iter().filter(|piece| piece.kind == Kind::Unknown).count() {
        1 => Ok(pieces),
        found => Err(malformed(format!("it has {found} unknown pieces, exactly 1 is needed"))),
    }
}

/// The bytes of a model of these pieces (text, score, kind), which [`read`] takes back.
pub(super) fn write(pieces: Vec<(String, f32, Kind)>) -> Vec<u8> {
    let entry = |(piece, score, kind): (String, f32, Kind)| PieceEntry {
        piece: Some(piece),
        score: Some(score),
        kind: Some(match kind {
            Kind::Normal | Kind::DecodeOnly => 1,
            Kind::Unknown => 2,
            Kind::Control => 3,
            Kind::UserDefined => 4,
            Kind::Byte(_) => 6,
        }),
    };
    let trainer = TrainerSpec {
        model_type: Some(2),
        vocab_size: i32::try_from(pieces.len()).ok(),
        byte_fallback: Some(true),
    };
    let normalizer = NormalizerSpec {
        name: Some("identity".into()),
        precompiled_charsmap: None,
        add_dummy_prefix: Some(false),
        remove_extra_whitespaces: Some(false),
        escape_whitespaces: Some(true),
    };
    let pieces = pieces.into_iter().map(entry).collect();
    let (trainer, normalizer) = (Some(trainer), Some(normalizer));
    ModelFile { pieces, trainer, normalizer, denormalizer: None }.encode_to_vec()
}

/// How a setting without a table reads in an error.
const NO_MAP: &str = "an empty table";

fn map_size(map: &[u8]) -> String {
    if map.is_empty() { NO_MAP.into() } else { format!("a table of {} bytes", map.len()) }
}

fn check(setting: &'static str, found: String, expected: &'static str) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::TokenizerUnsupported { setting, found, expected })
}

/// The file's defaults are those of the format: an absent field is not a zero.
fn check_trainer(trainer: &TrainerSpec) -> Result<(), Error> {
    let model = match trainer.model_type.unwrap_or(1) {
        1 => "UNIGRAM".into(),
        2 => "BPE".into(),
        3 => "WORD".into(),
        4 => "CHAR".into(),
        other => other.to_string(),
    };
    check("trainer_spec.model_type", model, "BPE")?;
    check("trainer_spec.byte_fallback", trainer.byte_fallback.unwrap_or(false).to_string(), "true")
}

fn check_normalizer(normalizer: &NormalizerSpec) -> Result<(), Error> {
    let map = normalizer.precompiled_charsmap.as_deref().unwrap_or_default();
    check("normalizer_spec.precompiled_charsmap", map_size(map), NO_MAP)?;
    let flag = |value: Option<bool>| value.unwrap_or(true).to_string();
    check("normalizer_spec.add_dummy_prefix", flag(normalizer.add_dummy_prefix), "false")?;
    check(
        "normalizer_spec.remove_extra_whitespaces",
        flag(normalizer.remove_extra_whitespaces),
        "false",
    )?;
    check("normalizer_spec.escape_whitespaces", flag(normalizer.escape_whitespaces), "true")
}

/// One piece, checked.
fn piece(id: usize, entry: PieceEntry) -> Result<Piece, Error> {
    let wrong = |problem: String| Error::TokenizerPiece { id, problem };
    let text = entry.piece.unwrap_or_default();
    if text.is_empty() {
        return Err(wrong("is empty".into()));
    }
    if text.len() > MAX_PIECE_BYTES {
        return Err(wrong(format!("has {} bytes, the limit is {MAX_PIECE_BYTES}", text.len())));
    }
    let score = entry.score.unwrap_or(0.0);
    if !score.is_finite() {
        return Err(wrong(format!("has the score {score}, a finite number was expected")));
    }
    let kind = match entry.kind.unwrap_or(1) {
        // SentencePiece takes a NUL for a byte wherever bytes have pieces.
        1 if text == "\0" => Kind::DecodeOnly,
        1 => Kind::Normal,
        2 => Kind::Unknown,
        3 => Kind::Control,
        4 => Kind::UserDefined,
        6 => {
            Kind::Byte(byte(&text).ok_or_else(|| {
                wrong("is of the type BYTE but not named <0x00> to <0xFF>".into())
            })?)
        }
        5 => return Err(wrong("is of the type UNUSED, which this family does not have".into())),
        other => return Err(wrong(format!("is of type {other}, expected 1 to 6"))),
    };
    let reserved =
        matches!(kind, Kind::Unknown | Kind::Control) || special::is_reserved_name(&text);
    // Adding zero makes -0 and 0 the same score, as they are in a comparison.
    Ok(Piece { text: text.into(), score: score + 0.0, kind, reserved })
}

/// The byte that a piece such as `<0x0A>` names.
fn byte(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    (name == format!("<0x{byte:02X}>")).then_some(byte)
}
