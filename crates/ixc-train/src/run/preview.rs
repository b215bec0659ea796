//! What a run would do, without doing it: a sample with its mask, what is trained, what it takes.
//!
//! Memory and time are estimates, from shapes and the machine's measured rate; what they count is written
//! beside each. Deliberately absent: the model's weights, which are not loaded.

use ixc_model::{Group, ModelConfig, tensors, training::Extent};
use ixc_nn::measure::multiply_rate;

use super::{Start, begin, work::operations};
use crate::{
    Error, Recipe,
    data::{Description, Order, Position, Reader, Sample, describe},
    recipe::Precision,
    result::{self, Form},
    step::lanes_of,
    trainable::{Summary, summary, trainable},
};

/// What a run would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The first sample of training, as it would be learned.
    pub sample: Description,
    /// What is trained, group by group.
    pub groups: Vec<Summary>,
    /// What the result would be.
    pub form: Form,
    /// Samples that an epoch draws.
    pub samples_per_epoch: u64,
    /// Optimiser steps in all.
    pub steps: u64,
    /// Bytes of memory at the most, part by part.
    pub memory: Memory,
    /// What a step of samples such as the first ones goes through.
    pub step: Extent,
    /// Its multiplications and additions.
    pub operations_per_step: f64,
    /// Seconds for such a step, about.
    pub seconds_per_step: f64,
}

/// Bytes of memory, estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Frozen weights as they are held.
    pub frozen: u64,
    /// Trained weights: masters, gradients of each lane and two moments, float32.
    pub trained: u64,
    /// What the largest forward pass keeps for the backward pass.
    pub activations: u64,
}

impl Memory {
    /// All of it.
    pub fn total(self) -> u64 {
        self.frozen + self.trained + self.activations
    }
}

/// Samples that are looked at for lengths.
const LOOKED_AT: usize = 16;

/// Looks a run over without training.
///
/// # Errors
/// As [`super::train`] before its first step; so when no sample has anything to learn.
pub fn preview(start: &Start) -> Result<Preview, Error> {
    let Start { recipe, base, .. } = start;
    let parameters = trainable(recipe, base.config)?;
    let form = result::check(&parameters, *base)?;
    let data = begin::Data::open(start)?;
    let options = begin::options(recipe, Order::Shuffled { seed: recipe.seed }, None);
    let mut reader = Reader::new(&data.training, &data.preparation, options, Position::default())?;
    let mut samples: Vec<Sample> = Vec::new();
    while samples.len() < LOOKED_AT.min(data.training.samples_per_epoch() as usize) {
        let batch = reader.next_batch()?.expect("the stream of training data is endless");
        samples.extend(batch.samples);
    }
    let sample = describe(&samples[0], data.preparation.tokenizer())
        .map_err(|error| Error::Model(error.into()))?;
    let groups = summary(&parameters, recipe.learning_rate);
    let mean = |of: &dyn Fn(&Sample) -> usize| {
        samples.iter().map(of).sum::<usize>() as f64 / samples.len() as f64
    };
    let shape = Shape {
        rows: mean(&|sample| sample.positions),
        views: mean(&|sample| views(sample, base.config)),
        words: mean(&|sample| sample.learned),
    };
    let step = step(recipe, shape);
    let operations = operations(recipe, base.config, &groups, step, shape.rows);
    let longest = samples.iter().map(|sample| sample.positions).max().unwrap_or(0);
    // Packed passes are full, however short their samples are.
    let rows = recipe.batch_size * if recipe.packing { recipe.max_length } else { longest };
    let pass = Pass { rows, views: (rows as f64 * shape.views / shape.rows).ceil() as usize };
    let samples_per_epoch = data.training.samples_per_epoch();
    Ok(Preview {
        sample,
        form,
        samples_per_epoch,
        steps: recipe.total_steps(samples_per_epoch),
        memory: memory(recipe, base.config, &groups, pass),
        seconds_per_step: operations / (multiply_rate(recipe.precision.numbers()).all * REACHED),
        step,
        operations_per_step: operations,
        groups,
    })
}

/// A sample's extents, on average.
#[derive(Clone, Copy)]
struct Shape {
    /// Rows of the decoder.
    rows: f64,
    /// Views through the tower.
    views: f64,
    /// Words learned.
    words: f64,
}

/// Views of the tower that a sample's pictures make.
fn views(sample: &Sample, config: &ModelConfig) -> usize {
    let Some(vision) = &config.vision else { return 0 };
    sample.pixels.iter().map(|pixels| vision.geometry.views_of(pixels.grid)).sum()
}

/// The share of the machine's rate of multiplications that a step reaches, about.
const REACHED: f64 = 0.6;

/// What a step goes through, by the mean of some samples.
fn step(recipe: &Recipe, shape: Shape) -> Extent {
    let samples = match recipe.packing {
        true => (recipe.batch_size * recipe.max_length) as f64 / shape.rows,
        false => recipe.batch_size as f64,
    } * recipe.gradient_accumulation_steps as f64;
    let of = |mean: f64| (mean * samples) as usize;
    Extent { views: of(shape.views), rows: of(shape.rows), words: of(shape.words) }
}

/// The largest forward pass.
#[derive(Clone, Copy)]
struct Pass {
    /// Rows of the decoder.
    rows: usize,
    /// Views through the tower.
    views: usize,
}

/// What is kept for the largest pass.
fn memory(recipe: &Recipe, config: &ModelConfig, groups: &[Summary], pass: Pass) -> Memory {
    let trained: u64 = groups.iter().map(|summary| summary.numbers as u64).sum();
    let all = tensors::numbers(config);
    let of_base: u64 = groups
        .iter()
        .filter(|summary| summary.group != Group::Lora)
        .map(|summary| summary.numbers as u64)
        .sum();
    let size = match recipe.precision {
        Precision::F32 => 4,
        Precision::Bf16 => 2,
    };
    let language = &config.language;
    // Within a block: its input and both norms' outputs, queries, keys and values, what attention gives,
    // both inner halves of the feed-forward layer and their product.
    let inside = 6 * language.hidden + language.wqkv_outputs() + 3 * language.intermediate;
    let of_blocks = |layers: usize, width: usize, inside: usize| {
        if recipe.gradient_checkpointing { layers * width + inside } else { layers * inside }
    };
    let mut kept = pass.rows * of_blocks(language.layers, language.hidden, inside);
    // A frozen tower keeps nothing.
    let tower = groups.iter().any(|summary| summary.group == Group::Tower);
    if let Some(vision) = config.vision.as_ref().filter(|_| tower) {
        // As above; both inner rows of its feed-forward layer.
        let inside = 9 * vision.width + 2 * vision.intermediate;
        let rows = pass.views * (vision.grid() * vision.grid() + 1);
        kept += rows * of_blocks(vision.layers, vision.width, inside);
    }
    // Master and two moments, and a gradient for each lane.
    let numbers = 3 + lanes_of(config, pass.rows) as u64;
    Memory {
        frozen: (all - of_base) * size,
        trained: trained * 4 * numbers,
        activations: 4 * kept as u64,
    }
}
