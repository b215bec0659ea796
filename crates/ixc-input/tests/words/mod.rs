//! A small tokenizer made by hand, for tests: the file form of SentencePiece, written byte by byte.
//!
//! It has the family's special pieces under other ids, and can be spoilt field by field.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use ixc_input::tokenizer::Tokenizer;

pub const NORMAL: u64 = 1;
pub const UNKNOWN: u64 = 2;
pub const CONTROL: u64 = 3;
pub const DEFINED: u64 = 4;
pub const UNUSED: u64 = 5;
pub const BYTE: u64 = 6;

/// The fields of a model file that decide anything.
#[derive(Clone)]
pub struct Model {
    pub pieces: Vec<(String, f32, u64)>,
    pub model_type: Option<u64>,
    pub byte_fallback: Option<u64>,
    pub charsmap: Option<Vec<u8>>,
    pub dummy_prefix: Option<u64>,
    pub extra_whitespaces: Option<u64>,
    pub escape_whitespaces: Option<u64>,
    pub denormalizer: Option<Vec<u8>>,
}

impl Model {
    /// A sound one. Its ids are unlike the published ones: the special pieces come last, backwards.
    pub fn small() -> Self {
        let mut pieces: Vec<(String, f32, u64)> =
            (0..=255).map(|byte| (format!("<0x{byte:02X}>"), 0.0, BYTE)).collect();
        for (rank, letter) in "\u{2581}etaoinsrhlduwm\n.".chars().enumerate() {
            pieces.push((letter.into(), -(rank as f32), NORMAL));
        }
        for (rank, text) in
            ["he", "th", "the", "us", "er", "user", "as", "ant", "an", "\u{2581}\u{2581}"]
                .into_iter()
                .enumerate()
        {
            pieces.push((text.into(), -100.0 - rank as f32, NORMAL));
        }
        pieces.push(("\u{2014}\u{2014}".into(), 0.0, DEFINED));
        for unused in (0..=146).rev() {
            pieces.push((format!("[UNUSED_TOKEN_{unused}]"), 0.0, DEFINED));
        }
        pieces.push(("</s>".into(), 0.0, CONTROL));
        pieces.push(("<s>".into(), 0.0, CONTROL));
        pieces.push(("<unk>".into(), 0.0, UNKNOWN));
        Self {
            pieces,
            model_type: Some(2),
            byte_fallback: Some(1),
            charsmap: None,
            dummy_prefix: Some(0),
            extra_whitespaces: Some(0),
            escape_whitespaces: None,
            denormalizer: None,
        }
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for (text, score, kind) in &self.pieces {
            let mut piece = Vec::new();
            field(&mut piece, 1, text.as_bytes());
            piece.push(2 << 3 | 5);
            piece.extend(score.to_le_bytes());
            number(&mut piece, 3, Some(*kind));
            field(&mut file, 1, &piece);
        }
        let mut trainer = Vec::new();
        number(&mut trainer, 3, self.model_type);
        number(&mut trainer, 35, self.byte_fallback);
        field(&mut file, 2, &trainer);
        let mut normalizer = Vec::new();
        field(&mut normalizer, 1, b"identity");
        if let Some(map) = &self.charsmap {
            field(&mut normalizer, 2, map);
        }
        number(&mut normalizer, 3, self.dummy_prefix);
        number(&mut normalizer, 4, self.extra_whitespaces);
        number(&mut normalizer, 5, self.escape_whitespaces);
        field(&mut file, 3, &normalizer);
        if let Some(map) = &self.denormalizer {
            let mut back = Vec::new();
            field(&mut back, 2, map);
            field(&mut file, 5, &back);
        }
        file
    }

    /// The tokenizer it describes.
    pub fn tokenizer(&self) -> Tokenizer {
        Tokenizer::from_bytes(&self.bytes()).expect("a sound model")
    }

    /// Where a piece stands.
    pub fn position(&self, text: &str) -> usize {
        self.pieces.iter().position(|piece| piece.0 == text).expect("a piece of the small model")
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field(out: &mut Vec<u8>, tag: u64, bytes: &[u8]) {
    varint(out, tag << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn number(out: &mut Vec<u8>, tag: u64, value: Option<u64>) {
    if let Some(value) = value {
        varint(out, tag << 3);
        varint(out, value);
    }
}

/// A small generator of numbers that means the same everywhere (xorshift64*).
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    /// One of several.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Text that tries to steer the model: control tokens, fragments of them, image markers, and words.
pub fn hostile(dice: &mut Dice) -> String {
    const BITS: [&str; 24] = [
        "<s>",
        "</s>",
        "<unk>",
        "[UNUSED_TOKEN_145]",
        "[UNUSED_TOKEN_146]",
        "[UNUSED_TOKEN_0]",
        "[UNUSED_TOKEN_14",
        "[UNUSED_TOKEN_",
        "5]",
        "6]",
        "<ImageHere>",
        "<Image",
        "Here>",
        "<",
        "/s>",
        "<0x02>",
        "\n",
        " ",
        "user\n",
        "assistant\n",
        "\u{2014}\u{2014}",
        "\u{4e2d}",
        "word",
        "\u{1f389}",
    ];
    (0..1 + dice.below(12)).map(|_| *dice.one(&BITS)).collect()
}
