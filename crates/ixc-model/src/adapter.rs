//! LoRA adapters in PEFT's form: `adapter_config.json` and `adapter_model.safetensors` in a folder.
//!
//! y = W x + scale · B (A x), on every row, beside whatever Partial LoRA does. [`Adapter::open`] takes
//! what PEFT writes and what this project writes, gives tensors their published names back, and
//! [`Adapter::check`] holds them to a model before anything is computed. Whole tensors that were trained
//! beside LoRA (PEFT's `modules_to_save`) come along in [`Adapter::replaced`].
//! Deliberately absent: the product (`ixc-nn`), and variants of LoRA that compute something else (DoRA,
//! trained biases, embeddings): they are refused by name.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ixc_nn::weights::Checkpoint;
use serde::Deserialize;

use crate::{Error, ModelConfig, tensors};

/// The file that describes an adapter.
pub const CONFIG: &str = "adapter_config.json";

/// The stem of the files that hold its tensors.
pub const WEIGHTS: &str = "adapter_model";

/// What PEFT puts before every name of the model it wraps.
const WRAPPED: &str = "base_model.model.";

/// The modules that PEFT can save whole beside LoRA (`modules_to_save`), and how names in them begin. Partial
/// LoRA is none of them, as PEFT saves nothing within a layer that it wraps; nor are newline and separator
/// vectors, which lie in no module.
const MODULES: [(&str, &str); 2] = [("vit", "vit."), ("vision_proj", "vision_proj.")];

/// An open adapter.
#[derive(Debug)]
pub struct Adapter {
    folder: PathBuf,
    base: Option<String>,
    checkpoint: Checkpoint,
    layers: BTreeMap<String, LoraLayer>,
    /// Published name → name in the file.
    replaced: BTreeMap<String, String>,
}

/// LoRA on one linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraLayer {
    /// Rows of A, columns of B.
    pub rank: usize,
    /// Columns of A.
    pub inputs: usize,
    /// Rows of B.
    pub outputs: usize,
    /// alpha / rank; alpha / √rank where the configuration says so (rsLoRA).
    pub scale: f64,
    names: [String; 2],
}

/// `adapter_config.json`, as far as it decides what is computed.
#[derive(Debug, Deserialize)]
struct File {
    peft_type: String,
    base_model_name_or_path: Option<String>,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    bias: Option<String>,
    #[serde(default)]
    alpha_pattern: BTreeMap<String, f64>,
}

/// The name of A or B (`lora_A`, `lora_B`) on a linear layer of this published name, in an adapter's file.
pub fn lora_name(linear: &str, side: &str) -> String {
    format!("{WRAPPED}{linear}.{side}.weight")
}

/// The name of a tensor that is saved whole, in an adapter's file.
pub fn whole_name(published: &str) -> String {
    format!("{WRAPPED}{published}")
}

/// The module in which PEFT can save a tensor of this published name whole, if there is one.
pub fn module_of(published: &str) -> Option<&'static str> {
    MODULES.iter().find(|(_, start)| published.starts_with(start)).map(|(module, _)| *module)
}

/// What a name in an adapter's file means.
enum Meaning {
    /// A (0) or B (1) of a layer.
    Lora(String, usize),
    /// A tensor of the model.
    Whole(String),
}

fn meaning(name: &str) -> Option<Meaning> {
    let inner = name.strip_prefix(WRAPPED)?;
    for (index, side) in [".lora_A", ".lora_B"].into_iter().enumerate() {
        // PEFT leaves the adapter's own name out, other tools save it along.
        for end in [".weight", ".default.weight"] {
            if let Some(linear) = inner.strip_suffix(&format!("{side}{end}")) {
                return Some(Meaning::Lora(linear.into(), index));
            }
        }
    }
    if inner.contains(".lora_") {
        return None;
    }
    Some(Meaning::Whole(inner.replace(".modules_to_save.default.", ".")))
}

