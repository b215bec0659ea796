//! The one place where words and pictures meet.
//!
//! A prompt's segments become rows in order: text ids look up their embeddings, an image slot takes
//! the projector's rows. The mask of image rows, which decides where Partial LoRA acts, is made here
//! and nowhere else. Training and inference share it.

use candle_core::Tensor;
use ixc_input::prompt::{Prompt, Segment};
use ixc_nn::{embedding::Embedding, plora::ImageRows};

use crate::Error;

/// A prompt as the decoder reads it.
#[derive(Clone, Debug)]
pub struct Spliced {
    /// (n, hidden).
    pub embeddings: Tensor,
    /// Which of the n rows are image rows.
    pub images: ImageRows,
}

/// Lays a prompt's text embeddings and `features` (one (tokens, hidden) an image) behind one another.
///
/// # Errors
/// When a slot names an image that was not given, or an id is outside the vocabulary.
pub fn splice(prompt: &Prompt, features: &[Tensor], words: &Embedding) -> Result<Spliced, Error> {
    let mut rows = Vec::with_capacity(prompt.segments.len());
    let mut images = ImageRows::default();
    let mut length = 0;
    for segment in &prompt.segments {
        let piece = match segment {
            Segment::Text { ids, .. } => words.forward(ids)?, // (ids, hidden)
            Segment::Image { index } => {
                let feature = features
                    .get(*index)
                    .ok_or(Error::NoSuchImage { index: *index, count: features.len() })?; // (tokens, hidden)
                images.push(length..length + feature.dim(0)?);
                feature.clone()
            }
        };
        length += piece.dim(0)?;
        rows.push(piece);
    }
    Ok(Spliced { embeddings: Tensor::cat(&rows, 0)?, images })
}
