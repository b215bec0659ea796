//! What requests share changes none of their answers: features of pictures, beginnings that were read.

mod common;

use std::thread;

use ixc_engine::{Answer, Decoding, Engine, Event, LoadOptions, Request, sample::Sampling};
use ixc_input::{
    conversation::{Conversation, Role, Turn, parts_from_marked},
    image::Picture,
};
use ixc_model::init::Like;

/// Positions of a picture in the tiny model.
const PICTURE: usize = 16;

fn plain() -> LoadOptions {
    LoadOptions { feature_bytes: 0, prefix_bytes: 0, ..common::exact() }
}

fn picture(salt: u8) -> Picture {
    let rgb = (0..56u32 * 56 * 3).map(|i| (i as u8).wrapping_mul(salt)).collect();
    Picture::from_rgb(56, 56, rgb)
}

/// A question about pictures, one for each `<ImageHere>`.
fn ask(system: &str, marked: &str, salts: &[u8]) -> Request {
    let mut conversation = Conversation::with_instruction(system);
    let parts = parts_from_marked(marked, 0, salts.len()).unwrap();
    conversation.turns.push(Turn { role: Role::User, parts });
    let pictures = salts.iter().map(|&salt| picture(salt)).collect();
    let sampling = Sampling { temperature: 1.5, top_k: 0, top_p: 1.0, seed: 5 };
    Request {
        decoding: Decoding::Sample(sampling),
        max_new_tokens: 12,
        ..Request::new(conversation, pictures)
    }
}

/// The answer, and how many of the pictures that were looked at were known and not.
fn run(engine: &Engine, request: &Request) -> (Answer, usize, usize) {
    let (mut known, mut new) = (0, 0);
    for event in engine.answer(request).unwrap() {
        match event.unwrap() {
            Event::Seen { known: true, .. } => known += 1,
            Event::Seen { known: false, .. } => new += 1,
            Event::End(answer) => return (answer, known, new),
            _ => {}
        }
    }
    panic!("no end")
}

/// Answers a request on an engine that shares; it must say what one that does not share says.
/// Returns the positions reused, and how many of the pictures looked at were known and not.
fn shared(engine: &Engine, alone: &Engine, request: &Request) -> (usize, usize, usize) {
    let (answer, known, new) = run(engine, request);
    let (fresh, _, _) = run(alone, request);
    assert_eq!(fresh.reused_positions, 0);
    assert_eq!(answer.ids, fresh.ids);
    assert_eq!(answer.prompt_positions, fresh.prompt_positions);
    (answer.reused_positions, known, new)
}

#[test]
fn a_new_conversation_on_a_known_picture_reads_only_what_is_new() {
    let (engine, alone) = (common::engine(&common::exact()), common::engine(&plain()));
    let first = ask("Be brief.", "<ImageHere>What is this?", &[3]);
    assert_eq!(shared(&engine, &alone, &first), (0, 0, 1));
    let positions = run(&alone, &first).0.prompt_positions;
    let (reused, known, new) = shared(&engine, &alone, &first);
    assert_eq!((reused, known, new), (positions - 1, 0, 0), "the same again");
    let other = ask("Be brief.", "<ImageHere>And its colour?", &[3]);
    let (reused, known, new) = shared(&engine, &alone, &other);
    assert!(reused > PICTURE && reused < positions, "{reused} of {positions}");
    assert_eq!((known, new), (0, 0));
    // The conversation that was first is still there as a whole.
    assert_eq!(shared(&engine, &alone, &first).0, positions - 1);
}

#[test]
fn another_beginning_or_place_reuses_the_features_alone() {
    let (engine, alone) = (common::engine(&common::exact()), common::engine(&plain()));
    shared(&engine, &alone, &ask("", "<ImageHere>What is this?", &[3]));
    let changed = ask("Be brief.", "<ImageHere>What is this?", &[3]);
    let (reused, known, new) = shared(&engine, &alone, &changed);
    assert!(reused < PICTURE, "nothing but the first marks is alike: {reused}");
    assert_eq!((known, new), (1, 0));
    let second = ask("", "<ImageHere> or <ImageHere>?", &[7, 3]);
    assert_eq!(shared(&engine, &alone, &second).1, 1);
    // Two pictures of which the first was read in this place; the second is new, then shown twice.
    let (reused, known, new) =
        shared(&engine, &alone, &ask("", "<ImageHere> or <ImageHere>, <ImageHere>?", &[7, 9, 9]));
    assert!((PICTURE..2 * PICTURE).contains(&reused), "{reused}");
    assert_eq!((known, new), (1, 1));
}

