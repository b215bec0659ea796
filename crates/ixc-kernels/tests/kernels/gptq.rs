//! GPTQ's 4-bit words in fast arithmetic: every path against loops over the widened weights, whatever the
//! groups, their order and their zero points.

use half::f16;
use ixc_kernels::{
    Arithmetic, Buffer, Gptq, Matrix,
    cpu::{self, Path},
    matmul, pool,
    product::{
        DOT_ROWS_MAX, Term, gated,
        panel::Panel,
        product,
        rows::Rows,
        tile::{Lane, STRIP},
    },
};
use proptest::prelude::*;

use crate::{
    alone, numbers,
    product::{deviation, fast},
};

/// A layer of `n` outputs whose inputs have these groups, from any bits. The zero points of one group are
/// all stored as 15, of another as 0.
pub(crate) fn layer(n: usize, groups: &[u32], seed: u64) -> Matrix {
    layer_of(n, groups, seed, &words(groups.len() / 8 * n, seed))
}

/// Words of any bits.
fn words(count: usize, seed: u64) -> Vec<u32> {
    let bits = numbers(count, seed).into_iter().map(f32::to_bits);
    bits.map(|bits| bits.wrapping_mul(2_654_435_761)).collect()
}

/// As [`layer`], of these numbers.
fn layer_of(n: usize, groups: &[u32], seed: u64, qweight: &[u32]) -> Matrix {
    Matrix::gptq(n, groups.len(), parts_of(n, groups, seed, qweight))
}

/// What [`layer_of`] is made of.
fn parts_of(n: usize, groups: &[u32], seed: u64, qweight: &[u32]) -> Gptq {
    let count = *groups.iter().max().unwrap() as usize + 1;
    let mut zeros = words(count * (n / 8), seed + 2);
    zeros.chunks_exact_mut(n / 8).step_by(3).for_each(|zeros| zeros.fill(u32::MAX));
    zeros.chunks_exact_mut(n / 8).skip(1).step_by(5).for_each(|zeros| zeros.fill(0));
    let scales = numbers(count * n, seed + 3);
    let scales: Vec<u16> = scales.iter().map(|v| f16::from_f32(v * 0.1).to_bits()).collect();
    Gptq {
        qweight: Buffer::from_slice(qweight),
        qzeros: Buffer::from_slice(&zeros),
        scales: Buffer::from_slice(&scales),
        groups: groups.to_vec(),
    }
}

/// Groups of so many inputs.
fn runs(k: usize, size: usize) -> Vec<u32> {
    (0..k).map(|input| (input / size) as u32).collect()
}

/// The same groups in another order, which the seed decides.
fn shuffled(mut groups: Vec<u32>, seed: u64) -> Vec<u32> {
    let order = numbers(groups.len(), seed);
    for last in (1..groups.len()).rev() {
        groups.swap(last, ((order[last] + 1.0) * 0.5 * (last + 1) as f32) as usize % (last + 1));
    }
    groups
}

/// Numbers that 8 bits hold exactly, whichever 256 of them share a scale.
fn whole(count: usize, seed: u64) -> Vec<f32> {
    numbers(count, seed).into_iter().map(|value| 127.0 * (1.4 * value).round()).collect()
}

/// The product in float64.
fn slow(x: &[f32], weight: &Matrix) -> Vec<f32> {
    let (k, n) = (weight.cols(), weight.rows());
    let mut widened = vec![0f32; n * k];
    weight.widen(0..n, &mut widened);
    let dot = |x: &[f32], w: &[f32]| -> f64 {
        x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum()
    };
    let rows = x.chunks_exact(k);
    rows.flat_map(|x| widened.chunks_exact(k).map(move |w| dot(x, w) as f32)).collect()
}

