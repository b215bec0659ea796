//! Randomly initialised checkpoints of the published shapes, in the published file form.
//!
//! For measuring speed and memory, and for trying a machine, without the published weights: then every
//! matrix is random, Partial LoRA's B too, so that every path computes something. Or to begin training with
//! ([`Purpose`]), as each part is begun where it was published. The same seed gives the same numbers whatever the type on disk and the threads.

use std::{ops::ControlFlow, path::Path};

use ixc_input::{prepare::Geometry, prompt::Bos};
use ixc_nn::weights::{SHARD_BYTES, ShardWriter, Sink, StoredType, TensorPlan};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::json;

use crate::{
    Error, Family, ModelConfig,
    config::{
        COMPOSITION_SIDE, Chat, LanguageConfig, PATCH, PLoraConfig, VisionConfig, published_scale,
    },
    read::{BOS_EVERY, BOS_ONCE},
    tensors::{self, ExpectedTensor, LINEARS, Part},
};

/// A published size (model.md, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Like {
    /// `internlm-xcomposer2-vl-7b`.
    Vl7b,
    /// `internlm-xcomposer2-7b`, for composition, 224 px.
    Composition7b,
    /// `internlm-xcomposer2-vl-1_8b`.
    Vl1_8b,
    /// None that was published: the real vocabulary, all else as small as it goes, to try the whole
    /// path in a second. Pictures are squares of 56 px.
    Tiny,
    /// The family scaled down, to be trained from nothing: pictures are squares of 112 px (64 rows), and the
    /// vocabulary is its tokenizer's. docs/mini-model.md.
    Mini {
        /// Pieces of the tokenizer.
        vocabulary: usize,
    },
}

/// What a random checkpoint is for, and so how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To measure: every matrix of one deviation, Partial LoRA's B too.
    Measure,
    /// To be trained.
    Train,
}

/// Standard deviation of the published initialisation (`initializer_range`).
const DEVIATION: f64 = 0.02;

/// Numbers that one task makes from a stream of random numbers of its own.
const CHUNK: usize = 1 << 18;

/// Numbers held at once: 32 MiB as float32.
const BATCH: usize = 32 * CHUNK;

impl Like {
    /// The configuration of that size.
    pub fn config(self) -> ModelConfig {
        // hidden, intermediate, layers, heads, kv heads; the tower's width, intermediate, layers; rank
        let (language, tower, rank) = match self {
            Self::Vl7b | Self::Composition7b => ([4096, 14_336, 32, 32, 8], [1024, 4096, 24], 256),
            Self::Vl1_8b => ([2048, 8192, 24, 16, 8], [1024, 4096, 24], 256),
            Self::Tiny => ([64, 96, 2, 4, 2], [64, 128, 2], 8),
            Self::Mini { .. } => ([256, 640, 6, 8, 2], [192, 768, 6], 32),
        };
        let [hidden, intermediate, layers, heads, kv_heads] = language;
        let [width, tower_intermediate, tower_layers] = tower;
        let (family, side) = match self {
            Self::Composition7b => (Family::Composition, COMPOSITION_SIDE),
            Self::Vl7b | Self::Vl1_8b => (Family::Vl, 490),
            Self::Tiny => (Family::Vl, 56),
            Self::Mini { .. } => (Family::Vl, 112),
        };
        let (vocabulary, rope_theta, positions_max) = match self {
            Self::Tiny => (92_544, 1e6, 4096),
            Self::Mini { vocabulary } => (vocabulary, 1e4, 2048),
            _ => (92_544, 1e6, 32_768),
        };
        // It is asked as it was taught.
        let chat = match self {
            Self::Mini { .. } => Chat { instruction: Some(String::new()), bos: Some(Bos::Once) },
            _ => Chat::default(),
        };
        ModelConfig {
            family,
            language: LanguageConfig {
                vocabulary,
                hidden,
                intermediate,
                layers,
                heads,
                kv_heads,
                eps: 1e-5,
                rope_theta,
                positions_max,
                rope_dynamic_factor: None,
            },
            vision: Some(VisionConfig {
                width,
                layers: tower_layers,
                intermediate: tower_intermediate,
                stored_grid: side as usize / PATCH,
                geometry: Geometry::Square { side },
            }),
            plora: Some(PLoraConfig { ranks: [(rank, published_scale(rank)); 5] }),
            gptq: false,
            chat,
            text_adapters: Vec::new(),
        }
    }
}

