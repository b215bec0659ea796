//! The one place where words and pictures meet.
//!
//! Prompts' segments become rows in order: text ids look up their embeddings, an image slot takes
//! the projector's rows. The mask of image rows, which decides where Partial LoRA acts, is made here
//! and nowhere else, and so is what each row has to learn. Training and inference share it.

use std::ops::Range;

use candle_core::Tensor;
use ixc_input::prompt::{Prompt, Segment};
use ixc_nn::{embedding::Embedding, graph::Value, plora::ImageRows, rows::cat};

use crate::Error;

/// A prompt as the decoder reads it.
#[derive(Clone, Debug)]
pub struct Spliced {
    /// (n, hidden).
    pub embeddings: Tensor,
    /// Which of the n rows are image rows.
    pub images: ImageRows,
}

/// A picture's rows among those of several.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Rows of the projector, (tokens, hidden).
    pub all: Value,
    /// Which of them are the picture's.
    pub rows: Range<usize>,
    /// What each of these is to say, under training; empty where none is asked.
    pub labels: Labels,
}

/// A picture's labels: for each of its rows the id that the decoder is to say there, if any.
pub type Labels = Vec<Option<u32>>;

/// Prompts behind one another.
#[derive(Clone, Debug)]
pub struct Laid {
    /// (n, hidden).
    pub rows: Value,
    /// Which of the n rows are image rows.
    pub images: ImageRows,
    /// Rows of each prompt.
    pub lengths: Vec<usize>,
    /// What is to be learned.
    pub learned: Learned,
}

/// The words that are learned: each of a text is asked for at the row before its own, an image row's label at that
/// row itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Rows, ascending.
    pub rows: Vec<u32>,
    /// What is asked for at each.
    pub ids: Vec<u32>,
}

impl Learned {
    /// Asks for an id at each of some rows, which lie behind all that were asked.
    fn ask(&mut self, asked: impl Iterator<Item = (usize, u32)>) -> Result<(), Error> {
        for (row, id) in asked {
            if self.rows.last() == Some(&(row as u32)) {
                return Err(Error::AskedTwice { row });
            }
            self.rows.push(row as u32);
            self.ids.push(id);
        }
        Ok(())
    }
}

/// Lays prompts behind one another, each with its pictures' features. A prompt's first word is never learned:
/// nothing stands before it.
///
/// # Errors
/// When a slot names an image that was not given, an id is outside the vocabulary, an image has another number of
/// labels than of rows, or its last row is asked both for a label and for a word behind it.
pub fn splice(
    prompts: &[(&Prompt, &[Feature])],
    words: &Embedding,
    recorded: bool,
) -> Result<Laid, Error> {
    let (mut pieces, mut ids_of_all) = (Vec::new(), Vec::new());
    let (mut images, mut learned) = (ImageRows::default(), Learned::default());
    let mut lengths = Vec::with_capacity(prompts.len());
    let mut length = 0;
    for (prompt, features) in prompts {
        let first = length;
        for segment in &prompt.segments {
            match segment {
                Segment::Text { ids, learned: is_learned } => {
                    if *is_learned {
                        let places = (length..).zip(ids).filter(|(place, _)| *place > first);
                        learned.ask(places.map(|(place, id)| (place - 1, *id)))?;
                    }
                    let before = ids_of_all.len();
                    ids_of_all.extend_from_slice(ids);
                    pieces.push((None, before..ids_of_all.len()));
                    length += ids.len();
                }
                Segment::Image { index } => {
                    let Some(Feature { all, rows, labels }) = features.get(*index) else {
                        return Err(Error::NoSuchImage { index: *index, count: features.len() });
                    };
                    if !labels.is_empty() && labels.len() != rows.len() {
                        let (index, labels, rows) = (*index, labels.len(), rows.len());
                        return Err(Error::LabelCount { index, labels, rows });
                    }
                    let labels = (length..).zip(labels);
                    learned.ask(labels.filter_map(|(row, label)| Some((row, (*label)?))))?;
                    images.push(length..length + rows.len());
                    pieces.push((Some(all), rows.clone())); // (tokens, hidden)
                    length += rows.len();
                }
            }
        }
        lengths.push(length - first);
    }
    // All words are looked up at once: (ids, hidden).
    let words = match ids_of_all.is_empty() {
        true => None,
        false => Some(words.forward(&ids_of_all, recorded)?),
    };
    let of = |piece: Option<&Value>| piece.or(words.as_ref()).cloned();
    let pieces = pieces.into_iter().filter_map(|(piece, rows)| Some((of(piece)?, rows)));
    Ok(Laid { rows: cat(&pieces.collect::<Vec<_>>())?, images, lengths, learned })
}
