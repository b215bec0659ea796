//! Dual encoders: a text and a picture become vectors whose angle says how well they fit (CLIP, Radford et al.
//! 2021; SigLIP, Zhai et al. 2023).
//!
//! folder of a published checkpoint → `config` → [`DualEncoder`]; text → `words` → ids → tower → vector; picture →
//! `pixels` → tower → vector. Layers are `ixc-nn`'s, weights are read as the model's are. Invariant: features equal
//! those of the reference (transformers) in float32; a padded or cut text is padded and cut as published. Deliberately
//! absent: training, batches, and where vectors are kept.

mod config;
mod error;
pub mod limits;
mod pixels;
mod tower;
mod towers;
mod words;

use std::{fmt, path::Path};

use ixc_input::image::Picture;
use ixc_model::load::Weights;
use ixc_nn::{
    Arithmetic,
    weights::{Checkpoint, Keep},
};
use sha2::{Digest, Sha256};

pub use config::Kind;
pub use error::Error;

use config::Config;
use pixels::Preparation;
use towers::{TextTower, VisionTower};
use words::Words;

/// Bytes of each tensor that tell a checkpoint from another of the same shapes.
const SAMPLE_BYTES: usize = 256;

/// An encoder of texts and pictures.
pub struct DualEncoder {
    config: Config,
    words: Words,
    preparation: Preparation,
    text: TextTower,
    vision: VisionTower,
    weights: [u8; 32],
}

impl fmt::Debug for DualEncoder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("DualEncoder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl DualEncoder {
    /// Loads a published checkpoint: `config.json`, weights, `preprocessor_config.json`, and `tokenizer.json` or,
    /// for CLIP, `vocab.json` and `merges.txt`.
    ///
    /// # Errors
    /// When something is missing or malformed, or the folder is of another kind of model.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let config = Config::read(folder)?;
        let preparation = Preparation::read(folder, config.vision.side)?;
        let words = Words::read(folder, &config)?;
        let checkpoint = Checkpoint::open(folder)?;
        let weights = Weights::new(&checkpoint, Keep::Stored, Arithmetic::Exact);
        Ok(Self {
            text: TextTower::load(&weights, &config)?,
            vision: VisionTower::load(&weights, &config)?,
            weights: digest_of(&checkpoint, &config)?,
            config,
            words,
            preparation,
        })
    }

    /// Which of the published kinds.
    pub fn kind(&self) -> Kind {
        self.config.kind
    }

    /// Numbers of a vector.
    pub fn dimensions(&self) -> usize {
        self.config.dimensions
    }

    /// Tokens of a text that are read at most, markers included. Of a longer text the beginning is read, as published.
    pub fn positions(&self) -> usize {
        self.config.text.positions
    }

    /// Stands for weights and configuration.
    pub fn weights_digest(&self) -> [u8; 32] {
        self.weights
    }

    /// Stands for how texts and pictures are made into numbers.
    pub fn preprocessing_digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.preparation.to_string());
        hash.update(self.words.digest());
        hash.finalize().into()
    }

    /// A text's vector, as the checkpoint has it: its length says nothing.
    ///
    /// # Errors
    /// When the tokenizer refuses, or has words that the model does not know.
    pub fn text(&self, text: &str) -> Result<Vec<f32>, Error> {
        self.text.forward(&self.words.ids(text)?)
    }

    /// A picture's vector.
    ///
    /// # Errors
    /// When its weights are broken.
    pub fn picture(&self, picture: &Picture) -> Result<Vec<f32>, Error> {
        self.vision.forward(self.preparation.pixels(picture))
    }

    /// The ids of a text; for tests.
    ///
    /// # Errors
    /// When the tokenizer refuses.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, Error> {
        self.words.ids(text)
    }

    /// What the vision tower is fed: (3, side, side); for tests.
    pub fn pixels(&self, picture: &Picture) -> Vec<f32> {
        self.preparation.pixels(picture)
    }
}

fn digest_of(checkpoint: &Checkpoint, config: &Config) -> Result<[u8; 32], Error> {
    let mut hash = Sha256::new();
    hash.update(config.to_string());
    for name in checkpoint.names() {
        let shape = checkpoint.info(name).map(|info| (info.dtype.to_string(), &info.shape));
        hash.update(format!("{name} {shape:?}"));
        hash.update(checkpoint.sample(name, SAMPLE_BYTES)?);
    }
    Ok(hash.finalize().into())
}
