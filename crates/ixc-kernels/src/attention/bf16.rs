//! Attention in blocks of queries and keys by the processor's bfloat16 dot products.
//!
//! A task takes one key head and a block of its lanes (see `Call`). Scores are kept transposed, a vector
//! being 16 lanes at one key: then the running maxima and sums need no step across a vector, keys are
//! multiplied as they lie (a pair of a key's numbers is broadcast), and only values and queries are
//! paired. Queries, keys, values and the weights are rounded to bfloat16, sums and exponentials are
//! float32. Each tile is widened once for the whole block.
//! Deliberately absent: other processors (see `blocks`), a few queries (see `few`).

use std::{arch::x86_64::*, cell::RefCell, ops::Range};

use super::{Call, sequence::Side};
use crate::{
    avx512::{Vector, narrow, pair, turned},
    pool::{self, Shared},
};

/// Lanes of a task, about: they share the widening of each tile.
const LANES: usize = 256;

/// Vectors of lanes that one product takes at once, and so the lanes of a group.
const VECTORS: usize = 4;
const GROUP: usize = 16 * VECTORS;

/// Keys or values of a tile.
const TILE: usize = 64;

/// Keys, or numbers of a value, that one product takes at once: with `VECTORS`, 16 running sums.
const ROWS: usize = 4;

/// Widths are padded to this: a vector of bfloat16.
const PAD: usize = 32;

/// What a masked score is, and a lane's largest before the first.
const LEAST: f32 = f32::MIN;

/// Returns (rows, heads · width).
pub(super) fn attend(call: &Call) -> Vec<f32> {
    let heads = call.heads;
    let mut out = vec![0f32; heads.count() * heads.rows * heads.width];
    let shared = Shared::new(&mut out);
    let rows = (LANES / heads.group).max(1);
    let blocks = heads.rows.div_ceil(rows);
    pool::run(heads.kv_heads * blocks, &|task| {
        // The last blocks see the most: they are the first to be taken.
        let (head, block) = (task % heads.kv_heads, blocks - 1 - task / heads.kv_heads);
        let last = heads.rows.min((block + 1) * rows);
        let lanes = block * rows * heads.group..last * heads.group;
        SCRATCH.with_borrow_mut(|scratch| {
            let block = Block { call, head, lanes, width: heads.width.next_multiple_of(PAD) };
            // SAFETY: the path is available, as `Call` has checked.
            unsafe { block.attend(scratch, shared) }
        });
    });
    out
}

/// One task's share.
struct Block<'a> {
    call: &'a Call<'a>,
    head: usize,
    lanes: Range<usize>,
    /// Padded.
    width: usize,
}

