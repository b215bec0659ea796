//! Products of rows with weights in the processor's own low precision, and of their gradients.
//!
//! One driver for 8-bit integers and bfloat16, for every processor: rows and weights are cut into groups
//! of [`GROUP_BYTES`] bytes along the inputs; a task takes [`PANEL`] outputs, turns one group of their
//! weights into a panel that stays in the first cache ([`panel`]), runs many rows over it in register
//! tiles ([`tile`]), and goes on to the next group. Several terms may add up in the same tile, which is
//! how Partial LoRA joins a layer for the price of one more group; and the two halves of a panel may belong
//! to two layers, which is how a gated layer's inner rows are written once. Few rows take dot products with
//! the weights as they lie ([`dot`]). Results do not depend on the number of threads.
//! Deliberately absent: float32 products ([`crate::matmul()`]), tensors.

pub mod dot;
pub mod gradient;
mod packed;
pub mod panel;
pub mod rows;
pub mod tile;

use std::{cell::RefCell, ops::Range};

use packed::Packed;
use panel::{Panel, Right};
use pulp::{Arch, NullaryFnOnce};
use rows::Rows;
use tile::{GROUP_BYTES, Lane, PANEL, STRIP, Strip, TILE_ROWS};

use crate::{
    Weight,
    arithmetic::Arithmetic,
    cpu,
    elementwise::{self, add_bias},
    math::silu,
    matmul::matmul_into,
    pool::{self, Shared},
    recycle::{self, floats},
};

/// Up to so many rows, dot products with the stored weights beat unpacking them into panels.
pub const DOT_ROWS_MAX: usize = 8;

/// One summand of a product: `rows · weightᵀ`.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// (m, weight.cols()).
    pub rows: &'a Rows<'a>,
    /// (n, cols).
    pub weight: Weight<'a>,
}

/// In which lane a weight is multiplied; none for float32.
fn lane(weight: Weight, arithmetic: Arithmetic) -> Option<Lane> {
    let rounds = match weight {
        Weight::Stored(matrix) if matrix.is_quantised() => {
            return (arithmetic == Arithmetic::Fast).then_some(Lane::Int8);
        }
        Weight::Stored(matrix) => matrix.is_bf16(),
        Weight::Trained { .. } => true,
    };
    (rounds && has_bf16(arithmetic)).then_some(Lane::Bf16)
}

/// Whether products are to be of bfloat16 where they may be.
fn has_bf16(arithmetic: Arithmetic) -> bool {
    arithmetic == Arithmetic::Fast && cpu::path() == cpu::Path::Avx512Bf16
}

/// A term that is not multiplied in float32.
type Laned<'a> = (Lane, Term<'a>);

/// The terms that have a lane, and those that are float32.
fn sort<'a>(terms: &[Term<'a>], arithmetic: Arithmetic) -> (Vec<Laned<'a>>, Vec<Term<'a>>) {
    let (m, n) = extents(terms);
    let (mut laned, mut exact) = (Vec::new(), Vec::new());
    for term in terms {
        assert!(term.rows.count() == m && term.weight.rows() == n, "terms of one shape");
        assert_eq!(term.rows.cols(), term.weight.cols(), "rows as long as the weight has inputs");
        match lane(term.weight, arithmetic) {
            Some(lane) => laned.push((lane, *term)),
            None => exact.push(*term),
        }
    }
    (laned, exact)
}

/// Rows and outputs of a product.
fn extents(terms: &[Term]) -> (usize, usize) {
    (terms[0].rows.count(), terms[0].weight.rows())
}