/// Does something on every path that this processor has.
fn on_every_path(mut work: impl FnMut(Path)) {
    let _turn = alone();
    let widest = cpu::path();
    for path in Path::available() {
        cpu::limit(path);
        work(path);
    }
    cpu::limit(widest);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn few_rows_equal_loops_in_float64(
        m in 1..=DOT_ROWS_MAX,
        n in 1usize..60,
        k in 1usize..140,
        size in prop::sample::select(vec![4usize, 8, 20, 32, 64, 128, 320, 5000]),
        order in any::<bool>(),
        seed in 0u64..1000,
    ) {
        let (n, k) = (8 * n, 8 * k);
        let groups = runs(k, size);
        let groups = if order { shuffled(groups, seed) } else { groups };
        let (weight, x) = (layer(n, &groups, seed), whole(m * k, seed + 9));
        let expected = slow(&x, &weight);
        let mut first: Option<Vec<f32>> = None;
        on_every_path(|path| {
            let found = fast(&x, &weight);
            let off = deviation(&found, &expected);
            assert!(off < 1e-5, "{m}×{n}×{k}, groups of {size}, {path:?}: {off}");
            // Integer sums are exact, and spans are added in one order.
            assert_eq!(*first.get_or_insert_with(|| found.clone()), found, "{path:?}");
        });
    }
}

#[test]
fn many_rows_are_near_the_float32_product() {
    for (m, n, k, size) in
        [(9, 40, 264, 128), (31, 104, 1024, 32), (13, 64, 520, 520), (12, 8, 16, 8)]
    {
        for groups in [runs(k, size), shuffled(runs(k, size), 3)] {
            let (weight, x) = (layer(n, &groups, 7), numbers(m * k, 5));
            let exact = matmul(&x, &weight);
            on_every_path(|path| {
                let off = deviation(&fast(&x, &weight), &exact);
                assert!(off < 0.03, "{m}×{n}×{k}, groups of {size}, {path:?}: {off}");
            });
        }
    }
}

#[test]
fn a_panel_of_words_is_the_same_bit_for_bit_on_every_path() {
    let (n, k) = (88, 712);
    for size in [8, 32, 128, 1000] {
        let weight = layer(n, &runs(k, size), 11);
        let mut exact = vec![0f32; n * k];
        weight.widen(0..n, &mut exact);
        for (outputs, group) in [(0..32, 0), (64..88, 1), (56..64, 2), (88..88, 2)] {
            let mut first: Option<(Vec<i32>, Vec<f32>)> = None;
            for path in Path::available() {
                let mut panel = Panel::default();
                panel.fill(1, path, Lane::Int8, (&weight).into(), outputs.clone(), group);
                let strip = panel.strip(1);
                let found = (strip.words.to_vec(), strip.scales.to_vec());
                assert_eq!(*first.get_or_insert_with(|| found.clone()), found, "{path:?}");
            }
            let (words, scales) = first.unwrap();
            for lane in 0..STRIP {
                for input in 0..256.min(k - 256 * group) {
                    let byte = words[input / 4 * STRIP + lane].to_le_bytes()[input % 4];
                    let found = (i32::from(byte) - 128) as f32 * scales[lane];
                    let (output, at) = (outputs.start + lane, 256 * group + input);
                    let inside = output < outputs.end && at < k;
                    let expected = if inside { exact[output * k + at] } else { 0.0 };
                    // Half a step, and what 16-bit ratios round.
                    assert!(
                        (found - expected).abs() <= 0.51 * scales[lane],
                        "output {output}, input {at}, groups of {size}: {found} {expected}"
                    );
                }
            }
        }
    }
}

/// A scale that is not finite spoils its own output, in few rows and in many, and no other.
#[test]
fn scales_that_are_no_numbers_reach_their_products_alone() {
    let (n, k, spoiled) = (72, 512, 41);
    let groups = runs(k, 64);
    let x = numbers(20 * k, 3);
    for bad in [f16::NAN, f16::INFINITY, f16::NEG_INFINITY] {
        for group in [0, 2, 3, 7] {
            let mut parts = parts_of(n, &groups, 5, &words(k / 8 * n, 5));
            let mut scales = parts.scales.numbers::<u16>().to_vec();
            scales[group * n + spoiled] = bad.to_bits();
            parts.scales = Buffer::from_slice(&scales);
            let weight = Matrix::gptq(n, k, parts);
            on_every_path(|path| {
                for m in [1, 20] {
                    for (index, found) in fast(&x[..m * k], &weight).into_iter().enumerate() {
                        let sound = index % n != spoiled;
                        let what = format!("{path:?}: {m} rows, {bad} in group {group}, {index}");
                        assert_eq!(found.is_finite(), sound, "{what}");
                    }
                }
            });
        }
    }
}

