//! InternLM-XComposer2: the paper's figure as code (arXiv 2401.16420, figure 2).
//!
//! pixels → tower → projector → splice with text → decoder (Partial LoRA on image rows) → logits.
//! [`XComposer::see`], [`XComposer::splice`], [`XComposer::forward`] and [`XComposer::logits`] are the
//! four steps; generation and training only decide what is fed to them, and training
//! ([`crate::training`]) has the same steps recorded.
//! Deliberately absent: sampling, prompts' wording, files (see [`crate::load`]).

use candle_core::Tensor;
use ixc_input::{
    prepare::{Geometry, Pixels},
    prompt::Prompt,
};
use ixc_nn::{
    Arithmetic,
    activation::gelu,
    cache::{KvCache, KvType},
    device::Device,
    embedding::Embedding,
    graph::{Value, compose},
    linear::Linear,
    plora::{Acting, ImageRows},
    trained::Small,
    weights::{Checkpoint, Keep},
};

use crate::{
    Error, ModelConfig,
    config::VisionConfig,
    decoder::{Decoder, Outputs, Sequence},
    load::{Weights, check_complete},
    parameters::{Parameter, Plan},
    splice::{Feature, Laid, Spliced, splice},
    stage::{Observer, Stage, report, unobserved},
    tensors, tiles,
    training::Training,
    vision::Tower,
};

/// The whole model.
pub struct XComposer {
    config: ModelConfig,
    eye: Option<Eye>,
    words: Embedding,
    decoder: Decoder,
    output: Linear,
    parameters: Vec<Parameter>,
    device: Device,
}

/// What turns pixels into rows of the language model: tower, separators, projector.
pub struct Eye {
    tower: Tower,
    /// Newline and separator vectors, each of 4 C, in the high-resolution family.
    separators: Option<(Small, Small)>,
    projector: [Linear; 2],
    geometry: Geometry,
    device: Device,
}

impl XComposer {
    /// Builds the model from a checkpoint; `keep` says in which precision its matrices stay, `arithmetic`
    /// what products with them are made of. Nothing is trained.
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

    /// As [`XComposer::load`], trained as the plan says: such weights are float32, whatever `keep` is.
    ///
    /// # Errors
    /// As there, and when the plan does not fit the model.
    pub fn load_for(
        config: ModelConfig,
        checkpoint: &Checkpoint,
        keep: Keep,
        arithmetic: Arithmetic,
        plan: &Plan,
    ) -> Result<Self, Error> {
        Self::of(config, &Weights::new(checkpoint, keep, arithmetic).training(plan))
    }

