//! Attention of a few queries over many positions: what decoding does.
//!
//! Positions are cut into chunks, and a task takes one chunk of one key head for all query heads that
//! share it: every key and value is read and widened once. The chunks' weighted means are then merged by
//! their sums of exponentials. All products are of float32. Chunks depend on how many positions there
//! are, not on the threads. Deliberately absent: many queries (see `blocks` and `bf16`).

use std::{cell::RefCell, ops::Range};

use pulp::{Simd, WithSimd};

use super::{Call, Stored, sequence::Side};
use crate::{
    cpu::Path,
    pool::{self, Shared},
    simd::{exponents, largest, vectorize},
};

/// Queries of one key head (its group's, for all rows) up to which this way is the faster one.
pub(super) const LANES_MAX: usize = 32;

/// Positions of a chunk at least: 64 KiB of float16 keys of width 128.
const CHUNK: usize = 256;

/// Chunks at most, so that merging stays small.
const CHUNKS_MAX: usize = 64;

/// Positions widened at once: they stay in the innermost cache.
const TILE: usize = 32;

/// Queries that share the loading of a key.
const ROWS: usize = 4;

/// Returns (rows, heads · width).
pub(super) fn attend(call: &Call) -> Vec<f32> {
    let (lanes, stride) = (call.lanes(), call.stride());
    let chunk = call.total.div_ceil(CHUNKS_MAX).next_multiple_of(TILE).max(CHUNK);
    let chunks = call.total.div_ceil(chunk);
    let mut q = vec![0f32; call.heads.kv_heads * lanes * stride];
    for (index, q) in q.chunks_exact_mut(stride).enumerate() {
        call.query(index / lanes, index % lanes, &mut q[..call.heads.width]);
    }
    // Each task's weighted values, (lanes, stride), then its largest scores and its sums, (2, lanes).
    let size = lanes * (stride + 2);
    let mut partial = vec![0f32; call.heads.kv_heads * chunks * size];
    pool::run_parts(&mut partial, size, |task, out| {
        let (head, first) = (task / chunks, task % chunks * chunk);
        let q = &q[head * lanes * stride..][..lanes * stride];
        let part = Part { call, head, first, end: call.total.min(first + chunk), q };
        part.attend(out);
    });
    merge(call, &partial, chunks)
}

/// One task's share.
struct Part<'a> {
    call: &'a Call<'a>,
    head: usize,
    /// Positions first..end.
    first: usize,
    end: usize,
    /// Scaled queries, (lanes, stride).
    q: &'a [f32],
}