#[derive(Default)]
struct Scratch {
    /// Pairs of the queries' numbers, (groups, width / 2, VECTORS).
    q: Vec<Vector>,
    /// Results so far, (groups, width, VECTORS) floats.
    out: Vec<Vector>,
    /// The groups' running state.
    state: Vec<State>,
    /// A tile as it was widened, (TILE, width) floats.
    wide: Vec<f32>,
    /// Keys, (TILE, width) bfloat16.
    keys: Vec<Vector>,
    /// Pairs of values of neighbouring positions, (TILE / 2, width).
    values: Vec<Vector>,
    /// Scores, (TILE, VECTORS) floats.
    scores: Vec<Vector>,
    /// Pairs of weights of neighbouring positions, (TILE / 2, VECTORS).
    weights: Vec<Vector>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Of a group's lanes: how many positions each sees, its largest score and its sum so far.
#[derive(Clone, Copy)]
struct State {
    seen: [__m512i; VECTORS],
    most: [__m512; VECTORS],
    sums: [__m512; VECTORS],
    /// The least and the most positions that a lane of the group sees.
    bounds: (usize, usize),
}

impl Scratch {
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn prepare(&mut self, groups: usize, width: usize) {
        let zero = _mm512_setzero_si512();
        self.q.resize(groups * width / 2 * VECTORS, zero);
        self.out.clear();
        self.out.resize(groups * width * VECTORS, zero);
        self.state.clear();
        self.wide.clear();
        self.wide.resize(TILE * width, 0.0);
        self.keys.resize(TILE * width / 32, zero);
        self.values.resize(TILE / 2 * width / 16, zero);
        self.scores.resize(TILE * VECTORS, zero);
        self.weights.resize(TILE / 2 * VECTORS, zero);
    }
}

impl Block<'_> {
    /// # Safety
    /// The processor has the path's instructions, and no other task has these lanes.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn attend(&self, scratch: &mut Scratch, out: Shared<f32>) {
        let groups = self.lanes.len().div_ceil(GROUP);
        let width = self.width;
        scratch.prepare(groups, width);
        for group in 0..groups {
            let state = self.state(group);
            scratch.state.push(state);
            self.pack_queries(
                group,
                &mut scratch.wide,
                &mut scratch.q[group * width / 2 * VECTORS..],
            );
        }
        // Packing has left its numbers there, and what pads a row must be 0.
        scratch.wide.fill(0.0);
        let seen = self.call.seen(self.lanes.end - 1);
        for start in (0..seen).step_by(TILE) {
            self.load(start..seen.min(start + TILE), scratch);
            for group in 0..groups {
                let state = &mut scratch.state[group];
                if state.bounds.1 <= start {
                    continue;
                }
                let q = &scratch.q[group * width / 2 * VECTORS..][..width / 2 * VECTORS];
                let out = &mut scratch.out[group * width * VECTORS..][..width * VECTORS];
                let keys = (state.bounds.1 - start).min(TILE).next_multiple_of(ROWS);
                let largest = if state.bounds.0 >= start + keys {
                    score::<false>(
                        q,
                        &scratch.keys,
                        width,
                        keys,
                        (start, state),
                        &mut scratch.scores,
                    )
                } else {
                    score::<true>(
                        q,
                        &scratch.keys,
                        width,
                        keys,
                        (start, state),
                        &mut scratch.scores,
                    )
                };
                let shrink = exponents(
                    &scratch.scores[..keys * VECTORS],
                    largest,
                    state,
                    &mut scratch.weights,
                );
                weigh(&scratch.weights[..keys / 2 * VECTORS], &scratch.values, width, shrink, out);
            }
        }
        for group in 0..groups {
            let results = &scratch.out[group * width * VECTORS..][..width * VECTORS];
            // SAFETY: the caller's promise.
            unsafe { self.finish(group, results, &scratch.state[group], out) }
        }
    }

    /// A group's lanes, those beyond the block's being the last one again.
    fn group(&self, group: usize) -> impl Iterator<Item = usize> {
        let (start, last) = (self.lanes.start + group * GROUP, self.lanes.end - 1);
        (start..start + GROUP).map(move |lane| lane.min(last))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn state(&self, group: usize) -> State {
        let mut seen = [0i32; GROUP];
        for (seen, lane) in seen.iter_mut().zip(self.group(group)) {
            *seen = self.call.seen(lane) as i32;
        }
        State {
            // SAFETY: 16 numbers from there on are within the array.
            seen: std::array::from_fn(|v| unsafe {
                _mm512_loadu_si512(seen.as_ptr().add(16 * v).cast())
            }),
            most: [_mm512_set1_ps(LEAST); VECTORS],
            sums: [_mm512_setzero_ps(); VECTORS],
            bounds: (seen[0] as usize, seen[GROUP - 1] as usize),
        }
    }

    /// A group's queries as (width / 2, VECTORS) vectors of 16 lanes' pairs, in units of log 2.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn pack_queries(&self, group: usize, wide: &mut [f32], out: &mut [Vector]) {
        let width = self.width;
        let scale = _mm512_set1_ps(std::f32::consts::LOG2_E);
        let lanes: Vec<usize> = self.group(group).collect();
        for (vector, lanes) in lanes.chunks_exact(16).enumerate() {
            wide[..16 * width].fill(0.0);
            for (wide, &lane) in wide.chunks_exact_mut(width).zip(lanes) {
                self.call.query(self.head, lane, &mut wide[..self.call.heads.width]);
            }
            for start in (0..width).step_by(32) {
                let mut rows = [_mm512_setzero_si512(); 16];
                for (row, wide) in rows.iter_mut().zip(wide.chunks_exact(width)) {
                    let (low, high) = halves(&wide[start..start + 32]);
                    *row = narrow(_mm512_mul_ps(low, scale), _mm512_mul_ps(high, scale));
                }
                for (pair, row) in turned(rows).into_iter().enumerate() {
                    out[(start / 2 + pair) * VECTORS + vector] = row;
                }
            }
        }
    }

    /// Widens and packs a tile of keys and values; behind the last position there are zeros.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn load(&self, positions: Range<usize>, scratch: &mut Scratch) {
        let Scratch { wide, keys, values, .. } = scratch;
        let (sequence, width) = (&self.call.sequence, self.width);
        wide[positions.len() * width..].fill(0.0);
        sequence.gather(Side::Keys, self.head, positions.clone(), width, wide);
        for (out, wide) in keys.iter_mut().zip(wide.chunks_exact(32)) {
            let (low, high) = halves(wide);
            *out = narrow(low, high);
        }
        sequence.gather(Side::Values, self.head, positions, width, wide);
        let pairs = wide.chunks_exact(2 * width).zip(values.chunks_exact_mut(width / 16));
        for (wide, out) in pairs {
            let (first, second) = wide.split_at(width);
            for (index, out) in out.iter_mut().enumerate() {
                let (first, second) = (&first[16 * index..], &second[16 * index..]);
                *out = pair(vector(first), vector(second));
            }
        }
    }

    /// Divides a group's results by their sums and writes each lane's to its place.
    ///
    /// # Safety
    /// No other task writes these lanes.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn finish(&self, group: usize, results: &[Vector], state: &State, out: Shared<f32>) {
        let width = self.call.heads.width;
        let first = self.lanes.start + group * GROUP;
        for v in 0..VECTORS {
            let inverse = _mm512_div_ps(_mm512_set1_ps(1.0), state.sums[v]);
            for start in (0..width).step_by(16) {
                let rows: [Vector; 16] = std::array::from_fn(|row| {
                    let numbers = _mm512_castsi512_ps(results[(start + row) * VECTORS + v]);
                    _mm512_castps_si512(_mm512_mul_ps(numbers, inverse))
                });
                let count = (width - start).min(16);
                let mask = (u32::MAX >> (32 - count)) as __mmask16;
                for (index, row) in turned(rows).into_iter().enumerate() {
                    let lane = first + 16 * v + index;
                    if lane >= self.lanes.end {
                        break;
                    }
                    // SAFETY: a lane belongs to one task; `count` numbers are written.
                    unsafe {
                        let out = out.part(self.call.place(self.head, lane) + start, count);
                        _mm512_mask_storeu_ps(out.as_mut_ptr(), mask, _mm512_castsi512_ps(row));
                    }
                }
            }
        }
    }
}

