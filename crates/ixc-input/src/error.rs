//! What can be wrong with a user's picture, tokenizer or prompt.
//!
//! Each message says what was expected, what was found, where, and what to do. The texts hold no
//! address and no bytes of the input, so that a server may show them.

use thiserror::Error;

/// A mistake in what came from outside.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {}
