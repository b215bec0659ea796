//! From a checkpoint's files to its configuration.
//!
//! The published `config.json` names neither the vision tower nor the adapters' rank; both are read
//! off the tensors ([`crate::shapes`]). Nothing is guessed from a folder's name, and every number is
//! checked before it sizes anything.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use ixc_input::{prepare::Geometry, prompt::Bos};
use ixc_nn::weights::Checkpoint;
use serde::Deserialize;

use crate::{
    Error, Family, ModelConfig,
    config::{COMPOSITION_SIDE, Chat, LanguageConfig, V25_TILE, VisionConfig},
    gguf::CONFIG_KEY,
    limits::{CONFIG_BYTES_MAX, EXTENT_MAX, LAYERS_MAX},
    shapes::{Shapes, wrong},
};

/// What is said of a configuration that no model has.
const TOO_LONG: &str = "expected a configuration of up to 1 MiB, found more; take the one that was published \
                        with the weights";

/// `chat.bos`: `<s>` once, at the very beginning.
pub(crate) const BOS_ONCE: &str = "once";

/// `chat.bos`: `<s>` before every stretch of text.
pub(crate) const BOS_EVERY: &str = "every text part";

const _: () = assert!(CONFIG_BYTES_MAX == 1 << 20, "as the message says");

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
    /// Ours as well: how the model wants to be talked to.
    chat: Option<ChatFile>,
}

/// What [`Chat`] is in the file.
#[derive(Debug, Deserialize)]
struct ChatFile {
    instruction: Option<String>,
    bos: Option<String>,
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

impl ModelConfig {
    /// Reads the configuration of `checkpoint`, from `config.json` in `folder` or from the checkpoint's own
    /// keys, and the shapes of its tensors.
    ///
    /// # Errors
    /// When there is none or it is wrong, or the tensors are of no member of the family.
    pub fn read(folder: &Path, checkpoint: &Checkpoint) -> Result<Self, Error> {
        let (text, path) = config_text(folder, checkpoint)?;
        Self::parse(&text, checkpoint).map_err(|error| match error {
            Error::Config { problem, .. } => Error::Config { path, problem },
            other => other,
        })
    }

    fn parse(text: &str, checkpoint: &Checkpoint) -> Result<Self, Error> {
        if text.len() > CONFIG_BYTES_MAX {
            return Err(wrong(TOO_LONG));
        }
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
        let shapes = Shapes::new(checkpoint);
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
            chat: file.chat.as_ref().map(ChatFile::read).transpose()?.unwrap_or_default(),
            text_adapters: shapes.text_adapters(),
        })
    }
}

/// The text of a checkpoint's configuration, and where it is.
pub(crate) fn config_text(
    folder: &Path,
    checkpoint: &Checkpoint,
) -> Result<(String, String), Error> {
    if let Some(text) = checkpoint.metadata_text(CONFIG_KEY) {
        let file = checkpoint.files().first().map(|file| file.path.display().to_string());
        return Ok((text.into(), format!("{}: {CONFIG_KEY}", file.unwrap_or_default())));
    }
    let path = folder.join("config.json");
    match read_text(&path) {
        Ok(text) => Ok((text, path.display().to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && checkpoint.is_gguf() => {
            let problem = format!(
                "expected the key {CONFIG_KEY} in this GGUF file, found none; `ixc quantize` writes files \
                 that can be loaded, from a checkpoint as published"
            );
            let file = checkpoint.files().first().map(|file| file.path.display().to_string());
            Err(Error::Config { path: file.unwrap_or_default(), problem })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::NoConfig { folder: folder.display().to_string() })
        }
        Err(source) => Err(Error::File { path: path.display().to_string(), source }),
    }
}

/// The text of a file that is not too long. Opening a pipe would wait for its other end.
fn read_text(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("expected a file, found something else"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(CONFIG_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > CONFIG_BYTES_MAX {
        return Err(io::Error::other(TOO_LONG));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
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

impl ChatFile {
    fn read(&self) -> Result<Chat, Error> {
        let bos = match self.bos.as_deref() {
            None => None,
            Some(BOS_ONCE) => Some(Bos::Once),
            Some(BOS_EVERY) => Some(Bos::EveryTextPart),
            Some(found) => {
                return Err(wrong(format!(
                    "chat.bos: expected \"{BOS_ONCE}\" or \"{BOS_EVERY}\", found {found:?}"
                )));
            }
        };
        Ok(Chat { instruction: self.instruction.clone(), bos })
    }
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
