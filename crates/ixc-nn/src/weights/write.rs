//! Checkpoints on the way out: sharded safetensors in the published form.
//!
//! The tensors are declared first, so the shards and their headers are known before any number is; the
//! numbers are then streamed, one tensor after the other, and nothing is held. Files appear under their
//! names only when all of them are complete and on the disk, the index last; a write that fails leaves
//! the folder as it was. Deliberately absent: overwriting, and every other format.

use std::{
    collections::{BTreeMap, HashSet},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use serde_json::json;
use tempfile::{NamedTempFile, TempPath};

use super::{
    StoredType,
    convert::{self, Overflow},
    extent,
};
use crate::{
    Error,
    limits::{MAX_AXES, MAX_FILES, MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_TENSORS},
};

/// The size of shards that published checkpoints of this size have: five gigabytes.
pub const SHARD_BYTES: usize = 5_000_000_000;

/// Data starts at a multiple of this, so that every number is aligned in the mapped file.
const ALIGN: usize = 64;

/// Numbers that are rounded at a time.
const BLOCK: usize = 16_384;

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorPlan {
    /// Its name in the checkpoint.
    pub name: String,
    /// The type of its numbers in the file.
    pub dtype: StoredType,
    /// Extents, slowest first.
    pub shape: Vec<usize>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The weight files, in order.
    pub files: Vec<PathBuf>,
    /// The index, when there is more than one file.
    pub index: Option<PathBuf>,
    /// Bytes of all tensors.
    pub bytes: usize,
}

/// Writes a checkpoint into a folder.
#[derive(Debug)]
pub struct ShardWriter {
    folder: PathBuf,
    /// What the files' names begin with.
    stem: &'static str,
    shards: Vec<Shard>,
}

/// What a whole model's files are called.
const MODEL: &str = "model";

#[derive(Debug, Default)]
struct Shard {
    /// Each tensor and its bytes.
    tensors: Vec<(TensorPlan, usize)>,
    bytes: usize,
}

impl ShardWriter {
    /// Plans a checkpoint of these tensors, in this order, in shards of at most `shard_bytes` unless a
    /// single tensor is larger. The folder is made when it is not there.
    ///
    /// # Errors
    /// When the folder holds safetensors already, or a tensor could not be read back.
    pub fn new(folder: &Path, tensors: Vec<TensorPlan>, shard_bytes: usize) -> Result<Self, Error> {
        Self::named(folder, MODEL, tensors, shard_bytes)
    }

    /// As [`Self::new`], for files that are no whole model: `{stem}.safetensors`, or shards and their index
    /// under that name. Only files whose names begin with it are in the way.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn named(
        folder: &Path,
        stem: &'static str,
        tensors: Vec<TensorPlan>,
        shard_bytes: usize,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
            let name = entry.map_err(Error::io("list", folder))?.file_name();
            let name = name.to_string_lossy();
            let weights =
                name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json");
            if weights && (stem == MODEL || name.starts_with(stem)) {
                return Err(Error::Occupied { dir: folder.into(), found: name.into_owned() });
            }
        }
        Ok(Self { folder: folder.into(), stem, shards: plan(tensors, shard_bytes)? })
    }

    /// How many weight files there will be.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Writes everything. `produce` is called once for each tensor and gives all of its numbers to the
    /// sink, in as many pieces as it likes. Within a shard, types with wider numbers come first.
    ///
    /// # Errors
    /// When `produce` fails, gives too many or too few numbers, or the disk refuses. Nothing is left then.
    pub fn write<E: From<Error>>(
        self,
        mut produce: impl FnMut(&TensorPlan, &mut Sink<'_>) -> Result<(), E>,
    ) -> Result<Written, E> {
        let Self { folder, stem, shards } = self;
        let total = shards.len();
        let mut weight_map = BTreeMap::new();
        let mut finished: Vec<(TempPath, PathBuf)> = Vec::new();
        for (number, shard) in shards.iter().enumerate() {
            let name = match total {
                1 => format!("{stem}.safetensors"),
                _ => format!("{stem}-{:05}-of-{total:05}.safetensors", number + 1),
            };
            let path = folder.join(&name);
            finished.push((write_shard(&folder, &path, shard, &mut produce)?, path));
            weight_map.extend(
                shard.tensors.iter().map(|(tensor, _)| (tensor.name.as_str(), name.clone())),
            );
        }
        let bytes = shards.iter().map(|shard| shard.bytes).sum();
        let index = (total > 1).then(|| folder.join(format!("{stem}.safetensors.index.json")));
        if let Some(path) = &index {
            let index = json!({ "metadata": { "total_size": bytes }, "weight_map": weight_map });
            finished.push((write_index(&folder, path, &index)?, path.clone()));
        }
        let files = finished.iter().map(|(_, path)| path.clone()).take(total).collect();
        for (temporary, path) in finished {
            temporary
                .persist(&path)
                .map_err(|error| Error::io("name the file", &path)(error.error))?;
        }
        ixc_files::sync_folder(&folder).map_err(Error::io("write", &folder))?;
        Ok(Written { files, index, bytes })
    }
}

