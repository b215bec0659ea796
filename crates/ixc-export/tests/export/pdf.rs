//! PDF: objects that lead to each other, text that others find in it, fonts that are packaged or the user's.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use ixc_export::{Block, Document, Format, Options, Written, write};

use crate::samples::{TEXTS, article, document, drawing, jpeg, paragraph, picture};

fn pdf(document: &Document, options: &Options) -> (Vec<u8>, Written) {
    let folder = tempfile::tempdir().unwrap();
    let written = write(document, Format::Pdf, &folder.path().join("out.pdf"), options).unwrap();
    (fs::read(&written.path).unwrap(), written)
}

fn count(bytes: &[u8], part: &str) -> usize {
    bytes.windows(part.len()).filter(|window| *window == part.as_bytes()).count()
}

/// Every entry of the table leads to its object, and every reference outside streams to an entry.
fn whole(bytes: &[u8]) {
    let find = |part: &[u8], from: usize| {
        bytes[from..].windows(part.len()).position(|window| window == part).map(|at| at + from)
    };
    let latin = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
    assert!(bytes.starts_with(b"%PDF-1.7") && bytes.ends_with(b"%%EOF"));
    let end = latin(&bytes[bytes.len() - 40..]);
    let table = end.split_once("startxref\n").unwrap().1.lines().next().unwrap();
    let table: usize = table.parse().unwrap();
    assert!(bytes[table..].starts_with(b"xref"), "the table is not where it is said to be");
    let trailer = find(b"trailer", table).unwrap();
    let mut known = BTreeSet::new();
    let mut number = 0;
    for line in latin(&bytes[table..trailer]).lines().skip(1) {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [first, _] => number = first.parse().unwrap(),
            [offset, _, kind] => {
                if kind == "n" {
                    let offset: usize = offset.parse().unwrap();
                    let head = format!("{number} 0 obj");
                    assert!(bytes[offset..].starts_with(head.as_bytes()), "no {head} at {offset}");
                    known.insert(number);
                }
                number += 1;
            }
            _ => panic!("{line}"),
        }
    }
    assert!(known.len() > 10);
    let mut from = 0;
    let mut outside = String::new();
    while let Some(stream) = find(b"stream\n", from) {
        outside += &latin(&bytes[from..stream]);
        from = find(b"endstream", stream).unwrap() + 9;
    }
    outside += &latin(&bytes[from..]);
    let is_edge = |c: char| c.is_ascii_whitespace() || "[]<>/()".contains(c);
    let words: Vec<&str> = outside.split(is_edge).collect();
    for three in words.windows(3).filter(|three| three[1] == "0" && three[2] == "R") {
        let number: u32 = three[0].parse().unwrap();
        assert!(known.contains(&number), "nothing is {number} 0 R");
    }
}

#[test]
fn a_document_is_whole_and_tagged() {
    let shown = |bytes, caption: &str| Block::Picture(picture(bytes, caption));
    let blocks = vec![
        Block::Heading("A heading".into()),
        paragraph("Plain text, with “quotation” and fi ligatures."),
        shown(drawing(1, 40, 30), "one"),
        shown(jpeg(2, 40, 30), "two"),
        shown(drawing(1, 40, 30), "one again"),
    ];
    let (bytes, written) = pdf(&document("T", "en", blocks), &Options::default());
    whole(&bytes);
    assert_eq!((written.pictures, written.without_glyph.len()), (2, 0));
    assert_eq!(count(&bytes, "/Subtype/Image"), 2, "a picture that is shown twice is one object");
    assert_eq!(count(&bytes, "/FontFile2"), 2, "a regular and a bold face, no Chinese one");
    for part in [
        "/StructTreeRoot",
        "/Lang(en)",
        "/Alt(one again)",
        "/Outlines",
        "/S/H1",
        "/S/Figure",
        "/S/Caption",
        "/Marked true",
        "/DisplayDocTitle true",
        "<pdfuaid:part>1<",
    ] {
        assert!(count(&bytes, part) > 0, "no {part}");
    }
}