/// Scores of the first `keys` keys of the tile at `at.0`, (keys, VECTORS); returns the lanes' largest.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn score<const MASKED: bool>(
    q: &[Vector],
    tile: &[Vector],
    width: usize,
    keys: usize,
    at: (usize, &State),
    scores: &mut [Vector],
) -> [__m512; VECTORS] {
    let (start, state) = at;
    let mut largest = state.most;
    let tile: &[i32] = numbers(tile);
    let (q, _) = q.as_chunks::<VECTORS>();
    let groups = tile.chunks_exact(ROWS * width / 2).zip(scores.chunks_exact_mut(ROWS * VECTORS));
    for (group, (rows, scores)) in groups.take(keys / ROWS).enumerate() {
        let sums = products(q, std::array::from_fn(|row| &rows[row * width / 2..][..width / 2]));
        for row in 0..ROWS {
            for v in 0..VECTORS {
                let mut score = sums[row][v];
                if MASKED {
                    let position = _mm512_set1_epi32((start + group * ROWS + row) as i32);
                    let seen = _mm512_cmpgt_epi32_mask(state.seen[v], position);
                    score = _mm512_mask_mov_ps(_mm512_set1_ps(LEAST), seen, score);
                }
                largest[v] = _mm512_max_ps(largest[v], score);
                scores[row * VECTORS + v] = _mm512_castps_si512(score);
            }
        }
    }
    largest
}

/// Sums over pairs of `ROWS` broadcast rows with `VECTORS` vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn products(vectors: &[[Vector; VECTORS]], rows: [&[i32]; ROWS]) -> [[__m512; VECTORS]; ROWS] {
    let rows = rows.map(|row| &row[..vectors.len()]);
    let mut sums = [[_mm512_setzero_ps(); VECTORS]; ROWS];
    for (index, vectors) in vectors.iter().enumerate() {
        for row in 0..ROWS {
            let number = bf16(_mm512_set1_epi32(rows[row][index]));
            for v in 0..VECTORS {
                sums[row][v] = _mm512_dpbf16_ps(sums[row][v], bf16(vectors[v]), number);
            }
        }
    }
    sums
}

