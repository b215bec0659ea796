//! Unpacking weights with 512-bit vectors, sixteen outputs at once.
//!
//! What a group shares, its scales and the ratios of its blocks' to them, is worked out with an output in each
//! lane; codes are multiplied by ratios in 16-bit fixed point. Bytes of nibbles are turned into words as they
//! are, half as many as bytes of codes, and multiplied with an output in each lane too; there all of a strip's
//! ratios come first, so that the second sixteen's divisions do not wait for the first one's codes. Words come in
//! whatever order they lie in a block, and are written where they belong. Invariant: within one of the plain form,
//! whose scale may be smaller (it looks at the numbers; this looks at what the scales allow). Deliberately absent:
//! asking for weights ahead, which the driver does between tiles.

use std::arch::x86_64::*;

use super::{Bytes, GROUP_BYTES, GROUP_WORDS, ROWS, STRIP};
use crate::{
    Quant,
    avx512::{Vector, turned},
};

/// Blocks of 32 in a group.
const BLOCKS: usize = GROUP_BYTES / 32;

/// 128 in each byte.
const ABOVE: i32 = 0x8080_8080u32 as i32;

/// Words of a group for sixteen of a strip's outputs: from the first of the first word to the last of the last.
pub(super) type Words = [i32; (GROUP_WORDS - 1) * STRIP + ROWS];

/// Numbers of sixteen outputs.
type Floats = __m512;

/// A number of each block of 32, for sixteen outputs.
type OfBlocks = [Floats; BLOCKS];

/// Sixteens of outputs in a strip.
const SIXTEENS: usize = STRIP / ROWS;

/// One group of a strip's outputs, whole blocks for 256 inputs of each, as words with 128 added to each byte: word
/// w of output i to `words[w · STRIP + i]`; and the outputs' scales.
///
/// # Panics
/// When there are not as many bytes as blocks have.
///
/// # Safety
/// The processor has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,f16c")]
pub(super) unsafe fn fill(
    quant: Quant,
    blocks: &[&[u8]; STRIP],
    words: &mut [i32; STRIP * GROUP_WORDS],
    scales: &mut [f32; STRIP],
) {
    let mut found = [_mm512_setzero_ps(); SIXTEENS];
    match quant {
        Quant::Q4K | Quant::Q4_0 => {
            let blocks = whole(blocks);
            let none = Grid { step: _mm512_setzero_si512(), low: _mm512_setzero_si512() };
            let mut grids = [[none; BLOCKS]; SIXTEENS];
            for ((found, blocks), grids) in found.iter_mut().zip(&blocks).zip(&mut grids) {
                *found = match quant {
                    Quant::Q4K => q4_k_grids(blocks, grids),
                    _ => q4_0_grids(blocks, grids),
                };
            }
            for (sixteen, (blocks, grids)) in blocks.iter().zip(&grids).enumerate() {
                match quant {
                    Quant::Q4K => q4_k(blocks, grids, of(words, sixteen)),
                    _ => q4_0(blocks, grids, of(words, sixteen)),
                }
            }
        }
        Quant::Q6K => {
            for (sixteen, blocks) in whole(blocks).iter().enumerate() {
                found[sixteen] = q6_k(blocks, of(words, sixteen));
            }
        }
        Quant::Q8_0 => {
            for (sixteen, blocks) in whole(blocks).iter().enumerate() {
                found[sixteen] = q8_0(blocks, of(words, sixteen));
            }
        }
    }
    for (scales, found) in scales.as_chunks_mut::<ROWS>().0.iter_mut().zip(found) {
        // SAFETY: sixteen numbers.
        unsafe { _mm512_storeu_ps(scales.as_mut_ptr(), found) };
    }
}

/// The words of sixteen outputs of a strip.
#[inline]
fn of(words: &mut [i32; STRIP * GROUP_WORDS], sixteen: usize) -> &mut Words {
    words[ROWS * sixteen..].first_chunk_mut().expect("a sixteen of the strip's")
}

