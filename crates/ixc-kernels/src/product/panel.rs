//! One group of inputs of [`PANEL`] outputs, unpacked into the words that tiles multiply.
//!
//! Quantised weights of any type become 8-bit integers with one scale for each output and 256 inputs: the
//! largest number that the blocks can hold becomes 127. What that rounds away is a small part of what the
//! 4 bits had rounded away before; 8-bit blocks lose about as much again as they had lost.
//! bfloat16 stays what it is, and other numbers are rounded to it. Deliberately absent: activations.

use std::ops::Range;

use super::tile::{GROUP_BYTES, GROUP_WORDS, Lane, PANEL, STRIP, Strip};
use crate::{Weight, cpu::Path, matrix::round_to_bf16};

/// Outputs that are turned into words together: as many as a vector has words.
const ROWS: usize = 16;

/// The right side of a product.
#[derive(Clone, Copy, Debug)]
pub struct Right<'a> {
    /// Its numbers.
    pub weight: Weight<'a>,
    /// None where the weight's rows are the outputs. Else its columns are, and these rows, in this order, the
    /// inputs.
    pub turned: Option<&'a [u32]>,
}

impl<'a> From<Weight<'a>> for Right<'a> {
    fn from(weight: Weight<'a>) -> Self {
        Self { weight, turned: None }
    }
}

impl Right<'_> {
    /// How many inputs.
    pub fn inputs(&self) -> usize {
        self.turned.map_or(self.weight.cols(), <[u32]>::len)
    }
}

/// A group of weights, ready to be multiplied.
#[derive(Debug)]
pub struct Panel {
    lane: Lane,
    /// Words of an output in this group.
    used: usize,
    /// (strip, word, output).
    words: Vec<i32>,
    /// (output).
    scales: [f32; PANEL],
}

impl Default for Panel {
    fn default() -> Self {
        Self {
            lane: Lane::Int8,
            used: 0,
            words: vec![0; PANEL * GROUP_WORDS],
            scales: [0.0; PANEL],
        }
    }
}

impl Panel {
    /// Takes in group number `group` of the inputs of some outputs, at most [`STRIP`], as a strip.
    ///
    /// # Panics
    /// When the lane is not one of the weight's, or there is no such group.
    pub fn fill(
        &mut self,
        strip: usize,
        path: Path,
        lane: Lane,
        right: &Right,
        outputs: Range<usize>,
        group: usize,
    ) {
        let first = group * lane.group();
        let inputs = first..right.inputs().min(first + lane.group());
        self.lane = lane;
        self.used = inputs.len().div_ceil(lane.word());
        let words = &mut self.words[strip * STRIP * GROUP_WORDS..][..STRIP * GROUP_WORDS];
        let weight = right.weight;
        if let Some(rows) = right.turned {
            assert!(lane == Lane::Bf16, "integers have scales along their inputs");
            return pair_up(path, weight, &rows[inputs], outputs, words);
        }
        let mut bytes: Bytes = [[0; GROUP_BYTES]; ROWS];
        let scales = &mut self.scales[strip * STRIP..][..STRIP];
        for (chunk, scales) in scales.chunks_exact_mut(ROWS).enumerate() {
            let first = (outputs.start + chunk * ROWS).min(outputs.end);
            let count = ROWS.min(outputs.end - first);
            let outputs = first..first + count;
            match lane {
                Lane::Int8 => int8(path, weight, outputs, inputs.clone(), &mut bytes, scales),
                Lane::Bf16 => bf16(path, weight, outputs, inputs.clone(), &mut bytes),
            }
            scales[count..].fill(0.0);
            bytes[count..].iter_mut().for_each(|bytes| bytes.fill(0));
            turn(path, &bytes, &mut words[chunk * ROWS..]);
        }
    }

    /// One strip of the panel.
    pub fn strip(&self, strip: usize) -> Strip<'_> {
        Strip {
            lane: self.lane,
            words: &self.words[strip * STRIP * GROUP_WORDS..][..STRIP * self.used],
            scales: &self.scales[strip * STRIP..][..STRIP],
        }
    }
}

/// Some outputs' weights of a group, one output behind the other.
type Bytes = [[u8; GROUP_BYTES]; ROWS];

