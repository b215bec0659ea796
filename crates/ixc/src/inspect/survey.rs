//! Gathers the survey: files, configuration, tensors, tokenizer, each as far as it can be read.
//!
//! Invariant: nothing here ends early; an error becomes a problem and the next thing is looked at.

use std::path::Path;

use ixc_engine::engine::{TOKENIZER_FILE, model_folder};
use ixc_input::{prepare::Geometry, special::SpecialIds, tokenizer};
use ixc_model::{
    ModelConfig,
    config::{LanguageConfig, PATCH, VisionConfig},
    shapes::Shapes,
    tensors::LINEARS,
};
use ixc_nn::{
    cache::KvType,
    weights::{Checkpoint, Keep},
};

use super::{
    Adapter, File, Kind, Language, Licence, Memory, Problem, Survey, Tokenizer, Vision, tensors,
};
use crate::{model::weights_in_memory, table::counted};

/// What to look at beside what is always looked at.
pub(crate) struct Wanted<'a> {
    /// Every tensor.
    pub(crate) tensors: bool,
    /// A tokenizer elsewhere than beside the weights.
    pub(crate) tokenizer: Option<&'a Path>,
}

/// Looks at a checkpoint. Returns it opened, if it could be, for a look at its values.
pub(crate) fn survey(path: &Path, wanted: &Wanted) -> (Survey, Option<Checkpoint>) {
    let folder = model_folder(path);
    let mut problems = Vec::new();
    let mut problem = |kind, message: String| problems.push(Problem { kind, message });
    let checkpoint =
        Checkpoint::open(path).map_err(|error| problem(Kind::Files, error.to_string())).ok();
    let config = checkpoint.as_ref().and_then(|checkpoint| {
        let config = ModelConfig::read(folder, checkpoint);
        config.map_err(|error| problem(Kind::Config, error.to_string())).ok()
    });
    if checkpoint.is_none() && !folder.join("config.json").is_file() {
        let error = ixc_model::Error::NoConfig { folder: folder.display().to_string() };
        problem(Kind::Config, error.to_string());
    }
    let tokenizer = tokenizer(folder, wanted.tokenizer, config.as_ref(), &mut problem);
    let (mut notes, mut vision, mut plora) = (Vec::new(), None, Vec::new());
    if let Some(checkpoint) = &checkpoint {
        if let Some(config) = &config {
            problems.extend(tensors::compare(config, checkpoint));
            notes.extend(tensors::left_out(config, checkpoint));
            vision = config.vision.as_ref();
            plora.extend(config.plora.iter().flat_map(|plora| plora.ranks));
        } else {
            plora.extend(
                Shapes::new(checkpoint).plora(None).ok().flatten().iter().flat_map(|p| p.ranks),
            );
        }
    }
    let seen = match (vision, &checkpoint) {
        (Some(vision), _) => Some(describe(vision)),
        // Without a configuration the tower's own tensors still tell its size.
        (None, Some(checkpoint)) if config.is_none() => {
            Shapes::new(checkpoint).vision(None).ok().flatten().as_ref().map(describe)
        }
        _ => None,
    };
    let adapters = LINEARS.into_iter().zip(plora);
    let survey = Survey {
        path: path.display().to_string(),
        loads: problems.is_empty(),
        problems,
        notes,
        family: config.as_ref().map(|config| config.family.name()),
        licence: licence(folder),
        language: config.as_ref().map(|config| language(&config.language)),
        vision: seen,
        plora: adapters.map(|(linear, (rank, scale))| Adapter { linear, rank, scale }).collect(),
        text_adapters: config.as_ref().map(|c| c.text_adapters.clone()).unwrap_or_default(),
        gptq: checkpoint.as_ref().is_some_and(|checkpoint| Shapes::new(checkpoint).is_gptq()),
        parameters: checkpoint.as_ref().map(tensors::parameters).unwrap_or_default(),
        dtypes: checkpoint.as_ref().map(tensors::dtypes).unwrap_or_default(),
        files: files(folder, checkpoint.as_ref()),
        memory: checkpoint
            .as_ref()
            .zip(config.as_ref())
            .map(|(checkpoint, config)| memory(checkpoint, &config.language)),
        tokenizer,
        tensors: checkpoint.as_ref().filter(|_| wanted.tensors).map(tensors::list),
    };
    (survey, checkpoint)
}

fn language(config: &LanguageConfig) -> Language {
    Language {
        layers: config.layers,
        hidden: config.hidden,
        intermediate: config.intermediate,
        heads: config.heads,
        kv_heads: config.kv_heads,
        vocabulary: config.vocabulary,
        context: config.positions_max,
        rope_theta: config.rope_theta,
        rope_dynamic_factor: config.rope_dynamic_factor,
        rms_norm_eps: config.eps,
    }
}

