//! What a checkpoint is: read from its `config.json` and from the shapes of its tensors.
//!
//! The published configuration names neither the vision tower nor the adapters' rank; both are read
//! off the tensors by the rules of the family. Nothing is guessed from a folder's name, and every
//! number is checked before it sizes anything.

use std::path::Path;

use ixc_input::prepare::Geometry;
use ixc_nn::{rope::Rope, weights::Checkpoint};
use serde::Deserialize;

use crate::{Error, tensors};

/// Edge of a vision patch in pixels: CLIP ViT-L/14.
pub const PATCH: usize = ixc_input::prepare::PATCH as usize;

/// Width of one head of the vision tower: CLIP's, in every published size.
pub const TOWER_HEAD_WIDTH: usize = 64;

/// Which member of the family a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// 2.0, comprehension and chat (`vl-7b`, `vl-1_8b`).
    Vl,
    /// 2.0, free-form text-image composition (`7b`, 224 px).
    Composition,
    /// 4KHD: tiles of 336 px.
    FourKHd,
    /// 2.5: tiles of 560 px.
    V25,
    /// A language model alone.
    Language,
}

impl Family {
    /// The name users know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vl => "InternLM-XComposer2-VL",
            Self::Composition => "InternLM-XComposer2 (composition)",
            Self::FourKHd => "InternLM-XComposer2-4KHD",
            Self::V25 => "InternLM-XComposer-2.5",
            Self::Language => "InternLM2 (no vision tower)",
        }
    }
}

/// The language model's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageConfig {
    /// Rows of the embedding table.
    pub vocabulary: usize,
    /// Width of a position.
    pub hidden: usize,
    /// Width inside the feed-forward layers.
    pub intermediate: usize,
    /// Decoder blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Added to the mean square in RMSNorm.
    pub eps: f64,
    /// θ of the rotary embedding.
    pub rope_theta: f64,
    /// Positions the model was made for.
    pub positions_max: usize,
    /// The factor of dynamic NTK scaling, if any.
    pub rope_dynamic_factor: Option<f64>,
}

impl LanguageConfig {
    /// Width of one head.
    pub fn head_width(&self) -> usize {
        self.hidden / self.heads
    }

    /// Outputs of the fused query, key and value layer.
    pub fn wqkv_outputs(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_width()
    }

    /// The rotary embedding.
    pub fn rope(&self) -> Rope {
        Rope {
            width: self.head_width(),
            base: self.rope_theta,
            positions_max: self.positions_max,
            dynamic_factor: self.rope_dynamic_factor,
        }
    }
}

/// The vision tower's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionConfig {
    /// Width of a patch row.
    pub width: usize,
    /// Blocks.
    pub layers: usize,
    /// Width inside the blocks' MLPs.
    pub intermediate: usize,
    /// Patches along one side of the stored position table.
    pub stored_grid: usize,
    /// How pictures become pixels.
    pub geometry: Geometry,
}

impl VisionConfig {
    /// Attention heads.
    pub fn heads(&self) -> usize {
        self.width / TOWER_HEAD_WIDTH
    }

    /// Patches along one side of one view, after the position table is resized.
    pub fn grid(&self) -> usize {
        match self.geometry {
            Geometry::Square { side } => side as usize / PATCH,
            Geometry::Tiles { tile, .. } => tile as usize / PATCH,
        }
    }

    /// Width of the projector's input: one patch, or four merged.
    pub fn projector_inputs(&self) -> usize {
        match self.geometry {
            Geometry::Square { .. } => self.width,
            Geometry::Tiles { .. } => 4 * self.width,
        }
    }
}

/// Everything a checkpoint is.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Which member of the family.
    pub family: Family,
    /// The decoder.
    pub language: LanguageConfig,
    /// The tower, where there is one.
    pub vision: Option<VisionConfig>,
    /// Adapter rank and scale of each linear layer; none in a plain language model.
    pub plora: Option<PLoraConfig>,
    /// Whether the decoder's linear layers are stored in GPTQ's 4 bits.
    pub gptq: bool,
    /// Names of text adapters in the file that this program does not apply (2.5's `sft`, `dpo`, …).
    pub text_adapters: Vec<String>,
}

