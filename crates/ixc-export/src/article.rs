//! The document as the formats see it: clean text, prepared pictures, credits in one list.
//!
//! Invariants: no block is empty; a figure's alternative text never is. Every decision that all formats share is
//! made here, so that they cannot differ. Deliberately absent: markup of any kind.

use crate::{
    Block, Document, Error, Options,
    album::{Album, Asset},
    limits::{MAX_PICTURES, MAX_TEXT_BYTES},
    text,
    words::{self, Words},
};

/// A document that is ready to be written.
#[derive(Debug)]
pub(crate) struct Article {
    pub(crate) title: String,
    pub(crate) language: String,
    pub(crate) words: &'static Words,
    pub(crate) author: Option<String>,
    pub(crate) generator: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) assets: Vec<Asset>,
    pub(crate) without_metadata: Vec<usize>,
}

/// A part of an article.
#[derive(Debug)]
pub(crate) enum Piece {
    Heading(String),
    /// Its lines, at least one.
    Paragraph(Vec<String>),
    Figure(Figure),
}

/// A picture at its place.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Among the article's pictures, from 1.
    pub(crate) number: usize,
    /// Its place among the assets.
    pub(crate) asset: usize,
    /// May be empty.
    pub(crate) caption: String,
    pub(crate) alternative: String,
    pub(crate) author: Option<String>,
    pub(crate) licence: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) generated: Option<String>,
}

impl Figure {
    /// What is said about whose it is, in a line of its own below the caption: author and licence.
    pub(crate) fn credit(&self, words: &Words) -> Option<String> {
        let parts: Vec<&str> =
            [&self.author, &self.licence].into_iter().flatten().map(String::as_str).collect();
        (!parts.is_empty()).then(|| parts.join(words.and))
    }

    /// By what it was generated, in words.
    pub(crate) fn mark(&self, words: &Words) -> Option<String> {
        self.generated.as_ref().map(|by| format!("{}{by}", words.generated))
    }

    /// Whether the list at the end says something about it.
    pub(crate) fn is_credited(&self) -> bool {
        [&self.author, &self.licence, &self.source, &self.generated]
            .into_iter()
            .any(Option::is_some)
    }

    /// Its name in the list at the end, where a colon follows: without a sentence's last full stop.
    pub(crate) fn label(&self, words: &Words) -> String {
        let ended = self.caption.strip_suffix(['.', '。']).unwrap_or(&self.caption);
        if ended.is_empty() {
            format!("{} {}", words.picture, self.number)
        } else {
            ended.to_owned()
        }
    }
}

impl Article {
    /// Cleans the text and prepares the pictures.
    pub(crate) fn new(document: &Document, options: &Options) -> Result<Article, Error> {
        check(document, options)?;
        let words = words::of(&document.language);
        let title = text::line(&document.title);
        let mut album = Album::new(options);
        let mut pieces = Vec::new();
        let mut number = 0;
        for block in &document.blocks {
            match block {
                Block::Heading(heading) => {
                    let line = Some(text::line(heading)).filter(|line| !line.is_empty());
                    pieces.extend(line.map(Piece::Heading));
                }
                Block::Paragraph(paragraph) => {
                    pieces.extend(text::paragraphs(paragraph).into_iter().map(Piece::Paragraph));
                }
                Block::Picture(picture) => {
                    number += 1;
                    let asset = album.add(number, &picture.source)?;
                    pieces.push(Piece::Figure(figure(picture, number, asset, words)));
                }
            }
        }
        if title.is_empty() {
            return Err(Error::NoTitle);
        }
        if pieces.is_empty() {
            return Err(Error::Empty { title });
        }
        let Album { assets, without_metadata, .. } = album;
        Ok(Article {
            title,
            language: document.language.clone(),
            words,
            author: some_line(document.author.as_deref()),
            generator: text::line(&document.generator),
            created: document.created,
            pieces,
            assets,
            without_metadata,
        })
    }

    pub(crate) fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Figure(figure) => Some(figure),
            _ => None,
        })
    }

    /// The figures of the list at the end.
    pub(crate) fn credited(&self) -> Vec<&Figure> {
        self.figures().filter(|figure| figure.is_credited()).collect()
    }
}

fn figure(picture: &crate::Picture, number: usize, asset: usize, words: &Words) -> Figure {
    let caption = text::line(&picture.caption);
    let alternative = [text::line(&picture.alternative), caption.clone()];
    let alternative = alternative.into_iter().find(|text| !text.is_empty());
    let credit = picture.credit.clone().unwrap_or_default();
    Figure {
        number,
        asset,
        alternative: alternative.unwrap_or_else(|| format!("{} {number}", words.picture)),
        caption,
        author: some_line(credit.author.as_deref()),
        licence: some_line(credit.licence.as_deref()),
        source: some_line(credit.source.as_deref()),
        generated: some_line(picture.generated.as_deref()),
    }
}

fn some_line(text: Option<&str>) -> Option<String> {
    text.map(text::line).filter(|line| !line.is_empty())
}

fn check(document: &Document, options: &Options) -> Result<(), Error> {
    if !words::is_tag(&document.language) {
        return Err(Error::Language { found: document.language.clone() });
    }
    let within = |name, found: u64, least, most| {
        let is_within = (least..=most).contains(&found);
        if is_within { Ok(()) } else { Err(Error::Option { name, found, least, most }) }
    };
    within("the largest width of a picture", options.max_width.into(), 16, 65_535)?;
    within("the quality of JPEG", options.jpeg_quality.into(), 1, 100)?;
    within("the time of creation", document.created, 0, LAST_SECOND)?;
    let mut bytes = document.title.len();
    let mut pictures = 0;
    for block in &document.blocks {
        bytes += match block {
            Block::Heading(text) | Block::Paragraph(text) => text.len(),
            Block::Picture(picture) => {
                pictures += 1;
                picture.caption.len() + picture.alternative.len()
            }
        };
    }
    let over = |what, found: usize, limit: usize| {
        let (found, limit) = (found as u64, limit as u64);
        if found > limit { Err(Error::TooLarge { what, found, limit }) } else { Ok(()) }
    };
    over("bytes of text", bytes, MAX_TEXT_BYTES)?;
    over("pictures", pictures, MAX_PICTURES)
}

/// The end of the year 9999: the last that has four digits.
const LAST_SECOND: u64 = 253_402_300_799;
