//! One step of training: passes over its samples, the gradient's length, AdamW.
//!
//! However a step's samples are cut into passes, the loss is the mean over all words that it learns, and the
//! gradient is that mean's. A small model's passes are dealt to lanes ([`ixc_nn::lanes`]), by the samples' lengths
//! alone, so that it does not matter how many threads there are. A step that learns nothing, or whose gradient is not finite, changes nothing.
//! Deliberately absent: which samples, the schedule of rates, files.

use std::sync::OnceLock;

use ixc_model::{
    Error, ModelConfig, Parameter, XComposer, tensors,
    training::{Extent, Sample, Training},
};
use ixc_nn::{
    adamw::AdamW,
    lanes,
    moments::{Moments, squared_length},
};

/// Rows of the decoder that make a lane worth a gradient of its own.
const LANE_ROWS: usize = 1024;

/// Lanes at most.
const LANES_MAX: usize = 16;

/// Numbers of a model whose kernels are too short to be shared, and whose gradients are small enough to be kept for
/// each lane.
const SMALL: u64 = 1 << 25;

/// The optimiser's constants, the same for all parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How much of the mean of gradients, and of that of their squares, stays from step to step.
    pub betas: (f64, f64),
    /// Added to the root of the mean of squares.
    pub eps: f64,
    /// The length that a gradient is shortened to, if it is longer; infinite: never.
    pub norm_max: f64,
}

/// A parameter's own pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Its rate, as a multiple of the step's.
    pub rate: f64,
    /// Decoupled weight decay.
    pub decay: f64,
}

/// A parameter with all that the optimiser knows of it.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The parameter.
    pub parameter: Parameter,
    /// Its pace.
    pub pace: Pace,
    /// The running means of its gradients and of their squares.
    pub moments: Moments,
}

/// AdamW over a model's parameters.
#[derive(Clone, Debug)]
pub struct Optimiser {
    options: Options,
    slots: Vec<Slot>,
    /// Steps taken.
    steps: u64,
}

/// What a step is told.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The learning rate.
    pub rate: f64,
    /// The run's seed, for what adapters leave out; none: nothing is.
    pub seed: Option<u64>,
    /// Whether blocks are kept as their inputs alone and computed again.
    pub checkpointing: bool,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The mean of −log p over the words learned.
    pub loss: f64,
    /// The gradient's length before it was shortened.
    pub norm: f64,
    /// What the step went through.
    pub extent: Extent,
    /// Whether parameters were changed.
    pub updated: bool,
}

