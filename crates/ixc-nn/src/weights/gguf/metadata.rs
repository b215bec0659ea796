//! Keys and values of a GGUF file: checked once, then looked up where they lie.
//!
//! Deliberately absent: values as structures. A tokenizer may be an array of a hundred thousand strings; we
//! keep where it is and how much it is.

use std::{collections::BTreeMap, ops::Range};

use super::GgufFault;
use crate::limits::{MAX_HEADER_BYTES, MAX_NAME_BYTES};

/// Arrays of arrays at most so deep.
const DEPTH_MAX: usize = 4;

/// The numbers of the value types that have no fixed width.
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const BOOL: u32 = 7;

/// Bytes of a value of fixed width.
fn width(number: u32) -> Option<usize> {
    match number {
        0 | 1 | BOOL => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Reads forward through a header.
pub(in crate::weights) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes of the whole file, of which the header may be a part.
    file: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], file: usize) -> Self {
        Self { bytes, at: 0, file }
    }

    /// The byte that comes next.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next bytes.
    pub(super) fn take(&mut self, wanted: usize) -> Result<&'a [u8], GgufFault> {
        let Some(found) = self.bytes[self.at..].get(..wanted) else {
            return Err(self.short(wanted as u64));
        };
        self.at += wanted;
        Ok(found)
    }

    fn short(&self, wanted: u64) -> GgufFault {
        let left = self.file - self.at;
        if self.file > self.bytes.len() && wanted <= left as u64 {
            GgufFault::HeaderTooLong
        } else {
            GgufFault::Truncated { at: self.at, wanted, left }
        }
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufFault> {
        Ok(u32::from_le_bytes(*self.take(4)?.first_chunk().expect("four bytes")))
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufFault> {
        Ok(u64::from_le_bytes(*self.take(8)?.first_chunk().expect("eight bytes")))
    }

    /// A string of at most `limit` bytes.
    pub(super) fn text(&mut self, what: &'static str, limit: usize) -> Result<&'a str, GgufFault> {
        let bytes = self.u64()?;
        let length = usize::try_from(bytes).ok().filter(|&length| length <= limit);
        let length = length.ok_or(GgufFault::TooLong { what, bytes, limit })?;
        let at = self.at;
        str::from_utf8(self.take(length)?).map_err(|_| GgufFault::NotText { what, at })
    }

    /// Steps over a value; returns what it holds.
    fn value(&mut self, key: &str, number: u32, depth: usize) -> Result<Value, GgufFault> {
        if number == STRING {
            let length = self.text("a value", MAX_HEADER_BYTES)?.len();
            return Ok(Value { number, items: None, range: self.at - length..self.at });
        }
        if number == ARRAY {
            return self.array(key, depth);
        }
        let unknown = || GgufFault::UnknownValue { key: key.into(), number };
        let from = self.at;
        let bytes = self.take(width(number).ok_or_else(unknown)?)?;
        if number == BOOL && bytes[0] > 1 {
            return Err(GgufFault::NotBool { key: key.into(), found: bytes[0] });
        }
        Ok(Value { number, items: None, range: from..self.at })
    }

    fn array(&mut self, key: &str, depth: usize) -> Result<Value, GgufFault> {
        if depth == DEPTH_MAX {
            return Err(GgufFault::Nested { key: key.into(), limit: DEPTH_MAX });
        }
        let items = self.u32()?;
        let length = self.u64()?;
        let from = self.at;
        if let Some(width) = width(items) {
            let bytes = length.saturating_mul(width as u64);
            let bytes = usize::try_from(bytes).map_err(|_| self.short(bytes))?;
            let found = self.take(bytes)?;
            if let Some(&found) = found.iter().find(|&&byte| items == BOOL && byte > 1) {
                return Err(GgufFault::NotBool { key: key.into(), found });
            }
        } else {
            // Each item takes at least eight bytes, so the loop ends with the header at the latest.
            for _ in 0..length {
                self.value(key, items, depth + 1)?;
            }
        }
        Ok(Value { number: ARRAY, items: Some(items), range: from..self.at })
    }
}

/// Where a value is.
#[derive(Debug)]
struct Value {
    number: u32,
    /// Of an array: the type of its items.
    items: Option<u32>,
    /// The bytes of the file that hold it, without its length.
    range: Range<usize>,
}

impl Value {
    fn name(&self) -> &'static str {
        match self.number {
            0 | 2 | 4 | 10 => "a whole number without sign",
            1 | 3 | 5 | 11 => "a whole number with sign",
            6 | 12 => "a number with a fraction",
            BOOL => "a truth value",
            STRING => "a string",
            _ => "an array",
        }
    }
}

/// The keys of a file.
#[derive(Debug, Default)]
pub(in crate::weights) struct Metadata(BTreeMap<String, Value>);

impl Metadata {
    /// Reads `count` keys with their values.
    pub(super) fn read(header: &mut Cursor<'_>, count: usize) -> Result<Self, GgufFault> {
        let mut keys = BTreeMap::new();
        for _ in 0..count {
            let key = header.text("a key", MAX_NAME_BYTES)?.to_owned();
            let number = header.u32()?;
            let value = header.value(&key, number, 0)?;
            if keys.insert(key.clone(), value).is_some() {
                return Err(GgufFault::DuplicateKey { key });
            }
        }
        Ok(Self(keys))
    }

    /// A key's string; none where there is no such key, or it holds something else. `file` is what was read.
    pub(in crate::weights) fn text<'a>(&self, file: &'a [u8], key: &str) -> Option<&'a str> {
        let value = self.0.get(key).filter(|value| value.number == STRING)?;
        str::from_utf8(&file[value.range.clone()]).ok()
    }

    /// A key's array of bytes.
    pub(in crate::weights) fn bytes<'a>(&self, file: &'a [u8], key: &str) -> Option<&'a [u8]> {
        let value = self.0.get(key).filter(|value| matches!(value.items, Some(0 | 1)))?;
        Some(&file[value.range.clone()])
    }

    /// A key's whole number without sign.
    pub(super) fn unsigned(&self, file: &[u8], key: &str) -> Result<Option<u64>, GgufFault> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        if !matches!(value.number, 0 | 2 | 4 | 10) {
            let (key, found) = (key.into(), value.name());
            return Err(GgufFault::WrongValue {
                key,
                expected: "a whole number without sign",
                found,
            });
        }
        let mut wide = [0; 8];
        let bytes = &file[value.range.clone()];
        wide[..bytes.len()].copy_from_slice(bytes);
        Ok(Some(u64::from_le_bytes(wide)))
    }
}
