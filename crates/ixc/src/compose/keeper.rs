//! The library that keeps what services make.
//!
//! Invariant: it is opened, or made, before anything is asked of anyone. Deliberately absent: what a library is told
//! of a picture (`ixc_compose`).

use std::sync::Arc;

use ixc_library::{About, Library};

use crate::{exit::Failure, library, output, table::counted};

/// A library that keeps what services make.
pub(crate) struct Keeper {
    name: String,
    library: Library,
}

impl Keeper {
    /// Opens the library that a reference names; makes it where there is none.
    pub(crate) fn open(name: &str) -> Result<Self, Failure> {
        let library = library::open_or_create(name)?;
        Ok(Self { name: name.into(), library })
    }

    /// Keeps what was made. `file` is a picture's, by its digest.
    pub(crate) fn keep<'a>(
        &mut self,
        made: impl Iterator<Item = (&'a str, About)>,
        file: impl Fn(&str) -> Option<Arc<[u8]>>,
    ) -> Result<(), Failure> {
        let mut new = 0;
        for (digest, about) in made {
            let Some(bytes) = file(digest) else { continue };
            let kept = self.library.keep(&bytes, about).map_err(Failure::mistake)?;
            new += kept.added;
            for complaint in kept.skipped {
                let Self { name, .. } = self;
                output::warn(&format!("a picture is not in {name}: it {}", complaint.reason));
            }
        }
        if new > 0 {
            output::note(&format!(
                "{} made by services: now in {}",
                counted(new, "picture"),
                self.name
            ));
        }
        Ok(())
    }
}
