//! A cache as bytes: written and restored exactly, number by number as they are stored.
//!
//! Invariant: nothing is allocated by a number that was read and not checked; a page is made when its
//! bytes are about to be read, so what ends early costs no more than what was there.
//! Deliberately absent: what the positions mean (words, pictures), and protection against changed bytes.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use super::{CacheShape, KvCache, KvType, Numbers, PAGE, Page};
use crate::Error;

/// The first bytes, with the form's version.
const MAGIC: &[u8; 8] = b"ixc kv 1";

impl KvCache {
    /// Writes all positions: a header, then each layer's pages, of which only used rows.
    ///
    /// # Errors
    /// When the writer refuses.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(MAGIC)?;
        for number in header(&self.shape, self.len) {
            out.write_all(&number.to_le_bytes())?;
        }
        for layer in &self.layers {
            let layer = layer.in_pages().map_err(io::Error::other)?;
            for (index, page) in layer.pages.iter().enumerate() {
                let used = PAGE.min(self.len.saturating_sub(index * PAGE));
                for numbers in [&page.k, &page.v] {
                    for head in 0..self.shape.kv_heads {
                        let rows = head * PAGE..head * PAGE + used;
                        numbers.bytes(rows, self.shape.width, |bytes| out.write_all(bytes))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Restores what [`KvCache::write_to`] wrote, of this shape and so many positions.
    ///
    /// # Errors
    /// When the bytes are no cache, of another shape or length, or end early.
    pub fn read_from(input: &mut impl Read, shape: CacheShape, len: usize) -> Result<Self, Error> {
        let mut magic = [0; MAGIC.len()];
        fill(input, &mut magic)?;
        if magic != *MAGIC {
            let found = String::from_utf8_lossy(&magic).into_owned();
            return Err(refuse(format!("expected it to begin with \"ixc kv 1\", found {found:?}")));
        }
        let mut found = [0u64; 5];
        for number in &mut found {
            let mut bytes = [0; 8];
            fill(input, &mut bytes)?;
            *number = u64::from_le_bytes(bytes);
        }
        let expected = header(&shape, 0);
        if found[..4] != expected[..4] {
            return Err(refuse(format!(
                "expected {}, found {}",
                described(&expected),
                described(&found)
            )));
        }
        if found[4] != len as u64 {
            return Err(refuse(format!("expected {len} positions, found {}", found[4])));
        }
        let mut cache = Self::new(shape);
        for layer in &mut cache.layers {
            for start in (0..len).step_by(PAGE) {
                let used = PAGE.min(len - start);
                let mut page = Page::new(&shape);
                for numbers in [&mut page.k, &mut page.v] {
                    for head in 0..shape.kv_heads {
                        let rows = head * PAGE..head * PAGE + used;
                        numbers.bytes_mut(rows, shape.width, |bytes| fill(input, bytes))?;
                    }
                }
                layer.pages.push(Arc::new(page));
            }
            layer.len = len;
        }
        cache.len = len;
        Ok(cache)
    }
}

/// Layers, heads, width, type, positions.
fn header(shape: &CacheShape, len: usize) -> [u64; 5] {
    let kind = match shape.kind {
        KvType::F32 => 0,
        KvType::F16 => 1,
        KvType::Q8 => 2,
    };
    [shape.layers as u64, shape.kv_heads as u64, shape.width as u64, kind, len as u64]
}

fn described(header: &[u64; 5]) -> String {
    let [layers, heads, width, kind, _] = header;
    let kind = match kind {
        0 => "f32".into(),
        1 => "f16".into(),
        2 => "q8".into(),
        other => format!("type {other}"),
    };
    format!("{layers} layers of {heads} heads of {width} in {kind}")
}

fn fill(input: &mut impl Read, bytes: &mut [u8]) -> Result<(), Error> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => refuse("it ends early".into()),
        _ => refuse(format!("cannot read it: {error}")),
    })
}

fn refuse(reason: String) -> Error {
    Error::SavedCache { reason }
}

impl Numbers {
    /// The bytes of some rows: the numbers, then the scales if there are any.
    fn bytes<E>(
        &self,
        rows: std::ops::Range<usize>,
        width: usize,
        mut with: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let place = rows.start * width..rows.end * width;
        match self {
            Self::F32(numbers) => with(bytemuck::cast_slice(&numbers[place])),
            Self::F16(numbers) => with(bytemuck::cast_slice(&numbers[place])),
            Self::Q8 { numbers, scales } => {
                with(bytemuck::cast_slice(&numbers[place]))?;
                with(bytemuck::cast_slice(&scales[rows]))
            }
        }
    }

    /// As [`Numbers::bytes`], to be filled.
    fn bytes_mut<E>(
        &mut self,
        rows: std::ops::Range<usize>,
        width: usize,
        mut with: impl FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let place = rows.start * width..rows.end * width;
        match self {
            Self::F32(numbers) => with(bytemuck::cast_slice_mut(&mut numbers[place])),
            Self::F16(numbers) => with(bytemuck::cast_slice_mut(&mut numbers[place])),
            Self::Q8 { numbers, scales } => {
                with(bytemuck::cast_slice_mut(&mut numbers[place]))?;
                with(bytemuck::cast_slice_mut(&mut scales[rows]))
            }
        }
    }
}
