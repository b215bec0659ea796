//! Imports: once, twice, in parts, stopped and continued, moved and changed; and what is said beside pictures.

use std::{fs, ops::ControlFlow, path::Path};

use ixc_library::{About, Add, Added, Caption, Entry, Error, Generated, Library, Origin, Progress};

use crate::support::{add, add_given, assert_clean, bmp, entries, folder, go, library_of, put};

/// 150 pictures in three folders, with captions, lists, and one file twice.
fn fill(at: &Path) {
    for (folder, range) in [("a", 0..70), ("b/deep", 70..110), ("c", 110..150)] {
        for seed in range {
            let caption = if seed % 3 == 0 { "" } else { &format!("picture {seed} of a red fox") };
            put(&at.join(folder), &format!("p{seed:03}"), seed, caption);
        }
    }
    put(&at.join("c"), "twin", 3, "the same as another");
    let line = r#"{"file": "p110.bmp", "caption": "a lake", "caption_zh": "湖", "tags": ["water"], "licence": "CC0"}"#;
    fs::write(at.join("c/library.jsonl"), format!("{line}\n\n")).unwrap();
    fs::write(at.join("a/notes.md"), "no picture").unwrap();
}

/// Entries without what an import decides.
fn known(library: &Library) -> Vec<Entry> {
    entries(library)
}

#[test]
fn adding_twice_is_adding_once_for_any_number_of_threads() {
    let place = folder();
    fill(&place.path().join("p"));
    let mut one = Library::create(&place.path().join("one")).unwrap();
    let from = vec![place.path().join("p")];
    let request = Add { from: from.clone(), threads: 1, ..Add::default() };
    let first = one.add(&request, &mut go).unwrap();
    let expected = Added { added: 150, duplicates: 1, others: 102, ..Added::default() };
    assert_eq!(Added { others: first.others, ..expected.clone() }, first);
    let once = known(&one);
    let second = one.add(&request, &mut go).unwrap();
    let expected = Added { added: 0, unchanged: 150, others: first.others, ..expected };
    assert_eq!(second, expected);
    assert_eq!(known(&one), once);

    let mut three = Library::create(&place.path().join("three")).unwrap();
    three.add(&Add { from, threads: 3, ..Add::default() }, &mut go).unwrap();
    assert_eq!(known(&three), once, "threads do not show");
    assert_clean(&one);
}

#[test]
fn an_import_in_parts_or_stopped_is_the_import_at_once() {
    let place = folder();
    let pictures = place.path().join("p");
    fill(&pictures);
    let whole = known(&library_of(&pictures, &place.path().join("whole")));

    let mut parts = Library::create(&place.path().join("parts")).unwrap();
    for part in ["a", "b", "c", "."] {
        add(&mut parts, &pictures.join(part));
    }
    assert_eq!(known(&parts), whole);

    let mut stopped = Library::create(&place.path().join("stopped")).unwrap();
    let request = Add { from: vec![pictures.clone()], threads: 2, ..Add::default() };
    for limit in [1, 64, 70] {
        let mut stop = |progress: Progress<'_>| match progress {
            Progress::Done { done, .. } if done >= limit => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let error = stopped.add(&request, &mut stop).unwrap_err();
        assert!(matches!(error, Error::Cancelled), "{error}");
        assert!(stopped.ids().unwrap().len() >= limit, "what was committed stays");
        assert_clean(&stopped);
    }
    add(&mut stopped, &pictures);
    assert_eq!(known(&stopped), whole);
    assert_clean(&stopped);
}

#[test]
fn what_has_moved_or_changed_is_known_again() {
    let place = folder();
    let pictures = place.path().join("p");
    for seed in 0..4 {
        put(&pictures, &format!("p{seed}"), seed, &format!("number {seed}"));
    }
    let mut library = library_of(&pictures, &place.path().join("l"));
    let before = entries(&library);

    // Moved: the same picture under another name.
    fs::rename(pictures.join("p0.bmp"), pictures.join("q.bmp")).unwrap();
    // Changed: another picture under the same name, and its caption with it.
    fs::write(pictures.join("p1.bmp"), bmp(100)).unwrap();
    fs::write(pictures.join("p1.txt"), "another number").unwrap();
    // Only said otherwise.
    fs::write(pictures.join("p2.txt"), "a new number").unwrap();
    let added = add(&mut library, &pictures);
    assert_eq!((added.moved, added.updated, added.unchanged), (1, 2, 1), "{added:?}");
    let after = entries(&library);
    assert_eq!(after.len(), 4);
    assert_eq!(after[0].path.file_name().unwrap(), "q.bmp");
    assert_eq!(after[0].caption(), Some("number 0"), "what was said of it stays");
    assert_eq!(after[1].id, before[1].id);
    assert_ne!(after[1].sha256, before[1].sha256);
    assert_eq!(after[1].caption(), Some("another number"));
    assert_eq!(after[2].caption(), Some("a new number"));
    assert_eq!(after[3], before[3]);
    assert_clean(&library);
    assert_eq!(library.search("number 1", &[], 9).unwrap().len(), 4, "the index followed");

    // A picture that becomes equal to another is that other.
    fs::write(pictures.join("p1.bmp"), bmp(3)).unwrap();
    assert_eq!(add(&mut library, &pictures).duplicates, 1);
    assert_eq!(library.ids().unwrap().len(), 3);
    assert_clean(&library);
    // Its number is not given again.
    put(&pictures, "new", 9, "");
    add(&mut library, &pictures);
    assert!(!before.iter().any(|old| old.id == entries(&library)[3].id));
}

