//! `ixc compose` and `ixc edit` with the tiny model, whose answers are noise: an article comes of them all the same.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{Ran, command, fresh, ixc, parse, photo, text, tiny};

/// A library of three photographs by the fixtures' names.
fn library(folder: &Path) -> String {
    let pictures = folder.join("pictures");
    fs::create_dir_all(&pictures).unwrap();
    let files = fs::read_dir(Path::new(&photo()).parent().unwrap()).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "png"));
    files.sort();
    for (at, file) in files.iter().take(6).enumerate() {
        let copy = pictures.join(format!("{at}.png"));
        fs::copy(file, &copy).unwrap();
        fs::write(copy.with_extension("txt"), format!("A village in winter, {at}")).unwrap();
    }
    ixc(&["library", "create", text(&pictures)]).ok();
    text(&pictures).to_owned()
}

fn compose(more: &[&str]) -> Ran {
    ixc(&[&["compose", "-m", tiny(), "--context", "600", "--exact"], more].concat())
}

#[test]
fn an_article_comes_with_its_stages_files_and_project() {
    let folder = fresh("compose");
    let library = library(&folder);
    let at = |name: &str| text(&folder.join(name)).to_owned();
    let (page, project, json) = (at("a.html"), at("a.ixca"), at("a.json"));
    let asked = ["A village in winter", "--library", &library, "--images", "2", "--seed", "5"];
    let out = ["--out", &page, "--out", &project, "--json", &json];
    let ran = compose(&[&asked[..], &out].concat());
    let stderr = ran.stderr.clone();
    let article = ran.ok();
    let made: Value = parse(&fs::read_to_string(&json).unwrap());
    assert_eq!(
        made["article"]["asked"]["answer"].as_str().unwrap(),
        article.trim_end_matches('\n')
    );
    let sections = made["article"]["sections"].as_array().unwrap().len();
    let places = made["places"]["places"].as_array().unwrap().len();
    assert_eq!(places, sections.min(2), "{stderr}");
    assert!(stderr.contains("seed 5"), "{stderr}");
    assert!(fs::read_to_string(&page).unwrap().contains("<html"));

    // The same again; nothing is replaced unasked; another seed is another article.
    let again = compose(&[&asked[..], &["--json", &at("b.json")]].concat()).ok();
    assert_eq!(again, article);
    assert_eq!(fs::read(at("b.json")).unwrap(), fs::read(&json).unwrap());
    let message = compose(&[&asked[..], &out].concat()).fails(1);
    assert!(message.contains("is there already") && message.contains("--replace"), "{message}");
    let other = ["A village in winter", "--text-only", "--seed", "6"];
    assert_ne!(compose(&other).ok(), article);

    // From a record: the article is not written again, the rest is the same.
    let from = ["--from", &json, "--again", "places", "--json", &at("c.json")];
    assert_eq!(compose(&from).ok(), "");
    let stages = |path: &str| {
        let mut value = parse(&fs::read_to_string(path).unwrap());
        // What was known from the article's own reading is read again here.
        for stage in ["places", "captions", "choices"] {
            forget(&mut value[stage]);
        }
        value
    };
    assert_eq!(stages(&at("c.json")), stages(&json));
    edits(&project, &library);
}

/// Takes out what a question cost.
fn forget(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("cost");
            map.values_mut().for_each(forget);
        }
        Value::Array(values) => values.iter_mut().for_each(forget),
        _ => {}
    }
}

/// Edits of a project, in place.
fn edits(project: &str, library: &str) {
    let edit = |more: &[&str]| ixc(&[&["edit", project], more].concat());
    let shown = edit(&["show"]).ok();
    assert!(shown.starts_with("1  "), "{shown}");
    let blocks =
        shown.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count();
    edit(&["delete", "1"]).ok();
    let asking = ["-m", tiny(), "--context", "600"];
    edit(&[&["picture", "1", "A village", "--image", &photo()], &asking[..]].concat()).ok();
    let with_picture = edit(&["show"]).ok();
    assert!(with_picture.contains("[picture: rgb_0_640x427] \"A village\""), "{with_picture}");
    edit(&["candidates", "2", "--library", library]).ok();
    assert_eq!(edit(&["undo"]).ok(), "");
    assert_eq!(edit(&["show"]).ok(), with_picture);
    edit(&["undo"]).ok();
    edit(&["undo"]).ok();
    assert_eq!(edit(&["show"]).ok(), shown);
    edit(&["redo"]).ok();
    let history = edit(&["history"]).ok();
    assert!(history.contains("\n* 1  delete 1\n"), "{history}");
    let message = edit(&["delete", "0"]).fails(1);
    assert!(message.contains("counted from 1"), "{message}");
    let message = edit(&["delete", &(blocks + 7).to_string()]).fails(1);
    assert!(message.contains("expected a block from 1 to"), "{message}");
    let page = format!("{project}.md");
    edit(&["export", &page]).ok();
    assert!(fs::metadata(&page).unwrap().len() > 0);
}

#[test]
fn what_cannot_be_is_told_before_a_model_is_loaded() {
    let folder = fresh("compose-bad");
    let at = |name: &str| text(&folder.join(name)).to_owned();
    fs::write(at("no.ixca"), "no archive").unwrap();
    fs::write(at("no.json"), "{}").unwrap();
    let none = ["compose", "-m", "/nowhere"];
    let refused = |more: &[&str]| {
        let ran = command(&[&none[..], more].concat()).output().unwrap();
        (ran.status.code().unwrap(), String::from_utf8(ran.stderr).unwrap())
    };
    for (more, code, says) in [
        (vec!["x", "--out", "x.odt"], 1, "does not say in which format"),
        (vec!["x", "--out", &at("gone/x.html")], 1, "is not there"),
        (vec!["x", "--images", "99"], 1, "1 to 60"),
        (vec!["x", "--images", "many"], 2, "expected a number, `auto` or `all`"),
        (vec!["x", "--images", "all"], 1, "pictures of your own"),
        (vec!["x", "--image", &at("no.json")], 1, "no.json"),
        (vec!["x", "--library", &at("no.ixca")], 1, "no.ixca"),
        (vec!["x", "--outline", &at("gone.txt")], 1, "gone.txt"),
        (vec!["  "], 1, "expected words, an outline or pictures"),
        (vec!["--from", &at("no.json")], 1, "expected what --json wrote"),
        (vec!["x", "--again", "places"], 2, "cannot be used with"),
        (vec!["--again", "places"], 2, "--from"),
        (vec!["x", "--from", &at("no.json")], 2, "cannot be used with"),
        (vec!["x", "--beams", "2", "--seed", "1"], 2, "cannot be used with"),
    ] {
        let (found, stderr) = refused(&more);
        assert!(found == code && stderr.contains(says), "{more:?}: {found} {stderr}");
    }
    let message = ixc(&["edit", &at("no.ixca"), "show"]).fails(1);
    assert!(message.contains("no zip archive") && message.contains("no.ixca"), "{message}");
}
