//! Every format that people bring becomes the conversation it means.

use std::path::Path;

use ixc_input::{
    conversation::{Part, Role, Turn},
    prompt::Segment,
    tokenizer::Markers,
};
use ixc_model::Family;
use ixc_train::data::{
    Dataset, ImageFile, ListNumbers, Position, Preparation, Reader, Record, Run, Share, describe,
    parse,
};

use crate::support::{
    Folder, SMALL, TILES, config, drain, open, options, preparation, stored, tokenizer,
};

fn read(sample: &str) -> Record {
    parse(sample.as_bytes(), Path::new("pictures")).unwrap_or_else(|fault| panic!("{fault}"))
}

fn text(words: &str) -> Part {
    Part::Text(words.into())
}

fn turn(role: Role, parts: &[Part]) -> Turn {
    Turn { role, parts: parts.into() }
}

fn paths(record: &Record) -> Vec<&str> {
    let mut paths = Vec::new();
    for file in &record.images {
        paths.push(match file {
            ImageFile::Path(path) => path.to_str().unwrap(),
            ImageFile::Inline(_) => "inline",
        });
    }
    paths
}

#[test]
fn the_published_form() {
    let record = read(
        r#"{"id": "7", "image": ["a.png", "/pictures/b.png"], "conversations": [
            {"from": "user", "value": " <ImageHere> and <ImageHere>: compare. "},
            {"from": "assistant", "value": "The first.\n"},
            {"from": "human", "value": "Why?"}, {"from": "bot", "value": "It is <image> blue."}]}"#,
    );
    assert_eq!(record.id.as_deref(), Some("7"));
    assert_eq!(paths(&record), ["pictures/a.png", "/pictures/b.png"]);
    assert_eq!(record.unused, [""; 0]);
    let question = [Part::Image(0), text(" and "), Part::Image(1), text(": compare.")];
    assert_eq!(
        record.conversation.turns,
        [
            turn(Role::User, &question),
            turn(Role::Assistant, &[text("The first.")]),
            turn(Role::User, &[text("Why?")]),
            turn(Role::Assistant, &[text("It is <image> blue.")]),
        ]
    );
}

#[test]
fn llava() {
    let record = read(
        r#"{"id": 9, "image": "coco/1.jpg", "model": "x", "conversations": [
            {"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "A cat."}]}"#,
    );
    assert_eq!(record.id.as_deref(), Some("9"));
    assert_eq!(paths(&record), ["pictures/coco/1.jpg"]);
    assert_eq!(record.unused, ["model"]);
    let question = [Part::Image(0), text("\nWhat is it?")];
    assert_eq!(record.conversation.turns[0], turn(Role::User, &question));
}

#[test]
fn sharegpt() {
    let record = read(
        r#"{"images": ["1.png", "2.png"], "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "See <image>."}, {"from": "gpt", "value": "A cat.", "text": null},
            {"from": "human", "value": "And <image>?"}, {"from": "gpt", "value": "A dog."}]}"#,
    );
    assert_eq!(paths(&record), ["pictures/1.png", "pictures/2.png"]);
    assert_eq!(record.unused, ["conversations[].text"]);
    assert_eq!(
        record.conversation.turns,
        [
            turn(Role::System, &[text("Be brief.")]),
            turn(Role::User, &[text("See "), Part::Image(0), text(".")]),
            turn(Role::Assistant, &[text("A cat.")]),
            turn(Role::User, &[text("And "), Part::Image(1), text("?")]),
            turn(Role::Assistant, &[text("A dog.")]),
        ]
    );
}

#[test]
fn messages_with_text_and_a_list() {
    let record = read(
        r#"{"images": [{"path": "1.png"}, {"url": "2.png"}], "messages": [
            {"role": "user", "content": "<image><image>Differences?"},
            {"role": "assistant", "content": "None.", "name": "x"}]}"#,
    );
    assert_eq!(paths(&record), ["pictures/1.png", "pictures/2.png"]);
    assert_eq!(record.unused, ["messages[].name"]);
    let question = [Part::Image(0), Part::Image(1), text("Differences?")];
    assert_eq!(record.conversation.turns[0], turn(Role::User, &question));
}

