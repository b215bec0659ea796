//! PyTorch's `.bin`: a zip archive of one pickle and the storages that its tensors are views of.
//!
//! After [`read`] every tensor, with its offset and strides, lies within its storage, and every storage
//! within the file. Tensors may share a storage. Deliberately absent: the form PyTorch wrote before 1.6,
//! whose storages stand in no table; converting it takes PyTorch once.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
};

use thiserror::Error;

use super::{
    Located,
    archive::{ArchiveFault, entries},
    extent,
    pickle::{PickleFault, parse},
    rebuild::{Heap, Storage, Value, View},
};
use crate::limits::{MAX_NAME_BYTES, MAX_TENSORS};

/// What can be wrong with a PyTorch file.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message says what each field is")]
pub enum TorchFault {
    #[error(
        "it is a git-lfs pointer, not the weights; fetch them with `git lfs pull` or `ixc pull`"
    )]
    LfsPointer,
    #[error(
        "it is a bare pickle, as PyTorch wrote before 1.6; load it in PyTorch with weights_only=True \
         and save it again, best as safetensors"
    )]
    Legacy,
    #[error(
        "it is not a zip archive; is it another format, or a page that says the download failed?"
    )]
    NotAnArchive,
    #[error(transparent)]
    Archive(#[from] ArchiveFault),
    #[error("it holds {found} entries named data.pkl, expected one")]
    Pickles { found: usize },
    #[error(transparent)]
    Pickle(#[from] PickleFault),
    #[error(
        "its numbers are stored in byte order {found:?}, expected \"little\"; save it again on another machine"
    )]
    ByteOrder { found: String },
    #[error("its pickle is {what}, expected a dict of tensors by name")]
    NotAStateDict { what: &'static str },
    #[error("{tensor:?} is not a tensor; expected a dict of nothing else")]
    NotATensor { tensor: String },
    #[error("it has more than {MAX_TENSORS} tensors")]
    TooManyTensors,
    #[error("a tensor's name has {bytes} bytes, the limit is {MAX_NAME_BYTES}")]
    NameTooLong { bytes: usize },
    #[error("tensor {tensor:?} is there twice")]
    DuplicateTensor { tensor: String },
    #[error("tensor {tensor:?}: its storage {entry:?} is missing; download the file again")]
    NoStorage { tensor: String, entry: String },
    #[error(
        "tensor {tensor:?}: its storage should hold {count} numbers of {dtype}, but has {found} bytes"
    )]
    StorageSize { tensor: String, count: usize, dtype: super::StoredType, found: usize },
    #[error(
        "tensor {tensor:?}: shape {shape:?} with strides {strides:?} from {offset} leaves its storage of {count} numbers"
    )]
    OutOfStorage {
        tensor: String,
        shape: Vec<usize>,
        strides: Vec<usize>,
        offset: usize,
        count: usize,
    },
    #[error(
        "tensor {tensor:?}: shape {shape:?} repeats the {count} numbers it has; save it again after .contiguous()"
    )]
    Expanded { tensor: String, shape: Vec<usize>, count: usize },
}

/// The tensors of a file that `torch.save` wrote.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Located>, TorchFault> {
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(TorchFault::LfsPointer);
    }
    if bytes.starts_with(b"\x80") {
        return Err(TorchFault::Legacy);
    }
    if !bytes.starts_with(b"PK") {
        return Err(TorchFault::NotAnArchive);
    }
    let archive = Archive::open(bytes)?;
    let (heap, value) = parse(archive.pickle)?;
    let state = state_dict(&heap, value)?;
    if state.len() > MAX_TENSORS {
        return Err(TorchFault::TooManyTensors);
    }
    let mut seen = HashSet::new();
    let mut found = Vec::with_capacity(state.len());
    for &(key, value) in state {
        let Value::Text(name) = key else {
            return Err(TorchFault::NotAStateDict { what: "a dict with keys that are no names" });
        };
        if name.len() > MAX_NAME_BYTES {
            return Err(TorchFault::NameTooLong { bytes: name.len() });
        }
        let Value::Tensor(view) = value else {
            return Err(TorchFault::NotATensor { tensor: name.into() });
        };
        if !seen.insert(name) {
            return Err(TorchFault::DuplicateTensor { tensor: name.into() });
        }
        found.push(archive.locate(name, &heap.tensors[view])?);
    }
    Ok(found)
}