/// Rank and scale of Partial LoRA, layer kind by layer kind.
#[derive(Clone, Debug, PartialEq)]
pub struct PLoraConfig {
    /// In the order of [`tensors::LINEARS`]: (rank, scale).
    pub ranks: [(usize, f64); 5],
}

/// alpha of the published class default: at rank 8 the scale is 16 / 8.
const ALPHA_DEFAULT: f64 = 16.0;

/// The published scale of a rank: alpha 16 at rank 8, alpha = rank elsewhere.
pub fn published_scale(rank: usize) -> f64 {
    if rank == 8 { ALPHA_DEFAULT / 8.0 } else { 1.0 }
}

/// `config.json` as published. Unknown keys are not ours to judge.
#[derive(Debug, Deserialize)]
struct File {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    rms_norm_eps: f64,
    #[serde(default = "theta_default")]
    rope_theta: f64,
    max_position_embeddings: usize,
    rope_scaling: Option<RopeScaling>,
    #[serde(default = "hidden_act_default")]
    hidden_act: String,
    #[serde(default)]
    bias: bool,
    #[serde(default)]
    tie_word_embeddings: bool,
    img_size: Option<u32>,
    quantization_config: Option<Quantization>,
    /// Ours: the adapters' scales, written by this project's checkpoints.
    plora_scales: Option<std::collections::BTreeMap<String, f64>>,
}

fn theta_default() -> f64 {
    10_000.0
}

fn hidden_act_default() -> String {
    "silu".into()
}

#[derive(Debug, Deserialize)]
struct RopeScaling {
    #[serde(rename = "type")]
    kind: String,
    factor: f64,
}

#[derive(Debug, Deserialize)]
struct Quantization {
    bits: u32,
    #[serde(default)]
    quant_method: String,
}

/// No published size comes near; beyond it a number is a mistake, not a model.
const EXTENT_MAX: usize = 1 << 20;

/// Blocks of a decoder or a tower: the largest published models have about 130.
pub(crate) const LAYERS_MAX: usize = 1024;

impl ModelConfig {
    /// Reads `config.json` in `folder` and the shapes of `checkpoint`.
    ///
    /// # Errors
    /// When the file is missing or wrong, or the tensors are of no member of the family.
    pub fn read(folder: &Path, checkpoint: &Checkpoint) -> Result<Self, Error> {
        let path = folder.join("config.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoConfig { folder: folder.display().to_string() });
            }
            Err(source) => return Err(Error::File { path: path.display().to_string(), source }),
        };
        Self::parse(&text, checkpoint).map_err(|error| match error {
            Error::Config { problem, .. } => {
                Error::Config { path: path.display().to_string(), problem }
            }
            other => other,
        })
    }

    fn parse(text: &str, checkpoint: &Checkpoint) -> Result<Self, Error> {
        let file: File = serde_json::from_str(text).map_err(|error| {
            let hint = if text.contains("NaN") || text.contains("Infinity") {
                "; NaN and Infinity are not JSON: write a number"
            } else {
                ""
            };
            wrong(format!(
                "expected the configuration of a published checkpoint, found: {error}{hint}"
            ))
        })?;
        let language = file.language()?;
        let shapes = tensors::Shapes::new(checkpoint);
        if shapes.has("score.weight") {
            return Err(Error::Family(
                "this is a reward model (it has score.weight): it scores answers and cannot write them; \
                 use a chat or composition checkpoint"
                    .into(),
            ));
        }
        let vision = shapes.vision(file.img_size)?;
        let gptq = shapes.is_gptq();
        if gptq && file.quantization_config.as_ref().is_some_and(|q| q.bits != 4) {
            return Err(wrong(
                "quantization_config: expected 4 bits; other widths are not published",
            ));
        }
        if let Some(q) = &file.quantization_config
            && !gptq
        {
            return Err(wrong(format!(
                "quantization_config says {} {} bit, but no tensor ends in .qweight; use the files the \
                 configuration belongs to",
                q.quant_method, q.bits
            )));
        }
        Ok(Self {
            family: family(vision.as_ref()),
            plora: shapes.plora(file.plora_scales.as_ref())?,
            language,
            vision,
            gptq,
            text_adapters: shapes.text_adapters(),
        })
    }
}

