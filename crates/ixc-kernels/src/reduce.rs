//! Sums over the rows of a batch: gradients of what all rows share.
//!
//! Rows are cut into parts of a fixed size, each part is summed on its own, and the parts' sums are added in
//! their order: the result does not depend on the number of threads. Everything is added to what is there,
//! as gradients of several batches are. Deliberately absent: products ([`crate::product::gradient`]).

use std::ops::Range;

use pulp::{Arch, NullaryFnOnce};

use crate::{
    elementwise::rows_of_part,
    pool::{self, Shared, run_parts},
};

/// Parts at most: their sums are few against the rows.
const PARTS_MAX: usize = 64;

/// Columns of a table that a task looks after.
const COLUMNS: usize = 64;

/// Adds each column's sum over the rows of `x`, (rows, width), to `sums`, (width): a bias's gradient.
///
/// # Panics
/// When `x` is not of whole rows.
pub fn column_sums(x: &[f32], sums: &mut [f32]) {
    let width = sums.len();
    if x.is_empty() {
        return;
    }
    assert!(x.len().is_multiple_of(width), "whole rows of {width}");
    by_parts(x.len() / width, width, sums, |rows, sums| {
        for row in x[rows.start * width..rows.end * width].chunks_exact(width) {
            Arch::new().dispatch(Add { row, sums });
        }
    });
}

/// Adds row i of `rows`, (ids, width), to row `ids[i]` of `table`, (entries, width): an embedding's gradient.
///
/// # Panics
/// When there is not a row for each id, or an id has no entry.
pub fn scatter_add(rows: &[f32], ids: &[u32], width: usize, table: &mut [f32]) {
    assert_eq!(rows.len(), ids.len() * width, "a row for each id");
    let entries = table.len() / width.max(1);
    assert!(ids.iter().all(|&id| (id as usize) < entries), "ids below {entries}");
    let table = Shared::new(table);
    // By columns, so that ids that come again are added in their order.
    pool::run(width.div_ceil(COLUMNS), &|task| {
        let columns = task * COLUMNS..((task + 1) * COLUMNS).min(width);
        for (&id, row) in ids.iter().zip(rows.chunks_exact(width)) {
            let start = id as usize * width + columns.start;
            // SAFETY: each task takes its own columns.
            let sums = unsafe { table.part(start, columns.len()) };
            Arch::new().dispatch(Add { row: &row[columns.clone()], sums });
        }
    });
}

/// Calls `work` with parts of the rows, of about `width` numbers each, and with zeros as many as `sums`, to
/// which it adds; then adds all of these to `sums`.
pub(crate) fn by_parts(
    rows: usize,
    width: usize,
    sums: &mut [f32],
    work: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    let height = rows_of_part(width).max(rows.div_ceil(PARTS_MAX));
    let (parts, len) = (rows.div_ceil(height), sums.len());
    let mut partial = vec![0f32; parts * len];
    let shared = Shared::new(&mut partial);
    pool::run(parts, &|part| {
        // SAFETY: each task takes the sums of its own part.
        let sums = unsafe { shared.part(part * len, len) };
        work(part * height..((part + 1) * height).min(rows), sums);
    });
    if len == 0 {
        return;
    }
    let columns = rows_of_part(parts);
    run_parts(sums, columns, |task, sums| {
        for partial in partial.chunks_exact(len) {
            let row = &partial[task * columns..][..sums.len()];
            Arch::new().dispatch(Add { row, sums });
        }
    });
}

struct Add<'a> {
    row: &'a [f32],
    sums: &'a mut [f32],
}

impl NullaryFnOnce for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.sums.iter_mut().zip(self.row).for_each(|(sum, x)| *sum += x);
    }
}
