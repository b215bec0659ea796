//! `ixc quantize`: every type writes a file that runs, nothing is left of what fails, and a calibration set
//! changes what is kept.

use std::{fs, path::Path};

use ixc_model::{
    config::LanguageConfig,
    init::{self, Like},
};
use ixc_nn::weights::StoredType;
use serde_json::Value;

use crate::support::{Ran, fixture, fresh, ixc, parse, photo, text, tiny, tiny_without};

/// Quantises a model.
fn quantize(model: &str, to: &str, out: &Path, more: &[&str]) -> Ran {
    ixc(&[&["quantize", model, "--to", to, "--out", text(out)], more].concat())
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The types of a file's tensors, by how many numbers they hold.
fn types(file: &Path) -> Vec<String> {
    let report = parse(&ixc(&["inspect", text(file), "--json"]).stdout);
    let name = |row: &Value| row["dtype"].as_str().unwrap().to_owned();
    report["dtypes"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn every_type_is_written_shown_and_answers() {
    let folder = fresh("quantize-types");
    let ask = |model: &str| {
        let arguments = ["run", "-m", model, "--greedy", "--max-new-tokens", "3", "--json"];
        ixc(&[&arguments[..], &["-i", &photo(), "<ImageHere>What is this?"]].concat()).json()
    };
    let original = ask(tiny());
    // What the tiny model's rows of 64 and 96 numbers get where they are no whole blocks of 256.
    for (to, expected) in [
        ("q4_k", &["q4_0", "q8_0", "bf16", "f32"][..]),
        ("q4_0", &["q4_0", "q8_0", "bf16", "f32"]),
        ("q6_k", &["q8_0", "bf16", "f32"]),
        ("q8_0", &["q8_0", "bf16", "f32"]),
        ("bf16", &["bf16", "f32"]),
        ("f16", &["f16", "f32"]),
        ("f32", &["f32"]),
    ] {
        let out = folder.join(format!("{to}.gguf"));
        let ran = quantize(tiny(), to, &out, &[]);
        let told = ran.stderr.clone();
        assert_eq!(ran.ok(), format!("{}\n", text(&out)), "{told}");
        for part in ["part", "partial LoRA", "vision tower", "total", "relative error", "Wrote "] {
            assert!(told.contains(part), "{to}: {part:?} in {told}");
        }
        // Partial LoRA's B has rows of 8.
        let instead = to.starts_with('q');
        assert_eq!(told.contains("got another type than their part"), instead, "{to}: {told}");
        let mut found = types(&out);
        let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{to}");
        let answer = ask(text(&out));
        assert_eq!(answer["token_ids"].as_array().unwrap().len(), 3);
        assert_eq!(answer["prompt_tokens"], original["prompt_tokens"], "the tokenizer is inside");
        if ["bf16", "f32"].contains(&to) {
            assert_eq!(answer["token_ids"], original["token_ids"], "{to}");
        }
    }
    assert_eq!(names(&folder).len(), 7, "nothing is left beside them");
}

#[test]
fn a_file_is_not_replaced_unless_asked() {
    let folder = fresh("quantize-replace");
    let out = folder.join("out.gguf");
    fs::write(&out, "my notes").unwrap();
    let message = quantize(tiny(), "q8_0", &out, &[]).fails(1);
    assert!(message.contains("out.gguf") && message.contains("--force"), "{message}");
    assert_eq!(fs::read_to_string(&out).unwrap(), "my notes");
    quantize(tiny(), "q8_0", &out, &["--force"]).ok();
    assert_eq!(&fs::read(&out).unwrap()[..4], b"GGUF");
    let nowhere = folder.join("no/such/folder/out.gguf");
    let message = quantize(tiny(), "q8_0", &nowhere, &[]).fails(1);
    assert!(message.contains("no/such/folder"), "{message}");
    let message = quantize(tiny(), "q5_k", &out, &[]).fails(2);
    assert!(message.contains("q4_k") && message.contains("q5_k"), "{message}");
    assert_eq!(names(&folder), ["out.gguf"]);
}

#[test]
fn numbers_that_were_rounded_before_are_said_to_be() {
    let folder = fresh("quantize-again");
    let (first, second, same) =
        (folder.join("first.gguf"), folder.join("second.gguf"), folder.join("same.gguf"));
    let warning = "are quantised already and will be once more";
    assert!(!quantize(tiny(), "q8_0", &first, &[]).stderr.contains("warning"));
    let ran = quantize(text(&first), "q4_0", &second, &[]);
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
    ran.ok();
    ixc(&["run", "-m", text(&second), "--max-new-tokens", "1", "Hi"]).ok();
    // Blocks that stay as they are lose nothing.
    assert!(!quantize(text(&first), "q8_0", &same, &[]).stderr.contains("warning"));
    // GPTQ's layers are 10; its fixture has no tokenizer.
    let gptq = fixture("tiny-gptq");
    let ran = quantize(text(&gptq), "q4_0", &folder.join("gptq.gguf"), &[]);
    assert!(
        ran.stderr.contains(&format!("10 tensors of this checkpoint {warning}")),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("no tokenizer.model beside the weights"), "{}", ran.stderr);
    ran.ok();
    assert!(types(&folder.join("gptq.gguf")).contains(&"q4_0".to_owned()));
}

#[test]
fn the_tokenizer_goes_along_when_it_is_the_models() {
    let folder = fresh("quantize-tokenizer");
    let none = tiny_without("quantize-no-tokenizer", &["tokenizer.model"]);
    let out = folder.join("out.gguf");
    let ran = quantize(text(&none), "q8_0", &out, &[]);
    assert!(
        ran.stderr.contains("warning: no tokenizer.model beside the weights"),
        "{}",
        ran.stderr
    );
    ran.ok();
    let message = ixc(&["run", "-m", text(&out), "Hi"]).fails(3);
    assert!(message.contains("expected a tokenizer.model"), "{message}");
    let tokenizer = fixture("tokenizer/tokenizer.model");
    let answer =
        ["run", "-m", text(&out), "--max-new-tokens", "1", "--tokenizer", text(&tokenizer)];
    ixc(&[&answer[..], &["Hi"]].concat()).ok();

    let with = ["--force", "--tokenizer", text(&tokenizer)];
    assert!(!quantize(text(&none), "q8_0", &out, &with).stderr.contains("warning"));
    ixc(&["run", "-m", text(&out), "--max-new-tokens", "1", "Hi"]).ok();
    // Another model's is refused before a number is written.
    let other = fixture("tiny-vl/pytorch_model.bin.index.json");
    let other_out = folder.join("other.gguf");
    let message = quantize(text(&other), "q8_0", &other_out, &with[1..]).fails(1);
    assert!(message.contains("pieces, but the model's vocabulary has"), "{message}");
    let config = Path::new(tiny()).join("config.json");
    let message =
        quantize(text(&none), "q8_0", &other_out, &["--tokenizer", text(&config)]).fails(1);
    assert!(message.contains("not a SentencePiece file"), "{message}");
    let message = quantize(text(&none), "q8_0", &other_out, &["--tokenizer", "no.model"]).fails(1);
    assert!(message.contains("no.model: "), "{message}");
    assert_eq!(names(&folder), ["out.gguf"]);
}

#[test]
fn what_is_no_model_is_refused() {
    let folder = fresh("quantize-broken");
    let out = folder.join("out.gguf");
    let message = quantize("./no/such/model", "q4_k", &out, &[]).fails(1);
    assert!(message.contains("./no/such/model"), "{message}");
    let half = tiny_without("quantize-half", &["config.json"]);
    let message = quantize(text(&half), "q4_k", &out, &[]).fails(3);
    assert!(message.contains("config.json") && message.contains("ixc inspect"), "{message}");
    assert!(names(&folder).is_empty());
}

/// A set of two texts, a conversation and two pictures.
fn set(name: &str) -> std::path::PathBuf {
    let folder = fresh(name);
    fs::write(folder.join("words.txt"), "The wind, the sea.\n\nThe ships that passed.\n").unwrap();
    fs::write(folder.join("more.txt"), "He lit the lamp, and wrote one line in his book.").unwrap();
    fs::copy(photo(), folder.join("shown.png")).unwrap();
    fs::copy(photo(), folder.join("alone.png")).unwrap();
    let talk = r#"{"image": ["shown.png"], "conversations": [{"from": "user", "value": "<ImageHere>What?"}, {"from": "gpt", "value": "The sea."}]}"#;
    fs::write(folder.join("talk.jsonl"), talk).unwrap();
    folder
}

#[test]
fn a_calibration_set_is_read_kept_and_used_again() {
    let folder = fresh("quantize-calibrated");
    let path = |name: &str| folder.join(name);
    let set = set("quantize-set");
    fs::write(set.join("notes.md"), "").unwrap();
    quantize(tiny(), "q4_0", &path("even.gguf"), &[]).ok();
    let kept = path("importance.gguf");
    let ran = quantize(
        tiny(),
        "q4_0",
        &path("led.gguf"),
        &["--calibration", text(&set), "--importance-out", text(&kept)],
    );
    let told = ran.stderr.clone();
    ran.ok();
    for part in [
        "warning: 1 entry of ",
        "notes.md",
        "in 4 of 4 samples.",
        ", 32 of them of pictures,",
        "Kept in ",
        "(32 of pictures) weighted 10 tensors: the relative error of their outputs is ",
        " without",
    ] {
        assert!(told.contains(part), "{part:?} in {told}");
    }
    // What was kept leads to the same file, and both to another than without.
    let ran = quantize(tiny(), "q4_0", &path("again.gguf"), &["--importance", text(&kept)]);
    assert!(ran.stderr.contains("weighted 10 tensors"), "{}", ran.stderr);
    ran.ok();
    let bytes = |name: &str| fs::read(path(name)).unwrap();
    // The file holds its model's name, not its own: so they can be compared as a whole.
    assert!(bytes("led.gguf") == bytes("again.gguf"));
    assert!(bytes("led.gguf") != bytes("even.gguf"));
    assert_eq!(bytes("led.gguf").len(), bytes("even.gguf").len());
    ixc(&["run", "-m", text(&path("led.gguf")), "--max-new-tokens", "1", "Hi"]).ok();

    // Of another model, or no such file at all.
    let other = path("other.gguf");
    let message =
        quantize(text(&path("even.gguf")), "q4_0", &other, &["--importance", text(&kept)]);
    assert!(message.stderr.contains("it was made from another checkpoint"), "{}", message.stderr);
    let message = quantize(tiny(), "q4_0", &other, &["--importance", text(&path("even.gguf"))]);
    assert!(message.fails(1).contains("is it a model?"));
    let message = ixc(&["run", "-m", text(&kept), "Hi"]).fails(3);
    assert!(message.contains("ixc.config"), "{message}");
    // A part of the set.
    let few = ["--calibration", text(&set), "--calibration-positions", "60"];
    let ran = quantize(tiny(), "q4_0", &other, &few);
    assert!(ran.stderr.contains("more than --calibration-positions."), "{}", ran.stderr);
    ran.ok();
    assert_eq!(names(&folder).len(), 5);
}

#[test]
fn a_calibration_that_cannot_be_is_refused_and_leaves_nothing() {
    let folder = fresh("quantize-uncalibrated");
    let out = folder.join("out.gguf");
    let set = set("quantize-broken-set");
    let refused = |to: &str, more: &[&str], part: &str| {
        let message = quantize(tiny(), to, &out, more).fails(1);
        assert!(message.contains(part), "{part:?} in {message}");
    };
    let calibration = ["--calibration", text(&set)];
    refused("q8_0", &calibration, "--calibration changes nothing with --to q8_0");
    refused("bf16", &["--importance", "x.gguf"], "--importance changes nothing with --to bf16");
    refused("q4_k", &["--calibration", "no/such/set"], "no/such/set");
    refused("q4_k", &["--calibration", text(&fixture("README.md"))], "ends in .txt");
    let named = [&calibration[..], &["--importance-out", "x.bin"]].concat();
    refused("q4_k", &named, "--importance-out x.bin: expected a name that ends in .gguf");
    let few = [&calibration[..], &["--calibration-positions", "2"]].concat();
    refused("q4_k", &few, "at most 2 were to be read");
    let bare = fresh("quantize-bare-set");
    refused("q4_k", &["--calibration", text(&bare)], "found none");
    fs::remove_file(set.join("shown.png")).unwrap();
    refused("q4_k", &calibration, "talk.jsonl: sample 1: its picture");
    fs::write(set.join("shown.png"), "no picture").unwrap();
    refused("q4_k", &calibration, "shown.png: not a picture");
    let kept = folder.join("kept.gguf");
    fs::write(&kept, "").unwrap();
    let both = [&calibration[..], &["--importance-out", text(&kept)]].concat();
    refused("q4_k", &both, "kept.gguf: the file is there already");
    for alone in [&["--importance-out", "x.gguf"][..], &["--calibration-positions", "9"]] {
        quantize(tiny(), "q4_k", &out, alone).fails(2);
    }
    let two = [&calibration[..], &["--importance", text(&kept)]].concat();
    quantize(tiny(), "q4_k", &out, &two).fails(2);
    // Words are needed to read a set.
    let none = tiny_without("quantize-speechless", &["tokenizer.model"]);
    let words = set.join("words.txt");
    let ran = quantize(text(&none), "q4_k", &out, &["--calibration", text(&words)]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("expected a tokenizer.model"), "{}", ran.stderr);
    assert_eq!(names(&folder), ["kept.gguf"]);
}

/// What only Unix's signals and limits can bring about.
#[cfg(unix)]
mod broken_off {
    use std::{
        io::Write,
        process::{Command, Stdio},
        time::{Duration, Instant},
    };

    use super::*;
    use crate::support::{command, finish};

    fn interrupt(id: u32) {
        let sent = Command::new("kill").args(["-INT", &id.to_string()]).status();
        assert!(sent.expect("kill is part of every Unix").success());
    }

    /// A model whose quantisation takes a second or more.
    fn wide(folder: &Path) {
        let mut config = Like::Tiny.config();
        config.language = LanguageConfig {
            vocabulary: 512,
            hidden: 1024,
            intermediate: 4096,
            heads: 8,
            kv_heads: 8,
            layers: 1,
            ..config.language
        };
        init::write(&config, StoredType::Bf16, 1, None, folder, &mut |_, _| {
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    }

    #[test]
    fn ctrl_c_while_numbers_are_written_leaves_nothing() {
        let (model, folder) = (fresh("quantize-wide"), fresh("quantize-interrupted"));
        wide(&model);
        let out = folder.join("out.gguf");
        let child = command(&["quantize", text(&model), "--to", "q4_k", "--out", text(&out)])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let since = Instant::now();
        while names(&folder).is_empty() {
            assert!(since.elapsed() < Duration::from_secs(60), "it never began");
            std::thread::sleep(Duration::from_millis(1));
        }
        interrupt(child.id());
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(130), "{stderr}");
        assert!(stderr.contains("error: stopped before it was complete"), "{stderr}");
        assert!(names(&folder).is_empty(), "{:?}", names(&folder));
    }

    /// The set comes from a pipe, so that the signal surely comes before it.
    #[test]
    fn ctrl_c_while_the_set_is_read_leaves_nothing() {
        let folder = fresh("quantize-piped");
        let pipe = folder.join("set.txt");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let (out, kept) = (folder.join("out.gguf"), folder.join("kept.gguf"));
        let arguments = ["quantize", tiny(), "--to", "q4_0", "--out", text(&out)];
        let more = ["--calibration", text(&pipe), "--importance-out", text(&kept)];
        let child = command(&[&arguments[..], &more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Opening waits until the program reads, which it does when it obeys Ctrl-C.
        let mut set = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        interrupt(child.id());
        std::thread::sleep(Duration::from_millis(200)); // until its handler has counted
        set.write_all(b"Some words to read.").unwrap();
        drop(set);
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(130), "{stderr}");
        assert_eq!(names(&folder), ["set.txt"]);
    }

    /// A limit on files' sizes, as a full disk: writing fails in the middle.
    #[test]
    fn a_disk_that_takes_no_more_is_said_and_leaves_nothing() {
        let folder = fresh("quantize-full");
        let out = folder.join("out.gguf");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", r#"trap "" XFSZ; ulimit -f 2000; exec "$@""#, "sh"])
            .args([env!("CARGO_BIN_EXE_ixc"), "quantize", tiny(), "--to", "f32", "--out"])
            .arg(&out)
            .stdin(Stdio::null());
        let message = finish(&mut shell).fails(1);
        assert!(message.contains("out.gguf: cannot write: "), "{message}");
        assert!(names(&folder).is_empty(), "{:?}", names(&folder));
    }
}
