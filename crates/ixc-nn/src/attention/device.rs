//! Attention on a device: candle's products over blocks of queries, forth and back.
//!
//! softmax(q kᵀ / √d) v, a block of queries at a time against the keys that it may see, so that scores of a
//! bounded number exist at once; the way back computes them again, as flash attention does (arXiv 2205.14135),
//! with Σ dP ∘ P = Σ dO ∘ O. Scores are of the type that products are made of.
//! Deliberately absent: a fused kernel.

use std::cmp::Reverse;

use candle_core::{DType, Device, Tensor};

use super::Span;
use crate::{
    Error,
    cache::LayerCache,
    device::product_type,
    graph::{Gradient, Value},
    rope::RopeTables,
};
use ixc_kernels::Arithmetic;

/// Scores held at once: 128 MiB of float32.
const SCORES: usize = 1 << 25;

/// A sequence's queries (kv, group, t, d), keys and values (kv, T, d), T ≥ t, in their products' type; queries
/// are divided by √d.
struct Sequence {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    causal: bool,
    scores_max: usize,
}

/// Some of a sequence's queries.
struct Block {
    start: usize,
    rows: usize,
    /// The keys that they may see, the first so many.
    keys: usize,
}

impl Sequence {
    fn new(q: &Tensor, k: &Tensor, v: &Tensor, causal: bool, dtype: DType) -> Result<Self, Error> {
        let scale = 1.0 / (q.dim(3)? as f64).sqrt();
        let q = (q * scale)?.to_dtype(dtype)?.contiguous()?;
        let factor = |x: &Tensor| -> Result<Tensor, Error> { Ok(x.to_dtype(dtype)?.contiguous()?) };
        Ok(Self { q, k: factor(k)?, v: factor(v)?, causal, scores_max: SCORES })
    }

    fn blocks(&self) -> Result<Vec<Block>, Error> {
        let (kv_heads, group, count, _) = self.q.dims4()?;
        let total = self.k.dim(1)?;
        let most = (self.scores_max / (kv_heads * group * total).max(1)).clamp(1, count.max(1));
        let height = count.div_ceil(count.div_ceil(most).max(1)); // all blocks alike
        let block = |start: usize| {
            let rows = height.min(count - start);
            let keys = if self.causal { total - count + start + rows } else { total };
            Block { start, rows, keys }
        };
        Ok((0..count).step_by(height.max(1)).map(block).collect())
    }

    /// Some rows of something that lies as the queries do: (kv, group · rows, d).
    fn rows(of: &Tensor, block: &Block) -> Result<Tensor, Error> {
        let (kv_heads, group, _, width) = of.dims4()?;
        let some = of.narrow(2, block.start, block.rows)?.contiguous()?;
        Ok(some.reshape((kv_heads, group * block.rows, width))?)
    }

    /// softmax of the scores: (kv, group · rows, keys).
    fn shares(&self, q: &Tensor, k: &Tensor, block: &Block) -> Result<Tensor, Error> {
        let mut scores = q.matmul(&k.t()?)?;
        if self.causal && block.rows > 1 {
            let (lanes, group) = (scores.dim(1)?, self.q.dim(1)?);
            let (rows, keys) = (block.rows, block.keys);
            let mask = mask(rows, keys, scores.dtype(), scores.device())?;
            let all = scores.reshape(((), group, rows, keys))?.broadcast_add(&mask)?;
            scores = all.reshape(((), lanes, keys))?;
        }
        Ok(candle_nn::ops::softmax_last_dim(&scores)?)
    }

    /// What the queries see: (kv, group, t, d).
    fn seen(&self) -> Result<Tensor, Error> {
        let (kv_heads, group, _, width) = self.q.dims4()?;
        let mut seen = Vec::new();
        for block in self.blocks()? {
            let (k, v) = (self.k.narrow(1, 0, block.keys)?, self.v.narrow(1, 0, block.keys)?);
            let p = self.shares(&Self::rows(&self.q, &block)?, &k, &block)?;
            let out = p.matmul(&v.contiguous()?)?; // (kv, group · rows, d)
            seen.push(out.reshape((kv_heads, group, block.rows, width))?);
        }
        together(seen, 2)
    }

