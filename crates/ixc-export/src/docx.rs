//! The article as a document for office programs: WordprocessingML in a ZIP archive.
//!
//! The flow: `text.rs` makes paragraphs, `picture.rs` drawings; here they become the archive's parts. Invariants:
//! headings, captions and the title are styles, so that a reader's own template and table of contents work; pictures
//! have their real sizes, at most as wide as the page's text; every relationship leads to a part or an address.
//! Source: ECMA-376, part 1 (transitional). Deliberately absent: macros, fields but the page's number, embedded fonts.

mod fonts;
mod picture;
mod text;

use std::path::Path;

use crate::{
    Error, Written,
    archive::Archive,
    article::{Article, Figure, Piece},
    date,
    markup::escaped,
    put,
    text::address,
};
use text::Paragraph;

const STYLES: &str = include_str!("docx/styles.xml");
const SETTINGS: &str = include_str!("docx/settings.xml");
const FOOTER: &str = include_str!("docx/footer.xml");
const RELATIONSHIPS: &str = include_str!("docx/rels.xml");

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// Writes the document.
pub(crate) fn write(article: &Article, to: &Path, overwrite: bool) -> Result<Written, Error> {
    put::whole(article, to, &archive(article), overwrite)
}

fn archive(article: &Article) -> Vec<u8> {
    let mut links = Links::default();
    let document = document(article, &mut links);
    let mut archive = Archive::new();
    archive.text("[Content_Types].xml", &content_types());
    archive.text("_rels/.rels", RELATIONSHIPS);
    archive.text("docProps/core.xml", &core(article));
    archive.text("docProps/app.xml", &app(article));
    archive.text("word/document.xml", &document);
    archive.text("word/styles.xml", &fonts::filled(STYLES, &article.language));
    archive.text("word/settings.xml", SETTINGS);
    archive.text("word/footer.xml", FOOTER);
    archive.text("word/_rels/document.xml.rels", &relationships(article, &links));
    for asset in &article.assets {
        archive.store(&format!("word/media/{}", asset.name), &asset.bytes);
    }
    archive.finish()
}

/// Addresses that links of the document lead to.
#[derive(Default)]
struct Links(Vec<String>);

impl Links {
    /// The relationship of an address.
    fn id(&mut self, address: &str) -> String {
        self.0.push(address.to_owned());
        format!("link{}", self.0.len())
    }
}

fn document(article: &Article, links: &mut Links) -> String {
    let mut body = Paragraph::new("Title").text(&article.title).xml();
    let date = date::date(article.created);
    let byline = match &article.author {
        Some(author) => format!("{author}{}{date}", article.words.and),
        None => date,
    };
    body += &Paragraph::new("Subtitle").text(&byline).xml();
    for piece in &article.pieces {
        match piece {
            Piece::Heading(heading) => body += &Paragraph::new("Heading1").text(heading).xml(),
            Piece::Paragraph(lines) => body += &Paragraph::new("BodyText").lines(lines).xml(),
            Piece::Figure(figure) => body += &shown(article, figure),
        }
    }
    body += &credits(article, links);
    let direction =
        if crate::text::is_right_to_left_language(&article.language) { "<w:bidi/>" } else { "" };
    // A4 with 25 mm around the text; twentieths of a point.
    format!(
        "{HEAD}<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" \
         xmlns:r=\"{OFFICE}\" xmlns:wp=\"http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing\" \
         xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\" \
         xmlns:pic=\"http://schemas.openxmlformats.org/drawingml/2006/picture\">\n<w:body>\n{body}<w:sectPr>\
         <w:footerReference w:type=\"default\" r:id=\"footer\"/><w:pgSz w:w=\"11906\" w:h=\"16838\"/>\
         <w:pgMar w:top=\"1417\" w:right=\"1417\" w:bottom=\"1417\" w:left=\"1417\" w:header=\"708\" \
         w:footer=\"708\" w:gutter=\"0\"/>{direction}</w:sectPr>\n</w:body>\n</w:document>\n"
    )
}

/// A picture and what stands below it, kept on one page.
fn shown(article: &Article, figure: &Figure) -> String {
    let drawing = picture::drawing(figure, &article.assets[figure.asset]);
    let caption = Some(figure.caption.clone()).filter(|caption| !caption.is_empty());
    let lines = [
        ("Caption", caption),
        ("Credit", figure.credit(article.words)),
        ("Credit", figure.mark(article.words)),
    ];
    let lines: Vec<_> =
        lines.into_iter().filter_map(|(style, text)| text.map(|text| (style, text))).collect();
    let mut xml = Paragraph::new("Picture").keep(!lines.is_empty()).run(&drawing).xml();
    for (at, (style, text)) in lines.iter().enumerate() {
        xml += &Paragraph::new(style).keep(at + 1 < lines.len()).text(text).xml();
    }
    xml
}

