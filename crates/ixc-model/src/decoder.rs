//! The decoder: InternLM2 with Partial LoRA on every linear layer (paper, section 3.2).
//!
//! Rows of all sequences in a batch lie behind one another without padding; linear layers see them
//! together, attention sees each sequence alone with its own cache. So a batch equals its members.
//! The cache is optional: the same forward serves training.

use candle_core::{Device, Tensor};
use ixc_nn::{
    Arithmetic,
    activation::add,
    attention::{attention, attention_cached},
    cache::{KvCache, LayerCache},
    norm::RmsNorm,
    numbers::recycle,
    plora::{ImageRows, PLoraLinear},
    rope::{Rope, RopeTables},
};

use crate::{
    Error, ModelConfig,
    load::Weights,
    stage::{Observer, Stage, report},
};

/// One sequence's share of a batch: its new rows, and what came before them.
pub struct Sequence<'a> {
    /// How many rows of the batch are its.
    pub rows: usize,
    /// Its past, extended by the forward pass.
    pub cache: Option<&'a mut KvCache>,
}

/// Which rows a forward pass is for. All of them reach the caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Every row.
    All,
    /// The last row of each sequence: behind the last block's attention nothing else is computed.
    Last,
}

/// The rows that go on behind the last block's attention.
struct Wanted {
    rows: Tensor, // (sequences), indices
    images: ImageRows,
}

/// What stays the same through all blocks of one forward pass.
struct Pass<'a, 'b> {
    images: &'a ImageRows,
    batch: &'a mut [Sequence<'b>],
    /// Rotary tables of each sequence's new rows.
    tables: Vec<RopeTables>,
}

/// Grouped-query attention with rotary positions.
struct Attention {
    wqkv: PLoraLinear,
    wo: PLoraLinear,
    kv_heads: usize,
    group: usize,
    arithmetic: Arithmetic,
}

/// One decoder block.
struct Block {
    attention_norm: RmsNorm,
    attention: Attention,
    ffn_norm: RmsNorm,
    gate: PLoraLinear, // w1
    down: PLoraLinear, // w2
    up: PLoraLinear,   // w3
}

/// All blocks and the last norm.
pub struct Decoder {
    blocks: Vec<Block>,
    norm: RmsNorm,
    rope: Rope,
}

impl Decoder {
    /// Builds the decoder.
    ///
    /// # Errors
    /// When a tensor is missing or misshapen.
    pub fn load(weights: &Weights, config: &ModelConfig) -> Result<Self, Error> {
        let language = &config.language;
        let blocks = (0..language.layers)
            .map(|layer| Block::load(&weights.at(&format!("layers.{layer}")), config))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            blocks,
            norm: weights.rms_norm("norm", language.hidden, language.eps)?,
            rope: language.rope(),
        })
    }

    /// Runs a batch of rows, (n, hidden) → (n, hidden) or (sequences, hidden), extending the sequences'
    /// caches.
    ///
    /// # Errors
    /// When the sequences' rows do not add up to n.
    pub fn forward(
        &self,
        x: &Tensor,
        images: &ImageRows,
        batch: &mut [Sequence],
        outputs: Outputs,
        observe: &mut Observer,
    ) -> Result<Tensor, Error> {
        let tables = batch
            .iter()
            .map(|s| self.rope.tables(s.cache.as_ref().map_or(0, |cache| cache.len()), s.rows))
            .collect();
        let wanted = match outputs {
            Outputs::Last if batch.iter().any(|sequence| sequence.rows != 1) => {
                Some(Wanted::last(images, batch)?)
            }
            _ => None,
        };
        let mut pass = Pass { images, batch, tables };
        let _buffers = ixc_nn::pass();
        let mut x = x.clone(); // (n, hidden)
        for (layer, block) in self.blocks.iter().enumerate() {
            let wanted = wanted.as_ref().filter(|_| layer + 1 == self.blocks.len());
            x = block.forward(&x, layer, &mut pass, wanted)?;
            report(observe, Stage::DecoderLayer(layer), &x)?;
        }
        for sequence in pass.batch {
            if let Some(cache) = &mut sequence.cache {
                cache.advance(sequence.rows);
            }
        }
        let x = self.norm.forward(&x)?;
        report(observe, Stage::DecoderOutput, &x)?;
        Ok(x)
    }
}

