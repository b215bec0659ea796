//! Dot products with Arm's vectors: 16 inputs an instruction, in the order of the file.
//!
//! Both sides are signed. `sdot` sums four products in 32 bits; processors without it sum two in 16 bits,
//! which they fit: activations are from −127 to 127, codes at least −128, so two products are at most
//! 2 · 128 · 127 = 32512 of 32767. Which inputs make up a part of a sum then differs, which integers do not
//! mind. Deliberately absent: asking for weights ahead.

use std::arch::aarch64::*;

use half::f16;

use super::{Row, scales_and_minima};
use crate::{Quant, neon::sdot};

/// Whole groups of one row of weights against some rows.
///
/// # Safety
/// The processor has the instructions; the rows are as long as the weights.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn groups_dotprod<const R: usize>(
    quant: Quant,
    weights: &[u8],
    rows: &[Row; R],
) -> [f32; R] {
    // SAFETY: the caller's promise.
    unsafe { of_type::<R, true>(quant, weights, rows) }
}

/// As [`groups_dotprod`], without `sdot`.
///
/// # Safety
/// As there.
#[target_feature(enable = "neon")]
pub(super) unsafe fn groups<const R: usize>(
    quant: Quant,
    weights: &[u8],
    rows: &[Row; R],
) -> [f32; R] {
    // SAFETY: the caller's promise.
    unsafe { of_type::<R, false>(quant, weights, rows) }
}

/// Part of its two callers, and so compiled for either's instructions; as is all that it calls.
///
/// # Safety
/// Theirs; the processor has `sdot` where `SDOT` says so.
#[inline(always)]
unsafe fn of_type<const R: usize, const SDOT: bool>(
    quant: Quant,
    weights: &[u8],
    rows: &[Row; R],
) -> [f32; R] {
    // SAFETY: the caller's promise.
    unsafe {
        match quant {
            Quant::Q4K => q4_k::<R, SDOT>(weights, rows),
            Quant::Q6K => q6_k::<R, SDOT>(weights, rows),
            Quant::Q8_0 => steps::<R, SDOT, 8>(weights, rows),
            Quant::Q4_0 => steps::<R, SDOT, 4>(weights, rows),
        }
    }
}

/// The low four bits of each byte, and the high ones.
///
/// # Safety
/// The processor has NEON.
#[inline(always)]
unsafe fn nibbles(bytes: uint8x16_t) -> (uint8x16_t, uint8x16_t) {
    // SAFETY: the caller's promise.
    unsafe { (vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8::<4>(bytes)) }
}

/// Unsigned numbers less an offset.
///
/// # Safety
/// The processor has NEON.
#[inline(always)]
unsafe fn less(codes: uint8x16_t, offset: i8) -> int8x16_t {
    // SAFETY: the caller's promise.
    unsafe { vsubq_s8(vreinterpretq_s8_u8(codes), vdupq_n_s8(offset)) }
}

/// Adds sixteen products, four to each sum.
///
/// # Safety
/// The processor has NEON, and `sdot` where `SDOT` says so.
#[inline(always)]
unsafe fn add<const SDOT: bool>(sums: int32x4_t, codes: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe {
        if SDOT {
            return sdot(sums, codes, x);
        }
        let pairs = vmull_s8(vget_low_s8(codes), vget_low_s8(x));
        vpadalq_s16(sums, vmlal_high_s8(pairs, codes, x))
    }
}

/// The products of 32 codes with a row's inputs from `start` on.
///
/// # Safety
/// As [`add`]; the row has these inputs.
#[inline(always)]
unsafe fn products<const SDOT: bool>(codes: [int8x16_t; 2], row: &Row, start: usize) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe {
        let x = row.values.as_ptr().add(start);
        let sums = add::<SDOT>(vdupq_n_s32(0), codes[0], vld1q_s8(x));
        add::<SDOT>(sums, codes[1], vld1q_s8(x.add(16)))
    }
}