fn family(vision: Option<&VisionConfig>) -> Family {
    match vision.map(|vision| vision.geometry) {
        None => Family::Language,
        Some(Geometry::Tiles { tile, .. }) if tile == V25_TILE => Family::V25,
        Some(Geometry::Tiles { .. }) => Family::FourKHd,
        Some(Geometry::Square { side: COMPOSITION_SIDE }) => Family::Composition,
        Some(Geometry::Square { .. }) => Family::Vl,
    }
}

/// Edge of a tile of 2.5 in pixels.
pub const V25_TILE: u32 = 560;

/// Edge of the composition checkpoint's pictures in pixels.
pub const COMPOSITION_SIDE: u32 = 224;

/// A problem in `config.json`; the path is added where it is known.
pub(crate) fn wrong(problem: impl Into<String>) -> Error {
    Error::Config { path: "config.json".into(), problem: problem.into() }
}

impl File {
    fn language(&self) -> Result<LanguageConfig, Error> {
        let kv_heads = self.num_key_value_heads.unwrap_or(self.num_attention_heads);
        for (key, value, max) in [
            ("vocab_size", self.vocab_size, EXTENT_MAX),
            ("hidden_size", self.hidden_size, EXTENT_MAX),
            ("intermediate_size", self.intermediate_size, EXTENT_MAX),
            ("num_hidden_layers", self.num_hidden_layers, LAYERS_MAX),
            ("num_attention_heads", self.num_attention_heads, EXTENT_MAX),
            ("num_key_value_heads", kv_heads, EXTENT_MAX),
            ("max_position_embeddings", self.max_position_embeddings, 1 << 30),
        ] {
            if value == 0 || value > max {
                return Err(wrong(format!("{key}: expected 1 to {max}, found {value}")));
            }
        }
        if !self.hidden_size.is_multiple_of(2 * self.num_attention_heads) {
            return Err(wrong(format!(
                "hidden_size: expected an even multiple of num_attention_heads {}, found {}",
                self.num_attention_heads, self.hidden_size
            )));
        }
        if !self.num_attention_heads.is_multiple_of(kv_heads) {
            return Err(wrong(format!(
                "num_key_value_heads: expected a divisor of num_attention_heads {}, found {kv_heads}",
                self.num_attention_heads
            )));
        }
        for (key, value) in [("rms_norm_eps", self.rms_norm_eps), ("rope_theta", self.rope_theta)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(wrong(format!("{key}: expected a positive number, found {value}")));
            }
        }
        self.check_form()?;
        Ok(LanguageConfig {
            vocabulary: self.vocab_size,
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            kv_heads,
            eps: self.rms_norm_eps,
            rope_theta: self.rope_theta,
            positions_max: self.max_position_embeddings,
            rope_dynamic_factor: self.rope_scaling.as_ref().map(|scaling| scaling.factor),
        })
    }

    /// What the published code can be configured to be but no checkpoint of the family is.
    fn check_form(&self) -> Result<(), Error> {
        if self.hidden_act != "silu" {
            return Err(wrong(format!(
                "hidden_act: expected \"silu\", found {:?}",
                self.hidden_act
            )));
        }
        if self.bias {
            return Err(wrong("bias: expected false; InternLM2's linear layers have none"));
        }
        if self.tie_word_embeddings {
            return Err(wrong(
                "tie_word_embeddings: expected false; the family has an output layer",
            ));
        }
        match &self.rope_scaling {
            Some(scaling) if scaling.kind != "dynamic" => Err(wrong(format!(
                "rope_scaling: expected null or type \"dynamic\", found type {:?}",
                scaling.kind
            ))),
            Some(scaling) if !(scaling.factor.is_finite() && scaling.factor >= 1.0) => Err(wrong(
                format!("rope_scaling.factor: expected 1 or more, found {}", scaling.factor),
            )),
            _ => Ok(()),
        }
    }
}
