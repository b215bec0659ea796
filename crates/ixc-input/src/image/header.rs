//! Looks at a picture file's first bytes: which format it is, how large its raster will be.
//!
//! Invariant: a bomb or an empty picture is refused here, before any decoder sees it (GIF and TIFF,
//! whose size stands deeper in the file, check it in their own modules, also before the raster).
//! A JPEG must reach its end marker and a WebP its stated length: their decoders would fill up what
//! is missing in silence. Deliberately absent: anything about the pixels.

use super::{Format, check_size};
use crate::Error;

/// Formats that people have and we do not read, by a name to put in the message.
const KNOWN_BUT_NOT_READ: [(&[u8], &str); 8] = [
    (b"%PDF", "a PDF document"),
    (b"<svg", "an SVG drawing"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"8BPS", "a Photoshop document"),
    (b"\x1a\x45\xdf\xa3", "a video"),
];

/// Names the format of a file and checks the size that its header states.
pub(super) fn read(bytes: &[u8]) -> Result<Format, Error> {
    let format = sniff(bytes)?;
    let size = match format {
        Format::Png => png_size(bytes)?,
        Format::Jpeg => jpeg_size(bytes)?,
        Format::WebP => webp_size(bytes)?,
        Format::Bmp => bmp_size(bytes),
        Format::Gif | Format::Tiff => return Ok(format),
    };
    let (width, height) = size.ok_or(Error::PictureTruncated { format })?;
    check_size(width, height)?;
    Ok(format)
}

fn sniff(bytes: &[u8]) -> Result<Format, Error> {
    let starts = |signature: &[u8]| bytes.starts_with(signature);
    if bytes.is_empty() {
        Err(Error::PictureFileEmpty)
    } else if starts(b"\x89PNG\r\n\x1a\n") {
        Ok(Format::Png)
    } else if starts(b"\xff\xd8\xff") {
        Ok(Format::Jpeg)
    } else if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Ok(Format::WebP)
    } else if starts(b"GIF87a") || starts(b"GIF89a") {
        Ok(Format::Gif)
    } else if starts(b"BM") {
        Ok(Format::Bmp)
    } else if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|mark| starts(*mark)) {
        Ok(Format::Tiff)
    } else {
        Err(name_stranger(bytes))
    }
}

fn name_stranger(bytes: &[u8]) -> Error {
    if let Some((_, found)) = KNOWN_BUT_NOT_READ.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return Error::PictureFormat { found };
    }
    // The ISO media container: 4 bytes of length, "ftyp", then the brand.
    if bytes.get(4..8) == Some(b"ftyp") {
        let found = match bytes.get(8..12) {
            Some(b"avif" | b"avis") => "an AVIF picture",
            Some(b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1") => "a HEIC picture",
            _ => "a video",
        };
        return Error::PictureFormat { found };
    }
    let text = bytes[..bytes.len().min(1024)].to_ascii_lowercase();
    let holds = |needle: &[u8]| text.windows(needle.len()).any(|window| window == needle);
    if holds(b"<svg") {
        Error::PictureFormat { found: "an SVG drawing" }
    } else if holds(b"<!doctype html") || holds(b"<html") {
        Error::PictureFormat { found: "a web page" }
    } else {
        Error::NotAPicture
    }
}

/// `N` bytes at an offset, where the file reaches that far.
fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// The size in the header chunk; on the way, a palette is refused that would make the decoder panic
/// (png 0.18.1 takes any length for whole colours).
fn png_size(bytes: &[u8]) -> Result<Option<(u32, u32)>, Error> {
    let damaged = Err(Error::PictureDamaged { format: Format::Png });
    let mut size = None;
    let mut offset = 8;
    // A chunk: length, name, data, check sum.
    while let Some((length, name)) = at(bytes, offset).zip(at::<4>(bytes, offset.saturating_add(4)))
    {
        let length = u32::from_be_bytes(length) as usize;
        let data = offset + 8;
        match &name {
            b"IHDR" => {
                let side = |offset| at(bytes, offset).map(u32::from_be_bytes);
                size = side(data).zip(side(data + 4));
            }
            b"PLTE" if !(3..=768).contains(&length) || !length.is_multiple_of(3) => return damaged,
            b"IDAT" => return if size.is_some() { Ok(size) } else { damaged },
            _ => {}
        }
        offset = data.saturating_add(length).saturating_add(4);
    }
    // The end came before any pixels. A size over the limit is still the more useful message.
    if let Some((width, height)) = size {
        check_size(width, height)?;
    }
    Ok(None)
}

