//! Who may know whom: the arrows between our crates, and the outside crates each of them may meet.
//!
//! Two questions. What a crate names in its manifest comes from `cargo metadata`; what it reaches through
//! others comes from `Cargo.lock`, which covers every platform and feature, so a forbidden crate cannot
//! hide behind either. Development dependencies reach no user and may be any outside crate.
//! A later crate of ours is one more line in `ROOMS`; a crate without a line is a finding.

use crate::{Finding, Tree};
use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

/// Our crates, lowest first, and which of ours each may depend on.
const ROOMS: &[(&str, &[&str])] = &[
    ("ixc-files", &[]),
    ("ixc-kernels", &[]),
    ("ixc-nn", &["ixc-kernels", "ixc-files"]),
    ("ixc-input", &[]),
    ("ixc-net", &[]),
    ("ixc-hub", &["ixc-net", "ixc-files"]),
    ("ixc-world", &["ixc-input"]),
    ("ixc-export", &["ixc-input", "ixc-files"]),
    ("ixc-model", &["ixc-nn", "ixc-input"]),
    ("ixc-embed", &["ixc-model", "ixc-nn", "ixc-input"]),
    ("ixc-engine", &["ixc-model", "ixc-nn", "ixc-input", "ixc-files"]),
    ("ixc-train", &["ixc-model", "ixc-nn", "ixc-input", "ixc-files"]),
    ("ixc-library", &["ixc-input", "ixc-files"]),
    ("ixc-compose", &["ixc-library", "ixc-export", "ixc-input"]),
    ("ixc-providers", &["ixc-compose", "ixc-input", "ixc-net"]),
    (
        "ixc-eval",
        &[
            "ixc-compose",
            "ixc-library",
            "ixc-engine",
            "ixc-model",
            "ixc-world",
            "ixc-nn",
            "ixc-input",
        ],
    ),
    (
        "ixc",
        &[
            "ixc-compose",
            "ixc-export",
            "ixc-eval",
            "ixc-library",
            "ixc-train",
            "ixc-engine",
            "ixc-embed",
            "ixc-model",
            "ixc-world",
            "ixc-nn",
            "ixc-input",
            "ixc-hub",
            "ixc-providers",
            "ixc-files",
        ],
    ),
    (FOR_TESTS, &[]),
    ("xtask", &[]),
];

/// Every crate may have this one of ours as a development dependency, and none otherwise.
const FOR_TESTS: &str = "ixc-goldens";

/// Outside crates, which of our crates may name them, and why no other may.
const NAMED_BY: &[(&str, &[&str], &str)] = &[
    ("anyhow", &["ixc", "xtask"], "a library's errors are an enum that its caller can match"),
    ("clap", &["ixc"], "flags are read at the door and handed down as options"),
    ("clap_complete", &["ixc"], "flags are read at the door"),
    ("clap_mangen", &["ixc"], "flags are read at the door"),
    ("indicatif", &["ixc"], "libraries never print; they report, and the door shows"),
    ("rustyline", &["ixc"], "the conversation's line editor is the door's"),
    ("ctrlc", &["ixc"], "signals belong to the process, and the process to the door"),
    (
        "ureq",
        &["ixc-net", "ixc-hub", "ixc-providers"],
        "two crates go to the network, over one that knows addresses and proxies",
    ),
    (
        "image",
        &["ixc-input", "ixc-export"],
        "one crate decodes pictures, and one writes them for readers",
    ),
    ("tiny-skia", &["ixc-world"], "one crate draws"),
    ("png", &["ixc-world"], "what is drawn is written where it is drawn"),
    (
        "prost",
        &["ixc-input", "ixc-train"],
        "two files are protobuf: the tokenizer's, which input reads, and TensorBoard's, which training writes",
    ),
    (
        "zip",
        &["ixc-nn", "ixc-export", "ixc-compose"],
        "one crate reads weight files, one writes books, one keeps projects",
    ),
    ("krilla", &["ixc-export"], "one crate sets pages"),
    ("rustybuzz", &["ixc-export"], "one crate sets pages"),
    ("rusqlite", &["ixc-library"], "one crate keeps tables"),
    ("usearch", &["ixc-library"], "vectors are searched where they are kept"),
    ("tokenizers", &["ixc-embed"], "the family's tokenizer is ixc-input's own"),
    ("gemm", &["ixc-kernels"], "one crate multiplies matrices by hand"),
    ("pulp", &["ixc-kernels"], "one crate writes SIMD"),
    ("memmap2", &["ixc-kernels"], "mapping a file is unsafe, and unsafe has one home"),
];

