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
}
