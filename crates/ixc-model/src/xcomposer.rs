//! InternLM-XComposer2: the paper's figure as code (arXiv 2401.16420, figure 2).
//!
//! pixels → tower → projector → splice with text → decoder (Partial LoRA on image rows) → logits.
//! [`XComposer::see`], [`XComposer::splice`], [`XComposer::forward`] and [`XComposer::logits`] are the
//! four steps; generation and training only decide what is fed to them.
//! Deliberately absent: sampling, prompts' wording, files (see [`crate::load`]).

use candle_core::{Device, Tensor};
use ixc_input::{
    prepare::{Geometry, Pixels},
    prompt::Prompt,
};
use ixc_nn::{
    Arithmetic,
    activation::gelu,
    cache::{KvCache, KvType},
    embedding::Embedding,
    linear::Linear,
    plora::ImageRows,
    weights::{Checkpoint, Keep},
};

use crate::{
    Error, ModelConfig,
    config::VisionConfig,
    decoder::{Decoder, Outputs, Sequence},
    load::{Weights, check_complete},
    splice::{Spliced, splice},
    stage::{Observer, Stage, report},
    tensors, tiles,
    vision::Tower,
};

/// The whole model.
pub struct XComposer {
    config: ModelConfig,
    eye: Option<Eye>,
    words: Embedding,
    decoder: Decoder,
    output: Linear,
}

/// What turns pixels into rows of the language model: tower, separators, projector.
pub struct Eye {
    tower: Tower,
    /// Newline and separator vectors, each of 4 C, in the high-resolution family.
    separators: Option<(Tensor, Tensor)>,
    projector: [Linear; 2],
    geometry: Geometry,
}

impl XComposer {
    /// Builds the model from a checkpoint; `keep` says in which precision its matrices stay, `arithmetic`
    /// what products with them are made of.
    ///
    /// # Errors
    /// When tensors are missing or misshapen.
    pub fn load(
        config: ModelConfig,
        checkpoint: &Checkpoint,
        keep: Keep,
        arithmetic: Arithmetic,
    ) -> Result<Self, Error> {
        Self::of(config, &Weights::new(checkpoint, keep, arithmetic))
    }

    /// Builds the model from a checkpoint's weights.
    ///
    /// # Errors
    /// As [`XComposer::load`].
    pub fn of(config: ModelConfig, weights: &Weights) -> Result<Self, Error> {
        check_complete(&config, weights.checkpoint())?;
        let model = weights.at("model");
        let (vocabulary, hidden) = (config.language.vocabulary, config.language.hidden);
        let eye = match &config.vision {
            Some(vision) => Some(Eye::load(weights, vision, hidden)?),
            None => None,
        };
        Ok(Self {
            eye,
            words: model.embedding("tok_embeddings", vocabulary, hidden)?,
            decoder: Decoder::load(&model, &config)?,
            output: weights.linear("output", hidden, vocabulary)?,
            config,
        })
    }

    /// What the model is.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// An empty cache for one sequence, its numbers stored so.
    pub fn cache(&self, kind: KvType) -> KvCache {
        KvCache::new(self.config.language.cache_shape(kind))
    }

    /// Looks at one picture: its image rows, (tokens, hidden).
    ///
    /// # Errors
    /// When the model has no tower or the pixels are not of its geometry.
    pub fn see(&self, pixels: &Pixels, observe: &mut Observer) -> Result<Tensor, Error> {
        self.eye.as_ref().ok_or(Error::NoTower)?.forward(pixels, observe)
    }

    /// Lays a prompt's words and pictures behind one another.
    ///
    /// # Errors
    /// When the prompt has a slot for an image that was not seen.
    pub fn splice(
        &self,
        prompt: &Prompt,
        features: &[Tensor],
        observe: &mut Observer,
    ) -> Result<Spliced, Error> {
        let spliced = splice(prompt, features, &self.words)?;
        report(observe, Stage::Splice, &spliced.embeddings)?;
        Ok(spliced)
    }

    /// Text rows alone: (ids, hidden). Every word that is generated comes back this way.
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor, Error> {
        Ok(self.words.forward(ids)?)
    }

    /// Reads rows, (n, hidden) → (n, hidden) or (sequences, hidden), Partial LoRA acting on the image rows.
    ///
    /// # Errors
    /// When the batch's rows do not add up to n.
    pub fn forward(
        &self,
        embeddings: &Tensor,
        images: &ImageRows,
        batch: &mut [Sequence],
        outputs: Outputs,
        observe: &mut Observer,
    ) -> Result<Tensor, Error> {
        self.decoder.forward(embeddings, images, batch, outputs, observe)
    }

    /// Scores of the next word after each row: (rows, hidden) → (rows, vocabulary).
    ///
    /// # Errors
    /// When the rows are not of the model's width.
    pub fn logits(&self, rows: &Tensor, observe: &mut Observer) -> Result<Tensor, Error> {
        let logits = self.output.forward(rows)?;
        report(observe, Stage::Logits, &logits)?;
        Ok(logits)
    }
}

impl Eye {
    /// Builds tower, separators and projector; a file may hold nothing else.
    ///
    /// # Errors
    /// When a tensor is missing or misshapen.
    pub fn load(weights: &Weights, config: &VisionConfig, hidden: usize) -> Result<Self, Error> {
        let separators = match config.geometry {
            Geometry::Square { .. } => None,
            Geometry::Tiles { .. } => Some((
                weights.tensor(tensors::SUB_GN, &[1, 1, 1, 4 * config.width])?,
                weights.tensor(tensors::GLB_GN, &[1, 1, 4 * config.width])?,
            )),
        };
        Ok(Self {
            tower: Tower::load(&weights.at(tensors::TOWER), config)?,
            separators,
            projector: [
                weights.linear_bias("vision_proj.0", config.projector_inputs(), hidden)?,
                weights.linear_bias("vision_proj.2", hidden, hidden)?,
            ],
            geometry: config.geometry,
        })
    }

    /// (3, h, w) pixels of one prepared picture → (tokens, hidden).
    ///
    /// # Errors
    /// When the pixels are not of the geometry.
    pub fn forward(&self, pixels: &Pixels, observe: &mut Observer) -> Result<Tensor, Error> {
        let (height, width) = (pixels.height as usize, pixels.width as usize);
        let picture = Tensor::from_slice(&pixels.data, (3, height, width), &Device::Cpu)?;
        let rows = match (self.geometry, &self.separators) {
            (Geometry::Tiles { tile, .. }, Some((newline, separator))) => {
                let views = tiles::cut(&picture, tile as usize)?;
                let features = self.tower.forward(&views.pixels, observe)?;
                let merged =
                    tiles::merge(&features, views.rows, views.columns, newline, separator)?;
                report(observe, Stage::TilesMerged, &merged)?;
                merged // (tokens, 4 C)
            }
            _ => self.tower.forward(&picture.unsqueeze(0)?, observe)?.squeeze(0)?, // (tokens, C)
        };
        let inner = gelu(self.projector[0].forward(&rows)?)?; // (tokens, hidden)
        let seen = self.projector[1].forward(&inner)?;
        report(observe, Stage::Projector, &seen)?;
        Ok(seen)
    }
}
