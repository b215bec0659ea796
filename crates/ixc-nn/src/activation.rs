//! What happens to rows between two products, number by number: activations.
//!
//! Each function takes the value it changes. Where the pass is not recorded it works in place: nobody else
//! may share the numbers, as is so for what a product has just made (see [`crate::numbers`]).
//! Deliberately absent: the gated feed-forward layer's and sums, which belong to products ([`crate::linear`]).

use candle_core::{Device, Tensor};
use ixc_kernels::{elementwise, recycle::floats};

use crate::{
    Error,
    graph::{Gradient, Value, compose},
    numbers::{change, read},
};

/// x · σ(1.702 x), the GELU approximation that CLIP was trained with, in place of x.
///
/// # Errors
/// When x is not float32.
pub fn quick_gelu(x: Value) -> Result<Value, Error> {
    if !x.has_kernels() {
        return composed_quick_gelu(&x);
    }
    each(x, "quick_gelu", elementwise::quick_gelu, elementwise::quick_gelu_backward)
}

/// [`quick_gelu`] of candle's operations.
///
/// # Errors
/// When x is not of floats.
pub fn composed_quick_gelu(x: &Value) -> Result<Value, Error> {
    // σ(x) = (1 + tanh(x / 2)) / 2
    compose([x], |[x]| Ok((&x * (((&x * 0.851)?.tanh()? + 1.0)? * 0.5)?)?))
}

/// x · Φ(x), the GELU by the error function, in place of x.
///
/// # Errors
/// When x is not float32.
pub fn gelu(x: Value) -> Result<Value, Error> {
    if !x.has_kernels() {
        return composed_gelu(&x);
    }
    each(x, "gelu", elementwise::gelu, elementwise::gelu_backward)
}

/// [`gelu`] of candle's operations.
///
/// # Errors
/// When x is not of floats.
pub fn composed_gelu(x: &Value) -> Result<Value, Error> {
    compose([x], |[x]| {
        let phi = (((&x * std::f64::consts::FRAC_1_SQRT_2)?.erf()? + 1.0)? * 0.5)?;
        Ok((x * phi)?)
    })
}

fn each(
    x: Value,
    name: &'static str,
    forward: fn(&mut [f32]),
    backward: fn(&[f32], &[f32], &mut [f32]),
) -> Result<Value, Error> {
    if !x.is_recorded() {
        return Ok(Value::plain(change(x.into_tensor(), name, forward)?));
    }
    let kept = x.tensor().contiguous()?;
    let out = change(copy(&kept)?, name, forward)?;
    Ok(Value::made(out, &[&x], false, move |dy: Gradient| {
        let mut dx = floats(kept.elem_count());
        read(&kept, |x| {
            read(&dy.contiguous()?, |dy| {
                backward(x, dy, &mut dx);
                Ok(())
            })
        })?;
        dy.recycle();
        Ok(vec![Some(Tensor::from_vec(dx, kept.dims(), &Device::Cpu)?.into())])
    }))
}

/// The same numbers in memory of their own.
fn copy(x: &Tensor) -> Result<Tensor, Error> {
    let mut out = floats(x.elem_count());
    read(&x.contiguous()?, |x| {
        out.copy_from_slice(x);
        Ok(())
    })?;
    Ok(Tensor::from_vec(out, x.dims(), &Device::Cpu)?)
}
