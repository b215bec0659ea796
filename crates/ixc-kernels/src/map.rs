//! Files as memory: weights are mapped read-only and paged in by the system as they are used.
//!
//! A mapped file must not be truncated by another program while it is mapped; the system then
//! raises SIGBUS, as in every program that maps its weights. Nothing here interprets bytes.

use std::{fs::File, io, ops::Range, path::Path};

use memmap2::Mmap;

/// A whole file as memory, read-only.
#[derive(Debug)]
pub struct MappedFile {
    held: Held,
}

#[derive(Debug)]
enum Held {
    Mapped(Mmap),
    /// A file that is part of the program, which the system maps as it does the program.
    Embedded(&'static [u8]),
}

impl MappedFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the mapping is private to this value and read-only. Another process that truncates
        // the file meanwhile is outside Rust's model and ends this program, as documented above.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { held: Held::Mapped(map) })
    }

    /// A file that the program carries in itself.
    pub fn embedded(bytes: &'static [u8]) -> Self {
        Self { held: Held::Embedded(bytes) }
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.held {
            Held::Mapped(map) => map,
            Held::Embedded(bytes) => bytes,
        }
    }

    /// Tells the system that these bytes are not needed soon, so that their pages stop counting as
    /// resident. They are read from the file again when touched. A hint: failure changes nothing.
    pub fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Held::Mapped(map) = &self.held
            && range.end <= map.len()
            && !range.is_empty()
        {
            use memmap2::UncheckedAdvice;
            // SAFETY: the mapping is read-only and backed by a file, so dropped pages come back from
            // the file with the same contents; borrowed slices stay valid.
            let _ = unsafe {
                map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len())
            };
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}
