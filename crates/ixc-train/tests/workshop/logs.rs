//! The log: what a resumed run keeps of it, and its picture.

use std::fs;

use ixc_train::log::{Entry, Evaluation, Log, Step, entries};

use crate::support::names_in;

fn train(step: u64) -> Entry {
    Entry::Train(Step {
        step,
        epoch: step as f64 / 3.0,
        loss: 1.0 / step as f64,
        learning_rate: 1e-5 / 3.0,
        grad_norm: 0.1 + 0.2,
        tokens: 100 * step,
        tokens_per_second: 1e3 / 7.0,
        time: 1.7e9 + step as f64 / 3.0,
    })
}

#[test]
fn a_resumed_run_goes_on_where_its_checkpoint_was() {
    let out = tempfile::tempdir().unwrap();
    let mut log = Log::open(out.path(), 0, 0).unwrap();
    let mut expected: Vec<Entry> = (1..=3).map(train).collect();
    expected.push(Entry::Eval(Evaluation { step: 3, loss: 1e-300, time: 1.0 / 3.0 }));
    expected.iter().for_each(|entry| log.add(entry).unwrap());
    let bytes = log.synced_bytes().unwrap();
    assert_eq!(bytes, fs::metadata(out.path().join("log.jsonl")).unwrap().len());
    for step in 4..=9 {
        log.add(&train(step)).unwrap();
    }
    drop(log);

    let mut log = Log::open(out.path(), bytes, 3).unwrap();
    assert_eq!(entries(out.path()).unwrap(), expected, "bit for bit, and no later step");
    log.add(&train(4)).unwrap();
    expected.push(train(4));
    assert_eq!(entries(out.path()).unwrap(), expected);
    assert_eq!(names_in(&out.path().join("runs")).len(), 2, "a file of events for each start");

    let picture = fs::read_to_string(log.draw().unwrap()).unwrap();
    assert!(picture.contains("training") && picture.contains("evaluation"));
}

#[test]
fn a_log_that_is_shorter_than_its_checkpoint_says_is_an_error() {
    let out = tempfile::tempdir().unwrap();
    fs::write(out.path().join("log.jsonl"), "{}\n").unwrap();
    let error = Log::open(out.path(), 4, 7).unwrap_err().to_string();
    assert!(error.contains("expected at least 4 bytes, as at step 7; found 3"), "{error}");
    let error = entries(out.path()).unwrap_err().to_string();
    assert!(error.contains("line 1"), "{error}");
}
