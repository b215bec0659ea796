//! The keys of a recipe, once: for files, for flags, for help.
//!
//! A test holds this table and the fields of [`super::Recipe`] to one another. Deliberately absent:
//! defaults, which depend on the recipe's kind, and what keys mean together (see `check`).

use ixc_nn::device::Place;
use toml::Value;

use super::source::Written;

/// What a key's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text; a path.
    Text,
    /// The name of a device.
    Device,
    /// A whole number, 0 or more.
    Whole,
    /// A number.
    Number,
    /// true or false.
    Flag,
    /// Words; as a flag, with commas between.
    Words,
    /// Data files; as a flag, with commas between each perhaps with `:samples=N` or `:ratio=X`.
    Sources,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in a file; as a flag, with `-` for `_`.
    pub name: &'static str,
    /// What its value is.
    pub kind: ValueKind,
    /// What it does, in a line.
    pub help: &'static str,
}

const fn key(name: &'static str, kind: ValueKind, help: &'static str) -> Key {
    Key { name, kind, help }
}

/// Every key, in the order in which a recipe is printed.
pub const KEYS: &[Key] = &[
    key(
        "kind",
        ValueKind::Choice(&["pretrain", "sft", "full", "lora", "plora"]),
        "what is trained, and so the defaults of all else",
    ),
    key(
        "model",
        ValueKind::Text,
        "the checkpoint that training starts from: a folder or a reference",
    ),
    key(
        "data",
        ValueKind::Sources,
        "the training data: files, each with samples or a ratio an epoch",
    ),
    key(
        "list_numbers",
        ValueKind::Choice(&["thousands", "ratio"]),
        "what the numbers in list files mean: thousands of samples an epoch, or ratios",
    ),
    key("out", ValueKind::Text, "the folder of checkpoints, logs and the result"),
    key("seed", ValueKind::Whole, "decides the order of samples, new weights and dropout"),
    key("epochs", ValueKind::Number, "passes over the data"),
    key("max_steps", ValueKind::Whole, "optimiser steps in all, instead of epochs (0: by epochs)"),
    key("batch_size", ValueKind::Whole, "samples in one forward pass"),
    key(
        "gradient_accumulation_steps",
        ValueKind::Whole,
        "forward passes whose gradients make one step",
    ),
    key(
        "max_length",
        ValueKind::Whole,
        "positions of the longest sample, image rows included; a longer one is broken",
    ),
    key(
        "hd_num",
        ValueKind::Whole,
        "tiles of a picture at most, in the high-resolution family (0: as published)",
    ),
    key(
        "packing",
        ValueKind::Flag,
        "fill each forward pass up to batch_size × max_length positions, however many samples that takes",
    ),
    key(
        "on_broken_sample",
        ValueKind::Choice(&["error", "skip"]),
        "whether a broken sample ends training or is reported and left out",
    ),
    key(
        "device",
        ValueKind::Device,
        "where the model computes: cpu, or an NVIDIA GPU in a build for them, cuda or cuda:N",
    ),
    key(
        "precision",
        ValueKind::Choice(&["f32", "bf16"]),
        "what products are made of; masters are float32",
    ),
    key(
        "gradient_checkpointing",
        ValueKind::Flag,
        "compute a block's activations again in the backward pass instead of keeping them",
    ),
    key(
        "threads",
        ValueKind::Whole,
        "threads to compute with (0: RAYON_NUM_THREADS, else one for each core)",
    ),
    key("learning_rate", ValueKind::Number, "the highest rate, which the warm-up reaches"),
    key(
        "lr_scheduler_type",
        ValueKind::Choice(&["cosine", "linear", "constant"]),
        "how the rate falls after the warm-up",
    ),
    key("warmup_ratio", ValueKind::Number, "share of all steps in which the rate rises"),
    key(
        "warmup_steps",
        ValueKind::Whole,
        "steps in which the rate rises, instead of a share (0: by warmup_ratio)",
    ),
    key(
        "weight_decay",
        ValueKind::Number,
        "AdamW's decoupled decay, on matrices; norms, biases and single vectors have none",
    ),
    key("adam_beta1", ValueKind::Number, "AdamW's decay of the first moment"),
    key("adam_beta2", ValueKind::Number, "AdamW's decay of the second moment"),
    key("adam_epsilon", ValueKind::Number, "added to the root of the second moment"),
    key("max_grad_norm", ValueKind::Number, "gradients are scaled down to this norm (0: never)"),
    key("freeze_vision_tower", ValueKind::Flag, "keep the vision tower as it is"),
    key("freeze_projector", ValueKind::Flag, "keep the projector as it is"),
    key("freeze_plora", ValueKind::Flag, "keep Partial LoRA as it is"),
    key(
        "freeze_language_model",
        ValueKind::Flag,
        "keep the decoder, the embeddings and the output layer as they are",
    ),
    key(
        "language_model_lr_scale",
        ValueKind::Number,
        "times learning_rate is the language model's rate",
    ),
    key(
        "layer_decay",
        ValueKind::Number,
        "each block of the tower has this times the rate of the one above it",
    ),
    key("plora_dropout", ValueKind::Number, "share of Partial LoRA's inputs that are dropped"),
    key("lora_r", ValueKind::Whole, "rank of LoRA"),
    key("lora_alpha", ValueKind::Number, "LoRA's scale is lora_alpha / lora_r"),
    key("lora_dropout", ValueKind::Number, "share of LoRA's inputs that are dropped"),
    key(
        "lora_target_modules",
        ValueKind::Words,
        "the linear layers that have LoRA, by the ends of their names",
    ),
    key("save_steps", ValueKind::Whole, "steps between checkpoints (0: only at the end)"),
    key("save_total_limit", ValueKind::Whole, "how many checkpoints are kept"),
    key("eval_data", ValueKind::Sources, "data that is not trained on, to measure the loss"),
    key("eval_steps", ValueKind::Whole, "steps between evaluations"),
    key(
        "early_stopping_patience",
        ValueKind::Whole,
        "evaluations without a better loss after which training stops (0: never)",
    ),
    key("logging_steps", ValueKind::Whole, "steps between lines of the log"),
];

