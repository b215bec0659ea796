//! Attention against its slow twin: one query, one key, one number at a time, in f64.

use ixc_kernels::attention::{Heads, Stretch, attention};
use proptest::prelude::*;

use crate::numbers;

/// The slow, obvious attention: keys and values as (position, kv_head, width).
fn slow(q: &[f32], heads: Heads, k: &[f32], v: &[f32], total: usize, causal: bool) -> Vec<f64> {
    let Heads { kv_heads, group, rows, width } = heads;
    let all = kv_heads * group;
    let mut out = vec![0f64; rows * all * width];
    for head in 0..all {
        for row in 0..rows {
            let seen = if causal { total - rows + row + 1 } else { total };
            let at = |position: usize, i: usize| (position * kv_heads + head / group) * width + i;
            let q = &q[(head * rows + row) * width..][..width];
            let scores: Vec<f64> = (0..seen)
                .map(|position| {
                    let dot: f64 =
                        (0..width).map(|i| f64::from(q[i]) * f64::from(k[at(position, i)])).sum();
                    dot / (width as f64).sqrt()
                })
                .collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for i in 0..width {
                let value: f64 = (0..seen).map(|p| weights[p] * f64::from(v[at(p, i)])).sum();
                out[(row * all + head) * width + i] = value / sum;
            }
        }
    }
    out
}

/// Positions first..first+len of (position, kv_head, width), as (kv_head, capacity, width).
fn stretch(
    all: &[f32],
    kv_heads: usize,
    width: usize,
    first: usize,
    len: usize,
    capacity: usize,
) -> Vec<f32> {
    let mut out = vec![f32::NAN; kv_heads * capacity * width];
    for head in 0..kv_heads {
        for position in 0..len {
            let from = ((first + position) * kv_heads + head) * width;
            let to = (head * capacity + position) * width;
            out[to..to + width].copy_from_slice(&all[from..from + width]);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn it_equals_its_slow_twin(
        kv_heads in 1usize..4,
        group in 1usize..5,
        rows in 1usize..80,
        width in 1usize..40,
        past in 0usize..70,
        cut in 0usize..150,
        causal: bool,
        seed in 0u64..1000,
    ) {
        let heads = Heads { kv_heads, group, rows, width };
        let total = past + rows;
        let q = numbers(kv_heads * group * rows * width, seed);
        let (k, v) = (numbers(total * kv_heads * width, seed + 1), numbers(total * kv_heads * width, seed + 2));
        // Two stretches, the capacity beyond their lengths filled with what must never be read.
        let cut = cut.min(total);
        let lens = [(0, cut, cut + 3), (cut, total - cut, total - cut + 5)];
        let parts = lens.map(|(first, len, capacity)| {
            let part = |all: &[f32]| stretch(all, kv_heads, width, first, len, capacity);
            (part(&k), part(&v), len, capacity)
        });
        let stretches: Vec<Stretch> =
            parts.iter().map(|(k, v, len, capacity)| Stretch { k, v, len: *len, capacity: *capacity }).collect();
        let found = attention(&q, heads, &stretches, causal);
        let expected = slow(&q, heads, &k, &v, total, causal);
        for (f, e) in found.iter().zip(&expected) {
            prop_assert!((f64::from(*f) - e).abs() < 2e-5, "{f} against {e}");
        }
        prop_assert_eq!(found.len(), expected.len());
    }
}