thread_local! {
    /// A tile of keys or values, and the scores.
    static SCRATCH: RefCell<(Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

impl Part<'_> {
    fn attend(&self, out: &mut [f32]) {
        let (lanes, stride, count) = (self.call.lanes(), self.call.stride(), self.end - self.first);
        let (means, rest) = out.split_at_mut(lanes * stride);
        let (most, sums) = rest.split_at_mut(lanes);
        SCRATCH.with_borrow_mut(|(tile, scores)| {
            tile.clear();
            tile.resize(TILE * stride, 0.0);
            scores.resize(lanes * count, 0.0);
            self.tiles(Side::Keys, tile, |start, keys, next| {
                self.dots(keys, next, &mut scores[start..], count);
            });
            for (lane, scores) in scores.chunks_exact_mut(count).enumerate() {
                let seen = self.call.seen(lane).saturating_sub(self.first).min(count);
                scores[seen..].fill(0.0);
                let softmax = Softmax { scores: &mut scores[..seen] };
                (most[lane], sums[lane]) = vectorize(self.call.path, softmax);
            }
            self.tiles(Side::Values, tile, |start, values, next| {
                self.weigh(&mut scores[start..], count, values, next, means);
            });
        });
    }

    /// Hands out the chunk a tile at a time: where it starts in the chunk, its rows of `stride`, and what
    /// is read next.
    fn tiles(
        &self,
        side: Side,
        tile: &mut [f32],
        mut with: impl FnMut(usize, Stored, Option<Stored>),
    ) {
        let stride = self.call.stride();
        for start in (self.first..self.end).step_by(TILE) {
            let positions = start..self.end.min(start + TILE);
            if let Some(rows) = self.direct(side, positions.clone()) {
                let next = match side {
                    _ if positions.end < self.end => (side, positions.end),
                    Side::Keys => (Side::Values, self.first),
                    Side::Values => (Side::Values, start),
                };
                let next = self.direct(next.0, next.1..self.end.min(next.1 + TILE));
                with(start - self.first, rows, next);
            } else {
                let count = positions.len();
                self.call.sequence.gather(side, self.head, positions, stride, tile);
                with(start - self.first, Stored::F32(&tile[..count * stride]), None);
            }
        }
    }

    /// A tile as it is stored, where it can be taken so: by few queries, which share the widening in the
    /// registers, or when there is nothing to widen.
    fn direct(&self, side: Side, positions: Range<usize>) -> Option<Stored<'_>> {
        let Call { sequence, heads, path, .. } = self.call;
        let (rows, step) = sequence.borrow(side, self.head, positions)?;
        let few = self.call.lanes() <= ROWS && *path >= Path::Avx512;
        let takes = few || matches!(rows, Stored::F32(_));
        (takes && step == 1 && self.call.stride() == heads.width).then_some(rows)
    }

    /// Scores of a tile, `step` from one lane to the next.
    fn dots(&self, keys: Stored, next: Option<Stored>, out: &mut [f32], step: usize) {
        let (q, stride) = (self.q, self.call.stride());
        let _ = next; // not every path asks ahead
        match (self.call.path, keys) {
            #[cfg(target_arch = "x86_64")]
            (Path::Avx512 | Path::Avx512Bf16, _) => {
                let ahead = super::avx512::Ahead::new(keys, next.unwrap_or(keys));
                // SAFETY: the path is available, as `Call` has checked.
                unsafe { super::avx512::dots(q, keys, stride, out, step, ahead) }
            }
            (path, Stored::F32(keys)) => vectorize(path, Dots { q, keys, stride, out, step }),
            _ => unreachable!("tiles are widened for this path"),
        }
    }

    /// Adds a tile's values by their weights, `step` from one lane to the next.
    fn weigh(
        &self,
        weights: &mut [f32],
        step: usize,
        values: Stored,
        next: Option<Stored>,
        out: &mut [f32],
    ) {
        let stride = self.call.stride();
        let _ = next; // as above
        match (self.call.path, values) {
            #[cfg(target_arch = "x86_64")]
            (Path::Avx512 | Path::Avx512Bf16, _) => {
                let ahead = super::avx512::Ahead::new(values, next.unwrap_or(values));
                // SAFETY: the path is available, as `Call` has checked.
                unsafe { super::avx512::weigh(weights, step, values, stride, out, ahead) }
            }
            (path, Stored::F32(values)) => {
                vectorize(path, Weigh { weights, step, values, stride, out })
            }
            _ => unreachable!("tiles are widened for this path"),
        }
    }
}

/// The chunks' means, weighted by what each adds to the sum of exponentials.
fn merge(call: &Call, partial: &[f32], chunks: usize) -> Vec<f32> {
    let (lanes, stride, width) = (call.lanes(), call.stride(), call.heads.width);
    let size = lanes * (stride + 2);
    let mut out = vec![0f32; call.heads.count() * call.heads.rows * width];
    let shared = Shared::new(&mut out);
    for (head, chunks) in partial.chunks_exact(chunks * size).enumerate() {
        for lane in 0..lanes {
            let bounds =
                |chunk: &[f32]| (chunk[lanes * stride + lane], chunk[lanes * (stride + 1) + lane]);
            let most =
                chunks.chunks_exact(size).map(|chunk| bounds(chunk).0).fold(f32::MIN, f32::max);
            let share = |chunk: &[f32]| {
                let (largest, sum) = bounds(chunk);
                let weight = if sum == 0.0 { 0.0 } else { (largest - most).exp() };
                (weight, weight * sum)
            };
            let total: f32 = chunks.chunks_exact(size).map(|chunk| share(chunk).1).sum();
            // SAFETY: one thread, and one lane at a time.
            let out = unsafe { shared.part(call.place(head, lane), width) };
            for chunk in chunks.chunks_exact(size) {
                let weight = share(chunk).0 / total;
                let mean = &chunk[lane * stride..][..width];
                out.iter_mut().zip(mean).for_each(|(out, mean)| *out += weight * mean);
            }
        }
    }
    out
}

