//! One group of inputs of [`PANEL`] outputs, unpacked into the words that tiles multiply.
//!
//! Quantised weights of any type become 8-bit integers with one scale for each output and 256 inputs: the
//! largest number that the blocks can hold becomes 127. What that rounds away is a small part of what the
//! 4 bits had rounded away before; 8-bit blocks lose about as much again as they had lost.
//! bfloat16 stays what it is. Deliberately absent: activations.

use std::ops::Range;

use super::tile::{GROUP_BYTES, GROUP_WORDS, Lane, PANEL, STRIP, Strip};
use crate::{Weight, cpu::Path};

/// Outputs that are turned into words together: as many as a vector has words.
const ROWS: usize = 16;

/// A group of weights, ready to be multiplied.
#[derive(Debug)]
pub struct Panel {
    lane: Lane,
    /// (strip, word, output).
    words: Vec<i32>,
    /// (output).
    scales: [f32; PANEL],
}

impl Default for Panel {
    fn default() -> Self {
        Self { lane: Lane::Int8, words: vec![0; PANEL * GROUP_WORDS], scales: [0.0; PANEL] }
    }
}

impl Panel {
    /// Takes in group number `group` of the inputs of some outputs, at most [`STRIP`], as a strip.
    ///
    /// # Panics
    /// When the lane is not one of the matrix's, or there is no such group.
    pub fn fill(
        &mut self,
        strip: usize,
        path: Path,
        lane: Lane,
        weight: Weight,
        outputs: Range<usize>,
        group: usize,
    ) {
        self.lane = lane;
        let mut bytes: Bytes = [[0; GROUP_BYTES]; ROWS];
        let words = &mut self.words[strip * STRIP * GROUP_WORDS..][..STRIP * GROUP_WORDS];
        let scales = &mut self.scales[strip * STRIP..][..STRIP];
        for (chunk, scales) in scales.chunks_exact_mut(ROWS).enumerate() {
            let first = (outputs.start + chunk * ROWS).min(outputs.end);
            let count = ROWS.min(outputs.end - first);
            match lane {
                Lane::Int8 => int8(path, weight, first..first + count, group, &mut bytes, scales),
                Lane::Bf16 => bf16(weight, first..first + count, group, &mut bytes),
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
            words: &self.words[strip * STRIP * GROUP_WORDS..][..STRIP * GROUP_WORDS],
            scales: &self.scales[strip * STRIP..][..STRIP],
        }
    }
}

/// Some outputs' weights of a group, one output behind the other.
type Bytes = [[u8; GROUP_BYTES]; ROWS];

/// bfloat16 as it is stored, with 0 behind the last input.
fn bf16(weight: Weight, outputs: Range<usize>, group: usize, out: &mut Bytes) {
    let (cols, inputs) = (weight.cols(), Lane::Bf16.group());
    let first = group * inputs;
    let count = inputs.min(cols - first);
    let stored = weight.as_bf16().expect("a matrix of bfloat16");
    for (output, out) in outputs.zip(out) {
        let row = &stored[output * cols + first..][..count];
        out[..2 * count].copy_from_slice(bytemuck::cast_slice(row));
        out[2 * count..].fill(0);
    }
}

/// Quantised weights as 8-bit integers with 128 added.
fn int8(
    path: Path,
    weight: Weight,
    outputs: Range<usize>,
    group: usize,
    out: &mut Bytes,
    scales: &mut [f32],
) {
    let first = group * GROUP_BYTES;
    let inputs = first..(first + GROUP_BYTES).min(weight.cols());
    for ((output, out), scale) in outputs.zip(out).zip(scales) {
        #[cfg(target_arch = "x86_64")]
        if matches!(path, Path::Avx512 | Path::Avx512Bf16)
            && let Some((quant, blocks)) = weight.as_blocks()
            && inputs.len() == GROUP_BYTES
        {
            let (step, bytes) = (quant.row_bytes(weight.cols()), quant.row_bytes(GROUP_BYTES));
            let blocks = &blocks[output * step + group * bytes..][..bytes];
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
