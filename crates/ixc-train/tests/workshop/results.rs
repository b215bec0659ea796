//! Results: the published form, PEFT's form, and the two merged.

use std::{fs, ops::ControlFlow, sync::Arc};

use half::{bf16, f16};
use ixc_input::{
    prepare::{Geometry, Grid, Pixels, TileStyle},
    prompt::{Prompt, Segment},
};
use ixc_model::{
    ModelConfig, Plan, XComposer,
    adapter::Adapter,
    decoder::{Outputs, Sequence},
    splice::Spliced,
    stage::unobserved,
};
use ixc_nn::{
    Arithmetic,
    weights::{Checkpoint, Keep, StoredType},
};
use ixc_train::{
    Recipe,
    result::{Form, check, merge, write},
    trainable::trainable,
};

use crate::support::{Model, Tensor, names_in, numbers, on, recipe, slots};

/// Every tensor as float32.
fn all(checkpoint: &Checkpoint) -> Vec<(String, StoredType, Vec<f32>)> {
    let one = |name: &str| {
        let info = checkpoint.info(name).unwrap();
        (name.to_owned(), info.dtype, checkpoint.floats(name, &info.shape).unwrap())
    };
    checkpoint.names().map(one).collect()
}

fn rounded(values: &[f32], dtype: StoredType) -> Vec<f32> {
    let round = |&x: &f32| match dtype {
        StoredType::Bf16 => bf16::from_f32(x).to_f32(),
        StoredType::F16 => f16::from_f32(x).to_f32(),
        _ => x,
    };
    values.iter().map(round).collect()
}

fn opens(folder: &std::path::Path) -> (Checkpoint, ModelConfig) {
    let checkpoint = Checkpoint::open(folder).unwrap();
    let config = ModelConfig::read(folder, &checkpoint).unwrap();
    XComposer::load(config.clone(), &checkpoint, Keep::Stored, Arithmetic::Exact).unwrap();
    (checkpoint, config)
}

#[test]
fn a_whole_model_is_the_base_with_what_was_trained_in_its_place() {
    for dtype in [StoredType::F32, StoredType::Bf16, StoredType::F16] {
        let model = Model::random(dtype);
        let recipe = recipe("plora", "");
        let tensors = model.trained(&recipe);
        let out = tempfile::tempdir().unwrap();
        let (mut last, mut calls) = ((0, 0), 0);
        let form =
            write(out.path(), &recipe, model.base(), &slots(&tensors), &mut |done, total| {
                assert!(done > last.0 && done <= total);
                (last, calls) = ((done, total), calls + 1);
                ControlFlow::Continue(())
            });
        assert_eq!(form.unwrap(), Form::Model);
        assert!(last.0 == last.1 && calls > 10);
        let files = ["config.json", "model.safetensors", "recipe.toml", "tokenizer.model"];
        assert_eq!(names_in(out.path()), files);
        let (checkpoint, config) = opens(out.path());
        assert_eq!(config, model.config);
        let base = all(&model.checkpoint);
        for ((name, found_type, found), (base_name, base_type, before)) in
            all(&checkpoint).into_iter().zip(base)
        {
            assert_eq!((&name, found_type), (&base_name, base_type));
            match tensors.iter().find(|tensor| tensor.parameter.name == name) {
                Some(tensor) => assert_eq!(found, rounded(&tensor.numbers[0], dtype), "{name}"),
                None => assert_eq!(found, before, "{name} was frozen"),
            }
        }
        let text = fs::read_to_string(out.path().join("recipe.toml")).unwrap();
        assert_eq!(Recipe::parse(&text, "r", &[]).unwrap(), recipe);
    }
}

