//! `ixc eval world`: figures of a whole examination, kept and gone on with.

use std::fs;

use crate::support::{fresh, ixc, text, tiny};

#[test]
fn a_world_is_examined() {
    let out = fresh("eval");
    let asked = ["eval", "world", "-m", tiny(), "--scenes", "1", "--max-new-tokens", "2"];
    let kept = [&asked[..], &["--out", text(&out)]].concat();
    let shown = ixc(&kept).ok();
    for part in ["questions, all types", "two pictures, all types", "95 % interval", "no picture"] {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    assert!(shown.ends_with("1 scene of the test split, seed 1\n"), "{shown}");
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let (answers, figures) = (read("world.jsonl"), read("world.json"));
    assert!(read("world.md").starts_with("| figure | % | 95 % interval |"));

    // Cut off within an answer, as by a kill: it goes on to the same bytes.
    fs::write(out.join("world.jsonl"), &answers[..answers.len() * 2 / 3]).unwrap();
    assert_eq!(ixc(&[&kept[..], &["--json"]].concat()).ok(), figures);
    assert_eq!((read("world.jsonl"), read("world.json")), (answers, figures));

    let other = [&kept[..], &["--seed", "2"]].concat();
    let message = ixc(&other).fails(1);
    assert!(message.contains("holds answers of another examination"), "{message}");
    let none = ["eval", "world", "-m", tiny(), "--scenes", "0"];
    assert!(ixc(&none).fails(1).contains("--scenes: expected at least 1, found 0"));
}
