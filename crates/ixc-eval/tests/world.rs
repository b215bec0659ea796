//! An examination that is killed and goes on is the one that was not, byte for byte.

use std::{cell::Cell, fs, ops::ControlFlow, path::Path};

use ixc_engine::{Engine, LoadOptions};
use ixc_eval::{
    Error,
    world::{Options, Report, What, examine},
};
use ixc_input::tokenizer::train;
use ixc_model::init::{self, Like, Purpose};
use ixc_nn::weights::StoredType;

const OPTIONS: Options<'_> = Options { what: What::USUAL, seed: 1, scenes: 3, words_max: 3 };

/// A mini model with random weights.
fn engine(folder: &Path) -> Engine {
    let tokenizer = folder.join("t.model");
    fs::write(&tokenizer, train(["What is there? A red house, a green tree."], 300).unwrap())
        .unwrap();
    let config = Like::Mini { vocabulary: 300 }.config();
    let weights = folder.join("weights");
    let mut on = |_, _| ControlFlow::Continue(());
    let kind = StoredType::Bf16;
    init::write_for(Purpose::Measure, &config, kind, 1, Some(&tokenizer), &weights, &mut on)
        .unwrap();
    let options = LoadOptions { prefix_bytes: 0, ..LoadOptions::default() };
    Engine::load(&weights, &options).unwrap()
}

fn whole(engine: &Engine, path: &Path) -> (Report, Vec<u8>) {
    let report = examine(engine, OPTIONS, path, &|_, _| ControlFlow::Continue(())).unwrap();
    (report, fs::read(path).unwrap())
}

#[test]
fn a_killed_examination_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let path = folder.path().join("answers.jsonl");
    let (report, expected) = whole(&engine, &path);
    assert!(report.figures.iter().all(|figure| figure.share.low <= figure.share.share));
    let lines = expected.iter().filter(|&&byte| byte == b'\n').count();
    assert!(lines > 20, "{lines}");

    // Cut where a kill may cut: between lines and within one.
    for cut in [0, 10, expected.len() / 3, expected.len() / 2 + 1, expected.len() - 1] {
        fs::write(&path, &expected[..cut]).unwrap();
        let again = whole(&engine, &path);
        assert!(again.0 == report && again.1 == expected, "cut behind {cut} bytes");
    }

    // Stopped by whoever watches.
    fs::remove_file(&path).unwrap();
    let asked = Cell::new(0);
    let watch = |_, _| {
        asked.set(asked.get() + 1);
        if asked.get() > 400 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let stopped = examine(&engine, OPTIONS, &path, &watch);
    assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
    let part = fs::read(&path).unwrap();
    assert!(part.len() < expected.len() && expected.starts_with(&part));
    assert!(whole(&engine, &path) == (report, expected));
}

#[test]
fn another_examination_s_answers_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let path = folder.path().join("answers.jsonl");
    whole(&engine, &path);
    let other = Options { seed: 2, ..OPTIONS };
    let error = examine(&engine, other, &path, &|_, _| ControlFlow::Continue(())).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("expected world, seed 2") && message.contains("found world, seed 1"));
}
