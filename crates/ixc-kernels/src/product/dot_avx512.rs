//! Dot products with 512-bit vectors: 64 inputs a step, in the order of the file.
//!
//! A step's 4-bit or 8-bit codes are unsigned and the activations signed, as `vpdpbusd` wants them. Codes
//! that are stored with an offset start their sums from the activations' own sums, times the offset.

use std::arch::x86_64::*;

use super::{Row, ask_ahead, scales_and_minima};
use crate::Quant;

/// Whole groups of one row of weights against some rows.
///
/// # Safety
/// The processor has the instructions; the rows are as long as the weights.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
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

/// 64 integers, or 16 words, of a row.
///
/// # Safety
/// They lie within the row.
#[target_feature(enable = "avx512f")]
unsafe fn at<T>(numbers: &[T], index: usize) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe { _mm512_loadu_si512(numbers.as_ptr().add(index).cast()) }
}

/// Q4K: 32 bytes hold 64 inputs, so a vector of low nibbles holds inputs 0..32 and 64..96 of its half, as
/// [`Row::crossed`] has them. Products of 4 and 8 bits fit 16, and so do their sums of two, so the 6-bit
/// scales are multiplied and summed by one instruction.
///
/// # Safety
/// Whole blocks, and rows as long as they.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn q4_k<const R: usize>(weights: &[u8], rows: &[Row; R]) -> [f32; R] {
    let low = _mm512_set1_epi8(15);
    let pick =
        |first: i16| _mm512_inserti64x4(_mm512_set1_epi16(first), _mm256_set1_epi16(first + 2), 1);
    let picks = [pick(0), pick(1), pick(4), pick(5)];
    let mut sums = [_mm512_setzero_ps(); R];
    let mut minima_sums = [_mm_setzero_ps(); R];
    for (group, block) in weights.as_chunks::<144>().0.iter().enumerate() {
        ask_ahead(block.as_ptr(), 144);
        let halves = i32::from_le_bytes(block[..4].try_into().expect("4 bytes"));
        let d = _mm_cvtph_ps(_mm_cvtsi32_si128(halves)); // d, dmin
        let dmin = _mm_shuffle_ps(d, d, 1);
        let (scales, minima) = scales_and_minima(block);
        let scales = _mm_cvtepu8_epi16(_mm_cvtsi64_si128(scales as i64));
        let minima = _mm_cvtepu8_epi16(_mm_cvtsi64_si128(minima as i64));
        let scales = _mm512_castsi128_si512(scales);
        let scales = picks.map(|pick| _mm512_permutexvar_epi16(pick, scales));
        // SAFETY: bytes 16..144 of the block.
        let codes = unsafe { [at(&block[..], 16), at(&block[..], 80)] };
        let high = codes.map(|codes| _mm512_and_si512(_mm512_srli_epi16(codes, 4), low));
        let codes = codes.map(|codes| _mm512_and_si512(codes, low));
        for (row, (sum, minima_sum)) in rows.iter().zip(sums.iter_mut().zip(&mut minima_sums)) {
            let mut totals = [_mm512_setzero_si512(); 2];
            for (half, total) in totals.iter_mut().enumerate() {
                let start = group * 256 + 128 * half;
                // SAFETY: rows are as long as the weights.
                let (x, y) = unsafe { (at(row.crossed, start), at(row.crossed, start + 64)) };
                let even = _mm512_maddubs_epi16(codes[half], x);
                let odd = _mm512_maddubs_epi16(high[half], y);
                *total = _mm512_dpwssd_epi32(*total, even, scales[2 * half]);
                *total = _mm512_dpwssd_epi32(*total, odd, scales[2 * half + 1]);
            }
            let total = _mm512_cvtepi32_ps(_mm512_add_epi32(totals[0], totals[1]));
            let scale = _mm_set1_ps(row.scales[group]);
            let d = _mm512_broadcastss_ps(_mm_mul_ss(d, scale));
            *sum = _mm512_fmadd_ps(total, d, *sum);
            // SAFETY: eight sums for each group.
            let x = unsafe { _mm_loadu_si128(row.sums.as_ptr().add(8 * group).cast()) };
            let x = _mm_cvtepi32_ps(_mm_madd_epi16(minima, x));
            *minima_sum = _mm_fmadd_ps(x, _mm_broadcastss_ps(_mm_mul_ss(dmin, scale)), *minima_sum);
        }
    }
    std::array::from_fn(|row| {
        let minima = _mm512_insertf32x4(_mm512_setzero_ps(), minima_sums[row], 0);
        _mm512_reduce_add_ps(_mm512_sub_ps(sums[row], minima))
    })
}

