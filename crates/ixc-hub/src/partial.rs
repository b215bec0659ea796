//! A file on its way: `<digest>.incomplete`, growing, with the digest of what it has.
//!
//! Writes go to explicit positions, never "to the end": on a file system whose locks do nothing,
//! two writers then put the same bytes in the same places. Deliberately absent: the network, and
//! what to do about a wrong digest.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::limits::{CHUNK_BYTES, MAX_FILE_BYTES};
use crate::progress::{Progress, Watch};
use crate::verify::{Digest, Running};

/// A file that is not complete yet, with the digest of what it has.
pub(crate) struct Partial {
    path: PathBuf,
    file: File,
    expected: Digest,
    running: Running,
    /// Valid bytes from the beginning. The file may be longer after a restart.
    pub(crate) len: u64,
    /// The most that `len` has been.
    pub(crate) reached: u64,
    /// Bytes received, repetitions included.
    pub(crate) transferred: u64,
}

impl Partial {
    /// Opens what an earlier download left, reading it once for the digest, or an empty file.
    pub(crate) fn open(
        path: PathBuf,
        expected: &Digest,
        size: Option<u64>,
        name: &str,
        watch: &mut Watch<'_>,
    ) -> Result<Self> {
        if fs::symlink_metadata(&path).is_ok_and(|m| !m.is_file()) {
            fs::remove_file(&path).map_err(|e| Error::io("cannot remove", &path, e))?;
        }
        let cannot = |e| Error::io("cannot open the partial download", &path, e);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(&path).map_err(cannot)?;
        let there = file.metadata().map_err(cannot)?.len();
        let mut running = Running::like(expected);
        let mut len = 0;
        // More than the whole cannot be its beginning.
        if there <= size.unwrap_or(MAX_FILE_BYTES) {
            let mut chunk = vec![0; CHUNK_BYTES];
            loop {
                let n = file.read(&mut chunk).map_err(cannot)?;
                if n == 0 {
                    break;
                }
                running.update(&chunk[..n]);
                len += n as u64;
                watch.tell(Progress::Advanced { file: name, done: len })?;
            }
        }
        let expected = expected.clone();
        Ok(Partial { path, file, expected, running, len, reached: len, transferred: 0 })
    }

    /// Forgets what is there. The next write begins at the beginning.
    pub(crate) fn restart(&mut self) {
        self.running = Running::like(&self.expected);
        self.len = 0;
    }

    /// Takes the next bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let cannot = |e| Error::io("cannot write", &self.path, e);
        self.file.seek(SeekFrom::Start(self.len)).map_err(cannot)?;
        self.file.write_all(bytes).map_err(cannot)?;
        self.running.update(bytes);
        self.len += bytes.len() as u64;
        self.reached = self.reached.max(self.len);
        self.transferred += bytes.len() as u64;
        Ok(())
    }

    /// Compares the digest of all that is there; the wrong one, or `None` when it is right.
    pub(crate) fn finish(&mut self) -> Result<Option<String>> {
        let cannot = |e| Error::io("cannot check", &self.path, e);
        self.file.set_len(self.len).map_err(cannot)?;
        let running = std::mem::replace(&mut self.running, Running::like(&self.expected));
        let found = running.finish(&mut self.file, self.len).map_err(cannot)?;
        Ok(Some(found).filter(|found| found != self.expected.hex()))
    }

    /// Takes it away.
    pub(crate) fn delete(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|e| Error::io("cannot remove", &self.path, e))
    }

    /// Gives it its name, once the bytes are safe on the disk.
    pub(crate) fn rename(self, blob: PathBuf) -> Result<()> {
        let cannot = |e| Error::io("cannot write", &blob, e);
        self.file.sync_all().map_err(cannot)?;
        drop(self.file);
        fs::rename(&self.path, &blob).map_err(cannot)
    }
}
