//! Services in the flow: who is asked when, what is kept of their pictures, and that none of them ends an article.

mod common;

use std::{cell::RefCell, rc::Rc};

use common::*;
use ixc_compose::{
    Composition, Edit, Error, Event, Generate, Imprint, Project, Request, Service, Sources, Watch,
    article::Block,
    assemble, compose, document,
    edit::{With, edit},
    odd::Odd,
    request::{Images, Language},
    service::{About, Failed, Given, Key, Made, Offered, Wanted},
    source::{Origin, digest},
};

/// What a service was asked: caption, excluded pictures, how many, seed.
type Log = Rc<RefCell<Vec<(String, Vec<Key>, usize, u64)>>>;

/// Gives one answer after another, the last of them again and again.
#[derive(Debug)]
struct Answering {
    name: &'static str,
    answers: RefCell<Vec<Result<Given, Failed>>>,
    log: Log,
}

impl Service for Answering {
    fn name(&self) -> &str {
        self.name
    }

    fn host(&self) -> &str {
        "example.org"
    }

    fn pictures(&self, wanted: &Wanted<'_>, _: &dyn Fn() -> bool) -> Result<Given, Failed> {
        let asked = (wanted.caption.to_owned(), wanted.exclude.to_vec(), wanted.most, wanted.seed);
        self.log.borrow_mut().push(asked);
        let mut answers = self.answers.borrow_mut();
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    }
}

fn service(name: &'static str, answers: Vec<Result<Given, Failed>>) -> (Box<dyn Service>, Log) {
    let log = Log::default();
    let answers = RefCell::new(answers);
    (Box::new(Answering { name, answers, log: log.clone() }), log)
}

/// Pictures that were made, of these colours.
fn made(blues: &[u8]) -> Result<Given, Failed> {
    let made = Made { model: Some("brush".into()), seed: Some(3), prompt: "Oil: a boat".into() };
    let pictures = blues
        .iter()
        .map(|blue| Offered { bytes: bmp(1, 1, *blue), about: About::Made(made.clone()) });
    Ok(Given { pictures: pictures.collect(), left_out: Vec::new() })
}

/// Pictures that were found, by their numbers.
fn found(keys: &[i64]) -> Result<Given, Failed> {
    let pictures = keys.iter().map(|key| Offered {
        bytes: bmp(2, 2, *key as u8),
        about: About::Found { key: Key::Number(*key), address: format!("http://h/{key}.bmp") },
    });
    Ok(Given { pictures: pictures.collect(), left_out: Vec::new() })
}

fn failed() -> Result<Given, Failed> {
    Err(Failed::Because("the service painter (example.org): expected, found; do".into()))
}

fn script() -> Script {
    Script {
        article: "Title\nIt snows in the forest.\nBoats on the lake.".into(),
        places: "<Seg1><Seg2>".into(),
        captions: vec!["Snow in the forest\"".into(), "A boat by the lake\"".into()],
        choices: vec!["B".into()],
        ..Script::default()
    }
}

fn asked_for(generate: Generate, sources: &Sources) -> Request {
    Request { generate, seed: 100, images: Images::Count(2), ..request(sources) }
}

fn origins(made: &Composition, at: usize) -> Vec<&'static str> {
    let kind = |origin: &Origin| match origin {
        Origin::Own(_) => "own",
        Origin::Library { .. } => "library",
        Origin::File { .. } => "file",
        Origin::Search { .. } => "search",
        Origin::Generated { .. } => "generated",
    };
    let found = &made.candidates.as_ref().unwrap()[at].found;
    found.iter().map(|found| kind(&found.origin)).collect()
}

#[test]
fn pictures_are_made_where_nothing_else_has_one_or_beside_or_not_at_all() {
    // A library has them: nobody is asked.
    let (painter, log) = service("painter", vec![made(&[1, 2])]);
    let sources = Sources { generators: vec![painter], ..with_library() };
    let (article, odd) = run(asked_for(Generate::Missing, &sources), &script(), &sources);
    assert_eq!((origins(&article, 0), odd.len()), (vec!["library"; 4], 0));
    assert_eq!(log.borrow().len(), 0);
    // Beside them: they share the letters.
    let answers = vec![made(&[1, 2, 3]), made(&[4])];
    let (painter, log) = service("painter", answers);
    let sources = Sources { generators: vec![painter], ..with_library() };
    let (article, odd) = run(asked_for(Generate::Always, &sources), &script(), &sources);
    assert_eq!(origins(&article, 0), ["library", "library", "generated", "generated"]);
    assert_eq!(origins(&article, 1), ["library", "library", "library", "generated"]);
    assert_eq!(odd, []);
    let asked = |caption: &str, seed| (caption.to_owned(), Vec::new(), 2, seed);
    let expected = [asked("Snow in the forest", 101), asked("A boat by the lake", 102)];
    assert_eq!(*log.borrow(), expected);
    // Without a library.
    let (painter, log) = service("painter", vec![made(&[1, 2, 3]), made(&[4])]);
    let sources = Sources { generators: vec![painter], ..Sources::default() };
    let (article, _) = run(asked_for(Generate::Missing, &sources), &script(), &sources);
    assert_eq!((origins(&article, 0).len(), origins(&article, 1).len()), (3, 1));
    assert_eq!(log.borrow()[0].2, 4);
    // Not at all: the places stay open.
    let (painter, log) = service("painter", vec![made(&[1])]);
    let sources = Sources { generators: vec![painter], ..Sources::default() };
    let (article, odd) = run(asked_for(Generate::Never, &sources), &script(), &sources);
    assert_eq!((log.borrow().len(), origins(&article, 0).len()), (0, 0));
    assert_eq!(odd, [Odd::NoPicture { place: 1 }, Odd::NoPicture { place: 2 }]);
}

