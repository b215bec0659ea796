//! What pictures mean, as vectors of an encoder of the caller's, kept beside the words about them.
//!
//! A library has vectors of one encoder: two encoders' are not comparable, and mixing is refused. A vector
//! belongs to a picture's digest, so a changed picture has none until it is embedded again. Invariant: the tables
//! are the truth; the graph (`graph`) beside them is made of them and only proposes, what is ranked comes from the
//! tables. They are made when a library is first embedded: one without vectors has not changed its form.
//! Deliberately absent: tensors, and what an encoder is.

pub mod embed;
pub mod exact;
pub mod graph;
mod nearest;
mod structure;
mod upkeep;

use std::{fmt, path::Path};

use half::f16;
use ixc_input::image::Picture;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

pub(crate) use self::nearest::{Memory, Near};
use crate::{Digest, Error, Id, Library, limits::MAX_DIMENSIONS, rows::Rows};

/// How many vectors a library scans; with more, a graph is made. A scan of so many takes some 10 ms once they are
/// in memory, 100 MB of it at 512 dimensions.
pub const GRAPH_FROM: usize = 50_000;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS encoder (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        name TEXT NOT NULL,                   -- where it was found: a folder, a reference
        weights BLOB NOT NULL,                -- a digest
        preprocessing BLOB NOT NULL,          -- a digest
        dimensions INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS embedding (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: what the graph calls it
        picture INTEGER NOT NULL UNIQUE REFERENCES picture ON DELETE CASCADE,
        digest BLOB NOT NULL,                 -- of the picture that was seen
        vector BLOB NOT NULL                  -- of length 1, float16, little-endian
    ) STRICT;
    CREATE TABLE IF NOT EXISTS graph (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        file TEXT NOT NULL,                   -- beside this one
        digest BLOB NOT NULL,                 -- SHA-256 of it
        last INTEGER NOT NULL,                -- the last embedding of which it was made
        vectors INTEGER NOT NULL              -- how many it has
    ) STRICT;
";

/// Which encoder: what must be equal for two vectors to be comparable, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Where it was found: a folder, a reference.
    pub name: String,
    /// A digest of its weights and configuration.
    pub weights: Digest,
    /// A digest of how it is fed: sizes, means, tokenizer.
    pub preprocessing: Digest,
    /// Numbers of a vector.
    pub dimensions: usize,
}

impl Identity {
    /// Whether vectors of both are comparable, wherever they were found.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.weights, self.preprocessing, self.dimensions)
            == (other.weights, other.preprocessing, other.dimensions)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |digest: Digest| digest.to_string()[..12].to_owned();
        let (weights, preprocessing) = (short(self.weights), short(self.preprocessing));
        write!(
            out,
            "{} (weights {weights}, preprocessing {preprocessing}, {} dimensions)",
            self.name, self.dimensions
        )
    }
}

/// Texts and pictures → vectors that can be compared with each other by their angle, of any length but 0.
pub trait Encoder: fmt::Debug + Send {
    /// Which one it is.
    fn identity(&self) -> &Identity;

    /// A caption's vector.
    ///
    /// # Errors
    /// In words for the user.
    fn text(&self, text: &str) -> Result<Vec<f32>, String>;

    /// A picture's vector.
    ///
    /// # Errors
    /// In words for the user.
    fn picture(&self, picture: &Picture) -> Result<Vec<f32>, String>;
}

/// A vector of length 1, or why it cannot be one.
pub(crate) fn unit(mut vector: Vec<f32>, dimensions: usize) -> Result<Vec<f32>, String> {
    if vector.len() != dimensions {
        let found = vector.len();
        return Err(format!("the encoder gave {found} numbers, where {dimensions} were expected"));
    }
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if !length.is_finite() || length <= f64::from(f32::MIN_POSITIVE) {
        return Err(
            "the encoder gave a vector that has no direction; its weights may be broken".into()
        );
    }
    vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    Ok(vector)
}

/// As it is kept.
fn stored(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect()
}

/// Appends a kept vector to `rows`; `false` where it is damaged.
fn widen(stored: &[u8], dimensions: usize, rows: &mut Vec<f32>) -> bool {
    let (numbers, rest) = stored.as_chunks::<2>();
    if numbers.len() != dimensions || !rest.is_empty() {
        return false;
    }
    let start = rows.len();
    rows.extend(numbers.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()));
    let length: f32 = rows[start..].iter().map(|x| x * x).sum();
    // Rounding to float16 takes less than a thousandth; NaN fails as well.
    let whole = (length - 1.0).abs() < 0.01;
    if !whole {
        rows.truncate(start);
    }
    whole
}

/// A library's vectors, in one state of it.
#[derive(Clone, Copy)]
pub(crate) struct Vectors<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) file: &'a Path,
}

impl<'a> From<Rows<'a>> for Vectors<'a> {
    fn from(rows: Rows<'a>) -> Self {
        Self { db: rows.db, file: rows.file }
    }
}

/// What is kept of the graph's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) file: String,
    pub(crate) digest: Digest,
    pub(crate) last: i64,
    pub(crate) vectors: usize,
}

