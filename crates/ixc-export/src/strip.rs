//! JPEG and PNG files without what does not belong to the picture: place, time, serial numbers, prompts.
//!
//! Invariant: the raster is not touched, only named parts are kept (those that say how colours are meant), and
//! nothing behind the picture's end (phones append videos). A file that is not built as expected gives `None`,
//! and is made anew from its pixels. Deliberately absent: judging pixels; the file was decoded before.

/// A JPEG's parts that are kept, or `None` where it must be made anew: damaged, or in inks instead of colours.
pub(crate) fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    kept.extend(take(&mut rest, 2)?); // start of image
    loop {
        let marker = loop {
            match take(&mut rest, 1)? {
                [0xff] => {}
                [marker] => break *marker,
                _ => return None,
            }
        };
        match marker {
            0xd9 => {
                kept.extend([0xff, 0xd9]);
                return Some(kept);
            }
            0x01 | 0xd0..=0xd7 | 0x00 => continue, // stand alone, and mean nothing here
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
        let segment = take(&mut rest, length)?;
        let body = segment.get(2..)?;
        if is_frame(marker) && !matches!(body.get(5), Some(1 | 3)) {
            return None;
        }
        if is_kept(marker, body) {
            kept.extend([0xff, marker]);
            kept.extend(segment);
        }
        if marker == 0xda {
            let length = scan_length(rest);
            kept.extend(take(&mut rest, length)?);
        }
    }
}

const ICC: &str = "ICC_PROFILE\0";

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

fn is_kept(marker: u8, body: &[u8]) -> bool {
    match marker {
        // JFIF without a thumbnail: bytes 12 and 13 are its sides.
        0xe0 => body.starts_with(b"JFIF\0") && body.get(12..14) == Some(&[0, 0]),
        0xe2 => body.starts_with(ICC.as_bytes()),
        0xee => body.starts_with(b"Adobe"), // says how colours are coded
        0xe1 | 0xe3..=0xed | 0xef | 0xf0..=0xfe => false,
        _ => true,
    }
}

/// Bytes up to the next marker: a scan's data hide `ff` behind `00`, restarts are part of it.
fn scan_length(data: &[u8]) -> usize {
    let marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7);
    data.windows(2).position(marker).unwrap_or(data.len())
}

/// A PNG's chunks that are kept.
const CHUNKS: [&[u8; 4]; 10] =
    [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP"];

/// A PNG file's chunks that are kept; of an animation, the picture that stands for it.
pub(crate) fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    kept.extend(take(&mut rest, 8)?);
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let chunk = take(&mut rest, length.checked_add(12)?)?;
        let name: &[u8; 4] = chunk[4..].first_chunk()?;
        if CHUNKS.contains(&name) {
            kept.extend(chunk);
        }
        if name == b"IEND" {
            return Some(kept);
        }
    }
}

/// Whether a PNG may show what lies behind it.
pub(crate) fn png_is_transparent(bytes: &[u8]) -> bool {
    let color_type = bytes.get(25).copied().unwrap_or(0);
    color_type & 4 != 0 || bytes.windows(4).any(|name| name == b"tRNS")
}
