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
}

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

/// The words that are learned: each is asked for at the row before its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Rows, ascending.
    pub rows: Vec<u32>,
    /// The id that follows each.
    pub ids: Vec<u32>,
}

/// Lays prompts behind one another, each with its pictures' features. A prompt's first word is never learned:
/// nothing stands before it.
///
/// # Errors
/// When a slot names an image that was not given, or an id is outside the vocabulary.
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
                        learned.rows.extend(places.clone().map(|(place, _)| place as u32 - 1));
                        learned.ids.extend(places.map(|(_, id)| id));
                    }
                    let before = ids_of_all.len();
                    ids_of_all.extend_from_slice(ids);
                    pieces.push((None, before..ids_of_all.len()));
                    length += ids.len();
                }
                Segment::Image { index } => {
                    let Some(Feature { all, rows }) = features.get(*index) else {
                        return Err(Error::NoSuchImage { index: *index, count: features.len() });
                    };
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
