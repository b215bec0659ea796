//! What to train, on what, and how: a TOML file whose keys are the field's own words.
//!
//! A recipe begins as the defaults of its [`Kind`]; the file's keys replace them, and after those the
//! `key = value` pairs that the caller adds (flags). [`Recipe::to_toml`] says everything that was resolved,
//! and a recipe read back from it is the same one. Invariant: a key that would do nothing is an error.
//! Deliberately absent: the model (see [`crate::trainable`]) and what a step computes.

mod check;
mod keys;
mod source;

use std::{fmt, path::PathBuf};

use ixc_nn::{Arithmetic, device::Place, measure::Numbers};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use keys::{KEYS, Key, ValueKind};

use crate::{
    Error,
    data::{ListNumbers, OnBroken, Source},
};

/// What is done, and so which defaults hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Vision learns to speak the language model's language: tower, projector and Partial LoRA train.
    Pretrain,
    /// Everything trains, the language model at a fifth of the rate.
    Sft,
    /// Everything trains at one small rate, as users fine-tune.
    Full,
    /// Low-rank adapters on the decoder's linear layers; everything else is frozen unless said otherwise.
    Lora,
    /// Partial LoRA and the projector alone: the language model stays bit for bit what it was.
    Plora,
}

/// What activations and products are made of. Masters and the optimiser are always float32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32 throughout.
    F32,
    /// Products in bfloat16 with sums of full precision.
    Bf16,
}

impl Precision {
    /// What products are made of.
    pub fn arithmetic(self) -> Arithmetic {
        match self {
            Self::F32 => Arithmetic::Exact,
            Self::Bf16 => Arithmetic::Fast,
        }
    }

    /// The numbers whose rate of products a step is held against.
    pub fn numbers(self) -> Numbers {
        match self {
            Self::F32 => Numbers::F32,
            Self::Bf16 => Numbers::Bf16,
        }
    }
}

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchedulerType {
    /// Half a cosine, to 0.
    Cosine,
    /// A straight line, to 0.
    Linear,
    /// Not at all.
    Constant,
}

/// What happens when a sample cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBrokenSample {
    /// Training does not start, or ends.
    Error,
    /// It is reported and left out.
    Skip,
}

impl From<OnBrokenSample> for OnBroken {
    fn from(said: OnBrokenSample) -> Self {
        match said {
            OnBrokenSample::Error => Self::Fail,
            OnBrokenSample::Skip => Self::Skip,
        }
    }
}

/// What the numbers in list files mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListNumber {
    /// Thousands of samples an epoch, as published.
    Thousands,
    /// Ratios of the files' lengths.
    Ratio,
}

impl From<ListNumber> for ListNumbers {
    fn from(said: ListNumber) -> Self {
        match said {
            ListNumber::Thousands => Self::Thousands,
            ListNumber::Ratio => Self::Ratio,
        }
    }
}

/// A resolved recipe. Each field is the key of the same name; [`KEYS`] says what they mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "KEYS documents each key once, for files, flags and this struct")]
pub struct Recipe {
    pub kind: Kind,
    pub model: String,
    #[serde(with = "source")]
    pub data: Vec<Source>,
    pub list_numbers: ListNumber,
    pub out: PathBuf,
    pub seed: u64,
    pub epochs: f64,
    pub max_steps: u64,
    pub batch_size: usize,
    pub gradient_accumulation_steps: usize,
    pub max_length: usize,
    pub hd_num: u32,
    pub packing: bool,
    pub on_broken_sample: OnBrokenSample,
    pub device: Place,
    pub precision: Precision,
    pub gradient_checkpointing: bool,
    pub threads: usize,
    pub learning_rate: f64,
    pub lr_scheduler_type: SchedulerType,
    pub warmup_ratio: f64,
    pub warmup_steps: u64,
    pub weight_decay: f64,
    pub adam_beta1: f64,
    pub adam_beta2: f64,
    pub adam_epsilon: f64,
    pub max_grad_norm: f64,
    pub freeze_vision_tower: bool,
    pub freeze_projector: bool,
    pub freeze_plora: bool,
    pub freeze_language_model: bool,
    pub language_model_lr_scale: f64,
    pub layer_decay: f64,
    pub plora_dropout: f64,
    pub lora_r: usize,
    pub lora_alpha: f64,
    pub lora_dropout: f64,
    pub lora_target_modules: Vec<String>,
    pub save_steps: u64,
    pub save_total_limit: usize,
    #[serde(with = "source")]
    pub eval_data: Vec<Source>,
    pub eval_steps: u64,
    pub early_stopping_patience: u64,
    pub logging_steps: u64,
}

/// Keys on which no number depends that a run computes: where things are (data is known by its digest), when
/// they are told or kept, and how the same numbers are computed.
const NOT_DECISIVE: &[&str] = &[
    "data",
    "out",
    "gradient_checkpointing",
    "threads",
    "save_steps",
    "save_total_limit",
    "eval_data",
    "eval_steps",
    "early_stopping_patience",
    "logging_steps",
];

impl Kind {
    /// Every kind, in the order of the paper, then of users.
    pub const ALL: [Self; 5] = [Self::Pretrain, Self::Sft, Self::Full, Self::Lora, Self::Plora];

