//! Unpacking weights with 512-bit vectors.
//!
//! Four bits have sixteen values: where a scale covers 32 inputs or more, the sixteen integers they become
//! are computed once and looked up by a byte shuffle. Wider types are multiplied by the ratio of their
//! scale to the group's in 16-bit fixed point. Invariant: within one of the plain form, whose scale may
//! be smaller (it looks at the numbers; this looks at what the scales allow).

use std::arch::x86_64::*;

use half::f16;

use super::{Bytes, GROUP_BYTES, GROUP_WORDS, ROWS, STRIP};
use crate::{Quant, avx512::turned, math::larger, quant::scales_and_minima};

/// Blocks of 32 in a group.
const BLOCKS: usize = GROUP_BYTES / 32;

/// One group of one output: whole blocks for 256 inputs. Returns the scale.
///
/// # Safety
/// The processor has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx2,f16c")]
pub(super) unsafe fn requantise(quant: Quant, blocks: &[u8], out: &mut [u8; GROUP_BYTES]) -> f32 {
    assert_eq!(blocks.len(), quant.row_bytes(GROUP_BYTES));
    let number = |at: usize| f16::from_le_bytes([blocks[at], blocks[at + 1]]).to_f32();
    match quant {
        Quant::Q4K => {
            let (d, dmin) = (number(0), number(2));
            let (scales, minima) = scales_and_minima(blocks[4..16].try_into().expect("12 bytes"));
            let steps: [f32; BLOCKS] = std::array::from_fn(|block| d * f32::from(scales[block]));
            let lows = std::array::from_fn(|block| -dmin * f32::from(minima[block]));
            let (scale, tables) = tables(&steps, &lows);
            for pair in 0..BLOCKS / 2 {
                let bytes = load(&blocks[16 + 32 * pair..]);
                let (low, high) = nibbles(bytes);
                store(look_up(tables[2 * pair], low), &mut out[64 * pair..]);
                store(look_up(tables[2 * pair + 1], high), &mut out[64 * pair + 32..]);
            }
            scale
        }
        Quant::Q4_0 => {
            let steps: [f32; BLOCKS] = std::array::from_fn(|block| number(18 * block));
            let lows = steps.map(|step| -8.0 * step);
            let (scale, tables) = tables(&steps, &lows);
            for (block, table) in tables.into_iter().enumerate() {
                let half: &[u8; 16] = blocks[18 * block + 2..][..16].try_into().expect("16 bytes");
                // SAFETY: 16 bytes.
                let bytes = unsafe { _mm_loadu_si128(half.as_ptr().cast()) };
                let both = _mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes);
                let codes = _mm256_and_si256(both, _mm256_set1_epi8(15));
                store(look_up(table, codes), &mut out[32 * block..]);
            }
            scale
        }
        Quant::Q8_0 => {
            let steps: [f32; BLOCKS] = std::array::from_fn(|block| number(34 * block));
            let scale = steps.iter().fold(0f32, |most, step| larger(most, step.abs()));
            let inverse = inverse(scale);
            for (block, step) in steps.into_iter().enumerate() {
                let ratio = _mm512_set1_epi16((step * inverse * 32768.0).min(32767.0) as i16);
                let values = _mm512_cvtepi8_epi16(load(&blocks[34 * block + 2..]));
                // −128 times a negative scale becomes 127, not −128.
                let values = _mm512_cvtsepi16_epi8(_mm512_mulhrs_epi16(values, ratio));
                store(above(values), &mut out[32 * block..]);
            }
            scale
        }
        Quant::Q6K => q6_k(blocks, out),
    }
}

