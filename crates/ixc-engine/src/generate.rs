//! Reading a prompt and finding the words that follow it. Ids in, ids out.
//!
//! [`Reading`] runs the prompt through the decoder in chunks; [`Speaker`] then yields one word at a time;
//! [`BeamSpeaker`] runs beams. The published stack starts its record of ids with one `<s>` when the prompt
//! holds images, and with the prompt's ids when it is text alone: see [`history`].

use std::collections::HashSet;

use candle_core::Tensor;
use ixc_input::prompt::{Prompt, Segment};
use ixc_model::{
    XComposer,
    decoder::{Outputs, Sequence},
    splice::Spliced,
    stage::{Observer, unobserved},
};
use ixc_nn::cache::KvCache;

use crate::{
    Error,
    beam::{Beams, Found, Search},
    request::Decoding,
    sample::{Sampler, argmax, penalise},
};

/// The ids that count for the repetition penalty before the first new one.
pub fn history(prompt: &Prompt, bos: u32) -> Vec<u32> {
    let mut ids = Vec::new();
    for segment in &prompt.segments {
        match segment {
            Segment::Text { ids: text, .. } => ids.extend(text),
            Segment::Image { .. } => return vec![bos],
        }
    }
    ids
}

/// A prompt on its way through the decoder, a chunk of rows at a time.
pub struct Reading {
    spliced: Spliced,
    start: usize,
}

impl Reading {
    /// A prompt of which nothing has been read.
    pub fn new(spliced: Spliced) -> Self {
        Self { spliced, start: 0 }
    }

    /// Rows in all.
    ///
    /// # Errors
    /// When the embeddings are not a matrix.
    pub fn rows(&self) -> Result<usize, Error> {
        Ok(self.spliced.embeddings.dim(0).map_err(ixc_model::Error::from)?)
    }

    /// Rows read so far.
    pub fn done(&self) -> usize {
        self.start
    }

    /// Reads up to `most` further rows into the cache. Returns the scores after the last row once all
    /// are read.
    ///
    /// # Errors
    /// When the model refuses the rows or its scores are no numbers.
    pub fn step(
        &mut self,
        model: &XComposer,
        cache: &mut KvCache,
        most: usize,
        observe: &mut Observer,
    ) -> Result<Option<Vec<f32>>, Error> {
        let rows = self.rows()?;
        // Chunks of one size: a short last one would cost nearly as much as a long one.
        let left = rows - self.start;
        let count = left.div_ceil(left.div_ceil(most).max(1));
        let chunk = self.spliced.embeddings.narrow(0, self.start, count);
        let chunk = chunk.map_err(ixc_model::Error::from)?; // (count, hidden)
        let images = self.spliced.images.within(self.start..self.start + count);
        let mut batch = [Sequence { rows: count, cache: Some(cache) }];
        let hidden = model.forward(&chunk, &images, &mut batch, Outputs::Last, observe)?;
        self.start += count;
        if self.start < rows {
            return Ok(None);
        }
        Ok(scores(model, &hidden, observe)?.pop())
    }
}

/// The output layer's scores, a vector a row, all of them numbers: no choice could be made among others.
fn scores(
    model: &XComposer,
    hidden: &Tensor,
    observe: &mut Observer,
) -> Result<Vec<Vec<f32>>, Error> {
    let logits = model.logits(hidden, observe)?; // (rows, vocabulary)
    let scores = logits.to_vec2::<f32>().map_err(ixc_model::Error::from)?;
    for scores in &scores {
        let found = scores.iter().filter(|score| !score.is_finite()).count();
        if found > 0 {
            return Err(Error::Scores { found, words: scores.len() });
        }
    }
    Ok(scores)
}

/// Runs one new word of each sequence; returns the scores after each.
///
/// # Errors
/// When an id is outside the vocabulary.
pub fn advance(
    model: &XComposer,
    ids: &[u32],
    caches: &mut [KvCache],
) -> Result<Vec<Vec<f32>>, Error> {
    let rows = model.embed(ids)?; // (sequences, hidden)
    let mut batch: Vec<Sequence> =
        caches.iter_mut().map(|cache| Sequence { rows: 1, cache: Some(cache) }).collect();
    let images = Default::default();
    let hidden = model.forward(&rows, &images, &mut batch, Outputs::Last, &mut unobserved)?;
    scores(model, &hidden, &mut unobserved)
}

