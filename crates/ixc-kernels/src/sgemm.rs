//! One thread's float32 product of two matrices with any steps: the one place that calls the `gemm` crate.
//!
//! Invariant: a product reads and writes nothing beyond its extents, which are checked against the slices.
//! Deliberately absent: threads, weights in other precisions.

use gemm::Parallelism;

use crate::pool::Shared;

/// A matrix to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factor<'a> {
    /// Its numbers, from the first one on.
    pub(crate) numbers: &'a [f32],
    /// From one row to the next.
    pub(crate) row: usize,
    /// From one column to the next.
    pub(crate) column: usize,
}

impl<'a> Factor<'a> {
    /// Rows `step` apart.
    pub(crate) fn rows(numbers: &'a [f32], step: usize) -> Self {
        Self { numbers, row: step, column: 1 }
    }

    /// Rows `step` apart, seen as columns.
    pub(crate) fn columns(numbers: &'a [f32], step: usize) -> Self {
        Self { numbers, row: 1, column: step }
    }

    fn holds(self, rows: usize, columns: usize) -> bool {
        self.numbers.len() > (rows - 1) * self.row + (columns - 1) * self.column
    }
}

/// A product of (rows, inner) with (inner, columns), times `scale`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) columns: usize,
    pub(crate) scale: f32,
    /// Whether it is added to what is there.
    pub(crate) add: bool,
}

impl Product {
    /// A product of these extents, as it is.
    pub(crate) fn of(rows: usize, inner: usize, columns: usize) -> Self {
        Self { rows, inner, columns, scale: 1.0, add: false }
    }

    /// Writes it to `out`, whose rows are `step` apart.
    ///
    /// # Panics
    /// When one of the three does not hold its matrix, or an extent is 0.
    pub(crate) fn write(self, out: &mut [f32], step: usize, left: Factor, right: Factor) {
        // SAFETY: `out` is this caller's alone.
        unsafe { self.write_shared(Shared::new(out), 0, step, left, right) }
    }

    /// As [`Product::write`], to the rows from `start` on of a matrix that other tasks write to as well.
    ///
    /// # Safety
    /// No other task touches these columns of these rows, and the slice that `out` came from outlives
    /// the call.
    pub(crate) unsafe fn write_shared(
        self,
        out: Shared<f32>,
        start: usize,
        step: usize,
        left: Factor,
        right: Factor,
    ) {
        let Self { rows, inner, columns, scale, add } = self;
        assert!(rows > 0 && inner > 0 && columns > 0 && columns <= step, "{self:?}");
        assert!(out.len() >= start + (rows - 1) * step + columns, "{self:?}");
        assert!(left.holds(rows, inner) && right.holds(inner, columns), "{self:?}");
        // SAFETY: all three lie within their slices, as just checked; dst, which is nobody else's, is
        // read only to be added to.
        unsafe {
            gemm::gemm(
                rows,
                columns,
                inner,
                out.start().add(start),
                1,
                step as isize,
                add,
                left.numbers.as_ptr(),
                left.column as isize,
                left.row as isize,
                right.numbers.as_ptr(),
                right.column as isize,
                right.row as isize,
                1.0,
                scale,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}
