//! The vision tower: CLIP ViT-L/14, seen up to its last hidden state (paper, section 3.1).
//!
//! pixels → patches + class row + positions → norm → blocks → patches. The class row is dropped and
//! CLIP's last norm not applied, as published. Deliberately absent: pictures, tiling, the projector.

use std::sync::Arc;

use candle_core::{D, Tensor};
use ixc_nn::{
    Arithmetic,
    activation::quick_gelu,
    attention::views,
    graph::{Value, compose},
    interpolate::bicubic,
    linear::Linear,
    norm::LayerNorm,
    pass,
    plora::{Acting, ImageRows},
    rows::{cat, select},
    trained::Small,
};

use crate::{
    Error,
    config::{PATCH, VisionConfig},
    load::Weights,
    stage::{Observer, Stage, report},
    training::{self, Training},
};

/// Rows taken through the tower together: bounds the activations of a picture of many tiles. Four views of
/// the largest tile.
const ROWS_MAX: usize = 4 * 1601;

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
    class: Small,     // (C)
    patches: Linear,  // 3 · 14 · 14 → C
    positions: Small, // (1 + grid², C)
    norm: LayerNorm,
    blocks: Vec<Arc<Block>>,
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
        let stored = [config.stored_grid * config.stored_grid + 1, width];
        let positions = embeddings.small_as("position_embedding.weight", &stored, |table| {
            // An adapter's table may have been trained in the size in which it is used.
            resize_positions(&table, (table.dim(0)? - 1).isqrt(), config.grid())
        })?;
        let blocks = (0..config.layers)
            .map(|layer| Block::load(&weights.at(&format!("encoder.layers.{layer}")), config))
            .map(|block| Ok(Arc::new(block?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            class: embeddings.small("class_embedding", &[width])?,
            patches: embeddings.flattened("patch_embedding.weight", &[width, 3, PATCH, PATCH])?,
            positions,
            norm: weights.layer_norm("pre_layrnorm", width)?,
            blocks,
            grid: config.grid(),
        })
    }

    /// Whether any of its weights is trained.
    fn is_trained(&self) -> bool {
        let small = [&self.class, &self.positions, &self.norm.weight, &self.norm.bias];
        small.into_iter().any(|small| small.trained().is_some())
            || self.patches.is_trained()
            || self.blocks.iter().any(|block| block.is_trained())
    }

    /// Rows of a view within the tower.
    pub fn rows(&self) -> usize {
        1 + self.grid * self.grid
    }

    /// Looks at views: (views, 3, side, side) → (views, grid², C). `first` views went before in the step.
    ///
    /// # Errors
    /// When the views are not of the tower's size.
    pub fn forward(
        &self,
        pixels: &Tensor,
        training: Option<&Training>,
        first: usize,
        observe: &mut Observer,
    ) -> Result<Value, Error> {
        let _pass = pass();
        let views = pixels.dim(0)?;
        let most = (ROWS_MAX / self.rows()).max(1);
        let mut features = Vec::with_capacity(views.div_ceil(most));
        for start in (0..views).step_by(most) {
            let count = most.min(views - start);
            let pixels = pixels.narrow(0, start, count)?;
            let few = self.forward_few(&pixels, training, first + start, observe)?;
            features.push((few, 0..count));
        }
        let features = cat(&features)?; // (views, grid², C)
        report(observe, Stage::TowerOutput, features.tensor())?;
        Ok(features)
    }

    fn forward_few(
        &self,
        pixels: &Tensor,
        training: Option<&Training>,
        first: usize,
        observe: &mut Observer,
    ) -> Result<Value, Error> {
        let rows = self.rows();
        let acting = match training {
            Some(training) => training.acting(ImageRows::default(), first * rows),
            None => Acting::default(),
        };
        // A frozen tower is not recorded: it runs as in inference.
        let pixels = pixels.to_device(self.class.tensor().device())?;
        let pixels = unfold(&pixels, self.grid)?;
        let pixels = Value::given(pixels, training.is_some() && self.is_trained());
        let patches = self.patches.forward(&pixels, &acting)?; // (v, grid², C)
        let inputs = [&self.class.value(&patches), &patches, &self.positions.value(&patches)];
        let mut x = compose(inputs, |[class, patches, positions]| {
            let (views, _, width) = patches.dims3()?;
            let class = class.broadcast_as((views, 1, width))?; // (v, 1, C)
            Ok(Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&positions)?)
        })?;
        x = self.norm.forward(&x)?; // (v, 1 + grid², C)
        report(observe, Stage::TowerInput, x.tensor())?;
        for (layer, block) in self.blocks.iter().enumerate() {
            let (one, acting) = (block.clone(), acting.clone());
            let trained = block.is_trained();
            x = training::block(&x, trained, training, move |x| one.forward(x, &acting))?;
            report(observe, Stage::TowerLayer(layer), x.tensor())?;
        }
        let (views, width) = (x.tensor().dim(0)?, x.tensor().dim(D::Minus1)?);
        let patches: Vec<u32> =
            (0..(views * rows) as u32).filter(|row| row % rows as u32 != 0).collect();
        let patches = select(&x.reshape(&[views * rows, width])?, &patches)?;
        Ok(patches.reshape(&[views, rows - 1, width])?)
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

    fn is_trained(&self) -> bool {
        let norms = [&self.norm1, &self.norm2].into_iter().flat_map(|n| [&n.weight, &n.bias]);
        norms.into_iter().any(|small| small.trained().is_some())
            || [&self.q, &self.k, &self.v, &self.out, &self.fc1, &self.fc2]
                .into_iter()
                .any(Linear::is_trained)
    }

    /// (views, t, C) → (views, t, C).
    fn forward(&self, x: &Value, acting: &Acting) -> Result<Value, ixc_nn::Error> {
        let normed = self.norm1.forward(x)?;
        let seen = self.attend(&normed, acting)?;
        let x = self.out.forward_onto(&seen, x, acting)?;
        [seen, normed].into_iter().for_each(Value::recycle);
        let normed = self.norm2.forward(&x)?;
        let inner = quick_gelu(self.fc1.forward(&normed, acting)?)?; // (v, t, inner)
        normed.recycle();
        let out = self.fc2.forward_onto(&inner, &x, acting)?;
        [inner, x].into_iter().for_each(Value::recycle);
        Ok(out)
    }

    /// What each row sees, before the output layer: (views, t, C) → (views, t, C).
    fn attend(&self, x: &Value, acting: &Acting) -> Result<Value, ixc_nn::Error> {
        let layers = [&self.q, &self.k, &self.v];
        let [q, k, v] = Linear::forward_three(layers, x, acting)?; // (v, t, C) each
        views(q, k, v, self.heads, self.arithmetic) // (v, t, C)
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
