//! Captions by a model, for pictures that nobody said anything about.
//!
//! The model is a function of the caller's. It may take a minute for a picture, so each caption is kept when it is
//! made, and a description that was stopped goes on with the next picture. Deliberately absent: what the model is
//! asked.

use std::{ops::ControlFlow, path::Path};

use ixc_input::image::{self, Orientation, Picture};
use rusqlite::params;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    Caption, Complaint, Entry, Error, Id, Library, Origin,
    add::read,
    rows::Rows,
    sidecar::{caption_of, tidy},
};

/// Which pictures are described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those without any caption.
    Missing,
    /// All that this model has not described; what others say stays, and stays first.
    All,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Described {
    /// Pictures with a new caption.
    pub described: usize,
    /// Pictures without one, and why.
    pub skipped: Vec<Complaint>,
}

impl Library {
    /// How many pictures [`Library::describe`] would describe.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn undescribed(&self, which: Which, model: &str) -> Result<usize, Error> {
        Ok(self.to_describe(which, model)?.len())
    }

    /// Asks `caption` about each of the pictures, turned as their cameras noted. `watch` hears how many of all are
    /// done and may break off; what was described stays.
    ///
    /// # Errors
    /// When the database refuses, or `watch` breaks off. A picture that cannot be described is no error.
    pub fn describe(
        &mut self,
        which: Which,
        model: &str,
        caption: &mut dyn FnMut(&Picture) -> Result<String, String>,
        watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Described, Error> {
        let ids = self.to_describe(which, model)?;
        let mut done = Described::default();
        for (number, &id) in ids.iter().enumerate() {
            if watch(number, ids.len()).is_break() {
                return Err(Error::Cancelled);
            }
            // Another process may have taken it out since.
            let Some(entry) = self.rows().by_id(id)? else { continue };
            let path = self.path_of(&entry);
            match described(&entry, &path, caption) {
                Err(reason) => done.skipped.push(Complaint { path, reason }),
                Ok(text) => {
                    let new = Caption {
                        model: Some(model.to_owned()),
                        ..caption_of(text, None, Origin::Model)
                    };
                    self.say(id, new)?;
                    done.described += 1;
                }
            }
        }
        Ok(done)
    }

    fn to_describe(&self, which: Which, model: &str) -> Result<Vec<Id>, Error> {
        let failed = self.failed("list the pictures to describe");
        // Both have the parameter, so that they are asked alike.
        let sql = match which {
            Which::Missing => {
                "SELECT id FROM picture WHERE id NOT IN (SELECT picture FROM caption) AND ?1 = ?1 ORDER BY id"
            }
            Which::All => {
                "SELECT id FROM picture WHERE id NOT IN
                    (SELECT picture FROM caption WHERE origin = 'model' AND model = ?1) ORDER BY id"
            }
        };
        let mut select = self.db.prepare(sql).map_err(&failed)?;
        let ids = select.query_map(params![model], |row| row.get(0).map(Id)).map_err(&failed)?;
        ids.collect::<Result<_, _>>().map_err(failed)
    }

    /// Adds a caption behind those that are there.
    fn say(&mut self, id: Id, caption: Caption) -> Result<(), Error> {
        let (file, commit) = (self.file.clone(), self.failed("keep a caption"));
        let change = self.change()?;
        let rows = Rows { db: &change, file: &file };
        if let Some(before) = rows.by_id(id)? {
            let mut now: Entry = before.clone();
            now.about.captions.push(caption);
            rows.update(&before, &now)?;
        }
        change.commit().map_err(commit)
    }
}

fn described(
    entry: &Entry,
    path: &Path,
    caption: &mut dyn FnMut(&Picture) -> Result<String, String>,
) -> Result<String, String> {
    let bytes = read(path)?;
    if entry.sha256.0 != <[u8; 32]>::from(Sha256::digest(&bytes)) {
        return Err("has changed since it was added; add it again".into());
    }
    let picture = image::load(&bytes, Orientation::Exif).map_err(|error| error.to_string())?;
    let text = tidy(&caption(&picture)?)?;
    if text.is_empty() { Err("the model said nothing about it".into()) } else { Ok(text) }
}
