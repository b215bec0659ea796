//! Few rows against weights as they are stored: what speaking a word costs.
//!
//! Each row of weights is read once, from its first byte to its last, and multiplied while it streams by.
//! Integers are summed exactly within a block; sums of blocks are float32. A task takes some outputs next to
//! each other. Deliberately absent: unpacking into tiles ([`super::panel`]).

use super::{Term, rows::Quantised, tile::Lane};
use crate::{
    Quant, Weight,
    cpu::{self, Path},
    pool::{self, Shared},
};

/// Bytes of weights a task reads, about: enough to hide its dispatch, few enough to share out evenly.
const TASK_BYTES: usize = 96 << 10;

/// Rows that share one unpacking of a block.
const SHARED_ROWS: usize = 4;

/// Writes `Σ rows · weightᵀ + bias` for at most a few rows.
pub(super) fn dot_rows(terms: &[(Lane, Term)], bias: Option<&[f32]>, out: &mut [f32]) {
    let path = cpu::path();
    let (m, n) = (terms[0].1.rows.count(), terms[0].1.weight.rows());
    let row_bytes: usize = terms.iter().map(|(_, term)| term.weight.bytes() / n).sum();
    let height = (TASK_BYTES / row_bytes.max(1)).clamp(1, n);
    // The forms of the rows are made here, not by whichever task comes first.
    let forms: Vec<Form> = terms.iter().map(|(lane, term)| Form::of(*lane, term)).collect();
    let out = Shared::new(out);
    pool::run(n.div_ceil(height), &|task| {
        let first = task * height;
        for output in first..(first + height).min(n) {
            let start = bias.map_or(0.0, |bias| bias[output]);
            for row in (0..m).step_by(SHARED_ROWS) {
                let mut sums = [start; SHARED_ROWS];
                let count = SHARED_ROWS.min(m - row);
                for form in &forms {
                    form.add(path, output, row, &mut sums[..count]);
                }
                for (row, sum) in (row..).zip(&sums[..count]) {
                    // SAFETY: this task alone writes this output's column.
                    unsafe { out.part(row * n + output, 1)[0] = *sum };
                }
            }
        }
    });
}

/// A term with its rows in the form that its weights want.
enum Form<'a> {
    Blocks { quant: Quant, blocks: &'a [u8], cols: usize, rows: &'a Quantised },
    Words { weight: Weight<'a>, rows: &'a Quantised },
    Bf16 { weights: &'a [u16], cols: usize, rows: &'a [u16] },
}

impl<'a> Form<'a> {
    fn of(lane: Lane, term: &Term<'a>) -> Self {
        let cols = term.weight.cols();
        match (lane, term.weight.as_blocks()) {
            (Lane::Int8, Some((quant, blocks))) => {
                Self::Blocks { quant, blocks, cols, rows: term.rows.quantised() }
            }
            (Lane::Int8, None) => Self::Words { weight: term.weight, rows: term.rows.quantised() },
            (Lane::Bf16, _) => Self::Bf16 {
                weights: term.weight.as_bf16().expect("a matrix of bfloat16"),
                cols,
                rows: term.rows.rounded(),
            },
        }
    }

    /// Adds one output's products with rows `first..` to their sums.
    fn add(&self, path: Path, output: usize, first: usize, sums: &mut [f32]) {
        match *self {
            Self::Blocks { quant, blocks, cols, rows } => {
                let bytes = quant.row_bytes(cols);
                let weights = &blocks[output * bytes..][..bytes];
                match *sums {
                    [ref mut a] => add_blocks::<1>(path, quant, weights, rows, first, [a]),
                    [ref mut a, ref mut b] => {
                        add_blocks::<2>(path, quant, weights, rows, first, [a, b]);
                    }
                    [ref mut a, ref mut b, ref mut c, ref mut d] => {
                        add_blocks::<4>(path, quant, weights, rows, first, [a, b, c, d]);
                    }
                    _ => {
                        for (row, sum) in (first..).zip(sums) {
                            add_blocks::<1>(path, quant, weights, rows, row, [sum]);
                        }
                    }
                }
            }
            Self::Words { weight, rows } => add_words(weight, output, rows, first, sums),
            Self::Bf16 { weights, cols, rows } => {
                let weights = &weights[output * cols..][..cols];
                for (row, sum) in (first..).zip(sums) {
                    *sum += bf16(path, weights, &rows[row * cols..][..cols]);
                }
            }
        }
    }
}

