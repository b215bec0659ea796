//! `ixc init`: a random checkpoint that loads and answers, the same for the same seed.

use std::{fs, path::Path};

use crate::support::{fixture, fresh, ixc, text};

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
