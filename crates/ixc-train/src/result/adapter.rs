//! A LoRA adapter in PEFT's form: `adapter_model.safetensors` and `adapter_config.json`.
//!
//! LoRA's A and B as float32, and whole tensors that were trained beside them as PEFT's `modules_to_save`.
//! Deliberately absent: what PEFT has no words for; [`super::Form::of`] makes a whole model of that.

use std::{collections::BTreeSet, path::Path};

use ixc_model::adapter::{CONFIG, WEIGHTS, lora_name, module_of, whole_name};
use ixc_nn::weights::{ShardWriter, StoredType, TensorPlan};
use serde_json::json;

use super::Watch;
use crate::{
    Error,
    checkpoint::{Slot, write_text},
    recipe::Recipe,
    trainable::is_lora,
};

/// Writes the adapter, its configuration first.
pub(super) fn write(
    out: &Path,
    recipe: &Recipe,
    slots: &[Slot],
    watch: &mut Watch,
) -> Result<(), Error> {
    let plan = |slot: &Slot| TensorPlan {
        name: peft_name(slot.name),
        dtype: StoredType::F32,
        shape: slot.shape.into(),
    };
    // One file, whatever its size: PEFT knows no shards.
    let writer = ShardWriter::named(out, WEIGHTS, slots.iter().map(plan).collect(), usize::MAX)?;
    let whole = slots.iter().map(|slot| slot.name).filter(|name| !is_lora(name));
    let modules: BTreeSet<&str> = whole.filter_map(module_of).collect();
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": recipe.model,
        "inference_mode": true,
        "r": recipe.lora_r,
        "lora_alpha": whole_number(recipe.lora_alpha),
        "lora_dropout": recipe.lora_dropout,
        "target_modules": recipe.lora_target_modules,
        "modules_to_save": if modules.is_empty() { json!(null) } else { json!(modules) },
        "bias": "none",
        "fan_in_fan_out": false,
        "init_lora_weights": true,
    });
    let text = serde_json::to_string_pretty(&config).expect("plain data");
    write_text(&out.join(CONFIG), &text)?;
    let total = slots.iter().map(|slot| slot.master.len() as u64 * 4).sum();
    let (mut done, mut next) = (0, slots.iter());
    writer.write::<Error>(|_, sink| {
        let slot = next.next().expect("as many as plans, all of one type, so in their order");
        sink.f32(slot.master)?;
        done += slot.master.len() as u64 * 4;
        if watch(done, total).is_break() { Err(Error::Cancelled) } else { Ok(()) }
    })?;
    Ok(())
}

/// The name of a parameter in PEFT's file.
fn peft_name(name: &str) -> String {
    for side in ["lora_A", "lora_B"] {
        if let Some(linear) = name.strip_suffix(&format!(".{side}.weight")) {
            return lora_name(linear, side);
        }
    }
    whole_name(name)
}

/// A whole number without a point, as PEFT writes it.
fn whole_number(value: f64) -> serde_json::Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}
