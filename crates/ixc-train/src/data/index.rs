//! A data file as an index of where its samples lie; a sample is read when it is due.
//!
//! Invariants: memory grows by 12 bytes a sample, whatever is in it; a file that changed since it was
//! indexed is an error, never read at the old places; what is no ordinary file is not opened, since a
//! pipe would wait for ever. Deliberately absent: what a sample means.

use std::{
    fs::{File, Metadata},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest, Sha256};

use super::{
    Error, Fault,
    limits::{MAX_LIST_BYTES, MAX_SAMPLE_BYTES},
    scan::{Problem, Scanner, Spans},
};

/// Bytes read at once while a file is indexed.
const BLOCK: usize = 1 << 20;

/// A data file and where its samples lie.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) path: PathBuf,
    spans: Spans,
    bytes: u64,
    modified: Option<SystemTime>,
    /// Of all its bytes, in hexadecimal digits.
    pub(super) sha256: String,
}

/// What a file named as data turned out to be.
#[derive(Debug)]
pub(super) enum Opened {
    /// Samples.
    Data(Index),
    /// A list of data files: its text, not yet read.
    List(Vec<u8>),
}

/// Looks a file through.
///
/// # Errors
/// When it cannot be read, is no ordinary file, or cannot be cut into samples.
pub(super) fn open(path: &Path) -> Result<Opened, Error> {
    let failed = |source| Error::Read { path: path.into(), source };
    let metadata = ordinary(path)?;
    let mut file = File::open(path).map_err(failed)?;
    let mut scanner = Scanner::new();
    let mut digest = Sha256::new();
    let mut block = Vec::with_capacity(BLOCK);
    let mut bytes = 0;
    let malformed = |at, problem| Error::Malformed { path: path.into(), at, problem };
    loop {
        block.clear();
        file.by_ref().take(BLOCK as u64).read_to_end(&mut block).map_err(failed)?;
        if block.is_empty() {
            break;
        }
        match scanner.feed(&block) {
            Ok(()) => {}
            Err(Problem::NotData) => return list(path, &metadata),
            Err(Problem::At(at, problem)) => return Err(malformed(at, problem)),
        }
        digest.update(&block);
        bytes += block.len() as u64;
    }
    let spans = match scanner.finish() {
        Ok(spans) => spans,
        Err(Problem::NotData) => return list(path, &metadata),
        Err(Problem::At(at, problem)) => return Err(malformed(at, problem)),
    };
    if spans.len() == 0 {
        return Err(Error::NoSamples { path: path.into() });
    }
    let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let modified = metadata.modified().ok();
    let index = Index { path: path.into(), spans, bytes, modified, sha256 };
    index.check_lines()?;
    Ok(Opened::Data(index))
}

/// The bytes of a file that begins unlike data.
fn list(path: &Path, metadata: &Metadata) -> Result<Opened, Error> {
    let bytes = metadata.len();
    if bytes > MAX_LIST_BYTES {
        return Err(Error::ListTooLarge { path: path.into(), bytes });
    }
    let failed = |source| Error::Read { path: path.into(), source };
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_LIST_BYTES).read_to_end(&mut text).map_err(failed)?;
    Ok(Opened::List(text))
}

/// What is known of an ordinary file; anything else is refused before it is opened.
fn ordinary(path: &Path) -> Result<Metadata, Error> {
    let failed = |source| Error::Read { path: path.into(), source };
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "a pipe or a device" };
        return Err(Error::NotAFile { path: path.into(), found });
    }
    Ok(metadata)
}

impl Index {
    /// How many samples the file has.
    pub(super) fn samples(&self) -> u64 {
        self.spans.len() as u64
    }

    /// The bytes of one sample.
    ///
    /// # Errors
    /// When the file cannot be read or is not what it was; inside, when the sample is too large.
    pub(super) fn read(&self, sample: u64) -> Result<Result<Vec<u8>, Fault>, Error> {
        let span = usize::try_from(sample).ok().and_then(|sample| self.spans.get(sample));
        let (start, length) = span.expect("a sample below samples()");
        if length > MAX_SAMPLE_BYTES {
            return Ok(Err(Fault::Large { bytes: length }));
        }
        let failed = |source| Error::Read { path: self.path.clone(), source };
        let metadata = ordinary(&self.path)?;
        if metadata.len() != self.bytes || metadata.modified().ok() != self.modified {
            return Err(Error::Changed {
                path: self.path.clone(),
                expected: self.bytes,
                found: metadata.len(),
            });
        }
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut bytes = vec![0; length as usize];
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(Ok(bytes))
    }

    /// Refuses an object that is spread over lines: read as JSON Lines, each line would be broken.
    fn check_lines(&self) -> Result<(), Error> {
        let (Some(first), Some(second)) = (self.spans.get(0), self.spans.get(1)) else {
            return Ok(());
        };
        if first.1.max(second.1) > MAX_SAMPLE_BYTES {
            return Ok(());
        }
        let (Ok(first_bytes), Ok(second_bytes)) = (self.read(0)?, self.read(1)?) else {
            return Ok(());
        };
        let unfinished = serde_json::from_slice::<serde::de::IgnoredAny>(&first_bytes)
            .is_err_and(|error| error.is_eof());
        if unfinished && first_bytes.starts_with(b"{") && !second_bytes.starts_with(b"{") {
            let problem = "expected one whole sample a line, or a list of samples in [ ], found one \
                           sample over several lines";
            return Err(Error::Malformed {
                path: self.path.clone(),
                at: first.0,
                problem: problem.into(),
            });
        }
        Ok(())
    }
}
