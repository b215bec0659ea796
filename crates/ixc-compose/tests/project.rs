//! Project files: they reopen as they were, and whatever else is handed in gets a clear answer.

mod common;

use std::io::{Cursor, Write as _};

use common::*;
use ixc_compose::{
    Project,
    article::{Article, Block},
    assemble,
    limits::ASSET_BYTES,
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

fn project() -> Project {
    let sources = with_library();
    let script = Script {
        article: "Title\nIt snows.\nBoats.".into(),
        places: "<Seg1><Seg2>".into(),
        captions: vec!["Snow in the forest\"".into(), "A boat\"".into()],
        choices: vec!["B".into()],
        ..Script::default()
    };
    let (made, _) = run(request(&sources), &script, &sources);
    let (article, assets) = assemble(&made, &sources).unwrap();
    Project::new(made, article, assets, 1_700_000_000)
}

fn text(text: &str) -> Block {
    Block::Text { text: text.into() }
}

#[test]
fn a_project_reopens_as_it_was_byte_by_byte() {
    let mut project = project();
    assert_eq!(project.article().pictures().count(), 2);
    project.change("more".into(), Article { blocks: vec![text("图 🦀 \u{202e}")] });
    let bytes = project.write().unwrap();
    let again = Project::read(&bytes).unwrap();
    assert_eq!(again, project);
    assert_eq!(again.write().unwrap(), bytes);
}

#[test]
fn undo_and_redo_walk_along_the_versions() {
    let mut project = project();
    let first = project.article().clone();
    assert_eq!(project.undo(), None);
    assert_eq!(project.redo(), None);
    let version = |word: &str| Article { blocks: vec![text(word)] };
    for word in ["one", "two", "three"] {
        project.change(word.into(), version(word));
    }
    assert_eq!(project.undo(), Some("three"));
    assert_eq!(project.undo(), Some("two"));
    let mut project = Project::read(&project.write().unwrap()).unwrap();
    assert_eq!(project.redo(), Some("two"), "in any later run");
    project.undo();
    assert_eq!(*project.article(), version("one"));
    project.change("other".into(), version("other"));
    assert_eq!(project.redo(), None, "what was undone before a change is given up");
    assert_eq!(project.undo(), Some("other"));
    assert_eq!(project.undo(), Some("one"));
    assert_eq!(*project.article(), first);
    assert_eq!(project.assets.len(), 2, "pictures of every version stay");
}

/// An archive of these files.
fn archive(files: &[(&str, &[u8])], packing: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(packing);
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn json(project: &Project) -> String {
    let bytes = project.write().unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    std::io::read_to_string(zip.by_name("project.json").unwrap()).unwrap()
}

#[test]
fn archives_that_are_no_project_are_refused() {
    let project = project();
    let json = json(&project);
    let packed = CompressionMethod::Deflated;
    let zeros = vec![0u8; ASSET_BYTES as usize + 1];
    let digest = "0".repeat(64);
    let asset = format!("assets/{digest}");
    for (files, says) in [
        (vec![("project.json", &json.as_bytes()[..40])], "project.json cannot be read"),
        (vec![("other.json", json.as_bytes())], "it holds \"other.json\""),
        (vec![("../../evil", b"x" as &[u8])], "it holds \"../../evil\""),
        (vec![("/etc/passwd", b"x")], "it holds \"/etc/passwd\""),
        (vec![("assets/../project.json", b"x")], "it holds"),
        (vec![("assets/ABC", b"x")], "it holds"),
        (vec![(asset.as_str(), b"x")], "is damaged"),
        (vec![(asset.as_str(), &zeros)], "has more than"),
        (vec![], "it has no project.json"),
        (vec![("project.json", json.as_bytes())], "is missing"),
        (
            vec![("project.json", json.replace("ixca/1", "ixca/7").as_bytes())],
            "of the form \"ixca/7\"",
        ),
        (
            vec![("project.json", json.replacen("\"at\": 0", "\"at\": 5", 1).as_bytes())],
            "its present version is 5 of 1",
        ),
    ] {
        let error = Project::read(&archive(&files, packed)).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
        assert!(error.len() < 400, "{error}");
    }
}

#[test]
fn an_archive_that_another_program_packed_again_is_read() {
    let project = project();
    let names: Vec<String> = project.assets.keys().map(|name| format!("assets/{name}")).collect();
    let json = json(&project);
    let mut files: Vec<(&str, &[u8])> = names
        .iter()
        .map(String::as_str)
        .zip(project.assets.values().map(|bytes| &**bytes))
        .collect();
    files.push(("project.json", json.as_bytes()));
    for packing in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        assert_eq!(Project::read(&archive(&files, packing)).unwrap(), project);
    }
}

#[test]
fn damaged_files_are_refused_or_read_as_they_were() {
    let project = project();
    let bytes = project.write().unwrap();
    for length in (0..bytes.len()).step_by(331) {
        Project::read(&bytes[..length]).unwrap_err();
    }
    let mut state = 1u64;
    for _ in 0..ixc_goldens::fuzz_rounds(200) {
        let mut damaged = bytes.clone();
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (state >> 33) as usize % damaged.len();
        damaged[at] ^= 1 << (state >> 60 & 7);
        // A date or a version may differ; what is read then is the same project.
        if let Ok(read) = Project::read(&damaged) {
            assert_eq!(read, project, "byte {at}");
        }
    }
}
