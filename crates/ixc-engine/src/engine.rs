//! A loaded model that answers requests.
//!
//! The engine owns the model and the tokenizer; a request is laid out, checked against the context,
//! and answered as a stream. Nothing of one request changes the answer to another: what requests share
//! (a picture's features, a beginning that was read) is found by its content and never changes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::Tensor;
use ixc_input::{
    conversation::CHAT_INSTRUCTION,
    prepare::{Pixels, prepare},
    prompt::{Bos, Ending, Layout, Prompt, Segment, Unplaced, layout},
    special::SpecialIds,
    tokenizer::Tokenizer,
};
use ixc_model::{
    Family, ModelConfig, XComposer, adapter::Adapter, gguf::TOKENIZER_KEY, load::Weights,
    stage::Observer,
};
use ixc_nn::{
    Arithmetic,
    cache::{KvCache, KvType},
    device::Device,
    inputs::Inputs,
    weights::{Checkpoint, Keep},
};
use sha2::{Digest as _, Sha256};

use crate::{
    Error, Past, Request,
    answer::{Answering, Held, Plan},
    features::{Digest, Features, digest},
    generate::history,
    limits::{FEATURE_BYTES, PREFIX_BYTES},
    past::{Shown, Step, steps, unread, without_last},
    prefixes::Prefixes,
};

/// The tokenizer's file beside the weights, as published.
pub const TOKENIZER_FILE: &str = "tokenizer.model";

/// How a model is loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// In which precision matrices stay in memory.
    pub keep: Keep,
    /// What products are made of.
    pub arithmetic: Arithmetic,
    /// Where the model computes.
    pub device: Device,
    /// A tokenizer elsewhere than beside the weights.
    pub tokenizer: Option<PathBuf>,
    /// The folder of a LoRA adapter in PEFT's form, to act beside the weights.
    pub adapter: Option<PathBuf>,
    /// Positions a prompt and its answer may take; the model's own limit if none.
    pub context: Option<usize>,
    /// How keys and values are stored.
    pub kv: KvType,
    /// Bytes of features kept of pictures seen before; 0 keeps none.
    pub feature_bytes: usize,
    /// Bytes of keys and values kept for conversations that begin alike; 0 keeps none.
    pub prefix_bytes: usize,
    /// Where linear layers add up what they are fed, for a calibration.
    pub inputs: Option<Inputs>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            keep: Keep::Stored,
            arithmetic: Arithmetic::default(),
            device: Device::default(),
            tokenizer: None,
            adapter: None,
            context: None,
            kv: KvType::default(),
            feature_bytes: FEATURE_BYTES,
            prefix_bytes: PREFIX_BYTES,
            inputs: None,
        }
    }
}

/// How weights, products and keys and values are held: keys of one holding are not another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) keep: Keep,
    pub(crate) arithmetic: Arithmetic,
    pub(crate) kv: KvType,
}

/// A model with its tokenizer.
pub struct Engine {
    model: XComposer,
    tokenizer: Tokenizer,
    special: SpecialIds,
    context: usize,
    pub(crate) holding: Holding,
    /// Tells this model from all others.
    pub(crate) fingerprint: Digest,
    features: Features,
    prefixes: Prefixes,
}

impl Engine {
    /// Loads a published checkpoint: its folder, or one of its weight files.
    ///
    /// # Errors
    /// When a file is missing, broken or of another model; see [`Error`].
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self, Error> {
        Self::of(model_folder(path), &ixc_model::gguf::open(path)?, options)
    }