/// Outside crates, which of our crates may reach them at all, through whatever is between, and why.
const REACHED_BY: &[(&str, &[&str], &str)] = &[
    ("tokio", &[], ASYNC),
    ("async-std", &[], ASYNC),
    ("smol", &[], ASYNC),
    ("hyper", &[], ASYNC),
    ("axum", &[], ASYNC),
    ("reqwest", &[], ASYNC),
    (
        "ureq",
        &["ixc-net", "ixc-hub", "ixc-providers", "ixc"],
        "the network is ixc-hub's and ixc-providers', which the binary alone uses",
    ),
    (
        "candle-core",
        &["ixc-nn", "ixc-model", "ixc-embed", "ixc-engine", "ixc-train", "ixc-eval", "ixc"],
        "no tensors in input, hub, kernels",
    ),
    (
        "image",
        &[
            "ixc-input",
            "ixc-library",
            "ixc-export",
            "ixc-compose",
            "ixc-providers",
            "ixc-world",
            "ixc-model",
            "ixc-embed",
            "ixc-engine",
            "ixc-train",
            "ixc-eval",
            "ixc",
        ],
        "no pictures in nn, kernels, hub",
    ),
];

const ASYNC: &str = "async stops at a server, and everything below one is synchronous";

/// One of our crates, as its manifest describes it.
struct Room {
    name: String,
    manifest: String,
    needs: Vec<Need>,
}

/// One dependency a manifest names.
struct Need {
    name: String,
    for_tests: bool,
}

/// Crate name → names of the crates it depends on, on any platform.
type Graph = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let lock = tree.text("Cargo.lock").context("Cargo.lock is missing; commit it")?;
    Ok(judge(&rooms(tree)?, &graph(lock), tree))
}

/// Our crates, as `cargo metadata` lists them. Needs neither a network nor a build.
fn rooms(tree: &Tree) -> Result<Vec<Room>> {
    let metadata = MetadataCommand::new()
        .manifest_path(tree.root.join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned(), "--locked".to_owned()])
        .exec()
        .context("cargo metadata did not answer")?;
    let root = metadata.workspace_root.clone();
    let room = |package: cargo_metadata::Package| {
        let manifest = package.manifest_path.strip_prefix(&root).unwrap_or(&package.manifest_path);
        let need = |dependency: &cargo_metadata::Dependency| Need {
            name: dependency.name.clone(),
            for_tests: dependency.kind == DependencyKind::Development,
        };
        Room {
            name: package.name.to_string(),
            manifest: manifest.to_string(),
            needs: package.dependencies.iter().map(need).collect(),
        }
    };
    Ok(metadata.packages.into_iter().map(room).collect())
}

/// The graph a lock file describes; versions of one crate count as one crate.
fn graph(lock: &str) -> Graph {
    let mut graph = Graph::new();
    let mut name = String::new();
    for line in lock.lines() {
        let words: Vec<&str> = line.split('"').collect();
        match words[..] {
            ["name = ", found, _] => name = found.into(),
            [" ", found, ","] => {
                let depends_on = found.split(' ').next().unwrap_or(found).to_owned();
                graph.entry(name.clone()).or_default().insert(depends_on);
            }
            _ => {}
        }
    }
    graph
}

fn judge(rooms: &[Room], graph: &Graph, tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for room in rooms {
        let Some((_, may)) = ROOMS.iter().find(|(name, _)| *name == room.name) else {
            let what = format!("{} has no line in ROOMS (xtask/src/layers.rs); add one", room.name);
            found.push(Finding::new(&room.manifest, 1, what));
            continue;
        };
        for need in &room.needs {
            if let Some(what) = complaint(room, need, may, rooms) {
                found.push(Finding::new(&room.manifest, line_of(tree, room, &need.name), what));
            }
        }
        let reached = reach(room, rooms, graph);
        for (outside, may, why) in REACHED_BY {
            if let Some(way) = reached.get(*outside).filter(|_| !may.contains(&room.name.as_str()))
            {
                let what = format!("{} reaches {outside} through {way}; {why}", room.name);
                let first = way.split(" -> ").next().unwrap_or(outside);
                found.push(Finding::new(&room.manifest, line_of(tree, room, first), what));
            }
        }
    }
    found
}

/// What is wrong with one dependency, if anything.
fn complaint(room: &Room, need: &Need, may: &[&str], rooms: &[Room]) -> Option<String> {
    let (room_name, name) = (&room.name, need.name.as_str());
    if name == FOR_TESTS {
        let what = format!("{room_name} ships {name}; move it to [dev-dependencies]");
        return (!need.for_tests).then_some(what);
    }
    if rooms.iter().any(|other| other.name == name) {
        let what = format!(
            "{room_name} must not know {name}: arrows go down only. Move what it needs below both, \
             or, where the wall stands wrong, change ROOMS (xtask/src/layers.rs) and ARCHITECTURE.md"
        );
        return (!may.contains(&name)).then_some(what);
    }
    let (_, named_by, why) = NAMED_BY.iter().find(|(outside, ..)| *outside == name)?;
    let what = format!("{room_name} names {name}, which belongs to {}: {why}", named_by.join(", "));
    (!need.for_tests && !named_by.contains(&room_name.as_str())).then_some(what)
}

