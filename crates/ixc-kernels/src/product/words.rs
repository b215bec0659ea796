//! Few rows against GPTQ's words: outputs lie next to each other, so each is a lane of a vector.
//!
//! A word is taken apart into the nibbles of its even and of its odd inputs; each half is multiplied by the
//! four activations that all outputs share, and no sum crosses lanes. Words that share their scales (a
//! [`Span`]) are summed exactly, in integers; spans are added in float32, in their order. So every path gives
//! the same numbers bit for bit, however many outputs a task has.
//! Deliberately absent: inputs in another order than the words' ([`super`] brings them into it).

use std::ops::Range;

use half::f16;

use super::rows::{Halves, Quantised, Rows};
use crate::{
    cpu::Path,
    gptq::{GROUP_WORDS, Span, Words},
    pool,
};

/// Rows that share one unpacking of a word.
const SHARED_ROWS: usize = 4;

/// Outputs of a task at least: its part of a line of words is worth a jump in memory.
const WIDTH_MIN: usize = 256;

/// Outputs of a task at most: sums stay in the first cache.
const WIDTH_MAX: usize = 2048;

/// Tasks for each thread, about.
const TASKS: usize = 4;

/// How many outputs a task takes of `n`. Which ones it takes with others changes none.
pub(super) fn width(n: usize) -> usize {
    n.div_ceil(TASKS * pool::threads()).next_multiple_of(64).clamp(WIDTH_MIN, WIDTH_MAX)
}

/// One summand: words, and rows in the form that they want.
pub(super) struct Strips<'a> {
    words: &'a Words,
    rows: &'a Quantised,
    halves: &'a [Halves],
}

impl<'a> Strips<'a> {
    pub(super) fn new(words: &'a Words, rows: &'a Rows) -> Self {
        Self { words, rows: rows.quantised(), halves: rows.halves() }
    }

    /// Adds the products of some outputs with rows 0..m to `out`, which gives each row's sums.
    pub(super) fn add<'o>(
        &self,
        path: Path,
        outputs: Range<usize>,
        m: usize,
        out: impl Fn(usize) -> &'o mut [f32],
    ) {
        let mut spans = self.words.spans(0..self.words.count()).peekable();
        while let Some(span) = spans.next() {
            let mut strip = Strip {
                words: self.words.words(span.words.clone()),
                ahead: spans.peek().map_or(&[], |span| self.words.words(span.words.clone())),
                stride: self.words.rows(),
                scales: self.words.scales(span.group),
                zeros: self.words.zeros(span.group),
                outputs: outputs.clone(),
            };
            for row in (0..m).step_by(SHARED_ROWS) {
                match m - row {
                    1 => self.add_rows::<1>(path, &strip, &span, row, &out),
                    2 => self.add_rows::<2>(path, &strip, &span, row, &out),
                    3 => self.add_rows::<3>(path, &strip, &span, row, &out),
                    _ => self.add_rows::<4>(path, &strip, &span, row, &out),
                }
                strip.ahead = &[]; // asked for once
            }
        }
    }

    fn add_rows<'o, const R: usize>(
        &self,
        path: Path,
        strip: &Strip,
        span: &Span,
        first: usize,
        out: &impl Fn(usize) -> &'o mut [f32],
    ) {
        let sides = std::array::from_fn(|row| self.side(first + row, span));
        strip.add::<R>(path, sides, std::array::from_fn(|row| out(first + row)));
    }

    fn side(&self, row: usize, span: &Span) -> Side<'_> {
        let Quantised { scales, fours, padded, .. } = self.rows;
        let (words, fours) = (&span.words, &fours[row * padded / 4..]);
        Side {
            halves: &self.halves[row * padded / 8..][words.clone()],
            sum: -fours[2 * words.start..2 * words.end].iter().sum::<i32>() as f32,
            scale: scales[row * padded / 256 + words.start / GROUP_WORDS],
        }
    }
}

/// One row's activations in a span.
#[derive(Clone, Copy)]
struct Side<'a> {
    /// (word).
    halves: &'a [Halves],
    /// Of the integers; a whole number.
    sum: f32,
    scale: f32,
}

/// Some outputs' weights in a span.
struct Strip<'a> {
    /// (word, output of all).
    words: &'a [u32],
    /// The next span's words; empty behind the last.
    ahead: &'a [u32],
    /// Outputs of all.
    stride: usize,
    /// float16, (output of all).
    scales: &'a [u16],
    /// Zero points less one, eight in a word: (outputs of all / 8).
    zeros: &'a [u32],
    /// The strip's own: from a multiple of 8 to a multiple of 8.
    outputs: Range<usize>,
}

impl Strip<'_> {
    /// Adds the span's products with some rows to their sums, (output).
    fn add<const R: usize>(&self, path: Path, sides: [Side; R], out: [&mut [f32]; R]) {
        let (words, outputs) = (self.words.len() / self.stride, &self.outputs);
        assert!(outputs.start.is_multiple_of(8) && outputs.end.is_multiple_of(8));
        assert!(outputs.end <= self.stride && self.stride == self.scales.len());
        assert!(words * self.stride == self.words.len() && self.stride == 8 * self.zeros.len());
        assert!(sides.iter().all(|side| side.halves.len() == words));
        assert!(out.iter().all(|out| out.len() == outputs.len()));
        match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 | Path::Avx512Bf16 => {
                // SAFETY: the path is only chosen on processors that have its instructions; the slices are
                // as long as the kernel reads and writes (checked above).
                unsafe { x86::add_avx512(self, &sides, out) }
            }
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 | Path::AvxVnni => {
                // SAFETY: as above.
                unsafe { x86::add_avx2(self, &sides, out) }
            }
            _ => self.add_plain(&sides, out),
        }
    }

    /// The plain form: what every other form must equal.
    fn add_plain<const R: usize>(&self, sides: &[Side; R], out: [&mut [f32]; R]) {
        for (side, out) in sides.iter().zip(out) {
            for (out, first) in
                out.as_chunks_mut::<8>().0.iter_mut().zip(self.outputs.clone().step_by(8))
            {
                let mut totals = [0i32; 8];
                for (words, halves) in self.words.chunks_exact(self.stride).zip(side.halves) {
                    let [even, odd] =
                        halves.map(|half| half.to_le_bytes().map(|x| i32::from(x as i8)));
                    for (total, word) in totals.iter_mut().zip(&words[first..first + 8]) {
                        for pair in 0..4 {
                            *total += (word >> (8 * pair) & 15) as i32 * even[pair];
                            *total += (word >> (8 * pair + 4) & 15) as i32 * odd[pair];
                        }
                    }
                }
                for (lane, (out, total)) in out.iter_mut().zip(totals).enumerate() {
                    let zero = (self.zeros[first / 8] >> (4 * lane) & 15) + 1;
                    let total = total as f32 - zero as f32 * side.sum; // exact: below 2²⁴
                    let scale = f16::from_bits(self.scales[first + lane]).to_f32() * side.scale;
                    *out = total.mul_add(scale, *out);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[path = "words_x86.rs"]
mod x86;
