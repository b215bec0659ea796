//! Scaled dot-product attention: the CPU's kernel, reading tensors and cache where they lie.
//!
//! [`packed`] is the language model's, of several sequences behind one another; [`views`] the tower's. Both
//! can be taken back, keeping queries, keys and values: scores are computed again.
//! On a device both are `device`'s; the composed forms are plain twins in the tests.
//! Deliberately absent: projections.

mod device;

use candle_core::{CpuStorage, Device, Storage, Tensor};
use ixc_kernels::{
    Arithmetic,
    attention::{
        Gradients, HeadRows, Heads, How, Passed, Stored, Stretch, attention_each, backward,
    },
    cpu,
    heads::{Split, rope_split_backward},
    recycle::{floats, give},
};

use crate::{
    Error,
    cache::{LayerCache, Rows},
    graph::{Value, compose},
    numbers::{lend, recycle},
    rope::RopeTables,
};

/// One sequence's share of packed rows.
#[derive(Debug)]
pub struct Span<'a> {
    /// How many rows are its.
    pub rows: usize,
    /// What it saw before, to which these rows are added.
    pub past: Option<&'a mut LayerCache>,
}

/// Causal attention of sequences with rotary positions, each seeing itself alone: packed rows,
/// (n, kv_heads · (group + 2) · d) as [`RopeTables::split`] takes them → (n, kv_heads · group · d).
///
/// # Errors
/// When shapes do not fit, or the pass is recorded and there is a past.
pub fn packed(
    qkv: Value,
    tables: &RopeTables,
    kv_heads: usize,
    group: usize,
    spans: &mut [Span],
    arithmetic: Arithmetic,
) -> Result<Value, Error> {
    let heads = tables.heads(qkv.tensor(), kv_heads, group)?;
    if spans.iter().map(|span| span.rows).sum::<usize>() != heads.rows {
        return Err(refuse(format!("attention: {} rows are not those of {spans:?}", heads.rows)));
    }
    let past = spans.iter().any(|span| span.past.is_some());
    if past && qkv.is_recorded() {
        return Err(refuse("attention: what is trained has no past".into()));
    }
    if !qkv.has_kernels() {
        return device::packed(&qkv, tables, kv_heads, group, spans, arithmetic);
    }
    let (q, k, v) = tables.split(qkv.tensor(), kv_heads, group)?; // (kv, g, n, d), (kv, n, d)
    let seen = if past {
        behind(&q, &k, &v, spans, arithmetic)?
    } else {
        let lying = (heads.rows * heads.width, heads.width);
        let sequences: Vec<usize> = spans.iter().map(|span| span.rows).collect();
        let how = How { causal: true, arithmetic, path: cpu::path() };
        each([(&q, lying), (&k, lying), (&v, lying)], heads, &sequences, how)?
    }; // (n, heads · d)
    if !qkv.is_recorded() {
        qkv.recycle();
        [q, k, v].into_iter().for_each(recycle);
        return Ok(Value::plain(seen));
    }
    let (tables, dims) = (tables.clone(), qkv.tensor().dims().to_vec());
    let how = How { causal: true, arithmetic, path: cpu::path() };
    let sequences: Vec<usize> = spans.iter().map(|span| span.rows).collect();
    Ok(Value::made(seen, &[&qkv], false, move |dy| {
        let lying = (heads.rows * heads.width, heads.width);
        let split =
            taken_back([(&q, lying), (&k, lying), (&v, lying)], &dy, heads, &sequences, how)?;
        dy.recycle();
        [q, k, v].into_iter().for_each(recycle);
        let rows = rope_split_backward(&split, heads, tables.angles());
        [split.q, split.k, split.v].into_iter().for_each(give);
        Ok(vec![Some(Tensor::from_vec(rows, dims, &Device::Cpu)?.into())])
    }))
}

/// Attention of sequences some of which have a past: (n, heads · d).
fn behind(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    spans: &mut [Span],
    arithmetic: Arithmetic,
) -> Result<Tensor, Error> {
    let mut start = 0;
    let mut seen = Vec::with_capacity(spans.len());
    for Span { rows, past } in &mut *spans {
        let (q, k, v) =
            (q.narrow(2, start, *rows)?, k.narrow(1, start, *rows)?, v.narrow(1, start, *rows)?);
        seen.push(match past {
            Some(past) => {
                past.append(&k, &v)?;
                attention_cached(&q, past, arithmetic)?
            }
            None => attention(&q, &k, &v, true, arithmetic)?,
        }); // (t, heads · d)
        start += *rows;
    }
    Ok(if seen.len() == 1 { seen.swap_remove(0) } else { Tensor::cat(&seen, 0)? })
}

/// Attention of sequences without a past, each seeing itself alone: (n, heads · d). Queries, keys and values
/// lie so many numbers from head to head and from row to row.
fn each(
    lying: [(&Tensor, (usize, usize)); 3],
    heads: Heads,
    sequences: &[usize],
    how: How,
) -> Result<Tensor, Error> {
    let [q, k, v] = lying;
    let (of_q, of_k, of_v) = (lend(q.0)?, lend(k.0)?, lend(v.0)?);
    let lying = |numbers, (head, row)| HeadRows { numbers, head, row };
    let rows = [lying(&*of_q, q.1), lying(&*of_k, k.1), lying(&*of_v, v.1)];
    let seen = attention_each(rows, heads, sequences, how);
    Ok(Tensor::from_vec(seen, (heads.rows, heads.count() * heads.width), &Device::Cpu)?)
}