    /// The gradients of queries (as they were before they were divided), keys and values, from that of what
    /// was seen and from what was seen, both (kv, group, t, d).
    fn back(&self, dout: &Tensor, out: &Tensor) -> Result<[Tensor; 3], Error> {
        let (kv_heads, group, _, width) = self.q.dims4()?;
        let total = self.k.dim(1)?;
        let mut dq = Vec::new();
        let (mut dk, mut dv): (Option<Tensor>, Option<Tensor>) = (None, None);
        let add = |sum: &mut Option<Tensor>, new: Tensor, keys: usize| -> Result<(), Error> {
            let new = new.pad_with_zeros(1, 0, total - keys)?;
            *sum = Some(match sum.take() {
                Some(before) => (before + new)?,
                None => new,
            });
            Ok(())
        };
        for block in self.blocks()? {
            let (k, v) = (self.k.narrow(1, 0, block.keys)?, self.v.narrow(1, 0, block.keys)?);
            let q = Self::rows(&self.q, &block)?;
            let (dout, out) = (Self::rows(dout, &block)?, Self::rows(out, &block)?);
            let p = self.shares(&q, &k, &block)?;
            add(&mut dv, p.t()?.matmul(&dout)?, block.keys)?;
            let dp = dout.matmul(&v.t()?)?;
            let of_row = (&dout * &out)?.sum_keepdim(2)?;
            let ds = (dp.broadcast_sub(&of_row)? * p)?;
            let scale = 1.0 / (width as f64).sqrt();
            let rows = (ds.matmul(&k.contiguous()?)? * scale)?;
            dq.push(rows.reshape((kv_heads, group, block.rows, width))?);
            add(&mut dk, ds.t()?.matmul(&q)?, block.keys)?;
        }
        let all = |x: Option<Tensor>| x.map_or_else(|| Ok(self.k.zeros_like()?), Ok::<_, Error>);
        Ok([together(dq, 2)?, all(dk)?, all(dv)?])
    }
}

fn together(mut parts: Vec<Tensor>, dim: usize) -> Result<Tensor, Error> {
    Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Tensor::cat(&parts, dim)? })
}

/// −∞ where a key stands behind its query, the last query seeing the last key: (rows, keys).
fn mask(rows: usize, keys: usize, dtype: DType, device: &Device) -> Result<Tensor, Error> {
    let first = (keys - rows) as u32;
    let queries = Tensor::arange(first, keys as u32, device)?.unsqueeze(1)?;
    let behind = Tensor::arange(0, keys as u32, device)?.unsqueeze(0)?.broadcast_gt(&queries)?;
    let all = |value: f32| Tensor::full(value, (rows, keys), device)?.to_dtype(dtype);
    Ok(behind.where_cond(&all(f32::NEG_INFINITY)?, &all(0.0)?)?)
}

/// (heads…, t, d) → (t, heads · d).
fn side_by_side(seen: &Tensor) -> Result<Tensor, Error> {
    let (kv_heads, group, count, width) = seen.dims4()?;
    let lanes = seen.reshape((kv_heads * group, count, width))?.transpose(0, 1)?;
    Ok(lanes.reshape((count, kv_heads * group * width))?)
}

/// (t, heads · d) → (kv, group, t, d).
fn by_head(rows: &Tensor, kv_heads: usize, group: usize) -> Result<Tensor, Error> {
    let (count, all) = rows.dims2()?;
    let heads = rows.reshape((count, kv_heads, group, all / (kv_heads * group)))?;
    Ok(heads.permute((1, 2, 0, 3))?.contiguous()?)
}

/// Spans that are computed at once, each a lane: (lanes, height) rows, zeros behind the shorter ones' ends.
///
/// A query sees nothing behind itself, so what stands at an end changes no other row; and no gradient comes
/// from there.
struct Lanes {
    /// First row and number of rows of each span, of which `height` is the largest.
    spans: Vec<(usize, usize)>,
    height: usize,
}

