//! Low-rank adapters: Partial LoRA, which acts on image rows only (paper, section 3.2), and LoRA, which acts
//! on all.
//!
//! y = W x for other rows, y = W x + scale · B (A x) for those it acts on. With Partial LoRA vision is learned
//! in A and B, and language stays in W. Where an adapter has no row to act on it is not even touched: the
//! layer is then exactly the plain linear one. Where it has some, A's rows are 0 for the others, and B joins
//! W's product as one more summand ([`crate::linear`]).

use std::{borrow::Cow, ops::Range, sync::Arc};

use ixc_kernels::{
    Arithmetic,
    dropout::Dropout,
    gather,
    product::{Term, product, rows::Rows},
    recycle::give,
};

use crate::{Error, inputs::Tally, trained::Weight};

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

/// Which rows an adapter acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Image rows: Partial LoRA.
    Images,
    /// All rows: LoRA.
    All,
}

/// What decides which numbers adapters leave out of their inputs in training: nothing but the seed, the step,
/// the adapter and the number's place, so that a stretch computed again repeats itself, and a step's rows may
/// come in one pass or in several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// The run's seed.
    pub seed: u64,
    /// The step of the run.
    pub step: u32,
    /// The place of the pass's first row among the step's.
    pub first_row: u64,
}

impl Noise {
    /// The noise of a pass that begins so many rows later.
    pub fn behind(self, rows: usize) -> Self {
        Self { first_row: self.first_row + rows as u64, ..self }
    }
}

/// What a forward pass says to its adapters.
#[derive(Clone, Debug, Default)]
pub struct Acting {
    /// Which rows are image rows.
    pub images: ImageRows,
    /// What they leave out of their inputs, in training.
    pub noise: Option<Noise>,
}

impl From<ImageRows> for Acting {
    fn from(images: ImageRows) -> Self {
        Self { images, noise: None }
    }
}

/// An adapter of a linear layer.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// A: (rank, inputs).
    pub a: Weight,
    /// B: (outputs, rank).
    pub b: Weight,
    /// alpha / rank.
    pub scale: f64,
    /// Where it acts.
    pub reach: Reach,
    /// Share of its inputs that is left out in training.
    pub dropout: f64,
    /// Tells its noise from other adapters'.
    pub site: u32,
    /// Where A and B add the rows that they multiply, see [`crate::inputs`].
    pub tallies: Option<[Arc<Tally>; 2]>,
}

impl Adapter {
    /// Whether it has rows to act on.
    pub(crate) fn acts(&self, acting: &Acting) -> bool {
        self.reach == Reach::All || !acting.images.is_empty()
    }

    /// The rows among `count` that it acts on.
    pub(crate) fn rows<'a>(&self, acting: &'a Acting, count: usize) -> Cow<'a, ImageRows> {
        match self.reach {
            Reach::Images => Cow::Borrowed(&acting.images),
            Reach::All => {
                let mut all = ImageRows::default();
                all.push(0..count);
                Cow::Owned(all)
            }
        }
    }

    /// What is left out of its inputs, if anything is.
    pub(crate) fn strike(&self, acting: &Acting) -> Option<Strike> {
        let Noise { seed, step, first_row } = acting.noise.filter(|_| self.dropout > 0.0)?;
        let dropout = Dropout { share: self.dropout, seed, step, layer: self.site };
        Some(Strike { dropout, first_row })
    }

    /// scale · A x for the rows it acts on and 0 for the others, (n, rank).
    pub(crate) fn inner(
        &self,
        x: &Rows,
        acting: &Acting,
        arithmetic: Arithmetic,
    ) -> Result<Vec<f32>, Error> {
        let a = self.a.lend()?;
        let rows = self.rows(acting, x.count());
        if let Some([tally, _]) = &self.tallies {
            tally.add(x.values(), rows.runs());
        }
        let product = |x: &Rows| product(&[Term { rows: x, weight: a.weight() }], None, arithmetic);
        let mut inner = match self.strike(acting) {
            None => product_of(&rows, x, self.a.rows(), product),
            Some(strike) => {
                let mut picked = pick(x, &rows);
                strike.apply(&rows, &mut picked);
                spread(picked, &rows, x, self.a.rows(), product)
            }
        };
        self.scale_rows(&mut inner, &rows);
        Ok(inner)
    }

    /// Multiplies what stands in some rows, (n, rank), by the scale.
    pub(crate) fn scale_rows(&self, inner: &mut [f32], rows: &ImageRows) {
        let (rank, scale) = (self.a.rows(), self.scale as f32);
        for run in rows.runs() {
            let values = &mut inner[run.start * rank..run.end * rank];
            values.iter_mut().for_each(|value| *value *= scale);
        }
    }
}

/// An adapter's share of a step's noise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strike {
    dropout: Dropout,
    first_row: u64,
}

impl Strike {
    /// Leaves numbers out of picked rows, and enlarges the others.
    pub(crate) fn apply(self, rows: &ImageRows, picked: &mut [f32]) {
        let cols = picked.len() / rows.count().max(1);
        let mut picked = picked;
        for run in rows.runs() {
            let (these, rest) = picked.split_at_mut(run.len() * cols);
            self.dropout.apply((self.first_row + run.start as u64) * cols as u64, these);
            picked = rest;
        }
    }
}

/// A product over some of x's rows, (n, outputs): 0 in the others. Where these are many, all are multiplied.
pub(crate) fn product_of(
    rows: &ImageRows,
    x: &Rows,
    outputs: usize,
    product: impl Fn(&Rows) -> Vec<f32>,
) -> Vec<f32> {
    if 2 * rows.count() < x.count() {
        return spread(pick(x, rows), rows, x, outputs, product);
    }
    let mut out = product(x);
    let mut other = 0;
    for run in rows.runs() {
        out[other * outputs..run.start * outputs].fill(0.0);
        other = run.end;
    }
    out[other * outputs..].fill(0.0);
    out
}

/// A product over picked rows of x, in their places among all: 0 in the others.
fn spread(
    picked: Vec<f32>,
    rows: &ImageRows,
    x: &Rows,
    outputs: usize,
    product: impl Fn(&Rows) -> Vec<f32>,
) -> Vec<f32> {
    let made = product(&Rows::new(&picked, x.cols()));
    let all = gather::put(&made, outputs, rows.runs(), x.count());
    [picked, made].into_iter().for_each(give);
    all
}

/// Some rows, one behind the other.
pub(crate) fn pick(x: &Rows, rows: &ImageRows) -> Vec<f32> {
    gather::pick(x.values(), x.cols(), rows.runs())
}