/// The outputs' bytes, so many each.
#[inline(always)]
fn whole<'a, const BYTES: usize>(
    blocks: &[&'a [u8]; STRIP],
) -> [[&'a [u8; BYTES]; ROWS]; SIXTEENS] {
    let mut whole = [[&[0; BYTES]; ROWS]; SIXTEENS];
    for (whole, blocks) in whole.as_flattened_mut().iter_mut().zip(blocks) {
        *whole = (*blocks).try_into().expect("whole blocks for 256 inputs");
    }
    whole
}

/// 32 inputs have a step and a low end, both in two levels. Returns the outputs' scales.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,f16c")]
fn q4_k_grids(blocks: &[&[u8; 144]; ROWS], out: &mut [Grid; BLOCKS]) -> Floats {
    let [halves, first, second, third] = heads(blocks, 0);
    let (d, dmin) = (widened(halves), widened(_mm512_srli_epi32(halves, 16)));
    let and = |bytes, mask| _mm512_and_si512(bytes, _mm512_set1_epi32(mask));
    // The last four have their low nibbles in the third word, their high pairs above the first four.
    let last = |nibbles, pairs| {
        let pairs = and(_mm512_srli_epi32(pairs, 2), 0x3030_3030);
        _mm512_or_si512(and(nibbles, 0x0F0F_0F0F), pairs)
    };
    let scales = [and(first, 0x3F3F_3F3F), last(third, first)];
    let minima = [and(second, 0x3F3F_3F3F), last(_mm512_srli_epi32(third, 4), second)];
    let less = _mm512_sub_ps(_mm512_setzero_ps(), dmin);
    let (mut steps, mut lows) = ([_mm512_setzero_ps(); BLOCKS], [_mm512_setzero_ps(); BLOCKS]);
    for block in 0..BLOCKS {
        let shift = _mm_cvtsi32_si128(8 * (block as i32 % 4));
        let number = |bytes: [Vector; 2]| {
            let byte = and(_mm512_srl_epi32(bytes[block / 4], shift), 0xFF);
            _mm512_cvtepi32_ps(byte)
        };
        steps[block] = _mm512_mul_ps(d, number(scales));
        lows[block] = _mm512_mul_ps(less, number(minima));
    }
    grids(&steps, &lows, out)
}

/// Of 64 inputs the first 32 are low nibbles.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,f16c")]
fn q4_k(blocks: &[&[u8; 144]; ROWS], grids: &[Grid; BLOCKS], words: &mut Words) {
    for (pair, grids) in grids.as_chunks::<2>().0.iter().enumerate() {
        for half in 0..2 {
            let lines = heads(blocks, 16 + 32 * pair + 16 * half);
            for (word, line) in (16 * pair + 4 * half..).zip(lines) {
                let [low, high] = nibbles(line, &grids[0], &grids[1]);
                put(low, words, word);
                put(high, words, word + 8);
            }
        }
    }
}

/// 32 inputs have a scale. Returns the outputs' scales.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,f16c")]
fn q4_0_grids(blocks: &[&[u8; 144]; ROWS], out: &mut [Grid; BLOCKS]) -> Floats {
    let steps = scales(blocks, 18);
    let lows = steps.map(|step| _mm512_mul_ps(step, _mm512_set1_ps(-8.0)));
    grids(&steps, &lows, out)
}

/// Of 32 inputs the first 16 are low nibbles.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,f16c")]
fn q4_0(blocks: &[&[u8; 144]; ROWS], grids: &[Grid; BLOCKS], words: &mut Words) {
    for (block, grid) in grids.iter().enumerate() {
        for (word, line) in (8 * block..).zip(heads(blocks, 18 * block + 2)) {
            let [low, high] = nibbles(line, grid, grid);
            put(low, words, word);
            put(high, words, word + 4);
        }
    }
}

/// 32 inputs have a scale and a byte each.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,f16c")]
fn q8_0(blocks: &[&[u8; 272]; ROWS], words: &mut Words) -> Floats {
    let steps = scales(blocks, 34);
    let scale = steps.iter().fold(_mm512_setzero_si512(), |most, step| larger(most, *step));
    let scale = _mm512_castsi512_ps(scale);
    let inverse = _mm512_mul_ps(inverse(scale), _mm512_set1_ps(32768.0));
    let mut lines = [_mm512_setzero_si512(); ROWS];
    for (line, step) in lines.iter_mut().zip(steps) {
        let most = _mm512_set1_epi32(32767);
        let ratio = _mm512_cvtps_epi32(_mm512_mul_ps(step, inverse));
        let ratio = _mm512_min_epi32(ratio, most);
        *line = twice(_mm512_max_epi32(ratio, _mm512_sub_epi32(_mm512_setzero_si512(), most)));
    }
    let ratios = turned(lines);
    let spread = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    for pair in 0..BLOCKS / 2 {
        let index = _mm512_add_epi32(spread, _mm512_set1_epi32(2 * pair as i32));
        let mut lines = [_mm512_setzero_si512(); ROWS];
        for (output, block) in blocks.iter().enumerate() {
            let (left, right) = block[68 * pair..][..68].split_at(34);
            let bytes = [left, right].map(|block| half_load(&block[2..]));
            let bytes = _mm512_inserti64x4(_mm512_castsi256_si512(bytes[0]), bytes[1], 1);
            let ratio = _mm512_permutexvar_epi32(index, ratios[output]);
            lines[output] = scaled(bytes, ratio);
        }
        write(lines, words, 16 * pair);
    }
    scale
}

/// 16 inputs have an integer scale.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,f16c")]
fn q6_k(blocks: &[&[u8; 210]; ROWS], words: &mut Words) -> Floats {
    let d = halves(blocks, 208);
    let most = heads(blocks, 192).map(|bytes| _mm512_abs_epi8(bytes));
    let most =
        _mm512_max_epu8(_mm512_max_epu8(most[0], most[1]), _mm512_max_epu8(most[2], most[3]));
    let most = _mm512_max_epu8(most, _mm512_srli_epi32(most, 16));
    let most = _mm512_max_epu8(most, _mm512_srli_epi32(most, 8));
    let most = _mm512_cvtepi32_ps(_mm512_and_si512(most, _mm512_set1_epi32(0xFF)));
    let scale = _mm512_mul_ps(_mm512_mul_ps(_mm512_abs_ps(d), most), _mm512_set1_ps(32.0));
    let scale = _mm512_div_ps(scale, _mm512_set1_ps(127.0));
    // Codes are −32 to 31, 1024 times too large, and products shall be 256 times too large.
    let by = _mm512_mul_ps(_mm512_mul_ps(d, inverse(scale)), _mm512_set1_ps(8192.0));
    let mut factors = [0f32; ROWS];
    // SAFETY: sixteen numbers.
    unsafe { _mm512_storeu_ps(factors.as_mut_ptr(), by) };
    let mut ratios = [_mm512_setzero_si512(); ROWS];
    for ((ratio, block), factor) in ratios.iter_mut().zip(blocks).zip(factors) {
        let scales =
            _mm512_cvtepi8_epi32(quarter_load(block[192..].first_chunk().expect("scales")));
        let scales = _mm512_mul_ps(_mm512_cvtepi32_ps(scales), _mm512_set1_ps(factor));
        *ratio = twice(_mm512_cvtps_epi32(scales));
    }
    let spread = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    for half in 0..2 {
        let index = _mm512_add_epi32(spread, _mm512_set1_epi32(8 * half as i32));
        let (mut low, mut high) = ([_mm512_setzero_si512(); ROWS], [_mm512_setzero_si512(); ROWS]);
        for (output, block) in blocks.iter().enumerate() {
            let nibbles = load(&block[64 * half..]);
            let pairs = _mm512_broadcast_i64x4(half_load(&block[128 + 32 * half..]));
            let shift = |low: i16, high: i16| {
                _mm512_inserti64x4(_mm512_set1_epi16(low), _mm256_set1_epi16(high), 1)
            };
            let ratio = ratios[output];
            low[output] = scaled(
                six_bits(_mm512_slli_epi16(nibbles, 2), _mm512_sllv_epi16(pairs, shift(6, 4))),
                _mm512_permutexvar_epi32(index, ratio),
            );
            high[output] = scaled(
                six_bits(_mm512_srli_epi16(nibbles, 2), _mm512_sllv_epi16(pairs, shift(2, 0))),
                _mm512_permutexvar_epi32(_mm512_add_epi32(index, _mm512_set1_epi32(4)), ratio),
            );
        }
        write(low, words, 32 * half);
        write(high, words, 32 * half + 16);
    }
    scale
}

/// Codes of six bits less 32 in the upper bits of bytes: four bits from the middle of one vector, two from
/// the upper end of the other.
#[inline]
#[target_feature(enable = "avx512f")]
fn six_bits(nibbles: Vector, pairs: Vector) -> Vector {
    let bits = _mm512_ternarylogic_epi32(_mm512_set1_epi8(0x3C), nibbles, pairs, 0xCA);
    // (bits & all but two) ^ 128
    let above = _mm512_set1_epi32(ABOVE);
    _mm512_ternarylogic_epi32(bits, _mm512_set1_epi8(!3), above, 0x6A)
}

/// Signed bytes times ratios of 16 bits, twice in each word, of which 32768 is 1; with 128 added. Products are
/// rounded to nearest, and 127 at most.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn scaled(bytes: Vector, ratios: Vector) -> Vector {
    let (upper, half) = (_mm512_set1_epi16(!0xFF), _mm512_set1_epi16(0x80));
    let times = |values| _mm512_adds_epi16(_mm512_mulhrs_epi16(values, ratios), half);
    let odd = times(_mm512_and_si512(bytes, upper));
    let even = _mm512_srli_epi16(times(_mm512_slli_epi16(bytes, 8)), 8);
    let both = _mm512_ternarylogic_epi32(upper, odd, even, 0xCA);
    _mm512_xor_si512(both, _mm512_set1_epi32(ABOVE))
}