/// Every crate that a user's build of `room` may contain, with the way there (`a -> b -> c`).
fn reach(room: &Room, rooms: &[Room], graph: &Graph) -> BTreeMap<String, String> {
    let mut reached: BTreeMap<String, String> = BTreeMap::new();
    let mut open: Vec<(String, String)> = shipped(room).map(|name| (name.clone(), name)).collect();
    while let Some((name, way)) = open.pop() {
        if reached.contains_key(&name) {
            continue;
        }
        // The lock file mixes in development dependencies, of our own crates only: those come from metadata.
        let next: Vec<String> = match rooms.iter().find(|other| other.name == name) {
            Some(ours) => shipped(ours).collect(),
            None => graph.get(&name).into_iter().flatten().cloned().collect(),
        };
        open.extend(next.into_iter().map(|next| (next.clone(), format!("{way} -> {next}"))));
        reached.insert(name, way);
    }
    reached
}

fn shipped(room: &Room) -> impl Iterator<Item = String> {
    room.needs.iter().filter(|need| !need.for_tests).map(|need| need.name.clone())
}

/// The line of a room's manifest that names `dependency`.
fn line_of(tree: &Tree, room: &Room, dependency: &str) -> usize {
    let manifest = tree.text(&room.manifest).unwrap_or_default();
    let names = |line: &str| {
        line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(names).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up house: crate name → what it needs; `+name` is a development dependency.
    fn findings(rooms: &[(&str, &[&str])], lock: &str) -> Vec<String> {
        let room = |&(name, needs): &(&str, &[&str])| Room {
            name: name.into(),
            manifest: format!("crates/{name}/Cargo.toml"),
            needs: needs
                .iter()
                .map(|need| Need {
                    name: need.trim_start_matches('+').into(),
                    for_tests: need.starts_with('+'),
                })
                .collect(),
        };
        let rooms: Vec<Room> = rooms.iter().map(room).collect();
        let tree = Tree::of(&[(
            "crates/ixc-nn/Cargo.toml",
            "[dependencies]\nixc-input.workspace = true\n",
        )]);
        judge(&rooms, &graph(lock), &tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_real_house_is_read_down_to_the_ground() {
        let tree = Tree::read(&crate::root()).unwrap();
        let rooms = rooms(&tree).unwrap();
        let door = rooms.iter().find(|room| room.name == "ixc").expect("the binary");
        let reached = reach(door, &rooms, &graph(tree.text("Cargo.lock").unwrap()));
        let way = &reached["safetensors"];
        assert!(way.starts_with("ixc-") && way.ends_with(" -> safetensors"), "{way}");
        assert!(!reached.contains_key("proptest"), "a development dependency counted as shipped");
    }

    #[test]
    fn arrows_downward_pass() {
        let house: &[(&str, &[&str])] = &[
            ("ixc-goldens", &[]),
            ("ixc-input", &["image", "+ixc-goldens", "+anyhow"]),
            ("ixc-nn", &["candle-core"]),
            ("ixc-model", &["ixc-nn", "ixc-input"]),
        ];
        assert_eq!(findings(house, ""), [""; 0]);
    }

    #[test]
    fn an_arrow_upward_or_sideways_is_found_at_its_line() {
        let found = findings(&[("ixc-input", &[]), ("ixc-nn", &["ixc-input"])], "");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/ixc-nn/Cargo.toml:2: ixc-nn must not know ixc-input"));
        assert_eq!(findings(&[("ixc", &[]), ("ixc-hub", &["+ixc"])], "").len(), 1);
        assert_eq!(findings(&[("xtask", &[]), ("ixc", &["xtask"])], "").len(), 1);
    }

    #[test]
    fn a_crate_without_a_line_and_shipped_goldens_are_found() {
        assert!(findings(&[("ixc-cellar", &[])], "")[0].contains("has no line in ROOMS"));
        let found = findings(&[("ixc-goldens", &[]), ("ixc-engine", &["ixc-goldens"])], "");
        assert!(found[0].contains("move it to [dev-dependencies]"));
    }

    #[test]
    fn a_named_outside_crate_has_its_place() {
        let found = findings(&[("ixc-engine", &["anyhow", "clap"])], "");
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("belongs to ixc, xtask"));
    }

    #[test]
    fn a_crate_behind_another_is_found_with_the_way_there() {
        let lock = "[[package]]\nname = \"hf\"\nversion = \"1.0.0\"\ndependencies = [\n \"http\",\n \
                    \"tokio 1.0.0\",\n]\n\n[[package]]\nname = \"ixc-nn\"\ndependencies = [\n \"tokio\",\n]\n";
        let found = findings(&[("ixc-hub", &["hf"]), ("ixc-nn", &["+tokio"])], lock);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("ixc-hub reaches tokio through hf -> tokio"));
        let found = findings(&[("ixc-kernels", &["candle-core"])], "");
        assert!(found[0].contains("no tensors in input, hub, kernels"));
    }
}
