//! What can be wrong with a GGUF file. Deliberately absent: which file; [`crate::Error`] says it.

use thiserror::Error;

use crate::{limits::MAX_HEADER_BYTES, weights::StoredType};

/// What can be wrong with a GGUF file.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message says what each field is")]
pub enum GgufFault {
    #[error("it does not start with \"GGUF\"; is it another format?")]
    NoMagic,
    #[error(
        "it is for big-endian machines, expected little-endian numbers; convert the original again"
    )]
    BigEndian,
    #[error("it has version {version}, expected 2 or 3; convert the original again")]
    Version { version: u32 },
    #[error(
        "{wanted} bytes are to follow byte {at}, {left} are left in the file; download it again"
    )]
    Truncated { at: usize, wanted: u64, left: usize },
    #[error("its keys and table take more than {MAX_HEADER_BYTES} bytes, the limit")]
    HeaderTooLong,
    #[error("it claims {found} {what}, the limit is {limit}: this is no checkpoint of this family")]
    TooMany { what: &'static str, found: u64, limit: usize },
    #[error("{what} has {bytes} bytes, the limit is {limit}")]
    TooLong { what: &'static str, bytes: u64, limit: usize },
    #[error("{what} at byte {at} is not UTF-8")]
    NotText { what: &'static str, at: usize },
    #[error("key {key:?} is there twice")]
    DuplicateKey { key: String },
    #[error("key {key:?} has value type {number}, expected 0 to 12")]
    UnknownValue { key: String, number: u32 },
    #[error("key {key:?} holds arrays more than {limit} deep")]
    Nested { key: String, limit: usize },
    #[error("key {key:?} holds {found:?} as a truth value, expected 0 or 1")]
    NotBool { key: String, found: u8 },
    #[error("key {key:?} is {found}, expected {expected}")]
    WrongValue { key: String, expected: &'static str, found: &'static str },
    #[error("general.alignment is {found}, expected a power of two from 8 to 4096")]
    Alignment { found: u64 },
    #[error("tensor {tensor:?} is described twice")]
    DuplicateTensor { tensor: String },
    #[error("tensor {tensor:?} has {axes} axes, expected 1 to 4")]
    Axes { tensor: String, axes: u32 },
    #[error("tensor {tensor:?} holds no number: one of its axes is 0")]
    EmptyTensor { tensor: String },
    #[error(
        "tensor {tensor:?} has type {number}; expected F32, F16, BF16, Q4_0, Q8_0, Q4_K, Q6_K or whole \
         numbers: quantise the original with `ixc quantize`"
    )]
    UnknownType { tensor: String, number: u32 },
    #[error("tensor {tensor:?}: shape {shape:?} overflows")]
    ShapeOverflow { tensor: String, shape: Vec<u64> },
    #[error(
        "tensor {tensor:?}: rows of {found} numbers are no whole number of {dtype}'s blocks of {block}"
    )]
    BrokenBlock { tensor: String, dtype: StoredType, found: usize, block: usize },
    #[error(
        "tensor {tensor:?} starts at byte {offset} of the data, expected a multiple of {alignment}"
    )]
    Misaligned { tensor: String, offset: u64, alignment: usize },
    #[error(
        "tensor {tensor:?} takes {bytes} bytes from byte {offset} of the data, past the file's end at {file}; \
         download it again"
    )]
    PastEnd { tensor: String, offset: u64, bytes: usize, file: usize },
    #[error("tensors {first:?} and {second:?} overlap")]
    Overlap { first: String, second: String },
    #[error("{bytes} bytes before tensor {tensor:?} belong to no tensor")]
    Hole { tensor: String, bytes: usize },
    #[error("{bytes} bytes after the last tensor belong to no tensor")]
    Trailing { bytes: usize },
}
