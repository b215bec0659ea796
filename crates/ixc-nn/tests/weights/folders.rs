//! What a path may be: a folder as published, an index, a file; and what is missing or in the way.

use std::path::Path;

use ixc_nn::{
    Error,
    limits::{MAX_FILES, MAX_INDEX_BYTES},
    weights::{Checkpoint, Format},
};

use crate::support::{Folder, Pickle, View, safetensors_with, torch_file};

/// A safetensors file with one tensor of this name.
fn one(name: &str) -> Vec<u8> {
    safetensors_with(&[(name, "U8", &[1], vec![7])])
}

fn index(places: &[(&str, &str)]) -> Vec<u8> {
    let places: Vec<_> =
        places.iter().map(|(tensor, file)| format!("{tensor:?}:{file:?}")).collect();
    format!(r#"{{"metadata":{{"total_size":-3}},"weight_map":{{{}}}}}"#, places.join(","))
        .into_bytes()
}

fn pickled(name: &str) -> Vec<u8> {
    torch_file(&Pickle::state_dict(&[(name, View::plain())]))
}

fn names(path: &Path) -> Vec<String> {
    Checkpoint::open(path).unwrap().names().map(str::to_owned).collect()
}

fn error(files: &[(&str, &[u8])]) -> Error {
    let folder = Folder::with(files);
    Checkpoint::open(folder.path()).unwrap_err()
}

#[test]
fn shards_with_an_index_open() {
    let folder = Folder::with(&[
        ("model-00001-of-00002.safetensors", &one("a")),
        ("model-00002-of-00002.safetensors", &one("b")),
        (
            "model.safetensors.index.json",
            &index(&[
                ("a", "model-00001-of-00002.safetensors"),
                ("b", "model-00002-of-00002.safetensors"),
            ]),
        ),
        ("unrelated.safetensors", &one("c")),
        ("pytorch_model.bin", b"not opened"),
    ]);
    assert_eq!(names(folder.path()), ["a", "b"]);
    assert_eq!(names(&folder.file("model.safetensors.index.json")), ["a", "b"]);
    assert_eq!(names(&folder.file("model-00002-of-00002.safetensors")), ["b"]);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.info("b").unwrap().file, 1);
    assert_eq!(checkpoint.files()[1].path, folder.file("model-00002-of-00002.safetensors"));
}

#[test]
fn pickled_shards_with_an_index_open() {
    let folder = Folder::with(&[
        ("pytorch_model-00001-of-00002.bin", &pickled("a")),
        ("pytorch_model-00002-of-00002.bin", &pickled("b")),
        (
            "pytorch_model.bin.index.json",
            &index(&[
                ("a", "pytorch_model-00001-of-00002.bin"),
                ("b", "pytorch_model-00002-of-00002.bin"),
            ]),
        ),
        ("training_args.bin", b"never opened"),
        ("optimizer.pt", b"never opened"),
    ]);
    assert_eq!(names(folder.path()), ["a", "b"]);
    assert_eq!(Checkpoint::open(folder.path()).unwrap().files()[0].format, Format::Pickle);
}

#[test]
fn known_names_come_first() {
    let all: [(&str, &[u8], &str); 4] = [
        ("model.safetensors", &one("single"), "single"),
        ("gptq_model-4bit-128g.safetensors", &one("gptq"), "gptq"),
        ("pytorch_model.bin", &pickled("pickled"), "pickled"),
        ("vision.safetensors", &one("loose"), "loose"),
    ];
    for first in 0..all.len() {
        let files: Vec<_> = all[first..].iter().map(|&(name, bytes, _)| (name, bytes)).collect();
        assert_eq!(names(Folder::with(&files).path()), [all[first].2]);
    }
}

#[test]
fn loose_files_open_together() {
    let folder = Folder::with(&[
        ("vision.safetensors", &one("v")),
        ("language.safetensors", &one("l")),
        (".hidden.safetensors", b"?"),
    ]);
    assert_eq!(names(folder.path()), ["l", "v"]);
}

