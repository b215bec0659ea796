//! The forward pass under training: what it is told, and the loss of some samples with its gradient.
//!
//! Samples of any lengths are laid behind one another as inference lays them, each seeing itself alone; only
//! rows before a learned word go through the end of the last block and through the output layer.
//! Deliberately absent: the step (clipping, the optimiser), the order of samples.

use ixc_input::{
    prepare::{Geometry, Grid, Pixels},
    prompt::{Prompt, Segment},
};
use ixc_nn::{
    Error as NumbersError,
    graph::{Value, checkpoint, record},
    loss::cross_entropy,
    plora::{Acting, ImageRows, Noise},
};

use crate::{
    Error, XComposer,
    config::VisionConfig,
    decoder::Outputs,
    splice::{Feature, Labels, Laid},
    stage::unobserved,
};

/// One conversation to be learned: its layout, whose learned segments are the answers, its pictures, and what their
/// rows are to say.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Where words and pictures stand.
    pub prompt: &'a Prompt,
    /// The pictures, prepared.
    pub pictures: &'a [Pixels],
    /// Each picture's labels, or nothing at all.
    pub labels: &'a [Labels],
}

impl Sample<'_> {
    /// How many words are learned from it, image rows' labels included. A prompt's first word is not: nothing stands
    /// before it.
    pub fn words(&self) -> usize {
        let labels = |index: usize| self.labels.get(index).into_iter().flatten().flatten();
        let learned = |segment: &Segment| match segment {
            Segment::Text { ids, learned: true } => ids.len(),
            Segment::Text { .. } => 0,
            Segment::Image { index } => labels(*index).count(),
        };
        let all: usize = self.prompt.segments.iter().map(learned).sum();
        let text = |first: &&Segment| matches!(first, Segment::Text { .. });
        let first = self.prompt.segments.first().filter(text);
        all - usize::from(first.is_some_and(|first| learned(first) > 0))
    }

    /// What a pass over it goes through.
    ///
    /// # Errors
    /// When the prompt has a slot for a picture that is not there.
    pub fn extent(&self, vision: Option<&VisionConfig>) -> Result<Extent, Error> {
        let each = |of: fn(Geometry, Grid) -> usize| -> Vec<usize> {
            let of = |pixels: &Pixels| vision.map_or(0, |vision| of(vision.geometry, pixels.grid));
            self.pictures.iter().map(of).collect()
        };
        let rows = self.prompt.positions(&each(Geometry::tokens_of))?;
        Ok(Extent { views: each(Geometry::views_of).iter().sum(), rows, words: self.words() })
    }
}

/// What a pass of training is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Training {
    /// The run's seed and the step, which decide what adapters leave out; none: nothing.
    pub noise: Option<(u64, u32)>,
    /// Whether blocks are kept as their inputs alone and computed again.
    pub checkpointing: bool,
    /// What the step's passes before this one had.
    pub done: Extent,
}

/// How much passes have gone through: places in it decide where noise strikes, so that it does not matter how
/// a step is cut into passes; a pass that is dealt to lanes has its samples in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Views through the tower.
    pub views: usize,
    /// Rows through the decoder.
    pub rows: usize,
    /// Words learned.
    pub words: usize,
}

impl std::ops::AddAssign for Extent {
    fn add_assign(&mut self, other: Self) {
        self.views += other.views;
        self.rows += other.rows;
        self.words += other.words;
    }
}

impl Training {
    /// What adapters are told whose first row has this place.
    pub(crate) fn acting(&self, images: ImageRows, first_row: usize) -> Acting {
        let noise = |(seed, step)| Noise { seed, step, first_row: first_row as u64 };
        Acting { images, noise: self.noise.map(noise) }
    }
}

/// Runs a block, kept as its input alone where that is asked for in a recorded pass. `learns` says whether the
/// pass has something to teach it.
pub(crate) fn block(
    x: &Value,
    learns: bool,
    training: Option<&Training>,
    forward: impl Fn(&Value) -> Result<Value, NumbersError> + Send + 'static,
) -> Result<Value, NumbersError> {
    if x.is_recorded() && training.is_some_and(|training| training.checkpointing) {
        return checkpoint(x, learns, forward);
    }
    forward(x)
}

/// What some samples' learned words cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// The sum of −log p of the learned words.
    pub sum: f64,
    /// What the pass went through.
    pub extent: Extent,
}

impl XComposer {
    /// The loss of some samples. With `learning`, trained weights add to their gradients those of the sum
    /// times the scale: 1 / all words that the step learns makes it their mean.
    ///
    /// # Errors
    /// When a prompt and its pictures do not fit each other or the model.
    pub fn loss(
        &self,
        samples: &[Sample],
        learning: Option<(&Training, f32)>,
    ) -> Result<Loss, Error> {
        let (_form, _buffers, _made) = (self.device().enter(), ixc_nn::pass(), record());
        let (training, scale) = learning.unzip();
        let (laid, views) = self.lay(samples, training)?;
        let extent =
            Extent { views, rows: laid.lengths.iter().sum(), words: laid.learned.ids.len() };
        if laid.learned.ids.is_empty() {
            return Ok(Loss { sum: 0.0, extent });
        }
        let Laid { rows, images, lengths, learned } = laid;
        let rows = self.read(rows, images, &lengths, Outputs::Rows(&learned.rows), training)?;
        let first = training.map_or(0, |training| training.done.words);
        let acting = match training {
            Some(training) => training.acting(ImageRows::default(), first),
            None => Acting::default(),
        };
        let scale = scale.unwrap_or(1.0);
        let (sum, gradient) = cross_entropy(&rows, self.output(), &acting, &learned.ids, scale)?;
        if let Some(gradient) = gradient {
            rows.backward(&gradient)?;
        }
        Ok(Loss { sum, extent })
    }

    /// Looks at the samples' pictures and lays them with their words.
    fn lay(&self, samples: &[Sample], training: Option<&Training>) -> Result<(Laid, usize), Error> {
        let pictures: Vec<&Pixels> = samples.iter().flat_map(|sample| sample.pictures).collect();
        let (mut features, views) = match pictures.is_empty() {
            true => (Vec::new(), 0),
            false => self.features(&pictures, training, &mut unobserved)?,
        };
        let mut rest = features.as_mut_slice();
        let mut prompts: Vec<(&Prompt, &[Feature])> = Vec::with_capacity(samples.len());
        for sample in samples {
            let (these, others) = rest.split_at_mut(sample.pictures.len());
            for (feature, labels) in these.iter_mut().zip(sample.labels) {
                feature.labels.clone_from(labels);
            }
            prompts.push((sample.prompt, these));
            rest = others;
        }
        Ok((self.lay_out(&prompts, training.is_some())?, views))
    }
}
