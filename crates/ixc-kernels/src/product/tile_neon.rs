//! The register tile in Arm's vectors, with and without `sdot`.
//!
//! Signed bytes are multiplied with signed ones, so the 128 that weights come with is taken off again, by
//! turning one bit, and sums start from 0 instead of [`Left::start`]: the same integers in the end.
//! Deliberately absent: checks of lengths, which [`super::run`] makes.

use std::arch::aarch64::*;

use super::{Left, PANEL, STRIP, Strip, TILE_ROWS};
use crate::neon::sdot_word;

/// All rows against two vectors of four outputs at a time: 24 of 32 registers hold sums, three the rows' words.
///
/// # Safety
/// The slices are as long as [`super::run`] checks; the processor has the instructions.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn int8_dotprod(left: &Left, strip: &Strip, sums: &mut [f32]) {
    for column in (0..STRIP).step_by(8) {
        let mut totals = [[vdupq_n_s32(0); 2]; TILE_ROWS];
        for word in 0..strip.words.len() / STRIP {
            // SAFETY: word · 32 + 31 and word · 12 + 11 lie within the slices.
            let (w, x) = unsafe {
                let x = left.words.as_ptr().add(word * TILE_ROWS);
                let x = [vld1q_s32(x), vld1q_s32(x.add(4)), vld1q_s32(x.add(8))];
                let w = strip.words.as_ptr().add(word * STRIP + column);
                ([signed(w), signed(w.add(4))], x)
            };
            let words = x.map(|x| vreinterpretq_s8_s32(x));
            // Written out: only then do sums stay in registers whatever the compiler thinks of a loop.
            macro_rules! rows {
                ($($row:literal)*) => {
                    $(
                        let x = words[$row / 4];
                        totals[$row][0] = sdot_word::<{ $row % 4 }>(totals[$row][0], w[0], x);
                        totals[$row][1] = sdot_word::<{ $row % 4 }>(totals[$row][1], w[1], x);
                    )*
                };
            }
            rows!(0 1 2 3 4 5 6 7 8 9 10 11);
        }
        // SAFETY: rows and columns of the tile.
        unsafe { finish(left, strip, 0, column, totals, sums) };
    }
}

/// Products of two and two bytes are summed in 16 bits, which they fit: activations are from −127 to 127, so
/// two products are at most 2 · 128 · 127 = 32512 of 32767.
///
/// # Safety
/// As [`int8_dotprod`].
#[target_feature(enable = "neon")]
pub(super) unsafe fn int8(left: &Left, strip: &Strip, sums: &mut [f32]) {
    /// With four vectors of outputs, 16 of 32 registers hold sums.
    const ROWS: usize = 4;
    for row in (0..TILE_ROWS).step_by(ROWS) {
        for column in (0..STRIP).step_by(16) {
            let mut totals = [[vdupq_n_s32(0); 4]; ROWS];
            for word in 0..strip.words.len() / STRIP {
                // SAFETY: the words lie within the slices, as in the other form.
                let (w, x) = unsafe {
                    let w = strip.words.as_ptr().add(word * STRIP + column);
                    let w = [signed(w), signed(w.add(4)), signed(w.add(8)), signed(w.add(12))];
                    (w, left.words.as_ptr().add(word * TILE_ROWS + row))
                };
                for (i, totals) in totals.iter_mut().enumerate() {
                    // SAFETY: row + i < TILE_ROWS.
                    let x = vreinterpretq_s8_s32(vdupq_n_s32(unsafe { *x.add(i) }));
                    for (total, w) in totals.iter_mut().zip(w) {
                        let low = vmull_s8(vget_low_s8(w), vget_low_s8(x));
                        let pairs = vpaddq_s16(low, vmull_high_s8(w, x));
                        *total = vpadalq_s16(*total, pairs);
                    }
                }
            }
            // SAFETY: rows and columns of the tile.
            unsafe { finish(left, strip, row, column, totals, sums) };
        }
    }
}

/// A word of four outputs without the 128 that was added to each byte.
///
/// # Safety
/// Four words can be read.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn signed(words: *const i32) -> int8x16_t {
    // SAFETY: the caller's promise.
    let bytes = unsafe { vld1q_u8(words.cast()) };
    vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(0x80)))
}

/// Adds the products of some rows and columns to the sums.
///
/// # Safety
/// As [`int8_dotprod`]; the rows and columns are the tile's.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn finish<const N: usize, const ROWS: usize>(
    left: &Left,
    strip: &Strip,
    row: usize,
    column: usize,
    totals: [[int32x4_t; N]; ROWS],
    sums: &mut [f32],
) {
    for (row, totals) in (row..).zip(totals) {
        for (i, total) in totals.into_iter().enumerate() {
            let at = column + 4 * i;
            // SAFETY: sums holds rows of PANEL, the last of at least STRIP; scales holds STRIP.
            unsafe {
                let sum = sums.as_mut_ptr().add(row * PANEL + at);
                let weight = vld1q_f32(strip.scales.as_ptr().add(at));
                let value = vmulq_n_f32(vcvtq_f32_s32(total), left.scales[row]);
                vst1q_f32(sum, vfmaq_f32(vld1q_f32(sum), value, weight));
            }
        }
    }
}
