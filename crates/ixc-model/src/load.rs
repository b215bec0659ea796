//! From a checkpoint's tensors to layers.
//!
//! [`Weights`] hands out one tensor after another by its published name, checked against the shape
//! the configuration asks for, frozen or trained as its [`Plan`] says. Nothing is computed here.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use candle_core::Tensor;
use ixc_nn::{
    Arithmetic, Buffer, Matrix,
    device::Device,
    embedding::Embedding,
    inputs::{Inputs, Tally},
    linear::Linear,
    norm::{LayerNorm, RmsNorm},
    plora::{Adapter, Reach},
    trained::{Small, Trained, Weight},
    weights::{Checkpoint, Keep},
};

use crate::{
    Error, ModelConfig,
    parameters::{Lora, Parameter, Plan, site},
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
    device: Device,
    inputs: Option<Inputs>,
    prefix: String,
    plan: Rc<Plan>,
    /// Every linear layer's name so far.
    linears: Rc<RefCell<Vec<String>>>,
    /// What is trained, so far.
    trained: Rc<RefCell<Vec<Parameter>>>,
}

impl<'a> Weights<'a> {
    /// The top of a checkpoint; `keep` says in which precision matrices stay in memory, `arithmetic` what
    /// products with them are made of. Nothing is trained.
    pub fn new(checkpoint: &'a Checkpoint, keep: Keep, arithmetic: Arithmetic) -> Self {
        Self {
            checkpoint,
            keep,
            arithmetic,
            device: Device::default(),
            inputs: None,
            prefix: String::new(),
            plan: Rc::default(),
            linears: Rc::default(),
            trained: Rc::default(),
        }
    }

    /// The same, with layers that add what they are fed to these tallies.
    pub fn counting(self, inputs: &Inputs) -> Self {
        Self { inputs: Some(inputs.clone()), ..self }
    }

    /// The same, for a model that computes on this device.
    pub fn on(self, device: &Device) -> Self {
        Self { device: device.clone(), ..self }
    }

