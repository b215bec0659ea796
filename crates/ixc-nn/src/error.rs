//! What can be wrong with a checkpoint or a tensor.
//!
//! Each message says what was expected, what was found, where, and what to do. Names that come from a
//! file are quoted and escaped, so that a hostile one cannot write to the reader's terminal.

use std::{io, path::PathBuf};

use thiserror::Error;

use crate::weights::{GgufFault, HeaderFault, StoredType, TorchFault};

/// A mistake in a weight file, or in how tensors meet.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// candle refused an operation.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A device that cannot be used.
    #[error("cannot use the device {device:?}: {reason}")]
    NoDevice {
        /// Its name.
        device: String,
        /// What was expected, what was found, and what to do.
        reason: String,
    },
    /// A token id that the embedding table has no row for.
    #[error(
        "token id {id} is outside the vocabulary of {vocabulary}: the tokenizer does not belong to this model"
    )]
    TokenOutsideVocabulary {
        /// The id.
        id: usize,
        /// Rows of the table.
        vocabulary: usize,
    },
    /// The system refused to open, read or write a file.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A folder in which nothing looks like weights, or a file of a form that we do not read.
    #[error(
        "{}: no weights found: expected *.safetensors, *.gguf, or pytorch_model.bin with its index, found {found}",
        path.display()
    )]
    NoWeights {
        /// The folder or file.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// Shards that an index, or the other shards' names, promise.
    #[error(
        "{}: {} of {total} weight files are missing: {}; download the rest, for instance with `ixc pull`",
        index.display(), missing.len(), listed(missing)
    )]
    MissingShards {
        /// The index, or the folder of shards without one.
        index: PathBuf,
        /// The missing files' names.
        missing: Vec<String>,
        /// How many files there should be.
        total: usize,
    },
    /// An index that is not what it should be.
    #[error("{}: not an index of weight files: {reason}; download it again", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An index that names a file elsewhere.
    #[error(
        "{}: the index names the weight file {name:?}; expected a plain file name beside the index: \
         this checkpoint is not to be trusted",
        index.display()
    )]
    UnsafeShardName {
        /// The index.
        index: PathBuf,
        /// The name.
        name: String,
    },
    /// An index that names a tensor which its shard does not have.
    #[error(
        "{}: the index places tensor {tensor:?} in {shard:?}, which does not hold it: \
         the files are not of one checkpoint; download them again",
        index.display()
    )]
    NotInShard {
        /// The index.
        index: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shard.
        shard: String,
    },
    /// One name in two files.
    #[error(
        "tensor {tensor:?} is in {} and again in {}: keep the files of one checkpoint only",
        first.display(), second.display()
    )]
    DuplicateTensor {
        /// The tensor.
        tensor: String,
        /// The file that was read first.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// More than [`crate::limits`] allows.
    #[error("{}: {found} {what}, the limit is {limit}: this is no checkpoint of this family", path.display())]
    TooMany {
        /// The folder or file.
        path: PathBuf,
        /// What there is too much of.
        what: &'static str,
        /// How many, or how many at least.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A safetensors file that breaks its format.
    #[error("{}: not a sound safetensors file: {fault}", file.display())]
    Safetensors {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: Box<HeaderFault>,
    },
    /// A PyTorch file that we cannot or will not read.
    #[error("{}: not a PyTorch file of plain tensors: {fault}", file.display())]
    Torch {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: Box<TorchFault>,
    },
    /// A GGUF file that breaks its format.
    #[error("{}: not a sound GGUF file: {fault}", file.display())]
    Gguf {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: Box<GgufFault>,
    },
    /// A tensor that the checkpoint lacks.
    #[error(
        "{}: tensor {tensor:?} is missing among {total}: the download is incomplete, \
         or this is another model; `ixc inspect` lists what is there",
        checkpoint.display()
    )]
    MissingTensor {
        /// The tensor.
        tensor: String,
        /// What was opened.
        checkpoint: PathBuf,
        /// How many tensors there are.
        total: usize,
    },
    /// A tensor of another shape.
    #[error(
        "{}: tensor {tensor:?}: expected shape {expected:?}, found {found:?}: \
         config.json and the weights do not belong together",
        file.display()
    )]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its file.
        file: PathBuf,
        /// What the model asked for.
        expected: Vec<usize>,
        /// What the file has.
        found: Vec<usize>,
    },
    /// A tensor of another number type.
    #[error("{}: tensor {tensor:?}: expected {expected}, found {found}; convert the checkpoint first", file.display())]
    Type {
        /// The tensor.
        tensor: String,
        /// Its file.
        file: PathBuf,
        /// What can be used here.
        expected: &'static str,
        /// What the file has.
        found: StoredType,
    },
    /// Numbers that the narrower type cannot hold.
    #[error(
        "{}: tensor {tensor:?}: {count} numbers are too large for {target} (the largest is {largest:e}): \
         keep the stored type, or use bf16 or f32",
        file.display()
    )]
    Overflow {
        /// The tensor.
        tensor: String,
        /// Its file, or the one being written.
        file: PathBuf,
        /// The narrower type.
        target: StoredType,
        /// How many numbers became infinite.
        count: usize,
        /// The largest magnitude among them.
        largest: f32,
    },
    /// GPTQ tensors that do not fit each other or the layer.
    #[error("{}: quantised layer {layer:?}: {reason}", file.display())]
    Gptq {
        /// The layer's name in the checkpoint.
        layer: String,
        /// The file of its `qweight`.
        file: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// Saved keys and values that cannot be restored.
    #[error("saved keys and values cannot be used: {reason}")]
    SavedCache {
        /// What was expected and what was found.
        reason: String,
    },
    /// A folder that already holds weights.
    #[error("{}: the folder already holds {found:?}: choose an empty one, or remove the old checkpoint first", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
        /// The file in the way.
        found: String,
    },
    /// A file that already is there.
    #[error("{}: the file is there already: choose another name, or --force to replace it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A checkpoint that cannot be written as declared.
    #[error("cannot write tensor {tensor:?}: {reason}")]
    Unwritable {
        /// The tensor.
        tensor: String,
        /// What was expected and what was found.
        reason: String,
    },
}

/// At most ten names, then how many more.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut text =
        names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

impl Error {
    /// Wraps the system's answer; for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
