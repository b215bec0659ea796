//! Which tensors a recipe trains, each with its rate and its weight decay.
//!
//! A pure function of the recipe and the model's tensors: what is not in the list is frozen, and there is
//! no other switch. Parameters have their published names; LoRA's are those of PEFT below the layer's
//! (`model.layers.0.attention.wqkv.lora_A.weight`). Weight decay acts on matrices alone, as is usual: not on
//! norms, biases, the class row, and the newline and separator vectors.
//! Deliberately absent: the numbers themselves.

use ixc_model::{
    ModelConfig,
    tensors::{self, ExpectedTensor, GLB_GN, LINEARS, Part, SUB_GN, TOWER},
};

use crate::{
    Error,
    recipe::{Kind, Recipe},
};

/// One tensor that is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its published name, or LoRA's.
    pub name: String,
    /// Extents, slowest first.
    pub shape: Vec<usize>,
    /// To what it belongs.
    pub group: Group,
    /// Times the schedule's rate is its own.
    pub lr_scale: f64,
    /// AdamW's decoupled weight decay.
    pub weight_decay: f64,
}

/// What a trained tensor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// A part of the model.
    Model(Part),
    /// LoRA.
    Lora,
}

impl Group {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model(part) => part.name(),
            Self::Lora => "LoRA",
        }
    }
}

/// A group of parameters, as a person wants to see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Which.
    pub group: Group,
    /// Tensors in it.
    pub tensors: usize,
    /// Numbers in them.
    pub numbers: usize,
    /// The lowest and the highest rate at the schedule's peak.
    pub rates: (f64, f64),
    /// Numbers on which weight decay acts.
    pub decayed: usize,
}

