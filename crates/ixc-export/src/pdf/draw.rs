//! Pages become a PDF.
//!
//! Invariants: everything that is read is tagged with what it is, page numbers and lines are marked as no part of the
//! text; a picture that is shown twice is one object. Where every character has a glyph the document says that it
//! follows PDF/UA-1. Deliberately absent: deciding where anything stands.

use std::num::NonZeroU16;

use krilla::{
    Document, SerializeSettings,
    action::{Action, LinkAction},
    annotation::{Annotation, LinkAnnotation, Target},
    color::rgb,
    configure::{Accessibility, ConfigurationBuilder},
    destination::XyzDestination,
    error::{KrillaError, KrillaResult},
    geom::{PathBuilder, Point, Rect, Size, Transform},
    image::Image,
    metadata::{DateTime, Metadata, TextDirection},
    outline::{Outline, OutlineNode},
    page::{Page, PageSettings},
    paint::{Fill, Stroke},
    surface::Surface,
    tagging::{
        Artifact, ArtifactType, ContentTag, Identifier, ListNumbering, Node, SpanTag, Tag,
        TagGroup, TagKind, TagTree,
    },
};

use super::{
    fill::{HEIGHT, Item, LEFT, MEASURE, Pages, Role, WIDTH},
    fonts::Faces,
    lines::{Line, Look, Passage, Run, lines},
};
use crate::{
    album::{Asset, Kind},
    article::Article,
    date, encode,
    text::is_right_to_left_language,
};

const NUMBER: Look = Look { size: 8.5, is_bold: false, ink: [0x6b, 0x67, 0x5f] };
const RULE: [u8; 3] = [0xde, 0xda, 0xd0];
/// Of pictures that are made anew.
const JPEG_QUALITY: u8 = 90;

/// The bytes of the document; `is_remade` decodes pictures first, for those of a form that PDF does not take as it is.
pub(super) fn draw(
    article: &Article,
    faces: &Faces<'_>,
    pages: &Pages,
    is_complete: bool,
    is_remade: bool,
) -> KrillaResult<Vec<u8>> {
    let images: Vec<Image> = article.assets.iter().map(|asset| image(asset, is_remade)).collect();
    if is_complete {
        let made = document(article, faces, pages, &images, true);
        // Its own rules may be broken by a font that says too little about its glyphs; it can be read all the same.
        if !matches!(made, Err(KrillaError::Validation(_))) {
            return made;
        }
    }
    document(article, faces, pages, &images, false)
}

fn image(asset: &Asset, is_remade: bool) -> Image {
    let data = asset.bytes.to_vec().into();
    let as_it_is = match asset.kind {
        Kind::Jpeg => Image::from_jpeg(data, true),
        Kind::Png => Image::from_png(data, true),
    };
    as_it_is.ok().filter(|_| !is_remade).unwrap_or_else(|| {
        let seen = ixc_input::image::see(&asset.bytes).expect("a picture that was seen before");
        let jpeg = encode::jpeg(&seen.picture, JPEG_QUALITY, None);
        Image::from_jpeg(jpeg.into(), true).expect("our own JPEG")
    })
}