/// Blocks of 32 inputs with one f16 before their codes of `BITS` bits: two blocks a step.
///
/// # Safety
/// Whole groups of such blocks, and rows as long as they.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn steps<const R: usize, const BITS: usize>(weights: &[u8], rows: &[Row; R]) -> [f32; R] {
    let bytes = 2 + 32 * BITS / 8;
    let spread = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    // Codes are stored, or made, half their range too large.
    let offset = _mm_cvtsi32_si128(BITS as i32 - 1);
    let mut sums = [_mm512_setzero_ps(); R];
    for (group, blocks) in weights.chunks_exact(8 * bytes).enumerate() {
        ask_ahead(blocks.as_ptr(), 8 * bytes);
        let mut parts = [_mm512_setzero_ps(); R];
        for step in 0..4 {
            let pair = &blocks[2 * step * bytes..][..2 * bytes];
            let half = |at: usize| u32::from(u16::from_le_bytes([pair[at], pair[at + 1]]));
            let scales = (half(0) | half(bytes) << 16) as i32;
            let scales = _mm_cvtph_ps(_mm_cvtsi32_si128(scales));
            let scales = _mm512_permutexvar_ps(spread, _mm512_castps128_ps512(scales));
            // SAFETY: two whole blocks.
            let codes = unsafe {
                if BITS == 8 { q8_0_codes(pair.as_ptr()) } else { q4_0_codes(pair.as_ptr()) }
            };
            let start = group * 256 + 64 * step;
            for (row, part) in rows.iter().zip(&mut parts) {
                // SAFETY: rows are as long as the weights.
                let (x, fours) = unsafe { (at(row.values, start), at(row.fours, start / 4)) };
                let total = _mm512_dpbusd_epi32(_mm512_sll_epi32(fours, offset), codes, x);
                *part = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), scales, *part);
            }
        }
        for ((row, part), sum) in rows.iter().zip(parts).zip(&mut sums) {
            *sum = _mm512_fmadd_ps(part, _mm512_set1_ps(row.scales[group]), *sum);
        }
    }
    sums.map(|sum| _mm512_reduce_add_ps(sum))
}

/// Two blocks' signed bytes with 128 added.
///
/// # Safety
/// Two blocks can be read.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
unsafe fn q8_0_codes(pair: *const u8) -> __m512i {
    // SAFETY: bytes 2..34 of each block.
    let both = unsafe {
        let first = _mm256_loadu_si256(pair.add(2).cast());
        let second = _mm256_loadu_si256(pair.add(36).cast());
        _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1)
    };
    _mm512_xor_si512(both, _mm512_set1_epi32(0x8080_8080u32 as i32))
}

/// Two blocks' nibbles: the low ones of a block are its first 16 inputs.
///
/// # Safety
/// Two blocks can be read.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
unsafe fn q4_0_codes(pair: *const u8) -> __m512i {
    // SAFETY: bytes 2..18 of each block.
    let (first, second) =
        unsafe { (_mm_loadu_si128(pair.add(2).cast()), _mm_loadu_si128(pair.add(20).cast())) };
    let both = _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(first), 0xFF00, second);
    let shifts = _mm512_set_epi64(4, 4, 0, 0, 4, 4, 0, 0);
    _mm512_and_si512(_mm512_srlv_epi64(both, shifts), _mm512_set1_epi32(0x0F0F_0F0F))
}