/// Scores to weights, as pairs of neighbouring positions; returns what earlier results shrink by.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn exponents(
    scores: &[Vector],
    largest: [__m512; VECTORS],
    state: &mut State,
    weights: &mut [Vector],
) -> [__m512; VECTORS] {
    let mut shrink = [_mm512_setzero_ps(); VECTORS];
    for v in 0..VECTORS {
        shrink[v] = exp2(_mm512_sub_ps(state.most[v], largest[v]));
        let mut sum = _mm512_setzero_ps();
        let pairs = scores.chunks_exact(2 * VECTORS).zip(weights.chunks_exact_mut(VECTORS));
        for (scores, weights) in pairs {
            let weight =
                |score: Vector| exp2(_mm512_sub_ps(_mm512_castsi512_ps(score), largest[v]));
            let (first, second) = (weight(scores[v]), weight(scores[VECTORS + v]));
            sum = _mm512_add_ps(sum, _mm512_add_ps(first, second));
            weights[v] = pair(first, second);
        }
        state.sums[v] = _mm512_fmadd_ps(state.sums[v], shrink[v], sum);
    }
    state.most = largest;
    shrink
}

/// out = out · shrink + values · weights, (width, VECTORS).
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn weigh(
    weights: &[Vector],
    values: &[Vector],
    width: usize,
    shrink: [__m512; VECTORS],
    out: &mut [Vector],
) {
    let values: &[i32] = numbers(values);
    let (weights, _) = weights.as_chunks::<VECTORS>();
    let values = &values[..weights.len() * width];
    for (group, out) in out.chunks_exact_mut(ROWS * VECTORS).enumerate() {
        let mut sums = [[_mm512_setzero_ps(); VECTORS]; ROWS];
        for row in 0..ROWS {
            for v in 0..VECTORS {
                let before = _mm512_castsi512_ps(out[row * VECTORS + v]);
                sums[row][v] = _mm512_mul_ps(before, shrink[v]);
            }
        }
        for (weights, values) in weights.iter().zip(values.chunks_exact(width)) {
            let values = &values[group * ROWS..][..ROWS];
            for row in 0..ROWS {
                let number = bf16(_mm512_set1_epi32(values[row]));
                for v in 0..VECTORS {
                    sums[row][v] = _mm512_dpbf16_ps(sums[row][v], bf16(weights[v]), number);
                }
            }
        }
        for row in 0..ROWS {
            for v in 0..VECTORS {
                out[row * VECTORS + v] = _mm512_castps_si512(sums[row][v]);
            }
        }
    }
}

/// 2ˣ of numbers that are at most 0, to within 2⁻¹⁷ of the result: far below bfloat16's steps. What is not a
/// number stays none: of two such the instruction returns the second.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn exp2(x: __m512) -> __m512 {
    let x = _mm512_max_ps(_mm512_set1_ps(-200.0), x);
    let n = _mm512_roundscale_ps::<_MM_FROUND_TO_NEAREST_INT>(x);
    let rest = _mm512_sub_ps(x, n);
    // Taylor's coefficients of 2ˣ on −½ to ½.
    let mut sum = _mm512_set1_ps(0.009_618_129);
    for coefficient in [0.055_504_11, 0.240_226_5, std::f32::consts::LN_2, 1.0] {
        sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(coefficient));
    }
    _mm512_scalef_ps(sum, n)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn bf16(vector: Vector) -> __m512bh {
    // SAFETY: both are 512 bits without invalid values.
    unsafe { std::mem::transmute::<Vector, __m512bh>(vector) }
}

/// The first 16 of some floats.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn vector(numbers: &[f32]) -> __m512 {
    assert!(numbers.len() >= 16);
    // SAFETY: 16 numbers are there.
    unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
}

/// The first 16 of some floats, and the next 16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn halves(numbers: &[f32]) -> (__m512, __m512) {
    (vector(numbers), vector(&numbers[16..]))
}

/// Vectors as their numbers.
fn numbers(vectors: &[Vector]) -> &[i32] {
    // SAFETY: a vector is 16 such numbers, aligned more strictly.
    unsafe { std::slice::from_raw_parts(vectors.as_ptr().cast(), vectors.len() * 16) }
}
