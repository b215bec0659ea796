//! The ladder of equality, above inference: loss, every gradient, three clipped steps of AdamW, against the
//! published PyTorch code.

#![allow(clippy::print_stdout)] // the figures belong in the test's output

#[path = "../../ixc-model/tests/golden/mod.rs"]
mod golden;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use golden::{devices, pixels};
use ixc_goldens::{Expected, deviation, folders, json, tensors, weight_files};
use ixc_input::{
    prepare::Pixels,
    prompt::{Prompt, Segment},
};
use ixc_model::{Group, ModelConfig, Plan, XComposer, load::Weights, training::Sample};
use ixc_nn::{
    Arithmetic,
    device::Device,
    weights::{Checkpoint, Keep},
};
use ixc_train::step::{Optimiser, Options, Pace, Step, evaluate, gradients, step};

/// Largest deviation of a gradient, of its tensor's own largest number.
const GRADIENT: f64 = 1e-3;

/// Of a loss, of itself.
const LOSS: f64 = 1e-5;

const PLAIN: Step = Step { rate: 0.0, seed: None, checkpointing: false };

fn models() -> Vec<PathBuf> {
    let has = |folder: &PathBuf| {
        folder.join("expected.safetensors").is_file()
            && json(&folder.join("expected.json")).get("train").is_some()
    };
    folders("tiny-vl").into_iter().filter(has).collect()
}

fn load(folder: &Path, plan: &Plan, device: &Device) -> XComposer {
    let checkpoint = Checkpoint::open(&weight_files(folder)[0]).unwrap();
    let config = ModelConfig::read(folder, &checkpoint).unwrap();
    let weights = Weights::new(&checkpoint, Keep::Stored, Arithmetic::Exact);
    XComposer::of(config, &weights.training(plan).on(device)).unwrap()
}

/// Every folder, on every device.
fn rungs() -> impl Iterator<Item = (PathBuf, &'static str, Device)> {
    let on = |folder: PathBuf| {
        devices().into_iter().map(move |(name, device)| (folder.clone(), name, device))
    };
    models().into_iter().flat_map(on)
}

/// The golden conversation: ids with −1 at image rows, and labels, −100 where nothing is learned.
fn prompt(ids: &[i64], labels: &[i64], rows_per_image: usize) -> Prompt {
    let places: Vec<(i64, bool)> =
        ids.iter().zip(labels).map(|(&id, &label)| (id, label >= 0)).collect();
    assert!(ids.iter().zip(labels).all(|(id, label)| *label < 0 || label == id));
    let mut prompt = Prompt::default();
    for run in places.chunk_by(|a, b| (a.0 < 0) == (b.0 < 0) && a.1 == b.1) {
        if run[0].0 >= 0 {
            let ids = run.iter().map(|&(id, _)| id as u32).collect();
            prompt.segments.push(Segment::Text { ids, learned: run[0].1 });
            continue;
        }
        for _ in 0..run.len() / rows_per_image {
            let images = |segment: &&Segment| matches!(segment, Segment::Image { .. });
            let index = prompt.segments.iter().filter(images).count();
            prompt.segments.push(Segment::Image { index });
        }
    }
    prompt
}

/// The one sample of a folder.
fn sample(expected: &BTreeMap<String, Expected>) -> (Prompt, Vec<Pixels>) {
    let ids = expected["inter.input_ids"].i64();
    let rows = expected["projector.out"].shape[1];
    let pictures = &expected["pixel_values"];
    let pictures = (0..pictures.shape[0]).map(|image| pixels(pictures, image)).collect();
    (prompt(&ids, &expected["train.labels"].i64(), rows), pictures)
}

fn assert_loss(what: &str, found: f64, expected: f64) {
    let off = (found - expected).abs() / expected;
    println!("{what}: {found}, off by {off:.1e}");
    assert!(off <= LOSS, "{what}: {found} against {expected}");
}

/// A bias of keys moves all scores of a query alike, which changes nothing: its gradient is 0, and what any
/// program finds is rounding, which a query's bias measures.
fn check_key_bias(name: &str, gradient: &[f32], of_queries: &Expected) {
    let scale = of_queries.values.iter().fold(0f64, |most, value| most.max(value.abs()));
    let most = gradient.iter().fold(0f64, |most, value| most.max(f64::from(value.abs())));
    assert!(most <= 1e-5 * scale, "{name}: {most:.1e} where queries have {scale:.1e}");
}

/// A weight after the steps. AdamW divides a gradient by its own size: where that is next to nothing in one of
/// the steps, rounding decides how far a number moves, so two in a thousand may be off by the steps' reach.
fn check_weight(name: &str, found: &[f32], expected: &Expected, rate: f64) {
    let scale = expected.values.iter().fold(0f64, |most, value| most.max(value.abs()));
    let (mut worst, mut rounded) = (0f64, 0);
    for (found, expected) in found.iter().zip(&expected.values) {
        let off = (f64::from(*found) - expected).abs();
        if off <= GRADIENT * scale {
            worst = worst.max(off / scale);
        } else {
            rounded += 1;
            assert!(off <= rate, "{name}: {found} against {expected}");
        }
    }
    println!("{name}: off by {worst:.1e}, less {rounded} of {}", found.len());
    assert!(rounded * 500 <= found.len(), "{name}: {rounded} of {} off", found.len());
}

