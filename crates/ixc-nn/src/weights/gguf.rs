//! The GGUF format: keys with values, a table of tensors, and their numbers behind it.
//!
//! After [`read`] every value and tensor lies within the file, tensors follow one another with nothing but
//! alignment between them, and no name is there twice. Values stay in the file ([`Metadata`] knows where),
//! so nothing is allocated by a number in it. Deliberately absent: what keys and tensors mean, and block
//! types that no kernel of ours reads.

mod fault;
mod metadata;
mod write;

use std::collections::HashSet;

pub use fault::GgufFault;
pub(super) use metadata::Metadata;
pub use write::{GgufPlan, GgufValue, NAME_BYTES_MAX, write_gguf};

use metadata::Cursor;

use super::{Located, StoredType, extent};
use crate::limits::{MAX_HEADER_BYTES, MAX_KEYS, MAX_NAME_BYTES, MAX_TENSORS};

/// What a file starts with.
pub(super) const MAGIC: [u8; 4] = *b"GGUF";

/// The key of the data's alignment.
const ALIGNMENT_KEY: &str = "general.alignment";

/// The format's alignment where no key gives another.
const ALIGNMENT: u64 = 32;

/// Alignments are for memory: one of more than a page would only be holes.
const ALIGNMENT_MAX: u64 = 4096;

/// Axes of a tensor: the format's own limit.
const AXES_MAX: u32 = 4;

/// The numbers that the format gives the types we read.
const TYPES: [(u32, StoredType); 12] = [
    (0, StoredType::F32),
    (1, StoredType::F16),
    (2, StoredType::Q4_0),
    (8, StoredType::Q8_0),
    (12, StoredType::Q4K),
    (14, StoredType::Q6K),
    (24, StoredType::I8),
    (25, StoredType::I16),
    (26, StoredType::I32),
    (27, StoredType::I64),
    (28, StoredType::F64),
    (30, StoredType::Bf16),
];

/// The tensors and keys of a GGUF file.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<Located>, Metadata), GgufFault> {
    // Everything before the data is walked through; its length is bounded, so that walking is quick.
    let mut header = Cursor::new(&bytes[..bytes.len().min(MAX_HEADER_BYTES)], bytes.len());
    if header.take(4)? != MAGIC {
        return Err(GgufFault::NoMagic);
    }
    match header.u32()? {
        2 | 3 => {}
        version if matches!(version.swap_bytes(), 1..=3) => return Err(GgufFault::BigEndian),
        version => return Err(GgufFault::Version { version }),
    }
    let tensors = count(header.u64()?, "tensors", MAX_TENSORS)?;
    let keys = count(header.u64()?, "keys", MAX_KEYS)?;
    let metadata = Metadata::read(&mut header, keys)?;
    let alignment = match metadata.unsigned(bytes, ALIGNMENT_KEY)? {
        None => ALIGNMENT,
        Some(found) if found.is_power_of_two() && (8..=ALIGNMENT_MAX).contains(&found) => found,
        Some(found) => return Err(GgufFault::Alignment { found }),
    };
    let mut names = HashSet::new();
    let mut entries = Vec::new();
    for _ in 0..tensors {
        let entry = Entry::read(&mut header)?;
        if !names.insert(entry.name.clone()) {
            return Err(GgufFault::DuplicateTensor { tensor: entry.name });
        }
        entries.push(entry);
    }
    let alignment = alignment as usize; // at most 4096
    let start = header.at().next_multiple_of(alignment);
    let located = place(entries, start, alignment, bytes.len())?;
    Ok((located, metadata))
}

/// A count of the file, within its limit.
fn count(found: u64, what: &'static str, limit: usize) -> Result<usize, GgufFault> {
    let within = usize::try_from(found).ok().filter(|&found| found <= limit);
    within.ok_or(GgufFault::TooMany { what, found, limit })
}

/// One tensor as the table has it.
struct Entry {
    name: String,
    dtype: StoredType,
    shape: Vec<usize>,
    bytes: usize,
    /// From the start of the data.
    offset: u64,
}

impl Entry {
    fn read(header: &mut Cursor<'_>) -> Result<Self, GgufFault> {
        let name = header.text("a tensor's name", MAX_NAME_BYTES)?.to_owned();
        let axes = header.u32()?;
        if !(1..=AXES_MAX).contains(&axes) {
            return Err(GgufFault::Axes { tensor: name, axes });
        }
        let mut stated = Vec::new();
        for _ in 0..axes {
            stated.push(header.u64()?);
        }
        let number = header.u32()?;
        let offset = header.u64()?;
        let Some(&(_, dtype)) = TYPES.iter().find(|(known, _)| *known == number) else {
            return Err(GgufFault::UnknownType { tensor: name, number });
        };
        // The format counts axes from the fastest one, we from the slowest.
        let shape: Option<Vec<usize>> =
            stated.iter().rev().map(|&axis| usize::try_from(axis).ok()).collect();
        let overflow = || GgufFault::ShapeOverflow { tensor: name.clone(), shape: stated.clone() };
        let shape = shape.ok_or_else(overflow)?;
        if shape.contains(&0) {
            return Err(GgufFault::EmptyTensor { tensor: name });
        }
        let inputs = shape[shape.len() - 1];
        if !inputs.is_multiple_of(dtype.block()) {
            let (found, block) = (inputs, dtype.block());
            return Err(GgufFault::BrokenBlock { tensor: name, dtype, found, block });
        }
        let (_, bytes) = extent(&shape, dtype).ok_or_else(overflow)?;
        Ok(Self { name, dtype, shape, bytes, offset })
    }
}

/// Where the tensors are in the file: one behind the other, in the order of their offsets.
fn place(
    mut entries: Vec<Entry>,
    start: usize,
    alignment: usize,
    file: usize,
) -> Result<Vec<Located>, GgufFault> {
    entries.sort_by_key(|entry| entry.offset);
    let mut located: Vec<Located> = Vec::new();
    let mut end = start;
    for entry in entries {
        let Entry { name, dtype, shape, bytes, offset } = entry;
        if offset % alignment as u64 != 0 {
            return Err(GgufFault::Misaligned { tensor: name, offset, alignment });
        }
        let from = usize::try_from(offset).ok().and_then(|offset| start.checked_add(offset));
        let within = from.and_then(|from| Some((from, from.checked_add(bytes)?)));
        let Some((from, to)) = within.filter(|&(_, to)| to <= file) else {
            return Err(GgufFault::PastEnd { tensor: name, offset, bytes, file });
        };
        if let (Some(last), true) = (located.last(), from < end) {
            return Err(GgufFault::Overlap { first: last.name.clone(), second: name });
        }
        let expected = end.next_multiple_of(alignment);
        if from != expected {
            return Err(GgufFault::Hole { tensor: name, bytes: from - expected });
        }
        end = to;
        located.push(Located { name, dtype, shape, start: from, strides: None });
    }
    if file >= end.saturating_add(alignment) {
        return Err(GgufFault::Trailing { bytes: file - end });
    }
    Ok(located)
}
