//! What cannot be written is said before anything is.

use std::{fs, path::Path};

use ixc_export::{Block, Document, Error, Format, Options, check_target, write};

use crate::samples::{document, paragraph};

fn refusal(document: &Document, options: &Options) -> String {
    let folder = tempfile::tempdir().unwrap();
    let error = write(document, Format::Markdown, &folder.path().join("x"), options)
        .unwrap_err()
        .to_string();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was written: {error}");
    error
}

#[test]
fn documents_and_options_that_cannot_be() {
    let options = Options::default();
    let text = || vec![paragraph("text")];
    assert!(refusal(&document(" \n", "en", text()), &options).contains("no title"));
    let empty = document("T", "en", vec![paragraph(" \n "), Block::Heading("\t".into())]);
    assert!(refusal(&empty, &options).contains("nothing in it"));
    assert!(refusal(&document("T", "en\"><script>", text()), &options).contains("BCP 47"));
    let late = Document { created: u64::MAX, ..document("T", "en", text()) };
    assert!(refusal(&late, &options).contains("time of creation"));
    let narrow = Options { max_width: 0, ..Options::default() };
    assert!(refusal(&document("T", "en", text()), &narrow).contains("expected 16 to 65535"));
    let rough = Options { jpeg_quality: 0, ..Options::default() };
    assert!(refusal(&document("T", "en", text()), &rough).contains("quality"));
    let long = document("T", "en", vec![paragraph(&"x".repeat(17 << 20))]);
    assert!(refusal(&long, &options).contains("bytes of text"));
}

#[test]
fn the_name_says_the_format() {
    for (name, format) in [
        ("a.md", Format::Markdown),
        ("a.MARKDOWN", Format::Markdown),
        ("folder", Format::Markdown),
        ("a.pdf", Format::Pdf),
    ] {
        assert_eq!(Format::of(Path::new(name)).unwrap(), format, "{name}");
    }
    let error = Format::of(Path::new("a.odt")).unwrap_err().to_string();
    assert!(error.contains("a.odt") && error.contains(".md"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let dotted = folder.path().join("v1.2");
    fs::create_dir(&dotted).unwrap();
    assert_eq!(Format::of(&dotted).unwrap(), Format::Markdown);
}

#[test]
fn places_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("there.md"), "mine").unwrap();
    fs::write(at("file"), "mine").unwrap();
    fs::create_dir_all(at("folder.md/x")).unwrap();
    let markdown = |name: &str, overwrite| check_target(&at(name), Format::Markdown, overwrite);
    assert!(matches!(markdown("there.md", false), Err(Error::Exists { .. })));
    assert!(markdown("there.md", true).is_ok());
    assert!(matches!(markdown("file", true), Err(Error::OtherKind { .. })));
    assert!(matches!(markdown("no/where.md", false), Err(Error::NoFolder { .. })));
    // A folder's name may hold a dot: the article goes into it.
    assert!(markdown("folder.md", false).is_ok());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "asking leaves nothing");
    // Not even root makes a file there.
    #[cfg(target_os = "linux")]
    {
        let refused = check_target(Path::new("/proc/a.html"), Format::Html, false).unwrap_err();
        assert!(refused.to_string().contains("/proc"), "{refused}");
    }

    let error = write(
        &document("T", "en", vec![paragraph("x")]),
        Format::Markdown,
        &at("there.md"),
        &Options::default(),
    );
    assert!(error.unwrap_err().to_string().contains("replaced"));
    assert_eq!(fs::read(at("there.md")).unwrap(), b"mine");
}
