//! Which files an import looks at: those of the folders named that are pictures by their names, in one order.
//!
//! A folder may hold anything. Only regular files are opened ever, so no pipe makes an import wait; links to
//! folders are not followed, so no loop makes it endless; what is too large by its size is not read. Invariant:
//! the order is that of the names, files before folders, so an import is the same each time. Deliberately absent:
//! reading.

use std::{
    fs::{self, FileType, Metadata},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use ixc_input::limits::MAX_PICTURE_FILE_BYTES;

use crate::{Complaint, limits::MAX_DEPTH};

/// What pictures are called. The later ones cannot be read here, and are told apart with the reason.
pub(crate) const ENDINGS: &[&str] = &[
    "png", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic",
    "heif", "jp2", "jxl", "psd", "svg",
];

/// A file that is a picture by its name.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Absolute.
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// Nanoseconds since 1970; 0 where the system keeps no such time.
    pub(crate) modified: i64,
}

impl Candidate {
    fn of(path: PathBuf, metadata: &Metadata) -> Self {
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok());
        Self { path, bytes: metadata.len(), modified: modified.unwrap_or(0) }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) skipped: Vec<Complaint>,
    /// Files that are no pictures by their names.
    pub(crate) others: usize,
}

impl Found {
    fn skip(&mut self, path: &Path, reason: impl Into<String>) {
        self.skipped.push(Complaint { path: path.into(), reason: reason.into() });
    }
}

/// Everything below `path`, or the file itself: a file that is named need not look like a picture.
pub(crate) fn walk(path: &Path, found: &mut Found) {
    match fs::canonicalize(path).and_then(|whole| Ok((fs::metadata(&whole)?, whole))) {
        Err(error) => found.skip(path, format!("cannot be opened: {error}")),
        // By its own name rather than the one that a link leads to.
        Ok((metadata, _)) if !metadata.is_dir() => {
            let absolute = path
                .file_name()
                .zip(fs::canonicalize(ixc_files::folder_of(path)).ok())
                .map(|(name, folder)| folder.join(name));
            file(absolute.unwrap_or_else(|| path.into()), found);
        }
        Ok((_, whole)) => folder(&whole, 0, found),
    }
}

fn folder(path: &Path, depth: usize, found: &mut Found) {
    if depth > MAX_DEPTH {
        return found.skip(path, format!("lies more than {MAX_DEPTH} folders deep"));
    }
    let mut entries = Vec::new();
    match fs::read_dir(path) {
        Err(error) => return found.skip(path, format!("cannot be listed: {error}")),
        Ok(listing) => {
            for entry in listing {
                match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => found.skip(path, format!("cannot be listed whole: {error}")),
                }
            }
        }
    }
    entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let (folders, files): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|(_, kind)| kind.is_dir());
    for (path, kind) in files {
        member(path, kind, found);
    }
    for (path, _) in folders {
        if hidden(&path) {
            found.skip(&path, "a hidden folder; name it itself to add its pictures");
        } else {
            self::folder(&path, depth + 1, found);
        }
    }
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// A file of a folder.
fn member(path: PathBuf, kind: FileType, found: &mut Found) {
    if kind.is_symlink() && fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
        return found
            .skip(&path, "a link to a folder; name that folder itself to add its pictures");
    }
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let picture = ending.is_some_and(|ending| ENDINGS.contains(&&*ending));
    // What ixc itself or a system leaves beside pictures (`._photo.jpg`) is none.
    if !picture || hidden(&path) {
        found.others += 1;
    } else {
        file(path, found);
    }
}

fn file(path: PathBuf, found: &mut Found) {
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) => return found.skip(&path, format!("cannot be opened: {error}")),
    };
    if !metadata.is_file() {
        return found.skip(&path, "no file but a pipe, a socket or a device");
    }
    if path.to_str().is_none() {
        return found.skip(&path, "its name or its folder's is not UTF-8; rename it");
    }
    if metadata.len() > MAX_PICTURE_FILE_BYTES {
        let reason =
            format!("has {} bytes, a picture's limit is {MAX_PICTURE_FILE_BYTES}", metadata.len());
        return found.skip(&path, reason);
    }
    found.candidates.push(Candidate::of(path, &metadata));
}
