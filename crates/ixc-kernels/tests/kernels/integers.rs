//! Products in low precision against their definition, number by number.
//!
//! `product` compares paths with each other and with float32, which allows for what rounding loses. Here the
//! rounded numbers themselves are multiplied, by loops over integers and float64, so that a tail, a border or
//! a scale in the wrong place shows, however small it is.

use half::bf16;
use ixc_kernels::{
    Arithmetic, Buffer, Matrix, Quant,
    cpu::{self, Path},
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
    Shifted, alone, numbers,
    product::{blocks, dense},
};

/// Up to 256 numbers as integers and their scale: the largest magnitude becomes 127.
fn integers(values: &[f32]) -> (f32, Vec<i64>) {
    let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let scale = largest / 127.0;
    let inverse = if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    (scale, values.iter().map(|value| (value * inverse).round_ties_even() as i64).collect())
}

/// A product and what it may be off: sums of float32 lose a little of what goes into them.
#[derive(Clone, Copy, Default)]
struct Sum {
    value: f64,
    size: f64,
}

impl Sum {
    fn add(&mut self, term: f64) {
        self.value += term;
        self.size += term.abs();
    }

    #[track_caller]
    fn check(self, found: f32, what: &str) {
        let near = (f64::from(found) - self.value).abs() <= 4e-6 * self.size + 1e-36;
        // Near the end of float32's range a part of the sum may leave it.
        let beyond = self.size > f64::from(f32::MAX) / 8.0 && !found.is_finite();
        assert!(near || beyond, "{what}: {found} for {}", self.value);
    }
}

/// The weights of one output as few rows see them: what the blocks stand for.
fn exact(weight: &Matrix, output: usize) -> Vec<f64> {
    let mut row = vec![0f32; weight.cols()];
    weight.widen(output..output + 1, &mut row);
    row.into_iter().map(f64::from).collect()
}

/// The weights of one output as many rows see them: integers and a scale for each 256.
fn unpacked(path: Path, weight: &Matrix, output: usize) -> Vec<f64> {
    let mut panel = Panel::default();
    let groups = weight.cols().div_ceil(256);
    let mut out = Vec::new();
    for group in 0..groups {
        panel.fill(1, path, Lane::Int8, weight.into(), output..output + 1, group);
        let strip = panel.strip(1);
        let code =
            |input: usize| i32::from(strip.words[input / 4 * STRIP].to_le_bytes()[input % 4]) - 128;
        let inputs = 256.min(weight.cols() - group * 256);
        out.extend((0..inputs).map(|input| f64::from(code(input)) * f64::from(strip.scales[0])));
        assert_eq!(strip.words.len() / STRIP, inputs.div_ceil(4));
        let behind = inputs..inputs.next_multiple_of(4);
        assert!(behind.clone().all(|input| code(input) == 0), "nothing behind the last input");
        assert!(strip.scales[1..].iter().all(|scale| *scale == 0.0), "nothing beside the output");
    }
    out
}

/// The product as it is defined, (m, n).
fn slow(path: Path, x: &[f32], weight: &Matrix) -> Vec<Sum> {
    let cols = weight.cols();
    let few = x.len() / cols <= DOT_ROWS_MAX;
    let weights: Vec<Vec<f64>> = (0..weight.rows())
        .map(|output| if few { exact(weight, output) } else { unpacked(path, weight, output) })
        .collect();
    let mut out = Vec::new();
    for row in x.chunks_exact(cols) {
        let row: Vec<f64> = row
            .chunks(256)
            .map(integers)
            .flat_map(|(scale, row)| row.into_iter().map(move |x| x as f64 * f64::from(scale)))
            .collect();
        for weights in &weights {
            let mut sum = Sum::default();
            row.iter().zip(weights).for_each(|(x, weight)| sum.add(x * weight));
            out.push(sum);
        }
    }
    out
}

fn fast(x: &[f32], weight: &Matrix) -> Vec<f32> {
    let rows = Rows::new(x, weight.cols());
    product(&[Term { rows: &rows, weight: weight.into() }], None, Arithmetic::Fast)
}

