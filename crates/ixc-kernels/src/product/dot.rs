//! Few rows against weights as they are stored: what speaking a word costs.
//!
//! Each row of weights is read once, from its first byte to its last, and multiplied while it streams by.
//! Integers are summed exactly within a block; sums of blocks are float32. A task takes some outputs next to
//! each other. Each processor has its own form of `plain` for whole groups of 256 inputs.
//! Deliberately absent: unpacking into tiles ([`super::panel`]), weights whose outputs lie next to each other
//! (`super::words`).

use super::{
    Term,
    rows::{GROUP, Quantised, Rows},
    tile::Lane,
    words::{self, Strips},
};
use crate::{
    Quant,
    cpu::Path,
    pool::{self, Shared},
};

#[cfg(target_arch = "x86_64")]
#[path = "dot_avx2.rs"]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[path = "dot_avx512.rs"]
mod avx512;
#[cfg(target_arch = "aarch64")]
#[path = "dot_neon.rs"]
mod neon;

/// Bytes of weights a task reads, about: enough to hide its dispatch, few enough to share out evenly.
const TASK_BYTES: usize = 96 << 10;

/// Rows that share one unpacking of a block.
const SHARED_ROWS: usize = 4;

/// Writes `Σ rows · weightᵀ + bias` for at most a few rows.
pub(super) fn dot_rows(path: Path, terms: &[(Lane, Term)], bias: Option<&[f32]>, out: &mut [f32]) {
    let (m, n) = (terms[0].1.rows.count(), terms[0].1.weight.rows());
    // The forms of the rows are made here, not by whichever task comes first.
    let (mut forms, mut strips) = (Vec::new(), Vec::new());
    for (lane, term) in terms {
        match term.weight.as_words() {
            Some(words) => strips.push(Strips::new(words, term.rows)),
            None => forms.push(Form::of(*lane, term)),
        }
    }
    let row_bytes: usize = terms.iter().map(|(_, term)| term.weight.bytes() / n).sum();
    let height = (TASK_BYTES / row_bytes.max(1)).clamp(1, n);
    let height = if strips.is_empty() { height } else { words::width(n) };
    let out = Shared::new(out);
    pool::run(n.div_ceil(height), &|task| {
        let outputs = task * height..(task * height + height).min(n);
        for output in outputs.clone() {
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
        // SAFETY: as above.
        let out = |row: usize| unsafe { out.part(row * n + outputs.start, outputs.len()) };
        strips.iter().for_each(|strips| strips.add(path, outputs.clone(), m, out));
    });
}

/// The products of all rows with one row of weights in blocks.
///
/// # Panics
/// When the weights are not as long as the rows, or the path is not this processor's.
pub fn output(path: Path, quant: Quant, blocks: &[u8], rows: &Rows) -> Vec<f32> {
    assert!(path.is_available(), "{} is not this processor's", path.name());
    let cols = rows.cols();
    assert_eq!(blocks.len(), quant.row_bytes(cols), "weights as long as the rows");
    let form = Form::Blocks { quant, blocks, cols, rows: rows.quantised() };
    let mut sums = vec![0.0; rows.count()];
    for (part, sums) in sums.chunks_mut(SHARED_ROWS).enumerate() {
        form.add(path, 0, part * SHARED_ROWS, sums);
    }
    sums
}

/// A term with its rows in the form that its weights want.
enum Form<'a> {
    Blocks { quant: Quant, blocks: &'a [u8], cols: usize, rows: &'a Quantised },
    Bf16 { weights: &'a [u16], cols: usize, rows: &'a [u16] },
}

