//! The same bytes every time, and nothing half.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use ixc_export::{Document, Format, Options, write};

use crate::samples::{article, latin};

const TARGETS: &[(Format, &str)] = &[
    (Format::Markdown, "folder"),
    (Format::Markdown, "a.md"),
    (Format::Html, "a.html"),
    (Format::Epub, "a.epub"),
    (Format::Docx, "a.docx"),
    (Format::Pdf, "a.pdf"),
];

/// An article for a format: a PDF needs fonts, and only one for Latin letters is packaged.
fn sample(format: Format, number: usize, pictures: usize) -> Document {
    if format == Format::Pdf { latin(number, pictures) } else { article(number, pictures) }
}

/// X1: as many pictures as an article may have places, and hostile text in every field, in every format.
#[test]
fn sixty_pictures_and_hostile_text() {
    let folder = tempfile::tempdir().unwrap();
    for &(format, name) in TARGETS {
        for number in [0, 7, 14] {
            let options = Options { overwrite: true, ..Options::default() };
            let written =
                write(&sample(format, number, 60), format, &folder.path().join(name), &options)
                    .unwrap();
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
            let written = write(&sample(format, 3, 9), format, &to, &Options::default()).unwrap();
            let files = tree(folder.path());
            assert_eq!(written.bytes, files.values().map(|bytes| bytes.len() as u64).sum::<u64>());
            let relative = |path: PathBuf| path.strip_prefix(folder.path()).unwrap().to_owned();
            files.into_iter().map(|(path, bytes)| (relative(path), bytes)).collect::<Vec<_>>()
        });
        assert_eq!(first, second, "{name}");
    }
}

/// A folder that cannot be written to stands for a full disk, a kill, a lost connection: what was there stays.
#[cfg(unix)]
#[test]
fn a_failed_write_leaves_what_was_there() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let options = Options { overwrite: true, ..Options::default() };
    for &(format, name) in TARGETS {
        write(&sample(format, 1, 4), format, &folder.path().join(name), &options).unwrap();
    }
    let before = tree(folder.path());
    let set = |mode| {
        for path in [folder.path().to_owned(), folder.path().join("folder")] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    set(0o555);
    if fs::write(folder.path().join("probe"), "").is_ok() {
        set(0o755);
        println!("skipped: this user may write anywhere");
        return;
    }
    for &(format, name) in TARGETS {
        write(&sample(format, 2, 4), format, &folder.path().join(name), &options).unwrap_err();
    }
    set(0o755);
    assert!(before.iter().all(|(path, bytes)| fs::read(path).unwrap() == *bytes));
}

#[test]
fn nothing_is_left_beside_the_files() {
    let folder = tempfile::tempdir().unwrap();
    for &(format, name) in TARGETS {
        write(&sample(format, 1, 4), format, &folder.path().join(name), &Options::default())
            .unwrap();
    }
    let stray =
        tree(folder.path()).into_keys().find(|path| path.extension().is_some_and(|e| e == "new"));
    assert_eq!(stray, None);
}
