//! Columns of a weight as a strip's words: what gradients multiply.
//!
//! The rows are the inputs, and what lies side by side are outputs already: nothing is turned over. Numbers of
//! any storage are rounded to bfloat16 or widened to float32, a strip's width of each row at a time; quantised
//! ones too, as gradients differ too much in size for 8-bit integers. Deliberately absent: groups and panels.

use std::ops::Range;

use pulp::{Arch, NullaryFnOnce};

use super::tile::{Lane, STRIP};
use crate::{Weight, cpu::Path, matrix::round_to_bf16};

/// Writes word w of column c to `words[w · STRIP + c]`, with 0 behind the last column and, in pairs, behind the
/// last row.
///
/// # Panics
/// When there are more columns than a strip has, too few words, or the lane has integers.
pub(super) fn fill(
    path: Path,
    lane: Lane,
    weight: Weight,
    rows: &[u32],
    columns: Range<usize>,
    words: &mut [i32],
) {
    assert!(columns.len() <= STRIP && words.len() >= rows.len().div_ceil(lane.word()) * STRIP);
    match lane {
        Lane::F32 => {
            let words = bytemuck::cast_slice_mut(words);
            Arch::new().dispatch(Singles { weight, rows, columns, words });
        }
        #[cfg(target_arch = "x86_64")]
        Lane::Bf16 if path == Path::Avx512Bf16 => {
            // SAFETY: the path is only chosen on processors that have its instructions; `words` is long
            // enough, as was just checked.
            unsafe { x86::pairs(weight, rows, columns, words) }
        }
        Lane::Bf16 => pairs(weight, rows, columns, words),
        Lane::Int8 => panic!("integers have scales along their inputs"),
    }
    let _ = path;
}

/// float32: a word is one row's.
struct Singles<'a> {
    weight: Weight<'a>,
    rows: &'a [u32],
    columns: Range<usize>,
    words: &'a mut [f32],
}

impl NullaryFnOnce for Singles<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { weight, rows, columns, words } = self;
        for (&row, words) in rows.iter().zip(words.chunks_exact_mut(STRIP)) {
            let (words, behind) = words.split_at_mut(columns.len());
            weight.widen_part(row as usize, columns.clone(), words);
            behind.fill(0.0);
        }
    }
}

/// bfloat16 in plain Rust: a word is a pair of rows'.
fn pairs(weight: Weight, rows: &[u32], columns: Range<usize>, words: &mut [i32]) {
    let (mut values, mut rounded) = ([[0f32; STRIP]; 2], [[0u16; STRIP]; 2]);
    for (rows, words) in rows.chunks(2).zip(words.chunks_exact_mut(STRIP)) {
        values[1].fill(0.0);
        for (&row, values) in rows.iter().zip(&mut values) {
            weight.widen_part(row as usize, columns.clone(), &mut values[..columns.len()]);
        }
        values.iter().zip(&mut rounded).for_each(|(values, out)| round_to_bf16(values, out));
        for (word, (low, high)) in words.iter_mut().zip(rounded[0].iter().zip(&rounded[1])) {
            *word = (u32::from(*low) | u32::from(*high) << 16) as i32;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{arch::x86_64::*, ops::Range};

    use super::STRIP;
    use crate::{
        Weight,
        avx512::{Vector, halves, mask32, pair, pair_narrow},
    };

    /// See the plain form.
    ///
    /// # Safety
    /// The processor has the instructions; `words` holds a line of [`STRIP`] for each two rows, and there
    /// are at most as many columns.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn pairs(
        weight: Weight,
        rows: &[u32],
        columns: Range<usize>,
        words: &mut [i32],
    ) {
        let cols = weight.cols();
        let lines = rows.chunks(2).zip(words.chunks_exact_mut(STRIP));
        if let Some(stored) = weight.as_bf16() {
            let part = |row: u32| {
                let part = &stored[row as usize * cols..][..cols][columns.clone()];
                // SAFETY: what the mask leaves out is not read.
                unsafe { _mm512_maskz_loadu_epi16(mask32(part.len()), part.as_ptr().cast()) }
            };
            for (rows, words) in lines {
                let first = part(rows[0]);
                let second = rows.get(1).map_or(_mm512_setzero_si512(), |&row| part(row));
                put(pair_narrow(first, second), words);
            }
            return;
        }
        let mut values = [[0f32; STRIP]; 2];
        for (rows, words) in lines {
            let mut vectors = [[_mm512_setzero_ps(); 2]; 2];
            for ((&row, vectors), values) in rows.iter().zip(&mut vectors).zip(&mut values) {
                *vectors = match weight.as_f32() {
                    Some(numbers) => {
                        halves(&numbers[row as usize * cols..][..cols][columns.clone()])
                    }
                    None => {
                        let values = &mut values[..columns.len()];
                        weight.widen_part(row as usize, columns.clone(), values);
                        halves(values)
                    }
                };
            }
            let [first, second] = vectors;
            put([pair(first[0], second[0]), pair(first[1], second[1])], words);
        }
    }

    /// Writes a strip's line of words.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn put(vectors: [Vector; 2], words: &mut [i32]) {
        let words: &mut [i32; STRIP] = words.try_into().expect("a strip's line");
        let [low, high] = vectors;
        // SAFETY: two vectors are as long as the line.
        unsafe {
            _mm512_storeu_si512(words.as_mut_ptr().cast(), low);
            _mm512_storeu_si512(words.as_mut_ptr().add(16).cast(), high);
        }
    }
}