    /// Builds the model from a checkpoint's weights.
    ///
    /// # Errors
    /// As [`XComposer::load_for`].
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
            parameters: weights.parameters()?,
            device: weights.device().clone(),
            config,
        })
    }

    /// What the model is.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What is trained, in the order of loading: the same for every model of the same plan.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The output layer.
    pub(crate) fn output(&self) -> &Linear {
        &self.output
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

    /// Looks at pictures, recorded under training: each one's rows, and how many views all have.
    pub(crate) fn features(
        &self,
        pictures: &[&Pixels],
        training: Option<&Training>,
        observe: &mut Observer,
    ) -> Result<(Vec<Feature>, usize), Error> {
        self.eye.as_ref().ok_or(Error::NoTower)?.features(pictures, training, observe)
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
        let _form = self.device.enter();
        let feature = |rows: &Tensor| {
            let all = Value::plain(rows.clone());
            Ok(Feature { rows: 0..rows.dim(0)?, all, labels: Vec::new() })
        };
        let features = features.iter().map(feature).collect::<Result<Vec<_>, Error>>()?;
        let Laid { rows, images, .. } = self.lay_out(&[(prompt, &features)], false)?;
        let embeddings = rows.into_tensor();
        report(observe, Stage::Splice, &embeddings)?;
        Ok(Spliced { embeddings, images })
    }

    /// Lays prompts with their pictures' rows behind one another, recorded or not.
    pub(crate) fn lay_out(
        &self,
        prompts: &[(&Prompt, &[Feature])],
        recorded: bool,
    ) -> Result<Laid, Error> {
        splice(prompts, &self.words, recorded)
    }

    /// Text rows alone: (ids, hidden). Every word that is generated comes back this way.
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor, Error> {
        let _form = self.device.enter();
        Ok(self.words.forward(ids, false)?.into_tensor())
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
        let _form = self.device.enter();
        let x = Value::plain(embeddings.clone());
        let read = self.decoder.forward(&x, images.clone(), batch, outputs, None, observe)?;
        Ok(read.into_tensor())
    }

    /// Reads sequences of so many rows without a past, recorded under training.
    pub(crate) fn read(
        &self,
        rows: Value,
        images: ImageRows,
        lengths: &[usize],
        outputs: Outputs,
        training: Option<&Training>,
    ) -> Result<Value, Error> {
        let mut batch: Vec<Sequence> =
            lengths.iter().map(|&rows| Sequence { rows, cache: None }).collect();
        self.decoder.forward(&rows, images, &mut batch, outputs, training, &mut unobserved)
    }

    /// Scores of the next word after each row: (rows, hidden) → (rows, vocabulary).
    ///
    /// # Errors
    /// When the rows are not of the model's width.
    pub fn logits(&self, rows: &Tensor, observe: &mut Observer) -> Result<Tensor, Error> {
        let _form = self.device.enter();
        let rows = Value::plain(rows.clone());
        let logits = self.output.forward(&rows, &Acting::default())?.into_tensor();
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
                weights.small(tensors::SUB_GN, &[1, 1, 1, 4 * config.width])?,
                weights.small(tensors::GLB_GN, &[1, 1, 4 * config.width])?,
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
            device: weights.device().clone(),
        })
    }

    /// (3, h, w) pixels of one prepared picture → (tokens, hidden).
    ///
    /// # Errors
    /// When the pixels are not of the geometry.
    pub fn forward(&self, pixels: &Pixels, observe: &mut Observer) -> Result<Tensor, Error> {
        let (mut features, _) = self.features(&[pixels], None, observe)?;
        Ok(features.swap_remove(0).all.into_tensor())
    }

    /// Each picture's rows, recorded under training, and how many views all have.
    fn features(
        &self,
        pictures: &[&Pixels],
        training: Option<&Training>,
        observe: &mut Observer,
    ) -> Result<(Vec<Feature>, usize), Error> {
        let _form = self.device.enter();
        let Some(separators) = &self.separators else {
            return self.squares(pictures, training, observe);
        };
        let Geometry::Tiles { tile, .. } = self.geometry else { unreachable!("it has separators") };
        let mut views = 0;
        let mut features = Vec::with_capacity(pictures.len());
        for pixels in pictures {
            let cut = tiles::cut(&picture(pixels, &candle_core::Device::Cpu)?, tile as usize)?;
            let first = views + training.map_or(0, |training| training.done.views);
            let seen = self.tower.forward(&cut.pixels, training, first, observe)?;
            let seen = seen.given_in(training.is_some());
            let (newline, separator) = (separators.0.value(&seen), separators.1.value(&seen));
            let merged = compose([&seen, &newline, &separator], |[seen, newline, separator]| {
                tiles::merge(&seen, cut.rows, cut.columns, &newline, &separator)
            })?;
            report(observe, Stage::TilesMerged, merged.tensor())?; // (tokens, 4 C)
            // No view has more rows here than in the tower.
            let all = self.project(&merged, training, first * self.tower.rows(), observe)?;
            features.push(Feature { rows: 0..all.tensor().dim(0)?, all, labels: Vec::new() });
            views += 1 + cut.rows * cut.columns;
        }
        Ok((features, views))
    }

    /// As [`Eye::features`], of pictures that are one view each: all go through together.
    fn squares(
        &self,
        pictures: &[&Pixels],
        training: Option<&Training>,
        observe: &mut Observer,
    ) -> Result<(Vec<Feature>, usize), Error> {
        let there = self.device.tensors();
        let pixels = pictures.iter().map(|pixels| picture(pixels, there));
        let pixels = pixels.collect::<Result<Vec<_>, _>>()?;
        let first = training.map_or(0, |training| training.done.views);
        let seen = self.tower.forward(&Tensor::stack(&pixels, 0)?, training, first, observe)?;
        let (views, patches, width) = seen.tensor().dims3()?; // (views, grid², C)
        let rows = seen.given_in(training.is_some()).reshape(&[views * patches, width])?;
        let all = self.project(&rows, training, first * patches, observe)?;
        let feature = |view: usize| {
            let rows = view * patches..(view + 1) * patches;
            Feature { all: all.clone(), rows, labels: Vec::new() }
        };
        Ok(((0..views).map(feature).collect(), views))
    }

    /// (rows, C or 4 C) → (rows, hidden); the first row's place among the step's decides where noise strikes.
    fn project(
        &self,
        rows: &Value,
        training: Option<&Training>,
        first_row: usize,
        observe: &mut Observer,
    ) -> Result<Value, Error> {
        let acting = match training {
            Some(training) => training.acting(ImageRows::default(), first_row),
            None => Acting::default(),
        };
        let inner = gelu(self.projector[0].forward(rows, &acting)?)?; // (rows, hidden)
        let seen = self.projector[1].forward(&inner, &acting)?;
        report(observe, Stage::Projector, seen.tensor())?;
        Ok(seen)
    }
}

/// (3, h, w)
fn picture(pixels: &Pixels, device: &candle_core::Device) -> Result<Tensor, Error> {
    let shape = (3, pixels.height as usize, pixels.width as usize);
    Ok(Tensor::from_slice(&pixels.data, shape, device)?)
}
