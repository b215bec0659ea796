//! Scaled dot-product attention of one sequence: grouped heads, causal or full, over stored stretches.
//!
//! Three ways, chosen by the number of queries and the arithmetic: `few` (decoding: split over
//! positions, each key read once for its group), `blocks` (float32 products of blocks) and `bf16`
//! (blocks by the processor's bfloat16 dot products). Blocks keep a running largest score and sum, so no
//! row of scores is ever held whole, and blocks behind a query's last key are never touched.
//! Invariant: results depend neither on the threads nor on how positions are cut into stretches (for 8 bits
//! but for rounding: see the tests).
//! Deliberately absent: projections, positions, the cache's growth.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod backward;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod blocks;
mod few;
mod sequence;
mod stored;

pub use backward::{Gradients, Passed, backward};
pub use stored::{KvType, Stored, StoredMut, Stretch};

use std::ops::Range;

use crate::{
    Arithmetic,
    cpu::Path,
    pool::{self, Shared},
    recycle::{floats, give},
};
use sequence::Sequence;

/// Vectors of float32 are padded to this many numbers: the widest that a processor has.
const VECTOR: usize = 16;

/// The extents of the queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Key and value heads.
    pub kv_heads: usize,
    /// Query heads that share one of them.
    pub group: usize,
    /// Queries.
    pub rows: usize,
    /// Width of a head.
    pub width: usize,
}

impl Heads {
    /// Query heads.
    pub fn count(&self) -> usize {
        self.kv_heads * self.group
    }
}

/// Numbers of heads: head h's row i starts at h · `head` + i · `row`. A key head's group of query heads
/// are neighbours.
#[derive(Clone, Copy, Debug)]
pub struct HeadRows<'a> {
    /// The numbers.
    pub numbers: &'a [f32],
    /// From one head to the next.
    pub head: usize,
    /// From one row to the next.
    pub row: usize,
}

impl<'a> HeadRows<'a> {
    /// From a row of the first head on; none where there are no such.
    fn row_on(self, row: usize) -> &'a [f32] {
        self.numbers.get(row * self.row..).unwrap_or_default()
    }
}

/// How to attend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// Whether a query sees only positions up to its own.
    pub causal: bool,
    /// What products are made of.
    pub arithmetic: Arithmetic,
    /// With which instructions.
    pub path: Path,
}

/// Attends: the queries over the stretches in order; query i sits at position T − rows + i of T. Returns
/// (rows, heads · width).
///
/// # Panics
/// When a slice is shorter than its extents say, there are fewer positions than queries or no query, or
/// the path is not this processor's.
pub fn attention(q: HeadRows, heads: Heads, stretches: &[Stretch], how: How) -> Vec<f32> {
    let call = Call::new(q, heads, stretches, how);
    if call.lanes() <= few::LANES_MAX {
        return few::attend(&call);
    }
    match (how.arithmetic, how.path) {
        #[cfg(target_arch = "x86_64")]
        (Arithmetic::Fast, Path::Avx512Bf16) => bf16::attend(&call),
        _ => blocks::attend(&call),
    }
}