/// Takes one tensor's numbers, in order.
pub struct Sink<'a> {
    out: &'a mut dyn Write,
    path: &'a Path,
    tensor: &'a TensorPlan,
    /// Bytes that are still to come.
    left: usize,
}

impl<'a> Sink<'a> {
    /// Expects `left` bytes of a tensor.
    pub(super) fn new(
        out: &'a mut dyn Write,
        path: &'a Path,
        tensor: &'a TensorPlan,
        left: usize,
    ) -> Self {
        Self { out, path, tensor, left }
    }

    /// Checks that all has been given.
    pub(super) fn end(self) -> Result<(), Error> {
        if self.left == 0 {
            return Ok(());
        }
        let reason = format!("{} of its bytes were never given", self.left);
        Err(Error::Unwritable { tensor: self.tensor.name.clone(), reason })
    }

    /// The next bytes, little-endian, in the declared type.
    ///
    /// # Errors
    /// When they are more than the tensor holds, or the disk refuses.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(|| {
            let reason = format!(
                "{} bytes more than its shape {:?} holds",
                bytes.len() - self.left,
                self.tensor.shape
            );
            Error::Unwritable { tensor: self.tensor.name.clone(), reason }
        })?;
        self.out.write_all(bytes).map_err(Error::io("write", self.path))
    }

    /// The next numbers, rounded to the declared type: f32, bf16 or f16.
    ///
    /// # Errors
    /// As [`Self::bytes`]; and when the declared type is another, or cannot hold a finite number.
    pub fn f32(&mut self, values: &[f32]) -> Result<(), Error> {
        let (tensor, target) = (&self.tensor.name, self.tensor.dtype);
        match target {
            StoredType::F32 => self.bytes(bytemuck::cast_slice(values)),
            StoredType::Bf16 | StoredType::F16 => {
                let mut narrow = [0u16; BLOCK];
                for values in values.chunks(BLOCK) {
                    let narrow = &mut narrow[..values.len()];
                    let Overflow { count, largest } = convert::narrow_block(values, target, narrow);
                    if count > 0 {
                        let (tensor, file) = (tensor.clone(), self.path.to_path_buf());
                        return Err(Error::Overflow { tensor, file, target, count, largest });
                    }
                    self.bytes(bytemuck::cast_slice(narrow))?;
                }
                Ok(())
            }
            other => {
                let reason = format!("it is declared as {other}, and was given float32 numbers");
                Err(Error::Unwritable { tensor: tensor.clone(), reason })
            }
        }
    }
}