/// Numbers below 65536 in both halves of their words.
#[inline]
#[target_feature(enable = "avx512f")]
fn twice(numbers: Vector) -> Vector {
    let low = _mm512_and_si512(numbers, _mm512_set1_epi32(0xFFFF));
    _mm512_or_si512(low, _mm512_slli_epi32(numbers, 16))
}

/// The larger of magnitudes, as bits: where one is no number, neither is the result.
#[inline]
#[target_feature(enable = "avx512f")]
fn larger(most: Vector, numbers: Floats) -> Vector {
    _mm512_max_epi32(most, _mm512_castps_si512(_mm512_abs_ps(numbers)))
}

/// 1 / scale; 0 for one that has no inverse.
#[inline]
#[target_feature(enable = "avx512f")]
fn inverse(scale: Floats) -> Floats {
    let usable = _mm512_cmp_ps_mask(scale, _mm512_set1_ps(f32::MIN_POSITIVE), _CMP_GT_OQ);
    _mm512_maskz_div_ps(usable, _mm512_set1_ps(1.0), scale)
}

/// What codes of four bits become: `low + step · code` over the scale, both in both halves of an output's word,
/// 256 times too large and with 128 and a half added.
#[derive(Clone, Copy)]
struct Grid {
    step: Vector,
    low: Vector,
}

