//! `ixc world`: what it writes can be trained on, is the same again, and goes on where it stopped.

use std::{fs, path::Path};

use ixc_input::samples;

use crate::support::{fresh, ixc, text};

fn write(out: &Path, more: &[&str]) -> String {
    let arguments = ["world", "--out", text(out), "--count", "6", "--size", "64"];
    ixc(&[&arguments[..], more].concat()).ok()
}

#[test]
fn conversations_and_their_pictures_are_written() {
    let out = fresh("world");
    let told = write(&out, &["--split", "val"]);
    let files = [
        "captions",
        "questions",
        "things",
        "sides",
        "comparisons",
        "colours",
        "whether",
        "signs",
        "two",
        "refusals",
        "matching",
        "choosing",
        "titles",
        "articles",
        "edits",
        "language",
        "talk",
    ];
    for file in files {
        assert!(told.contains(&format!("{file}.jsonl")), "{told}");
        let written = fs::read_to_string(out.join(format!("{file}.jsonl"))).unwrap();
        let samples = samples::parse(&written).unwrap();
        assert!(samples.len() >= 6, "{file}");
        for sample in samples {
            for picture in sample.pictures {
                let bytes = fs::read(out.join(&picture)).expect("the picture is there");
                let picture =
                    ixc_input::image::load(&bytes, ixc_input::image::Orientation::AsStored)
                        .unwrap();
                assert_eq!((picture.width(), picture.height()), (64, 64));
            }
        }
    }
    let list = fs::read_to_string(out.join("data.txt")).unwrap();
    assert_eq!(list.lines().count(), files.len());
    let first = fs::read(out.join("captions.jsonl")).unwrap();
    fs::remove_dir_all(out.join("parts")).unwrap();
    write(&out, &["--split", "val", "--threads", "1"]);
    assert!(fs::read(out.join("captions.jsonl")).unwrap() == first, "the same again");
}

#[test]
fn another_world_is_not_mixed_in() {
    let out = fresh("world-other");
    write(&out, &["--what", "talk"]);
    let arguments = ["world", "--out", text(&out), "--split", "test", "--what", "talk"];
    let message = ixc(&arguments).fails(1);
    assert!(
        message.contains("holds the train world of seed 0 at 64 px (generation 6)"),
        "{message}"
    );
    assert!(
        message.contains("the test world of seed 0 at 112 px (generation 6) was asked for"),
        "{message}"
    );
    ixc(&["world", "--out", text(&out), "--size", "8"]).fails(1);
    ixc(&["world", "--out", text(&out), "--threads", "0"]).fails(1);
    ixc(&["world", "--out", text(&out), "--library", "--show", "3"]).fails(2);
    ixc(&["world", "--out", text(&out), "--show", "0"]).fails(1);
}

#[test]
fn a_library_and_a_sheet() {
    let out = fresh("world-library");
    ixc(&["world", "--out", text(&out), "--library", "--count", "3", "--size", "96"]).ok();
    for stem in ["0000-meadow", "0001-mountains", "0002-forest"] {
        assert!(out.join(format!("{stem}.png")).is_file());
        let caption = fs::read_to_string(out.join(format!("{stem}.txt"))).unwrap();
        assert!(caption.trim().ends_with('.'), "{caption}");
    }
    assert_eq!(fs::read_to_string(out.join("library.jsonl")).unwrap().lines().count(), 3);
    let sheet = ixc(&["world", "--out", text(&out), "--show", "5", "--size", "48"]).ok();
    assert!(Path::new(sheet.trim()).is_file(), "{sheet}");
}