#[test]
fn messages_with_parts() {
    let record = read(
        r#"{"images": ["list.png"], "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": [
                {"type": "text", "text": "  First "},
                {"type": "image_url", "image_url": {"url": "1.png", "detail": "high"}},
                {"type": "image_url", "image_url": "data:image/gif;base64,R0lG"},
                {"type": "text", "text": "then"}, {"type": "text", "text": " <ImageHere>: "},
                {"type": "image"}, {"type": "image", "image": "2.png"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Yes. "}]}]}"#,
    );
    assert_eq!(paths(&record), ["pictures/1.png", "inline", "pictures/list.png", "pictures/2.png"]);
    assert_eq!(record.images[1], ImageFile::Inline(b"GIF".into()));
    let question = [
        text("First "),
        Part::Image(0),
        Part::Image(1),
        text("then <ImageHere>: "),
        Part::Image(2),
        Part::Image(3),
    ];
    assert_eq!(
        record.conversation.turns,
        [
            turn(Role::System, &[text("Be brief.")]),
            turn(Role::User, &question),
            turn(Role::Assistant, &[text("Yes.")]),
        ]
    );
}

#[test]
fn text_alone_and_images_without_places() {
    let record = read(
        r#"{"image": [], "conversations": [{"from": "system", "value": " "},
            {"from": "user", "value": "Hi"}, {"from": "assistant", "value": "Hello"}]}"#,
    );
    assert!(record.images.is_empty());
    let turns = [turn(Role::User, &[text("Hi")]), turn(Role::Assistant, &[text("Hello")])];
    assert_eq!(record.conversation.turns, turns);
    // As in inference: all images come before the first question, wherever the family puts them.
    let record = read(
        r#"{"images": ["1.png", "2.png"], "messages": [{"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Yes?"},
            {"role": "assistant", "content": "No."}]}"#,
    );
    let question = [Part::Unplaced(0), Part::Unplaced(1), text("Hi")];
    assert_eq!(record.conversation.turns[0], turn(Role::User, &question));
}

/// One dialogue in every format, as a file of it.
const SAME: [(&str, &str); 6] = [
    (
        "published.json",
        r#"[{"id": "x", "image": ["a.png", "b.png"], "conversations": [
            {"from": "user", "value": "<ImageHere>left, <ImageHere>right?"},
            {"from": "assistant", "value": "Same."}]}]"#,
    ),
    (
        "llava.json",
        r#"[{"id": "x", "image": ["a.png", "b.png"], "conversations": [
            {"from": "human", "value": "<image>left, <image>right?"},
            {"from": "gpt", "value": "Same."}]}]"#,
    ),
    (
        "sharegpt.jsonl",
        r#"{"id": "x", "images": ["a.png", "b.png"], "conversations": [{"from": "human", "value": "<image>left, <image>right?"}, {"from": "gpt", "value": "Same."}]}"#,
    ),
    (
        "messages.jsonl",
        r#"{"id": "x", "images": ["a.png", "b.png"], "messages": [{"role": "user", "content": "<image>left, <image>right?"}, {"role": "assistant", "content": "Same."}]}"#,
    ),
    (
        "parts.json",
        r#"[{"id": "x", "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "a.png"}}, {"type": "text", "text": "left, "},
            {"type": "image_url", "image_url": "b.png"}, {"type": "text", "text": "right?"}]},
            {"role": "assistant", "content": "Same."}]}]"#,
    ),
    (
        "mixed.json",
        r#"[{"id": "x", "image": ["a.png", "b.png"], "messages": [
            {"from": "user", "value": "<ImageHere>left, <ImageHere>right?"},
            {"role": "assistant", "content": "Same."}]}]"#,
    ),
];

#[test]
fn one_dialogue_in_every_format_is_one_sample() {
    let folder = Folder::new();
    let sources: Vec<_> = SAME.iter().map(|(name, file)| folder.write(name, file)).collect();
    let mut reader =
        Reader::new(&open(&sources), &preparation(100), stored(), Position::default()).unwrap();
    let mut first = None;
    for name in SAME.map(|(name, _)| name) {
        let batch = reader.next_batch().unwrap().unwrap_or_else(|| panic!("{:?}", reader.broken()));
        let sample = batch.samples.into_iter().next().unwrap();
        assert_eq!(sample.image_tokens, [4, 4]);
        assert_eq!(sample.positions, sample.targets().len());
        assert_eq!(sample.learned, sample.targets().iter().flatten().count());
        let shown = (sample.id, sample.prompt, sample.pixels, sample.positions, sample.learned);
        assert_eq!(&shown, first.get_or_insert(shown.clone()), "{name}");
    }
    assert!(reader.next_batch().unwrap().is_none());
    let seen = reader.summary().seen();
    assert_eq!((seen.samples, seen.images, seen.longest), (6, 12, first.unwrap().3));
}

