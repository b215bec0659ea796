//! Which files of a repository a model needs, and whether a snapshot has them.
//!
//! Needed: the configuration, one form of the weights, the tokenizer, and the small texts that say
//! under what terms. Only files of the top folder count. Python code is never fetched: nothing
//! here runs it. Deliberately absent: a look into the weights themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::limits::{MAX_LISTING_BYTES, MAX_SMALL_FILE_BYTES};
use crate::names;

/// Small files that the engine reads; the rest is for people and other programs.
const READ_BY_THE_ENGINE: [&str; 4] =
    ["config.json", "tokenizer.model", "generation_config.json", "quantize_config.json"];

/// Most shards that a name like `model-00001-of-00002.safetensors` may announce.
const MAX_SHARDS: usize = 9999;

/// The two forms in which weights are published, the preferred one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `*.safetensors`.
    Safetensors,
    /// `pytorch_model*.bin`.
    Pickle,
}

impl Form {
    /// How its files end.
    fn ending(self) -> &'static str {
        match self {
            Form::Safetensors => ".safetensors",
            Form::Pickle => ".bin",
        }
    }

    /// Whether this is the name of a weight file that loaders look for.
    fn matches(self, name: &str) -> bool {
        let known = match self {
            Form::Safetensors => ["model", "gptq_model"],
            Form::Pickle => ["pytorch_model", "gptq_model"],
        };
        is_top(name)
            && name.ends_with(self.ending())
            && known.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Whether this is the index of its shards.
    fn is_index(self, name: &str) -> bool {
        is_top(name) && name.ends_with(&format!("{}.index.json", self.ending()))
    }
}

/// Whether a file is in the top folder.
fn is_top(name: &str) -> bool {
    !name.contains('/')
}

/// The form whose weights these names offer, and the names.
pub(crate) fn weights<'n>(names: &[&'n str]) -> Option<(Form, Vec<&'n str>)> {
    for form in [Form::Safetensors, Form::Pickle] {
        let found: Vec<_> = names.iter().copied().filter(|n| form.matches(n)).collect();
        if !found.is_empty() {
            return Some((form, found));
        }
    }
    // Weights under a name of someone's own choice, if nothing else is there.
    let any = |n: &&str| is_top(n) && n.ends_with(Form::Safetensors.ending());
    let found: Vec<_> = names.iter().copied().filter(any).collect();
    (!found.is_empty()).then_some((Form::Safetensors, found))
}

/// Whether a file of this name may be large.
pub(crate) fn is_large(name: &str) -> bool {
    [Form::Safetensors, Form::Pickle].iter().any(|form| name.ends_with(form.ending()))
}

/// Whether a file that is not weights is needed beside weights of this form.
pub(crate) fn is_companion(name: &str, form: Form) -> bool {
    let upper = name.to_ascii_uppercase();
    let terms = ["LICENSE", "LICENCE", "NOTICE", "USE_POLICY", "README.MD"];
    if !is_top(name) || upper.ends_with(".PY") {
        return false;
    }
    if name.ends_with(".index.json") {
        return form.is_index(name);
    }
    name.ends_with(".json")
        || name == "tokenizer.model"
        || name == "merges.txt"
        || terms.iter().any(|term| upper.starts_with(term))
}

/// Whether a model cannot do without this file; the others are left out when they are too large.
pub(crate) fn is_essential(name: &str) -> bool {
    READ_BY_THE_ENGINE.contains(&name) || name.ends_with(".index.json")
}

