//! The way back through linear layers: gradients of what they read, and of the weights that are trained.
//!
//! A frozen weight costs the first alone. Adapters mirror the way forth: with e = scale · dy Bᵀ on the rows
//! they act on and 0 elsewhere, A's part of dx is one more summand, e · A. Noise stands between x and A, so
//! under noise that part is made apart and the same numbers are left out of it.
//! Deliberately absent: candle's operations ([`super::composed`]).

use candle_core::{Device, Tensor};
use ixc_kernels::{
    elementwise,
    product::{
        Term,
        gradient::{input_gradient, weight_gradient},
        rows::Rows,
    },
    recycle::give,
    reduce::column_sums,
};

use super::Linear;
use crate::{
    Error,
    graph::Value,
    numbers::lend,
    plora::{Acting, Adapter, pick, product_of},
    trained::{Small, Weight},
};

/// What a layer's way back needs of its way forth.
pub(super) struct Kept {
    layer: Linear,
    acting: Acting,
    /// What the layer read, where a weight that multiplies it is trained.
    x: Option<Tensor>,
    /// The inner rows of adapters that acted, scaled.
    inners: Vec<Vec<f32>>,
    /// The extents of x, if its gradient is wanted.
    wanted: Option<Vec<usize>>,
}

/// What an adapter makes of its layer's gradient.
struct Low<'a> {
    adapter: &'a Adapter,
    /// scale · dy Bᵀ on its rows, 0 elsewhere: (n, rank).
    rows: Vec<f32>,
}

impl Kept {
    pub(super) fn new(
        layer: &Linear,
        x: &Value,
        rows: &Tensor,
        acting: &Acting,
        inners: Vec<Vec<f32>>,
    ) -> Self {
        let trained = |weight: &Weight| weight.trained().is_some();
        let multiplied =
            trained(layer.weight()) || layer.active(acting).any(|adapter| trained(&adapter.a));
        Self {
            layer: layer.clone(),
            acting: if x.is_recorded() { acting.clone() } else { Acting::default() },
            x: (x.is_recorded() && multiplied).then(|| rows.clone()),
            inners,
            wanted: x.wants_gradient().then(|| x.tensor().dims().to_vec()),
        }
    }

    /// Gives large buffers to the next tensors of the pass.
    pub(super) fn give(self) {
        self.inners.into_iter().for_each(give);
    }

    /// Adds to the gradients of the layer's own weight and bias.
    fn add(&self, dy: &Rows) -> Result<(), Error> {
        if let Some(bias) = self.layer.0.bias.as_ref().and_then(Small::trained) {
            bias.add(|sum| column_sums(dy.values(), sum))?;
        }
        let (Some(weight), Some(x)) = (self.layer.weight().trained(), &self.x) else {
            return Ok(());
        };
        let (x, all) = (lend(x)?, 0..dy.count());
        let x = Rows::new(&x, self.layer.weight().cols());
        let arithmetic = self.layer.arithmetic();
        weight.add(|sum| weight_gradient(dy, &x, &[all], arithmetic, sum))
    }

    /// What the adapters that acted make of the gradient, where anything needs it.
    fn lows(&self, dy: &Rows) -> Result<Vec<Low<'_>>, Error> {
        let arithmetic = self.layer.arithmetic();
        let needed = |adapter: &&Adapter| self.wanted.is_some() || adapter.a.trained().is_some();
        let mut lows = Vec::new();
        for adapter in self.layer.active(&self.acting).filter(needed) {
            let (b, acted) = (adapter.b.lend()?, adapter.rows(&self.acting, dy.count()));
            let product =
                |dy: &Rows| input_gradient(&[Term { rows: dy, weight: b.weight() }], arithmetic);
            let mut rows = product_of(&acted, dy, adapter.a.rows(), product);
            adapter.scale_rows(&mut rows, &acted);
            lows.push(Low { adapter, rows });
        }
        Ok(lows)
    }

    /// Adds to the gradients of the adapters' weights.
    fn add_adapters(&self, dy: &Rows, lows: &[Low]) -> Result<(), Error> {
        let arithmetic = self.layer.arithmetic();
        for (adapter, inner) in self.layer.active(&self.acting).zip(&self.inners) {
            let Some(b) = adapter.b.trained() else { continue };
            let acted = adapter.rows(&self.acting, dy.count());
            let inner = Rows::new(inner, adapter.a.rows());
            b.add(|sum| weight_gradient(dy, &inner, acted.runs(), arithmetic, sum))?;
        }
        for Low { adapter, rows } in lows {
            let (Some(a), Some(x)) = (adapter.a.trained(), &self.x) else { continue };
            let acted = adapter.rows(&self.acting, dy.count());
            let x = lend(x)?;
            let (x, rows) = (Rows::new(&x, a.dims()[1]), Rows::new(rows, a.dims()[0]));
            match adapter.strike(&self.acting) {
                None => a.add(|sum| weight_gradient(&rows, &x, acted.runs(), arithmetic, sum))?,
                Some(strike) => {
                    let (mut x, rows) = (pick(&x, &acted), pick(&rows, &acted));
                    strike.apply(&acted, &mut x);
                    let (x, rows) = (Rows::new(&x, a.dims()[1]), Rows::new(&rows, a.dims()[0]));
                    let all = 0..rows.count();
                    a.add(|sum| weight_gradient(&rows, &x, &[all], arithmetic, sum))?;
                }
            }
        }
        Ok(())
    }
}

