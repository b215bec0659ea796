//! Packing Q4K: a scale and a minimum for 32 inputs, in two levels.
//!
//! For each 32 inputs a search tries several steps for the grid, fits scale and minimum to the rounded
//! numbers by weighted least squares, and keeps the best. Then a block's eight scales and minima are rounded
//! to 6 bits, their neighbours looked at with the numbers rounded anew, and the two f16 that all of them
//! share fitted to the whole block. Two blocks are packed at once.

use half::f16;
use pulp::Simd;

use super::lanes::{LANES, Lanes, Row, extreme, inverse, load, load_weights, rounded, whole};

/// How many steps the search puts between the least and the greatest number: beyond 15 the ends are cut.
const STEPS: [f32; 18] = [
    13.4, 13.7, 14.0, 14.2, 14.4, 14.6, 14.8, 15.0, 15.2, 15.4, 15.7, 16.0, 16.4, 16.8, 17.3, 17.8,
    18.4, 19.0,
];

/// Rounds of fitting a block as a whole.
const ROUNDS: usize = 3;

/// Parts of a block.
const PARTS: usize = 8;

/// Numbers of 0 to 15 on a grid.
#[inline(always)]
fn numbers<S: Simd>(x: Lanes<S>, min: Lanes<S>, by: Lanes<S>) -> Lanes<S> {
    ((x + min) * by).whole(0.0, 15.0)
}

/// A scale and a minimum of each part, value = scale · q − min, both at least 0; and the error, less what all
/// candidates share.
#[derive(Clone, Copy)]
struct Grid<S: Simd> {
    scale: Lanes<S>,
    min: Lanes<S>,
    error: Lanes<S>,
}

impl<S: Simd> Grid<S> {
    /// The better one for each part.
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Self {
            scale: self.error.less(other.error, self.scale, other.scale),
            min: self.error.less(other.error, self.min, other.min),
            error: self.error.min(other.error),
        }
    }
}

/// The parts of two blocks, with what all candidates share.
struct Parts {
    x: [Row; 32],
    weights: [Row; 32],
    weight: Row,
    weight_x: Row,
}

/// Σ w q, Σ w q², Σ w q x.
type Moments<S> = (Lanes<S>, Lanes<S>, Lanes<S>);

impl Parts {
    #[inline(always)]
    fn new<S: Simd>(x: &[f32], weights: &[f32], simd: S) -> Self {
        let (x, weights) = (load::<32>(x), load_weights::<32>(weights));
        let mut parts = Self { x, weights, weight: [0.0; LANES], weight_x: [0.0; LANES] };
        for vector in 0..Lanes::<S>::VECTORS {
            let (mut weight, mut weight_x) = (Lanes::all(simd, 0.0), Lanes::all(simd, 0.0));
            for (x, w) in parts.x.iter().zip(&parts.weights) {
                let w = Lanes::load(simd, w, vector);
                weight = weight + w;
                weight_x = weight_x + w * Lanes::load(simd, x, vector);
            }
            weight.store(&mut parts.weight, vector);
            weight_x.store(&mut parts.weight_x, vector);
        }
        parts
    }

    /// The sums over each part's numbers on a grid.
    #[inline(always)]
    fn moments<S: Simd>(&self, vector: usize, min: Lanes<S>, by: Lanes<S>, simd: S) -> Moments<S> {
        let zero = Lanes::all(simd, 0.0);
        let (mut one, mut two, mut cross) = (zero, zero, zero);
        for (x, weight) in self.x.iter().zip(&self.weights) {
            let x = Lanes::load(simd, x, vector);
            let q = numbers(x, min, by);
            let weighted = Lanes::load(simd, weight, vector) * q;
            one = one + weighted;
            two = two + weighted * q;
            cross = cross + weighted * x;
        }
        (one, two, cross)
    }

