//! A past in a file: what is written is read back, and nothing else is.

mod common;

use std::io::Cursor;

use ixc_engine::{Decoding, Engine, Error, Event, LoadOptions, Past, Request};
use ixc_input::{
    conversation::{Conversation, Role, Turn, parts_from_marked},
    image::Picture,
};
use ixc_model::init::Like;
use ixc_nn::weights::Keep;

fn plain() -> LoadOptions {
    LoadOptions { feature_bytes: 0, prefix_bytes: 0, ..common::exact() }
}

fn request() -> Request {
    let pictures = vec![Picture::from_rgb(56, 56, vec![77; 56 * 56 * 3])];
    let parts = parts_from_marked("<ImageHere>?", 0, 1).unwrap();
    let conversation = Conversation { turns: vec![Turn { role: Role::User, parts }] };
    Request {
        decoding: Decoding::Greedy,
        max_new_tokens: 4,
        ..Request::new(conversation, pictures)
    }
}

/// Answers; the ids, the positions reused, and the pictures that were looked at.
fn run(engine: &Engine, request: &Request, past: &mut Past) -> (Vec<u32>, usize, usize) {
    let mut seen = 0;
    for event in engine.answer_after(request, past).unwrap() {
        match event.unwrap() {
            Event::Seen { .. } => seen += 1,
            Event::End(answer) => return (answer.ids, answer.reused_positions, seen),
            _ => {}
        }
    }
    panic!("no end")
}

fn written(engine: &Engine, past: &mut Past) -> Vec<u8> {
    let mut bytes = Vec::new();
    engine.write_past(past, &mut bytes).unwrap();
    bytes
}

fn read(engine: &Engine, bytes: &[u8]) -> Result<Past, Error> {
    engine.read_past(&mut Cursor::new(bytes))
}

#[test]
fn another_run_goes_on_where_one_ended() {
    let (engine, later) = (common::engine(&plain()), common::engine(&plain()));
    let mut past = engine.past();
    let first = request();
    let (ids, ..) = run(&engine, &first, &mut past);
    let bytes = written(&engine, &mut past);
    let mut read = read(&later, &bytes).unwrap();
    assert_eq!(read.positions(), past.positions());
    assert_eq!(written(&later, &mut read), bytes, "again the same");
    let mut second = first;
    let text = engine.tokenizer().decode(&ids, true).unwrap();
    second.conversation.turns.push(Turn::text(Role::Assistant, text));
    second.conversation.turns.push(Turn::text(Role::User, "Why?"));
    let here = run(&engine, &second, &mut past);
    let there = run(&later, &second, &mut read);
    assert_eq!(here, there);
    assert_eq!(here.0, run(&engine, &second, &mut engine.past()).0);
    assert!(there.1 > 16 && there.2 == 0, "{there:?}");
}

#[test]
fn a_past_without_positions_and_one_broken_off_are_written_too() {
    let engine = common::engine(&plain());
    let bytes = written(&engine, &mut engine.past());
    assert_eq!(read(&engine, &bytes).unwrap().positions(), 0);
    let mut past = engine.past();
    // Stopped after the prompt was laid out and before it was read.
    drop(engine.answer_after(&request(), &mut past).unwrap());
    assert_eq!(read(&engine, &written(&engine, &mut past)).unwrap().positions(), 0);
}

#[test]
fn any_other_bytes_are_refused() {
    let engine = common::engine(&plain());
    let mut past = engine.past();
    run(&engine, &request(), &mut past);
    let bytes = written(&engine, &mut past);
    let refused = |bytes: &[u8]| read(&engine, bytes).unwrap_err().to_string();
    // Each byte of what has a form, and some of the numbers behind it.
    let places = (0..400).chain((400..bytes.len()).step_by(997)).chain([bytes.len() - 1]);
    for place in places {
        for mask in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[place] ^= mask;
            refused(&changed);
        }
    }
    for length in (0..400).chain((400..bytes.len()).step_by(997)) {
        let message = refused(&bytes[..length]);
        assert!(message.contains("ends early"), "{length}: {message}");
    }
    let message = refused(&[&bytes[..], b"x"].concat());
    assert!(message.contains("more bytes"), "{message}");
    let message = refused(&[b"ixc-past-2\n", &bytes[11..]].concat());
    assert!(message.contains("ixc-past-1") && message.contains("ixc-past-2"), "{message}");
    // A picture that claims more positions than any file holds.
    let endless = [&bytes[..11 + 32], &[1; 1 + 32], &[0xff; 4]].concat();
    let message = refused(&endless);
    assert!(message.contains("--context"), "{message}");
}

#[test]
fn another_model_precision_or_context_is_named() {
    let engine = common::engine(&plain());
    let mut past = engine.past();
    run(&engine, &request(), &mut past);
    let bytes = written(&engine, &mut past);
    let message = |engine: &Engine| read(engine, &bytes).unwrap_err().to_string();
    let wider = common::engine(&LoadOptions { keep: Keep::F32, ..plain() });
    assert!(message(&wider).contains("--dtype"), "{}", message(&wider));
    let shorter = common::engine(&LoadOptions { context: Some(8), ..plain() });
    assert!(message(&shorter).contains("--context"), "{}", message(&shorter));
    // The same shapes with other numbers, and the same numbers with another meaning.
    let folder = tempfile::tempdir().unwrap();
    common::write_seeded(&Like::Tiny.config(), 4, folder.path());
    let other = Engine::load(folder.path(), &plain()).unwrap();
    assert!(message(&other).contains("another model"), "{}", message(&other));
    let mut config = Like::Tiny.config();
    config.language.rope_theta *= 2.0;
    let folder = tempfile::tempdir().unwrap();
    common::write_as(&config, folder.path());
    let other = Engine::load(folder.path(), &plain()).unwrap();
    assert!(message(&other).contains("another model"), "{}", message(&other));
}
