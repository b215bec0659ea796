//! The vision tower: CLIP ViT-L/14, seen up to its last hidden state (paper, section 3.1).
//!
//! pixels → patches + class row + positions → norm → blocks → patches. The class row is dropped and
//! CLIP's last norm not applied, as published. Deliberately absent: pictures, tiling, the projector.

use candle_core::{D, Tensor};
use ixc_nn::{
    Arithmetic,
    activation::{add, quick_gelu},
    attention::attention,
    interpolate::bicubic,
    linear::Linear,
    norm::LayerNorm,
    numbers::recycle,
    pass,
};

use crate::{
    Error,
    config::{PATCH, VisionConfig},
    load::Weights,
    stage::{Observer, Stage, report},
};

/// Views taken through the tower together: bounds the activations of a picture of many tiles.
const VIEWS_MAX: usize = 4;

/// One block: attention and a two-layer MLP, each behind a norm and added to its input.
struct Block {
    norm1: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
    arithmetic: Arithmetic,
}

/// The tower.
pub struct Tower {
    class: Tensor,     // (C)
    patches: Linear,   // 3 · 14 · 14 → C
    positions: Tensor, // (1 + grid², C)
    norm: LayerNorm,
    blocks: Vec<Block>,
    grid: usize,
}

impl Tower {
    /// Builds the tower; the stored position table is resized to the grid in use.
    ///
    /// # Errors
    /// When a tensor is missing or misshapen.
    pub fn load(weights: &Weights, config: &VisionConfig) -> Result<Self, Error> {
        let width = config.width;
        let embeddings = weights.at("embeddings");
        let stored = embeddings.tensor(
            "position_embedding.weight",
            &[config.stored_grid * config.stored_grid + 1, width],
        )?;
        let blocks = (0..config.layers)
            .map(|layer| Block::load(&weights.at(&format!("encoder.layers.{layer}")), config))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            class: embeddings.tensor("class_embedding", &[width])?,
            patches: embeddings.flattened("patch_embedding.weight", &[width, 3, PATCH, PATCH])?,
            positions: resize_positions(&stored, config.stored_grid, config.grid())?,
            norm: weights.layer_norm("pre_layrnorm", width)?,
            blocks,
            grid: config.grid(),
        })
    }

    /// Looks at views: (views, 3, side, side) → (views, grid², C).
    ///
    /// # Errors
    /// When the views are not of the tower's size.
    pub fn forward(&self, pixels: &Tensor, observe: &mut Observer) -> Result<Tensor, Error> {
        let _pass = pass();
        let views = pixels.dim(0)?;
        let mut features = Vec::with_capacity(views.div_ceil(VIEWS_MAX));
        for start in (0..views).step_by(VIEWS_MAX) {
            let pixels = pixels.narrow(0, start, VIEWS_MAX.min(views - start))?;
            features.push(self.forward_few(&pixels, observe)?);
        }
        let features = Tensor::cat(&features, 0)?; // (views, grid², C)
        report(observe, Stage::TowerOutput, &features)?;
        Ok(features)
    }

    fn forward_few(&self, pixels: &Tensor, observe: &mut Observer) -> Result<Tensor, Error> {
        let views = pixels.dim(0)?;
        let patches = self.patches.forward(&unfold(pixels, self.grid)?)?; // (v, grid², C)
        let width = patches.dim(2)?;
        let class = self.class.broadcast_as((views, 1, width))?; // (v, 1, C)
        let mut x = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.positions)?;
        x = self.norm.forward(&x)?; // (v, 1 + grid², C)
        report(observe, Stage::TowerInput, &x)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x)?;
            report(observe, Stage::TowerLayer(layer), &x)?;
        }
        Ok(x.narrow(1, 1, self.grid * self.grid)?)
    }
}

impl Block {
    fn load(weights: &Weights, config: &VisionConfig) -> Result<Self, Error> {
        let (width, inner) = (config.width, config.intermediate);
        let square = |name: &str| weights.linear_bias(&format!("self_attn.{name}"), width, width);
        Ok(Self {
            norm1: weights.layer_norm("layer_norm1", width)?,
            q: square("q_proj")?,
            k: square("k_proj")?,
            v: square("v_proj")?,
            out: square("out_proj")?,
            norm2: weights.layer_norm("layer_norm2", width)?,
            fc1: weights.linear_bias("mlp.fc1", width, inner)?,
            fc2: weights.linear_bias("mlp.fc2", inner, width)?,
            heads: config.heads(),
            arithmetic: weights.arithmetic(),
        })
    }

    /// (views, t, C) → (views, t, C).
    fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let normed = self.norm1.forward(x)?;
        let x = add(self.attend(&normed)?, x)?;
        recycle(normed);
        let normed = self.norm2.forward(&x)?;
        let inner = quick_gelu(self.fc1.forward(&normed)?)?; // (v, t, inner)
        recycle(normed);
        let out = add(self.fc2.forward(&inner)?, &x)?;
        [inner, x].into_iter().for_each(recycle);
        Ok(out)
    }

    fn attend(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (_, count, width) = x.dims3()?;
        let [q, k, v] = Linear::forward_three([&self.q, &self.k, &self.v], x)?; // (v, t, C) each
        let mut views = Vec::with_capacity(x.dim(0)?);
        for view in 0..x.dim(0)? {
            let heads = |rows: &Tensor| -> Result<Tensor, Error> {
                let rows = rows.get(view)?.reshape((count, self.heads, width / self.heads))?;
                Ok(rows.transpose(0, 1)?) // (heads, t, d)
            };
            let q = heads(&q)?.unsqueeze(1)?; // (heads, 1, t, d)
            views.push(attention(&q, &heads(&k)?, &heads(&v)?, false, self.arithmetic)?); // (t, C)
        }
        [q, k, v].into_iter().for_each(recycle);
        let seen = Tensor::stack(&views, 0)?; // (v, t, C)
        let out = self.out.forward(&seen)?;
        recycle(seen);
        Ok(out)
    }
}

/// Cuts views into patches: (v, 3, side, side) → (v, grid², 3 · 14 · 14).
fn unfold(pixels: &Tensor, grid: usize) -> Result<Tensor, Error> {
    let views = pixels.dim(0)?;
    let patches = pixels
        .contiguous()?
        .reshape(vec![views, 3, grid, PATCH, grid, PATCH])?
        .permute(vec![0, 2, 4, 1, 3, 5])?; // (v, grid, grid, 3, 14, 14)
    Ok(patches.reshape((views, grid * grid, 3 * PATCH * PATCH))?)
}

/// Resizes a position table, class row untouched: (1 + from², C) → (1 + to², C).
///
/// # Errors
/// When the table is not 1 + from² rows.
pub fn resize_positions(table: &Tensor, from: usize, to: usize) -> Result<Tensor, Error> {
    if from == to {
        return Ok(table.clone());
    }
    let width = table.dim(D::Minus1)?;
    let class = table.narrow(0, 0, 1)?;
    let planes = table.narrow(0, 1, from * from)?.t()?.reshape((width, from, from))?; // (C, f, f)
    let resized = bicubic(&planes.contiguous()?, to, to)?.reshape((width, to * to))?.t()?; // (to², C)
    Ok(Tensor::cat(&[class, resized.contiguous()?], 0)?)
}