fn document(
    article: &Article,
    faces: &Faces<'_>,
    pages: &Pages,
    images: &[Image],
    is_accessible: bool,
) -> KrillaResult<Vec<u8>> {
    let configuration = ConfigurationBuilder::new();
    let configuration = if is_accessible {
        configuration.with_accessibility_validator(Accessibility::UA1)
    } else {
        configuration
    };
    let configuration = configuration.finish().expect("one standard does not contradict itself");
    let settings = SerializeSettings { configuration, ..SerializeSettings::default() };
    let mut document = Document::new_with(settings);
    document.set_metadata(metadata(article));
    let mut outline = Outline::new();
    let mut nodes: Vec<Vec<Node>> = pages.roles.iter().map(|_| Vec::new()).collect();
    for (number, items) in pages.pages.iter().enumerate() {
        for (role, item) in items {
            let (Role::Heading(_, text), Item::Line { y, line, .. }) = (&pages.roles[*role], item)
            else {
                continue;
            };
            if nodes[*role].is_empty() && is_first(items, *role, item) {
                let place = Point::from_xy(0.0, (y - 2.0 * line.look.size).max(0.0));
                let place = XyzDestination::new(number, place);
                outline.push_child(OutlineNode::new(text.clone(), place));
            }
        }
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).expect("a page has a size");
        let mut page = document.start_page_with(settings);
        let marks = drawn(&mut page, items, number + 1, faces, images);
        for (role, mark, link) in marks {
            let node = match (&pages.roles[role], link) {
                (Role::Entry(Some(address)), Some(place)) => {
                    linked(&mut page, mark, place, address)
                }
                _ => mark.into(),
            };
            nodes[role].push(node);
        }
        page.finish();
    }
    document.set_outline(outline);
    document.set_tag_tree(tree(article, pages, nodes));
    document.finish()
}

/// Whether an item is the first of its role on a page.
fn is_first(items: &[(usize, Item)], role: usize, item: &Item) -> bool {
    items.iter().find(|(of, _)| *of == role).is_some_and(|(_, first)| std::ptr::eq(first, item))
}

