//! `ixc inspect`: what it tells, its verdict, and that the verdict is the loader's.

use std::{fs, path::Path};

use ixc_model::tensors::expected;
use serde_json::{Value, json};

use ixc_model::init::Like;

use crate::support::{Ran, fixture, fresh, ixc, parse, text, tiny, tiny_configured, tiny_without};

fn inspect(folder: &Path, more: &[&str]) -> Ran {
    ixc(&[&["inspect", text(folder), "--json"], more].concat())
}

/// The report, whose verdict must be the loader's, and the kinds of its problems.
#[track_caller]
fn report(folder: &Path) -> (Value, Vec<String>) {
    let ran = inspect(folder, &[]);
    let loads = ixc(&["run", "-m", text(folder), "--greedy", "--max-new-tokens", "1", "Hi"]);
    assert_eq!(ran.code, loads.code, "inspect and run agree: {}", loads.stderr);
    let report = parse(&ran.stdout);
    assert_eq!(report["loads"], ran.code == 0);
    assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
    let kinds = kinds(&report);
    assert_eq!(kinds.is_empty(), ran.code == 0);
    // The same in words.
    let words = ixc(&["inspect", text(folder)]);
    assert_eq!(words.code, ran.code);
    let verdict = if ran.code == 0 { "verdict: loads\n" } else { "problem" };
    assert!(words.stdout.contains(verdict), "{}", words.stdout);
    (report, kinds)
}

fn kinds(report: &Value) -> Vec<String> {
    let problems = report["problems"].as_array().unwrap();
    let mut kinds: Vec<String> =
        problems.iter().map(|problem| problem["kind"].as_str().unwrap().to_owned()).collect();
    kinds.dedup();
    kinds
}

fn messages(report: &Value) -> String {
    report["problems"].to_string()
}

#[test]
fn a_sound_model() {
    let config = Like::Tiny.config();
    let (report, _) = report(Path::new(tiny()));
    let all = expected(&config);
    let parameters: usize = all.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
    assert_eq!(report["parameters"]["total"], parameters);
    assert_eq!(report["parameters"]["bytes"], 2 * parameters);
    assert_eq!(report["family"], config.family.name());
    assert_eq!(
        report["dtypes"],
        json!([{ "dtype": "bf16", "tensors": all.len(), "bytes": 2 * parameters }])
    );
    assert_eq!(report["tokenizer"]["fits"], true);
    assert_eq!(report["vision"]["image_tokens"], 16);
    assert_eq!(report["plora"][0], json!({ "linear": "attention.wqkv", "rank": 8, "scale": 2.0 }));
    let language = &config.language;
    let cache = 2 * language.layers * language.kv_heads * language.head_width() * 2 * 1000;
    assert_eq!(report["memory"]["cache_per_1000_positions"], cache);
    assert_eq!(report["memory"]["weights_stored"], 2 * parameters);
    assert_eq!(report["files"][0]["tensors"], all.len());
    assert_eq!(report["notes"], json!([]));
    assert_eq!(report.get("tensors"), None);
}

#[test]
fn tensors_on_request() {
    let report = inspect(Path::new(tiny()), &["--tensors"]).json();
    let tensors = report["tensors"].as_array().unwrap();
    for tensor in expected(&Like::Tiny.config()) {
        let found = tensors.iter().find(|found| found["name"] == tensor.name.as_str()).unwrap();
        assert_eq!(found["shape"], json!(tensor.shape), "{}", tensor.name);
        assert_eq!(found["part"], tensor.part.name(), "{}", tensor.name);
    }
    let words = ixc(&["inspect", tiny(), "--tensors"]).ok();
    assert!(words.contains("model.layers.1.attention.wqkv.Plora_A.weight"), "{words}");
}

#[test]
fn every_golden_checkpoint_but_for_its_tokenizer() {
    let mut seen = 0;
    for root in ixc_goldens::roots() {
        for entry in fs::read_dir(root).unwrap() {
            let folder = entry.unwrap().path();
            let form = ["pytorch_model.bin.index.json", "model.safetensors"]
                .iter()
                .map(|name| folder.join(name))
                .chain([folder.clone()])
                .find(|path| path.exists());
            let config = fs::read_to_string(folder.join("config.json")).unwrap_or_default();
            // Dual encoders of the picture library are of another family.
            if config.is_empty() || config.contains("\"vision_config\"") {
                continue;
            }
            let report = parse(&inspect(&form.unwrap(), &["--check-values"]).stdout);
            let kinds = kinds(&report);
            let fits = folder.join("tokenizer.model").is_file();
            assert_eq!(kinds.is_empty(), fits, "{}: {}", folder.display(), messages(&report));
            assert!(kinds.iter().all(|kind| kind == "tokenizer"), "{}", messages(&report));
            assert!(
                report["family"].is_string() && report["parameters"]["total"].as_u64() > Some(0)
            );
            seen += 1;
        }
    }
    assert!(seen >= 2, "the fixtures alone have two");
}

#[test]
fn a_four_bit_checkpoint_counts_whole_parameters() {
    let report = parse(&inspect(&fixture("tiny-gptq"), &[]).stdout);
    assert_eq!(report["gptq"], true);
    let language = &report["language"];
    let number = |key: &str| language[key].as_u64().unwrap();
    let (hidden, inner) = (number("hidden"), number("intermediate"));
    let wqkv = (number("heads") + 2 * number("kv_heads")) * hidden / number("heads");
    let block = hidden * (wqkv + hidden + 3 * inner) + 2 * hidden;
    let parts = report["parameters"]["parts"].as_array().unwrap();
    let decoder = parts.iter().find(|part| part["part"] == "decoder").unwrap();
    assert_eq!(decoder["parameters"], number("layers") * block + hidden);
}

