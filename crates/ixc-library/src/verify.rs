//! Whether everything is as the library says, and the index made anew.
//!
//! Deliberately absent: mending. What is missing or changed only its owner can judge; `add` takes changed files
//! in, `remove` takes missing ones out, [`Library::rebuild`] makes the index.

use std::{
    fmt,
    ops::ControlFlow,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    Digest, Error, Id, Library,
    add::read,
    index::{self, Whole},
    rows::{Rows, words_of},
};

/// Pictures that are digested between two words to whoever watches.
const LOT: usize = 64;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum Fault {
    /// A picture's file is not there.
    Missing {
        /// The picture.
        id: Id,
        /// Where it should be.
        path: PathBuf,
    },
    /// A picture's file is another than when it was added.
    Changed {
        /// The picture.
        id: Id,
        /// Its file.
        path: PathBuf,
    },
    /// A picture's file cannot be read.
    Unreadable {
        /// The picture.
        id: Id,
        /// Its file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A picture's record is of no form that ixc writes.
    Record {
        /// The picture.
        id: Id,
        /// Which part of it.
        what: String,
    },
    /// The index is not what the tables make of it.
    Index {
        /// Words that are not found as they should be.
        words: usize,
    },
    /// Vectors of no form that ixc writes.
    Vectors {
        /// How many.
        vectors: usize,
    },
    /// The graph of vectors is not what was made of them.
    Graph {
        /// What is wrong with it.
        what: String,
    },
    /// SQLite finds its file damaged.
    Database {
        /// What it says.
        what: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { id, path } => {
                write!(out, "{}: is missing (picture {id})", path.display())
            }
            Self::Changed { id, path } => {
                write!(out, "{}: has changed since it was added (picture {id})", path.display())
            }
            Self::Unreadable { id, path, reason } => {
                write!(out, "{}: {reason} (picture {id})", path.display())
            }
            Self::Record { id, what } => write!(out, "picture {id}: its record is damaged: {what}"),
            Self::Index { words } => {
                write!(
                    out,
                    "the index differs from the tables in {words} words; `ixc library rebuild` mends it"
                )
            }
            Self::Vectors { vectors } => {
                write!(
                    out,
                    "{vectors} vectors are damaged; `ixc library rebuild` takes them out, \
                     `ixc library add --embed` makes them again"
                )
            }
            Self::Graph { what } => {
                write!(out, "the graph of vectors, {what}; `ixc library rebuild` mends it")
            }
            Self::Database { what } => {
                write!(out, "SQLite finds its file damaged: {what}; restore it from a copy")
            }
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Pictures that were looked at.
    pub pictures: usize,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// What was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// Words of the index.
    pub words: usize,
    /// Vectors of the graph; 0 where there is none.
    pub vectors: usize,
}

impl Library {
    /// Digests every file again, and compares the index with the tables. `watch` hears how many of all pictures
    /// are done and may break off.
    ///
    /// # Errors
    /// When the database cannot be read at all, or `watch` breaks off. What is wrong otherwise is no error.
    pub fn verify(
        &self,
        threads: usize,
        watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Verified, Error> {
        let mut verified = Verified { faults: self.database_faults()?, ..Verified::default() };
        let files = self.verify_tables(&mut verified.faults)?;
        self.verify_vectors(&mut verified.faults)?;
        for lot in files.chunks(LOT) {
            if watch(verified.pictures, files.len()).is_break() {
                return Err(Error::Cancelled);
            }
            verified.faults.extend(faults(lot, threads));
            verified.pictures += lot.len();
        }
        Ok(verified)
    }

    /// Compares the index with the tables; returns the files to look at. All in one state of the library, and soon
    /// over: who adds pictures waits meanwhile.
    fn verify_tables(&self, faults: &mut Vec<Fault>) -> Result<Vec<KnownFile>, Error> {
        let state = self.db.unchecked_transaction().map_err(self.failed("read the tables"))?;
        let rows = Rows { db: &state, file: &self.file };
        let (mut whole, mut files) = (Whole::default(), Vec::new());
        for id in rows.ids()? {
            match rows.by_id(id) {
                Ok(Some(entry)) => {
                    whole.add(id, &words_of(&entry.about));
                    let (path, sha256, bytes) = (self.path_of(&entry), entry.sha256, entry.bytes);
                    files.push(KnownFile { id, path, sha256, bytes });
                }
                Ok(None) => {}
                Err(Error::Damaged { id, what, .. }) => {
                    faults.push(Fault::Record { id, what: what.into() });
                }
                Err(error) => return Err(error),
            }
        }
        let words = Whole::read(&rows)?.differing(&whole);
        if words > 0 {
            faults.push(Fault::Index { words });
        }
        Ok(files)
    }

    fn verify_vectors(&self, faults: &mut Vec<Fault>) -> Result<(), Error> {
        match self.vector_faults() {
            Ok((vectors, what)) => {
                faults.extend((vectors > 0).then_some(Fault::Vectors { vectors }));
                faults.extend(what.map(|what| Fault::Graph { what }));
                Ok(())
            }
            Err(error @ Error::DamagedVectors { .. }) => {
                faults.push(Fault::Graph { what: error.to_string() });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the index of words anew from the captions and tags, and the graph of vectors from these, where there
    /// are many. `watch` hears how many of all vectors are done and may break off.
    ///
    /// # Errors
    /// When a record is damaged, the database or the disk refuses, or `watch` breaks off.
    pub fn rebuild(
        &mut self,
        threads: usize,
        watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Rebuilt, Error> {
        let (file, commit) = (self.file.clone(), self.failed("keep the index"));
        let change = self.change()?;
        let rows = Rows { db: &change, file: &file };
        let whole = index::of_tables(&rows)?;
        whole.write(&rows)?;
        change.commit().map_err(commit)?;
        Ok(Rebuilt { words: whole.count(), vectors: self.rebuild_vectors(threads, watch)? })
    }

    fn database_faults(&self) -> Result<Vec<Fault>, Error> {
        let failed = self.failed("check the database");
        let mut select = self.db.prepare("PRAGMA integrity_check").map_err(&failed)?;
        let said = select.query_map([], |row| row.get::<_, String>(0)).map_err(&failed)?;
        let said: Vec<String> = said.collect::<Result<_, _>>().map_err(&failed)?;
        let mut faults: Vec<Fault> = said
            .into_iter()
            .filter(|said| said != "ok")
            .map(|what| Fault::Database { what })
            .collect();
        let mut select = self.db.prepare("PRAGMA foreign_key_check").map_err(&failed)?;
        if select.exists([]).map_err(&failed)? {
            faults.push(Fault::Database { what: "captions without their pictures".into() });
        }
        Ok(faults)
    }
}

/// A picture's file as the library knows it.
struct KnownFile {
    id: Id,
    path: PathBuf,
    sha256: Digest,
    bytes: u64,
}

/// What is wrong with some files, in their order.
fn faults(files: &[KnownFile], threads: usize) -> Vec<Fault> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(fault(file).map(|fault| (file.id, fault)));
        }
        found
    };
    let mut found: Vec<(Id, Fault)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.clamp(1, LOT)).map(|_| scope.spawn(work)).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().expect("reading does not panic"));
        joined.flatten().collect()
    });
    found.sort_unstable_by_key(|(id, _)| *id);
    found.into_iter().map(|(_, fault)| fault).collect()
}

fn fault(file: &KnownFile) -> Option<Fault> {
    let (id, path) = (file.id, file.path.clone());
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Some(Fault::Missing { id, path });
        }
        Err(error) => {
            return Some(Fault::Unreadable {
                id,
                path,
                reason: format!("cannot be read: {error}"),
            });
        }
    };
    // A pipe in its place would wait for its other end; a larger file need not be read.
    if !metadata.is_file() || metadata.len() != file.bytes {
        return Some(Fault::Changed { id, path });
    }
    match read(&path) {
        Err(reason) => Some(Fault::Unreadable { id, path, reason }),
        Ok(bytes) if file.sha256.0 != <[u8; 32]>::from(Sha256::digest(&bytes)) => {
            Some(Fault::Changed { id, path })
        }
        Ok(_) => None,
    }
}
