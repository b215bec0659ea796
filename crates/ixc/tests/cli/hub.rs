//! Models of the cache: found by their ids, listed, inspected with their licence, removed.
//!
//! The network is `ixc-hub`'s, and tested there; here nothing leaves the machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::support::{Ran, command, finish, fresh, text, tiny};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const MODEL: &str = "org/tiny";

/// A cache that holds the tiny model as `huggingface_hub` would have left it.
fn cache(name: &str) -> PathBuf {
    let cache = fresh(name);
    let model = cache.join("models--org--tiny");
    let snapshot = model.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(model.join("refs")).unwrap();
    fs::write(model.join("refs/main"), COMMIT).unwrap();
    for entry in fs::read_dir(tiny()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), snapshot.join(entry.file_name())).unwrap();
    }
    let card = "---\nlicense: other\n---\n# Tiny\n\n## Licence\nFor tests alone.\n";
    fs::write(snapshot.join("README.md"), card).unwrap();
    cache
}

fn with(cache: &Path, arguments: &[&str]) -> Ran {
    finish(command(arguments).env("HF_HUB_CACHE", cache).env("HF_HUB_OFFLINE", "1"))
}

#[test]
fn a_model_is_found_by_its_id() {
    let cache = cache("cache-run");
    for reference in [MODEL.to_owned(), format!("hf:{MODEL}"), format!("{MODEL}@main")] {
        let arguments = ["run", "-m", &reference, "--greedy", "--max-new-tokens", "1", "Hi"];
        with(&cache, &arguments).ok();
    }
    let found = with(&cache, &["inspect", MODEL, "--json"]).json();
    assert_eq!(found["licence"]["id"], "other");
    assert_eq!(found["licence"]["text"], "For tests alone.");
    assert!(found["path"].as_str().unwrap().ends_with(COMMIT));
    let snapshot = text(&cache.join("models--org--tiny/snapshots").join(COMMIT)).to_owned();
    let pulled = with(&cache, &["pull", MODEL]);
    assert!(pulled.stderr.contains("For tests alone."), "{}", pulled.stderr);
    assert_eq!(pulled.ok(), format!("{snapshot}\n"));
}

#[test]
fn what_is_not_there_says_how_to_get_it() {
    let cache = fresh("cache-absent");
    let message = with(&cache, &["run", "-m", "org/absent", "Hi"]).fails(3);
    assert!(message.contains("ixc pull org/absent"), "{message}");
    let message = with(&cache, &["pull", "org/absent"]).fails(4);
    assert!(message.contains("offline"), "{message}");
    let message = with(&cache, &["pull", "./folder"]).fails(1);
    assert!(message.contains("'./folder'"), "{message}");
    with(&cache, &["pull", "org/absent@../up"]).fails(1);
}

#[test]
fn the_list() {
    let empty = fresh("cache-empty");
    let ran = with(&empty, &["list"]);
    assert!(ran.stderr.contains("ixc pull"), "{}", ran.stderr);
    assert_eq!(ran.ok(), "", "nothing is no data");
    assert_eq!(with(&empty, &["list", "--json"]).json(), json!([]));

    let cache = cache("cache-list");
    let found = with(&cache, &["list", "--json"]).json();
    assert_eq!(found[0]["model"], MODEL);
    assert_eq!(found[0]["revisions"][0]["commit"], COMMIT);
    assert_eq!(found[0]["revisions"][0]["refs"], json!(["main"]));
    assert_eq!(found[0]["revisions"][0]["complete"], true);
    let words = with(&cache, &["ls"]).ok();
    assert!(words.contains("org/tiny  main") && words.contains("complete"), "{words}");
}

#[test]
fn nothing_is_removed_without_a_yes() {
    let cache = cache("cache-rm");
    let model = cache.join("models--org--tiny");
    let message = with(&cache, &["rm", MODEL]).fails(1);
    assert!(message.contains("--yes") && model.exists(), "{message}");
    with(&cache, &["rm", "org/other", "--yes"]).fails(1);
    with(&cache, &["rm", MODEL, "--yes"]).ok();
    assert!(!model.exists());
    with(&cache, &["run", "-m", MODEL, "Hi"]).fails(3);
}