/// 16 blocks of 16 inputs, each with an integer scale.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2")]
fn q6_k(blocks: &[u8], out: &mut [u8; GROUP_BYTES]) -> f32 {
    let d = f16::from_le_bytes([blocks[208], blocks[209]]).to_f32();
    let scales: [i8; 16] = std::array::from_fn(|i| blocks[192 + i] as i8);
    let most = scales.iter().map(|scale| scale.unsigned_abs()).max().unwrap_or(0);
    let scale = d.abs() * f32::from(most) * 32.0 / 127.0;
    let inverse = d * inverse(scale);
    for half in 0..2 {
        let high = load(&blocks[128 + 32 * half..]);
        for quarter in 0..4 {
            let low = load(&blocks[64 * half + 32 * (quarter % 2)..]);
            let low = if quarter < 2 { low } else { _mm256_srli_epi16(low, 4) };
            let high = match quarter {
                0 => _mm256_slli_epi16(high, 4),
                1 => _mm256_slli_epi16(high, 2),
                2 => high,
                _ => _mm256_srli_epi16(high, 2),
            };
            let low = _mm256_and_si256(low, _mm256_set1_epi8(0x0F));
            let high = _mm256_and_si256(high, _mm256_set1_epi8(0x30));
            let codes = _mm256_sub_epi8(_mm256_or_si256(low, high), _mm256_set1_epi8(32));
            // Codes from −32 to 31, times a ratio of at most 127 / 32: 3 bits and 12 behind the point.
            let values = _mm512_slli_epi16(_mm512_cvtepi8_epi16(codes), 3);
            let first = 8 * half + 2 * quarter;
            let ratio = |i: usize| (f32::from(scales[first + i]) * inverse * 4096.0) as i16;
            let ratios =
                _mm512_inserti64x4(_mm512_set1_epi16(ratio(0)), _mm256_set1_epi16(ratio(1)), 1);
            let values = _mm512_cvtepi16_epi8(_mm512_mulhrs_epi16(values, ratios));
            store(above(values), &mut out[128 * half + 32 * quarter..]);
        }
    }
    scale
}

/// 1 / scale; 0 for one that has no inverse.
fn inverse(scale: f32) -> f32 {
    if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 }
}

/// The group's scale, and for each block the integer (with 128 added) that each of the 16 codes becomes:
/// `low + step · code`, over the scale.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn tables(steps: &[f32; BLOCKS], lows: &[f32; BLOCKS]) -> (f32, [__m128i; BLOCKS]) {
    let largest = steps.iter().zip(lows).fold(0f32, |most, (step, low)| {
        [low.abs(), (low + 15.0 * step).abs()].into_iter().fold(most, larger)
    });
    let scale = largest / 127.0;
    let inverse = inverse(scale);
    let codes = _mm512_set_ps(
        15.0, 14.0, 13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0,
    );
    let table = |block: usize| {
        let step = _mm512_set1_ps(steps[block] * inverse);
        let low = _mm512_set1_ps(lows[block] * inverse);
        let values = _mm512_cvtps_epi32(_mm512_fmadd_ps(codes, step, low));
        _mm_xor_si128(_mm512_cvtepi32_epi8(values), _mm_set1_epi8(-128))
    };
    (scale, std::array::from_fn(table))
}

#[target_feature(enable = "avx2")]
fn look_up(table: __m128i, codes: __m256i) -> __m256i {
    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), codes)
}

/// The low and the high four bits of each byte.
#[target_feature(enable = "avx2")]
fn nibbles(bytes: __m256i) -> (__m256i, __m256i) {
    let mask = _mm256_set1_epi8(15);
    (_mm256_and_si256(bytes, mask), _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask))
}

/// Signed bytes with 128 added.
#[target_feature(enable = "avx2")]
fn above(values: __m256i) -> __m256i {
    _mm256_xor_si256(values, _mm256_set1_epi8(-128))
}

#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> __m256i {
    // SAFETY: 32 bytes, as the slice says.
    unsafe { _mm256_loadu_si256(bytes[..32].as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn store(value: __m256i, out: &mut [u8]) {
    // SAFETY: 32 bytes, as the slice says.
    unsafe { _mm256_storeu_si256(out[..32].as_mut_ptr().cast(), value) }
}

/// Sixteen outputs' bytes as words, by four rounds of shuffles for each 16 words.
///
/// # Safety
/// The processor has the instructions; `words` holds [`GROUP_WORDS`] lines of [`STRIP`], the last of at
/// least [`ROWS`].
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn turn(bytes: &Bytes, words: &mut [i32]) {
    for first in (0..GROUP_WORDS).step_by(16) {
        let mut lines = [_mm512_setzero_si512(); ROWS];
        for (line, bytes) in lines.iter_mut().zip(bytes) {
            // SAFETY: 64 bytes from word `first` on.
            *line = unsafe { _mm512_loadu_si512(bytes.as_ptr().add(4 * first).cast()) };
        }
        for (word, line) in turned(lines).into_iter().enumerate() {
            // SAFETY: as the caller promises.
            unsafe {
                _mm512_storeu_si512(words.as_mut_ptr().add((first + word) * STRIP).cast(), line);
            }
        }
    }
}
