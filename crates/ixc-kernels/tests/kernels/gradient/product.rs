//! Gradients of products, in every storage.

use half::{bf16, f16};
use ixc_kernels::{
    Arithmetic, Buffer, Matrix, Weight,
    cpu::{self, Path},
    product::{
        Term,
        gradient::{input_gradient, weight_gradient},
        product,
        rows::Rows,
    },
};
use proptest::prelude::*;

use super::{close, differences, dot, numbers, on_any_threads, wide};
use crate::{alone, gptq::layer, product::blocks};

/// (m, n) · (n, k), in f64.
fn slow(dy: &[f64], w: &[f64], n: usize, k: usize) -> Vec<f64> {
    let mut out = vec![0.0; dy.len() / n * k];
    for (out, dy) in out.chunks_exact_mut(k).zip(dy.chunks_exact(n)) {
        for (w, dy) in w.chunks_exact(k).zip(dy) {
            out.iter_mut().zip(w).for_each(|(out, w)| *out += dy * w);
        }
    }
    out
}

fn turned(x: &[f64], width: usize) -> Vec<f64> {
    let rows = x.len() / width;
    (0..x.len()).map(|i| x[i % rows * width + i / rows]).collect()
}

fn widened(weight: &Matrix) -> Vec<f64> {
    let mut out = vec![0f32; weight.rows() * weight.cols()];
    weight.widen(0..weight.rows(), &mut out);
    wide(&out)
}

/// The same numbers in every storage that has no blocks.
fn dense(n: usize, k: usize, seed: u64) -> Vec<Matrix> {
    let values = numbers(n * k, seed);
    let halves: Vec<u16> = values.iter().map(|&v| f16::from_f32(v).to_bits()).collect();
    let brains: Vec<u16> = values.iter().map(|&v| bf16::from_f32(v).to_bits()).collect();
    vec![
        Matrix::f32(n, k, Buffer::from_slice(&values)),
        Matrix::f16(n, k, Buffer::from_slice(&halves)),
        Matrix::bf16(n, k, Buffer::from_slice(&brains)),
    ]
}

fn quantised(n: usize, k: usize) -> Vec<Matrix> {
    let quants = ixc_kernels::Quant::ALL.into_iter();
    let fitting = quants.filter(|quant| k.is_multiple_of(quant.block_elements()));
    fitting.map(|quant| blocks(quant, n, k)).collect()
}

/// Every way in which this processor can multiply, one after the other.
fn every_way(check: impl Fn(Arithmetic)) {
    check(Arithmetic::Exact);
    let usual = cpu::path();
    for path in Path::available() {
        cpu::limit(path);
        check(Arithmetic::Fast);
    }
    cpu::limit(usual);
}

/// The numbers that products are made of: rounded to bfloat16 where those are the path's fast ones. Their
/// products are then exact in float32, and only sums are rounded.
fn multiplied(values: &[f64], arithmetic: Arithmetic) -> Vec<f64> {
    if arithmetic == Arithmetic::Exact || cpu::path() != Path::Avx512Bf16 {
        return values.to_vec();
    }
    values.iter().map(|&x| bf16::from_f32(x as f32).to_f64()).collect()
}

/// `tolerance` is relative to the largest.
fn check_input(dy: &[f32], weight: Weight, exact: &[f64], tolerance: f64) {
    let (n, k) = (weight.rows(), weight.cols());
    every_way(|arithmetic| {
        let rows = Rows::new(dy, n);
        let found = input_gradient(&[Term { rows: &rows, weight }], arithmetic);
        let [dy, exact] = [&wide(dy), exact].map(|values| multiplied(values, arithmetic));
        close(&found, &slow(&dy, &exact, n, k), tolerance);
    });
}

