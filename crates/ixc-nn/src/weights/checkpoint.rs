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
    extent, safetensors, torch,
};
use crate::{Error, limits::MAX_TENSORS};

/// The weights of a model, in one file or several.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<WeightFile>,
    maps: Vec<Arc<MappedFile>>,
    tensors: BTreeMap<String, Stored>,
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
    /// `path` is a folder as published, an index (`*.index.json`), or one `.safetensors`, `.bin` or `.pt`
    /// file. In a folder, in this order: `model.safetensors`, an index of safetensors, GPTQ's
    /// `gptq_model*.safetensors`, `pytorch_model.bin`, its index, any other safetensors.
    ///
    /// # Errors
    /// When files are missing, malformed, not of one checkpoint, or hold more than tensors.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let found = discover::find(path)?;
        let mut checkpoint = Self {
            path: path.into(),
            files: Vec::new(),
            maps: Vec::new(),
            tensors: BTreeMap::new(),
        };
        for (file, format) in found.files {
            checkpoint.add(file, format)?;
        }
        if let Some(index) = &found.index {
            checkpoint.check_index(index)?;
        }
        Ok(checkpoint)
    }

    /// Maps one more file and takes in its tensors.
    fn add(&mut self, path: PathBuf, format: Format) -> Result<(), Error> {
        discover::regular(&path)?;
        let map = Arc::new(MappedFile::open(&path).map_err(Error::io("map", &path))?);
        let located = match format {
            Format::Safetensors => safetensors::read(map.bytes())
                .map_err(|fault| Error::Safetensors { file: path.clone(), fault: fault.into() })?,
            Format::Pickle => torch::read(map.bytes())
                .map_err(|fault| Error::Torch { file: path.clone(), fault: fault.into() })?,
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
            None => Buffer::mapped(map.clone(), *start..*start + info.bytes, info.dtype.size()),
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
        let gathered = strides.is_some().then(|| self.stored_buffer(stored));
        let end = start + if gathered.is_some() { 0 } else { info.bytes };
        let map = &self.maps[info.file];
        let mapped = (*start..end)
            .step_by(piece)
            .map(move |at| Buffer::mapped(map.clone(), at..end.min(at.saturating_add(piece)), 1));
        gathered.into_iter().chain(mapped)
    }
}