impl Lanes {
    /// Spans, by first row and number of rows, the longest with the longest as long as their scores, for so many
    /// heads, stay within a bound.
    fn of(mut spans: Vec<(usize, usize)>, heads: usize, scores_max: usize) -> Vec<Self> {
        spans.sort_by_key(|&(start, rows)| (Reverse(rows), start));
        let mut all: Vec<Self> = Vec::new();
        for (start, rows) in spans {
            match all.last_mut() {
                Some(lanes)
                    if (lanes.spans.len() + 1) * heads * lanes.height.pow(2) <= scores_max =>
                {
                    lanes.spans.push((start, rows));
                }
                _ => all.push(Self { spans: vec![(start, rows)], height: rows }),
            }
        }
        all
    }

    fn rows(&self) -> usize {
        self.spans.len() * self.height
    }

    /// Each lane's own rows: (kv, members, n, d) → (lanes · kv, members, height, d).
    fn gather(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (kv_heads, members, count, width) = x.dims4()?;
        if let [(start, rows)] = *self.spans {
            return Ok(x.narrow(2, start, rows)?.contiguous()?);
        }
        let of_lane = |&(start, rows): &(usize, usize)| {
            (0..self.height).map(move |row| if row < rows { start + row } else { count } as u32)
        };
        let places: Vec<u32> = self.spans.iter().flat_map(of_lane).collect();
        let places = Tensor::from_vec(places, self.rows(), x.device())?;
        let x = x.pad_with_zeros(2, 0, 1)?.contiguous()?;
        let rows = x.index_select(&places, 2)?; // (kv, members, lanes · height, d)
        let lanes = rows.reshape((kv_heads, members, self.spans.len(), self.height, width))?;
        let lanes = lanes.permute((2, 0, 1, 3, 4))?;
        Ok(lanes.reshape((self.spans.len() * kv_heads, members, self.height, width))?)
    }

    /// The same of keys or values: (kv, n, d) → (lanes · kv, height, d).
    fn gather_keys(&self, x: &Tensor) -> Result<Tensor, Error> {
        Ok(self.gather(&x.unsqueeze(1)?)?.squeeze(1)?)
    }

    /// The way back, rows of lanes behind one another: (lanes · kv, members, height, d) → (kv, members,
    /// lanes · height, d).
    fn lay(&self, x: &Tensor, kv_heads: usize) -> Result<Tensor, Error> {
        let (_, members, height, width) = x.dims4()?;
        let x = x.reshape((self.spans.len(), kv_heads, members, height, width))?;
        Ok(x.permute((1, 2, 0, 3, 4))?.reshape((kv_heads, members, self.rows(), width))?)
    }

    /// Rows of all lanes, laid one behind the other, in the order in which the spans have them.
    fn scatter(all: &[Self], laid: Vec<Tensor>) -> Result<Tensor, Error> {
        let laid = together(laid, 2)?;
        if let [Self { spans, .. }] = all
            && spans.len() == 1
        {
            return Ok(laid);
        }
        let mut places = Vec::new();
        let mut first = 0;
        for lanes in all {
            for (lane, &(start, rows)) in lanes.spans.iter().enumerate() {
                let from = first + lane * lanes.height;
                places.extend((0..rows).map(|row| (start + row, (from + row) as u32)));
            }
            first += lanes.rows();
        }
        places.sort_unstable();
        let places: Vec<u32> = places.into_iter().map(|(_, place)| place).collect();
        let count = places.len();
        let places = Tensor::from_vec(places, count, laid.device())?;
        Ok(laid.contiguous()?.index_select(&places, 2)?)
    }
}

