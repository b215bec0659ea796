//! A ZIP archive in memory, as EPUB and DOCX are.
//!
//! Invariant: the same entries give the same bytes: each is dated 1980-01-01, the format's first day.
//! Deliberately absent: reading, folders, encryption.

use std::io::{Cursor, Write};

use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// An archive that is being written.
pub(crate) struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    pub(crate) fn new() -> Archive {
        Archive(ZipWriter::new(Cursor::new(Vec::new())))
    }

    /// An entry as it is: pictures, which are compressed, and what must be found by its place.
    pub(crate) fn store(&mut self, name: &str, bytes: &[u8]) {
        self.add(name, bytes, CompressionMethod::Stored);
    }

    /// An entry of text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.add(name, text.as_bytes(), CompressionMethod::Deflated);
    }

    fn add(&mut self, name: &str, bytes: &[u8], method: CompressionMethod) {
        // Sizes stay below 4 GiB: pictures have a limit of their own, and text is little.
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644);
        self.0.start_file(name, options).expect("a new entry with a plain name");
        self.0.write_all(bytes).expect("memory takes an entry");
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.finish().expect("memory takes the end of an archive").into_inner()
    }
}