/// `Σ rows · weightᵀ + bias`, (m, n). All terms have as many rows, and as many outputs.
///
/// # Panics
/// When the terms' shapes do not fit, or there is none.
pub fn product(terms: &[Term], bias: Option<&[f32]>, arithmetic: Arithmetic) -> Vec<f32> {
    let (m, n) = extents(terms);
    assert!(bias.is_none_or(|bias| bias.len() == n), "a bias for each output");
    let (laned, exact) = sort(terms, arithmetic);
    let mut out = floats(m * n);
    let mut bias = bias;
    if !laned.is_empty() {
        let stored = laned.iter().all(|(_, term)| matches!(term.weight, Weight::Stored(_)));
        if m <= DOT_ROWS_MAX && stored {
            dot::dot_rows(&laned, bias, &mut out);
        } else {
            let passes: Vec<Pass> = laned
                .iter()
                .map(|(lane, term)| Pass::whole(term.rows.packed(*lane), term.weight.into()))
                .collect();
            tiled(&passes, m, n, PANEL, &mut out, &Finish::Sum(bias));
        }
        bias = None;
    }
    for (index, term) in exact.iter().enumerate() {
        matmul_into(term.rows.values(), term.weight, index > 0 || !laned.is_empty(), &mut out);
    }
    if let Some(bias) = bias {
        add_bias(&mut out, bias);
    }
    out
}

/// `silu(Σ gate) · Σ up`, (m, n): the inner rows of a gated feed-forward layer.
///
/// # Panics
/// When the terms' shapes do not fit, or there is none.
pub fn gated(gate: &[Term], up: &[Term], arithmetic: Arithmetic) -> Vec<f32> {
    let (m, n) = extents(gate);
    assert_eq!((m, n), extents(up), "gate and up of one shape");
    let (gates, exact_gates) = sort(gate, arithmetic);
    let (ups, exact_ups) = sort(up, arithmetic);
    if m <= DOT_ROWS_MAX || !exact_gates.is_empty() || !exact_ups.is_empty() {
        let mut out = product(gate, None, arithmetic);
        let factor = product(up, None, arithmetic);
        elementwise::silu_mul(&mut out, &factor);
        recycle::give(factor);
        return out;
    }
    let mut passes: Vec<Pass> = Vec::new();
    for (strip, terms) in [gates, ups].into_iter().enumerate() {
        for (lane, term) in terms {
            let rows = term.rows.packed(lane);
            // Both halves of a panel over the same rows make one pass.
            let fitting = passes
                .iter_mut()
                .find(|pass| std::ptr::eq(pass.rows, rows) && pass.weights[strip].is_none());
            match fitting {
                Some(pass) => pass.weights[strip] = Some((term.weight.into(), 0)),
                None => {
                    let mut weights = [None; PANEL / STRIP];
                    weights[strip] = Some((term.weight.into(), 0));
                    passes.push(Pass { rows, weights });
                }
            }
        }
    }
    let mut out = floats(m * n);
    tiled(&passes, m, n, STRIP, &mut out, &Finish::Gate);
    out
}

