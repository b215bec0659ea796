//! Sequences read as a whole: what every position leads to, not the last one alone.
//!
//! A sample becomes one sequence, a long text several; short ones go through the decoder together, and a long
//! one in pieces, so that activations stay bounded and weights are read seldom. Layout, pictures and splice
//! are those of an answer. Deliberately absent: words that are chosen; caches that outlive a sequence.

use std::sync::Arc;

use candle_core::Tensor;
use ixc_input::{
    conversation::{Conversation, Part, Role, Turn},
    prepare::Pixels,
    prompt::{Bos, Ending, Layout, Prompt, Segment, layout},
    tokenizer::Markers,
};
use ixc_model::{
    decoder::{Outputs, Sequence as Share},
    splice::Spliced,
    stage::Observer,
};
use ixc_nn::plora::ImageRows;

use crate::{
    Engine, Error, Request,
    corpus::{Matter, Sample, read_picture},
    limits::{PREFILL_ROWS, TEXT_POSITIONS},
};

/// What a picture without words is asked.
const DESCRIBE: &str = "Describe this picture in detail.";

/// A sequence that fits the context, not read yet.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) prompt: Prompt,
    /// Each picture and the positions it takes.
    pictures: Vec<(Arc<Pixels>, usize)>,
    /// Positions in all.
    pub(crate) positions: usize,
}

impl Sequence {
    /// A prompt of words alone.
    pub(crate) fn words(prompt: Prompt) -> Self {
        let words = prompt.segments.iter().map(|segment| match segment {
            Segment::Text { ids, .. } => ids.len(),
            Segment::Image { .. } => 0,
        });
        let positions = words.sum();
        Self { prompt, pictures: Vec::new(), positions }
    }

    /// The words that count (those that training would teach), each with the row that predicts it.
    pub(crate) fn counted(&self) -> Vec<(u32, u32)> {
        let (mut row, mut counted) = (0, Vec::new());
        for segment in &self.prompt.segments {
            match segment {
                Segment::Image { index } => row += self.pictures[*index].1,
                Segment::Text { ids, learned } => {
                    for (at, &id) in ids.iter().enumerate() {
                        // Before the first word there is nothing to predict it from.
                        if *learned && row + at > 0 {
                            counted.push(((row + at - 1) as u32, id));
                        }
                    }
                    row += ids.len();
                }
            }
        }
        counted
    }

    /// Looks at the pictures and lays everything behind one another.
    pub(crate) fn splice(&self, engine: &Engine, observe: &mut Observer) -> Result<Spliced, Error> {
        let model = engine.model();
        let see = |(pixels, _): &(Arc<Pixels>, usize)| model.see(pixels, observe);
        let features = self.pictures.iter().map(see).collect::<Result<Vec<Tensor>, _>>()?;
        Ok(model.splice(&self.prompt, &features, observe)?)
    }
}

impl Engine {
    /// The sequences of a sample.
    ///
    /// # Errors
    /// When a picture cannot be read or looked at, or the sample is longer than the context.
    pub(crate) fn sequences(&self, sample: &Sample) -> Result<Vec<Sequence>, Error> {
        let sequences = match &sample.matter {
            Matter::Text(text) => {
                let ids = self.tokenizer().encode(text, Markers::Literal);
                let most = TEXT_POSITIONS.min(self.context()) - 1;
                let pieces = ids.chunks(most).map(|ids| {
                    let ids = [&[self.special().bos], ids].concat();
                    Sequence::words(Prompt {
                        segments: vec![Segment::Text { ids, learned: false }],
                    })
                });
                return Ok(pieces.collect());
            }
            Matter::Conversation { conversation, pictures } => {
                let pictures =
                    pictures.iter().map(|path| read_picture(path)).collect::<Result<_, _>>()?;
                let (_, unplaced) = self.rules();
                let rules = Layout {
                    bos: Bos::Once,
                    unplaced,
                    markers: Markers::Literal,
                    ending: Ending::Closed,
                };
                let request = Request::new(conversation.clone(), pictures);
                layout(&request.conversation, &rules, self.tokenizer())
                    .map_err(Error::from)
                    .and_then(|prompt| self.sequence(prompt, &request))
            }
            Matter::Picture(path) => {
                let mut conversation = Conversation::with_instruction(&self.instruction());
                let parts = vec![Part::Unplaced(0), Part::Text(DESCRIBE.into())];
                conversation.turns.push(Turn { role: Role::User, parts });
                let request = Request::new(conversation, vec![read_picture(path)?]);
                self.layout(&request).and_then(|prompt| self.sequence(prompt, &request))
            }
        };
        let in_place = |problem: Error| Error::Sample {
            place: sample.place.clone(),
            problem: problem.to_string(),
        };
        Ok(vec![sequences.map_err(in_place)?])
    }