impl<'a> Form<'a> {
    fn of(lane: Lane, term: &Term<'a>) -> Self {
        let cols = term.weight.cols();
        match (lane, term.weight.as_blocks()) {
            (Lane::Int8, Some((quant, blocks))) => {
                Self::Blocks { quant, blocks, cols, rows: term.rows.quantised() }
            }
            // Few rows of float32 are `matmul`'s.
            _ => Self::Bf16 {
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
    /// Integers from −127 to 127, filled up with 0 to whole groups. That −128 is not among them is what lets
    /// two products of 8 bits and their sum fit 16.
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

impl Row<'_> {
    /// The row without its first groups.
    fn behind(&self, groups: usize) -> Self {
        Self {
            values: &self.values[groups * GROUP..],
            crossed: &self.crossed[groups * GROUP..],
            scales: &self.scales[groups..],
            fours: &self.fours[groups * GROUP / 4..],
            sums: &self.sums[groups * GROUP / 32..],
        }
    }
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
    let bytes = quant.row_bytes(GROUP);
    let (whole, groups) = (weights.len() / bytes, weights.len().div_ceil(bytes));
    for row in &rows {
        assert!(row.values.len() >= groups * GROUP && row.crossed.len() >= groups * GROUP);
        assert!(row.scales.len() >= groups && row.sums.len() >= groups * GROUP / 32);
        assert!(row.fours.len() >= groups * GROUP / 4);
    }
    let (front, rest) = weights.split_at(whole * bytes);
    let mut products = match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 | Path::Avx512Bf16 => {
            // SAFETY: the path is only chosen on processors that have its instructions; whole groups of
            // weights, and rows as long as they (checked above).
            unsafe { avx512::groups(quant, front, &rows) }
        }
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 | Path::AvxVnni => {
            // SAFETY: as above.
            unsafe { avx2::groups(quant, front, &rows) }
        }
        #[cfg(target_arch = "aarch64")]
        Path::NeonDotprod => {
            // SAFETY: as above.
            unsafe { neon::groups_dotprod(quant, front, &rows) }
        }
        #[cfg(target_arch = "aarch64")]
        Path::Neon => {
            // SAFETY: as above.
            unsafe { neon::groups(quant, front, &rows) }
        }
        _ => plain(quant, front, &rows),
    };
    if !rest.is_empty() {
        let rest = plain(quant, rest, &rows.map(|row| row.behind(whole)));
        products.iter_mut().zip(rest).for_each(|(product, rest)| *product += rest);
    }
    sums.into_iter().zip(products).for_each(|(sum, product)| *sum += product);
}

/// How far ahead of the weights at work others are asked for, into the second cache and from there into the first.
/// The processor's own prefetcher begins anew at each page, too late for weights that are used up as fast as memory
/// delivers them; the first cache alone has too few requests under way at once (`docs/log.md`).
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 4096;
#[cfg(target_arch = "x86_64")]
const NEXT: usize = 512;

/// Asks for the `bytes` that lie [`AHEAD`] of `weights`, and brings those [`NEXT`] nearer. What is behind the end
/// is asked for too: it is the next row, or no memory, and then nothing happens.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn ask_ahead(weights: *const u8, bytes: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
    for line in (0..bytes).step_by(64) {
        // SAFETY: a prefetch reads nothing; any address will do.
        unsafe {
            _mm_prefetch(weights.wrapping_add(AHEAD + line).cast(), _MM_HINT_T1);
            _mm_prefetch(weights.wrapping_add(NEXT + line).cast(), _MM_HINT_T0);
        }
    }
}

/// [`crate::quant::scales_and_minima`] of a Q4K block, four bytes at a time: a byte each, the first lowest.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn scales_and_minima(block: &[u8; 144]) -> (u64, u64) {
    let word = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().expect("4 bytes"));
    let (a, b, c) = (word(4), word(8), word(12));
    let both = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    let scales = both(a & 0x3F3F_3F3F, (c & 0x0F0F_0F0F) | ((a >> 6 & 0x0303_0303) << 4));
    let minima = both(b & 0x3F3F_3F3F, (c >> 4 & 0x0F0F_0F0F) | ((b >> 6 & 0x0303_0303) << 4));
    (scales, minima)
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

fn bf16(path: Path, weights: &[u16], row: &[u16]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if path == Path::Avx512Bf16 {
        // SAFETY: the path is only chosen on processors that have its instructions; both slices are as
        // long as the weight's row.
        return unsafe { avx512::bf16(weights, row) };
    }
    let widen = |bits: &u16| f32::from_bits(u32::from(*bits) << 16);
    let _ = path;
    weights.iter().zip(row).map(|(w, x)| widen(w) * widen(x)).sum()
}
