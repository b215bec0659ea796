//! The decoder: InternLM2 with Partial LoRA on every linear layer (paper, section 3.2).
//!
//! Rows of all sequences in a batch lie behind one another without padding; linear layers see them
//! together, attention sees each sequence alone with its own cache. So a batch equals its members.
//! The cache is optional: the same forward serves training, where blocks may be kept as their inputs alone.

use std::sync::Arc;

use ixc_nn::{
    Arithmetic,
    attention::{Span, packed},
    cache::KvCache,
    graph::Value,
    linear::Linear,
    norm::RmsNorm,
    plora::{Acting, ImageRows},
    rope::{Rope, RopeTables},
    rows::select,
};

use crate::{
    Error, ModelConfig,
    load::Weights,
    stage::{Observer, Stage, report},
    training::{self, Training},
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
pub enum Outputs<'a> {
    /// Every row.
    All,
    /// The last row of each sequence: behind the last block's attention nothing else is computed.
    Last,
    /// As above, some rows, ascending.
    Rows(&'a [u32]),
}

/// The rows that go on behind the last block's attention.
struct Wanted {
    rows: Vec<u32>,
    acting: Acting,
}

/// What stays the same through all blocks of one forward pass.
struct Pass {
    acting: Acting,
    /// Rows of each sequence.
    lengths: Vec<usize>,
    /// Rotary tables of all rows.
    tables: RopeTables,
    wanted: Option<Wanted>,
}

/// Grouped-query attention with rotary positions.
struct Attention {
    wqkv: Linear,
    wo: Linear,
    kv_heads: usize,
    group: usize,
    arithmetic: Arithmetic,
}

/// One decoder block.
struct Block {
    attention_norm: RmsNorm,
    attention: Attention,
    ffn_norm: RmsNorm,
    gate: Linear, // w1
    down: Linear, // w2
    up: Linear,   // w3
    is_last: bool,
}

/// All blocks and the last norm.
pub struct Decoder {
    blocks: Vec<Arc<Block>>,
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
            .map(|layer| Ok(Arc::new(Block::load(weights, layer, config)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            blocks,
            norm: weights.rms_norm("norm", language.hidden, language.eps)?,
            rope: language.rope(),
        })
    }

    /// Runs a batch of rows, (n, hidden) → (n, hidden) or those wanted, extending the sequences' caches.
    ///
    /// # Errors
    /// When the sequences' rows do not add up to n.
    pub fn forward(
        &self,
        x: &Value,
        images: ImageRows,
        batch: &mut [Sequence],
        outputs: Outputs,
        training: Option<&Training>,
        observe: &mut Observer,
    ) -> Result<Value, Error> {
        let pass = Arc::new(self.pass(images, batch, outputs, training));
        let _buffers = ixc_nn::pass();
        let mut x = x.clone(); // (n, hidden)
        for (layer, block) in self.blocks.iter().enumerate() {
            x = if batch.iter().any(|sequence| sequence.cache.is_some()) {
                block.forward(&x, &pass, &mut Sequence::spans(batch, layer))?
            } else {
                let (one, learns) = (block.clone(), block.learns(&pass.acting));
                let pass = pass.clone();
                training::block(&x, learns, training, move |x| {
                    one.forward(x, &pass, &mut pass.spans())
                })?
            };
            report(observe, Stage::DecoderLayer(layer), x.tensor())?;
        }
        for sequence in batch {
            if let Some(cache) = &mut sequence.cache {
                cache.advance(sequence.rows);
            }
        }
        let x = self.norm.forward(&x)?;
        report(observe, Stage::DecoderOutput, x.tensor())?;
        Ok(x)
    }

    fn pass(
        &self,
        images: ImageRows,
        batch: &[Sequence],
        outputs: Outputs,
        training: Option<&Training>,
    ) -> Pass {
        let acting = |images, first: fn(&Training) -> usize| match training {
            Some(training) => training.acting(images, first(training)),
            None => Acting::from(images),
        };
        let rows = match outputs {
            Outputs::Last if batch.iter().any(|sequence| sequence.rows != 1) => Some(ends(batch)),
            Outputs::Rows(rows) => Some(rows.to_vec()),
            _ => None,
        };
        let wanted = rows.map(|rows| {
            let is_image = |&row: &u32| !images.within(row as usize..row as usize + 1).is_empty();
            let images = ImageRows::from_mask(rows.iter().map(is_image));
            Wanted { rows, acting: acting(images, |training| training.done.words) }
        });
        let past = |sequence: &Sequence| sequence.cache.as_ref().map_or(0, |cache| cache.len());
        Pass {
            lengths: batch.iter().map(|sequence| sequence.rows).collect(),
            tables: self.rope.tables(batch.iter().map(|s| (past(s), s.rows))),
            acting: acting(images, |training| training.done.rows),
            wanted,
        }
    }
}

/// The last row of each sequence.
fn ends(batch: &[Sequence]) -> Vec<u32> {
    let mut end = 0;
    let ends = batch.iter().map(|sequence| {
        end += sequence.rows;
        end.saturating_sub(1) as u32
    });
    ends.collect()
}

impl Sequence<'_> {
    /// The sequences' shares of one layer.
    fn spans<'a>(batch: &'a mut [Sequence], layer: usize) -> Vec<Span<'a>> {
        let spans = batch.iter_mut().map(|Sequence { rows, cache }| Span {
            rows: *rows,
            past: cache.as_mut().map(|cache| cache.layer(layer)),
        });
        spans.collect()
    }
}

