//! A format's file, brought into its place.
//!
//! Invariant: under its name a file is whole, or it is what it was before ([`ixc_files`]). Deliberately absent:
//! several files that belong together; Markdown orders them itself.

use std::{
    io::{ErrorKind, Write as _},
    path::Path,
};

use crate::{Error, Written, article::Article};

/// Writes one file. Without `overwrite`, one that has come to be there meanwhile is an error too.
pub(crate) fn put(path: &Path, bytes: &[u8], overwrite: bool) -> Result<(), Error> {
    let written = match overwrite {
        true => ixc_files::replace(path, |out| out.write_all(bytes)),
        false => ixc_files::create(path, |out| out.write_all(bytes)),
    };
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::Exists { path: path.into() },
        _ => Error::file("write the file", path)(error),
    })
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