#[test]
fn a_broken_configuration_leaves_the_rest_to_tell() {
    let folder = tiny_without("inspect-nan", &["config.json"]);
    fs::write(folder.join("config.json"), r#"{"hidden_size": NaN}"#).unwrap();
    let (found, kinds) = report(&folder);
    assert_eq!(kinds, ["config"]);
    assert_eq!(found["family"], Value::Null);
    assert!(found["parameters"]["total"].as_u64().unwrap() > 0);
    assert_eq!(found["vision"]["width"], 64, "the tower's own tensors tell it");
    assert_eq!(found["plora"][0]["rank"], 8);
    assert!(found["tokenizer"]["pieces"].as_u64().unwrap() > 0);
    assert_eq!(found["tokenizer"]["fits"], Value::Null);
    let none = tiny_without("inspect-no-config", &["config.json"]);
    assert_eq!(report(&none).1, ["config"]);
}

#[test]
fn missing_misshapen_and_unexpected_tensors() {
    let more = tiny_configured("inspect-more", |config| config["num_hidden_layers"] = 3.into());
    let (found, kinds) = report(&more);
    assert_eq!(kinds, ["missing_tensor"]);
    assert!(messages(&found).contains("model.layers.2.attention.wqkv.weight"), "{found}");

    let fewer = tiny_configured("inspect-fewer", |config| config["num_hidden_layers"] = 1.into());
    let (found, kinds) = report(&fewer);
    assert!(kinds.is_empty());
    let note = found["notes"][0].as_str().unwrap();
    assert!(note.contains("17 unexpected tensors") && note.contains("model.layers.1."), "{note}");

    let wider = tiny_configured("inspect-wider", |config| config["intermediate_size"] = 128.into());
    let (found, kinds) = report(&wider);
    assert_eq!(kinds, ["misshapen_tensor"]);
    assert!(messages(&found).contains("expected shape [128, 64], found [96, 64]"), "{found}");
}

#[test]
fn weights_that_cannot_be_opened() {
    let cut = tiny_without("inspect-cut", &["model.safetensors"]);
    let weights = fs::read(Path::new(tiny()).join("model.safetensors")).unwrap();
    fs::write(cut.join("model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    let (found, kinds) = report(&cut);
    assert_eq!(kinds, ["files"]);
    assert_eq!(found["files"][0]["bytes"], weights.len() / 2);
    assert!(found["tokenizer"]["pieces"].as_u64().unwrap() > 0, "the rest is told");
    assert_eq!(report(&fresh("inspect-empty")).1, ["files", "config", "tokenizer"]);
}

#[test]
fn tokenizers_that_do_not_fit() {
    let other = tiny_without("inspect-tokenizer", &["tokenizer.model"]);
    assert_eq!(report(&other).1, ["tokenizer"]);
    fs::write(other.join("tokenizer.model"), "hello").unwrap();
    assert_eq!(report(&other).1, ["tokenizer"]);
    let elsewhere = fixture("tokenizer/tokenizer.model");
    let found = inspect(&other, &["--tokenizer", text(&elsewhere)]).json();
    assert_eq!(found["tokenizer"]["fits"], true);
}

#[test]
fn numbers_that_are_none_are_found_when_asked() {
    let folder = tiny_without("inspect-values", &["model.safetensors"]);
    let mut weights = fs::read(Path::new(tiny()).join("model.safetensors")).unwrap();
    let end = weights.len();
    weights[end - 2..].copy_from_slice(&0x7fc0u16.to_le_bytes()); // NaN in bfloat16
    fs::write(folder.join("model.safetensors"), &weights).unwrap();
    assert_eq!(inspect(&folder, &[]).code, 0, "the tables alone are sound");
    let ran = inspect(&folder, &["--check-values"]);
    assert_eq!(ran.code, 3);
    let found = parse(&ran.stdout);
    assert_eq!(kinds(&found), ["non_finite_tensor"]);
    assert!(messages(&found).contains("1 number infinite or undefined"), "{found}");
    assert_eq!(inspect(Path::new(tiny()), &["--check-values"]).code, 0);
}

#[test]
fn text_adapters_are_named_and_left_out() {
    let folder =
        tiny_configured("inspect-adapters", |config| config["num_hidden_layers"] = 1.into());
    let weights = fs::read(folder.join("model.safetensors")).unwrap();
    // A tensor of the block that is not used gets the name of one of 2.5's text adapters.
    let (old, new) = (b"layers.1.attention.wo.Plora_A", b"layers.1.attention.lora_sft_A");
    let place = weights.windows(old.len()).position(|window| window == old).unwrap();
    let named = [&weights[..place], new, &weights[place + old.len()..]].concat();
    fs::remove_file(folder.join("model.safetensors")).unwrap(); // a link to the tiny model's
    fs::write(folder.join("model.safetensors"), named).unwrap();
    let (found, _) = report(&folder);
    assert_eq!(found["text_adapters"], json!(["sft"]));
    let ran = ixc(&["run", "-m", text(&folder), "--greedy", "--max-new-tokens", "1", "Hi"]);
    assert!(ran.stderr.starts_with("warning: ") && ran.stderr.contains("(sft)"), "{}", ran.stderr);
    ran.ok();
}