/// Writes a random checkpoint of any configuration: shards, index, `config.json`, and a copy of the
/// tokenizer when one is given. It begins as one to be measured; see [`write_for`]. `progress` hears of bytes written so far and in all, and says whether
/// to go on.
///
/// # Errors
/// When the folder already holds weights, the disk refuses, or `progress` breaks off; no weights are
/// left then.
pub fn write(
    config: &ModelConfig,
    dtype: StoredType,
    seed: u64,
    tokenizer: Option<&Path>,
    out: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), Error> {
    write_for(Purpose::Measure, config, dtype, seed, tokenizer, out, progress)
}

/// As [`write()`], for a purpose.
///
/// # Errors
/// As [`write()`].
pub fn write_for(
    purpose: Purpose,
    config: &ModelConfig,
    dtype: StoredType,
    seed: u64,
    tokenizer: Option<&Path>,
    out: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), Error> {
    let expected = tensors::expected(config);
    let plans: Vec<TensorPlan> = expected
        .iter()
        .map(|tensor| TensorPlan { name: tensor.name.clone(), dtype, shape: tensor.shape.clone() })
        .collect();
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    let total: usize = expected.iter().map(|tensor| count(&tensor.shape)).sum();
    let total = (total * dtype.size()) as u64;
    let writer = ShardWriter::new(out, plans, SHARD_BYTES)?;
    let mut done = 0u64;
    writer.write::<Error>(|plan, sink| {
        let index = expected.iter().position(|tensor| tensor.name == plan.name);
        let index = index.expect("a planned tensor is an expected one");
        let numbers = plan.shape.iter().product();
        let fill = match purpose {
            Purpose::Measure => fill_of(&plan.name),
            Purpose::Train => first(&expected[index], config),
        };
        fill.stream(numbers, seed, index as u64, sink, &mut |numbers| {
            done += (numbers * dtype.size()) as u64;
            progress(done, total)
        })
    })?;
    let text = serde_json::to_string_pretty(&config_json(config, dtype)).expect("plain data");
    write_file(&out.join("config.json"), text.as_bytes())?;
    if let Some(tokenizer) = tokenizer {
        let file = |path: &Path, source| Error::File { path: path.display().to_string(), source };
        let bytes = std::fs::read(tokenizer).map_err(|source| file(tokenizer, source))?;
        write_file(&out.join("tokenizer.model"), &bytes)?;
    }
    Ok(())
}

pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes)
        .map_err(|source| Error::File { path: path.display().to_string(), source })
}

/// What a tensor of numbers is filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fill {
    /// One number.
    Constant(f32),
    /// Uniform numbers from minus to plus this.
    Uniform(f32),
}

impl Fill {
    /// PyTorch's default for a linear layer's weight and bias of so many inputs: Kaiming-uniform with
    /// a = √5, which is 1 / √inputs.
    pub(crate) fn kaiming(inputs: usize) -> Self {
        Self::Uniform(1.0 / (inputs as f32).sqrt())
    }

    /// Uniform numbers of this standard deviation.
    fn of_deviation(deviation: f64) -> Self {
        Self::Uniform((deviation * 3f64.sqrt()) as f32)
    }

    /// Fills numbers. `tensor` and `chunk` name a stream of random numbers of their own.
    pub(crate) fn fill(self, seed: u64, tensor: u64, chunk: u64, numbers: &mut [f32]) {
        match self {
            Self::Constant(value) => numbers.fill(value),
            Self::Uniform(reach) => {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream(tensor << 32 | chunk);
                for value in numbers {
                    // 24 bits fill a float32's fraction.
                    let unit = (random.next_u32() >> 8) as f32 / (1u32 << 23) as f32 - 1.0;
                    *value = unit * reach;
                }
            }
        }
    }

    /// Streams so many numbers of a tensor, on all threads.
    pub(crate) fn stream(
        self,
        total: usize,
        seed: u64,
        tensor: u64,
        sink: &mut Sink<'_>,
        wrote: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut numbers = vec![0f32; BATCH.min(total)];
        for start in (0..total).step_by(BATCH) {
            let numbers = &mut numbers[..BATCH.min(total - start)];
            let first = (start / CHUNK) as u64;
            numbers.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, numbers)| {
                self.fill(seed, tensor, first + chunk as u64, numbers);
            });
            sink.f32(numbers)?;
            if wrote(numbers.len()).is_break() {
                return Err(Error::Cancelled);
            }
        }
        Ok(())
    }
}

