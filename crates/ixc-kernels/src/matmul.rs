//! Products of float32 rows with a weight matrix: `out = x · Wᵀ`.
//!
//! W is read once, a block of rows at a time: the block is widened to float32 into a scratch that
//! stays in the cache, then multiplied. Few rows of x (decoding) take plain dot products, many
//! (an image, a prompt) take gemm. Blocks do not depend on the number of threads, so neither do the
//! results. Deliberately absent: biases, adapters, any precision below float32 for the products.

use std::{cell::RefCell, ops::Range};

use gemm::Parallelism;
use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

use crate::{
    Matrix,
    pool::{self, Shared},
};

/// Up to this many rows of x, dot products beat packing W for gemm; the rows stay in the cache.
const DOT_ROWS_MAX: usize = 32;

/// Rows of x that share one reading of a row of W: their sums fit the vector registers.
const DOT_ROWS: usize = 4;

/// Elements of W in one block of the gemm path: 4 MiB of float32, which a shared cache holds. Larger
/// blocks pack x less often, which is what counts when x has many rows.
const GEMM_BLOCK_ELEMENTS: usize = 1 << 20;

/// Rows of W in one block of the dot path: enough work to hide the dispatch of a task.
const DOT_BLOCK_ROWS: usize = 32;

/// Multiplies `x`, (m, w.cols()), with the transposed matrix; returns (m, w.rows()).
///
/// # Panics
/// When `x` does not consist of whole rows of `w.cols()` numbers.
pub fn matmul(x: &[f32], w: &Matrix) -> Vec<f32> {
    assert!(w.cols() > 0 && x.len().is_multiple_of(w.cols()), "whole rows of {}", w.cols());
    let mut out = vec![0f32; x.len() / w.cols() * w.rows()];
    matmul_into(x, w, false, &mut out);
    out
}

/// As [`matmul`], written to `out` or added to it.
pub(crate) fn matmul_into(x: &[f32], w: &Matrix, add: bool, out: &mut [f32]) {
    let m = x.len() / w.cols();
    assert_eq!(out.len(), m * w.rows());
    if m <= DOT_ROWS_MAX { dot_rows(x, m, w, add, out) } else { gemm_rows(x, m, w, add, out) }
}

/// Does `work` on W's row blocks of `height` rows, with a scratch for widened rows.
fn blocks(w: &Matrix, height: usize, work: impl Fn(Range<usize>, &mut Vec<f32>) + Sync) {
    thread_local! {
        static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    let rows = w.rows();
    pool::run(rows.div_ceil(height), &|block| {
        let rows = block * height..((block + 1) * height).min(rows);
        SCRATCH.with_borrow_mut(|scratch| work(rows, scratch));
    });
}

fn dot_rows(x: &[f32], m: usize, w: &Matrix, add: bool, out: &mut [f32]) {
    let (n, k) = (w.rows(), w.cols());
    let out = Shared::new(out);
    blocks(w, DOT_BLOCK_ROWS, |block, scratch| {
        for column in block {
            let weights = widened(w, column..column + 1, scratch);
            let set = |row: usize, value: f32| {
                // SAFETY: this task alone writes the block's columns.
                let target = unsafe { &mut out.part(row * n + column, 1)[0] };
                *target = if add { *target + value } else { value };
            };
            let rows = |first: usize| &x[first * k..];
            let shared = m / DOT_ROWS * DOT_ROWS;
            for first in (0..shared).step_by(DOT_ROWS) {
                let values = dot::<DOT_ROWS>(rows(first), weights);
                values.into_iter().enumerate().for_each(|(row, value)| set(first + row, value));
            }
            (shared..m).for_each(|row| set(row, dot::<1>(rows(row), weights)[0]));
        }
    });
}

fn gemm_rows(x: &[f32], m: usize, w: &Matrix, add: bool, out: &mut [f32]) {
    let (width, k) = (w.rows(), w.cols());
    let height = (GEMM_BLOCK_ELEMENTS / k).clamp(16, 512);
    let out = Shared::new(out);
    blocks(w, height, |block, scratch| {
        let (first, n) = (block.start, block.len());
        let weights = widened(w, block, scratch);
        // SAFETY: dst is columns first..first+n of an (m, width) row-major matrix, this task's own;
        // lhs is x, (m, k); rhs is the block's transpose, (k, n): all within their slices. No other
        // task touches these columns.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                out.start().add(first),
                1,
                width as isize,
                add,
                x.as_ptr(),
                1,
                k as isize,
                weights.as_ptr(),
                k as isize,
                1,
                1.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    });
}

/// Some rows of W as float32: in place where they are stored so, else widened into the scratch.
fn widened<'a>(w: &'a Matrix, rows: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32] {
    let k = w.cols();
    if let Some(stored) = w.as_f32() {
        return &stored[rows.start * k..rows.end * k];
    }
    scratch.resize(rows.len() * k, 0.0);
    Arch::new().dispatch(Widen { w, rows, out: scratch });
    scratch
}

/// [`Matrix::widen`], compiled for the widest vectors this processor has.
struct Widen<'a> {
    w: &'a Matrix,
    rows: Range<usize>,
    out: &'a mut [f32],
}

impl NullaryFnOnce for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.w.widen(self.rows, self.out);
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