    /// The grid that fits the numbers on another grid best; its error is without Σ w x².
    #[inline(always)]
    fn fit<S: Simd>(&self, vector: usize, min: Lanes<S>, by: Lanes<S>, simd: S) -> Grid<S> {
        let (one, two, cross) = self.moments(vector, min, by, simd);
        let weight = Lanes::load(simd, &self.weight, vector);
        let weight_x = Lanes::load(simd, &self.weight_x, vector);
        let all = |value| Lanes::all(simd, value);
        let (zero, doubled, unfit) = (all(0.0), all(2.0), all(f32::INFINITY));
        // Scale and minimum; or the scale alone; or the minimum alone.
        let scale = cross.over(two).max(zero);
        let error = scale * (scale * two - doubled * cross);
        let scale_alone = Grid { scale, min: zero, error };
        let min = (zero - weight_x).over(weight).max(zero);
        let error = min * (min * weight + doubled * weight_x);
        let min_alone = Grid { scale: zero, min, error };
        let determinant = weight * two - one * one;
        let scale = (weight * cross - one * weight_x).over(determinant);
        let min = (one * cross - two * weight_x).over(determinant);
        let error = scale * (scale * two - doubled * cross)
            + min * (min * weight - doubled * (scale * one - weight_x));
        // Where all of a part's numbers are the same, nothing tells scale and minimum apart.
        let apart = weight * two * all(1e-5);
        let error = apart.less(determinant, error, unfit);
        let error = min.less(zero, unfit, scale.less(zero, unfit, error));
        Grid { scale, min, error }.or(scale_alone).or(min_alone)
    }

    /// The best scales and minima without regard to how they will be stored.
    #[inline(always)]
    fn search<S: Simd>(&self, simd: S) -> (Row, Row) {
        let (mut scales, mut minima) = ([0.0; LANES], [0.0; LANES]);
        let zero = Lanes::all(simd, 0.0);
        for vector in 0..Lanes::<S>::VECTORS {
            let (mut low, mut high) = (zero, Lanes::all(simd, f32::MIN));
            for x in &self.x {
                let x = Lanes::load(simd, x, vector);
                (low, high) = (low.min(x), high.max(x));
            }
            let by = (high - low).inverse();
            let mut best = Grid { scale: zero, min: zero, error: Lanes::all(simd, f32::INFINITY) };
            for step in STEPS {
                let fitted = self.fit(vector, zero - low, by * Lanes::all(simd, step), simd);
                best = fitted.or(best);
            }
            for _ in 0..2 {
                best = self.fit(vector, best.min, best.scale.inverse(), simd).or(best);
            }
            best.scale.store(&mut scales, vector);
            best.min.store(&mut minima, vector);
        }
        (scales, minima)
    }

    /// The error of scales and minima as they will be stored.
    #[inline(always)]
    fn error<S: Simd>(&self, vector: usize, scale: Lanes<S>, min: Lanes<S>, simd: S) -> Lanes<S> {
        let by = scale.inverse();
        let mut error = Lanes::all(simd, 0.0);
        for (x, weight) in self.x.iter().zip(&self.weights) {
            let x = Lanes::load(simd, x, vector);
            let off = scale * numbers(x, min, by) - min - x;
            error = error + Lanes::load(simd, weight, vector) * off * off;
        }
        error
    }
}

/// What the blocks store beside their numbers; d and dmin repeated for each part.
#[derive(Clone, Copy)]
struct Levels {
    d: Row,
    dmin: Row,
    scales: Row,
    minima: Row,
}

/// One block or two; see [`super::Quant::Q4K`].
#[inline(always)]
pub(super) fn q4_k<S: Simd>(simd: S, x: &[f32], weights: &[f32], out: &mut [u8]) {
    let parts = Parts::new(x, weights, simd);
    let (scales, minima) = parts.search(simd);
    let mut levels =
        Levels { d: [0.0; LANES], dmin: [0.0; LANES], scales: [0.0; LANES], minima: [0.0; LANES] };
    for block in [0..PARTS, PARTS..LANES] {
        levels.d[block.clone()].fill(rounded(extreme(&scales[block.clone()]) / 63.0));
        levels.dmin[block.clone()].fill(rounded(extreme(&minima[block.clone()]) / 63.0));
    }
    let (mut best, mut least) = (levels, [f32::INFINITY; 2]);
    for _ in 0..ROUNDS {
        let error = choose(&parts, &scales, &minima, &mut levels, simd);
        for (index, block) in [0..PARTS, PARTS..LANES].into_iter().enumerate() {
            let error = error[block.clone()].iter().sum();
            if error < least[index] {
                least[index] = error;
                best.d[block.clone()].copy_from_slice(&levels.d[block.clone()]);
                best.dmin[block.clone()].copy_from_slice(&levels.dmin[block.clone()]);
                best.scales[block.clone()].copy_from_slice(&levels.scales[block.clone()]);
                best.minima[block.clone()].copy_from_slice(&levels.minima[block]);
            }
        }
        refit(&parts, &mut levels, simd);
    }
    for (block, (x, out)) in
        x.as_chunks::<256>().0.iter().zip(out.as_chunks_mut::<144>().0).enumerate()
    {
        pack(x, &best, PARTS * block, out);
    }
}