impl Adapter {
    /// Opens an adapter's folder.
    ///
    /// # Errors
    /// When a file is missing or broken, the adapter is not plain LoRA, or a tensor has no other half.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(CONFIG);
        let fault = |problem: String| Error::Adapter { path: path.clone(), problem };
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => fault(format!(
                "expected an adapter: a folder with {CONFIG} and {WEIGHTS}.safetensors; found no such file"
            )),
            _ => Error::File { path: path.display().to_string(), source: error },
        })?;
        let file: File = serde_json::from_str(&text).map_err(|error| {
            fault(format!("expected the configuration of a LoRA adapter, found: {error}"))
        })?;
        file.check().map_err(fault)?;
        let checkpoint = open_weights(folder)?;
        let (layers, replaced) = sorted(folder, &file, &checkpoint)?;
        let base = file.base_model_name_or_path.clone();
        Ok(Self { folder: folder.into(), base, checkpoint, layers, replaced })
    }

    /// The model that it says it was trained on.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// The layers that it changes, by their published names (`model.layers.0.attention.wqkv`).
    pub fn layers(&self) -> &BTreeMap<String, LoraLayer> {
        &self.layers
    }

    /// Published names of the tensors that it holds whole.
    pub fn replaced(&self) -> impl Iterator<Item = &str> {
        self.replaced.keys().map(String::as_str)
    }

    /// A, (rank, inputs), and B, (outputs, rank), of one of [`Self::layers`].
    ///
    /// # Errors
    /// When their numbers are of no float type.
    pub fn lora(&self, layer: &LoraLayer) -> Result<[Vec<f32>; 2], Error> {
        let LoraLayer { rank, inputs, outputs, names: [a, b], .. } = layer;
        Ok([
            self.checkpoint.floats(a, &[*rank, *inputs])?,
            self.checkpoint.floats(b, &[*outputs, *rank])?,
        ])
    }

    /// The shape of one of [`Self::replaced`].
    pub fn whole_shape(&self, published: &str) -> Option<&[usize]> {
        let name = self.replaced.get(published)?;
        self.checkpoint.info(name).map(|info| info.shape.as_slice())
    }

    /// The numbers of one of [`Self::replaced`].
    ///
    /// # Errors
    /// When it is none of them, or its numbers are of no float type.
    pub fn whole(&self, published: &str) -> Result<Vec<f32>, Error> {
        let name = self.replaced.get(published).map_or(published, String::as_str);
        let shape = self.whole_shape(published).unwrap_or_default();
        Ok(self.checkpoint.floats(name, shape)?)
    }

    /// Hands over everything that decides what it computes, to be hashed: numbers of few bytes that begin
    /// at zero, so a sample would not tell one run from another.
    ///
    /// # Errors
    /// As [`Checkpoint::buffer`].
    pub fn feed(&self, hash: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        for (name, layer) in &self.layers {
            hash(format!("{name} {layer:?}").as_bytes());
        }
        for name in self.checkpoint.names() {
            hash(name.as_bytes());
            hash(self.checkpoint.buffer(name)?.bytes());
        }
        Ok(())
    }

    /// Checks that it fits a model: every layer is one of the model's and has its inputs and outputs.
    ///
    /// # Errors
    /// When it does not: what it was made for, as far as it says.
    pub fn check(&self, config: &ModelConfig) -> Result<(), Error> {
        let other = |problem: String| {
            let base = self.base.as_deref().unwrap_or("another model");
            Err(Error::Adapter {
                path: self.folder.clone(),
                problem: format!(
                    "{problem}; the adapter was trained on {base}: use it with that model"
                ),
            })
        };
        let all = tensors::expected(config);
        let linears: BTreeMap<&str, &[usize]> = all
            .iter()
            .filter_map(|tensor| Some((tensors::linear(tensor)?, tensor.shape.as_slice())))
            .collect();
        for (name, layer) in &self.layers {
            let Some(&[outputs, inputs]) = linears.get(name.as_str()) else {
                return other(format!(
                    "LoRA on {name:?}: this model has no linear layer of that name"
                ));
            };
            if (&layer.inputs, &layer.outputs) != (inputs, outputs) {
                return other(format!(
                    "LoRA on {name}: expected {inputs} inputs and {outputs} outputs, found {} and {}",
                    layer.inputs, layer.outputs
                ));
            }
        }
        for (published, name) in &self.replaced {
            let found = self.checkpoint.info(name).map(|info| &info.shape);
            let expected = all.iter().find(|tensor| tensor.name == *published);
            match (expected, found) {
                (Some(tensor), Some(found)) if tensor.shape == *found => {}
                // Trained in the size in which it is used, which the loader takes as well.
                (Some(tensor), Some(found))
                    if *published == tensors::position_table()
                        && found.first() == Some(&used_positions(config))
                        && found[1..] == tensor.shape[1..] => {}
                (Some(tensor), found) => {
                    let found = found.cloned().unwrap_or_default();
                    let shape = &tensor.shape;
                    return other(format!(
                        "{published}: expected shape {shape:?}, found {found:?}"
                    ));
                }
                (None, _) => return other(format!("{published:?} is no tensor of this model")),
            }
        }
        Ok(())
    }
}

/// Rows of the position table as it is used, the class row among them.
fn used_positions(config: &ModelConfig) -> usize {
    config.vision.as_ref().map_or(0, |vision| vision.grid() * vision.grid() + 1)
}

