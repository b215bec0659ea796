//! The same bytes every time, and nothing half.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use ixc_export::{Block, Format, Options, write};

use crate::samples::{article, picture};

const TARGETS: &[(Format, &str)] = &[
    (Format::Markdown, "folder"),
    (Format::Markdown, "a.md"),
    (Format::Html, "a.html"),
    (Format::Epub, "a.epub"),
    (Format::Docx, "a.docx"),
    (Format::Pdf, "a.pdf"),
];

/// X1: as many pictures as an article may have places, and hostile text in every field, in every format.
#[test]
fn sixty_pictures_and_hostile_text() {
    let folder = tempfile::tempdir().unwrap();
    for &(format, name) in TARGETS {
        for number in [0, 7, 14] {
            let options = Options { overwrite: true, ..Options::default() };
            let written =
                write(&article(number, 60), format, &folder.path().join(name), &options).unwrap();
            assert_eq!(written.pictures, 60, "{name}");
        }
    }
}

/// Every file below a folder.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    for &(format, name) in TARGETS {
        let [first, second] = [(), ()].map(|()| {
            let folder = tempfile::tempdir().unwrap();
            let to = folder.path().join(name);
            let written = write(&article(3, 9), format, &to, &Options::default()).unwrap();
            let files = tree(folder.path());
            assert_eq!(written.bytes, files.values().map(|bytes| bytes.len() as u64).sum::<u64>());
            let relative = |path: PathBuf| path.strip_prefix(folder.path()).unwrap().to_owned();
            files.into_iter().map(|(path, bytes)| (relative(path), bytes)).collect::<Vec<_>>()
        });
        assert_eq!(first, second, "{name}");
    }
}

/// A file that lies where this program was started to be killed.
const VICTIM: &str = "victim";

/// Not a test by itself: what [`a_killed_write_leaves_one_article_or_the_other`] starts and kills.
#[test]
fn writes_one_article_and_the_other_until_it_is_killed() {
    if !Path::new(VICTIM).is_file() {
        return;
    }
    let options = Options { overwrite: true, ..Options::default() };
    for round in 0.. {
        for &(format, name) in TARGETS {
            write(&article(round % 2, 6), format, Path::new(name), &options).unwrap();
        }
    }
}

#[test]
fn a_killed_write_leaves_one_article_or_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default();
    let wholes = [0, 1].map(|number| {
        let folder = tempfile::tempdir().unwrap();
        let whole = |&(format, name): &(Format, &str)| {
            fs::read(
                write(&article(number, 6), format, &folder.path().join(name), &options)
                    .unwrap()
                    .path,
            )
        };
        TARGETS.iter().map(|target| whole(target).unwrap()).collect::<Vec<_>>()
    });
    for &(format, name) in TARGETS {
        write(&article(0, 6), format, &folder.path().join(name), &options).unwrap();
    }
    fs::write(folder.path().join(VICTIM), "").unwrap();
    for round in 0..ixc_goldens::fuzz_rounds(6) as u64 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "whole::writes_one_article_and_the_other_until_it_is_killed"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(90 + 17 * (round % 40)));
        victim.kill().unwrap();
        victim.wait().unwrap();
        for (at, (_, name)) in TARGETS.iter().enumerate() {
            let path = folder.path().join(name);
            let text = if path.is_dir() { path.join("article.md") } else { path };
            let found = fs::read(&text).unwrap();
            assert!(wholes.iter().any(|whole| whole[at] == found), "{name} is half");
            if text.extension().is_some_and(|ending| ending == "md") {
                let found = String::from_utf8(found).unwrap();
                for picture in found
                    .split("](")
                    .skip(1)
                    .filter_map(|rest| rest.split_once(')'))
                    .filter(|picture| picture.0.contains("assets/"))
                {
                    assert!(text.with_file_name(picture.0).is_file(), "{name} lost {}", picture.0);
                }
            }
        }
    }
}

/// A picture that cannot be used is found before anything is written.
#[test]
fn a_failed_write_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { overwrite: true, ..Options::default() };
    for &(format, name) in TARGETS {
        write(&article(1, 4), format, &folder.path().join(name), &options).unwrap();
    }
    let before = tree(folder.path());
    for &(format, name) in TARGETS {
        let mut bad = article(2, 4);
        bad.blocks.push(Block::Picture(picture(b"no picture".to_vec(), "")));
        write(&bad, format, &folder.path().join(name), &options).unwrap_err();
    }
    assert_eq!(before, tree(folder.path()));
}

#[test]
fn nothing_is_left_beside_the_files() {
    let folder = tempfile::tempdir().unwrap();
    for &(format, name) in TARGETS {
        write(&article(1, 4), format, &folder.path().join(name), &Options::default()).unwrap();
    }
    let stray =
        tree(folder.path()).into_keys().find(|path| path.extension().is_some_and(|e| e == "new"));
    assert_eq!(stray, None);
}
