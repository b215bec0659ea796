//! `--session`: a conversation that later runs go on with, and files that are no sound session.

use std::fs;

use serde_json::Value;

use crate::support::{
    IMAGE_TOKENS, fixture, fresh, ixc, ixc_with_input, photo, text, tiny, tiny_without,
};

const GREEDY: [&str; 3] = ["--greedy", "--max-new-tokens", "4"];

/// One answer of the tiny model as JSON.
fn answer(arguments: &[&str]) -> Value {
    ixc(&[&["run", "-m", tiny(), "--json"], &GREEDY[..], arguments].concat()).json()
}

fn number(answer: &Value, name: &str) -> u64 {
    answer[name].as_u64().unwrap()
}

#[test]
fn a_later_run_reads_only_what_is_new() {
    let folder = fresh("session");
    let file = text(&folder.join("s.ixs")).to_owned();
    let photo = photo();
    let first = answer(&["--session", &file, "-i", &photo, "What is this?"]);
    assert_eq!(number(&first, "reused_tokens"), 0);
    assert_eq!(first["text"], answer(&["-i", &photo, "What is this?"])["text"]);
    let second = answer(&["--session", &file, "And its colour?"]);
    assert_eq!(number(&second, "image_tokens"), IMAGE_TOKENS);
    assert!(number(&second, "reused_tokens") >= number(&first, "prompt_tokens"), "{second}");
    // The third says what the conversation, read as a whole, leads to: first by --load, then by itself.
    let whole = answer(&["--load", &file, "Why?"]);
    assert_eq!(number(&whole, "reused_tokens"), 0);
    let third = answer(&["--session", &file, "Why?"]);
    assert_eq!(third["token_ids"], whole["token_ids"]);
    assert_eq!(third["prompt_tokens"], whole["prompt_tokens"]);
    assert!(number(&third, "reused_tokens") >= number(&second, "prompt_tokens"), "{third}");
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["s.ixs"], "nothing is left beside it");
}

#[test]
fn a_conversation_is_kept_when_it_is_left() {
    let file = text(&fresh("session-chat").join("s.ixs")).to_owned();
    let arguments = ["run", "-m", tiny(), "--interactive", "--session", &file];
    let arguments = [&arguments[..], &GREEDY].concat();
    let photo = photo();
    let lines = format!("/image '{photo}'\nWhat is this?\n/exit\n");
    let said = ixc_with_input(&arguments, lines.as_bytes()).ok();
    assert_eq!(
        said.trim_end(),
        answer(&["-i", &photo, "What is this?"])["text"].as_str().unwrap().trim_end()
    );
    let second = answer(&["--session", &file, "Why?"]);
    assert!(number(&second, "reused_tokens") > IMAGE_TOKENS, "{second}");
    let third = answer(&["--load", &file, "How?"]);
    let said = ixc_with_input(&arguments, b"How?\n").ok();
    assert_eq!(said.trim_end(), third["text"].as_str().unwrap().trim_end());
}

#[test]
fn another_instruction_or_picture_is_read_again() {
    let folder = fresh("session-changed");
    let file = text(&folder.join("s.ixs")).to_owned();
    let picture = folder.join("picture.png");
    fs::copy(photo(), &picture).unwrap();
    answer(&["--session", &file, "-i", text(&picture), "What is this?"]);
    let told = answer(&["--session", &file, "--system", "Be brief.", "Why?"]);
    assert!(number(&told, "reused_tokens") < IMAGE_TOKENS, "{told}");
    fs::copy(fixture("images/exif_rotated.jpg"), &picture).unwrap();
    let changed = answer(&["--session", &file, "Why?"]);
    assert!(number(&changed, "reused_tokens") < IMAGE_TOKENS, "{changed}");
    fs::remove_file(&picture).unwrap();
    let message = refused(&file, 1);
    assert!(message.contains("picture.png"), "{message}");
}

/// Goes on with a session, which must fail; the message.
#[track_caller]
fn refused(file: &str, code: i32) -> String {
    ixc(&[&["run", "-m", tiny(), "--session", file], &GREEDY[..], &["Why?"]].concat()).fails(code)
}

#[test]
fn what_is_no_sound_session_is_refused_and_left_alone() {
    let folder = fresh("session-broken");
    let file = text(&folder.join("s.ixs")).to_owned();
    answer(&["--session", &file, "Hi"]);
    let sound = fs::read(&file).unwrap();
    let line = sound.iter().position(|byte| *byte == b'{').unwrap();
    let past = sound.windows(11).position(|part| part == b"ixc-past-2\n").unwrap();
    let with = |place: usize, byte: u8| {
        let mut changed = sound.clone();
        changed[place] ^= byte;
        changed
    };
    for (broken, part) in [
        (b"my notes".to_vec(), "expected a conversation that /save or --session wrote"),
        (Vec::new(), "expected a conversation"),
        (sound[..5].to_vec(), "expected a conversation"),
        (sound[..past - 5].to_vec(), "changed or cut off"),
        (sound[..past].to_vec(), "the file ends early"),
        (sound[..sound.len() - 1].to_vec(), "the file ends early"),
        (with(2, 1), "expected a conversation"),
        (with(line - 3, 1), "changed or cut off"),
        (with(line + 1, 1), "changed or cut off"),
        (with(past - 30, 1), "changed or cut off"),
        ([b"ixc-session-1\n", &sound[14..]].concat(), "of this version of ixc"),
        (with(past + 20, 1), "not those that were written"),
        (with(sound.len() - 40, 1), "not those that were written"),
        ([&sound[..], b"\n"].concat(), "more bytes"),
        (
            br#"{"format": "ixc-conversation-1", "messages": []}"#.to_vec(),
            "expected a session that --session wrote, found a conversation that /save wrote",
        ),
    ] {
        fs::write(&file, &broken).unwrap();
        let message = refused(&file, 1);
        assert!(message.contains(part) && message.contains("s.ixs"), "{part:?} in {message}");
        assert_eq!(fs::read(&file).unwrap(), broken, "{part}");
    }
    fs::write(&file, &sound).unwrap();
    // What to do is said, and works.
    let foreign = tiny_without("session-foreign", &["config.json"]);
    let config = fs::read_to_string(std::path::Path::new(tiny()).join("config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["rope_theta"] = 12345.0.into();
    fs::write(foreign.join("config.json"), config.to_string()).unwrap();
    let run = |flag: &str| {
        ixc(&[&["run", "-m", text(&foreign), flag, &file], &GREEDY[..], &["Why?"]].concat())
    };
    let message = run("--session").fails(1);
    assert!(message.contains("another model") && message.contains("--load"), "{message}");
    run("--load").ok();
    for (flags, part) in [
        (&["--exact"][..], "made without --exact"),
        (&["--kv", "q8"], "made with --kv f16, and this is --kv q8"),
        (&["--dtype", "f32"], "made with --dtype stored, and this is --dtype f32"),
        (&["--context", "3"], "the context is 3: give a greater --context"),
    ] {
        let run = [&["run", "-m", tiny(), "--session", &file], flags, &GREEDY, &["Why?"]].concat();
        let message = ixc(&run).fails(1);
        assert!(message.contains(part) && message.contains("--load"), "{part:?} in {message}");
        assert_eq!(fs::read(&file).unwrap(), sound, "{part}");
    }
    refused(text(&folder.join("no/such/folder/s.ixs")), 1);
    ixc(&["run", "-m", tiny(), "--session", &file, "--load", &file, "Hi"]).fails(2);
}
