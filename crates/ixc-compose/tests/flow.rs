//! The flow with a scripted model: the prompts, and everything odd that an answer may be.

mod common;

use std::{cell::Cell, collections::HashSet, thread};

use common::*;
use ixc_compose::{
    Composition, Error, Request, Sources, Stage, Watch, compose, odd::Odd, request::Images,
    source::Origin,
};

fn script() -> Script {
    Script {
        article: "Title\n\nIt snows in the forest.\n \nBoats on the lake.\n".into(),
        places: "<Seg1>, <Seg2>".into(),
        captions: vec!["Snow in the forest\" and".into(), "A boat by the lake\"".into()],
        choices: vec![" B".into(), "D".into()],
        ..Script::default()
    }
}

#[test]
fn every_prompt_is_the_protocol_s() {
    let sources = with_library();
    let model = Scripted::new(script());
    let mut made = Composition::new(Request { images: Images::Count(2), ..request(&sources) });
    let mut watch = Watch { observe: &mut |_| {}, stop: &|| false };
    compose(&mut made, &model, &sources, &mut watch).unwrap();
    let [a, b, c] =
        ["<Seg0> Title\n", "<Seg1> It snows in the forest.\n", "<Seg2> Boats on the lake.\n"];
    let choice = "根据给定上下文和候选图像，选择合适的配图：";
    let letters = "候选图像包括: A.<ImageHere>\nB.<ImageHere>\nC.<ImageHere>\nD.<ImageHere>";
    let expected = [
        ("A winter evening".to_owned(), 0),
        (format!("给定文章\"{a}{b}{c}\" 根据上述文章，选择适合插入图像的2行"), 0),
        (format!("给定文章\"{a}{b}{c}\" 给出适合在<Seg1>后插入的图像对应的标题。"), 0),
        (
            format!(
                "给定文章\"{a}{b}{c}\" 现在<Seg1>后插入图像对应的标题是\"Snow in the forest\"。\
                 给出适合在<Seg2>后插入的图像对应的标题。"
            ),
            0,
        ),
        (format!("{choice}Title\nIt snows in the forest.\n{letters}"), 4),
        (
            format!(
                "{choice}Title\nIt snows in the forest.\n<ImageHere>Boats on the lake.\n{letters}"
            ),
            5,
        ),
    ];
    assert_eq!(*model.asked.borrow(), expected);
    assert_eq!(made.odd().count(), 0);
    let choices = made.choices.as_ref().unwrap();
    assert_eq!(choices.iter().map(|choice| choice.taken).collect::<Vec<_>>(), [Some(1), Some(3)]);
    let shown: Vec<_> = choices.iter().flat_map(|choice| &choice.shown).collect();
    let distinct: HashSet<_> = shown.iter().map(|found| &found.origin).collect();
    assert_eq!((shown.len(), distinct.len()), (8, 8), "none is shown twice");
}

#[test]
fn what_fits_a_caption_best_is_no_earlier_caption_s() {
    // Six pictures have the first caption's words, and all of them are equally good.
    let captions = vec!["Snow in the forest\"".into(), "Snow in the forest, 3\"".into()];
    let choices = vec!["A".into()];
    let (made, odd) = run(
        Request { images: Images::Count(2), ..request(&Sources::default()) },
        &Script { captions, choices, ..script() },
        &with_library(),
    );
    assert_eq!(odd, []);
    let candidates = made.candidates.unwrap();
    let captions = |at: usize| -> Vec<&str> {
        candidates[at].found.iter().map(|found| found.caption.as_str()).collect()
    };
    assert!(!captions(0).contains(&"Snow in the forest, 3"), "{:?}", captions(0));
    assert_eq!(captions(0)[0], "Snow in the forest, 1");
    assert_eq!(captions(1)[0], "Snow in the forest, 3");
    assert_eq!((captions(0).len(), captions(1).len()), (4, 2));
}

#[test]
fn own_pictures_are_used_once_and_the_last_unasked() {
    let sources = Sources { own: own(2), ..Sources::default() };
    let model = Scripted::new(script());
    let mut made = Composition::new(request(&sources));
    let mut watch = Watch { observe: &mut |_| {}, stop: &|| false };
    compose(&mut made, &model, &sources, &mut watch).unwrap();
    let asked = model.asked.borrow();
    assert_eq!(asked[0], ("<ImageHere> <ImageHere> A winter evening".to_owned(), 2));
    assert!(asked[1].0.starts_with("<ImageHere> <ImageHere> 给定文章\"<Seg0> Title\n"));
    assert!(asked[1].0.ends_with("选择适合插入图像的行"), "the model decides");
    assert!(asked[2].0.ends_with("候选图像包括: A.<ImageHere>\nB.<ImageHere>"));
    assert_eq!(asked.len(), 3);
    let taken =
        |choice: &ixc_compose::record::Choice| choice.shown[choice.taken.unwrap()].origin.clone();
    let choices: Vec<_> = made.choices.as_ref().unwrap().iter().map(taken).collect();
    assert_eq!(choices, [Origin::Own(1), Origin::Own(0)]);
}