/// The grid of each block of 32; returns the outputs' scales.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn grids(steps: &OfBlocks, lows: &OfBlocks, grids: &mut [Grid; BLOCKS]) -> Floats {
    let all = |number| _mm512_set1_ps(number);
    let mut most = _mm512_setzero_si512();
    for (step, low) in steps.iter().zip(lows) {
        let high = _mm512_add_ps(*low, _mm512_mul_ps(all(15.0), *step));
        most = larger(larger(most, *low), high);
    }
    let scale = _mm512_div_ps(_mm512_castsi512_ps(most), all(127.0));
    let by = _mm512_mul_ps(inverse(scale), all(256.0));
    for ((grid, step), low) in grids.iter_mut().zip(steps).zip(lows) {
        let (step, low) = (_mm512_mul_ps(*step, by), _mm512_mul_ps(*low, by));
        let whole = _mm512_cvtps_epi32(step);
        // The middle of the codes is exact, so that a rounded step is off by 7.5 times as much at most.
        let off = _mm512_sub_ps(step, _mm512_cvtepi32_ps(whole));
        let low = _mm512_add_ps(_mm512_fmadd_ps(all(7.5), off, low), all(128.5 * 256.0));
        *grid = Grid { step: twice(whole), low: twice(_mm512_cvtps_epi32(low)) };
    }
    scale
}