/// out[lane · step + key] = q[lane] · keys[key].
struct Dots<'a> {
    q: &'a [f32],
    keys: &'a [f32],
    stride: usize,
    out: &'a mut [f32],
    step: usize,
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = self.q.len() / self.stride;
        let whole = lanes / ROWS * ROWS;
        for lane in (0..whole).step_by(ROWS) {
            self.rows::<S, ROWS>(simd, lane);
        }
        for lane in whole..lanes {
            self.rows::<S, 1>(simd, lane);
        }
    }
}

impl Dots<'_> {
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, lane: usize) {
        let count = self.keys.len() / self.stride;
        let whole = count / 2 * 2;
        for key in (0..whole).step_by(2) {
            self.keys::<S, R, 2>(simd, lane, key);
        }
        if whole < count {
            self.keys::<S, R, 1>(simd, lane, whole);
        }
    }

    #[inline(always)]
    fn keys<S: Simd, const R: usize, const K: usize>(&mut self, simd: S, lane: usize, key: usize) {
        let stride = self.stride;
        let q: [&[S::f32s]; R] = std::array::from_fn(|row| {
            S::as_simd_f32s(&self.q[(lane + row) * stride..][..stride]).0
        });
        let keys: [&[S::f32s]; K] = std::array::from_fn(|index| {
            S::as_simd_f32s(&self.keys[(key + index) * stride..][..stride]).0
        });
        let vectors = stride / S::F32_LANES;
        let q = q.map(|row| &row[..vectors]);
        let keys = keys.map(|row| &row[..vectors]);
        let mut sums = [[simd.splat_f32s(0.0); K]; R];
        for index in 0..vectors {
            for row in 0..R {
                for column in 0..K {
                    let sum = sums[row][column];
                    sums[row][column] = simd.mul_add_f32s(q[row][index], keys[column][index], sum);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (column, sum) in sums.iter().enumerate() {
                self.out[(lane + row) * self.step + key + column] = simd.reduce_sum_f32s(*sum);
            }
        }
    }
}

/// Scores to exponentials; returns the largest score and the sum. Of no score: the least number and 0.
struct Softmax<'a> {
    scores: &'a mut [f32],
}

impl WithSimd for Softmax<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f32, f32) {
        if self.scores.is_empty() {
            return (f32::MIN, 0.0);
        }
        let most = largest(simd, self.scores);
        (most, exponents(simd, self.scores, most))
    }
}

/// out[lane] += Σ weights[lane · step + position] · values[position], rows of `stride`.
struct Weigh<'a> {
    weights: &'a [f32],
    step: usize,
    values: &'a [f32],
    stride: usize,
    out: &'a mut [f32],
}

impl WithSimd for Weigh<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = self.out.len() / self.stride;
        let whole = lanes / ROWS * ROWS;
        for lane in (0..whole).step_by(ROWS) {
            self.rows::<S, ROWS>(simd, lane);
        }
        for lane in whole..lanes {
            self.rows::<S, 1>(simd, lane);
        }
    }
}

impl Weigh<'_> {
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, lane: usize) {
        let vectors = self.stride / S::F32_LANES;
        let whole = vectors / 2 * 2;
        for vector in (0..whole).step_by(2) {
            self.vectors::<S, R, 2>(simd, lane, vector);
        }
        if whole < vectors {
            self.vectors::<S, R, 1>(simd, lane, whole);
        }
    }

    #[inline(always)]
    fn vectors<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        lane: usize,
        vector: usize,
    ) {
        let (stride, from) = (self.stride, vector * S::F32_LANES);
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        let weights: [&[f32]; R] =
            std::array::from_fn(|row| &self.weights[(lane + row) * self.step..]);
        let count = self.values.len() / stride;
        let weights = weights.map(|row| &row[..count]);
        for (position, values) in self.values.chunks_exact(stride).enumerate() {
            let values = S::as_simd_f32s(&values[from..from + V * S::F32_LANES]).0;
            for row in 0..R {
                let weight = simd.splat_f32s(weights[row][position]);
                for column in 0..V {
                    let sum = sums[row][column];
                    sums[row][column] = simd.mul_add_f32s(weight, values[column], sum);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let out = &mut self.out[(lane + row) * stride + from..][..V * S::F32_LANES];
            for (out, sum) in S::as_mut_simd_f32s(out).0.iter_mut().zip(sums) {
                *out = simd.add_f32s(*out, *sum);
            }
        }
    }
}
