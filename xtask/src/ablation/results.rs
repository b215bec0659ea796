//! What is kept of a run: what it changed, how it went, and nothing that can be made again.
//!
//! Invariant: a result is there when it is whole, and then nothing but what its arm trains has changed.
//! Deliberately absent: weights that a run only read.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::changes::{Part, Tensors};

/// What a trained model's whole weights, an adapter's, and what is kept of the first are called.
pub(super) const MODEL: &str = "model.safetensors";
pub(super) const ADAPTER: &str = "adapter_model.safetensors";
pub(super) const CHANGES: &str = "changes.safetensors";

/// The file of what is known of a run besides its weights.
const TRAINING: &str = "training.json";

/// What is known of a run besides its weights.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Training {
    pub(super) arm: String,
    pub(super) seed: u64,
    pub(super) steps: u64,
    pub(super) device: String,
    /// How many runs shared the machine.
    pub(super) jobs: usize,
    pub(super) seconds_a_step: f64,
    /// Numbers in tensors that changed, by what they belong to.
    pub(super) numbers: BTreeMap<Part, u64>,
    /// The digest of the weights that the run began with.
    pub(super) base: String,
}

/// Reads what is known of a kept run, where there is one in this folder.
pub(super) fn training(kept: &Path) -> Result<Option<Training>> {
    let path = kept.join(TRAINING);
    match path.is_file() {
        true => Ok(Some(serde_json::from_slice(&fs::read(path)?)?)),
        false => Ok(None),
    }
}

/// Keeps in `made` what a run changed of `base`; `trains` is all that may have changed. What only the run's files say
/// is filled into `training`.
pub(super) fn keep(
    base: &Tensors,
    run: &Path,
    trains: &[Part],
    mut training: Training,
    made: &Path,
) -> Result<()> {
    let silent = base.numbers(|name| name.ends_with("Plora_B.weight"))?;
    ensure!(silent.iter().all(|&number| number == 0.0), "Partial LoRA begins with B other than 0");
    let making = made.with_extension("part");
    fs::create_dir_all(&making)?;
    for file in ["log.jsonl", "loss.svg", "recipe.toml", "adapter_config.json", ADAPTER] {
        if run.join(file).is_file() {
            fs::copy(run.join(file), making.join(file))?;
        }
    }
    let changed = match run.join(MODEL).is_file() {
        true => {
            let changes = base.difference(&Tensors::read(&run.join(MODEL))?)?;
            fs::write(making.join(CHANGES), changes.bytes())?;
            changes
        }
        false => Tensors::read(&run.join(ADAPTER))?,
    };
    training.numbers = changed.by_part();
    let other = training.numbers.keys().find(|part| !trains.contains(part));
    ensure!(other.is_none(), "{other:?} has changed, which this arm leaves alone");
    training.seconds_a_step = seconds_a_step(&fs::read_to_string(run.join("log.jsonl"))?)?;
    training.base = base.digest();
    fs::write(making.join(TRAINING), serde_json::to_string_pretty(&training)? + "\n")?;
    fs::rename(&making, made).with_context(|| format!("{}", made.display()))
}

/// Seconds of one step, by a run's log: without evaluations, checkpoints, and times between two beginnings.
fn seconds_a_step(log: &str) -> Result<f64> {
    let (mut seconds, mut before, mut step) = (0.0, 0.0, 0.0);
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let number = |key: &str| line[key].as_f64();
        if let (Some(at), Some(tokens), Some(pace)) =
            (number("step"), number("tokens"), number("tokens_per_second"))
        {
            seconds += (tokens - before) / pace;
            (before, step) = (tokens, at);
        }
    }
    ensure!(step > 0.0, "the log tells of no step");
    Ok(seconds / step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_what_its_log_says() {
        let log = "{\"event\":\"train\",\"step\":10,\"tokens\":1000,\"tokens_per_second\":100.0,\"time\":5.0}\n\
                   {\"event\":\"eval\",\"step\":10,\"loss\":1.0,\"time\":500.0}\n\
                   {\"event\":\"train\",\"step\":20,\"tokens\":3000,\"tokens_per_second\":200.0,\"time\":900.0}\n";
        assert_eq!(seconds_a_step(log).unwrap(), 1.0);
        assert!(seconds_a_step("").is_err());
    }
}