    /// Its name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pretrain => "pretrain",
            Self::Sft => "sft",
            Self::Full => "full",
            Self::Lora => "lora",
            Self::Plora => "plora",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl Recipe {
    /// What a kind sets when nothing else is said. `model`, `data` and `out` are empty.
    ///
    /// Sources: the paper, section 3.3 and 4.1, for `pretrain` and `sft`; the published `finetune/` for `full`
    /// and `lora`, and for what all share.
    pub fn defaults(kind: Kind) -> Self {
        let published = kind == Kind::Pretrain;
        Self {
            kind,
            model: String::new(),
            data: Vec::new(),
            list_numbers: ListNumber::Thousands,
            out: PathBuf::new(),
            seed: 0,
            epochs: if published { 2.0 } else { 1.0 },
            max_steps: 0,
            batch_size: 1,
            gradient_accumulation_steps: 8,
            max_length: 4096,
            hd_num: 0,
            packing: false,
            on_broken_sample: OnBrokenSample::Error,
            device: Place::Cpu,
            precision: Precision::Bf16,
            gradient_checkpointing: true,
            threads: 0,
            learning_rate: match kind {
                Kind::Pretrain | Kind::Plora => 2e-4,
                Kind::Sft | Kind::Lora => 5e-5,
                Kind::Full => 1e-5,
            },
            lr_scheduler_type: SchedulerType::Cosine,
            warmup_ratio: 0.01,
            warmup_steps: 0,
            weight_decay: 0.1,
            adam_beta1: 0.9,
            adam_beta2: 0.95,
            adam_epsilon: 1e-8,
            max_grad_norm: 1.0,
            freeze_vision_tower: matches!(kind, Kind::Lora | Kind::Plora),
            freeze_projector: kind == Kind::Lora,
            freeze_plora: kind == Kind::Lora,
            freeze_language_model: matches!(kind, Kind::Pretrain | Kind::Lora | Kind::Plora),
            language_model_lr_scale: if kind == Kind::Sft { 0.2 } else { 1.0 },
            layer_decay: if matches!(kind, Kind::Pretrain | Kind::Sft) { 0.9 } else { 1.0 },
            plora_dropout: 0.05,
            lora_r: 64,
            lora_alpha: 64.0,
            lora_dropout: 0.05,
            lora_target_modules: ["wqkv", "wo", "w1", "w2", "w3"].map(String::from).into(),
            save_steps: 200,
            save_total_limit: 2,
            eval_data: Vec::new(),
            eval_steps: 100,
            early_stopping_patience: 0,
            logging_steps: 1,
        }
    }

    /// Reads a recipe: the text of a file, `place` for errors, and what the caller sets on top of it, as
    /// keys and values in the text form of [`Key::read`].
    ///
    /// # Errors
    /// When the text is not TOML; a key is not known, is of another type, out of its range, or would do
    /// nothing; or `kind`, `model`, `data` or `out` is missing.
    pub fn parse(text: &str, place: &str, set: &[(String, String)]) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Recipe { place: place.into(), problem };
        let mut said: Table =
            text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        for (name, value) in &mut said {
            let key = keys::find(name).map_err(wrong)?;
            *value = key.check(value.clone()).map_err(wrong)?;
        }
        for (name, text) in set {
            let set = |problem: String| Error::Recipe { place: "--".to_owned() + name, problem };
            let key = keys::find(name).map_err(set)?;
            said.insert(key.name.into(), key.read(text).map_err(set)?);
        }
        Self::resolve(&said).map_err(wrong)
    }

    /// Defaults, with what was said in their place.
    fn resolve(said: &Table) -> Result<Self, String> {
        let kinds = || Kind::ALL.map(Kind::name).join(", ");
        let Some(kind) = said.get("kind").and_then(Value::as_str) else {
            return Err(format!("kind is missing; say what is to be done, one of: {}", kinds()));
        };
        let kind = Kind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| format!("kind: expected one of {}; found {kind:?}", kinds()))?;
        let mut all = Self::defaults(kind).table();
        all.extend(said.clone());
        let recipe: Self =
            all.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        recipe.check(&|key| said.contains_key(key))?;
        Ok(recipe)
    }

    /// Every key and its value.
    fn table(&self) -> Table {
        Table::try_from(self).expect("plain data")
    }

    /// The resolved recipe as a file, every key that does something with its value.
    pub fn to_toml(&self) -> String {
        let mut lines = String::new();
        let table = self.table();
        for key in KEYS.iter().filter(|key| self.idle(key.name).is_none()) {
            let value = table.get(key.name).expect("KEYS lists the fields");
            if *value != Value::Array(Vec::new()) {
                lines.push_str(&format!("{} = {value}\n", key.name));
            }
        }
        lines
    }

    /// Where this recipe would compute other numbers than another one: the key, and both values.
    pub fn differences(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        let (ours, theirs) = (self.table(), other.table());
        let value = |table: &Table, key: &str| {
            table.get(key).map_or_else(|| "nothing".to_owned(), Value::to_string)
        };
        let decides = |key: &&Key| !NOT_DECISIVE.contains(&key.name);
        KEYS.iter()
            .filter(decides)
            .map(|key| (key.name, value(&ours, key.name), value(&theirs, key.name)))
            .filter(|(_, ours, theirs)| ours != theirs)
            .collect()
    }

    /// Optimiser steps of the whole run, for so many samples an epoch; the last one may be of fewer samples.
    pub fn total_steps(&self, samples: u64) -> u64 {
        if self.max_steps > 0 {
            return self.max_steps;
        }
        let group = (self.batch_size * self.gradient_accumulation_steps) as f64;
        (self.epochs * samples as f64 / group).ceil() as u64
    }

    /// Steps of the warm-up, of so many steps in all.
    pub fn warmup(&self, total_steps: u64) -> u64 {
        match self.warmup_steps {
            0 => (total_steps as f64 * self.warmup_ratio).ceil() as u64,
            steps => steps,
        }
    }
}