/// What a snapshot lacks to be a model: names of files, or a description. Empty when complete.
///
/// `tree` is the listing that `huggingface_hub` keeps as `trees/<commit>.json`; where it exists it
/// tells what the repository holds, otherwise the snapshot's own index and shard names do.
pub(crate) fn missing(snapshot: &Path, present: &BTreeSet<String>, tree: &Path) -> Vec<String> {
    let listed = read_tree(tree);
    let is_listed = |name: &str| listed.as_ref().is_some_and(|names| names.contains(name));
    let mut out: Vec<String> = READ_BY_THE_ENGINE
        .iter()
        .filter(|name| **name == "config.json" || is_listed(name))
        .filter(|name| !present.contains(**name))
        .map(|name| (*name).to_owned())
        .collect();
    let forms = [Form::Safetensors, Form::Pickle];
    let lacking = forms.map(|form| missing_weights(form, snapshot, present, listed.as_ref()));
    let names: Vec<&str> = present.iter().map(String::as_str).collect();
    // A complete form is enough, and an incomplete one is most cheaply completed where most is.
    match lacking.into_iter().flatten().min_by_key(Vec::len) {
        Some(shards) => out.extend(shards),
        None if weights(&names).is_some() => {}
        None => out.push("weights (*.safetensors or pytorch_model*.bin)".to_owned()),
    }
    out
}

/// The weights of one form that are not there; `None` when nothing hints at this form.
fn missing_weights(
    form: Form,
    snapshot: &Path,
    present: &BTreeSet<String>,
    listed: Option<&BTreeSet<String>>,
) -> Option<Vec<String>> {
    let mut needed: BTreeSet<String> = BTreeSet::new();
    for name in present.iter().filter(|name| form.matches(name)) {
        needed.extend(shards_of(name));
    }
    for name in present.iter().filter(|name| form.is_index(name)) {
        needed.extend(read_index(&snapshot.join(name)));
    }
    let of_this_form = |name: &&String| form.matches(name) || form.is_index(name);
    needed.extend(listed.into_iter().flatten().filter(of_this_form).cloned());
    let has_hint = !needed.is_empty();
    has_hint.then(|| needed.into_iter().filter(|name| !present.contains(name)).collect())
}

/// All shards that belong with this one: `a-00001-of-00002.bin` announces two.
fn shards_of(name: &str) -> Vec<String> {
    let parse = || {
        let (stem, ending) = name.rsplit_once('.')?;
        let (stem, count) = stem.rsplit_once("-of-")?;
        let (stem, number) = stem.rsplit_once('-')?;
        let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(number) || !digits(count) {
            return None;
        }
        let count: usize = count.parse().ok()?;
        (1..=MAX_SHARDS)
            .contains(&count)
            .then(|| (1..=count).map(|n| format!("{stem}-{n:05}-of-{count:05}.{ending}")).collect())
    };
    parse().unwrap_or_else(|| vec![name.to_owned()])
}

/// The files that an index of shards names; none when it cannot be read.
fn read_index(path: &Path) -> BTreeSet<String> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    read_json::<Index>(path, MAX_SMALL_FILE_BYTES)
        .map(|index| index.weight_map.into_values())
        .into_iter()
        .flatten()
        .filter(|name| is_top(name) && names::danger(name).is_none())
        .collect()
}

/// The names in a listing that `huggingface_hub` kept; `None` when there is none.
fn read_tree(path: &Path) -> Option<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Tree {
        format_version: u64,
        files: BTreeMap<String, serde::de::IgnoredAny>,
    }
    let tree: Tree = read_json(path, MAX_LISTING_BYTES)?;
    (tree.format_version == 1).then(|| tree.files.into_keys().collect())
}

