//! A weight as products read it: stored for good, or under training.
//!
//! A weight in training is float32 that its optimiser owns and changes; products borrow it for one pass.
//! Deliberately absent: multiplication.

use std::ops::Range;

use crate::{Matrix, Quant, gptq::Words};

/// A weight of `rows` outputs and `cols` inputs.
#[derive(Clone, Copy, Debug)]
pub enum Weight<'a> {
    /// Stored, in whatever precision.
    Stored(&'a Matrix),
    /// In training: float32, (rows, cols). Fast arithmetic rounds it to bfloat16 on the way.
    Trained {
        /// Its numbers.
        numbers: &'a [f32],
        /// Inputs.
        cols: usize,
    },
}

impl<'a> From<&'a Matrix> for Weight<'a> {
    fn from(matrix: &'a Matrix) -> Self {
        Self::Stored(matrix)
    }
}

impl<'a> Weight<'a> {
    /// A weight in training, (rows, cols).
    ///
    /// # Panics
    /// When the numbers are not whole rows.
    pub fn trained(numbers: &'a [f32], cols: usize) -> Self {
        assert!(cols > 0 && numbers.len().is_multiple_of(cols), "whole rows of {cols}");
        Self::Trained { numbers, cols }
    }

    /// How many outputs.
    pub fn rows(self) -> usize {
        match self {
            Self::Stored(matrix) => matrix.rows(),
            Self::Trained { numbers, cols } => numbers.len() / cols,
        }
    }

    /// How many inputs.
    pub fn cols(self) -> usize {
        match self {
            Self::Stored(matrix) => matrix.cols(),
            Self::Trained { cols, .. } => cols,
        }
    }

    /// The numbers, where they are float32.
    pub(crate) fn as_f32(self) -> Option<&'a [f32]> {
        match self {
            Self::Stored(matrix) => matrix.as_f32(),
            Self::Trained { numbers, .. } => Some(numbers),
        }
    }

    /// The stored bfloat16, (rows, cols), where they are.
    pub(crate) fn as_bf16(self) -> Option<&'a [u16]> {
        match self {
            Self::Stored(matrix) => matrix.as_bf16(),
            Self::Trained { .. } => None,
        }
    }

    /// The type and bytes of quantised rows, where they are.
    pub(crate) fn as_blocks(self) -> Option<(Quant, &'a [u8])> {
        match self {
            Self::Stored(matrix) => matrix.as_blocks(),
            Self::Trained { .. } => None,
        }
    }

    /// GPTQ's words, where they are.
    pub(crate) fn as_words(self) -> Option<&'a Words> {
        match self {
            Self::Stored(matrix) => matrix.as_words(),
            Self::Trained { .. } => None,
        }
    }

    /// How many bytes a product reads.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Stored(matrix) => matrix.bytes(),
            Self::Trained { numbers, .. } => size_of_val(numbers),
        }
    }

    /// Writes some inputs of one output as float32 into `out`: [`Matrix::widen_part`].
    #[inline(always)] // so that the caller's run-time SIMD dispatch reaches the loops
    pub(crate) fn widen_part(self, output: usize, inputs: Range<usize>, out: &mut [f32]) {
        match self {
            Self::Stored(matrix) => matrix.widen_part(output, inputs, out),
            Self::Trained { numbers, cols } => {
                out.copy_from_slice(&numbers[output * cols..][..cols][inputs]);
            }
        }
    }
}