impl Pass {
    /// The sequences' shares of a layer, without a past.
    fn spans(&self) -> Vec<Span<'static>> {
        self.lengths.iter().map(|&rows| Span { rows, past: None }).collect()
    }
}

impl Block {
    fn load(weights: &Weights, layer: usize, config: &ModelConfig) -> Result<Self, Error> {
        let (language, weights) = (&config.language, weights.at(&format!("layers.{layer}")));
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
            is_last: layer + 1 == language.layers,
        })
    }

    /// Whether a pass has something to teach it.
    fn learns(&self, acting: &Acting) -> bool {
        let Self { attention: Attention { wqkv, wo, .. }, gate, down, up, .. } = self;
        [&self.attention_norm, &self.ffn_norm].into_iter().any(|n| n.weight.trained().is_some())
            || [wqkv, wo, gate, down, up].into_iter().any(|linear| linear.learns(acting))
    }

    /// (n, hidden) → (n, hidden), or the rows wanted behind the last block.
    fn forward(&self, x: &Value, pass: &Pass, spans: &mut [Span]) -> Result<Value, ixc_nn::Error> {
        let normed = self.attention_norm.forward(x)?;
        let mut seen = self.attention.forward(&normed, pass, spans)?;
        normed.recycle();
        let (mut x, mut acting) = (x.clone(), &pass.acting);
        if let Some(wanted) = pass.wanted.as_ref().filter(|_| self.is_last) {
            x = select(&x, &wanted.rows)?;
            seen = select(&seen, &wanted.rows)?;
            acting = &wanted.acting;
        }
        x = self.attention.wo.forward_onto(&seen, &x, acting)?;
        seen.recycle();
        let normed = self.ffn_norm.forward(&x)?;
        let inner = Linear::gated(&self.gate, &self.up, &normed, acting)?; // (n, inner)
        normed.recycle();
        let out = self.down.forward_onto(&inner, &x, acting)?;
        [inner, x].into_iter().for_each(Value::recycle);
        Ok(out)
    }
}

impl Attention {
    /// What each row sees, before the output layer: (n, hidden) → (n, heads · d).
    fn forward(&self, x: &Value, pass: &Pass, spans: &mut [Span]) -> Result<Value, ixc_nn::Error> {
        let qkv = self.wqkv.forward(x, &pass.acting)?; // (n, (heads + 2 kv) · d)
        packed(qkv, &pass.tables, self.kv_heads, self.group, spans, self.arithmetic)
    }
}
