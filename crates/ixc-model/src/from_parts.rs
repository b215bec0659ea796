//! A fresh XComposer2 from its parts: a Hugging Face CLIP tower and an InternLM2 language model. Another
//! XComposer2 serves as either: its tower or its language model is taken, the rest of it is not.
//!
//! Both keep their numbers and stored types. The position table is resized to the pictures' size by the rule
//! by which the loader does it, or kept; projector and Partial LoRA are new: the projector as PyTorch
//! begins a linear layer, A Kaiming-uniform (a = √5), B zero, so that at first the model is the language
//! model whatever it sees (paper, section 3). What is written has the published form.
//! Deliberately absent: training.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use ixc_input::{prepare::Geometry, prompt::Bos};
use ixc_nn::weights::{Checkpoint, SHARD_BYTES, ShardWriter, Sink, StoredType, TensorPlan};
use serde::Deserialize;

use crate::{
    Error, Family, ModelConfig,
    config::{COMPOSITION_SIDE, PATCH, PLoraConfig, TOWER_HEAD_WIDTH, published_scale},
    init::{Fill, config_json, write_file},
    limits::EXTENT_MAX,
    shapes::Shapes,
    tensors::{self, ExpectedTensor, Part, TOWER},
    vision::resize_positions,
};

/// Partial LoRA's published rank.
pub const RANK: usize = 256;

/// What CLIP's tensors are called before `vit.vision_tower.` comes in front.
const CLIP: &str = "vision_model.";

/// The tokenizer's file beside the language model.
const TOKENIZER: &str = "tokenizer.model";

/// What a model is made of, and how.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The folder of a Hugging Face CLIP model, of its vision tower alone, or of an XComposer2.
    pub tower: PathBuf,
    /// The folder of an InternLM2 language model, or of an XComposer2.
    pub language: PathBuf,
    /// A tokenizer to put beside the weights; the language model's own if none.
    pub tokenizer: Option<PathBuf>,
    /// Edge of the pictures in pixels: 490 as `vl-7b`, 224 as the composition model.
    pub side: u32,
    /// Keep the tower's own position table, which is then resized whenever the model is loaded.
    pub keep_positions: bool,
    /// Partial LoRA's rank on all five layers.
    pub rank: usize,
    /// Decides the new numbers.
    pub seed: u64,
}

/// A CLIP tower's configuration, as far as it says what is computed.
#[derive(Debug, Deserialize)]
struct ClipConfig {
    hidden_act: Option<String>,
    patch_size: Option<usize>,
    hidden_size: Option<usize>,
    num_attention_heads: Option<usize>,
}

/// What the model would be.
///
/// # Errors
/// When a part is missing, broken, or none of the kind.
pub fn config(parts: &Parts) -> Result<ModelConfig, Error> {
    let (language, tower) = (Checkpoint::open(&parts.language)?, open_tower(&parts.tower)?);
    Ok(configure(parts, &language, &tower)?.0)
}

