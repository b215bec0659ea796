//! Documents and pictures to export.

use std::sync::Arc;

use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder};
use ixc_export::{Block, Credit, Document, Picture, Source};

/// A picture that no other number has: flat colours, as a drawing has them.
pub(crate) fn drawing(number: u32, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(&flat(number, width, height), width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// The same as a JPEG.
pub(crate) fn jpeg(number: u32, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new(&mut bytes)
        .write_image(&flat(number, width, height), width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

fn flat(number: u32, width: u32, height: u32) -> Vec<u8> {
    let pixel = |at: u32| {
        let (x, y) = (at % width * 4 / width, at / width * 4 / height);
        let color = number.wrapping_mul(2_654_435_761).rotate_left(8 * (x + y));
        [color as u8, (color >> 8) as u8, (color >> 16) as u8]
    };
    (0..width * height).flat_map(pixel).collect()
}

/// Grain, as a photograph has it: no lossless form of it is small.
pub(crate) fn grain(width: u32, height: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let rgb: Vec<u8> = (0..3 * width * height)
        .map(|at| ((at / 3 % width) as u8).wrapping_add(next() / 16))
        .collect();
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(&rgb, width, height, ExtendedColorType::Rgb8).unwrap();
    bytes
}

pub(crate) fn picture(bytes: Vec<u8>, caption: &str) -> Picture {
    Picture {
        source: Source::Bytes(Arc::from(bytes)),
        caption: caption.to_owned(),
        alternative: String::new(),
        credit: None,
        generated: None,
    }
}

pub(crate) fn document(title: &str, language: &str, blocks: Vec<Block>) -> Document {
    Document {
        title: title.to_owned(),
        language: language.to_owned(),
        author: None,
        blocks,
        created: 1_795_725_534,
        generator: "ixc 0.1.0".to_owned(),
    }
}

pub(crate) fn paragraph(text: &str) -> Block {
    Block::Paragraph(text.to_owned())
}

/// What people and models write, and what attackers do.
pub(crate) const TEXTS: &[&str] = &[
    "A winter evening in a mountain village: smoke stands above the roofs, and the lamps are lit.",
    "冬日的傍晚，山村里炊烟袅袅，灯火次第亮起。“回家吧！”有人喊道……",
    "夕暮れの山村に、煙がまっすぐ立ちのぼる。한국어 문장도 하나.",
    "في مساء شتوي، تضيء القرية الجبلية 12 مصباحًا (واحدًا تلو الآخر).",
    "ערב חורף בכפר ההררי, and some English inside.",
    "Зимний вечер в горной деревне; Χειμωνιάτικο βράδυ.",
    "Emoji: 👩‍👩‍👧‍👦 🏔️ 🇨🇭 e\u{301} 𝒳 𠮷",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "</p></body></html><!-- ]]> <![CDATA[ &lt; &amp; &#x3c;script&#x3e; &nbsp;",
    "[click](javascript:alert(1)) ![x](javascript:alert(2)) <javascript:alert(3)> [a]: javascript:alert(4)",
    "# not a heading",
    "- not a list\n1. nor this\n> nor a quotation\n=====\n---\n***\n```\nfence\n~~~",
    "2026. A year is no list; 7) neither. `code` *stars* _lines_ ~~gone~~ $x$ | table | {{< hugo >}} %%note%% ==mark==",
    "back\\slash at the end\\\nnext line  \nhttps://example.com/a_b_c?d=e&f=g#h www.example.com a@b.example",
    "\u{202e}turned around\u{202c} nul \0 bell \u{7} escape \u{1b}[31m noncharacter \u{ffff} tab\tend",
    "\u{3000}\u{3000}first line\r\nsecond line\n\nsecond paragraph \"quoted\" 'single' «guillemets»",
    "one-word-that-is-far-too-long-for-any-line-of-any-page-because-somebody-joined-everything-with-hyphens-and_underscores",
    "= + - : ^ ~ ! # @ % & * ( ) [ ] { } < > / ? . , ; ' \" \\ |",
];

/// Whose a picture might be.
pub(crate) fn credit(number: usize) -> Option<Credit> {
    let some = |text: &str| Some(text.to_owned());
    match number % 5 {
        0 => None,
        1 => Some(Credit {
            author: some("A. <b>Author</b>"),
            licence: some("CC BY 4.0"),
            source: some("https://example.com/p?id=1&b=\u{4e2d}"),
        }),
        2 => Some(Credit {
            author: None,
            licence: some("自摄 & 保留"),
            source: some("javascript:alert(5)"),
        }),
        3 => Some(Credit { author: some("محمد"), licence: None, source: None }),
        _ => {
            Some(Credit { source: some("my own album, page 3\" onload=\"x"), ..Credit::default() })
        }
    }
}

/// Article `number` of an endless row: every text in turn as title, heading, paragraph, caption and alternative.
pub(crate) fn article(number: usize, pictures: usize) -> Document {
    let text = |at: usize| TEXTS[(number + at) % TEXTS.len()];
    let mut blocks = Vec::new();
    for at in 0..TEXTS.len().max(pictures) {
        if at % 4 == 1 {
            blocks.push(Block::Heading(text(3 * at).to_owned()));
        }
        blocks.push(paragraph(text(at)));
        if at < pictures {
            let seed = (number * 1000 + at) as u32;
            let bytes = if at % 2 == 0 { drawing(seed, 24, 16) } else { jpeg(seed, 16, 24) };
            let mut picture = picture(bytes, if at % 7 == 6 { "" } else { text(5 * at + 1) });
            picture.alternative = if at % 3 == 0 { text(2 * at).to_owned() } else { String::new() };
            picture.credit = credit(at);
            picture.generated = (at % 6 == 4).then(|| format!("painter-1: {}", text(at + 2)));
            blocks.push(Block::Picture(picture));
        }
    }
    let language = ["en", "zh-Hans", "ar", "ja", "zh-TW"][number % 5];
    let mut document = document(text(0), language, blocks);
    document.author = (number % 2 == 1).then(|| text(4).to_owned());
    document
}
