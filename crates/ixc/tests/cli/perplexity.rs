//! `ixc perplexity`: a text and conversations, alone and beside a reference.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::support::{IMAGE_TOKENS, Ran, fixture, fresh, ixc, photo, text, tiny, tiny_without};

const STORY: &str = "The old lighthouse keeper climbed the stairs every evening, lit the lamp, and wrote \
                     one line in his book: the wind, the sea, the ships that passed.\n";

fn perplexity(model: &str, more: &[&str]) -> Ran {
    ixc(&[&["perplexity", "-m", model], more].concat())
}

/// A folder with a text of three paragraphs and a conversation about a picture.
fn written(name: &str) -> (PathBuf, String, String) {
    let folder = fresh(name);
    let (story, talk) = (folder.join("story.txt"), folder.join("talk.json"));
    fs::write(&story, [STORY; 3].join("\n")).unwrap();
    fs::copy(photo(), folder.join("shown.png")).unwrap();
    let asked = r#"{"from": "user", "value": "<ImageHere>What?"}"#;
    let sample = format!(
        r#"{{"image": ["shown.png"], "conversations": [{asked}, {{"from": "gpt", "value": "The sea."}}]}}"#
    );
    fs::write(&talk, format!("[{sample}, {sample}]")).unwrap();
    let (story, talk) = (text(&story).to_owned(), text(&talk).to_owned());
    (folder, story, talk)
}

fn number(report: &Value, path: &str) -> f64 {
    report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {report}"))
}

#[test]
fn a_text_alone_and_beside_the_original() {
    let (folder, story, _) = written("perplexity-text");
    let [small, large] = ["q4_0", "f32"].map(|to| {
        let out = folder.join(format!("{to}.gguf"));
        ixc(&["quantize", tiny(), "--to", to, "--out", text(&out)]).ok();
        text(&out).to_owned()
    });
    let alone = perplexity(tiny(), &["--text", &story, "--json"]).json();
    assert_eq!((&alone["model"], &alone["reference"]), (&tiny().into(), &Value::Null));
    assert_eq!((&alone["passages"], &alone["of"]), (&1.into(), &1.into()));
    let words = alone["words"].as_u64().unwrap();
    assert_eq!(alone["positions"], words + 1, "with <s>");
    // Random weights know nothing: nearly every word is as likely as any.
    let found = number(&alone, "/perplexity/value");
    assert!((60_000.0..140_000.0).contains(&found), "{alone}");
    assert!((number(&alone, "/loss/value").exp() / found - 1.0).abs() < 1e-9);
    assert!(number(&alone, "/perplexity/error") > 0.0);

    let beside =
        |model: &str| perplexity(model, &["--text", &story, "--against", tiny(), "--json"]).json();
    let (small, large) = (beside(&small), beside(&large));
    assert_eq!(small["reference"], tiny());
    for report in [&small, &large] {
        assert_eq!(number(report, "/against/perplexity/value"), found);
        let ratio = number(report, "/perplexity/value") / found;
        assert!((number(report, "/against/ratio/value") / ratio - 1.0).abs() < 1e-9);
        let ratio_error = number(report, "/against/ratio/error") * found;
        assert!(ratio_error < number(report, "/perplexity/error") / 10.0, "{report}");
    }
    let (near, far) =
        (number(&large, "/against/divergence/value"), number(&small, "/against/divergence/value"));
    assert!(10.0 * near < far, "{near} {far}");
    let (near, far) =
        (number(&large, "/against/same_best/value"), number(&small, "/against/same_best/value"));
    assert!(near > far && near > 0.9, "{near} {far}");
}

