//! EXIF: the first directory of a TIFF, in either byte order.
//!
//! Invariant: every offset is checked against the block; one directory is read, and nothing it points to but
//! texts. Deliberately absent: places, thumbnails, makers' notes.

use super::{Texts, at, latin, worth};
use crate::limits::MAX_EXIF_ENTRIES;

/// Tags of texts (EXIF 2.32, 4.6.8).
const DESCRIPTION: u16 = 0x010e;
const ARTIST: u16 = 0x013b;
const COPYRIGHT: u16 = 0x8298;

/// The types of a text: ASCII, and UTF-8 since EXIF 3.0.
const TEXT_TYPES: [u16; 2] = [2, 129];

/// The texts of a block.
pub(super) fn texts(block: &[u8]) -> Texts {
    read(block).unwrap_or_default()
}

fn read(block: &[u8]) -> Option<Texts> {
    let little = match block.first_chunk::<4>()? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let u16_at = |offset| {
        at(block, offset).map(if little { u16::from_le_bytes } else { u16::from_be_bytes })
    };
    let u32_at = |offset| {
        at(block, offset).map(if little { u32::from_le_bytes } else { u32::from_be_bytes })
    };
    let directory = u32_at(4)? as usize;
    let entries = usize::from(u16_at(directory)?).min(MAX_EXIF_ENTRIES);
    let mut texts = Texts::default();
    for entry in 0..entries {
        // Tag, type, count, and the value or its offset.
        let place = directory.checked_add(2 + 12 * entry)?;
        let Some(tag) = u16_at(place) else { break };
        let (kind, count) = (u16_at(place + 2)?, u32_at(place + 4)? as usize);
        if !TEXT_TYPES.contains(&kind) {
            continue;
        }
        let start = if count <= 4 { place + 8 } else { u32_at(place + 8)? as usize };
        let Some(bytes) = block.get(start..).and_then(|rest| rest.get(..count)) else { continue };
        let text = worth(&latin(bytes.split(|&byte| byte == 0).next().unwrap_or_default()));
        match tag {
            DESCRIPTION => texts.caption = texts.caption.or(text),
            ARTIST => texts.author = texts.author.or(text),
            COPYRIGHT => texts.rights = texts.rights.or(text),
            _ => {}
        }
    }
    Some(texts)
}