/// Checks the tensors and fills shards with them in order.
fn plan(tensors: Vec<TensorPlan>, shard_bytes: usize) -> Result<Vec<Shard>, Error> {
    let refuse =
        |name: &str, reason: String| Err(Error::Unwritable { tensor: name.into(), reason });
    let mut names = HashSet::new();
    let mut shards = vec![Shard::default()];
    let mut total = 0usize;
    for tensor in tensors {
        let name = tensor.name.as_str();
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name == "__metadata__" {
            return refuse(
                name,
                format!("expected a name of 1 to {MAX_NAME_BYTES} bytes that is not __metadata__"),
            );
        }
        if !names.insert(name.to_owned()) {
            return refuse(name, "it is declared twice".into());
        }
        if tensor.dtype.quant().is_some() {
            return refuse(name, format!("safetensors has no type for {}", tensor.dtype));
        }
        if names.len() > MAX_TENSORS || tensor.shape.len() > MAX_AXES {
            return refuse(
                name,
                format!("expected at most {MAX_TENSORS} tensors of {MAX_AXES} axes"),
            );
        }
        let size = extent(&tensor.shape, tensor.dtype).map(|(_, bytes)| bytes);
        let Some(bytes) = size.filter(|&bytes| total.checked_add(bytes).is_some()) else {
            return refuse(name, format!("shape {:?} overflows", tensor.shape));
        };
        total += bytes;
        let last = shards.last_mut().expect("there is always one");
        if !last.tensors.is_empty() && last.bytes + bytes > shard_bytes {
            shards.push(Shard { tensors: vec![(tensor, bytes)], bytes });
        } else {
            last.bytes += bytes;
            last.tensors.push((tensor, bytes));
        }
    }
    if shards.len() > MAX_FILES {
        return refuse(
            "*",
            format!("{} shards, the limit is {MAX_FILES}; make them larger", shards.len()),
        );
    }
    for shard in &mut shards {
        // Wide numbers first, so that each tensor starts at a multiple of its number's size.
        shard.tensors.sort_by_key(|(tensor, _)| std::cmp::Reverse(tensor.dtype.size()));
    }
    Ok(shards)
}

/// A shard's length field and header, padded with blanks so that the data is aligned.
fn header(shard: &Shard) -> Vec<u8> {
    let mut fields = serde_json::Map::new();
    // What PyTorch's loaders look for.
    fields.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut start = 0;
    for (tensor, bytes) in &shard.tensors {
        let dtype = tensor.dtype.header_name();
        let offsets = [start, start + bytes];
        start += bytes;
        let field = json!({ "dtype": dtype, "shape": tensor.shape, "data_offsets": offsets });
        fields.insert(tensor.name.clone(), field);
    }
    let mut header = vec![0; 8];
    header.extend(serde_json::Value::Object(fields).to_string().bytes());
    header.resize(header.len().next_multiple_of(ALIGN), b' ');
    let length = (header.len() - 8) as u64;
    header[..8].copy_from_slice(&length.to_le_bytes());
    header
}

/// Writes one shard to the side.
fn write_shard<E: From<Error>>(
    folder: &Path,
    path: &Path,
    shard: &Shard,
    produce: &mut impl FnMut(&TensorPlan, &mut Sink<'_>) -> Result<(), E>,
) -> Result<TempPath, E> {
    let header = header(shard);
    if header.len() - 8 > MAX_HEADER_BYTES {
        let reason = format!("the header of its shard takes {} bytes", header.len());
        return Err(Error::Unwritable { tensor: shard.tensors[0].0.name.clone(), reason }.into());
    }
    let mut out = BufWriter::with_capacity(1 << 20, beside(folder)?);
    out.write_all(&header).map_err(Error::io("write", path))?;
    for (tensor, bytes) in &shard.tensors {
        let mut sink = Sink::new(&mut out, path, tensor, *bytes);
        produce(tensor, &mut sink)?;
        sink.end()?;
    }
    Ok(ixc_files::finish(out).map_err(Error::io("write", path))?)
}

fn write_index(folder: &Path, path: &Path, index: &serde_json::Value) -> Result<TempPath, Error> {
    let mut out = BufWriter::new(beside(folder)?);
    writeln!(out, "{index:#}").map_err(Error::io("write", path))?;
    ixc_files::finish(out).map_err(Error::io("write", path))
}

/// A new file in the folder.
pub(super) fn beside(folder: &Path) -> Result<NamedTempFile, Error> {
    ixc_files::beside(folder).map_err(Error::io("make a file in", folder))
}
