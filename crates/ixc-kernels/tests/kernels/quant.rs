//! Quantised blocks: reading them against a slow twin, one number at a time.

use half::f16;
use ixc_kernels::{Buffer, Matrix, Quant, pool, quant::LARGEST};
use proptest::prelude::*;

use crate::{alone, same};

fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Number `index` of a block, straight from the layout's description.
fn number(quant: Quant, block: &[u8], index: usize) -> f32 {
    let nibble = |byte: u8, high: bool| i32::from(if high { byte >> 4 } else { byte & 15 });
    match quant {
        Quant::Q4_0 => half(block, 0) * (nibble(block[2 + index % 16], index >= 16) - 8) as f32,
        Quant::Q8_0 => half(block, 0) * f32::from(block[2 + index] as i8),
        Quant::Q4K => {
            let sub = index / 32;
            let packed = &block[4..16];
            let (scale, min) = if sub < 4 {
                (packed[sub] & 63, packed[sub + 4] & 63)
            } else {
                (
                    (packed[sub + 4] & 15) + 16 * (packed[sub - 4] >> 6),
                    (packed[sub + 4] >> 4) + 16 * (packed[sub] >> 6),
                )
            };
            let q = nibble(block[16 + index / 64 * 32 + index % 32], sub % 2 == 1);
            half(block, 0) * f32::from(scale) * q as f32 - half(block, 2) * f32::from(min)
        }
        Quant::Q6K => {
            let (part, run, lane) = (index / 128, index % 128 / 32, index % 32);
            let low = nibble(block[64 * part + 32 * (run % 2) + lane], run >= 2);
            let high = i32::from(block[128 + 32 * part + lane] >> (2 * run) & 3);
            let scale = half(block, 208) * f32::from(block[192 + index / 16] as i8);
            scale * (low + 16 * high - 32) as f32
        }
    }
}

proptest! {
    /// Any bytes at all are blocks: reading equals the twin, through the type and through a matrix.
    #[test]
    fn reading_equals_the_twin(bytes in prop::collection::vec(any::<u8>(), 4 * 210)) {
        for quant in Quant::ALL {
            let blocks = &bytes[..4 * quant.block_bytes()];
            let cols = 2 * quant.block_elements();
            let mut read = vec![0f32; 2 * cols];
            quant.dequantise(blocks, &mut read);
            for (index, &value) in read.iter().enumerate() {
                let block = &blocks[index / quant.block_elements() * quant.block_bytes()..];
                let twin = number(quant, block, index % quant.block_elements());
                prop_assert!(same(value, twin), "{quant:?} {index}: {value} for {twin}");
            }
            let matrix = Matrix::blocks(quant, 2, cols, Buffer::copied(blocks));
            let mut last = vec![0f32; cols];
            matrix.widen(1..2, &mut last);
            prop_assert!(last.iter().zip(&read[cols..]).all(|(a, b)| same(*a, *b)));
            prop_assert_eq!(matrix.bytes(), blocks.len());
            prop_assert_eq!(matrix.precision(), quant.name());
        }
    }
}

/// Numbers of a bell curve, as weights are: sums of twelve even ones.
fn bell(count: usize, seed: u64) -> Vec<f32> {
    let even = crate::numbers(count * 12, seed);
    even.chunks(12).map(|part| part.iter().sum::<f32>() * 0.01).collect()
}

fn quantised(quant: Quant, x: &[f32], importance: Option<&[f32]>) -> (Vec<u8>, Vec<f32>, f64) {
    let mut blocks = vec![0u8; quant.row_bytes(x.len())];
    let loss = quant.quantise(x, x.len(), importance, &mut blocks).unwrap();
    let mut back = vec![0f32; x.len()];
    quant.dequantise(&blocks, &mut back);
    (blocks, back, loss.relative())
}

/// The table of reconstruction errors: relative root mean square, on a bell curve and on one with outliers.
#[test]
fn the_loss_of_each_type_is_what_its_bits_allow() {
    let plain = bell(256 * 512, 3);
    let mut outliers = plain.clone();
    for value in outliers.iter_mut().step_by(97) {
        *value *= 8.0;
    }
    for (quant, most, most_outliers) in [
        (Quant::Q8_0, 0.0054, 0.0090),
        (Quant::Q6K, 0.0166, 0.0254),
        (Quant::Q4K, 0.0695, 0.0880),
        (Quant::Q4_0, 0.0805, 0.1360),
    ] {
        let (.., loss) = quantised(quant, &plain, None);
        let (.., loss_outliers) = quantised(quant, &outliers, None);
        println!("{:5} {loss:.5} {loss_outliers:.5}", quant.name());
        assert!(loss < most && loss_outliers < most_outliers, "{quant:?} {loss} {loss_outliers}");
    }
}

/// Half a step of the coarsest grid that a type may give a block, as a fraction of its largest magnitude:
/// with room for scales that are rounded themselves.
fn reach(quant: Quant) -> f32 {
    match quant {
        Quant::Q8_0 => 0.5 / 127.0 * 1.01,
        Quant::Q6K => 0.06,
        Quant::Q4K | Quant::Q4_0 => 0.35,
    }
}

