//! A model made of a CLIP tower and an InternLM2: every number is a part's, or new as published.

use std::{fs, ops::ControlFlow, path::Path};

use candle_core::{Device, Tensor};
use ixc_input::prepare::{Grid, Pixels};
use ixc_model::{
    Family, ModelConfig, XComposer,
    from_parts::{self, Parts, write},
    stage::unobserved,
    tensors::{Part, TOWER, expected},
    vision::resize_positions,
};
use ixc_nn::{
    Arithmetic,
    weights::{Checkpoint, Keep, ShardWriter, StoredType, TensorPlan},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Parts cut out of a published-form golden model.
struct Cut {
    /// `language` and `tower` are in it.
    folder: TempDir,
    whole: Checkpoint,
    config: ModelConfig,
}

fn on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Writes tensors of a checkpoint under other names, in this type.
fn write_some(from: &Checkpoint, names: &[(String, String)], dtype: StoredType, to: &Path) {
    let plan = |(old, new): &(String, String)| TensorPlan {
        name: new.clone(),
        dtype,
        shape: from.info(old).unwrap().shape.clone(),
    };
    let plans = names.iter().map(plan).collect();
    ShardWriter::new(to, plans, usize::MAX)
        .unwrap()
        .write::<ixc_nn::Error>(|plan, sink| {
            let (old, _) = names.iter().find(|(_, new)| *new == plan.name).unwrap();
            sink.f32(&from.floats(old, &plan.shape)?)
        })
        .unwrap();
}

impl Cut {
    fn new(dtype: StoredType) -> Self {
        let golden = ixc_goldens::folders("tiny-vl").remove(0);
        let whole = Checkpoint::open(&golden).unwrap();
        let config = ModelConfig::read(&golden, &whole).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (mut language, mut tower) = (Vec::new(), Vec::new());
        for name in whole.names() {
            if let Some(rest) = name.strip_prefix("vit.vision_tower.") {
                tower.push((name.to_owned(), rest.to_owned()));
            } else if !name.contains("Plora") && !name.starts_with("vision_proj") {
                language.push((name.to_owned(), name.to_owned()));
            }
        }
        let cut = Self { folder, whole, config };
        write_some(&cut.whole, &language, dtype, &cut.language());
        write_some(&cut.whole, &tower, StoredType::F32, &cut.tower());
        let mut published = ixc_goldens::json(&golden.join("config.json"));
        for key in ["img_size", "auto_map"] {
            published.as_object_mut().unwrap().remove(key);
        }
        fs::write(cut.language().join("config.json"), published.to_string()).unwrap();
        fs::write(cut.language().join("tokenizer.model"), "words").unwrap();
        cut.describe_tower(&json!({ "vision_config": cut.clip() }));
        cut
    }

    fn language(&self) -> std::path::PathBuf {
        self.folder.path().join("language")
    }

    fn tower(&self) -> std::path::PathBuf {
        self.folder.path().join("tower")
    }

    fn clip(&self) -> Value {
        let vision = self.config.vision.as_ref().unwrap();
        json!({
            "hidden_act": "quick_gelu", "patch_size": 14, "hidden_size": vision.width,
            "num_attention_heads": vision.heads(),
        })
    }

    fn describe_tower(&self, config: &Value) {
        fs::write(self.tower().join("config.json"), config.to_string()).unwrap();
    }

    fn parts(&self, side: u32, keep_positions: bool) -> Parts {
        let (tower, language) = (self.tower(), self.language());
        Parts { tower, language, tokenizer: None, side, keep_positions, rank: 8, seed: 3 }
    }

    fn make(&self, name: &str, parts: &Parts) -> (Checkpoint, ModelConfig) {
        let out = self.folder.path().join(name);
        let told = write(parts, &out, &mut on).unwrap();
        assert_eq!(from_parts::config(parts).unwrap(), told);
        let checkpoint = Checkpoint::open(&out).unwrap();
        let config = ModelConfig::read(&out, &checkpoint).unwrap();
        assert_eq!(config, told, "what was written is read back");
        (checkpoint, config)
    }
}

fn numbers(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    checkpoint.floats(name, &checkpoint.info(name).unwrap().shape).unwrap()
}

#[test]
fn parts_keep_their_numbers_and_what_is_new_begins_as_published() {
    for dtype in [StoredType::F32, StoredType::Bf16] {
        let cut = Cut::new(dtype);
        let language = Checkpoint::open(&cut.language()).unwrap();
        let side = 56;
        let (made, config) = cut.make("made", &cut.parts(side, false));
        assert_eq!(config.family, Family::Vl);
        assert_eq!(config.language, cut.config.language);
        for tensor in expected(&config) {
            let name = tensor.name.as_str();
            let found = numbers(&made, name);
            let inputs = *tensor.shape.last().unwrap();
            match tensor.part {
                Part::Words | Part::Decoder => {
                    assert_eq!(found, numbers(&language, name), "{name}");
                    assert_eq!(made.info(name).unwrap().dtype, dtype);
                }
                Part::Tower => assert_eq!(found, numbers(&cut.whole, name), "{name}"),
                Part::Plora if name.contains("Plora_B") => {
                    assert!(found.iter().all(|&b| b == 0.0), "{name}");
                }
                // Kaiming-uniform with a = √5; a bias by its layer's inputs.
                Part::Plora | Part::Projector => {
                    let tower = config.vision.as_ref().unwrap().width;
                    let inputs = if name == "vision_proj.0.bias" { tower } else { inputs };
                    uniform(name, &found, 1.0 / (inputs as f32).sqrt());
                }
            }
        }
        assert_eq!(fs::read(cut.folder.path().join("made/tokenizer.model")).unwrap(), b"words");
    }
}

/// Numbers fill the interval from −reach to reach evenly (bf16 may round up to its end).
fn uniform(name: &str, found: &[f32], reach: f32) {
    let largest = found.iter().fold(0f32, |max, x| max.max(x.abs()));
    assert!(largest <= reach * 1.004 && largest > reach * 0.9, "{name}: {largest} of {reach}");
    let count = found.len() as f32;
    let mean = found.iter().sum::<f32>() / count;
    let square = found.iter().map(|x| x * x).sum::<f32>() / count;
    assert!(mean.abs() < 3.0 * reach / (3.0 * count).sqrt(), "{name}: mean {mean}");
    assert!((square * 3.0 / reach.powi(2) - 1.0).abs() < 0.35, "{name}: variance {square}");
}

#[test]
fn positions_are_resized_as_the_loader_resizes_them() {
    let cut = Cut::new(StoredType::F32); // a table of 4 × 4
    let side = 84; // 6 × 6
    let (resized, config) = cut.make("resized", &cut.parts(side, false));
    let (kept, kept_config) = cut.make("kept", &cut.parts(side, true));
    let name = format!("{TOWER}.embeddings.position_embedding.weight");
    let stored = cut.config.vision.as_ref().unwrap().stored_grid;
    assert_eq!(config.vision.as_ref().unwrap().stored_grid, 6);
    assert_eq!(kept_config.vision.as_ref().unwrap().stored_grid, stored);
    let width = config.vision.as_ref().unwrap().width;
    let table = numbers(&cut.whole, &name);
    assert_eq!(numbers(&kept, &name), table);
    let table = Tensor::from_vec(table, (stored * stored + 1, width), &Device::Cpu).unwrap();
    let expected = resize_positions(&table, stored, 6).unwrap().flatten_all().unwrap();
    assert_eq!(numbers(&resized, &name), expected.to_vec1::<f32>().unwrap());

    // And so both see the same.
    let data = (0..3 * side * side).map(|i| ((i * 37) % 255) as f32 / 255.0 - 0.5).collect();
    let pixels = Pixels { width: side, height: side, grid: Grid { rows: 1, columns: 1 }, data };
    let see = |checkpoint: &Checkpoint, config: ModelConfig| {
        let model = XComposer::load(config, checkpoint, Keep::Stored, Arithmetic::Exact).unwrap();
        let seen = model.see(&pixels, &mut unobserved).unwrap();
        seen.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert_eq!(see(&resized, config), see(&kept, kept_config));
}

#[test]
fn the_seed_decides_the_new_numbers() {
    let cut = Cut::new(StoredType::F32);
    let name = "model.layers.1.feed_forward.w2.Plora_A.weight";
    let other = "model.layers.0.feed_forward.w2.Plora_A.weight";
    let (first, _) = cut.make("first", &cut.parts(56, false));
    let (again, _) = cut.make("again", &cut.parts(56, false));
    let (third, _) = cut.make("third", &Parts { seed: 4, ..cut.parts(56, false) });
    assert_eq!(numbers(&first, name), numbers(&again, name));
    assert_ne!(numbers(&first, name), numbers(&third, name));
    assert_ne!(numbers(&first, name), numbers(&first, other));
}

#[test]
fn a_tower_s_own_configuration_and_its_last_norm_come_along() {
    let cut = Cut::new(StoredType::F32);
    cut.describe_tower(&cut.clip());
    let (made, _) = cut.make("made", &cut.parts(56, false));
    for side in ["weight", "bias"] {
        let norm = format!("{TOWER}.post_layernorm.{side}");
        assert_eq!(numbers(&made, &norm), numbers(&cut.whole, &norm), "published files carry it");
    }
}

#[test]
fn another_xcomposer_serves_as_either_part() {
    let cut = Cut::new(StoredType::F32);
    let apart = cut.make("apart", &cut.parts(56, false)).0;
    let composer = ixc_goldens::folders("tiny-vl").remove(0);
    let (tower, language) = (composer.clone(), composer);
    let whole = Parts { tower, language, ..cut.parts(56, false) };
    let (made, config) = cut.make("whole", &whole);
    assert_eq!(config.plora.unwrap().ranks, [(8, 2.0); 5]);
    for name in made.names() {
        assert_eq!(numbers(&made, name), numbers(&apart, name), "{name}");
    }
}

#[test]
fn parts_that_make_no_model_are_refused() {
    let cut = Cut::new(StoredType::F32);
    let out = cut.folder.path().join("out");
    let refused = |parts: &Parts| {
        let error = write(parts, &out, &mut on).unwrap_err().to_string();
        assert!(!out.join("model.safetensors").exists());
        error
    };
    let parts = cut.parts(56, false);
    assert!(refused(&Parts { side: 60, ..parts.clone() }).contains("a multiple of 14"));
    assert!(refused(&Parts { rank: 0, ..parts.clone() }).contains("a rank of 1 to"));
    let swapped = Parts { tower: cut.language(), ..parts.clone() };
    assert!(refused(&swapped).contains("hidden_act: expected \"quick_gelu\", found \"silu\""));
    let words = cut.folder.path().join("words");
    fs::create_dir(&words).unwrap();
    let file = "model.safetensors";
    fs::copy(cut.language().join(file), words.join(file)).unwrap();
    fs::write(words.join("config.json"), cut.clip().to_string()).unwrap();
    let blind = Parts { tower: words, ..parts.clone() };
    assert!(refused(&blind).contains("expected a CLIP vision tower"));
    for (key, value, said) in [
        ("hidden_act", json!("gelu"), "hidden_act: expected \"quick_gelu\", found \"gelu\""),
        ("patch_size", json!(16), "patch_size: expected 14, found 16"),
        ("num_attention_heads", json!(3), "heads of width 64"),
        ("patch_size", json!("x"), "expected a CLIP configuration"),
    ] {
        let mut clip = cut.clip();
        clip[key] = value;
        cut.describe_tower(&clip);
        assert!(refused(&parts).contains(said), "{said}");
    }
    cut.describe_tower(&cut.clip());
    let mut stop = |_, _| ControlFlow::Break(());
    assert!(write(&parts, &out, &mut stop).is_err());
    assert!(!out.join("model.safetensors").exists());
    write(&parts, &out, &mut on).unwrap();
    assert!(refused_again(&parts, &out).contains("already holds"));
}

fn refused_again(parts: &Parts, out: &Path) -> String {
    write(parts, out, &mut on).unwrap_err().to_string()
}
