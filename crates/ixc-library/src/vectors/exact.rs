//! The nearest vectors by comparing all: what every other way is measured against.
//!
//! Invariant: the order is a function of the vectors and the question; equal ones stand in the order of their
//! places. Deliberately absent: where vectors are kept.

use std::cmp::Ordering;

/// Running sums: enough for the compiler to fill vector registers of any width.
const LANES: usize = 16;

/// The product of two vectors of the same length: of those of length 1, the cosine of their angle.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len());
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// The places of the `k` rows that are nearest to a question, the nearest first, with their products.
pub fn nearest(rows: &[f32], question: &[f32], k: usize) -> Vec<(usize, f32)> {
    let all = rows.chunks_exact(question.len()).map(|row| dot(row, question));
    best(all.enumerate().collect(), k)
}

/// The `k` best of all, the best first; equal ones in their order.
pub(crate) fn best<T: Ord>(mut all: Vec<(T, f32)>, k: usize) -> Vec<(T, f32)> {
    let order = |a: &(T, f32), b: &(T, f32)| -> Ordering {
        b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0))
    };
    if k < all.len() && k > 0 {
        all.select_nth_unstable_by(k - 1, order);
    }
    all.truncate(k);
    all.sort_unstable_by(order);
    all
}
