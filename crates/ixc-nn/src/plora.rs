//! Partial LoRA: a low-rank adapter that acts on image rows only (paper, section 3.2).
//!
//! y = W x for text rows, y = W x + scale · B (A x) for image rows. Vision is learned in A and B;
//! language stays in W. Where no row is an image's, the adapter is not even touched: the layer is
//! then exactly the plain linear one. Where some are, A's rows are 0 for text, and B joins W's product as
//! one more summand.

use std::ops::Range;

use candle_core::Tensor;
use ixc_kernels::{
    product::{Term, gated, product, rows::Rows},
    recycle::give,
};

use crate::{Error, linear::Linear};

/// Which rows of a batch are image rows: ascending, disjoint, non-empty ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageRows {
    runs: Vec<Range<usize>>,
    count: usize,
}

impl ImageRows {
    /// The runs of `true` in a mask, one entry per row.
    pub fn from_mask(mask: impl IntoIterator<Item = bool>) -> Self {
        let mut rows = Self::default();
        for (row, image) in mask.into_iter().enumerate() {
            if image {
                rows.push(row..row + 1);
            }
        }
        rows
    }

    /// Adds rows behind those already there; touching runs become one.
    ///
    /// # Panics
    /// When the run starts before the last one ends.
    pub fn push(&mut self, run: Range<usize>) {
        if run.is_empty() {
            return;
        }
        self.count += run.len();
        match self.runs.last_mut() {
            Some(last) if last.end == run.start => last.end = run.end,
            Some(last) => {
                assert!(last.end < run.start, "image rows ascend");
                self.runs.push(run);
            }
            None => self.runs.push(run),
        }
    }

    /// How many rows are image rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether all rows are text.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The runs, ascending.
    pub fn runs(&self) -> &[Range<usize>] {
        &self.runs
    }

    /// The image rows within `window`, counted from its start.
    pub fn within(&self, window: Range<usize>) -> Self {
        let mut rows = Self::default();
        for run in &self.runs {
            let (start, end) = (run.start.max(window.start), run.end.min(window.end));
            if start < end {
                rows.push(start - window.start..end - window.start);
            }
        }
        rows
    }
}

/// The adapter of one linear layer.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// `Plora_A`: inputs → rank.
    pub a: Linear,
    /// `Plora_B`: rank → outputs.
    pub b: Linear,
    /// alpha / rank.
    pub scale: f64,
}

/// A linear layer with its Partial LoRA adapter.
#[derive(Clone, Debug)]
pub struct PLoraLinear {
    /// W.
    pub base: Linear,
    /// A, B and the scale; none in a plain language model.
    pub adapter: Option<Adapter>,
}

impl Adapter {
    /// scale · A x for image rows and 0 for text rows, (n, rank).
    fn inner(&self, x: &Rows, images: &ImageRows) -> Vec<f32> {
        self.a.count_some(x, &images.runs);
        let rank = self.a.weight().rows();
        let mut inner = if 2 * images.count() < x.count() {
            self.inner_of_few(x, images)
        } else {
            product(&[self.a.term(x)], None, self.a.arithmetic())
        };
        let mut text = 0;
        for run in &images.runs {
            inner[text * rank..run.start * rank].fill(0.0);
            let scale = self.scale as f32;
            inner[run.start * rank..run.end * rank].iter_mut().for_each(|value| *value *= scale);
            text = run.end;
        }
        inner[text * rank..].fill(0.0);
        inner
    }

    /// A x for image rows alone, in their places: what stands in the others' does not count.
    fn inner_of_few(&self, x: &Rows, images: &ImageRows) -> Vec<f32> {
        let (cols, rank) = (x.cols(), self.a.weight().rows());
        let picked: Vec<f32> = images
            .runs
            .iter()
            .flat_map(|run| &x.values()[run.start * cols..run.end * cols])
            .copied()
            .collect();
        let few = product(&[self.a.term(&Rows::new(&picked, cols))], None, self.a.arithmetic());
        let mut inner = vec![0f32; x.count() * rank];
        let mut few = few.as_slice();
        for run in &images.runs {
            let (these, rest) = few.split_at(run.len() * rank);
            inner[run.start * rank..run.end * rank].copy_from_slice(these);
            few = rest;
        }
        inner
    }
}

impl PLoraLinear {
    /// Multiplies rows, (n, inputs) → (n, outputs), adding the adapter's part on image rows.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(&self, x: &Tensor, images: &ImageRows) -> Result<Tensor, Error> {
        self.base.forward_rows(x, |rows| {
            self.with_terms(rows, images, |terms| product(terms, None, self.base.arithmetic()))
        })
    }

    /// The inner rows of a gated feed-forward layer: silu(gate x) · up x, (n, inputs) → (n, outputs).
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn gated(gate: &Self, up: &Self, x: &Tensor, images: &ImageRows) -> Result<Tensor, Error> {
        gate.base.forward_rows(x, |rows| {
            gate.with_terms(rows, images, |gates| {
                up.with_terms(rows, images, |ups| gated(gates, ups, gate.base.arithmetic()))
            })?
        })
    }

    /// Hands the layer's summands to `multiply`: W, and B where there are image rows.
    fn with_terms<R>(
        &self,
        rows: &Rows,
        images: &ImageRows,
        multiply: impl FnOnce(&[Term]) -> R,
    ) -> Result<R, Error> {
        self.base.count(rows);
        let Some(adapter) = self.adapter.as_ref().filter(|_| !images.is_empty()) else {
            return Ok(multiply(&[self.base.term(rows)]));
        };
        let inner = adapter.inner(rows, images);
        let of_inner = Rows::new(&inner, adapter.b.weight().cols());
        adapter.b.count_some(&of_inner, &images.runs);
        let result = multiply(&[self.base.term(rows), adapter.b.term(&of_inner)]);
        drop(of_inner);
        give(inner);
        Ok(result)
    }
}
