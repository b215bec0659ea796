//! Pictures become vectors, some at a time, each lot one transaction.
//!
//! As with captions by a model: what was made stays, an embedding that was stopped goes on with the next picture,
//! and what cannot be embedded is told. Deliberately absent: the encoder.

use std::{ops::ControlFlow, path::Path};

use ixc_input::image::{self, Orientation};
use rusqlite::params;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Encoder, Identity, Vectors, stored, unit};
use crate::{Complaint, Digest, Error, Id, Library, add::read, rows::Rows};

/// Vectors of one transaction: what a kill costs at most. A large encoder takes a second for each on two cores.
const LOT: usize = 16;

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Embedded {
    /// Pictures with a new vector.
    pub embedded: usize,
    /// Pictures without one, and why.
    pub skipped: Vec<Complaint>,
}

/// A vector that is not yet kept.
struct Made {
    id: Id,
    digest: Digest,
    vector: Vec<u8>,
}

impl Library {
    /// How many pictures [`Library::embed`] would embed.
    ///
    /// # Errors
    /// When the library's vectors are another's, or the database refuses.
    pub fn unembedded(&self, encoder: &Identity) -> Result<usize, Error> {
        self.check_encoder(encoder)?;
        Ok(self.to_embed(encoder.dimensions)?.len())
    }

    /// Makes a vector of each picture that has none, turned as its camera noted. `watch` hears how many of all are
    /// done and may break off; what was made stays. The graph is another step: [`Library::index_vectors`].
    ///
    /// # Errors
    /// When the library's vectors are another's, the database refuses, or `watch` breaks off. A picture that cannot
    /// be embedded is no error.
    pub fn embed(
        &mut self,
        encoder: &dyn Encoder,
        watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Embedded, Error> {
        let identity = encoder.identity();
        self.check_encoder(identity)?;
        let ids = self.to_embed(identity.dimensions)?;
        let (mut done, mut lot) = (Embedded::default(), Vec::new());
        for (number, &id) in ids.iter().enumerate() {
            if watch(number, ids.len()).is_break() {
                self.keep_vectors(identity, &mut lot)?;
                return Err(Error::Cancelled);
            }
            // Another process may have taken it out since.
            let Some(entry) = self.rows().by_id(id)? else { continue };
            let path = self.path_of(&entry);
            match vector_of(&path, entry.sha256, encoder) {
                Err(reason) => done.skipped.push(Complaint { path, reason }),
                Ok(vector) => {
                    lot.push(Made { id, digest: entry.sha256, vector });
                    done.embedded += 1;
                }
            }
            if lot.len() == LOT {
                self.keep_vectors(identity, &mut lot)?;
            }
        }
        self.keep_vectors(identity, &mut lot)?;
        Ok(done)
    }

    /// Takes all vectors out, and the memory of whose they were: the way to another encoder.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn forget_vectors(&mut self) -> Result<(), Error> {
        if !self.vectors().are_there()? {
            return Ok(());
        }
        let failed = self.failed("take the vectors out");
        let change = self.change()?;
        let all = "DELETE FROM embedding; DELETE FROM encoder; DELETE FROM graph;";
        change.execute_batch(all).map_err(&failed)?;
        change.commit().map_err(failed)?;
        self.encoder = None;
        self.clear_graphs(None);
        Ok(())
    }

    fn to_embed(&self, dimensions: usize) -> Result<Vec<Id>, Error> {
        if !self.vectors().are_there()? {
            return self.ids();
        }
        let failed = self.failed("list the pictures to embed");
        let sql = "SELECT p.id FROM picture p WHERE NOT EXISTS (SELECT 1 FROM embedding e
            WHERE e.picture = p.id AND e.digest = p.digest AND length(e.vector) = ?1) ORDER BY p.id";
        let mut select = self.db.prepare(sql).map_err(&failed)?;
        let bytes = 2 * dimensions as i64;
        let ids = select.query_map([bytes], |row| row.get(0).map(Id)).map_err(&failed)?;
        ids.collect::<Result<_, _>>().map_err(failed)
    }

    fn keep_vectors(&mut self, encoder: &Identity, lot: &mut Vec<Made>) -> Result<(), Error> {
        if lot.is_empty() {
            return Ok(());
        }
        let (file, failed) = (self.file.clone(), self.failed("keep the vectors"));
        let change = self.change()?;
        let vectors = Vectors { db: &change, file: &file };
        vectors.make_tables()?;
        // Another process may have embedded by another encoder meanwhile.
        match vectors.encoder()? {
            None => put_encoder(&vectors, encoder)?,
            Some(kept) if kept.is_same(encoder) => {}
            Some(kept) => {
                let (kept, given) = (kept.to_string(), encoder.to_string());
                return Err(Error::OtherEncoder { path: file, kept, given });
            }
        }
        let rows = Rows { db: &change, file: &file };
        for Made { id, digest, vector } in lot.drain(..) {
            if rows.by_id(id)?.is_none() {
                continue;
            }
            // Replaced, it gets a new number: the graph knows the old one no more.
            let sql = "REPLACE INTO embedding (picture, digest, vector) VALUES (?1, ?2, ?3)";
            let values = params![id.0, digest.0.as_slice(), vector];
            change.execute(sql, values).map_err(&failed)?;
        }
        change.commit().map_err(failed)
    }
}

fn put_encoder(vectors: &Vectors<'_>, encoder: &Identity) -> Result<(), Error> {
    let sql = "INSERT INTO encoder (one, name, weights, preprocessing, dimensions) VALUES (1, ?1, ?2, ?3, ?4)";
    let Identity { name, weights, preprocessing, dimensions } = encoder;
    let values =
        params![name, weights.0.as_slice(), preprocessing.0.as_slice(), *dimensions as i64];
    vectors.db.execute(sql, values).map_err(vectors.failed())?;
    Ok(())
}

fn vector_of(path: &Path, known: Digest, encoder: &dyn Encoder) -> Result<Vec<u8>, String> {
    let bytes = read(path)?;
    if known.0 != <[u8; 32]>::from(Sha256::digest(&bytes)) {
        return Err("has changed since it was added; add it again".into());
    }
    let picture = image::load(&bytes, Orientation::Exif).map_err(|error| error.to_string())?;
    Ok(stored(&unit(encoder.picture(&picture)?, encoder.identity().dimensions)?))
}
