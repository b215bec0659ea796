//! The ladder of equality: each rung of the main path against the published PyTorch code.
//!
//! Every folder of a form is climbed, in the fixtures and in the full goldens; sizes, ranks, layers
//! and images are read from the files.

mod golden;

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use golden::{devices, load_in, load_on, pixels, prompt, see};
use ixc_goldens::{Expected, assert_close, deviation, folders, json, tensors, weight_files};
use ixc_input::{prepare::Geometry, prompt::Prompt};
use ixc_model::{
    Stage, XComposer,
    decoder::{Outputs, Sequence},
    load::Weights,
    shapes::Shapes,
    stage::{unobserved, watching},
    tensors::TOWER,
    vision::resize_positions,
    xcomposer::Eye,
};
use ixc_nn::{
    Arithmetic,
    interpolate::bicubic,
    weights::{Checkpoint, Keep},
};

/// A model in each file form and on each device, with what its name is in messages.
fn loaded(forms: &[PathBuf]) -> impl Iterator<Item = (String, XComposer)> + '_ {
    let on = |form: &PathBuf| {
        let form = form.clone();
        devices().into_iter().map(move |(name, device)| {
            let model = load_on(&form, Arithmetic::Exact, &device);
            (format!("{} on {name}", form.display()), model)
        })
    };
    forms.iter().flat_map(on)
}

