//! What happens to rows between two products, number by number: activations and sums, in place.
//!
//! Each function takes the tensor it changes and returns it: nobody else may share its numbers, as is so
//! for what a product has just made (see [`crate::numbers`]).
//! Deliberately absent: a backward pass, so far as nothing is trained.

use candle_core::Tensor;
use ixc_kernels::elementwise;

use crate::{
    Error,
    linear::bail_shape,
    numbers::{change, change_by, recycle},
};

/// x · σ(1.702 x), the GELU approximation that CLIP was trained with, in place of x.
///
/// # Errors
/// When x is not float32.
pub fn quick_gelu(x: Tensor) -> Result<Tensor, Error> {
    change(x, "quick_gelu", elementwise::quick_gelu)
}

/// x · Φ(x), the GELU by the error function, in place of x.
///
/// # Errors
/// When x is not float32.
pub fn gelu(x: Tensor) -> Result<Tensor, Error> {
    change(x, "gelu", elementwise::gelu)
}

/// silu(gate) · up, in place of gate; up's memory is used again, so nobody else may share it either.
///
/// # Errors
/// When the two are not of one shape, or not float32.
pub fn silu_mul(gate: Tensor, up: Tensor) -> Result<Tensor, Error> {
    same_shape("silu_mul", &gate, &up)?;
    let inner = change_by(gate, &up, "silu_mul", elementwise::silu_mul)?;
    recycle(up);
    Ok(inner)
}

/// x + y, in place of x.
///
/// # Errors
/// When the two are not of one shape, share their numbers, or are not float32.
pub fn add(x: Tensor, y: &Tensor) -> Result<Tensor, Error> {
    same_shape("add", &x, y)?;
    change_by(x, y, "add", elementwise::add)
}

/// x + bias, in place of x: (…, width) and (width).
///
/// # Errors
/// When the bias is not as long as x's rows, or they are not float32.
pub fn add_bias(x: Tensor, bias: &Tensor) -> Result<Tensor, Error> {
    let width = x.dim(candle_core::D::Minus1)?;
    if bias.dims() != [width] {
        bail_shape("a bias", &[width], bias.dims())?;
    }
    change_by(x, bias, "add_bias", elementwise::add_bias)
}

fn same_shape(what: &str, x: &Tensor, y: &Tensor) -> Result<(), Error> {
    if x.dims() == y.dims() { Ok(()) } else { bail_shape(what, x.dims(), y.dims()) }
}
