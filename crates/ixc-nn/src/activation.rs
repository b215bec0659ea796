//! Activations that candle's tensors do not carry themselves.

use candle_core::Tensor;

use crate::Error;

/// x · σ(1.702 x), the GELU approximation that CLIP was trained with.
///
/// # Errors
/// When x is not of a float type.
pub fn quick_gelu(x: &Tensor) -> Result<Tensor, Error> {
    Ok((x * candle_nn::ops::sigmoid(&(x * 1.702)?)?)?)
}
