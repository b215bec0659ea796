//! The left side of a product, cut into tiles: words of [`TILE_ROWS`] rows side by side, group by group.
//!
//! Rows are taken as they lie, or columns as rows (the gradient of a weight has a batch's rows for its inputs).
//! Deliberately absent: weights ([`super::panel`]).

use std::ops::Range;

use pulp::{Arch, NullaryFnOnce};

use super::{
    rows::quantise,
    tile::{GROUP_BYTES, GROUP_WORDS, Lane, Left, TILE_ROWS},
};
#[cfg(target_arch = "x86_64")]
use crate::cpu::Path;
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
    rows: usize,
    inputs: usize,
    tiles: usize,
    /// (group, tile, word, row), as bits of integers: a buffer like others, that goes round with them.
    words: Vec<f32>,
    /// (group, tile, row); only for integers.
    scales: Vec<f32>,
    /// (group, tile, row); only for integers.
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
            rows,
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
                    _ => floats_of_tile(lane, rows, cols, inputs, words),
                }
            }
            // SAFETY: each task takes its own tile's.
            unsafe { active.part(tile, 1)[0] = rows.iter().any(|value| *value != 0.0) };
        });
        packed
    }

    /// The columns of `values`, (…, cols), as rows, whose inputs are these of its rows; no integers.
    pub(super) fn turned(values: &[f32], cols: usize, rows: &[u32], lane: Lane) -> Self {
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
            let columns = Columns { values, cols, first: first * TILE_ROWS };
            columns.pack(lane, inputs, bytemuck::cast_slice_mut(words));
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
    #[inline]
    pub(super) fn tile(&self, group: usize, tile: usize) -> Option<Left<'_>> {
        let place = group * self.tiles + tile;
        let scaled = if self.lane == Lane::Int8 { TILE_ROWS } else { 0 };
        let inputs = self.lane.group().min(self.inputs - group * self.lane.group());
        let words = inputs.div_ceil(self.lane.word()) * TILE_ROWS;
        self.active[tile].then(|| Left {
            rows: TILE_ROWS.min(self.rows - tile * TILE_ROWS),
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
    inputs: Range<usize>,
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

/// Some inputs of a tile's rows as words, with 0 behind the last input and the last row.
fn floats_of_tile(lane: Lane, rows: &[f32], cols: usize, inputs: Range<usize>, words: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if lane == Lane::Bf16 || Path::Avx512.is_available() {
        return x86::tile(lane, rows, cols, inputs, words);
    }
    assert!(lane == Lane::F32, "bfloat16 has tiles on one path alone");
    words[..inputs.len() * TILE_ROWS].fill(0);
    for (row, values) in rows.chunks_exact(cols).enumerate() {
        let words = words.iter_mut().skip(row).step_by(TILE_ROWS);
        for (word, value) in words.zip(&values[inputs.clone()]) {
            *word = value.to_bits() as i32;
        }
    }
}

/// Columns from `first` on, which become rows of tiles.
#[derive(Clone, Copy)]
struct Columns<'a> {
    values: &'a [f32],
    cols: usize,
    first: usize,
}

impl Columns<'_> {
    /// As many tiles as `words` is for, of these rows' numbers.
    fn pack(self, lane: Lane, rows: &[u32], words: &mut [i32]) {
        #[cfg(target_arch = "x86_64")]
        if lane == Lane::Bf16 {
            return x86::pairs(self, rows, words);
        }
        assert!(lane == Lane::F32, "float32, or bfloat16 where it has tiles");
        for (word, &row) in rows.iter().enumerate() {
            for (tile, words) in words.chunks_exact_mut(TILE_WORDS).enumerate() {
                let numbers = self.of_tile(row, tile);
                let words: &mut [i32; TILE_ROWS] =
                    (&mut words[word * TILE_ROWS..][..TILE_ROWS]).try_into().expect("a word each");
                match numbers.first_chunk::<TILE_ROWS>() {
                    Some(numbers) => *words = numbers.map(|number| number.to_bits() as i32),
                    None => {
                        *words = [0; TILE_ROWS];
                        words.iter_mut().zip(numbers).for_each(|(w, x)| *w = x.to_bits() as i32);
                    }
                }
            }
        }
    }

    /// A row's numbers in the columns of a tile; fewer, or none, in the last one.
    #[inline]
    fn of_tile(&self, row: u32, tile: usize) -> &[f32] {
        let row = &self.values[row as usize * self.cols..][..self.cols];
        let start = self.cols.min(self.first + tile * TILE_ROWS);
        &row[start..self.cols.min(start + TILE_ROWS)]
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{arch::x86_64::*, ops::Range};

    use super::{Columns, GROUP_WORDS, Lane, TILE_ROWS, TILE_WORDS};
    use crate::{
        avx512::{Vector, halves, load, mask, narrow, pair, turned},
        cpu::Path,
    };

    /// See [`super::floats_of_tile`].
    pub(super) fn tile(
        lane: Lane,
        rows: &[f32],
        cols: usize,
        inputs: Range<usize>,
        words: &mut [i32],
    ) {
        assert!(words.len() >= TILE_WORDS && inputs.len() <= lane.group());
        match lane {
            Lane::Bf16 => {
                assert!(Path::Avx512Bf16.is_available(), "bfloat16 has tiles on one path alone");
                // SAFETY: the processor has the instructions, and there is room for a whole group.
                unsafe { tile_bf16(rows, cols, inputs, words) }
            }
            _ => {
                assert!(Path::Avx512.is_available());
                // SAFETY: as above.
                unsafe { tile_f32(rows, cols, inputs, words) }
            }
        }
    }

    /// # Safety
    /// The processor has the instructions; there is room for a word of two inputs of each row.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn tile_bf16(rows: &[f32], cols: usize, inputs: Range<usize>, words: &mut [i32]) {
        let used = inputs.len().div_ceil(2);
        for first in (0..used).step_by(16) {
            let mut lines = [_mm512_setzero_si512(); 16];
            for (line, row) in lines.iter_mut().zip(rows.chunks_exact(cols)) {
                let [low, high] = halves(&row[inputs.start + 2 * first..inputs.end]);
                *line = narrow(low, high);
            }
            for (word, line) in (first..used).zip(turned(lines)) {
                // SAFETY: `used` words are there.
                unsafe { put(line, words.as_mut_ptr().add(word * TILE_ROWS)) };
            }
        }
    }

    /// # Safety
    /// The processor has the instructions; there is room for a word of each input of each row.
    #[target_feature(enable = "avx512f")]
    unsafe fn tile_f32(rows: &[f32], cols: usize, inputs: Range<usize>, words: &mut [i32]) {
        for first in (0..inputs.len()).step_by(16) {
            let mut lines = [_mm512_setzero_si512(); 16];
            for (line, row) in lines.iter_mut().zip(rows.chunks_exact(cols)) {
                *line = _mm512_castps_si512(load(&row[inputs.start + first..inputs.end]));
            }
            for (word, line) in (first..inputs.len()).zip(turned(lines)) {
                // SAFETY: as many words as inputs are there.
                unsafe { put(line, words.as_mut_ptr().add(word * TILE_ROWS)) };
            }
        }
    }

    /// See [`Columns::pack`].
    pub(super) fn pairs(columns: Columns, rows: &[u32], words: &mut [i32]) {
        assert!(Path::Avx512Bf16.is_available() && rows.len() <= 2 * GROUP_WORDS);
        // SAFETY: the processor has the instructions.
        unsafe { pairs_of(columns, rows, words) }
    }

    /// # Safety
    /// The processor has the instructions; there are at most as many pairs of rows as a group has words.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn pairs_of(columns: Columns, rows: &[u32], words: &mut [i32]) {
        for (word, rows) in rows.chunks(2).enumerate() {
            for (tile, words) in words.chunks_exact_mut(TILE_WORDS).enumerate() {
                let second = rows.get(1).map_or(&[][..], |&row| columns.of_tile(row, tile));
                let line = pair(load(columns.of_tile(rows[0], tile)), load(second));
                // SAFETY: the caller's promise.
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
