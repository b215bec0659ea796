//! Files that appear when they are complete.
//!
//! Invariant: under its final name a file is whole and on the disk, or it is what it was before. It is written
//! beside its place, synced, renamed, and the folder is synced where the system can.

use std::{fs, io::Write, path::Path};

use tempfile::Builder;

use crate::{Error, Written, article::Article, format::folder_of};

/// Writes one file. Without `overwrite`, one that has come to be there meanwhile is an error too.
pub(crate) fn put(path: &Path, bytes: &[u8], overwrite: bool) -> Result<(), Error> {
    let folder = folder_of(path);
    let mut file = Builder::new()
        .prefix(".ixc-")
        .suffix(".new")
        .tempfile_in(folder)
        .map_err(Error::file("make a file in the folder", folder))?;
    allow_reading(file.path(), false);
    file.write_all(bytes).map_err(Error::file("write the file", path))?;
    file.as_file().sync_all().map_err(Error::file("bring to the disk the file", path))?;
    if overwrite {
        file.persist(path).map_err(|error| Error::file("rename into place", path)(error.error))?;
    } else {
        file.persist_noclobber(path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Exists { path: path.into() },
            _ => Error::file("rename into place", path)(error.error),
        })?;
    }
    sync_folder(folder);
    Ok(())
}

/// What is temporary is its owner's alone; an exported article is as readable as most new files are.
#[cfg(unix)]
pub(crate) fn allow_reading(path: &Path, is_folder: bool) {
    use std::os::unix::fs::PermissionsExt;
    let mode = if is_folder { 0o755 } else { 0o644 };
    // A file system without permissions has nothing to allow.
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
}

#[cfg(not(unix))]
pub(crate) fn allow_reading(_: &Path, _: bool) {}

/// Brings a folder's names to the disk. Some systems cannot; the file itself is there in any case.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Writes a format that is one file.
pub(crate) fn whole(
    article: &Article,
    to: &Path,
    bytes: &[u8],
    overwrite: bool,
) -> Result<Written, Error> {
    put(to, bytes, overwrite)?;
    Ok(Written {
        path: to.into(),
        bytes: bytes.len() as u64,
        pictures: article.assets.len(),
        without_metadata: article.without_metadata.clone(),
        without_glyph: Vec::new(),
    })
}
