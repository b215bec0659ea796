//! The article as a book for reading devices: EPUB 3.
//!
//! Invariants: `mimetype` comes first and is stored; every file of the archive is in the manifest and every
//! reference leads to one; the identifier is a digest of what is in the book, so the same book has the same one.
//! Source: EPUB 3.3, sections 4 to 7. Deliberately absent: scripts, fonts, fixed layout, EPUB 2's own contents.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{
    Error, Written,
    archive::Archive,
    article::{Article, Piece},
    date,
    markup::{self, escaped, in_their_language},
    put, text,
};

const STYLE: &str = include_str!("epub/book.css");

const CONTAINER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<container version=\"1.0\" xmlns=\"urn:oasis:names:tc:opendocument:xmlns:container\">
<rootfiles>
<rootfile full-path=\"EPUB/package.opf\" media-type=\"application/oebps-package+xml\"/>
</rootfiles>
</container>
";

/// Writes the book.
pub(crate) fn write(article: &Article, to: &Path, overwrite: bool) -> Result<Written, Error> {
    put::whole(article, to, &book(article), overwrite)
}

fn book(article: &Article) -> Vec<u8> {
    let text = page(article, &escaped(&article.title), "", &text(article));
    let mut archive = Archive::new();
    archive.store("mimetype", b"application/epub+zip");
    archive.text("META-INF/container.xml", CONTAINER);
    archive.text("EPUB/package.opf", &package(article, &identifier(article, &text)));
    archive.text("EPUB/cover.xhtml", &cover(article));
    archive.text("EPUB/nav.xhtml", &contents(article));
    archive.text("EPUB/article.xhtml", &text);
    archive.text("EPUB/style.css", STYLE);
    for asset in &article.assets {
        archive.store(&format!("EPUB/pictures/{}", asset.name), &asset.bytes);
    }
    archive.finish()
}

/// A digest in the form of a UUID of one's own making (RFC 9562, version 8). Pictures' names hold their digests.
fn identifier(article: &Article, text: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(article.language.as_bytes());
    digest.update(article.created.to_be_bytes());
    digest.update(text.as_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// A page of the book; `title` and `body` are markup.
fn page(article: &Article, title: &str, attributes: &str, body: &str) -> String {
    let language = &article.language;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE html>\n\
         <html xmlns=\"http://www.w3.org/1999/xhtml\" xmlns:epub=\"http://www.idpf.org/2007/ops\" \
         lang=\"{language}\" xml:lang=\"{language}\" dir=\"{}\">\n\
         <head>\n<meta charset=\"utf-8\"/>\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" type=\"text/css\" href=\"style.css\"/>\n</head>\n\
         <body{attributes}>\n{body}</body>\n</html>\n",
        direction(article)
    )
}

fn direction(article: &Article) -> &'static str {
    if text::is_right_to_left_language(&article.language) { "rtl" } else { "ltr" }
}

fn text(article: &Article) -> String {
    markup::body(article, |figure, alternative| {
        let asset = &article.assets[figure.asset];
        format!(
            "<img src=\"pictures/{}\" alt=\"{alternative}\" width=\"{}\" height=\"{}\"/>",
            asset.name, asset.width, asset.height
        )
    })
}

/// The first page: title, author, and the first picture, if there is one.
fn cover(article: &Article) -> String {
    let picture = article.figures().next().map_or(String::new(), |figure| {
        format!(
            "<div class=\"picture\"><img src=\"pictures/{}\" alt=\"{}\"/></div>\n",
            article.assets[figure.asset].name,
            escaped(&figure.alternative)
        )
    });
    let author = article.author.as_ref().map_or(String::new(), |author| {
        format!("<p class=\"author\" dir=\"auto\">{}</p>\n", escaped(author))
    });
    let body = format!(
        "<section class=\"cover\" epub:type=\"cover\">\n<p class=\"title\" dir=\"auto\">{}</p>\n{author}{picture}</section>\n",
        escaped(&article.title)
    );
    page(article, &escaped(&article.title), " class=\"cover\"", &body)
}

