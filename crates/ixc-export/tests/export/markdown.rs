//! Markdown read back by a CommonMark reader is the same blocks.

use std::fs;

use ixc_export::{Block, Credit, Document, Format, Options, write};
use pulldown_cmark::{Event, HeadingLevel, Options as Extensions, Parser, Tag, TagEnd};

use crate::samples::{self, article};

/// What a reader sees.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Heading(u8, String),
    Text(String),
    Picture { alternative: String, address: String },
    Rule,
    Item(String),
}

/// The blocks of a CommonMark text; with the extensions that many programs have switched on.
fn read(text: &str, extensions: Extensions) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut words = String::new();
    let mut picture = None;
    let mut in_item = false;
    for event in Parser::new_ext(text, extensions) {
        match event {
            Event::Start(Tag::Paragraph | Tag::Emphasis | Tag::Item | Tag::List(None)) => {
                in_item |= matches!(event, Event::Start(Tag::Item));
            }
            Event::Start(Tag::Heading { .. }) => words.clear(),
            Event::Start(Tag::Image { dest_url, .. }) => picture = Some(dest_url.to_string()),
            Event::Start(Tag::Link { dest_url, .. }) => {
                assert!(dest_url.starts_with("http"), "a link to {dest_url}");
            }
            Event::End(TagEnd::Image) => seen.push(Seen::Picture {
                alternative: std::mem::take(&mut words),
                address: picture.take().unwrap(),
            }),
            Event::End(TagEnd::Heading(level)) => {
                let level = if level == HeadingLevel::H1 { 1 } else { 2 };
                seen.push(Seen::Heading(level, std::mem::take(&mut words)));
            }
            Event::End(TagEnd::Paragraph) if !words.is_empty() => {
                seen.push(Seen::Text(std::mem::take(&mut words)));
            }
            Event::End(TagEnd::Item) => {
                seen.push(Seen::Item(std::mem::take(&mut words)));
                in_item = false;
            }
            Event::End(_) => {}
            Event::Text(text) => words.push_str(&text),
            Event::HardBreak => words.push('\n'),
            Event::Rule => seen.push(Seen::Rule),
            other => panic!("found {other:?} in\n{text}"),
        }
    }
    assert!(!in_item && picture.is_none());
    seen
}

/// Text as it must come back; the twin of the export's own cleaning, for what the samples hold.
fn lines(text: &str) -> Vec<String> {
    let shown = |character: char| match character {
        '\t' => ' ',
        '\u{ffff}' => '\u{fffd}',
        '\n' => '\n',
        other if other < ' ' || other == '\u{7f}' => '\u{fffd}',
        other => other,
    };
    let text: String = text.replace("\r\n", "\n").chars().map(shown).collect();
    let trimmed: Vec<&str> = text.lines().map(str::trim).collect();
    trimmed.join("\n").split("\n\n").map(str::to_owned).collect()
}

fn line(text: &str) -> String {
    lines(text).join("\n").replace('\n', " ")
}

/// The blocks that a document must come back as, up to the list of credits.
fn expected(document: &Document) -> Vec<Seen> {
    let mut expected = vec![Seen::Heading(1, line(&document.title))];
    expected.extend(document.author.as_ref().map(|author| Seen::Text(line(author))));
    for block in &document.blocks {
        match block {
            Block::Heading(text) => expected.push(Seen::Heading(2, line(text))),
            Block::Paragraph(text) => expected.extend(lines(text).into_iter().map(Seen::Text)),
            Block::Picture(picture) => {
                let alternative = [&picture.alternative, &picture.caption];
                let alternative = alternative.into_iter().find(|text| !text.is_empty());
                let alternative = alternative.map_or(String::new(), |text| line(text));
                expected.push(Seen::Picture { alternative, address: String::new() });
                let mut below = Vec::new();
                if !picture.caption.is_empty() {
                    below.push(line(&picture.caption));
                }
                let credit = picture.credit.clone().unwrap_or_default();
                let credit: Vec<String> =
                    [credit.author, credit.licence].into_iter().flatten().collect();
                if !credit.is_empty() {
                    below.push(credit.join(" · "));
                }
                if let Some(by) = &picture.generated {
                    let chinese = document.language.starts_with("zh");
                    let mark = match document.language.as_str() {
                        "zh-TW" => "生成的圖片：",
                        _ if chinese => "生成的图片：",
                        _ => "Generated picture: ",
                    };
                    below.push(format!("{mark}{}", line(by)));
                }
                if !below.is_empty() {
                    expected.push(Seen::Text(below.join("\n")));
                }
            }
        }
    }
    expected
}

