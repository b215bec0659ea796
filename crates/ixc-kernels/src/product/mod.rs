//! Products of rows with weights in the processor's own low precision, and of their gradients.
//!
//! One driver for 8-bit integers, bfloat16 and float32, for every processor (`driver`): rows and weights are
//! cut into groups of 64 words along the inputs; a task takes [`PANEL`] outputs, turns one group of their
//! weights into a panel that stays in the first cache ([`panel`]), runs rows over it in register
//! tiles ([`tile`]), and goes on to the next group. Several terms may add up in the same tile, which is
//! how Partial LoRA joins a layer for the price of one more group; and the two halves of a panel may belong
//! to two layers, which is how a gated layer's inner rows are written once. Few rows take dot products with
//! the weights as they lie ([`dot`], `words`). Results do not depend on the number of threads.
//! Deliberately absent: the exact float32 product and few rows of it ([`crate::matmul()`]), tensors.

mod columns;
pub mod dot;
mod driver;
pub mod gradient;
mod packed;
pub mod panel;
pub mod rows;
pub mod tile;
mod words;

use driver::{Finish, Pass, tiled};
use rows::Rows;
use tile::{Lane, PANEL, STRIP};

use crate::{
    Weight,
    arithmetic::Arithmetic,
    cpu::{self, Path},
    elementwise::{self, add_bias},
    matmul::matmul_into,
    pool::Shared,
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

/// In which lane a weight is multiplied with `m` rows; none where [`crate::matmul()`] does it.
fn lane(path: Path, weight: Weight, m: usize, arithmetic: Arithmetic) -> Option<Lane> {
    let many = m > DOT_ROWS_MAX;
    if arithmetic == Arithmetic::Exact {
        return None;
    }
    let rounds = match weight {
        Weight::Stored(matrix) if matrix.is_quantised() => return Some(Lane::Int8),
        Weight::Stored(matrix) => matrix.is_bf16(),
        Weight::Trained { .. } => many, // few rows are not worth rounding it
    };
    if rounds && path == Path::Avx512Bf16 {
        return Some(Lane::Bf16);
    }
    let stored = matches!(weight, Weight::Stored(_)); // else nothing is widened, and the library is faster
    (stored && many && tile::has_f32(path)).then_some(Lane::F32)
}

/// A term that has a lane.
type Laned<'a> = (Lane, Term<'a>);

/// The terms that have a lane, with [`ordered`] rows where there are such, and those that have none.
fn sort<'a>(
    path: Path,
    terms: &[Term<'a>],
    ordered: &'a [Option<Rows>],
    arithmetic: Arithmetic,
) -> (Vec<Laned<'a>>, Vec<Term<'a>>) {
    let (m, n) = extents(terms);
    let (mut laned, mut exact) = (Vec::new(), Vec::new());
    for (term, ordered) in terms.iter().zip(ordered) {
        assert!(term.rows.count() == m && term.weight.rows() == n, "terms of one shape");
        assert_eq!(term.rows.cols(), term.weight.cols(), "rows as long as the weight has inputs");
        match lane(path, term.weight, m, arithmetic) {
            Some(lane) => {
                laned.push((lane, Term { rows: ordered.as_ref().unwrap_or(term.rows), ..*term }));
            }
            None => exact.push(*term),
        }
    }
    (laned, exact)
}

/// The rows of each term whose weight keeps its inputs in an order of its own, in that order.
fn ordered(path: Path, terms: &[Term], arithmetic: Arithmetic) -> Vec<Option<Rows<'static>>> {
    let ordered = |term: &Term| {
        lane(path, term.weight, term.rows.count(), arithmetic)?;
        Some(term.rows.ordered(term.weight.as_words()?.order()?))
    };
    terms.iter().map(ordered).collect()
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
    sum(terms, bias, None, arithmetic)
}

/// [`product`] + `onto`, (m, n): a layer's outputs on top of what goes past it.
///
/// # Panics
/// When the shapes do not fit, or there is no term.
pub fn product_onto(
    terms: &[Term],
    bias: Option<&[f32]>,
    onto: &[f32],
    arithmetic: Arithmetic,
) -> Vec<f32> {
    sum(terms, bias, Some(onto), arithmetic)
}