/// bfloat16 as it is stored, or what is rounded to it, with 0 behind the last input.
fn bf16(path: Path, weight: Weight, outputs: Range<usize>, inputs: Range<usize>, out: &mut Bytes) {
    let (cols, count) = (weight.cols(), inputs.len());
    let mut values = [0f32; GROUP_BYTES / 2];
    for (output, out) in outputs.zip(out) {
        if let Some(stored) = weight.as_bf16() {
            let row = &stored[output * cols..][..cols][inputs.clone()];
            out[..2 * count].copy_from_slice(bytemuck::cast_slice(row));
        } else {
            let values = &mut values[..count];
            weight.widen_part(output, inputs.clone(), values);
            round(path, values, bytemuck::cast_slice_mut(&mut out[..2 * count]));
        }
        out[2 * count..].fill(0);
    }
}

/// Rounds to bfloat16.
fn round(path: Path, values: &[f32], out: &mut [u16]) {
    #[cfg(target_arch = "x86_64")]
    if path == Path::Avx512Bf16 {
        // SAFETY: the path is only chosen on processors that have its instructions.
        return unsafe { x86::round(values, out) };
    }
    let _ = path;
    round_to_bf16(values, out);
}

/// Columns of some rows as words: the pair of two rows' numbers in column c to `words[pair · STRIP + c]`, with
/// 0 behind the last row and the last column.
fn pair_up(path: Path, weight: Weight, rows: &[u32], columns: Range<usize>, words: &mut [i32]) {
    assert!(columns.len() <= STRIP && words.len() >= rows.len().div_ceil(2) * STRIP);
    #[cfg(target_arch = "x86_64")]
    if path == Path::Avx512Bf16 {
        // SAFETY: the path is only chosen on processors that have its instructions; `words` is long
        // enough, as was just checked.
        return unsafe { x86::pair_up(weight, rows, columns, words) };
    }
    let _ = path;
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

/// Quantised weights as 8-bit integers with 128 added.
fn int8(
    path: Path,
    weight: Weight,
    outputs: Range<usize>,
    inputs: Range<usize>,
    out: &mut Bytes,
    scales: &mut [f32],
) {
    for ((output, out), scale) in outputs.zip(out).zip(scales) {
        #[cfg(target_arch = "x86_64")]
        if matches!(path, Path::Avx512 | Path::Avx512Bf16)
            && let Some((quant, blocks)) = weight.as_blocks()
            && inputs.len() == GROUP_BYTES
        {
            let row = &blocks[output * quant.row_bytes(weight.cols())..];
            let blocks = &row[quant.row_bytes(inputs.start)..][..quant.row_bytes(GROUP_BYTES)];
            // SAFETY: the path is only chosen on processors that have its instructions.
            *scale = unsafe { x86::requantise(quant, blocks, out) };
            continue;
        }
        *scale = requantise(weight, output, inputs.clone(), out);
    }
}

/// The plain form: widened, then rounded to integers by the largest magnitude.
fn requantise(
    weight: Weight,
    output: usize,
    inputs: Range<usize>,
    out: &mut [u8; GROUP_BYTES],
) -> f32 {
    let mut values = [0f32; GROUP_BYTES];
    let values = &mut values[..inputs.len()];
    weight.widen_part(output, inputs, values);
    let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let scale = largest / 127.0;
    let inverse = if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    for (out, value) in out.iter_mut().zip(&*values) {
        *out = ((value * inverse).round_ties_even() as i32 + 128) as u8;
    }
    out[values.len()..].fill(128);
    scale
}

/// Writes some outputs' bytes as words: word w of output i to `words[w · STRIP + i]`.
fn turn(path: Path, bytes: &Bytes, words: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if matches!(path, Path::Avx512 | Path::Avx512Bf16) {
        assert!(words.len() >= (GROUP_WORDS - 1) * STRIP + ROWS);
        // SAFETY: the path is only chosen on processors that have its instructions; `words` is long
        // enough, as was just checked.
        unsafe { x86::turn(bytes, words) };
        return;
    }
    let _ = path;
    for (output, bytes) in bytes.iter().enumerate() {
        for (word, bytes) in bytes.as_chunks().0.iter().enumerate() {
            words[word * STRIP + output] = i32::from_le_bytes(*bytes);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[path = "panel_x86.rs"]
mod x86;
