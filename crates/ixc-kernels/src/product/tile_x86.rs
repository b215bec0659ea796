//! The register tile in x86's vectors, for each set of instructions.
//!
//! What differs is how four products reach a sum of 32 bits: in one instruction with VNNI, by sums of two in
//! 16 bits with AVX2 alone. Deliberately absent: checks of lengths, which [`super::run`] makes.

use std::arch::x86_64::*;

use super::{Left, PANEL, STRIP, Strip, TILE_ROWS};

/// # Safety
/// The slices are as long as [`super::run`] checks; the processor has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn int8_avx512(left: &Left, strip: &Strip, sums: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe {
        match left.rows {
            ..=4 => int8_rows_avx512::<4>(left, strip, sums),
            5..=8 => int8_rows_avx512::<8>(left, strip, sums),
            _ => int8_rows_avx512::<TILE_ROWS>(left, strip, sums),
        }
    }
}

/// The first `R` rows of a tile. Loops over rows have no other bound than `R`: sums would leave their
/// registers for memory otherwise.
///
/// # Safety
/// As [`int8_avx512`]; a tile has as many rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn int8_rows_avx512<const R: usize>(left: &Left, strip: &Strip, sums: &mut [f32]) {
    let start: &[i32; R] = left.start.first_chunk().expect("a number for each row");
    let scales: &[f32; R] = left.scales.first_chunk().expect("a scale for each row");
    let mut totals = [[_mm512_setzero_si512(); 2]; R];
    for row in 0..R {
        totals[row] = [_mm512_set1_epi32(start[row]); 2];
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
        let scale = _mm512_set1_ps(scales[row]);
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

/// Signs of weights go over to the rows, so that unsigned bytes are multiplied with signed ones: two products
/// are at most 2 · 128 · 127 = 32512, where the instruction saturates at 32767. With 128 taken off the
/// weights, sums start from 0.
///
/// # Safety
/// As [`int8_avx512`].
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn int8_avx2(left: &Left, strip: &Strip, sums: &mut [f32]) {
    /// With two vectors of outputs, their signs and sizes, they fill 16 registers.
    const ROWS: usize = 4;
    let (high_bits, ones) = (_mm256_set1_epi8(-128), _mm256_set1_epi16(1));
    for (row, column) in places(ROWS) {
        let mut totals = [[_mm256_setzero_si256(); 2]; ROWS];
        for word in 0..strip.words.len() / STRIP {
            // SAFETY: the words lie within the slices, as in the wider form.
            let (w, x) = unsafe { words(left, strip, word, row, column) };
            let w = w.map(|w| _mm256_xor_si256(w, high_bits));
            let sizes = w.map(|w| _mm256_abs_epi8(w));
            for (i, totals) in totals.iter_mut().enumerate() {
                // SAFETY: row + i < TILE_ROWS.
                let x = _mm256_set1_epi32(unsafe { *x.add(i) });
                for half in 0..2 {
                    let pairs = _mm256_maddubs_epi16(sizes[half], _mm256_sign_epi8(x, w[half]));
                    let sum = _mm256_madd_epi16(pairs, ones);
                    totals[half] = _mm256_add_epi32(totals[half], sum);
                }
            }
        }
        // SAFETY: rows and columns of the tile.
        unsafe { finish(left, strip, row, column, totals, sums) };
    }
}

/// # Safety
/// As [`int8_avx512`].
#[target_feature(enable = "avx2,fma,avxvnni")]
pub(super) unsafe fn int8_avx_vnni(left: &Left, strip: &Strip, sums: &mut [f32]) {
    /// With two vectors of outputs, 12 of 16 registers hold sums.
    const ROWS: usize = 6;
    for (row, column) in places(ROWS) {
        let mut totals = [[_mm256_setzero_si256(); 2]; ROWS];
        for (totals, &start) in totals.iter_mut().zip(&left.start[row..row + ROWS]) {
            *totals = [_mm256_set1_epi32(start); 2];
        }
        for word in 0..strip.words.len() / STRIP {
            // SAFETY: the words lie within the slices, as in the wider form.
            let (w, x) = unsafe { words(left, strip, word, row, column) };
            for (i, totals) in totals.iter_mut().enumerate() {
                // SAFETY: row + i < TILE_ROWS.
                let x = _mm256_set1_epi32(unsafe { *x.add(i) });
                totals[0] = _mm256_dpbusd_avx_epi32(totals[0], w[0], x);
                totals[1] = _mm256_dpbusd_avx_epi32(totals[1], w[1], x);
            }
        }
        // SAFETY: rows and columns of the tile.
        unsafe { finish(left, strip, row, column, totals, sums) };
    }
}

/// The parts of a tile whose sums fit 16 registers: so many rows, and two vectors of 8 outputs.
fn places(rows: usize) -> impl Iterator<Item = (usize, usize)> {
    let columns = || (0..STRIP).step_by(16);
    (0..TILE_ROWS).step_by(rows).flat_map(move |row| columns().map(move |column| (row, column)))
}

/// One word of 16 outputs, and where that of the rows lies.
///
/// # Safety
/// The word, row and column are the tile's.
#[target_feature(enable = "avx2")]
unsafe fn words(
    left: &Left,
    strip: &Strip,
    word: usize,
    row: usize,
    column: usize,
) -> ([__m256i; 2], *const i32) {
    // SAFETY: the caller's promise.
    unsafe {
        let w = strip.words.as_ptr().add(word * STRIP + column).cast();
        let w = [_mm256_loadu_si256(w), _mm256_loadu_si256(w.add(1))];
        (w, left.words.as_ptr().add(word * TILE_ROWS + row))
    }
}

/// Adds a part's products to the sums.
///
/// # Safety
/// As [`int8_avx512`]; the rows and columns are the tile's.
#[target_feature(enable = "avx2,fma")]
unsafe fn finish<const ROWS: usize>(
    left: &Left,
    strip: &Strip,
    row: usize,
    column: usize,
    totals: [[__m256i; 2]; ROWS],
    sums: &mut [f32],
) {
    for (row, totals) in (row..).zip(totals) {
        let scale = _mm256_set1_ps(left.scales[row]);
        for (half, total) in totals.into_iter().enumerate() {
            let at = column + 8 * half;
            // SAFETY: sums holds rows of PANEL, the last of at least STRIP; scales holds STRIP.
            unsafe {
                let sum = sums.as_mut_ptr().add(row * PANEL + at);
                let weight = _mm256_loadu_ps(strip.scales.as_ptr().add(at));
                let value = _mm256_mul_ps(_mm256_cvtepi32_ps(total), scale);
                let value = _mm256_fmadd_ps(value, weight, _mm256_loadu_ps(sum));
                _mm256_storeu_ps(sum, value);
            }
        }
    }
}

/// # Safety
/// As [`int8_avx512`].
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn f32_avx512(left: &Left, strip: &Strip, sums: &mut [f32]) {
    let mut totals = [[_mm512_setzero_ps(); 2]; TILE_ROWS];
    for (row, totals) in totals.iter_mut().enumerate() {
        for (half, total) in totals.iter_mut().enumerate() {
            // SAFETY: sums holds rows of PANEL, the last of at least STRIP.
            *total = unsafe { _mm512_loadu_ps(sums.as_ptr().add(row * PANEL + 16 * half)) };
        }
    }
    let (x, w) = (left.words.as_ptr().cast::<f32>(), strip.words.as_ptr().cast::<f32>());
    for word in 0..strip.words.len() / STRIP {
        // SAFETY: word · 32 + 31 and word · 12 + 11 lie within the slices; a word is a float32.
        unsafe {
            let w = w.add(word * STRIP);
            let (w0, w1) = (_mm512_loadu_ps(w), _mm512_loadu_ps(w.add(16)));
            let x = x.add(word * TILE_ROWS);
            for (row, totals) in totals.iter_mut().enumerate() {
                let x = _mm512_set1_ps(*x.add(row));
                totals[0] = _mm512_fmadd_ps(w0, x, totals[0]);
                totals[1] = _mm512_fmadd_ps(w1, x, totals[1]);
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

/// Six rows of two vectors at a time: their sums and three factors fit 16 registers.
///
/// # Safety
/// As [`int8_avx512`].
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn f32_avx2(left: &Left, strip: &Strip, sums: &mut [f32]) {
    const SIX: usize = 6;
    for first in (0..TILE_ROWS).step_by(SIX) {
        for column in (0..STRIP).step_by(16) {
            let place = |row: usize, half: usize| (first + row) * PANEL + column + 8 * half;
            let mut totals = [[_mm256_setzero_ps(); 2]; SIX];
            for (row, totals) in totals.iter_mut().enumerate() {
                for (half, total) in totals.iter_mut().enumerate() {
                    // SAFETY: sums holds rows of PANEL, the last of at least STRIP.
                    *total = unsafe { _mm256_loadu_ps(sums.as_ptr().add(place(row, half))) };
                }
            }
            for word in 0..strip.words.len() / STRIP {
                // SAFETY: the words lie within the slices, as in the wider form.
                unsafe {
                    let w = strip.words.as_ptr().add(word * STRIP + column).cast::<f32>();
                    let (w0, w1) = (_mm256_loadu_ps(w), _mm256_loadu_ps(w.add(8)));
                    let x = left.words.as_ptr().add(word * TILE_ROWS + first).cast::<f32>();
                    for (row, totals) in totals.iter_mut().enumerate() {
                        let x = _mm256_set1_ps(*x.add(row));
                        totals[0] = _mm256_fmadd_ps(w0, x, totals[0]);
                        totals[1] = _mm256_fmadd_ps(w1, x, totals[1]);
                    }
                }
            }
            for (row, totals) in totals.iter().enumerate() {
                for (half, &total) in totals.iter().enumerate() {
                    // SAFETY: as for the load.
                    unsafe { _mm256_storeu_ps(sums.as_mut_ptr().add(place(row, half)), total) };
                }
            }
        }
    }
}