#[test]
fn a_file_without_a_telling_name_is_recognised() {
    let folder = Folder::with(&[
        ("0b1f", &one("plain")),
        ("77aa", &pickled("pickled")),
        ("text", b"hello, world"),
    ]);
    assert_eq!(names(&folder.file("0b1f")), ["plain"]);
    assert_eq!(names(&folder.file("77aa")), ["pickled"]);
    assert!(matches!(Checkpoint::open(&folder.file("text")), Err(Error::NoWeights { .. })));
}

#[test]
fn a_folder_without_weights_says_what_it_holds() {
    let found = error(&[("config.json", b"{}"), ("tokenizer.model", b"")]).to_string();
    assert!(found.contains("config.json") && found.contains("*.safetensors"), "{found}");
    assert!(error(&[]).to_string().contains("an empty folder"));
}

#[test]
fn a_path_that_is_not_there_is_an_error() {
    let folder = Folder::new();
    match Checkpoint::open(&folder.file("nowhere")) {
        Err(Error::Io { path, .. }) => assert_eq!(path, folder.file("nowhere")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn missing_shards_are_listed() {
    let places = [("a", "m-1.safetensors"), ("b", "m-2.safetensors"), ("c", "m-3.safetensors")];
    match error(&[
        ("model.safetensors.index.json", &index(&places)),
        ("m-2.safetensors", &one("b")),
    ]) {
        Error::MissingShards { missing, total, .. } => {
            assert_eq!(
                (missing, total),
                (vec!["m-1.safetensors".to_owned(), "m-3.safetensors".into()], 3)
            );
        }
        other => panic!("{other}"),
    }
    // Without an index the other shards' names tell.
    match error(&[("model-00002-of-00003.safetensors", &one("b"))]) {
        Error::MissingShards { missing, total, .. } => {
            assert_eq!(
                missing,
                ["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"]
            );
            assert_eq!(total, 3);
        }
        other => panic!("{other}"),
    }
    let many: Vec<_> = (0..50).map(|i| (format!("t{i}"), format!("m-{i}.safetensors"))).collect();
    let many: Vec<_> = many.iter().map(|(tensor, file)| (tensor.as_str(), file.as_str())).collect();
    let message = error(&[("model.safetensors.index.json", &index(&many))]).to_string();
    assert!(message.contains("50 of 50") && message.contains("40 more"), "{message}");
}

#[test]
fn all_shards_without_an_index_open() {
    let folder = Folder::with(&[
        ("model-00001-of-00002.safetensors", &one("a")),
        ("model-00002-of-00002.safetensors", &one("b")),
    ]);
    assert_eq!(names(folder.path()), ["a", "b"]);
}

#[test]
fn an_index_that_promises_another_tensor_is_refused() {
    let (a, b) = ("a.safetensors", "b.safetensors");
    let files = |places: &[(&str, &str)]| {
        error(&[("model.safetensors.index.json", &index(places)), (a, &one("a")), (b, &one("b"))])
    };
    for (places, wrong) in
        [(vec![("a", a), ("b", b), ("c", b)], "c"), (vec![("a", b), ("b", a)], "a")]
    {
        match files(&places) {
            Error::NotInShard { tensor, .. } => assert_eq!(tensor, wrong),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn one_tensor_in_two_files_is_refused() {
    match error(&[("a.safetensors", &one("t")), ("b.safetensors", &one("t"))]) {
        Error::DuplicateTensor { tensor, first, second } => {
            assert_eq!(tensor, "t");
            assert!(first.ends_with("a.safetensors") && second.ends_with("b.safetensors"));
        }
        other => panic!("{other}"),
    }
    let places = [("t", "a.safetensors"), ("u", "b.safetensors")];
    let both = safetensors_with(&[("t", "U8", &[1], vec![1]), ("u", "U8", &[1], vec![2])]);
    let found = error(&[
        ("model.safetensors.index.json", &index(&places)),
        ("a.safetensors", &one("t")),
        ("b.safetensors", &both),
    ]);
    assert!(matches!(found, Error::DuplicateTensor { .. }), "{found}");
}

#[test]
fn an_index_never_leaves_its_folder() {
    let outside = Folder::with(&[("secret.safetensors", &one("t"))]);
    let absolute = outside.file("secret.safetensors").to_str().unwrap().to_owned();
    for name in [
        "../x.safetensors",
        "a/../x.safetensors",
        "sub/x.safetensors",
        "/etc/x.safetensors",
        "..",
        ".",
        "",
        "a\\x.safetensors",
        "C:x.safetensors",
        "x\0.safetensors",
        "x\n.safetensors",
        &absolute,
    ] {
        let text = format!(r#"{{"weight_map":{{"t":{}}}}}"#, serde_json::Value::from(name));
        match error(&[("model.safetensors.index.json", text.as_bytes())]) {
            Error::UnsafeShardName { name: found, .. } => assert_eq!(found, name),
            other => panic!("{name:?}: {other}"),
        }
    }
}

#[test]
fn an_index_of_another_form_is_refused() {
    for text in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"weight_map":[]}"#,
        r#"{"weight_map":{}}"#,
        r#"{"weight_map":{"t":1}}"#,
        r#"{"weight_map":{"t":"x.gguf"}}"#,
        r#"{"weight_map":{"t":"x.safetensors","t":"x.safetensors"}}"#,
        r#"{"weight_map":{"t":"x.safetensors"},"weight_map":{"t":"x.safetensors"}}"#,
    ] {
        let found = error(&[
            ("model.safetensors.index.json", text.as_bytes()),
            ("x.safetensors", &one("t")),
        ]);
        assert!(matches!(found, Error::Index { .. }), "{text}: {found}");
    }
    let long = format!(r#"{{"weight_map":{{}}{}"#, " ".repeat(MAX_INDEX_BYTES));
    assert!(
        error(&[("model.safetensors.index.json", long.as_bytes())]).to_string().contains("longer")
    );
    let deep = format!(r#"{{"metadata":{}"#, "[".repeat(100_000));
    assert!(matches!(
        error(&[("model.safetensors.index.json", deep.as_bytes())]),
        Error::Index { .. }
    ));
    let two = error(&[("a.safetensors.index.json", b"{}"), ("b.safetensors.index.json", b"{}")]);
    assert!(two.to_string().contains("2 indexes"), "{two}");
}

#[test]
fn too_many_files_are_refused() {
    let many: Vec<_> = (0..=MAX_FILES).map(|i| format!(r#""t{i}":"{i}.safetensors""#)).collect();
    let text = format!(r#"{{"weight_map":{{{}}}}}"#, many.join(","));
    assert!(matches!(
        error(&[("model.safetensors.index.json", text.as_bytes())]),
        Error::TooMany { .. }
    ));
    assert!(matches!(
        error(&[("model-000000001-of-999999999.safetensors", &one("t"))]),
        Error::TooMany { .. }
    ));
}

#[test]
fn the_formats_do_not_mix_up() {
    assert!(matches!(error(&[("model.safetensors", &pickled("t"))]), Error::Safetensors { .. }));
    assert!(matches!(error(&[("pytorch_model.bin", &one("t"))]), Error::Torch { .. }));
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = Folder::new();
    std::fs::create_dir(folder.file("model.safetensors")).unwrap();
    assert!(matches!(Checkpoint::open(folder.path()), Err(Error::NoWeights { .. })));
    assert!(matches!(Checkpoint::open(Path::new("/dev/null")), Err(Error::NoWeights { .. })));
    let looped = Folder::new();
    std::os::unix::fs::symlink(looped.file("model.safetensors"), looped.file("model.safetensors"))
        .unwrap();
    assert!(matches!(Checkpoint::open(looped.path()), Err(Error::Io { .. })));
}

#[cfg(unix)]
#[test]
fn links_as_in_the_hubs_cache_are_followed() {
    let blobs = Folder::with(&[("0b1f", &one("t"))]);
    let folder = Folder::new();
    std::os::unix::fs::symlink(blobs.file("0b1f"), folder.file("model.safetensors")).unwrap();
    assert_eq!(names(folder.path()), ["t"]);
}
