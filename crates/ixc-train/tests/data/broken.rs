//! Broken samples, each kind with its exact message: where, what was expected, what was found.

use std::collections::BTreeMap;

use ixc_model::Family;
use ixc_train::data::{
    BatchSize, Dataset, FaultKind, ListNumbers, Options, Position, Preparation, Reader, Source,
};

use crate::support::{Folder, SMALL, TILES, config, open, options, preparation, stored, tokenizer};

/// Every sample is broken but the last, in the file's order: the kinds, and what is said of each, without
/// the file's name.
fn faults(
    folder: &Folder,
    samples: &[&str],
    preparation: &Preparation,
) -> Vec<(FaultKind, String)> {
    let sound = r#"{"messages": [{"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "Hello"}]}"#;
    let mut lines: Vec<String> = samples.iter().map(|sample| sample.replace('\n', " ")).collect();
    lines.push(sound.replace('\n', " "));
    let source = folder.write("data.jsonl", lines.join("\n"));
    let file = source.path.display().to_string();
    let mut reader =
        Reader::new(&open(&[source]), preparation, stored(), Position::default()).unwrap();
    let batch = reader.next_batch().unwrap().unwrap();
    assert_eq!(batch.samples[0].index, samples.len() as u64, "{:?}", reader.broken());
    assert_eq!(reader.broken().len(), samples.len());
    let mut said = Vec::new();
    for (index, broken) in reader.broken().iter().enumerate() {
        assert_eq!((broken.index, broken.file.display().to_string()), (index as u64, file.clone()));
        let (message, fault) = (broken.to_string(), broken.fault.to_string());
        let id = broken.id.as_ref().map(|id| format!(", id {id:?}")).unwrap_or_default();
        assert_eq!(message, format!("{file}, sample {index} (counted from 0{id}): {fault}"));
        let folder = format!("{}/", folder.path("").display()).replace("//", "/");
        said.push((broken.fault.kind(), fault.replace(&folder, "")));
    }
    let counted: u64 = reader.summary().broken().values().sum();
    assert_eq!(counted, samples.len() as u64);
    said
}

fn check(samples: &[(&str, FaultKind, &str)], preparation: &Preparation) {
    let folder = Folder::new();
    let texts: Vec<&str> = samples.iter().map(|(sample, ..)| *sample).collect();
    let said = faults(&folder, &texts, preparation);
    for ((sample, kind, expected), found) in samples.iter().zip(said) {
        assert_eq!(found, (*kind, (*expected).to_owned()), "{sample}");
    }
}