/// Writes the model. `progress` hears of bytes written so far and in all, and says whether to go on.
///
/// # Errors
/// When a part is missing, broken, or none of the kind; the folder holds weights already; the disk
/// refuses; or `progress` breaks off. No weights are left then.
pub fn write(
    parts: &Parts,
    out: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<ModelConfig, Error> {
    let language = Checkpoint::open(&parts.language)?;
    let tower = open_tower(&parts.tower)?;
    let (config, stored_grid) = configure(parts, &language, &tower)?;
    let dtype = language.info("model.tok_embeddings.weight").map_or(StoredType::F32, |i| i.dtype);
    let expected = planned(&config, &tower);
    let source = |tensor: &ExpectedTensor| source(tensor, &language, &tower);
    let plans: Vec<TensorPlan> = expected
        .iter()
        .map(|tensor| TensorPlan {
            name: tensor.name.clone(),
            dtype: source(tensor)
                .map_or(dtype, |from| from.info(&tensor.name).map_or(dtype, |i| i.dtype)),
            shape: tensor.shape.clone(),
        })
        .collect();
    let bytes =
        |plan: &TensorPlan| (plan.shape.iter().product::<usize>() * plan.dtype.size()) as u64;
    let total = plans.iter().map(bytes).sum();
    let mut done = 0;
    ShardWriter::new(out, plans, SHARD_BYTES)?.write::<Error>(|plan, sink| {
        let index = expected.iter().position(|tensor| tensor.name == plan.name);
        let index = index.expect("a planned tensor is an expected one");
        let tensor = &expected[index];
        match source(tensor) {
            Some(from) => copy(from, tensor, stored_grid, sink)?,
            None => {
                let numbers = plan.shape.iter().product();
                fresh(tensor, &config).stream(
                    numbers,
                    parts.seed,
                    index as u64,
                    sink,
                    &mut |_| ControlFlow::Continue(()),
                )?;
            }
        }
        done += bytes(plan);
        if progress(done, total).is_break() { Err(Error::Cancelled) } else { Ok(()) }
    })?;
    let text = serde_json::to_string_pretty(&config_json(&config, dtype)).expect("plain data");
    write_file(&out.join("config.json"), text.as_bytes())?;
    copy_tokenizer(parts, out)?;
    Ok(config)
}

fn wrong(folder: &Path, problem: impl Into<String>) -> Error {
    Error::Config { path: folder.display().to_string(), problem: problem.into() }
}

/// The tower's tensors under their published names; a CLIP model's text half keeps its own.
fn open_tower(folder: &Path) -> Result<Checkpoint, Error> {
    let tower = Checkpoint::open(folder)?;
    if tower.names().any(|name| name.starts_with(TOWER)) {
        return Ok(tower);
    }
    let path = folder.join("config.json");
    let text = std::fs::read_to_string(&path)
        .map_err(|source| Error::File { path: path.display().to_string(), source })?;
    let not_clip = |error: serde_json::Error| {
        wrong(&path, format!("expected a CLIP configuration, found: {error}"))
    };
    // A whole CLIP model's configuration holds the tower's; the tower's own may stand alone.
    let mut config: serde_json::Value = serde_json::from_str(&text).map_err(not_clip)?;
    if let Some(tower) = config.get_mut("vision_config") {
        config = tower.take();
    }
    let config: ClipConfig = serde_json::from_value(config).map_err(not_clip)?;
    if let Some(act) = config.hidden_act.filter(|act| act != "quick_gelu") {
        return Err(wrong(&path, format!("hidden_act: expected \"quick_gelu\", found {act:?}")));
    }
    if let Some(patch) = config.patch_size.filter(|&patch| patch != PATCH) {
        return Err(wrong(&path, format!("patch_size: expected {PATCH}, found {patch}")));
    }
    if let (Some(width), Some(heads)) = (config.hidden_size, config.num_attention_heads)
        && Some(width) != heads.checked_mul(TOWER_HEAD_WIDTH)
    {
        return Err(wrong(
            &path,
            format!("expected heads of width {TOWER_HEAD_WIDTH}, found {width} in {heads} heads"),
        ));
    }
    Ok(tower.renamed(|name| Some(format!("{TOWER}.{}", name.strip_prefix(CLIP)?)))?)
}

/// What the model is, and the grid of the tower's own position table.
fn configure(
    parts: &Parts,
    language: &Checkpoint,
    tower: &Checkpoint,
) -> Result<(ModelConfig, usize), Error> {
    if !(1..=EXTENT_MAX).contains(&parts.rank) {
        let problem = format!("expected a rank of 1 to {EXTENT_MAX}, found {}", parts.rank);
        return Err(wrong(Path::new("rank of Partial LoRA"), problem));
    }
    let mut config = ModelConfig::read(&parts.language, language)?;
    if config.gptq {
        let problem = "expected the full-precision weights of an InternLM2 language model, found \
                       4-bit weights";
        return Err(wrong(&parts.language, problem));
    }
    config.text_adapters.clear();
    let vision = Shapes::new(tower).vision(Some(parts.side))?;
    let Some(mut vision) = vision else {
        return Err(wrong(
            &parts.tower,
            format!("expected a CLIP vision tower ({CLIP}…), found none of its tensors"),
        ));
    };
    let stored_grid = vision.stored_grid;
    if !parts.keep_positions {
        vision.stored_grid = vision.grid();
    }
    let square = Geometry::Square { side: COMPOSITION_SIDE };
    // Nobody taught it otherwise than training here will.
    config.chat.bos = Some(Bos::Once);
    config.family = if vision.geometry == square { Family::Composition } else { Family::Vl };
    config.vision = Some(vision);
    let scale = published_scale(parts.rank);
    config.plora = Some(PLoraConfig { ranks: [(parts.rank, scale); 5] });
    let missing: Vec<String> = tensors::expected(&config)
        .into_iter()
        .filter(|tensor| match tensor.part {
            Part::Tower => tower.info(&tensor.name).is_none(),
            Part::Words | Part::Decoder => language.info(&tensor.name).is_none(),
            Part::Plora | Part::Projector => false,
        })
        .map(|tensor| tensor.name)
        .collect();
    match missing.first() {
        Some(first) => Err(Error::MissingTensors { count: missing.len(), first: first.clone() }),
        None => Ok((config, stored_grid)),
    }
}

/// Every tensor to be written: the model's, and CLIP's last norm, which published files carry as well.
fn planned(config: &ModelConfig, tower: &Checkpoint) -> Vec<ExpectedTensor> {
    let mut all = tensors::expected(config);
    let unused = tower.names().filter(|name| {
        name.starts_with(TOWER)
            && tensors::is_known_unused(name)
            && tower.info(name).is_some_and(|info| info.dtype.is_float())
    });
    all.extend(unused.map(|name| ExpectedTensor {
        name: name.into(),
        shape: tower.info(name).map(|info| info.shape.clone()).unwrap_or_default(),
        part: Part::Tower,
        quantised: false,
    }));
    all
}

/// Which part a tensor comes from; none when it is new.
fn source<'a>(
    tensor: &ExpectedTensor,
    language: &'a Checkpoint,
    tower: &'a Checkpoint,
) -> Option<&'a Checkpoint> {
    match tensor.part {
        Part::Tower => Some(tower),
        Part::Words | Part::Decoder => Some(language),
        Part::Plora | Part::Projector => None,
    }
}