#[test]
fn a_conversation_goes_on_from_another_s_beginning_when_that_has_more() {
    let (engine, alone) = (common::engine(&common::exact()), common::engine(&plain()));
    shared(&engine, &alone, &ask("", "<ImageHere>What is this?", &[3]));
    let mut past = engine.past();
    let own = ask("", "Hi", &[]);
    engine.answer_after(&own, &mut past).unwrap().for_each(drop);
    let request = ask("", "<ImageHere>Why?", &[3]);
    let events = engine.answer_after(&request, &mut past).unwrap();
    assert_eq!(events.unseen_pictures(), 0);
    let ids = events.filter_map(|event| match event.unwrap() {
        Event::End(answer) => Some(answer.ids),
        _ => None,
    });
    assert_eq!(ids.last().unwrap(), run(&alone, &request).0.ids);
}

#[test]
fn what_an_answer_said_is_known_to_who_tells_it_again() {
    // A caller without a past of its own sends the whole conversation each time.
    let engine = common::engine(&common::exact());
    let mut request = ask("", "<ImageHere>What is this?", &[3]);
    let answer = run(&engine, &request).0;
    request.conversation.turns.push(Turn::text(Role::Assistant, answer.text.clone()));
    request.conversation.turns.push(Turn::text(Role::User, "Why?"));
    let again = run(&engine, &request).0;
    assert!(again.reused_positions >= answer.prompt_positions);
    let alone = common::engine(&plain());
    assert_eq!(again.ids, run(&alone, &request).0.ids);
}

#[test]
fn the_limits_hold() {
    let (first, second) = (ask("", "<ImageHere>?", &[3]), ask("", "<ImageHere>?", &[7]));
    let language = Like::Tiny.config().language;
    let feature_bytes = PICTURE * language.hidden * size_of::<f32>();
    // Room for one picture's features, and for no beginning.
    let options = LoadOptions { feature_bytes, prefix_bytes: 0, ..common::exact() };
    let (engine, alone) = (common::engine(&options), common::engine(&plain()));
    assert_eq!(shared(&engine, &alone, &first), (0, 0, 1));
    assert_eq!(shared(&engine, &alone, &first), (0, 1, 0));
    assert_eq!(shared(&engine, &alone, &second), (0, 0, 1));
    assert_eq!(shared(&engine, &alone, &first), (0, 0, 1), "it had to make room");
    // And the other way round; keys and values in float32 are the most that a cache takes.
    let position = 2 * language.layers * language.kv_heads * language.head_width() * 4;
    let prefix_bytes = 64 * position; // one page of the cache
    let options = LoadOptions { feature_bytes: 0, prefix_bytes, ..common::exact() };
    let engine = common::engine(&options);
    let long = ask("", &format!("<ImageHere>{}?", "a long question ".repeat(30)), &[3]);
    assert!(run(&alone, &long).0.prompt_positions > 64);
    let again = [&long, &long].map(|request| shared(&engine, &alone, request));
    assert_eq!(again, [(0, 0, 1); 2], "longer than the room");
    assert_eq!(shared(&engine, &alone, &first), (0, 0, 1));
    assert!(shared(&engine, &alone, &first).0 > PICTURE);
}

#[test]
fn answers_at_the_same_time_do_not_disturb_each_other() {
    let (engine, alone) = (common::engine(&common::exact()), common::engine(&plain()));
    let requests: Vec<Request> = [
        ("", "<ImageHere>What is this?", &[3][..]),
        ("", "<ImageHere>What is this, and why?", &[3]),
        ("", "<ImageHere><ImageHere>?", &[3, 7]),
        ("Be brief.", "<ImageHere>What is this?", &[3]),
        ("", "Hi", &[]),
    ]
    .map(|(system, marked, salts)| ask(system, marked, salts))
    .into();
    let expected: Vec<Vec<u32>> =
        requests.iter().map(|request| run(&alone, request).0.ids).collect();
    thread::scope(|scope| {
        for start in 0..4 {
            let (engine, requests, expected) = (&engine, &requests, &expected);
            scope.spawn(move || {
                for round in 0..10 {
                    let index = (start + round) % requests.len();
                    assert_eq!(run(engine, &requests[index]).0.ids, expected[index]);
                }
            });
        }
    });
}

#[test]
fn beyond_the_trained_length_only_the_features_are_shared() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Like::Tiny.config();
    config.language.rope_dynamic_factor = Some(2.0);
    config.language.positions_max = 48;
    common::write_as(&config, folder.path());
    let load = |options: LoadOptions| {
        let options = LoadOptions { context: Some(200), ..options };
        Engine::load(folder.path(), &options).unwrap()
    };
    let (engine, alone) = (load(common::exact()), load(plain()));
    let short = ask("", "<ImageHere>?", &[3]);
    let long = ask("", &format!("<ImageHere>{}?", "and ".repeat(60)), &[3]);
    assert!(run(&alone, &long).0.prompt_positions > 48);
    let short = Request { max_new_tokens: 2, ..short };
    assert_eq!(shared(&engine, &alone, &short), (0, 0, 1));
    // Its keys turn otherwise than those of the short one, and theirs otherwise than its.
    assert_eq!(shared(&engine, &alone, &long), (0, 1, 0));
    assert_eq!(shared(&engine, &alone, &long), (0, 1, 0));
    assert!(shared(&engine, &alone, &short).0 > PICTURE);
}
