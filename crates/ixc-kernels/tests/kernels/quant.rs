//! Quantised blocks: reading them against a slow twin, one number at a time.

use half::f16;
use ixc_kernels::{Buffer, Matrix, Quant};
use proptest::prelude::*;

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

fn same(left: f32, right: f32) -> bool {
    left.to_bits() == right.to_bits() || left.is_nan() && right.is_nan()
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
