//! How many multiplications and additions a step takes: what its time is held against.
//!
//! Two operations for each number of a matrix and row forward; as many for the inputs' gradient, where anything
//! below is trained; as many for the weight's own, where it is; and forward again where blocks are computed
//! again. Attention counts with its scores and its sums. Deliberately absent: everything else, which costs
//! time and is no product.

use ixc_model::{Group, ModelConfig, tensors, training::Extent};

use crate::{recipe::Recipe, trainable::Summary};

/// Operations of a step that goes through so much, in samples of so many rows on average.
pub(super) fn operations(
    recipe: &Recipe,
    config: &ModelConfig,
    groups: &[Summary],
    step: Extent,
    sample_rows: f64,
) -> f64 {
    let trained = |group: Group| groups.iter().any(|summary| summary.group == group);
    let any = |groups: &[Group]| groups.iter().any(|group| trained(*group));
    let to_tower = trained(Group::Tower);
    let to_pictures = to_tower || trained(Group::Projector);
    let to_words = to_pictures || any(&[Group::Plora, Group::Language, Group::Lora]);
    let again = if recipe.gradient_checkpointing { 1.0 } else { 0.0 };
    let vision = config.vision.as_ref();
    let view_rows = vision.map_or(0.0, |vision| (vision.grid() * vision.grid() + 1) as f64);
    // Patches that become one row before the projector.
    let merged = vision.map_or(1.0, |vision| (vision.projector_inputs() / vision.width) as f64);
    let (rows, words) = (step.rows as f64, step.words as f64);
    let tower_rows = step.views as f64 * view_rows;
    let last_block = format!("model.layers.{}.", config.language.layers - 1);
    let mut operations = 0.0;
    for tensor in tensors::expected(config) {
        let Some(name) = tensors::linear(&tensor).or_else(|| tensor.name.strip_suffix(".weight"))
        else {
            continue;
        };
        if tensor.shape.len() < 2 || name.contains("_embedding") && !name.contains("patch") {
            continue;
        }
        let group = Group::of(name);
        let (rows, back) = match group {
            Group::Tower => (tower_rows, to_tower && !name.contains("patch")),
            Group::Projector => (tower_rows / merged, to_pictures),
            // Behind the last attention nothing is computed but the rows before words that are learned.
            _ if name.starts_with(&last_block) && !name.contains("wqkv") => match group {
                Group::Plora => continue,
                _ => (words, to_words),
            },
            Group::Plora => (image_rows(config, step), to_words),
            _ if name == "output" => (words, to_words),
            _ => (rows, to_words),
        };
        let numbers = tensor.shape.iter().product::<usize>() as f64;
        // The output layer is never computed again, and the projector is no block.
        let again = if name == "output" || group == Group::Projector { 0.0 } else { again };
        operations += 2.0 * numbers * rows * passes(back, again, trained(group));
    }
    let lora = groups.iter().filter(|summary| summary.group == Group::Lora);
    let lora: usize = lora.map(|summary| summary.numbers).sum();
    operations += 2.0 * lora as f64 * rows * passes(true, again, true);
    let language = &config.language;
    // Half of the scores are masked; products are taken twice each way back.
    let scores = rows * sample_rows / 2.0 * (language.hidden * language.layers) as f64;
    operations += 4.0 * scores * (passes(to_words, again, to_words));
    if let Some(vision) = vision {
        let scores = tower_rows * view_rows * (vision.width * vision.layers) as f64;
        operations += 4.0 * scores * passes(to_tower, again, to_tower);
    }
    operations
}

/// Rows that come from pictures, as far as views tell: each gives its patches.
fn image_rows(config: &ModelConfig, step: Extent) -> f64 {
    let patches = config.vision.as_ref().map_or(0, |vision| vision.grid() * vision.grid());
    (step.views * patches).min(step.rows) as f64
}

/// How often a product is computed, forward and back.
fn passes(back: bool, again: f64, trained: bool) -> f64 {
    1.0 + if back { 1.0 + again } else { 0.0 } + if trained { 1.0 } else { 0.0 }
}
