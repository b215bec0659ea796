//! `ixc init`: a random checkpoint that loads and answers, the same for the same seed.

use std::{fs, path::Path};

use ixc_nn::weights::{Checkpoint, ShardWriter, TensorPlan};

use crate::support::{fixture, fresh, ixc, photo, text, tiny};

/// Writes a tiny random model.
fn init(out: &Path, seed: &str) {
    let tokenizer = fixture("tokenizer/tokenizer.model");
    let arguments =
        ["init", "--like", "tiny", "--dtype", "f16", "--seed", seed, "--out", text(out)];
    let ran = ixc(&[&arguments[..], &["--tokenizer", text(&tokenizer)]].concat());
    assert!(ran.stderr.starts_with("Wrote "), "{}", ran.stderr);
    assert_eq!(ran.ok(), format!("{}\n", text(out)));
}

#[test]
fn what_is_written_loads_and_answers() {
    let (one, same, other) = (fresh("init-one"), fresh("init-same"), fresh("init-other"));
    init(&one, "1");
    init(&same, "1");
    init(&other, "2");
    let weights = |folder: &Path| fs::read(folder.join("model.safetensors")).unwrap();
    assert!(weights(&one) == weights(&same), "the same seed");
    assert!(weights(&one) != weights(&other), "another seed");
    let found = ixc(&["inspect", text(&one), "--json", "--check-values"]).json();
    assert_eq!(found["dtypes"][0]["dtype"], "f16");
    ixc(&["run", "-m", text(&one), "--max-new-tokens", "1", "Hi"]).ok();
}

#[test]
fn a_random_model_is_not_written_over_another() {
    let out = fresh("occupied");
    fs::write(out.join("model.safetensors"), "weights").unwrap();
    let arguments = ["init", "--like", "vl-1_8b", "--out", text(&out)];
    let message = ixc(&arguments).fails(1);
    assert!(message.contains("already holds \"model.safetensors\""), "{message}");
    let wrong = out.join("model.safetensors");
    let message = ixc(&[&arguments[..], &["--tokenizer", text(&wrong)]].concat()).fails(1);
    assert!(message.contains("not a SentencePiece file"), "{message}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    ixc(&["init", "--like", "13b", "--out", text(&out)]).fails(2);
}

#[test]
fn a_model_from_parts_speaks_as_its_language_model() {
    let (language, tower, out) =
        (fresh("parts-language"), fresh("parts-tower"), fresh("parts-out"));
    let whole = Checkpoint::open(Path::new(tiny())).unwrap();
    let part = |folder: &Path, rename: &dyn Fn(&str) -> Option<String>| {
        let named = |name: &str| Some((name.to_owned(), rename(name)?));
        let names: Vec<(String, String)> = whole.names().filter_map(named).collect();
        let plan = |(old, new): &(String, String)| {
            let info = whole.info(old).unwrap();
            TensorPlan { name: new.clone(), dtype: info.dtype, shape: info.shape.clone() }
        };
        let plans = names.iter().map(plan).collect();
        let writer = ShardWriter::new(folder, plans, usize::MAX).unwrap();
        let mut next = names.iter();
        let copied = writer.write::<ixc_nn::Error>(|_, sink| {
            let (old, _) = next.next().unwrap();
            sink.bytes(whole.buffer(old)?.bytes())
        });
        copied.unwrap();
    };
    part(&tower, &|name| Some(name.strip_prefix("vit.vision_tower.")?.to_owned()));
    part(&language, &|name| {
        let is = name.starts_with("model.") || name.starts_with("output.");
        (is && !name.contains("Plora")).then(|| name.to_owned())
    });
    fs::write(tower.join("config.json"), "{\"hidden_act\": \"quick_gelu\"}").unwrap();
    let mut config = ixc_goldens::json(&Path::new(tiny()).join("config.json"));
    let keys = config.as_object_mut().unwrap();
    keys.remove("img_size");
    keys.remove("plora_scales");
    fs::write(language.join("config.json"), config.to_string()).unwrap();
    fs::copy(fixture("tokenizer/tokenizer.model"), language.join("tokenizer.model")).unwrap();

    let parts = ["--tower", text(&tower), "--language", text(&language), "--rank", "8"];
    let arguments = [&["init", "--out", text(&out), "--side", "56"], &parts[..]].concat();
    assert_eq!(ixc(&arguments).ok(), format!("{}\n", text(&out)));
    let say = |model: &str| {
        ixc(&["run", "-m", model, "--greedy", "--exact", "--max-new-tokens", "8", "Hi"]).ok()
    };
    assert_eq!(say(text(&out)), say(text(&language)), "without a picture, word for word");
    let shown = ["run", "-m", text(&out), "-i", &photo(), "--max-new-tokens", "1", "Hi"];
    ixc(&shown).ok();
    ixc(&["init", "--out", text(&out), "--tower", text(&tower)]).fails(2);
    ixc(&[&["init", "--like", "tiny", "--out", text(&out)], &parts[..]].concat()).fails(2);
    ixc(&["init", "--out", text(&out)]).fails(2);
}
