//! A picture's file becomes a picture; the file's name is part of every complaint.
//!
//! Deliberately absent: decoding, which is `ixc_input::image`'s.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use ixc_input::{
    image::{Orientation, Picture, load},
    limits::MAX_PICTURE_FILE_BYTES,
};

use crate::exit::Failure;

/// A picture with the file it came from.
#[derive(Clone, Debug)]
pub(crate) struct Photo {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its pixels.
    pub(crate) picture: Picture,
}

/// Reads a picture file.
pub(crate) fn open(path: &Path, orientation: Orientation) -> Result<Photo, Failure> {
    let bytes = read(path)?;
    let picture = load(&bytes, orientation)
        .map_err(|error| Failure::mistake(format!("{}: {error}", path.display())))?;
    Ok(Photo { path: path.into(), picture })
}

/// The bytes of a picture file, at most one more than is allowed.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::mistake(format!("cannot read the picture {}: {error}", path.display()))
    };
    let file = File::open(path).map_err(|error| cannot(&error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(cannot(&"it is a folder; name the pictures in it one by one"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_PICTURE_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot(&error))?;
    Ok(bytes)
}
