//! Partial LoRA: a low-rank adapter that acts on image rows only (paper, section 3.2).
//!
//! y = W x for text rows, y = W x + scale · B (A x) for image rows. Vision is learned in A and B;
//! language stays in W. Where no row is an image's, the adapter is not even touched: the layer is
//! then exactly the plain linear one.

use std::ops::Range;

use candle_core::{Device, Tensor};

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

    /// The row numbers as a tensor of indices, (count).
    fn indices(&self, device: &Device) -> Result<Tensor, Error> {
        let indices: Vec<u32> = self.runs.iter().cloned().flatten().map(|row| row as u32).collect();
        Ok(Tensor::from_vec(indices, self.count, device)?)
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

impl PLoraLinear {
    /// Multiplies rows, (n, inputs) → (n, outputs), adding the adapter's part on image rows.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(&self, x: &Tensor, images: &ImageRows) -> Result<Tensor, Error> {
        let y = self.base.forward(x)?; // (n, outputs)
        let Some(adapter) = self.adapter.as_ref().filter(|_| !images.is_empty()) else {
            return Ok(y);
        };
        let rows = images.indices(x.device())?; // (count)
        let all = images.count() == x.dim(0)?;
        let x = if all { x.clone() } else { x.index_select(&rows, 0)? }; // (count, inputs)
        let part = (adapter.b.forward(&adapter.a.forward(&x)?)? * adapter.scale)?; // (count, outputs)
        Ok(if all { (y + part)? } else { y.index_add(&rows, &part, 0)? })
    }
}