#[test]
fn the_twins_are_gradients() {
    let (m, n, k) = (3, 4, 5);
    let [x, w, dy] =
        [(m * k, 1), (n * k, 2), (m * n, 3)].map(|(count, s)| wide(&numbers(count, s)));
    let value = |x: &[f64], w: &[f64]| dot(&slow(x, &turned(w, k), k, n), &dy);
    let of_x = differences(&x, |x| value(x, &w));
    let of_w = differences(&w, |w| value(&x, w));
    for (found, expected) in [(of_x, slow(&dy, &w, n, k)), (of_w, slow(&turned(&dy, n), &x, m, k))]
    {
        assert!(found.iter().zip(&expected).all(|(f, e)| (f - e).abs() < 1e-8));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn inputs_have_their_gradient_in_every_storage(
        m in 1usize..40, n in 1usize..300, k in 1usize..150, seed in 0u64..1000,
    ) {
        let _turn = alone();
        let dy = numbers(m * n, seed);
        for weight in dense(n, k, seed + 1) {
            check_input(&dy, (&weight).into(), &widened(&weight), 1e-5);
        }
        let blocks = n.div_ceil(16);
        for weight in quantised(blocks, 32 * (1 + k % 5)).into_iter().chain(quantised(n, 256)) {
            let dy = numbers(m * weight.rows(), seed);
            check_input(&dy, (&weight).into(), &widened(&weight), 1e-5);
        }
        let groups: Vec<u32> = (0..8 * (1 + k % 9)).map(|i| [i / 16, i % 3][k % 2] as u32).collect();
        let weight = layer(8 * blocks, &groups, seed);
        let dy = numbers(m * weight.rows(), seed);
        check_input(&dy, (&weight).into(), &widened(&weight), 1e-5);
    }

    #[test]
    fn weights_have_their_gradient_over_some_rows(
        m in 1usize..300, n in 1usize..100, k in 1usize..100, seed in 0u64..1000,
        cuts in prop::collection::vec(0usize..300, 0..6),
    ) {
        let _turn = alone();
        check_weight(m, n, k, seed, &cuts, 1e-5);
    }
}

/// Over the rows between every other two of the cuts.
fn check_weight(m: usize, n: usize, k: usize, seed: u64, cuts: &[usize], tolerance: f64) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (m + 1)).collect();
    cuts.sort_unstable();
    let rows: Vec<_> = match cuts.len() {
        0 => std::iter::once(0..m).collect(),
        _ => cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect(),
    };
    let (dy, x) = (numbers(m * n, seed), numbers(m * k, seed + 1));
    let before = numbers(n * k, seed + 2);
    every_way(|arithmetic| {
        let mut found = before.clone();
        weight_gradient(&Rows::new(&dy, n), &Rows::new(&x, k), &rows, arithmetic, &mut found);
        let [dy, x] = [&dy, &x].map(|values| multiplied(&wide(values), arithmetic));
        let mut expected = wide(&before);
        for row in rows.iter().cloned().flatten() {
            for (out, dy) in expected.chunks_exact_mut(k).zip(&dy[row * n..]) {
                let x = &x[row * k..][..k];
                out.iter_mut().zip(x).for_each(|(out, x)| *out += dy * x);
            }
        }
        close(&found, &expected, tolerance);
    });
}

#[test]
fn large_shapes_cross_block_borders() {
    let _turn = alone();
    for (m, n, k) in [(70, 1030, 1100), (3, 520, 2100), (1100, 40, 30)] {
        let dy = numbers(m * n, 1);
        for weight in dense(n, k, 2) {
            check_input(&dy, (&weight).into(), &widened(&weight), 2e-5);
        }
        check_weight(m, n, k, 5, &[], 2e-5);
    }
}

#[test]
fn many_rows_are_summed_in_parts() {
    let _turn = alone();
    check_weight(2600, 20, 24, 5, &[], 2e-5);
    // Runs shorter and longer than a part, and one that two parts share.
    check_weight(2600, 20, 24, 5, &[3, 4, 10, 700, 701, 2599], 2e-5);
}

