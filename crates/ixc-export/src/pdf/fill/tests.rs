//! What stands on which page, before it is drawn.

use std::sync::Arc;

use super::*;
use crate::{Block, Document, Options, Picture, Source, pdf::fonts::gather};

fn laid_out(language: &str, blocks: Vec<Block>, see: impl Fn(&Article, &Pages)) {
    let document = Document {
        title: "The title".into(),
        language: language.into(),
        author: None,
        blocks,
        created: 0,
        generator: "test".into(),
    };
    let article = Article::new(&document, &Options::default()).unwrap();
    let files = gather(&article, &[]);
    let pages = pages(&article, &Faces::new(&files, language));
    see(&article, &pages);
}

fn picture(width: u32, height: u32, caption: &str) -> Block {
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
    let mut bytes = Vec::new();
    let pixels = vec![128; 3 * (width * height) as usize];
    PngEncoder::new(&mut bytes)
        .write_image(&pixels, width, height, ExtendedColorType::Rgb8)
        .unwrap();
    Block::Picture(Picture {
        source: Source::Bytes(Arc::from(bytes)),
        caption: caption.into(),
        alternative: String::new(),
        credit: None,
        generated: None,
    })
}

/// Every line within the margins; its text in the order in which it is read.
fn text(pages: &Pages) -> String {
    let mut seen = String::new();
    for (_, item) in pages.pages.iter().flatten() {
        let Item::Line { x, y, line } = item else { continue };
        let right = x + line.width;
        assert!(*x >= LEFT - 0.1 && right <= LEFT + MEASURE + 0.1, "a line from {x} to {right}");
        assert!(*y > TOP && *y < BOTTOM, "a line at {y}");
        line.runs.iter().for_each(|run| seen += &run.text);
    }
    seen
}

#[test]
fn nothing_is_lost_between_lines_and_pages() {
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    let latin: String =
        (0..3000).map(|at| format!("word{at}-joined {} ", "m".repeat(at % 90))).collect();
    let chinese = "他说：“回家吧！”于是大家（一共12人）沿着river走了……".repeat(200);
    let without_end = "x".repeat(5000) + &"字".repeat(3000);
    for (language, body) in [("en", latin), ("zh-Hans", chinese), ("ja", without_end)] {
        let blocks = vec![Block::Paragraph(body.clone()), Block::Heading("Last".into())];
        laid_out(language, blocks, |_, pages| {
            assert!(pages.pages.len() > 3);
            let wanted = plain(&format!("The title 1970-01-01 {body} Last"));
            assert_eq!(plain(&text(pages)), wanted);
            let runs = |line: &Line| {
                line.runs.iter().all(|run| run.glyphs.iter().all(|g| g.glyph_id.to_u32() > 0))
            };
            assert!(pages.pages.iter().flatten().all(|(_, item)| match item {
                Item::Line { line, .. } => runs(line),
                _ => true,
            }));
        });
    }
}

/// Lines of Chinese fill the measure, end where they may, and begin with no closing mark.
#[test]
fn chinese_lines_are_justified() {
    let body = "山村的冬夜，炊烟袅袅；灯火（一盏又一盏）亮起。“回家吧！”有人喊道，声音很远、很轻。"
        .repeat(9);
    laid_out("zh-Hans", vec![Block::Paragraph(body)], |_, pages| {
        let lines: Vec<&Line> = pages.pages[0]
            .iter()
            .filter_map(|(_, item)| match item {
                Item::Line { line, .. } if line.look == BODY => Some(line),
                _ => None,
            })
            .collect();
        assert!(lines.len() > 8);
        for line in &lines {
            let first = line.runs[0].text.chars().next().unwrap();
            assert!(!"，。；！、）”".contains(first), "a line begins with {first}");
        }
        for line in &lines[..lines.len() - 1] {
            assert!((line.width - MEASURE).abs() < 0.1, "a line of {}", line.width);
        }
    });
}

/// What is read from right to left is seen so, numbers and Latin words in it from left to right (UAX 9).
#[test]
fn directions_are_mixed_as_unicode_says() {
    for (text, wanted) in [("שלום world 12 עולם", "עולם|world 12|שלום"), ("(שלום) 12", "12|(שלום)")]
    {
        laid_out("he", vec![Block::Paragraph(text.into())], |_, pages| {
            let last = pages.pages[0].last();
            let Some((_, Item::Line { x, line, .. })) = last else { panic!("no line") };
            assert!(line.is_rtl && (x + line.width - LEFT - MEASURE).abs() < 0.1);
            let parts = line.runs.iter().map(|run| run.text.trim()).filter(|text| !text.is_empty());
            assert_eq!(parts.collect::<Vec<_>>().join("|"), wanted);
            // Boxes: the packaged fonts have no Hebrew.
            assert!(crate::pdf::without_glyph(pages).contains(&'ש'));
        });
    }
}

/// A heading is above what it is for, whatever that is.
#[test]
fn a_heading_is_not_left_alone() {
    for count in 0..50 {
        for last in [Block::Paragraph("Text below it.".into()), picture(400, 300, "A caption")] {
            let mut blocks = vec![Block::Paragraph("One line.".into()); count];
            blocks.extend([Block::Heading("Heading".into()), last]);
            laid_out("en", blocks, |_, pages| {
                let is_heading =
                    |(role, _): &(usize, Item)| matches!(&pages.roles[*role], Role::Heading(2, _));
                let page = pages.pages.iter().find(|page| page.iter().any(is_heading)).unwrap();
                assert!(!is_heading(page.last().unwrap()), "after {count} lines");
            });
        }
    }
}

/// A picture is inside the page, not stretched, not larger than it is, and on the page of its caption.
#[test]
fn a_picture_keeps_its_shape_and_its_caption() {
    let long = "A caption that takes its lines. ".repeat(60);
    for (width, height) in [(40, 30), (900, 500), (100, 2000), (1500, 1), (1, 3000)] {
        for caption in ["", "Short", &long] {
            for before in [0, 29] {
                let mut blocks = vec![Block::Paragraph("One line.".into()); before];
                blocks.push(picture(width, height, caption));
                laid_out("en", blocks, |_, pages| one_picture(pages, width as f32, height as f32));
            }
        }
    }
}

fn one_picture(pages: &Pages, pixels_wide: f32, pixels_high: f32) {
    for page in &pages.pages {
        for (at, (_, item)) in page.iter().enumerate() {
            let Item::Picture { x, y, width, height, .. } = *item else { continue };
            assert!(x >= LEFT - 0.1 && x + width <= LEFT + MEASURE + 0.1);
            assert!(y >= TOP - 0.1 && y + height <= BOTTOM + 0.1);
            assert!(width <= pixels_wide * PIXEL + 0.1 && height <= pixels_high * PIXEL + 0.1);
            if width > 1.0 && height > 1.0 {
                assert!((width / height / (pixels_wide / pixels_high) - 1.0).abs() < 0.01);
            }
            let role = pages.roles.iter().position(|role| matches!(role, Role::Caption));
            if let Some(role) = role {
                let here = page[at + 1..].iter().filter(|(of, _)| *of == role).count();
                let all = pages.pages.iter().flatten().filter(|(of, _)| *of == role).count();
                assert_eq!(here, all, "the caption went on to another page");
            }
            return;
        }
    }
    panic!("no picture");
}