#[test]
fn a_search_stands_beside_the_library_and_shows_nothing_twice() {
    let answers = vec![found(&[1, 2, 3]), found(&[2, 4])];
    let (finder, log) = service("finder", answers);
    let sources = Sources { searches: vec![finder], ..with_library() };
    let (article, odd) = run(asked_for(Generate::Missing, &sources), &script(), &sources);
    assert_eq!(odd, []);
    assert_eq!(origins(&article, 0), ["library", "search", "library", "search"]);
    // A file that was shown is not shown again, whatever it is called.
    assert_eq!(origins(&article, 1), ["library", "search", "library", "library"]);
    let excluded = vec![Key::Number(1), Key::Number(2)];
    assert_eq!(log.borrow()[1].1, excluded, "as they came");
    let choice = &article.choices.as_ref().unwrap()[0];
    let taken = &choice.shown[choice.taken.unwrap()];
    let expected = Origin::Search {
        service: "finder".into(),
        key: Key::Number(1),
        digest: digest(&bmp(2, 2, 1)),
    };
    assert_eq!(taken.origin, expected);
    assert_eq!(taken.credit.source.as_deref(), Some("http://h/1.bmp"));
}

#[test]
fn what_fails_is_told_and_the_next_one_stands_in() {
    let partly = Given { left_out: vec!["one is no picture".into()], ..made(&[7]).unwrap() };
    let (finder, _) = service("finder", vec![failed()]);
    let (broken, _) = service("broken", vec![failed(), Ok(Given::default())]);
    let (painter, _) = service("painter", vec![Ok(partly), failed()]);
    let generators = vec![broken, painter];
    let sources = Sources { searches: vec![finder], generators, ..Sources::default() };
    let (article, odd) = run(asked_for(Generate::Missing, &sources), &script(), &sources);
    assert_eq!((origins(&article, 0), origins(&article, 1)), (vec!["generated"], vec![]));
    let reasons: Vec<(usize, bool)> = odd
        .iter()
        .filter_map(|odd| match odd {
            Odd::ServiceFailed { place, reason } => Some((*place, reason.contains("painter"))),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [(1, true), (1, true), (1, false), (2, true), (2, true)]);
    assert_eq!(odd.last(), Some(&Odd::NoPicture { place: 2 }));
    assert_eq!(
        article.choices.as_ref().unwrap()[1].caption,
        "A boat by the lake",
        "under its caption"
    );
}

#[test]
fn a_service_is_named_before_it_is_asked_and_a_stop_ends_all() {
    let (painter, log) = service("painter", vec![made(&[1]), Err(Failed::Stopped)]);
    let sources = Sources { generators: vec![painter], ..Sources::default() };
    let mut composition = Composition::new(asked_for(Generate::Missing, &sources));
    let mut told = Vec::new();
    let mut observe = |event: Event<'_>| {
        if let Event::Asks { service, host } = event {
            told.push((service.to_owned(), host.to_owned(), log.borrow().len()));
        }
    };
    let mut watch = Watch { observe: &mut observe, stop: &|| false };
    let model = Scripted::new(script());
    let result = compose(&mut composition, &model, &sources, &mut watch);
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    let asked = |before| ("painter".to_owned(), "example.org".to_owned(), before);
    assert_eq!(told, [asked(0), asked(1)]);
    assert!(composition.candidates.is_none() && composition.captions.is_some());
}

/// An article of two made pictures, with its sources.
fn painted() -> (Composition, Sources) {
    let (painter, _) = service("painter", vec![made(&[1, 2]), made(&[3])]);
    let sources = Sources { generators: vec![painter], ..Sources::default() };
    let (article, odd) = run(asked_for(Generate::Missing, &sources), &script(), &sources);
    assert_eq!(odd, []);
    (article, sources)
}

