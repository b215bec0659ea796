//! The zip container of PyTorch's files: which bytes of the file each entry is.
//!
//! Only what `torch.save` writes is read: stored (never compressed) entries, with the 64-bit extension.
//! Nothing is searched for or repaired, and the table is counted before it is built; a general zip
//! library recovers damaged archives by scanning them, which is many gigabytes here. Deliberately
//! absent: checksums, which PyTorch itself can be told not to write.

use std::{collections::BTreeMap, ops::Range};

use thiserror::Error;

use crate::limits::{MAX_ARCHIVE_ENTRIES, MAX_NAME_BYTES};

/// What can be wrong with a PyTorch file's container.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message says what each field is")]
pub enum ArchiveFault {
    #[error("its zip directory is missing at the end: the file is truncated; download it again")]
    NoEnd,
    #[error("its zip directory is damaged: {what}; download it again")]
    Directory { what: &'static str },
    #[error("it has {found} entries, the limit is {MAX_ARCHIVE_ENTRIES}")]
    TooManyEntries { found: u64 },
    #[error(
        "entry {entry:?} is compressed or encrypted; PyTorch stores entries plain: save it again with torch.save"
    )]
    NotStored { entry: String },
    #[error("entry {entry:?} is there twice")]
    DuplicateEntry { entry: String },
    #[error("entry {entry:?} is not where the directory says: {what}; download the file again")]
    Entry { entry: String, what: &'static str },
}

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;

const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
const END_64_BYTES: usize = 56;
const LOCATOR_64_BYTES: usize = 20;

/// Every entry's name and where its bytes are in the file.
pub(super) fn entries(bytes: &[u8]) -> Result<BTreeMap<String, Range<usize>>, ArchiveFault> {
    let directory = find_directory(bytes)?;
    let mut records = Fields(
        bytes
            .get(directory.range.clone())
            .ok_or(ArchiveFault::Directory { what: "it lies outside the file" })?,
    );
    let mut found = BTreeMap::new();
    for _ in 0..directory.entries {
        let record = Record::take(&mut records)?;
        let range = record.locate(bytes, directory.range.start)?;
        if found.insert(record.name.clone(), range).is_some() {
            return Err(ArchiveFault::DuplicateEntry { entry: record.name });
        }
    }
    if !records.0.is_empty() {
        return Err(ArchiveFault::Directory { what: "it is longer than its entries" });
    }
    Ok(found)
}

/// Where the table of entries is, and how many it has.
struct Directory {
    range: Range<usize>,
    entries: usize,
}

fn find_directory(bytes: &[u8]) -> Result<Directory, ArchiveFault> {
    let end = find_end(bytes).ok_or(ArchiveFault::NoEnd)?;
    let short = ArchiveFault::Directory { what: "its end record is cut short" };
    let mut fields = Fields(&bytes[end..]);
    let (entries, size, start) = (|| {
        fields.skip(10)?;
        Some((u64::from(fields.u16()?), u64::from(fields.u32()?), u64::from(fields.u32()?)))
    })()
    .ok_or(short)?;
    let saturated = entries == u64::from(u16::MAX)
        || size == u64::from(u32::MAX)
        || start == u64::from(u32::MAX);
    let (entries, size, start) = match find_end_64(bytes, end)? {
        Some(wide) => wide,
        None if saturated => {
            return Err(ArchiveFault::Directory { what: "its 64-bit end record is missing" });
        }
        None => (entries, size, start),
    };
    if entries > MAX_ARCHIVE_ENTRIES as u64 {
        return Err(ArchiveFault::TooManyEntries { found: entries });
    }
    let range = (|| {
        let start = usize::try_from(start).ok()?;
        Some(start..start.checked_add(usize::try_from(size).ok()?)?)
    })()
    .filter(|range| range.end <= end)
    .ok_or(ArchiveFault::Directory { what: "it lies outside the file" })?;
    Ok(Directory { range, entries: entries as usize })
}

/// The end record: the last one whose comment (at most 65 535 bytes) ends with the file.
fn find_end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_BYTES)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find(|&at| {
        let mut fields = Fields(&bytes[at..]);
        fields.u32() == Some(END)
            && fields.skip(16).is_some()
            && fields.u16().map(usize::from) == Some(last - at)
    })
}

