//! `ixc library`: from a folder of photos to a searchable library, and the drawn one that is always there.

use std::{fs, path::Path};

use serde_json::json;

use crate::support::{command, finish, fixture, fresh, ixc, text, tiny};

/// A folder with four pictures, captions for two of them, and a broken file.
fn photos(at: &Path) {
    fs::create_dir_all(at).unwrap();
    for (name, caption) in [
        ("rgb_0_640x427.png", "Two horses in a meadow."),
        ("rgb_9_337x336.png", "湖边的小船"),
        ("exif_rotated.jpg", ""),
        ("rgba.png", ""),
    ] {
        fs::copy(fixture(&format!("images/{name}")), at.join(name)).unwrap();
        if !caption.is_empty() {
            fs::write(at.join(name).with_extension("txt"), caption).unwrap();
        }
    }
    fs::write(at.join("broken.png"), "no picture").unwrap();
}

/// The folder of a test's own named libraries.
fn with_data(data: &Path, arguments: &[&str]) -> crate::support::Ran {
    finish(command(arguments).env("XDG_DATA_HOME", data))
}

#[test]
fn a_folder_becomes_a_library_and_is_searched() {
    let place = fresh("library-folder");
    let folder = place.join("photos");
    photos(&folder);
    let library = text(&folder);
    let made = ixc(&["library", "create", library, "--licence", "CC0"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.stderr.contains("4 new, 1 passed over"), "{}", made.stderr);
    assert!(made.stderr.contains("broken.png: ") && made.stderr.contains("not a picture"));
    assert!(made.stderr.contains("2 pictures of the library have no caption"), "{}", made.stderr);

    let found = ixc(&["library", "search", "a horse", "-l", library]).ok();
    assert!(found.contains("rgb_0_640x427.png") && found.contains("640x427"), "{found}");
    assert_eq!(found.lines().count(), 2);
    let hits = ixc(&["library", "search", "船", "-l", library, "--json"]).json();
    assert_eq!(hits[0]["path"], "rgb_9_337x336.png");
    assert_eq!(
        hits[0]["captions"][0],
        json!({"text": "湖边的小船", "language": "zh", "origin": "sidecar"})
    );
    assert_eq!(hits[0]["licence"], "CC0");
    let id = hits[0]["id"].to_string();
    let none = ixc(&["library", "search", "船", "--exclude", &id, "-l", library]);
    assert!(none.stdout.is_empty() && none.stderr.contains("No picture"), "{}", none.stderr);

    let again = ixc(&["library", "add", library, "-l", library, "--json"]).json();
    assert_eq!((again["added"].as_u64(), again["unchanged"].as_u64()), (Some(0), Some(4)));
    assert_eq!(again["skipped"].as_array().unwrap().len(), 1);
    let shown = ixc(&["library", "show", &id, "-l", library]).ok();
    assert!(
        shown.contains("湖边的小船 (sidecar, zh)") && shown.contains("licence    CC0"),
        "{shown}"
    );
    let summary = ixc(&["library", "show", "-l", library, "--json"]).json();
    assert_eq!(
        (summary["pictures"].as_u64(), summary["without_caption"].as_u64()),
        (Some(4), Some(2))
    );

    assert_eq!(ixc(&["library", "verify", "-l", library]).ok(), "");
    fs::remove_file(folder.join("rgba.png")).unwrap();
    let faults = ixc(&["library", "verify", "-l", library]);
    assert_eq!(faults.code, 1);
    assert!(faults.stdout.contains("rgba.png: is missing"), "{}", faults.stdout);
    ixc(&["library", "remove", "--missing", "-l", library]).ok();
    assert_eq!(ixc(&["library", "verify", "-l", library]).ok(), "");
    ixc(&["library", "rebuild", "-l", library]).ok();
    assert_eq!(ixc(&["library", "search", "a horse", "-l", library]).ok(), found);

    let out = place.join("out");
    let exported =
        ixc(&["library", "export", "--out", text(&out), "--search", "horses", "-l", library]);
    assert_eq!(exported.stdout.trim(), text(&out), "{}", exported.stderr);
    let list = fs::read_to_string(out.join("library.jsonl")).unwrap();
    assert!(list.contains("Two horses") && list.lines().count() == 1, "{list}");
}

#[test]
fn libraries_have_names() {
    let data = fresh("library-names");
    photos(&data.join("p"));
    let pictures = data.join("p");
    let made = with_data(&data, &["library", "create", "mine", text(&pictures), "--tag", "kept"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(data.join("ixc/libraries/mine/library.sqlite").is_file());
    let found = with_data(&data, &["library", "search", "kept", "-l", "mine", "--json"]).json();
    assert_eq!(found.as_array().unwrap().len(), 4);
    assert!(Path::new(found[0]["path"].as_str().unwrap()).is_absolute());
    let wrong = with_data(&data, &["library", "search", "x", "-l", "yours"]).fails(1);
    assert!(
        wrong.contains("is no library") && wrong.contains("drawn (ixc draws it), mine"),
        "{wrong}"
    );
    let twice = with_data(&data, &["library", "create", "mine"]).fails(1);
    assert!(twice.contains("is a library already"), "{twice}");
    let taken = with_data(&data, &["library", "create", "drawn"]).fails(1);
    assert!(taken.contains("choose another name"), "{taken}");
    let horse = pictures.join("rgb_0_640x427.png");
    let arguments =
        ["library", "add", text(&horse), "-l", "mine", "--caption", "By hand", "--author", "Ana"];
    assert!(with_data(&data, &arguments).stderr.contains("1 changed"));
    let found = with_data(&data, &["library", "search", "hand", "-l", "mine", "--json"]).json();
    assert_eq!(
        (&found[0]["author"], &found[0]["captions"][0]["origin"]),
        (&json!("Ana"), &json!("given"))
    );
    with_data(&data, &["library", "remove", text(&pictures), "-l", "mine"]).ok();
    let summary = with_data(&data, &["library", "show", "-l", "mine", "--json"]).json();
    assert_eq!(summary["pictures"], 0);
}

#[test]
fn the_drawn_library_is_always_there() {
    let data = fresh("library-drawn");
    let first =
        with_data(&data, &["library", "search", "two brown cows and snowmen", "-n", "3", "--json"]);
    assert!(first.stderr.contains("Drew the library of 120 pictures"), "{}", first.stderr);
    let hits = first.json();
    assert_eq!(hits[0]["path"], "0001-mountains.png");
    assert_eq!(hits.as_array().unwrap().len(), 3);
    let chinese = with_data(&data, &["library", "search", "山区，有两头棕色的牛", "-n", "1"]);
    assert!(!chinese.stderr.contains("Drew"), "it is drawn once: {}", chinese.stderr);
    assert!(chinese.ok().contains("0001-mountains.png"));
    assert_eq!(with_data(&data, &["library", "verify"]).ok(), "");
    // What is drawn is what lies in the sources, byte by byte, captions included.
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../library");
    let mut files = 0;
    for entry in fs::read_dir(&sources).unwrap() {
        let path = entry.unwrap().path();
        let drawn = data.join("ixc/libraries/drawn").join(path.file_name().unwrap());
        assert!(fs::read(&path).unwrap() == fs::read(drawn).unwrap(), "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 241);
}

#[test]
fn a_model_describes_what_nobody_did() {
    let place = fresh("library-describe");
    let folder = place.join("photos");
    photos(&folder);
    let library = text(&folder);
    let asked = ["--model", tiny(), "--exact", "--ask", "What is this?", "--json"];
    let told = ixc(&[&["library", "create", library][..], &asked].concat()).json();
    assert_eq!(
        told["described"]["described"].as_u64().unwrap()
            + told["described"]["skipped"].as_array().unwrap().len() as u64,
        2,
        "{told}"
    );
    let summary = ixc(&["library", "show", "-l", library, "--json"]).json();
    assert_eq!(summary["captions"]["sidecar"], 2);
    assert_eq!(summary["captions"]["model"].as_u64(), told["described"]["described"].as_u64());
    // Nothing is asked that is not wanted.
    let quiet =
        ixc(&["library", "add", library, "-l", library, "--describe", "none", "--json"]).json();
    assert!(quiet["described"].is_null());
}

#[test]
fn an_encoder_compares_meanings() {
    let place = fresh("library-embed");
    let (folder, eyes) = (place.join("photos"), place.join("eyes"));
    photos(&folder);
    fs::create_dir(&eyes).unwrap();
    for file in fs::read_dir(fixture("tiny-clip")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), eyes.join(file.file_name())).unwrap();
    }
    let (library, clip, siglip) = (text(&folder), text(&eyes), fixture("tiny-siglip"));
    ixc(&["library", "create", library, "--embed", "no/encoder"]).fails(3);
    assert!(!folder.join("library.sqlite").exists(), "nothing was made");
    let told = ixc(&["library", "create", library, "--embed", clip, "--json"]).json();
    assert_eq!(told["embedded"]["embedded"], 4, "{told}");
    let shown = ixc(&["library", "show", "-l", library]).ok();
    assert!(shown.contains("vectors    4, all compared, of /"), "{shown}");

    // What is a picture's own is nearest to it, whatever the encoder makes of it.
    let boat = folder.join("rgb_9_337x336.png");
    let by_picture = ["library", "search", "--image", text(&boat), "-l", library, "--json"];
    let hits = ixc(&by_picture).json();
    assert_eq!(hits[0]["path"], "rgb_9_337x336.png");
    assert!(hits[0]["cosine"].as_f64().unwrap() > 0.999, "{hits}");
    let hits = ixc(&["library", "search", "two horses", "-l", library, "--json"]).json();
    assert_eq!(hits.as_array().unwrap().len(), 4, "{hits}");
    ixc(&["library", "search", "-l", library]).fails(2);

    // One encoder's alone.
    let other = ["library", "add", text(&boat), "-l", library, "--embed", text(&siglip)];
    assert!(ixc(&other).fails(1).contains("cannot be compared"));
    // An encoder that is not there any more is missed, and words are searched.
    fs::rename(&eyes, place.join("moved")).unwrap();
    let words = ixc(&["library", "search", "two horses", "-l", library, "--json"]);
    assert!(words.stderr.contains("words alone are searched"), "{}", words.stderr);
    let hits = words.json();
    assert_eq!(hits.as_array().unwrap().len(), 1, "{hits}");
    assert!(hits[0]["cosine"].is_null());
    let missing = ixc(&by_picture);
    assert_eq!((missing.code, missing.stdout.as_str()), (1, ""));
    assert!(missing.stderr.contains("is not at hand"), "{}", missing.stderr);
    let anew = [&other[..], &["--embed-anew", "--json"]].concat();
    assert_eq!(ixc(&anew).json()["embedded"]["embedded"], 4);
    assert_eq!(ixc(&by_picture).json()[0]["path"], "rgb_9_337x336.png");
    assert_eq!(ixc(&["library", "verify", "-l", library]).ok(), "");
}

#[test]
fn mistakes_are_told() {
    let place = fresh("library-mistakes");
    photos(&place.join("p"));
    let (folder, library) = (place.join("p"), place.join("l"));
    let (folder, library) = (text(&folder), text(&library));
    assert!(ixc(&["library", "search", "x", "-l", library]).fails(1).contains("is no library"));
    let absent = ixc(&["library", "create", library, "no-such-folder"]).fails(1);
    assert!(absent.contains("no-such-folder: there is no such file or folder"), "{absent}");
    assert!(!Path::new(library).exists(), "nothing was made");
    fs::create_dir(library).unwrap();
    ixc(&["library", "create", library]).ok();
    let many = ixc(&["library", "add", folder, "-l", library, "--caption", "x"]).fails(1);
    assert!(many.contains("one picture"), "{many}");
    ixc(&["library", "add", folder, "-l", library, "--threads", "0"]).fails(1);
    ixc(&["library", "add", folder]).fails(2);
    ixc(&["library", "remove", "-l", library]).fails(2);
    assert!(ixc(&["library", "remove", "7", "-l", library]).fails(1).contains("no picture 7"));
    assert!(ixc(&["library", "remove", "x.png", "-l", library]).fails(1).contains("x.png"));
    assert!(ixc(&["library", "show", "7", "-l", library]).fails(1).contains("no picture 7"));
    ixc(&["library", "search", "x", "-n", "0", "-l", library]).fails(1);
    assert!(
        ixc(&["library", "export", "--out", folder, "-l", library])
            .fails(1)
            .contains("no picture to export")
    );
    ixc(&["library", "add", folder, "-l", library, "--describe", "none"]).ok();
    assert!(
        ixc(&["library", "export", "--out", folder, "-l", library])
            .fails(1)
            .contains("is not empty")
    );
    ixc(&["library", "export", "--out", "x", "-n", "3", "-l", library]).fails(2);
}
