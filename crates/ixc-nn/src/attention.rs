//! Scaled dot-product attention on tensors: the CPU's kernel, reading the cache where it lies.
//!
//! Deliberately absent: projections, positions, the cache's growth, and (so far as nothing is trained)
//! a backward pass.

use candle_core::{CpuStorage, Device, Layout, Storage, Tensor};
use ixc_kernels::attention::{Heads, Stretch};

use crate::Error;

/// Attention of one sequence.
///
/// `q` is (kv_heads, group, t, d), `segments` hold keys and values, each (kv_heads, len, d), whose
/// lengths sum to T ≥ t; query i sits at position T − t + i. With `causal`, it sees keys up to its
/// own. Returns (t, kv_heads · group · d).
///
/// # Errors
/// When shapes do not fit or a tensor is not float32 on the CPU.
pub fn attention(q: &Tensor, segments: &[(Tensor, Tensor)], causal: bool) -> Result<Tensor, Error> {
    let (kv_heads, group, rows, width) = q.dims4()?;
    let heads = Heads { kv_heads, group, rows, width };
    let mut total = 0;
    for (k, v) in segments {
        if k.dims() != v.dims() || k.dim(0)? != kv_heads || k.dim(2)? != width {
            return Err(refuse(format!(
                "attention: expected keys and values of {kv_heads} heads of {width}, found {:?} and {:?}",
                k.dims(),
                v.dims()
            )));
        }
        total += k.dim(1)?;
    }
    if rows == 0 || total < rows {
        return Err(refuse(format!("attention: {rows} queries over {total} positions")));
    }
    let q = q.contiguous()?;
    // The storages are borrowed, with their locks, while the kernel runs.
    let borrowed: Vec<_> =
        segments.iter().map(|(k, v)| (k.storage_and_layout(), v.storage_and_layout())).collect();
    let stretches = borrowed
        .iter()
        .map(|((k, k_layout), (v, v_layout))| {
            let capacity = capacity(k_layout)?;
            if capacity != self::capacity(v_layout)? {
                return Err(refuse("attention: keys and values lie differently".into()));
            }
            let (k, v) = (floats(k, k_layout)?, floats(v, v_layout)?);
            Ok(Stretch { k, v, len: k_layout.dims()[1], capacity })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let (storage, layout) = q.storage_and_layout();
    let out = ixc_kernels::attention::attention(
        &floats(&storage, layout)?[..layout.shape().elem_count()],
        heads,
        &stretches,
        causal,
    );
    Ok(Tensor::from_vec(out, (rows, kv_heads * group * width), &Device::Cpu)?)
}

fn refuse(message: String) -> Error {
    candle_core::Error::Msg(message).into()
}

/// Positions from one head to the next of a (kv_heads, len, width) view into a longer cache.
fn capacity(layout: &Layout) -> Result<usize, Error> {
    if let (&[heads, len, width], &[head, position, number]) = (layout.dims(), layout.stride()) {
        // The step along an extent of one says nothing.
        let rows_are_whole = (width == 1 || number == 1) && (len == 1 || position == width);
        if rows_are_whole && heads == 1 {
            return Ok(len);
        }
        if rows_are_whole && head % width == 0 {
            return Ok(head / width);
        }
    }
    let (dims, stride) = (layout.dims(), layout.stride());
    Err(refuse(format!("attention: heads of shape {dims:?} lie at strides {stride:?}")))
}

/// A tensor's numbers from its first one on.
fn floats<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32], Error> {
    match storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(&values[layout.start_offset()..]),
        _ => Err(refuse("attention: expected float32 on the CPU".into())),
    }
}
