//! Float32 products of rows with a weight matrix, `out = x · Wᵀ`, and those of their gradients,
//! `dx = dy · W` and `dW = dyᵀ · x`.
//!
//! W is read once, a block at a time: the block is widened to float32 into a scratch that
//! stays in the cache, then multiplied. Few rows of x (decoding) take plain dot products, many
//! (an image, a prompt) take gemm. Blocks do not depend on the number of threads, so neither do the
//! results. Deliberately absent: biases, adapters, any precision below float32 for the products.

use std::{cell::RefCell, ops::Range};

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

#[cfg(target_arch = "x86_64")]
use crate::dense_avx512;
use crate::{
    Matrix, Weight,
    cpu::{self, Path},
    elementwise,
    pool::{self, Shared},
    recycle::{floats, give},
    sgemm::{Factor, Product},
};

/// Up to this many rows of x, dot products beat packing W for gemm; the rows stay in the cache.
const DOT_ROWS_MAX: usize = 32;

/// Rows of x that share one reading of a row of W: their sums fit the vector registers.
const DOT_ROWS: usize = 4;

/// Elements of W in one block of the gemm path: 4 MiB of float32, which a shared cache holds. Larger
/// blocks pack x less often, which is what counts when x has many rows.
const GEMM_BLOCK_ELEMENTS: usize = 1 << 20;

/// Columns of a block of a product of two matrices as they are, at most.
const BLOCK_COLUMNS: usize = 512;

/// Rows of such a block at least.
const BLOCK_ROWS_MIN: usize = 64;

/// Blocks to be had where the extents allow: enough to share out evenly.
const TASKS: usize = 16;

/// Numbers of a weight whose gradient is summed in parts of the rows, at most: the parts' sums stay in the second
/// cache.
const OUTER_SUMS: usize = 1 << 18;

/// Rows of such a part at least: adding its sums up is little beside them.
const OUTER_ROWS: usize = 1 << 10;

/// Columns and rows of W widened at a time for `dy · W`: whole blocks of quantised weights, 512 KiB.
const BACK_COLUMNS: usize = 512;
const BACK_ROWS: usize = 256;

/// Rows of W in one block of the dot path: enough work to hide the dispatch of a task.
const DOT_BLOCK_ROWS: usize = 32;

/// Multiplies `x`, (m, w.cols()), with the transposed matrix; returns (m, w.rows()).
///
/// # Panics
/// When `x` does not consist of whole rows of `w.cols()` numbers.
pub fn matmul(x: &[f32], w: &Matrix) -> Vec<f32> {
    assert!(w.cols() > 0 && x.len().is_multiple_of(w.cols()), "whole rows of {}", w.cols());
    let mut out = floats(x.len() / w.cols() * w.rows()); // every number is written
    matmul_into(x, w.into(), false, &mut out);
    out
}

/// As [`matmul`], written to `out` or added to it.
pub(crate) fn matmul_into(x: &[f32], w: Weight, add: bool, out: &mut [f32]) {
    let m = x.len() / w.cols();
    assert_eq!(out.len(), m * w.rows());
    if m <= DOT_ROWS_MAX { dot_rows(x, m, w, add, out) } else { gemm_rows(x, w, add, out) }
}

/// `dy · W`, (m, w.rows()) · W → (m, w.cols()), written to `out` or added to it: the gradient of a
/// product's rows.
pub(crate) fn matmul_back_into(dy: &[f32], w: Weight, add: bool, out: &mut [f32]) {
    let (n, k) = (w.rows(), w.cols());
    let m = dy.len() / n;
    assert_eq!(out.len(), m * k);
    if let Some(numbers) = w.as_f32() {
        let right = Factor::rows(numbers, k);
        return in_blocks((m, k), BLOCK_COLUMNS, Factor::rows(dy, n), right, n, add, out);
    }
    let out = Shared::new(out);
    pool::run(k.div_ceil(BACK_COLUMNS), &|task| {
        let columns = task * BACK_COLUMNS..((task + 1) * BACK_COLUMNS).min(k);
        SCRATCH.with_borrow_mut(|scratch| {
            for first in (0..n).step_by(BACK_ROWS) {
                let rows = first..(first + BACK_ROWS).min(n);
                scratch.resize(rows.len() * columns.len(), 0.0);
                let (inner, out_add) = (rows.len(), add || first > 0);
                Arch::new().dispatch(WidenParts {
                    w,
                    rows,
                    columns: columns.clone(),
                    out: scratch,
                });
                let product = Product { add: out_add, ..Product::of(m, inner, columns.len()) };
                let left = Factor::rows(&dy[first..], n);
                let right = Factor::rows(scratch, columns.len());
                // SAFETY: this task alone writes these columns.
                unsafe { product.write_shared(out, columns.start, k, left, right) };
            }
        });
    });
}