/// The list of whose the pictures are.
fn credits(article: &Article, links: &mut Links) -> String {
    let credited = article.credited();
    let words = article.words;
    if credited.is_empty() {
        return String::new();
    }
    let mut xml = Paragraph::new("Heading1").text(words.credits).xml();
    for figure in credited {
        let told = [figure.credit(words), figure.mark(words)];
        let told: Vec<String> = told.into_iter().flatten().collect();
        let mut paragraph = Paragraph::new("Credits").text(&format!(
            "{}: {}",
            figure.label(words),
            told.join(words.and)
        ));
        if let Some(source) = &figure.source {
            if !told.is_empty() {
                paragraph = paragraph.text(words.and);
            }
            paragraph = match address(source) {
                Some(address) => paragraph.link(&links.id(address), address),
                None => paragraph.text(source),
            };
        }
        xml += &paragraph.xml();
    }
    xml
}

fn relationships(article: &Article, links: &Links) -> String {
    let mut xml = format!(
        "{HEAD}<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\n\
         <Relationship Id=\"styles\" Type=\"{OFFICE}/styles\" Target=\"styles.xml\"/>\n\
         <Relationship Id=\"settings\" Type=\"{OFFICE}/settings\" Target=\"settings.xml\"/>\n\
         <Relationship Id=\"footer\" Type=\"{OFFICE}/footer\" Target=\"footer.xml\"/>\n"
    );
    for (at, asset) in article.assets.iter().enumerate() {
        xml += &format!(
            "<Relationship Id=\"picture{}\" Type=\"{OFFICE}/image\" Target=\"media/{}\"/>\n",
            at + 1,
            asset.name
        );
    }
    for (at, address) in links.0.iter().enumerate() {
        xml += &format!(
            "<Relationship Id=\"link{}\" Type=\"{OFFICE}/hyperlink\" Target=\"{}\" TargetMode=\"External\"/>\n",
            at + 1,
            escaped(address)
        );
    }
    xml + "</Relationships>\n"
}

fn content_types() -> String {
    let part = |name: &str, kind: &str| {
        let application = "application/vnd.openxmlformats-";
        format!("<Override PartName=\"/{name}\" ContentType=\"{application}{kind}+xml\"/>\n")
    };
    let word = |name: &str, kind: &str| {
        part(&format!("word/{name}.xml"), &format!("officedocument.wordprocessingml.{kind}"))
    };
    let parts = [
        word("document", "document.main"),
        word("styles", "styles"),
        word("settings", "settings"),
        word("footer", "footer"),
        part("docProps/core.xml", "package.core-properties"),
        part("docProps/app.xml", "officedocument.extended-properties"),
    ];
    format!(
        "{HEAD}<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\n\
         <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\n\
         <Default Extension=\"xml\" ContentType=\"application/xml\"/>\n\
         <Default Extension=\"jpg\" ContentType=\"image/jpeg\"/>\n\
         <Default Extension=\"png\" ContentType=\"image/png\"/>\n{}</Types>\n",
        parts.concat()
    )
}

/// Title, author, language and time.
fn core(article: &Article) -> String {
    let author = article
        .author
        .as_ref()
        .map_or(String::new(), |author| format!("<dc:creator>{}</dc:creator>\n", escaped(author)));
    let instant = date::instant(article.created);
    format!(
        "{HEAD}<cp:coreProperties \
         xmlns:cp=\"http://schemas.openxmlformats.org/package/2006/metadata/core-properties\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n<dc:title>{}</dc:title>\n{author}\
         <dc:language>{}</dc:language>\n<dcterms:created xsi:type=\"dcterms:W3CDTF\">{instant}</dcterms:created>\n\
         <dcterms:modified xsi:type=\"dcterms:W3CDTF\">{instant}</dcterms:modified>\n</cp:coreProperties>\n",
        escaped(&article.title),
        article.language
    )
}

fn app(article: &Article) -> String {
    format!(
        "{HEAD}<Properties xmlns=\"http://schemas.openxmlformats.org/officeDocument/2006/extended-properties\">\n\
         <Application>{}</Application>\n</Properties>\n",
        escaped(&article.generator)
    )
}
