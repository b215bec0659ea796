//! Pages are filled from top to bottom.
//!
//! Invariants: a heading stands above its text, a picture on the page of its caption, and neither the first nor the
//! last line of a paragraph stands alone. Lengths are in points, from the page's upper left corner. Deliberately
//! absent: drawing.

use super::{
    fonts::Faces,
    lines::{Line, Look, lines},
};
use crate::{
    article::{Article, Figure, Piece},
    date, text,
};

/// A4.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
pub(super) const LEFT: f32 = 76.0;
pub(super) const MEASURE: f32 = WIDTH - 2.0 * LEFT;
const TOP: f32 = 76.0;
const BOTTOM: f32 = HEIGHT - 84.0;
/// A picture is at most as high as this, so that its caption and some text stay beside it.
const HIGHEST: f32 = 0.62 * (BOTTOM - TOP);
/// A pixel is 1/96 inch, as on the web.
const PIXEL: f32 = 72.0 / 96.0;

const BODY: Look = Look { size: 11.0, is_bold: false, gray: 0 };
const TITLE: Look = Look { size: 25.0, is_bold: true, gray: 0 };
const HEADING: Look = Look { size: 15.0, is_bold: true, gray: 0 };
const BYLINE: Look = Look { size: 9.5, is_bold: false, gray: 100 };
const CAPTION: Look = Look { size: 9.5, is_bold: false, gray: 0 };
const CREDIT: Look = Look { size: 8.0, is_bold: false, gray: 100 };
const ENTRY: Look = Look { size: 9.0, is_bold: false, gray: 0 };

/// What a part of the document is, to those who have it read aloud.
pub(super) enum Role {
    Heading(u16, String),
    Text,
    /// A picture, with its alternative text.
    Picture(String),
    Caption,
    /// A link to an address.
    Link(String),
}

/// Something at its place.
pub(super) enum Item {
    /// A line; `y` is its baseline.
    Line {
        x: f32,
        y: f32,
        line: Line,
    },
    Picture {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        asset: usize,
    },
}

/// All pages, and the roles of what is on them.
#[derive(Default)]
pub(super) struct Pages {
    /// Items with the place of their role, in the order in which they are read.
    pub(super) pages: Vec<Vec<(usize, Item)>>,
    pub(super) roles: Vec<Role>,
}

/// Lays out an article.
pub(super) fn pages(article: &Article, faces: &Faces<'_>) -> Pages {
    let ratio = if faces.is_east { 1.7 } else { 1.45 };
    let pages = Pages { pages: vec![Vec::new()], roles: Vec::new() };
    let mut filler = Filler { pages, y: TOP, faces, ratio };
    filler.block(Role::Heading(1, article.title.clone()), &article.title, TITLE, 0.0, 3);
    let date = date::date(article.created);
    let byline = match &article.author {
        Some(author) => format!("{author}{}{date}", article.words.and),
        None => date,
    };
    filler.block(Role::Text, &byline, BYLINE, 8.0, 0);
    filler.y += 22.0;
    for piece in &article.pieces {
        match piece {
            Piece::Heading(heading) => {
                filler.block(Role::Heading(2, heading.clone()), heading, HEADING, 22.0, 3);
            }
            Piece::Paragraph(text) => {
                let lines =
                    text.iter().flat_map(|line| lines(line, BODY, MEASURE, faces)).collect();
                filler.space(7.0);
                filler.lines(Role::Text, lines, Align::Start, 0);
            }
            Piece::Figure(figure) => filler.figure(article, figure),
        }
    }
    filler.credits(article);
    filler.pages
}

#[derive(Clone, Copy, PartialEq)]
enum Align {
    Start,
    Center,
}

struct Filler<'a> {
    pages: Pages,
    y: f32,
    faces: &'a Faces<'a>,
    /// From one line to the next, in sizes of the text.
    ratio: f32,
}

