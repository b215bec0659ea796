//! GPTQ's words as 8-bit integers, 16 or 8 outputs a vector.
//!
//! Nibbles are moved to the upper halves of bytes in the inputs' order, so that even and odd bytes are 16-bit
//! numbers, 16 times the nibble, after one more instruction each.

use std::{arch::x86_64::*, ops::Range};

use super::{GROUP_WORDS, ONE, ROWS, SHIFT, STRIP};
use crate::{gptq::Words, product::tile::GROUP_BYTES};

/// The upper halves of bytes.
const HIGH: i32 = 0xF0F0_F0F0u32 as i32;

/// 128 in each byte.
const ABOVE: i32 = 0x8080_8080u32 as i32;

/// Asks for the same outputs' word a group of inputs further on.
#[inline(always)]
fn ask_ahead(word: *const u32, stride: usize) {
    // SAFETY: a prefetch reads nothing; any address will do.
    unsafe { _mm_prefetch(word.wrapping_add(GROUP_BYTES / 8 * stride).cast(), _MM_HINT_T0) };
}

/// The larger of magnitudes, as integers of the same bits: what is no number is larger than any that is.
#[inline]
#[target_feature(enable = "avx512f")]
fn larger_avx512(most: __m512, value: __m512) -> __m512 {
    let bits = _mm512_max_epi32(_mm512_castps_si512(most), _mm512_castps_si512(value));
    _mm512_castsi512_ps(bits)
}

/// As [`larger_avx512`].
#[inline]
#[target_feature(enable = "avx2")]
fn larger_avx2(most: __m256, value: __m256) -> __m256 {
    let bits = _mm256_max_epi32(_mm256_castps_si256(most), _mm256_castps_si256(value));
    _mm256_castsi256_ps(bits)
}

