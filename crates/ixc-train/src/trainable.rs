//! Which tensors a recipe trains, each with its rate and its weight decay.
//!
//! A pure function of the recipe and the model's tensors: what is not in the list is frozen, and there is
//! no other switch. Parameters have their published names; LoRA's are those of PEFT below the layer's
//! (`model.layers.0.attention.wqkv.lora_A.weight`). Weight decay acts on matrices alone, as is usual: not on
//! norms, biases, the class row, and the newline and separator vectors. [`plan`] says the same to the model's
//! loader. Deliberately absent: the numbers themselves.

use std::collections::BTreeSet;

use ixc_model::{
    Group, ModelConfig, Plan,
    parameters::Lora,
    tensors::{self, ExpectedTensor, GLB_GN, SUB_GN, TOWER},
};
use ixc_nn::plora::Reach;

use crate::{
    Error,
    recipe::{Kind, Recipe},
};

/// One tensor that is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Trainable {
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

impl Trainable {
    /// How many numbers it holds.
    pub fn numbers(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The names of LoRA's A and B on a linear layer, named without `.weight`.
pub fn lora_names(linear: &str) -> [String; 2] {
    ['A', 'B'].map(|side| Lora::name(linear, side))
}

/// Whether a parameter is LoRA's.
pub fn is_lora(name: &str) -> bool {
    Group::of(name) == Group::Lora
}

/// What a recipe trains of a model, in the order of the model's tensors, LoRA behind its layer.
///
/// # Errors
/// When the model lacks what the recipe asks for, is stored in 4 bits where it would be trained, or
/// nothing is left to train.
pub fn trainable(recipe: &Recipe, config: &ModelConfig) -> Result<Vec<Trainable>, Error> {
    check(recipe, config)?;
    let plan = plan(recipe);
    let mut all = Vec::new();
    for tensor in tensors::expected(config) {
        if plan.trains(&tensor.name) {
            let shape = shape(config, &tensor);
            all.push(Trainable {
                lr_scale: lr_scale(recipe, config, &tensor),
                weight_decay: weight_decay(recipe, &tensor.name, &shape),
                group: Group::of(&tensor.name),
                name: tensor.name.clone(),
                shape,
            });
        }
        if let Some(lora) = &plan.lora {
            all.extend(lora_on(lora, recipe, &tensor));
        }
    }
    if all.is_empty() {
        return Err(wrong(
            "nothing of this model would be trained; set another freeze_… key to false",
        ));
    }
    Ok(all)
}

/// The same, as the model's loader takes it.
pub fn plan(recipe: &Recipe) -> Plan {
    let frozen = [
        (Group::Tower, recipe.freeze_vision_tower),
        (Group::Projector, recipe.freeze_projector),
        (Group::Plora, recipe.freeze_plora),
        (Group::Language, recipe.freeze_language_model),
        (Group::Lora, recipe.kind != Kind::Lora),
    ];
    let groups: BTreeSet<Group> =
        frozen.into_iter().filter(|(_, frozen)| !frozen).map(|(group, _)| group).collect();
    let lora = groups.contains(&Group::Lora).then(|| Lora {
        targets: recipe.lora_target_modules.clone(),
        rank: recipe.lora_r,
        alpha: recipe.lora_alpha,
        dropout: recipe.lora_dropout,
        reach: Reach::All,
        seed: recipe.seed,
    });
    Plan { groups, lora, plora_dropout: recipe.plora_dropout, ..Plan::default() }
}

/// Group by group what [`trainable`] gave, for a recipe's peak rate.
pub fn summary(parameters: &[Trainable], learning_rate: f64) -> Vec<Summary> {
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
    let expected = tensors::expected(config);
    let linears: Vec<&str> = expected.iter().filter_map(tensors::linear).collect();
    for target in plan(recipe).lora.iter().flat_map(|lora| &lora.targets) {
        let only = Lora { targets: vec![target.clone()], ..plan(recipe).lora.expect("just seen") };
        if !linears.iter().any(|linear| only.targets(linear)) {
            return Err(wrong(format!(
                "lora_target_modules: no linear layer of this model has a name that ends in {target:?}; names \
                 are such as wqkv, wo, w1, w2, w3, q_proj, fc1, vision_proj.0, output"
            )));
        }
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

/// The shape in which a tensor is trained: the position table as it is used, all others as stored.
fn shape(config: &ModelConfig, tensor: &ExpectedTensor) -> Vec<usize> {
    match &config.vision {
        Some(vision) if tensor.name == tensors::position_table() => {
            vec![vision.grid() * vision.grid() + 1, vision.width]
        }
        _ => tensor.shape.clone(),
    }
}

/// A and B on one of the model's tensors, where it is the weight of a layer that has LoRA.
fn lora_on(lora: &Lora, recipe: &Recipe, tensor: &ExpectedTensor) -> Vec<Trainable> {
    let Some(linear) = tensors::linear(tensor).filter(|linear| lora.targets(linear)) else {
        return Vec::new();
    };
    let (outputs, inputs) = (tensor.shape[0], tensor.shape[1]);
    let shapes = [vec![lora.rank, inputs], vec![outputs, lora.rank]];
    let trainable = |(name, shape)| Trainable {
        name,
        shape,
        group: Group::Lora,
        lr_scale: 1.0,
        weight_decay: recipe.weight_decay,
    };
    lora_names(linear).into_iter().zip(shapes).map(trainable).collect()
}

/// Times the schedule's rate is a tensor's own.
fn lr_scale(recipe: &Recipe, config: &ModelConfig, tensor: &ExpectedTensor) -> f64 {
    match Group::of(&tensor.name) {
        Group::Language => recipe.language_model_lr_scale,
        Group::Plora | Group::Projector | Group::Lora => 1.0,
        Group::Tower => {
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
    /// LoRA's scale, alpha / r.
    pub fn lora_scale(&self) -> f64 {
        self.lora_alpha / self.lora_r as f64
    }
}