/// Copies a tensor as it is stored; a position table of another size is resized.
fn copy(
    from: &Checkpoint,
    tensor: &ExpectedTensor,
    stored_grid: usize,
    sink: &mut Sink,
) -> Result<(), Error> {
    let name = &tensor.name;
    let stored = from.info(name).map(|info| info.shape.clone()).unwrap_or_default();
    if stored == tensor.shape {
        sink.bytes(from.buffer(name)?.bytes())?;
    } else if let (&[rows, width], true) = (stored.as_slice(), name.contains("position_embedding"))
    {
        let table = Tensor::from_vec(from.floats(name, &stored)?, (rows, width), &Device::Cpu)?;
        let grid = (tensor.shape[0] - 1).isqrt();
        let resized = resize_positions(&table, stored_grid, grid)?; // (1 + grid², C)
        sink.f32(&resized.flatten_all()?.to_vec1::<f32>()?)?;
    } else {
        return Err(Error::Family(format!(
            "{name}: expected shape {:?}, found {stored:?}: the part's configuration and its weights do not \
             belong together",
            tensor.shape
        )));
    }
    from.release(name);
    Ok(())
}

/// How a new tensor begins.
fn fresh(tensor: &ExpectedTensor, config: &ModelConfig) -> Fill {
    match tensor.shape.as_slice() {
        _ if tensor.name.contains("Plora_B") => Fill::Constant(0.0),
        &[_, inputs] => Fill::kaiming(inputs),
        // A bias begins by the inputs of its layer.
        _ if tensor.name == "vision_proj.0.bias" => {
            let inputs = config.vision.as_ref().map(|vision| vision.projector_inputs());
            Fill::kaiming(inputs.expect("a tower was found"))
        }
        _ => Fill::kaiming(config.language.hidden),
    }
}

/// The tokenizer that was named, which must be there, or that beside the language model, which may not.
fn copy_tokenizer(parts: &Parts, out: &Path) -> Result<(), Error> {
    let beside = parts.language.join(TOKENIZER);
    let path = parts.tokenizer.as_ref().unwrap_or(&beside);
    match std::fs::read(path) {
        Ok(bytes) => write_file(&out.join(TOKENIZER), &bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && parts.tokenizer.is_none() => {
            Ok(())
        }
        Err(source) => Err(Error::File { path: path.display().to_string(), source }),
    }
}