/// Outputs' zero points and scales in a group; 0 for those that are masked out.
///
/// # Safety
/// The processor has the instructions; there are so many outputs.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,f16c")]
unsafe fn numbers_avx512(
    stored: &Words,
    group: usize,
    first: usize,
    mask: u16,
) -> (__m512i, __m512) {
    let zeros = &stored.zeros(group)[first / 8..];
    let (left, right) = (zeros[0] as i32, zeros.get(1).map_or(0, |zeros| *zeros as i32));
    let zeros = _mm512_mask_set1_epi32(_mm512_set1_epi32(left), 0xFF00, right);
    let shifts = _mm512_broadcast_i64x4(_mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
    let zeros = _mm512_and_si512(_mm512_srlv_epi32(zeros, shifts), _mm512_set1_epi32(15));
    // SAFETY: as the caller promises.
    let scales =
        unsafe { _mm256_maskz_loadu_epi16(mask, stored.scales(group).as_ptr().add(first).cast()) };
    (_mm512_add_epi32(zeros, _mm512_set1_epi32(1)), _mm512_cvtph_ps(scales))
}

/// # Safety
/// The processor has the instructions; 8 or 16 outputs or none, and the words, are the stored ones; `words`
/// holds two lines of [`STRIP`] for each word, the last of at least [`ROWS`], and `scales` [`ROWS`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,f16c")]
pub(super) unsafe fn fill_avx512(
    stored: &Words,
    outputs: Range<usize>,
    inputs: Range<usize>,
    words: &mut [i32],
    scales: &mut [f32],
) {
    assert!(
        words.len() >= (2 * inputs.len()).saturating_sub(1) * STRIP + ROWS && scales.len() == ROWS
    );
    let (first, stride) = (outputs.start, stored.rows());
    let mask = ((1u32 << outputs.len()) - 1) as u16;
    let mut scale = _mm512_setzero_ps();
    if mask != 0 {
        for span in stored.spans(inputs.clone()) {
            // SAFETY: as the caller promises.
            let (zeros, scales) = unsafe { numbers_avx512(stored, span.group, first, mask) };
            let reach = _mm512_max_epi32(zeros, _mm512_sub_epi32(_mm512_set1_epi32(15), zeros));
            let ratio = _mm512_div_ps(_mm512_set1_ps(127.0), _mm512_cvtepi32_ps(reach));
            let ratio = _mm512_roundscale_ps(ratio, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
            scale = larger_avx512(scale, _mm512_div_ps(_mm512_abs_ps(scales), ratio));
        }
    }
    // SAFETY: 16 scales.
    unsafe { _mm512_storeu_ps(scales.as_mut_ptr(), scale) };
    let usable = _mm512_cmp_ps_mask(scale, _mm512_set1_ps(f32::MIN_POSITIVE), _CMP_GT_OQ);
    let inverse = _mm512_maskz_div_ps(usable, _mm512_set1_ps(1.0), scale);
    // Where the nibbles of two outputs' words begin, less four bits: the first four, the last four.
    let picks = [
        _mm512_set1_epi64(i64::from_le_bytes([60, 0, 4, 8, 28, 32, 36, 40])),
        _mm512_set1_epi64(i64::from_le_bytes([12, 16, 20, 24, 44, 48, 52, 56])),
    ];
    let (high, even) = (_mm512_set1_epi32(HIGH), _mm512_set1_epi16(0xFF));
    let mut line = words.as_mut_ptr();
    for span in stored.spans(inputs) {
        let (zeros, ratios) = if mask == 0 {
            (_mm512_setzero_si512(), _mm512_setzero_si512())
        } else {
            // SAFETY: as the caller promises.
            let (zeros, scales) = unsafe { numbers_avx512(stored, span.group, first, mask) };
            let ratios = _mm512_mul_ps(_mm512_mul_ps(scales, inverse), _mm512_set1_ps(ONE));
            (_mm512_slli_epi32(zeros, SHIFT), _mm512_cvtps_epi32(ratios))
        };
        let [zeros, ratios] = [zeros, ratios].map(|numbers| {
            let low = _mm512_and_si512(numbers, _mm512_set1_epi32(0xFFFF));
            _mm512_or_si512(low, _mm512_slli_epi32(numbers, 16))
        });
        let scaled = |values| _mm512_mulhrs_epi16(_mm512_sub_epi16(values, zeros), ratios);
        for words in stored.words(span.words).chunks_exact(stride) {
            // SAFETY: the outputs' words, and two lines of the panel's for each.
            unsafe {
                let at = words.as_ptr().add(first);
                ask_ahead(at, stride);
                let stored = _mm512_maskz_loadu_epi32(mask, at.cast());
                for pick in picks {
                    let nibbles = _mm512_multishift_epi64_epi8(pick, stored);
                    let nibbles = _mm512_and_si512(nibbles, high);
                    let first = scaled(_mm512_and_si512(nibbles, even));
                    let second = _mm512_slli_epi16(scaled(_mm512_srli_epi16(nibbles, 8)), 8);
                    // The even bytes of the first, the odd ones of the second.
                    let both = _mm512_ternarylogic_epi32(even, first, second, 0xCA);
                    _mm512_storeu_si512(
                        line.cast(),
                        _mm512_xor_si512(both, _mm512_set1_epi32(ABOVE)),
                    );
                    line = line.wrapping_add(STRIP);
                }
            }
        }
    }
}

/// # Safety
/// As [`fill_avx512`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn fill_avx2(
    stored: &Words,
    outputs: Range<usize>,
    inputs: Range<usize>,
    words: &mut [i32],
    scales: &mut [f32],
) {
    assert!(
        words.len() >= (2 * inputs.len()).saturating_sub(1) * STRIP + ROWS && scales.len() == ROWS
    );
    for (half, scales) in scales.chunks_exact_mut(8).enumerate() {
        let words = &mut words[8 * half..];
        let first = outputs.start + 8 * half;
        if first < outputs.end {
            // SAFETY: as the caller promises; eight outputs.
            unsafe { eight_avx2(stored, first, inputs.clone(), words, scales) };
        } else {
            scales.fill(0.0);
            words.chunks_mut(STRIP).take(2 * inputs.len()).for_each(|line| line[..8].fill(ABOVE));
        }
    }
}

/// Eight outputs' zero points and scales in a group.
///
/// # Safety
/// The processor has the instructions; there are so many outputs.
#[target_feature(enable = "avx2,f16c")]
unsafe fn numbers_avx2(stored: &Words, group: usize, first: usize) -> (__m256i, __m256) {
    let zeros = _mm256_set1_epi32(stored.zeros(group)[first / 8] as i32);
    let shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    let zeros = _mm256_and_si256(_mm256_srlv_epi32(zeros, shifts), _mm256_set1_epi32(15));
    // SAFETY: as the caller promises.
    let scales = unsafe { _mm_loadu_si128(stored.scales(group).as_ptr().add(first).cast()) };
    (_mm256_add_epi32(zeros, _mm256_set1_epi32(1)), _mm256_cvtph_ps(scales))
}

/// # Safety
/// As [`fill_avx512`], but for eight outputs and scales.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn eight_avx2(
    stored: &Words,
    first: usize,
    inputs: Range<usize>,
    words: &mut [i32],
    scales: &mut [f32],
) {
    let stride = stored.rows();
    let mut scale = _mm256_setzero_ps();
    for span in stored.spans(inputs.clone()) {
        // SAFETY: as the caller promises.
        let (zeros, scales) = unsafe { numbers_avx2(stored, span.group, first) };
        let reach = _mm256_max_epi32(zeros, _mm256_sub_epi32(_mm256_set1_epi32(15), zeros));
        let size = _mm256_andnot_ps(_mm256_set1_ps(-0.0), scales);
        let ratio = _mm256_div_ps(_mm256_set1_ps(127.0), _mm256_cvtepi32_ps(reach));
        scale = larger_avx2(scale, _mm256_div_ps(size, _mm256_floor_ps(ratio)));
    }
    // SAFETY: 8 scales.
    unsafe { _mm256_storeu_ps(scales.as_mut_ptr(), scale) };
    let usable = _mm256_cmp_ps(scale, _mm256_set1_ps(f32::MIN_POSITIVE), _CMP_GT_OQ);
    let inverse = _mm256_and_ps(usable, _mm256_div_ps(_mm256_set1_ps(1.0), scale));
    let (high, even) = (_mm256_set1_epi32(HIGH), _mm256_set1_epi16(0xFF));
    let mut line = words.as_mut_ptr();
    for span in stored.spans(inputs) {
        // SAFETY: as the caller promises.
        let (zeros, scales) = unsafe { numbers_avx2(stored, span.group, first) };
        let ratios = _mm256_mul_ps(_mm256_mul_ps(scales, inverse), _mm256_set1_ps(ONE));
        let numbers = [_mm256_slli_epi32(zeros, SHIFT as i32), _mm256_cvtps_epi32(ratios)];
        let [zeros, ratios] = numbers.map(|numbers| {
            let low = _mm256_and_si256(numbers, _mm256_set1_epi32(0xFFFF));
            _mm256_or_si256(low, _mm256_slli_epi32(numbers, 16))
        });
        let scaled = |values| _mm256_mulhrs_epi16(_mm256_sub_epi16(values, zeros), ratios);
        for words in stored.words(span.words).chunks_exact(stride) {
            // SAFETY: the outputs' words, and two lines of the panel's for each.
            unsafe {
                let at = words.as_ptr().add(first);
                ask_ahead(at, stride);
                let stored = _mm256_loadu_si256(at.cast());
                let evens = _mm256_and_si256(_mm256_slli_epi32(stored, 4), high);
                let odds = _mm256_and_si256(stored, high);
                // Of each four outputs the first two and the last two, eight bytes each.
                let left = _mm256_castsi256_ps(_mm256_unpacklo_epi8(evens, odds));
                let right = _mm256_castsi256_ps(_mm256_unpackhi_epi8(evens, odds));
                let halves =
                    [_mm256_shuffle_ps(left, right, 0x88), _mm256_shuffle_ps(left, right, 0xDD)];
                for nibbles in halves.map(|half| _mm256_castps_si256(half)) {
                    let first = scaled(_mm256_and_si256(nibbles, even));
                    let second = _mm256_slli_epi16(scaled(_mm256_srli_epi16(nibbles, 8)), 8);
                    let both = _mm256_or_si256(_mm256_and_si256(first, even), second);
                    let both = _mm256_xor_si256(both, _mm256_set1_epi32(ABOVE));
                    _mm256_storeu_si256(line.cast(), both);
                    line = line.wrapping_add(STRIP);
                }
            }
        }
    }
}

const _: () = assert!(GROUP_WORDS * 4 == GROUP_BYTES && ROWS == 16);