proptest! {
    /// Whatever the magnitudes, every number comes back near itself, and the loss that is told is the loss.
    #[test]
    fn numbers_come_back(
        cells in prop::collection::vec((-1f32..1.0, -40i32..19), 256),
        blocks in 1usize..4,
    ) {
        let x: Vec<f32> = (0..blocks)
            .flat_map(|block| cells.iter().map(move |(m, e)| m * ((e - block as i32) as f32).exp2()))
            .collect();
        for quant in Quant::ALL {
            let (_, back, told) = quantised(quant, &x, None);
            let size = quant.block_elements();
            for (x, back) in x.chunks(size).zip(back.chunks(size)) {
                let largest = x.iter().fold(0f32, |m, x| m.max(x.abs()));
                // Scales are f16: below its least number nothing is told apart.
                let allowed = reach(quant) * largest + 256.0 * 6e-8;
                for (x, back) in x.iter().zip(back) {
                    prop_assert!((x - back).abs() <= allowed, "{quant:?}: {x} became {back} of {largest}");
                }
            }
            let error: f64 = x.iter().zip(&back).map(|(x, b)| f64::from(b - x).powi(2)).sum();
            let energy: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
            prop_assert!((told - (error / energy.max(1e-300)).sqrt()).abs() < 1e-6);
        }
    }
}

#[test]
fn plain_rows_come_back_as_they_are() {
    for quant in Quant::ALL {
        let back = |x: &[f32]| quantised(quant, x, None).1;
        assert_eq!(back(&[0.0; 256]), [0.0; 256], "{quant:?}");
        for value in [1.0f32, -1.0, 0.5, -4096.0] {
            for found in back(&[value; 256]) {
                assert!(
                    (found - value).abs() <= 1e-3 * value.abs(),
                    "{quant:?}: {value} became {found}"
                );
            }
        }
        let mut extremes = [LARGEST; 256];
        extremes.iter_mut().step_by(2).for_each(|x| *x = -LARGEST);
        for (x, found) in extremes.iter().zip(back(&extremes)) {
            let off = (found - x).abs() / LARGEST;
            assert!(off <= 0.08, "{quant:?}: {x} became {found}");
        }
        let denormals: Vec<f32> = (0..256).map(|bits| f32::from_bits(bits * 31)).collect();
        assert!(back(&denormals).iter().all(|value| value.abs() < 1e-6), "{quant:?}");
    }
}

#[test]
fn what_cannot_be_quantised_is_named() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2.0 * LARGEST, f32::MAX] {
        for quant in Quant::ALL {
            let mut rows = bell(3 * 512, 5);
            rows[2 * 512 + 77] = value;
            let mut out = vec![0; 3 * quant.row_bytes(512)];
            let fault = quant.quantise(&rows, 512, None, &mut out).unwrap_err();
            assert_eq!((fault.row, fault.col), (2, 77));
            assert!(fault.value.to_bits() == value.to_bits());
        }
    }
}

/// What inputs matter more lose less; where none matters, all do alike.
#[test]
fn importance_moves_the_loss() {
    let x = bell(256 * 64, 9);
    let importance: Vec<f32> = (0..x.len()).map(|i| if i % 5 == 0 { 50.0 } else { 1.0 }).collect();
    let weighted = |back: &[f32]| -> f64 {
        let off = x.iter().zip(back).zip(&importance);
        off.map(|((x, back), w)| f64::from(w * (x - back) * (x - back))).sum()
    };
    for quant in [Quant::Q4_0, Quant::Q4K, Quant::Q6K] {
        let (plain, back, _) = quantised(quant, &x, None);
        let (_, led, _) = quantised(quant, &x, Some(&importance));
        assert!(weighted(&led) < 0.9 * weighted(&back), "{quant:?}");
        assert_eq!(quantised(quant, &x, Some(&vec![0.0; x.len()])).0, plain, "{quant:?}");
    }
}

/// Rows in any number, on any number of threads, are packed alike; also where groups of blocks end early.
#[test]
fn rows_are_packed_alike_however_they_are_shared() {
    let _turn = alone();
    let threads = pool::threads();
    for quant in Quant::ALL {
        let cols = if quant.block_elements() == 32 { 32 * 21 } else { 256 * 3 };
        let rows = bell(cols * 150, 1);
        let bytes = quant.row_bytes(cols);
        let mut all = vec![0; 150 * bytes];
        quant.quantise(&rows, cols, None, &mut all).unwrap();
        pool::set_threads(1);
        let mut again = vec![0; 150 * bytes];
        quant.quantise(&rows, cols, None, &mut again).unwrap();
        pool::set_threads(threads);
        assert_eq!(all, again);
        for row in [0, 77, 149] {
            let mut alone = vec![0; bytes];
            quant.quantise(&rows[row * cols..][..cols], cols, None, &mut alone).unwrap();
            assert_eq!(alone, all[row * bytes..][..bytes], "{quant:?}");
        }
    }
}