/// A link's text together with the place that is clicked on.
fn linked(page: &mut Page<'_>, mark: Identifier, place: Rect, address: &str) -> Node {
    // An address in a PDF is ASCII (ISO 32000-1, 12.6.4.7).
    let plain = |byte: u8| match byte {
        0..0x80 => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let ascii: String = address.bytes().map(plain).collect();
    let target = Target::Action(Action::from(LinkAction::new(ascii)));
    let link = Annotation::new_link(LinkAnnotation::new(place, target), Some(address.to_owned()));
    let annotation = page.add_tagged_annotation(link);
    TagGroup::with_children(Tag::Link, vec![annotation.into(), mark.into()]).into()
}

fn metadata(article: &Article) -> Metadata {
    let instant = date::instant(article.created);
    let part = |range: std::ops::Range<usize>| instant[range].parse().expect("digits of a date");
    let created = DateTime::new(instant[..4].parse().expect("a year of four digits"))
        .month(part(5..7))
        .day(part(8..10))
        .hour(part(11..13))
        .minute(part(14..16))
        .second(part(17..19))
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    let direction = if is_right_to_left_language(&article.language) {
        TextDirection::RightToLeft
    } else {
        TextDirection::LeftToRight
    };
    let metadata = Metadata::new()
        .title(article.title.clone())
        .language(article.language.clone())
        .creator(article.generator.clone())
        .creation_date(created)
        .text_direction(direction);
    match &article.author {
        Some(author) => metadata.authors(vec![author.clone()]),
        None => metadata,
    }
}

/// Draws a page; each mark with its role, and the place of a link.
fn drawn(
    page: &mut Page<'_>,
    items: &[(usize, Item)],
    number: usize,
    faces: &Faces<'_>,
    images: &[Image],
) -> Vec<(usize, Identifier, Option<Rect>)> {
    let mut surface = page.surface();
    let mut marks = Vec::new();
    for (role, item) in items {
        match item {
            Item::Line { x, y, line } => {
                for (mark, link) in tagged_line(&mut surface, *x, *y, line, faces) {
                    marks.push((*role, mark, link));
                }
            }
            Item::Picture { x, y, width, height, asset } => {
                let mark = surface.start_tagged(ContentTag::Other);
                let size = Size::from_wh(*width, *height).expect("a picture has a size");
                surface.push_transform(&Transform::from_translate(*x, *y));
                surface.draw_image(images[*asset].clone(), size);
                surface.pop();
                surface.end_tagged();
                marks.push((*role, mark, None));
            }
            Item::Rule { y } => rule(&mut surface, *y),
        }
    }
    page_number(&mut surface, number, faces);
    surface.finish();
    marks
}

/// Draws a line, what is a link in it under a mark of its own.
fn tagged_line(
    surface: &mut Surface<'_>,
    mut x: f32,
    y: f32,
    line: &Line,
    faces: &Faces<'_>,
) -> Vec<(Identifier, Option<Rect>)> {
    let mut marks = Vec::new();
    for runs in line.runs.chunk_by(|one, other| one.is_link == other.is_link) {
        let mark = surface.start_tagged(ContentTag::Span(SpanTag::empty()));
        let width = draw_runs(surface, Point::from_xy(x, y), runs, line.look, faces);
        surface.end_tagged();
        let (top, bottom) = (y - line.look.size, y + 0.3 * line.look.size);
        let place = Rect::from_ltrb(x, top, x + width.max(1.0), bottom);
        marks.push((mark, place.filter(|_| runs[0].is_link)));
        x += width;
    }
    marks
}

/// Draws runs from left to right, and returns how wide they are.
fn draw_runs(
    surface: &mut Surface<'_>,
    start: Point,
    runs: &[Run],
    look: Look,
    faces: &Faces<'_>,
) -> f32 {
    let Look { size, is_bold, ink: [red, green, blue] } = look;
    let paint = rgb::Color::new(red, green, blue);
    let mut width = 0.0;
    for run in runs {
        let outline = faces.needs_outline(run.face, is_bold);
        let stroke = Stroke { paint: paint.into(), width: 0.03 * size, ..Stroke::default() };
        surface.set_fill(Some(Fill { paint: paint.into(), ..Fill::default() }));
        surface.set_stroke(Some(stroke).filter(|_| outline));
        let font = faces.faces[run.face].font.clone();
        let place = Point::from_xy(start.x + width, start.y);
        surface.draw_glyphs(place, &run.glyphs, font, &run.text, size, false);
        width += run.width;
    }
    surface.set_stroke(None);
    width
}

fn rule(surface: &mut Surface<'_>, y: f32) {
    surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
    let mut path = PathBuilder::new();
    path.move_to(LEFT, y);
    path.line_to(LEFT + MEASURE, y);
    let [red, green, blue] = RULE;
    let paint = rgb::Color::new(red, green, blue).into();
    surface.set_fill(None);
    surface.set_stroke(Some(Stroke { paint, width: 0.6, ..Stroke::default() }));
    surface.draw_path(&path.finish().expect("a line is a path"));
    surface.set_stroke(None);
    surface.end_tagged();
}

fn page_number(surface: &mut Surface<'_>, number: usize, faces: &Faces<'_>) {
    let artifact = Artifact::with_kind(ArtifactType::PageNumber);
    surface.start_tagged(ContentTag::Artifact(artifact));
    let text = number.to_string();
    for line in lines(&Passage { text: &text, look: NUMBER, link: 0..0 }, MEASURE, faces) {
        let place = Point::from_xy((WIDTH - line.width) / 2.0, HEIGHT - 46.0);
        draw_runs(surface, place, &line.runs, line.look, faces);
    }
    surface.end_tagged();
}

/// What each part of the text is.
fn tree(article: &Article, pages: &Pages, nodes: Vec<Vec<Node>>) -> TagTree {
    let mut tree = TagTree::new().with_lang(Some(article.language.clone()));
    let mut list = TagGroup::new(Tag::L(ListNumbering::None));
    for (role, nodes) in pages.roles.iter().zip(nodes) {
        let tag: TagKind = match role {
            Role::Heading(level, text) => {
                let level = NonZeroU16::new(*level).expect("headings count from 1");
                Tag::Hn(level, Some(text.clone())).into()
            }
            Role::Text => Tag::P.into(),
            Role::Picture(alternative) => Tag::Figure(Some(alternative.clone())).into(),
            Role::Caption => Tag::Caption.into(),
            Role::Entry(_) => {
                let body = TagGroup::with_children(Tag::LBody, nodes);
                list.push(TagGroup::with_children(Tag::LI, vec![body.into()]));
                continue;
            }
        };
        if !nodes.is_empty() {
            tree.push(TagGroup::with_children(tag, nodes));
        }
    }
    if !list.children.is_empty() {
        tree.push(list);
    }
    tree
}
