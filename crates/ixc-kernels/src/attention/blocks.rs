//! Attention in blocks of queries and keys, all products of float32.
//!
//! A task takes one key head and a block of its queries. Tiles of keys and values are widened once for
//! all query heads that share them, or multiplied where they lie when they are float32 already.
//! Deliberately absent: lower precision (see `bf16`), a few queries (see `few`).

use std::{cell::RefCell, ops::Range};

use pulp::{Simd, WithSimd};

use super::{Call, Stored, sequence::Side};
use crate::{
    pool::{self, Shared},
    sgemm::{Factor, Product},
    simd::{exponents, largest, vectorize},
};

/// Queries of a task, about: enough to pay for widening, few enough for the cache of a core.
const LANES: usize = 128;

/// Keys and values of a tile.
const TILE: usize = 128;

/// Returns (rows, heads · width).
pub(super) fn attend(call: &Call) -> Vec<f32> {
    let heads = call.heads;
    let mut out = vec![0f32; heads.count() * heads.rows * heads.width];
    let shared = Shared::new(&mut out);
    let rows = (LANES / heads.group).max(1);
    let blocks = heads.rows.div_ceil(rows);
    pool::run(heads.kv_heads * blocks, &|task| {
        // The last blocks see the most: they are the first to be taken.
        let (head, block) = (task % heads.kv_heads, blocks - 1 - task / heads.kv_heads);
        let last = heads.rows.min((block + 1) * rows);
        let lanes = block * rows * heads.group..last * heads.group;
        SCRATCH.with_borrow_mut(|scratch| {
            Block { call, head, lanes: lanes.clone() }.attend(scratch);
            let inverse = scratch.sums.iter().map(|sum| 1.0 / sum);
            let results = scratch.out.chunks_exact(heads.width).zip(inverse);
            for (lane, (result, inverse)) in lanes.zip(results) {
                // SAFETY: a lane belongs to one task.
                let out = unsafe { shared.part(call.place(head, lane), heads.width) };
                out.iter_mut().zip(result).for_each(|(out, number)| *out = number * inverse);
            }
        });
    });
    out
}

/// One task's share.
struct Block<'a> {
    call: &'a Call<'a>,
    head: usize,
    lanes: Range<usize>,
}

#[derive(Default)]
struct Scratch {
    /// (lanes, width)
    q: Vec<f32>,
    /// (lanes, TILE)
    scores: Vec<f32>,
    /// (TILE, width)
    tile: Vec<f32>,
    /// (lanes, width), not yet divided by the sums.
    out: Vec<f32>,
    /// Each lane's largest score so far.
    most: Vec<f32>,
    /// Each lane's sum of exponentials so far.
    sums: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Block<'_> {
    fn attend(&self, scratch: &mut Scratch) {
        let (call, width, lanes) = (self.call, self.call.heads.width, self.lanes.len());
        let Scratch { q, scores, tile, out, most, sums } = scratch;
        q.resize(lanes * width, 0.0);
        for (lane, q) in self.lanes.clone().zip(q.chunks_exact_mut(width)) {
            call.query(self.head, lane, q);
        }
        scores.resize(lanes * TILE, 0.0);
        tile.resize(TILE * width, 0.0);
        for (numbers, len, start) in
            [(&mut *out, lanes * width, 0.0), (most, lanes, f32::MIN), (sums, lanes, 0.0)]
        {
            numbers.clear();
            numbers.resize(len, start);
        }
        let seen = call.seen(self.lanes.end - 1);
        for start in (0..seen).step_by(TILE) {
            let positions = start..seen.min(start + TILE);
            let count = positions.len();
            let (keys, step) = self.tile(Side::Keys, positions.clone(), tile);
            let scored = Product::of(lanes, width, count);
            scored.write(scores, TILE, Factor::rows(q, width), Factor::columns(keys, step));
            for (index, lane) in self.lanes.clone().enumerate() {
                let scores = &mut scores[index * TILE..][..count];
                let seen = call.seen(lane).saturating_sub(start).min(count);
                let (most, sum) = (&mut most[index], &mut sums[index]);
                let out = &mut out[index * width..][..width];
                vectorize(call.path, Update { scores, seen, most, sum, out });
            }
            let (values, step) = self.tile(Side::Values, positions, tile);
            let weighed = Product { add: true, ..Product::of(lanes, count, width) };
            weighed.write(out, width, Factor::rows(scores, TILE), Factor::rows(values, step));
        }
    }

    /// A tile's rows and the numbers from one to the next.
    fn tile<'t>(
        &'t self,
        side: Side,
        positions: Range<usize>,
        scratch: &'t mut [f32],
    ) -> (&'t [f32], usize) {
        let (sequence, width) = (&self.call.sequence, self.call.heads.width);
        let borrowed = sequence.borrow(side, self.head, positions.clone());
        if let Some((Stored::F32(rows), step)) = borrowed {
            return (rows, step * width);
        }
        sequence.gather(side, self.head, positions, width, scratch);
        (scratch, width)
    }
}

/// A row's new scores to exponentials, and its result so far to their common shift.
struct Update<'a> {
    scores: &'a mut [f32],
    /// Scores from here on are masked.
    seen: usize,
    most: &'a mut f32,
    sum: &'a mut f32,
    out: &'a mut [f32],
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (scores, masked) = self.scores.split_at_mut(self.seen);
        masked.fill(0.0);
        let before = *self.most;
        *self.most = before.max(largest(simd, scores));
        let sum = exponents(simd, scores, *self.most);
        if *self.most > before {
            let shrink = (before - *self.most).exp();
            *self.sum *= shrink;
            self.out.iter_mut().for_each(|out| *out *= shrink);
        }
        *self.sum += sum;
    }
}