#[test]
fn what_is_no_sample() {
    use FaultKind::{Format, Json, Key};
    check(
        &[
            (
                r#"{"id": 1, "conversations"}"#,
                Json,
                "expected a sample as JSON, found something else: expected `:` at line 1 column 26",
            ),
            ("7", Format, "the sample: expected an object, found a number"),
            (
                "{}",
                Format,
                "expected `conversations` (published form, LLaVA, ShareGPT) or `messages` (OpenAI), found the keys of an empty object",
            ),
            (
                r#"{"instruction": "Hi", "output": "Hello"}"#,
                Format,
                "expected `conversations` (published form, LLaVA, ShareGPT) or `messages` (OpenAI), found the keys `instruction`, `output`",
            ),
            (
                r#"{"messages": [], "conversations": []}"#,
                Format,
                "expected one of `conversations` and `messages`, found the keys `conversations`, `messages`",
            ),
            (r#"{"messages": "Hi"}"#, Format, "messages: expected a list of turns, found a text"),
            (
                r#"{"messages": ["Hi"]}"#,
                Format,
                "messages[0]: expected a turn as an object, found a text",
            ),
            (
                r#"{"messages": [{"role": "user", "text": "Hi"}]}"#,
                Format,
                "expected each turn as `from` and `value`, or `role` and `content`, found the keys `role`, `text`",
            ),
            (
                r#"{"messages": [{"role": 1, "content": "Hi"}]}"#,
                Format,
                "messages[0].role: expected who speaks, as a text, found a number",
            ),
            (
                r#"{"messages": [{"role": "user", "content": null}]}"#,
                Format,
                "messages[0].content: expected a text (or, as content, parts), found null",
            ),
            (
                r#"{"conversations": [{"from": "human", "value": ["Hi"]}]}"#,
                Format,
                "conversations[0].value: expected a text (or, as content, parts), found a list",
            ),
            (
                r#"{"messages": [{"role": "user", "content": ["Hi"]}]}"#,
                Format,
                "messages[0].content[0]: expected a part as an object, found a text",
            ),
            (
                r#"{"messages": [{"role": "user", "content": [{"type": "text"}]}]}"#,
                Format,
                "messages[0].content[0].text: expected a text, found null",
            ),
            (
                r#"{"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}"#,
                Key,
                "messages[0].content[0]: expected a part of the type text, image_url or image, found \"video_url\"",
            ),
            (
                r#"{"image": "a.png", "images": ["b.png"], "messages": []}"#,
                Format,
                "expected one of `image` and `images`, found the keys `image`, `images`, `messages`",
            ),
            (
                r#"{"image": ["a.png", " "], "messages": []}"#,
                Format,
                "image[1]: expected an image's path or data: URL, found an empty text",
            ),
            (
                r#"{"videos": ["a.mp4"], "messages": []}"#,
                Key,
                "the sample: the key `videos` changes what is said or learned, and is not understood here; only texts and images are trained on: leave the sample out",
            ),
            (
                r#"{"messages": [{"role": "assistant", "content": "", "tool_calls": [{}]}]}"#,
                Key,
                "messages[0]: the key `tool_calls` changes what is said or learned, and is not understood here; the layout has no tools: write them into the text, or leave the sample out",
            ),
            (
                r#"{"messages": [{"role": "assistant", "content": "x", "weight": 0}]}"#,
                Key,
                "messages[0]: the key `weight` changes what is said or learned, and is not understood here; every answer is learned alike: leave out the turns that should not be",
            ),
        ],
        &preparation(100),
    );
}

#[test]
fn turns_out_of_order_and_answers_without_words() {
    use FaultKind::{Answer, Turns};
    check(
        &[
            (
                r#"{"conversations": []}"#,
                Answer,
                "expected at least one turn of the assistant to learn from, found none in 0 turn(s)",
            ),
            (
                r#"{"conversations": [{"from": "human", "value": "Hi"}]}"#,
                Answer,
                "expected at least one turn of the assistant to learn from, found none in 1 turn(s)",
            ),
            (
                r#"{"id": "seven", "conversations": [{"from": "tool", "value": "Hi"}]}"#,
                Turns,
                "turn 0 (counted from 0): expected a turn of user (or human), assistant (or gpt, bot) or system, found \"tool\"",
            ),
            (
                r#"{"conversations": [{"from": "gpt", "value": "Hi"}]}"#,
                Turns,
                "turn 0 (counted from 0): expected a turn of user (or human), found a turn of assistant (or gpt, bot)",
            ),
            (
                r#"{"conversations": [{"from": "system", "value": "Hi"}, {"from": "gpt", "value": "Hi"}]}"#,
                Turns,
                "turn 1 (counted from 0): expected a turn of user (or human), found a turn of assistant (or gpt, bot)",
            ),
            (
                r#"{"conversations": [{"from": "human", "value": "Hi"}, {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hi"}]}"#,
                Turns,
                "turn 1 (counted from 0): expected a turn of assistant (or gpt, bot), found a turn of user (or human)",
            ),
            (
                r#"{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hi"}, {"from": "system", "value": "Hi"}]}"#,
                Turns,
                "turn 2 (counted from 0): expected a turn of user (or human), found a turn of system",
            ),
            (
                r#"{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hi"}, {"from": "human", "value": "Hi"}]}"#,
                Turns,
                "turn 3 (counted from 0): expected an answer to the last question, found the end of the conversation",
            ),
            (
                r#"{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": " \n"}]}"#,
                Answer,
                "turn 1 (counted from 0): expected an answer to learn from, found one without a word",
            ),
            (
                r#"{"image": "a.png", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "<image>"}]}"#,
                Answer,
                "turn 1 (counted from 0): expected an answer to learn from, found one without a word",
            ),
        ],
        &preparation(100),
    );
}

#[test]
fn images_and_places_that_differ() {
    use FaultKind::Markers;
    let rule = "; write one per image, or none at all to put all images before the first question";
    let expected = [
        "expected a `<ImageHere>` for each image, found 2 of them and 1 image(s)",
        "expected a `<ImageHere>` for each image, found 1 of them and 2 image(s)",
        "expected a `<image>` for each image, found 1 of them and 0 image(s)",
        "expected a `<ImageHere>` for each image, found 1 of them and 2 image(s)",
    ]
    .map(|message| format!("{message}{rule}"));
    let conversations = |image: &str, text: &str| {
        format!(
            r#"{{"image": {image}, "conversations": [{{"from": "user", "value": "{text}"}},
                {{"from": "assistant", "value": "Yes."}}]}}"#
        )
    };
    let samples = [
        conversations(r#"["a.png"]"#, "<ImageHere><ImageHere>?"),
        conversations(r#"["a.png", "b.png"]"#, "<ImageHere>?"),
        conversations("null", "<image>?"),
        // Whoever writes `<ImageHere>` means it: `<image>` is a word then.
        conversations(r#"["a.png", "b.png"]"#, "<ImageHere> <image>?"),
    ];
    let cases: Vec<(&str, FaultKind, &str)> =
        samples.iter().zip(&expected).map(|(s, e)| (s.as_str(), Markers, e.as_str())).collect();
    check(&cases, &preparation(100));
    check(
        &[(
            r#"{"images": ["a.png", "b.png"], "messages": [{"role": "user", "content": [
                {"type": "image"}, {"type": "image", "path": "c.gif"}]},
                {"role": "assistant", "content": "Yes."}]}"#,
            Markers,
            "expected an image in the sample's list for each image part without one, found 1 such part(s) \
             and 2 image(s) in the list",
        )],
        &preparation(100),
    );
}