/// What other tools call some keys.
const ELSEWHERE: &[(&str, &str)] = &[
    ("model_name_or_path", "model"),
    ("data_path", "data"),
    ("dataset", "data"),
    ("train_file", "data"),
    ("output_dir", "out"),
    ("output", "out"),
    ("num_train_epochs", "epochs"),
    ("steps", "max_steps"),
    ("per_device_train_batch_size", "batch_size"),
    ("batch", "batch_size"),
    ("accumulation", "gradient_accumulation_steps"),
    ("context", "max_length"),
    ("cutoff_len", "max_length"),
    ("model_max_length", "max_length"),
    ("bf16", "precision"),
    ("fp32", "precision"),
    ("dtype", "precision"),
    ("lr", "learning_rate"),
    ("schedule", "lr_scheduler_type"),
    ("warmup", "warmup_ratio"),
    ("clip", "max_grad_norm"),
    ("fix_vit", "freeze_vision_tower"),
    ("freeze_llm", "freeze_language_model"),
    ("dropout", "plora_dropout"),
    ("r", "lora_r"),
    ("rank", "lora_r"),
    ("target_modules", "lora_target_modules"),
    ("keep", "save_total_limit"),
    ("eval_dataset", "eval_data"),
    ("patience", "early_stopping_patience"),
];

/// The key of this name, written with `_` or `-`.
pub(super) fn find(name: &str) -> Result<&'static Key, String> {
    let plain = name.replace('-', "_");
    if let Some(key) = KEYS.iter().find(|key| key.name == plain) {
        return Ok(key);
    }
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == plain).map(|(_, ours)| *ours);
    let near = elsewhere.or_else(|| nearest(&plain));
    let hint = near.map_or_else(
        || {
            let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            format!("expected one of {}", names.join(", "))
        },
        |near| format!("did you mean {near}?"),
    );
    Err(format!("{name:?} is not a key of a recipe; {hint}"))
}

/// The known name that takes the fewest changes, where they are few for its length.
fn nearest(name: &str) -> Option<&'static str> {
    let (changes, near) = KEYS
        .iter()
        .map(|key| (distance(name, key.name), key.name))
        .min_by_key(|(changes, _)| *changes)?;
    (changes <= 2.max(name.chars().count() / 3)).then_some(near)
}

