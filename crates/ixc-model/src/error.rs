//! What can be wrong with a model folder, or with what a model is asked to read.

use thiserror::Error;

/// A mistake in a checkpoint's configuration or tensors, or in a prompt.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Weights or tensors.
    #[error(transparent)]
    Numbers(#[from] ixc_nn::Error),
    /// Pictures or prompts.
    #[error(transparent)]
    Input(#[from] ixc_input::Error),
    /// A file of the model folder that cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder has no `config.json`.
    #[error(
        "{folder}: expected a config.json beside the weights, found none; point --model at the folder \
         of a published checkpoint"
    )]
    NoConfig {
        /// Where it was looked for.
        folder: String,
    },
    /// `config.json` is not what it should be.
    #[error("{path}: {problem}")]
    Config {
        /// The file.
        path: String,
        /// Expected, found, and what to do.
        problem: String,
    },
    /// A LoRA adapter that cannot be used, or not with this model.
    #[error("{}: {problem}", path.display())]
    Adapter {
        /// The adapter's folder, or its file.
        path: std::path::PathBuf,
        /// Expected, found, and what to do.
        problem: String,
    },
    /// The tensors are of a model that is not one of the family.
    #[error("{0}")]
    Family(String),
    /// Tensors that the configuration asks for are not there.
    #[error(
        "{count} of the model's tensors are missing, the first of them {first}; the checkpoint is \
         incomplete or of another model: `ixc inspect` lists them all"
    )]
    MissingTensors {
        /// How many.
        count: usize,
        /// The first in the model's order.
        first: String,
    },
    /// A weight that no quantised type can hold.
    #[error(
        "tensor {tensor}, row {row}, input {input}: expected finite numbers up to {limit}, found {value}; \
         `ixc inspect --check-values` finds such in all tensors: download the checkpoint again"
    )]
    Unquantisable {
        /// The tensor.
        tensor: String,
        /// Which output.
        row: usize,
        /// Which input.
        input: usize,
        /// What is there.
        value: f32,
        /// The largest magnitude that can be held.
        limit: f32,
    },
    /// A layer that was fed numbers of which no importance can be made.
    #[error(
        "layer {layer} was fed numbers that are not finite, so nothing can be said of its inputs; \
         `ixc inspect --check-values` finds such numbers among the weights: download the checkpoint again"
    )]
    NotFinite {
        /// The published name of its weight.
        layer: String,
    },
    /// A file that should tell how much inputs matter, and does not.
    #[error("{path}: {problem}")]
    Importance {
        /// The file.
        path: String,
        /// Expected, found, and what to do.
        problem: String,
    },
    /// A weight that cannot be trained as it is stored.
    #[error(
        "tensor {tensor}: it is stored in GPTQ's 4 bits and cannot be trained: freeze the language model (recipes lora and plora do), or start from a checkpoint in bf16"
    )]
    Untrainable {
        /// The tensor.
        tensor: String,
    },
    /// LoRA was asked for on layers that the model does not have.
    #[error(
        "lora: no linear layer's name ends in {target:?}; names are such as wqkv, w1, q_proj, vision_proj.0, output"
    )]
    NoTarget {
        /// What was asked for.
        target: String,
    },
    /// A prompt and its images do not fit.
    #[error("the prompt has a slot for image {index}, but {count} image(s) were given")]
    NoSuchImage {
        /// The slot's index.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// An image's labels and its rows do not fit.
    #[error("image {index} has {rows} rows, but {labels} label(s) were given")]
    LabelCount {
        /// The image's index in its prompt.
        index: usize,
        /// How many labels there are.
        labels: usize,
        /// How many rows it has.
        rows: usize,
    },
    /// An image's last row has a label, and the word behind it is learned as well.
    #[error(
        "row {row} is asked for an image's label and for the word behind it: leave out the label"
    )]
    AskedTwice {
        /// The row, among those of the batch.
        row: usize,
    },
    /// The caller broke off.
    #[error("stopped before it was complete")]
    Cancelled,
    /// A model without a tower was shown a picture.
    #[error(
        "this checkpoint has no vision tower, so it cannot look at pictures; ask without --image"
    )]
    NoTower,
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Numbers(error.into())
    }
}
