//! From one number type to another, over plain bytes.
//!
//! Widening to float32 is exact; narrowing rounds to nearest even and counts the finite numbers that
//! became infinite. Bytes need no alignment on the way in. Deliberately absent: types that no weight is
//! computed in, and the way from numbers to quantised blocks.

use half::{
    f16,
    slice::{HalfBitsSliceExt, HalfFloatSliceExt},
};
use ixc_kernels::matrix::round_to_bf16;
use rayon::prelude::*;

use super::StoredType;

/// Numbers that one thread converts at a time: its float32 copy stays in the second-level cache.
const BLOCK: usize = 16_384;

/// Finite numbers that the narrower type cannot hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Overflow {
    pub(super) count: usize,
    /// The largest magnitude among them.
    pub(super) largest: f32,
}

impl Overflow {
    pub(super) fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, largest: self.largest.max(other.largest) }
    }
}

/// The float32 that stored floats stand for; `out` holds as many.
pub(super) fn widen(from: StoredType, bytes: &[u8], out: &mut [f32]) {
    debug_assert_eq!(from.numbers(bytes.len()), out.len());
    out.par_chunks_mut(BLOCK)
        .zip(bytes.par_chunks(BLOCK / from.block() * from.size()))
        .for_each(|(out, bytes)| widen_block(from, bytes, out));
}

/// Stored floats in another type, `out` being the bytes of as many of those.
pub(super) fn convert(from: StoredType, bytes: &[u8], to: StoredType, out: &mut [u8]) -> Overflow {
    if to == StoredType::F32 {
        widen(from, bytes, bytemuck::cast_slice_mut(out));
        return Overflow::default();
    }
    out.par_chunks_mut(BLOCK * to.size())
        .zip(bytes.par_chunks(BLOCK / from.block() * from.size()))
        .map_init(
            || vec![0f32; BLOCK],
            |wide, (out, bytes)| {
                let wide = &mut wide[..from.numbers(bytes.len())];
                widen_block(from, bytes, wide);
                narrow_block(wide, to, bytemuck::cast_slice_mut(out))
            },
        )
        .reduce(Overflow::default, Overflow::and)
}

fn widen_block(from: StoredType, bytes: &[u8], out: &mut [f32]) {
    match from {
        StoredType::F32 => {
            for (out, &bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *out = f32::from_le_bytes(bytes);
            }
        }
        StoredType::Bf16 => {
            for (out, &bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *out = f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16);
            }
        }
        StoredType::F16 => {
            const STEP: usize = 512; // the half crate converts aligned slices with the processor's own instructions
            let mut bits = [0u16; STEP];
            for (out, bytes) in out.chunks_mut(STEP).zip(bytes.chunks(2 * STEP)) {
                let bits = &mut bits[..out.len()];
                for (bits, &bytes) in bits.iter_mut().zip(bytes.as_chunks().0) {
                    *bits = u16::from_le_bytes(bytes);
                }
                bits.reinterpret_cast::<f16>().convert_to_f32_slice(out);
            }
        }
        other => match other.quant() {
            Some(quant) => quant.dequantise(bytes, out),
            None => unreachable!("callers ask for floats only"),
        },
    }
}

/// Rounds float32 to bfloat16 or float16.
pub(super) fn narrow_block(wide: &[f32], to: StoredType, out: &mut [u16]) -> Overflow {
    let infinity = match to {
        StoredType::Bf16 => {
            round_to_bf16(wide, out);
            0x7f80
        }
        StoredType::F16 => {
            out.reinterpret_cast_mut::<f16>().convert_from_f32_slice(wide);
            0x7c00
        }
        _ => unreachable!("callers narrow to half precision only"),
    };
    let mut overflow = Overflow::default();
    for (&wide, &out) in wide.iter().zip(out.iter()) {
        if out & 0x7fff == infinity && wide.is_finite() {
            overflow = overflow.and(Overflow { count: 1, largest: wide.abs() });
        }
    }
    overflow
}

/// How many stored floats are infinite or not numbers.
pub(super) fn count_non_finite(from: StoredType, bytes: &[u8]) -> usize {
    // All ones in the exponent, whatever the sign and the fraction.
    let special = |bytes: &[u8]| match from {
        StoredType::F64 => {
            bytes.as_chunks().0.iter().filter(|&&b| !f64::from_le_bytes(b).is_finite()).count()
        }
        StoredType::F32 => {
            bytes.as_chunks().0.iter().filter(|&&b| !f32::from_le_bytes(b).is_finite()).count()
        }
        StoredType::Bf16 => {
            bytes.as_chunks().0.iter().filter(|&&b| !u16::from_le_bytes(b) & 0x7f80 == 0).count()
        }
        StoredType::F16 => {
            bytes.as_chunks().0.iter().filter(|&&b| !u16::from_le_bytes(b) & 0x7c00 == 0).count()
        }
        other => other.quant().map_or(0, |quant| {
            let mut wide = vec![0f32; other.numbers(bytes.len())];
            quant.dequantise(bytes, &mut wide);
            wide.iter().filter(|value| !value.is_finite()).count()
        }),
    };
    bytes.par_chunks(BLOCK / from.block() * from.size()).map(special).sum()
}

/// Writes a strided tensor row by row. `source` starts at its first number and holds its last one;
/// strides count numbers of `size` bytes.
pub(super) fn gather(
    source: &[u8],
    shape: &[usize],
    strides: &[usize],
    size: usize,
    out: &mut [u8],
) {
    let mut index = vec![0usize; shape.len()];
    let mut at = 0;
    for out in out.chunks_exact_mut(size) {
        out.copy_from_slice(&source[at * size..][..size]);
        // The next index, fastest axis last; an axis that is through goes back to its start.
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                at += strides[axis];
                break;
            }
            at -= (index[axis] - 1) * strides[axis];
            index[axis] = 0;
        }
    }
}