/// Attends for sequences of so many rows behind one another, each of which sees itself alone: as
/// [`attention`], with keys and values that lie as queries do. `heads.rows` is all rows. Returns (rows,
/// heads · width).
///
/// # Panics
/// As [`attention`], and when the sequences are not all rows, or rows of `k` and `v` are not whole widths
/// apart in one way.
pub fn attention_each(
    [q, k, v]: [HeadRows; 3],
    heads: Heads,
    sequences: &[usize],
    how: How,
) -> Vec<f32> {
    let Heads { rows, width, .. } = heads;
    assert_eq!(sequences.iter().sum::<usize>(), rows, "sequences of all rows");
    assert_eq!((k.head, k.row), (v.head, v.row), "values that lie as keys do");
    assert!(k.head % width == 0 && k.row % width == 0, "whole widths apart");
    let row_width = heads.count() * width;
    let mut out = floats(rows * row_width); // every number is written
    let shared = Shared::new(&mut out);
    let ranges = ranges(sequences);
    let one = |task: usize| {
        let Range { start, end } = ranges[task].clone();
        let stretch = Stretch {
            k: Stored::F32(k.row_on(start)),
            v: Stored::F32(v.row_on(start)),
            len: end - start,
            head_rows: k.head / width,
            position_rows: k.row / width,
        };
        let (q, heads) =
            (HeadRows { numbers: q.row_on(start), ..q }, Heads { rows: end - start, ..heads });
        let seen = attention(q, heads, &[stretch], how);
        // SAFETY: each sequence has its own rows.
        unsafe { shared.part(start * row_width, seen.len()) }.copy_from_slice(&seen);
        give(seen);
    };
    // Many short ones are shared out whole; a few long ones are each shared out.
    if ranges.len() >= 2 * pool::threads() {
        pool::run(ranges.len(), &one);
    } else {
        (0..ranges.len()).for_each(one);
    }
    out
}

/// The rows of sequences of so many rows behind one another, less those that have none.
fn ranges(sequences: &[usize]) -> Vec<Range<usize>> {
    let ranges = sequences.iter().scan(0, |end, len| {
        *end += len;
        Some(*end - len..*end)
    });
    ranges.filter(|rows| !rows.is_empty()).collect()
}

/// One checked call. The queries of a key head are its lanes: row by row, the group's heads behind one
/// another in each.
struct Call<'a> {
    q: HeadRows<'a>,
    heads: Heads,
    sequence: Sequence<'a>,
    total: usize,
    causal: bool,
    path: Path,
}

impl<'a> Call<'a> {
    fn new(q: HeadRows<'a>, heads: Heads, stretches: &'a [Stretch<'a>], how: How) -> Self {
        let Heads { kv_heads, group, rows, width } = heads;
        assert!(how.path.is_available(), "{} is not this processor's", how.path.name());
        assert!(kv_heads > 0 && group > 0 && rows > 0 && width > 0, "{heads:?}");
        let last = (heads.count() - 1) * q.head + (rows - 1) * q.row + width;
        assert!(q.numbers.len() >= last, "{} numbers for {heads:?}", q.numbers.len());
        for stretch in stretches.iter().filter(|stretch| stretch.len > 0) {
            let needed = stretch.row(kv_heads - 1, stretch.len - 1) + 1;
            let found = stretch.k.rows(width).min(stretch.v.rows(width));
            assert!(found >= needed, "{found} rows of {width} where {needed} are used");
        }
        let total = stretches.iter().map(|stretch| stretch.len).sum();
        assert!(total >= rows, "{rows} queries over {total} positions");
        let sequence = Sequence::new(stretches, width, how.path);
        Self { q, heads, sequence, total, causal: how.causal, path: how.path }
    }

    /// Queries of a key head.
    fn lanes(&self) -> usize {
        self.heads.group * self.heads.rows
    }

    /// Width padded to whole vectors.
    fn stride(&self) -> usize {
        self.heads.width.next_multiple_of(VECTOR)
    }

    /// Copies a lane's query, divided by √width.
    fn query(&self, head: usize, lane: usize, out: &mut [f32]) {
        let (row, member) = (lane / self.heads.group, lane % self.heads.group);
        let start = (head * self.heads.group + member) * self.q.head + row * self.q.row;
        let scale = 1.0 / (self.heads.width as f32).sqrt();
        let numbers = &self.q.numbers[start..][..out.len()];
        out.iter_mut().zip(numbers).for_each(|(out, number)| *out = number * scale);
    }

    /// How many positions a lane sees.
    fn seen(&self, lane: usize) -> usize {
        if self.causal {
            self.total - self.heads.rows + lane / self.heads.group + 1
        } else {
            self.total
        }
    }

    /// Where a lane's result starts in the output.
    fn place(&self, head: usize, lane: usize) -> usize {
        let (row, member) = (lane / self.heads.group, lane % self.heads.group);
        (row * self.heads.count() + head * self.heads.group + member) * self.heads.width
    }
}
