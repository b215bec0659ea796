//! Each way in which a model folder or a request can be wrong, and the words it is met with.
//!
//! A message says what was expected, what was found, where, and what to do.

mod common;

use std::path::Path;

use ixc_engine::{Decoding, Engine, Error, LoadOptions, Request, beam::Beams, sample::Sampling};
use ixc_input::{
    conversation::{Conversation, Role, Turn, parts_from_marked},
    image::Picture,
};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    common::write(folder.path());
    folder
}

fn load(folder: &Path) -> Result<Engine, Error> {
    Engine::load(folder, &LoadOptions::default())
}

/// The message of a load that must fail, which must hold all of these words.
fn refused(folder: &Path, words: &[&str]) {
    let message = load(folder).err().expect("the load must fail").to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is missing in: {message}");
    }
}

/// Gives one key of `config.json` another value, written as it stands.
fn set(folder: &Path, key: &str, value: &str) {
    let path = folder.join("config.json");
    let start = format!("  \"{key}\": ");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(&start), "{key} in {text}");
    let line = |line: &str| match line.starts_with(&start) {
        true => format!("{start}{value}{}\n", if line.ends_with(',') { "," } else { "" }),
        false => format!("{line}\n"),
    };
    std::fs::write(path, text.lines().map(line).collect::<String>()).unwrap();
}

#[test]
fn a_file_without_a_folder_lies_here() {
    use ixc_engine::engine::model_folder;
    assert_eq!(model_folder(Path::new("no-such.gguf")), Path::new("."));
    assert_eq!(model_folder(Path::new("models/no-such.gguf")), Path::new("models"));
}

#[test]
fn no_config() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    refused(folder.path(), &["config.json", "found none", "--model"]);
}

#[test]
fn not_a_number_in_config() {
    let folder = folder();
    set(folder.path(), "rms_norm_eps", "NaN");
    refused(folder.path(), &["config.json", "NaN", "write a number"]);
}

#[test]
fn numbers_of_config_out_of_range() {
    for (key, value, word) in [
        ("rms_norm_eps", "-1.0", "rms_norm_eps"),
        ("hidden_size", "0", "hidden_size"),
        ("hidden_size", "18446744073709551615", "hidden_size"),
        ("num_key_value_heads", "3", "num_key_value_heads"),
        ("num_hidden_layers", "4000000000", "num_hidden_layers"),
        ("rope_scaling", "{\"type\": \"yarn\", \"factor\": 2}", "dynamic"),
        ("img_size", "57", "img_size"),
        ("hidden_act", "\"relu\"", "silu"),
    ] {
        let folder = folder();
        set(folder.path(), key, value);
        refused(folder.path(), &["config.json", word, "expected", "found"]);
    }
}

#[test]
fn a_tensor_of_another_shape() {
    let folder = folder();
    set(folder.path(), "intermediate_size", "64");
    refused(folder.path(), &["feed_forward.w1", "96", "64"]);
}

#[test]
fn missing_tensors_are_counted() {
    let folder = folder();
    set(folder.path(), "num_hidden_layers", "3");
    refused(folder.path(), &["17", "model.layers.2.attention_norm.weight", "ixc inspect"]);
}

#[test]
fn no_tokenizer() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("tokenizer.model")).unwrap();
    refused(folder.path(), &["tokenizer.model", "--tokenizer"]);
}

#[test]
fn a_tokenizer_that_is_not_one() {
    let folder = folder();
    std::fs::write(folder.path().join("tokenizer.model"), b"not a tokenizer").unwrap();
    assert!(load(folder.path()).is_err());
}

#[test]
fn a_tokenizer_of_another_vocabulary() {
    let folder = folder();
    set(folder.path(), "vocab_size", "92000");
    refused(folder.path(), &["92544 pieces", "92000 rows"]);
}

#[test]
fn truncated_weights() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    refused(folder.path(), &["model.safetensors"]);
}

fn question(text: &str) -> Request {
    Request::text(text)
}

/// The message of a request that must be refused.
fn refusal(engine: &Engine, request: &Request) -> String {
    engine.answer(request).err().expect("the request must be refused").to_string()
}