/// The table of contents: the article, its headings, its credits.
fn contents(article: &Article) -> String {
    let headings = article.pieces.iter().filter_map(|piece| match piece {
        Piece::Heading(heading) => Some(escaped(heading)),
        _ => None,
    });
    let mut entries: Vec<String> = headings
        .enumerate()
        .map(|(at, heading)| entry(&format!("section-{}", at + 1), &heading))
        .collect();
    if !article.credited().is_empty() {
        entries.push(entry("credits", &in_their_language(article, article.words.credits)));
    }
    let below = if entries.is_empty() {
        String::new()
    } else {
        format!("\n<ol>\n{}</ol>\n", entries.concat())
    };
    let body = format!(
        "<nav epub:type=\"toc\" id=\"toc\">\n<h1>{}</h1>\n<ol>\n<li><a href=\"article.xhtml\">{}</a>{below}</li>\n\
         </ol>\n</nav>\n",
        in_their_language(article, article.words.contents),
        escaped(&article.title)
    );
    page(article, &escaped(article.words.contents), "", &body)
}

fn entry(anchor: &str, label: &str) -> String {
    format!("<li><a href=\"article.xhtml#{anchor}\">{label}</a></li>\n")
}

/// What the book is, and which files it has, in which order.
fn package(article: &Article, identifier: &str) -> String {
    let cover = article.figures().next().map(|figure| figure.asset);
    let pictures: String = (article.assets.iter().enumerate())
        .map(|(at, asset)| {
            let cover = if cover == Some(at) { " properties=\"cover-image\"" } else { "" };
            format!(
                "<item id=\"picture-{}\" href=\"pictures/{}\" media-type=\"{}\"{cover}/>\n",
                at + 1,
                asset.name,
                asset.kind.media_type()
            )
        })
        .collect();
    let author = article
        .author
        .as_ref()
        .map_or(String::new(), |author| format!("<dc:creator>{}</dc:creator>\n", escaped(author)));
    let visual = if article.assets.is_empty() {
        ""
    } else {
        "<meta property=\"schema:accessMode\">visual</meta>\n\
         <meta property=\"schema:accessibilityFeature\">alternativeText</meta>\n"
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <package xmlns=\"http://www.idpf.org/2007/opf\" version=\"3.0\" unique-identifier=\"id\" \
         xml:lang=\"{language}\">\n\
         <metadata xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n\
         <dc:identifier id=\"id\">{identifier}</dc:identifier>\n<dc:title>{title}</dc:title>\n\
         <dc:language>{language}</dc:language>\n{author}<dc:date>{date}</dc:date>\n\
         <meta property=\"dcterms:modified\">{instant}</meta>\n\
         <meta name=\"generator\" content=\"{generator}\"/>\n\
         <meta property=\"schema:accessMode\">textual</meta>\n\
         <meta property=\"schema:accessModeSufficient\">textual</meta>\n{visual}\
         <meta property=\"schema:accessibilityFeature\">structuralNavigation</meta>\n\
         <meta property=\"schema:accessibilityFeature\">tableOfContents</meta>\n\
         <meta property=\"schema:accessibilityHazard\">unknown</meta>\n</metadata>\n\
         <manifest>\n\
         <item id=\"cover\" href=\"cover.xhtml\" media-type=\"application/xhtml+xml\"/>\n\
         <item id=\"nav\" href=\"nav.xhtml\" media-type=\"application/xhtml+xml\" properties=\"nav\"/>\n\
         <item id=\"article\" href=\"article.xhtml\" media-type=\"application/xhtml+xml\"/>\n\
         <item id=\"style\" href=\"style.css\" media-type=\"text/css\"/>\n{pictures}</manifest>\n\
         <spine page-progression-direction=\"{direction}\">\n<itemref idref=\"cover\"/>\n<itemref idref=\"nav\"/>\n\
         <itemref idref=\"article\"/>\n</spine>\n</package>\n",
        language = article.language,
        title = escaped(&article.title),
        date = date::date(article.created),
        instant = date::instant(article.created),
        generator = escaped(&article.generator),
        direction = direction(article),
    )
}
