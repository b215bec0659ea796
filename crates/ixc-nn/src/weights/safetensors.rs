//! The safetensors format: eight bytes of header length, a JSON header, plain numbers.
//!
//! After [`read`] every tensor lies within the file, none overlap, and no byte belongs to nobody.
//! The `safetensors` crate checks offsets too, but lets the last of two equal keys win, names neither
//! the tensors of an overlap nor the sizes that disagree, and builds the whole table before it counts;
//! so the header is read here, and the crate is the tests' second opinion. Deliberately absent: the
//! `__metadata__` strings, which say nothing about the numbers.

use std::{cell::RefCell, fmt};

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use thiserror::Error;

use super::{Located, StoredType, extent};
use crate::limits::{MAX_AXES, MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_TENSORS};

/// What can be wrong with a safetensors file.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message says what each field is")]
pub enum HeaderFault {
    #[error("it has {bytes} bytes, and the header's length alone takes 8; download it again")]
    TooShort { bytes: usize },
    #[error(
        "it is a git-lfs pointer, not the weights; fetch them with `git lfs pull` or `ixc pull`"
    )]
    LfsPointer,
    #[error(
        "its header claims {bytes} bytes, the format allows {MAX_HEADER_BYTES}; is it another format?"
    )]
    HeaderTooLong { bytes: u64 },
    #[error("its header claims {header} bytes, {found} are left in the file; download it again")]
    HeaderPastEnd { header: usize, found: usize },
    #[error("its header does not start with '{{'; is it another format?")]
    NotAnObject,
    #[error("its header is not the JSON it should be: {reason}")]
    Json { reason: String },
    #[error("tensor {tensor:?} is described twice")]
    DuplicateTensor { tensor: String },
    #[error("it describes more than {MAX_TENSORS} tensors")]
    TooManyTensors,
    #[error("a tensor's name has {bytes} bytes, the limit is {MAX_NAME_BYTES}")]
    NameTooLong { bytes: usize },
    #[error(
        "tensor {tensor:?} has type {dtype:?}; expected one of F32, F16, BF16, F64, I8…I64, U8…U64, BOOL"
    )]
    UnknownType { tensor: String, dtype: String },
    #[error("tensor {tensor:?} has more than {MAX_AXES} axes")]
    TooManyAxes { tensor: String },
    #[error("tensor {tensor:?}: shape {shape:?} overflows")]
    ShapeOverflow { tensor: String, shape: Vec<usize> },
    #[error("tensor {tensor:?} ends at byte {end}, before its start {start}")]
    Backwards { tensor: String, start: usize, end: usize },
    #[error(
        "tensor {tensor:?}: its shape and type take {expected} bytes, its offsets span {found}"
    )]
    Size { tensor: String, expected: usize, found: usize },
    #[error(
        "tensor {tensor:?} ends at byte {end} of the data, the file holds {data}; download it again"
    )]
    PastEnd { tensor: String, end: usize, data: usize },
    #[error("tensors {first:?} and {second:?} overlap")]
    Overlap { first: String, second: String },
    #[error("{bytes} bytes before tensor {tensor:?} belong to no tensor")]
    Hole { tensor: String, bytes: usize },
    #[error("{bytes} bytes after the last tensor belong to no tensor")]
    Trailing { bytes: usize },
}

/// What every git-lfs pointer starts with.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

/// The tensors of a safetensors file.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Located>, HeaderFault> {
    if bytes.starts_with(LFS_POINTER) {
        return Err(HeaderFault::LfsPointer);
    }
    let (length, rest) =
        bytes.split_first_chunk::<8>().ok_or(HeaderFault::TooShort { bytes: bytes.len() })?;
    let length = u64::from_le_bytes(*length);
    let header = usize::try_from(length)
        .ok()
        .filter(|&header| header <= MAX_HEADER_BYTES)
        .ok_or(HeaderFault::HeaderTooLong { bytes: length })?;
    let (text, data) = rest
        .split_at_checked(header)
        .ok_or(HeaderFault::HeaderPastEnd { header, found: rest.len() })?;
    if text.first() != Some(&b'{') {
        return Err(HeaderFault::NotAnObject);
    }
    let mut entries = parse(text)?;
    entries.sort_by_key(|entry| (entry.start, entry.end)); // empty tensors before what starts with them
    check_layout(&entries, data.len())?;
    let data_start = bytes.len() - data.len();
    entries.into_iter().map(|entry| entry.locate(data_start)).collect()
}

/// Every byte of the data belongs to exactly one tensor.
fn check_layout(entries: &[Entry], data: usize) -> Result<(), HeaderFault> {
    let mut end = 0;
    let mut last: Option<&Entry> = None;
    for entry in entries {
        let tensor = || entry.name.clone();
        if entry.end < entry.start {
            return Err(HeaderFault::Backwards {
                tensor: tensor(),
                start: entry.start,
                end: entry.end,
            });
        }
        if entry.end > data {
            return Err(HeaderFault::PastEnd { tensor: tensor(), end: entry.end, data });
        }
        if let (Some(last), true) = (last, entry.start < end) {
            return Err(HeaderFault::Overlap { first: last.name.clone(), second: tensor() });
        }
        if entry.start > end {
            return Err(HeaderFault::Hole { tensor: tensor(), bytes: entry.start - end });
        }
        end = entry.end;
        last = Some(entry);
    }
    if end < data {
        return Err(HeaderFault::Trailing { bytes: data - end });
    }
    Ok(())
}

