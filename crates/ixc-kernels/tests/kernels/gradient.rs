//! Gradients against slow twins in f64, and the twins against finite differences of what they derive.
//!
//! A twin is a function of float64 numbers, so a difference of two values a small step apart gives its
//! gradient to seven digits or more; the kernel's gradient must be that of the twin.

mod attention;
mod elementwise;
mod heads;
mod loss;
mod norm;
mod product;
mod step;

use ixc_kernels::pool;

use crate::{alone, numbers};

/// As float64.
fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// The gradient of `value` at `x`, by differences around each of its numbers.
fn differences(x: &[f64], value: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-4;
    let mut at = x.to_vec();
    (0..x.len())
        .map(|i| {
            let mut moved = |by: f64| {
                at[i] = x[i] + by;
                value(&at)
            };
            // The error of a central difference falls by 16 when its step is halved: this takes it out.
            let (far, near) = (moved(STEP) - moved(-STEP), moved(STEP / 2.0) - moved(-STEP / 2.0));
            at[i] = x[i];
            (8.0 * near - far) / (6.0 * STEP)
        })
        .collect()
}

/// The largest difference between numbers, relative to the largest of the expected ones.
fn deviation(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-30, |most: f64, x| most.max(x.abs()));
    let off = found.iter().zip(expected).map(|(f, e)| (f64::from(*f) - e).abs());
    // Kept when not a number, which `max` would drop.
    off.fold(0.0, |most: f64, off| if off <= most { most } else { off }) / scale
}

#[track_caller]
fn close(found: &[f32], expected: &[f64], tolerance: f64) {
    let off = deviation(found, expected);
    assert!(off <= tolerance, "{off} relative to the largest, {tolerance} allowed");
}

/// Σ a · b.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The same whatever the number of threads, bit for bit.
fn on_any_threads<T: PartialEq>(compute: impl Fn() -> T) {
    let _turn = alone();
    let threads = pool::threads();
    let results: Vec<T> = [1, 2, 5]
        .into_iter()
        .map(|count| {
            pool::set_threads(count);
            compute()
        })
        .collect();
    pool::set_threads(threads);
    assert!(results.iter().all(|result| *result == results[0]));
}
