//! PDF: what can be seen of it without a reader, and what readers say where they are installed.

use std::{fs, path::Path, process::Command};

use ixc_export::{Block, Document, Error, Format, Options, write};

use crate::samples::{TEXTS, article, document, drawing, jpeg, latin, paragraph, picture};

fn pdf(document: &Document, options: &Options) -> Result<Vec<u8>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out.pdf");
    let written = write(document, Format::Pdf, &to, options);
    assert_eq!(to.exists(), written.is_ok());
    written.map(|_| fs::read(to).unwrap())
}

fn count(bytes: &[u8], needle: &str) -> usize {
    bytes.windows(needle.len()).filter(|window| *window == needle.as_bytes()).count()
}

#[test]
fn a_pdf_holds_its_fonts_pictures_and_tags() {
    let shown = |bytes, caption| Block::Picture(picture(bytes, caption));
    let blocks = vec![
        Block::Heading("First".into()),
        paragraph("Some text, with \"quotation\" and fi ligatures."),
        shown(drawing(1, 40, 30), "one"),
        shown(jpeg(2, 40, 30), "two"),
        shown(drawing(1, 40, 30), "one again"),
    ];
    let bytes = pdf(&document("T", "en", blocks), &Options::default()).unwrap();
    assert!(bytes.starts_with(b"%PDF-1.7") && bytes.trim_ascii_end().ends_with(b"%%EOF"));
    assert_eq!(count(&bytes, "/Subtype/Image"), 2, "a picture that is shown twice is one object");
    assert_eq!(count(&bytes, "/FontFile2"), 2, "a regular and a bold face");
    for part in ["/StructTreeRoot", "/Lang(en)", "/Alt(one again)", "/Outlines", "/S/H1"] {
        assert!(count(&bytes, part) > 0, "no {part}");
    }
}

#[test]
fn characters_without_a_font_are_an_error_that_says_what_to_do() {
    let chinese = document("冬", "zh-Hans", vec![paragraph("山村的冬夜")]);
    let error = pdf(&chinese, &Options::default()).unwrap_err().to_string();
    for part in ["冬", "a Chinese font", "Noto Serif CJK", "name a font's file"] {
        assert!(error.contains(part), "{error}");
    }
    // A folder without fonts, and one that is not there, change nothing.
    let fonts = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let error = pdf(&chinese, &Options { fonts, ..Options::default() }).unwrap_err();
    assert!(matches!(error, Error::NoFont { count: 5, .. }), "{error}");
}

#[test]
fn a_named_file_that_is_no_font_is_refused() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let latin = document("T", "en", vec![paragraph("text")]);
    for (name, part) in [("Cargo.toml", "no font"), ("no-such.ttf", "cannot use the font")] {
        let options = Options { fonts: vec![here.join(name)], ..Options::default() };
        let error = pdf(&latin, &options).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(part), "{error}");
    }
    let options =
        Options { fonts: vec![here.join("fonts/Caladea-Bold.ttf")], ..Options::default() };
    pdf(&latin, &options).unwrap();
}

#[test]
fn long_words_and_long_documents_fit() {
    let word = "x".repeat(3000);
    let blocks =
        vec![paragraph(&word), paragraph(&"word ".repeat(20_000)), Block::Heading("End".into())];
    let bytes = pdf(&document(&"Title ".repeat(60), "en", blocks), &Options::default()).unwrap();
    assert!(count(&bytes, "/Type/Page/") > 30);
}

/// What programs of others say, where they are installed.
#[test]
fn other_programs_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out.pdf");
    write(&latin(1, 12), Format::Pdf, &to, &Options::default()).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).arg(&to).arg("-").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    match Command::new("qpdf").arg("--check").arg(&to).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && said.contains("No syntax or stream encoding errors"),
                "{said}"
            );
        }
        Err(_) => println!("skipped: no qpdf here"),
    }
    match run("pdftotext", &["-raw"]) {
        Some(text) => {
            let words: Vec<&str> = text.split_whitespace().collect();
            let text = words.join(" ");
            assert!(
                text.contains("<script>alert(1)</script>") && text.contains("office"),
                "{text}"
            );
        }
        None => println!("skipped: no pdftotext here"),
    }
    // A system's own fonts, where they have all that the hostile texts need but the emoji.
    let fonts = vec!["/usr/share/fonts".into()];
    let options = Options { fonts, overwrite: true, ..Options::default() };
    let mut document = article(1, 4);
    document
        .blocks
        .retain(|block| !matches!(block, Block::Paragraph(text) if text.starts_with("Emoji")));
    match write(&document, Format::Pdf, &to, &options) {
        Ok(_) => {
            let text = run("pdftotext", &["-raw"]).unwrap_or_else(|| TEXTS.concat());
            assert!(text.contains("山村里炊烟袅袅"), "{text}");
        }
        Err(error) => println!("skipped: {error}"),
    }
}