    /// Loads a checkpoint that is open already; `folder` is where its other files lie.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn of(
        folder: &Path,
        checkpoint: &Checkpoint,
        options: &LoadOptions,
    ) -> Result<Self, Error> {
        let config = ModelConfig::read(folder, checkpoint)?;
        let tokenizer = tokenizer(folder, checkpoint, options.tokenizer.as_deref())?;
        let vocabulary = config.language.vocabulary;
        if tokenizer.vocab_size() != vocabulary {
            return Err(Error::TokenizerMismatch { pieces: tokenizer.vocab_size(), vocabulary });
        }
        let special = SpecialIds::of(&tokenizer)?;
        let context = context(&config, options.context)?;
        let adapter = options.adapter.as_deref().map(Adapter::open).transpose()?.map(Arc::new);
        adapter.as_ref().map_or(Ok(()), |adapter| adapter.check(&config))?;
        let fingerprint = fingerprint(&config, checkpoint, adapter.as_deref())?;
        let LoadOptions { keep, arithmetic, kv, .. } = *options;
        let plan = ixc_model::Plan { stored: adapter, ..ixc_model::Plan::default() };
        let mut weights =
            Weights::new(checkpoint, keep, arithmetic).training(&plan).on(&options.device);
        if let Some(inputs) = &options.inputs {
            if !options.device.has_kernels() {
                return Err(Error::Option {
                    option: "inputs",
                    expected: "a model on the CPU, whose layers count what they are fed".into(),
                    found: "one on another device".into(),
                });
            }
            weights = weights.counting(inputs);
        }
        let model = XComposer::of(config, &weights)?;
        Ok(Self {
            model,
            tokenizer,
            special,
            context,
            holding: Holding { keep, arithmetic, kv },
            fingerprint,
            features: Features::new(options.feature_bytes),
            prefixes: Prefixes::new(options.prefix_bytes),
        })
    }

    /// The model.
    pub fn model(&self) -> &XComposer {
        &self.model
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The special ids.
    pub fn special(&self) -> &SpecialIds {
        &self.special
    }

    /// What tells this model, with its adapter, from all others.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Positions a prompt and its answer may take together.
    pub fn context(&self) -> usize {
        self.context
    }

    /// The system turn that the checkpoint, or its family's published `chat`, begins with; empty for none.
    pub fn instruction(&self) -> String {
        let config = self.model.config();
        if let Some(own) = &config.chat.instruction {
            return own.clone();
        }
        match config.family {
            Family::V25 => String::new(),
            Family::Composition => ixc_input::conversation::composition_instruction(),
            Family::Vl | Family::FourKHd | Family::Language => CHAT_INSTRUCTION.into(),
        }
    }

    /// Answers a request as a stream of events. All checks are made before the first. What another
    /// conversation has read of its beginning is not read again.
    ///
    /// # Errors
    /// When an option is out of range, a picture does not fit, or the prompt is too long.
    pub fn answer(&self, request: &Request) -> Result<Answering<'_>, Error> {
        self.begin(request, Held::Own(self.past()))
    }

    /// An empty cache, stored as the options said.
    pub fn cache(&self) -> KvCache {
        self.model.cache(self.holding.kv)
    }

    /// The past of a conversation that has not begun.
    pub fn past(&self) -> Past {
        Past::new(self.cache())
    }

    /// As [`Engine::answer`], reusing what the conversation's `past` has in common with the request.
    /// The past then holds this request and its answer, as far as they were read; a refused request
    /// leaves it as it was.
    ///
    /// # Errors
    /// As [`Engine::answer`].
    pub fn answer_after<'a>(
        &'a self,
        request: &Request,
        past: &'a mut Past,
    ) -> Result<Answering<'a>, Error> {
        self.begin(request, Held::Lent(past))
    }

    fn begin<'a>(&'a self, request: &Request, mut past: Held<'a>) -> Result<Answering<'a>, Error> {
        request.check()?;
        let shown = self.shown(request)?;
        let tokens: Vec<usize> = shown.iter().map(|picture| picture.rows).collect();
        let prompt = self.layout(request)?;
        let prompt_positions = prompt.positions(&tokens)?;
        if prompt_positions >= self.context {
            let tiled = matches!(self.model.config().family, Family::FourKHd | Family::V25);
            let hint = if tiled && !tokens.is_empty() { ", lower --tiles" } else { "" };
            return Err(Error::PromptTooLong {
                positions: prompt_positions,
                context: self.context,
                hint,
            });
        }
        let room = self.context - prompt_positions;
        let read = self.resume(past.get(), steps(&prompt, &shown), prompt_positions);
        let (unread, unseen) = unread(&prompt, &shown, read);
        Ok(Answering::new(
            self,
            past,
            Plan {
                decoding: request.decoding,
                spacing: request.spacing,
                penalty: request.repetition_penalty,
                image_positions: image_positions(&prompt, &tokens),
                said: history(&prompt, self.special.bos),
                unread,
                unseen,
                prompt_positions,
                words_max: request.max_new_tokens.min(room),
                context_bound: room < request.max_new_tokens,
            },
        ))
    }

    /// Brings a past to where a prompt can go on: its own beginning, or another conversation's where
    /// that has more in common. Returns how many of the prompt's steps are read already.
    fn resume(&self, past: &mut Past, steps: Vec<Step>, positions: usize) -> usize {
        if self.unstretched(positions) {
            let known = without_last(&steps);
            if let Some(better) = self.prefixes.best(known, past.common(known).1) {
                *past = better;
            }
        }
        past.keep(steps)
    }

    /// Whether positions of a sequence of this length are rotated as those of any shorter one. Beyond
    /// the trained length dynamic scaling turns them by the length, so that other conversations' keys
    /// are not its own.
    fn unstretched(&self, positions: usize) -> bool {
        let language = &self.model.config().language;
        language.rope_dynamic_factor.is_none() || positions <= language.positions_max
    }

    /// Keeps what was read for other conversations that begin alike.
    pub(crate) fn remember(&self, past: &Past) {
        if self.unstretched(past.positions()) {
            self.prefixes.add(past, past.bytes());
        }
    }

    /// A picture's features, (tokens, hidden), and whether they were known.
    pub(crate) fn see(
        &self,
        picture: &Shown,
        observe: &mut Observer,
    ) -> Result<(Tensor, bool), Error> {
        if let Some(features) = self.features.get(&picture.digest) {
            return Ok((features, true));
        }
        let features = self.model.see(&picture.pixels, observe)?;
        self.features.add(picture.digest, &features);
        Ok((features, false))
    }

    /// The request's pictures, with what they are known by.
    fn shown(&self, request: &Request) -> Result<Vec<Shown>, Error> {
        let prepared = self.prepare(request)?.into_iter();
        Ok(prepared.map(|(pixels, rows)| Shown { digest: digest(&pixels), pixels, rows }).collect())
    }

    /// The request's turns as segments, by the family's rules.
    ///
    /// # Errors
    /// When the conversation has no turn or too much text.
    pub fn layout(&self, request: &Request) -> Result<Prompt, Error> {
        let (bos, unplaced) = self.rules();
        let ending = Ending::Answer { prefix: request.prefix.clone() };
        let rules = Layout { bos, unplaced, markers: request.markers, ending };
        Ok(layout(&request.conversation, &rules, &self.tokenizer)?)
    }

    /// Where the checkpoint itself or the family's published `chat` has `<s>`, and pictures without a place.
    pub(crate) fn rules(&self) -> (Bos, Unplaced) {
        let config = self.model.config();
        (config.chat.bos.unwrap_or(config.family.bos()), config.family.unplaced())
    }

    /// Each picture's pixels and the positions it takes.
    ///
    /// # Errors
    /// When a picture does not fit the geometry, or the model has no tower.
    pub fn prepare(&self, request: &Request) -> Result<Vec<(Arc<Pixels>, usize)>, Error> {
        if request.pictures.is_empty() {
            return Ok(Vec::new());
        }
        let config = self.model.config();
        let geometry = config
            .geometry(request.pictures.len(), request.tiles_max)
            .ok_or(ixc_model::Error::NoTower)?;
        request
            .pictures
            .iter()
            .map(|picture| {
                let tokens = geometry.image_tokens(picture.width(), picture.height())?;
                Ok((Arc::new(prepare(picture, geometry)?), tokens))
            })
            .collect()
    }
}

