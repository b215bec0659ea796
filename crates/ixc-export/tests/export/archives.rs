//! EPUB and DOCX: archives of XML in which every reference leads somewhere.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Read},
    path::Path,
    process::Command,
};

use ixc_export::{Block, Document, Format, Options, write};
use roxmltree::Document as Tree;

use crate::{
    html::{tame, words},
    samples::{TEXTS, article, document, drawing, paragraph, picture},
};

/// Name → bytes, and the names in their order.
fn entries(document: &Document, format: Format) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    write(document, format, &to, &Options::default()).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(fs::read(to).unwrap())).unwrap();
    let mut found = BTreeMap::new();
    let mut order = Vec::new();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let name = entry.name().unwrap().into_owned();
        order.push(name.clone());
        assert!(found.insert(name, bytes).is_none());
    }
    (found, order)
}

fn text<'a>(entries: &'a BTreeMap<String, Vec<u8>>, name: &str) -> &'a str {
    let bytes = entries.get(name).unwrap_or_else(|| panic!("no {name}"));
    let text = std::str::from_utf8(bytes).unwrap();
    text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE html>\n")
        .unwrap_or(text)
}

#[test]
fn a_book_is_whole() {
    for number in 0..TEXTS.len() {
        let document = article(number, 12);
        let (entries, order) = entries(&document, Format::Epub);
        assert_eq!(order[0], "mimetype");
        assert_eq!(entries["mimetype"], b"application/epub+zip");

        let package = Tree::parse(text(&entries, "EPUB/package.opf")).unwrap();
        let items: Vec<_> =
            package.descendants().filter(|node| node.has_tag_name(ns("item"))).collect();
        let mut listed: Vec<String> =
            items.iter().map(|item| format!("EPUB/{}", item.attribute("href").unwrap())).collect();
        listed
            .extend(["mimetype", "META-INF/container.xml", "EPUB/package.opf"].map(str::to_owned));
        listed.sort();
        assert_eq!(
            listed,
            entries.keys().cloned().collect::<Vec<_>>(),
            "the manifest is not the archive"
        );
        let mut ids: Vec<_> = items.iter().map(|item| item.attribute("id").unwrap()).collect();
        for reference in package.descendants().filter(|node| node.has_tag_name(ns("itemref"))) {
            assert!(ids.contains(&reference.attribute("idref").unwrap()));
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), items.len());
        let property =
            |name| items.iter().filter(|item| item.attribute("properties") == Some(name)).count();
        assert_eq!((property("nav"), property("cover-image")), (1, 1));
        let modified = package
            .descendants()
            .find(|node| node.attribute("property") == Some("dcterms:modified"));
        assert_eq!(modified.unwrap().text(), Some("2026-11-26T20:38:54Z"));

        let body = Tree::parse(text(&entries, "EPUB/article.xhtml")).unwrap();
        let anchors: Vec<_> = body.descendants().filter_map(|node| node.attribute("id")).collect();
        for page in ["article", "nav", "cover"] {
            let tree = Tree::parse(text(&entries, &format!("EPUB/{page}.xhtml"))).unwrap();
            tame(&tree);
            for node in tree.descendants().filter(roxmltree::Node::is_element) {
                if let Some(source) = node.attribute("src") {
                    assert!(entries.contains_key(&format!("EPUB/{source}")), "no {source}");
                    assert!(!node.attribute("alt").unwrap().is_empty());
                }
                let target = node.attribute("href").and_then(|target| target.split_once('#'));
                if let Some((_, anchor)) = target.filter(|(file, _)| !file.contains("://")) {
                    assert!(anchors.contains(&anchor), "no {anchor}");
                }
            }
        }
        let headings =
            document.blocks.iter().filter(|block| matches!(block, Block::Heading(_))).count();
        assert!(anchors.contains(&format!("section-{headings}").as_str()));
        let shown = words(body.root_element());
        assert!(shown.contains("<script>alert(1)</script>"), "markup in the text is text");
    }
}

fn ns(name: &str) -> (&'static str, &str) {
    ("http://www.idpf.org/2007/opf", name)
}

#[test]
fn a_book_without_pictures_or_headings_is_whole_too() {
    let (entries, _) = entries(&document("Alone", "en", vec![paragraph("text")]), Format::Epub);
    assert!(!text(&entries, "EPUB/package.opf").contains("cover-image"));
    let nav = Tree::parse(text(&entries, "EPUB/nav.xhtml")).unwrap();
    assert_eq!(nav.descendants().filter(|node| node.tag_name().name() == "ol").count(), 1);
}

