//! Scaled dot-product attention of one sequence: grouped heads, causal or full, over cached stretches.
//!
//! A task takes one head and a block of queries: scores by gemm, softmax row by row, weighted values
//! by gemm, all in a scratch of its own. Keys behind a block's last query are never touched. With a
//! single query (decoding) all heads of a group are taken together, so that each key is read once.
//! Deliberately absent: projections, positions, the cache's growth.

use gemm::Parallelism;
use rayon::prelude::*;

/// Queries of a task: enough for gemm's tiles, few enough that the scores stay in the cache.
const BLOCK: usize = 32;

/// Keys and values of consecutive positions, each (kv_heads, capacity, width) with `len` in use.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// Keys, already rotated.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
    /// Positions in use.
    pub len: usize,
    /// Positions from one head to the next.
    pub capacity: usize,
}

/// The extents of the queries, (kv_heads, group, rows, width).
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

/// Attends: `q`, (kv_heads, group, rows, width), over the stretches in order; query i sits at position
/// T − rows + i of T. With `causal` it sees positions up to its own. Returns (rows, heads · width).
///
/// # Panics
/// When a slice is shorter than its extents say, or there are fewer positions than queries.
pub fn attention(q: &[f32], heads: Heads, stretches: &[Stretch], causal: bool) -> Vec<f32> {
    let Heads { kv_heads, group, rows, width } = heads;
    let total: usize = stretches.iter().map(|stretch| stretch.len).sum();
    assert!(q.len() == kv_heads * group * rows * width && rows > 0 && total >= rows);
    for stretch in stretches {
        let needed = ((kv_heads - 1) * stretch.capacity + stretch.len) * width;
        assert!(stretch.len <= stretch.capacity && stretch.k.len() >= needed);
        assert!(stretch.v.len() >= needed);
    }
    let all = kv_heads * group;
    if rows == 1 {
        // One query a head: the group's queries become the rows, and none of them is masked.
        let heads = Heads { group: 1, rows: group, ..heads };
        return run(q, heads, stretches, total, None, Step { row: width, head: group * width });
    }
    let past = causal.then_some(total - rows);
    run(q, heads, stretches, total, past, Step { row: all * width, head: width })
}

/// From one row, and from one head, to the next in the output.
#[derive(Clone, Copy)]
struct Step {
    row: usize,
    head: usize,
}

/// Where tasks write: each the rows of its queries in the columns of its head.
#[derive(Clone, Copy)]
struct Output(*mut f32);

// SAFETY: no two tasks write the same element, and nobody reads before all have ended.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

/// `past`: how many positions come before the first query, when the future is masked.
fn run(
    q: &[f32],
    heads: Heads,
    stretches: &[Stretch],
    total: usize,
    past: Option<usize>,
    step: Step,
) -> Vec<f32> {
    let Heads { kv_heads, group, rows, width } = heads;
    let mut out = vec![0f32; kv_heads * group * rows * width];
    let target = Output(out.as_mut_ptr());
    let blocks = rows.div_ceil(BLOCK);
    (0..kv_heads * group * blocks).into_par_iter().for_each_init(Vec::new, |scratch, task| {
        // A copy of the whole struct, so that the closure captures it and not its pointer alone.
        let target = { target };
        let (head, start) = (task / blocks, task % blocks * BLOCK);
        let count = BLOCK.min(rows - start);
        let seen = past.map_or(total, |past| past + start + count);
        let keys = Keys { stretches, head: head / group, width, seen };
        let q = &q[(head * rows + start) * width..][..count * width];
        scratch.resize(count * seen, 0.0);
        let scores = &mut scratch[..count * seen];
        keys.score(q, scores);
        for (row, scores) in scores.chunks_exact_mut(seen).enumerate() {
            softmax(scores, past.map_or(seen, |past| past + start + row + 1));
        }
        // SAFETY: rows start..start+count of this head lie within `out`, and are this task's own.
        unsafe { keys.weigh(scores, target.0.add(start * step.row + head * step.head), step.row) }
    });
    out
}

/// What one task looks at: one key head's positions up to `seen`.
struct Keys<'a> {
    stretches: &'a [Stretch<'a>],
    head: usize,
    width: usize,
    seen: usize,
}

impl<'a> Keys<'a> {
    /// The stretches' parts that are seen: where each starts, its keys, its values.
    fn parts(&self) -> impl Iterator<Item = (usize, &'a [f32], &'a [f32])> {
        let (head, width, seen) = (self.head, self.width, self.seen);
        let parts = self.stretches.iter().scan(0, move |end, stretch| {
            let (start, len) = (*end, stretch.len.min(seen - *end));
            *end += len;
            let place = head * stretch.capacity * width..(head * stretch.capacity + len) * width;
            Some((start, &stretch.k[place.clone()], &stretch.v[place]))
        });
        parts.filter(|(_, k, _)| !k.is_empty())
    }

    /// scores = q · kᵀ / √width, (count, seen).
    fn score(&self, q: &[f32], scores: &mut [f32]) {
        let (width, seen) = (self.width, self.seen);
        let (count, scale) = (q.len() / width, 1.0 / (width as f32).sqrt());
        for (start, k, _) in self.parts() {
            let len = k.len() / width;
            // SAFETY: dst is columns start..start+len of (count, seen); lhs is (count, width); rhs is
            // k's transpose, (width, len): all within their slices. dst is not read.
            unsafe {
                gemm::gemm(
                    count,
                    len,
                    width,
                    scores.as_mut_ptr().add(start),
                    1,
                    seen as isize,
                    false,
                    q.as_ptr(),
                    1,
                    width as isize,
                    k.as_ptr(),
                    width as isize,
                    1,
                    0.0,
                    scale,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
        }
    }

    /// out = weights · v, (count, width), rows `stride` apart.
    ///
    /// # Safety
    /// `out` is valid for so many rows of `width` floats, and nobody else touches them.
    unsafe fn weigh(&self, weights: &[f32], out: *mut f32, stride: usize) {
        let (width, seen) = (self.width, self.seen);
        for (start, _, v) in self.parts() {
            // SAFETY: lhs is columns of (count, seen) from `start`; rhs is v, (len, width): within
            // their slices. dst is the caller's promise; behind the first stretch it is added to.
            unsafe {
                gemm::gemm(
                    weights.len() / seen,
                    width,
                    v.len() / width,
                    out,
                    1,
                    stride as isize,
                    start > 0,
                    weights.as_ptr().add(start),
                    1,
                    seen as isize,
                    v.as_ptr(),
                    1,
                    width as isize,
                    1.0,
                    1.0,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
        }
    }
}

/// Softmax over the first `visible` scores of a row; the rest become 0.
fn softmax(scores: &mut [f32], visible: usize) {
    let (scores, masked) = scores.split_at_mut(visible);
    masked.fill(0.0);
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0f32;
    for score in scores.iter_mut() {
        *score = (*score - max).exp();
        sum += *score;
    }
    let inverse = 1.0 / sum;
    scores.iter_mut().for_each(|score| *score *= inverse);
}