/// How many of a prompt's positions are image rows.
fn image_positions(prompt: &Prompt, tokens: &[usize]) -> usize {
    let slots = prompt.segments.iter().filter_map(|segment| match segment {
        Segment::Image { index } => tokens.get(*index),
        Segment::Text { .. } => None,
    });
    slots.sum()
}

/// A checkpoint's tokenizer: the file `elsewhere`, or what the checkpoint itself holds, or the file beside it.
///
/// # Errors
/// When there is none, or it is not of this family.
pub fn tokenizer(
    folder: &Path,
    checkpoint: &Checkpoint,
    elsewhere: Option<&Path>,
) -> Result<Tokenizer, Error> {
    let beside = folder.join(TOKENIZER_FILE);
    Ok(match (elsewhere, checkpoint.metadata_bytes(TOKENIZER_KEY)) {
        (Some(path), _) => Tokenizer::from_file(path)?,
        (None, Some(bytes)) => Tokenizer::from_bytes(bytes)?,
        (None, None) if beside.is_file() => Tokenizer::from_file(&beside)?,
        (None, None) => {
            return Err(Error::NoTokenizer { folder: folder.display().to_string() });
        }
    })
}

/// The folder that a model path stands for: itself, or where its weight file lies.
pub fn model_folder(path: &Path) -> &Path {
    if path.is_dir() { path } else { ixc_files::folder_of(path) }
}

fn context(config: &ModelConfig, asked: Option<usize>) -> Result<usize, Error> {
    let limit = config.language.positions_max;
    let extendable = config.language.rope_dynamic_factor.is_some();
    match asked {
        None => Ok(limit),
        Some(asked) if asked >= 2 && (asked <= limit || extendable) => Ok(asked),
        Some(asked) => Err(Error::Option {
            option: "context",
            expected: format!("2 to {limit}, which the model was made for"),
            found: asked.to_string(),
        }),
    }
}

/// Bytes of each tensor that tell a model from another of the same shapes.
const SAMPLE_BYTES: usize = 64;

/// Stands for the configuration, and the tensors with the first of their numbers, an adapter's with all: what
/// tells a model from another, or from itself in another precision.
///
/// # Errors
/// When a tensor cannot be read.
pub fn fingerprint(
    config: &ModelConfig,
    checkpoint: &Checkpoint,
    adapter: Option<&Adapter>,
) -> Result<[u8; 32], Error> {
    let mut hash = Sha256::new();
    hash.update(format!("{config:?}"));
    for name in checkpoint.names() {
        let shape = checkpoint.info(name).map(|info| (info.dtype, &info.shape));
        hash.update(format!("{name} {shape:?}"));
        hash.update(checkpoint.sample(name, SAMPLE_BYTES)?);
    }
    if let Some(adapter) = adapter {
        adapter.feed(&mut |bytes| hash.update(bytes))?;
    }
    Ok(hash.finalize().into())
}
