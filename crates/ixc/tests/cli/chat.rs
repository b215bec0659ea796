//! The conversation, driven through a pipe: questions, orders, mistakes, Ctrl-C.

use std::fs;

use serde_json::Value;

use crate::support::{fresh, ixc, ixc_with_input, parse, photo, scratch, text, tiny};

const GREEDY: [&str; 3] = ["--greedy", "--max-new-tokens", "4"];

/// A conversation: one line of input for each text. Gives stdout and stderr.
fn converse(more: &[&str], lines: &[&str]) -> (String, String) {
    let input = format!("{}\n", lines.join("\n"));
    let arguments = [&["run", "-m", tiny(), "--interactive"], &GREEDY[..], more].concat();
    let ran = ixc_with_input(&arguments, input.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    (ran.stdout, ran.stderr)
}

/// One answer outside of a conversation.
fn answer(more: &[&str]) -> String {
    ixc(&[&["run", "-m", tiny()], &GREEDY[..], more].concat()).ok()
}

#[test]
fn a_conversation_remembers() {
    let folder = fresh("chat-remembers");
    let file = text(&folder.join("talk.json")).to_owned();
    let photo = photo();
    let lines =
        [&format!("/image '{photo}'"), "What is <ImageHere>?", &format!("/save {file}"), "Why so?"];
    let (stdout, stderr) = converse(&[], &lines);
    // The second answer is the one that the saved conversation leads to.
    let first = answer(&["-i", &photo, "What is <ImageHere>?"]);
    let second = answer(&["--load", &file, "Why so?"]);
    assert_eq!(stdout, format!("{first}{second}"));
    assert_ne!(second, answer(&["Why so?"]), "what was said before matters");
    assert!(stderr.contains("rgb_0_640x427.png (640×427)"), "{stderr}");
    let saved = parse(&fs::read_to_string(&file).unwrap());
    let roles: Vec<&Value> =
        saved["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant"]);
    assert_eq!(saved["messages"][0]["content"][1]["path"], photo.as_str());
}

#[test]
fn retry_clear_and_system() {
    let (stdout, stderr) = converse(
        &[],
        &["Hi", "/retry", "/clear", "Hi", "/system Be brief.", "/clear", "Hi", "/system"],
    );
    let (usual, brief) = (answer(&["Hi"]), answer(&["--system", "Be brief.", "Hi"]));
    assert_ne!(usual, brief);
    assert_eq!(stdout, format!("{usual}{usual}{usual}{brief}"));
    assert!(stderr.trim_end().ends_with("Be brief."), "{stderr}");
}

#[test]
fn each_answer_draws_from_a_seed_of_its_own() {
    let run = |lines: &str| {
        let arguments =
            ["run", "-m", tiny(), "--interactive", "--seed", "5", "--max-new-tokens", "6"];
        ixc_with_input(&arguments, lines.as_bytes()).ok()
    };
    let answers = run("Hi\n/retry\n");
    let second = run("Hi\n/clear\nHi\n");
    assert_eq!(answers, second, "the second answer of a seed is always the same");
    let one = run("Hi\n");
    assert!(answers.starts_with(&one) && answers != format!("{one}{one}"), "{answers:?}");
}

#[test]
fn lines_are_joined_and_a_first_question_may_be_given() {
    let (stdout, _) =
        converse(&["Hi"], &["/clear", "one\\", "two", "/clear", "\"\"\"", "one", "two\"\"\""]);
    let (hi, joined) = (answer(&["Hi"]), answer(&["one\ntwo"]));
    assert_eq!(stdout, format!("{hi}{joined}{joined}"));
}

#[test]
fn mistakes_do_not_end_it() {
    let photo = photo();
    let (stdout, stderr) = converse(
        &[],
        &[
            "/dance",
            "/image no/such.png",
            "<ImageHere>?",
            &format!("/image {photo}"),
            "<ImageHere><ImageHere>?",
            "/retry",
            "/save",
            "What is <ImageHere>?",
            "/exit",
            "never read",
        ],
    );
    assert_eq!(stdout, answer(&["-i", &photo, "What is <ImageHere>?"]));
    for part in [
        "There is no /dance",
        "cannot read the picture no/such.png",
        "has 1 `<ImageHere>` but only 0",
        "has 2 `<ImageHere>` but only 1",
        "Nothing has been asked yet",
        "/save needs one file name",
    ] {
        assert!(stderr.contains(part), "{part:?} in {stderr}");
    }
}

#[test]
fn pictures_can_be_taken_back_and_the_context_ends_nothing() {
    let photo = photo();
    let (stdout, stderr) = converse(
        &["--context", "160", "-i", &photo],
        &["/image off", "Hi", &"a long question ".repeat(20), "/clear", "Hi"],
    );
    assert_eq!(stdout, answer(&["Hi"]).repeat(2));
    assert!(stderr.contains("No picture waits"), "{stderr}");
    assert!(stderr.contains("the context holds 160"), "{stderr}");
}

#[test]
fn a_saved_conversation_names_its_pictures() {
    let folder = fresh("chat-pictures");
    let picture = folder.join("a b.png");
    fs::copy(photo(), &picture).unwrap();
    let file = text(&folder.join("talk.json")).to_owned();
    let image = format!("/image \"{}\"", text(&picture));
    converse(&["--system", "Be brief."], &[&image, "What?", &format!("/save {file}")]);
    answer(&["--load", &file, "Again?"]);
    fs::remove_file(&picture).unwrap();
    let message = ixc(&["run", "-m", tiny(), "--load", &file, "Again?"]).fails(1);
    assert!(message.contains("a b.png"), "{message}");
}

#[test]
fn the_history_file_is_for_terminals_alone() {
    converse(&[], &["Hi"]);
    assert!(!scratch("home").join(".local").exists());
}

/// Ctrl-C, sent as the terminal sends it.
#[cfg(unix)]
mod interrupts {
    use std::{
        io::{Read, Write},
        process::{Child, Command, Stdio},
    };

    use crate::support::{command, tiny};

    fn interrupt(child: &Child) {
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(sent.expect("kill is part of every Unix").success());
    }

    #[test]
    fn ctrl_c_stops_the_answer_and_not_the_program() {
        let long = ["--greedy", "--max-new-tokens", "3000"];
        let mut child = command(&[&["run", "-m", tiny(), "--interactive"], &long[..]].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        writeln!(input, "Hi").unwrap();
        let mut said = vec![0; 1];
        output.read_exact(&mut said).unwrap();
        interrupt(&child);
        // The conversation goes on: its orders are obeyed.
        writeln!(input, "/system Still here.").unwrap();
        drop(input);
        output.read_to_end(&mut said).unwrap();
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(0), "{stderr}");
        assert_eq!(stderr, "(stopped)\nStill here.\n");
        let words = String::from_utf8(said).expect("whole characters");
        assert!(words.ends_with('\n') && words.len() < 20_000, "{} bytes", words.len());
    }
}