impl Optimiser {
    /// An optimiser that has taken no step.
    ///
    /// # Errors
    /// None on the CPU; when a device has no room for its state.
    pub fn new(
        parameters: &[Parameter],
        options: Options,
        pace: impl Fn(&Parameter) -> Pace,
    ) -> Result<Self, Error> {
        let slot = |parameter: &Parameter| -> Result<Slot, Error> {
            let moments = Moments::zeros(&parameter.weight)?;
            Ok(Slot { parameter: parameter.clone(), pace: pace(parameter), moments })
        };
        let slots = parameters.iter().map(slot).collect::<Result<_, _>>()?;
        Ok(Self { options, slots, steps: 0 })
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The parameters and what is known of them, in the model's order.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The same, to go on from what was saved: behind so many steps.
    pub fn restore(&mut self, steps: u64) -> &mut [Slot] {
        self.steps = steps;
        &mut self.slots
    }

    /// Changes the parameters by their gradients, which are forgotten. Returns the gradient's length, and
    /// whether it was finite; if not, nothing is changed.
    ///
    /// # Errors
    /// None on the CPU.
    pub fn step(&mut self, rate: f64) -> Result<(f64, bool), Error> {
        let weights = self.slots.iter().map(|slot| &slot.parameter.weight);
        let norm = squared_length(weights)?.sqrt();
        if !norm.is_finite() {
            self.forget();
            return Ok((norm, false));
        }
        // As PyTorch's clip_grad_norm_.
        let scale = (self.options.norm_max / (norm + 1e-6)).min(1.0) as f32;
        self.steps += 1;
        let Options { betas, eps, .. } = self.options;
        for Slot { parameter, pace, moments } in &mut self.slots {
            let adamw = AdamW { rate: rate * pace.rate, betas, eps, decay: pace.decay };
            moments.step(&parameter.weight, &adamw, self.steps, scale)?;
        }
        Ok((norm, true))
    }

    fn forget(&self) {
        self.slots.iter().for_each(|slot| slot.parameter.weight.forget_gradient());
    }
}

/// Takes a step over some passes, each of some samples that are read together.
///
/// # Errors
/// When a prompt and its pictures do not fit each other or the model; parameters are as before then.
pub fn step(
    model: &XComposer,
    optimiser: &mut Optimiser,
    passes: &[&[Sample]],
    step: Step,
) -> Result<Outcome, Error> {
    let (loss, extent) = gradients(model, passes, step, optimiser.steps() as u32)
        .inspect_err(|_| optimiser.forget())?;
    if extent.words == 0 {
        optimiser.forget();
        return Ok(Outcome { loss: 0.0, norm: 0.0, extent, updated: false });
    }
    let (norm, updated) = optimiser.step(step.rate)?;
    model.device().wait()?; // so that a clock behind the step has all of it
    Ok(Outcome { loss, norm, extent, updated })
}

/// Adds the gradients of the mean loss over the passes to the model's trained weights; returns that loss.
///
/// # Errors
/// As [`step`].
pub fn gradients(
    model: &XComposer,
    passes: &[&[Sample]],
    step: Step,
    number: u32,
) -> Result<(f64, Extent), Error> {
    let words: usize = passes.iter().flat_map(|pass| pass.iter()).map(Sample::words).sum();
    let scale = 1.0 / words.max(1) as f32;
    let mut training = Training {
        noise: step.seed.map(|seed| (seed, number)),
        checkpointing: step.checkpointing,
        done: Extent::default(),
    };
    let mut sum = 0.0;
    for samples in passes {
        let mut parts = Vec::new();
        for (samples, extent) in deal(model, samples)? {
            parts.push((samples, training, OnceLock::new()));
            training.done += extent;
        }
        lanes::run(parts.len(), &|lane| {
            let (samples, training, loss) = &parts[lane];
            let found = model.loss(samples, Some((training, scale)));
            loss.set(found).expect("each lane runs once");
        });
        for (_, _, loss) in parts {
            sum += loss.into_inner().expect("all lanes have ended")?.sum;
        }
    }
    model.parameters().iter().try_for_each(|parameter| parameter.weight.gather())?;
    Ok((sum / words.max(1) as f64, training.done))
}

/// Lanes of a pass of so many rows on the CPU.
pub(crate) fn lanes_of(config: &ModelConfig, rows: usize) -> usize {
    let small = tensors::numbers(config) <= SMALL;
    if small { (rows / LANE_ROWS).clamp(1, LANES_MAX) } else { 1 }
}

/// Deals a pass's samples to lanes, about as many rows to each, with what each goes through. A large model, and one on
/// a device, has a single lane: its kernels are long enough to be shared among the threads.
fn deal<'a>(
    model: &XComposer,
    samples: &[Sample<'a>],
) -> Result<Vec<(Vec<Sample<'a>>, Extent)>, Error> {
    let vision = model.config().vision.as_ref();
    let extents =
        samples.iter().map(|sample| sample.extent(vision)).collect::<Result<Vec<_>, _>>()?;
    let rows: usize = extents.iter().map(|extent| extent.rows).sum();
    let on_cpu = model.device().has_kernels();
    let lanes = if on_cpu { lanes_of(model.config(), rows).min(samples.len().max(1)) } else { 1 };
    let mut dealt = vec![(Vec::new(), Extent::default()); lanes];
    let mut order: Vec<usize> = (0..samples.len()).collect();
    if lanes > 1 {
        order.sort_by_key(|&index| std::cmp::Reverse(extents[index].rows));
    }
    for index in order {
        let lightest = dealt.iter_mut().min_by_key(|(_, extent)| extent.rows);
        let (lane, extent) = lightest.expect("one at least");
        lane.push(samples[index]);
        *extent += extents[index];
    }
    Ok(dealt)
}

/// The mean loss over some samples, with nothing left out and nothing learned.
///
/// # Errors
/// As [`step`].
pub fn evaluate(model: &XComposer, samples: &[Sample]) -> Result<(f64, usize), Error> {
    let loss = model.loss(samples, None)?;
    Ok((loss.sum / loss.extent.words.max(1) as f64, loss.extent.words))
}
