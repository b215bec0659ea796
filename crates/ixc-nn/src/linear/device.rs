//! The linear layer on a device: candle's products, forth and back.
//!
//! Factors are float32 in exact arithmetic and bfloat16 otherwise, with sums of full precision within a product
//! and results of the factors' type. A frozen weight lies in that type and costs no gradient; trained ones are
//! float32 masters, converted for each pass, and so are their gradients, behind the product. An adapter acts on
//! all rows times a share that is 0 where it has none: image rows are nearly all of those that have any.
//! Deliberately absent: kernels of our own; a GPU's are candle's and cuBLAS's.

use candle_core::{DType, Device, Tensor};

use super::{Linear, array};
use crate::{
    Error,
    device::{product_type, sum_of_rows},
    graph::{Gradient, Value},
    plora::{Acting, Adapter},
    trained::Small,
};

/// What a layer's way back needs of its way forth.
struct Kept {
    layer: Linear,
    /// What it read, (n, inputs).
    x: Tensor,
    /// Of each adapter that acted.
    adapters: Vec<KeptAdapter>,
}

struct KeptAdapter {
    adapter: Adapter,
    /// Its scale on the rows it acts on, 0 elsewhere: (n, 1).
    share: Tensor,
    /// What noise left of each input: (n, inputs).
    noise: Option<Tensor>,
    /// Its inner rows, scaled: (n, rank).
    inner: Tensor,
}

/// The product of rows, (n, outputs) of the factors' type, and what its way back needs.
fn multiply(layer: &Linear, x: &Tensor, acting: &Acting) -> Result<(Tensor, Kept), Error> {
    let dtype = product_type(layer.arithmetic());
    let x = x.reshape(((), layer.weight().cols()))?.to_dtype(dtype)?.contiguous()?;
    let mut y = x.matmul(&layer.weight().factor(dtype)?.t()?)?; // (n, outputs)
    let mut adapters = Vec::new();
    for adapter in layer.active(acting) {
        let (share, noise) = shares(adapter, acting, &x)?;
        let seen = noisy(&x, noise.as_ref())?;
        let inner = seen.matmul(&adapter.a.factor(dtype)?.t()?)?.broadcast_mul(&share)?;
        y = (y + inner.matmul(&adapter.b.factor(dtype)?.t()?)?)?;
        adapters.push(KeptAdapter { adapter: adapter.clone(), share, noise, inner });
    }
    if let Some(bias) = &layer.0.bias {
        y = y.broadcast_add(&bias.tensor().to_dtype(dtype)?)?;
    }
    Ok((y, Kept { layer: layer.clone(), x, adapters }))
}

/// An adapter's scale on the rows it acts on, (n, 1), and what noise leaves of each number of its inputs.
fn shares(
    adapter: &Adapter,
    acting: &Acting,
    x: &Tensor,
) -> Result<(Tensor, Option<Tensor>), Error> {
    let (count, cols) = x.dims2()?;
    let rows = adapter.rows(acting, count);
    let mut share = vec![0f32; count];
    for run in rows.runs() {
        share[run.clone()].fill(adapter.scale as f32);
    }
    let there = |values, shape| -> Result<Tensor, Error> {
        let all = Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(x.dtype())?;
        Ok(all.to_device(x.device())?)
    };
    let noise = match adapter.strike(acting) {
        None => None,
        // Made where it is made for every device, so that it strikes the same numbers.
        Some(strike) => {
            let mut picked = vec![1f32; rows.count() * cols];
            strike.apply(&rows, &mut picked);
            let mut all = vec![0f32; count * cols];
            let mut picked = picked.as_slice();
            for run in rows.runs() {
                let (these, rest) = picked.split_at(run.len() * cols);
                all[run.start * cols..run.end * cols].copy_from_slice(these);
                picked = rest;
            }
            Some(there(all, (count, cols))?)
        }
    };
    Ok((there(share, (count, 1))?, noise))
}

fn noisy(x: &Tensor, noise: Option<&Tensor>) -> Result<Tensor, Error> {
    Ok(match noise {
        Some(noise) => (x * noise)?,
        None => x.clone(),
    })
}

impl Kept {
    /// Adds to the gradients of what is trained, and returns the gradient of the rows, if it is wanted. `dy` is
    /// (n, outputs).
    fn back(&self, dy: &Tensor, wanted: bool) -> Result<Option<Tensor>, Error> {
        let layer = &self.layer;
        if let Some(bias) = layer.0.bias.as_ref().and_then(Small::trained) {
            bias.add_tensor(sum_of_rows(&dy.to_dtype(DType::F32)?)?.into())?;
        }
        let dy = dy.to_dtype(self.x.dtype())?.contiguous()?;
        if let Some(weight) = layer.weight().trained() {
            weight.add_tensor(dy.t()?.matmul(&self.x)?.into())?;
        }
        let mut dx = match wanted {
            true => Some(dy.matmul(&layer.weight().factor(dy.dtype())?)?),
            false => None,
        };
        for kept in &self.adapters {
            let part = kept.back(&self.x, &dy, wanted)?;
            dx = match (dx, part) {
                (Some(dx), Some(part)) => Some((dx + part)?),
                _ => None,
            };
        }
        Ok(dx)
    }
}

