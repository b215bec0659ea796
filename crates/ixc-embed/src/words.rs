//! From a text to ids, as the checkpoint's tokenizer says.
//!
//! `tokenizer.json` is read by the tokenizers crate, which wrote it; an older CLIP's `vocab.json` and `merges.txt` are
//! put into its form. Invariants: a marker that a text spells out is text; a text that is too long loses what is
//! before its last marker, as published; what SigLIP's slow tokenizers do before (small letters, no punctuation) is
//! done here. Deliberately absent: the way back.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

use crate::{
    Error, Kind,
    config::{Config, Object, read},
    limits::{MAX_TEXT_BYTES, MAX_TOKENIZER_BYTES},
};

/// What is done to a text before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tidy {
    /// Nothing: CLIP's tokenizer has it all.
    No,
    /// Small letters (SigLIP 2).
    Small,
    /// Small letters, no ASCII punctuation, single blanks and none at the ends (SigLIP).
    Plain,
}

/// A checkpoint's tokenizer.
pub(crate) struct Words {
    tokenizer: Tokenizer,
    tidy: Tidy,
    positions: usize,
    /// With what a text is filled up.
    pad: Option<u32>,
    digest: [u8; 32],
}

impl Words {
    /// Reads the folder's.
    pub(crate) fn read(folder: &Path, config: &Config) -> Result<Self, Error> {
        let path = folder.join("tokenizer.json");
        let bytes = if path.exists() || config.kind == Kind::SigLip {
            read(&path, MAX_TOKENIZER_BYTES, "the encoder's tokenizer in the form of tokenizers")?
        } else {
            older(folder)?
        };
        let wrong = |problem: String| Error::malformed(&path, problem);
        let mut tokenizer = Tokenizer::from_bytes(&bytes)
            .map_err(|error| wrong(format!("is no tokenizer: {error}")))?;
        tokenizer.set_encode_special_tokens(true);
        // Both are done here: files differ in what they say of it.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| wrong(error.to_string()))?;
        let most = config.text.vocabulary;
        let size = tokenizer.get_vocab_size(true);
        if size > most {
            return Err(wrong(format!("has {size} pieces, where the model knows {most}")));
        }
        let (tidy, pad) = match config.kind {
            Kind::Clip => (Tidy::No, None),
            Kind::SigLip => siglip(folder, &tokenizer, config)?,
        };
        let mut hash = Sha256::new();
        hash.update(format!("{tidy:?} {pad:?} {}", config.text.positions));
        hash.update(&bytes);
        let digest = hash.finalize().into();
        Ok(Self { tokenizer, tidy, positions: config.text.positions, pad, digest })
    }

    /// Stands for it.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The ids of a text, its end marker last, filled up where the encoder wants it.
    pub(crate) fn ids(&self, text: &str) -> Result<Vec<u32>, Error> {
        if text.len() > MAX_TEXT_BYTES {
            let problem = format!("it has {} bytes, the limit is {MAX_TEXT_BYTES}", text.len());
            return Err(Error::Text { problem });
        }
        let text = match self.tidy {
            Tidy::No => text.to_owned(),
            Tidy::Small => text.to_lowercase(),
            Tidy::Plain => {
                let plain = text.to_lowercase().replace(|c: char| c.is_ascii_punctuation(), "");
                plain.split_whitespace().collect::<Vec<_>>().join(" ")
            }
        };
        let encoded = self.tokenizer.encode(text, true);
        let encoded = encoded.map_err(|error| Error::Text { problem: error.to_string() })?;
        let mut ids = encoded.get_ids().to_vec();
        if ids.len() > self.positions {
            let end = ids[ids.len() - 1];
            ids.truncate(self.positions);
            ids[self.positions - 1] = end;
        }
        if let Some(pad) = self.pad {
            ids.resize(self.positions, pad);
        }
        if ids.is_empty() {
            return Err(Error::Text { problem: "nothing of it is left to read".into() });
        }
        Ok(ids)
    }
}

/// What SigLIP's tokenizers do before, and with what they fill up.
fn siglip(
    folder: &Path,
    tokenizer: &Tokenizer,
    config: &Config,
) -> Result<(Tidy, Option<u32>), Error> {
    let path = folder.join("tokenizer_config.json");
    let file = Object::read(path, "which tokenizer the encoder has")?;
    let tidy = match file.text("tokenizer_class").map(|name| name.trim_end_matches("Fast")) {
        Some("SiglipTokenizer") => Tidy::Plain,
        Some("GemmaTokenizer" | "Siglip2Tokenizer") => Tidy::Small,
        other => {
            let problem = format!(
                "tokenizer_class is {}; expected SiglipTokenizer, Siglip2Tokenizer or GemmaTokenizer",
                other.unwrap_or("not there")
            );
            return Err(Error::malformed(&file.path, problem));
        }
    };
    let piece = match file.values.get("pad_token") {
        Some(Value::Object(token)) => token.get("content").and_then(Value::as_str),
        other => other.and_then(Value::as_str),
    };
    let pad = piece.and_then(|piece| tokenizer.token_to_id(piece)).or(config.text.pad);
    let pad = pad.ok_or_else(|| Error::malformed(&file.path, "pad_token is no token"))?;
    Ok((tidy, Some(pad)))
}

/// What CLIP's words are cut by before pieces are put together.
const CLIP_WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// CLIP's older files in the form of the newer one.
fn older(folder: &Path) -> Result<Vec<u8>, Error> {
    let path = folder.join("vocab.json");
    let expected = "the encoder's tokenizer: tokenizer.json, or vocab.json and merges.txt";
    let bytes = read(&path, MAX_TOKENIZER_BYTES, expected)?;
    let vocabulary: BTreeMap<String, u32> = serde_json::from_slice(&bytes)
        .map_err(|error| Error::malformed(&path, format!("is no vocabulary: {error}")))?;
    let id = |marker: &str| {
        let missing = || Error::malformed(&path, format!("has no {marker}"));
        vocabulary.get(marker).copied().ok_or_else(missing)
    };
    let (begin, end) = ("<|startoftext|>", "<|endoftext|>");
    let (begin_id, end_id) = (id(begin)?, id(end)?);
    let path = folder.join("merges.txt");
    let merges = read(&path, MAX_TOKENIZER_BYTES, "the merges of the vocabulary beside it")?;
    let merges = String::from_utf8(merges).map_err(|_| Error::malformed(&path, "is not UTF-8"))?;
    let merges = merges.lines().filter(|line| !line.starts_with("#version") && !line.is_empty());
    let merges: Vec<&str> = merges.collect();
    let added = |id: u32, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let form = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [added(begin_id, begin), added(end_id, end)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": CLIP_WORDS}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        ]},
        "post_processor": {"type": "RobertaProcessing", "sep": [end, end_id], "cls": [begin, begin_id],
                           "trim_offsets": false, "add_prefix_space": false},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": end, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "</w>", "fuse_unk": false, "byte_fallback": false,
                  "ignore_merges": false, "vocab": vocabulary, "merges": merges},
    });
    Ok(form.to_string().into_bytes())
}