/// The whole-model folders, each once for every file form it has.
fn models(name: &str) -> Vec<(PathBuf, Vec<PathBuf>)> {
    folders(name)
        .into_iter()
        .filter(|folder| folder.join("expected.safetensors").is_file())
        .map(|folder| {
            let forms = weight_files(&folder);
            (folder, forms)
        })
        .collect()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn tower_and_projector() {
    for (folder, forms) in models("tiny-vl") {
        let expected = tensors(&folder.join("expected.safetensors"));
        for (what, model) in loaded(&forms) {
            let pictures = &expected["pixel_values"];
            for image in 0..pictures.shape[0] {
                let mut observe = watching(|stage: Stage, value: &Tensor| {
                    let name = match stage {
                        Stage::TowerInput => "vision.hidden.0".to_string(),
                        Stage::TowerLayer(layer) => format!("vision.hidden.{}", layer + 1),
                        Stage::TowerOutput => "vision.features".into(),
                        Stage::Projector => "projector.out".into(),
                        other => panic!("{other:?} while looking"),
                    };
                    let all = &expected[&name];
                    let size: usize = all.shape[1..].iter().product();
                    let one = Expected {
                        shape: all.shape[1..].to_vec(),
                        values: all.values[image * size..(image + 1) * size].to_vec(),
                    };
                    assert_close(&format!("{what}: {name} of image {image}"), &values(value), &one);
                });
                model.see(&pixels(pictures, image), &mut observe).unwrap();
            }
        }
    }
}

#[test]
fn decoder_layers_and_logits() {
    for (folder, forms) in models("tiny-vl") {
        let expected = tensors(&folder.join("expected.safetensors"));
        for (what, model) in loaded(&forms) {
            let pictures = &expected["pixel_values"];
            let features = see(&model, pictures);
            for run in ["text", "inter"] {
                let ids = expected[&format!("{run}.input_ids")].i64();
                let rows_per_image = features[0].dim(0).unwrap();
                check_run(&model, &prompt(&ids, rows_per_image), &features, |stage, value| {
                    let name = match stage {
                        Stage::Splice if run == "inter" => "inter.embeds".to_string(),
                        Stage::Splice => format!("{run}.hidden.0"),
                        // The published last hidden state is taken after the last norm.
                        Stage::DecoderLayer(layer)
                            if layer + 1 < model.config().language.layers =>
                        {
                            format!("{run}.hidden.{}", layer + 1)
                        }
                        Stage::DecoderOutput => {
                            format!("{run}.hidden.{}", model.config().language.layers)
                        }
                        Stage::Logits => format!("{run}.logits"),
                        _ => return,
                    };
                    assert_close(&format!("{what}: {name}"), &values(value), &expected[&name]);
                });
                if let Some(mask) = expected.get(&format!("{run}.image_mask")) {
                    let spliced = model
                        .splice(&prompt(&ids, rows_per_image), &features, &mut unobserved)
                        .unwrap();
                    let mut found = vec![0i64; ids.len()];
                    spliced.images.runs().iter().cloned().flatten().for_each(|row| found[row] = 1);
                    assert_eq!(found, mask.i64(), "the mask of image rows");
                }
            }
        }
    }
}

/// Runs a prompt without a cache, every stage observed.
fn check_run(
    model: &XComposer,
    prompt: &Prompt,
    features: &[Tensor],
    see: impl FnMut(Stage, &Tensor),
) {
    let mut see = watching(see);
    let spliced = model.splice(prompt, features, &mut see).unwrap();
    let rows = spliced.embeddings.dim(0).unwrap();
    let mut batch = [Sequence { rows, cache: None }];
    let hidden = model
        .forward(&spliced.embeddings, &spliced.images, &mut batch, Outputs::All, &mut see)
        .unwrap();
    model.logits(&hidden, &mut see).unwrap();
}

#[test]
fn gptq_logits() {
    for (folder, forms) in models("tiny-gptq") {
        let expected = tensors(&folder.join("expected.safetensors"));
        for (what, model) in loaded(&forms) {
            assert!(model.config().gptq);
            let pictures = &expected["pixel_values"];
            let features = see(&model, pictures);
            let ids = expected["input_ids"].i64();
            let rows = features[0].dim(0).unwrap();
            check_run(&model, &prompt(&ids, rows), &features, |stage, value| {
                if stage == Stage::Logits {
                    let rung = format!("{what}: logits");
                    assert_close(&rung, &values(value), &expected["logits"]);
                }
            });
        }
    }
}

/// Logits of 8-bit products over the stored 4 bits, of the tensor's maximum: 3.2e-2 on this random model, whose
/// rows are short and whose logits nothing averages.
const FAST_TOLERANCE: f64 = 5e-2;

#[test]
fn gptq_logits_in_fast_arithmetic() {
    for (folder, forms) in models("tiny-gptq") {
        let expected = tensors(&folder.join("expected.safetensors"));
        let model = load_in(&forms[0], Arithmetic::Fast);
        let features = see(&model, &expected["pixel_values"]);
        let prompt = prompt(&expected["input_ids"].i64(), features[0].dim(0).unwrap());
        check_run(&model, &prompt, &features, |stage, value| {
            if stage == Stage::Logits {
                let off = deviation(&values(value), &expected["logits"]);
                println!("{}: fast logits deviate by {off:.2e}", folder.display());
                assert!(off > 0.0 && off < FAST_TOLERANCE, "{}: {off:.2e}", folder.display());
            }
        });
    }
}

#[test]
fn high_resolution_towers() {
    let mut found = folders("tiny-4khd");
    found.extend(ixc_goldens::full().map(|_| folders("tiny-2d5")).unwrap_or_default());
    for folder in found {
        for (name, device) in devices() {
            climb_tower(&folder, name, &device);
        }
    }
}

fn climb_tower(folder: &Path, device_name: &str, device: &ixc_nn::device::Device) {
    let about = json(&folder.join("expected.json"));
    let expected = tensors(&folder.join("expected.safetensors"));
    let checkpoint = Checkpoint::open(&folder.join("vision.safetensors")).unwrap();
    let config = Shapes::new(&checkpoint).vision(None).unwrap().unwrap();
    let tile = about["tile"].as_u64().unwrap() as u32;
    assert!(matches!(config.geometry, Geometry::Tiles { tile: t, .. } if t == tile));
    let hidden = checkpoint.info("vision_proj.2.bias").unwrap().shape[0];
    assert!(checkpoint.info(&format!("{TOWER}.pre_layrnorm.weight")).is_some());
    let weights = Weights::new(&checkpoint, Keep::Stored, Arithmetic::Exact).on(device);
    let eye = Eye::load(&weights, &config, hidden).unwrap();
    for (case, about) in about["cases"].as_array().unwrap().iter().enumerate() {
        let mut picture = pixels(&expected[&format!("case{case}.pixel_values_times8")], 0);
        picture.data.iter_mut().for_each(|value| *value /= 8.0);
        let mut observe = watching(|stage: Stage, value: &Tensor| {
            let part = match stage {
                Stage::TilesMerged => "merged",
                Stage::Projector => "projected",
                _ => return,
            };
            let name = format!("case{case}.{part}");
            let rung = format!("{} on {device_name}: {name}", folder.display());
            assert_close(&rung, &values(value), &expected[&name]);
        });
        let rows = eye.forward(&picture, &mut observe).unwrap();
        assert_eq!(rows.dim(0).unwrap() as u64, about["tokens"].as_u64().unwrap());
    }
}

#[test]
fn torch_bicubic_and_position_table() {
    for folder in folders("preprocess") {
        let expected = tensors(&folder.join("tensors.safetensors"));
        let tensor = |expected: &Expected, shape: &[usize]| {
            Tensor::from_vec(expected.f32(), shape, &Device::Cpu).unwrap()
        };
        let source = &expected["interpolate.in"];
        let source = tensor(source, &source.shape[1..]);
        for (name, expected) in &expected {
            if name.starts_with("interpolate.bicubic_") {
                let found = bicubic(&source, expected.shape[2], expected.shape[3]).unwrap();
                assert_close(&format!("{}: {name}", folder.display()), &values(&found), expected);
            }
        }
        let grid = |expected: &Expected| (expected.shape[0] - 1).isqrt();
        let natives = expected.iter().filter(|(name, _)| name.starts_with("position.native_"));
        for (_, native) in natives {
            let table = tensor(native, &native.shape);
            for (name, resized) in &expected {
                if name.starts_with("position.resized_") {
                    let found = resize_positions(&table, grid(native), grid(resized)).unwrap();
                    assert_close(
                        &format!("{}: {name}", folder.display()),
                        &values(&found),
                        resized,
                    );
                }
            }
        }
    }
}
