//! Token embeddings: rows of a stored matrix, widened as they are looked up, where the table lies.

use candle_core::{DType, Device, Tensor};
use ixc_kernels::reduce::scatter_add;

use crate::{
    Error,
    device::has_kernels,
    graph::Value,
    numbers::{lend, read},
    rows::add_rows,
    trained::Weight,
};

/// A table of `vocabulary` × `width`.
#[derive(Clone, Debug)]
pub struct Embedding {
    table: Weight,
}

impl Embedding {
    /// A table as stored, or trained.
    pub fn new(table: impl Into<Weight>) -> Self {
        Self { table: table.into() }
    }

    /// The rows of some ids: (ids.len(), width), as part of a pass that is recorded or not.
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn forward(&self, ids: &[u32], recorded: bool) -> Result<Value, Error> {
        let (vocabulary, width) = (self.table.rows(), self.table.cols());
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(Error::TokenOutsideVocabulary { id: id as usize, vocabulary });
        }
        if let Some(table) = self.on_device() {
            return self.looked_up(&table, ids, recorded);
        }
        let mut rows = vec![0f32; ids.len() * width];
        match &self.table {
            Weight::Resident(_) => unreachable!("looked up on its device"),
            Weight::Frozen(table) => {
                for (&id, row) in ids.iter().zip(rows.chunks_exact_mut(width)) {
                    let id = id as usize;
                    table.widen(id..id + 1, row);
                }
            }
            Weight::Trained(table) => {
                let table = lend(table.master())?;
                for (&id, row) in ids.iter().zip(rows.chunks_exact_mut(width)) {
                    row.copy_from_slice(&table[id as usize * width..][..width]);
                }
            }
        }
        let rows = Tensor::from_vec(rows, (ids.len(), width), &Device::Cpu)?;
        let Some(table) = self.table.trained().filter(|_| recorded) else {
            return Ok(Value::given(rows, recorded));
        };
        let (table, ids) = (table.clone(), ids.to_vec());
        Ok(Value::grown(rows, move |gradient| {
            read(&gradient.contiguous()?, |rows| {
                table.add(|sum| scatter_add(rows, &ids, width, sum))
            })
        }))
    }

    /// The table, (vocabulary, width), where kernels of ours do not reach it.
    fn on_device(&self) -> Option<Tensor> {
        match &self.table {
            Weight::Frozen(_) => None,
            Weight::Resident(table) => Some(table.clone()),
            Weight::Trained(table) => Some(table.master().clone()).filter(|t| !has_kernels(t)),
        }
    }

    /// As [`Embedding::forward`], of candle's operations.
    fn looked_up(&self, table: &Tensor, ids: &[u32], recorded: bool) -> Result<Value, Error> {
        let places = Tensor::new(ids, table.device())?;
        let rows = table.index_select(&places, 0)?.to_dtype(DType::F32)?;
        let Some(table) = self.table.trained().filter(|_| recorded) else {
            return Ok(Value::given(rows, recorded));
        };
        let (table, ids) = (table.clone(), ids.to_vec());
        Ok(Value::grown(rows, move |gradient| {
            let gradient = gradient.to_dtype(DType::F32)?.contiguous()?;
            let sum = add_rows(&gradient, &ids, table.dims()[0])?;
            table.add_tensor(sum.into())
        }))
    }
}
