//! A loaded model that answers requests.
//!
//! The engine owns the model and the tokenizer; a request is laid out, checked against the context,
//! and answered as a stream. Nothing of one request is seen by another.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ixc_input::{
    conversation::CHAT_INSTRUCTION,
    prepare::{Geometry, Pixels, prepare},
    prompt::{Bos, Ending, Layout, Prompt, Segment, Unplaced, layout},
    special::SpecialIds,
    tokenizer::Tokenizer,
};
use ixc_model::{Family, ModelConfig, XComposer};
use ixc_nn::{
    Arithmetic,
    cache::{KvCache, KvType},
    weights::{Checkpoint, Keep},
};

use crate::{
    Error, Past, Request,
    answer::{Answering, Held, Plan},
};

/// The tokenizer's file beside the weights, as published.
pub const TOKENIZER_FILE: &str = "tokenizer.model";

/// Published `hd_num` of 2.5 when a request has several pictures.
const V25_TILES_OF_SEVERAL: u32 = 6;

/// How a model is loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// In which precision matrices stay in memory.
    pub keep: Keep,
    /// What products are made of.
    pub arithmetic: Arithmetic,
    /// A tokenizer elsewhere than beside the weights.
    pub tokenizer: Option<PathBuf>,
    /// Positions a prompt and its answer may take; the model's own limit if none.
    pub context: Option<usize>,
    /// How keys and values are stored.
    pub kv: KvType,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            keep: Keep::Stored,
            arithmetic: Arithmetic::default(),
            tokenizer: None,
            context: None,
            kv: KvType::default(),
        }
    }
}

/// A model with its tokenizer.
pub struct Engine {
    model: XComposer,
    tokenizer: Tokenizer,
    special: SpecialIds,
    context: usize,
    kv: KvType,
}

impl Engine {
    /// Loads a published checkpoint: its folder, or one of its weight files.
    ///
    /// # Errors
    /// When a file is missing, broken or of another model; see [`Error`].
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self, Error> {
        let folder = model_folder(path);
        let checkpoint = Checkpoint::open(path)?;
        let config = ModelConfig::read(folder, &checkpoint)?;
        let tokenizer_path = match &options.tokenizer {
            Some(path) => path.clone(),
            None => folder.join(TOKENIZER_FILE),
        };
        if options.tokenizer.is_none() && !tokenizer_path.is_file() {
            return Err(Error::NoTokenizer { folder: folder.display().to_string() });
        }
        let tokenizer = Tokenizer::from_file(&tokenizer_path)?;
        let vocabulary = config.language.vocabulary;
        if tokenizer.vocab_size() != vocabulary {
            return Err(Error::TokenizerMismatch { pieces: tokenizer.vocab_size(), vocabulary });
        }
        let special = SpecialIds::of(&tokenizer)?;
        let context = context(&config, options.context)?;
        let model = XComposer::load(config, &checkpoint, options.keep, options.arithmetic)?;
        Ok(Self { model, tokenizer, special, context, kv: options.kv })
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

    /// Positions a prompt and its answer may take together.
    pub fn context(&self) -> usize {
        self.context
    }

    /// The system turn that the checkpoint's published `chat` begins with; empty for none.
    pub fn instruction(&self) -> String {
        match self.model.config().family {
            Family::V25 => String::new(),
            Family::Composition => ixc_input::conversation::composition_instruction(),
            Family::Vl | Family::FourKHd | Family::Language => CHAT_INSTRUCTION.into(),
        }
    }

    /// Answers a request as a stream of events. All checks are made before the first.
    ///
    /// # Errors
    /// When an option is out of range, a picture does not fit, or the prompt is too long.
    pub fn answer(&self, request: &Request) -> Result<Answering<'_>, Error> {
        self.begin(request, Held::Own(self.past()))
    }

    /// An empty cache, stored as the options said.
    pub fn cache(&self) -> KvCache {
        self.model.cache(self.kv)
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

    fn begin<'a>(&'a self, request: &Request, past: Held<'a>) -> Result<Answering<'a>, Error> {
        request.check()?;
        let shown = self.prepare(request)?;
        let tokens: Vec<usize> = shown.iter().map(|(_, tokens)| *tokens).collect();
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
        Ok(Answering::new(
            self,
            past,
            Plan {
                decoding: request.decoding,
                spacing: request.spacing,
                penalty: request.repetition_penalty,
                image_positions: image_positions(&prompt, &tokens),
                prompt,
                shown,
                prompt_positions,
                words_max: request.max_new_tokens.min(room),
                context_bound: room < request.max_new_tokens,
            },
        ))
    }

    /// The request's turns as segments, by the family's rules.
    ///
    /// # Errors
    /// When the conversation has no turn or too much text.
    pub fn layout(&self, request: &Request) -> Result<Prompt, Error> {
        let (bos, unplaced) = match self.model.config().family {
            Family::Vl | Family::Composition | Family::Language => {
                (Bos::EveryTextPart, Unplaced::InTurn)
            }
            Family::FourKHd => (Bos::EveryTextPart, Unplaced::LoneFirst),
            Family::V25 => (Bos::Once, Unplaced::LoneFirst),
        };
        let ending = Ending::Answer { prefix: request.prefix.clone() };
        let rules = Layout { bos, unplaced, markers: request.markers, ending };
        Ok(layout(&request.conversation, &rules, &self.tokenizer)?)
    }

    /// Each picture's pixels and the positions it takes.
    ///
    /// # Errors
    /// When a picture does not fit the geometry, or the model has no tower.
    pub fn prepare(&self, request: &Request) -> Result<Vec<(Arc<Pixels>, usize)>, Error> {
        if request.pictures.is_empty() {
            return Ok(Vec::new());
        }
        let vision = self.model.config().vision.as_ref().ok_or(ixc_model::Error::NoTower)?;
        let several = request.pictures.len() > 1;
        let geometry = match vision.geometry {
            Geometry::Tiles { tile, tiles_max, style } => {
                let published = if several && self.model.config().family == Family::V25 {
                    V25_TILES_OF_SEVERAL
                } else {
                    tiles_max
                };
                Geometry::Tiles { tile, tiles_max: request.tiles_max.unwrap_or(published), style }
            }
            square => square,
        };
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

/// The folder that a model path stands for: itself, or where its weight file lies.
pub fn model_folder(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) }
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