/// The float16 at the start of some bytes.
#[inline(always)]
fn half_at(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// Q4K: codes are used as they are; the minima take off their share by the activations' sums.
///
/// # Safety
/// Whole blocks, and rows as long as they; as [`add`].
#[inline(always)]
unsafe fn q4_k<const R: usize, const SDOT: bool>(weights: &[u8], rows: &[Row; R]) -> [f32; R] {
    // SAFETY: the caller's promise; of a block, bytes 16..144; rows have eight sums for each group.
    unsafe {
        let mut sums = [vdupq_n_f32(0.0); R];
        for (group, block) in weights.as_chunks::<144>().0.iter().enumerate() {
            let (d, dmin) = (half_at(block), half_at(&block[2..]));
            let (scales, minima) = scales_and_minima(block);
            let scales = scales.to_le_bytes().map(i32::from);
            let minima = vreinterpretq_s16_u16(vmovl_u8(vcreate_u8(minima)));
            let mut totals = [vdupq_n_s32(0); R];
            for pair in 0..4 {
                let codes = block.as_ptr().add(16 + 32 * pair);
                let (first, second) = (nibbles(vld1q_u8(codes)), nibbles(vld1q_u8(codes.add(16))));
                let low = [first.0, second.0].map(|codes| vreinterpretq_s8_u8(codes));
                let high = [first.1, second.1].map(|codes| vreinterpretq_s8_u8(codes));
                let start = group * 256 + 64 * pair;
                for (row, total) in rows.iter().zip(&mut totals) {
                    let (low, high) = (
                        products::<SDOT>(low, row, start),
                        products::<SDOT>(high, row, start + 32),
                    );
                    *total = vmlaq_n_s32(*total, low, scales[2 * pair]);
                    *total = vmlaq_n_s32(*total, high, scales[2 * pair + 1]);
                }
            }
            for ((row, total), sum) in rows.iter().zip(totals).zip(&mut sums) {
                let x = vld1q_s16(row.sums.as_ptr().add(8 * group));
                let less = vmull_s16(vget_low_s16(minima), vget_low_s16(x));
                let less = vcvtq_f32_s32(vmlal_high_s16(less, minima, x));
                let scale = row.scales[group];
                *sum = vfmsq_n_f32(*sum, less, dmin * scale);
                *sum = vfmaq_n_f32(*sum, vcvtq_f32_s32(total), d * scale);
            }
        }
        sums.map(|sum| vaddvq_f32(sum))
    }
}

/// Blocks of 32 inputs with one f16 before their codes of `BITS` bits.
///
/// # Safety
/// Whole groups of such blocks, and rows as long as they; as [`add`].
#[inline(always)]
unsafe fn steps<const R: usize, const SDOT: bool, const BITS: usize>(
    weights: &[u8],
    rows: &[Row; R],
) -> [f32; R] {
    let bytes = 2 + 32 * BITS / 8;
    // SAFETY: the caller's promise; a block's codes are its bytes from the third on.
    unsafe {
        let mut sums = [vdupq_n_f32(0.0); R];
        for (group, blocks) in weights.chunks_exact(8 * bytes).enumerate() {
            let mut parts = [vdupq_n_f32(0.0); R];
            for (step, block) in blocks.chunks_exact(bytes).enumerate() {
                let scale = half_at(block);
                let codes = block.as_ptr().add(2);
                let codes = if BITS == 8 {
                    [vld1q_s8(codes.cast()), vld1q_s8(codes.add(16).cast())]
                } else {
                    // The low four bits of a byte are of the first 16 inputs.
                    let (low, high) = nibbles(vld1q_u8(codes));
                    [less(low, 8), less(high, 8)]
                };
                for (row, part) in rows.iter().zip(&mut parts) {
                    let total = products::<SDOT>(codes, row, group * 256 + 32 * step);
                    *part = vfmaq_n_f32(*part, vcvtq_f32_s32(total), scale);
                }
            }
            for ((row, part), sum) in rows.iter().zip(parts).zip(&mut sums) {
                *sum = vfmaq_n_f32(*sum, part, row.scales[group]);
            }
        }
        sums.map(|sum| vaddvq_f32(sum))
    }
}

/// Q6K: 64 bytes of low nibbles and 32 of high pairs hold 128 inputs, in four runs of 32.
///
/// # Safety
/// Whole blocks, and rows as long as they; as [`add`].
#[inline(always)]
unsafe fn q6_k<const R: usize, const SDOT: bool>(weights: &[u8], rows: &[Row; R]) -> [f32; R] {
    // SAFETY: the caller's promise; of a block, 64 of the first 128 bytes and 32 of the 64 behind them.
    unsafe {
        let high_pair = vdupq_n_u8(0x30);
        let mut sums = [vdupq_n_f32(0.0); R];
        for (group, block) in weights.as_chunks::<210>().0.iter().enumerate() {
            let d = half_at(&block[208..]);
            let mut totals = [vdupq_n_s32(0); R];
            for half in 0..2 {
                for part in 0..2 {
                    let low = block.as_ptr().add(64 * half + 16 * part);
                    let (first, third) = nibbles(vld1q_u8(low));
                    let (second, fourth) = nibbles(vld1q_u8(low.add(32)));
                    let high = vld1q_u8(block.as_ptr().add(128 + 32 * half + 16 * part));
                    let runs = [
                        (first, vshlq_n_u8::<4>(high)),
                        (second, vshlq_n_u8::<2>(high)),
                        (third, high),
                        (fourth, vshrq_n_u8::<2>(high)),
                    ];
                    for (run, (low, high)) in runs.into_iter().enumerate() {
                        let codes = less(vorrq_u8(low, vandq_u8(high, high_pair)), 32);
                        let scale = i32::from(block[192 + 8 * half + 2 * run + part] as i8);
                        let start = group * 256 + 128 * half + 32 * run + 16 * part;
                        for (row, total) in rows.iter().zip(&mut totals) {
                            let x = vld1q_s8(row.values.as_ptr().add(start));
                            let sum = add::<SDOT>(vdupq_n_s32(0), codes, x);
                            *total = vmlaq_n_s32(*total, sum, scale);
                        }
                    }
                }
            }
            for ((row, total), sum) in rows.iter().zip(totals).zip(&mut sums) {
                *sum = vfmaq_n_f32(*sum, vcvtq_f32_s32(total), d * row.scales[group]);
            }
        }
        sums.map(|sum| vaddvq_f32(sum))
    }
}