/// Every text of the samples in every place, 60 pictures, no pictures, words and pictures longer than a page.
#[test]
fn whatever_is_written_is_whole() {
    for number in (0..TEXTS.len()).step_by(5) {
        let (bytes, written) = pdf(&article(number, 5), &Options::default());
        whole(&bytes);
        // No packaged font has Arabic, Hebrew, Korean or emoji; nothing else is missing.
        assert!(written.without_glyph.contains(&'ע') && written.without_glyph.contains(&'👩'));
        let strange = |c: &char| c.is_ascii() || ('\u{4e00}'..'\u{9fff}').contains(c) || *c == '”';
        assert!(!written.without_glyph.iter().any(strange), "{:?}", written.without_glyph);
        assert_eq!(count(&bytes, "pdfuaid:part"), 0, "a box has no place in PDF/UA");
        assert_eq!(
            count(&bytes, "/URI("),
            count(&bytes, "/URI(https://example.com/p?id=1&b=%E4%B8%AD)")
        );
    }
    whole(&pdf(&article(0, 60), &Options::default()).0);
    let blocks = vec![
        paragraph(&"x".repeat(30_000)),
        Block::Picture(picture(drawing(1, 20, 4000), &"long ".repeat(900))),
        Block::Picture(picture(drawing(2, 3000, 2), "")),
        paragraph(&"word ".repeat(20_000)),
        paragraph("\u{200b}\u{202e}\u{2066}\u{feff}"),
        paragraph(&"字".repeat(20_000)),
        Block::Heading("heading ".repeat(400)),
        Block::Heading("End".into()),
    ];
    let (bytes, _) = pdf(&document(&"Title ".repeat(60), "zh", blocks), &Options::default());
    whole(&bytes);
    assert!(count(&bytes, "/Type/Page/") > 40);
    let blocks = vec![paragraph("[a](javascript:alert(1)) javascript:alert(2)")];
    let (bytes, written) = pdf(&document("No picture", "en", blocks), &Options::default());
    whole(&bytes);
    assert_eq!((written.pictures, count(&bytes, "/URI")), (0, 0));
}

/// What every picture of the fixtures becomes: gray, palettes, CMYK, 16 bits, transparent.
#[test]
fn pictures_of_all_kinds_are_shown() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/images");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for keep_metadata in [false, true] {
        let blocks = paths.iter().filter_map(|path| {
            let bytes = fs::read(path).ok()?;
            ixc_input::image::see(&bytes).ok()?;
            Some(Block::Picture(picture(bytes, "")))
        });
        let document = document("Pictures", "en", blocks.collect());
        let options = Options { keep_metadata, ..Options::default() };
        let (bytes, written) = pdf(&document, &options);
        whole(&bytes);
        assert!(written.pictures > 8 && count(&bytes, "/Subtype/Image") >= written.pictures);
        assert_eq!(written.without_metadata.is_empty(), !keep_metadata);
    }
}

/// A font that is not there, one that is none, and one that has what is missing.
#[test]
fn missing_characters_are_looked_for_in_the_folders() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.ttf"), b"\0\x01\0\0no font").unwrap();
    fs::write(folder.path().join("notes.txt"), b"no font").unwrap();
    let folders = vec![folder.path().to_owned(), folder.path().join("nowhere")];
    let options = Options { font_folders: folders, ..Options::default() };
    let text = document("T", "en", vec![paragraph("plain ⨁ text 𠮷")]);
    let (bytes, written) = pdf(&text, &options);
    whole(&bytes);
    assert_eq!(written.without_glyph, ['⨁', '𠮷']);
    let found = Path::new("/usr/share/fonts");
    let all = Options { font_folders: vec![found.to_owned()], ..Options::default() };
    let (bytes, written) = pdf(&text, &all);
    whole(&bytes);
    if written.without_glyph.len() == 2 {
        println!("skipped: no font here has ⨁ or 𠮷");
    }
}

/// What programs of others say, where they are installed.
#[test]
fn other_programs_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out.pdf");
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).arg(&to).arg("-").output();
        if output.is_err() {
            println!("skipped: no {program} here");
        }
        output.ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let options = Options { overwrite: true, ..Options::default() };
    for number in [1, 3] {
        write(&article(number, 12), Format::Pdf, &to, &options).unwrap();
        match Command::new("qpdf").arg("--check").arg(&to).output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{said}");
                assert!(said.contains("No syntax or stream encoding errors"), "{said}");
            }
            Err(_) => println!("skipped: no qpdf here"),
        }
        let Some(text) = run("pdftotext", &["-raw", "-enc", "UTF-8"]) else { continue };
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for wanted in [
            "<script>alert(1)</script>",
            "A winter evening in a mountain village: smoke stands above the roofs",
            "冬日的傍晚，山村里炊烟袅袅，灯火次第亮起。“回家吧！”有人喊道……",
            "Зимний вечер в горной деревне; Χειμωνιάτικο βράδυ.",
            "夕暮れの山村に、煙がまっすぐ立ちのぼる。",
        ] {
            let without = |text: &str| text.replace(' ', "");
            assert!(without(&one_line).contains(&without(wanted)), "no {wanted} in {text}");
        }
    }
}
