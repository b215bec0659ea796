//! What kernels of bfloat16 do with 512-bit vectors besides multiplying: rounding, pairing, turning over.
//!
//! A word is a pair of bfloat16, the lower half first. Deliberately absent: products.

use std::arch::x86_64::*;

/// 16 numbers of 32 bits: floats, integers, or pairs of bfloat16.
pub(crate) type Vector = __m512i;

/// Two vectors as bfloat16, `low` first.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) fn narrow(low: __m512, high: __m512) -> Vector {
    // SAFETY: both are 512 bits without invalid values.
    unsafe { std::mem::transmute::<__m512bh, Vector>(_mm512_cvtne2ps_pbh(high, low)) }
}

/// Two vectors as bfloat16, number by number side by side.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) fn pair(first: __m512, second: __m512) -> Vector {
    #[rustfmt::skip]
    let order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
        23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0,
    );
    _mm512_permutexvar_epi16(order, narrow(first, second))
}

/// Two vectors of bfloat16, number by number side by side: the first half's pairs, and the second's.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn pair_narrow(first: Vector, second: Vector) -> [Vector; 2] {
    #[rustfmt::skip]
    let order = _mm512_set_epi16(
        47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8,
        39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0,
    );
    let later = _mm512_add_epi16(order, _mm512_set1_epi16(16));
    [order, later].map(|order| _mm512_permutex2var_epi16(first, order, second))
}

/// A 16 × 16 square of words, turned over its diagonal.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn turned(lines: [Vector; 16]) -> [Vector; 16] {
    let zero = _mm512_setzero_si512();
    let mut pairs = [zero; 16];
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(lines[2 * i], lines[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(lines[2 * i], lines[2 * i + 1]);
    }
    // Of four lines: words 0, 1, 2, 3 of each quarter.
    let mut fours = [zero; 16];
    for i in 0..4 {
        let (low, high) = ((pairs[4 * i], pairs[4 * i + 2]), (pairs[4 * i + 1], pairs[4 * i + 3]));
        fours[4 * i] = _mm512_unpacklo_epi64(low.0, low.1);
        fours[4 * i + 1] = _mm512_unpackhi_epi64(low.0, low.1);
        fours[4 * i + 2] = _mm512_unpacklo_epi64(high.0, high.1);
        fours[4 * i + 3] = _mm512_unpackhi_epi64(high.0, high.1);
    }
    let mut out = [zero; 16];
    for word in 0..4 {
        let [a, b, c, d] = [fours[word], fours[4 + word], fours[8 + word], fours[12 + word]];
        let (ab_low, ab_high) =
            (_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
        let (cd_low, cd_high) =
            (_mm512_shuffle_i32x4(c, d, 0x88), _mm512_shuffle_i32x4(c, d, 0xDD));
        out[word] = _mm512_shuffle_i32x4(ab_low, cd_low, 0x88);
        out[4 + word] = _mm512_shuffle_i32x4(ab_high, cd_high, 0x88);
        out[8 + word] = _mm512_shuffle_i32x4(ab_low, cd_low, 0xDD);
        out[12 + word] = _mm512_shuffle_i32x4(ab_high, cd_high, 0xDD);
    }
    out
}

/// The first numbers of a slice, at most 16; 0 where it has no more.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn load(numbers: &[f32]) -> __m512 {
    let mask = mask(numbers.len());
    // SAFETY: what the mask leaves out is not read.
    unsafe { _mm512_maskz_loadu_ps(mask, numbers.as_ptr()) }
}

/// A bit for each of the first `count` numbers of a vector.
#[inline]
pub(crate) fn mask(count: usize) -> __mmask16 {
    if count >= 16 { !0 } else { (1 << count) - 1 }
}

/// At most 32 numbers, with 0 behind them.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn halves(numbers: &[f32]) -> [__m512; 2] {
    let (low, high) = numbers.split_at(numbers.len().min(16));
    [load(low), load(high)]
}

/// A bit for each of the first `count` numbers of a vector of 16 bits each.
#[inline]
pub(crate) fn mask32(count: usize) -> __mmask32 {
    if count >= 32 { !0 } else { (1 << count) - 1 }
}

/// Rounds to bfloat16, to nearest even; what is too small for a normal number becomes 0.
///
/// # Safety
/// The processor has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) unsafe fn round(values: &[f32], out: &mut [u16]) {
    assert_eq!(values.len(), out.len());
    for (values, out) in values.chunks(32).zip(out.chunks_mut(32)) {
        let [low, high] = halves(values);
        let (numbers, mask) = (narrow(low, high), mask32(out.len()));
        // SAFETY: what the mask leaves out is not written.
        unsafe { _mm512_mask_storeu_epi16(out.as_mut_ptr().cast(), mask, numbers) };
    }
}