#[test]
fn the_published_files_make_a_result_too() {
    // A pickled, sharded base becomes one file of safetensors with the same numbers.
    for folder in ixc_goldens::folders("tiny-vl") {
        let checkpoint = Checkpoint::open(&folder).unwrap();
        let config = ModelConfig::read(&folder, &checkpoint).unwrap();
        let base =
            ixc_train::result::Base { folder: &folder, checkpoint: &checkpoint, config: &config };
        let recipe = recipe("full", "freeze_vision_tower = true");
        let tensors: Vec<Tensor> = trainable(&recipe, &config)
            .unwrap()
            .into_iter()
            .zip(0..)
            .map(|(parameter, seed)| Tensor::new(parameter, seed))
            .collect();
        let out = tempfile::tempdir().unwrap();
        write(out.path(), &recipe, base, &slots(&tensors), &mut on).unwrap();
        let (found, _) = opens(out.path());
        assert_eq!(found.names().collect::<Vec<_>>(), checkpoint.names().collect::<Vec<_>>());
        let tower = "vit.vision_tower.vision_model.pre_layrnorm.weight";
        let shape = &checkpoint.info(tower).unwrap().shape;
        assert_eq!(found.floats(tower, shape).unwrap(), checkpoint.floats(tower, shape).unwrap());
        assert!(!out.path().join("pytorch_model.bin.index.json").exists());
    }
}

#[test]
fn what_peft_has_no_words_for_is_a_whole_model() {
    let mut config = Model::random(StoredType::F32).config;
    let form = |lines: &str, config: &ModelConfig| {
        let list = trainable(&recipe("lora", lines), config).unwrap();
        Form::of(list.iter().map(|parameter| parameter.name.as_str()))
    };
    for (lines, expected) in [
        ("", Form::Adapter),
        ("freeze_projector = false\nfreeze_vision_tower = false\n", Form::Adapter),
        ("freeze_plora = false\n", Form::Model),
        ("freeze_language_model = false\n", Form::Model),
    ] {
        assert_eq!(form(lines, &config), expected, "{lines}");
    }
    let tiles = Geometry::Tiles { tile: 56, tiles_max: 4, style: TileStyle::Centered };
    config.vision.as_mut().unwrap().geometry = tiles;
    assert_eq!(form("freeze_projector = false\n", &config), Form::Model, "vectors in no module");
}

/// W + scale · B · A, a number at a time in f64.
fn merged_slowly(w: &[f32], a: &[f32], b: &[f32], rank: usize, scale: f64) -> Vec<f64> {
    let inputs = a.len() / rank;
    let add = |(index, &w): (usize, &f32)| {
        let (row, col) = (index / inputs, index % inputs);
        let product: f64 =
            (0..rank).map(|r| f64::from(b[row * rank + r]) * f64::from(a[r * inputs + col])).sum();
        f64::from(w) + scale * product
    };
    w.iter().enumerate().map(add).collect()
}

#[test]
fn an_adapter_goes_out_comes_back_and_merges() {
    for dtype in [StoredType::F32, StoredType::Bf16] {
        let model = Model::random(dtype);
        let lines = "lora_r = 4\nlora_alpha = 6\nlora_target_modules = [\"wqkv\", \"w2\", \"wo\"]\n\
                     freeze_projector = false\nfreeze_vision_tower = false\n";
        let recipe = recipe("lora", lines);
        let tensors = model.trained(&recipe);
        let folder = tempfile::tempdir().unwrap();
        let form = write(folder.path(), &recipe, model.base(), &slots(&tensors), &mut on).unwrap();
        assert_eq!(form, Form::Adapter);
        let files = ["adapter_config.json", "adapter_model.safetensors", "recipe.toml"];
        assert_eq!(names_in(folder.path()), files);

        let adapter = Adapter::open(folder.path()).unwrap();
        adapter.check(&model.config).unwrap();
        assert_eq!(adapter.layers().len(), 2 * 3);
        assert!(adapter.layers().values().all(|layer| (layer.rank, layer.scale) == (4, 1.5)));

        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("new/merged");
        merge(model.base(), folder.path(), &out, &mut on).unwrap();
        assert_eq!(names_in(&parent.path().join("new")), ["merged"]);
        let files = ["config.json", "model.safetensors", "recipe.toml", "tokenizer.model"];
        assert_eq!(names_in(&out), files);
        let (checkpoint, _) = opens(&out);
        let of = |name: &str| tensors.iter().find(|tensor| tensor.parameter.name == name);
        let mut changed = 0;
        for (name, _, before) in all(&model.checkpoint) {
            let shape = &model.checkpoint.info(&name).unwrap().shape;
            let found = checkpoint.floats(&name, shape).unwrap();
            let linear = name.trim_end_matches(".weight");
            let pair = ["A", "B"].map(|side| of(&format!("{linear}.lora_{side}.weight")));
            if let [Some(a), Some(b)] = pair {
                let slow = merged_slowly(&before, &a.numbers[0], &b.numbers[0], 4, 1.5);
                let near = if dtype == StoredType::F32 { 1e-6 } else { 1.0 / 256.0 };
                for (found, expected) in found.iter().zip(slow) {
                    let error = (f64::from(*found) - expected).abs();
                    assert!(error <= near * expected.abs().max(1.0), "{name}: {found}, {expected}");
                }
                changed += 1;
            } else if let Some(whole) = of(&name) {
                assert_eq!(found, rounded(&whole.numbers[0], dtype), "{name}");
                changed += 1;
            } else {
                assert_eq!(found, before, "{name} was frozen");
            }
        }
        assert_eq!(changed, 2 * 3 + 4 + 5 + 2 * 16);
    }
}

