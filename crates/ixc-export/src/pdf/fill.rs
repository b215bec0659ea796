//! Pages are filled from top to bottom.
//!
//! Invariants: a heading stands above what follows it, a picture on the page of its caption, and neither the first
//! nor the last line of a paragraph stands alone. Lengths are in points, from the page's upper left corner.
//! Deliberately absent: drawing.

use super::{
    fonts::Faces,
    lines::{Line, Look, Passage, lines},
};
use crate::{
    article::{Article, Figure, Piece},
    date, text,
};

/// A4.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
/// Forty square signs of the text's size.
pub(super) const MEASURE: f32 = 420.0;
pub(super) const LEFT: f32 = (WIDTH - MEASURE) / 2.0;
const TOP: f32 = 80.0;
const BOTTOM: f32 = HEIGHT - 88.0;
/// A picture is at most as high as this, so that its caption and some text stay beside it.
const HIGHEST: f32 = 0.62 * (BOTTOM - TOP);
/// And never lower than this for the sake of a long caption.
const LOWEST: f32 = 120.0;
/// A pixel is 1/96 inch, as on the web.
const PIXEL: f32 = 72.0 / 96.0;
/// Between a picture and its caption.
const BELOW_PICTURE: f32 = 8.0;
/// What sums of lengths may be wrong by.
const SLACK: f32 = 0.01;

const INK: [u8; 3] = [0x22, 0x21, 0x1f];
const QUIET: [u8; 3] = [0x6b, 0x67, 0x5f];
const BODY: Look = Look { size: 10.5, is_bold: false, ink: INK };
const TITLE: Look = Look { size: 24.0, is_bold: true, ink: INK };
const HEADING: Look = Look { size: 14.5, is_bold: true, ink: INK };
const BYLINE: Look = Look { size: 9.0, is_bold: false, ink: QUIET };
const CAPTION: Look = Look { size: 9.0, is_bold: false, ink: INK };
const CREDIT: Look = Look { size: 7.5, is_bold: false, ink: QUIET };
const CREDITS: Look = Look { size: 10.5, is_bold: true, ink: INK };
const ENTRY: Look = Look { size: 8.5, is_bold: false, ink: QUIET };

/// What a part of the document is, to those who have it read aloud.
pub(super) enum Role {
    /// Its level and its text.
    Heading(u16, String),
    Text,
    /// A picture, with its alternative text.
    Picture(String),
    Caption,
    /// A line of the list at the end, with the address that its link leads to.
    Entry(Option<String>),
}