/// How many letters must be put in, left out or exchanged to make one word of another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let exchanged = corner + usize::from(letter != *other);
            corner = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

impl Key {
    /// A value of a file, of this key's type; a whole number counts as a number.
    pub(super) fn check(&self, value: Value) -> Result<Value, String> {
        let found = value.to_string();
        let wrong = |expected: &str| format!("{}: expected {expected}, found {found}", self.name);
        match (self.kind, value) {
            (ValueKind::Choice(words), Value::String(word)) if words.contains(&word.as_str()) => {
                Ok(Value::String(word))
            }
            (ValueKind::Choice(words), _) => Err(wrong(&format!("one of {}", words.join(", ")))),
            (ValueKind::Text, Value::String(text)) if !text.is_empty() => Ok(Value::String(text)),
            (ValueKind::Text, _) => Err(wrong("a text in quotes")),
            (ValueKind::Device, Value::String(name)) => {
                let place: Result<Place, String> = name.parse();
                place.map_err(|problem| format!("{}: {problem}", self.name))?;
                Ok(Value::String(name))
            }
            (ValueKind::Device, _) => Err(wrong("a device's name in quotes")),
            (ValueKind::Whole, Value::Integer(number)) if number >= 0 => Ok(Value::Integer(number)),
            (ValueKind::Whole, _) => Err(wrong("a whole number, 0 or more")),
            (ValueKind::Number, Value::Float(number)) if number.is_finite() => {
                Ok(Value::Float(number))
            }
            (ValueKind::Number, Value::Integer(number)) => Ok(Value::Float(number as f64)),
            (ValueKind::Number, _) => Err(wrong("a number")),
            (ValueKind::Flag, Value::Boolean(flag)) => Ok(Value::Boolean(flag)),
            (ValueKind::Flag, _) => Err(wrong("true or false")),
            (ValueKind::Words, Value::Array(words)) if words.iter().all(Value::is_str) => {
                Ok(Value::Array(words))
            }
            (ValueKind::Words, _) => Err(wrong("a list of texts, [\"…\", \"…\"]")),
            (ValueKind::Sources, Value::String(path)) => {
                Ok(Value::Array(vec![Value::String(path)]))
            }
            (ValueKind::Sources, Value::Array(sources)) => self.check_sources(sources),
            (ValueKind::Sources, _) => Err(wrong(SOURCES)),
        }
    }

    fn check_sources(&self, sources: Vec<Value>) -> Result<Value, String> {
        for source in &sources {
            let read: Result<Written, _> = source.clone().try_into();
            read.map_err(|_| format!("{}: expected {SOURCES}, found {source}", self.name))?
                .check()
                .map_err(|problem| format!("{}: {problem}", self.name))?;
        }
        Ok(Value::Array(sources))
    }

    /// A value from the text of a flag.
    ///
    /// # Errors
    /// When it is not of the key's type: what was expected, and what was found.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let wrong = |expected: &str| format!("expected {expected}, found {text:?}");
        let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let value = match self.kind {
            ValueKind::Choice(_) | ValueKind::Text | ValueKind::Device => {
                Value::String(text.into())
            }
            ValueKind::Whole => {
                let number = text.parse::<i64>().ok().filter(|&number| number >= 0);
                Value::Integer(number.ok_or_else(|| wrong("a whole number, 0 or more"))?)
            }
            ValueKind::Number => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                Value::Float(number.ok_or_else(|| wrong("a number"))?)
            }
            ValueKind::Flag => Value::Boolean(text.parse().map_err(|_| wrong("true or false"))?),
            ValueKind::Words => {
                Value::Array(parts().map(|word| Value::String(word.into())).collect())
            }
            ValueKind::Sources => {
                let source =
                    |part| Value::try_from(Written::read(part)?).map_err(|e| e.to_string());
                Value::Array(parts().map(source).collect::<Result<_, String>>()?)
            }
        };
        self.check(value)
    }
}

const SOURCES: &str =
    "a list of paths, or of { path = \"…\", samples = N } or { path = \"…\", ratio = X }";
