//! From a checkpoint's tensors to layers.
//!
//! [`Weights`] hands out one tensor after another by its published name, checked against the shape
//! the configuration asks for. Nothing is computed here.

use candle_core::{Device, Tensor};
use ixc_nn::{
    Arithmetic, Buffer, Matrix,
    embedding::Embedding,
    inputs::Inputs,
    linear::Linear,
    norm::{LayerNorm, RmsNorm},
    plora::{Adapter, PLoraLinear},
    weights::{Checkpoint, Keep},
};

use crate::{
    Error, ModelConfig,
    tensors::{self, LINEARS},
};

/// LayerNorm's epsilon in CLIP, not stated in any published configuration.
const TOWER_EPS: f64 = 1e-5;

/// A place within a checkpoint's names.
#[derive(Clone)]
pub struct Weights<'a> {
    checkpoint: &'a Checkpoint,
    keep: Keep,
    arithmetic: Arithmetic,
    inputs: Option<Inputs>,
    prefix: String,
}

impl<'a> Weights<'a> {
    /// The top of a checkpoint; `keep` says in which precision matrices stay in memory, `arithmetic` what
    /// products with them are made of.
    pub fn new(checkpoint: &'a Checkpoint, keep: Keep, arithmetic: Arithmetic) -> Self {
        Self { checkpoint, keep, arithmetic, inputs: None, prefix: String::new() }
    }

    /// The same, with layers that add what they are fed to these tallies.
    pub fn counting(self, inputs: &Inputs) -> Self {
        Self { inputs: Some(inputs.clone()), ..self }
    }

    /// Where the tensors are.
    pub fn checkpoint(&self) -> &'a Checkpoint {
        self.checkpoint
    }

    /// The place `name` below this one.
    pub fn at(&self, name: &str) -> Self {
        Self { prefix: self.full(name), ..self.clone() }
    }

    fn full(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.into() } else { format!("{}.{name}", self.prefix) }
    }

    /// A small tensor as float32.
    ///
    /// # Errors
    /// When it is missing or has another shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        let values = self.checkpoint.floats(&self.full(name), shape)?;
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// What products are made of.
    pub fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    fn matrix(&self, name: &str, rows: usize, cols: usize) -> Result<Matrix, Error> {
        Ok(self.checkpoint.matrix(&self.full(name), rows, cols, self.keep)?)
    }

    /// A linear layer without bias.
    ///
    /// # Errors
    /// As [`Weights::tensor`]; so for all below.
    pub fn linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear, Error> {
        self.layer(name, self.matrix(&format!("{name}.weight"), outputs, inputs)?, None)
    }

    /// A linear layer of its parts.
    fn layer(&self, name: &str, weight: Matrix, bias: Option<Tensor>) -> Result<Linear, Error> {
        let tally = self
            .inputs
            .as_ref()
            .map(|inputs| inputs.tally(&format!("{}.weight", self.full(name)), weight.cols()));
        let layer = Linear::new(weight, bias, self.arithmetic)?;
        Ok(match tally {
            Some(tally) => layer.counting(tally),
            None => layer,
        })
    }

    /// A linear layer with a bias.
    pub fn linear_bias(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear, Error> {
        let weight = self.matrix(&format!("{name}.weight"), outputs, inputs)?;
        let bias = self.tensor(&format!("{name}.bias"), &[outputs])?;
        self.layer(name, weight, Some(bias))
    }

    /// A tensor of more extents as a linear layer over all but the first: the patch embedding. It counts
    /// nothing: such a table is never quantised.
    pub fn flattened(&self, name: &str, shape: &[usize]) -> Result<Linear, Error> {
        let (outputs, inputs) = (shape[0], shape[1..].iter().product());
        let values = self.checkpoint.floats(&self.full(name), shape)?;
        let weight = Matrix::f32(outputs, inputs, Buffer::from_slice(&values));
        Ok(Linear::new(weight, None, self.arithmetic)?)
    }

    /// The token embeddings.
    pub fn embedding(
        &self,
        name: &str,
        vocabulary: usize,
        width: usize,
    ) -> Result<Embedding, Error> {
        Ok(Embedding::new(self.matrix(&format!("{name}.weight"), vocabulary, width)?))
    }

    /// An RMSNorm.
    pub fn rms_norm(&self, name: &str, width: usize, eps: f64) -> Result<RmsNorm, Error> {
        Ok(RmsNorm { weight: self.tensor(&format!("{name}.weight"), &[width])?, eps })
    }

    /// A LayerNorm of the tower.
    pub fn layer_norm(&self, name: &str, width: usize) -> Result<LayerNorm, Error> {
        Ok(LayerNorm {
            weight: self.tensor(&format!("{name}.weight"), &[width])?,
            bias: self.tensor(&format!("{name}.bias"), &[width])?,
            eps: TOWER_EPS,
        })
    }

    /// Linear layer number `index` of [`LINEARS`] in a block, 4-bit or dense, with its adapter.
    pub fn plora_linear(&self, index: usize, config: &ModelConfig) -> Result<PLoraLinear, Error> {
        let (inputs, outputs) = tensors::linear_shapes(config)[index];
        let name = LINEARS[index];
        let base = if config.gptq {
            self.layer(name, self.checkpoint.gptq_matrix(&self.full(name), outputs, inputs)?, None)?
        } else {
            self.linear(name, inputs, outputs)?
        };
        let adapter = match &config.plora {
            Some(plora) => {
                let (rank, scale) = plora.ranks[index];
                Some(Adapter {
                    a: self.linear(&format!("{name}.Plora_A"), inputs, rank)?,
                    b: self.linear(&format!("{name}.Plora_B"), rank, outputs)?,
                    scale,
                })
            }
            None => None,
        };
        Ok(PLoraLinear { base, adapter })
    }
}

/// Checks that every tensor of the model is there before the first is read.
///
/// # Errors
/// When some are missing: how many, and the first.
pub fn check_complete(config: &ModelConfig, checkpoint: &Checkpoint) -> Result<(), Error> {
    let missing: Vec<String> = tensors::expected(config)
        .into_iter()
        .flat_map(|tensor| tensors::stored_names(&tensor))
        .filter(|name| checkpoint.info(name).is_none())
        .collect();
    match missing.first() {
        Some(first) => Err(Error::MissingTensors { count: missing.len(), first: first.clone() }),
        None => Ok(()),
    }
}
