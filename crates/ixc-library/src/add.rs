//! An import: files of folders become entries, some dozens at a time, each lot one transaction.
//!
//! walk → for each lot: threads read, digest, decode and look; then one writer, in the order of the names →
//! commit. Invariants: what was committed stays whatever happens; an import that goes on gives what one that was
//! never stopped gives, and so do any number of threads; adding twice is adding once; whatever is not taken is
//! told with its reason. Deliberately absent: models; `describe` asks one for captions.

mod take;

use std::{
    fs::File,
    io::Read,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use ixc_input::{
    image::{self, Orientation},
    limits::MAX_PICTURE_FILE_BYTES,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use self::take::Taker;
use crate::{
    About, Complaint, Entry, Error, Id, Library, embedded,
    entry::Digest,
    look::Look,
    rows::Rows,
    sidecar::{self, List},
    walk::{self, Candidate, Found},
};

/// Pictures of one transaction: what a kill costs at most, besides what a commit costs the disk.
const LOT: usize = 64;

/// What to take in, and how.
#[derive(Clone, Debug, Default)]
pub struct Add {
    /// Folders, with all that is in them, and files.
    pub from: Vec<PathBuf>,
    /// What is said about each of them, before anything that is found.
    pub given: About,
    /// Threads to read and decode with; 0 counts as 1.
    pub threads: usize,
}

/// How an import goes, as it goes.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// So many of all candidates are done, and kept.
    Done {
        /// Candidates behind us.
        done: usize,
        /// All of them.
        all: usize,
    },
    /// A file was not taken.
    Skipped(&'a Complaint),
    /// A file beside a picture was not read; the picture was.
    Unread(&'a Complaint),
    /// A file that the library holds already under another name.
    Duplicate {
        /// The file.
        path: &'a Path,
        /// What it equals.
        of: Id,
    },
}

/// What became of an import. Every candidate is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Added {
    /// New pictures.
    pub added: usize,
    /// Pictures whose file, or what is said beside it, has changed.
    pub updated: usize,
    /// Pictures that are as they were.
    pub unchanged: usize,
    /// Pictures that lie elsewhere now.
    pub moved: usize,
    /// Files that equal another, byte by byte.
    pub duplicates: usize,
    /// Files and folders that were not taken, and why.
    pub skipped: Vec<Complaint>,
    /// Files beside pictures that were not read, and why.
    pub unread: Vec<Complaint>,
    /// Files that are no pictures by their names.
    pub others: usize,
}

/// What reading a candidate gave.
struct Seen {
    about: About,
    unread: Vec<Complaint>,
    /// `None` for a file that the library knows, as old and as large as it is.
    file: Option<Result<Content, String>>,
}

/// A picture's file.
struct Content {
    digest: Digest,
    look: Look,
    size: (u32, u32),
    embedded: About,
}

impl Library {
    /// Takes pictures in. `watch` may break off; what was committed stays.
    ///
    /// # Errors
    /// When the database refuses, or `watch` breaks off. A file that cannot be taken is no error.
    pub fn add(
        &mut self,
        add: &Add,
        watch: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Added, Error> {
        let given = sidecar::tidied(&add.given).map_err(|problem| Error::Given { problem })?;
        let add = &Add { given, ..add.clone() };
        let mut found = Found::default();
        for path in &add.from {
            walk::walk(path, &mut found);
        }
        let mut import = Import { added: Added::default(), watch };
        import.added.others = found.others;
        for complaint in found.skipped {
            import.skip(complaint)?;
        }
        let all = found.candidates.len();
        import.done(0, all)?;
        let mut list = List::default();
        let mut done = 0;
        // A lot is of one folder, whose list of captions is at hand then.
        let same = |a: &Candidate, b: &Candidate| a.path.parent() == b.path.parent();
        for folder in found.candidates.chunk_by(same) {
            for lot in folder.chunks(LOT) {
                let parent = lot[0].path.parent().unwrap_or(Path::new("/"));
                if !list.is_of(parent) {
                    let mut complaints = Vec::new();
                    list = List::of(parent, &mut complaints);
                    complaints.into_iter().try_for_each(|complaint| import.unread(complaint))?;
                }
                self.add_lot(lot, &list, add, &mut import)?;
                done += lot.len();
                import.done(done, all)?;
            }
        }
        Ok(import.added)
    }

    fn add_lot(
        &mut self,
        lot: &[Candidate],
        list: &List,
        add: &Add,
        import: &mut Import<'_>,
    ) -> Result<(), Error> {
        let known = lot.iter().map(|candidate| {
            let path = kept(&self.root, &candidate.path).expect("checked by the walk");
            let entry = self.rows().by_path(&path)?;
            Ok(entry.is_some_and(|entry| is_as_old(&entry, candidate)))
        });
        let known: Vec<bool> = known.collect::<Result<_, Error>>()?;
        let seen = see(lot, &known, list, add);
        let (root, file) = (self.root.clone(), self.file.clone());
        let commit = self.failed("keep the pictures");
        let change = self.change()?;
        let taker = Taker { rows: Rows { db: &change, file: &file }, root: &root };
        for (candidate, seen) in lot.iter().zip(seen) {
            for complaint in seen.unread {
                import.unread(complaint)?;
            }
            match seen.file {
                Some(Err(reason)) => {
                    import.skip(Complaint { path: candidate.path.clone(), reason })?;
                }
                Some(Ok(content)) => taker.take(candidate, seen.about, content, import)?,
                None => taker.look_again(candidate, seen.about, import)?,
            }
        }
        change.commit().map_err(commit)
    }

    /// A path as the library keeps it; `None` where it cannot be one of its.
    pub(crate) fn kept(&self, path: &Path) -> Option<String> {
        if path.is_relative() && !path.exists() {
            return path.to_str().map(str::to_owned); // perhaps as the library itself writes it
        }
        // Whatever links lead to its folder; by its own name rather than the one that a link leads to.
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = std::fs::canonicalize(folder.unwrap_or(Path::new(".")));
        let absolute = match (path.file_name(), folder) {
            (Some(name), Ok(folder)) => folder.join(name),
            _ => std::fs::canonicalize(path).unwrap_or_else(|_| path.into()),
        };
        kept(&self.root, &absolute)
    }
}

/// A path as a library of this folder keeps it: relative within, absolute elsewhere.
fn kept(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root).unwrap_or(path).to_str().map(str::to_owned)
}

fn is_as_old(entry: &Entry, candidate: &Candidate) -> bool {
    entry.bytes == candidate.bytes
        && entry.modified == candidate.modified
        && candidate.modified != 0
}

/// Reads a lot by threads that take the next candidate each.
fn see(lot: &[Candidate], known: &[bool], list: &List, add: &Add) -> Vec<Seen> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut seen = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(candidate) = lot.get(number) else { return seen };
            let mut unread = Vec::new();
            let mut about = add.given.clone();
            about.fill(sidecar::about_of(&candidate.path, list, &mut unread));
            let file = (!known[number]).then(|| content(&candidate.path));
            seen.push((number, Seen { about, unread, file }));
        }
    };
    let mut seen: Vec<(usize, Seen)> = thread::scope(|scope| {
        let threads = add.threads.clamp(1, LOT);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().expect("reading does not panic"));
        joined.flatten().collect()
    });
    seen.sort_unstable_by_key(|(number, _)| *number);
    seen.into_iter().map(|(_, seen)| seen).collect()
}

