//! The left side of a product, cut into tiles: words of [`TILE_ROWS`] rows side by side, group by group.
//!
//! Rows are taken as they lie, or columns as rows (the gradient of a weight has a batch's rows for its inputs).
//! Deliberately absent: weights ([`super::panel`]).

use pulp::{Arch, NullaryFnOnce};

use super::{
    rows::quantise,
    tile::{GROUP_BYTES, GROUP_WORDS, Lane, Left, TILE_ROWS},
};
use crate::{
    pool::{self, Shared},
    recycle::{self, floats},
};

/// Words of a tile in a group.
const TILE_WORDS: usize = GROUP_WORDS * TILE_ROWS;

/// Tiles of columns that a task packs: 768 bytes of each row at a time.
const TURNED_TILES: usize = 16;

/// Rows as tiles, for one lane.
#[derive(Debug)]
pub(super) struct Packed {
    lane: Lane,
    inputs: usize,
    tiles: usize,
    /// (group, tile, word, row), as bits of integers: a buffer like others, that goes round with them.
    words: Vec<f32>,
    /// (group, tile, row); empty for bfloat16.
    scales: Vec<f32>,
    /// (group, tile, row); empty for bfloat16.
    start: Vec<i32>,
    /// Whether a tile has a number other than 0.
    active: Vec<bool>,
}

impl Drop for Packed {
    fn drop(&mut self) {
        recycle::give(std::mem::take(&mut self.words));
    }
}

impl Packed {
    /// Room for so many rows of so many inputs.
    fn room(rows: usize, inputs: usize, lane: Lane) -> Self {
        let (tiles, groups) = (rows.div_ceil(TILE_ROWS), inputs.div_ceil(lane.group()));
        let scaled = if lane == Lane::Int8 { groups * tiles * TILE_ROWS } else { 0 };
        Self {
            lane,
            inputs,
            tiles,
            words: floats(groups * tiles * TILE_WORDS),
            scales: vec![0.0; scaled],
            start: vec![0; scaled],
            active: vec![true; tiles],
        }
    }

    /// Rows of `cols` numbers as they lie.
    pub(super) fn new(values: &[f32], cols: usize, lane: Lane) -> Self {
        let mut packed = Self::room(values.len() / cols, cols, lane);
        let (tiles, groups) = (packed.tiles, packed.groups());
        let words = Shared::new(packed.words.as_mut_slice());
        let (scales, start) = (Shared::new(&mut packed.scales), Shared::new(&mut packed.start));
        let active = Shared::new(&mut packed.active);
        pool::run(tiles, &|tile| {
            let rows = &values[tile * TILE_ROWS * cols..];
            let rows = &rows[..rows.len().min(TILE_ROWS * cols)];
            for group in 0..groups {
                let place = group * tiles + tile;
                let scaled = if lane == Lane::Int8 { TILE_ROWS } else { 0 };
                // SAFETY: each task takes the places of its own tile.
                let (words, scales, start) = unsafe {
                    (
                        words.part(place * TILE_WORDS, TILE_WORDS),
                        scales.part(place * scaled, scaled),
                        start.part(place * scaled, scaled),
                    )
                };
                let words = bytemuck::cast_slice_mut(words);
                let first = group * lane.group();
                let inputs = first..cols.min(first + lane.group());
                match lane {
                    Lane::Int8 => {
                        let tile = Int8 { rows, cols, inputs, words, scales, start };
                        Arch::new().dispatch(tile);
                    }
                    Lane::Bf16 => bf16(rows, cols, inputs, words),
                }
            }
            // SAFETY: each task takes its own tile's.
            unsafe { active.part(tile, 1)[0] = rows.iter().any(|value| *value != 0.0) };
        });
        packed
    }

    /// The columns of `values`, (…, cols), as rows of bfloat16, whose inputs are these of its rows.
    pub(super) fn turned(values: &[f32], cols: usize, rows: &[u32]) -> Self {
        let lane = Lane::Bf16;
        let mut packed = Self::room(cols, rows.len(), lane);
        let tiles = packed.tiles;
        let words = Shared::new(packed.words.as_mut_slice());
        let across = tiles.div_ceil(TURNED_TILES);
        pool::run(across * packed.groups(), &|task| {
            let (group, first) = (task / across, task % across * TURNED_TILES);
            let count = TURNED_TILES.min(tiles - first);
            // SAFETY: each task takes its own tiles of its group.
            let words =
                unsafe { words.part((group * tiles + first) * TILE_WORDS, count * TILE_WORDS) };
            let inputs = &rows[group * lane.group()..];
            let inputs = &inputs[..inputs.len().min(lane.group())];
            bf16_turned(values, cols, inputs, first * TILE_ROWS, bytemuck::cast_slice_mut(words));
        });
        packed
    }

    pub(super) fn lane(&self) -> Lane {
        self.lane
    }

    pub(super) fn groups(&self) -> usize {
        self.inputs.div_ceil(self.lane.group())
    }