fn check(x: &[f32], weight: &Matrix, what: &str) {
    let _turn = alone();
    let widest = cpu::path();
    for path in Path::available() {
        cpu::limit(path);
        let found = fast(x, weight);
        let expected = slow(path, x, weight);
        assert_eq!(found.len(), expected.len());
        for (index, (found, expected)) in found.into_iter().zip(expected).enumerate() {
            expected.check(found, &format!("{what} {path:?}, number {index}"));
        }
    }
    cpu::limit(widest);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Few rows and many, tails of rows, outputs, blocks and groups, rows and blocks that begin anywhere.
    #[test]
    fn whole_numbers_are_multiplied_as_they_are_rounded(
        m in prop_oneof![1usize..9, 9usize..40],
        n in prop_oneof![Just(1usize), 2usize..34, 60usize..100],
        groups in 0usize..3,
        tail in 0usize..8,
        shift in 0usize..16,
        seed in 0u64..1000,
    ) {
        for quant in Quant::ALL {
            let block = quant.block_elements();
            let cols = (256 * groups + 32 * tail).max(1).next_multiple_of(block);
            let weight = moved(&blocks(quant, n, cols), quant, shift);
            let x = Shifted::new(&numbers(m * cols, seed), shift);
            check(x.values(), &weight, &format!("{m}×{n}×{cols} {quant:?}"));
        }
    }

    /// As above, for bfloat16, whose rows have any length.
    #[test]
    fn bfloat16_is_multiplied_as_it_is_rounded(
        m in prop_oneof![1usize..9, 9usize..40],
        n in prop_oneof![Just(1usize), 2usize..34, 60usize..100],
        cols in prop_oneof![1usize..33, 100usize..400],
        shift in 0usize..16,
        seed in 0u64..1000,
    ) {
        if Path::Avx512Bf16.is_available() {
            let _turn = alone();
            let ([weight, ..], x) = (dense(n, cols), numbers(m * cols, seed));
            let mut weights = vec![0f32; n * cols];
            weight.widen(0..n, &mut weights);
            let usual = cpu::path();
            cpu::limit(Path::Avx512Bf16); // which not every processor that has it takes by itself
            let found = fast(Shifted::new(&x, shift).values(), &weight);
            cpu::limit(usual);
            for (row, x) in x.chunks_exact(cols).enumerate() {
                for (output, weights) in weights.chunks_exact(cols).enumerate() {
                    let mut sum = Sum::default();
                    for (x, weight) in x.iter().zip(weights) {
                        sum.add(bf16::from_f32(*x).to_f64() * f64::from(*weight));
                    }
                    sum.check(found[row * n + output], &format!("{m}×{n}×{cols}"));
                }
            }
        }
    }
}

/// The same blocks, starting `by` bytes behind the start of a mapped file.
fn moved(weight: &Matrix, quant: Quant, by: usize) -> Matrix {
    let (_, bytes) = weight.as_blocks().expect("blocks");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blocks");
    std::fs::write(&path, [&vec![0xFF; by][..], bytes, &[0xFF; 3]].concat()).unwrap();
    let file = std::sync::Arc::new(ixc_kernels::MappedFile::open(&path).unwrap());
    let buffer = Buffer::mapped(file, by..by + bytes.len(), 1);
    assert!(buffer.is_mapped());
    Matrix::blocks(quant, weight.rows(), weight.cols(), buffer)
}

/// One number of each kind that float32 has, over and over.
fn odd(count: usize) -> Vec<f32> {
    let kinds = [
        0.0,
        -0.0,
        1.0,
        f32::MAX,
        -f32::MAX,
        f32::MIN_POSITIVE,
        -1e-42,
        1e-45,
        1e-38,
        -3e38,
        1e-30,
        127.5,
    ];
    kinds.into_iter().cycle().take(count).collect()
}

#[test]
fn the_largest_and_the_least_numbers_are_multiplied_too() {
    for quant in Quant::ALL {
        let cols = 512;
        let weight = blocks(quant, 40, cols);
        for m in [3, 8, 20] {
            let mut x = odd(m * cols);
            x[..cols].fill(f32::MIN_POSITIVE); // a scale without an inverse
            x[cols..2 * cols].fill(-0.0);
            x[2 * cols..3 * cols].fill(f32::MAX);
            check(&x, &weight, &format!("{m} rows, {quant:?}"));
        }
    }
}