fn content(path: &Path) -> Result<Content, String> {
    let bytes = read(path)?;
    let picture = image::load(&bytes, Orientation::Exif).map_err(|error| error.to_string())?;
    Ok(Content {
        digest: Digest(Sha256::digest(&bytes).into()),
        look: Look::of(&picture),
        size: (picture.width(), picture.height()),
        embedded: embedded::about_of(&bytes),
    })
}

/// A picture's bytes, at most one more than is allowed.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(MAX_PICTURE_FILE_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    Ok(bytes)
}

/// An import as far as it is.
struct Import<'a> {
    added: Added,
    watch: &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
}

impl Import<'_> {
    fn tell(&mut self, progress: Progress<'_>) -> Result<(), Error> {
        if (self.watch)(progress).is_break() { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn done(&mut self, done: usize, all: usize) -> Result<(), Error> {
        self.tell(Progress::Done { done, all })
    }

    fn skip(&mut self, complaint: Complaint) -> Result<(), Error> {
        self.tell(Progress::Skipped(&complaint))?;
        self.added.skipped.push(complaint);
        Ok(())
    }

    fn unread(&mut self, complaint: Complaint) -> Result<(), Error> {
        self.tell(Progress::Unread(&complaint))?;
        self.added.unread.push(complaint);
        Ok(())
    }
}