    /// Where the model computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Where the tensors are.
    pub fn checkpoint(&self) -> &'a Checkpoint {
        self.checkpoint
    }

    /// The same, trained as the plan says.
    pub fn training(self, plan: &Plan) -> Self {
        Self { plan: Rc::new(plan.clone()), ..self }
    }

    /// The weights handed out so far that are trained.
    ///
    /// # Errors
    /// When the plan has LoRA on layers that were not among them.
    pub fn parameters(&self) -> Result<Vec<Parameter>, Error> {
        let linears = self.linears.borrow();
        for target in self.plan.lora.iter().flat_map(|lora| &lora.targets) {
            let lora =
                Lora { targets: vec![target.clone()], ..self.plan.lora.clone().expect("one") };
            if !linears.iter().any(|linear| lora.targets(linear)) {
                return Err(Error::NoTarget { target: target.clone() });
            }
        }
        Ok(self.trained.borrow().clone())
    }

    /// The place `name` below this one.
    pub fn at(&self, name: &str) -> Self {
        Self { prefix: self.full(name), ..self.clone() }
    }

    fn full(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.into() } else { format!("{}.{name}", self.prefix) }
    }

    /// A small tensor as float32, frozen.
    ///
    /// # Errors
    /// When it is missing or has another shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        let (values, shape) = self.floats(&self.full(name), shape)?;
        Ok(Tensor::from_vec(values, shape, &candle_core::Device::Cpu)?)
    }

    /// A small tensor as float32, trained or frozen.
    ///
    /// # Errors
    /// As [`Weights::tensor`]; so for all below.
    pub fn small(&self, name: &str, shape: &[usize]) -> Result<Small, Error> {
        self.small_as(name, shape, Ok)
    }

    /// As [`Weights::small`], made by `make` of what is stored.
    pub fn small_as(
        &self,
        name: &str,
        shape: &[usize],
        make: impl FnOnce(Tensor) -> Result<Tensor, Error>,
    ) -> Result<Small, Error> {
        let tensor = make(self.tensor(name, shape)?)?;
        let full = self.full(name);
        if !self.plan.trains(&full) {
            return Ok(Small::Frozen(tensor).placed(&self.device)?);
        }
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        Ok(Small::Trained(self.trained(full, values, tensor.dims())?))
    }

    /// Remembers a weight that is trained.
    fn trained(&self, name: String, values: Vec<f32>, shape: &[usize]) -> Result<Trained, Error> {
        let trained = Trained::on(&self.device, values, shape)?;
        self.trained.borrow_mut().push(Parameter::new(name, trained.clone()));
        Ok(trained)
    }

    /// What products are made of.
    pub fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    fn weight(&self, name: &str, rows: usize, cols: usize) -> Result<Weight, Error> {
        let full = self.full(name);
        if self.plan.trains(&full) {
            let (values, _) = self.floats(&full, &[rows, cols])?;
            return Ok(Weight::Trained(self.trained(full, values, &[rows, cols])?));
        }
        if self.plan.stored.as_ref().is_some_and(|stored| stored.whole_shape(&full).is_some()) {
            let (values, _) = self.floats(&full, &[rows, cols])?;
            return self.frozen(&values, rows, cols);
        }
        let weight = self.placed(self.checkpoint.matrix(&full, rows, cols, self.keep)?)?;
        if matches!(weight, Weight::Resident(_)) {
            self.checkpoint.release(&full); // it was copied
        }
        Ok(weight)
    }

    /// A matrix that is not trained, where the model computes.
    fn placed(&self, matrix: Matrix) -> Result<Weight, Error> {
        Ok(Weight::from(matrix).placed(&self.device, self.arithmetic)?)
    }

    /// As above, of these numbers.
    fn frozen(&self, values: &[f32], rows: usize, cols: usize) -> Result<Weight, Error> {
        self.placed(Matrix::f32(rows, cols, Buffer::from_slice(values)))
    }

    /// A linear layer without bias.
    pub fn linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear, Error> {
        let weight = self.weight(&format!("{name}.weight"), outputs, inputs)?;
        self.layer(name, weight, None, Vec::new())
    }

    /// A linear layer with a bias.
    pub fn linear_bias(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear, Error> {
        let weight = self.weight(&format!("{name}.weight"), outputs, inputs)?;
        let bias = self.small(&format!("{name}.bias"), &[outputs])?;
        self.layer(name, weight, Some(bias), Vec::new())
    }

    /// A layer from its parts, with LoRA where the plan has it.
    fn layer(
        &self,
        name: &str,
        weight: Weight,
        bias: Option<Small>,
        mut adapters: Vec<Adapter>,
    ) -> Result<Linear, Error> {
        let full = self.full(name);
        if let Some(lora) = self.plan.lora.as_ref().filter(|lora| lora.targets(&full)) {
            adapters.push(self.lora(lora, &full, weight.cols(), weight.rows())?);
        }
        adapters.extend(self.stored_lora(&full)?);
        let tally = self.tally(&full, weight.cols());
        self.linears.borrow_mut().push(full);
        let layer = Linear::new(weight, bias, adapters, self.arithmetic)?;
        Ok(match tally {
            Some(tally) => layer.counting(tally),
            None => layer,
        })
    }

    /// Where a linear layer adds what it is fed, if that is asked for.
    fn tally(&self, linear: &str, inputs: usize) -> Option<Arc<Tally>> {
        self.inputs.as_ref().map(|tallies| tallies.tally(&format!("{linear}.weight"), inputs))
    }

    fn lora(
        &self,
        lora: &Lora,
        linear: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Adapter, Error> {
        let side = |side: char, shape: [usize; 2]| -> Result<Weight, Error> {
            let name = Lora::name(linear, side);
            let values = if side == 'A' {
                lora.first(&name, inputs)
            } else {
                vec![0.0; shape[0] * shape[1]]
            };
            if self.plan.trains(&name) {
                return Ok(Weight::Trained(self.trained(name, values, &shape)?));
            }
            self.frozen(&values, shape[0], shape[1])
        };
        Ok(Adapter {
            a: side('A', [lora.rank, inputs])?,
            b: side('B', [outputs, lora.rank])?,
            scale: lora.alpha / lora.rank as f64,
            reach: lora.reach,
            dropout: lora.dropout,
            site: site(&Lora::name(linear, 'A')),
            tallies: None,
        })
    }

    /// LoRA from a file, frozen, where it has some on this layer.
    fn stored_lora(&self, linear: &str) -> Result<Option<Adapter>, Error> {
        let Some(stored) = &self.plan.stored else { return Ok(None) };
        let Some(layer) = stored.layers().get(linear) else { return Ok(None) };
        let [a, b] = stored.lora(layer)?;
        Ok(Some(Adapter {
            a: self.frozen(&a, layer.rank, layer.inputs)?,
            b: self.frozen(&b, layer.outputs, layer.rank)?,
            scale: layer.scale,
            reach: Reach::All,
            dropout: 0.0,
            site: site(&Lora::name(linear, 'A')),
            tallies: None,
        }))
    }

    /// A tensor's numbers: the file's, or those that a stored adapter has in their place. With a shape of
    /// the adapter's own, which is another for a position table in the size in which it is used.
    fn floats(&self, full: &str, shape: &[usize]) -> Result<(Vec<f32>, Vec<usize>), Error> {
        if let Some(stored) = &self.plan.stored
            && let Some(shape) = stored.whole_shape(full)
        {
            return Ok((stored.whole(full)?, shape.into()));
        }
        Ok((self.checkpoint.floats(full, shape)?, shape.into()))
    }

    /// A tensor of more extents as a linear layer over all but the first: the patch embedding. It counts
    /// nothing: such a table is never quantised.
    pub fn flattened(&self, name: &str, shape: &[usize]) -> Result<Linear, Error> {
        let (outputs, inputs) = (shape[0], shape[1..].iter().product());
        let full = self.full(name);
        let (values, _) = self.floats(&full, shape)?;
        let weight = if self.plan.trains(&full) {
            Weight::Trained(self.trained(full, values, shape)?)
        } else {
            self.frozen(&values, outputs, inputs)?
        };
        Ok(Linear::new(weight, None, Vec::new(), self.arithmetic)?)
    }

    /// The token embeddings.
    pub fn embedding(
        &self,
        name: &str,
        vocabulary: usize,
        width: usize,
    ) -> Result<Embedding, Error> {
        Ok(Embedding::new(self.weight(&format!("{name}.weight"), vocabulary, width)?))
    }

    /// An RMSNorm.
    pub fn rms_norm(&self, name: &str, width: usize, eps: f64) -> Result<RmsNorm, Error> {
        Ok(RmsNorm { weight: self.small(&format!("{name}.weight"), &[width])?, eps })
    }

    /// A LayerNorm of the tower.
    pub fn layer_norm(&self, name: &str, width: usize) -> Result<LayerNorm, Error> {
        Ok(LayerNorm {
            weight: self.small(&format!("{name}.weight"), &[width])?,
            bias: self.small(&format!("{name}.bias"), &[width])?,
            eps: TOWER_EPS,
        })
    }

    /// Linear layer number `index` of [`LINEARS`] in a block, 4-bit or dense, with its adapters.
    pub fn plora_linear(&self, index: usize, config: &ModelConfig) -> Result<Linear, Error> {
        let (inputs, outputs) = tensors::linear_shapes(config)[index];
        let name = LINEARS[index];
        let tensor = format!("{name}.weight");
        let weight = if !config.gptq {
            self.weight(&tensor, outputs, inputs)?
        } else if self.plan.trains(&self.full(&tensor)) {
            return Err(Error::Untrainable { tensor: self.full(&tensor) });
        } else {
            self.placed(self.checkpoint.gptq_matrix(&self.full(name), outputs, inputs)?)?
        };
        let mut adapters = Vec::new();
        if let Some(plora) = &config.plora {
            let (rank, scale) = plora.ranks[index];
            let [a, b] = ["A", "B"].map(|side| format!("{name}.Plora_{side}"));
            let tallies = self.tally(&self.full(&a), inputs).zip(self.tally(&self.full(&b), rank));
            let [a, b] = [a, b].map(|side| format!("{side}.weight"));
            adapters.push(Adapter {
                site: site(&self.full(&a)),
                a: self.weight(&a, rank, inputs)?,
                b: self.weight(&b, outputs, rank)?,
                tallies: tallies.map(Into::into),
                scale,
                reach: Reach::Images,
                dropout: self.plan.plora_dropout,
            });
        }
        self.layer(name, weight, None, adapters)
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