/// T4: a merged model computes what base and adapter compute together.
#[test]
fn merged_equals_unmerged_on_a_hundred_prompts() {
    let model = Model::random(StoredType::F32);
    let lines = "lora_r = 4\nlora_target_modules = [\"wqkv\", \"w1\", \"w2\", \"w3\", \"wo\", \"fc1\", \"output\"]\n\
                 freeze_projector = false\n";
    let recipe = recipe("lora", lines);
    let mut tensors = model.trained(&recipe);
    // Of the size that training gives them: the change is seen, and the model stays a model.
    for number in tensors.iter_mut().flat_map(|tensor| &mut tensor.numbers[0]) {
        *number *= 0.1;
    }
    let folder = tempfile::tempdir().unwrap();
    let form = write(folder.path(), &recipe, model.base(), &slots(&tensors), &mut on).unwrap();
    assert_eq!(form, Form::Adapter);
    let out = folder.path().join("merged");
    merge(model.base(), folder.path(), &out, &mut on).unwrap();

    let (merged, config) = opens(&out);
    let stored = Some(Arc::new(Adapter::open(folder.path()).unwrap()));
    let plan = Plan { stored, ..Plan::default() };
    let load = |checkpoint: &Checkpoint, plan: &Plan| {
        let exact = Arithmetic::Exact;
        XComposer::load_for(config.clone(), checkpoint, Keep::Stored, exact, plan).unwrap()
    };
    let models = [
        load(&model.checkpoint, &plan),
        load(&merged, &Plan::default()),
        load(&model.checkpoint, &Plan::default()),
    ];
    let (mut worst, mut least) = (0f32, f32::INFINITY);
    for number in 0..100 {
        let prompt = mixed_prompt(number);
        let [unmerged, merged, base] =
            [0, 1, 2].map(|which| logits(&models[which], &prompt, number));
        worst = worst.max(largest_difference(&unmerged, &merged));
        least = least.min(largest_difference(&unmerged, &base));
    }
    println!(
        "T4: 100 prompts, merged and unmerged differ by {worst:.1e}, from the base by {least:.1e} or more"
    );
    assert!(worst <= 1e-3, "{worst}");
    assert!(least > 1e-2, "the adapter changes every prompt's logits: {least}");
}

/// Words, with no picture, one or two among them.
fn mixed_prompt(number: u64) -> Prompt {
    let mut segments = Vec::new();
    for part in 0..=number % 3 {
        if part > 0 {
            segments.push(Segment::Image { index: part as usize - 1 });
        }
        let count = 2 + (number * 7 + part * 3) % 9;
        let ids = (0..count).map(|word| ((number * 31 + part * 17 + word * word) % 64) as u32);
        segments.push(Segment::Text { ids: ids.collect(), learned: false });
    }
    Prompt { segments }
}

/// Scores behind every row of a prompt whose pictures are made up.
fn logits(model: &XComposer, prompt: &Prompt, number: u64) -> Vec<f32> {
    let images = prompt.segments.iter().filter(|segment| matches!(segment, Segment::Image { .. }));
    let seen: Vec<_> = (0..images.count() as u64)
        .map(|image| {
            let data = numbers(3 * 56 * 56, number * 3 + image);
            let pixels = Pixels { width: 56, height: 56, grid: Grid { rows: 1, columns: 1 }, data };
            model.see(&pixels, &mut unobserved).unwrap()
        })
        .collect();
    let spliced = model.splice(prompt, &seen, &mut unobserved).unwrap();
    let rows = spliced.embeddings.dim(0).unwrap();
    let mut batch = [Sequence { rows, cache: None }];
    let Spliced { embeddings, images } = &spliced;
    let rows =
        model.forward(embeddings, images, &mut batch, Outputs::All, &mut unobserved).unwrap();
    let logits = model.logits(&rows, &mut unobserved).unwrap();
    logits.flatten_all().unwrap().to_vec1().unwrap()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|x| x.is_finite()));
    a.iter().zip(b).fold(0f32, |most, (a, b)| most.max((a - b).abs()))
}