impl Filler<'_> {
    fn leading(&self, look: Look) -> f32 {
        // Large letters need less air.
        let ratio = if look.size > 13.0 { 1.25 } else { self.ratio };
        look.size * ratio
    }

    fn turn(&mut self) {
        self.pages.pages.push(Vec::new());
        self.y = TOP;
    }

    fn is_at_top(&self) -> bool {
        self.y <= TOP
    }

    /// Space between two things, which the top of a page does not need.
    fn space(&mut self, points: f32) {
        if !self.is_at_top() {
            self.y += points;
        }
    }

    fn put(&mut self, role: usize, item: Item) {
        self.pages.pages.last_mut().expect("there is a page").push((role, item));
    }

    /// A text of one look; `followers` lines of text are to stand below it on its page.
    fn block(&mut self, role: Role, text: &str, look: Look, space: f32, followers: usize) {
        self.space(space);
        let lines = lines(text, look, MEASURE, self.faces);
        self.lines(role, lines, Align::Start, followers);
    }

    /// Lines that part only where neither one of them nor the last is left alone.
    fn lines(&mut self, role: Role, lines: Vec<Line>, align: Align, followers: usize) {
        let Some(first) = lines.first() else { return };
        let leading = self.leading(first.look);
        let role_at = self.pages.roles.len();
        self.pages.roles.push(role);
        let count = lines.len();
        let below = followers as f32 * self.leading(BODY);
        let together = below > 0.0 || count <= 3;
        if together && self.y + count as f32 * leading + below > BOTTOM && !self.is_at_top() {
            self.turn();
        }
        for (at, line) in lines.into_iter().enumerate() {
            let room = ((BOTTOM - self.y) / leading).floor() as usize;
            let left = count - at;
            // The first line does not stay behind alone, and the last one does not go on alone.
            let is_widow = left == 2 && room == 1 || at == 0 && room < 2 && left > 1;
            if (room == 0 || is_widow) && !self.is_at_top() {
                self.turn();
            }
            let free = MEASURE - line.width;
            let x = match align {
                Align::Center => LEFT + free / 2.0,
                Align::Start if line.is_rtl => LEFT + free,
                Align::Start => LEFT,
            };
            // The baseline leaves a fifth of the size below it.
            let y = self.y + leading / 2.0 + line.look.size * 0.3;
            self.put(role_at, Item::Line { x, y, line });
            self.y += leading;
        }
    }

    /// A picture and what stands below it.
    fn figure(&mut self, article: &Article, figure: &Figure) {
        let asset = &article.assets[figure.asset];
        let (wide, high) = (asset.width as f32 * PIXEL, asset.height as f32 * PIXEL);
        let scale = (MEASURE / wide).min(HIGHEST / high).min(1.0);
        let (width, height) = (wide * scale, high * scale);
        let narrow = MEASURE - 60.0;
        let words = article.words;
        let mut below = Vec::new();
        for (text, look) in [
            (Some(figure.caption.clone()), CAPTION),
            (figure.credit(words), CREDIT),
            (figure.mark(words), CREDIT),
        ] {
            below.extend(text.iter().flat_map(|text| lines(text, look, narrow, self.faces)));
        }
        let captions: f32 = below.iter().map(|line| self.leading(line.look)).sum();
        self.space(14.0);
        if self.y + height + 8.0 + captions.min(HEIGHT / 5.0) > BOTTOM && !self.is_at_top() {
            self.turn();
        }
        let role = self.pages.roles.len();
        self.pages.roles.push(Role::Picture(figure.alternative.clone()));
        let x = LEFT + (MEASURE - width) / 2.0;
        self.put(role, Item::Picture { x, y: self.y, width, height, asset: figure.asset });
        self.y += height + 8.0;
        // Lines of one look at a time, since a look has one leading.
        let mut rest = below.into_iter().peekable();
        while let Some(first) = rest.next() {
            let mut same = vec![first];
            while let Some(line) = rest.next_if(|line| line.look == same[0].look) {
                same.push(line);
            }
            self.lines(Role::Caption, same, Align::Center, 0);
        }
        self.space(10.0);
    }

    /// The list of whose the pictures are.
    fn credits(&mut self, article: &Article) {
        let credited = article.credited();
        if credited.is_empty() {
            return;
        }
        let words = article.words;
        self.block(Role::Heading(2, words.credits.to_owned()), words.credits, HEADING, 30.0, 2);
        self.space(4.0);
        for figure in credited {
            let told = [figure.credit(words), figure.mark(words)];
            let source = figure.source.as_deref();
            let address = source.and_then(text::address);
            let told: Vec<String> = (told.into_iter().flatten())
                .chain(source.filter(|_| address.is_none()).map(str::to_owned))
                .collect();
            let colon = if told.is_empty() { "" } else { ": " };
            let entry = format!("{}{colon}{}", figure.label(words), told.join(words.and));
            self.block(Role::Text, &entry, ENTRY, 3.0, 0);
            if let Some(address) = address {
                self.block(Role::Link(address.to_owned()), address, CREDIT, 0.0, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, Document, Options, pdf::fonts::gather};

    fn article(blocks: Vec<Block>) -> Article {
        let document = Document {
            title: "The title".into(),
            language: "en".into(),
            author: None,
            blocks,
            created: 0,
            generator: "test".into(),
        };
        Article::new(&document, &Options::default()).unwrap()
    }

    /// Every word of the text stands on a page, in order, within the margins, and every character has a glyph.
    #[test]
    fn nothing_is_lost_between_lines_and_pages() {
        let text: String =
            (0..4000).map(|at| format!("word{at}-joined {} ", "m".repeat(at % 90))).collect();
        let article = article(vec![Block::Paragraph(text.clone()), Block::Heading("Last".into())]);
        let files = gather(&article, &[]).unwrap();
        let faces = Faces::new(&files, "en");
        let pages = pages(&article, &faces);
        assert!(pages.pages.len() > 10);
        let mut seen = String::new();
        for (_, item) in pages.pages.iter().flatten() {
            let Item::Line { x, y, line } = item else { continue };
            assert!(
                *x >= LEFT - 0.01 && x + line.width <= LEFT + MEASURE + 0.01,
                "a line of {}",
                line.width
            );
            assert!(*y > TOP && *y < BOTTOM);
            for run in &line.runs {
                assert!(run.glyphs.iter().all(|glyph| glyph.glyph_id.to_u32() > 0));
                seen += &run.text;
            }
        }
        let plain = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(plain(&seen), plain(&format!("The title 1970-01-01 {text} Last")));
    }

    #[test]
    fn a_heading_is_not_left_alone() {
        for count in 0..60 {
            let mut blocks: Vec<Block> =
                (0..count).map(|_| Block::Paragraph("One line.".into())).collect();
            blocks.push(Block::Heading("Heading".into()));
            blocks.push(Block::Paragraph("Text below it.".into()));
            let article = article(blocks);
            let files = gather(&article, &[]).unwrap();
            let pages = pages(&article, &Faces::new(&files, "en"));
            let is_heading =
                |(role, _): &(usize, Item)| matches!(&pages.roles[*role], Role::Heading(2, _));
            let page = pages.pages.iter().find(|page| page.iter().any(is_heading)).unwrap();
            assert!(!is_heading(page.last().unwrap()), "after {count} lines");
        }
    }
}
