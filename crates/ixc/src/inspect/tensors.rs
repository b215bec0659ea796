//! The tensors that are there, counted by part and compared with those that the model needs.
//!
//! Parts are told by name, so that they are counted even when the configuration is broken. Names come
//! from [`ixc_model::tensors`]; none is known here beside their common beginnings.

use std::collections::{BTreeMap, BTreeSet};

use ixc_model::{
    ModelConfig,
    tensors::{
        ExpectedTensor, GLB_GN, Part, SUB_GN, TOWER, expected, is_known_unused, stored_names,
        text_adapter,
    },
};
use ixc_nn::weights::{Checkpoint, TensorInfo};

use super::{Kind, Parameters, PartCount, Problem, Stored, Tensor};
use crate::table::counted;

/// Names of things that a list shows before it only counts.
const SHOWN: usize = 5;

/// Numbers that one 32-bit number of GPTQ's `qweight` packs.
const PACKED: u64 = 8;

/// To what a stored tensor belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Share {
    /// A part of the model.
    Of(Part),
    /// Scales and zero points of 4-bit weights: no parameters, but bytes.
    Quantisation,
    /// An adapter that is not applied.
    TextAdapter,
    /// What published files carry and nothing reads.
    Unused,
    /// Anything else.
    Unknown,
}

impl Share {
    fn of(name: &str) -> Self {
        let quantised = [".qzeros", ".scales", ".g_idx"].iter().any(|end| name.ends_with(end));
        match name {
            _ if is_known_unused(name) => Self::Unused,
            _ if text_adapter(name).is_some() => Self::TextAdapter,
            _ if name.starts_with(TOWER) => Self::Of(Part::Tower),
            _ if name.starts_with("vision_proj.") || [SUB_GN, GLB_GN].contains(&name) => {
                Self::Of(Part::Projector)
            }
            _ if quantised => Self::Quantisation,
            _ if name.contains(".Plora_") => Self::Of(Part::Plora),
            "model.tok_embeddings.weight" | "output.weight" => Self::Of(Part::Words),
            _ if name.starts_with("model.") => Self::Of(Part::Decoder),
            _ => Self::Unknown,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Of(part) => part.name(),
            Self::Quantisation => "4-bit scales",
            Self::TextAdapter => "text adapters (not applied)",
            Self::Unused => "not used",
            Self::Unknown => "unknown",
        }
    }
}

fn infos(checkpoint: &Checkpoint) -> impl Iterator<Item = &TensorInfo> {
    checkpoint.names().filter_map(|name| checkpoint.info(name))
}

/// Parameters and bytes by part. The total counts the parts of the model alone.
pub(super) fn parameters(checkpoint: &Checkpoint) -> Parameters {
    let mut parts: BTreeMap<Share, (u64, u64)> = BTreeMap::new();
    for info in infos(checkpoint) {
        let numbers = info.numbers() as u64;
        let share = Share::of(&info.name);
        let counted = match share {
            Share::Quantisation => 0,
            _ if info.name.ends_with(".qweight") => numbers * PACKED,
            _ => numbers,
        };
        let (parameters, bytes) = parts.entry(share).or_default();
        *parameters += counted;
        *bytes += info.bytes as u64;
    }
    let of_model = |share: &Share| matches!(share, Share::Of(_) | Share::Quantisation);
    let own = || parts.iter().filter(|(share, _)| of_model(share)).map(|(_, counts)| counts);
    Parameters {
        total: own().map(|(parameters, _)| parameters).sum(),
        bytes: own().map(|(_, bytes)| bytes).sum(),
        parts: parts
            .into_iter()
            .map(|(share, (parameters, bytes))| PartCount { part: share.name(), parameters, bytes })
            .collect(),
    }
}

/// Tensors and bytes by number type, the most bytes first.
pub(super) fn dtypes(checkpoint: &Checkpoint) -> Vec<Stored> {
    let mut types: BTreeMap<_, (usize, u64)> = BTreeMap::new();
    for info in infos(checkpoint) {
        let (tensors, bytes) = types.entry(info.dtype).or_default();
        *tensors += 1;
        *bytes += info.bytes as u64;
    }
    let mut stored: Vec<Stored> = types
        .into_iter()
        .map(|(dtype, (tensors, bytes))| Stored { dtype: dtype.to_string(), tensors, bytes })
        .collect();
    stored.sort_by_key(|stored| std::cmp::Reverse(stored.bytes));
    stored
}