/// Adds to the gradients of trained weights of layers over the same rows, and returns the gradient of these
/// rows, if it is wanted. Each layer's gradient is (n, outputs).
pub(super) fn back(parts: &[(&Kept, &[f32])]) -> Result<Option<Tensor>, Error> {
    let mut made = Vec::with_capacity(parts.len());
    for (kept, dy) in parts {
        let dy = Rows::new(dy, kept.layer.weight().rows());
        kept.add(&dy)?;
        let lows = kept.lows(&dy)?;
        kept.add_adapters(&dy, &lows)?;
        made.push((*kept, dy, lows));
    }
    let Some(dims) = &parts[0].0.wanted else { return Ok(None) };
    let mut dx = summed(&made)?;
    for (kept, _, lows) in made {
        for Low { adapter, rows } in lows {
            if adapter.strike(&kept.acting).is_some() {
                add_noisy(kept, adapter, &rows, &mut dx)?;
            }
            give(rows);
        }
    }
    Ok(Some(Tensor::from_vec(dx, dims.as_slice(), &Device::Cpu)?))
}

/// Σ dy · W + e · A, less the adapters under noise.
fn summed(parts: &[(&Kept, Rows, Vec<Low>)]) -> Result<Vec<f32>, Error> {
    let mut lent = Vec::new();
    let mut rows = Vec::new();
    for (kept, _, lows) in parts {
        lent.push(kept.layer.weight().lend()?);
        for Low { adapter, rows: low } in lows {
            if adapter.strike(&kept.acting).is_none() {
                lent.push(adapter.a.lend()?);
                rows.push(Rows::new(low, adapter.a.rows()));
            }
        }
    }
    let (mut lent, mut rows) = (lent.iter(), rows.iter());
    let mut terms = Vec::with_capacity(lent.len());
    for (kept, dy, lows) in parts {
        let quiet = lows.iter().filter(|low| low.adapter.strike(&kept.acting).is_none());
        let these = std::iter::once(dy).chain(rows.by_ref().take(quiet.count()));
        terms.extend(
            these.zip(lent.by_ref()).map(|(rows, lent)| Term { rows, weight: lent.weight() }),
        );
    }
    Ok(input_gradient(&terms, parts[0].0.layer.arithmetic()))
}

/// Adds e · A, less what the noise left out, to dx.
fn add_noisy(kept: &Kept, adapter: &Adapter, low: &[f32], dx: &mut [f32]) -> Result<(), Error> {
    let Some(strike) = adapter.strike(&kept.acting) else { return Ok(()) };
    let (rank, cols) = (adapter.a.rows(), adapter.a.cols());
    let low = Rows::new(low, rank);
    let acted = adapter.rows(&kept.acting, low.count());
    let (a, picked) = (adapter.a.lend()?, pick(&low, &acted));
    let term = Term { rows: &Rows::new(&picked, rank), weight: a.weight() };
    let mut part = input_gradient(&[term], kept.layer.arithmetic());
    strike.apply(&acted, &mut part);
    let mut left = part.as_slice();
    for run in acted.runs() {
        let (these, rest) = left.split_at(run.len() * cols);
        elementwise::add(&mut dx[run.start * cols..run.end * cols], these);
        left = rest;
    }
    give(part);
    Ok(())
}
