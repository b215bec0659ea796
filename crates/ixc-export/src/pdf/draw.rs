//! Pages become a PDF.
//!
//! Invariants: everything that is read is tagged with what it is, page numbers are marked as no part of the text; a
//! picture that is shown twice is one object. Deliberately absent: deciding where anything stands.

use std::num::NonZeroU16;

use krilla::{
    Document,
    action::{Action, LinkAction},
    annotation::{Annotation, LinkAnnotation, Target},
    color::luma,
    destination::XyzDestination,
    geom::{Point, Rect, Size, Transform},
    image::Image,
    metadata::{DateTime, Metadata, TextDirection},
    num::NormalizedF32,
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::{Fill, Stroke},
    surface::Surface,
    tagging::{Artifact, ArtifactType, ContentTag, Node, SpanTag, Tag, TagGroup, TagKind, TagTree},
};

use super::{
    fill::{HEIGHT, Item, Pages, Role, WIDTH},
    fonts::Faces,
    lines::{Line, Look, lines},
};
use crate::{
    album::{Asset, Kind},
    article::Article,
    date,
    text::is_right_to_left_language,
};

const NUMBER: Look = Look { size: 9.0, is_bold: false, gray: 100 };

/// The bytes of the document, or why there are none.
pub(super) fn draw(article: &Article, faces: &Faces<'_>, pages: &Pages) -> Result<Vec<u8>, String> {
    let images: Result<Vec<Image>, String> = article.assets.iter().map(image).collect();
    let images = images?;
    let mut document = Document::new();
    document.set_metadata(metadata(article));
    let mut outline = Outline::new();
    let mut nodes: Vec<Vec<Node>> = pages.roles.iter().map(|_| Vec::new()).collect();
    for (number, items) in pages.pages.iter().enumerate() {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).expect("a page has a size");
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for (role, item) in items {
            nodes[*role].push(shown(&mut surface, item, faces, &images).into());
            if let (Role::Heading(2.., text), Item::Line { y, line, .. }, 1) =
                (&pages.roles[*role], item, nodes[*role].len())
            {
                let place = Point::from_xy(0.0, (y - 2.0 * line.look.size).max(0.0));
                outline
                    .push_child(OutlineNode::new(text.clone(), XyzDestination::new(number, place)));
            }
        }
        page_number(&mut surface, number + 1, faces);
        surface.finish();
        for (role, item) in items {
            if let (Role::Link(address), Item::Line { x, y, line }) = (&pages.roles[*role], item) {
                let (top, bottom) = (y - line.look.size, y + 0.3 * line.look.size);
                let place = Rect::from_ltrb(*x, top, x + line.width.max(1.0), bottom);
                let target = Target::Action(Action::from(LinkAction::new(address.clone())));
                let link = LinkAnnotation::new(place.expect("a line has a size"), target);
                let link = Annotation::new_link(link, Some(address.clone()));
                nodes[*role].push(page.add_tagged_annotation(link).into());
            }
        }
        page.finish();
    }
    document.set_outline(outline);
    document.set_tag_tree(tree(article, pages, nodes));
    document.finish().map_err(|error| error.to_string())
}

fn image(asset: &Asset) -> Result<Image, String> {
    let data = asset.bytes.to_vec().into();
    match asset.kind {
        Kind::Jpeg => Image::from_jpeg(data, true),
        Kind::Png => Image::from_png(data, true),
    }
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

/// Draws an item and returns its mark in the tree of tags.
fn shown(
    surface: &mut Surface<'_>,
    item: &Item,
    faces: &Faces<'_>,
    images: &[Image],
) -> krilla::tagging::Identifier {
    match item {
        Item::Line { x, y, line } => {
            let mark = surface.start_tagged(ContentTag::Span(SpanTag::empty()));
            draw_line(surface, *x, *y, line, faces);
            surface.end_tagged();
            mark
        }
        Item::Picture { x, y, width, height, asset } => {
            let mark = surface.start_tagged(ContentTag::Other);
            let size = Size::from_wh(*width, *height).expect("a picture has a size");
            surface.push_transform(&Transform::from_translate(*x, *y));
            surface.draw_image(images[*asset].clone(), size);
            surface.pop();
            surface.end_tagged();
            mark
        }
    }
}

fn draw_line(surface: &mut Surface<'_>, mut x: f32, y: f32, line: &Line, faces: &Faces<'_>) {
    let Look { size, is_bold, gray } = line.look;
    let paint = luma::Color::new(gray);
    let fill = Fill { paint: paint.into(), opacity: NormalizedF32::ONE, ..Fill::default() };
    for run in &line.runs {
        let outline = faces.needs_outline(run.face, is_bold);
        let stroke = Stroke { paint: paint.into(), width: 0.03 * size, ..Stroke::default() };
        surface.set_fill(Some(fill.clone()));
        surface.set_stroke(Some(stroke).filter(|_| outline));
        let font = faces.faces[run.face].font.clone();
        surface.draw_glyphs(Point::from_xy(x, y), &run.glyphs, font, &run.text, size, false);
        x += run.width;
    }
    surface.set_stroke(None);
}

fn page_number(surface: &mut Surface<'_>, number: usize, faces: &Faces<'_>) {
    let artifact = Artifact::with_kind(ArtifactType::PageNumber);
    surface.start_tagged(ContentTag::Artifact(artifact));
    for line in lines(&number.to_string(), NUMBER, WIDTH, faces) {
        draw_line(surface, (WIDTH - line.width) / 2.0, HEIGHT - 44.0, &line, faces);
    }
    surface.end_tagged();
}

/// What each part of the text is.
fn tree(article: &Article, pages: &Pages, nodes: Vec<Vec<Node>>) -> TagTree {
    let mut tree = TagTree::new().with_lang(Some(article.language.clone()));
    for (role, nodes) in pages.roles.iter().zip(nodes) {
        let tag: TagKind = match role {
            Role::Heading(level, text) => {
                let level = NonZeroU16::new(*level).expect("headings count from 1");
                Tag::Hn(level, Some(text.clone())).into()
            }
            Role::Text => Tag::P.into(),
            Role::Picture(alternative) => Tag::Figure(Some(alternative.clone())).into(),
            Role::Caption => Tag::Caption.into(),
            Role::Link(_) => {
                let link = TagGroup::with_children(Tag::Link, nodes);
                tree.push(TagGroup::with_children(Tag::P, vec![link.into()]));
                continue;
            }
        };
        tree.push(TagGroup::with_children(tag, nodes));
    }
    tree
}