#[test]
fn lora_beside_a_trained_language_model_is_a_whole_model() {
    let model = Model::random(StoredType::F32);
    let lines = "freeze_language_model = false\nlora_r = 2\nlora_alpha = 4\n\
                 lora_target_modules = [\"w1\"]\n";
    let recipe = recipe("lora", lines);
    // The layer's own weight is trained as well, and LoRA is added to what it has become.
    let mut tensors = model.trained(&recipe);
    let out = tempfile::tempdir().unwrap();
    assert_eq!(
        write(out.path(), &recipe, model.base(), &slots(&tensors), &mut on).unwrap(),
        Form::Model
    );
    let (checkpoint, _) = opens(out.path());
    let mut take = |name: &str| {
        let index = tensors.iter().position(|tensor| tensor.parameter.name == name).unwrap();
        tensors.swap_remove(index)
    };
    let linear = "model.layers.1.feed_forward.w1";
    let w = take(&format!("{linear}.weight"));
    let [a, b] = ["A", "B"].map(|side| take(&format!("{linear}.lora_{side}.weight")));
    let found = checkpoint.floats(&w.parameter.name, &w.parameter.shape).unwrap();
    let slow = merged_slowly(&w.numbers[0], &a.numbers[0], &b.numbers[0], 2, 2.0);
    assert!(found.iter().zip(slow).all(|(found, slow)| (f64::from(*found) - slow).abs() < 1e-5));
    assert!(checkpoint.names().all(|name| !name.contains(".lora_")));
}

#[test]
fn what_cannot_be_merged_is_refused_before_anything_is_written() {
    let model = Model::random(StoredType::F32);
    let recipe_ = recipe("lora", "lora_r = 2\n");
    let adapter = tempfile::tempdir().unwrap();
    let tensors = model.trained(&recipe_);
    write(adapter.path(), &recipe_, model.base(), &slots(&tensors), &mut on).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let out = parent.path().join("merged");

    // Another base: more blocks than it has.
    let mut other = model.config.clone();
    other.language.layers = 1;
    let base = ixc_train::result::Base { config: &other, ..model.base() };
    let error = merge(base, adapter.path(), &out, &mut on).unwrap_err().to_string();
    assert!(
        error.contains("no linear layer of that name") && error.contains("trained on b"),
        "{error}"
    );

    // Weights in 4 bits.
    let mut quantised = model.config.clone();
    quantised.gptq = true;
    let base = ixc_train::result::Base { config: &quantised, ..model.base() };
    let error = merge(base, adapter.path(), &out, &mut on).unwrap_err().to_string();
    assert!(error.contains("4-bit") && error.contains("full-precision"), "{error}");
    let form = |kind: &str, lines: &str| {
        check(&trainable(&recipe(kind, lines), &quantised).unwrap(), base)
    };
    assert!(form("full", "freeze_language_model = true").is_err());
    assert_eq!(form("lora", "").unwrap(), Form::Adapter, "an adapter leaves the base alone");

    // A folder with something in it; a caller that breaks off.
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine"), "").unwrap();
    assert!(merge(model.base(), adapter.path(), &out, &mut on).is_err());
    assert_eq!(names_in(&out), ["mine"]);
    fs::remove_file(out.join("mine")).unwrap();
    let stop = &mut |_, _| ControlFlow::Break(());
    assert!(merge(model.base(), adapter.path(), &out, stop).is_err());
    assert!(names_in(&out).is_empty() && names_in(parent.path()) == ["merged"]);
    merge(model.base(), adapter.path(), &out, &mut on).unwrap();

    // A result does not replace another.
    let error = write(&out, &recipe("full", ""), model.base(), &[], &mut on).unwrap_err();
    assert!(error.to_string().contains("already holds"), "{error}");
}