#[test]
fn text_reads_back_as_the_same_blocks() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..samples::TEXTS.len() {
        let document = article(number, 8);
        let to = folder.path().join(format!("article {number}"));
        let written = write(&document, Format::Markdown, &to, &Options::default()).unwrap();
        assert_eq!(written.path, to.join("article.md"));
        let text = fs::read_to_string(&written.path).unwrap();
        for extensions in
            [Extensions::empty(), Extensions::all() - Extensions::ENABLE_SMART_PUNCTUATION]
        {
            let mut seen = read(&text, extensions);
            for block in &mut seen {
                if let Seen::Picture { address, alternative } = block {
                    assert!(to.join(&*address).is_file(), "no {address}");
                    address.clear();
                    if alternative.starts_with("Picture ") || alternative.starts_with("图片 ") {
                        alternative.clear();
                    }
                }
            }
            let wanted = expected(&document);
            for (seen, wanted) in seen.iter().zip(&wanted) {
                assert_eq!(seen, wanted, "article {number}");
            }
            assert_eq!(seen[wanted.len()], Seen::Rule);
            assert!(matches!(&seen[wanted.len() + 1], Seen::Heading(2, _)));
            let credited = |block: &&Block| matches!(block, Block::Picture(picture) if picture.credit.is_some() || picture.generated.is_some());
            let credited = document.blocks.iter().filter(credited).count();
            let items = &seen[wanted.len() + 2..];
            assert_eq!(items.len(), credited);
            assert!(items.iter().all(|item| matches!(item, Seen::Item(_))));
        }
    }
}

#[test]
fn a_file_has_its_pictures_beside_it_and_forgets_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("an evening.md");
    let assets = folder.path().join("an evening.assets");
    let picture =
        |number| Block::Picture(samples::picture(samples::drawing(number, 20, 10), "one"));
    let first = samples::document("T", "en", vec![picture(1), picture(2), picture(1)]);
    let written = write(&first, Format::Markdown, &to, &Options::default()).unwrap();
    assert_eq!((written.pictures, fs::read_dir(&assets).unwrap().count()), (2, 2));
    let text = fs::read_to_string(&to).unwrap();
    assert!(text.contains("](an%20evening.assets/01-"), "{text}");

    fs::write(assets.join("mine.jpg"), "a user's own").unwrap();
    let second = samples::document("T", "en", vec![picture(3)]);
    let options = Options { overwrite: true, ..Options::default() };
    write(&second, Format::Markdown, &to, &options).unwrap();
    let mut names: Vec<String> = fs::read_dir(&assets)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 2);
    assert!(names[0].starts_with("01-") && names[1] == "mine.jpg", "{names:?}");
}

/// Lines of nothing but what could be markup.
#[test]
fn any_punctuation_reads_back() {
    const SIGNS: &[char] = &[
        ' ', ' ', '\\', '`', '*', '_', '{', '}', '[', ']', '<', '>', '#', '+', '-', '.', '!', '|',
        '~', '&', '$', ':', '=', '^', '%', '(', ')', '\'', '"', '/', '1', '7', 'a', 'x', 'b', ';',
        '@', '中', '\n',
    ];
    let rounds = ixc_goldens::fuzz_rounds(40);
    let mut state = 0x9e37_79b9_u32;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("a.md");
    let options = Options { overwrite: true, ..Options::default() };
    for round in 0..rounds {
        let mut text = || (0..1 + next(30)).map(|_| SIGNS[next(SIGNS.len())]).collect::<String>();
        let paragraphs: Vec<String> =
            (0..60).map(|_| text()).filter(|text| !text.trim().is_empty()).collect();
        let mut blocks = vec![Block::Heading("-".to_owned())];
        for paragraph in &paragraphs {
            let heading: String = paragraph.replace('\n', " ");
            blocks.push(Block::Heading(heading));
            blocks.push(Block::Paragraph(paragraph.clone()));
        }
        write(&samples::document("T", "en", blocks), Format::Markdown, &to, &options).unwrap();
        let mut wanted = vec![Seen::Heading(1, "T".into()), Seen::Heading(2, "-".into())];
        for paragraph in &paragraphs {
            wanted.push(Seen::Heading(2, paragraph.replace('\n', " ").trim().to_owned()));
            let trimmed: Vec<&str> = paragraph.lines().map(str::trim).collect();
            let parts = trimmed.split(|line| line.is_empty()).filter(|lines| !lines.is_empty());
            wanted.extend(parts.map(|lines| Seen::Text(lines.join("\n"))));
        }
        let text = fs::read_to_string(&to).unwrap();
        for (seen, wanted) in read(&text, Extensions::empty()).iter().zip(&wanted) {
            assert_eq!(seen, wanted, "round {round}");
        }
        assert_eq!(read(&text, Extensions::empty()).len(), wanted.len(), "round {round}");
    }
}

#[test]
fn a_credit_has_no_full_stop_before_its_colon() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (caption, entry)) in [
        ("Three planes.", "- Three planes: CC0"),
        ("三架飞机。", "- 三架飞机: CC0"),
        (".", "- Picture 1: CC0"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut picture = samples::picture(samples::drawing(1, 8, 8), caption);
        picture.credit = Some(Credit { licence: Some("CC0".to_owned()), ..Credit::default() });
        let document = samples::document("Planes", "en", vec![Block::Picture(picture)]);
        let to = folder.path().join(format!("article {number}"));
        let written = write(&document, Format::Markdown, &to, &Options::default()).unwrap();
        let text = fs::read_to_string(&written.path).unwrap();
        assert!(text.lines().any(|line| line == entry), "{text}");
    }
}
