//! A stack of blocks, each attention and a two-layer MLP behind a norm: what both sides of every kind are made of.
//!
//! Deliberately absent: what goes in and what is taken from it (`towers`).

use candle_core::Tensor;
use ixc_model::load::Weights;
use ixc_nn::{
    activation::{gelu, quick_gelu},
    attention::{attention, views},
    graph::Value,
    linear::Linear,
    norm::LayerNorm,
    plora::Acting,
};

use crate::{
    Error,
    config::{Activation, Stack},
};

/// A norm with the epsilon that a configuration states.
pub(crate) fn norm(weights: &Weights, name: &str, stack: &Stack) -> Result<LayerNorm, Error> {
    Ok(LayerNorm {
        weight: weights.small(&format!("{name}.weight"), &[stack.width])?,
        bias: weights.small(&format!("{name}.bias"), &[stack.width])?,
        eps: stack.eps,
    })
}

/// Two layers with an activation between them.
pub(crate) struct Mlp {
    fc1: Linear,
    fc2: Linear,
    activation: Activation,
}

impl Mlp {
    pub(crate) fn load(weights: &Weights, stack: &Stack) -> Result<Self, Error> {
        Ok(Self {
            fc1: weights.linear_bias("fc1", stack.width, stack.inner)?,
            fc2: weights.linear_bias("fc2", stack.inner, stack.width)?,
            activation: stack.activation,
        })
    }

    /// (1, t, C) → (1, t, C), on top of `onto`.
    pub(crate) fn forward_onto(&self, x: &Value, onto: &Value) -> Result<Value, Error> {
        let acting = Acting::default();
        let inner = self.fc1.forward(x, &acting)?; // (1, t, inner)
        let inner = match self.activation {
            Activation::QuickGelu => quick_gelu(inner)?,
            Activation::Gelu => gelu(inner)?,
            Activation::GeluTanh => Value::plain(inner.tensor().gelu()?),
        };
        Ok(self.fc2.forward_onto(&inner, onto, &acting)?)
    }
}

struct Block {
    norm1: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm2: LayerNorm,
    mlp: Mlp,
}

/// The blocks of a tower.
pub(crate) struct Blocks {
    blocks: Vec<Block>,
    heads: usize,
    /// Whether a row sees only those before it and itself.
    causal: bool,
}

impl Blocks {
    pub(crate) fn load(weights: &Weights, stack: &Stack, causal: bool) -> Result<Self, Error> {
        let layers = weights.at("encoder.layers");
        let blocks =
            (0..stack.layers).map(|layer| Block::load(&layers.at(&layer.to_string()), stack));
        let blocks = blocks.collect::<Result<_, _>>()?;
        Ok(Self { blocks, heads: stack.heads, causal })
    }

    /// (1, t, C) → (1, t, C).
    pub(crate) fn forward(&self, x: Tensor) -> Result<Value, Error> {
        let mut x = Value::plain(x);
        for block in &self.blocks {
            x = block.forward(&x, self.heads, self.causal)?;
        }
        Ok(x)
    }
}

impl Block {
    fn load(weights: &Weights, stack: &Stack) -> Result<Self, Error> {
        let attention = weights.at("self_attn");
        let square = |name: &str| attention.linear_bias(name, stack.width, stack.width);
        Ok(Self {
            norm1: norm(weights, "layer_norm1", stack)?,
            q: square("q_proj")?,
            k: square("k_proj")?,
            v: square("v_proj")?,
            out: square("out_proj")?,
            norm2: norm(weights, "layer_norm2", stack)?,
            mlp: Mlp::load(&weights.at("mlp"), stack)?,
        })
    }

    fn forward(&self, x: &Value, heads: usize, causal: bool) -> Result<Value, Error> {
        let acting = Acting::default();
        let normed = self.norm1.forward(x)?;
        let layers = [&self.q, &self.k, &self.v];
        let [q, k, v] = Linear::forward_three(layers, &normed, &acting)?; // (1, t, C) each
        let arithmetic = self.q.arithmetic();
        let seen = if causal {
            let split = |x: &Value| by_head(x.tensor(), heads);
            let (q, k, v) = (split(&q)?.unsqueeze(1)?, split(&k)?, split(&v)?);
            Value::plain(attention(&q, &k, &v, true, arithmetic)?.unsqueeze(0)?)
        } else {
            views(q, k, v, heads, arithmetic)?
        }; // (1, t, C)
        let x = self.out.forward_onto(&seen, x, &acting)?;
        let normed = self.norm2.forward(&x)?;
        self.mlp.forward_onto(&normed, &x)
    }
}

/// (1, t, C) → (heads, t, C / heads).
pub(crate) fn by_head(x: &Tensor, heads: usize) -> Result<Tensor, Error> {
    let (_, rows, width) = x.dims3()?;
    Ok(x.reshape((rows, heads, width / heads))?.transpose(0, 1)?)
}