impl Block {
    fn load(weights: &Weights, config: &ModelConfig) -> Result<Self, Error> {
        let language = &config.language;
        let linear = |index: usize| weights.plora_linear(index, config);
        Ok(Self {
            attention_norm: weights.rms_norm("attention_norm", language.hidden, language.eps)?,
            attention: Attention {
                wqkv: linear(0)?,
                wo: linear(1)?,
                kv_heads: language.kv_heads,
                group: language.heads / language.kv_heads,
                arithmetic: weights.arithmetic(),
            },
            ffn_norm: weights.rms_norm("ffn_norm", language.hidden, language.eps)?,
            gate: linear(2)?,
            down: linear(3)?,
            up: linear(4)?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        layer: usize,
        pass: &mut Pass,
        wanted: Option<&Wanted>,
    ) -> Result<Tensor, Error> {
        let normed = self.attention_norm.forward(x)?;
        let mut seen = self.attention.forward(&normed, layer, pass)?;
        recycle(normed);
        let (mut x, mut images) = (x.clone(), pass.images);
        if let Some(wanted) = wanted {
            x = x.index_select(&wanted.rows, 0)?;
            seen = seen.index_select(&wanted.rows, 0)?;
            images = &wanted.images;
        }
        x = add(self.attention.wo.forward(&seen, images)?, &x)?;
        recycle(seen);
        let normed = self.ffn_norm.forward(&x)?;
        let inner = PLoraLinear::gated(&self.gate, &self.up, &normed, images)?; // (n, inner)
        recycle(normed);
        let out = add(self.down.forward(&inner, images)?, &x)?;
        [inner, x].into_iter().for_each(recycle);
        Ok(out)
    }
}

impl Wanted {
    /// The last row of each sequence.
    fn last(images: &ImageRows, batch: &[Sequence]) -> Result<Self, Error> {
        let mut rows = Vec::with_capacity(batch.len());
        let mut end = 0;
        for sequence in batch {
            end += sequence.rows;
            rows.push(end.saturating_sub(1));
        }
        let is_image = |row: &usize| !images.within(*row..row + 1).is_empty();
        let images = ImageRows::from_mask(rows.iter().map(is_image));
        let rows: Vec<u32> = rows.into_iter().map(|row| row as u32).collect();
        Ok(Self { rows: Tensor::new(rows, &Device::Cpu)?, images })
    }
}

impl Attention {
    /// What each row sees, before the output layer: (n, hidden) → (n, heads · d).
    fn forward(&self, x: &Tensor, layer: usize, pass: &mut Pass) -> Result<Tensor, Error> {
        let qkv = self.wqkv.forward(x, pass.images)?; // (n, (heads + 2 kv) · d)
        let mut start = 0;
        let mut seen = Vec::with_capacity(pass.batch.len());
        for (sequence, tables) in pass.batch.iter_mut().zip(&pass.tables) {
            let rows = qkv.narrow(0, start, sequence.rows)?; // (t, (heads + 2 kv) · d)
            let cache = sequence.cache.as_mut().map(|cache| cache.layer(layer));
            seen.push(self.attend(&rows, cache, tables)?); // (t, heads · d)
            start += sequence.rows;
        }
        recycle(qkv);
        Ok(if seen.len() == 1 { seen.swap_remove(0) } else { Tensor::cat(&seen, 0)? })
    }

    /// One sequence: its packed rows, (t, kv · (group + 2) · d) → (t, heads · d).
    ///
    /// Each key head's rows are packed as its group of queries, then its key, then its value.
    fn attend(
        &self,
        rows: &Tensor,
        cache: Option<&mut LayerCache>,
        tables: &RopeTables,
    ) -> Result<Tensor, Error> {
        let (q, k, v) = tables.split(rows, self.kv_heads, self.group)?; // (kv, g, t, d), (kv, t, d)
        let seen = match cache {
            Some(cache) => {
                cache.append(&k, &v)?;
                attention_cached(&q, cache, self.arithmetic)?
            }
            None => attention(&q, &k, &v, true, self.arithmetic)?,
        };
        [q, k, v].into_iter().for_each(recycle);
        Ok(seen)
    }
}
