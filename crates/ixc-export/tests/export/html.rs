//! The page holds everything, runs nothing, and says what the document says.

use std::{fs, path::Path};

use ixc_export::{Block, Document, Format, Options, write};
use roxmltree::{Document as Tree, Node};

use crate::samples::{TEXTS, article, document, drawing, picture};

/// The page of a document.
fn page(document: &Document) -> String {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("page.html");
    write(document, Format::Html, &to, &Options::default()).unwrap();
    fs::read_to_string(to).unwrap()
}

/// The elements of a page, and whether nothing in them can run or fetch.
pub(crate) fn tame(tree: &Tree<'_>) {
    for node in tree.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        assert!(
            !matches!(name, "script" | "iframe" | "object" | "embed" | "base" | "form"),
            "<{name}>"
        );
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on"), "{name}={value}");
            if matches!(name, "href" | "src") {
                let starts = [
                    "https://",
                    "http://",
                    "#",
                    "data:image/",
                    "pictures/",
                    "style.css",
                    "article.xhtml",
                ];
                assert!(starts.iter().any(|start| value.starts_with(start)), "{name}={value}");
            }
        }
    }
}

/// A page is XML but for its first line and the names of its characters.
fn tree(page: &str) -> Tree<'_> {
    let page = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    Tree::parse(page).unwrap_or_else(|error| panic!("{error}"))
}

/// All text below an element, line breaks as such.
pub(crate) fn words(node: Node<'_, '_>) -> String {
    node.descendants()
        .map(|node| {
            if node.has_tag_name("br") {
                ""
            } else {
                node.text().filter(|_| node.is_text()).unwrap_or("")
            }
        })
        .collect()
}

#[test]
fn nothing_runs_and_nothing_is_fetched() {
    for number in 0..TEXTS.len() {
        let page = page(&article(number, 10));
        assert!(!page.contains("<script"));
        let tree = tree(&page);
        tame(&tree);
        let html = tree.root_element();
        assert_eq!(
            html.attribute("lang"),
            Some(["en", "zh-Hans", "ar", "ja", "zh-TW"][number % 5])
        );
        assert_eq!(html.attribute("dir"), Some(if number % 5 == 2 { "rtl" } else { "ltr" }));
        let policy = tree
            .descendants()
            .find(|node| node.attribute("http-equiv") == Some("Content-Security-Policy"))
            .unwrap();
        let policy = policy.attribute("content").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; img-src data:; style-src 'sha256-"),
            "{policy}"
        );
    }
}

#[test]
fn the_text_is_the_documents() {
    for number in 0..TEXTS.len() {
        let document = article(number, 10);
        let page = page(&document);
        let tree = tree(&page);
        let find =
            |name: &'static str| tree.descendants().filter(move |node| node.has_tag_name(name));
        let shown: Vec<String> = find("p")
            .chain(find("h2"))
            .filter(|node| node.attribute("class").is_none())
            .map(words)
            .collect();
        for text in TEXTS {
            // Without what cannot be said, and by one line: cleaning has its own tests.
            let line = text.lines().next().unwrap().trim();
            if line.chars().any(|character| character.is_control() || character == '\u{ffff}') {
                continue;
            }
            assert!(
                shown.iter().any(|shown| shown.contains(line)),
                "article {number} lost {line:?}"
            );
        }
        assert_eq!(find("figure").count(), 10);
        assert_eq!(find("img").count(), 10);
        for image in find("img") {
            assert!(image.attribute("src").unwrap().starts_with("data:image/"));
            assert!(!image.attribute("alt").unwrap().is_empty());
            let sides = (image.attribute("width").unwrap(), image.attribute("height").unwrap());
            assert!(matches!(sides, ("24", "16") | ("16", "24")), "{sides:?}");
        }
        let credited = find("li").count();
        let wanted = document.blocks.iter().filter(|block| {
            matches!(block, Block::Picture(picture) if picture.credit.is_some() || picture.generated.is_some())
        });
        assert_eq!(credited, wanted.count());
        // Every link within the page leads somewhere.
        for anchor in find("a").filter_map(|node| node.attribute("href")?.strip_prefix('#')) {
            assert_eq!(
                tree.descendants().filter(|node| node.attribute("id") == Some(anchor)).count(),
                1
            );
        }
    }
}

#[test]
fn a_picture_shown_twice_is_held_once() {
    let shown = |number, caption| Block::Picture(picture(drawing(number, 30, 20), caption));
    let page = page(&document(
        "T",
        "en",
        vec![shown(1, "one"), shown(2, "two"), shown(1, "again \" <b>")],
    ));
    assert_eq!(page.matches("data:image/png;base64,").count(), 2);
    let tree = tree(&page);
    let svg: Vec<_> =
        tree.descendants().filter(|node| node.attribute("role") == Some("img")).collect();
    let labels: Vec<_> = svg.iter().map(|node| node.attribute("aria-label").unwrap()).collect();
    assert_eq!(labels, ["one", "again \" <b>"]);
    for svg in svg {
        let target = svg.first_element_child().unwrap().attribute("href").unwrap();
        assert!(tree.descendants().any(|node| node.attribute("id") == Some(&target[1..])));
    }
}

#[test]
fn the_policy_knows_the_style() {
    use sha2::{Digest, Sha256};
    let page = page(&document("T", "en", vec![Block::Paragraph("x".into())]));
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let digest: Vec<u8> = Sha256::digest(style.as_bytes()).to_vec();
    let stated = page.split("'sha256-").nth(1).unwrap().split('\'').next().unwrap();
    let url = ixc_input::data_url::decode(&format!("data:image/png;base64,{stated}"));
    assert_eq!(url.unwrap().to_vec(), digest);
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/html/page.css").is_file());
}
