//! Every processor path of the integer kernels against the plain one, over random and adversarial numbers.
//!
//! Shapes have tails, weights start anywhere in memory, codes and scales are as extreme as a file can hold.

use half::f16;
use ixc_kernels::{
    Buffer, Matrix, Quant,
    cpu::Path,
    product::{
        dot,
        panel::Panel,
        rows::Rows,
        tile::{self, GROUP_WORDS, Lane, Left, PANEL, STRIP, Strip, TILE_ROWS},
    },
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::numbers;

/// What the bytes of codes (and of the small scales among them) are.
#[derive(Clone, Copy, Debug)]
enum Codes {
    /// Anything.
    Any(u64),
    /// The same byte everywhere.
    All(u8),
    /// Least and greatest in turn.
    Extremes,
}

fn codes() -> impl Strategy<Value = Codes> {
    prop_oneof![
        4 => (0u64..1 << 32).prop_map(Codes::Any),
        2 => select(vec![0x00, 0xFF, 0x80, 0x7F, 0x88]).prop_map(Codes::All),
        1 => Just(Codes::Extremes),
    ]
}

impl Codes {
    fn bytes(self, count: usize) -> Vec<u8> {
        match self {
            Self::Any(seed) => {
                numbers(count, seed).iter().map(|value| ((value + 1.0) * 127.9) as u8).collect()
            }
            Self::All(byte) => vec![byte; count],
            Self::Extremes => (0..count).map(|i| [0x80, 0x7F, 0xFF][i % 3]).collect(),
        }
    }
}

/// float16 scales as files may hold them: of either sign, zeros, denormals.
fn sound_scale() -> impl Strategy<Value = f16> {
    prop_oneof![
        6 => (1e-3f32..0.1).prop_map(f16::from_f32),
        2 => (1e-3f32..0.1).prop_map(|scale| f16::from_f32(-scale)),
        1 => Just(f16::ZERO),
        1 => (1u16..0x400).prop_map(f16::from_bits),
        1 => Just(f16::MAX),
    ]
}

/// And as none should.
fn any_scale() -> impl Strategy<Value = f16> {
    prop_oneof![6 => sound_scale(), 1 => select(vec![f16::NAN, f16::INFINITY, f16::NEG_INFINITY])]
}

/// Where a block has its float16 numbers.
fn halves(quant: Quant) -> &'static [usize] {
    match quant {
        Quant::Q4_0 | Quant::Q8_0 => &[0],
        Quant::Q4K => &[0, 2],
        Quant::Q6K => &[208],
    }
}

/// Blocks with these codes and scales, the scales one after the other.
fn blocks(quant: Quant, count: usize, codes: Codes, scales: &[f16]) -> Vec<u8> {
    let mut bytes = codes.bytes(count * quant.block_bytes());
    let mut scales = scales.iter().cycle();
    for block in bytes.chunks_exact_mut(quant.block_bytes()) {
        for &at in halves(quant) {
            block[at..at + 2].copy_from_slice(&scales.next().unwrap().to_le_bytes());
        }
    }
    bytes
}

fn widened(quant: Quant, blocks: &[u8]) -> Vec<f32> {
    let mut out = vec![0f32; blocks.len() / quant.block_bytes() * quant.block_elements()];
    quant.dequantise(blocks, &mut out);
    out
}

/// For each input the magnitude of what is added up: more than the weight's own where a minimum is taken
/// off.
fn magnitudes(quant: Quant, blocks: &[u8]) -> Vec<f64> {
    let mut sum = vec![0f64; blocks.len() / quant.block_bytes() * quant.block_elements()];
    for &kept in halves(quant) {
        let mut part = blocks.to_vec();
        for block in part.chunks_exact_mut(quant.block_bytes()) {
            halves(quant)
                .iter()
                .filter(|&&at| at != kept)
                .for_each(|&at| block[at..at + 2].fill(0));
        }
        for (sum, part) in sum.iter_mut().zip(widened(quant, &part)) {
            *sum += f64::from(part.abs());
        }
    }
    sum
}