/// Some rows over both halves of a panel: for each the right side, and how far its outputs are behind the
/// task's first; none where the pass adds nothing.
struct Pass<'a> {
    rows: &'a Packed,
    weights: [Option<(Right<'a>, usize)>; PANEL / STRIP],
}

impl<'a> Pass<'a> {
    /// One right side for the whole panel.
    fn whole(rows: &'a Packed, right: Right<'a>) -> Self {
        Self { rows, weights: std::array::from_fn(|strip| Some((right, strip * STRIP))) }
    }
}

/// What becomes of a panel's sums.
enum Finish<'a> {
    /// They are outputs, with a bias perhaps.
    Sum(Option<&'a [f32]>),
    /// They are added to outputs.
    Add,
    /// The first half gates the second.
    Gate,
}

/// A thread's own working memory, kept between kernels.
#[derive(Default)]
struct Scratch {
    panel: Panel,
    /// (rows in whole tiles, PANEL).
    sums: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Tiles of a task at most: their sums stay in the second cache.
const TILES_MAX: usize = 128;

/// Tiles of a task at least, where rows are cut to have more tasks: they pay for filling the panel again.
const TILES_MIN: usize = 16;

/// Tasks to be had where the extents allow: enough to share out evenly.
const TASKS: usize = 16;

/// Tiles of a task when there are so many, and so many panels: depends on nothing else, as results may.
fn tiles_of_task(tiles: usize, panels: usize) -> usize {
    let wanted = tiles.div_ceil(TASKS.div_ceil(panels)).clamp(TILES_MIN, TILES_MAX);
    tiles.div_ceil(tiles.div_ceil(wanted)) // of one size, about
}

/// Tasks of `height` outputs each, and of some of the rows.
fn tiled(passes: &[Pass], m: usize, n: usize, height: usize, out: &mut [f32], finish: &Finish) {
    let path = cpu::path();
    let (tiles, panels) = (m.div_ceil(TILE_ROWS), n.div_ceil(height));
    let share = tiles_of_task(tiles, panels);
    let out = Shared::new(out);
    pool::run(panels * tiles.div_ceil(share), &|task| {
        SCRATCH.with_borrow_mut(|Scratch { panel, sums }| {
            let (first, tile) = (task % panels * height, task / panels * share);
            let columns = height.min(n - first);
            let tiles = tile..tiles.min(tile + share);
            sums.resize(tiles.len() * TILE_ROWS * PANEL, 0.0);
            let mut begun = [false; PANEL / STRIP];
            for Pass { rows, weights } in passes {
                // A half of the panel may have no weights in this pass, or no outputs.
                let weights = weights.map(|weight| weight.filter(|(_, behind)| first + behind < n));
                for group in 0..rows.groups() {
                    for (strip, weight) in weights.iter().enumerate() {
                        if let Some((right, behind)) = weight {
                            let outputs = first + behind..(first + behind + STRIP).min(n);
                            panel.fill(strip, path, rows.lane(), right, outputs, group);
                        }
                    }
                    for strip in (0..PANEL / STRIP).filter(|&strip| weights[strip].is_some()) {
                        let begin = !std::mem::replace(&mut begun[strip], true);
                        run_group(
                            path,
                            rows,
                            (group, tile),
                            &panel.strip(strip),
                            begin,
                            strip,
                            sums,
                        );
                    }
                }
            }
            let rows = tiles.start * TILE_ROWS..m.min(tiles.end * TILE_ROWS);
            let columns = first..first + columns;
            Arch::new().dispatch(Write { sums, out, rows, n, columns, finish });
        });
    });
}

/// Tiles of rows from `at.1` on over a group's strip; `begin` where it is the first that adds to its sums.
fn run_group(
    path: cpu::Path,
    rows: &Packed,
    at: (usize, usize),
    right: &Strip,
    begin: bool,
    strip: usize,
    sums: &mut [f32],
) {
    let (group, first) = at;
    for (tile, sums) in (first..).zip(sums.chunks_exact_mut(TILE_ROWS * PANEL)) {
        if begin {
            sums.chunks_exact_mut(PANEL).for_each(|sums| sums[strip * STRIP..][..STRIP].fill(0.0));
        }
        if let Some(left) = rows.tile(group, tile) {
            tile::run(path, &left, right, &mut sums[strip * STRIP..]);
        }
    }
}

/// A task's sums on their way to its columns.
struct Write<'a> {
    sums: &'a [f32],
    out: Shared<f32>,
    rows: Range<usize>,
    n: usize,
    columns: Range<usize>,
    finish: &'a Finish<'a>,
}

impl NullaryFnOnce for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { sums, out, rows, n, columns, finish } = self;
        for (row, sums) in rows.zip(sums.chunks_exact(PANEL)) {
            // SAFETY: these columns of these rows are this task's own.
            let target = unsafe { out.part(row * n + columns.start, columns.len()) };
            match finish {
                Finish::Sum(None) => target.copy_from_slice(&sums[..columns.len()]),
                Finish::Sum(Some(bias)) => {
                    let bias = &bias[columns.clone()];
                    for ((target, sum), bias) in target.iter_mut().zip(sums).zip(bias) {
                        *target = sum + bias;
                    }
                }
                Finish::Add => {
                    target.iter_mut().zip(sums).for_each(|(target, sum)| *target += sum);
                }
                Finish::Gate => {
                    let (gates, ups) = sums.split_at(STRIP);
                    for ((target, gate), up) in target.iter_mut().zip(gates).zip(ups) {
                        *target = silu(*gate) * up;
                    }
                }
            }
        }
    }
}

const _: () = assert!(GROUP_BYTES.is_multiple_of(64) && PANEL.is_multiple_of(STRIP));
