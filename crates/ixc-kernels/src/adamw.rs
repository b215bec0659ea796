//! The optimiser's step: AdamW on float32 masters, and the length of a gradient.
//!
//! Decoupled weight decay and bias correction with PyTorch's order of operations, so that its steps are
//! ours but for the last places. Each number is changed by its own history alone, and sums of squares are
//! taken over parts of a fixed size: results do not depend on the number of threads.
//! Deliberately absent: schedules, groups of parameters, when to clip.

use pulp::{Arch, NullaryFnOnce};

use crate::{
    elementwise::PART,
    pool::{Shared, run_parts},
};

/// The constants of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// The learning rate.
    pub rate: f64,
    /// How much of the mean of gradients, and of that of their squares, stays from step to step.
    pub betas: (f64, f64),
    /// Added to the root of the mean of squares.
    pub eps: f64,
    /// The share of a parameter that goes at each step, times the rate.
    pub decay: f64,
}

/// What AdamW knows of some parameters besides their gradient; all of one length.
#[derive(Debug)]
pub struct Parameters<'a> {
    /// The parameters.
    pub values: &'a mut [f32],
    /// The running mean of gradients; 0 before the first step.
    pub mean: &'a mut [f32],
    /// The running mean of their squares; 0 before the first step.
    pub square: &'a mut [f32],
}

impl AdamW {
    /// Takes step number `step`, counted from 1, against the gradient times `scale` (what clipping and
    /// accumulation make of it).
    ///
    /// # Panics
    /// When the slices are not of one length, or `step` is 0.
    pub fn step(&self, step: u64, parameters: Parameters, gradient: &[f32], scale: f32) {
        let Parameters { values, mean, square } = parameters;
        let len = values.len();
        assert!(mean.len() == len && square.len() == len && gradient.len() == len, "of one length");
        assert!(step > 0, "steps are counted from 1");
        let update = self.update(step, scale);
        let (mean, square) = (Shared::new(mean), Shared::new(square));
        run_parts(values, PART, |part, values| {
            let (start, len) = (part * PART, values.len());
            // SAFETY: each task takes the elements of its own number.
            let (mean, square) = unsafe { (mean.part(start, len), square.part(start, len)) };
            let gradient = &gradient[start..][..len];
            Arch::new().dispatch(Step { update, values, mean, square, gradient });
        });
    }

    fn update(&self, step: u64, scale: f32) -> Update {
        let (mean, square) = self.betas;
        let corrected = |beta: f64| 1.0 - beta.powf(step as f64);
        Update {
            scale,
            keep: (1.0 - self.rate * self.decay) as f32,
            mean: (1.0 - mean) as f32,
            square: (square as f32, (1.0 - square) as f32),
            root: corrected(square).sqrt() as f32,
            eps: self.eps as f32,
            size: (self.rate / corrected(mean)) as f32,
        }
    }
}

/// A step's numbers, as float32 meets them.
#[derive(Clone, Copy)]
struct Update {
    scale: f32,
    /// What decay leaves of a parameter.
    keep: f32,
    /// How far the mean moves to the gradient.
    mean: f32,
    /// How much stays of the mean of squares, and how much is new.
    square: (f32, f32),
    /// √(1 − β₂ᵗ)
    root: f32,
    eps: f32,
    /// rate / (1 − β₁ᵗ)
    size: f32,
}

struct Step<'a> {
    update: Update,
    values: &'a mut [f32],
    mean: &'a mut [f32],
    square: &'a mut [f32],
    gradient: &'a [f32],
}

impl NullaryFnOnce for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { update, values, mean, square, gradient } = self;
        let state = values.iter_mut().zip(mean).zip(square);
        for (((value, mean), square), gradient) in state.zip(gradient) {
            let gradient = gradient * update.scale;
            *mean += update.mean * (gradient - *mean);
            *square = *square * update.square.0 + update.square.1 * gradient * gradient;
            let spread = square.sqrt() / update.root + update.eps;
            *value = *value * update.keep - update.size * *mean / spread;
        }
    }
}

/// The sum of squares, in float64: the squared length of a gradient's part.
pub fn squares(gradient: &[f32]) -> f64 {
    let mut parts = vec![0f64; gradient.len().div_ceil(PART)];
    run_parts(&mut parts, 1, |part, sum| {
        let end = gradient.len().min((part + 1) * PART);
        sum[0] = Arch::new().dispatch(Squares(&gradient[part * PART..end]));
    });
    parts.iter().sum()
}

struct Squares<'a>(&'a [f32]);

impl NullaryFnOnce for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        // As many running sums as hide the latency of adding.
        let mut sums = [0f64; 32];
        let (chunks, rest) = self.0.as_chunks::<32>();
        for chunk in chunks {
            for (sum, x) in sums.iter_mut().zip(chunk) {
                *sum += f64::from(*x) * f64::from(*x);
            }
        }
        let rest: f64 = rest.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        sums.iter().sum::<f64>() + rest
    }
}
