//! `ixc trace`: the stages in order, each in a file that exists, and the answer that `run` gives.

use serde_json::Value;

use ixc_model::init::Like;

use crate::support::{IMAGE_TOKENS, ixc, photo, tiny};

#[test]
fn the_path_is_the_one_that_answers() {
    let photo = photo();
    let question = ["-i", &photo, "<ImageHere>What is this?"];
    let trace =
        ixc(&[&["trace", "-m", tiny(), "--json", "--words", "3"], &question[..]].concat()).json();
    let run = ["run", "-m", tiny(), "--json", "--greedy", "--max-new-tokens", "3"];
    let answer = ixc(&[&run[..], &question].concat()).json();
    assert_eq!(trace["answer"], answer["text"]);

    let stages = trace["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    let expected = [
        "decode picture",
        "prepare picture",
        "layout",
        "tower input",
        "tower layer 0",
        "tower layer 1",
        "tower output",
        "projector",
        "splice",
        "decoder layer 0",
        "decoder layer 1",
        "decoder output",
        "logits",
        "word 1",
        "word 2",
        "word 3",
    ];
    assert_eq!(names, expected);
    let shape = |name: &str| -> Vec<u64> {
        let stage = &stages[names.iter().position(|n| *n == name).unwrap()];
        stage["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
    };
    let language = Like::Tiny.config().language;
    let (hidden, positions) = (language.hidden as u64, answer["prompt_tokens"].as_u64().unwrap());
    assert_eq!(shape("projector"), [IMAGE_TOKENS, hidden]);
    assert_eq!(shape("splice"), [positions, hidden]);
    assert_eq!(shape("decoder layer 0"), [positions, hidden]);
    // Behind the last block only the last position is needed.
    assert_eq!(shape("decoder layer 1"), [1, hidden]);
    assert_eq!(shape("logits"), [1, language.vocabulary as u64]);
}

#[test]
fn every_stage_names_a_file_and_adds_up() {
    let workspace = ixc_goldens::fixtures().parent().unwrap().to_owned();
    let trace = ixc(&["trace", "-m", tiny(), "--json", "Hi"]).json();
    let stages = trace["stages"].as_array().unwrap();
    let mut total = trace["load_ms"].as_f64().unwrap();
    for stage in stages {
        let file = stage["file"].as_str().unwrap();
        assert!(workspace.join(file).is_file(), "{file}");
        let count: u64 =
            stage["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).product();
        let size = if stage["dtype"] == "u8" { 1 } else { 4 };
        assert_eq!(stage["bytes"], count * size, "{stage}");
        total += stage["ms"].as_f64().unwrap();
        assert_eq!(
            stage["word"] != Value::Null,
            stage["stage"].as_str().unwrap().starts_with("word")
        );
    }
    assert!((trace["total_ms"].as_f64().unwrap() - total).abs() < 0.01);
}

#[test]
fn a_prompt_of_several_chunks_is_one_row_a_stage() {
    let long = "word ".repeat(1500);
    let trace = ixc(&["trace", "-m", tiny(), "--json", "--words", "1", &long]).json();
    let stages = trace["stages"].as_array().unwrap();
    let rows: Vec<&Value> =
        stages.iter().filter(|stage| stage["stage"] == "decoder layer 0").collect();
    let layout = stages.iter().find(|stage| stage["stage"] == "layout").unwrap();
    assert_eq!(rows.len(), 1);
    assert!(layout["shape"][0].as_u64().unwrap() > 1024, "more than is read at once");
    assert_eq!(rows[0]["shape"][0], layout["shape"][0]);
}

#[test]
fn the_table_is_for_people() {
    let text = ixc(&["trace", "-m", tiny(), "Hi"]).ok();
    let heading: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["stage", "file", "shape", "dtype", "ms", "size", "word"]);
    assert!(text.lines().last().unwrap().contains("the answer begins: "), "{text}");
}
