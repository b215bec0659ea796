//! GGUF on the way out: keys, a table, then one tensor after the other, streamed.
//!
//! The file appears under its name only when it is complete and on the disk. Deliberately absent: choosing
//! keys, names and types; quantising.

use std::{
    collections::HashSet,
    io::{BufWriter, Write},
    path::PathBuf,
};

use super::{ALIGNMENT_KEY, AXES_MAX, MAGIC, TYPES};
use crate::{
    Error,
    limits::{MAX_HEADER_BYTES, MAX_KEYS, MAX_TENSORS},
    weights::{Sink, TensorPlan, extent, write::beside},
};

/// Bytes of a tensor's name: public tools keep names in 64 bytes, the last of them 0.
pub const NAME_BYTES_MAX: usize = 63;

/// Tensors start at multiples of this: a cache line.
const ALIGN: usize = 64;

/// A value of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum GgufValue {
    /// A whole number.
    U32(u32),
    /// A number with a fraction.
    F32(f32),
    /// A string.
    Text(String),
    /// An array of bytes.
    Bytes(Vec<u8>),
}

/// A file to be written.
#[derive(Clone, Debug)]
pub struct GgufPlan {
    /// Where.
    pub path: PathBuf,
    /// Whether a file of that name may be replaced.
    pub replace: bool,
    /// Keys and values, in this order; the alignment is added.
    pub metadata: Vec<(String, GgufValue)>,
    /// The tensors, in this order.
    pub tensors: Vec<TensorPlan>,
}

impl GgufPlan {
    /// The header, and the bytes of each tensor.
    fn header(&self) -> Result<(Vec<u8>, Vec<usize>), Error> {
        let refuse =
            |name: &str, reason: String| Err(Error::Unwritable { tensor: name.into(), reason });
        if self.tensors.len() > MAX_TENSORS || self.metadata.len() >= MAX_KEYS {
            return refuse("*", format!("more than {MAX_TENSORS} tensors or {MAX_KEYS} keys"));
        }
        let mut out = MAGIC.to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64 + 1).to_le_bytes());
        let alignment = (ALIGNMENT_KEY.to_owned(), GgufValue::U32(ALIGN as u32));
        for (key, value) in [&alignment].into_iter().chain(&self.metadata) {
            put_text(&mut out, key);
            put_value(&mut out, value);
        }
        let (mut names, mut sizes, mut offset) = (HashSet::new(), Vec::new(), 0usize);
        for TensorPlan { name, dtype, shape } in &self.tensors {
            if name.is_empty() || name.len() > NAME_BYTES_MAX || !names.insert(name) {
                let reason = format!("expected a name of its own of 1 to {NAME_BYTES_MAX} bytes");
                return refuse(name, reason);
            }
            let Some((number, _)) = TYPES.iter().find(|(_, known)| known == dtype) else {
                return refuse(name, format!("the format has no type for {dtype}"));
            };
            let whole = shape.last().is_some_and(|last| last.is_multiple_of(dtype.block()));
            if shape.len() > AXES_MAX as usize || shape.contains(&0) || !whole {
                let reason = format!("shape {shape:?} cannot be written as {dtype}");
                return refuse(name, reason);
            }
            let end = extent(shape, *dtype)
                .and_then(|(_, bytes)| Some((bytes, offset.checked_add(bytes)?)))
                .and_then(|(bytes, end)| Some((bytes, end.checked_next_multiple_of(ALIGN)?)));
            let Some((bytes, end)) = end else {
                return refuse(name, format!("shape {shape:?} overflows"));
            };
            put_text(&mut out, name);
            out.extend((shape.len() as u32).to_le_bytes());
            shape.iter().rev().for_each(|&axis| out.extend((axis as u64).to_le_bytes()));
            out.extend(number.to_le_bytes());
            out.extend((offset as u64).to_le_bytes());
            sizes.push(bytes);
            offset = end;
        }
        if out.len() > MAX_HEADER_BYTES {
            return refuse("*", format!("keys and table take {} bytes", out.len()));
        }
        out.resize(out.len().next_multiple_of(ALIGN), 0);
        Ok((out, sizes))
    }

    /// Bytes that the file will have.
    ///
    /// # Errors
    /// When it cannot be written as planned.
    pub fn bytes(&self) -> Result<u64, Error> {
        let (header, sizes) = self.header()?;
        let data: u64 = sizes.iter().map(|size| size.next_multiple_of(ALIGN) as u64).sum();
        Ok(header.len() as u64 + data)
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &GgufValue) {
    let mut number = |number: u32| out.extend(number.to_le_bytes());
    match value {
        GgufValue::U32(value) => {
            number(4);
            number(*value);
        }
        GgufValue::F32(value) => {
            number(6);
            number(value.to_bits());
        }
        GgufValue::Text(text) => {
            number(8);
            put_text(out, text);
        }
        GgufValue::Bytes(bytes) => {
            number(9);
            number(0);
            out.extend((bytes.len() as u64).to_le_bytes());
            out.extend(bytes);
        }
    }
}

/// Writes a file; returns its bytes. `produce` is called once for each tensor, in order, and gives all of
/// its numbers to the sink, in as many pieces as it likes.
///
/// # Errors
/// When the file is there and may not be replaced, `produce` fails or gives too many or too few numbers,
/// the plan cannot be written, or the disk refuses. Nothing is left then.
pub fn write_gguf<E: From<Error>>(
    plan: &GgufPlan,
    mut produce: impl FnMut(&TensorPlan, &mut Sink<'_>) -> Result<(), E>,
) -> Result<u64, E> {
    let path = &plan.path;
    if !plan.replace && path.exists() {
        return Err(Error::Exists { path: path.clone() }.into());
    }
    let (header, sizes) = plan.header()?;
    let folder = ixc_files::folder_of(path);
    let mut out = BufWriter::with_capacity(1 << 20, beside(folder)?);
    out.write_all(&header).map_err(Error::io("write", path))?;
    let mut written = header.len() as u64;
    for (tensor, &size) in plan.tensors.iter().zip(&sizes) {
        let mut sink = Sink::new(&mut out, path, tensor, size);
        produce(tensor, &mut sink)?;
        sink.end()?;
        let padded = size.next_multiple_of(ALIGN);
        out.write_all(&[0; ALIGN][..padded - size]).map_err(Error::io("write", path))?;
        written += padded as u64;
    }
    let temporary = ixc_files::finish(out).map_err(Error::io("write", path))?;
    let named =
        if plan.replace { temporary.persist(path) } else { temporary.persist_noclobber(path) };
    named.map_err(|error| Error::io("name the file", path)(error.error))?;
    ixc_files::sync_folder(folder).map_err(Error::io("write", folder))?;
    Ok(written)
}