/// Entries, bytes and start of the table by the 64-bit end record, when the locator before the end
/// record points to one.
fn find_end_64(bytes: &[u8], end: usize) -> Result<Option<(u64, u64, u64)>, ArchiveFault> {
    let Some(locator) = end.checked_sub(LOCATOR_64_BYTES) else { return Ok(None) };
    let mut fields = Fields(&bytes[locator..end]);
    if fields.u32() != Some(LOCATOR_64) {
        return Ok(None);
    }
    (|| {
        fields.skip(4)?;
        let at = usize::try_from(fields.u64()?).ok()?;
        let mut fields = Fields(bytes.get(at..locator)?);
        if fields.0.len() < END_64_BYTES || fields.u32()? != END_64 {
            return None;
        }
        fields.skip(28)?;
        Some(Some((fields.u64()?, fields.u64()?, fields.u64()?)))
    })()
    .ok_or(ArchiveFault::Directory { what: "its 64-bit end record is not where it should be" })
}

/// One line of the directory.
struct Record {
    name: String,
    stored: bool,
    size: u64,
    local: u64,
}

impl Record {
    fn take(fields: &mut Fields<'_>) -> Result<Self, ArchiveFault> {
        let cut = ArchiveFault::Directory { what: "an entry is cut short" };
        if fields.0.len() < CENTRAL_BYTES || fields.u32() != Some(CENTRAL) {
            return Err(cut);
        }
        Self::take_fields(fields).ok_or(cut)?
    }

    /// `None` where the record ends too early.
    fn take_fields(fields: &mut Fields<'_>) -> Option<Result<Self, ArchiveFault>> {
        fields.skip(4)?; // versions
        let flags = fields.u16()?;
        let method = fields.u16()?;
        fields.skip(8)?; // time, date, checksum
        let mut packed = u64::from(fields.u32()?);
        let mut size = u64::from(fields.u32()?);
        let (name, extra, comment) = (fields.u16()?, fields.u16()?, fields.u16()?);
        fields.skip(8)?; // disk, attributes
        let mut local = u64::from(fields.u32()?);
        let name = fields.take(name.into())?;
        let mut extra = Fields(fields.take(extra.into())?);
        fields.take(comment.into())?;
        while extra.0.len() >= 4 {
            let (kind, length) = (extra.u16()?, extra.u16()?);
            let mut wide = Fields(extra.take(length.into())?);
            if kind == 1 {
                // The 64-bit extension holds only the numbers that did not fit, in this order.
                for value in [&mut size, &mut packed, &mut local] {
                    if *value == u64::from(u32::MAX) {
                        *value = wide.u64()?;
                    }
                }
            }
        }
        let Some(name) = std::str::from_utf8(name).ok().filter(|name| name.len() <= MAX_NAME_BYTES)
        else {
            return Some(Err(ArchiveFault::Directory {
                what: "an entry's name is too long or not UTF-8",
            }));
        };
        let stored = method == 0 && flags & 1 == 0 && packed == size;
        Some(Ok(Self { name: name.into(), stored, size, local }))
    }

    /// The entry's bytes, which end before the directory starts.
    fn locate(&self, bytes: &[u8], directory: usize) -> Result<Range<usize>, ArchiveFault> {
        let entry = || self.name.clone();
        if !self.stored {
            return Err(ArchiveFault::NotStored { entry: entry() });
        }
        let outside = || ArchiveFault::Entry { entry: entry(), what: "it lies outside the file" };
        let header = usize::try_from(self.local).map_err(|_| outside())?;
        let mut fields = Fields(bytes.get(header..directory).ok_or_else(outside)?);
        if fields.0.len() < LOCAL_BYTES || fields.u32() != Some(LOCAL) {
            return Err(ArchiveFault::Entry { entry: entry(), what: "no header is there" });
        }
        let (name, extra) = (|| {
            fields.skip(22)?;
            Some((fields.u16()?, fields.u16()?))
        })()
        .ok_or_else(outside)?;
        // Two names for the same bytes would let two readers see two different archives.
        if fields.take(name.into()).ok_or_else(outside)? != self.name.as_bytes() {
            return Err(ArchiveFault::Entry { entry: entry(), what: "another name is there" });
        }
        fields.take(extra.into()).ok_or_else(outside)?;
        let start = directory - fields.0.len();
        let size = usize::try_from(self.size).map_err(|_| outside())?;
        fields.take(size).ok_or_else(outside)?;
        Ok(start..start + size)
    }
}

/// Little-endian fields, taken one after the other; `None` past the end.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
