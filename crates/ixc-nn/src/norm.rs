//! The two normalisations: RMSNorm of the language model, LayerNorm of the vision tower.

use candle_core::{D, Device, Tensor};
use ixc_kernels::{norm, recycle::floats};

use crate::{Error, linear::bail_shape, numbers::read};

/// x / rms(x) · weight, over the last extent.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    /// (width).
    pub weight: Tensor,
    /// Added to the mean square.
    pub eps: f64,
}

impl RmsNorm {
    /// (…, width) → (…, width).
    ///
    /// # Errors
    /// When the last extent is not the weight's.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        by_row("rms_norm", x, &self.weight, |x, weight, out| {
            norm::rms_norm(x, weight, self.eps as f32, out);
            Ok(())
        })
    }
}

/// (x − mean) / std · weight + bias, over the last extent.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// (width).
    pub weight: Tensor,
    /// (width).
    pub bias: Tensor,
    /// Added to the variance.
    pub eps: f64,
}

impl LayerNorm {
    /// (…, width) → (…, width).
    ///
    /// # Errors
    /// When the last extent is not the weight's.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        if self.bias.dims() != self.weight.dims() {
            bail_shape("layer_norm's bias", self.weight.dims(), self.bias.dims())?;
        }
        by_row("layer_norm", x, &self.weight, |x, weight, out| {
            read(&self.bias, |bias| {
                norm::layer_norm(x, weight, bias, self.eps as f32, out);
                Ok(())
            })
        })
    }
}

fn by_row(
    name: &str,
    x: &Tensor,
    weight: &Tensor,
    kernel: impl FnOnce(&[f32], &[f32], &mut [f32]) -> Result<(), Error>,
) -> Result<Tensor, Error> {
    let width = x.dim(D::Minus1)?;
    if weight.dims() != [width] {
        bail_shape(name, &[width], weight.dims())?;
    }
    let x = x.contiguous()?;
    let mut out = floats(x.elem_count());
    read(&x, |x| read(weight, |weight| kernel(x, weight, &mut out)))?;
    Ok(Tensor::from_vec(out, x.dims(), &Device::Cpu)?)
}