/// [`super::packed`] on a device; what it gives is of the type that products are made of.
pub(super) fn packed(
    qkv: &Value,
    tables: &RopeTables,
    kv_heads: usize,
    group: usize,
    spans: &mut [Span],
    arithmetic: Arithmetic,
) -> Result<Value, Error> {
    let dtype = product_type(arithmetic);
    let (q, k, v) = tables.split_on_device(qkv.tensor(), kv_heads, group)?;
    if spans.iter().any(|span| span.past.is_some()) {
        return Ok(Value::plain(behind([&q, &k, &v], spans, dtype)?));
    }
    let mut start = 0;
    let mut own = Vec::with_capacity(spans.len());
    for span in &*spans {
        own.push((start, span.rows));
        start += span.rows;
    }
    let all = Lanes::of(own, kv_heads * group, SCORES);
    let mut sequences = Vec::with_capacity(all.len());
    let mut seen = Vec::with_capacity(all.len());
    for lanes in &all {
        let q = lanes.gather(&q)?;
        let (k, v) = (lanes.gather_keys(&k)?, lanes.gather_keys(&v)?);
        let sequence = Sequence::new(&q, &k, &v, true, dtype)?;
        seen.push(lanes.lay(&sequence.seen()?, kv_heads)?);
        sequences.push(sequence);
    }
    let seen = side_by_side(&Lanes::scatter(&all, seen)?)?; // (n, heads · d)
    if !qkv.is_recorded() {
        return Ok(Value::plain(seen));
    }
    let (tables, dims, out) = (tables.clone(), qkv.tensor().dims().to_vec(), seen.clone());
    Ok(Value::made(seen, &[qkv], false, move |dy| {
        let dy = by_head(&dy.to_dtype(dtype)?, kv_heads, group)?;
        let out = by_head(&out, kv_heads, group)?;
        let [mut dq, mut dk, mut dv] = [(); 3].map(|()| Vec::with_capacity(all.len()));
        for (lanes, sequence) in all.iter().zip(sequences) {
            let [dy, out] = [&dy, &out].map(|x| lanes.gather(x));
            let [q, k, v] = sequence.back(&dy?, &out?)?;
            dq.push(lanes.lay(&q, kv_heads)?);
            dk.push(lanes.lay(&k.unsqueeze(1)?, kv_heads)?);
            dv.push(lanes.lay(&v.unsqueeze(1)?, kv_heads)?);
        }
        let scatter = |laid| Lanes::scatter(&all, laid);
        let (dq, dk, dv) = (scatter(dq)?, scatter(dk)?.squeeze(1)?, scatter(dv)?.squeeze(1)?);
        let rows = tables.split_back_on_device(&dq, &dk, &dv)?;
        Ok(vec![Some(rows.reshape(dims)?.into())])
    }))
}

/// Attention of spans some of which have a past, to which they are added: (n, heads · d).
fn behind([q, k, v]: [&Tensor; 3], spans: &mut [Span], dtype: DType) -> Result<Tensor, Error> {
    let mut start = 0;
    let mut seen = Vec::with_capacity(spans.len());
    for Span { rows, past } in &mut *spans {
        let own = |x: &Tensor, dim: usize| x.narrow(dim, start, *rows);
        let (q, mut k, mut v) = (own(q, 2)?, own(k, 1)?, own(v, 1)?);
        if let Some(past) = past {
            (k, v) = LayerCache::append_on_device(past, &k, &v)?;
        }
        seen.push(side_by_side(&Sequence::new(&q, &k, &v, true, dtype)?.seen()?)?);
        start += *rows;
    }
    together(seen, 0)
}