/// The next word, or the stop it ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A word of the answer.
    Next(u32),
    /// The answer ended by itself, with this id.
    Stop(u32),
}

/// Speaks one word at a time after a prompt was read: greedy or sampled.
pub struct Speaker {
    scores: Vec<f32>,
    said: HashSet<u32>,
    penalty: f32,
    sampler: Option<Sampler>,
    stops: Vec<u32>,
    last: Option<u32>,
}

impl Speaker {
    /// Starts from the scores after the prompt. `said` is [`history`]'s.
    ///
    /// Beams are not spoken but searched ([`BeamSpeaker`]): here they decode greedily.
    pub fn new(
        scores: Vec<f32>,
        said: &[u32],
        decoding: &Decoding,
        penalty: f32,
        stops: &[u32],
    ) -> Self {
        let sampler = match decoding {
            Decoding::Sample(sampling) => Some(Sampler::new(*sampling)),
            Decoding::Greedy | Decoding::Beams(_) => None,
        };
        Self {
            scores,
            said: said.iter().copied().collect(),
            penalty,
            sampler,
            stops: stops.to_vec(),
            last: None,
        }
    }

    /// Finds the next word; `cache` holds the prompt and the words so far. The decoder runs here, before the choice, so that the last word of an
    /// answer costs nothing more.
    ///
    /// # Errors
    /// When the model refuses a word or its scores are no numbers.
    pub fn next_word(&mut self, model: &XComposer, cache: &mut KvCache) -> Result<Word, Error> {
        if let Some(id) = self.last {
            let caches = std::slice::from_mut(cache);
            self.scores = advance(model, &[id], caches)?.swap_remove(0);
        }
        penalise(&mut self.scores, &self.said, self.penalty);
        let id = match &mut self.sampler {
            Some(sampler) => sampler.draw(&self.scores),
            None => argmax(&self.scores),
        };
        if self.stops.contains(&id) {
            return Ok(Word::Stop(id));
        }
        self.said.insert(id);
        self.last = Some(id);
        Ok(Word::Next(id))
    }
}

/// A beam search in progress: the bookkeeping and a cache for each beam.
pub struct BeamSpeaker {
    search: Search,
    caches: Vec<KvCache>,
    scores: Vec<Vec<f32>>,
    stops: Vec<u32>,
    steps_left: usize,
}

impl BeamSpeaker {
    /// Starts from the scores after the prompt, for at most `most` words. `cache` holds the prompt: all
    /// beams share it, and it gains nothing itself.
    pub fn new(
        cache: &KvCache,
        scores: Vec<f32>,
        said: Vec<u32>,
        beams: Beams,
        penalty: f32,
        stops: &[u32],
        most: usize,
    ) -> Self {
        Self {
            search: Search::new(beams, penalty, said),
            caches: vec![cache.clone()],
            scores: vec![scores],
            stops: stops.to_vec(),
            steps_left: most,
        }
    }

    /// Takes one step of the search; says whether there is another.
    ///
    /// # Errors
    /// When the model refuses a word or its scores are no numbers.
    pub fn step(&mut self, model: &XComposer) -> Result<bool, Error> {
        let choices = self.search.step(std::mem::take(&mut self.scores), &self.stops);
        self.steps_left -= 1;
        if self.steps_left == 0 || self.search.is_done() || choices.is_empty() {
            return Ok(false);
        }
        self.caches = choices.iter().map(|choice| self.caches[choice.beam].clone()).collect();
        let ids: Vec<u32> = choices.iter().map(|choice| choice.id).collect();
        self.scores = advance(model, &ids, &mut self.caches)?;
        Ok(true)
    }

    /// Words each beam has so far.
    pub fn words(&self) -> usize {
        self.search.words()
    }

    /// The best answer found.
    pub fn finish(self) -> Found {
        self.search.finish()
    }
}