/// Something at its place.
pub(super) enum Item {
    /// A line; `y` is its baseline.
    Line { x: f32, y: f32, line: Line },
    /// A picture; `y` is its upper edge.
    Picture { x: f32, y: f32, width: f32, height: f32, asset: usize },
    /// A thin line across the text, which says nothing.
    Rule { y: f32 },
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
    let ratio = if faces.is_justified { 1.75 } else { 1.5 };
    let pages = Pages { pages: vec![Vec::new()], roles: Vec::new() };
    let mut filler = Filler { pages, y: TOP, faces, ratio };
    filler.heading(1, &article.title, TITLE, 0.0, 3.0 * filler.leading(BODY));
    let date = date::date(article.created);
    let byline = match &article.author {
        Some(author) => format!("{author}{}{date}", article.words.and),
        None => date,
    };
    filler.text(&byline, BYLINE, 8.0);
    filler.y += 20.0;
    for (at, piece) in article.pieces.iter().enumerate() {
        match piece {
            Piece::Heading(heading) => {
                let below = filler.least(article, article.pieces.get(at + 1));
                filler.heading(2, heading, HEADING, 22.0, below);
            }
            Piece::Paragraph(paragraph) => filler.paragraph(paragraph),
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

/// A picture and what stands below it, before it has a place.
struct Shown {
    width: f32,
    height: f32,
    /// Lines of one look each.
    below: Vec<Vec<Line>>,
    /// Of all together.
    total: f32,
}

struct Filler<'a> {
    pages: Pages,
    /// Where the next thing begins.
    y: f32,
    faces: &'a Faces<'a>,
    /// From one line to the next, in sizes of the text.
    ratio: f32,
}

impl Filler<'_> {
    fn leading(&self, look: Look) -> f32 {
        // Large letters need less air.
        let ratio = if look.size > 12.0 { 1.3 } else { self.ratio };
        look.size * ratio
    }

    fn set(&self, text: &str, look: Look, width: f32) -> Vec<Line> {
        lines(&Passage { text, look, link: 0..0 }, width, self.faces)
    }

    fn turn(&mut self) {
        self.pages.pages.push(Vec::new());
        self.y = TOP;
    }

    fn is_at_top(&self) -> bool {
        self.y <= TOP
    }

    /// Whether something of a height ends above the page's edge.
    fn fits(&self, height: f32) -> bool {
        self.y + height <= BOTTOM + SLACK
    }

    /// Space between two things, which the top of a page does not need.
    fn space(&mut self, points: f32) {
        if !self.is_at_top() {
            self.y += points;
        }
    }

    fn role(&mut self, role: Role) -> usize {
        self.pages.roles.push(role);
        self.pages.roles.len() - 1
    }

    fn put(&mut self, role: usize, item: Item) {
        self.pages.pages.last_mut().expect("there is a page").push((role, item));
    }

    /// A heading; `below` is the least that must stand on its page under it.
    fn heading(&mut self, level: u16, text: &str, look: Look, space: f32, below: f32) {
        self.space(space);
        let lines = self.set(text, look, MEASURE);
        let role = self.role(Role::Heading(level, text.to_owned()));
        self.lines(role, lines, Align::Start, below);
    }

    fn text(&mut self, text: &str, look: Look, space: f32) {
        self.space(space);
        let lines = self.set(text, look, MEASURE);
        let role = self.role(Role::Text);
        self.lines(role, lines, Align::Start, 0.0);
    }

    fn paragraph(&mut self, paragraph: &[String]) {
        self.space(8.0);
        let set = |line: &String| self.set(line, BODY, MEASURE);
        let lines = paragraph.iter().flat_map(set).collect();
        let role = self.role(Role::Text);
        self.lines(role, lines, Align::Start, 0.0);
    }

    /// How much room the beginning of a piece needs.
    fn least(&self, article: &Article, piece: Option<&Piece>) -> f32 {
        match piece {
            None => 0.0,
            Some(Piece::Paragraph(_)) => 8.0 + 3.0 * self.leading(BODY),
            Some(Piece::Heading(_)) => 30.0 + self.leading(HEADING) + 3.0 * self.leading(BODY),
            Some(Piece::Figure(figure)) => 14.0 + self.shown(article, figure).total,
        }
    }

    /// Lines that part only where neither the first one nor the last is left alone; `below` follows the last.
    fn lines(&mut self, role: usize, lines: Vec<Line>, align: Align, below: f32) {
        let Some(first) = lines.first() else { return };
        let leading = self.leading(first.look);
        let count = lines.len();
        let is_together = below > 0.0 || count <= 3;
        if is_together && !self.fits(count as f32 * leading + below) && !self.is_at_top() {
            self.turn();
        }
        for (at, line) in lines.into_iter().enumerate() {
            let room = ((BOTTOM + SLACK - self.y) / leading).floor() as usize;
            let left = count - at;
            // The first line does not stay behind alone, and the last one does not go on alone.
            let is_alone = left == 2 && room == 1 || at == 0 && room < 2 && left > 1;
            if (room == 0 || is_alone) && !self.is_at_top() {
                self.turn();
            }
            let free = MEASURE - line.width;
            let x = match align {
                Align::Center => LEFT + free / 2.0,
                Align::Start if line.is_rtl => LEFT + free,
                Align::Start => LEFT,
            };
            // What is between two lines stands half above and half below the letters, whose middle is above the
            // baseline.
            let y = self.y + leading / 2.0 + line.look.size * 0.35;
            self.put(role, Item::Line { x, y, line });
            self.y += leading;
        }
    }

    fn shown(&self, article: &Article, figure: &Figure) -> Shown {
        let narrow = MEASURE - 60.0;
        let caption = Some(figure.caption.clone()).filter(|caption| !caption.is_empty());
        let words = article.words;
        let below: Vec<Vec<Line>> =
            [(caption, CAPTION), (figure.credit(words), CREDIT), (figure.mark(words), CREDIT)]
                .into_iter()
                .filter_map(|(text, look)| Some(self.set(&text?, look, narrow)))
                .collect();
        let captions: f32 = below.iter().flatten().map(|line| self.leading(line.look)).sum();
        let captions = if captions > 0.0 { BELOW_PICTURE + captions } else { 0.0 };
        let asset = &article.assets[figure.asset];
        let (wide, high) = (asset.width as f32 * PIXEL, asset.height as f32 * PIXEL);
        let highest = (BOTTOM - TOP - captions).clamp(LOWEST, HIGHEST);
        let scale = (MEASURE / wide).min(highest / high).min(1.0);
        // A picture may be a thousand times as long as it is wide; what is drawn has a size all the same.
        let (width, height) = ((wide * scale).max(0.1), (high * scale).max(0.1));
        Shown { width, height, below, total: height + captions }
    }

    /// A picture and what stands below it.
    fn figure(&mut self, article: &Article, figure: &Figure) {
        let Shown { width, height, below, total } = self.shown(article, figure);
        self.space(14.0);
        if !self.fits(total) && !self.is_at_top() {
            self.turn();
        }
        let role = self.role(Role::Picture(figure.alternative.clone()));
        let x = LEFT + (MEASURE - width) / 2.0;
        self.put(role, Item::Picture { x, y: self.y, width, height, asset: figure.asset });
        self.y += height + if below.is_empty() { 0.0 } else { BELOW_PICTURE };
        for lines in below {
            let role = self.role(Role::Caption);
            self.lines(role, lines, Align::Center, 0.0);
        }
        self.space(8.0);
    }

    /// The list of whose the pictures are.
    fn credits(&mut self, article: &Article) {
        let credited = article.credited();
        if credited.is_empty() {
            return;
        }
        let words = article.words;
        self.space(26.0);
        if !self.fits(60.0) {
            self.turn();
        }
        let role = self.role(Role::Text);
        self.put(role, Item::Rule { y: self.y });
        self.y += 10.0;
        self.heading(2, words.credits, CREDITS, 0.0, 2.0 * self.leading(ENTRY));
        self.y += 3.0;
        for figure in credited {
            let told = [figure.credit(words), figure.mark(words), figure.source.clone()];
            let told: Vec<String> = told.into_iter().flatten().collect();
            let entry = format!("{}: {}", figure.label(words), told.join(words.and));
            let address = figure.source.as_deref().and_then(text::address);
            let link = entry.len() - address.map_or(0, str::len)..entry.len();
            let passage = Passage { text: &entry, look: ENTRY, link };
            let lines = lines(&passage, MEASURE, self.faces);
            self.y += 2.0;
            let role = self.role(Role::Entry(address.map(str::to_owned)));
            self.lines(role, lines, Align::Start, 0.0);
        }
    }
}

#[cfg(test)]
mod tests;