#[test]
fn all_own_pictures_are_used_when_asked() {
    let sources = Sources { own: own(5), ..Sources::default() };
    let request = Request { images: Images::All, ..request(&sources) };
    let (made, odd) = run(request, &script(), &sources);
    assert!(odd.contains(&Odd::MoreThanSections { wanted: 5, sections: 3 }));
    let used: HashSet<usize> = made
        .choices
        .iter()
        .flatten()
        .map(|choice| match choice.shown[choice.taken.unwrap()].origin {
            Origin::Own(own) => own,
            _ => panic!("there is no library"),
        })
        .collect();
    assert_eq!(used.len(), 5);
}

#[test]
fn whatever_is_answered_there_is_an_article() {
    let place = 1;
    let long = "<Seg1>".repeat(500);
    let cases: [(Script, Odd); 8] = [
        (Script { places: "nowhere".into(), ..script() }, Odd::NoPlaces),
        (
            Script { places: "<Seg99>, <Seg1>".into(), ..script() },
            Odd::PlaceOutOfRange { place: 99, sections: 3 },
        ),
        (Script { places: long, ..script() }, Odd::PlaceRepeated { place }),
        (Script { captions: vec!["\"".into()], ..script() }, Odd::NoCaption { place }),
        (Script { captions: vec!["A boat".into()], ..script() }, Odd::UnclosedCaption { place }),
        (
            Script { choices: vec!["Z".into()], ..script() },
            Odd::NoChoice { place, answer: "Z".into() },
        ),
        (
            Script { choices: vec!["".into()], ..script() },
            Odd::NoChoice { place, answer: "".into() },
        ),
        (Script { article: "\n \n".into(), ..script() }, Odd::NoText),
    ];
    let sources = with_library();
    for (script, expected) in cases {
        let (made, odd) = run(request(&sources), &script, &sources);
        assert!(odd.contains(&expected), "{expected:?} in {odd:?}");
        let sections = if expected == Odd::NoText { 0 } else { 3 };
        assert_eq!(made.sections().len(), sections);
        for choice in made.choices.iter().flatten() {
            assert!(choice.taken.is_some(), "{expected:?}");
        }
    }
}

#[test]
fn a_model_that_says_nothing_at_all_is_told_of() {
    let (made, odd) = run(Request::default_of("x"), &Script::default(), &Sources::default());
    assert_eq!(odd, [Odd::NoText]);
    assert_eq!((made.sections().len(), made.choices.unwrap().len()), (0, 0));
}

#[test]
fn adversarial_answers_two_hundred_times() {
    let places =
        ["", "<Seg>", "<Seg-1>", "<Seg99999999999999999999>", "<Seg0><Seg1>", "<Seg7>", "一"];
    let captions = ["", "\"", "no end", "\n\n\"", "A lake with snow\"", "<script>\"", "<Seg1>\""];
    let choices = ["", "Z", "a", "A", "D", "E", "ＡＢ", "\u{202e}B"];
    let articles = ["", "one", "a\nb\nc", "<Seg0> x\n</s>\n\"", "图\n\n文"];
    let (with_library, mixed) = (with_library(), Sources { own: own(2), ..with_library() });
    for run_number in 0..200usize {
        let pick = |of: &[&str], stride: usize| of[(run_number * stride / 3) % of.len()].to_owned();
        let script = Script {
            article: pick(&articles, 7),
            places: pick(&places, 5),
            captions: vec![pick(&captions, 4), pick(&captions, 11)],
            choices: vec![pick(&choices, 13), pick(&choices, 5)],
            cut: run_number % 3 == 0,
            refuses: [None, Some("适合插入图像的行是"), Some("标题是\""), Some("最合适的图是")]
                [run_number % 4],
        };
        let sources = if run_number % 2 == 0 { &with_library } else { &mixed };
        let images = [Images::Auto, Images::Count(2), Images::Count(5)][run_number % 3];
        let (made, odd) = run(Request { images, ..request(sources) }, &script, sources);
        let lines = script.article.lines().filter(|line| !line.trim().is_empty()).count();
        assert_eq!(made.sections().len(), lines, "run {run_number}");
        let places = &made.places.as_ref().unwrap().places;
        assert!(places.is_sorted_by(|a, b| a < b) && places.iter().all(|place| *place < lines));
        if let Images::Count(wanted) = images {
            assert_eq!(places.len(), wanted.min(lines), "run {run_number}: {odd:?}");
        }
        assert_eq!(made.choices.unwrap().len(), places.len());
    }
}

#[test]
fn more_places_than_pictures() {
    let sources = Sources { own: own(1), ..Sources::default() };
    let (made, odd) = run(request(&sources), &script(), &sources);
    assert_eq!(odd, [Odd::MorePlacesThanPictures { places: 2, pictures: 1 }]);
    assert_eq!(made.places.unwrap().places, [1]);
    // With a number, the rest stays open under its caption.
    let counted = Request { images: Images::Count(2), ..request(&sources) };
    let (made, odd) = run(counted, &script(), &sources);
    assert!(odd.contains(&Odd::NoPicture { place: 2 }), "{odd:?}");
    let choices = made.choices.unwrap();
    assert_eq!((choices[1].taken, choices[1].caption.as_str()), (None, "Snow in the forest"));
    // With a library, it fills them.
    let sources = Sources { libraries: vec![library()], ..sources };
    let (made, odd) = run(request(&sources), &script(), &sources);
    assert_eq!(odd, []);
    let origins = made.choices.unwrap();
    assert_eq!(origins[0].shown[0].origin, Origin::Own(0));
    assert!(matches!(origins[1].shown[0].origin, Origin::Library { .. }));
}

