//! The bytes of one tensor: part of a mapped file, or owned.
//!
//! Cloning shares. The bytes are little-endian numbers, as every format we read stores them, and
//! are aligned for the numbers they hold; a mapped range that is not is copied once.

use std::{ops::Range, sync::Arc};

use bytemuck::Pod;

use crate::MappedFile;

/// Shared, immutable, aligned bytes.
#[derive(Clone, Debug)]
pub struct Buffer(Source);

#[derive(Clone, Debug)]
enum Source {
    Mapped {
        file: Arc<MappedFile>,
        range: Range<usize>,
    },
    /// Words of eight bytes keep any number aligned; `len` counts bytes.
    Owned {
        words: Arc<[u64]>,
        len: usize,
    },
}

impl Buffer {
    /// Part of a mapped file, holding numbers of `align` bytes each. Copied when misaligned.
    ///
    /// # Panics
    /// When the range is not within the file: readers check it first.
    pub fn mapped(file: Arc<MappedFile>, range: Range<usize>, align: usize) -> Self {
        let bytes = &file.bytes()[range.clone()];
        if bytes.as_ptr().addr().is_multiple_of(align) {
            Self(Source::Mapped { file, range })
        } else {
            Self::copied(bytes)
        }
    }

    /// A copy of some bytes.
    pub fn copied(bytes: &[u8]) -> Self {
        Self::build(bytes.len(), |target| target.copy_from_slice(bytes))
    }

    /// A copy of some numbers.
    pub fn from_slice<T: Pod>(values: &[T]) -> Self {
        Self::copied(bytemuck::cast_slice(values))
    }

    /// `len` bytes that `fill` writes in place, so that large tensors are never held twice.
    pub fn build(len: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut words: Arc<[u64]> = std::iter::repeat_n(0u64, len.div_ceil(8)).collect();
        let target = Arc::get_mut(&mut words).expect("just made, so not shared");
        fill(&mut bytemuck::cast_slice_mut::<u64, u8>(target)[..len]);
        Self(Source::Owned { words, len })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Source::Mapped { file, range } => &file.bytes()[range.clone()],
            Source::Owned { words, len } => &bytemuck::cast_slice::<u64, u8>(words)[..*len],
        }
    }

    /// The bytes as numbers.
    ///
    /// # Panics
    /// When the length is not a multiple of the number's size: readers check it first.
    pub fn numbers<T: Pod>(&self) -> &[T] {
        bytemuck::cast_slice(self.bytes())
    }

    /// Whether the bytes live in a mapped file rather than in memory of our own.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Source::Mapped { .. })
    }

    /// Lets the system drop a mapped buffer's pages (see [`MappedFile::release`]).
    pub fn release(&self) {
        if let Source::Mapped { file, range } = &self.0 {
            file.release(range.clone());
        }
    }
}