#[test]
fn a_record_goes_on_with_the_files_beside_it_and_says_so_without() {
    let (article, sources) = painted();
    let json = serde_json::to_string(&article).unwrap();
    let first = digest(&bmp(1, 1, 1));
    let origin = format!(
        r#"{{"generated":{{"service":"painter","model":"brush","seed":3,"prompt":"Oil: a boat","digest":"{first}"}}}}"#
    );
    assert!(json.contains(&origin), "{json}");
    let kept: std::collections::BTreeSet<&str> = article.kept().collect();
    assert_eq!(kept.len(), 3);
    // Another run: the files alone, no service.
    let later = Sources::default();
    for name in &kept {
        later.kept.keep(sources.kept.get(name).unwrap()).unwrap();
    }
    let mut again = Composition::read(json.as_bytes()).unwrap();
    again.choices = None;
    let mut watch = Watch { observe: &mut |_| {}, stop: &|| false };
    compose(&mut again, &Scripted::new(script()), &later, &mut watch).unwrap();
    assert_eq!(again, article);
    assert_eq!(assemble(&again, &later).unwrap(), assemble(&article, &sources).unwrap());
    // Without the files: a finished record says what is missing, an unfinished one goes on without them.
    let error = assemble(&article, &Sources::default()).unwrap_err().to_string();
    assert!(error.contains("service painter") && error.contains("article.assets"), "{error}");
    again.choices = None;
    compose(&mut again, &Scripted::new(script()), &Sources::default(), &mut watch).unwrap();
    let odd: Vec<&Odd> = again.odd().collect();
    assert!(
        matches!(odd[0], Odd::Unreadable { reason, .. } if reason.contains("not kept")),
        "{odd:?}"
    );
    assert_eq!(odd.len(), 5);
    // A name that is no digest could lead anywhere.
    let evil = json.replace(&first, "../../etc/passwd");
    assert!(Composition::read(evil.as_bytes()).unwrap_err().to_string().contains("SHA-256"));
}

#[test]
fn a_project_keeps_what_no_service_must_give_twice() {
    let (article, sources) = painted();
    let (pictures, assets) = assemble(&article, &sources).unwrap();
    assert_eq!(assets.len(), 3, "what is shown, and what is offered beside it");
    let project = Project::new(article, pictures, assets, 1);
    let mut project = Project::read(&project.write().unwrap()).unwrap();
    let shown = |project: &Project, at: usize| match &project.article().blocks[at] {
        Block::Picture(picture) => picture.shown.clone().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(&project, 2).asset, digest(&bmp(1, 1, 2)), "B");
    // The other candidate, in a later run without the service.
    let mut watch = Watch { observe: &mut |_| {}, stop: &|| false };
    let model = Scripted::new(script());
    let decoding = project.composition.request.decoding();
    let replace = Edit::Replace { at: 2, with: With::Candidate(0) };
    edit(&mut project, &replace, decoding, &model, &Sources::default(), &mut watch).unwrap();
    assert_eq!(shown(&project, 2).asset, digest(&bmp(1, 1, 1)));
    assert_eq!(shown(&project, 2).credit.generated.as_deref(), Some("brush: Oil: a boat"));
    // New ones, from a service, with another seed than before.
    let (painter, log) = service("painter", vec![made(&[8, 9])]);
    let sources = Sources { generators: vec![painter], ..Sources::default() };
    let find = Edit::Candidates { at: 2 };
    edit(&mut project, &find, decoding, &model, &sources, &mut watch).unwrap();
    assert_eq!(log.borrow()[0].3, 100 + 2 + 1);
    let mut project = Project::read(&project.write().unwrap()).unwrap();
    let replace = Edit::Replace { at: 2, with: With::Candidate(1) };
    edit(&mut project, &replace, decoding, &model, &Sources::default(), &mut watch).unwrap();
    assert_eq!(shown(&project, 2).asset, digest(&bmp(1, 1, 9)));
    project.undo();
    project.undo();
    assert_eq!(
        shown(&Project::read(&project.write().unwrap()).unwrap(), 2).asset,
        digest(&bmp(1, 1, 1))
    );
    // An export says that it was made, and by what.
    let imprint =
        Imprint { title: "x".into(), language: Language::En, created: 1, generator: "ixc".into() };
    let document = document(project.article(), &project.assets, &imprint).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("a.html");
    let options = ixc_export::Options::default();
    ixc_export::write(&document, ixc_export::Format::Html, &page, &options).unwrap();
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.matches("Generated picture: brush: Oil: a boat").count() >= 2, "{html}");
}
