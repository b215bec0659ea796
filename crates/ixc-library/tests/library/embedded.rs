//! What pictures say of themselves, in the three forms and four formats; and that harm gives texts or none.

use std::{fs, path::Path};

use ixc_library::{About, Library};

use crate::support::{add, folder, mixed};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(ixc_goldens::fixtures().join("images").join(name)).unwrap()
}

/// What a library says of a picture with these bytes.
fn about(name: &str, bytes: &[u8]) -> About {
    let place = folder();
    let mut library = Library::create(place.path()).unwrap();
    fs::write(place.path().join(name), bytes).unwrap();
    let added = add(&mut library, place.path());
    assert_eq!(added.skipped, [], "{name}");
    library.find(Path::new(name)).unwrap().expect("it was taken").about
}

/// A TIFF block with one directory of texts.
fn exif(little: bool, texts: &[(u16, &str)]) -> Vec<u8> {
    let u16s = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    let u32s = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    let mut block = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
    block.extend(u32s(8));
    block.extend(u16s(texts.len() as u16));
    let mut data = Vec::new();
    let start = 8 + 2 + 12 * texts.len() as u32 + 4;
    for (tag, text) in texts {
        block.extend(u16s(*tag));
        block.extend(u16s(2));
        block.extend(u32s(text.len() as u32 + 1));
        block.extend(u32s(start + data.len() as u32));
        data.extend(text.as_bytes());
        data.push(0);
    }
    block.extend(u32s(0));
    [block, data].concat()
}

const XMP: &str = "<x:xmpmeta><dc:description><rdf:Alt><rdf:li xml:lang='x-default'>A quiet bay</rdf:li></rdf:Alt>\
    </dc:description><dc:creator><rdf:Seq><rdf:li>Ana</rdf:li></rdf:Seq></dc:creator>\
    <dc:rights><rdf:Alt><rdf:li>CC BY</rdf:li></rdf:Alt></dc:rights></x:xmpmeta>";

/// Behind the first two bytes of a JPEG: one more segment.
fn jpeg_with(code: u8, data: &[u8]) -> Vec<u8> {
    let file = fixture("cmyk.jpg");
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&file[..2], &[0xff, code], &length, data, &file[2..]].concat()
}

/// Behind the header of a PNG: one more chunk.
fn png_with(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let file = fixture("rgb_6_1x1.png");
    let checked = [name.as_slice(), data].concat();
    let mut crc = u32::MAX;
    for &byte in &checked {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let length = (data.len() as u32).to_be_bytes();
    [&file[..33], &length, &checked, &(!crc).to_be_bytes(), &file[33..]].concat()
}

fn webp_with(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut file = fixture("lossless.webp");
    file.extend(name);
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file.resize(file.len().next_multiple_of(2), 0);
    let length = file.len() as u32 - 8;
    file[4..8].copy_from_slice(&length.to_le_bytes());
    file
}

fn assert_says(about: &About, caption: &str, author: &str, licence: &str) {
    assert_eq!(about.captions.first().map(|caption| caption.text.as_str()), Some(caption));
    assert_eq!(about.author.as_deref(), Some(author));
    assert_eq!(about.licence.as_deref(), Some(licence));
}

#[test]
fn every_form_is_read() {
    let texts = [(0x010e, "A red fox"), (0x013b, "Jo B."), (0x8298, "(c) Jo 2026")];
    for little in [true, false] {
        let block = exif(little, &texts);
        let in_jpeg = jpeg_with(0xe1, &[b"Exif\0\0", &block[..]].concat());
        assert_says(&about("a.jpg", &in_jpeg), "A red fox", "Jo B.", "(c) Jo 2026");
        assert_says(
            &about("a.png", &png_with(b"eXIf", &block)),
            "A red fox",
            "Jo B.",
            "(c) Jo 2026",
        );
        assert_says(
            &about("a.webp", &webp_with(b"EXIF", &block)),
            "A red fox",
            "Jo B.",
            "(c) Jo 2026",
        );
    }
    let packet = [b"http://ns.adobe.com/xap/1.0/\0", XMP.as_bytes()].concat();
    assert_says(&about("b.jpg", &jpeg_with(0xe1, &packet)), "A quiet bay", "Ana", "CC BY");
    assert_says(
        &about("b.webp", &webp_with(b"XMP ", XMP.as_bytes())),
        "A quiet bay",
        "Ana",
        "CC BY",
    );
    let chunk = [b"XML:com.adobe.xmp\0\0\0\0\0", XMP.as_bytes()].concat();
    assert_says(&about("b.png", &png_with(b"iTXt", &chunk)), "A quiet bay", "Ana", "CC BY");
    let latin = about("c.png", &png_with(b"tEXt", b"Description\0caf\xe9"));
    assert_eq!(latin.captions[0].text, "café");
    let comment = about("c.jpg", &jpeg_with(0xfe, "湖边的狗".as_bytes()));
    assert_eq!(
        (comment.captions[0].text.as_str(), comment.captions[0].language.as_deref()),
        ("湖边的狗", Some("zh"))
    );
    let text = b"parameters\0a lake\nSteps: 20, Seed: 5, Model: sd";
    let generated = about("d.png", &png_with(b"tEXt", text)).generated.unwrap();
    assert_eq!(generated.prompt.as_deref(), Some("a lake"));
    assert_eq!((generated.seed.as_deref(), generated.model.as_deref()), (Some("5"), Some("sd")));
}

#[test]
fn what_nobody_wrote_is_no_caption() {
    for text in ["OLYMPUS DIGITAL CAMERA", "   ", "DCIM\\100\\A.JPG"] {
        let block = exif(true, &[(0x010e, text)]);
        let found = about("a.jpg", &jpeg_with(0xe1, &[b"Exif\0\0", &block[..]].concat()));
        assert_eq!(found, About::default(), "{text}");
    }
    let found = about("a.jpg", &jpeg_with(0xfe, b"CREATOR: gd-jpeg v1.0"));
    assert_eq!(found, About::default());
}

#[test]
fn harm_gives_texts_or_none() {
    let block = exif(true, &[(0x010e, "A red fox"), (0x013b, "Jo")]);
    let whole = jpeg_with(0xe1, &[b"Exif\0\0", &block[..]].concat());
    let place = folder();
    let mut library = Library::create(place.path()).unwrap();
    let mut files = Vec::new();
    for round in 0..60u64 {
        let mut file = whole.clone();
        for hit in 0..4 {
            // Within the segment: behind it lie the pixels.
            let at = 2 + (mixed(round * 8 + hit) as usize) % (block.len() + 10);
            file[at] = mixed(round * 8 + hit + 4) as u8;
        }
        files.push(place.path().join(format!("{round}.jpg")));
        fs::write(files.last().unwrap(), file).unwrap();
    }
    let added = add(&mut library, place.path());
    assert_eq!(added.added + added.duplicates + added.skipped.len(), files.len());
    assert!(added.added > 10, "most are pictures still: {added:?}");
}
