//! Dot products with 256-bit vectors: 32 inputs a step, in the order of the file.
//!
//! `vpmaddubsw` multiplies unsigned bytes with signed ones and adds two products in 16 bits, where it would
//! saturate. It never does: activations are from −127 to 127, and codes have at most 128, of whatever sign,
//! so two products are at most 2 · 128 · 127 = 32512 of 32767. Deliberately absent: processors with more.

use std::arch::x86_64::*;

use super::{Row, ask_ahead, scales_and_minima};
use crate::Quant;

/// Whole groups of one row of weights against some rows.
///
/// # Safety
/// The processor has the instructions; the rows are as long as the weights.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn groups<const R: usize>(
    quant: Quant,
    weights: &[u8],
    rows: &[Row; R],
) -> [f32; R] {
    // SAFETY: the caller's promise.
    unsafe {
        match quant {
            Quant::Q4K => q4_k(weights, rows),
            Quant::Q6K => q6_k(weights, rows),
            Quant::Q8_0 => steps::<R, 8>(weights, rows),
            Quant::Q4_0 => steps::<R, 4>(weights, rows),
        }
    }
}

/// 32 bytes.
///
/// # Safety
/// They lie within the numbers.
#[target_feature(enable = "avx2")]
unsafe fn at<T>(numbers: &[T], index: usize) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe { _mm256_loadu_si256(numbers.as_ptr().add(index).cast()) }
}

/// The low four bits of each byte.
#[target_feature(enable = "avx2")]
fn nibbles(bytes: __m256i) -> __m256i {
    _mm256_and_si256(bytes, _mm256_set1_epi8(15))
}

/// The sum of all parts.
#[target_feature(enable = "avx2")]
fn total(parts: __m256) -> f32 {
    let sums = _mm_add_ps(_mm256_castps256_ps128(parts), _mm256_extractf128_ps(parts, 1));
    let sums = _mm_add_ps(sums, _mm_movehl_ps(sums, sums));
    _mm_cvtss_f32(_mm_add_ss(sums, _mm_shuffle_ps(sums, sums, 1)))
}

/// Q4K: codes are unsigned as they are. Two products are at most 2 · 15 · 127 = 3810, and times a scale of
/// 6 bits they are summed in 32 bits.
///
/// # Safety
/// Whole blocks, and rows as long as they.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn q4_k<const R: usize>(weights: &[u8], rows: &[Row; R]) -> [f32; R] {
    let mut sums = [_mm256_setzero_ps(); R];
    for (group, block) in weights.as_chunks::<144>().0.iter().enumerate() {
        ask_ahead(block.as_ptr(), 144);
        let halves = i32::from_le_bytes(block[..4].try_into().expect("4 bytes"));
        let d = _mm_cvtph_ps(_mm_cvtsi32_si128(halves)); // d, dmin
        let (scales, minima) = scales_and_minima(block);
        let scales = _mm_cvtepu8_epi16(_mm_cvtsi64_si128(scales as i64));
        let scales = _mm256_broadcastsi128_si256(scales);
        let minima = _mm_cvtepu8_epi16(_mm_cvtsi64_si128(minima as i64));
        let mut totals = [_mm256_setzero_si256(); R];
        for pair in 0..4 {
            // SAFETY: bytes 16..144 of the block.
            let codes = unsafe { at(&block[..], 16 + 32 * pair) };
            let low = nibbles(codes);
            let high = nibbles(_mm256_srli_epi16(codes, 4));
            // Number i of the eight scales, everywhere.
            let scale = |i: usize| {
                let bytes = _mm256_set1_epi16(0x0100 + 0x0202 * i as i16);
                _mm256_shuffle_epi8(scales, bytes)
            };
            let (scale_low, scale_high) = (scale(2 * pair), scale(2 * pair + 1));
            let start = group * 256 + 64 * pair;
            for (row, total) in rows.iter().zip(&mut totals) {
                // SAFETY: rows are as long as the weights.
                let (x, y) = unsafe { (at(row.values, start), at(row.values, start + 32)) };
                let low = _mm256_madd_epi16(_mm256_maddubs_epi16(low, x), scale_low);
                let high = _mm256_madd_epi16(_mm256_maddubs_epi16(high, y), scale_high);
                *total = _mm256_add_epi32(*total, _mm256_add_epi32(low, high));
            }
        }
        for ((row, total), sum) in rows.iter().zip(totals).zip(&mut sums) {
            let d = _mm_mul_ps(d, _mm_set1_ps(row.scales[group]));
            let dmin = _mm256_broadcastss_ps(_mm_shuffle_ps(d, d, 1));
            // SAFETY: eight sums for each group.
            let x = unsafe { _mm_loadu_si128(row.sums.as_ptr().add(8 * group).cast()) };
            let x = _mm256_zextsi128_si256(_mm_madd_epi16(minima, x));
            let less = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(x), dmin, *sum);
            *sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), _mm256_broadcastss_ps(d), less);
        }
    }
    sums.map(|sum| total(sum))
}

/// Products of signed codes, at most 128, with activations: sums of two. The codes' signs go over to the
/// activations, which have a number for each.
#[target_feature(enable = "avx2")]
fn products(codes: __m256i, x: __m256i) -> __m256i {
    _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes))
}