#[test]
fn terms_add_up() {
    let _turn = alone();
    every_way(|arithmetic| {
        let (m, k) = (50, 512);
        let weights =
            [blocks(ixc_kernels::Quant::Q4K, 70, k), blocks(ixc_kernels::Quant::Q8_0, 9, k)];
        let rows = weights.each_ref().map(|weight| numbers(m * weight.rows(), 3));
        let rows = [Rows::new(&rows[0], 70), Rows::new(&rows[1], 9)];
        let term = |i: usize| Term { rows: &rows[i], weight: (&weights[i]).into() };
        let together = input_gradient(&[term(0), term(1)], arithmetic);
        let alone = [0, 1].map(|i| wide(&input_gradient(&[term(i)], arithmetic)));
        let sum: Vec<f64> = alone[0].iter().zip(&alone[1]).map(|(a, b)| a + b).collect();
        close(&together, &sum, 1e-6);
    });
}

#[test]
fn a_trained_weight_multiplies_as_a_stored_one() {
    let _turn = alone();
    for (m, n, k) in [(1, 3, 2), (7, 33, 40), (40, 100, 300), (500, 70, 129)] {
        let (x, values) = (numbers(m * k, 1), numbers(n * k, 2));
        let stored = Matrix::f32(n, k, Buffer::from_slice(&values));
        let rows = Rows::new(&x, k);
        let multiply =
            |weight, arithmetic| product(&[Term { rows: &rows, weight }], None, arithmetic);
        let trained = Weight::trained(&values, k);
        let exact = multiply(trained, Arithmetic::Exact);
        assert_eq!(exact, multiply((&stored).into(), Arithmetic::Exact));
        every_way(|arithmetic| {
            let [x, w] = [&x, &values].map(|values| match arithmetic {
                // Few rows are multiplied as they are.
                Arithmetic::Fast if m > 8 => multiplied(&wide(values), arithmetic),
                _ => wide(values),
            });
            close(&multiply(trained, arithmetic), &slow(&x, &turned(&w, k), k, n), 1e-5);
        });
        let of_rows = numbers(m * n, 3);
        check_input(&of_rows, trained, &wide(&values), 1e-5);
    }
}

#[test]
fn what_is_not_a_number_stays_in_its_row_and_column() {
    let _turn = alone();
    let (m, n, k) = (40, 70, 50);
    let (mut dy, x, w) = (numbers(m * n, 1), numbers(m * k, 2), numbers(n * k, 3));
    dy[17 * n + 33] = f32::NAN;
    every_way(|arithmetic| {
        let (dy, x) = (Rows::new(&dy, n), Rows::new(&x, k));
        let mut of_w = vec![0f32; n * k];
        weight_gradient(&dy, &x, std::slice::from_ref(&(0..m)), arithmetic, &mut of_w);
        let of_x =
            input_gradient(&[Term { rows: &dy, weight: Weight::trained(&w, k) }], arithmetic);
        assert!((0..m * k).all(|i| of_x[i].is_nan() == (i / k == 17)));
        assert!((0..n * k).all(|i| of_w[i].is_nan() == (i / k == 33)));
        // And not at all where its row does not count.
        of_w.fill(0.0);
        weight_gradient(&dy, &x, &[0..17, 18..m], arithmetic, &mut of_w);
        assert!(of_w.iter().all(|x| x.is_finite()));
    });
}

#[test]
fn threads_change_nothing() {
    let (m, n, k) = (130, 300, 512);
    let (dy, x) = (numbers(m * n, 1), numbers(m * k, 2));
    for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
        for weight in dense(n, k, 3).into_iter().chain(quantised(n, k)) {
            on_any_threads(|| {
                let (dy, x) = (Rows::new(&dy, n), Rows::new(&x, k));
                let term = Term { rows: &dy, weight: (&weight).into() };
                let mut out = vec![0f32; n * k];
                weight_gradient(&dy, &x, &[3..40, 50..130], arithmetic, &mut out);
                (input_gradient(&[term], arithmetic), out)
            });
        }
        let (m, n, k) = (2500, 20, 24); // parts of the rows
        let (dy, x) = (numbers(m * n, 1), numbers(m * k, 2));
        on_any_threads(|| {
            let (dy, x, mut out) = (Rows::new(&dy, n), Rows::new(&x, k), vec![0f32; n * k]);
            weight_gradient(&dy, &x, &[3..1100, 1100..2400], arithmetic, &mut out);
            out
        });
    }
}