#[test]
fn a_library_within_its_pictures_can_be_moved() {
    let place = folder();
    let (here, there) = (place.path().join("here"), place.path().join("there"));
    put(&here.join("deep"), "p", 1, "a fox");
    library_of(&here, &here);
    fs::rename(&here, &there).unwrap();
    let library = Library::open(&there).unwrap();
    assert_clean(&library);
    let entry = &entries(&library)[0];
    assert_eq!(entry.path, Path::new("deep/p.bmp"));
    assert!(library.path_of(entry).is_file());
    assert_eq!(library.find(&there.join("deep/p.bmp")).unwrap().as_ref(), Some(entry));
    assert!(matches!(Library::create(&there), Err(Error::AlreadyLibrary { .. })));
    assert!(matches!(Library::open(place.path()), Err(Error::NoLibrary { .. })));
}

#[test]
fn sidecars_say_what_they_say_in_their_order() {
    let place = folder();
    let pictures = place.path().join("p");
    for (seed, name) in (0..).zip(["all", "json", "txt", "list", "none", "double"]) {
        put(&pictures, name, seed, "");
    }
    let write = |name: &str, text: &str| fs::write(pictures.join(name), text).unwrap();
    write(
        "all.json",
        r#"{"captions": [{"text": "eins", "language": "de", "origin": "given"},
            {"text": "one", "origin": "model", "model": "m"}], "tags": ["x", " "], "source": "s", "licence": "l",
            "author": "a", "generated": {"model": "g", "seed": 7, "prompt": "p"}}"#,
    );
    write(
        "json.json",
        r#"{"title": "json.bmp", "description": "  two\nlines ", "license": "MIT", "keywords": "a, b"}"#,
    );
    write("json.txt", "not this");
    write("txt.txt", "\u{feff}在湖边\u{202e} \u{7}有狗\r\n");
    write("double.bmp.txt", "twice the ending");
    write(
        "metadata.jsonl",
        "{\"file_name\": \"list.bmp\", \"text\": \"from a list\"}\n{\"file_name\": \"txt.bmp\", \"author\": \"b\"}\n",
    );
    let library = library_of(&pictures, &place.path().join("l"));
    let of =
        |name: &str| library.find(&pictures.join(format!("{name}.bmp"))).unwrap().unwrap().about;
    let caption = |text: &str, language: Option<&str>, origin, model: Option<&str>| Caption {
        text: text.into(),
        language: language.map(str::to_owned),
        origin,
        model: model.map(str::to_owned),
    };
    let some = |text: &str| Some(text.to_owned());
    let expected = About {
        captions: vec![
            caption("eins", Some("de"), Origin::Given, None),
            caption("one", None, Origin::Model, Some("m")),
        ],
        tags: vec!["x".into()],
        source: some("s"),
        licence: some("l"),
        author: some("a"),
        generated: Some(Generated { model: some("g"), seed: some("7"), prompt: some("p") }),
    };
    assert_eq!(of("all"), expected);
    assert_eq!(of("json").captions, [caption("two lines", None, Origin::Sidecar, None)]);
    assert_eq!(of("json").licence, some("MIT"));
    assert_eq!(of("json").tags, ["a", "b"]);
    assert_eq!(of("txt").captions, [caption("在湖边 有狗", Some("zh"), Origin::Sidecar, None)]);
    assert_eq!(of("txt").author, some("b"), "a line of a list and a text are one");
    assert_eq!(of("list").captions[0].text, "from a list");
    assert_eq!(of("none"), About::default());
    assert_eq!(of("double").captions[0].text, "twice the ending");
}

#[test]
fn what_is_given_by_hand_comes_first_and_stays() {
    let place = folder();
    let pictures = place.path().join("p");
    put(&pictures, "p", 1, "beside");
    let mut library = Library::create(&place.path().join("l")).unwrap();
    let given = |text: &str| Caption {
        text: text.into(),
        language: None,
        origin: Origin::Given,
        model: None,
    };
    let by_hand = About {
        captions: vec![given(" by\nhand ")],
        author: Some("me".into()),
        ..About::default()
    };
    add_given(&mut library, &pictures, by_hand);
    assert_eq!(entries(&library)[0].about.captions, [given("by hand")]);
    assert_eq!(add(&mut library, &pictures).unchanged, 1);
    assert_eq!(entries(&library)[0].about.captions, [given("by hand")]);
    let again = About { captions: vec![given("again")], ..About::default() };
    assert_eq!(add_given(&mut library, &pictures, again).updated, 1);
    let about = &entries(&library)[0].about;
    assert_eq!((&about.captions, about.author.as_deref()), (&vec![given("again")], Some("me")));
    let endless = About { author: Some("x".repeat(100_000)), ..About::default() };
    let request = Add { from: vec![pictures.clone()], given: endless, threads: 1 };
    assert!(matches!(library.add(&request, &mut go), Err(Error::Given { .. })));
}
