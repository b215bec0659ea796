//! An article as the document that exports are made of.
//!
//! A short first line is the title; lines that Markdown would make headings of are headings. Invariant: no word is
//! lost but the marks that say so. Deliberately absent: formats.

use ixc_export::{Block as Part, Credit as Whose, Document, Picture as Image, Source};

use crate::{
    Error,
    article::{Article, Assets, Block, Picture},
    request::Language,
};

/// Characters of a title at most; a longer first line is a paragraph.
const TITLE_MAX: usize = 120;

/// What a document says beside the article.
#[derive(Clone, Debug)]
pub struct Imprint {
    /// The title where the article has none.
    pub title: String,
    /// The language of the text.
    pub language: Language,
    /// Seconds since 1970-01-01 UTC.
    pub created: u64,
    /// The program that made it, with its version.
    pub generator: String,
}

/// Makes a document.
///
/// # Errors
/// When a picture's file is not among the assets.
pub fn document(article: &Article, assets: &Assets, imprint: &Imprint) -> Result<Document, Error> {
    let mut blocks = article.blocks.as_slice();
    let mut title = line(&imprint.title);
    if let [Block::Text { text }, rest @ ..] = blocks
        && let Some(found) = titled(text)
        && !rest.is_empty()
    {
        (title, blocks) = (found, rest);
    }
    if title.is_empty() {
        title = match imprint.language {
            Language::En => "Untitled",
            Language::Zh => "无题",
        }
        .into();
    }
    let part = |block: &Block| match block {
        Block::Text { text } => Ok(match heading(text) {
            Some(heading) => Part::Heading(heading),
            None => Part::Paragraph(text.clone()),
        }),
        Block::Picture(picture) => pictured(picture, assets, imprint.language),
    };
    let blocks = blocks.iter().map(part).collect::<Result<_, Error>>()?;
    Ok(Document {
        title,
        language: imprint.language.tag().into(),
        author: None,
        blocks,
        created: imprint.created,
        generator: imprint.generator.clone(),
    })
}

fn pictured(picture: &Picture, assets: &Assets, language: Language) -> Result<Part, Error> {
    let Some(shown) = &picture.shown else {
        let open = match language {
            Language::En => format!("[A picture belongs here: {}]", picture.caption),
            Language::Zh => format!("【此处配图：{}】", picture.caption),
        };
        return Ok(Part::Paragraph(open));
    };
    let bytes = assets.get(&shown.asset).ok_or_else(|| Error::Project {
        what: format!("the picture {} of the article is not in it", shown.asset),
    })?;
    let credit = &shown.credit;
    let whose = Whose {
        author: credit.author.clone(),
        licence: credit.licence.clone(),
        source: credit.source.clone(),
    };
    Ok(Part::Picture(Image {
        source: Source::Bytes(bytes.clone()),
        caption: picture.caption.clone(),
        alternative: shown.alternative.clone(),
        credit: (whose != Whose::default()).then_some(whose),
        generated: credit.generated.clone(),
    }))
}

/// A text on one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_MAX).collect()
}

/// The title that a first line is, without the marks that say so.
fn titled(text: &str) -> Option<String> {
    let mut title = heading(text).unwrap_or_else(|| text.trim().to_owned());
    for mark in ["标题：", "题目：", "标题:", "题目:", "Title:", "title:"] {
        if let Some(rest) = title.strip_prefix(mark) {
            title = rest.trim().to_owned();
        }
    }
    for (open, close) in [('《', '》'), ('"', '"'), ('“', '”')] {
        let inner = title.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        if let Some(inner) = inner.filter(|inner| !inner.contains([open, close])) {
            title = inner.trim().to_owned();
        }
    }
    let ends = title.ends_with(['.', '。', '；', ';', ':', '：', ',', '，']);
    (!title.is_empty() && !ends && title.chars().count() <= TITLE_MAX).then_some(title)
}

/// The heading that a line is, as Markdown writes them.
fn heading(text: &str) -> Option<String> {
    let text = text.trim();
    let bold = text.strip_prefix("**").and_then(|rest| rest.strip_suffix("**"));
    if let Some(bold) = bold.filter(|bold| !bold.contains("**") && !bold.trim().is_empty()) {
        return Some(bold.trim().to_owned());
    }
    let rest = text.trim_start_matches('#');
    let marks = text.len() - rest.len();
    let is_heading = (1..=6).contains(&marks) && rest.starts_with(' ') && !rest.trim().is_empty();
    is_heading.then(|| rest.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_a_short_first_line_without_its_marks() {
        for (line, expected) in [
            ("Hours by the lake", Some("Hours by the lake")),
            ("# Hours by the lake", Some("Hours by the lake")),
            ("**Hours**", Some("Hours")),
            ("标题：《湖边的时光》", Some("湖边的时光")),
            ("Title: \"Winter\"", Some("Winter")),
            ("What a day!", Some("What a day!")),
            ("It is a winter day by the lake.", None),
            ("", None),
            ("#", Some("#")),
        ] {
            assert_eq!(titled(line).as_deref(), expected, "{line}");
        }
        assert_eq!(titled(&"x".repeat(121)), None);
    }

    #[test]
    fn headings_are_markdown_s() {
        assert_eq!(heading("## Night").as_deref(), Some("Night"));
        for text in ["#hashtag", "####### seven", "** **", "**a** and **b**", "#"] {
            assert_eq!(heading(text), None, "{text}");
        }
    }
}
