//! One group of inputs of [`PANEL`] outputs, unpacked into the words that tiles multiply.
//!
//! Quantised weights of any type become 8-bit integers with one scale for each output and 256 inputs: the
//! largest number that the blocks can hold becomes 127. What that rounds away is a small part of what the
//! 4 bits had rounded away before; 8-bit blocks lose about as much again as they had lost.
//! bfloat16 stays what it is, or is widened for processors that multiply float32 faster; a weight in training
//! is rounded to it. GPTQ's words lie as the panel's do and are not turned (`four_bits`). Weights that are
//! not finite make their scale, and so their products, not finite.
//! Deliberately absent: activations, the other direction (`columns`).

use std::ops::Range;

use pulp::{Arch, NullaryFnOnce};

use super::{
    columns,
    rows::quantise,
    tile::{GROUP_BYTES, GROUP_WORDS, Lane, PANEL, STRIP, Strip},
};
use crate::{Matrix, Quant, Weight, cpu::Path, gptq::WORD_INPUTS, matrix::round_to_bf16};

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

impl<'a> From<&'a Matrix> for Right<'a> {
    fn from(matrix: &'a Matrix) -> Self {
        Weight::from(matrix).into()
    }
}

impl Right<'_> {
    /// How many inputs, in the order in which integers are multiplied.
    fn inputs(&self, lane: Lane) -> usize {
        match (self.turned, self.weight.as_words()) {
            (Some(rows), _) => rows.len(),
            (None, Some(words)) if lane == Lane::Int8 => words.count() * WORD_INPUTS,
            _ => self.weight.cols(),
        }
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
        right: Right,
        outputs: Range<usize>,
        group: usize,
    ) {
        let first = group * lane.group();
        let inputs = first..right.inputs(lane).min(first + lane.group());
        self.lane = lane;
        self.used = inputs.len().div_ceil(lane.word());
        let words = &mut self.words.as_chunks_mut::<{ STRIP * GROUP_WORDS }>().0[strip];
        let scales = &mut self.scales.as_chunks_mut::<STRIP>().0[strip];
        let weight = right.weight;
        if let Some(rows) = right.turned {
            return columns::fill(path, lane, weight, &rows[inputs], outputs, words);
        }
        if let Some(stored) = weight.as_words().filter(|_| lane == Lane::Int8) {
            return four_bits::fill(path, stored, outputs, group, words, scales);
        }
        #[cfg(target_arch = "x86_64")]
        if matches!(path, Path::Avx512 | Path::Avx512Bf16)
            && let (Lane::Int8, Some(stored)) = (lane, weight.as_blocks())
            && inputs.len() == GROUP_BYTES
        {
            return int8_avx512(stored, weight.cols(), outputs, inputs, words, scales);
        }
        let mut bytes: Bytes = [[0; GROUP_BYTES]; ROWS];
        for (chunk, scales) in scales.chunks_exact_mut(ROWS).enumerate() {
            let first = (outputs.start + chunk * ROWS).min(outputs.end);
            let count = ROWS.min(outputs.end - first);
            let (outputs, inputs) = (first..first + count, inputs.clone());
            match lane {
                Lane::Int8 => int8(weight, outputs, inputs, &mut bytes, scales),
                Lane::Bf16 => bf16(path, weight, outputs, inputs, &mut bytes),
                Lane::F32 => Arch::new().dispatch(F32 { weight, outputs, inputs, out: &mut bytes }),
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

/// GPTQ's words.
#[path = "panel_words.rs"]
mod four_bits;

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
        return unsafe { crate::avx512::round(values, out) };
    }
    let _ = path;
    round_to_bf16(values, out);
}

/// Weights of any type widened to float32, with 0 behind the last input.
struct F32<'a> {
    weight: Weight<'a>,
    outputs: Range<usize>,
    inputs: Range<usize>,
    out: &'a mut Bytes,
}

impl NullaryFnOnce for F32<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { weight, outputs, inputs, out } = self;
        let mut numbers = [0f32; GROUP_WORDS];
        for (output, out) in outputs.zip(out) {
            weight.widen_part(output, inputs.clone(), &mut numbers[..inputs.len()]);
            for (out, number) in out.as_chunks_mut().0.iter_mut().zip(numbers) {
                *out = number.to_le_bytes();
            }
        }
    }
}

/// Quantised weights as 8-bit integers with 128 added.
fn int8(
    weight: Weight,
    outputs: Range<usize>,
    inputs: Range<usize>,
    out: &mut Bytes,
    scales: &mut [f32],
) {
    for ((output, out), scale) in outputs.zip(out).zip(scales) {
        let inputs = inputs.clone();
        *scale = Arch::new().dispatch(Requantise { weight, output, inputs, out });
    }
}

/// The same for whole groups of blocks, as words already: word w of output i to `words[w · STRIP + i]`.
#[cfg(target_arch = "x86_64")]
fn int8_avx512(
    (quant, blocks): (Quant, &[u8]),
    cols: usize,
    outputs: Range<usize>,
    inputs: Range<usize>,
    words: &mut [i32; STRIP * GROUP_WORDS],
    scales: &mut [f32; STRIP],
) {
    let (count, row) = (outputs.len(), quant.row_bytes(cols));
    let span = quant.row_bytes(inputs.start)..quant.row_bytes(inputs.end);
    let mut groups: [&[u8]; STRIP] = [&[]; STRIP];
    let rows = blocks[outputs.start * row..outputs.end * row].chunks_exact(row);
    groups.iter_mut().zip(rows).for_each(|(group, row)| *group = &row[span.clone()]);
    if let Some(last) = count.checked_sub(1) {
        let last = groups[last];
        groups[count..].fill(last); // again for those that lack
        // SAFETY: the path is only chosen on processors that have its instructions.
        unsafe { avx512::fill(quant, &groups, words, scales) };
    }
    scales[count..].fill(0.0); // which makes 0 of any words
}

/// The plain form, compiled for the widest vectors this processor has: widened, then rounded as activations
/// are.
struct Requantise<'a> {
    weight: Weight<'a>,
    output: usize,
    inputs: Range<usize>,
    out: &'a mut [u8; GROUP_BYTES],
}

impl NullaryFnOnce for Requantise<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
        let Self { weight, output, inputs, out } = self;
        let mut values = [0f32; GROUP_BYTES];
        let values = &mut values[..inputs.len()];
        weight.widen_part(output, inputs, values);
        let mut integers = [0i8; GROUP_BYTES];
        let scale = quantise(values, &mut integers);
        for (out, integer) in out.iter_mut().zip(integers) {
            *out = integer as u8 ^ 0x80;
        }
        scale
    }
}

/// Writes some outputs' bytes as words: word w of output i to `words[w · STRIP + i]`.
fn turn(path: Path, bytes: &Bytes, words: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if matches!(path, Path::Avx512 | Path::Avx512Bf16) {
        let words = words.first_chunk_mut().expect("all words of sixteen outputs");
        // SAFETY: the path is only chosen on processors that have its instructions.
        unsafe { avx512::turn(bytes, words) };
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
#[path = "panel_avx512.rs"]
mod avx512;
