//! The survey as text for people: facts first, the verdict last, where the eye ends.

use std::fmt::Write;

use super::{Language, Survey, Vision};
use crate::table::{Align, bytes, count, counted, shape, table};

/// Problems that are shown; the rest is counted, and all are in the JSON.
const PROBLEMS_SHOWN: usize = 20;

/// The whole text.
pub(crate) fn text(survey: &Survey) -> String {
    let mut text = String::new();
    line(&mut text, "model", survey.family.unwrap_or("unknown"));
    line(&mut text, "path", &survey.path);
    if let Some(licence) = &survey.licence {
        let words = [&licence.id, &licence.name, &licence.link];
        let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
        line(&mut text, "licence", &words.join(", "));
        if let Some(terms) = &licence.text {
            terms.lines().for_each(|terms| line(&mut text, "", terms));
        }
    }
    if let Some(config) = &survey.language {
        language(&mut text, config);
    }
    if let Some(config) = &survey.vision {
        vision(&mut text, config);
    }
    adapters(&mut text, survey);
    tokenizer(&mut text, survey);
    memory(&mut text, survey);
    tables(&mut text, survey);
    verdict(&mut text, survey);
    text
}

/// A fact behind its name; without a name it continues the one above.
fn line(text: &mut String, name: &str, fact: &str) {
    let _ = writeln!(text, "{}", format!("{name:<11} {fact}").trim_end());
}

fn language(text: &mut String, config: &Language) {
    let Language { layers, hidden, intermediate, heads, kv_heads, .. } = config;
    line(
        text,
        "decoder",
        &format!(
            "{layers} layers, hidden {hidden}, feed-forward {intermediate}, {heads} heads of {} with \
             {kv_heads} key-value heads",
            hidden / heads
        ),
    );
    let scaling = match config.rope_dynamic_factor {
        Some(factor) => format!(", dynamic scaling {factor}"),
        None => String::new(),
    };
    line(
        text,
        "",
        &format!(
            "vocabulary {}, context {} positions, rope base {}{scaling}, norm epsilon {:e}",
            config.vocabulary, config.context, config.rope_theta, config.rms_norm_eps
        ),
    );
}

fn vision(text: &mut String, config: &Vision) {
    let Vision { layers, width, intermediate, heads, patch, side, .. } = config;
    line(
        text,
        "tower",
        &format!(
            "{layers} layers, width {width}, feed-forward {intermediate}, {}, patches of {patch} px",
            counted(*heads, "head")
        ),
    );
    let how = match (config.tiles, config.image_tokens) {
        (Some(tiles), _) => {
            format!(
                "pictures are cut into up to {tiles} tiles of {side}×{side} px beside a global view"
            )
        }
        (None, Some(tokens)) => {
            format!("pictures become {side}×{side} px and take {tokens} positions")
        }
        (None, None) => format!("pictures become {side}×{side} px"),
    };
    line(text, "", &format!("{how}; position table {0}×{0}", config.stored_grid));
}

fn adapters(text: &mut String, survey: &Survey) {
    if !survey.plora.is_empty() {
        let each = survey.plora.iter().map(|adapter| {
            let name = adapter.linear.rsplit('.').next().unwrap_or(adapter.linear);
            format!("{name} rank {} × {}", adapter.rank, adapter.scale)
        });
        line(text, "image LoRA", &each.collect::<Vec<_>>().join(", "));
    }
    if survey.gptq {
        line(text, "quantised", "GPTQ, 4 bits");
    }
}

fn tokenizer(text: &mut String, survey: &Survey) {
    let tokenizer = &survey.tokenizer;
    let fact = match (tokenizer.pieces, tokenizer.fits) {
        (Some(pieces), Some(true)) => format!("{pieces} pieces, fits the vocabulary"),
        (Some(pieces), Some(false)) => format!("{pieces} pieces, does not fit the vocabulary"),
        (Some(pieces), None) => format!("{pieces} pieces"),
        (None, _) => "none that can be used".into(),
    };
    line(text, "tokenizer", &fact);
}

fn memory(text: &mut String, survey: &Survey) {
    let Some(memory) = &survey.memory else { return };
    let mut weights = format!("{} of weights as stored", bytes(memory.weights_stored));
    for (dtype, needed) in [("bf16", memory.weights_16_bits), ("f32", memory.weights_f32)] {
        if needed != memory.weights_stored {
            let _ = write!(weights, ", {} with --dtype {dtype}", bytes(needed));
        }
    }
    line(text, "memory", &weights);
    let (thousand, all) = (memory.cache_per_1000_positions, memory.cache_of_context);
    line(
        text,
        "",
        &format!(
            "and {} per 1000 positions of a conversation ({} for the whole context)",
            bytes(thousand),
            bytes(all)
        ),
    );
}

fn tables(text: &mut String, survey: &Survey) {
    use Align::{Left, Right};
    let parts = survey
        .parameters
        .parts
        .iter()
        .map(|part| vec![part.part.into(), count(part.parameters), bytes(part.bytes)]);
    let last = vec![
        "total of the model".into(),
        count(survey.parameters.total),
        bytes(survey.parameters.bytes),
    ];
    let rows: Vec<_> = parts.chain([last]).collect();
    if rows.len() > 1 {
        let columns = [("part", Left), ("parameters", Right), ("in files", Right)];
        let _ = write!(text, "\n{}", table(&columns, &rows));
    }
    let rows: Vec<_> = survey
        .dtypes
        .iter()
        .map(|stored| vec![stored.dtype.clone(), stored.tensors.to_string(), bytes(stored.bytes)])
        .collect();
    if !rows.is_empty() {
        let columns = [("dtype", Left), ("tensors", Right), ("in files", Right)];
        let _ = write!(text, "\n{}", table(&columns, &rows));
    }
    let rows: Vec<_> = survey
        .files
        .iter()
        .map(|file| {
            let tensors = file.tensors.map(|tensors| tensors.to_string()).unwrap_or_default();
            let format = file.format.clone().unwrap_or_else(|| "not read".into());
            vec![file.name.clone(), bytes(file.bytes), tensors, format]
        })
        .collect();
    if !rows.is_empty() {
        let columns = [("file", Left), ("size", Right), ("tensors", Right), ("format", Left)];
        let _ = write!(text, "\n{}", table(&columns, &rows));
    }
    if let Some(tensors) = &survey.tensors {
        let row = |tensor: &super::Tensor| {
            let size = bytes(tensor.bytes);
            vec![
                tensor.name.clone(),
                tensor.dtype.clone(),
                shape(&tensor.shape),
                size,
                tensor.part.into(),
            ]
        };
        let rows: Vec<_> = tensors.iter().map(row).collect();
        let columns =
            [("tensor", Left), ("dtype", Left), ("shape", Left), ("size", Right), ("part", Left)];
        let _ = write!(text, "\n{}", table(&columns, &rows));
    }
}

fn verdict(text: &mut String, survey: &Survey) {
    text.push('\n');
    for note in &survey.notes {
        let _ = writeln!(text, "note: {note}");
    }
    for problem in survey.problems.iter().take(PROBLEMS_SHOWN) {
        let _ = writeln!(text, "problem: {}", problem.message);
    }
    if survey.problems.len() > PROBLEMS_SHOWN {
        let more = survey.problems.len() - PROBLEMS_SHOWN;
        let _ = writeln!(text, "and {} more; --json lists all", counted(more, "problem"));
    }
    let _ = match survey.problems.len() {
        0 => writeln!(text, "verdict: loads"),
        problems => writeln!(text, "verdict: does not load, {}", counted(problems, "problem")),
    };
}
