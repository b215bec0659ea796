//! `ixc tokenizer`: a vocabulary from texts, and a mini model that begins with it.

use std::fs;

use crate::support::{fresh, ixc, photo, text};

const TALK: &str = r#"{"image": "a.png", "conversations": [
    {"from": "user", "value": "<ImageHere>What is there?"}, {"from": "gpt", "value": "A red house, a red roof."}]}"#;

#[test]
fn a_mini_model_begins_with_a_tokenizer_of_its_own() {
    let folder = fresh("tokenizer");
    let path = |name: &str| folder.join(name);
    fs::write(path("talk.jsonl"), TALK).unwrap();
    fs::write(path("more.txt"), "红色的房子。The red house has a red roof.").unwrap();
    let (talk, more, model) = (path("talk.jsonl"), path("more.txt"), path("t.model"));
    let learn =
        |size| ixc(&["tokenizer", text(&talk), text(&more), "--size", size, "--out", text(&model)]);
    let ran = learn("310");
    assert!(
        ran.stderr.contains("in 3 texts") && ran.stderr.contains("310 pieces"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.ok(), format!("{}\n", text(&model)));
    let message = learn("100").fails(1);
    assert!(
        message.contains("cannot learn a vocabulary of 100 pieces: expected 285 (256 bytes"),
        "{message}"
    );

    let out = path("begin");
    let begin = ["init", "--like", "mini", "--out", text(&out)];
    let message = ixc(&begin).fails(1);
    assert!(message.contains("expected --tokenizer FILE") && message.contains("ixc tokenizer"));
    ixc(&[&begin[..], &["--tokenizer", text(&model)]].concat()).ok();
    let found = ixc(&["inspect", text(&out), "--json", "--check-values"]).json();
    assert_eq!(found["language"]["vocabulary"], 310, "{found}");
    let asked = ["run", "-m", text(&out), "-i", &photo(), "--greedy", "--max-new-tokens", "2"];
    let told = ixc(&[&asked[..], &["--json", "What?"]].concat()).json();
    assert_eq!(told["image_tokens"], 64);
    // `<s>`, the picture, the question and the markers around them: no instruction.
    assert!(told["prompt_tokens"].as_u64().unwrap() < 64 + 40, "{told}");
}