/// Adds `dyᵀ · x`, (n, m) · (m, k) → (n, k), to `out`: the gradient of a weight, over some of the rows. A small
/// weight's is summed in parts of the rows, so that each row is packed once.
pub(crate) fn matmul_outer_into(
    (dy, n): (&[f32], usize),
    (x, k): (&[f32], usize),
    rows: &[Range<usize>],
    out: &mut [f32],
) {
    assert_eq!(out.len(), n * k);
    let count: usize = rows.iter().map(ExactSizeIterator::len).sum();
    let factors = |rows: &Range<usize>| {
        let left = Factor::columns(&dy[rows.start * n..rows.end * n], n);
        (left, Factor::rows(&x[rows.start * k..rows.end * k], k))
    };
    if count == 0 {
        return;
    }
    if n * k > OUTER_SUMS {
        for rows in rows.iter().filter(|rows| !rows.is_empty()) {
            let (left, right) = factors(rows);
            in_blocks((n, k), BLOCK_COLUMNS, left, right, rows.len(), true, out);
        }
        return;
    }
    let parts = in_parts(rows, count.div_ceil((count / OUTER_ROWS).clamp(1, TASKS)));
    let mut sums = floats((parts.len() - 1) * n * k); // every number is written
    let (first, others) = (Shared::new(out), Shared::new(&mut sums));
    pool::run(parts.len(), &|part| {
        let (target, start) = if part == 0 { (first, 0) } else { (others, (part - 1) * n * k) };
        for (index, rows) in parts[part].iter().enumerate() {
            let (left, right) = factors(rows);
            let product = Product { add: part == 0 || index > 0, ..Product::of(n, rows.len(), k) };
            // SAFETY: each part has sums of its own, the first those that were there.
            unsafe { product.write_shared(target, start, k, left, right) };
        }
    });
    sums.chunks_exact(n * k).for_each(|sums| elementwise::add(out, sums));
    give(sums);
}

/// Cuts rows into parts of `size`, but for the last.
fn in_parts(rows: &[Range<usize>], size: usize) -> Vec<Vec<Range<usize>>> {
    let (mut parts, mut room) = (vec![Vec::new()], size);
    for run in rows {
        let mut start = run.start;
        while start < run.end {
            if room == 0 {
                parts.push(Vec::new());
                room = size;
            }
            let end = run.end.min(start + room);
            parts.last_mut().expect("one at least").push(start..end);
            room -= end - start;
            start = end;
        }
    }
    parts
}

thread_local! {
    /// Widened weights.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Does `work` on W's row blocks of `height` rows, with a scratch for widened rows.
fn blocks(w: Weight, height: usize, work: impl Fn(Range<usize>, &mut Vec<f32>) + Sync) {
    let rows = w.rows();
    pool::run(rows.div_ceil(height), &|block| {
        let rows = block * height..((block + 1) * height).min(rows);
        SCRATCH.with_borrow_mut(|scratch| work(rows, scratch));
    });
}

/// A product of two matrices as they are, (m, inner) · (inner, n), in blocks of `width` columns at most and
/// of rows enough to share the work out: at least twice as many as columns, as each block packs its columns anew.
fn in_blocks(
    (m, n): (usize, usize),
    width: usize,
    left: Factor,
    right: Factor,
    inner: usize,
    add: bool,
    out: &mut [f32],
) {
    let across = n.div_ceil(width);
    let width = n.div_ceil(across).next_multiple_of(16).min(n);
    let down = (m / (2 * width).max(BLOCK_ROWS_MIN)).clamp(1, TASKS.div_ceil(across));
    let down = 1 << down.ilog2(); // shared evenly among two, four, …
    let height = m.div_ceil(down).next_multiple_of(16);
    let out = Shared::new(out);
    pool::run(across * m.div_ceil(height), &|task| {
        let (row, column) = (task / across * height, task % across * width);
        let (rows, columns) = (height.min(m - row), width.min(n - column));
        let left = Factor { numbers: &left.numbers[row * left.row..], ..left };
        let right = Factor { numbers: &right.numbers[column * right.column..], ..right };
        let product = Product { add, ..Product::of(rows, inner, columns) };
        // SAFETY: this task alone writes this block.
        unsafe { product.write_shared(out, row * n + column, n, left, right) };
    });
}

fn dot_rows(x: &[f32], m: usize, w: Weight, add: bool, out: &mut [f32]) {
    let (n, k) = (w.rows(), w.cols());
    let out = Shared::new(out);
    let stored = w.as_bf16().filter(|_| has_avx512());
    blocks(w, DOT_BLOCK_ROWS, |block, scratch| {
        for column in block {
            let weights = match stored {
                Some(stored) => Column::Bf16(&stored[column * k..(column + 1) * k]),
                None => Column::F32(widened(w, column..column + 1, scratch)),
            };
            let set = |row: usize, value: f32| {
                // SAFETY: this task alone writes the block's columns.
                let target = unsafe { &mut out.part(row * n + column, 1)[0] };
                *target = if add { *target + value } else { value };
            };
            let rows = |first: usize| &x[first * k..];
            let shared = m / DOT_ROWS * DOT_ROWS;
            for first in (0..shared).step_by(DOT_ROWS) {
                let values = weights.dot::<DOT_ROWS>(&rows(first)[..DOT_ROWS * k]);
                values.into_iter().enumerate().for_each(|(row, value)| set(first + row, value));
            }
            (shared..m).for_each(|row| set(row, weights.dot::<1>(&rows(row)[..k])[0]));
        }
    });
}

fn gemm_rows(x: &[f32], w: Weight, add: bool, out: &mut [f32]) {
    let (n, k) = (w.rows(), w.cols());
    let m = x.len() / k;
    let height = (GEMM_BLOCK_ELEMENTS / k).clamp(16, BLOCK_COLUMNS);
    if let Some(numbers) = w.as_f32() {
        let right = Factor::columns(numbers, k);
        return in_blocks((m, n), height, Factor::rows(x, k), right, k, add, out);
    }
    let out = Shared::new(out);
    blocks(w, height, |block, scratch| {
        let (first, count) = (block.start, block.len());
        let right = Factor::columns(widened(w, block, scratch), k);
        let product = Product { add, ..Product::of(m, k, count) };
        // SAFETY: this task alone writes these columns.
        unsafe { product.write_shared(out, first, n, Factor::rows(x, k), right) };
    });
}

/// Some rows of W as float32: in place where they are stored so, else widened into the scratch.
fn widened<'a>(w: Weight<'a>, rows: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32] {
    let k = w.cols();
    if let Some(stored) = w.as_f32() {
        return &stored[rows.start * k..rows.end * k];
    }
    scratch.resize(rows.len() * k, 0.0);
    Arch::new().dispatch(WidenParts { w, rows, columns: 0..k, out: scratch });
    scratch
}