/// Rows of activations; after quantisation 127 and −127 are among them.
fn activations(kind: usize, rows: usize, cols: usize, seed: u64) -> Vec<f32> {
    let mut x = numbers(rows * cols, seed);
    match kind {
        0 => {}
        1 => x.fill(1.0),
        2 => x.fill(-1.0),
        3 => x.iter_mut().enumerate().for_each(|(i, x)| *x = if i % 2 == 0 { 3.0 } else { -3.0 }),
        4 => x.iter_mut().for_each(|x| *x *= 1e-30),
        _ => x.iter_mut().for_each(|x| *x = if x.abs() < 0.9 { 0.0 } else { 1e4 * *x }),
    }
    x
}

/// Holds one row of weights on every path to the plain form, and rows together to rows alone.
fn check_dot(quant: Quant, weights: &[u8], x: &[f32]) -> Result<(), TestCaseError> {
    let cols = weights.len() / quant.block_bytes() * quant.block_elements();
    let rows = Rows::new(x, cols);
    let plain = dot::output(Path::Portable, quant, weights, &rows);
    let magnitudes = magnitudes(quant, weights);
    let products =
        |x: &[f32]| -> f64 { x.iter().zip(&magnitudes).map(|(x, w)| f64::from(x.abs()) * w).sum() };
    for path in Path::available() {
        let found = dot::output(path, quant, weights, &rows);
        for ((&found, &plain), x) in found.iter().zip(&plain).zip(x.chunks_exact(cols)) {
            if plain.is_finite() {
                let off = f64::from((found - plain).abs());
                let size = products(x);
                prop_assert!(off <= 1e-5 * size, "{path:?}: {found}, {plain} of {size}");
            } else {
                prop_assert!(!found.is_finite(), "{path:?}: {found}, {plain}");
            }
            let alone = dot::output(path, quant, weights, &Rows::new(x, cols))[0];
            prop_assert!(alone.to_bits() == found.to_bits() || alone.is_nan() && found.is_nan());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn dot_products_equal_the_plain_form(
        quant in select(Quant::ALL.to_vec()),
        inputs in 1usize..1800,
        rows in 1usize..9,
        codes in codes(),
        scales in vec(any_scale(), 1..6),
        (kind, seed) in (0usize..6, 0u64..1000),
        misaligned in 0usize..16,
    ) {
        let count = inputs.div_ceil(quant.block_elements());
        let blocks = blocks(quant, count, codes, &scales);
        let memory = [&vec![0; misaligned], &blocks[..]].concat();
        let x = activations(kind, rows, count * quant.block_elements(), seed);
        check_dot(quant, &memory[misaligned..], &x)?;
    }

    #[test]
    fn a_tile_equals_the_plain_form_bit_for_bit(
        extremes in any::<bool>(),
        rows in 1..=TILE_ROWS,
        seed in 0u64..1 << 32,
        scales in vec(any_scale(), 7),
    ) {
        let byte = |value: f32, i: usize| match extremes {
            true => [-127i8, 127][i % 2],
            false => (value * 127.4) as i8,
        };
        let x: Vec<i8> = numbers(GROUP_WORDS * TILE_ROWS * 4, seed)
            .into_iter().enumerate().map(|(i, value)| byte(value, i / 8)).collect();
        let codes = if extremes { Codes::Extremes } else { Codes::Any(seed + 1) };
        let w = codes.bytes(GROUP_WORDS * STRIP * 4);
        let words = |bytes: &[u8]| -> Vec<i32> {
            bytes.as_chunks().0.iter().map(|word| i32::from_le_bytes(*word)).collect()
        };
        let x_bytes: Vec<u8> = x.iter().map(|&x| x as u8).collect();
        let (x_words, w_words) = (words(&x_bytes), words(&w));
        let mut start = [0i32; TILE_ROWS];
        for (i, word) in x.as_chunks::<4>().0.iter().enumerate() {
            start[i % TILE_ROWS] -= 128 * word.iter().map(|&x| i32::from(x)).sum::<i32>();
        }
        let scale = |i: usize| scales[i % 7].to_f32();
        let (left_scales, strip_scales): (Vec<f32>, Vec<f32>) =
            ((0..TILE_ROWS).map(|i| scale(i + 3)).collect(), (0..STRIP).map(scale).collect());
        let left = Left { rows, words: &x_words, scales: &left_scales, start: &start };
        let strip = Strip { lane: Lane::Int8, words: &w_words, scales: &strip_scales };
        let before = numbers(TILE_ROWS * PANEL, seed + 2);
        let mut plain = before.clone();
        tile::run(Path::Portable, &left, &strip, &mut plain);
        for path in Path::available() {
            let mut found = before.clone();
            tile::run(path, &left, &strip, &mut found);
            for (found, plain) in found.iter().zip(&plain).take(rows * PANEL) {
                let same = found.to_bits() == plain.to_bits() || found.is_nan() && plain.is_nan();
                prop_assert!(same, "{path:?}: {found}, {plain}");
            }
        }
    }

    #[test]
    fn a_panel_stands_for_its_weights(
        quant in select(Quant::ALL.to_vec()),
        inputs in 1usize..800,
        (outputs, first, half) in (1usize..40, 0usize..40, 0usize..PANEL / STRIP),
        codes in codes(),
        scales in vec(any_scale(), 1..8),
    ) {
        let cols = inputs.next_multiple_of(quant.block_elements());
        let count = outputs * (cols / quant.block_elements());
        let bytes = blocks(quant, count, codes, &scales);
        let exact = widened(quant, &bytes);
        let weight = Matrix::blocks(quant, outputs, cols, Buffer::copied(&bytes));
        let first = first.min(outputs - 1);
        let taken = first..(first + STRIP).min(outputs);
        for path in Path::available() {
            let mut panel = Panel::default();
            for group in 0..cols.div_ceil(256) {
                panel.fill(half, path, Lane::Int8, (&weight).into(), taken.clone(), group);
                let strip = panel.strip(half);
                prop_assert!(strip.scales[taken.len()..].iter().all(|scale| *scale == 0.0));
                for (column, output) in taken.clone().enumerate() {
                    let start = output * cols + 256 * group;
                    let exact = &exact[start..output * cols + (256 * (group + 1)).min(cols)];
                    check_column(&strip, column, exact, path)?;
                }
            }
        }
    }
}

/// One output of a strip against the numbers it stands for.
fn check_column(
    strip: &Strip,
    column: usize,
    exact: &[f32],
    path: Path,
) -> Result<(), TestCaseError> {
    let scale = strip.scales[column];
    if exact.iter().any(|value| !value.is_finite()) {
        prop_assert!(!scale.is_finite(), "{path:?}: {scale}");
        return Ok(());
    }
    prop_assert_eq!(strip.words.len() / STRIP, exact.len().div_ceil(4));
    for input in 0..strip.words.len() / STRIP * 4 {
        let word = strip.words[input / 4 * STRIP + column].to_le_bytes();
        let found = (i32::from(word[input % 4]) - 128) as f32 * scale;
        let expected = exact.get(input).copied().unwrap_or(0.0);
        // Half a step, and what 16-bit ratios round; 128, which 8 bits have for negative scales alone, is a
        // step from 127.
        let steps = if expected >= 127.5 * scale { 1.02 } else { 0.52 };
        let off = (found - expected).abs();
        prop_assert!(off <= steps * scale.abs() + 1e-9, "{path:?}: {found}, {expected}");
    }
    Ok(())
}

#[test]
fn weights_of_zero_give_zero() {
    let x = numbers(512, 1);
    for path in Path::available() {
        for (quant, codes) in [(Quant::Q4_0, 0x88), (Quant::Q8_0, 0)] {
            let blocks = blocks(quant, 16, Codes::All(codes), &[f16::ONE]);
            let found = dot::output(path, quant, &blocks, &Rows::new(&x, 512));
            assert_eq!(found, [0.0], "{quant:?} {path:?}");
        }
        // 32 is the middle of six bits: high pairs of 2, low nibbles of 0.
        let mut blocks = blocks(Quant::Q6K, 2, Codes::All(0), &[f16::ONE]);
        for block in blocks.chunks_exact_mut(210) {
            block[128..192].fill(0xAA);
            block[192..208].fill(0x80);
        }
        let found = dot::output(path, Quant::Q6K, &blocks, &Rows::new(&x, 512));
        assert_eq!(found, [0.0], "{path:?}");
    }
}

#[test]
fn activations_that_are_no_numbers_reach_their_products_alone() {
    let blocks = blocks(Quant::Q4K, 4, Codes::Any(3), &[f16::ONE, f16::ONE]);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = numbers(3 * 1024, 2);
        x[1024 + 300] = value;
        for path in Path::available() {
            let found = dot::output(path, Quant::Q4K, &blocks, &Rows::new(&x, 1024));
            let finite = found.iter().map(|value| value.is_finite());
            assert!(finite.eq([true, false, true]), "{path:?}: {found:?}");
        }
    }
}
