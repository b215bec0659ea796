//! The two normalisations of rows: by their root mean square, and by their mean and variance.
//!
//! Sums are float32 in several vectors of running sums, each short; the variance is summed around the
//! mean. A row is read twice or three times, but from the nearest cache.
//! Deliberately absent: what the weights belong to.

use pulp::{Arch, Simd, WithSimd};

use crate::{elementwise::rows_of_part, pool::run_parts};

/// Vectors of running sums: they hide the latency of adding.
const SUMS: usize = 4;

/// out = x / √(mean(x²) + eps) · weight, for each row; x and out are (rows, width), weight is (width).
///
/// # Panics
/// When `x` is not of whole rows or `out` not as long.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    by_row(x, weight.len(), out, |x, out| Arch::new().dispatch(Rms { x, weight, eps, out }));
}

/// out = (x − mean(x)) / √(var(x) + eps) · weight + bias, for each row; x and out are (rows, width),
/// weight and bias are (width).
///
/// # Panics
/// When `x` is not of whole rows, or `out` or the bias not as long as it should be.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    assert_eq!(weight.len(), bias.len(), "a weight and a bias a column");
    by_row(x, weight.len(), out, |x, out| {
        Arch::new().dispatch(Layer { x, weight, bias, eps, out })
    });
}

fn by_row(x: &[f32], width: usize, out: &mut [f32], row: impl Fn(&[f32], &mut [f32]) + Sync) {
    assert_eq!(x.len(), out.len(), "as many numbers out as in");
    if x.is_empty() {
        return;
    }
    assert!(x.len().is_multiple_of(width), "whole rows of {width}");
    let size = rows_of_part(width) * width;
    run_parts(out, size, |part, out| {
        let x = x[part * size..].chunks_exact(width);
        x.zip(out.chunks_exact_mut(width)).for_each(|(x, out)| row(x, out));
    });
}

struct Rms<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl WithSimd for Rms<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mean = squares(simd, self.x, 0.0) / self.x.len() as f32;
        let scale = 1.0 / (mean + self.eps).sqrt();
        for ((out, x), weight) in self.out.iter_mut().zip(self.x).zip(self.weight) {
            *out = x * scale * weight;
        }
    }
}

struct Layer<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl WithSimd for Layer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.x.len() as f32;
        let mean = total(simd, self.x) / width;
        let variance = squares(simd, self.x, mean) / width;
        let scale = 1.0 / (variance + self.eps).sqrt();
        let columns = self.weight.iter().zip(self.bias);
        for ((out, x), (weight, bias)) in self.out.iter_mut().zip(self.x).zip(columns) {
            *out = (x - mean) * scale * weight + bias;
        }
    }
}

/// The sum of a row.
#[inline(always)]
fn total<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (vectors, tail) = S::as_simd_f32s(x);
    let (groups, rest) = vectors.as_chunks::<SUMS>();
    let mut sums = [simd.splat_f32s(0.0); SUMS];
    for group in groups {
        for (sum, x) in sums.iter_mut().zip(group) {
            *sum = simd.add_f32s(*sum, *x);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum = simd.add_f32s(*sum, *x);
    }
    reduce(simd, sums) + tail.iter().sum::<f32>()
}

/// The sum of squared distances from `centre`.
#[inline(always)]
fn squares<S: Simd>(simd: S, x: &[f32], centre: f32) -> f32 {
    let (vectors, tail) = S::as_simd_f32s(x);
    let (groups, rest) = vectors.as_chunks::<SUMS>();
    let around = simd.splat_f32s(centre);
    let mut sums = [simd.splat_f32s(0.0); SUMS];
    for group in groups {
        for (sum, x) in sums.iter_mut().zip(group) {
            let x = simd.sub_f32s(*x, around);
            *sum = simd.mul_add_f32s(x, x, *sum);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        let x = simd.sub_f32s(*x, around);
        *sum = simd.mul_add_f32s(x, x, *sum);
    }
    reduce(simd, sums) + tail.iter().map(|x| (x - centre) * (x - centre)).sum::<f32>()
}

#[inline(always)]
fn reduce<S: Simd>(simd: S, sums: [S::f32s; SUMS]) -> f32 {
    let [a, b, c, d] = sums;
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
}
