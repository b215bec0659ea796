//! The linear layer of candle's operations, and of candle's own way back: the plain twin in the tests, of the
//! kernels' and of a device's.
//!
//! Weights are widened to float32 each time, and candle makes a gradient for each of them.
//! Deliberately absent: speed.

use candle_core::{Device, Tensor};

use super::Linear;
use crate::{
    Error,
    graph::{Value, compose},
    plora::{Acting, Adapter},
};

impl Linear {
    /// [`Linear::forward`] of candle's operations.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn composed(&self, x: &Value, acting: &Acting) -> Result<Value, Error> {
        let weight = self.weight().value(x)?;
        let (inputs, outputs) = (self.weight().cols(), self.weight().rows());
        let mut dims = x.tensor().dims().to_vec();
        let rows = compose([x], |[x]| Ok(x.reshape(((), inputs))?))?;
        let mut y =
            compose([&rows, &weight], |[x, w]| Ok(x.matmul(&w.reshape((outputs, inputs))?.t()?)?))?;
        if let Some(bias) = &self.0.bias {
            y = compose([&y, &bias.value(x)], |[y, bias]| Ok(y.broadcast_add(&bias)?))?;
        }
        for adapter in self.active(acting) {
            let count = rows.tensor().dim(0)?;
            let share = share(adapter, acting, count)?.to_device(x.tensor().device())?;
            let (a, b) = (adapter.a.value(x)?, adapter.b.value(x)?);
            y = compose([&y, &rows, &a, &b], |[y, x, a, b]| {
                Ok((y + (x * share)?.matmul(&a.t()?)?.matmul(&b.t()?)?)?)
            })?;
        }
        *dims.last_mut().expect("rows have an extent") = outputs;
        compose([&y], |[y]| Ok(y.reshape(dims)?))
    }

    /// [`Linear::gated`] of candle's operations.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn composed_gated(
        gate: &Self,
        up: &Self,
        x: &Value,
        acting: &Acting,
    ) -> Result<Value, Error> {
        let (gate, up) = (gate.composed(x, acting)?, up.composed(x, acting)?);
        compose([&gate, &up], |[gate, up]| Ok((gate.silu()? * up)?))
    }
}

/// How much of each input an adapter sees: its scale, or that over the share that noise leaves; 0 on rows
/// that it does not act on and where noise strikes. (n, inputs)
fn share(adapter: &Adapter, acting: &Acting, count: usize) -> Result<Tensor, Error> {
    let cols = adapter.a.cols();
    let mut all = vec![0f32; count * cols];
    let rows = adapter.rows(acting, count);
    let mut picked = vec![adapter.scale as f32; rows.count() * cols];
    if let Some(strike) = adapter.strike(acting) {
        strike.apply(&rows, &mut picked);
    }
    let mut picked = picked.as_slice();
    for run in rows.runs() {
        let (these, rest) = picked.split_at(run.len() * cols);
        all[run.start * cols..run.end * cols].copy_from_slice(these);
        picked = rest;
    }
    Ok(Tensor::from_vec(all, (count, cols), &Device::Cpu)?)
}
