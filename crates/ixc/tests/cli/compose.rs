//! `ixc compose` and `ixc edit` with the tiny model, whose answers are noise: an article comes of them all the same.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::Value;

use crate::support::{Ran, command, finish, fresh, ixc, parse, photo, text, tiny};

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
    let service = "[[search]]\nurl = \"https://example.org/x\"\n";
    fs::write(at("bad.toml"), format!("{service}api_key = \"x\"")).unwrap();
    fs::write(at("keyed.toml"), format!("{service}key_env = \"IXC_NO_SUCH_KEY\"")).unwrap();
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
        (vec!["x", "--providers", &at("gone.toml")], 1, "gone.toml"),
        (vec!["x", "--providers", &at("bad.toml")], 1, "unknown key `api_key`; known: name, url"),
        (vec!["x", "--providers", &at("keyed.toml")], 1, "IXC_NO_SUCH_KEY, which is not set"),
        (vec!["x", "--providers", &at("bad.toml"), "--no-providers"], 2, "cannot be used with"),
        (vec!["x", "--generate", "often"], 2, "missing, always, never"),
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

/// A picture of one colour.
const PICTURE: &str =
    "Qk06AAAAAAAAADYAAAAoAAAAAQAAAAEAAAABABgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAyB4eAA==";

/// A service of the OpenAI images form that gives the same picture to everyone; its port, and how often it was asked.
fn painter() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::<AtomicUsize>::default());
    let count = asked.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let lines = reader.by_ref().lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let length = head.iter().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
            });
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            assert!(head.contains(&"authorization: Bearer sk-SECRET".into()), "{head:?}");
            count.fetch_add(1, Ordering::SeqCst);
            let json = format!("{{\"data\": [{{\"b64_json\": \"{PICTURE}\"}}]}}");
            let length = json.len();
            let head = format!("HTTP/1.1 200 ok\r\nConnection: close\r\nContent-Length: {length}");
            stream.write_all(format!("{head}\r\n\r\n{json}").as_bytes()).unwrap();
        }
    });
    (port, asked)
}

#[test]
fn a_service_that_a_file_names_makes_pictures_and_keeps_its_key() {
    let folder = fresh("compose-services");
    let at = |name: &str| text(&folder.join(name)).to_owned();
    let (port, asked) = painter();
    let toml = format!(
        "[[generate]]\nkind = \"openai\"\nname = \"painter\"\nmodel = \"brush\"\n\
         url = \"http://127.0.0.1:{port}\"\nkey_env = \"PAINTER_KEY\"\n"
    );
    fs::write(at("providers.toml"), toml).unwrap();
    let with_key = |arguments: &[&str]| finish(command(arguments).env("PAINTER_KEY", "sk-SECRET"));
    let model = ["-m", tiny(), "--context", "600", "--exact"];
    let article = ["compose", "A village in winter", "--images", "1", "--seed", "5"];
    let (providers, json, page) = (at("providers.toml"), at("a.json"), at("a.html"));
    let out = ["--providers", &providers, "--json", &json, "--out", &page, "--out", &at("a.ixca")];
    let ran = with_key(&[&article[..], &model, &out].concat());
    let stderr = ran.stderr.clone();
    let words = ran.ok();
    let told = format!("captions go to the service painter (127.0.0.1:{port})");
    assert_eq!(stderr.matches(&told).count(), 1, "{stderr}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let record = fs::read_to_string(&json).unwrap();
    let made = parse(&record);
    let origin = &made["candidates"][0]["found"][0]["origin"]["generated"];
    assert_eq!((&origin["service"], &origin["model"]), (&"painter".into(), &"brush".into()));
    let digest = origin["digest"].as_str().unwrap();
    assert!(folder.join("a.assets").join(digest).is_file());
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("Generated picture: brush: "), "{html}");
    for said in [&record, &html, &stderr, &words] {
        assert!(!said.contains("SECRET"), "{said}");
    }

    // Into a library too, which is made for it; the second time nothing is new. No service is asked, no key needed.
    let library = at("made");
    let keep = ["compose", "--from", &json, "--keep-generated", &library];
    let kept = format!("1 picture made by services: now in {library}");
    let first = ixc(&keep);
    assert!(first.stderr.contains(&kept), "{}", first.stderr);
    first.ok();
    let second = ixc(&keep);
    assert!(!second.stderr.contains("made by services"), "{}", second.stderr);
    second.ok();
    let shown = parse(&ixc(&["library", "show", "1", "--library", &library, "--json"]).ok());
    let (how, source) = (&shown[0]["generated"], &shown[0]["source"]);
    assert_eq!((&how["model"], source), (&"brush".into(), &"painter".into()), "{shown}");
    let none = ixc(&["compose", "x", "--no-providers", "--keep-generated", &at("none")]).fails(1);
    assert!(none.contains("no service that makes pictures is asked"), "{none}");
    assert!(!folder.join("none").exists());

    // Again, from what was kept.
    let again = ["compose", "--from", &json, "--again", "choices", "--out", &at("b.html")];
    ixc(&[&again[..], &model, &["--providers", &providers]].concat()).ok();
    assert!(fs::read_to_string(at("b.html")).unwrap().contains("Generated picture: brush: "));
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    // An edit asks it too, where it looks for pictures.
    let project = at("a.ixca");
    let shown = ixc(&["edit", &project, "show"]).ok();
    let block = shown.lines().find(|line| line.contains("[picture: ")).expect("a picture");
    let block = block.split_whitespace().next().unwrap();
    let find = ["edit", &project, "candidates", block, "--providers", &providers];
    let ran = with_key(&find);
    assert!(ran.stderr.contains(&told), "{}", ran.stderr);
    ran.ok();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let never = with_key(&[&find[..], &["--generate", "never"]].concat());
    assert!(!never.stderr.contains(&told), "{}", never.stderr);
    assert_eq!(asked.load(Ordering::SeqCst), 2);

    // What the article shows goes into a library as well.
    let more = at("more");
    let recaption = ["edit", &project, "recaption", block, "A hut", "--no-providers"];
    ixc(&[&recaption[..], &["--keep-generated", &more]].concat()).ok();
    assert_eq!(folder.join("more/kept").read_dir().unwrap().count(), 1);

    // What is kept is held to its name.
    fs::write(folder.join("a.assets").join(digest), "another file").unwrap();
    let message = ixc(&[&again[..], &model, &["--replace"]].concat()).fails(1);
    assert!(message.contains("expected the picture of this SHA-256"), "{message}");
}
