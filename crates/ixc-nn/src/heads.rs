//! Rows of heads side by side, taken apart for attention.

use candle_core::{Device, Tensor};

use crate::{Error, linear::bail_shape, numbers::read};

/// Rows of all heads → heads of all rows: (t, heads · d) → (heads, t, d).
///
/// # Errors
/// When a row is not of so many heads.
pub fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor, Error> {
    let (rows, packed) = x.dims2()?;
    if packed == 0 || !packed.is_multiple_of(heads) {
        bail_shape("rows of heads", &[rows, heads, packed.div_ceil(heads)], x.dims())?;
    }
    let width = packed / heads;
    let split = read(&x.contiguous()?, |x| Ok(ixc_kernels::heads::split_heads(x, heads, width)))?;
    Ok(Tensor::from_vec(split, (heads, rows, width), &Device::Cpu)?)
}