fn describe(config: &VisionConfig) -> Vision {
    let (side, tiles) = match config.geometry {
        Geometry::Square { side } => (side, None),
        Geometry::Tiles { tile, tiles_max, .. } => (tile, Some(tiles_max)),
    };
    Vision {
        layers: config.layers,
        width: config.width,
        intermediate: config.intermediate,
        heads: config.heads(),
        patch: PATCH,
        side,
        tiles,
        stored_grid: config.stored_grid,
        // The size of the picture makes no difference to a square.
        image_tokens: match tiles {
            None => config.geometry.image_tokens(side, side).ok(),
            Some(_) => None,
        },
    }
}

fn licence(folder: &Path) -> Option<Licence> {
    let licence = ixc_hub::Licence::of_snapshot(folder);
    (!licence.is_empty()).then(|| licence.into())
}

/// The weight files; those that look like it when the checkpoint cannot be opened.
fn files(folder: &Path, checkpoint: Option<&Checkpoint>) -> Vec<File> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(checkpoint) = checkpoint else {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut found: Vec<File> = entries
            .filter(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                [".safetensors", ".bin", ".pt"].iter().any(|end| name.ends_with(end))
            })
            .filter_map(|entry| {
                let bytes = std::fs::metadata(entry.path()).ok()?.len();
                Some(File { name: name(&entry.path()), bytes, format: None, tensors: None })
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        return found;
    };
    let mut counts = vec![0; checkpoint.files().len()];
    checkpoint.names().filter_map(|name| checkpoint.info(name)).for_each(|i| counts[i.file] += 1);
    let files = checkpoint.files().iter().zip(counts);
    files
        .map(|(file, tensors)| File {
            name: name(&file.path),
            bytes: file.bytes as u64,
            format: Some(file.format.to_string()),
            tensors: Some(tensors),
        })
        .collect()
}

fn memory(checkpoint: &Checkpoint, config: &LanguageConfig) -> Memory {
    let weights = |keep| weights_in_memory(checkpoint, keep);
    let position = config.cache_shape(KvType::default()).bytes_per_position();
    Memory {
        weights_stored: weights(Keep::Stored),
        weights_16_bits: weights(Keep::Bf16),
        weights_f32: weights(Keep::F32),
        cache_per_1000_positions: position.saturating_mul(1000),
        cache_of_context: position.saturating_mul(config.positions_max as u64),
    }
}

/// Reads the tokenizer and compares it with the model.
fn tokenizer(
    folder: &Path,
    elsewhere: Option<&Path>,
    config: Option<&ModelConfig>,
    problem: &mut impl FnMut(Kind, String),
) -> Tokenizer {
    let path = elsewhere.map_or_else(|| folder.join(TOKENIZER_FILE), Path::to_path_buf);
    let shown = path.display().to_string();
    if elsewhere.is_none() && !path.is_file() {
        let error = ixc_engine::Error::NoTokenizer { folder: folder.display().to_string() };
        problem(Kind::Tokenizer, error.to_string());
        return Tokenizer { path: shown, pieces: None, fits: None };
    }
    let read = tokenizer::Tokenizer::from_file(&path);
    let read = read.and_then(|tokenizer| SpecialIds::of(&tokenizer).map(|_| tokenizer));
    match read {
        Err(error) => {
            problem(Kind::Tokenizer, error.to_string());
            Tokenizer { path: shown, pieces: None, fits: None }
        }
        Ok(tokenizer) => {
            let pieces = tokenizer.vocab_size();
            let vocabulary = config.map(|config| config.language.vocabulary);
            if let Some(vocabulary) = vocabulary.filter(|&vocabulary| vocabulary != pieces) {
                let error = ixc_engine::Error::TokenizerMismatch { pieces, vocabulary };
                problem(Kind::Tokenizer, error.to_string());
            }
            Tokenizer { path: shown, pieces: Some(pieces), fits: vocabulary.map(|v| v == pieces) }
        }
    }
}

/// Counts the infinite and undefined numbers of every tensor; `tell` hears of each tensor's bytes.
pub(crate) fn check_values(checkpoint: &Checkpoint, mut tell: impl FnMut(u64)) -> Vec<Problem> {
    let mut problems = Vec::new();
    for name in checkpoint.names() {
        let message = match checkpoint.non_finite(name) {
            Ok(0) => None,
            Ok(count) => Some(format!(
                "tensor {name:?}: {} infinite or undefined; the file is damaged: download it again",
                counted(count, "number")
            )),
            Err(error) => Some(error.to_string()),
        };
        problems.extend(message.map(|message| Problem { kind: Kind::NonFiniteTensor, message }));
        tell(checkpoint.info(name).map_or(0, |info| info.bytes as u64));
    }
    problems
}