#[test]
fn an_office_document_is_whole() {
    for number in 0..TEXTS.len() {
        let document = article(number, 12);
        let (entries, _) = entries(&document, Format::Docx);
        for (name, bytes) in &entries {
            if name.ends_with(".xml") || name.ends_with(".rels") {
                Tree::parse(std::str::from_utf8(bytes).unwrap())
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
        let links = Tree::parse(text(&entries, "word/_rels/document.xml.rels")).unwrap();
        let mut known = BTreeMap::new();
        for link in links.root_element().children().filter(roxmltree::Node::is_element) {
            let target = link.attribute("Target").unwrap();
            if link.attribute("TargetMode") == Some("External") {
                assert!(target.starts_with("https://"), "a link to {target}");
            } else {
                assert!(entries.contains_key(&format!("word/{target}")), "no {target}");
            }
            assert!(known.insert(link.attribute("Id").unwrap(), target).is_none());
        }
        let types = Tree::parse(text(&entries, "[Content_Types].xml")).unwrap();
        for part in types.descendants().filter_map(|node| node.attribute("PartName")) {
            assert!(entries.contains_key(&part[1..]), "no {part}");
        }
        let styles = text(&entries, "word/styles.xml");
        assert!(!styles.contains('@'));
        let body = Tree::parse(text(&entries, "word/document.xml")).unwrap();
        let mut pictures = 0;
        for node in body.descendants() {
            for attribute in node.attributes() {
                if attribute.namespace().is_some_and(|space| space.ends_with("/relationships")) {
                    assert!(known.contains_key(attribute.value()), "no {}", attribute.value());
                }
            }
            match node.tag_name().name() {
                "pStyle" | "rStyle" => {
                    let style = node.attributes().next().unwrap().value();
                    assert!(styles.contains(&format!("w:styleId=\"{style}\"")), "no style {style}");
                }
                "docPr" => {
                    pictures += 1;
                    assert!(!node.attribute("descr").unwrap().is_empty());
                }
                _ => {}
            }
        }
        assert_eq!(pictures, 12);
        let shown = words(body.root_element());
        assert!(shown.contains("<script>alert(1)</script>") && shown.contains("في مساء شتوي"));
    }
}

#[test]
fn an_office_document_names_fonts_for_its_language() {
    for (language, font) in [
        ("zh-Hans", "SimSun"),
        ("zh-TW", "PMingLiU"),
        ("ja", "Yu Mincho"),
        ("ko-KR", "Batang"),
        ("fr", "SimSun"),
    ] {
        let (entries, _) = entries(&document("T", language, vec![paragraph("字")]), Format::Docx);
        assert!(
            text(&entries, "word/styles.xml").contains(&format!("w:eastAsia=\"{font}\"")),
            "{language}"
        );
    }
}

/// The judge of EPUB, where somebody has installed it; without it the tests above stand alone.
#[test]
fn epubcheck_finds_no_error() {
    let Some(check) = epubcheck() else {
        println!("skipped: no epubcheck here");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (at, document) in [
        article(1, 60),
        document(
            "Alone",
            "en",
            vec![paragraph("text"), Block::Picture(picture(drawing(1, 9, 9), ""))],
        ),
    ]
    .iter()
    .enumerate()
    {
        let to = folder.path().join(format!("{at}.epub"));
        write(document, Format::Epub, &to, &Options::default()).unwrap();
        let said = check(&to);
        assert!(said.contains("0 errors"), "{said}");
    }
}

/// `epubcheck`, where it is a program, or as Debian has it an archive for Java.
fn epubcheck() -> Option<impl Fn(&Path) -> String> {
    const ARCHIVE: &str = "/usr/bin/epubcheck";
    let is_program = Command::new("epubcheck").arg("--version").output().is_ok();
    let run = move |book: &Path| {
        let mut command = Command::new(if is_program { "epubcheck" } else { "java" });
        if !is_program {
            command.args(["-jar", ARCHIVE]);
        }
        let output = command.arg(book).output().expect("epubcheck starts");
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    (is_program || Path::new(ARCHIVE).is_file()).then_some(run)
}