impl File {
    fn check(&self) -> Result<(), String> {
        if self.peft_type != "LORA" {
            return Err(format!("peft_type: expected \"LORA\", found {:?}", self.peft_type));
        }
        for (key, on) in [("use_dora", self.use_dora), ("fan_in_fan_out", self.fan_in_fan_out)] {
            if on {
                return Err(format!(
                    "{key}: expected false, found true; only plain LoRA is applied"
                ));
            }
        }
        match self.bias.as_deref() {
            None | Some("none") => {}
            Some(bias) => {
                return Err(format!(
                    "bias: expected \"none\", found {bias:?}; only plain LoRA is applied"
                ));
            }
        }
        let alphas = std::iter::once(("lora_alpha", self.lora_alpha))
            .chain(self.alpha_pattern.iter().map(|(key, alpha)| (key.as_str(), *alpha)));
        for (key, alpha) in alphas {
            if !alpha.is_finite() {
                return Err(format!("{key}: expected a number, found {alpha}"));
            }
            if key.contains(|c: char| !c.is_ascii_alphanumeric() && !"._".contains(c)) {
                return Err(format!(
                    "alpha_pattern: expected the ends of layers' names, found {key:?}"
                ));
            }
        }
        Ok(())
    }

    /// The scale on a layer of this rank.
    fn scale(&self, linear: &str, rank: usize) -> f64 {
        let own = self.alpha_pattern.iter().find(|(end, _)| {
            linear
                .strip_suffix(end.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        let alpha = own.map_or(self.lora_alpha, |(_, alpha)| *alpha);
        let rank = rank as f64;
        alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }
}

/// The file of tensors in an adapter's folder, under one of PEFT's names.
fn open_weights(folder: &Path) -> Result<Checkpoint, Error> {
    let names = ["safetensors", "safetensors.index.json", "bin"];
    let files = names.map(|end| folder.join(format!("{WEIGHTS}.{end}")));
    match files.iter().find(|file| file.is_file()) {
        Some(file) => Ok(Checkpoint::open(file)?),
        None => Err(Error::Adapter {
            path: folder.into(),
            problem: format!(
                "expected {WEIGHTS}.safetensors beside {CONFIG}, found none; copy the whole folder"
            ),
        }),
    }
}

type Sorted = (BTreeMap<String, LoraLayer>, BTreeMap<String, String>);

/// Sorts the file's tensors into layers and whole tensors.
fn sorted(folder: &Path, file: &File, checkpoint: &Checkpoint) -> Result<Sorted, Error> {
    let fault = |problem: String| Error::Adapter { path: folder.into(), problem };
    let mut sides: BTreeMap<String, [Option<&str>; 2]> = BTreeMap::new();
    let mut replaced = BTreeMap::new();
    for name in checkpoint.names() {
        let twice = match meaning(name) {
            Some(Meaning::Lora(linear, side)) => {
                sides.entry(linear).or_default()[side].replace(name).is_some()
            }
            Some(Meaning::Whole(published)) => {
                replaced.insert(published, name.to_owned()).is_some()
            }
            None => {
                return Err(fault(format!(
                    "tensor {name:?}: expected {WRAPPED}….lora_A.weight or ….lora_B.weight; only plain LoRA \
                     on linear layers is applied"
                )));
            }
        };
        if twice {
            return Err(fault(format!("tensor {name:?} is there under two names")));
        }
    }
    let mut layers = BTreeMap::new();
    for (linear, halves) in sides {
        let [Some(a), Some(b)] = halves else {
            let missing = if halves[0].is_none() { "lora_A" } else { "lora_B" };
            return Err(fault(format!("LoRA on {linear}: {missing} is missing")));
        };
        let shape = |name: &str| checkpoint.info(name).map(|info| info.shape.clone());
        let (shape_a, shape_b) = (shape(a).unwrap_or_default(), shape(b).unwrap_or_default());
        let (&[rank, inputs], &[outputs, rank_b]) = (shape_a.as_slice(), shape_b.as_slice()) else {
            return Err(fault(format!(
                "LoRA on {linear}: expected A of (rank, inputs) and B of (outputs, rank), found {shape_a:?} \
                 and {shape_b:?}"
            )));
        };
        if rank != rank_b || rank == 0 {
            return Err(fault(format!(
                "LoRA on {linear}: expected one rank of A and B, found {rank} and {rank_b}"
            )));
        }
        let (scale, names) = (file.scale(&linear, rank), [a.to_owned(), b.to_owned()]);
        layers.insert(linear, LoraLayer { rank, inputs, outputs, scale, names });
    }
    if layers.is_empty() && replaced.is_empty() {
        return Err(fault("expected LoRA on at least one layer, found no tensors".into()));
    }
    Ok((layers, replaced))
}