#[test]
fn the_table_says_the_same_and_how_much_was_read() {
    let (_, story, talk) = written("perplexity-table");
    let report = perplexity(tiny(), &["--text", &story, "--context", "40", "--json"]).json();
    let of = report["of"].as_u64().unwrap();
    assert_eq!(report["passages"], of);
    assert_eq!(report["positions"], report["words"].as_u64().unwrap() + of);
    let table = perplexity(tiny(), &["--text", &story, "--context", "40"]).ok();
    let words = report["words"].as_u64().unwrap();
    for part in [
        format!("{:.4}", number(&report, "/perplexity/value")),
        format!("± {:.4}", number(&report, "/perplexity/error")),
        format!("{words} words in {of} windows, "),
    ] {
        assert!(table.contains(&part), "{part:?} in {table}");
    }
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(!table.contains("reference"), "{table}");
    let few = ["--text", &story, "--context", "40", "--stride", "10", "--limit", "2"];
    let table = perplexity(tiny(), &[&few[..], &["--against", tiny()]].concat()).ok();
    // 39 words, then the 10 that follow them.
    for part in
        ["49 words in the first 2 of ", "ratio of the two", "1.0000", "100.0000", "99 % are below"]
    {
        assert!(table.contains(part), "{part:?} in {table}");
    }
    let table = perplexity(tiny(), &["--data", &talk, "--limit", "1"]).ok();
    assert!(table.contains("in the first 1 of 2 conversations, "), "{table}");
}

#[test]
fn of_conversations_the_answers_count() {
    let (_, _, talk) = written("perplexity-talk");
    let report = perplexity(tiny(), &["--data", &talk, "--json"]).json();
    assert_eq!(report["passages"], 2);
    // "The sea." and what closes it, not the question; of positions all, pictures too.
    let words = report["words"].as_u64().unwrap();
    assert!((8..=16).contains(&words) && words.is_multiple_of(2), "{report}");
    assert!(report["positions"].as_u64().unwrap() > 2 * IMAGE_TOKENS + words, "{report}");
    let same = ["--data", &talk, "--against", tiny(), "--kv", "f32", "--exact", "--json"];
    let report = perplexity(tiny(), &same).json();
    assert_eq!(number(&report, "/against/divergence_max"), 0.0);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let (folder, story, talk) = written("perplexity-broken");
    let refused = |more: &[&str], code: i32, parts: &[&str]| {
        let message = perplexity(tiny(), more).fails(code);
        for part in parts {
            assert!(message.contains(part), "{part:?} in {message}");
        }
    };
    refused(&[], 2, &["--text"]);
    refused(&["--text", &story, "--data", &talk], 2, &["--data"]);
    refused(&["--data", &talk, "--stride", "3"], 2, &["--stride"]);
    refused(&["--text", &story, "--limit", "0"], 1, &["--limit: expected at least 1, found 0"]);
    refused(&["--text", &story, "--stride", "0"], 1, &["stride: expected 1 to 2047", "found 0"]);
    refused(&["--text", &story, "--context", "1"], 1, &["context: expected 2 to 4096", "found 1"]);
    refused(&["--text", "no/such.txt"], 1, &["no/such.txt: "]);
    refused(&["--text", &photo()], 1, &["expected UTF-8 text"]);
    refused(&["--data", &story], 1, &["story.txt: line 1, column "]);
    let short = folder.join("short.txt");
    fs::write(&short, "").unwrap();
    let both = ["short.txt: expected at least 2 words", "found 0"];
    refused(&["--text", text(&short)], 1, &both);
    refused(
        &["--data", &talk, "--context", "20"],
        1,
        &["talk.json: sample 1: it takes ", "holds 20"],
    );
    refused(&["--text", &story, "--against", "./no/such/model"], 1, &["./no/such/model"]);
    fs::remove_file(folder.join("shown.png")).unwrap();
    refused(&["--data", &talk], 1, &["sample 1: its picture", "shown.png"]);
    // Words of another vocabulary.
    let other = tiny_without("perplexity-other", &["tokenizer.model"]);
    let mut bytes = fs::read(fixture("tokenizer/tokenizer.model")).unwrap();
    let at = bytes.windows(10).position(|part| part == b"Newtonsoft").unwrap();
    bytes[at] = b'n';
    fs::write(other.join("tokenizer.model"), bytes).unwrap();
    let parts = ["different vocabularies: word ", "Newtonsoft"];
    refused(&["--text", &story, "--against", text(&other)], 1, &parts);
}