    /// One group of a tile; `None` where all of the tile's rows are 0.
    pub(super) fn tile(&self, group: usize, tile: usize) -> Option<Left<'_>> {
        let place = group * self.tiles + tile;
        let scaled = if self.lane == Lane::Int8 { TILE_ROWS } else { 0 };
        let inputs = self.lane.group().min(self.inputs - group * self.lane.group());
        let words = inputs.div_ceil(self.lane.word()) * TILE_ROWS;
        self.active[tile].then(|| Left {
            words: bytemuck::cast_slice(&self.words[place * TILE_WORDS..][..words]),
            scales: &self.scales[place * scaled..][..scaled],
            start: &self.start[place * scaled..][..scaled],
        })
    }
}

/// One group of one tile, in 8-bit integers.
struct Int8<'a> {
    rows: &'a [f32],
    cols: usize,
    inputs: std::ops::Range<usize>,
    words: &'a mut [i32],
    scales: &'a mut [f32],
    start: &'a mut [i32],
}

impl NullaryFnOnce for Int8<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let used = self.inputs.len().div_ceil(4);
        self.words[..used * TILE_ROWS].fill(0); // rows that the last tile lacks
        for (row, values) in self.rows.chunks_exact(self.cols).enumerate() {
            let mut bytes = [0u8; GROUP_BYTES];
            let integers = bytemuck::cast_slice_mut(&mut bytes);
            self.scales[row] = quantise(&values[self.inputs.clone()], integers);
            let sum: i32 = integers.iter().map(|&x| i32::from(x)).sum();
            self.start[row] = -128 * sum;
            for (word, bytes) in bytes.as_chunks().0.iter().take(used).enumerate() {
                self.words[word * TILE_ROWS + row] = i32::from_le_bytes(*bytes);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
use x86::{bf16, bf16_turned};

/// bfloat16 has products on one path alone (see [`super::tile`]), and so nobody packs it elsewhere.
#[cfg(not(target_arch = "x86_64"))]
fn bf16(_: &[f32], _: usize, _: std::ops::Range<usize>, _: &mut [i32]) {
    unreachable!("no bfloat16 products here")
}

/// As above.
#[cfg(not(target_arch = "x86_64"))]
fn bf16_turned(_: &[f32], _: usize, _: &[u32], _: usize, _: &mut [i32]) {
    unreachable!("no bfloat16 products here")
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{arch::x86_64::*, ops::Range};

    use super::{GROUP_WORDS, TILE_ROWS, TILE_WORDS};
    use crate::{
        avx512::{Vector, load, mask, narrow, pair, turned},
        cpu::Path,
    };

    /// Some inputs of a tile's rows as words, with 0 behind the last input and the last row.
    pub(super) fn bf16(rows: &[f32], cols: usize, inputs: Range<usize>, words: &mut [i32]) {
        assert!(Path::Avx512Bf16.is_available() && words.len() >= TILE_WORDS);
        // SAFETY: the processor has the instructions, and there is room for a whole group.
        unsafe { tile(rows, cols, inputs, words) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn tile(rows: &[f32], cols: usize, inputs: Range<usize>, words: &mut [i32]) {
        let used = inputs.len().div_ceil(2);
        for first in (0..used).step_by(16) {
            let mut lines = [_mm512_setzero_si512(); 16];
            for (line, row) in lines.iter_mut().zip(rows.chunks_exact(cols)) {
                let row = &row[inputs.start + 2 * first..inputs.end];
                let (low, high) = row.split_at(row.len().min(16));
                *line = narrow(load(low), load(high));
            }
            for (word, line) in (first..used).zip(turned(lines)) {
                // SAFETY: `used` words are there.
                unsafe { put(line, words.as_mut_ptr().add(word * TILE_ROWS)) };
            }
        }
    }

    /// Columns from `first` on as rows of tiles, as many as `words` is for: pairs of these rows' numbers.
    pub(super) fn bf16_turned(
        values: &[f32],
        cols: usize,
        rows: &[u32],
        first: usize,
        words: &mut [i32],
    ) {
        assert!(Path::Avx512Bf16.is_available() && rows.len() <= 2 * GROUP_WORDS);
        // SAFETY: the processor has the instructions.
        unsafe { tiles_turned(values, cols, rows, first, words) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn tiles_turned(
        values: &[f32],
        cols: usize,
        rows: &[u32],
        first: usize,
        words: &mut [i32],
    ) {
        let row = |row: u32| &values[row as usize * cols..][..cols][first..];
        for (word, rows) in rows.chunks(2).enumerate() {
            let (a, b) = (row(rows[0]), rows.get(1).map_or(&[][..], |&second| row(second)));
            let numbers = |row: &[f32], tile: usize| {
                let start = row.len().min(tile * TILE_ROWS);
                load(&row[start..row.len().min(start + TILE_ROWS)])
            };
            for (tile, words) in words.chunks_exact_mut(TILE_WORDS).enumerate() {
                let line = pair(numbers(a, tile), numbers(b, tile));
                // SAFETY: there are at most as many pairs of rows as a group has words.
                unsafe { put(line, words.as_mut_ptr().add(word * TILE_ROWS)) };
            }
        }
    }

    /// Writes a word of each row of a tile.
    ///
    /// # Safety
    /// There is room for them.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn put(line: Vector, words: *mut i32) {
        // SAFETY: the caller's promise; what the mask leaves out is not written.
        unsafe { _mm512_mask_storeu_epi32(words, mask(TILE_ROWS), line) }
    }
}
