//! Scaled dot-product attention on tensors: the CPU's kernel, reading tensors and cache where they lie.
//!
//! Deliberately absent: projections, positions, the cache's growth, and (so far as nothing is trained)
//! a backward pass.

use candle_core::{CpuStorage, Device, Storage, Tensor};
use ixc_kernels::{
    Arithmetic,
    attention::{HeadRows, Heads, How, Stored, Stretch},
    cpu,
};

use crate::{
    Error,
    cache::{LayerCache, Rows},
};

/// Attention of one sequence without a cache.
///
/// `q` is (kv_heads, group, t, d), `k` and `v` are (kv_heads, T, d) with T ≥ t; query i sits at position
/// T − t + i. With `causal`, it sees keys up to its own. Returns (t, kv_heads · group · d). Transposed
/// views, such as (t, heads, d) seen as (heads, t, d), are read where they lie.
///
/// # Errors
/// When shapes do not fit or a tensor is not float32 on the CPU.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    causal: bool,
    arithmetic: Arithmetic,
) -> Result<Tensor, Error> {
    let (kv_heads, _, _, width) = q.dims4()?;
    let (_, len, _) = k.dims3()?;
    if k.dims() != [kv_heads, len, width] || v.dims() != k.dims() {
        return Err(refuse(format!(
            "attention: expected keys and values of {kv_heads} heads of {width}, found {:?} and {:?}",
            k.dims(),
            v.dims()
        )));
    }
    // One stretch has one step from head to head: a view of another kind is copied.
    let alike =
        |t: &Tensor| t.stride() == k.stride() && t.stride()[..2].iter().all(|s| s % width == 0);
    let whole =
        |t: &Tensor| if alike(t) && alike(k) { Ok(t.clone()) } else { t.force_contiguous() };
    let (k, v) = (whole(k)?, whole(v)?);
    rows(&k, |k| {
        rows(&v, |v| {
            let stretch = Stretch {
                k: Stored::F32(k.numbers),
                v: Stored::F32(v.numbers),
                len,
                head_rows: k.head / width,
                position_rows: k.position / width,
            };
            attend(q, &[stretch], causal, arithmetic)
        })
    })??
}

/// Attention of one sequence whose positions, those of the queries included, are in a cache's layer: as
/// [`attention`], causal.
///
/// # Errors
/// When shapes do not fit or `q` is not float32 on the CPU.
pub fn attention_cached(
    q: &Tensor,
    layer: &LayerCache,
    arithmetic: Arithmetic,
) -> Result<Tensor, Error> {
    let (kv_heads, _, _, width) = q.dims4()?;
    let shape = layer.shape();
    if (shape.kv_heads, shape.width) != (kv_heads, width) {
        return Err(refuse(format!(
            "attention: expected queries for {} key heads of {}, found {:?}",
            shape.kv_heads,
            shape.width,
            q.dims()
        )));
    }
    attend(q, &layer.stretches(), true, arithmetic)
}

fn attend(
    q: &Tensor,
    stretches: &[Stretch],
    causal: bool,
    arithmetic: Arithmetic,
) -> Result<Tensor, Error> {
    let (kv_heads, group, count, width) = q.dims4()?;
    let heads = Heads { kv_heads, group, rows: count, width };
    let total: usize = stretches.iter().map(|stretch| stretch.len).sum();
    if count == 0 || total < count {
        return Err(refuse(format!("attention: {count} queries over {total} positions")));
    }
    let how = How { causal, arithmetic, path: cpu::path() };
    let out = rows(&q.flatten(0, 1)?, |q| {
        let q = HeadRows { numbers: q.numbers, head: q.head, row: q.position };
        ixc_kernels::attention::attention(q, heads, stretches, how)
    })?;
    Ok(Tensor::from_vec(out, (count, heads.count() * width), &Device::Cpu)?)
}

fn refuse(message: String) -> Error {
    candle_core::Error::Msg(message).into()
}

/// Lends a tensor's numbers, (heads, positions, width), where they lie; whole rows are all it needs.
///
/// # Errors
/// When the tensor is not float32 on the CPU.
pub(crate) fn rows<R>(t: &Tensor, with: impl FnOnce(Rows) -> R) -> Result<R, Error> {
    t.dims3()?;
    let t = if t.stride()[2] == 1 { t.clone() } else { t.force_contiguous()? };
    let (storage, layout) = t.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(numbers)) = &*storage else {
        return Err(refuse("attention: expected float32 on the CPU".into()));
    };
    let &[head, position, _] = layout.stride() else { unreachable!("three extents") };
    Ok(with(Rows { numbers: &numbers[layout.start_offset()..], head, position }))
}