/// Rounds scales and minima to 6 bits: of the nearest and their neighbours, those of the least error, which
/// is returned for each part.
#[inline(always)]
fn choose<S: Simd>(parts: &Parts, scales: &Row, minima: &Row, levels: &mut Levels, simd: S) -> Row {
    let mut errors = [0.0; LANES];
    for vector in 0..Lanes::<S>::VECTORS {
        let of = |row: &Row| Lanes::load(simd, row, vector);
        let (d, dmin) = (of(&levels.d), of(&levels.dmin));
        let near_scale = of(scales) * d.inverse();
        let near_min = of(minima) * dmin.inverse();
        let zero = Lanes::all(simd, 0.0);
        let mut best = Grid { scale: zero, min: zero, error: Lanes::all(simd, f32::INFINITY) };
        for by_scale in [-1.0, 0.0, 1.0] {
            for by_min in [-1.0, 0.0, 1.0] {
                let scale = (near_scale + Lanes::all(simd, by_scale)).whole(0.0, 63.0);
                let min = (near_min + Lanes::all(simd, by_min)).whole(0.0, 63.0);
                let error = parts.error(vector, d * scale, dmin * min, simd);
                best = Grid { scale, min, error }.or(best);
            }
        }
        best.scale.store(&mut levels.scales, vector);
        best.min.store(&mut levels.minima, vector);
        best.error.store(&mut errors, vector);
    }
    errors
}

/// Fits each block's d and dmin to the rounded numbers of all its parts.
#[inline(always)]
fn refit<S: Simd>(parts: &Parts, levels: &mut Levels, simd: S) {
    // Of value = d · a − dmin · b: Σ w a², Σ w a b, Σ w b², Σ w a x, Σ w b x.
    let mut products = [[0f32; LANES]; 5];
    for vector in 0..Lanes::<S>::VECTORS {
        let of = |row: &Row| Lanes::load(simd, row, vector);
        let (scale, min) = (of(&levels.scales), of(&levels.minima));
        let by = (of(&levels.d) * scale).inverse();
        let (one, two, cross) = parts.moments(vector, of(&levels.dmin) * min, by, simd);
        (scale * scale * two).store(&mut products[0], vector);
        (scale * min * one).store(&mut products[1], vector);
        (min * min * of(&parts.weight)).store(&mut products[2], vector);
        (scale * cross).store(&mut products[3], vector);
        (min * of(&parts.weight_x)).store(&mut products[4], vector);
    }
    for block in [0..PARTS, PARTS..LANES] {
        let [aa, ab, bb, ax, bx] = products.map(|row| row[block.clone()].iter().sum::<f32>());
        let determinant = aa * bb - ab * ab;
        let (d, dmin) = ((ax * bb - ab * bx) / determinant, (ab * ax - aa * bx) / determinant);
        if determinant > 1e-5 * aa * bb && d > 0.0 && dmin >= 0.0 {
            levels.d[block.clone()].fill(rounded(d));
            levels.dmin[block].fill(rounded(dmin));
        }
    }
}

/// Writes the block whose first part is `first`.
#[inline(always)]
fn pack(x: &[f32; 256], levels: &Levels, first: usize, out: &mut [u8; 144]) {
    let (d, dmin) = (levels.d[first], levels.dmin[first]);
    out[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    out[2..4].copy_from_slice(&f16::from_f32(dmin).to_le_bytes());
    let (packed, numbers) = out[4..].split_at_mut(12);
    for index in 0..4 {
        let scale = |index: usize| levels.scales[first + index] as u8;
        let min = |index: usize| levels.minima[first + index] as u8;
        packed[index] = scale(index) | scale(index + 4) >> 4 << 6;
        packed[4 + index] = min(index) | min(index + 4) >> 4 << 6;
        packed[8 + index] = scale(index + 4) & 15 | min(index + 4) << 4;
    }
    for (part, x) in x.as_chunks::<32>().0.iter().enumerate() {
        let by = inverse(d * levels.scales[first + part]);
        let min = dmin * levels.minima[first + part];
        for (byte, &x) in numbers[part / 2 * 32..][..32].iter_mut().zip(x) {
            let q = whole((x + min) * by, 0.0, 15.0) as u8;
            *byte = if part % 2 == 0 { q } else { *byte | q << 4 };
        }
    }
}
