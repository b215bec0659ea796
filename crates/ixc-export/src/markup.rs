//! The article as the elements that a web page and a book share.
//!
//! Invariant: well-formed as HTML and as XML at once; text and attributes are escaped here and nowhere else.
//! Deliberately absent: what stands around the article, and where its pictures are.

use std::fmt::Write;

use crate::{
    article::{Article, Figure, Piece},
    date, text,
    words::Words,
};

/// Text as it stands between tags or in an attribute's quotation marks.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The article; `picture` gives a figure's element, from its alternative text as an attribute's value.
pub(crate) fn body(article: &Article, picture: impl Fn(&Figure, &str) -> String) -> String {
    let mut body = String::from("<article>\n<header>\n");
    line(&mut body, "h1", "", &article.title);
    let author = article
        .author
        .as_ref()
        .map(|author| format!("<span dir=\"auto\">{}</span>", escaped(author)));
    let date = date::date(article.created);
    let date = format!("<time datetime=\"{date}\">{date}</time>");
    let byline: Vec<String> = author.into_iter().chain([date]).collect();
    writeln!(body, "<p class=\"byline\">{}</p>\n</header>", byline.join(article.words.and))
        .expect(MEMORY);
    let mut section = 0;
    for piece in &article.pieces {
        match piece {
            Piece::Heading(heading) => {
                section += 1;
                line(&mut body, "h2", &format!(" id=\"section-{section}\""), heading);
            }
            Piece::Paragraph(lines) => {
                let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
                writeln!(body, "<p dir=\"auto\">{}</p>", lines.join("<br/>\n")).expect(MEMORY);
            }
            Piece::Figure(figure) => shown(&mut body, article.words, figure, &picture),
        }
    }
    credits(&mut body, article);
    body.push_str("</article>\n");
    body
}

const MEMORY: &str = "memory takes text";

fn line(body: &mut String, tag: &str, attributes: &str, text: &str) {
    writeln!(body, "<{tag}{attributes} dir=\"auto\">{}</{tag}>", escaped(text)).expect(MEMORY);
}

fn shown(
    body: &mut String,
    words: &Words,
    figure: &Figure,
    picture: impl Fn(&Figure, &str) -> String,
) {
    writeln!(body, "<figure id=\"picture-{}\">", figure.number).expect(MEMORY);
    writeln!(body, "{}", picture(figure, &escaped(&figure.alternative))).expect(MEMORY);
    let caption = Some(figure.caption.clone()).filter(|caption| !caption.is_empty());
    let lines =
        [("caption", caption), ("credit", figure.credit(words)), ("mark", figure.mark(words))];
    if lines.iter().any(|(_, text)| text.is_some()) {
        body.push_str("<figcaption>\n");
        for (class, text) in &lines {
            if let Some(text) = text {
                line(body, "p", &format!(" class=\"{class}\""), text);
            }
        }
        body.push_str("</figcaption>\n");
    }
    body.push_str("</figure>\n");
}

/// The list of whose the pictures are.
fn credits(body: &mut String, article: &Article) {
    let credited = article.credited();
    if credited.is_empty() {
        return;
    }
    let words = article.words;
    let heading = in_their_language(article, words.credits);
    writeln!(body, "<footer>\n<h2 id=\"credits\">{heading}</h2>\n<ul>").expect(MEMORY);
    for figure in credited {
        let label = escaped(&figure.label(words));
        let source = figure.source.as_ref().map(|source| match text::address(source) {
            Some(address) => {
                let address = escaped(address);
                format!("<a href=\"{address}\" rel=\"noopener noreferrer\">{address}</a>")
            }
            None => escaped(source),
        });
        let told = [figure.credit(words), figure.mark(words)];
        let told: Vec<String> =
            told.iter().flatten().map(|text| escaped(text)).chain(source).collect();
        let number = figure.number;
        let told = told.join(words.and);
        writeln!(body, "<li dir=\"auto\"><a href=\"#picture-{number}\">{label}</a>: {told}</li>")
            .expect(MEMORY);
    }
    body.push_str("</ul>\n</footer>\n");
}

/// Words of ours, marked where they are not in the article's language.
pub(crate) fn in_their_language(article: &Article, words: &str) -> String {
    let language = article.words.language;
    let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    if primary(language) == primary(&article.language) || primary(language) == "zh" {
        return escaped(words);
    }
    format!("<span lang=\"{language}\" xml:lang=\"{language}\">{}</span>", escaped(words))
}
