//! The number of threads changes no word of an answer.
//!
//! Alone in its process and one test, so that nothing else has the workers meanwhile. Fast arithmetic, weights
//! in every kind of blocks and in bfloat16: a random model whose layers are several tasks each, and the goldens'
//! model where it is there.

#![allow(clippy::print_stdout)] // figures belong on a test's output

mod common;

use std::path::Path;

use common::Eye;
use ixc_engine::{Decoding, Engine, Event, LoadOptions, Request, beam::Beams, sample::Sampling};
use ixc_goldens::{fixtures, folders, full, json};
use ixc_input::{
    conversation::{Conversation, Role, Turn, parts_from_marked},
    image::Picture,
};
use ixc_nn::{pool, weights::StoredType};

const THREADS: [usize; 4] = [1, 2, 3, 8];

/// What an answer is, bit for bit.
fn said(engine: &Engine, request: &Request) -> (Vec<u32>, Option<u32>, String) {
    let end = engine.answer(request).unwrap().find_map(|event| match event.unwrap() {
        Event::End(answer) => Some(answer),
        _ => None,
    });
    let answer = end.expect("an end");
    (answer.ids, answer.stop, answer.text)
}

/// Asks with each number of threads, always from the start.
fn alike(what: &str, file: &Path, requests: &[Request]) {
    // Nothing that was seen or read before is used again.
    let options = LoadOptions { feature_bytes: 0, prefix_bytes: 0, ..LoadOptions::default() };
    let engine = Engine::load(file, &options).unwrap();
    for (index, request) in requests.iter().enumerate() {
        let answers = THREADS.map(|threads| {
            pool::set_threads(threads);
            said(&engine, request)
        });
        let words = answers[0].0.len();
        assert!(answers.iter().all(|a| *a == answers[0]), "{what}, request {index}: {answers:?}");
        println!("{what}, request {index}: {words} words alike with {THREADS:?} threads");
    }
}

/// A picture and a long text: greedily, by chance, and by beams.
fn requests() -> Vec<Request> {
    let pictures = vec![Picture::from_rgb(50, 40, (0..6000).map(|i| (i * 7) as u8).collect())];
    let text = format!("<ImageHere>What is this? {}", "And this? ".repeat(30));
    let parts = parts_from_marked(&text, 0, 1).unwrap();
    let conversation = Conversation { turns: vec![Turn { role: Role::User, parts }] };
    let sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.9, seed: 3 };
    let beams = Beams { count: 3, length_penalty: 1.0 };
    let ways =
        [(Decoding::Greedy, 24), (Decoding::Sample(sampling), 24), (Decoding::Beams(beams), 8)];
    ways.map(|(decoding, max_new_tokens)| {
        let request = Request::new(conversation.clone(), pictures.clone());
        Request { decoding, max_new_tokens, ..request }
    })
    .into()
}

#[test]
fn threads_change_no_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.gguf");
    let mut config = common::small(Eye::Square);
    config.language.intermediate = 2048;
    for to in
        [StoredType::Q4K, StoredType::Q6K, StoredType::Q4_0, StoredType::Q8_0, StoredType::Bf16]
    {
        common::write_quantised(&config, to, &file);
        alike(&format!("small as {to}"), &file, &requests());
    }
    let Some(root) = full() else { return };
    let tokenizer = std::fs::read(fixtures().join("tokenizer/tokenizer.model")).unwrap();
    for golden in folders("tiny-chat") {
        let about = json(&golden.join("expected.json"));
        let instruction = about["meta_instruction"].as_str().unwrap();
        let cases = about["chat"].as_array().unwrap().iter();
        let chosen = ["text second turn", "image after text"];
        let requests: Vec<Request> = cases
            .filter(|case| chosen.contains(&case["name"].as_str().unwrap()))
            .map(|case| {
                let request = common::chat_request(case, instruction, &root);
                Request { max_new_tokens: 8, ..request }
            })
            .collect();
        assert_eq!(requests.len(), chosen.len());
        // Its rows are too short for Q4K, and become Q4_0.
        for to in [StoredType::Q4K, StoredType::Q8_0, StoredType::Bf16] {
            common::quantise_as(&golden, to, tokenizer.clone(), &file);
            alike(&format!("tiny-chat as {to}"), &file, &requests);
        }
    }
}
