//! The gradient of attention, all products of float32.
//!
//! A task takes one key head of one sequence, and goes through blocks of its queries: scores, weights and
//! their gradients are there for one block of one query head at a time, and computed again from queries and
//! keys, so that the forward pass keeps nothing. Keys that a block does not see are not touched. The last
//! block sees all keys, comes first, and so writes what the others add to.
//! Deliberately absent: caches (what is trained reads no past), lower precision.

use std::{cell::RefCell, ops::Range};

use pulp::{Simd, WithSimd};

use super::{HeadRows, Heads, How, ranges};
use crate::{
    pool::{self, Shared},
    sgemm::{Factor, Product},
    simd::{exponents, largest, vectorize},
};

/// Queries of a block at most, and scores: with their gradients, 2 MiB.
const QUERIES: usize = 128;
const SCORES: usize = 1 << 18;

/// What [`backward`] looks at. Heads of `k` and `v` are key heads.
#[derive(Clone, Copy, Debug)]
pub struct Passed<'a> {
    /// Queries.
    pub q: HeadRows<'a>,
    /// Keys.
    pub k: HeadRows<'a>,
    /// Values.
    pub v: HeadRows<'a>,
    /// The gradient of the result; a head for each query head.
    pub dout: HeadRows<'a>,
}

/// Where [`backward`] writes: each gradient lies as its numbers do.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// Of queries.
    pub q: &'a mut [f32],
    /// Of keys.
    pub k: &'a mut [f32],
    /// Of values.
    pub v: &'a mut [f32],
}

/// Writes the gradients of [`super::attention`]'s queries, keys and values, for sequences of so many rows
/// behind one another; each sees itself alone, from its first position on. `heads.rows` is all rows.
///
/// # Panics
/// When a slice is shorter than its extents say, rows lie closer than they are wide, the sequences are not
/// all rows, or the path is not this processor's.
pub fn backward(passed: Passed, heads: Heads, sequences: &[usize], how: How, gradients: Gradients) {
    let Passed { q, k, v, dout } = passed;
    let Heads { kv_heads, rows, width, .. } = heads;
    assert!(how.path.is_available(), "{} is not this processor's", how.path.name());
    assert_eq!(sequences.iter().sum::<usize>(), rows, "sequences of all rows");
    for (numbers, len, count) in [
        (q, gradients.q.len(), heads.count()),
        (k, gradients.k.len(), kv_heads),
        (v, gradients.v.len(), kv_heads),
        (dout, dout.numbers.len(), heads.count()),
    ] {
        numbers.check(count, rows, width);
        assert_eq!(len, numbers.numbers.len(), "a gradient for each number");
    }
    let ranges = ranges(sequences);
    let gradients = [Shared::new(gradients.q), Shared::new(gradients.k), Shared::new(gradients.v)];
    pool::run(ranges.len() * kv_heads, &|task| {
        let (rows, head) = (ranges[task / kv_heads].clone(), task % kv_heads);
        let task = Task { passed, heads, rows, head, how, gradients };
        SCRATCH.with_borrow_mut(|scratch| task.run(scratch));
    });
}

impl<'a> HeadRows<'a> {
    fn check(&self, heads: usize, rows: usize, width: usize) {
        assert!(heads > 0 && width > 0, "{heads} heads of {width}");
        // Rows of all heads apart, in one of the two orders: then no two tasks write to one number.
        let (head, row) = (self.head, self.row);
        let apart = row >= width && head >= width;
        let heads_last = row >= (heads - 1) * head + width;
        let rows_last = head >= rows.saturating_sub(1) * row + width;
        assert!(apart && (heads_last || rows_last || heads == 1), "steps of {head} and {row}");
        if rows > 0 {
            let last = (heads - 1) * head + (rows - 1) * row + width;
            assert!(self.numbers.len() >= last, "{} numbers, expected {last}", self.numbers.len());
        }
    }

    /// Some rows of a head.
    fn of(&self, head: usize, row: usize) -> &'a [f32] {
        &self.numbers[head * self.head + row * self.row..]
    }
}

/// One key head of one sequence.
struct Task<'a> {
    passed: Passed<'a>,
    heads: Heads,
    /// The sequence's.
    rows: Range<usize>,
    head: usize,
    how: How,
    /// Of queries, keys and values.
    gradients: [Shared<f32>; 3],
}