/// One row of activations for dot products.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    /// Integers, filled up to whole groups.
    pub(super) values: &'a [i8],
    /// As above, but of each 128 the third 32 come before the second.
    pub(super) crossed: &'a [i8],
    /// A scale for each 256.
    pub(super) scales: &'a [f32],
    /// −(sum of four integers), for weights whose codes are stored with an offset.
    pub(super) fours: &'a [i32],
    /// Sums of 32 integers, for weights with a minimum.
    pub(super) sums: &'a [i16],
}

impl Quantised {
    fn row(&self, row: usize) -> Row<'_> {
        let padded = self.padded;
        Row {
            values: &self.values[row * padded..][..padded],
            crossed: &self.crossed[row * padded..][..padded],
            scales: &self.scales[row * (padded / 256)..][..padded / 256],
            fours: &self.fours[row * (padded / 4)..][..padded / 4],
            sums: &self.sums[row * (padded / 32)..][..padded / 32],
        }
    }
}

fn add_blocks<const R: usize>(
    path: Path,
    quant: Quant,
    weights: &[u8],
    rows: &Quantised,
    first: usize,
    sums: [&mut f32; R],
) {
    let rows: [Row; R] = std::array::from_fn(|row| rows.row(first + row));
    let products = match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 | Path::Avx512Bf16 => {
            // SAFETY: the path is only chosen on processors that have its instructions.
            unsafe { x86::blocks(quant, weights, &rows) }
        }
        _ => plain(quant, weights, &rows),
    };
    sums.into_iter().zip(products).for_each(|(sum, product)| *sum += product);
}

/// The plain form, for any number of whole blocks: what every other form must equal but for the order of
/// float32 sums.
pub(super) fn plain<const R: usize>(quant: Quant, weights: &[u8], rows: &[Row; R]) -> [f32; R] {
    let (elements, bytes) = (quant.block_elements(), quant.block_bytes());
    let mut out = [0f32; R];
    let mut values = [0f32; 256];
    for (block, weights) in weights.chunks_exact(bytes).enumerate() {
        let values = &mut values[..elements];
        quant.dequantise(weights, values);
        for (row, out) in rows.iter().zip(&mut out) {
            let start = block * elements;
            let x = &row.values[start..][..elements];
            let sum: f32 = values.iter().zip(x).map(|(w, &x)| w * f32::from(x)).sum();
            *out += sum * row.scales[start / 256];
        }
    }
    out
}

/// Other 4-bit storage, widened group by group.
fn add_words(weight: Weight, output: usize, rows: &Quantised, first: usize, sums: &mut [f32]) {
    let mut values = [0f32; 256];
    for start in (0..weight.cols()).step_by(256) {
        let values = &mut values[..256.min(weight.cols() - start)];
        weight.widen_part(output, start..start + values.len(), values);
        for (row, sum) in (first..).zip(&mut *sums) {
            let row = rows.row(row);
            let x = &row.values[start..][..values.len()];
            let product: f32 = values.iter().zip(x).map(|(w, &x)| w * f32::from(x)).sum();
            *sum += product * row.scales[start / 256];
        }
    }
}

fn bf16(path: Path, weights: &[u16], row: &[u16]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if path == Path::Avx512Bf16 {
        // SAFETY: the path is only chosen on processors that have its instructions; both slices are as
        // long as the weight's row.
        return unsafe { x86::bf16(weights, row) };
    }
    let widen = |bits: &u16| f32::from_bits(u32::from(*bits) << 16);
    let _ = path;
    weights.iter().zip(row).map(|(w, x)| widen(w) * widen(x)).sum()
}

#[cfg(target_arch = "x86_64")]
#[path = "dot_x86.rs"]
mod x86;
