//! An image of a sample becomes a picture: its file is read when the sample is due.
//!
//! Invariant: only ordinary files are opened, so that a pipe or a device cannot hold a run up; what is
//! wrong is said with the file's name. Deliberately absent: decoding, which is `ixc_input::image`'s.

use std::{fs::File, io::Read, path::Path};

use ixc_input::{
    image::{self, Orientation, Picture},
    limits::MAX_PICTURE_FILE_BYTES,
};

use super::{Fault, ImageFile};

/// Reads and decodes the `number`th image of a sample.
///
/// # Errors
/// When its file is missing, is no ordinary file, or is no picture.
pub(super) fn load(
    file: &ImageFile,
    number: usize,
    orientation: Orientation,
) -> Result<Picture, Fault> {
    let unreadable = |reason: String| Fault::ImageUnreadable { image: name(file, number), reason };
    let decoded = match file {
        ImageFile::Inline(bytes) => image::load(bytes, orientation),
        ImageFile::Path(path) => image::load(&read(path)?, orientation),
    };
    decoded.map_err(|error| unreadable(error.to_string()))
}

/// What an image is called in messages.
pub(super) fn name(file: &ImageFile, number: usize) -> String {
    match file {
        ImageFile::Path(path) => path.display().to_string(),
        ImageFile::Inline(_) => format!("{number} (counted from 0, written into the sample)"),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let unreadable = |reason: &dyn std::fmt::Display| Fault::ImageUnreadable {
        image: path.display().to_string(),
        reason: format!("expected a picture file, found {reason}"),
    };
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::ImageMissing { path: path.display().to_string() },
        _ => unreadable(&error),
    };
    let metadata = path.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(unreadable(&"a folder"));
    }
    if !metadata.is_file() {
        return Err(unreadable(&"a pipe or a device"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_PICTURE_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