#[test]
fn a_prompt_longer_than_the_context() {
    let folder = folder();
    let options = LoadOptions { context: Some(100), ..LoadOptions::default() };
    let engine = Engine::load(folder.path(), &options).unwrap();
    let long = question(&"many words ".repeat(200));
    let message = refusal(&engine, &long);
    let positions = engine.layout(&long).unwrap().positions(&[]).unwrap();
    assert!(message.contains(&positions.to_string()) && message.contains("100"), "{message}");
    // What fits is answered to the context's very end, and says that this is why it ended.
    let mut request = question("a few words");
    request.decoding = Decoding::Greedy;
    let answer = engine
        .answer(&request)
        .unwrap()
        .find_map(|event| match event.unwrap() {
            ixc_engine::Event::End(answer) => Some(answer),
            _ => None,
        })
        .unwrap();
    if answer.finish == ixc_engine::Finish::Context {
        assert_eq!(answer.prompt_positions + answer.ids.len(), 100);
    }
}

#[test]
fn a_context_beyond_the_models() {
    let folder = folder();
    let options = LoadOptions { context: Some(4097), ..LoadOptions::default() };
    let message = Engine::load(folder.path(), &options).err().unwrap().to_string();
    assert!(message.contains("4096") && message.contains("4097"), "{message}");
}

#[test]
fn options_out_of_range() {
    let folder = folder();
    let engine = load(folder.path()).unwrap();
    let sample = Sampling { temperature: 1.0, top_k: 0, top_p: 0.8, seed: 0 };
    for (change, word) in [
        (Decoding::Sample(Sampling { temperature: 0.0, ..sample }), "temperature"),
        (Decoding::Sample(Sampling { temperature: f32::NAN, ..sample }), "temperature"),
        (Decoding::Sample(Sampling { top_p: 1.5, ..sample }), "top-p"),
        (Decoding::Beams(Beams { count: 0, length_penalty: 1.0 }), "beams"),
        (Decoding::Beams(Beams { count: 3, length_penalty: f32::INFINITY }), "length penalty"),
    ] {
        let request = Request { decoding: change, ..question("x") };
        let message = refusal(&engine, &request);
        assert!(message.contains(word) && message.contains("expected"), "{message}");
    }
    for penalty in [0.0, -1.0, f32::NAN] {
        let request = Request { repetition_penalty: penalty, ..question("x") };
        assert!(refusal(&engine, &request).contains("repetition penalty"));
    }
    assert!(
        refusal(&engine, &Request { max_new_tokens: 0, ..question("x") }).contains("at least 1")
    );
}

#[test]
fn more_or_fewer_slots_than_images() {
    for (text, images) in
        [("<ImageHere> and <ImageHere>", 1), ("<ImageHere>", 0), ("<ImageHere>", 2)]
    {
        let message = parts_from_marked(text, 0, images).unwrap_err().to_string();
        assert!(message.contains(&images.to_string()), "{message}");
    }
}

#[test]
fn a_slot_without_its_picture() {
    let folder = folder();
    let engine = load(folder.path()).unwrap();
    let parts = parts_from_marked("<ImageHere>what", 0, 1).unwrap();
    let conversation = Conversation { turns: vec![Turn { role: Role::User, parts }] };
    assert!(engine.answer(&Request::new(conversation, Vec::new())).is_err());
}

#[test]
fn a_picture_of_one_pixel_is_answered() {
    let folder = folder();
    let engine = load(folder.path()).unwrap();
    let parts = parts_from_marked("what", 0, 1).unwrap();
    let conversation = Conversation { turns: vec![Turn { role: Role::User, parts }] };
    let pictures = vec![Picture::from_rgb(1, 1, vec![200, 10, 10])];
    let request = Request { max_new_tokens: 3, ..Request::new(conversation, pictures) };
    let events: Result<Vec<_>, _> = engine.answer(&request).unwrap().collect();
    assert!(matches!(events.unwrap().last(), Some(ixc_engine::Event::End(_))));
}
