//! What can be wrong with a checkpoint or a tensor.
//!
//! Each message says what was expected, what was found, where, and what to do.

use thiserror::Error;

/// A mistake in a weight file, or in how tensors meet.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// candle refused an operation.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A token id that the embedding table has no row for.
    #[error("token id {id} is outside the vocabulary of {vocabulary}: the tokenizer does not belong to this model")]
    TokenOutsideVocabulary {
        /// The id.
        id: usize,
        /// Rows of the table.
        vocabulary: usize,
    },
}
