//! What happens to each number of an activation alone: activations, sums, biases, in place; and the
//! activations' gradients.
//!
//! Loops over the functions of `crate::math`, compiled for the widest vectors the processor has and
//! shared among the threads in parts of fixed size; little work stays with its caller.
//! Deliberately absent: anything that looks at a whole row (see [`crate::norm`]).

use pulp::{Arch, NullaryFnOnce};

use crate::{
    math,
    pool::{Shared, run_parts},
};

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

/// The gradients of gate and up where y = silu(gate) · up and `dy` is y's: up · silu′(gate) · dy and
/// silu(gate) · dy.
///
/// # Panics
/// When the slices are not of one length.
pub fn silu_mul_backward(gate: &[f32], up: &[f32], dy: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
    let len = gate.len();
    let others = [up.len(), dy.len(), dgate.len(), dup.len()];
    assert!(others.iter().all(|&other| other == len), "one number for each");
    let dup = Shared::new(dup);
    run_parts(dgate, PART, |part, dgate| {
        let (start, len) = (part * PART, dgate.len());
        // SAFETY: each task takes the elements of its own number.
        let dup = unsafe { dup.part(start, len) };
        let [gate, up, dy] = [gate, up, dy].map(|x| &x[start..][..len]);
        Arch::new().dispatch(Gated { gate, up, dy, dgate, dup });
    });
}

/// dx = dy · the slope of [`quick_gelu`] at x.
///
/// # Panics
/// When the slices are not of one length.
pub fn quick_gelu_backward(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    slopes(x, dy, dx, math::quick_gelu_slope)
}

/// dx = dy · the slope of [`gelu`] at x.
///
/// # Panics
/// When the slices are not of one length.
pub fn gelu_backward(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    slopes(x, dy, dx, math::gelu_slope)
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

fn slopes(x: &[f32], dy: &[f32], dx: &mut [f32], slope: impl Fn(f32) -> f32 + Copy + Sync) {
    assert!(x.len() == dy.len() && x.len() == dx.len(), "one number for each");
    run_parts(dx, PART, |part, dx| {
        let (x, dy) = (&x[part * PART..][..dx.len()], &dy[part * PART..][..dx.len()]);
        dx.copy_from_slice(dy);
        Arch::new().dispatch(Pairs { x: dx, y: x, function: |dy, x| dy * slope(x) });
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

/// The loop of [`silu_mul_backward`], over slices of one length.
struct Gated<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    dy: &'a [f32],
    dgate: &'a mut [f32],
    dup: &'a mut [f32],
}

impl NullaryFnOnce for Gated<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let into = self.dgate.iter_mut().zip(self.dup);
        let from = self.gate.iter().zip(self.up).zip(self.dy);
        for ((dgate, dup), ((gate, up), dy)) in into.zip(from) {
            let (silu, slope) = math::silu_and_slope(*gate);
            *dgate = dy * up * slope;
            *dup = dy * silu;
        }
    }
}
