//! The two normalisations: RMSNorm of the language model, LayerNorm of the vision tower.

use candle_core::Tensor;

use crate::Error;

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
        Ok(candle_nn::ops::rms_norm(&x.contiguous()?, &self.weight, self.eps as f32)?)
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
        Ok(candle_nn::ops::layer_norm(&x.contiguous()?, &self.weight, &self.bias, self.eps as f32)?)
    }
}
