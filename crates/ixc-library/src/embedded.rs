//! What a picture's own file says: caption, author, rights, and how it was generated.
//!
//! Three places: texts of a PNG, EXIF, XMP; the first that has a thing says it. The picture was decoded before,
//! so the file is of its format; the texts may still be anything. Invariant: any bytes whatever give texts or
//! none, in time proportional to their number. Deliberately absent: where a picture was taken (nobody who shares
//! an article wants to tell that by accident), IPTC's own form, compressed texts.

mod exif;
mod generator;
mod xmp;

use crate::{
    About,
    entry::Origin,
    limits::MAX_SIDECAR_BYTES,
    sidecar::{caption_of, tidy},
};

/// What cameras and programs write where nobody wrote anything.
const NOBODYS: &[&str] = &[
    "",
    "default",
    "digital camera",
    "image",
    "minolta digital camera",
    "olympus digital camera",
    "samsung digital camera",
    "sony dsc",
    "untitled",
    "screenshot",
    "charset=ascii",
];

/// Texts as they are found, before it is decided what they are good for.
#[derive(Debug, Default)]
struct Texts {
    caption: Option<String>,
    author: Option<String>,
    rights: Option<String>,
    source: Option<String>,
    generated: Option<crate::Generated>,
}

impl Texts {
    fn fill(&mut self, other: Self) {
        self.caption = self.caption.take().or(other.caption);
        self.author = self.author.take().or(other.author);
        self.rights = self.rights.take().or(other.rights);
        self.source = self.source.take().or(other.source);
        self.generated = self.generated.take().or(other.generated);
    }
}

/// What the file says.
pub(crate) fn about_of(file: &[u8]) -> About {
    let mut texts = Texts::default();
    if file.starts_with(b"\x89PNG") {
        png(file, &mut texts);
    } else if file.starts_with(b"\xff\xd8") {
        jpeg(file, &mut texts);
    } else if file.starts_with(b"RIFF") {
        webp(file, &mut texts);
    } else if file.starts_with(b"II") || file.starts_with(b"MM") {
        texts.fill(exif::texts(file));
    }
    let caption = texts.caption.filter(|caption| {
        // "DCIM\100MEDIA\DJI_0001.JPG" is a name, not a caption.
        let small = caption.to_lowercase();
        !NOBODYS.contains(&&*small) && !small.starts_with("dcim\\")
    });
    About {
        captions: caption
            .map(|text| caption_of(text, None, Origin::Embedded))
            .into_iter()
            .collect(),
        source: texts.source,
        licence: texts.rights,
        author: texts.author,
        generated: texts.generated,
        ..About::default()
    }
}

/// A text worth keeping, on one line. What is too long is no caption.
fn worth(text: &str) -> Option<String> {
    tidy(text).ok().filter(|text| !text.is_empty())
}

/// `N` bytes at an offset, where the file reaches that far.
fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// UTF-8 where it is; otherwise Latin-1, which the older forms prescribe.
fn latin(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes)
        .map_or_else(|_| bytes.iter().copied().map(char::from).collect(), str::to_owned)
}

fn png(file: &[u8], texts: &mut Texts) {
    let mut offset = 8;
    // A chunk: length, name, data, check sum.
    while let Some((length, name)) = at(file, offset).zip(at::<4>(file, offset.saturating_add(4))) {
        let length = u32::from_be_bytes(length) as usize;
        let Some(data) = file.get(offset + 8..).and_then(|rest| rest.get(..length)) else { return };
        match &name {
            b"tEXt" => {
                if let Some((key, text)) = cut(data) {
                    png_text(key, &latin(text), texts);
                }
            }
            b"iTXt" => png_international(data, texts).unwrap_or(()),
            b"eXIf" => texts.fill(exif::texts(data)),
            _ => {}
        }
        offset += 12 + length;
    }
}

/// What is before the first zero, and what is behind it.
fn cut(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let zero = data.iter().position(|&byte| byte == 0)?;
    Some((&data[..zero], &data[zero + 1..]))
}

/// Keyword, compressed or not and how, language, translated keyword, text.
fn png_international(data: &[u8], texts: &mut Texts) -> Option<()> {
    let (key, rest) = cut(data)?;
    let ([0, _], rest) = rest.split_first_chunk()? else { return None };
    let (_, rest) = cut(rest)?;
    let (_, text) = cut(rest)?;
    let text = std::str::from_utf8(text).ok()?;
    if key == b"XML:com.adobe.xmp" {
        texts.fill(xmp::texts(text));
    } else {
        png_text(key, text, texts);
    }
    Some(())
}

fn png_text(key: &[u8], text: &str, texts: &mut Texts) {
    if text.len() as u64 > MAX_SIDECAR_BYTES {
        return;
    }
    let found = match key {
        b"Description" | b"Title" | b"Comment" | b"ImageDescription" => {
            Texts { caption: worth(text), ..Texts::default() }
        }
        b"Author" | b"Artist" => Texts { author: worth(text), ..Texts::default() },
        b"Copyright" => Texts { rights: worth(text), ..Texts::default() },
        b"Source" | b"URL" => Texts { source: worth(text), ..Texts::default() },
        b"parameters" => Texts { generated: generator::parameters(text), ..Texts::default() },
        b"prompt" => Texts { generated: generator::workflow(text), ..Texts::default() },
        _ => return,
    };
    texts.fill(found);
}

fn jpeg(file: &[u8], texts: &mut Texts) {
    let mut offset = 2;
    let mut comment = None;
    while let Some([mark, code]) = at(file, offset) {
        if mark != 0xff || code == 0xff || code == 0 {
            offset += 1;
            continue;
        }
        offset += 2;
        match code {
            0x01 | 0xd0..=0xd8 => continue, // these stand alone
            0xd9 | 0xda => break,           // the end, or the pixels
            _ => {}
        }
        let Some(length) = at(file, offset).map(|length| usize::from(u16::from_be_bytes(length)))
        else {
            break;
        };
        let Some(data) = file.get(offset + 2..offset + length) else { break };
        let behind = |mark: &[u8]| data.strip_prefix(mark);
        if code == 0xe1
            && let Some(exif) = behind(b"Exif\0\0")
        {
            texts.fill(exif::texts(exif));
        } else if code == 0xe1
            && let Some(packet) = behind(b"http://ns.adobe.com/xap/1.0/\0")
        {
            texts.fill(xmp::texts(&latin(packet)));
        } else if code == 0xfe {
            comment = comment.or_else(|| worth(&latin(data)));
        }
        offset += length;
    }
    // Programs write their own name into the comment, so it is a caption only from a person's hand.
    let programs = ["creator:", "lavc", "compressed", "created with", "optimized", "file source:"];
    let comment = comment.filter(|text| {
        let small = text.to_lowercase();
        !programs.iter().any(|program| small.contains(program))
    });
    texts.fill(Texts { caption: comment, ..Texts::default() });
}

fn webp(file: &[u8], texts: &mut Texts) {
    let mut offset = 12;
    // A chunk: name, length, data, a byte to make it even.
    while let Some((name, length)) = at::<4>(file, offset).zip(at(file, offset.saturating_add(4))) {
        let length = u32::from_le_bytes(length) as usize;
        let Some(data) = file.get(offset + 8..).and_then(|rest| rest.get(..length)) else { return };
        match &name {
            b"EXIF" => texts.fill(exif::texts(data.strip_prefix(b"Exif\0\0").unwrap_or(data))),
            b"XMP " => texts.fill(xmp::texts(&latin(data))),
            _ => {}
        }
        offset += 8 + length + length % 2;
    }
}
