//! An open checkpoint: every tensor of its files, by name.
//!
//! Files are mapped once, when it is opened, and their tables checked then; numbers are paged in when
//! they are asked for. Deliberately absent: conversion, which is in `numbers`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use ixc_kernels::{Buffer, MappedFile};

use super::{
    Format, Located, TensorInfo, WeightFile, convert,
    discover::{self, Index},
    extent,
    gguf::{self, Metadata},
    safetensors, torch,
};
use crate::{Error, limits::MAX_TENSORS};

/// The weights of a model, in one file or several.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<WeightFile>,
    maps: Vec<Arc<MappedFile>>,
    tensors: BTreeMap<String, Stored>,
    /// Of a GGUF file, which is alone.
    metadata: Metadata,
}

/// A tensor and where its numbers are in its file.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) info: TensorInfo,
    pub(super) start: usize,
    pub(super) strides: Option<Vec<usize>>,
}

impl Checkpoint {
    /// Opens a checkpoint.
    ///
    /// `path` is a folder as published, an index (`*.index.json`), or one `.safetensors`, `.bin`, `.pt` or
    /// `.gguf` file. In a folder, in this order: `model.safetensors`, an index of safetensors, GPTQ's
    /// `gptq_model*.safetensors`, `pytorch_model.bin`, its index, any other safetensors, one `.gguf`.
    ///
    /// # Errors
    /// When files are missing, malformed, not of one checkpoint, or hold more than tensors.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let found = discover::find(path)?;
        let mut checkpoint = Self::empty(path);
        for (file, format) in found.files {
            discover::regular(&file)?;
            let map = MappedFile::open(&file).map_err(Error::io("map", &file))?;
            checkpoint.add(file, format, map)?;
        }
        if let Some(index) = &found.index {
            checkpoint.check_index(index)?;
        }
        Ok(checkpoint)
    }

    /// Opens a GGUF file that the program carries in itself; `name` stands for its path.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn embedded(name: &Path, bytes: &'static [u8]) -> Result<Self, Error> {
        let mut checkpoint = Self::empty(name);
        checkpoint.add(name.into(), Format::Gguf, MappedFile::embedded(bytes))?;
        Ok(checkpoint)
    }

    fn empty(path: &Path) -> Self {
        Self {
            path: path.into(),
            files: Vec::new(),
            maps: Vec::new(),
            tensors: BTreeMap::new(),
            metadata: Metadata::default(),
        }
    }

    /// Takes in one more file's tensors.
    fn add(&mut self, path: PathBuf, format: Format, map: MappedFile) -> Result<(), Error> {
        let map = Arc::new(map);
        let located = match format {
            Format::Safetensors => safetensors::read(map.bytes())
                .map_err(|fault| Error::Safetensors { file: path.clone(), fault: fault.into() })?,
            Format::Pickle => torch::read(map.bytes())
                .map_err(|fault| Error::Torch { file: path.clone(), fault: fault.into() })?,
            Format::Gguf => {
                let (located, metadata) = gguf::read(map.bytes())
                    .map_err(|fault| Error::Gguf { file: path.clone(), fault: fault.into() })?;
                self.metadata = metadata;
                located
            }
        };
        let found = self.tensors.len() + located.len();
        if found > MAX_TENSORS {
            return Err(Error::TooMany {
                path: self.path.clone(),
                what: "tensors",
                found,
                limit: MAX_TENSORS,
            });
        }
        self.files.push(WeightFile { path, bytes: map.bytes().len(), format });
        self.maps.push(map);
        located.into_iter().try_for_each(|located| self.insert(located))
    }

    /// Takes in a tensor of the file that was added last.
    fn insert(&mut self, located: Located) -> Result<(), Error> {
        let Located { name, dtype, shape, start, strides } = located;
        let file = self.files.len() - 1;
        if let Some(first) = self.tensors.get(&name) {
            let path = |file: usize| self.files[file].path.clone();
            return Err(Error::DuplicateTensor {
                tensor: name,
                first: path(first.info.file),
                second: path(file),
            });
        }
        let (_, bytes) = extent(&shape, dtype).expect("the readers have checked it");
        let info = TensorInfo { name: name.clone(), dtype, shape, bytes, file };
        self.tensors.insert(name, Stored { info, start, strides });
        Ok(())
    }

    /// Every tensor that the index names is where it says.
    fn check_index(&self, index: &Index) -> Result<(), Error> {
        for (tensor, shard) in &index.shards {
            let held = self.tensors.get(tensor).is_some_and(|stored| {
                self.files[stored.info.file].path.file_name() == Some(shard.as_ref())
            });
            if !held {
                let (index, tensor, shard) = (index.path.clone(), tensor.clone(), shard.clone());
                return Err(Error::NotInShard { index, tensor, shard });
            }
        }
        Ok(())
    }

    /// The same checkpoint with other names for its tensors; those without another keep theirs.
    ///
    /// # Errors
    /// When two tensors would have one name.
    pub fn renamed(mut self, other: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let path = |file: usize| self.files[file].path.clone();
        let mut tensors: BTreeMap<String, Stored> = BTreeMap::new();
        for (name, mut stored) in std::mem::take(&mut self.tensors) {
            let name = other(&name).unwrap_or(name);
            stored.info.name = name.clone();
            if let Some(first) = tensors.get(&name) {
                let (first, second) = (path(first.info.file), path(stored.info.file));
                return Err(Error::DuplicateTensor { tensor: name, first, second });
            }
            tensors.insert(name, stored);
        }
        self.tensors = tensors;
        Ok(self)
    }

    /// Whether it is a GGUF file.
    pub fn is_gguf(&self) -> bool {
        self.files.iter().any(|file| file.format == Format::Gguf)
    }

    /// A string among a GGUF file's keys.
    pub fn metadata_text(&self, key: &str) -> Option<&str> {
        self.metadata.text(self.maps.last()?.bytes(), key)
    }

    /// An array of bytes among a GGUF file's keys.
    pub fn metadata_bytes(&self, key: &str) -> Option<&[u8]> {
        self.metadata.bytes(self.maps.last()?.bytes(), key)
    }

    /// Lets the system drop a tensor's pages, when it has been read and is not needed soon.
    pub fn release(&self, name: &str) {
        if let Some(Stored { info, start, strides: None }) = self.tensors.get(name) {
            self.maps[info.file].release(*start..*start + info.bytes);
        }
    }

    /// The files, in the order of their names.
    pub fn files(&self) -> &[WeightFile] {
        &self.files
    }

    /// The tensors' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// What the file says about a tensor, when there is one of that name.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name).map(|stored| &stored.info)
    }

    /// A tensor's numbers as they are stored, row by row: part of the mapped file where they are
    /// contiguous and aligned there, a copy otherwise.
    ///
    /// # Errors
    /// When there is no tensor of that name.
    pub fn buffer(&self, name: &str) -> Result<Buffer, Error> {
        Ok(self.stored_buffer(self.stored(name)?))
    }

    /// The first bytes that a file stores for a tensor, at most so many: enough to tell checkpoints of
    /// the same shapes apart without reading them.
    ///
    /// # Errors
    /// When there is no tensor of that name.
    pub fn sample(&self, name: &str, bytes: usize) -> Result<&[u8], Error> {
        let Stored { info, start, .. } = self.stored(name)?;
        let stored = &self.maps[info.file].bytes()[*start..];
        Ok(&stored[..stored.len().min(info.bytes).min(bytes)])
    }

    pub(super) fn stored(&self, name: &str) -> Result<&Stored, Error> {
        self.tensors.get(name).ok_or_else(|| Error::MissingTensor {
            tensor: name.into(),
            checkpoint: self.path.clone(),
            total: self.tensors.len(),
        })
    }

    /// The path of the file that a tensor is in.
    pub(super) fn file_of(&self, stored: &Stored) -> PathBuf {
        self.files[stored.info.file].path.clone()
    }

    pub(super) fn stored_buffer(&self, stored: &Stored) -> Buffer {
        let Stored { info, start, strides } = stored;
        let map = &self.maps[info.file];
        match strides {
            None => Buffer::mapped(map.clone(), *start..*start + info.bytes, info.dtype.align()),
            Some(strides) => Buffer::build(info.bytes, |out| {
                convert::gather(
                    &map.bytes()[*start..],
                    &info.shape,
                    strides,
                    info.dtype.size(),
                    out,
                );
            }),
        }
    }

    /// A tensor's bytes, row by row, in pieces of at most `piece` bytes, for work that looks at each
    /// number once. Release a piece when done with it.
    pub(super) fn pieces(&self, stored: &Stored, piece: usize) -> impl Iterator<Item = Buffer> {
        let Stored { info, start, strides } = stored;
        let piece = (piece / info.dtype.size()).max(1) * info.dtype.size(); // whole numbers and blocks
        let gathered = strides.is_some().then(|| self.stored_buffer(stored));
        let end = start + if gathered.is_some() { 0 } else { info.bytes };
        let map = &self.maps[info.file];
        let mapped = (*start..end)
            .step_by(piece)
            .map(move |at| Buffer::mapped(map.clone(), at..end.min(at.saturating_add(piece)), 1));
        gathered.into_iter().chain(mapped)
    }
}