/// One tensor as the header has it.
struct Entry {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    /// Bytes of the data, from `start` to before `end`.
    start: usize,
    end: usize,
}

impl Entry {
    /// Checks type and shape against the bytes that the layout gives the tensor.
    fn locate(self, data_start: usize) -> Result<Located, HeaderFault> {
        let Self { name, dtype, shape, start, end } = self;
        let Some(dtype) = StoredType::from_header(&dtype) else {
            let dtype = dtype.chars().take(32).collect();
            return Err(HeaderFault::UnknownType { tensor: name, dtype });
        };
        let Some((_, bytes)) = extent(&shape, dtype) else {
            return Err(HeaderFault::ShapeOverflow { tensor: name, shape });
        };
        if end - start != bytes {
            return Err(HeaderFault::Size { tensor: name, expected: bytes, found: end - start });
        }
        Ok(Located { name, dtype, shape, start: data_start + start, strides: None })
    }
}

/// The header's tensors, in its order.
fn parse(text: &[u8]) -> Result<Vec<Entry>, HeaderFault> {
    // serde carries errors as text; faults that have a name of their own are put aside here.
    let fault = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_slice(text);
    Header { fault: &fault }
        .deserialize(&mut json)
        .and_then(|entries| json.end().map(|()| entries))
        .map_err(|error| {
            // The parser quotes what it stumbled over, however long that is.
            let reason = error.to_string().chars().take(300).collect();
            fault.take().unwrap_or(HeaderFault::Json { reason })
        })
}

type Fault<'a> = &'a RefCell<Option<HeaderFault>>;

/// Sets a named fault aside and stops serde.
fn stop<T, E: serde::de::Error>(aside: Fault<'_>, fault: HeaderFault) -> Result<T, E> {
    let message = fault.to_string();
    *aside.borrow_mut() = Some(fault);
    Err(E::custom(message))
}

struct Header<'a> {
    fault: Fault<'a>,
}

impl<'de> DeserializeSeed<'de> for Header<'_> {
    type Value = Vec<Entry>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Header<'_> {
    type Value = Vec<Entry>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if name.len() > MAX_NAME_BYTES {
                return stop(self.fault, HeaderFault::NameTooLong { bytes: name.len() });
            }
            if seen.len() > MAX_TENSORS {
                return stop(self.fault, HeaderFault::TooManyTensors);
            }
            if !seen.insert(name.clone()) {
                return stop(self.fault, HeaderFault::DuplicateTensor { tensor: name });
            }
            if name == "__metadata__" {
                map.next_value_seed(Strings)?;
                continue;
            }
            entries.push(map.next_value_seed(Fields { name, fault: self.fault })?);
        }
        if entries.len() > MAX_TENSORS {
            return stop(self.fault, HeaderFault::TooManyTensors);
        }
        Ok(entries)
    }
}

/// `__metadata__`: an object of strings, checked and dropped.
struct Strings;

impl<'de> DeserializeSeed<'de> for Strings {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Strings {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of strings under __metadata__")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value::<String>()?;
        }
        Ok(())
    }
}

/// The three fields of one tensor. No others: one that we do not know might change what the numbers mean.
struct Fields<'a> {
    name: String,
    fault: Fault<'a>,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Entry, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Entry;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "tensor {:?} as an object of dtype, shape and data_offsets", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let Self { name, fault } = self;
        let wrong = |what: &str| A::Error::custom(format!("tensor {name:?}: {what}"));
        let (mut dtype, mut shape, mut offsets) = (None::<String>, None, None::<(usize, usize)>);
        while let Some(field) = map.next_key::<String>()? {
            let twice = match field.as_str() {
                "dtype" => dtype.replace(map.next_value()?).is_some(),
                "shape" => {
                    shape.replace(map.next_value_seed(Shape { name: &name, fault })?).is_some()
                }
                "data_offsets" => offsets.replace(map.next_value()?).is_some(),
                _ => {
                    let field: String = field.chars().take(64).collect();
                    return Err(wrong(&format!("unknown field {field:?}")));
                }
            };
            if twice {
                return Err(wrong(&format!("field {field:?} is there twice")));
            }
        }
        let dtype = dtype.ok_or_else(|| wrong("dtype is missing"))?;
        let shape = shape.ok_or_else(|| wrong("shape is missing"))?;
        let (start, end) = offsets.ok_or_else(|| wrong("data_offsets are missing"))?;
        Ok(Entry { name, dtype, shape, start, end })
    }
}

/// A shape that stops growing at [`MAX_AXES`].
struct Shape<'a> {
    name: &'a str,
    fault: Fault<'a>,
}

impl<'de> DeserializeSeed<'de> for Shape<'_> {
    type Value = Vec<usize>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<usize>, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Shape<'_> {
    type Value = Vec<usize>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the shape of tensor {:?} as an array of whole numbers", self.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<usize>, A::Error> {
        let mut shape = Vec::new();
        while let Some(axis) = seq.next_element()? {
            if shape.len() == MAX_AXES {
                return stop(self.fault, HeaderFault::TooManyAxes { tensor: self.name.into() });
            }
            shape.push(axis);
        }
        Ok(shape)
    }
}