/// Inputs in the order of their groups' members, and the same inputs in another: one layer.
#[test]
fn an_order_of_inputs_changes_nothing() {
    let (n, k) = (136, 768);
    let sorted = layer(n, &runs(k, 128), 4);
    let groups = shuffled(runs(k, 128), 8);
    // Where each shuffled input stands when they are sorted.
    let mut places: Vec<usize> = (0..k).collect();
    places.sort_by_key(|&input| groups[input]);
    let mut widened = vec![0f32; n * k];
    sorted.widen(0..n, &mut widened);
    let shuffled = reordered(n, 4, &groups, &places);
    let mut found = vec![0f32; n * k];
    shuffled.widen(0..n, &mut found);
    for output in 0..n {
        for (place, &input) in places.iter().enumerate() {
            assert_eq!(found[output * k + input], widened[output * k + place]);
        }
    }
    for m in [1, 8, 20] {
        let x = numbers(m * k, 3);
        let mut y = x.clone();
        for (x, y) in x.chunks_exact(k).zip(y.chunks_exact_mut(k)) {
            places.iter().enumerate().for_each(|(place, &input)| y[input] = x[place]);
        }
        assert_eq!(fast(&y, &shuffled), fast(&x, &sorted));
        let (of_x, of_y) = (Rows::new(&x, k), Rows::new(&y, k));
        let here = Term { rows: &of_x, weight: (&sorted).into() };
        let there = Term { rows: &of_y, weight: (&shuffled).into() };
        let mixed = gated(&[there, here], &[there], Arithmetic::Fast);
        let plain = gated(&[here, here], &[here], Arithmetic::Fast);
        assert_eq!(mixed, plain);
    }
}

/// [`layer`] of groups of 128 with its inputs in another order, written nibble by nibble.
fn reordered(n: usize, seed: u64, groups: &[u32], places: &[usize]) -> Matrix {
    let k = groups.len();
    let sorted = words(k / 8 * n, seed);
    let mut qweight = vec![0u32; k / 8 * n];
    for (place, &input) in places.iter().enumerate() {
        for output in 0..n {
            let nibble = sorted[place / 8 * n + output] >> (4 * (place % 8)) & 15;
            qweight[input / 8 * n + output] |= nibble << (4 * (input % 8));
        }
    }
    layer_of(n, groups, seed, &qweight)
}

#[test]
fn threads_change_nothing() {
    let _turn = alone();
    let threads = pool::threads();
    let weight = layer(2312, &runs(256, 64), 1);
    for m in [1, 5, 40] {
        let x = numbers(m * 256, 1);
        let results: Vec<Vec<f32>> = [1, 2, 5]
            .into_iter()
            .map(|count| {
                pool::set_threads(count);
                fast(&x, &weight)
            })
            .collect();
        assert!(results.iter().all(|result| *result == results[0]));
    }
    pool::set_threads(threads);
}

#[test]
fn terms_of_words_and_others_add_up_with_a_bias() {
    let _turn = alone();
    let (n, k) = (328, 264);
    let bits: Vec<u16> = numbers(n * 40, 6).iter().map(|v| (v.to_bits() >> 16) as u16).collect();
    let (words, dense) =
        (layer(n, &runs(k, 128), 2), Matrix::bf16(n, 40, Buffer::from_slice(&bits)));
    let bias = numbers(n, 3);
    for m in [3, 30] {
        let (x, y) = (numbers(m * k, 1), numbers(m * 40, 2));
        let (of_x, of_y) = (Rows::new(&x, k), Rows::new(&y, 40));
        let terms = [
            Term { rows: &of_x, weight: (&words).into() },
            Term { rows: &of_y, weight: (&dense).into() },
        ];
        let both = product(&terms, Some(&bias), Arithmetic::Fast);
        let (a, b) = (fast(&x, &words), fast(&y, &dense));
        let sums = a.iter().zip(&b).enumerate().map(|(i, (a, b))| a + b + bias[i % n]);
        assert!(deviation(&both, &sums.collect::<Vec<_>>()) < 1e-6);
    }
}

#[test]
fn rows_of_zeros_and_no_numbers() {
    let _turn = alone();
    let weight = layer(40, &runs(512, 128), 5);
    for m in [3, 20] {
        let mut x = numbers(m * 512, 1);
        x[..512].fill(0.0);
        x[512 + 300] = f32::NAN;
        let found = fast(&x, &weight);
        assert!(found[..40].iter().all(|value| *value == 0.0));
        assert!(found[40..80].iter().all(|value| value.is_nan()));
        assert!(found[80..].iter().all(|value| value.is_finite()));
    }
}