/// A JSON file of bounded size; `None` when it cannot be read.
fn read_json<T: for<'de> Deserialize<'de>>(path: &Path, limit: u64) -> Option<T> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(limit + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > limit {
        return None;
    }
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_of_the_weights() {
        let both = ["config.json", "model.safetensors", "pytorch_model.bin", "x/model.safetensors"];
        assert_eq!(weights(&both), Some((Form::Safetensors, vec!["model.safetensors"])));
        let gptq = ["gptq_model-4bit-128g.safetensors", "config.json"];
        assert_eq!(weights(&gptq), Some((Form::Safetensors, vec![gptq[0]])));
        let pickle =
            ["pytorch_model-00001-of-00001.bin", "training_args.bin", "adapter.safetensors"];
        assert_eq!(weights(&pickle), Some((Form::Pickle, vec![pickle[0]])));
        assert_eq!(weights(&["my.safetensors"]), Some((Form::Safetensors, vec!["my.safetensors"])));
        assert_eq!(weights(&["optimizer.bin", "sub/model.safetensors", "model.gguf"]), None);
    }

    #[test]
    fn companions() {
        for yes in [
            "config.json",
            "model.safetensors.index.json",
            "tokenizer.model",
            "README.md",
            "LICENSE",
            "LICENSE.txt",
            "quantize_config.json",
        ] {
            assert!(is_companion(yes, Form::Safetensors), "{yes}");
        }
        for no in [
            "pytorch_model.bin.index.json",
            "modeling.py",
            "license.py",
            "sub/config.json",
            "logo.png",
            ".gitattributes",
            "other.model",
        ] {
            assert!(!is_companion(no, Form::Safetensors), "{no}");
        }
        assert!(is_companion("pytorch_model.bin.index.json", Form::Pickle));
    }

    #[test]
    fn shards() {
        let all = ["a-b-00001-of-00002.bin", "a-b-00002-of-00002.bin"];
        assert_eq!(shards_of(all[1]), all);
        for alone in [
            "a.bin",
            "a-1-of-2.bin",
            "a-00001-of-00000.bin",
            "a-of-b.bin",
            "a-00001-of-99999999999999999999.bin",
        ] {
            assert_eq!(shards_of(alone), [alone], "{alone}");
        }
    }

    /// What is missing in a snapshot of these files, some with content.
    fn lacks(files: &[(&str, &str)], tree: Option<&str>) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let path = folder.path().join("tree");
        if let Some(tree) = tree {
            std::fs::write(&path, tree).unwrap();
        }
        let present = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        missing(folder.path(), &present, &path)
    }

    #[test]
    fn completeness_from_the_snapshot_itself() {
        let config = ("config.json", "{}");
        assert!(lacks(&[config, ("model.safetensors", "")], None).is_empty());
        assert!(lacks(&[config, ("x.safetensors", "")], None).is_empty());
        assert_eq!(lacks(&[("model.safetensors", "")], None), ["config.json"]);
        assert_eq!(lacks(&[config], None).len(), 1);
        let first = ("pytorch_model-00001-of-00002.bin", "");
        let second = ("pytorch_model-00002-of-00002.bin", "");
        assert_eq!(lacks(&[config, first], None), [second.0]);
        assert!(lacks(&[config, first, second], None).is_empty());
        let half = ("model-00001-of-00002.safetensors", "");
        assert!(lacks(&[config, first, second, half], None).is_empty());
        let index = ("model.safetensors.index.json", r#"{"weight_map":{"a":"b.safetensors"}}"#);
        assert_eq!(lacks(&[config, index], None), ["b.safetensors"]);
        let hostile = ("model.safetensors.index.json", r#"{"weight_map":{"a":"../b"}}"#);
        assert_eq!(lacks(&[config, hostile], None).len(), 1);
    }

    #[test]
    fn completeness_from_a_kept_listing() {
        let tree = r#"{"format_version":1,"files":{"config.json":{"size":1},"x.py":{},
            "tokenizer.model":{},"model.safetensors":{},"pytorch_model.bin":{}}}"#;
        let config = ("config.json", "{}");
        let tokenizer = ("tokenizer.model", "");
        let lacking = lacks(&[config], Some(tree));
        assert_eq!(lacking, ["tokenizer.model", "model.safetensors"]);
        assert!(lacks(&[config, tokenizer, ("pytorch_model.bin", "")], Some(tree)).is_empty());
        let newer = r#"{"format_version":2,"files":{"tokenizer.model":{}}}"#;
        assert!(lacks(&[config, ("model.safetensors", "")], Some(newer)).is_empty());
    }
}