/// Codes and scales at their ends, and blocks whose scales are denormal, 0 or the largest.
#[test]
fn blocks_of_extreme_scales_are_multiplied_too() {
    let scales: [u16; 6] = [0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF];
    for quant in Quant::ALL {
        for fill in [0x00u8, 0xFF, 0x80, 0x7F, 0x88] {
            let (n, cols) = (35, 512);
            let mut bytes = vec![fill; n * quant.row_bytes(cols)];
            for (index, block) in bytes.chunks_exact_mut(quant.block_bytes()).enumerate() {
                let scale = scales[index % scales.len()].to_le_bytes();
                let at = if quant == Quant::Q6K { 208 } else { 0 };
                block[at..at + 2].copy_from_slice(&scale);
                if quant == Quant::Q4K {
                    block[2..4].copy_from_slice(&scales[index / 2 % scales.len()].to_le_bytes());
                }
            }
            let weight = Matrix::blocks(quant, n, cols, Buffer::copied(&bytes));
            for m in [2, 13] {
                check(&numbers(m * cols, 7), &weight, &format!("{quant:?} of {fill:#x}"));
            }
        }
    }
}

/// What is not a number stays none, in the rows and outputs it belongs to and in no other.
#[test]
fn what_is_not_finite_spoils_its_own_row_and_output_alone() {
    let _turn = alone();
    let widest = cpu::path();
    let (n, cols) = (70, 512);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let scale = half::f16::from_f32(bad).to_le_bytes();
        for quant in Quant::ALL {
            let sound = blocks(quant, n, cols);
            let mut bytes = sound.as_blocks().unwrap().1.to_vec();
            // The last block of output 33.
            let at = 34 * quant.row_bytes(cols) - quant.block_bytes();
            let at = at + if quant == Quant::Q6K { 208 } else { 0 };
            bytes[at..at + 2].copy_from_slice(&scale);
            let spoiled = Matrix::blocks(quant, n, cols, Buffer::copied(&bytes));
            for (m, path) in
                [3, 20].into_iter().flat_map(|m| Path::available().map(move |p| (m, p)))
            {
                cpu::limit(path);
                let what = format!("{quant:?} {path:?} {m} rows {bad}");
                let x = numbers(m * cols, 3);
                for (index, found) in fast(&x, &spoiled).into_iter().enumerate() {
                    assert_eq!(found.is_finite(), index % n != 33, "{what}: weight, {index}");
                }
                for place in [0, 255, 256, 300] {
                    let mut x = x.clone();
                    x[cols + place] = bad;
                    for (index, found) in fast(&x, &sound).into_iter().enumerate() {
                        let own = index / n == 1;
                        // An output may have only zeros there, and infinity would not show by itself.
                        assert!(if own { !found.is_finite() } else { found.is_finite() }, "{what}");
                    }
                }
            }
        }
    }
    cpu::limit(widest);
}

/// A gate's halves over terms of several matrices, with tails of everything.
#[test]
fn gates_are_multiplied_as_they_are_rounded() {
    let _turn = alone();
    let widest = cpu::path();
    for (m, n) in [(1, 1), (5, 33), (9, 1), (13, 31), (25, 65)] {
        let (gate, up, joined) =
            (blocks(Quant::Q4K, n, 512), blocks(Quant::Q6K, n, 512), blocks(Quant::Q8_0, n, 288));
        let (x, y) = (numbers(m * 512, 1), numbers(m * 288, 2));
        let (of_x, of_y) = (Rows::new(&x, 512), Rows::new(&y, 288));
        for path in Path::available() {
            cpu::limit(path);
            let found = gated(
                &[
                    Term { rows: &of_x, weight: (&gate).into() },
                    Term { rows: &of_y, weight: (&joined).into() },
                ],
                &[Term { rows: &of_x, weight: (&up).into() }],
                Arithmetic::Fast,
            );
            let (gates, ups) = (slow(path, &x, &gate), slow(path, &x, &up));
            let joined = slow(path, &y, &joined);
            for (index, found) in found.into_iter().enumerate() {
                let gate = gates[index].value + joined[index].value;
                let expected = gate / (1.0 + (-gate).exp()) * ups[index].value;
                let size = gates[index].size + joined[index].size + ups[index].size;
                let tolerance = 1e-5 * (1.0 + size) * (1.0 + ups[index].value.abs());
                let off = (f64::from(found) - expected).abs();
                assert!(off <= tolerance, "{m}×{n} {path:?} {index}: {found} for {expected}");
            }
        }
    }
    cpu::limit(widest);
}

#[test]
fn no_rows_give_no_numbers() {
    for weight in dense(40, 256).into_iter().chain([blocks(Quant::Q4K, 40, 256)]) {
        assert!(fast(&[], &weight).is_empty());
    }
}