impl Parameter {
    /// How many numbers it holds.
    pub fn numbers(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The names of LoRA's A and B on a linear layer, named without `.weight`.
pub fn lora_names(linear: &str) -> [String; 2] {
    [format!("{linear}.lora_A.weight"), format!("{linear}.lora_B.weight")]
}

/// Whether a parameter is LoRA's.
pub fn is_lora(name: &str) -> bool {
    name.ends_with(".lora_A.weight") || name.ends_with(".lora_B.weight")
}

/// What a recipe trains of a model, in the order of the model's tensors, LoRA behind its layer.
///
/// # Errors
/// When the model lacks what the recipe asks for, is stored in 4 bits where it would be trained, or
/// nothing is left to train.
pub fn parameters(recipe: &Recipe, config: &ModelConfig) -> Result<Vec<Parameter>, Error> {
    check(recipe, config)?;
    let mut all = Vec::new();
    for tensor in tensors::expected(config) {
        if is_trained(recipe, tensor.part) {
            all.push(Parameter {
                lr_scale: lr_scale(recipe, config, &tensor),
                weight_decay: weight_decay(recipe, &tensor.name, &tensor.shape),
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                group: Group::Model(tensor.part),
            });
        }
        if recipe.kind == Kind::Lora && tensor.part == Part::Decoder {
            all.extend(lora(recipe, &tensor));
        }
    }
    if all.is_empty() {
        return Err(wrong(
            "nothing of this model would be trained; set another freeze_… key to false",
        ));
    }
    Ok(all)
}

/// Group by group what [`parameters`] gave, for a recipe's peak rate.
pub fn summary(parameters: &[Parameter], learning_rate: f64) -> Vec<Summary> {
    let mut all: Vec<Summary> = Vec::new();
    for parameter in parameters {
        let rate = learning_rate * parameter.lr_scale;
        let index = all.iter().position(|summary| summary.group == parameter.group);
        let index = index.unwrap_or_else(|| {
            let group = parameter.group;
            all.push(Summary { group, tensors: 0, numbers: 0, rates: (rate, rate), decayed: 0 });
            all.len() - 1
        });
        let summary = &mut all[index];
        summary.tensors += 1;
        summary.numbers += parameter.numbers();
        summary.rates = (summary.rates.0.min(rate), summary.rates.1.max(rate));
        summary.decayed += if parameter.weight_decay > 0.0 { parameter.numbers() } else { 0 };
    }
    all.sort_by_key(|summary| summary.group);
    all
}

fn wrong(problem: impl Into<String>) -> Error {
    Error::Recipe { place: "recipe and model".into(), problem: problem.into() }
}

/// What the model must have for this recipe.
fn check(recipe: &Recipe, config: &ModelConfig) -> Result<(), Error> {
    if recipe.kind == Kind::Plora && config.plora.is_none() {
        return Err(wrong(
            "kind = \"plora\" needs a model with Partial LoRA, and this one has none; start from a \
             published XComposer2, or make one from its parts",
        ));
    }
    if config.gptq && !recipe.freeze_language_model {
        return Err(wrong(
            "the language model is stored in 4 bits (GPTQ), which cannot be trained; set \
             freeze_language_model = true, or start from the full-precision checkpoint",
        ));
    }
    let limit = config.language.positions_max;
    if recipe.max_length > limit && config.language.rope_dynamic_factor.is_none() {
        return Err(wrong(format!(
            "max_length: expected at most {limit}, which the model was made for; found {}",
            recipe.max_length
        )));
    }
    Ok(())
}

fn is_trained(recipe: &Recipe, part: Part) -> bool {
    !match part {
        Part::Tower => recipe.freeze_vision_tower,
        Part::Projector => recipe.freeze_projector,
        Part::Plora => recipe.freeze_plora,
        Part::Words | Part::Decoder => recipe.freeze_language_model,
    }
}

/// A and B on one of the decoder's tensors, where it is the weight of a layer that has LoRA.
fn lora(recipe: &Recipe, tensor: &ExpectedTensor) -> Vec<Parameter> {
    let Some(linear) = tensor.name.strip_suffix(".weight") else { return Vec::new() };
    let has_lora = recipe.lora_linears().any(|target| linear.ends_with(&format!(".{target}")));
    let (&[outputs, inputs], true) = (tensor.shape.as_slice(), has_lora) else { return Vec::new() };
    let shapes = [vec![recipe.lora_r, inputs], vec![outputs, recipe.lora_r]];
    let parameter = |(name, shape)| Parameter {
        name,
        shape,
        group: Group::Lora,
        lr_scale: 1.0,
        weight_decay: recipe.weight_decay,
    };
    lora_names(linear).into_iter().zip(shapes).map(parameter).collect()
}

/// Times the schedule's rate is a tensor's own.
fn lr_scale(recipe: &Recipe, config: &ModelConfig, tensor: &ExpectedTensor) -> f64 {
    match tensor.part {
        Part::Words | Part::Decoder => recipe.language_model_lr_scale,
        Part::Plora | Part::Projector => 1.0,
        Part::Tower => {
            let layers = config.vision.as_ref().map_or(0, |vision| vision.layers);
            recipe.layer_decay.powi(below_the_top(&tensor.name, layers) as i32)
        }
    }
}

/// How many of the tower's layers lie between a tensor and the output: 0 in the last block, all of them
/// in the embeddings.
fn below_the_top(name: &str, layers: usize) -> usize {
    let block = name
        .strip_prefix(TOWER)
        .and_then(|rest| rest.strip_prefix(".encoder.layers."))
        .and_then(|rest| rest.split('.').next())
        .and_then(|number| number.parse::<usize>().ok());
    block.map_or(layers, |block| layers - 1 - block)
}

fn weight_decay(recipe: &Recipe, name: &str, shape: &[usize]) -> f64 {
    let vector = shape.len() < 2 || name == SUB_GN || name == GLB_GN;
    if vector { 0.0 } else { recipe.weight_decay }
}

impl Recipe {
    /// The layers that have LoRA, by their published names within a block.
    pub fn lora_linears(&self) -> impl Iterator<Item = &'static str> {
        let wanted = |linear: &&str| {
            self.lora_target_modules.iter().any(|target| linear.ends_with(&format!(".{target}")))
        };
        LINEARS.into_iter().filter(wanted)
    }

    /// LoRA's scale, alpha / r.
    pub fn lora_scale(&self) -> f64 {
        self.lora_alpha / self.lora_r as f64
    }
}
