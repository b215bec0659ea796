//! The two sides of each kind: what goes into the blocks, and which of their rows is the vector.
//!
//! CLIP's text is its last row (the end marker, which sees all before it), its picture the class row; each behind a
//! norm and a projection. SigLIP's text is the last row of a text filled up to a fixed length, its picture what a
//! learned question gets when it attends to the patches. Deliberately absent: ids and pixels.

use candle_core::{Device, Tensor};
use ixc_model::load::Weights;
use ixc_nn::{
    embedding::Embedding, graph::Value, linear::Linear, norm::LayerNorm, pass, plora::Acting,
    rows::select,
};

use crate::{
    Error, Kind,
    config::{Config, Stack},
    tower::{Blocks, Mlp, by_head, norm},
};

/// Texts.
pub(crate) struct TextTower {
    words: Embedding,
    positions: Tensor, // (positions, C)
    blocks: Blocks,
    norm: LayerNorm,
    out: Linear, // C → dimensions
}

impl TextTower {
    pub(crate) fn load(weights: &Weights, config: &Config) -> Result<Self, Error> {
        let (text, clip) = (&config.text, config.kind == Kind::Clip);
        let (width, dimensions) = (text.stack.width, config.dimensions);
        let model = weights.at("text_model");
        let embeddings = model.at("embeddings");
        Ok(Self {
            words: embeddings.embedding("token_embedding", text.vocabulary, width)?,
            positions: embeddings.tensor("position_embedding.weight", &[text.positions, width])?,
            blocks: Blocks::load(&model, &text.stack, clip)?,
            norm: norm(&model, "final_layer_norm", &text.stack)?,
            out: if clip {
                weights.linear("text_projection", width, dimensions)?
            } else {
                model.linear_bias("head", width, dimensions)?
            },
        })
    }

    /// Ids, at most as many as there are positions → the vector.
    pub(crate) fn forward(&self, ids: &[u32]) -> Result<Vec<f32>, Error> {
        let _pass = pass();
        let words = self.words.forward(ids, false)?; // (t, C)
        let x = (words.tensor() + self.positions.narrow(0, 0, ids.len())?)?;
        let x = self.blocks.forward(x.unsqueeze(0)?)?; // (1, t, C)
        // A norm is of each row: only the one that is wanted needs it.
        let last = row(&x, ids.len() - 1)?; // (1, C)
        out(&self.out.forward(&self.norm.forward(&last)?, &Acting::default())?)
    }
}

/// Pictures.
pub(crate) struct VisionTower {
    patches: Linear, // 3 · p · p → C
    /// CLIP's class row, (1, C), and the norm behind the positions.
    class: Option<(Tensor, LayerNorm)>,
    /// SigLIP's bias of the patches, (C).
    bias: Option<Tensor>,
    positions: Tensor, // (rows, C)
    blocks: Blocks,
    norm: LayerNorm,
    end: End,
    side: usize,
    patch: usize,
}

/// From rows to the vector.
enum End {
    Projection(Linear),
    Head(Head),
}

impl VisionTower {
    pub(crate) fn load(weights: &Weights, config: &Config) -> Result<Self, Error> {
        let (vision, clip) = (&config.vision, config.kind == Kind::Clip);
        let (width, patch) = (vision.stack.width, vision.patch);
        let model = weights.at("vision_model");
        let embeddings = model.at("embeddings");
        let rows = vision.grid().pow(2) + usize::from(clip);
        let class = if clip {
            let class = embeddings.tensor("class_embedding", &[width])?.unsqueeze(0)?;
            Some((class, norm(&model, "pre_layrnorm", &vision.stack)?)) // named so in the files
        } else {
            None
        };
        let bias = (!clip).then(|| embeddings.tensor("patch_embedding.bias", &[width]));
        Ok(Self {
            patches: embeddings.flattened("patch_embedding.weight", &[width, 3, patch, patch])?,
            class,
            bias: bias.transpose()?,
            positions: embeddings.tensor("position_embedding.weight", &[rows, width])?,
            blocks: Blocks::load(&model, &vision.stack, false)?,
            norm: norm(&model, "post_layernorm", &vision.stack)?,
            end: if clip {
                End::Projection(weights.linear("visual_projection", width, config.dimensions)?)
            } else {
                End::Head(Head::load(&model.at("head"), &vision.stack)?)
            },
            side: vision.side as usize,
            patch,
        })
    }