fn bmp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let side16 = |offset| at(bytes, offset).map(|side| u32::from(u16::from_le_bytes(side)));
    // A negative height means rows from the top; a negative width is the decoder's to refuse.
    let side32 = |offset| at(bytes, offset).map(|side| i32::from_le_bytes(side).unsigned_abs());
    if u32::from_le_bytes(at(bytes, 14)?) == 12 {
        Some((side16(18)?, side16(20)?))
    } else {
        Some((side32(18)?, side32(22)?))
    }
}

/// The canvas. Every chunk must end within the file and every frame fit the canvas: the decoder
/// makes room for a chunk by its stated length and for a frame by the frame's own header, and finds
/// out only afterwards.
fn webp_size(bytes: &[u8]) -> Result<Option<(u32, u32)>, Error> {
    let format = Format::WebP;
    let stated = at(bytes, 4).map_or(u64::MAX, |size| u64::from(u32::from_le_bytes(size)) + 8);
    if stated > bytes.len() as u64 {
        return Err(Error::PictureTruncated { format });
    }
    let bytes = &bytes[..stated as usize]; // what follows is no part of the picture
    let u24 = |offset| at(bytes, offset).map(|[a, b, c]: [u8; 3]| u32::from_le_bytes([a, b, c, 0]));
    let u14 = |offset| at(bytes, offset).map(|side| u32::from(u16::from_le_bytes(side)) & 0x3fff);
    let mut canvas: Option<(u32, u32)> = None;
    let mut offset = 12;
    // A chunk: name, length, data, a byte to make it even.
    while let Some((name, length)) = at::<4>(bytes, offset).zip(at(bytes, offset + 4)) {
        let data = offset + 8;
        let length = u32::from_le_bytes(length) as usize;
        if length > bytes.len() - data {
            return Err(Error::PictureTruncated { format });
        }
        let frame = match &name {
            b"VP8X" => u24(data + 4).zip(u24(data + 7)).map(|(w, h)| (w + 1, h + 1)),
            b"VP8 " => u14(data + 6).zip(u14(data + 8)),
            b"VP8L" => at(bytes, data + 1)
                .map(u32::from_le_bytes)
                .map(|bits| ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)),
            b"ANMF" => {
                offset = data + 16; // place, size and time; then the chunks of one frame
                continue;
            }
            _ => canvas,
        };
        canvas = canvas.or(frame);
        if let (Some(canvas), Some(frame)) = (canvas, frame)
            && (frame.0 > canvas.0 || frame.1 > canvas.1)
        {
            return Err(Error::PictureDamaged { format });
        }
        offset = data + length + length % 2;
    }
    Ok(canvas)
}

/// Walks the segments to the frame header, then to the first scan, then looks for the end marker.
fn jpeg_size(bytes: &[u8]) -> Result<Option<(u32, u32)>, Error> {
    let mut size = None;
    let mut offset = 2;
    while let Some([mark, code]) = at(bytes, offset) {
        if mark != 0xff || code == 0xff || code == 0 {
            offset += 1; // fill bytes, or rubbish between two segments, which every decoder skips
            continue;
        }
        offset += 2;
        match code {
            0x01 | 0xd0..=0xd8 => continue, // these stand alone
            0xd9 => break,
            _ => {}
        }
        let Some(length) = at(bytes, offset).map(u16::from_be_bytes) else { break };
        match code {
            0xc0..=0xcf if !matches!(code, 0xc4 | 0xc8 | 0xcc) => {
                let side = |offset| at(bytes, offset).map(|s| u32::from(u16::from_be_bytes(s)));
                let frame = side(offset + 5).zip(side(offset + 3));
                size = size.or(frame);
            }
            0xda => {
                // Within a scan a byte 0xff is followed by 0: this pair is the marker.
                let complete = bytes[offset..].windows(2).any(|pair| pair == [0xff, 0xd9]);
                return match size {
                    _ if !complete => Ok(None),
                    None => Err(Error::PictureDamaged { format: Format::Jpeg }),
                    size => Ok(size),
                };
            }
            _ => {}
        }
        offset += usize::from(length);
    }
    // The end came before any scan. A size over the limit is still the more useful message.
    if let Some((width, height)) = size {
        check_size(width, height)?;
    }
    Ok(None)
}