fn sum(
    terms: &[Term],
    bias: Option<&[f32]>,
    onto: Option<&[f32]>,
    arithmetic: Arithmetic,
) -> Vec<f32> {
    let (m, n) = extents(terms);
    assert!(bias.is_none_or(|bias| bias.len() == n), "a bias for each output");
    assert!(onto.is_none_or(|onto| onto.len() == m * n), "a number for each output");
    let path = cpu::path(); // asked once: it may change meanwhile
    let ordered = ordered(path, terms, arithmetic);
    let (laned, exact) = sort(path, terms, &ordered, arithmetic);
    let mut out = floats(m * n);
    let (mut bias, mut onto) = (bias, onto);
    if !laned.is_empty() {
        let bias = bias.take();
        if m <= DOT_ROWS_MAX {
            dot::dot_rows(path, &laned, bias, &mut out);
        } else {
            let passes: Vec<Pass> = laned
                .iter()
                .map(|(lane, term)| Pass::whole(term.rows.packed(*lane), term.weight.into()))
                .collect();
            let finish = Finish::Sum { bias, onto: onto.take() };
            tiled(path, &passes, (m, n), PANEL, &mut out, &finish);
        }
    }
    for (index, term) in exact.iter().enumerate() {
        matmul_into(term.rows.values(), term.weight, index > 0 || !laned.is_empty(), &mut out);
    }
    if let Some(bias) = bias {
        add_bias(&mut out, bias);
    }
    if let Some(onto) = onto {
        elementwise::add(&mut out, onto);
    }
    out
}

/// `silu(Σ gate) · Σ up`, (m, n): the inner rows of a gated feed-forward layer.
///
/// # Panics
/// When the terms' shapes do not fit, or there is none.
pub fn gated(gate: &[Term], up: &[Term], arithmetic: Arithmetic) -> Vec<f32> {
    let (m, n) = extents(gate);
    let mut inner = floats(m * n);
    if !gate_in_tiles(gate, up, arithmetic, &mut inner, None) {
        recycle::give(inner);
        let [mut gate, up] = [gate, up].map(|terms| product(terms, None, arithmetic));
        elementwise::silu_mul(&mut gate, &up);
        recycle::give(up);
        return gate;
    }
    inner
}

/// What [`gated_kept`] makes, all (m, n).
#[derive(Clone, Debug)]
pub struct Gated {
    /// `Σ gate`.
    pub gate: Vec<f32>,
    /// `Σ up`.
    pub up: Vec<f32>,
    /// `silu(gate) · up`.
    pub inner: Vec<f32>,
}

/// [`gated`], keeping what its gradient needs ([`elementwise::silu_mul_backward`]).
///
/// # Panics
/// As [`gated`].
pub fn gated_kept(gate: &[Term], up: &[Term], arithmetic: Arithmetic) -> Gated {
    let (m, n) = extents(gate);
    let mut inner = floats(m * n);
    let mut kept = [floats(m * n), floats(m * n)];
    let [gates, ups] = &mut kept;
    if !gate_in_tiles(gate, up, arithmetic, &mut inner, Some([gates, ups])) {
        kept.into_iter().for_each(recycle::give);
        kept = [gate, up].map(|terms| product(terms, None, arithmetic));
        inner.copy_from_slice(&kept[0]);
        elementwise::silu_mul(&mut inner, &kept[1]);
    }
    let [gate, up] = kept;
    Gated { gate, up, inner }
}

/// Gates in one go, where both layers are multiplied in tiles; returns whether they are.
fn gate_in_tiles(
    gate: &[Term],
    up: &[Term],
    arithmetic: Arithmetic,
    inner: &mut [f32],
    kept: Option<[&mut [f32]; 2]>,
) -> bool {
    let (m, n) = extents(gate);
    assert_eq!((m, n), extents(up), "gate and up of one shape");
    let path = cpu::path();
    let mut terms = gate.iter().chain(up);
    if m <= DOT_ROWS_MAX || terms.any(|term| lane(path, term.weight, m, arithmetic).is_none()) {
        return false;
    }
    let orders = [gate, up].map(|terms| ordered(path, terms, arithmetic));
    let (gates, _) = sort(path, gate, &orders[0], arithmetic);
    let (ups, _) = sort(path, up, &orders[1], arithmetic);
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
    let kept = kept.map(|halves| halves.map(Shared::new));
    tiled(path, &passes, (m, n), STRIP, inner, &Finish::Gate { kept });
    true
}
