//! The two normalisations of rows: by their root mean square, and by their mean and variance.
//!
//! Sums are float32 in several vectors of running sums, each short; the variance is summed around the
//! mean. A row is read twice or three times, but from the nearest cache. The gradients compute a row's
//! statistics again: nothing but the rows themselves need be kept.
//! Deliberately absent: what the weights belong to.

use pulp::{Arch, Simd, WithSimd};

use crate::{
    elementwise::{self, rows_of_part},
    pool::{Shared, run_parts},
    reduce::by_parts,
};

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

/// The gradients of [`rms_norm`] where `dy` is its result's, all (rows, width): writes x's to `dx` and adds
/// the weight's to `dweight`, (width), where that is trained.
///
/// # Panics
/// When the rows are not of one shape, or `dweight` is not as long as the weight.
pub fn rms_norm_backward(
    x: &[f32],
    weight: &[f32],
    eps: f32,
    dy: &[f32],
    dx: &mut [f32],
    dweight: Option<&mut [f32]>,
) {
    let width = weight.len();
    let dweight = dweight.unwrap_or_default();
    assert!(dweight.is_empty() || dweight.len() == width, "a gradient for each weight");
    by_row_backward([x, dy], width, dx, dweight, |[x, dy], dx, dweight| {
        Arch::new().dispatch(RmsBackward { x, weight, eps, dy, dx, dweight });
    });
}

/// The gradients of [`layer_norm`] where `dy` is its result's, all (rows, width): writes x's to `dx` and adds
/// the weight's and the bias's, (width) each, to theirs, where those are trained.
///
/// # Panics
/// When the rows are not of one shape, or a gradient is not as long as the weight.
pub fn layer_norm_backward(
    x: &[f32],
    weight: &[f32],
    eps: f32,
    dy: &[f32],
    dx: &mut [f32],
    trained: Option<(&mut [f32], &mut [f32])>,
) {
    let width = weight.len();
    let mut sums = vec![0f32; if trained.is_some() { 2 * width } else { 0 }];
    by_row_backward([x, dy], width, dx, &mut sums, |[x, dy], dx, sums| {
        Arch::new().dispatch(LayerBackward { x, weight, eps, dy, dx, sums });
    });
    if let Some((dweight, dbias)) = trained {
        let (of_weight, of_bias) = sums.split_at(width);
        elementwise::add(dweight, of_weight);
        elementwise::add(dbias, of_bias);
    }
}

/// Calls `row` with each row of the two, the row of `dx` it writes, and its part's share of `sums`.
fn by_row_backward(
    [x, dy]: [&[f32]; 2],
    width: usize,
    dx: &mut [f32],
    sums: &mut [f32],
    row: impl Fn([&[f32]; 2], &mut [f32], &mut [f32]) + Sync,
) {
    assert!(x.len() == dy.len() && x.len() == dx.len(), "as many numbers out as in");
    if x.is_empty() {
        return;
    }
    assert!(x.len().is_multiple_of(width), "whole rows of {width}");
    let dx = Shared::new(dx);
    by_parts(x.len() / width, width, sums, |rows, sums| {
        for start in rows.map(|row| row * width) {
            // SAFETY: each task takes its own rows.
            let dx = unsafe { dx.part(start, width) };
            row([x, dy].map(|rows| &rows[start..][..width]), dx, sums);
        }
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

struct RmsBackward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    dy: &'a [f32],
    dx: &'a mut [f32],
    /// Empty where the weight is frozen.
    dweight: &'a mut [f32],
}

impl WithSimd for RmsBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, weight, eps, dy, dx, dweight } = self;
        let width = x.len() as f32;
        let scale = 1.0 / (squares(simd, x, 0.0) / width + eps).sqrt();
        let (_, along) = weighted(simd, dy, weight, x, 0.0);
        // How much of x is in the gradient: the norm takes it out, as x's length does not count.
        let shrink = along * scale / width * scale;
        for (((dx, x), dy), weight) in dx.iter_mut().zip(x).zip(dy).zip(weight) {
            *dx = (dy * weight - x * shrink) * scale;
        }
        for ((dweight, x), dy) in dweight.iter_mut().zip(x).zip(dy) {
            *dweight += dy * (x * scale);
        }
    }
}

struct LayerBackward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    dy: &'a [f32],
    dx: &'a mut [f32],
    /// The weight's gradient and the bias's; empty where they are frozen.
    sums: &'a mut [f32],
}

impl WithSimd for LayerBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, weight, eps, dy, dx, sums } = self;
        let width = x.len() as f32;
        let mean = total(simd, x) / width;
        let scale = 1.0 / (squares(simd, x, mean) / width + eps).sqrt();
        let (sum, along) = weighted(simd, dy, weight, x, mean);
        // Moving x as a whole or stretching it changes nothing: both are taken out of the gradient.
        let (shift, shrink) = (sum / width, along * scale / width * scale);
        for (((dx, x), dy), weight) in dx.iter_mut().zip(x).zip(dy).zip(weight) {
            *dx = (dy * weight - shift - (x - mean) * shrink) * scale;
        }
        let (dweight, dbias) = sums.split_at_mut(sums.len() / 2);
        for (((dweight, dbias), x), dy) in dweight.iter_mut().zip(dbias).zip(x).zip(dy) {
            *dweight += dy * ((x - mean) * scale);
            *dbias += dy;
        }
    }
}

/// Σ dy · weight and Σ dy · weight · (x − centre).
#[inline(always)]
fn weighted<S: Simd>(simd: S, dy: &[f32], weight: &[f32], x: &[f32], centre: f32) -> (f32, f32) {
    let ((dys, dy), (weights, weight), (xs, x)) =
        (S::as_simd_f32s(dy), S::as_simd_f32s(weight), S::as_simd_f32s(x));
    let around = simd.splat_f32s(centre);
    let (mut sums, mut along) = ([simd.splat_f32s(0.0); SUMS], [simd.splat_f32s(0.0); SUMS]);
    let groups = dys.chunks(SUMS).zip(weights.chunks(SUMS)).zip(xs.chunks(SUMS));
    for ((dys, weights), xs) in groups {
        let numbers = dys.iter().zip(weights).zip(xs);
        for ((sum, along), ((dy, weight), x)) in sums.iter_mut().zip(&mut along).zip(numbers) {
            let slope = simd.mul_f32s(*dy, *weight);
            *sum = simd.add_f32s(*sum, slope);
            *along = simd.mul_add_f32s(slope, simd.sub_f32s(*x, around), *along);
        }
    }
    let (mut sum, mut product) = (reduce(simd, sums), reduce(simd, along));
    for ((dy, weight), x) in dy.iter().zip(weight).zip(x) {
        sum += dy * weight;
        product += dy * weight * (x - centre);
    }
    (sum, product)
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
