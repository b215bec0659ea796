//! The register tile: [`TILE_ROWS`] rows times [`STRIP`] outputs over one group of inputs.
//!
//! Both sides come as words of four bytes, four 8-bit integers or two bfloat16: `rows` as (word, row),
//! the strip as (word, output), so that a step is one word of each row against a vector of outputs.
//! Weights in 8 bits come with 128 added, which the dot product instructions want; what that adds is known
//! per row beforehand ([`Left::start`]). Every path does the same sums in the same order for integers;
//! bfloat16 exists on one path alone.

use crate::cpu::Path;

/// Rows of a tile. With two vectors of outputs, 24 of 32 vector registers hold sums.
pub const TILE_ROWS: usize = 12;

/// Outputs of a tile.
pub const STRIP: usize = 32;

/// Outputs of a panel: a row tile is used twice while it is in the first cache.
pub const PANEL: usize = 64;

/// Words of a group.
pub const GROUP_WORDS: usize = 64;

/// Bytes of one row, or of one output's weights, in a group.
pub const GROUP_BYTES: usize = 4 * GROUP_WORDS;

/// What the numbers in a word are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Four 8-bit integers, with a scale for each row and each output of a group.
    Int8,
    /// Two bfloat16.
    Bf16,
}

impl Lane {
    /// Inputs in a word.
    pub fn word(self) -> usize {
        match self {
            Self::Int8 => 4,
            Self::Bf16 => 2,
        }
    }

    /// Inputs in a group; the last group of a row may have fewer.
    pub fn group(self) -> usize {
        GROUP_WORDS * self.word()
    }
}

/// One group of a tile's rows.
#[derive(Clone, Copy, Debug)]
pub struct Left<'a> {
    /// (word, row): at most [`GROUP_WORDS`] × [`TILE_ROWS`].
    pub words: &'a [i32],
    /// The rows' scales; empty for bfloat16.
    pub scales: &'a [f32],
    /// What each row's integer sums start from: −128 · the sum of the row's integers. Empty for bfloat16.
    pub start: &'a [i32],
}

/// One group of a strip's weights.
#[derive(Clone, Copy, Debug)]
pub struct Strip<'a> {
    /// What they are.
    pub lane: Lane,
    /// (word, output): as many words as the rows have.
    pub words: &'a [i32],
    /// The outputs' scales; meaningless for bfloat16.
    pub scales: &'a [f32],
}

/// Adds the tile's products to `sums`, whose rows are [`PANEL`] apart.
///
/// # Panics
/// When a slice is too short, or bfloat16 is asked of a path that has none.
pub fn run(path: Path, left: &Left, strip: &Strip, sums: &mut [f32]) {
    let words = strip.words.len() / STRIP;
    assert!(left.words.len() == words * TILE_ROWS && strip.words.len() == words * STRIP);
    assert!(sums.len() >= (TILE_ROWS - 1) * PANEL + STRIP);
    match strip.lane {
        Lane::Int8 => {
            assert!(left.scales.len() == TILE_ROWS && left.start.len() == TILE_ROWS);
            assert!(strip.scales.len() == STRIP);
            match path {
                #[cfg(target_arch = "x86_64")]
                Path::Avx512 | Path::Avx512Bf16 => {
                    // SAFETY: the path is only chosen on processors that have its instructions; the
                    // slices are as long as the kernel reads (checked above).
                    unsafe { x86::int8_avx512(left, strip, sums) }
                }
                #[cfg(target_arch = "x86_64")]
                Path::Avx2 => {
                    // SAFETY: as above.
                    unsafe { x86::int8_avx2(left, strip, sums) }
                }
                _ => int8_plain(left, strip, sums),
            }
        }
        Lane::Bf16 => match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512Bf16 => {
                // SAFETY: as above.
                unsafe { x86::bf16_avx512(left, strip, sums) }
            }
            _ => panic!("{} has no bfloat16 products", path.name()),
        },
    }
}