#[test]
fn labels_that_do_not_fit() {
    use FaultKind::{Format, Labels};
    let labelled =
        |labels: &str| about("a.png").replacen('{', &format!(r#"{{"image_labels": {labels}, "#), 1);
    let samples = [r#"[["a"], ["b"]]"#, r#"[["a", "b", "c"]]"#, r#"[["a", 1, "", ""]]"#, r#""a""#]
        .map(labelled);
    let expected = [
        (
            Labels,
            "image_labels: expected a list of words for each image, found 2 list(s) and 1 image(s)",
        ),
        (
            Labels,
            "image_labels[0]: expected a word, or \"\", for each of the 4 rows that the model makes of an image, row \
             by row; found 3",
        ),
        (Format, "image_labels[0][1]: expected a word or \"\", found a number"),
        (Format, "image_labels: expected a list for each image, found a text"),
    ];
    let cases: Vec<(&str, FaultKind, &str)> = samples
        .iter()
        .zip(expected)
        .map(|(sample, (kind, says))| (sample.as_str(), kind, says))
        .collect();
    check(&cases, &preparation(100));
    let tiles = Preparation::new(tokenizer(), &config(Family::V25, Some(TILES)), 4096).unwrap();
    let says = "image_labels: expected a model that sees an image as one square, found one that cuts it into tiles; \
                leave the key out";
    check(&[(&labelled(r#"[["a", "b", "c", "d"]]"#), Labels, says)], &tiles);
}

/// A sample about one image.
fn about(image: &str) -> String {
    format!(
        r#"{{"image": "{image}", "conversations": [{{"from": "human", "value": "<image>?"}},
            {{"from": "gpt", "value": "Yes."}}]}}"#
    )
}

#[test]
fn images_that_cannot_be_used() {
    use FaultKind::{ImageMissing, ImageUnreadable};
    let folder = Folder::new();
    std::fs::create_dir(folder.path("folder.png")).unwrap();
    std::fs::write(folder.path("empty.png"), "").unwrap();
    std::fs::write(folder.path("text.png"), "not a picture at all").unwrap();
    let whole = std::fs::read(folder.path("b.png")).unwrap();
    std::fs::write(folder.path("cut.png"), &whole[..whole.len() / 2]).unwrap();
    let samples = [
        "no/such.png",
        "https://example.org/a.png",
        "file:///a.png",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,%%",
        "folder.png",
        "empty.png",
        "text.png",
        "cut.png",
    ]
    .map(about);
    let texts: Vec<&str> = samples.iter().map(String::as_str).collect();
    let said = faults(&folder, &texts, &preparation(100));
    let fetched = "; nothing is fetched while training: download it first";
    let expected = [
        (ImageMissing, "expected the image no/such.png, found no such file; relative paths are read from the folder given for images, by default the data file's own".to_owned()),
        (ImageMissing, format!("expected the image as a path or a data: URL, found \"https://example.org/a.png\"{fetched}").replace("the image as", "an image as")),
        (ImageMissing, format!("expected an image as a path or a data: URL, found \"file:///a.png\"{fetched}")),
        (ImageUnreadable, "the image 0 (counted from 0, written into the sample): not a picture: expected PNG, JPEG, WebP, GIF, BMP or TIFF, found bytes that start like none of them; is it the right file?".into()),
        (ImageUnreadable, "the image at image: the data: URL holds `%` at 0 of its data, which is not Base64 there; expected `data:image/png;base64,` and the file in Base64".into()),
        (ImageUnreadable, "the image folder.png: expected a picture file, found a folder".into()),
        (ImageUnreadable, "the image empty.png: the picture file is empty; expected PNG, JPEG, WebP, GIF, BMP or TIFF".into()),
        (ImageUnreadable, "the image text.png: not a picture: expected PNG, JPEG, WebP, GIF, BMP or TIFF, found bytes that start like none of them; is it the right file?".into()),
        (ImageUnreadable, "the image cut.png: the PNG file ends before its picture does: it was cut off; copy or download it again".into()),
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_sample_longer_than_the_context_is_never_cut() {
    let folder = Folder::new();
    let words = "word ".repeat(50);
    let text = format!(
        r#"{{"messages": [{{"role": "user", "content": "?"}}, {{"role": "assistant", "content": "{words}"}}]}}"#
    );
    let image = about("a.png");
    let said = |texts: &[&str], preparation: &Preparation| {
        let said = faults(&folder, texts, preparation).into_iter();
        said.map(|(kind, message)| {
            assert_eq!(kind, FaultKind::TooLong);
            message
        })
        .collect::<Vec<_>>()
    };
    let hint = "; shorten it, use fewer images, or raise the context";
    let length = |sample: &str| {
        let source = folder.write("one.jsonl", sample.replace('\n', " "));
        let mut reader =
            Reader::new(&open(&[source]), &preparation(4096), stored(), Position::default())
                .unwrap();
        reader.next_batch().unwrap().unwrap().positions()
    };
    let (text_length, image_length) = (length(&text), length(&image));
    let context = image_length - 1;
    let expected = [text_length, image_length]
        .map(|found| format!("expected at most {context} positions, found {found}{hint}"));
    assert_eq!(said(&[&text, &image], &preparation(context)), expected);
    // Exactly as long as the context is not too long.
    let source = folder.write("one.jsonl", image.replace('\n', " "));
    let exact = preparation(image_length);
    assert!(
        Reader::new(&open(&[source]), &exact, stored(), Position::default())
            .unwrap()
            .next_batch()
            .unwrap()
            .is_some()
    );
    // Tiles are only known once a picture is open; the rest need not be.
    let tiles = Preparation::new(tokenizer(), &config(Family::FourKHd, Some(TILES)), 40).unwrap();
    let many = r#"{"images": ["b.png", "b.png", "no.png"], "messages": [
        {"role": "user", "content": "?"}, {"role": "assistant", "content": "Yes."}]}"#;
    let [message] = &said(&[many], &tiles)[..] else { panic!() };
    assert!(message.starts_with("expected at most 40 positions, found at least "), "{message}");
}

#[test]
fn images_for_a_model_without_eyes() {
    let blind = Preparation::new(tokenizer(), &config(Family::Language, None), 100).unwrap();
    let folder = Folder::new();
    let said = faults(&folder, &[&about("a.png")], &blind);
    let expected = "expected text alone, since the model has no vision tower; found 1 image(s)";
    assert_eq!(said, [(FaultKind::ImageUnreadable, expected.to_owned())]);
}

#[test]
fn a_dataset_from_which_nothing_would_be_learned_is_refused() {
    let folder = Folder::new();
    let lines = [about("x.png"), about("y.png"), r#"{"id": 3, "messages": []}"#.into()];
    let lines = lines.map(|line| line.replace('\n', " ")).join("\n");
    let dataset = open(&[folder.write("data.jsonl", lines)]);
    for options in [stored(), Options { epochs: None, ..options(BatchSize::Samples(2), 1) }] {
        let mut reader =
            Reader::new(&dataset, &preparation(100), options, Position::default()).unwrap();
        let message = reader.next_batch().unwrap_err().to_string();
        let expected = "nothing would be learned: all 3 samples of an epoch are broken (no answer: 1, image \
                        missing: 2); the first: ";
        assert!(message.starts_with(expected), "{message}");
        assert!(message.contains("data.jsonl, sample "), "{message}");
        assert!(reader.next_batch().unwrap().is_none());
    }
}

#[test]
fn a_summary_counts_by_file_and_kind() {
    let folder = Folder::new();
    let lines = [
        about("x.png"),
        about("y.png"),
        about("a.png"),
        r#"{"source": "web", "score": 1, "messages": [{"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"}]}"#
            .into(),
    ];
    let lines = lines.map(|line| line.replace('\n', " ")).join("\n");
    let sources = [folder.write("data.jsonl", lines), folder.numbered("good.jsonl", 2)];
    let mut reader =
        Reader::new(&open(&sources), &preparation(100), stored(), Position::default()).unwrap();
    let (mut positions, mut learned) = (0, 0);
    while let Some(batch) = reader.next_batch().unwrap() {
        positions += batch.positions();
        learned += batch.learned();
    }
    let summary = reader.summary();
    let [bad, good] = &summary.files[..] else { panic!("{summary:?}") };
    assert_eq!((bad.seen.samples, bad.seen.images, good.seen.samples), (2, 1, 2));
    let (count, first) = &bad.broken[&FaultKind::ImageMissing];
    assert_eq!((*count, bad.broken.len(), good.broken.len()), (2, 1, 0));
    assert!(first.contains("data.jsonl, sample 0 (counted from 0): expected the image"), "{first}");
    assert_eq!(bad.unused.iter().collect::<Vec<_>>(), ["score", "source"]);
    assert_eq!(summary.broken(), BTreeMap::from([(FaultKind::ImageMissing, 2)]));
    let seen = summary.seen();
    assert_eq!((seen.positions, seen.learned), (positions as u64, learned as u64));
}

#[test]
fn files_that_are_no_data() {
    let folder = Folder::new();
    let message = |source: Source| {
        let error = Dataset::open(&[source], ListNumbers::Thousands).unwrap_err().to_string();
        error.replace(&format!("{}/", folder.path("x").parent().unwrap().display()), "")
    };
    let said = |name: &str, content: &[u8]| message(folder.write(name, content));
    let list = "expected a JSON list of samples, JSON Lines, or a list of data files with a `path number` \
                a line";
    assert_eq!(
        said("x.json", b"[{}, {}"),
        "x.json, byte 5: expected the end of sample 1 (counted from 0), which begins here, found the file's end: it was cut off, or a bracket or quote is missing in this sample"
    );
    assert_eq!(said("x.json", b"[{},, {}]"), "x.json, byte 4: expected a sample, found `,`");
    assert_eq!(
        said("x.json", b"{\n\"id\": 1,\n\"messages\": []\n}"),
        "x.json, byte 0: expected one whole sample a line, or a list of samples in [ ], found one sample over several lines"
    );
    for empty in ["", "[ ]"] {
        assert_eq!(
            said("x.json", empty.as_bytes()),
            "x.json: expected samples, found none; a data file is a JSON list of them, or one a line"
        );
    }
    assert_eq!(
        said("x.txt", b"\n no.json 3\n"),
        format!(
            "x.txt, line 2: {list}; found \"no.json 3\": No such file or directory (os error 2)"
        )
    );
    assert_eq!(
        said("x.txt", b"a.png\n\xff\xfe"),
        format!("x.txt, line 2: {list}; found bytes that are not UTF-8")
    );
    assert_eq!(said("x.txt", b" \n"), format!("x.txt, line 1: {list}; found nothing"));
    folder.write("y.txt", "a.png 1");
    assert_eq!(
        said("x.txt", b"y.txt 1"),
        "x.txt, line 1: expected a JSON list of samples or JSON Lines, found a file that begins like neither: y.txt"
    );
    let named =
        |name: &str| message(Source { path: folder.path(name), ..folder.write("z", "[{}]") });
    assert_eq!(
        named("no.json"),
        "cannot read the data file no.json: No such file or directory (os error 2)"
    );
    std::fs::create_dir(folder.path("f")).unwrap();
    assert_eq!(
        named("f"),
        "cannot read f as data: expected a file, found a folder; name a JSON file, a JSON Lines file or a list of them"
    );
    let large = vec![b'x'; (4 << 20) + 1];
    assert!(said("x.txt", &large).contains("has 4194305 bytes, the limit is 4194304"));
}

#[test]
fn a_tokenizer_without_the_layouts_pieces_is_refused_at_once() {
    let mut model = crate::words::Model::small();
    let at = model.position("[UNUSED_TOKEN_146]");
    model.pieces.remove(at);
    let tokenizer = std::sync::Arc::new(model.tokenizer());
    let error = Preparation::new(tokenizer, &config(Family::Vl, Some(SMALL)), 100).unwrap_err();
    assert!(error.to_string().contains("no piece `[UNUSED_TOKEN_146]`"));
}