#[test]
fn what_is_described_is_what_is_trained_on() {
    let folder = Folder::new();
    let source = folder.write(
        "data.json",
        r#"[{"id": "x", "image": "b.png", "conversations": [{"from": "system", "value": "Be brief."},
            {"from": "human", "value": "See <image>!</s>"}, {"from": "gpt", "value": "Ja \u732b"}]}]"#,
    );
    let mut reader =
        Reader::new(&open(&[source]), &preparation(100), stored(), Position::default()).unwrap();
    let sample = reader.next_batch().unwrap().unwrap().samples.remove(0);
    let shown = describe(&sample, &tokenizer()).unwrap();
    let runs: Vec<(String, bool)> = shown
        .runs
        .iter()
        .map(|run| match run {
            Run::Text { text, learned, .. } => (text.clone(), *learned),
            Run::Image { name, width, height, positions, labels } => {
                assert_eq!((*width, *height, *positions), (28, 28, 4));
                assert!(labels.is_empty());
                assert!(name.ends_with("b.png"), "{name}");
                ("image".into(), false)
            }
        })
        .collect();
    let expected = [
        (
            "<s>[UNUSED_TOKEN_146]system\nBe brief.[UNUSED_TOKEN_145]\n[UNUSED_TOKEN_146]user\nSee ",
            false,
        ),
        ("image", false),
        ("!</s>[UNUSED_TOKEN_145]\n[UNUSED_TOKEN_146]assistant\n", false),
        ("Ja \u{732b}[UNUSED_TOKEN_145]\n</s>", true),
    ];
    assert_eq!(runs, expected.map(|(text, learned)| (text.to_owned(), learned)));
    assert_eq!((shown.id.as_deref(), shown.index), (Some("x"), 0));
    assert_eq!((shown.positions, shown.learned), (sample.positions, sample.learned));
    // The typed `</s>` is text: only the layout's own one is the id 2.
    let ids = |segment: &Segment| match segment {
        Segment::Text { ids, .. } => ids.iter().filter(|&&id| id == 2).count(),
        Segment::Image { .. } => 0,
    };
    assert_eq!(sample.prompt.segments.iter().map(ids).sum::<usize>(), 1);
}

#[test]
fn labels_are_first_pieces_at_their_rows() {
    let folder = Folder::new();
    let source = folder.write(
        "data.json",
        r#"[{"image": ["b.png", "a.png"], "image_labels": [["horse", "", "\u9a6c", " red "], ["", "", "", "sky"]],
            "conversations": [{"from": "user", "value": "<ImageHere>, <ImageHere>?"},
            {"from": "assistant", "value": "Yes."}]},
            {"image": "b.png", "image_labels": [["sky", "", "", "sky"]], "conversations": [
            {"from": "user", "value": "Draw."}, {"from": "assistant", "value": "<ImageHere>So."}]},
            {"image": "b.png", "image_labels": [], "conversations": [
            {"from": "user", "value": "What?"}, {"from": "assistant", "value": "It."}]}]"#,
    );
    let mut reader =
        Reader::new(&open(&[source]), &preparation(100), stored(), Position::default()).unwrap();
    let mut next = || reader.next_batch().unwrap().unwrap().samples.remove(0);
    let piece = |piece: &str| Some(tokenizer().id(piece).unwrap());
    let (horse, red, sky) = (piece("\u{2581}horse"), piece("\u{2581}red"), piece("\u{2581}sky"));
    let chinese = Some(tokenizer().encode("\u{9a6c}", Markers::Literal)[0]);
    let sample = next();
    assert_eq!(sample.labels, [vec![horse, None, chinese, red], vec![None, None, None, sky]]);
    let targets = sample.targets();
    let at = targets.iter().position(|target| *target == horse).unwrap();
    assert_eq!(targets[at..at + 4], [horse, None, chinese, red]);
    assert!(targets[..at].iter().all(Option::is_none));
    assert_eq!(sample.learned, targets.iter().flatten().count());
    let words = |segment: &Segment| match segment {
        Segment::Text { ids, learned: true } => ids.len(),
        _ => 0,
    };
    let words: usize = sample.prompt.segments.iter().map(words).sum();
    assert_eq!(sample.learned, words + 4);
    let shown = describe(&sample, &tokenizer()).unwrap();
    let labels = shown.runs.iter().find_map(|run| match run {
        Run::Image { labels, .. } => Some(labels),
        Run::Text { .. } => None,
    });
    assert_eq!(labels.unwrap(), &[" horse", "", "\u{9a6c}", " red"]);
    // The last row is asked for the word behind the image.
    assert_eq!(next().labels, [vec![sky, None, None, None]]);
    assert!(next().labels.is_empty());
}

