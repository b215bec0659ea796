//! What a checkpoint is and whether it would load: found out without loading it.
//!
//! [`survey::survey`] gathers a [`Survey`], plain data that becomes JSON or text ([`show`]).
//! Invariant: whatever is broken, the rest is still told; each thing that would stop the loader is a
//! [`Problem`]. Deliberately absent: running the model.

pub(crate) mod show;
pub(crate) mod survey;
mod tensors;

use serde::Serialize;

/// Everything that was found out.
#[derive(Debug, Serialize)]
pub(crate) struct Survey {
    /// The folder or file.
    pub(crate) path: String,
    /// Whether a model could be loaded from it.
    pub(crate) loads: bool,
    /// What stops the loader, or damages what it would load.
    pub(crate) problems: Vec<Problem>,
    /// What is odd but stops nothing.
    pub(crate) notes: Vec<String>,
    /// Which member of the family.
    pub(crate) family: Option<&'static str>,
    /// The weights' licence in the words of their publisher, from the model's card.
    pub(crate) licence: Option<Licence>,
    /// The decoder.
    pub(crate) language: Option<Language>,
    /// The tower.
    pub(crate) vision: Option<Vision>,
    /// Partial LoRA on each kind of linear layer; empty in a plain language model.
    pub(crate) plora: Vec<Adapter>,
    /// Names of adapters that are in the files but not applied.
    pub(crate) text_adapters: Vec<String>,
    /// Whether the decoder is stored in 4 bits.
    pub(crate) gptq: bool,
    /// Parameters of the parts that are there.
    pub(crate) parameters: Parameters,
    /// Number types of the stored tensors.
    pub(crate) dtypes: Vec<Stored>,
    /// The weight files.
    pub(crate) files: Vec<File>,
    /// Memory that answering takes.
    pub(crate) memory: Option<Memory>,
    /// The tokenizer.
    pub(crate) tokenizer: Tokenizer,
    /// Every tensor, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tensors: Option<Vec<Tensor>>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// What kind of thing.
    pub(crate) kind: Kind,
    /// What was expected and found, and where.
    pub(crate) message: String,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Weight files that are missing or cannot be read.
    Files,
    /// `config.json`, or tensors that are of no member of the family.
    Config,
    /// A tensor that is not there.
    MissingTensor,
    /// A tensor of another shape.
    MisshapenTensor,
    /// A tensor of a number type that cannot be used, or 4-bit parts that do not fit each other.
    UnusableTensor,
    /// A tensor with infinite or undefined numbers.
    NonFiniteTensor,
    /// The tokenizer.
    Tokenizer,
}

/// See [`ixc_hub::Licence`].
#[derive(Debug, Serialize)]
pub(crate) struct Licence {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) link: Option<String>,
    pub(crate) text: Option<String>,
}

impl From<ixc_hub::Licence> for Licence {
    fn from(licence: ixc_hub::Licence) -> Self {
        let ixc_hub::Licence { id, name, link, text } = licence;
        Self { id, name, link, text }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Language {
    pub(crate) layers: usize,
    pub(crate) hidden: usize,
    pub(crate) intermediate: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) vocabulary: usize,
    pub(crate) context: usize,
    pub(crate) rope_theta: f64,
    pub(crate) rope_dynamic_factor: Option<f64>,
    pub(crate) rms_norm_eps: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Vision {
    pub(crate) layers: usize,
    pub(crate) width: usize,
    pub(crate) intermediate: usize,
    pub(crate) heads: usize,
    /// Pixels along one side of a patch.
    pub(crate) patch: usize,
    /// Pixels along one side of what the tower sees at once.
    pub(crate) side: u32,
    /// Tiles at most for each picture, where pictures are cut into tiles.
    pub(crate) tiles: Option<u32>,
    /// Patches along one side of the stored position table.
    pub(crate) stored_grid: usize,
    /// Positions that a picture takes, where every picture takes the same.
    pub(crate) image_tokens: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Adapter {
    pub(crate) linear: &'static str,
    pub(crate) rank: usize,
    pub(crate) scale: f64,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Parameters {
    /// Parameters of the model's own parts.
    pub(crate) total: u64,
    /// Bytes of the model's own parts in the files.
    pub(crate) bytes: u64,
    /// All that is in the files.
    pub(crate) parts: Vec<PartCount>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PartCount {
    pub(crate) part: &'static str,
    pub(crate) parameters: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Stored {
    pub(crate) dtype: String,
    pub(crate) tensors: usize,
    pub(crate) bytes: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) format: Option<String>,
    pub(crate) tensors: Option<usize>,
}

/// Bytes; everything that depends on a request's activations is left out.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    /// Weights as they are stored.
    pub(crate) weights_stored: u64,
    /// Weights with `--dtype bf16` or `f16`.
    pub(crate) weights_16_bits: u64,
    /// Weights with `--dtype f32`.
    pub(crate) weights_f32: u64,
    /// Keys and values of 1000 positions, in float32.
    pub(crate) cache_per_1000_positions: u64,
    /// Keys and values of the whole context.
    pub(crate) cache_of_context: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Tokenizer {
    pub(crate) path: String,
    pub(crate) pieces: Option<usize>,
    /// Whether it is the model's; nothing when the model's vocabulary is unknown.
    pub(crate) fits: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: u64,
    pub(crate) file: String,
    /// To which part of the model it belongs.
    pub(crate) part: &'static str,
}