#[test]
fn loss_and_every_gradient() {
    for (folder, device_name, device) in rungs() {
        let golden = tensors(&folder.join("expected.safetensors"));
        let about = json(&folder.join("expected.json"));
        let (prompt, pictures) = sample(&golden);
        let sample = Sample { prompt: &prompt, pictures: &pictures, labels: &[] };
        let model = load(&folder, &Plan::of(Group::ALL), &device);
        let loss = about["train"]["loss"].as_f64().unwrap();
        assert_loss("loss, evaluated", evaluate(&model, &[sample]).unwrap().0, loss);
        for checkpointing in [false, true] {
            let told = Step { checkpointing, ..PLAIN };
            let (found, _) = gradients(&model, &[&[sample]], told, 0).unwrap();
            assert_loss("loss, recorded", found, loss);
            let kept = if checkpointing { "inputs" } else { "blocks" };
            check_gradients(
                &format!("{} on {device_name}, {kept} kept", folder.display()),
                &model,
                &golden,
            );
        }
    }
}

/// Compares all gradients with the golden ones, and forgets them.
fn check_gradients(what: &str, model: &XComposer, golden: &BTreeMap<String, Expected>) {
    let mut names: Vec<&str> =
        golden.keys().filter_map(|n| n.strip_prefix("train.grad.")).collect();
    let mut worst = (0.0, "");
    let is_extract = names.is_empty();
    for parameter in model.parameters().iter().filter(|_| !is_extract) {
        let name = parameter.name.as_str();
        let place = names.iter().position(|expected| *expected == name);
        let place = place.unwrap_or_else(|| panic!("{name} has no golden gradient"));
        names.swap_remove(place);
        let expected = &golden[&format!("train.grad.{name}")];
        assert_eq!(parameter.weight.dims(), expected.shape, "{name}");
        let gradient = parameter.weight.gradient(|gradient| gradient.unwrap().to_vec()).unwrap();
        if let Some(block) = name.strip_suffix("k_proj.bias") {
            check_key_bias(name, &gradient, &golden[&format!("train.grad.{block}q_proj.bias")]);
            continue;
        }
        let off = deviation(&gradient, expected);
        assert!(off <= GRADIENT, "{what}: {name}: gradient off by {off:.2e}");
        worst = if off > worst.0 { (off, name) } else { worst };
    }
    println!("{what}: worst gradient {:.1e}, {}", worst.0, worst.1);
    assert_eq!(names, [""; 0], "every golden gradient was looked at");
    model.parameters().iter().for_each(|parameter| parameter.weight.forget_gradient());
}

#[test]
fn three_clipped_steps_of_adamw() {
    for (folder, device_name, device) in rungs() {
        println!("{} on {device_name}", folder.display());
        let golden = tensors(&folder.join("expected.safetensors"));
        let about = &json(&folder.join("expected.json"))["adamw"];
        let number = |key: &str| about[key].as_f64().unwrap();
        let (prompt, pictures) = sample(&golden);
        let sample = Sample { prompt: &prompt, pictures: &pictures, labels: &[] };
        let model = load(&folder, &Plan::of([Group::Plora, Group::Projector]), &device);
        let betas = &about["betas"];
        let options = Options {
            betas: (betas[0].as_f64().unwrap(), betas[1].as_f64().unwrap()),
            eps: number("eps"),
            norm_max: number("clip_norm"),
        };
        let pace = Pace { rate: 1.0, decay: number("weight_decay") };
        let mut optimiser = Optimiser::new(model.parameters(), options, |_| pace).unwrap();
        for index in 0..about["steps"].as_u64().unwrap() as usize {
            let told = Step { rate: number("lr"), ..PLAIN };
            let outcome = step(&model, &mut optimiser, &[&[sample]], told).unwrap();
            assert!(outcome.updated);
            assert_loss("loss", outcome.loss, about["losses"][index].as_f64().unwrap());
            let norm = about["grad_norms"][index].as_f64().unwrap();
            let off = (outcome.norm - norm).abs() / norm;
            println!("norm {}, off by {off:.1e}", outcome.norm);
            assert!(off <= 1e-4, "norm {} against {norm}", outcome.norm);
        }
        assert_eq!(optimiser.steps(), 3);
        let mut left = golden.keys().filter(|name| name.starts_with("adamw.after.")).count();
        if left == 0 {
            continue; // an extract without them
        }
        for parameter in model.parameters() {
            let expected = &golden[&format!("adamw.after.{}", parameter.name)];
            let found = parameter.weight.numbers().unwrap().to_vec();
            assert_eq!(parameter.weight.dims(), expected.shape, "{}", parameter.name);
            check_weight(&parameter.name, &found, expected, number("lr"));
            left -= 1;
        }
        assert_eq!(left, 0, "every golden weight was looked at");
    }
}