impl Vectors<'_> {
    fn failed(&self) -> impl Fn(rusqlite::Error) -> Error + use<> {
        Error::database("use the vectors", self.file)
    }

    /// Whether the library was ever embedded.
    pub(crate) fn are_there(&self) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'graph'";
        self.db.prepare(sql).and_then(|mut all| all.exists([])).map_err(self.failed())
    }

    /// Makes the tables where they are not there.
    fn make_tables(&self) -> Result<(), Error> {
        self.db.execute_batch(TABLES).map_err(self.failed())
    }

    /// Whose vectors they are.
    pub(crate) fn encoder(&self) -> Result<Option<Identity>, Error> {
        if !self.are_there()? {
            return Ok(None);
        }
        let sql = "SELECT name, weights, preprocessing, dimensions FROM encoder";
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, [row.get::<_, Vec<u8>>(1)?, row.get(2)?], row.get::<_, i64>(3)?))
        };
        let found = self.db.query_row(sql, [], read).optional().map_err(self.failed())?;
        let Some((name, [weights, preprocessing], dimensions)) = found else { return Ok(None) };
        let damaged = || Error::DamagedVectors { path: self.file.into() };
        let digest = |bytes: Vec<u8>| bytes.try_into().map(Digest).map_err(|_| damaged());
        let dimensions = usize::try_from(dimensions).map_err(|_| damaged())?;
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(damaged());
        }
        let (weights, preprocessing) = (digest(weights)?, digest(preprocessing)?);
        Ok(Some(Identity { name, weights, preprocessing, dimensions }))
    }

    /// How many there are, those of pictures that have changed since included.
    pub(crate) fn count(&self) -> Result<usize, Error> {
        let sql = "SELECT count(*) FROM embedding";
        let count: i64 = self.db.query_row(sql, [], |row| row.get(0)).map_err(self.failed())?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Hands over every vector behind one of them, in their order, widened: its number, its picture, itself. Those
    /// of pictures that have changed, and damaged ones, are passed over.
    pub(crate) fn each(
        &self,
        behind: i64,
        dimensions: usize,
        mut take: impl FnMut(i64, Id, &[f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let failed = self.failed();
        let sql = "SELECT e.id, e.picture, e.vector FROM embedding e JOIN picture p
            ON p.id = e.picture AND p.digest = e.digest WHERE e.id > ?1 ORDER BY e.id";
        let mut select = self.db.prepare(sql).map_err(&failed)?;
        let mut found = select.query([behind]).map_err(&failed)?;
        let mut row = Vec::with_capacity(dimensions);
        while let Some(next) = found.next().map_err(&failed)? {
            let stored = next.get_ref(2).map_err(&failed)?.as_blob().unwrap_or_default();
            row.clear();
            if widen(stored, dimensions, &mut row) {
                let (number, picture) =
                    (next.get(0).map_err(&failed)?, next.get(1).map_err(&failed)?);
                take(number, Id(picture), &row)?;
            }
        }
        Ok(())
    }

    /// What is kept of the graph.
    pub(crate) fn graph(&self) -> Result<Option<Kept>, Error> {
        let sql = "SELECT file, digest, last, vectors FROM graph";
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?, row.get::<_, i64>(3)?))
        };
        let found = self.db.query_row(sql, [], read).optional().map_err(self.failed())?;
        let Some((file, digest, last, vectors)) = found else { return Ok(None) };
        let damaged = || Error::DamagedVectors { path: self.file.into() };
        let digest = Digest(digest.try_into().map_err(|_| damaged())?);
        let vectors = usize::try_from(vectors).map_err(|_| damaged())?;
        Ok(Some(Kept { file, digest, last, vectors }))
    }

    /// Keeps a graph's file as the one, or that there is none.
    fn set_graph(&self, kept: Option<&Kept>) -> Result<(), Error> {
        let failed = self.failed();
        self.db.execute("DELETE FROM graph", []).map_err(&failed)?;
        if let Some(Kept { file, digest, last, vectors }) = kept {
            let sql =
                "INSERT INTO graph (one, file, digest, last, vectors) VALUES (1, ?1, ?2, ?3, ?4)";
            let values = params![file, digest.0.as_slice(), last, *vectors as i64];
            self.db.execute(sql, values).map_err(failed)?;
        }
        Ok(())
    }
}

impl Library {
    /// Its vectors, outside of a transaction.
    pub(crate) fn vectors(&self) -> Vectors<'_> {
        self.rows().into()
    }

    /// Whose vectors the library has; `None` where it was never embedded.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn encoder(&self) -> Result<Option<Identity>, Error> {
        self.vectors().encoder()
    }

    /// From now on searches compare meanings too, by this encoder.
    ///
    /// # Errors
    /// When the library's vectors are another's.
    pub fn see_with(&mut self, encoder: Box<dyn Encoder>) -> Result<(), Error> {
        self.check_encoder(encoder.identity())?;
        self.encoder = Some(encoder);
        Ok(())
    }

    /// Refuses to mix.
    pub(crate) fn check_encoder(&self, given: &Identity) -> Result<(), Error> {
        if !(1..=MAX_DIMENSIONS).contains(&given.dimensions) {
            let (found, limit) = (given.dimensions, MAX_DIMENSIONS);
            return Err(Error::TooMany { what: "dimensions of an encoder", found, limit });
        }
        match self.encoder()? {
            Some(kept) if !kept.is_same(given) => Err(Error::OtherEncoder {
                path: self.file.clone(),
                kept: kept.to_string(),
                given: given.to_string(),
            }),
            _ => Ok(()),
        }
    }
}
