//! Token embeddings: rows of a stored matrix, widened as they are looked up.

use candle_core::{Device, Tensor};
use ixc_kernels::Matrix;

use crate::Error;

/// A table of `vocabulary` × `width`.
#[derive(Clone, Debug)]
pub struct Embedding {
    table: Matrix,
}

impl Embedding {
    /// A table as stored.
    pub fn new(table: Matrix) -> Self {
        Self { table }
    }

    /// The rows of some ids: (ids.len(), width).
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor, Error> {
        let width = self.table.cols();
        let mut rows = vec![0f32; ids.len() * width];
        for (&id, row) in ids.iter().zip(rows.chunks_exact_mut(width)) {
            let id = id as usize;
            if id >= self.table.rows() {
                return Err(Error::TokenOutsideVocabulary { id, vocabulary: self.table.rows() });
            }
            self.table.widen(id..id + 1, row);
        }
        Ok(Tensor::from_vec(rows, (ids.len(), width), &Device::Cpu)?)
    }
}
