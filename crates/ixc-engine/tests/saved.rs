//! A past in a file: what is written is read back, and nothing else is.

mod common;

use std::io::Cursor;

use ixc_engine::{Decoding, Engine, Error, Event, LoadOptions, Past, Request};
use ixc_input::{
    conversation::{Conversation, Role, Turn, parts_from_marked},
    image::Picture,
};
use ixc_model::init::Like;
use ixc_nn::{Arithmetic, cache::KvType, weights::Keep};
use sha2::{Digest, Sha256};

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

/// Bytes of what says how a past was made, and of its digest behind it.
const MAKER: std::ops::Range<usize> = 11..11 + 32 + 3 + 8;

#[test]
fn any_other_bytes_are_refused() {
    let engine = common::engine(&plain());
    let mut past = engine.past();
    run(&engine, &request(), &mut past);
    let bytes = written(&engine, &mut past);
    let refused = |bytes: &[u8]| read(&engine, bytes).unwrap_err().to_string();
    // Each bit of what has a form, and bits all over the numbers behind it.
    let form = (0..400).flat_map(|place| (0..8).map(move |bit| (place, bit)));
    let numbers = (0..3000usize).map(|i| (400 + i * 7919 % (bytes.len() - 400), i % 8));
    let mut changed = bytes.clone();
    for (place, bit) in form.chain(numbers) {
        changed[place] ^= 1 << bit;
        let message = refused(&changed);
        let said = if place < 11 { "expected format" } else { "not those that were written" };
        // Behind the first digest a form may be broken in other ways, which are named.
        let named = [said, "ends early", "expected", "more bytes"];
        let behind = place >= MAKER.end + 32;
        assert!(named[..if behind { 4 } else { 1 }].iter().any(|part| message.contains(part)));
        changed[place] ^= 1 << bit;
    }
    assert!(read(&engine, &changed).is_ok(), "as it was");
    for length in (0..400).chain((400..bytes.len()).step_by(997)) {
        let message = refused(&bytes[..length]);
        assert!(message.contains("ends early"), "{length}: {message}");
    }
    let message = refused(&[&bytes[..], b"x"].concat());
    assert!(message.contains("more bytes"), "{message}");
    let message = refused(&[b"ixc-past-1\n", &bytes[11..]].concat());
    assert!(message.contains("ixc-past-1") && message.contains("ixc-past-2"), "{message}");
}

/// What a liar writes: another first part with its digest, then anything.
fn forged(bytes: &[u8], at: usize, part: &[u8], behind: &[u8]) -> Vec<u8> {
    let mut forged = bytes[..MAKER.end].to_vec();
    forged[at..at + part.len()].copy_from_slice(part);
    let digest = Sha256::digest(&forged);
    forged.extend(digest);
    forged.extend(behind);
    forged
}

#[test]
fn numbers_in_the_file_are_not_believed() {
    let engine = common::engine(&plain());
    let bytes = written(&engine, &mut engine.past());
    let claim = |positions: u64, behind: &[u8]| {
        let forged = forged(&bytes, MAKER.end - 8, &positions.to_le_bytes(), behind);
        read(&engine, &forged).unwrap_err().to_string()
    };
    let message = claim(u64::MAX, b"");
    assert!(message.contains(&u64::MAX.to_string()) && message.contains("--context"), "{message}");
    assert!(claim(engine.context() as u64, b"").contains("ends early"));
    let picture = |rows: u32| [&[1; 1 + 32], &rows.to_le_bytes()[..]].concat();
    for (positions, behind) in [
        (5, picture(u32::MAX)),
        (5, picture(0)),
        (5, vec![2]),
        (1, [[0; 5], [0; 5]].concat()),
        (0, picture(1)),
        (0, vec![3]),
    ] {
        let message = claim(positions, &behind);
        assert!(message.contains("not those that were written"), "{positions}: {message}");
    }
    // All that a cache's own first numbers may say: of other extents, and cut off.
    let cache = |numbers: [u64; 5]| {
        let numbers = numbers.into_iter().flat_map(u64::to_le_bytes);
        [&picture(5)[..], &[2], b"ixc kv 1", &numbers.collect::<Vec<u8>>()].concat()
    };
    let shape = *engine.cache().shape();
    let sound = [shape.layers, shape.kv_heads, shape.width, 0, 5].map(|number| number as u64);
    assert!(claim(5, &cache(sound)).contains("ends early"));
    for index in 0..sound.len() {
        let mut numbers = sound;
        numbers[index] = u64::MAX;
        let message = claim(5, &cache(numbers));
        assert!(message.contains("expected"), "{message}");
    }
}

#[test]
fn what_it_was_made_with_is_named() {
    let engine = common::engine(&plain());
    let mut past = engine.past();
    run(&engine, &request(), &mut past);
    let bytes = written(&engine, &mut past);
    let message = |engine: &Engine, bytes: &[u8]| read(engine, bytes).unwrap_err().to_string();
    let positions = past.positions().to_string();
    for (options, parts) in [
        (LoadOptions { keep: Keep::F32, ..plain() }, &["--dtype stored", "--dtype f32"][..]),
        (LoadOptions { kv: KvType::Q8, ..plain() }, &["--kv f32", "--kv q8"]),
        (
            LoadOptions { arithmetic: Arithmetic::Fast, ..plain() },
            &["made with --exact", "without"],
        ),
        (
            LoadOptions { context: Some(8), ..plain() },
            &["--context", &positions, "the context is 8"],
        ),
        // All at once.
        (
            LoadOptions { arithmetic: Arithmetic::Fast, kv: KvType::F16, ..plain() },
            &["--exact", "--kv f16"],
        ),
    ] {
        let message = message(&common::engine(&options), &bytes);
        assert!(parts.iter().all(|part| message.contains(part)), "{parts:?} in {message}");
        assert!(!message.contains("another model"), "{message}");
    }
    let fast = common::engine(&LoadOptions { arithmetic: Arithmetic::Fast, ..plain() });
    let made = message(&engine, &written(&fast, &mut fast.past()));
    assert!(made.contains("made without --exact") && made.contains("with it"), "{made}");
    // A precision that this version does not know.
    let unknown = message(&engine, &forged(&bytes, MAKER.start + 32, &[9], b""));
    assert!(unknown.contains("another version"), "{unknown}");
}

#[test]
fn another_model_is_named() {
    let engine = common::engine(&plain());
    let bytes = written(&engine, &mut engine.past());
    let message = |engine: &Engine| read(engine, &bytes).unwrap_err().to_string();
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
