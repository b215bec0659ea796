//! Which tensors are trained: exactly the promised sets, each with its rate and its decay.

use std::collections::{BTreeMap, BTreeSet};

use ixc_input::prepare::{Geometry, TileStyle};
use ixc_model::{
    Group, ModelConfig, XComposer,
    init::Like,
    tensors::{Part, expected},
};
use ixc_nn::{
    Arithmetic,
    weights::{Keep, StoredType},
};
use ixc_train::{
    Recipe,
    trainable::{Trainable, plan, summary, trainable},
};

use crate::support::{Model, recipe};

fn trained(recipe: &Recipe, config: &ModelConfig) -> BTreeMap<String, Trainable> {
    let list = trainable(recipe, config).unwrap();
    let count = list.len();
    let map: BTreeMap<_, _> = list.into_iter().map(|p| (p.name.clone(), p)).collect();
    assert_eq!(map.len(), count, "no name stands there twice");
    map
}

/// Names of the model's tensors of these parts.
fn of_parts(config: &ModelConfig, parts: &[Part]) -> BTreeSet<String> {
    let all = expected(config).into_iter();
    all.filter(|tensor| parts.contains(&tensor.part)).map(|tensor| tensor.name).collect()
}

fn names(trained: &BTreeMap<String, Trainable>) -> BTreeSet<String> {
    trained.keys().cloned().collect()
}

const ALL: [Part; 5] = [Part::Words, Part::Decoder, Part::Plora, Part::Tower, Part::Projector];

#[test]
fn each_kind_trains_exactly_its_parts() {
    for like in [Like::Vl7b, Like::Composition7b, Like::Vl1_8b, Like::Tiny] {
        let config = like.config();
        for (kind, parts) in [
            ("pretrain", &[Part::Tower, Part::Projector, Part::Plora][..]),
            ("sft", &ALL),
            ("full", &ALL),
            ("plora", &[Part::Plora, Part::Projector]),
        ] {
            let found = trained(&recipe(kind, ""), &config);
            assert_eq!(names(&found), of_parts(&config, parts), "{kind}");
            let shapes: BTreeMap<_, _> =
                expected(&config).into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
            assert!(found.iter().all(|(name, parameter)| shapes[name] == parameter.shape));
        }
    }
}

#[test]
fn every_freeze_key_takes_its_part_out_of_every_kind() {
    let config = Like::Tiny.config();
    for (key, parts) in [
        ("freeze_vision_tower", &[Part::Tower][..]),
        ("freeze_projector", &[Part::Projector]),
        ("freeze_plora", &[Part::Plora]),
        ("freeze_language_model", &[Part::Words, Part::Decoder]),
    ] {
        for kind in ["pretrain", "sft", "full", "lora", "plora"] {
            let [on, off] = [true, false].map(|value| {
                names(&trained(&recipe(kind, &format!("{key} = {value}\n")), &config))
            });
            let part = of_parts(&config, parts);
            assert!(on.is_disjoint(&part) && off.is_superset(&part), "{kind} {key}");
            assert_eq!(&off - &part, on, "{kind}: {key} changes nothing else");
        }
    }
}

#[test]
fn lora_is_on_the_layers_that_were_asked_for_and_nothing_else_is_trained() {
    let config = Like::Vl7b.config();
    let lines = "lora_target_modules = [\"wqkv\", \"w2\"]\nlora_r = 8\nlora_alpha = 32\n";
    let recipe_ = recipe("lora", lines);
    let found = trained(&recipe_, &config);
    let mut promised = BTreeMap::new();
    for layer in 0..32 {
        for (linear, inputs, outputs) in
            [("attention.wqkv", 4096, 6144), ("feed_forward.w2", 14_336, 4096)]
        {
            let name = format!("model.layers.{layer}.{linear}");
            promised.insert(format!("{name}.lora_A.weight"), vec![8, inputs]);
            promised.insert(format!("{name}.lora_B.weight"), vec![outputs, 8]);
        }
    }
    let shapes: BTreeMap<_, _> =
        found.iter().map(|(name, parameter)| (name.clone(), parameter.shape.clone())).collect();
    assert_eq!(shapes, promised);
    assert!(found.values().all(|p| (p.lr_scale, p.weight_decay) == (1.0, 0.1)));
    assert_eq!(recipe_.lora_scale(), 4.0);

    let five = trained(&recipe("lora", ""), &config);
    assert_eq!(five.len(), 32 * 5 * 2);
    let plora = trained(&recipe("lora", "freeze_plora = false\n"), &config);
    assert_eq!(&names(&plora) - &names(&five), of_parts(&config, &[Part::Plora]));
}

#[test]
fn lora_may_be_on_any_linear_layer_and_on_nothing_else() {
    let config = Like::Tiny.config(); // two blocks in the decoder, two in the tower
    let on = |target: &str| {
        let lines = format!("lora_target_modules = [\"{target}\"]");
        trainable(&recipe("lora", &lines), &config).map(|list| list.len() / 2)
    };
    for (target, count) in [
        ("wqkv", 2),
        ("feed_forward.w1", 2),
        ("model.layers.1.attention.wo", 1),
        ("q_proj", 2),
        ("mlp.fc2", 2),
        ("vision_proj.0", 1),
        ("output", 1),
    ] {
        assert_eq!(on(target).unwrap(), count, "{target}");
    }
    for none in
        ["qkv", "tok_embeddings", "position_embedding", "patch_embedding", "Plora_A", "norm"]
    {
        let error = on(none).unwrap_err().to_string();
        assert!(error.contains(&format!("{none:?}")) && error.contains("lora_target_modules"));
    }
}