#[derive(Default)]
struct Scratch {
    /// Scores, then weights: (queries, keys).
    weights: Vec<f32>,
    /// The weights' gradients, then the scores': (queries, keys).
    slopes: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Task<'_> {
    fn run(&self, scratch: &mut Scratch) {
        let len = self.rows.len();
        let height = (SCORES / len).clamp(16, QUERIES).min(len);
        let blocks = len.div_ceil(height);
        let mut begun = false;
        for block in (0..blocks).rev() {
            let queries = block * height..((block + 1) * height).min(len);
            for member in 0..self.heads.group {
                let query_head = self.head * self.heads.group + member;
                self.block(queries.clone(), query_head, begun, scratch);
                begun = true;
            }
        }
    }

    /// One query head's queries of a block; `begun` where keys and values have gradients already.
    fn block(&self, queries: Range<usize>, query_head: usize, begun: bool, scratch: &mut Scratch) {
        let Passed { q, k, v, dout } = self.passed;
        let (width, first) = (self.heads.width, self.rows.start);
        let (count, keys) =
            (queries.len(), if self.how.causal { queries.end } else { self.rows.len() });
        let Scratch { weights, slopes } = scratch;
        weights.resize(count * keys, 0.0);
        slopes.resize(count * keys, 0.0);
        let row = first + queries.start;
        let (q_rows, dout_rows) = (q.of(query_head, row), dout.of(query_head, row));
        let (k_rows, v_rows) = (k.of(self.head, first), v.of(self.head, first));
        let scale = 1.0 / (width as f32).sqrt();
        let squared = Product::of(count, width, keys);
        Product { scale, ..squared }.write(
            weights,
            keys,
            Factor::rows(q_rows, q.row),
            Factor::columns(k_rows, k.row),
        );
        squared.write(
            slopes,
            keys,
            Factor::rows(dout_rows, dout.row),
            Factor::columns(v_rows, v.row),
        );
        let rows = weights.chunks_exact_mut(keys).zip(slopes.chunks_exact_mut(keys));
        for (query, (weights, slopes)) in queries.clone().zip(rows) {
            let seen = if self.how.causal { query + 1 } else { keys };
            vectorize(self.how.path, Softmax { weights, slopes, seen, scale });
        }
        let [of_q, of_k, of_v] = self.gradients;
        let back = Product::of(count, keys, width);
        let across = Product { add: begun, ..Product::of(keys, count, width) };
        let place = |numbers: HeadRows, head, row| head * numbers.head + row * numbers.row;
        let (key_place, value_place) = (place(k, self.head, first), place(v, self.head, first));
        // SAFETY: this task alone has these rows of this key head and of its query heads.
        unsafe {
            let (slopes_rows, slopes_columns) =
                (Factor::rows(slopes, keys), Factor::columns(slopes, keys));
            let weights = Factor::columns(weights, keys);
            let query_place = place(q, query_head, row);
            back.write_shared(of_q, query_place, q.row, slopes_rows, Factor::rows(k_rows, k.row));
            let q_rows = Factor::rows(q_rows, q.row);
            across.write_shared(of_k, key_place, k.row, slopes_columns, q_rows);
            let dout_rows = Factor::rows(dout_rows, dout.row);
            across.write_shared(of_v, value_place, v.row, weights, dout_rows);
        }
    }
}

/// A row's scores become weights, and the weights' gradients become those of the unscaled scores:
/// w · (slope − Σ w · slope) · scale. Behind `seen` both are 0.
struct Softmax<'a> {
    weights: &'a mut [f32],
    slopes: &'a mut [f32],
    seen: usize,
    scale: f32,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (weights, masked) = self.weights.split_at_mut(self.seen);
        masked.fill(0.0);
        let (slopes, masked) = self.slopes.split_at_mut(self.seen);
        masked.fill(0.0);
        let most = largest(simd, weights);
        let inverse = 1.0 / exponents(simd, weights, most);
        let mean = weigh(simd, weights, slopes, inverse);
        for (slope, weight) in slopes.iter_mut().zip(&*weights) {
            *slope = weight * (*slope - mean) * self.scale;
        }
    }
}

/// Multiplies the weights by `inverse`; returns Σ weight · slope.
#[inline(always)]
fn weigh<S: Simd>(simd: S, weights: &mut [f32], slopes: &[f32], inverse: f32) -> f32 {
    let (vectors, tail) = S::as_mut_simd_f32s(weights);
    let (slopes, slopes_tail) = S::as_simd_f32s(slopes);
    let factor = simd.splat_f32s(inverse);
    let mut sum = simd.splat_f32s(0.0);
    for (weight, slope) in vectors.iter_mut().zip(slopes) {
        *weight = simd.mul_f32s(*weight, factor);
        sum = simd.mul_add_f32s(*weight, *slope, sum);
    }
    let mut total = simd.reduce_sum_f32s(sum);
    for (weight, slope) in tail.iter_mut().zip(slopes_tail) {
        *weight *= inverse;
        total += *weight * slope;
    }
    total
}