impl KeptAdapter {
    fn back(&self, x: &Tensor, dy: &Tensor, wanted: bool) -> Result<Option<Tensor>, Error> {
        let Self { adapter: Adapter { a, b, .. }, share, noise, inner } = self;
        if let Some(b) = b.trained() {
            b.add_tensor(dy.t()?.matmul(inner)?.into())?;
        }
        if !wanted && a.trained().is_none() {
            return Ok(None);
        }
        let low = dy.matmul(&b.factor(dy.dtype())?)?.broadcast_mul(share)?; // (n, rank)
        if let Some(a) = a.trained() {
            a.add_tensor(low.t()?.matmul(&noisy(x, noise.as_ref())?)?.into())?;
        }
        if !wanted {
            return Ok(None);
        }
        Ok(Some(noisy(&low.matmul(&a.factor(dy.dtype())?)?, noise.as_ref())?))
    }
}

impl Linear {
    /// Layers over the same rows.
    pub(super) fn over_on_device<const N: usize>(
        layers: [&Self; N],
        x: &Value,
        acting: &Acting,
    ) -> Result<[Value; N], Error> {
        let outs = layers.iter().map(|layer| layer.on_device(x, acting));
        Ok(array(outs.collect::<Result<Vec<_>, _>>()?))
    }

    /// [`Linear::forward`] on a device: float32, whatever products are made of.
    fn on_device(&self, x: &Value, acting: &Acting) -> Result<Value, Error> {
        let (y, kept) = multiply(self, x.tensor(), acting)?;
        let mut dims = x.tensor().dims().to_vec();
        *dims.last_mut().expect("rows have an extent") = self.weight().rows();
        let y = y.to_dtype(DType::F32)?.reshape(dims)?;
        let (dims, dtype) = (x.tensor().dims().to_vec(), x.tensor().dtype());
        let (outputs, wanted) = (self.weight().rows(), x.wants_gradient());
        Ok(Value::made(y, &[x], self.learns(acting), move |dy| {
            let dx = kept.back(&dy.reshape(((), outputs))?, wanted)?;
            Ok(vec![shaped(dx, &dims, dtype)?])
        }))
    }

    /// [`Linear::gated`] on a device: of the type that products are made of.
    pub(super) fn gated_on_device(
        gate: &Self,
        up: &Self,
        x: &Value,
        acting: &Acting,
    ) -> Result<Value, Error> {
        let (gates, gate_kept) = multiply(gate, x.tensor(), acting)?;
        let (ups, up_kept) = multiply(up, x.tensor(), acting)?;
        let mut dims = x.tensor().dims().to_vec();
        *dims.last_mut().expect("rows have an extent") = gate.weight().rows();
        let out = (gates.silu()? * &ups)?.reshape(dims)?;
        let learns = gate.learns(acting) || up.learns(acting);
        let (dims, dtype, wanted) =
            (x.tensor().dims().to_vec(), x.tensor().dtype(), x.wants_gradient());
        Ok(Value::made(out, &[x], learns, move |dy| {
            let dy = dy.reshape(gates.shape())?.to_dtype(gates.dtype())?;
            let share = candle_nn::ops::sigmoid(&gates)?;
            let passed = (&gates * &share)?; // silu
            let dup = (&dy * &passed)?;
            // silu' = σ + silu · (1 − σ) = silu + σ · (1 − silu)
            let slope = (&passed + (&share * passed.affine(-1.0, 1.0)?)?)?;
            let dgate = ((dy * ups)? * slope)?;
            let dx = gate_kept.back(&dgate, wanted)?;
            let more = up_kept.back(&dup, wanted)?;
            let dx = match (dx, more) {
                (Some(dx), Some(more)) => Some((dx + more)?),
                _ => None,
            };
            Ok(vec![shaped(dx, &dims, dtype)?])
        }))
    }
}

/// A gradient in the form of what it is the gradient of.
fn shaped(dx: Option<Tensor>, dims: &[usize], dtype: DType) -> Result<Option<Gradient>, Error> {
    let dx =
        dx.map(|dx| -> Result<Gradient, Error> { Ok(dx.to_dtype(dtype)?.reshape(dims)?.into()) });
    dx.transpose()
}
