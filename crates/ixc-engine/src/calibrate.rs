//! Calibration: how much each input of each linear layer matters, found by reading a set of samples.
//!
//! corpus → sequences → the forward pass of an answer, every position of it → sums of squares where layers
//! multiply ([`ixc_nn::inputs`]) → [`Importance`]. The samples are taken in a fixed order that mixes their
//! files, so that a set that is cut short still has of everything. Weights are paged out again behind each
//! block: what is held is a block's, not the checkpoint's. Deliberately absent: quantising (`ixc-model`).

use std::ops::ControlFlow;

use candle_core::Tensor;
use ixc_model::{
    Stage,
    importance::Importance,
    splice::Spliced,
    stage::Observer,
    tensors::{OUTPUT, TOWER},
};
use ixc_nn::{inputs::Inputs, weights::Checkpoint};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    Engine, Error,
    corpus::{Corpus, Sample},
    whole::{Sequence, together},
};

/// Decides the samples' order.
const SEED: u64 = 0;

/// How far a calibration is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calibrated {
    /// Samples of which something was read.
    pub samples: usize,
    /// Positions read.
    pub positions: usize,
    /// How many of them are image rows.
    pub image_positions: usize,
}

/// Reads up to `most` positions of a corpus. `engine` was loaded from this `checkpoint` with these `inputs`;
/// `progress` hears of what is read between any two stages, and says whether to go on.
///
/// # Errors
/// When a sample cannot be read or is longer than the context or `most`, a layer is fed what is no number, or
/// `progress` breaks off.
pub fn calibrate(
    engine: &Engine,
    checkpoint: &Checkpoint,
    inputs: &Inputs,
    corpus: &Corpus,
    most: usize,
    progress: &mut dyn FnMut(Calibrated) -> ControlFlow<()>,
) -> Result<(Importance, Calibrated), Error> {
    let mut done = Calibrated::default();
    let mut batch = Batch { engine, inputs, sequences: Vec::new(), rows: 0 };
    'set: for sample in mixed(&corpus.samples) {
        for (piece, sequence) in engine.sequences(sample)?.into_iter().enumerate() {
            let positions = sequence.positions;
            if done.positions + positions > most {
                if done.positions == 0 {
                    let place = sample.place.clone();
                    let problem = format!(
                        "it takes {positions} positions, and at most {most} were to be read of the whole set"
                    );
                    return Err(Error::Sample { place, problem });
                }
                break 'set;
            }
            let mut observe = |stage: Stage, _: &Tensor| {
                release(checkpoint, stage);
                progress(done)
            };
            batch.add(&sequence, &mut observe)?;
            done.samples += usize::from(piece == 0);
            done.positions += positions;
            done.image_positions += batch.sequences.last().map_or(0, |last| last.images.count());
        }
    }
    batch.read(&mut |stage, _| {
        release(checkpoint, stage);
        progress(done)
    })?;
    let importance = Importance::of(inputs, done.positions as u64, done.image_positions as u64)?;
    Ok((importance, done))
}

/// Sequences that are read together.
struct Batch<'a> {
    engine: &'a Engine,
    inputs: &'a Inputs,
    sequences: Vec<Spliced>,
    rows: usize,
}

impl Batch<'_> {
    /// Adds one; reads those before it where it does not fit with them.
    fn add(&mut self, sequence: &Sequence, observe: &mut Observer) -> Result<(), Error> {
        if !together(self.rows, sequence.positions) {
            self.read(observe)?;
        }
        self.sequences.push(sequence.splice(self.engine, observe)?);
        self.rows += sequence.positions;
        Ok(())
    }

    /// Reads all that there are.
    fn read(&mut self, observe: &mut Observer) -> Result<(), Error> {
        self.rows = 0;
        let sequences = std::mem::take(&mut self.sequences);
        if sequences.is_empty() {
            return Ok(());
        }
        for hidden in self.engine.hidden(&sequences, observe)? {
            // The output layer would multiply these rows; its products are of no use here.
            self.inputs.add(OUTPUT, &hidden)?;
        }
        Ok(())
    }
}

/// The samples in an order that depends on their number alone.
fn mixed(samples: &[Sample]) -> Vec<&Sample> {
    let mut mixed: Vec<&Sample> = samples.iter().collect();
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    for last in (1..mixed.len()).rev() {
        mixed.swap(last, (random.next_u64() % (last as u64 + 1)) as usize);
    }
    mixed
}

/// Lets the system drop the weights that a stage was the last to read in this pass.
fn release(checkpoint: &Checkpoint, stage: Stage) {
    let place = match stage {
        Stage::DecoderLayer(layer) => format!("model.layers.{layer}."),
        Stage::TowerOutput => format!("{TOWER}."),
        _ => return,
    };
    for name in checkpoint.names().filter(|name| name.starts_with(&place)) {
        checkpoint.release(name);
    }
}
