//! The two normalisations: RMSNorm of the language model, LayerNorm of the vision tower.

mod device;

use candle_core::{D, Device, Tensor};
use ixc_kernels::{norm, recycle::floats};

use crate::{
    Error,
    graph::{Value, compose},
    linear::bail_shape,
    numbers::read,
    trained::Small,
};

/// x / rms(x) · weight, over the last extent.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    /// (width).
    pub weight: Small,
    /// Added to the mean square.
    pub eps: f64,
}

impl RmsNorm {
    /// (…, width) → (…, width).
    ///
    /// # Errors
    /// When the last extent is not the weight's.
    pub fn forward(&self, x: &Value) -> Result<Value, Error> {
        check("rms_norm", x, &self.weight)?;
        if !x.has_kernels() {
            return self.on_device(x);
        }
        let eps = self.eps as f32;
        let (x_rows, out) = by_row(x.tensor(), |x, out| {
            read(self.weight.tensor(), |weight| {
                norm::rms_norm(x, weight, eps, out);
                Ok(())
            })
        })?;
        let weight = self.weight.clone();
        Ok(Value::made(out, &[x], weight.trained().is_some(), move |dy| {
            let (_, dx) = by_row(&dy, |dy, dx| {
                read(&x_rows, |x| {
                    weight.add_with(|numbers, dweight| {
                        norm::rms_norm_backward(x, numbers, eps, dy, dx, dweight);
                    })
                })
            })?;
            dy.recycle();
            Ok(vec![Some(dx.into())])
        }))
    }

    /// The same, of candle's operations.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn composed(&self, x: &Value) -> Result<Value, Error> {
        let eps = self.eps;
        compose([x, &self.weight.value(x)], move |[x, weight]| {
            let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
            Ok(x.broadcast_div(&scale)?.broadcast_mul(&weight)?)
        })
    }
}

/// (x − mean) / std · weight + bias, over the last extent.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// (width).
    pub weight: Small,
    /// (width).
    pub bias: Small,
    /// Added to the variance.
    pub eps: f64,
}

impl LayerNorm {
    /// (…, width) → (…, width).
    ///
    /// # Errors
    /// When the last extent is not the weight's.
    pub fn forward(&self, x: &Value) -> Result<Value, Error> {
        check("layer_norm", x, &self.weight)?;
        check("layer_norm's bias", x, &self.bias)?;
        if !x.has_kernels() {
            return self.on_device(x);
        }
        let eps = self.eps as f32;
        let (x_rows, out) = by_row(x.tensor(), |x, out| {
            read(self.weight.tensor(), |weight| {
                read(self.bias.tensor(), |bias| {
                    norm::layer_norm(x, weight, bias, eps, out);
                    Ok(())
                })
            })
        })?;
        let (weight, bias) = (self.weight.clone(), self.bias.clone());
        let trained = weight.trained().is_some() || bias.trained().is_some();
        Ok(Value::made(out, &[x], trained, move |dy| {
            let (_, dx) = by_row(&dy, |dy, dx| {
                read(&x_rows, |x| {
                    let mut result = Ok(());
                    weight.add_with(|numbers, dweight| {
                        result = bias.add_with(|_, dbias| {
                            let mut rest = vec![0f32; numbers.len()];
                            let trained = match (dweight, dbias) {
                                (None, None) => None,
                                (Some(dweight), Some(dbias)) => Some((dweight, dbias)),
                                (Some(dweight), None) => Some((dweight, &mut rest[..])),
                                (None, Some(dbias)) => Some((&mut rest[..], dbias)),
                            };
                            norm::layer_norm_backward(x, numbers, eps, dy, dx, trained);
                        });
                    })?;
                    result
                })
            })?;
            dy.recycle();
            Ok(vec![Some(dx.into())])
        }))
    }

    /// The same, of candle's operations.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn composed(&self, x: &Value) -> Result<Value, Error> {
        let eps = self.eps;
        let inputs = [x, &self.weight.value(x), &self.bias.value(x)];
        compose(inputs, move |[x, weight, bias]| {
            let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
            let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
            Ok(x.broadcast_div(&scale)?.broadcast_mul(&weight)?.broadcast_add(&bias)?)
        })
    }
}

fn check(name: &str, x: &Value, weight: &Small) -> Result<(), Error> {
    let width = x.tensor().dim(D::Minus1)?;
    if weight.dims() != [width] {
        bail_shape(name, &[width], weight.dims())?;
    }
    Ok(())
}

/// Hands x's numbers, and as many to be written, to `kernel`: (x contiguous, what was written).
fn by_row(
    x: &Tensor,
    kernel: impl FnOnce(&[f32], &mut [f32]) -> Result<(), Error>,
) -> Result<(Tensor, Tensor), Error> {
    let x = x.contiguous()?;
    let mut out = floats(x.elem_count());
    read(&x, |x| kernel(x, &mut out))?;
    let out = Tensor::from_vec(out, x.dims(), &Device::Cpu)?;
    Ok((x, out))
}
