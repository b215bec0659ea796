//! Rows of activations, in the forms that products take, each made once when it is first needed.
//!
//! 8-bit integers have a scale for each row and 256 inputs: the largest magnitude becomes 127. The same
//! integers serve tiles and dot products. Numbers that are not finite make their scale, and so their
//! products, not finite. Deliberately absent: weights.

use std::{borrow::Cow, sync::OnceLock};

use pulp::{Arch, NullaryFnOnce};

use super::{packed::Packed, tile::Lane};
use crate::{gptq::Order, math::larger, matrix::round_to_bf16};

/// Inputs that share a scale.
pub const GROUP: usize = 256;

/// Eight inputs as two words of four integers: the even ones, and the odd ones.
pub(super) type Halves = [i32; 2];

/// Rows of float32 and, once asked for, their other forms.
#[derive(Debug)]
pub struct Rows<'a> {
    values: Cow<'a, [f32]>,
    cols: usize,
    int8: OnceLock<Packed>,
    bf16: OnceLock<Packed>,
    f32: OnceLock<Packed>,
    quantised: OnceLock<Quantised>,
    halves: OnceLock<Vec<Halves>>,
    rounded: OnceLock<Vec<u16>>,
}

impl<'a> Rows<'a> {
    /// Rows of `cols` numbers, one behind the other.
    ///
    /// # Panics
    /// When `values` does not consist of whole rows.
    pub fn new(values: &'a [f32], cols: usize) -> Self {
        Self::of(values.into(), cols)
    }

    fn of(values: Cow<'a, [f32]>, cols: usize) -> Self {
        assert!(cols > 0 && values.len().is_multiple_of(cols), "whole rows of {cols}");
        Self {
            values,
            cols,
            int8: OnceLock::new(),
            bf16: OnceLock::new(),
            f32: OnceLock::new(),
            quantised: OnceLock::new(),
            halves: OnceLock::new(),
            rounded: OnceLock::new(),
        }
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        self.values.len() / self.cols
    }

    /// Numbers in a row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The rows as they were given.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The rows in the order in which some weights keep their inputs.
    pub(super) fn ordered(&self, order: &Order) -> Rows<'static> {
        Rows::of(order.apply(&self.values).into(), order.len())
    }

    /// The rows cut into tiles.
    pub(super) fn packed(&self, lane: Lane) -> &Packed {
        let form = match lane {
            Lane::Int8 => &self.int8,
            Lane::Bf16 => &self.bf16,
            Lane::F32 => &self.f32,
        };
        form.get_or_init(|| Packed::new(&self.values, self.cols, lane))
    }

    /// The rows as 8-bit integers, one behind the other.
    pub(super) fn quantised(&self) -> &Quantised {
        self.quantised.get_or_init(|| Quantised::new(&self.values, self.cols))
    }

    /// The same integers, eight by eight, for weights whose nibbles lie so: (count, padded / 8).
    pub(super) fn halves(&self) -> &[Halves] {
        self.halves.get_or_init(|| {
            let halves = |x: &[i8; 8]| {
                let word = |x: [i8; 4]| i32::from_le_bytes(x.map(|x| x as u8));
                [word([x[0], x[2], x[4], x[6]]), word([x[1], x[3], x[5], x[7]])]
            };
            self.quantised().values.as_chunks().0.iter().map(halves).collect()
        })
    }

    /// The rows in bfloat16, (count, cols).
    pub(super) fn rounded(&self) -> &[u16] {
        self.rounded.get_or_init(|| {
            let mut rounded = vec![0; self.values.len()];
            round_to_bf16(&self.values, &mut rounded);
            rounded
        })
    }
}

/// 1.5 · 2²³: a small number added to it is rounded to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Up to [`GROUP`] numbers as integers from −127 to 127; returns their scale. `out` past them stays.
#[inline(always)]
pub(super) fn quantise(values: &[f32], out: &mut [i8]) -> f32 {
    let mut largest = [0f32; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (largest, value) in largest.iter_mut().zip(chunk) {
            *largest = larger(*largest, value.abs());
        }
    }
    let most = largest.iter().chain(rest).fold(0f32, |most, value| larger(most, value.abs()));
    if most.is_nan() {
        return f32::NAN;
    }
    let scale = most / 127.0;
    // Numbers so small that their scale has no inverse are 0.
    let inverse = if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    for (out, value) in out.iter_mut().zip(values) {
        *out = ((value * inverse + ROUND).to_bits() as i32 - ROUND.to_bits() as i32) as i8;
    }
    scale
}

/// Rows as 8-bit integers for dot products.
#[derive(Debug)]
pub(super) struct Quantised {
    /// (row, padded inputs).
    pub(super) values: Vec<i8>,
    /// As above, but of each 128 the third 32 come before the second: where nibbles of one byte are 32
    /// inputs apart, a vector of low ones covers the first and the third.
    pub(super) crossed: Vec<i8>,
    /// (row, group).
    pub(super) scales: Vec<f32>,
    /// −(sum of four inputs): (row, padded inputs / 4).
    pub(super) fours: Vec<i32>,
    /// Sums of 32 inputs: (row, padded inputs / 32).
    pub(super) sums: Vec<i16>,
    /// Inputs of a row, filled up with 0 to whole groups.
    pub(super) padded: usize,
}

impl Quantised {
    fn new(values: &[f32], cols: usize) -> Self {
        let (count, groups) = (values.len() / cols, cols.div_ceil(GROUP));
        let padded = groups * GROUP;
        let mut quantised = Self {
            values: vec![0; count * padded],
            crossed: vec![0; count * padded],
            scales: vec![0.0; count * groups],
            fours: vec![0; count * padded / 4],
            sums: vec![0; count * padded / 32],
            padded,
        };
        Arch::new().dispatch(QuantiseRows { rows: values, cols, out: &mut quantised });
        quantised
    }
}

struct QuantiseRows<'a> {
    rows: &'a [f32],
    cols: usize,
    out: &'a mut Quantised,
}

impl NullaryFnOnce for QuantiseRows<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Quantised { values, crossed, scales, fours, sums, padded } = self.out;
        let rows = self.rows.chunks_exact(self.cols).zip(values.chunks_exact_mut(*padded));
        for ((row, out), scales) in rows.zip(scales.chunks_exact_mut(*padded / GROUP)) {
            let groups = row.chunks(GROUP).zip(out.chunks_exact_mut(GROUP));
            for ((row, out), scale) in groups.zip(scales) {
                *scale = quantise(row, out);
            }
        }
        for (crossed, values) in
            crossed.as_chunks_mut::<128>().0.iter_mut().zip(values.as_chunks::<128>().0)
        {
            crossed[..32].copy_from_slice(&values[..32]);
            crossed[32..64].copy_from_slice(&values[64..96]);
            crossed[64..96].copy_from_slice(&values[32..64]);
            crossed[96..].copy_from_slice(&values[96..]);
        }
        for (four, values) in fours.iter_mut().zip(values.as_chunks::<4>().0) {
            *four = -values.iter().map(|&x| i32::from(x)).sum::<i32>();
        }
        for (sum, fours) in sums.iter_mut().zip(fours.as_chunks::<8>().0) {
            *sum = -fours.iter().sum::<i32>() as i16;
        }
    }
}
