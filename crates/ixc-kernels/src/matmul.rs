//! Products of float32 rows with a weight matrix: `out = x · Wᵀ`.
//!
//! W is read once, a block of rows at a time: the block is widened to float32 into a scratch that
//! stays in the cache, then multiplied. Few rows of x (decoding) take plain dot products, many
//! (an image, a prompt) take gemm. Blocks do not depend on the number of threads, so neither do the
//! results. Deliberately absent: biases, adapters, any precision below float32 for the products.

use std::ops::Range;

use gemm::Parallelism;
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use crate::Matrix;

/// Up to this many rows of x the weights' bytes decide the time, and dot products read them once.
const DOT_ROWS_MAX: usize = 6;

/// Elements of W in one block of the gemm path: 4 MiB of float32, which a shared cache holds.
const GEMM_BLOCK_ELEMENTS: usize = 1 << 20;

/// Rows of W in one block of the dot path: enough work to hide the dispatch of a task.
const DOT_BLOCK_ROWS: usize = 32;

/// Multiplies `x`, (m, w.cols()), with the transposed matrix; returns (m, w.rows()).
///
/// # Panics
/// When `x` does not consist of whole rows of `w.cols()` numbers.
pub fn matmul(x: &[f32], w: &Matrix) -> Vec<f32> {
    assert!(w.cols() > 0 && x.len().is_multiple_of(w.cols()), "whole rows of {}", w.cols());
    let m = x.len() / w.cols();
    let mut out = vec![0f32; m * w.rows()];
    if m <= DOT_ROWS_MAX {
        dot_rows(x, m, w, &mut out)
    } else {
        gemm_rows(x, m, w, &mut out)
    }
    out
}

/// The output matrix, shared by tasks that each write columns of their own.
#[derive(Clone, Copy)]
struct Columns {
    start: *mut f32,
    width: usize,
}

// SAFETY: tasks write disjoint columns (each block of W's rows belongs to one task) and nobody reads
// before all have ended.
unsafe impl Send for Columns {}
// SAFETY: as above.
unsafe impl Sync for Columns {}

impl Columns {
    /// # Safety
    /// `row` and `column` lie within the output, and no other task writes this element.
    unsafe fn set(self, row: usize, column: usize, value: f32) {
        // SAFETY: the caller keeps the element within the output and to itself.
        unsafe { *self.start.add(row * self.width + column) = value }
    }
}

/// W's row blocks of `height` rows.
fn blocks(w: &Matrix, height: usize) -> impl IndexedParallelIterator<Item = Range<usize>> {
    let rows = w.rows();
    (0..rows.div_ceil(height))
        .into_par_iter()
        .map(move |block| block * height..((block + 1) * height).min(rows))
}

fn dot_rows(x: &[f32], m: usize, w: &Matrix, out: &mut [f32]) {
    let k = w.cols();
    let out = Columns { start: out.as_mut_ptr(), width: w.rows() };
    blocks(w, DOT_BLOCK_ROWS).for_each_init(Vec::new, |scratch: &mut Vec<f32>, block| {
        for column in block {
            let weights = widened(w, column..column + 1, scratch);
            for row in 0..m {
                let value = dot(&x[row * k..(row + 1) * k], weights);
                // SAFETY: this task owns the block's columns; row < m.
                unsafe { out.set(row, column, value) }
            }
        }
    });
}

fn gemm_rows(x: &[f32], m: usize, w: &Matrix, out: &mut [f32]) {
    let k = w.cols();
    let height = (GEMM_BLOCK_ELEMENTS / k).clamp(16, 512);
    let out = Columns { start: out.as_mut_ptr(), width: w.rows() };
    blocks(w, height).for_each_init(Vec::new, |scratch: &mut Vec<f32>, block| {
        let (first, n) = (block.start, block.len());
        let weights = widened(w, block, scratch);
        // A copy of the whole struct, so that the closure captures it and not its pointer alone.
        let target = { out };
        // SAFETY: dst is columns first..first+n of an (m, width) row-major matrix, this task's own;
        // lhs is x, (m, k); rhs is the block's transpose, (k, n): all within their slices. dst is not
        // read (read_dst false), and no other task touches these columns.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                target.start.add(first),
                1,
                target.width as isize,
                false,
                x.as_ptr(),
                1,
                k as isize,
                weights.as_ptr(),
                k as isize,
                1,
                0.0,
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

/// The sum of products of two slices of one length.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    Arch::new().dispatch(Dot { a, b })
}

/// A dot product in sixteen running sums, which the compiler keeps in vector registers.
struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl NullaryFnOnce for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
        const LANES: usize = 64;
        let mut sums = [0f32; LANES];
        let (a, a_tail) = self.a.as_chunks::<LANES>();
        let (b, b_tail) = self.b.as_chunks::<LANES>();
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                sums[lane] = a[lane].mul_add(b[lane], sums[lane]);
            }
        }
        let tail: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum();
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                sums[lane] += sums[lane + width];
            }
            width /= 2;
        }
        sums[0] + tail
    }
}
