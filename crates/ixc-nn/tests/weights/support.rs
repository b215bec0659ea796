//! Builders of weight files, sound and otherwise, and a small random generator.

use std::{
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use ixc_nn::{Error, weights::Checkpoint};
use tempfile::TempDir;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// A folder with files in it, gone when dropped.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = Self::new();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

/// Opens bytes as a file of this name.
pub(crate) fn open(name: &str, bytes: &[u8]) -> Result<Checkpoint, Error> {
    let folder = Folder::with(&[(name, bytes)]);
    Checkpoint::open(&folder.file(name))
}

/// A safetensors file of this header (padded to eight bytes) and so many bytes of data.
pub(crate) fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..data).map(|byte| byte as u8).collect();
    safetensors_of(header, &data)
}

/// A safetensors file of this header (padded to eight bytes) and data.
pub(crate) fn safetensors_of(header: &str, data: &[u8]) -> Vec<u8> {
    let mut header = header.to_owned();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

/// A safetensors file of whole tensors: name, type, shape, data.
pub(crate) fn safetensors_with(tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let (mut fields, mut data) = (Vec::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        let end = data.len();
        fields.push(format!(
            r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
        ));
    }
    safetensors_of(&format!("{{{}}}", fields.join(",")), &data)
}

/// The bytes of float32 numbers.
pub(crate) fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A pickle, opcode by opcode.
#[derive(Clone, Default)]
pub(crate) struct Pickle(pub(crate) Vec<u8>);

impl Pickle {
    /// Starts as every file does: protocol 2.
    pub(crate) fn new() -> Self {
        Self(vec![0x80, 2])
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes()).raw(text.as_bytes())
    }

    pub(crate) fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    pub(crate) fn number(self, number: i64) -> Self {
        match i32::try_from(number) {
            Ok(number) => self.raw(b"J").raw(&number.to_le_bytes()),
            Err(_) => self.raw(&[0x8a, 8]).raw(&number.to_le_bytes()),
        }
    }

    pub(crate) fn numbers(self, numbers: &[i64]) -> Self {
        numbers.iter().fold(self.raw(b"("), |pickle, &number| pickle.number(number)).raw(b"t")
    }

    pub(crate) fn ordered_dict(self) -> Self {
        self.global("collections", "OrderedDict").raw(b")R")
    }

    pub(crate) fn storage(self, view: &View) -> Self {
        self.raw(b"(")
            .text("storage")
            .global("torch", view.class)
            .text(view.key)
            .text("cpu")
            .number(view.count)
            .raw(b"tQ")
    }

    /// A tensor as `torch.save` writes it.
    pub(crate) fn tensor(self, view: &View) -> Self {
        self.global("torch._utils", "_rebuild_tensor_v2")
            .raw(b"(")
            .storage(view)
            .number(view.offset)
            .numbers(&view.shape)
            .numbers(&view.strides)
            .raw(b"\x89")
            .ordered_dict()
            .raw(b"tR")
    }

    /// A whole state dict of these tensors.
    pub(crate) fn state_dict(tensors: &[(&str, View)]) -> Vec<u8> {
        let start = Self::new().raw(b"}(");
        tensors
            .iter()
            .fold(start, |pickle, (name, view)| pickle.text(name).tensor(view))
            .raw(b"u.")
            .0
    }
}

/// A tensor's place in its storage, as the pickle has it.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) class: &'static str,
    pub(crate) key: &'static str,
    pub(crate) count: i64,
    pub(crate) offset: i64,
    pub(crate) shape: Vec<i64>,
    pub(crate) strides: Vec<i64>,
}

impl View {
    /// Six float32 numbers, 2 × 3, row by row.
    pub(crate) fn plain() -> Self {
        Self {
            class: "FloatStorage",
            key: "0",
            count: 6,
            offset: 0,
            shape: vec![2, 3],
            strides: vec![3, 1],
        }
    }
}

/// The six numbers of [`View::plain`].
pub(crate) const SIX: [f32; 6] = [0.5, -1.0, 2.0, 3.0, -4.0, 5.0];

/// An archive as `torch.save` writes it: entries below one folder, stored, aligned.
pub(crate) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    archive_with(entries, |options| options)
}

/// The same, with other options for every entry.
pub(crate) fn archive_with(
    entries: &[(&str, &[u8])],
    options: impl Fn(SimpleFileOptions) -> SimpleFileOptions,
) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .with_alignment(64);
    for (name, bytes) in entries {
        zip.start_file(format!("model/{name}"), options(stored)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An archive of this pickle and the storage of six numbers.
pub(crate) fn torch_file(pickle: &[u8]) -> Vec<u8> {
    archive(&[
        ("data.pkl", pickle),
        ("byteorder", b"little"),
        ("data/0", &f32_bytes(&SIX)),
        ("version", b"3\n"),
    ])
}

/// A small generator (xorshift), so that a failing case comes again.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit.max(1) as u64) as usize
    }
}

/// A tensor's stored bytes.
pub(crate) fn bytes_of(checkpoint: &Checkpoint, name: &str) -> Vec<u8> {
    checkpoint.buffer(name).unwrap().bytes().to_vec()
}

/// Reads every number of a checkpoint in every way that any type allows.
pub(crate) fn read_everything(checkpoint: &Arc<Checkpoint>) {
    for name in checkpoint.names() {
        let info = checkpoint.info(name).unwrap();
        let buffer = checkpoint.buffer(name).unwrap();
        assert_eq!(buffer.bytes().len(), info.bytes);
        checkpoint.non_finite(name).unwrap();
        assert_eq!(checkpoint.floats(name, &info.shape).is_ok(), info.dtype.is_float());
    }
}