/// Every tensor.
pub(super) fn list(checkpoint: &Checkpoint) -> Vec<Tensor> {
    let file = |info: &TensorInfo| {
        let path = &checkpoint.files()[info.file].path;
        path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    };
    infos(checkpoint)
        .map(|info| Tensor {
            name: info.name.clone(),
            dtype: info.dtype.to_string(),
            shape: info.shape.clone(),
            bytes: info.bytes as u64,
            file: file(info),
            part: Share::of(&info.name).name(),
        })
        .collect()
}

/// What is missing, misshapen or unusable.
pub(super) fn compare(config: &ModelConfig, checkpoint: &Checkpoint) -> Vec<Problem> {
    expected(config).iter().filter_map(|tensor| judge(tensor, checkpoint)).collect()
}

fn judge(tensor: &ExpectedTensor, checkpoint: &Checkpoint) -> Option<Problem> {
    let problem = |kind, message| Some(Problem { kind, message });
    let missing: Vec<String> =
        stored_names(tensor).into_iter().filter(|name| checkpoint.info(name).is_none()).collect();
    if !missing.is_empty() {
        return problem(
            Kind::MissingTensor,
            format!("{} of shape {:?} is missing", missing.join(", "), tensor.shape),
        );
    }
    if tensor.quantised {
        let layer = tensor.name.strip_suffix(".weight").unwrap_or(&tensor.name);
        let [rows, columns] = tensor.shape[..] else { return None };
        // Mapped, not copied: only the group numbers are read.
        let error = checkpoint.gptq_matrix(layer, rows, columns).err()?;
        return problem(Kind::UnusableTensor, error.to_string());
    }
    let info = checkpoint.info(&tensor.name)?;
    let file = &checkpoint.files()[info.file].path;
    if info.shape != tensor.shape {
        let (tensor, expected) = (tensor.name.clone(), tensor.shape.clone());
        let (file, found) = (file.clone(), info.shape.clone());
        let error = ixc_nn::Error::Shape { tensor, file, expected, found };
        return problem(Kind::MisshapenTensor, error.to_string());
    }
    if !info.dtype.is_float() {
        let (tensor, expected, found) =
            (tensor.name.clone(), "f32, f16, bf16 or quantised blocks", info.dtype);
        let error = ixc_nn::Error::Type { tensor, file: file.clone(), expected, found };
        return problem(Kind::UnusableTensor, error.to_string());
    }
    None
}

/// Notes on tensors that the model does not need.
pub(super) fn left_out(config: &ModelConfig, checkpoint: &Checkpoint) -> Vec<String> {
    let mut notes = Vec::new();
    if !config.text_adapters.is_empty() {
        notes.push(format!(
            "text adapters {} are in the files but not applied: answers are those of the base weights",
            config.text_adapters.join(", ")
        ));
    }
    let unexpected = unexpected(config, checkpoint);
    if !unexpected.is_empty() {
        let shown: Vec<&str> = unexpected.iter().take(SHOWN).copied().collect();
        let more = match unexpected.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        notes.push(format!(
            "{} that no part of the model reads: {}{more}",
            counted(unexpected.len(), "unexpected tensor"),
            shown.join(", ")
        ));
    }
    notes
}

/// Names that are in the files, are needed for nothing, and are not known to be so.
fn unexpected<'a>(config: &ModelConfig, checkpoint: &'a Checkpoint) -> Vec<&'a str> {
    let all = expected(config);
    let mut needed: BTreeSet<String> = all.iter().flat_map(stored_names).collect();
    let quantised = all.iter().filter(|tensor| tensor.quantised);
    let index = quantised.filter_map(|tensor| tensor.name.strip_suffix(".weight"));
    needed.extend(index.map(|layer| format!("{layer}.linear.g_idx")));
    let known = |name: &&str| is_known_unused(name) || text_adapter(name).is_some();
    checkpoint.names().filter(|name| !needed.contains(*name) && !known(name)).collect()
}
