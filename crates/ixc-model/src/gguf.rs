//! GGUF, as this family is kept in it: where the configuration and the tokenizer are, and the names.
//!
//! Public tools keep tensor names under 64 bytes, so a file of ours has llama.cpp's short names
//! ([`crate::tensors::short_name`]). [`open`] gives them their published names back; from there on nothing
//! knows in which format a checkpoint was. Deliberately absent: the format's bytes (`ixc-nn`).

use std::path::Path;

use ixc_nn::weights::{Checkpoint, GgufValue};

use crate::{Error, ModelConfig, tensors};

/// The value of `general.architecture`, and what the keys of the model's numbers begin with.
pub const ARCHITECTURE: &str = "internlm-xcomposer2";

/// The key of `config.json`, as it was published.
pub const CONFIG_KEY: &str = "ixc.config";

/// The key of the tokenizer's SentencePiece file.
pub const TOKENIZER_KEY: &str = "ixc.tokenizer";

/// Opens a checkpoint of any format under its published names.
///
/// # Errors
/// As [`Checkpoint::open`].
pub fn open(path: &Path) -> Result<Checkpoint, Error> {
    named(Checkpoint::open(path)?)
}

/// As [`open`], of a file that the program carries in itself; `name` stands for its path.
///
/// # Errors
/// As [`Checkpoint::embedded`].
pub fn embedded(name: &Path, bytes: &'static [u8]) -> Result<Checkpoint, Error> {
    named(Checkpoint::embedded(name, bytes)?)
}

fn named(checkpoint: Checkpoint) -> Result<Checkpoint, Error> {
    if !checkpoint.is_gguf() {
        return Ok(checkpoint);
    }
    Ok(checkpoint.renamed(tensors::published_name)?)
}

/// The keys of a file: those that public tools show, then the configuration and the tokenizer.
///
/// `file_type` is the number by which public tools know the type of most tensors.
pub fn metadata(
    config: &ModelConfig,
    name: &str,
    file_type: u32,
    config_json: String,
    tokenizer: Option<Vec<u8>>,
) -> Vec<(String, GgufValue)> {
    let language = &config.language;
    let text = |key: &str, value: &str| (key.to_owned(), GgufValue::Text(value.into()));
    let number = |key: &str, value: usize| {
        (key.to_owned(), GgufValue::U32(u32::try_from(value).unwrap_or(u32::MAX)))
    };
    let own = |key: &str| format!("{ARCHITECTURE}.{key}");
    let mut keys = vec![
        text("general.architecture", ARCHITECTURE),
        text("general.type", "model"),
        text("general.name", name),
        number("general.file_type", file_type as usize),
        number("general.quantization_version", 2),
        number(&own("vocab_size"), language.vocabulary),
        number(&own("context_length"), language.positions_max),
        number(&own("embedding_length"), language.hidden),
        number(&own("block_count"), language.layers),
        number(&own("feed_forward_length"), language.intermediate),
        number(&own("attention.head_count"), language.heads),
        number(&own("attention.head_count_kv"), language.kv_heads),
        number(&own("rope.dimension_count"), language.head_width()),
        (own("rope.freq_base"), GgufValue::F32(language.rope_theta as f32)),
        (own("attention.layer_norm_rms_epsilon"), GgufValue::F32(language.eps as f32)),
    ];
    if let Some(vision) = &config.vision {
        keys.extend([
            number(&own("vision.embedding_length"), vision.width),
            number(&own("vision.block_count"), vision.layers),
            number(&own("vision.feed_forward_length"), vision.intermediate),
            number(&own("vision.attention.head_count"), vision.heads()),
        ]);
    }
    keys.push((CONFIG_KEY.into(), GgufValue::Text(config_json)));
    keys.extend(tokenizer.map(|bytes| (TOKENIZER_KEY.into(), GgufValue::Bytes(bytes))));
    keys
}
