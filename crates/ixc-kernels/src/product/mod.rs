//! Products of rows with stored weights in the processor's own low precision.
//!
//! One driver for 8-bit integers and bfloat16, for every processor: rows and weights are cut into groups
//! of [`GROUP_BYTES`] bytes along the inputs; a task takes [`PANEL`] outputs, turns one group of their
//! weights into a panel that stays in the first cache ([`panel`]), runs all rows over it in register
//! tiles ([`tile`]), and goes on to the next group. Several terms may add up in the same tile, which is
//! how Partial LoRA joins a layer for the price of one more group. Few rows take dot products with the
//! weights as they lie ([`dot`]). Results do not depend on the number of threads.
//! Deliberately absent: float32 products ([`crate::matmul()`]), tensors.

pub mod dot;
pub mod panel;
pub mod rows;
pub mod tile;

use std::cell::RefCell;

use rows::{Packed, Rows};
use tile::{GROUP_BYTES, Lane, PANEL, STRIP, TILE_ROWS};

use crate::{
    Matrix,
    arithmetic::Arithmetic,
    cpu,
    matmul::matmul_into,
    pool::{self, Shared},
};

/// Up to so many rows, dot products with the stored weights beat unpacking them into panels.
pub const DOT_ROWS_MAX: usize = 8;

/// One summand of a product: `rows · weightᵀ`.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// (m, weight.cols()).
    pub rows: &'a Rows<'a>,
    /// (n, cols).
    pub weight: &'a Matrix,
}

/// How one matrix is multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    F32,
    Lane(Lane),
}

fn kind(weight: &Matrix, arithmetic: Arithmetic) -> Kind {
    match arithmetic {
        Arithmetic::Exact => Kind::F32,
        Arithmetic::Fast if weight.is_quantised() => Kind::Lane(Lane::Int8),
        Arithmetic::Fast if weight.is_bf16() && cpu::path() == cpu::Path::Avx512Bf16 => {
            Kind::Lane(Lane::Bf16)
        }
        Arithmetic::Fast => Kind::F32,
    }
}

/// `Σ rows · weightᵀ + bias`, (m, n). All terms have as many rows, and as many outputs.
///
/// # Panics
/// When the terms' shapes do not fit, or there is none.
pub fn product(terms: &[Term], bias: Option<&[f32]>, arithmetic: Arithmetic) -> Vec<f32> {
    let (m, n) = (terms[0].rows.count(), terms[0].weight.rows());
    for term in terms {
        assert!(term.rows.count() == m && term.weight.rows() == n, "terms of one shape");
        assert_eq!(term.rows.cols(), term.weight.cols(), "rows as long as the weight has inputs");
    }
    assert!(bias.is_none_or(|bias| bias.len() == n), "a bias for each output");
    let mut out = vec![0f32; m * n];
    let mut filled = false;
    let lanes: Vec<(Lane, Term)> = terms
        .iter()
        .filter_map(|term| match kind(term.weight, arithmetic) {
            Kind::Lane(lane) => Some((lane, *term)),
            Kind::F32 => None,
        })
        .collect();
    if !lanes.is_empty() {
        if m <= DOT_ROWS_MAX {
            dot::dot_rows(&lanes, bias, &mut out);
        } else {
            tiled(&lanes, bias, m, n, &mut out);
        }
        filled = true;
    }
    for term in terms.iter().filter(|term| kind(term.weight, arithmetic) == Kind::F32) {
        matmul_into(term.rows.values(), term.weight, filled, &mut out);
        if !filled && let Some(bias) = bias {
            out.chunks_exact_mut(n).for_each(|row| {
                row.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
            });
        }
        filled = true;
    }
    out
}

/// A thread's own working memory, kept between kernels.
#[derive(Default)]
struct Scratch {
    panel: panel::Panel,
    sums: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn tiled(terms: &[(Lane, Term)], bias: Option<&[f32]>, m: usize, n: usize, out: &mut [f32]) {
    let path = cpu::path();
    let packed: Vec<(&Packed, &Matrix)> =
        terms.iter().map(|(lane, term)| (term.rows.packed(*lane), term.weight)).collect();
    let tiles = m.div_ceil(TILE_ROWS);
    let out = Shared::new(out);
    pool::run(n.div_ceil(PANEL), &|task| {
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch { panel, sums } = scratch;
            let first = task * PANEL;
            let columns = PANEL.min(n - first);
            sums.clear();
            sums.resize(tiles * TILE_ROWS * PANEL, 0.0);
            for &(rows, weight) in &packed {
                for group in 0..rows.groups() {
                    panel.fill(path, rows.lane(), weight, first..first + columns, group);
                    run_group(path, rows, group, panel, sums);
                }
            }
            for row in 0..m {
                // SAFETY: this task alone writes these columns of the row.
                let target = unsafe { out.part(row * n + first, columns) };
                let start = row * PANEL;
                target.copy_from_slice(&sums[start..start + columns]);
                if let Some(bias) = bias {
                    let bias = &bias[first..first + columns];
                    target.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
                }
            }
        });
    });
}

/// All tiles of rows over one panel.
fn run_group(path: cpu::Path, rows: &Packed, group: usize, panel: &panel::Panel, sums: &mut [f32]) {
    for (tile, sums) in sums.chunks_exact_mut(TILE_ROWS * PANEL).enumerate() {
        let Some(left) = rows.tile(group, tile) else { continue };
        for strip in 0..PANEL / STRIP {
            tile::run(path, &left, &panel.strip(strip), &mut sums[strip * STRIP..]);
        }
    }
}

const _: () = assert!(GROUP_BYTES.is_multiple_of(64) && PANEL.is_multiple_of(STRIP));