/// Words of bytes whose low four bits are of one grid and whose high ones are of another.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn nibbles(words: Vector, low: &Grid, high: &Grid) -> [Vector; 2] {
    let (code, upper) = (_mm512_set1_epi16(15), _mm512_set1_epi16(!0xFF));
    let on = |grid: &Grid, even, odd| {
        let times = |codes| _mm512_add_epi16(_mm512_mullo_epi16(codes, grid.step), grid.low);
        let even = _mm512_srli_epi16(times(even), 8);
        _mm512_ternarylogic_epi32(upper, times(odd), even, 0xCA)
    };
    let and = |words| _mm512_and_si512(words, code);
    [
        on(low, and(words), and(_mm512_srli_epi16(words, 8))),
        on(high, and(_mm512_srli_epi16(words, 4)), _mm512_srli_epi16(words, 12)),
    ]
}

/// 16 bytes from `at` on of each output, as four words of each.
#[inline]
#[target_feature(enable = "avx512f")]
fn heads<const BYTES: usize>(blocks: &[&[u8; BYTES]; ROWS], at: usize) -> [Vector; 4] {
    let line = |output: usize| {
        let of =
            |lane: usize| blocks[output + 4 * lane][at..].first_chunk::<16>().expect("16 bytes");
        lanes([of(0), of(1), of(2), of(3)])
    };
    let [a, b, c, d] = [line(0), line(1), line(2), line(3)];
    let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab_low, cd_low),
        _mm512_unpackhi_epi64(ab_low, cd_low),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// float16 in the lower halves of words.
#[inline]
#[target_feature(enable = "avx512f")]
fn widened(words: Vector) -> Floats {
    _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words))
}

/// A float16 at this place of each output.
#[inline]
#[target_feature(enable = "avx512f")]
fn halves<const BYTES: usize>(blocks: &[&[u8; BYTES]; ROWS], at: usize) -> Floats {
    let mut halves = [0u16; ROWS];
    for (half, block) in halves.iter_mut().zip(blocks) {
        *half = u16::from_le_bytes([block[at], block[at + 1]]);
    }
    // SAFETY: 32 bytes.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(halves.as_ptr().cast()) })
}

/// The scales before blocks of 32 that are so many bytes long.
#[inline]
#[target_feature(enable = "avx512f")]
fn scales<const BYTES: usize>(blocks: &[&[u8; BYTES]; ROWS], stride: usize) -> OfBlocks {
    let mut scales = [_mm512_setzero_ps(); BLOCKS];
    for (block, scales) in scales.iter_mut().enumerate() {
        *scales = halves(blocks, stride * block);
    }
    scales
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8]) -> Vector {
    // SAFETY: 64 bytes, as the slice says.
    unsafe { _mm512_loadu_si512(bytes[..64].as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn half_load(bytes: &[u8]) -> __m256i {
    // SAFETY: 32 bytes, as the slice says.
    unsafe { _mm256_loadu_si256(bytes[..32].as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn quarter_load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// Four times 16 bytes.
#[inline]
#[target_feature(enable = "avx512f")]
fn lanes(bytes: [&[u8; 16]; 4]) -> Vector {
    let first = _mm512_castsi128_si512(quarter_load(bytes[0]));
    let second = _mm512_inserti32x4(first, quarter_load(bytes[1]), 1);
    let third = _mm512_inserti32x4(second, quarter_load(bytes[2]), 2);
    _mm512_inserti32x4(third, quarter_load(bytes[3]), 3)
}

/// Sixteen outputs' bytes as words.
///
/// # Safety
/// The processor has the instructions.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn turn(bytes: &Bytes, words: &mut Words) {
    for first in (0..GROUP_WORDS).step_by(16) {
        let mut lines = [_mm512_setzero_si512(); ROWS];
        for (line, bytes) in lines.iter_mut().zip(bytes) {
            *line = load(&bytes[4 * first..]);
        }
        write(lines, words, first);
    }
}

/// Sixteen words of sixteen outputs, turned over, from word `first` on.
#[inline]
#[target_feature(enable = "avx512f")]
fn write(lines: [Vector; ROWS], words: &mut Words, first: usize) {
    for (word, line) in turned(lines).into_iter().enumerate() {
        put(line, words, first + word);
    }
}

/// A word of each of sixteen outputs.
///
/// # Panics
/// When it is behind the group's last.
#[inline]
#[target_feature(enable = "avx512f")]
fn put(line: Vector, words: &mut Words, word: usize) {
    let words = &mut words[word * STRIP..][..ROWS];
    // SAFETY: sixteen words.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), line) };
}