    /// (3, side, side) → the vector.
    pub(crate) fn forward(&self, pixels: Vec<f32>) -> Result<Vec<f32>, Error> {
        let _pass = pass();
        let (side, patch) = (self.side, self.patch);
        let grid = side / patch;
        // Pixels beyond the last whole patch are not seen, as published.
        let seen = grid * patch;
        let pixels = Tensor::from_vec(pixels, (3, side, side), &Device::Cpu)?;
        let pixels = pixels.narrow(1, 0, seen)?.narrow(2, 0, seen)?.contiguous()?;
        let pixels = pixels.reshape((3, grid, patch, grid, patch))?.permute((1, 3, 0, 2, 4))?;
        let pixels = pixels.reshape((grid * grid, 3 * patch * patch))?;
        let acting = Acting::default();
        let mut rows = self.patches.forward(&Value::plain(pixels), &acting)?.into_tensor(); // (grid², C)
        if let Some(bias) = &self.bias {
            rows = rows.broadcast_add(bias)?;
        }
        if let Some((class, _)) = &self.class {
            rows = Tensor::cat(&[class, &rows], 0)?; // (1 + grid², C)
        }
        let mut x = (rows + &self.positions)?.unsqueeze(0)?;
        if let Some((_, norm)) = &self.class {
            x = norm.forward(&Value::plain(x))?.into_tensor();
        }
        let x = self.blocks.forward(x)?; // (1, rows, C)
        match &self.end {
            End::Projection(projection) => {
                let class = self.norm.forward(&row(&x, 0)?)?; // (1, C)
                out(&projection.forward(&class, &acting)?)
            }
            End::Head(head) => head.forward(&self.norm.forward(&x)?),
        }
    }
}

/// SigLIP's head: a learned question attends to all patches, and an MLP follows.
struct Head {
    probe: Tensor, // (1, 1, C)
    q: Tensor,     // (C, C), transposed; so are the others
    k: Tensor,
    v: Tensor,
    biases: [Tensor; 3], // (C)
    out: Linear,
    norm: LayerNorm,
    mlp: Mlp,
    heads: usize,
}

impl Head {
    fn load(weights: &Weights, stack: &Stack) -> Result<Self, Error> {
        let width = stack.width;
        let attention = weights.at("attention");
        let stored = attention.tensor("in_proj_weight", &[3 * width, width])?;
        let bias = attention.tensor("in_proj_bias", &[3 * width])?;
        let part = |part: usize| stored.narrow(0, part * width, width)?.t();
        let of_bias = |part: usize| bias.narrow(0, part * width, width);
        Ok(Self {
            probe: weights.tensor("probe", &[1, 1, width])?,
            q: part(0)?,
            k: part(1)?,
            v: part(2)?,
            biases: [of_bias(0)?, of_bias(1)?, of_bias(2)?],
            out: attention.linear_bias("out_proj", width, width)?,
            norm: norm(weights, "layernorm", stack)?,
            mlp: Mlp::load(&weights.at("mlp"), stack)?,
            heads: stack.heads,
        })
    }

    /// (1, rows, C) → the vector.
    fn forward(&self, x: &Value) -> Result<Vec<f32>, Error> {
        let [of_q, of_k, of_v] = &self.biases;
        let rows = x.tensor().squeeze(0)?; // (rows, C)
        let project = |x: &Tensor, weight: &Tensor, bias: &Tensor| -> Result<Tensor, Error> {
            by_head(&x.matmul(weight)?.broadcast_add(bias)?.unsqueeze(0)?, self.heads)
        };
        let q = project(&self.probe.squeeze(0)?, &self.q, of_q)?; // (heads, 1, d)
        let (k, v) = (project(&rows, &self.k, of_k)?, project(&rows, &self.v, of_v)?); // (heads, rows, d)
        let (q, k, v) = (q.contiguous()?, k.contiguous()?, v.contiguous()?);
        let seen =
            ixc_nn::attention::attention(&q.unsqueeze(1)?, &k, &v, false, self.out.arithmetic())?; // (1, C)
        let seen = self.out.forward(&Value::plain(seen.unsqueeze(0)?), &Acting::default())?; // (1, 1, C)
        out(&self.mlp.forward_onto(&self.norm.forward(&seen)?, &seen)?)
    }
}

/// (1, t, C) → (1, C).
fn row(x: &Value, row: usize) -> Result<Value, Error> {
    let (_, rows, width) = x.tensor().dims3()?;
    Ok(select(&x.reshape(&[rows, width])?, &[row as u32])?)
}

fn out(x: &Value) -> Result<Vec<f32>, Error> {
    Ok(x.tensor().flatten_all()?.to_vec1()?)
}
