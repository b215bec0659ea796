//! A picture that is no file yet, such as one that a service made: it gets a file in the library's own folder.
//!
//! Invariants: the file is there as a whole, under its SHA-256, before the library speaks of it; keeping twice is
//! keeping once. Deliberately absent: who made it (the caller says so).

use std::{io::Write as _, ops::ControlFlow};

use sha2::{Digest as _, Sha256};

use crate::{About, Add, Added, Digest, Error, Library, export::ending};

/// Where such files lie, below the library's folder.
pub const KEPT: &str = "kept";

impl Library {
    /// Takes in a picture's file that is in memory. What is said `about` it counts as said by whoever adds it. A picture
    /// that the library has already is left as it is.
    ///
    /// # Errors
    /// When the disk or the database refuses. Bytes that are no picture that is read here are no error: they are
    /// among those that were not taken, and leave no file.
    pub fn keep(&mut self, bytes: &[u8], about: About) -> Result<Added, Error> {
        let digest = Digest(Sha256::digest(bytes).into());
        if self.rows().by_digest(&digest)?.is_some_and(|known| self.path_of(&known).is_file()) {
            return Ok(Added { unchanged: 1, ..Added::default() });
        }
        let folder = self.folder().join(KEPT);
        std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
        let path = folder.join(format!("{digest}.{}", ending(bytes)));
        ixc_files::replace(&path, |out| out.write_all(bytes))
            .map_err(Error::io("write the picture", &path))?;
        let add = Add { from: vec![path.clone()], given: about, threads: 1 };
        let added = self.add(&add, &mut |_| ControlFlow::Continue(()));
        if added.as_ref().map_or(true, |added| !added.skipped.is_empty()) {
            std::fs::remove_file(&path).map_err(Error::io("remove the file", &path))?;
        }
        added
    }
}