/// Blocks of 32 inputs with one f16 before their codes of `BITS` bits.
///
/// # Safety
/// Whole groups of such blocks, and rows as long as they.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn steps<const R: usize, const BITS: usize>(weights: &[u8], rows: &[Row; R]) -> [f32; R] {
    let bytes = 2 + 32 * BITS / 8;
    let ones = _mm256_set1_epi16(1);
    let mut sums = [_mm256_setzero_ps(); R];
    for (group, blocks) in weights.chunks_exact(8 * bytes).enumerate() {
        ask_ahead(blocks.as_ptr(), 8 * bytes);
        let mut parts = [_mm256_setzero_ps(); R];
        for (step, block) in blocks.chunks_exact(bytes).enumerate() {
            let scale = _mm_set1_epi16(i16::from_le_bytes([block[0], block[1]]));
            let scale = _mm256_cvtph_ps(scale);
            // SAFETY: the bytes of one block behind its scale.
            let codes =
                unsafe { if BITS == 8 { at(block, 2) } else { q4_0_codes(block.as_ptr()) } };
            for (row, part) in rows.iter().zip(&mut parts) {
                // SAFETY: rows are as long as the weights.
                let x = unsafe { at(row.values, group * 256 + 32 * step) };
                let total = _mm256_madd_epi16(products(codes, x), ones);
                *part = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), scale, *part);
            }
        }
        for ((row, part), sum) in rows.iter().zip(parts).zip(&mut sums) {
            *sum = _mm256_fmadd_ps(part, _mm256_set1_ps(row.scales[group]), *sum);
        }
    }
    sums.map(|sum| total(sum))
}

/// A block's nibbles less 8: the low ones are its first 16 inputs.
///
/// # Safety
/// A block can be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn q4_0_codes(block: *const u8) -> __m256i {
    // SAFETY: bytes 2..18 of the block.
    let bytes = unsafe { _mm_loadu_si128(block.add(2).cast()) };
    let shifts = _mm256_set_epi64x(4, 4, 0, 0);
    let codes = nibbles(_mm256_srlv_epi64(_mm256_broadcastsi128_si256(bytes), shifts));
    _mm256_sub_epi8(codes, _mm256_set1_epi8(8))
}

/// Q6K: 64 bytes of low nibbles and 32 of high pairs hold 128 inputs, in four runs of 32. With 32 taken off,
/// two products are at most 2 · 32 · 127 = 8128, and times a scale of 8 bits they are summed in 32 bits.
///
/// # Safety
/// Whole blocks, and rows as long as they.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn q6_k<const R: usize>(weights: &[u8], rows: &[Row; R]) -> [f32; R] {
    let (high_pair, offset) = (_mm256_set1_epi8(0x30), _mm256_set1_epi8(32));
    let mut sums = [_mm256_setzero_ps(); R];
    for (group, block) in weights.as_chunks::<210>().0.iter().enumerate() {
        ask_ahead(block.as_ptr(), 210);
        let d = i32::from(u16::from_le_bytes([block[208], block[209]]));
        let d = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(d)));
        // SAFETY: bytes 192..208 of the block.
        let scales = unsafe { _mm_loadu_si128(block.as_ptr().add(192).cast()) };
        let scales = _mm256_cvtepi8_epi16(scales);
        let mut totals = [_mm256_setzero_si256(); R];
        for half in 0..2 {
            // SAFETY: 64 bytes of the first 128, 32 of the 64 behind them.
            let (low, high) = unsafe {
                let low = [at(&block[..], 64 * half), at(&block[..], 64 * half + 32)];
                (low, at(&block[..], 128 + 32 * half))
            };
            let runs = [
                (low[0], _mm256_slli_epi16(high, 4)),
                (low[1], _mm256_slli_epi16(high, 2)),
                (_mm256_srli_epi16(low[0], 4), high),
                (_mm256_srli_epi16(low[1], 4), _mm256_srli_epi16(high, 2)),
            ];
            let scales = if half == 0 {
                _mm256_permute2x128_si256(scales, scales, 0x00)
            } else {
                _mm256_permute2x128_si256(scales, scales, 0x11)
            };
            for (run, (low, high)) in runs.into_iter().enumerate() {
                let codes = _mm256_or_si256(nibbles(low), _mm256_and_si256(high, high_pair));
                let codes = _mm256_sub_epi8(codes, offset);
                // Scale 2 · run for the first 16 inputs, the next for the others.
                let first = _mm_set1_epi16(0x0100 + 0x0404 * run as i16);
                let bytes = _mm256_set_m128i(_mm_add_epi8(first, _mm_set1_epi8(2)), first);
                let scale = _mm256_shuffle_epi8(scales, bytes);
                let start = group * 256 + 128 * half + 32 * run;
                for (row, total) in rows.iter().zip(&mut totals) {
                    // SAFETY: rows are as long as the weights.
                    let x = unsafe { at(row.values, start) };
                    let sum = _mm256_madd_epi16(products(codes, x), scale);
                    *total = _mm256_add_epi32(*total, sum);
                }
            }
        }
        for ((row, total), sum) in rows.iter().zip(totals).zip(&mut sums) {
            let scale = _mm256_set1_ps(d * row.scales[group]);
            *sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), scale, *sum);
        }
    }
    sums.map(|sum| total(sum))
}
