//! The gradients of a product: of its rows, and of its weight.
//!
//! A frozen weight costs the first alone. Fast arithmetic multiplies in bfloat16 where the processor is faster at
//! it, quantised weights too, and else in float32 as exact arithmetic does. Deliberately absent: biases ([`crate::reduce`]), who is trained.

use std::ops::Range;

use super::{
    Term,
    driver::{Finish, Pass, tiled},
    packed::Packed,
    panel::Right,
    rows::Rows,
    tile::{Lane, PANEL},
};
use crate::{
    Weight,
    arithmetic::Arithmetic,
    cpu::{self, Path},
    matmul::{matmul_back_into, matmul_outer_into},
    recycle::floats,
};

/// In which lane gradients are multiplied; none where the library's product does it, which in float32 is faster
/// than tiles: its sums stay in registers four times as long.
fn lane(path: Path, arithmetic: Arithmetic) -> Option<Lane> {
    (arithmetic == Arithmetic::Fast && path == Path::Avx512Bf16).then_some(Lane::Bf16)
}

/// `Σ rows · weight`, (m, k): the gradient of what several layers read. The rows of each term are gradients of
/// a layer's outputs, (m, weight.rows()); all weights have k inputs.
///
/// # Panics
/// When the terms' shapes do not fit, or there is none.
pub fn input_gradient(terms: &[Term], arithmetic: Arithmetic) -> Vec<f32> {
    let (m, k) = (terms[0].rows.count(), terms[0].weight.cols());
    for Term { rows, weight } in terms {
        assert!(rows.count() == m && weight.cols() == k, "terms of one shape");
        assert_eq!(rows.cols(), weight.rows(), "rows as long as the weight has outputs");
    }
    let mut out = floats(m * k);
    let path = cpu::path();
    if let Some(lane) = lane(path, arithmetic) {
        let most = terms.iter().map(|term| term.weight.rows()).max().unwrap_or(0);
        let rows: Vec<u32> = (0..most as u32).collect();
        let passes: Vec<Pass> = terms
            .iter()
            .map(|Term { rows: dy, weight }| {
                let turned = Some(&rows[..weight.rows()]);
                Pass::whole(dy.packed(lane), Right { weight: *weight, turned })
            })
            .collect();
        tiled(path, &passes, (m, k), PANEL, &mut out, &Finish::Sum { bias: None, onto: None });
        return out;
    }
    for (index, term) in terms.iter().enumerate() {
        matmul_back_into(term.rows.values(), term.weight, index > 0, &mut out);
    }
    out
}

/// Adds `dyᵀ · x` over some rows, ascending and apart, to `out`, (n, k): the gradient of a weight. `dy` is
/// (m, n), the gradient of the layer's outputs; `x` is (m, k), what it read.
///
/// # Panics
/// When the shapes do not fit, or the rows are not among the m.
pub fn weight_gradient(
    dy: &Rows,
    x: &Rows,
    rows: &[Range<usize>],
    arithmetic: Arithmetic,
    out: &mut [f32],
) {
    assert_eq!(dy.count(), x.count(), "a row read for each row made");
    let ascend = rows.windows(2).all(|pair| pair[0].end <= pair[1].start);
    assert!(ascend && rows.iter().all(|rows| rows.end <= dy.count()), "ascending rows, apart");
    let (n, k) = (dy.cols(), x.cols());
    assert_eq!(out.len(), n * k, "a gradient for each weight");
    let path = cpu::path();
    if let Some(lane) = lane(path, arithmetic) {
        let rows: Vec<u32> = rows.iter().cloned().flatten().map(|row| row as u32).collect();
        if !rows.is_empty() {
            let left = Packed::turned(dy.values(), n, &rows, lane);
            let right = Right { weight: Weight::trained(x.values(), k), turned: Some(&rows) };
            tiled(path, &[Pass::whole(&left, right)], (n, k), PANEL, out, &Finish::Add);
        }
        return;
    }
    matmul_outer_into((dy.values(), dy.cols()), (x.values(), x.cols()), rows, out);
}
