//! A GGUF file in parts, each of which can be wrong on its own.
//!
//! [`Parts::of`] takes a sound file of ours apart, [`Parts::bytes`] puts it together again as the parts say.

/// What a file is made of.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) magic: [u8; 4],
    pub(crate) version: u32,
    /// Counts of tensors and keys, where they are not the truth.
    pub(crate) tensor_count: Option<u64>,
    pub(crate) key_count: Option<u64>,
    pub(crate) keys: Vec<Key>,
    pub(crate) tensors: Vec<Entry>,
    pub(crate) data: Vec<u8>,
}

/// A key with its value as it stands in the file, length and all.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: u32,
    pub(crate) value: Vec<u8>,
}

/// A line of the table of tensors.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// Fastest first.
    pub(crate) axes: Vec<u64>,
    pub(crate) kind: u32,
    pub(crate) offset: u64,
}

/// Where tensors start, in the files that we write.
const ALIGNMENT: usize = 64;

/// Bytes in front of a string: its length.
pub(crate) const LENGTH: usize = 8;

/// Bytes in front of an array: its items' type and its length.
pub(crate) const ARRAY: usize = 12;

/// The value types of the keys that we write.
pub(crate) const TEXT: u32 = 8;
const U32: u32 = 4;
const F32: u32 = 6;

/// Reads a file that is known to be sound.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn text(&mut self) -> Vec<u8> {
        let length = self.u64() as usize;
        self.take(length).to_vec()
    }

    fn value(&mut self, kind: u32) -> Vec<u8> {
        let length =
            |at: usize| u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap()) as usize;
        let bytes = match kind {
            U32 | F32 => 4,
            TEXT => LENGTH + length(0),
            _ => ARRAY + length(4), // of bytes
        };
        self.take(bytes).to_vec()
    }
}

impl Parts {
    pub(crate) fn of(file: &[u8]) -> Self {
        let mut reader = Reader(file);
        let magic = reader.take(4).try_into().unwrap();
        let version = reader.u32();
        let (tensors, keys) = (reader.u64(), reader.u64());
        let key = |reader: &mut Reader| {
            let (name, kind) = (reader.text(), reader.u32());
            Key { name, kind, value: reader.value(kind) }
        };
        let keys = (0..keys).map(|_| key(&mut reader)).collect();
        let entry = |reader: &mut Reader| {
            let (name, count) = (reader.text(), reader.u32());
            let axes = (0..count).map(|_| reader.u64()).collect();
            Entry { name, axes, kind: reader.u32(), offset: reader.u64() }
        };
        let tensors = (0..tensors).map(|_| entry(&mut reader)).collect();
        let start = (file.len() - reader.0.len()).next_multiple_of(ALIGNMENT);
        let data = file[start..].to_vec();
        let parts =
            Self { magic, version, tensor_count: None, key_count: None, keys, tensors, data };
        assert!(parts.bytes() == file, "what is taken apart comes together again");
        parts
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.key_count.unwrap_or(self.keys.len() as u64).to_le_bytes());
        for Key { name, kind, value } in &self.keys {
            out.extend(text(name));
            out.extend(kind.to_le_bytes());
            out.extend(value);
        }
        for Entry { name, axes, kind, offset } in &self.tensors {
            out.extend(text(name));
            out.extend((axes.len() as u32).to_le_bytes());
            axes.iter().for_each(|axis| out.extend(axis.to_le_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
        out.extend(&self.data);
        out
    }

    /// A key by its name.
    pub(crate) fn key(&mut self, name: &str) -> &mut Key {
        self.keys.iter_mut().find(|key| key.name == name.as_bytes()).expect(name)
    }

    /// A tensor by its name.
    pub(crate) fn tensor(&mut self, name: &str) -> &mut Entry {
        self.tensors.iter_mut().find(|entry| entry.name == name.as_bytes()).expect(name)
    }

    /// Gives a key of text another one.
    pub(crate) fn set_text(&mut self, name: &str, value: &[u8]) {
        self.key(name).value = text(value);
    }
}

/// A string as it stands in a file.
pub(crate) fn text(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}