/// [`super::views`] on a device: each view's heads are heads of their own. What it gives is of the type that
/// products are made of.
pub(super) fn views(
    q: &Value,
    k: &Value,
    v: &Value,
    heads: usize,
    arithmetic: Arithmetic,
) -> Result<Value, Error> {
    let (count, rows, width) = q.tensor().dims3()?;
    let lanes = move |x: &Tensor| -> Result<Tensor, Error> {
        let x = x.reshape((count, rows, heads, width / heads))?.transpose(1, 2)?;
        Ok(x.reshape((count * heads, rows, width / heads))?) // (views · heads, t, d)
    };
    let back = move |x: &Tensor| -> Result<Tensor, Error> {
        let x = x.reshape((count, heads, rows, width / heads))?.transpose(1, 2)?;
        Ok(x.reshape((count, rows, width))?)
    };
    let of_queries = lanes(q.tensor())?.unsqueeze(1)?;
    let dtype = product_type(arithmetic);
    let sequence =
        Sequence::new(&of_queries, &lanes(k.tensor())?, &lanes(v.tensor())?, false, dtype)?;
    let seen = back(&sequence.seen()?)?;
    let (out, inputs) = (seen.clone(), [q, k, v]);
    let dtypes = inputs.map(|x| x.tensor().dtype());
    Ok(Value::made(seen, &inputs, false, move |dy| {
        let wide = |x: &Tensor| -> Result<Tensor, Error> { Ok(lanes(x)?.unsqueeze(1)?) };
        let gradients = sequence.back(&wide(&dy.to_dtype(dtype)?)?, &wide(&out)?)?;
        let in_form = |(x, dtype): (Tensor, DType)| -> Result<Option<Gradient>, Error> {
            Ok(Some(back(&x)?.to_dtype(dtype)?.into()))
        };
        gradients.into_iter().zip(dtypes).map(in_form).collect()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_queries_see_what_all_together_see() {
        let random = |dims: &[usize]| Tensor::randn(0f32, 1f32, dims, &Device::Cpu).unwrap();
        for (causal, past) in [(true, 0), (true, 5), (false, 0)] {
            let q = random(&[2, 3, 13, 8]);
            let [k, v] = [(); 2].map(|()| random(&[2, 13 + past, 8]));
            let dout = random(&[2, 3, 13, 8]);
            let all = Sequence::new(&q, &k, &v, causal, DType::F32).unwrap();
            let few = Sequence {
                scores_max: 500,
                ..Sequence::new(&q, &k, &v, causal, DType::F32).unwrap()
            };
            assert_eq!(all.blocks().unwrap().len(), 1);
            assert!(few.blocks().unwrap().len() > 2);
            let out = all.seen().unwrap();
            let mut pairs = vec![(out.clone(), few.seen().unwrap())];
            let gradients = |of: &Sequence| of.back(&dout, &out).unwrap();
            pairs.extend(gradients(&all).into_iter().zip(gradients(&few)));
            for (one, other) in pairs {
                let off = (one - other).unwrap().abs().unwrap().max_all().unwrap();
                assert!(off.to_scalar::<f32>().unwrap() < 1e-5);
            }
        }
    }

    #[test]
    fn spans_side_by_side_see_what_each_alone_sees() {
        let random = |dims: &[usize]| Tensor::randn(0f32, 1f32, dims, &Device::Cpu).unwrap();
        let spans = vec![(0, 3), (3, 9), (12, 1), (13, 4), (17, 9)];
        let (q, dout) = (random(&[2, 3, 26, 8]), random(&[2, 3, 26, 8]));
        let [k, v] = [(); 2].map(|()| random(&[2, 26, 8]));
        let mut found = Vec::new();
        for (scores_max, groups) in [(1, 5), (6 * 81 * 3, 2), (1 << 20, 1)] {
            let all = Lanes::of(spans.clone(), 6, scores_max);
            assert_eq!(all.len(), groups);
            let [mut seen, mut dq, mut dk, mut dv] = [(); 4].map(|()| Vec::new());
            for lanes in &all {
                let (k, v) = (lanes.gather_keys(&k).unwrap(), lanes.gather_keys(&v).unwrap());
                let q = lanes.gather(&q).unwrap();
                let sequence = Sequence::new(&q, &k, &v, true, DType::F32).unwrap();
                let out = sequence.seen().unwrap();
                let [q, k, v] = sequence.back(&lanes.gather(&dout).unwrap(), &out).unwrap();
                seen.push(lanes.lay(&out, 2).unwrap());
                dq.push(lanes.lay(&q, 2).unwrap());
                dk.push(lanes.lay(&k.unsqueeze(1).unwrap(), 2).unwrap());
                dv.push(lanes.lay(&v.unsqueeze(1).unwrap(), 2).unwrap());
            }
            found.push([seen, dq, dk, dv].map(|laid| Lanes::scatter(&all, laid).unwrap()));
        }
        let [alone, two, one] = found.try_into().unwrap();
        for some in [two, one] {
            for (some, alone) in some.iter().zip(&alone) {
                let off = (some - alone).unwrap().abs().unwrap().max_all().unwrap();
                assert!(off.to_scalar::<f32>().unwrap() < 1e-5);
            }
        }
    }
}