    /// A prompt with its request's pictures.
    fn sequence(&self, prompt: Prompt, request: &Request) -> Result<Sequence, Error> {
        let pictures = self.prepare(request)?;
        let tokens: Vec<usize> = pictures.iter().map(|(_, tokens)| *tokens).collect();
        let positions = prompt.positions(&tokens)?;
        if positions > self.context() {
            return Err(Error::SequenceTooLong { positions, context: self.context() });
        }
        Ok(Sequence { prompt, pictures, positions })
    }

    /// Runs sequences through the decoder: of each, the last hidden state at every position, (positions,
    /// hidden). They are read together, so give no more than [`together`] says.
    pub(crate) fn hidden(
        &self,
        sequences: &[Spliced],
        observe: &mut Observer,
    ) -> Result<Vec<Tensor>, Error> {
        let mut caches: Vec<_> = sequences.iter().map(|_| self.cache()).collect();
        if let [spliced] = sequences {
            return self.pieces(spliced, &mut caches[0], observe).map(|rows| vec![rows]);
        }
        let (mut images, mut lengths, mut total) = (ImageRows::default(), Vec::new(), 0);
        for spliced in sequences {
            spliced
                .images
                .runs()
                .iter()
                .for_each(|run| images.push(total + run.start..total + run.end));
            lengths.push(tensor(spliced.embeddings.dim(0))?);
            total += lengths[lengths.len() - 1];
        }
        let embeddings: Vec<&Tensor> =
            sequences.iter().map(|spliced| &spliced.embeddings).collect();
        let embeddings = tensor(Tensor::cat(&embeddings, 0))?; // (n, hidden)
        let mut batch: Vec<Share> = lengths
            .iter()
            .zip(&mut caches)
            .map(|(&rows, cache)| Share { rows, cache: Some(cache) })
            .collect();
        let all = self.model().forward(&embeddings, &images, &mut batch, Outputs::All, observe)?;
        let mut start = 0;
        let part = |rows: &usize| {
            start += rows;
            tensor(all.narrow(0, start - rows, *rows))
        };
        lengths.iter().map(part).collect()
    }

    /// One sequence, a piece after the other.
    fn pieces(
        &self,
        spliced: &Spliced,
        cache: &mut ixc_nn::cache::KvCache,
        observe: &mut Observer,
    ) -> Result<Tensor, Error> {
        let total = tensor(spliced.embeddings.dim(0))?;
        let height = total.div_ceil(total.div_ceil(PREFILL_ROWS).max(1)).max(1);
        let mut pieces = Vec::new();
        for start in (0..total).step_by(height) {
            let rows = height.min(total - start);
            let piece = tensor(spliced.embeddings.narrow(0, start, rows))?; // (rows, hidden)
            let images = spliced.images.within(start..start + rows);
            let mut batch = [Share { rows, cache: Some(&mut *cache) }];
            pieces.push(self.model().forward(
                &piece,
                &images,
                &mut batch,
                Outputs::All,
                observe,
            )?);
        }
        tensor(Tensor::cat(&pieces, 0))
    }
}

/// Whether a sequence of `next` positions may be read together with others of `rows` in all.
pub(crate) fn together(rows: usize, next: usize) -> bool {
    rows == 0 || rows + next <= PREFILL_ROWS
}

/// An error of tensors, as one of the model.
pub(crate) fn tensor<T>(result: candle_core::Result<T>) -> Result<T, Error> {
    Ok(result.map_err(ixc_model::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_count_are_predicted_by_the_row_before() {
        let text = |ids: &[u32], learned| Segment::Text { ids: ids.to_vec(), learned };
        let pixels = Pixels {
            width: 1,
            height: 1,
            grid: ixc_input::prepare::Grid { rows: 1, columns: 1 },
            data: vec![0.0; 3],
        };
        let segments = vec![
            text(&[1], true),
            text(&[5], false),
            Segment::Image { index: 0 },
            text(&[7, 8], true),
            text(&[9], false),
            text(&[2], true),
        ];
        let prompt = Prompt { segments };
        let sequence = Sequence { prompt, pictures: vec![(Arc::new(pixels), 10)], positions: 16 };
        // Rows: 1 at 0, 5 at 1, the picture from 2 to 11, 7 at 12, 8 at 13, 9 at 14, 2 at 15.
        assert_eq!(sequence.counted(), [(11, 7), (12, 8), (14, 2)]);
    }
}
