//! Adapters as others write them, and as nobody should.

use std::{fs, path::Path};

use ixc_model::adapter::Adapter;
use ixc_nn::weights::{ShardWriter, StoredType, TensorPlan};
use serde_json::{Value, json};

use crate::support::{Model, numbers};

const WQKV: &str = "base_model.model.model.layers.0.attention.wqkv";

/// An adapter's folder with these tensors, whose numbers are made up.
fn folder(config: &Value, tensors: &[(&str, &[usize])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
    let plan = |(name, shape): &(&str, &[usize])| TensorPlan {
        name: (*name).into(),
        dtype: StoredType::Bf16,
        shape: shape.to_vec(),
    };
    let plans = tensors.iter().map(plan).collect();
    ShardWriter::named(folder.path(), "adapter_model", plans, usize::MAX)
        .unwrap()
        .write::<ixc_nn::Error>(|plan, sink| {
            sink.f32(&numbers(plan.shape.iter().product(), plan.name.len() as u64))
        })
        .unwrap();
    folder
}

/// What PEFT 0.17 writes for the published fine-tuning script, numbers made small.
fn config() -> Value {
    json!({
        "alpha_pattern": {}, "auto_mapping": null, "base_model_name_or_path": "internlm/base",
        "bias": "none", "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true,
        "layers_pattern": null, "lora_alpha": 8, "lora_dropout": 0.05, "modules_to_save": null,
        "peft_type": "LORA", "r": 2, "rank_pattern": {}, "target_modules": ["attention.wqkv"],
        "task_type": "CAUSAL_LM", "use_dora": false, "use_rslora": false
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut config = config();
    config[key] = value;
    config
}

fn a(name: &str) -> String {
    format!("{name}.lora_A.weight")
}

fn b(name: &str) -> String {
    format!("{name}.lora_B.weight")
}

fn open(config: &Value, tensors: &[(&str, &[usize])]) -> Result<Adapter, String> {
    let folder = folder(config, tensors);
    Adapter::open(folder.path()).map_err(|error| error.to_string())
}

#[test]
fn scales_are_peft_s() {
    let (a, b) = (a(WQKV), b(WQKV));
    let pair: [(&str, &[usize]); 2] = [(&a, &[2, 64]), (&b, &[128, 2])];
    let scale = |config: &Value| {
        let adapter = open(config, &pair).unwrap();
        let layer = &adapter.layers()["model.layers.0.attention.wqkv"];
        assert_eq!((layer.rank, layer.inputs, layer.outputs), (2, 64, 128));
        let [a, b] = adapter.lora(layer).unwrap();
        assert_eq!((a.len(), b.len()), (2 * 64, 128 * 2));
        layer.scale
    };
    assert_eq!(scale(&config()), 4.0);
    assert_eq!(scale(&with("use_rslora", json!(true))), 8.0 / 2f64.sqrt());
    for end in ["wqkv", "attention.wqkv", "model.layers.0.attention.wqkv"] {
        assert_eq!(scale(&with("alpha_pattern", json!({ end: 3 }))), 1.5, "{end}");
    }
    assert_eq!(scale(&with("alpha_pattern", json!({ "qkv": 3 }))), 4.0, "not a whole word");
}

#[test]
fn names_with_the_adapter_s_own_name_are_known() {
    let (a, b) = (format!("{WQKV}.lora_A.default.weight"), format!("{WQKV}.lora_B.default.weight"));
    let adapter = open(&config(), &[(&a, &[2, 64]), (&b, &[128, 2])]).unwrap();
    assert_eq!(adapter.layers().len(), 1);
    assert_eq!(adapter.base(), Some("internlm/base"));
}

#[test]
fn anything_but_plain_lora_is_refused_by_name() {
    let (a, b) = (a(WQKV), b(WQKV));
    let pair: [(&str, &[usize]); 2] = [(&a, &[2, 64]), (&b, &[128, 2])];
    for (key, value, said) in [
        ("peft_type", json!("IA3"), "peft_type: expected \"LORA\", found \"IA3\""),
        ("use_dora", json!(true), "use_dora: expected false"),
        ("fan_in_fan_out", json!(true), "fan_in_fan_out: expected false"),
        ("bias", json!("lora_only"), "bias: expected \"none\", found \"lora_only\""),
        ("lora_alpha", json!("x"), "expected the configuration of a LoRA adapter"),
        ("alpha_pattern", json!({ "layers.[01].*": 3 }), "expected the ends of layers' names"),
    ] {
        let error = open(&with(key, value), &pair).unwrap_err();
        assert!(error.contains("adapter_config.json") && error.contains(said), "{error}");
    }
    let magnitude = format!("{WQKV}.lora_magnitude_vector");
    let embedding = "base_model.model.model.tok_embeddings.lora_embedding_A";
    for other in [magnitude.as_str(), embedding, "transformer.h.0.attn.lora_A.weight"] {
        let error = open(&config(), &[pair[0], pair[1], (other, &[2])]).unwrap_err();
        assert!(error.contains(other) && error.contains("only plain LoRA"), "{error}");
    }
}

#[test]
fn halves_and_ranks_that_do_not_fit_are_refused() {
    let (a, b) = (a(WQKV), b(WQKV));
    let error = |tensors: &[(&str, &[usize])]| open(&config(), tensors).unwrap_err();
    assert!(error(&[(&a, &[2, 64])]).contains("lora_B is missing"));
    assert!(error(&[(&b, &[128, 2])]).contains("lora_A is missing"));
    assert!(
        error(&[(&a, &[2, 64]), (&b, &[128, 3])]).contains("one rank of A and B, found 2 and 3")
    );
    assert!(error(&[(&a, &[0, 64]), (&b, &[128, 0])]).contains("found 0 and 0"));
    assert!(error(&[(&a, &[2, 64, 1]), (&b, &[128, 2])]).contains("(rank, inputs)"));
    assert!(error(&[]).contains("found no tensors"));
    let default = format!("{WQKV}.lora_A.default.weight");
    let twice = error(&[(&a, &[2, 64]), (&default, &[2, 64]), (&b, &[128, 2])]);
    assert!(twice.contains("under two names"), "{twice}");
}

#[test]
fn an_adapter_of_another_model_is_refused_with_both_numbers() {
    let model = Model::random(StoredType::F32); // wqkv: 64 → 128
    let check = |tensors: &[(&str, &[usize])]| {
        open(&config(), tensors).unwrap().check(&model.config).map_err(|error| error.to_string())
    };
    let (good_a, good_b) = (a(WQKV), b(WQKV));
    check(&[(&good_a, &[2, 64]), (&good_b, &[128, 2])]).unwrap();
    let error = check(&[(&good_a, &[2, 96]), (&good_b, &[192, 2])]).unwrap_err();
    assert!(error.contains("expected 64 inputs and 128 outputs, found 96 and 192"), "{error}");
    assert!(error.contains("trained on internlm/base"), "{error}");
    for linear in ["model.layers.7.attention.wqkv", "model.layers.0.self_attn.q_proj", "lm_head"] {
        let name = format!("base_model.model.{linear}");
        let error = check(&[(&a(&name), &[2, 64]), (&b(&name), &[128, 2])]).unwrap_err();
        assert!(error.contains(linear) && error.contains("no linear layer"), "{error}");
    }
    let whole = "base_model.model.vision_proj.0.weight";
    let error = check(&[(whole, &[64, 3])]).unwrap_err();
    assert!(
        error.contains("vision_proj.0.weight: expected shape [64, 64], found [64, 3]"),
        "{error}"
    );
    let error = check(&[("base_model.model.score.weight", &[64, 3])]).unwrap_err();
    assert!(error.contains("\"score.weight\" is no tensor of this model"), "{error}");
}

#[test]
fn a_folder_without_its_files_says_which() {
    let empty = tempfile::tempdir().unwrap();
    let error = |folder: &Path| Adapter::open(folder).unwrap_err().to_string();
    assert!(error(empty.path()).contains("a folder with adapter_config.json"));
    fs::write(empty.path().join("adapter_config.json"), config().to_string()).unwrap();
    assert!(error(empty.path()).contains("expected adapter_model.safetensors beside"));
    fs::write(empty.path().join("adapter_config.json"), "{").unwrap();
    assert!(error(empty.path()).contains("expected the configuration"));
}
