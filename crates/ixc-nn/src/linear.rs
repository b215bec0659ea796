//! The linear layer, over weights in whatever precision they are stored.
//!
//! y = x · Wᵀ + b. Activations are float32; the weight stays a [`Matrix`] as its file has it.
//! Deliberately absent: adapters (see [`crate::plora`]).

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor, bail};
use ixc_kernels::{Matrix, matmul};

use crate::{Error, activation::add_bias};

/// A weight of `outputs` × `inputs`, and perhaps a bias.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Matrix,
    bias: Option<Tensor>, // (outputs)
}

impl Linear {
    /// A layer from its parts.
    ///
    /// # Errors
    /// When the bias is not as long as the weight has rows.
    pub fn new(weight: Matrix, bias: Option<Tensor>) -> Result<Self, Error> {
        if let Some(bias) = &bias
            && bias.dims() != [weight.rows()]
        {
            bail_shape("a linear layer's bias", &[weight.rows()], bias.dims())?;
        }
        Ok(Self { weight, bias })
    }

    /// Multiplies rows: (…, inputs) → (…, outputs).
    ///
    /// # Errors
    /// When the last extent is not the layer's inputs.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let y = x.contiguous()?.apply_op1_no_bwd(&Product(&self.weight))?; // (…, outputs)
        match &self.bias {
            Some(bias) => add_bias(y, bias),
            None => Ok(y),
        }
    }
}

/// The error of two shapes that should be one.
pub(crate) fn bail_shape(what: &str, expected: &[usize], found: &[usize]) -> Result<(), Error> {
    Err(candle_core::Error::Msg(format!("{what}: expected shape {expected:?}, found {found:?}"))
        .into())
}

/// The product as an operation on candle's tensors.
struct Product<'a>(&'a Matrix);

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("linear: the rows must be contiguous")
        };
        let x = &storage.as_slice::<f32>()?[start..end];
        let mut dims = layout.dims().to_vec();
        match dims.last_mut() {
            Some(last) if *last == self.0.cols() => *last = self.0.rows(),
            _ => {
                bail!("linear: expected rows of {}, found shape {:?}", self.0.cols(), layout.dims())
            }
        }
        Ok((CpuStorage::F32(matmul(x, self.0)), Shape::from(dims)))
    }
}
