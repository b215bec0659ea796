//! Scaled dot-product attention: grouped heads, causal or full, over cached stretches.
//!
//! Keys and values are read once per key head, shared by the query heads of its group; queries are
//! taken in blocks so that the scores never outgrow [`SCORES_MAX`], and a block never looks at keys
//! behind its last query. Deliberately absent: projections, positions, the cache's growth.

use candle_core::{D, Device, Tensor};

use crate::Error;

/// Elements of scores held at once: 64 MiB of float32.
const SCORES_MAX: usize = 16 << 20;

/// Attention of one sequence.
///
/// `q` is (kv_heads, group, t, d), `segments` hold keys and values, each (kv_heads, len, d), whose
/// lengths sum to T ≥ t; query i sits at position T − t + i. With `causal`, it sees keys up to its
/// own. Returns (t, kv_heads · group · d).
///
/// # Errors
/// When shapes do not fit.
pub fn attention(q: &Tensor, segments: &[(Tensor, Tensor)], causal: bool) -> Result<Tensor, Error> {
    let (kv_heads, group, count, width) = q.dims4()?;
    let total: usize = segments.iter().map(|(k, _)| k.dim(1)).sum::<Result<_, _>>()?;
    let past = total - count;
    let q = (q * (1.0 / (width as f64).sqrt()))?; // (kv, g, t, d)
    let block = (SCORES_MAX / (kv_heads * group * total)).clamp(1, count);
    let mut blocks = Vec::with_capacity(count.div_ceil(block));
    for start in (0..count).step_by(block) {
        let len = block.min(count - start);
        let seen = if causal { past + start + len } else { total };
        let q = q.narrow(2, start, len)?.reshape((kv_heads, group * len, width))?; // (kv, g·b, d)
        let segments = narrowed(segments, seen)?;
        let mut scores = scores(&q, &segments)?; // (kv, g·b, seen)
        if causal && len > 1 {
            let mask = causal_mask(len, seen, q.device())?; // (b, seen)
            scores = scores
                .reshape((kv_heads, group, len, seen))?
                .broadcast_add(&mask)?
                .reshape((kv_heads, group * len, seen))?;
        }
        let weights = candle_nn::ops::softmax_last_dim(&scores.contiguous()?)?; // (kv, g·b, seen)
        let out = weighted(&weights, &segments)?; // (kv, g·b, d)
        let out = out.reshape((kv_heads, group, len, width))?.permute((2, 0, 1, 3))?; // (b, kv, g, d)
        blocks.push(out.reshape((len, kv_heads * group * width))?);
    }
    Ok(if blocks.len() == 1 { blocks.swap_remove(0) } else { Tensor::cat(&blocks, 0)? })
}

/// The first `seen` positions of the stretches.
fn narrowed(segments: &[(Tensor, Tensor)], seen: usize) -> Result<Vec<(Tensor, Tensor)>, Error> {
    let mut left = seen;
    let mut kept = Vec::with_capacity(segments.len());
    for (k, v) in segments {
        let len = k.dim(1)?.min(left);
        if len > 0 {
            kept.push((k.narrow(1, 0, len)?, v.narrow(1, 0, len)?));
        }
        left -= len;
    }
    Ok(kept)
}

/// q · kᵀ over all stretches: (kv, rows, seen).
fn scores(q: &Tensor, segments: &[(Tensor, Tensor)]) -> Result<Tensor, Error> {
    let parts = segments.iter().map(|(k, _)| q.matmul(&k.t()?)).collect::<Result<Vec<_>, _>>()?;
    Ok(if parts.len() == 1 { parts[0].clone() } else { Tensor::cat(&parts, D::Minus1)? })
}

/// weights · v over all stretches: (kv, rows, d).
fn weighted(weights: &Tensor, segments: &[(Tensor, Tensor)]) -> Result<Tensor, Error> {
    let mut start = 0;
    let mut sum: Option<Tensor> = None;
    for (_, v) in segments {
        let len = v.dim(1)?;
        let part = weights.narrow(2, start, len)?.contiguous()?.matmul(v)?; // (kv, rows, d)
        sum = Some(match sum {
            Some(sum) => (sum + part)?,
            None => part,
        });
        start += len;
    }
    sum.ok_or_else(|| candle_core::Error::Msg("attention over no positions".into()).into())
}

/// 0 where the last `rows` of `seen` positions may look, −∞ where they may not: (rows, seen).
fn causal_mask(rows: usize, seen: usize, device: &Device) -> Result<Tensor, Error> {
    let past = seen - rows;
    let mask: Vec<f32> = (0..rows)
        .flat_map(|row| {
            (0..seen).map(move |key| if key > past + row { f32::NEG_INFINITY } else { 0.0 })
        })
        .collect();
    Ok(Tensor::from_vec(mask, (rows, seen), device)?)
}