#[test]
fn sixty_sections_and_no_more() {
    let article = (0..70).map(|at| format!("line {at}\n")).collect();
    let sources = Sources::default();
    let request = Request { images: Images::None, ..request(&sources) };
    let (made, odd) = run(request, &Script { article, ..script() }, &sources);
    assert_eq!((made.sections().len(), odd), (60, vec![Odd::TooManySections { found: 70 }]));
    assert_eq!(made.places.unwrap().asked, None, "no pictures, no question");
}

#[test]
fn fifty_at_once_with_one_instruction_are_fifty_articles() {
    let one = |number: usize| {
        let sources = with_library();
        let article = format!("Title {number}\nIt snows.\nBoats.");
        let caption = format!("Picture {number} of a lake\"");
        let script = Script { article, captions: vec![caption], ..script() };
        run(request(&sources), &script, &sources).0
    };
    let alone: Vec<Composition> = (0..50).map(one).collect();
    let together: Vec<Composition> = thread::scope(|scope| {
        let threads: Vec<_> = (0..50).map(|number| scope.spawn(move || one(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}

#[test]
fn it_stops_within_a_word_and_goes_on_where_it_was() {
    let (whole, _) = run(request(&with_library()), &script(), &with_library());
    let mut seen = HashSet::new();
    for budget in (0..400).step_by(3) {
        let left = Cell::new(budget);
        let stop = || {
            left.set(left.get() - 1);
            left.get() < 0
        };
        let (mut made, result) = stopped(&script(), &stop);
        let stages = Stage::ALL.iter().filter(|stage| made.has(**stage)).count();
        seen.insert(stages);
        if result.is_err() {
            assert!(matches!(result, Err(Error::Cancelled)));
            let (model, mut watch) =
                (Scripted::new(script()), Watch { observe: &mut |_| {}, stop: &|| false });
            compose(&mut made, &model, &with_library(), &mut watch).unwrap();
        }
        assert_eq!(made, whole, "stopped at question {budget}");
    }
    assert_eq!(seen.len(), 6, "stopped in every stage: {seen:?}");
}

#[test]
fn a_stage_is_made_again_from_its_record() {
    let sources = with_library();
    let (whole, _) = run(request(&sources), &script(), &sources);
    for stage in Stage::ALL {
        let mut made = Composition::read(&serde_json::to_vec(&whole).unwrap()).unwrap();
        made.cut(stage);
        assert!(!made.has(stage));
        let mut watch = Watch { observe: &mut |_| {}, stop: &|| false };
        compose(&mut made, &Scripted::new(script()), &sources, &mut watch).unwrap();
        assert_eq!(made, whole, "from {}", stage.name());
    }
}

#[test]
fn records_that_are_none_are_refused() {
    let sources = with_library();
    let (whole, _) = run(request(&sources), &script(), &sources);
    let json = serde_json::to_string(&whole).unwrap();
    let mut headless = whole.clone();
    headless.article = None;
    let mut beyond = whole.clone();
    beyond.places.as_mut().unwrap().places.push(77);
    let mut unshown = whole.clone();
    unshown.choices.as_mut().unwrap()[0].taken = Some(9);
    let of = |made: &Composition| serde_json::to_string(made).unwrap();
    for (text, says) in [
        (String::new(), "not a record"),
        (json[..json.len() / 2].to_owned(), "not a record"),
        (json.replace("ixc-compose/1", "ixc-compose/9"), "expected the form ixc-compose/1"),
        (of(&headless), "there are places and no article"),
        (of(&beyond), "section 77 is named, of 3"),
        (of(&unshown), "takes a picture that is not shown"),
    ] {
        let error = Composition::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn requests_that_cannot_be_are_refused_first() {
    let sources = Sources { own: own(11), ..Sources::default() };
    for (request, says) in [
        (Request::default(), "expected words, an outline or pictures, found nothing"),
        (request(&sources), "at most 10 of your own, found 11"),
        (Request { images: Images::Count(0), ..Request::default_of("x") }, "1 to 60"),
        (Request { images: Images::Count(61), ..Request::default_of("x") }, "found 61"),
        (Request { images: Images::All, ..Request::default_of("x") }, "pictures of your own"),
        (Request::default_of(&"x".repeat(2 << 20)), "bytes"),
    ] {
        let error = request.check().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

trait DefaultOf {
    fn default_of(instruction: &str) -> Self;
}

impl DefaultOf for Request {
    fn default_of(instruction: &str) -> Self {
        Self { instruction: instruction.into(), ..Self::default() }
    }
}
