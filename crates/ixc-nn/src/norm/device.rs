//! The norms on a device: candle's fused kernels forth, its operations back.
//!
//! With x̂ the normalised rows and g = dy · weight, dx = (g − x̂ · mean(g · x̂)) / rms, and less mean(g) where
//! the mean was taken off; all float32.

use candle_core::{D, DType, Tensor};

use super::{LayerNorm, RmsNorm};
use crate::{Error, device::sum_of_rows, graph::Value, trained::Small};

/// Adds Σ over rows of `of` to a weight's gradient, where it is trained.
fn add(weight: &Small, of: impl FnOnce() -> Result<Tensor, Error>) -> Result<(), Error> {
    let Some(weight) = weight.trained() else { return Ok(()) };
    let of = of()?;
    weight.add_tensor(sum_of_rows(&of.reshape(((), of.dim(D::Minus1)?))?)?.into())
}

fn float(x: &Tensor) -> Result<Tensor, Error> {
    Ok(x.to_dtype(DType::F32)?.contiguous()?)
}

impl RmsNorm {
    pub(super) fn on_device(&self, x: &Value) -> Result<Value, Error> {
        let (kept, eps) = (float(x.tensor())?, self.eps);
        let out = candle_nn::ops::rms_norm(&kept, self.weight.tensor(), eps as f32)?;
        let (weight, wanted) = (self.weight.clone(), x.wants_gradient());
        Ok(Value::made(out, &[x], weight.trained().is_some(), move |dy| {
            let dy = float(&dy)?;
            let inverse = (kept.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()?;
            let normed = kept.broadcast_mul(&inverse)?;
            add(&weight, || Ok((&dy * &normed)?))?;
            if !wanted {
                return Ok(vec![None]);
            }
            let g = dy.broadcast_mul(weight.tensor())?;
            let along = (&g * &normed)?.mean_keepdim(D::Minus1)?;
            let dx = (g - normed.broadcast_mul(&along)?)?.broadcast_mul(&inverse)?;
            Ok(vec![Some(dx.into())])
        }))
    }
}

impl LayerNorm {
    pub(super) fn on_device(&self, x: &Value) -> Result<Value, Error> {
        let (kept, eps) = (float(x.tensor())?, self.eps);
        let (weight, bias) = (self.weight.tensor(), self.bias.tensor());
        let out = candle_nn::ops::layer_norm(&kept, weight, bias, eps as f32)?;
        let (weight, bias, wanted) = (self.weight.clone(), self.bias.clone(), x.wants_gradient());
        let trained = weight.trained().is_some() || bias.trained().is_some();
        Ok(Value::made(out, &[x], trained, move |dy| {
            let dy = float(&dy)?;
            let centred = kept.broadcast_sub(&kept.mean_keepdim(D::Minus1)?)?;
            let inverse = (centred.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()?;
            let normed = centred.broadcast_mul(&inverse)?;
            add(&weight, || Ok((&dy * &normed)?))?;
            add(&bias, || Ok(dy.clone()))?;
            if !wanted {
                return Ok(vec![None]);
            }
            let g = dy.broadcast_mul(weight.tensor())?;
            let along = (&g * &normed)?.mean_keepdim(D::Minus1)?;
            let rest = g.broadcast_sub(&g.mean_keepdim(D::Minus1)?)?;
            let dx = (rest - normed.broadcast_mul(&along)?)?.broadcast_mul(&inverse)?;
            Ok(vec![Some(dx.into())])
        }))
    }
}
