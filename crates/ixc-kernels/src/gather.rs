//! Some rows of a matrix behind one another, and back to their places.
//!
//! Rows are named by ascending, disjoint runs, as image rows are. Deliberately absent: rows that come twice
//! ([`crate::reduce::scatter_add`]).

use std::ops::Range;

use crate::{elementwise::rows_of_part, pool::run_parts, recycle::floats};

/// The rows of `values`, (…, cols), that the runs name, in their order.
///
/// # Panics
/// When there is no such row, or the runs do not ascend.
pub fn pick(values: &[f32], cols: usize, runs: &[Range<usize>]) -> Vec<f32> {
    let starts = starts(runs);
    let mut picked = floats(starts[runs.len()] * cols); // every number is written
    let height = rows_of_part(cols);
    run_parts(&mut picked, height * cols, |part, picked| {
        for (row, out) in (part * height..).zip(picked.chunks_exact_mut(cols)) {
            let run = starts.partition_point(|start| *start <= row) - 1;
            let from = runs[run].start + row - starts[run];
            out.copy_from_slice(&values[from * cols..][..cols]);
        }
    });
    picked
}

/// The way back: rows that the runs name to their places among `count`, all others 0.
///
/// # Panics
/// When there are fewer rows than the runs name, or these do not ascend.
pub fn put(picked: &[f32], cols: usize, runs: &[Range<usize>], count: usize) -> Vec<f32> {
    let starts = starts(runs);
    assert_eq!(picked.len(), starts[runs.len()] * cols, "a row for each that is named");
    assert!(runs.last().is_none_or(|run| run.end <= count), "rows below {count}");
    let mut all = floats(count * cols); // every number is written
    let height = rows_of_part(cols);
    run_parts(&mut all, height * cols, |part, all| {
        for (row, out) in (part * height..).zip(all.chunks_exact_mut(cols)) {
            let run = runs.partition_point(|run| run.end <= row);
            match runs.get(run).filter(|run| run.start <= row) {
                Some(named) => {
                    let from = starts[run] + row - named.start;
                    out.copy_from_slice(&picked[from * cols..][..cols]);
                }
                None => out.fill(0.0),
            }
        }
    });
    all
}

/// Where each run's rows start among those that are picked, and where they end.
fn starts(runs: &[Range<usize>]) -> Vec<usize> {
    assert!(runs.iter().all(|run| !run.is_empty()), "runs that name rows");
    assert!(runs.windows(2).all(|pair| pair[0].end <= pair[1].start), "ascending runs, apart");
    let mut starts = vec![0];
    starts.extend(runs.iter().scan(0, |end, run| {
        *end += run.len();
        Some(*end)
    }));
    starts
}