/// The tile in plain Rust: what every other form must equal.
fn int8_plain(left: &Left, strip: &Strip, sums: &mut [f32]) {
    for row in 0..TILE_ROWS {
        let mut totals = [left.start[row]; STRIP];
        for (word, weights) in strip.words.chunks_exact(STRIP).enumerate() {
            let x = left.words[word * TILE_ROWS + row].to_le_bytes().map(|x| i32::from(x as i8));
            for (total, weights) in totals.iter_mut().zip(weights) {
                let w = weights.to_le_bytes().map(i32::from);
                *total += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
            }
        }
        let sums = &mut sums[row * PANEL..][..STRIP];
        for ((sum, total), scale) in sums.iter_mut().zip(totals).zip(strip.scales) {
            *sum = (total as f32 * left.scales[row]).mul_add(*scale, *sum);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Left, PANEL, STRIP, Strip, TILE_ROWS};

    /// # Safety
    /// The slices are as long as [`super::run`] checks; the processor has the instructions.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) unsafe fn int8_avx512(left: &Left, strip: &Strip, sums: &mut [f32]) {
        let mut totals = [[_mm512_setzero_si512(); 2]; TILE_ROWS];
        for (totals, &start) in totals.iter_mut().zip(left.start) {
            *totals = [_mm512_set1_epi32(start); 2];
        }
        let (x, w) = (left.words.as_ptr(), strip.words.as_ptr());
        for word in 0..strip.words.len() / STRIP {
            // SAFETY: word · 32 + 31 and word · 12 + 11 lie within the slices.
            unsafe {
                let w = w.add(word * STRIP).cast();
                let (w0, w1) = (_mm512_loadu_si512(w), _mm512_loadu_si512(w.add(1)));
                let x = x.add(word * TILE_ROWS);
                for (row, totals) in totals.iter_mut().enumerate() {
                    let x = _mm512_set1_epi32(*x.add(row));
                    totals[0] = _mm512_dpbusd_epi32(totals[0], w0, x);
                    totals[1] = _mm512_dpbusd_epi32(totals[1], w1, x);
                }
            }
        }
        for (row, totals) in totals.iter().enumerate() {
            let scale = _mm512_set1_ps(left.scales[row]);
            for (half, &total) in totals.iter().enumerate() {
                // SAFETY: sums holds rows of PANEL, the last of at least STRIP; scales holds STRIP.
                unsafe {
                    let sum = sums.as_mut_ptr().add(row * PANEL + 16 * half);
                    let weight = _mm512_loadu_ps(strip.scales.as_ptr().add(16 * half));
                    let value = _mm512_mul_ps(_mm512_cvtepi32_ps(total), scale);
                    _mm512_storeu_ps(sum, _mm512_fmadd_ps(value, weight, _mm512_loadu_ps(sum)));
                }
            }
        }
    }

    /// # Safety
    /// As [`int8_avx512`].
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn bf16_avx512(left: &Left, strip: &Strip, sums: &mut [f32]) {
        let mut totals = [[_mm512_setzero_ps(); 2]; TILE_ROWS];
        for (row, totals) in totals.iter_mut().enumerate() {
            for (half, total) in totals.iter_mut().enumerate() {
                // SAFETY: sums holds rows of PANEL, the last of at least STRIP.
                *total = unsafe { _mm512_loadu_ps(sums.as_ptr().add(row * PANEL + 16 * half)) };
            }
        }
        let (x, w) = (left.words.as_ptr(), strip.words.as_ptr());
        for word in 0..strip.words.len() / STRIP {
            // SAFETY: word · 32 + 31 and word · 12 + 11 lie within the slices; a vector of words is a
            // vector of pairs of bfloat16.
            unsafe {
                let w = w.add(word * STRIP).cast();
                let w0: __m512bh = std::mem::transmute(_mm512_loadu_si512(w));
                let w1: __m512bh = std::mem::transmute(_mm512_loadu_si512(w.add(1)));
                let x = x.add(word * TILE_ROWS);
                for (row, totals) in totals.iter_mut().enumerate() {
                    let x: __m512bh = std::mem::transmute(_mm512_set1_epi32(*x.add(row)));
                    totals[0] = _mm512_dpbf16_ps(totals[0], w0, x);
                    totals[1] = _mm512_dpbf16_ps(totals[1], w1, x);
                }
            }
        }
        for (row, totals) in totals.iter().enumerate() {
            for (half, &total) in totals.iter().enumerate() {
                // SAFETY: as for the load.
                unsafe { _mm512_storeu_ps(sums.as_mut_ptr().add(row * PANEL + 16 * half), total) };
            }
        }
    }

    /// Rows that share one reading of the strip: with two vectors of outputs and the split words, they
    /// fill 16 registers.
    const ROWS: usize = 4;

    /// Even and odd bytes of a word apart, as 16-bit numbers: their products and sums of two fit 32 bits,
    /// where the 8-bit instruction of AVX2 saturates.
    ///
    /// # Safety
    /// As [`int8_avx512`].
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn int8_avx2(left: &Left, strip: &Strip, sums: &mut [f32]) {
        let low = _mm256_set1_epi16(0xFF);
        for row in (0..TILE_ROWS).step_by(ROWS) {
            for column in (0..STRIP).step_by(16) {
                let mut totals = [[_mm256_setzero_si256(); 2]; ROWS];
                for (i, totals) in totals.iter_mut().enumerate() {
                    *totals = [_mm256_set1_epi32(left.start[row + i]); 2];
                }
                for word in 0..strip.words.len() / STRIP {
                    // SAFETY: the words lie within the slices, as in the wider form.
                    let (w, x) = unsafe {
                        let w = strip.words.as_ptr().add(word * STRIP + column).cast();
                        let w = [_mm256_loadu_si256(w), _mm256_loadu_si256(w.add(1))];
                        (w, left.words.as_ptr().add(word * TILE_ROWS + row))
                    };
                    let even = w.map(|w| _mm256_and_si256(w, low));
                    let odd = w.map(|w| _mm256_srli_epi16(w, 8));
                    for (i, totals) in totals.iter_mut().enumerate() {
                        // SAFETY: row + i < TILE_ROWS.
                        let x = _mm256_set1_epi32(unsafe { *x.add(i) });
                        let x_even = _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8);
                        let x_odd = _mm256_srai_epi16(x, 8);
                        for half in 0..2 {
                            let sum = _mm256_add_epi32(
                                _mm256_madd_epi16(even[half], x_even),
                                _mm256_madd_epi16(odd[half], x_odd),
                            );
                            totals[half] = _mm256_add_epi32(totals[half], sum);
                        }
                    }
                }
                for (i, totals) in totals.iter().enumerate() {
                    let scale = _mm256_set1_ps(left.scales[row + i]);
                    for (half, &total) in totals.iter().enumerate() {
                        let at = column + 8 * half;
                        // SAFETY: as in the wider form.
                        unsafe {
                            let sum = sums.as_mut_ptr().add((row + i) * PANEL + at);
                            let weight = _mm256_loadu_ps(strip.scales.as_ptr().add(at));
                            let value = _mm256_mul_ps(_mm256_cvtepi32_ps(total), scale);
                            let value = _mm256_fmadd_ps(value, weight, _mm256_loadu_ps(sum));
                            _mm256_storeu_ps(sum, value);
                        }
                    }
                }
            }
        }
    }
}
