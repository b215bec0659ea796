//! What happens to each number of an activation alone, in place: activations, sums, biases.
//!
//! Loops over the functions of `crate::math`, compiled for the widest vectors the processor has and
//! shared among the threads in parts of fixed size; little work stays with its caller.
//! Deliberately absent: anything that looks at a whole row (see [`crate::norm`]).

use pulp::{Arch, NullaryFnOnce};

use crate::{math, pool::run_parts};

/// Numbers in one task: enough to hide its dispatch.
pub(crate) const PART: usize = 1 << 15;

/// gate = silu(gate) · up, where silu(x) = x / (1 + e^−x).
///
/// # Panics
/// When the slices are not of one length.
pub fn silu_mul(gate: &mut [f32], up: &[f32]) {
    pairs(gate, up, silu_times)
}

/// x = x · σ(1.702 x).
pub fn quick_gelu(x: &mut [f32]) {
    each(x, math::quick_gelu)
}

/// x = x · Φ(x), with the normal distribution's Φ (the error function's, not tanh's).
pub fn gelu(x: &mut [f32]) {
    each(x, math::gelu)
}

/// x = x + y.
///
/// # Panics
/// When the slices are not of one length.
pub fn add(x: &mut [f32], y: &[f32]) {
    pairs(x, y, plus)
}

/// Adds the bias, (width), to each row of x, (rows, width).
///
/// # Panics
/// When `x` is not of whole rows.
pub fn add_bias(x: &mut [f32], bias: &[f32]) {
    if x.is_empty() {
        return;
    }
    let width = bias.len();
    assert!(x.len().is_multiple_of(width), "whole rows of {width}");
    run_parts(x, rows_of_part(width) * width, |_, x| {
        for x in x.chunks_exact_mut(width) {
            Arch::new().dispatch(Pairs { x, y: bias, function: plus });
        }
    });
}

#[inline(always)]
fn silu_times(gate: f32, up: f32) -> f32 {
    math::silu(gate) * up
}

#[inline(always)]
fn plus(x: f32, y: f32) -> f32 {
    x + y
}

/// How many rows of `width` numbers make a task.
pub(crate) fn rows_of_part(width: usize) -> usize {
    (PART / width.max(1)).max(1)
}

fn each(x: &mut [f32], function: impl Fn(f32) -> f32 + Copy + Sync) {
    run_parts(x, PART, |_, x| Arch::new().dispatch(Each { x, function }));
}

fn pairs(x: &mut [f32], y: &[f32], function: impl Fn(f32, f32) -> f32 + Copy + Sync) {
    assert_eq!(x.len(), y.len(), "one number for each");
    run_parts(x, PART, |part, x| {
        let y = &y[part * PART..][..x.len()];
        Arch::new().dispatch(Pairs { x, y, function });
    });
}

/// A loop, compiled for each width of vectors: the function must be one that is always inlined.
struct Each<'a, F> {
    x: &'a mut [f32],
    function: F,
}

impl<F: Fn(f32) -> f32> NullaryFnOnce for Each<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for x in self.x {
            *x = (self.function)(*x);
        }
    }
}

/// As [`Each`], over two slices of one length.
struct Pairs<'a, F> {
    x: &'a mut [f32],
    y: &'a [f32],
    function: F,
}

impl<F: Fn(f32, f32) -> f32> NullaryFnOnce for Pairs<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (x, y) in self.x.iter_mut().zip(self.y) {
            *x = (self.function)(*x, *y);
        }
    }
}
