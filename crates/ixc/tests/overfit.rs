//! A recipe trains a fresh tiny model, all of it random, until it knows 64 pictures by heart; the engine asks.
//!
//! The whole path in one: `ixc init`, `ixc train`, then the answers of the model that was written, word for
//! word. Some 45 seconds on two cores; run alone: `cargo test --release -p ixc --test overfit`.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use ixc_engine::{Decoding, Engine, Event, LoadOptions, Request};
use ixc_input::{
    conversation::{Conversation, Part, Role, Turn},
    image::{Orientation, load},
};

/// How many pictures, each with an answer of its own.
const PAIRS: usize = 64;

/// Pixels a side: what the tiny model sees.
const SIDE: usize = 56;

const COLOURS: [&str; 16] = [
    "red", "green", "blue", "white", "black", "amber", "violet", "silver", "copper", "ivory",
    "coral", "olive", "indigo", "crimson", "teal", "maroon",
];

const ANIMALS: [&str; 8] = ["fox", "owl", "hen", "cat", "dog", "bee", "elk", "ant"];

const QUESTION: &str = "What is it?";

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Four by four fields of random colours, as an uncompressed BMP file.
fn picture(state: &mut u64) -> Vec<u8> {
    let fields: Vec<[u8; 3]> = (0..16).map(|_| [(); 3].map(|()| next(state) as u8)).collect();
    let bytes = (SIDE * SIDE * 4) as u32;
    let mut file = b"BM".to_vec();
    for value in [54 + bytes, 0, 54, 40, SIDE as u32, SIDE as u32] {
        file.extend(value.to_le_bytes());
    }
    file.extend([1, 0, 32, 0]);
    for value in [0, bytes, 2835, 2835, 0, 0] {
        file.extend(u32::to_le_bytes(value));
    }
    for (y, x) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (y, x))) {
        file.extend(fields[y * 4 / SIDE * 4 + x * 4 / SIDE]);
        file.push(255);
    }
    file
}

/// What is to be said about a picture; no two are alike.
fn answer(number: usize) -> String {
    let animal = ANIMALS[(number * 5 + number / 16) % 8];
    format!("{} {animal} number {}", COLOURS[number % 16], 10 + number * 37 % 90)
}

fn ixc(arguments: &[&str]) {
    let ran = Command::new(env!("CARGO_BIN_EXE_ixc")).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

fn say(engine: &Engine, file: &Path) -> String {
    let picture = load(&fs::read(file).unwrap(), Orientation::AsStored).unwrap();
    let mut turn = Turn::text(Role::User, QUESTION);
    turn.parts.insert(0, Part::Unplaced(0));
    let mut request = Request::new(Conversation { turns: vec![turn] }, vec![picture]);
    request.decoding = Decoding::Greedy;
    request.max_new_tokens = 24;
    let ended = engine.answer(&request).unwrap().find_map(|event| match event.unwrap() {
        Event::End(answer) => Some(answer.text),
        _ => None,
    });
    ended.unwrap()
}

#[test]
fn a_fresh_model_learns_64_pictures_by_heart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (mut state, mut lines) = (1, String::new());
    for number in 0..PAIRS {
        fs::write(at(&format!("{number}.bmp")), picture(&mut state)).unwrap();
        writeln!(
            lines,
            "{{\"image\": \"{number}.bmp\", \"conversations\": [{{\"from\": \"user\", \"value\": \
             \"{QUESTION}\"}}, {{\"from\": \"assistant\", \"value\": \"{}\"}}]}}",
            answer(number)
        )
        .unwrap();
    }
    fs::write(at("pairs.jsonl"), lines).unwrap();
    let tokenizer = ixc_goldens::fixtures().join("tokenizer/tokenizer.model");
    let tokenizer = tokenizer.display().to_string();
    let (base, out) = (at("base"), at("out"));
    let fresh = ["--like", "tiny", "--dtype", "f32", "--seed", "3", "--tokenizer", &tokenizer];
    ixc(&[&["init"], &fresh[..], &["--out", &base]].concat());
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/overfit.toml");
    let (recipe, data) = (recipe.display().to_string(), at("pairs.jsonl"));
    ixc(&["train", &recipe, "--model", &base, "--data", &data, "--out", &out]);
    let engine = Engine::load(Path::new(&out), &LoadOptions::default()).unwrap();
    let right = (0..PAIRS)
        .filter(|&number| say(&engine, Path::new(&at(&format!("{number}.bmp")))) == answer(number))
        .count();
    println!("{right} of {PAIRS} answers word for word");
    assert_eq!(right, PAIRS);
}
