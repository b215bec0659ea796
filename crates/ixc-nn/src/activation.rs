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
    numbers::{change, change_by},
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

/// x + y, in place of x.
///
/// # Errors
/// When the two are not of one shape, share their numbers, or are not float32.
pub fn add(x: Tensor, y: &Tensor) -> Result<Tensor, Error> {
    if x.dims() != y.dims() {
        bail_shape("add", x.dims(), y.dims())?;
    }
    change_by(x, y, "add", elementwise::add)
}