#[test]
fn a_position_table_is_trained_in_the_size_in_which_it_is_used() {
    let mut config = Like::Vl7b.config();
    let name = "vit.vision_tower.vision_model.embeddings.position_embedding.weight";
    let shape = |config: &ModelConfig| trained(&recipe("full", ""), config)[name].shape.clone();
    assert_eq!(shape(&config), [35 * 35 + 1, 1024]);
    config.vision.as_mut().unwrap().stored_grid = 24;
    assert_eq!(shape(&config), [35 * 35 + 1, 1024]);
}

#[test]
fn the_loader_trains_what_the_recipe_lists() {
    let model = Model::random(StoredType::F32);
    for kind in ["pretrain", "sft", "plora", "lora"] {
        let lines = match kind {
            "lora" => {
                "lora_target_modules = [\"wqkv\", \"fc1\", \"vision_proj.2\", \"output\"]\nlora_r = 3"
            }
            _ => "",
        };
        let recipe = recipe(kind, lines);
        let listed = trained(&recipe, &model.config);
        let config = model.config.clone();
        let (keep, exact) = (Keep::Stored, Arithmetic::Exact);
        let loaded =
            XComposer::load_for(config, &model.checkpoint, keep, exact, &plan(&recipe)).unwrap();
        let found: BTreeMap<_, _> = loaded
            .parameters()
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.weight.dims().to_vec()))
            .collect();
        let expected: BTreeMap<_, _> =
            listed.into_iter().map(|(name, trainable)| (name, trainable.shape)).collect();
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn rates_fall_down_the_tower_and_the_language_model_has_its_share() {
    let config = Like::Vl7b.config(); // 24 blocks in the tower
    let tower = "vit.vision_tower.vision_model";
    let found = trained(&recipe("sft", ""), &config);
    let rate = |name: &str| found[name].lr_scale;
    for block in 0..24 {
        let share = 0.9f64.powi(23 - block);
        for tensor in ["self_attn.q_proj.weight", "mlp.fc2.bias", "layer_norm1.weight"] {
            let found = rate(&format!("{tower}.encoder.layers.{block}.{tensor}"));
            assert!(
                (found - share).abs() < 1e-12,
                "block {block}: expected {share}, found {found}"
            );
        }
    }
    assert_eq!(rate(&format!("{tower}.encoder.layers.23.mlp.fc1.weight")), 1.0);
    for below in [
        "embeddings.class_embedding",
        "embeddings.patch_embedding.weight",
        "embeddings.position_embedding.weight",
        "pre_layrnorm.weight",
    ] {
        assert!((rate(&format!("{tower}.{below}")) - 0.9f64.powi(24)).abs() < 1e-12);
    }
    for language in [
        "model.tok_embeddings.weight",
        "model.layers.31.feed_forward.w2.weight",
        "model.layers.0.attention_norm.weight",
        "model.norm.weight",
        "output.weight",
    ] {
        assert_eq!(rate(language), 0.2, "{language}");
    }
    for full in [
        "model.layers.0.attention.wqkv.Plora_A.weight",
        "vision_proj.0.weight",
        "vision_proj.2.bias",
    ] {
        assert_eq!(rate(full), 1.0, "{full}");
    }
    let flat = trained(&recipe("full", ""), &config);
    assert!(flat.values().all(|parameter| parameter.lr_scale == 1.0));
}

#[test]
fn weight_decay_is_on_matrices_alone() {
    let mut config = Like::Tiny.config();
    let tiles = Geometry::Tiles { tile: 56, tiles_max: 4, style: TileStyle::Centered };
    config.vision.as_mut().unwrap().geometry = tiles;
    for (name, parameter) in trained(&recipe("full", "weight_decay = 0.25"), &config) {
        let none = name.ends_with(".bias")
            || name.contains("norm")
            || name.ends_with("class_embedding")
            || name.ends_with("_GN");
        assert_eq!(parameter.weight_decay, if none { 0.0 } else { 0.25 }, "{name}");
    }
}

#[test]
fn the_summary_counts_every_number_once() {
    let config = Like::Vl7b.config();
    let list = trainable(&recipe("pretrain", ""), &config).unwrap();
    let groups = summary(&list, 2e-4);
    let numbers: usize = groups.iter().map(|group| group.numbers).sum();
    assert_eq!(numbers, list.iter().map(Trainable::numbers).sum::<usize>());
    let named: Vec<_> = groups.iter().map(|group| (group.group.name(), group.tensors)).collect();
    assert_eq!(named, [("tower", 389), ("projector", 4), ("plora", 320)]);
    let tower = groups.iter().find(|group| group.group == Group::Tower).unwrap();
    assert!((tower.rates.0 - 2e-4 * 0.9f64.powi(24)).abs() < 1e-15 && tower.rates.1 == 2e-4);
    assert!(tower.decayed < tower.numbers);
}

#[test]
fn a_model_without_what_is_to_be_trained_is_refused() {
    let refused = |kind: &str, lines: &str, config: &ModelConfig| {
        trainable(&recipe(kind, lines), config).unwrap_err().to_string()
    };
    let mut language = Like::Tiny.config();
    (language.vision, language.plora) = (None, None);
    assert!(refused("plora", "", &language).contains("needs a model with Partial LoRA"));
    assert!(refused("pretrain", "", &language).contains("nothing of this model would be trained"));
    assert!(trainable(&recipe("full", ""), &language).is_ok());
    let mut gptq = Like::Tiny.config();
    gptq.gptq = true;
    assert!(refused("full", "", &gptq).contains("4 bits"));
    assert!(trainable(&recipe("lora", ""), &gptq).is_ok(), "LoRA leaves the 4 bits as they are");
    let long = refused("full", "max_length = 5000", &Like::Tiny.config());
    assert!(long.contains("at most 4096") && long.contains("5000"), "{long}");
}