/// Attention of several views, all of whose rows see each other: (views, t, C) each → (views, t, C), C the
/// heads' rows side by side.
///
/// # Errors
/// When shapes do not fit.
pub fn views(
    q: Value,
    k: Value,
    v: Value,
    heads: usize,
    arithmetic: Arithmetic,
) -> Result<Value, Error> {
    if !q.has_kernels() {
        return device::views(&q, &k, &v, heads, arithmetic);
    }
    let (views, count, width) = q.tensor().dims3()?;
    let [q_rows, k_rows, v_rows] = [&q, &k, &v].map(|x| x.tensor().contiguous());
    let kept = [q_rows?, k_rows?, v_rows?];
    let heads = Heads { kv_heads: heads, group: 1, rows: views * count, width: width / heads };
    let how = How { causal: false, arithmetic, path: cpu::path() };
    let lying = kept.each_ref().map(|x| (x, (heads.width, width)));
    let seen = each(lying, heads, &vec![count; views], how)?.reshape((views, count, width))?;
    if ![&q, &k, &v].iter().any(|x| x.is_recorded()) {
        drop(kept);
        [q, k, v].into_iter().for_each(Value::recycle);
        return Ok(Value::plain(seen));
    }
    Ok(Value::made(seen, &[&q, &k, &v], false, move |dy| {
        let kept = kept.each_ref().map(|x| (x, (heads.width, width)));
        let Split { q, k, v } = taken_back(kept, &dy, heads, &vec![count; views], how)?;
        dy.recycle();
        let gradient = |x| Tensor::from_vec(x, (views, count, width), &Device::Cpu);
        [q, k, v].into_iter().map(|x| Ok(Some(gradient(x)?.into()))).collect()
    }))
}

/// The gradients of queries, keys and values, lying as these do: steps from head to head and from row to row.
fn taken_back(
    [q, k, v]: [(&Tensor, (usize, usize)); 3],
    dy: &Tensor,
    heads: Heads,
    sequences: &[usize],
    how: How,
) -> Result<Split, Error> {
    let dy = dy.contiguous()?;
    let (of_q, of_k, of_v, of_dy) = (lend(q.0)?, lend(k.0)?, lend(v.0)?, lend(&dy)?);
    let lying = |numbers, (head, row)| HeadRows { numbers, head, row };
    let dy = lying(&*of_dy, (heads.width, heads.count() * heads.width));
    let (q, k, v) = (lying(&*of_q, q.1), lying(&*of_k, k.1), lying(&*of_v, v.1));
    let zeros = |x: HeadRows| floats(x.numbers.len()); // every number is written
    let mut split = Split { q: zeros(q), k: zeros(k), v: zeros(v) };
    let gradients = Gradients { q: &mut split.q, k: &mut split.k, v: &mut split.v };
    backward(Passed { q, k, v, dout: dy }, heads, sequences, how, gradients);
    Ok(split)
}

/// [`packed`] of candle's operations, without a past.
///
/// # Errors
/// When shapes do not fit.
pub fn composed_packed(
    qkv: &Value,
    tables: &RopeTables,
    kv_heads: usize,
    group: usize,
    spans: &[Span],
) -> Result<Value, Error> {
    compose([qkv], |[qkv]| {
        let (q, k, v) = tables.composed(&qkv, kv_heads, group)?;
        let mut start = 0;
        let mut seen = Vec::with_capacity(spans.len());
        for &Span { rows, .. } in spans {
            let (q, k) = (q.narrow(2, start, rows)?, k.narrow(1, start, rows)?);
            seen.push(composed(&q, &k, &v.narrow(1, start, rows)?, true)?);
            start += rows;
        }
        Ok(Tensor::cat(&seen, 0)?)
    })
}

/// [`views`] of candle's operations.
///
/// # Errors
/// When shapes do not fit.
pub fn composed_views(q: &Value, k: &Value, v: &Value, heads: usize) -> Result<Value, Error> {
    compose([q, k, v], |[q, k, v]| {
        let (views, count, width) = q.dims3()?;
        let mut seen = Vec::with_capacity(views);
        for view in 0..views {
            let [q, k, v] = [&q, &k, &v].map(|x| -> Result<Tensor, Error> {
                let rows = x.narrow(0, view, 1)?.reshape((count, heads, width / heads))?;
                Ok(rows.transpose(0, 1)?.contiguous()?)
            });
            seen.push(composed(&q?.unsqueeze(1)?, &k?, &v?, false)?);
        }
        Ok(Tensor::stack(&seen, 0)?)
    })
}

/// softmax(q kᵀ / √d) v of one sequence: (kv, g, t, d) and (kv, t, d) → (t, kv · g · d).
fn composed(q: &Tensor, k: &Tensor, v: &Tensor, causal: bool) -> Result<Tensor, Error> {
    let (kv_heads, group, count, width) = q.dims4()?;
    let q = q.reshape((kv_heads, group * count, width))?;
    let mut scores = (q.matmul(&k.t()?)? / (width as f64).sqrt())?; // (kv, g · t, t)
    if causal {
        let sees = |lane: usize, key: usize| key <= lane % count;
        let places = (0..group * count).flat_map(|lane| (0..count).map(move |key| (lane, key)));
        let mask: Vec<f32> = places
            .map(|(lane, key)| if sees(lane, key) { 0.0 } else { f32::NEG_INFINITY })
            .collect();
        let mask = Tensor::from_vec(mask, (1, group * count, count), q.device())?;
        scores = scores.broadcast_add(&mask)?;
    }
    let seen = candle_nn::ops::softmax(&scores, 2)?.matmul(&v.contiguous()?)?; // (kv, g · t, d)
    let seen = seen.reshape((kv_heads * group, count, width))?.transpose(0, 1)?;
    Ok(seen.reshape((count, kv_heads * group * width))?)
}

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
