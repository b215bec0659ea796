//! Which of a model's weights are trained, and how they are found again.
//!
//! A [`Plan`] says it when the model is loaded: whole groups, single tensors by the beginning of their names,
//! and LoRA adapters on any linear layers. All else stays as its file has it and costs no gradient.
//! A trained weight is a [`Parameter`] under its published name, so that checkpoints, merging and an
//! optimiser's state find it. Deliberately absent: learning rates.

use std::{collections::BTreeSet, sync::Arc};

use ixc_nn::{plora::Reach, trained::Trained};

use crate::{
    adapter::Adapter as StoredAdapter,
    init::Fill,
    tensors::{Part, part},
};

/// Weights that are trained or frozen together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// CLIP.
    Tower,
    /// The projector and the separators of high-resolution pictures.
    Projector,
    /// Partial LoRA.
    Plora,
    /// The language model: linear layers, norms, embeddings and output layer.
    Language,
    /// LoRA adapters of this run.
    Lora,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Tower, Self::Projector, Self::Plora, Self::Language, Self::Lora];

    /// The group of a tensor, by its published name.
    pub fn of(name: &str) -> Self {
        if name.contains(LORA_INFIX) {
            return Self::Lora;
        }
        match part(name) {
            Part::Tower => Self::Tower,
            Part::Projector => Self::Projector,
            Part::Plora => Self::Plora,
            Part::Words | Part::Decoder => Self::Language,
        }
    }

    /// Its name in recipes and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tower => "tower",
            Self::Projector => "projector",
            Self::Plora => "plora",
            Self::Language => "language",
            Self::Lora => "lora",
        }
    }
}

/// What stands between a linear layer's name and A or B in an adapter's.
const LORA_INFIX: &str = ".lora_";

/// What is trained. The default trains nothing.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Whole groups.
    pub groups: BTreeSet<Group>,
    /// Beginnings of further tensors' names.
    pub names: Vec<String>,
    /// Adapters beside those of the checkpoint; they are trained if their group is.
    pub lora: Option<Lora>,
    /// Share of Partial LoRA's inputs that is left out in training; published: 0.05.
    pub plora_dropout: f64,
    /// An adapter from a file, which acts as it is and is not trained; checked to be one of this model
    /// ([`StoredAdapter::check`]).
    pub stored: Option<Arc<StoredAdapter>>,
}

/// LoRA adapters on linear layers.
#[derive(Clone, Debug)]
pub struct Lora {
    /// Ends of linear layers' names, whole between dots: `wqkv`, `feed_forward.w1`, `vision_proj.0`, `output`.
    pub targets: Vec<String>,
    /// Rows of A.
    pub rank: usize,
    /// The scale times the rank.
    pub alpha: f64,
    /// Share of the inputs that is left out in training.
    pub dropout: f64,
    /// The rows that they act on.
    pub reach: Reach,
    /// Decides A's first numbers; B begins at zero, so that an adapter begins without effect.
    pub seed: u64,
}

impl Plan {
    /// A plan of whole groups, with the published dropout.
    pub fn of(groups: impl IntoIterator<Item = Group>) -> Self {
        Self { groups: groups.into_iter().collect(), plora_dropout: 0.05, ..Self::default() }
    }

    /// Whether the tensor of this name is trained.
    pub fn trains(&self, name: &str) -> bool {
        self.groups.contains(&Group::of(name))
            || self.names.iter().any(|beginning| name.starts_with(beginning.as_str()))
    }
}

impl Lora {
    /// Whether there is an adapter on the linear layer of this name (without `.weight`).
    pub fn targets(&self, linear: &str) -> bool {
        self.targets.iter().any(|target| {
            let rest = linear.strip_suffix(target.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// The name of A (`'A'`) or B on a linear layer.
    pub fn name(linear: &str, side: char) -> String {
        format!("{linear}{LORA_INFIX}{side}.weight")
    }

    /// The first numbers of an A, (rank, inputs): Kaiming-uniform as `nn.Linear` begins, 1 / √inputs at most.
    pub(crate) fn first(&self, name: &str, inputs: usize) -> Vec<f32> {
        let mut values = vec![0f32; self.rank * inputs];
        Fill::kaiming(inputs).fill(self.seed, u64::from(site(name)), 0, &mut values);
        values
    }
}

/// A number that tells a tensor's randomness from others': FNV-1a of its name.
pub(crate) fn site(name: &str) -> u32 {
    name.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A weight that is trained.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its published name, or that of an adapter's side ([`Lora::name`]).
    pub name: String,
    /// Its group.
    pub group: Group,
    /// Its block's number, in tower or decoder.
    pub layer: Option<usize>,
    /// Its numbers and gradient.
    pub weight: Trained,
}

impl Parameter {
    pub(crate) fn new(name: String, weight: Trained) -> Self {
        let layer = name.split_once(".layers.").and_then(|(_, rest)| rest.split('.').next());
        let layer = layer.and_then(|number| number.parse().ok());
        Self { group: Group::of(&name), layer, name, weight }
    }
}