/// Q6K: 64 bytes of low nibbles and 32 of high pairs hold 128 inputs, 64 of them in the low halves.
///
/// # Safety
/// Whole blocks, and rows as long as they.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn q6_k<const R: usize>(weights: &[u8], rows: &[Row; R]) -> [f32; R] {
    let nibble = _mm512_set1_epi8(0x0F);
    let pair = _mm512_set1_epi8(0x30);
    let halves = |low: i16, high: i16| {
        _mm512_inserti64x4(_mm512_set1_epi16(low), _mm256_set1_epi16(high), 1)
    };
    let (left, right) = (halves(4, 2), halves(0, 2));
    let spread = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    let mut sums = [_mm512_setzero_ps(); R];
    for (group, block) in weights.as_chunks::<210>().0.iter().enumerate() {
        ask_ahead(block.as_ptr(), 210);
        let d = i32::from(u16::from_le_bytes([block[208], block[209]]));
        let d = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(d)));
        // SAFETY: bytes 192..208 of the block.
        let scales = unsafe { _mm_loadu_si128(block.as_ptr().add(192).cast()) };
        let scales = _mm512_cvtepi8_epi32(scales);
        let mut totals = [_mm512_setzero_si512(); R];
        for half in 0..2 {
            // SAFETY: 64 bytes of the first 128, 32 of the 64 behind them.
            let (low, high) = unsafe {
                (
                    at(&block[..], 64 * half),
                    _mm256_loadu_si256(block.as_ptr().add(128 + 32 * half).cast()),
                )
            };
            let high = _mm512_broadcast_i64x4(high);
            let first = _mm512_or_si512(
                _mm512_and_si512(low, nibble),
                _mm512_and_si512(_mm512_sllv_epi16(high, left), pair),
            );
            let second = _mm512_or_si512(
                _mm512_and_si512(_mm512_srli_epi16(low, 4), nibble),
                _mm512_and_si512(_mm512_srlv_epi16(high, right), pair),
            );
            for (step, codes) in [first, second].into_iter().enumerate() {
                let quarter = 2 * half + step;
                let index = _mm512_add_epi32(spread, _mm512_set1_epi32(4 * quarter as i32));
                let scales = _mm512_permutexvar_epi32(index, scales);
                let start = group * 256 + 64 * quarter;
                for (row, total) in rows.iter().zip(&mut totals) {
                    // SAFETY: rows are as long as the weights.
                    let (x, fours) = unsafe { (at(row.values, start), at(row.fours, start / 4)) };
                    let sum = _mm512_dpbusd_epi32(_mm512_slli_epi32(fours, 5), codes, x);
                    *total = _mm512_add_epi32(*total, _mm512_mullo_epi32(sum, scales));
                }
            }
        }
        for ((row, total), sum) in rows.iter().zip(totals).zip(&mut sums) {
            let scale = _mm512_set1_ps(d * row.scales[group]);
            *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), scale, *sum);
        }
    }
    sums.map(|sum| _mm512_reduce_add_ps(sum))
}

/// Two rows of bfloat16.
///
/// # Safety
/// The processor has the instructions; the rows are equally long.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn bf16(weights: &[u16], row: &[u16]) -> f32 {
    const STEP: usize = 32;
    let mut sums = [_mm512_setzero_ps(); 4];
    let steps = weights.len() / STEP;
    for step in 0..steps {
        // SAFETY: 32 numbers from step · 32 on, in both rows; a vector of words is one of bfloat16.
        let (w, x) = unsafe {
            let w = _mm512_loadu_si512(weights.as_ptr().add(step * STEP).cast());
            let x = _mm512_loadu_si512(row.as_ptr().add(step * STEP).cast());
            (
                std::mem::transmute::<__m512i, __m512bh>(w),
                std::mem::transmute::<__m512i, __m512bh>(x),
            )
        };
        sums[step % 4] = _mm512_dpbf16_ps(sums[step % 4], w, x);
    }
    let rest = (1u64 << (weights.len() % STEP)) as u32;
    // SAFETY: only the numbers left are read.
    let (w, x) = unsafe {
        let mask = rest - 1;
        let w = _mm512_maskz_loadu_epi16(mask, weights.as_ptr().add(steps * STEP).cast());
        let x = _mm512_maskz_loadu_epi16(mask, row.as_ptr().add(steps * STEP).cast());
        (std::mem::transmute::<__m512i, __m512bh>(w), std::mem::transmute::<__m512i, __m512bh>(x))
    };
    sums[0] = _mm512_dpbf16_ps(sums[0], w, x);
    let sum = _mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3]));
    _mm512_reduce_add_ps(sum)
}
