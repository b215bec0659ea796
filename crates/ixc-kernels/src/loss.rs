//! The loss of a language model: softmax cross-entropy, and its gradient in place of the logits.
//!
//! Rows are independent, so logits need be there for some rows at a time only; a row is read three times,
//! from the cache of the one core that has it. Rows without a target cost nothing and have no gradient.
//! Deliberately absent: the output layer, what is learned of a sequence.

use pulp::{Simd, WithSimd};

use crate::{
    cpu,
    pool::{self, Shared},
    simd::{exponents, largest, vectorize},
};

/// The sum of −log softmax(logits)\[target\] over the rows that have a target. The logits, (targets, entries),
/// become the gradient of that sum times `scale`: (softmax − target) · scale, and 0 where there is no target.
///
/// A row with a logit that is not finite has no loss: its sum and its gradient are NaN.
///
/// # Panics
/// When the logits are not a row for each target, or a target is not an entry.
pub fn cross_entropy(logits: &mut [f32], targets: &[Option<u32>], scale: f32) -> f64 {
    let Some(entries) = logits.len().checked_div(targets.len()) else {
        assert!(logits.is_empty(), "a row for each target");
        return 0.0;
    };
    assert_eq!(logits.len(), entries * targets.len(), "a row for each target");
    let known = |target: &u32| (*target as usize) < entries;
    assert!(targets.iter().flatten().all(known), "targets below {entries}");
    let path = cpu::path();
    let mut losses = vec![0f64; targets.len()];
    let (rows, shared) = (Shared::new(logits), Shared::new(&mut losses));
    pool::run(targets.len(), &|row| {
        // SAFETY: each task takes its own row and its loss.
        let (logits, loss) = unsafe { (rows.part(row * entries, entries), shared.part(row, 1)) };
        match targets[row] {
            Some(target) => {
                loss[0] = vectorize(path, Row { logits, target: target as usize, scale });
            }
            None => logits.fill(0.0),
        }
    });
    losses.iter().sum()
}

struct Row<'a> {
    logits: &'a mut [f32],
    target: usize,
    scale: f32,
}

impl WithSimd for Row<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { logits, target, scale } = self;
        // The exponentials below would hide it.
        let finite = logits.iter().fold(true, |finite, x| finite & (x.abs() <= f32::MAX));
        if !finite {
            logits.fill(f32::NAN);
            return f64::NAN;
        }
        let most = largest(simd, logits);
        let wanted = logits[target];
        let sum = exponents(simd, logits, most);
        let share = scale / sum;
        logits.iter_mut().for_each(|x| *x *= share);
        logits[target] -= scale;
        f64::from(sum).ln() + f64::from(most) - f64::from(wanted)
    }
}