/// The pairs of the state dict, which some savers wrap as `{"state_dict": …}` among other things.
fn state_dict<'h, 'a>(
    heap: &'h Heap<'a>,
    value: Value<'a>,
) -> Result<&'h [(Value<'a>, Value<'a>)], TorchFault> {
    let what = match value {
        Value::Dict(dict) => {
            let pairs = &heap.dicts[dict];
            let wrapped = pairs.iter().find_map(|pair| match *pair {
                (Value::Text("state_dict"), Value::Dict(inner)) => Some(&heap.dicts[inner]),
                _ => None,
            });
            return Ok(wrapped.unwrap_or(pairs));
        }
        Value::Tensor(_) => "a single tensor",
        Value::Tuple(_) | Value::List(_) => "a list",
        _ => "a single value",
    };
    Err(TorchFault::NotAStateDict { what })
}

struct Archive<'a> {
    entries: BTreeMap<String, Range<usize>>,
    /// The folder that everything is in, named after the file.
    folder: String,
    pickle: &'a [u8],
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, TorchFault> {
        let entries = entries(bytes)?;
        let folders: Vec<_> =
            entries.keys().filter_map(|name| name.strip_suffix("/data.pkl")).collect();
        let &[folder] = folders.as_slice() else {
            return Err(TorchFault::Pickles { found: folders.len() });
        };
        let folder = folder.to_owned();
        let entry = |name: &str| {
            entries.get(&format!("{folder}/{name}")).map(|range| &bytes[range.clone()])
        };
        // Written since PyTorch 2.1; older files are little-endian.
        if let Some(order) = entry("byteorder").filter(|&order| order != b"little") {
            let found = String::from_utf8_lossy(&order[..order.len().min(16)]).into_owned();
            return Err(TorchFault::ByteOrder { found });
        }
        let pickle = entry("data.pkl").expect("the folder is named after it");
        Ok(Self { entries, folder, pickle })
    }

    /// The bytes of a storage, as many as it should have.
    fn storage(&self, tensor: &str, storage: &Storage<'_>) -> Result<Range<usize>, TorchFault> {
        let entry = format!("{}/data/{}", self.folder, storage.key);
        let Some(range) = self.entries.get(&entry) else {
            let entry = entry.chars().take(MAX_NAME_BYTES).collect();
            return Err(TorchFault::NoStorage { tensor: tensor.into(), entry });
        };
        let &Storage { dtype, count, .. } = storage;
        if count.checked_mul(dtype.size()) != Some(range.len()) {
            return Err(TorchFault::StorageSize {
                tensor: tensor.into(),
                count,
                dtype,
                found: range.len(),
            });
        }
        Ok(range.clone())
    }

    fn locate(&self, name: &str, view: &View<'_>) -> Result<Located, TorchFault> {
        let View { storage, offset, shape, strides } = view;
        let range = self.storage(name, storage)?;
        let out_of_storage = || TorchFault::OutOfStorage {
            tensor: name.into(),
            shape: shape.clone(),
            strides: strides.clone(),
            offset: *offset,
            count: storage.count,
        };
        let (count, _) = extent(shape, storage.dtype).ok_or_else(out_of_storage)?;
        let mut start = range.start;
        if count > 0 {
            last(*offset, shape, strides)
                .filter(|&last| last < storage.count)
                .ok_or_else(out_of_storage)?;
            if count > storage.count {
                let (tensor, shape, count) = (name.into(), shape.clone(), storage.count);
                return Err(TorchFault::Expanded { tensor, shape, count });
            }
            start += offset * storage.dtype.size(); // within the storage, as its last number is
        }
        let strides = (!is_contiguous(shape, strides)).then(|| strides.clone());
        Ok(Located {
            name: name.into(),
            dtype: storage.dtype,
            shape: shape.clone(),
            start,
            strides,
        })
    }
}

/// The position of a tensor's last number in its storage, or `None` when that overflows.
fn last(offset: usize, shape: &[usize], strides: &[usize]) -> Option<usize> {
    shape.iter().zip(strides).try_fold(offset, |last, (&axis, &stride)| {
        last.checked_add(axis.checked_sub(1)?.checked_mul(stride)?)
    })
}

/// Whether the numbers lie row by row. The stride of an axis of one says nothing.
fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.contains(&0)
        || shape.iter().zip(strides).rev().all(|(&axis, &stride)| {
            let fits = axis == 1 || stride == expected;
            expected *= axis;
            fits
        })
}