#[test]
fn each_family_prepares_pictures_as_in_inference() {
    let folder = Folder::new();
    let source = folder.write(
        "data.json",
        r#"[{"image": "b.png", "conversations": [
            {"from": "user", "value": "What?"}, {"from": "assistant", "value": "It."}]},
            {"image": ["b.png", "c.gif"], "conversations": [
            {"from": "user", "value": "What?"}, {"from": "assistant", "value": "It."}]}]"#,
    );
    let dataset = open(&[source]);
    let samples = |preparation: &Preparation| {
        let mut reader = Reader::new(&dataset, preparation, stored(), Position::default()).unwrap();
        [(); 2].map(|()| reader.next_batch().unwrap().unwrap().samples.remove(0))
    };
    let of = |family, geometry| {
        Preparation::new(tokenizer(), &config(family, Some(geometry)), 4096).unwrap()
    };
    let [one, two] = samples(&of(Family::Vl, SMALL));
    assert_eq!((&one.image_tokens[..], &two.image_tokens[..]), (&[4][..], &[4, 4][..]));
    // `<s>` and the role come before the image.
    assert!(matches!(one.prompt.segments[0], Segment::Text { .. }));
    // Nearly square, on tiles of 56: 3×3 of nine. Two pictures may have six tiles each, the published
    // number for several: 2×2.
    let [one, two] = samples(&of(Family::V25, TILES));
    assert_eq!(one.image_tokens[0], 4 * (9 + 1) + 1 + 2 * 4);
    assert_eq!(two.image_tokens[0], 4 * (4 + 1) + 1 + 2 * 3);
    // A lone image without a place goes to the very beginning, behind `<s>`.
    let bos = Segment::Text { ids: vec![1], learned: false };
    assert_eq!(one.prompt.segments[..2], [bos, Segment::Image { index: 0 }]);
    let [one, _] = samples(&of(Family::V25, TILES).with_tiles_max(Some(1)));
    assert_eq!(one.image_tokens[0], 4 * (1 + 1) + 1 + 2 * 2);
}

#[test]
fn a_list_file_draws_thousands_or_ratios() {
    let folder = Folder::new();
    folder.numbered("a b.json", 4);
    folder.numbered("c.json", 10);
    let list = "a b.json 0.006\n\n  c.json\t0.003  \nc.json\n";
    let source = folder.write("data.txt", list);
    let drawn = |numbers| {
        let dataset = Dataset::open(std::slice::from_ref(&source), numbers).unwrap();
        dataset.identity().files.iter().map(|file| file.drawn).collect::<Vec<_>>()
    };
    assert_eq!(drawn(ListNumbers::Thousands), [6, 3, 10]);
    let error = Dataset::open(std::slice::from_ref(&source), ListNumbers::Ratio).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("1 to") && message.contains("a ratio of 0.006 of 4"), "{message}");
    folder.write("data.txt", "\u{feff}a b.json 1.5\nc.json .25");
    assert_eq!(drawn(ListNumbers::Ratio), [6, 3]);

    let mut reader =
        Reader::new(&open(&[source]), &preparation(100), options(BATCH, 1), Position::default());
    let (order, _) = drain(reader.as_mut().unwrap());
    let of_first = order.iter().filter(|(file, _)| *file == 0).count();
    assert_eq!((of_first, order.len()), (1500, 1500 + 250));
    let share = Share::Count(3);
    let error = Dataset::open(
        &[ixc_train::data::Source { share, ..folder.write("data.txt", "c.json 1") }],
        ListNumbers::Ratio,
    );
    assert!(error.unwrap_err().to_string().contains("give no count or ratio for it"));
}

const BATCH: ixc_train::data::BatchSize = ixc_train::data::BatchSize::Samples(64);

#[test]
fn the_examples_of_the_documentation_are_true() {
    let path = ixc_goldens::fixtures().join("../docs/training.md");
    let text = std::fs::read_to_string(path).unwrap();
    let folder = Folder::new();
    let (mut files, mut samples) = (0, 0);
    for block in text.split("\n```json").skip(1) {
        let (kind, rest) = block.split_once('\n').unwrap();
        let example = rest.split("\n```").next().unwrap();
        let source = folder.write(&format!("{files}.json{kind}"), example);
        let dataset = open(&[source]);
        let texts: Vec<String> = match kind {
            "" => {
                let list: Vec<serde_json::Value> = serde_json::from_str(example).unwrap();
                list.iter().map(ToString::to_string).collect()
            }
            _ => example.lines().map(str::to_owned).collect(),
        };
        assert_eq!(dataset.samples_per_epoch(), texts.len() as u64);
        texts.iter().for_each(|text| assert_eq!(read(text).unused, [""; 0]));
        (files, samples) = (files + 1, samples + texts.len());
    }
    assert_eq!((files, samples), (6, 7));
}