/// Some columns of some rows of W, compiled for the widest vectors this processor has.
struct WidenParts<'a> {
    w: Weight<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
    out: &'a mut [f32],
}

impl NullaryFnOnce for WidenParts<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { w, rows, columns, out } = self;
        for (row, out) in rows.zip(out.chunks_exact_mut(columns.len())) {
            w.widen_part(row, columns.clone(), out);
        }
    }
}

/// Whether bfloat16 is widened in registers.
fn has_avx512() -> bool {
    matches!(cpu::path(), Path::Avx512 | Path::Avx512Bf16)
}

/// A row of W, as its products read it.
#[derive(Clone, Copy)]
enum Column<'a> {
    F32(&'a [f32]),
    /// Where [`has_avx512`].
    Bf16(&'a [u16]),
}

impl Column<'_> {
    /// The products of `R` rows, one behind the other, with this one.
    fn dot<const R: usize>(self, rows: &[f32]) -> [f32; R] {
        match self {
            Self::F32(weights) => dot(rows, weights),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path has the instructions, and the rows are as long as the weights.
            Self::Bf16(weights) => unsafe { dense_avx512::dot_bf16(rows, weights) },
            #[cfg(not(target_arch = "x86_64"))]
            Self::Bf16(_) => unreachable!("widened in registers on x86-64 alone"),
        }
    }
}

/// The products of `R` rows, one behind the other, with one row of W. Each row's sum is the same
/// whatever R.
fn dot<const R: usize>(rows: &[f32], w: &[f32]) -> [f32; R] {
    Arch::new().dispatch(Dot::<R> { rows, w })
}

/// Dot products in two vectors of running sums a row, which hide the latency of adding. Written with
/// explicit vectors: the compiler does not find them in loops over arrays.
struct Dot<'a, const R: usize> {
    rows: &'a [f32],
    w: &'a [f32],
}

/// Vectors of running sums of one row.
const SUMS: usize = 2;

impl<const R: usize> WithSimd for Dot<'_, R> {
    type Output = [f32; R];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f32; R] {
        let k = self.w.len();
        let (w, w_tail) = S::as_simd_f32s(self.w);
        let (w_pairs, w_last) = w.as_chunks::<SUMS>();
        let rows: [&[f32]; R] = std::array::from_fn(|row| &self.rows[row * k..(row + 1) * k]);
        let vectors = rows.map(|row| S::as_simd_f32s(row).0);
        let mut sums = [[simd.splat_f32s(0.0); SUMS]; R];
        for (pair, w) in w_pairs.iter().enumerate() {
            for row in 0..R {
                let x = &vectors[row][pair * SUMS..(pair + 1) * SUMS];
                sums[row][0] = simd.mul_add_f32s(x[0], w[0], sums[row][0]);
                sums[row][1] = simd.mul_add_f32s(x[1], w[1], sums[row][1]);
            }
        }
        let mut totals = [0f32; R];
        for row in 0..R {
            if let [w] = w_last {
                sums[row][0] =
                    simd.mul_add_f32s(vectors[row][w_pairs.len() * SUMS], *w, sums[row][0]);
            }
            let tail = &rows[row][k - w_tail.len()..];
            let tail: f32 = tail.iter().zip(w_tail).map(|(x, w)| x * w).sum();
            totals[row] = simd.reduce_sum_f32s(simd.add_f32s(sums[row][0], sums[row][1])) + tail;
        }
        totals
    }
}
