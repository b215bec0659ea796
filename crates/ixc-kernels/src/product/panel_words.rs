//! GPTQ's words as 8-bit integers: outputs are next to each other on both sides, so none is turned.
//!
//! A nibble less its zero point is multiplied by the ratio of its scale to the group's, in 16-bit fixed point. The
//! group's is such that the ratio of the coarsest scale among its own is a whole number, the largest with which
//! no nibble exceeds 127: so these weights lose nothing, and where a scale covers the group none does. Every path
//! gives the same integers. Deliberately absent: inputs in another order than the words'.

use std::ops::Range;

use half::f16;

use super::{GROUP_WORDS, ROWS, STRIP};
use crate::{
    cpu::Path,
    gptq::{self, Words},
    math::larger,
};

/// 1 as a ratio of scales. Zero points are 1 to 16, so some nibble differs from its own by 8 or more, and no
/// ratio exceeds 15.
const ONE: f32 = 2048.0;

/// What nibbles are multiplied by before, so that the product's upper 16 bits, doubled, are the integers.
const SHIFT: u32 = 4;

/// Writes group number `group` of the inputs of some outputs, at most [`STRIP`], as (word, output), with 128
/// added, and their scales. What is behind the last output or input stands for 0.
pub(super) fn fill(
    path: Path,
    stored: &Words,
    outputs: Range<usize>,
    group: usize,
    words: &mut [i32],
    scales: &mut [f32],
) {
    assert!(words.len() == GROUP_WORDS * STRIP && scales.len() == STRIP);
    assert!(outputs.len() <= STRIP && outputs.end <= stored.rows());
    assert!(outputs.start.is_multiple_of(8) && outputs.end.is_multiple_of(8));
    let first = group * gptq::GROUP_WORDS;
    let inputs = first..(first + gptq::GROUP_WORDS).min(stored.count());
    words[2 * inputs.len() * STRIP..].fill(i32::from_le_bytes([128; 4]));
    for (chunk, scales) in scales.chunks_exact_mut(ROWS).enumerate() {
        let first = (outputs.start + chunk * ROWS).min(outputs.end);
        let outputs = first..outputs.end.min(first + ROWS);
        let words = &mut words[chunk * ROWS..];
        match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 | Path::Avx512Bf16 => {
                // SAFETY: the path is only chosen on processors that have its instructions; words and
                // scales are as long as the kernel writes, outputs and inputs the stored ones (as above).
                unsafe { x86::fill_avx512(stored, outputs, inputs.clone(), words, scales) }
            }
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 | Path::AvxVnni => {
                // SAFETY: as above.
                unsafe { x86::fill_avx2(stored, outputs, inputs.clone(), words, scales) }
            }
            _ => fill_plain(stored, outputs, inputs.clone(), words, scales),
        }
    }
}

/// The plain form, output by output: what every other form must equal.
fn fill_plain(
    stored: &Words,
    outputs: Range<usize>,
    inputs: Range<usize>,
    words: &mut [i32],
    scales: &mut [f32],
) {
    let number = |bits: u16| f16::from_bits(bits).to_f32();
    for lane in 0..ROWS {
        let output = outputs.start + lane;
        if output >= outputs.end {
            scales[lane] = 0.0;
            let lane = words[lane..].iter_mut().step_by(STRIP).take(2 * inputs.len());
            lane.for_each(|word| *word = i32::from_le_bytes([128; 4]));
            continue;
        }
        let zero = |group| (stored.zeros(group)[output / 8] >> (4 * (output % 8)) & 15) as i32 + 1;
        scales[lane] = stored.spans(inputs.clone()).fold(0f32, |most, span| {
            let reach = zero(span.group).max(15 - zero(span.group));
            let scale = number(stored.scales(span.group)[output]);
            larger(most, scale.abs() / (127 / reach) as f32)
        });
        let inverse = if scales[lane] > f32::MIN_POSITIVE { 1.0 / scales[lane] } else { 0.0 };
        for span in stored.spans(inputs.clone()) {
            let ratio = number(stored.scales(span.group)[output]) * inverse * ONE;
            let (ratio, zero) = (ratio.round_ties_even() as i32, zero(span.group));
            for word in span.words {
                let nibbles = stored.words(word..word + 1)[output];
                let byte = |index: usize| {
                    let value = (nibbles >> (4 * index) & 15) as i32 - zero;
                    ((((value << SHIFT) * ratio + (1 << 14)) >> 15) + 128) as u8
                };
                let at = 2 * (word - inputs.start) * STRIP + lane;
                words[at] = i32::from_le_bytes([0, 1, 2, 3].map(byte));
                words[at + STRIP] = i32::from_le_bytes([4, 5, 6, 7].map(byte));
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[path = "panel_words_x86.rs"]
mod x86;