/// Ones for norms, zeros for biases, else uniform numbers of the published standard deviation.
fn fill_of(name: &str) -> Fill {
    if name.ends_with("bias") {
        Fill::Constant(0.0)
    } else if name.contains("norm") {
        Fill::Constant(1.0)
    } else {
        Fill::of_deviation(DEVIATION)
    }
}

/// How a tensor begins that is trained from nothing: the language model with the published deviation, what it
/// adds to its residual stream the smaller the more there is of it; the tower as Hugging Face's CLIP;
/// projector and Partial LoRA as [`crate::from_parts`] begins them.
fn first(tensor: &ExpectedTensor, config: &ModelConfig) -> Fill {
    let name = tensor.name.as_str();
    match tensor.part {
        _ if name.ends_with("bias") || name.contains("norm") => fill_of(name),
        Part::Plora if name.contains("Plora_B") => Fill::Constant(0.0),
        Part::Plora | Part::Projector => Fill::kaiming(tensor.shape[tensor.shape.len() - 1]),
        Part::Words => Fill::of_deviation(DEVIATION),
        Part::Decoder => {
            let adds = name.ends_with("wo.weight") || name.ends_with("w2.weight");
            let sums = 2.0 * config.language.layers as f64;
            Fill::of_deviation(if adds { DEVIATION / sums.sqrt() } else { DEVIATION })
        }
        Part::Tower => {
            let vision = config.vision.as_ref().expect("a tower has a configuration");
            let (width, sums) = ((vision.width as f64).sqrt(), 2.0 * vision.layers as f64);
            let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
            Fill::of_deviation(if ends(&["class_embedding", "out_proj.weight"]) {
                1.0 / width
            } else if ends(&["_proj.weight", "fc2.weight"]) {
                1.0 / (width * sums.sqrt())
            } else if ends(&["fc1.weight"]) {
                1.0 / (width * 2f64.sqrt())
            } else {
                DEVIATION
            })
        }
    }
}

/// `config.json` in the published form, with the adapters' scales stated.
pub(crate) fn config_json(config: &ModelConfig, dtype: StoredType) -> serde_json::Value {
    let language = &config.language;
    let side = match config.vision.as_ref().map(|vision| vision.geometry) {
        Some(Geometry::Square { side }) => Some(side),
        _ => None,
    };
    let scales = config.plora.as_ref().map(|plora| {
        let pairs = LINEARS.iter().zip(plora.ranks).map(|(name, (_, scale))| (*name, scale));
        pairs.collect::<std::collections::BTreeMap<_, _>>()
    });
    let chat = &config.chat;
    let bos = chat.bos.map(|bos| match bos {
        Bos::Once => BOS_ONCE,
        Bos::EveryTextPart => BOS_EVERY,
    });
    let dtype = match dtype {
        StoredType::Bf16 => "bfloat16",
        StoredType::F16 => "float16",
        _ => "float32",
    };
    let mut file = json!({
        "architectures": ["InternLMXComposer2ForCausalLM"],
        "model_type": "internlmxcomposer2",
        "vocab_size": language.vocabulary,
        "hidden_size": language.hidden,
        "intermediate_size": language.intermediate,
        "num_hidden_layers": language.layers,
        "num_attention_heads": language.heads,
        "num_key_value_heads": language.kv_heads,
        "hidden_act": "silu",
        "max_position_embeddings": language.positions_max,
        "initializer_range": DEVIATION,
        "rms_norm_eps": language.eps,
        "rope_theta": language.rope_theta,
        "rope_scaling": language.rope_dynamic_factor
            .map(|factor| json!({ "type": "dynamic", "factor": factor })),
        "max_length": 4096,
        "img_size": side,
        "bias": false,
        "tie_word_embeddings": false,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        "torch_dtype": dtype,
        "plora_scales": scales,
    });
    if *chat != Chat::default() {
        file["chat"] = json!({ "instruction": chat.instruction, "bos": bos });
    }
    file
}
