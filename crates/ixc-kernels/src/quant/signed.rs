//! Packing with scales alone: Q4_0, Q6K, Q8_0.
//!
//! A search tries several places for the number of largest magnitude on the grid of whole numbers, fits the
//! scale to the rounded numbers by weighted least squares, and keeps the best. Q6K then rounds 16 scales to
//! 8 bits against one f16, which is fitted once more. Q8_0 needs no search: at 8 bits it gains nothing worth
//! its time.

use half::f16;
use pulp::Simd;

use super::lanes::{LANES, Lanes, Row, extreme, inverse, load, load_weights, rounded, whole};

/// Where the search puts the number of largest magnitude, over the grid's own end: above 1 that number is
/// cut and the rest gains.
const ENDS: [f32; 13] = [0.8, 0.85, 0.9, 0.93, 0.96, 0.98, 1.0, 1.02, 1.04, 1.08, 1.12, 1.18, 1.25];

/// Runs of `N` inputs, each to have a scale of its own.
struct Runs<const N: usize> {
    x: [Row; N],
    weights: [Row; N],
    /// The grid's least and greatest number.
    low: f32,
    high: f32,
}

impl<const N: usize> Runs<N> {
    #[inline(always)]
    fn new(x: &[f32], weights: &[f32], low: f32, high: f32) -> Self {
        Self { x: load(x), weights: load_weights(weights), low, high }
    }

    /// Σ w q x and Σ w q² of the numbers on a grid.
    #[inline(always)]
    fn moments<S: Simd>(&self, vector: usize, by: Lanes<S>, simd: S) -> (Lanes<S>, Lanes<S>) {
        let zero = Lanes::all(simd, 0.0);
        let (mut cross, mut square) = (zero, zero);
        for (x, weight) in self.x.iter().zip(&self.weights) {
            let x = Lanes::load(simd, x, vector);
            let q = (x * by).whole(self.low, self.high);
            let weighted = Lanes::load(simd, weight, vector) * q;
            cross = cross + weighted * x;
            square = square + weighted * q;
        }
        (cross, square)
    }

    /// The best scales without regard to how they will be stored.
    #[inline(always)]
    fn search<S: Simd>(&self, simd: S) -> Row {
        let mut scales = [0.0; LANES];
        let zero = Lanes::all(simd, 0.0);
        for vector in 0..Lanes::<S>::VECTORS {
            let (mut low, mut high) = (zero, zero);
            for x in &self.x {
                let x = Lanes::load(simd, x, vector);
                (low, high) = (low.min(x), high.max(x));
            }
            // The number of largest magnitude becomes the least, where the grid reaches farthest.
            let by = high.less(zero - low, low, high).inverse() * Lanes::all(simd, self.low);
            let (mut best, mut most) = (zero, zero);
            for end in ENDS {
                let (cross, square) = self.moments(vector, by * Lanes::all(simd, end), simd);
                let scale = cross.over(square);
                let (cross, square) = self.moments(vector, scale.inverse(), simd);
                // The best scale for these q takes cross² / square off the error.
                let gain = (cross * cross).over(square);
                best = most.less(gain, cross.over(square), best);
                most = most.max(gain);
            }
            best.store(&mut scales, vector);
        }
        scales
    }
}

/// Up to sixteen blocks; see [`super::Quant::Q4_0`].
#[inline(always)]
pub(super) fn q4_0<S: Simd>(simd: S, x: &[f32], weights: &[f32], out: &mut [u8]) {
    let scales = Runs::<32>::new(x, weights, -8.0, 7.0).search(simd);
    let blocks = x.as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<18>().0);
    for ((x, out), scale) in blocks.zip(scales) {
        let scale = f16::from_f32(rounded(scale));
        out[..2].copy_from_slice(&scale.to_le_bytes());
        let by = inverse(scale.to_f32());
        let (low, high) = x.split_at(16);
        for ((out, &low), &high) in out[2..].iter_mut().zip(low).zip(high) {
            let [low, high] = [low, high].map(|x| (whole(x * by, -8.0, 7.0) as i32 + 8) as u8);
            *out = low | high << 4;
        }
    }
}

/// One block; see [`super::Quant::Q6K`].
#[inline(always)]
pub(super) fn q6_k<S: Simd>(simd: S, x: &[f32], weights: &[f32], out: &mut [u8]) {
    let runs = Runs::<16>::new(x, weights, -32.0, 31.0);
    let ideal = runs.search(simd);
    let mut d = rounded(extreme(&ideal) / -128.0);
    let mut scales = near(&ideal, d);
    let (mut cross, mut square) = (0.0, 0.0);
    for vector in 0..Lanes::<S>::VECTORS {
        let scale = Lanes::load(simd, &scales, vector);
        let by = (scale * Lanes::all(simd, d)).inverse();
        let (run_cross, run_square) = runs.moments(vector, by, simd);
        let mut products = [[0.0; LANES]; 2];
        (scale * run_cross).store(&mut products[0], vector);
        (scale * scale * run_square).store(&mut products[1], vector);
        cross += products[0].iter().sum::<f32>();
        square += products[1].iter().sum::<f32>();
    }
    if square > 0.0 {
        d = rounded(cross / square);
        scales = near(&ideal, d);
    }
    pack_six(x, d, &scales, out);
}

/// The scales in steps of `d`.
#[inline(always)]
fn near(ideal: &Row, d: f32) -> Row {
    let by = inverse(d);
    let mut scales = *ideal;
    for scale in &mut scales {
        *scale = whole(*scale * by, -128.0, 127.0);
    }
    scales
}

/// Writes a block of Q6K.
#[inline(always)]
fn pack_six(x: &[f32], d: f32, scales: &Row, out: &mut [u8]) {
    let (low_bits, rest) = out.split_at_mut(128);
    let (high_bits, rest) = rest.split_at_mut(64);
    low_bits.fill(0);
    high_bits.fill(0);
    rest[16..].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    for (part, (x, &scale)) in x.as_chunks::<16>().0.iter().zip(scales).enumerate() {
        rest[part] = scale as i8 as u8;
        let by = inverse(d * scale);
        // 128 inputs are four runs of 32, each of two parts.
        let (half, run, lane) = (part / 8, part % 8 / 2, part % 2 * 16);
        let low_bits = &mut low_bits[64 * half + 32 * (run % 2) + lane..][..16];
        let high_bits = &mut high_bits[32 * half + lane..][..16];
        for ((low, high), &x) in low_bits.iter_mut().zip(high_bits).zip(x) {
            let bits = (whole(x * by, -32.0, 31.0) as i32 + 32) as u8;
            *low |= (bits & 15) << (4 * (run / 2));
            *high |= bits >> 4 << (2 * run);
        }
    }
}

/// One block; see [`super::Quant::Q8_0`].
#[inline(always)]
pub(super) fn q8_0<S: Simd>(_: S, x: &[f32], _: &[f32], out: &mut [u8]) {
    let scale = f16::from_f32(extreme(x).abs() / 127.0);
    out[..2].copy_from_slice(&scale.to_le_bytes());
    let by = inverse(scale.to_f32());
    for (out, &x) in out[2..].iter_mut().zip(x) {
        *out = whole(x * by, -127.0, 127.0) as i8 as u8;
    }
}
