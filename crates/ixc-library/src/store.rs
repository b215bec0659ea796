//! The library's file: a SQLite database, which is the truth about everything but the pictures themselves.
//!
//! Invariants: every change is one transaction, so that a kill at any moment leaves the state before or behind
//! it; the journal is a file beside it that is there only while something is written, so a library at rest is
//! one file that can be copied. The tables `word`, `posting`, `length` and `total` are the index, made of the
//! others. Vectors have tables of their own (`vectors`), and a graph beside this file that can be made of them. Deliberately absent: what the tables mean to a search.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::{
    Error,
    vectors::{Encoder, GRAPH_FROM, Memory},
};

/// The library's file, in its folder.
pub const FILE: &str = "library.sqlite";

/// "ixcL", in the header of the file: whose database it is.
const APPLICATION: i32 = 0x6978_634c;

/// The form of the tables.
const VERSION: i32 = 1;

/// How long one process waits for another's transaction.
const PATIENCE: Duration = Duration::from_secs(30);

const TABLES: &str = "
    CREATE TABLE picture (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
        path TEXT NOT NULL UNIQUE,            -- relative to the folder of this file, or absolute
        digest BLOB NOT NULL UNIQUE,          -- SHA-256 of the file
        look BLOB NOT NULL,
        bytes INTEGER NOT NULL,
        modified INTEGER NOT NULL,            -- nanoseconds since 1970
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        tags TEXT NOT NULL,                   -- a JSON list
        source TEXT,
        licence TEXT,
        author TEXT,
        generated TEXT                        -- a JSON object, where it was
    ) STRICT;
    CREATE TABLE caption (
        picture INTEGER NOT NULL REFERENCES picture ON DELETE CASCADE,
        place INTEGER NOT NULL,               -- 0 is the one to print
        text TEXT NOT NULL,
        language TEXT,
        origin TEXT NOT NULL,                 -- given, sidecar, embedded, model
        model TEXT,
        PRIMARY KEY (picture, place)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE word (
        id INTEGER PRIMARY KEY,
        word TEXT NOT NULL UNIQUE,
        pictures INTEGER NOT NULL             -- that have it
    ) STRICT;
    CREATE TABLE posting (
        id INTEGER PRIMARY KEY,               -- the word's id and a block of pictures
        entries BLOB NOT NULL
    ) STRICT;
    CREATE TABLE total (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        pictures INTEGER NOT NULL,            -- with words
        words INTEGER NOT NULL                -- of all of them
    ) STRICT;
    INSERT INTO total VALUES (1, 0, 0);
";

/// A library: a folder of pictures, or of references to pictures elsewhere.
#[derive(Debug)]
pub struct Library {
    pub(crate) db: Connection,
    /// The folder, absolute.
    pub(crate) root: PathBuf,
    /// The database, for messages.
    pub(crate) file: PathBuf,
    /// By which searches compare meanings.
    pub(crate) encoder: Option<Box<dyn Encoder>>,
    pub(crate) memory: RefCell<Memory>,
    /// From how many vectors on a graph is made.
    pub(crate) graph_from: usize,
}

impl Library {
    /// Makes an empty library of a folder, which is made where it is not there.
    ///
    /// # Errors
    /// When it is one already, or the disk refuses.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        let file = folder.join(FILE);
        if file.exists() {
            return Err(Error::AlreadyLibrary { path: folder.into() });
        }
        // Made aside and then given its name: whoever opens it meets all tables.
        let aside = ixc_files::beside(folder);
        let aside = aside.map_err(Error::io("write to the folder", folder))?.into_temp_path();
        let failed = Error::database("make the tables", &file);
        let db = Connection::open(&aside).map_err(&failed)?;
        db.execute_batch(&format!(
            "BEGIN; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; {TABLES} COMMIT;"
        ))
        .map_err(&failed)?;
        drop(db);
        aside.persist_noclobber(&file).map_err(|refused| {
            if refused.error.kind() == std::io::ErrorKind::AlreadyExists {
                Error::AlreadyLibrary { path: folder.into() }
            } else {
                Error::io("write", &file)(refused.error)
            }
        })?;
        Self::open(folder)
    }

    /// Opens a library.
    ///
    /// # Errors
    /// When there is none, or its file is something else's.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let file = folder.join(FILE);
        if !file.is_file() {
            return Err(Error::NoLibrary { path: folder.into() });
        }
        let root = fs::canonicalize(folder).map_err(Error::io("open the folder", folder))?;
        // One that may only be read (a shared one, a system's) can be searched.
        let writable = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let failed = Error::database("open the library", &file);
        let db = Connection::open_with_flags(&file, writable).map_err(&failed)?;
        db.busy_timeout(PATIENCE).map_err(&failed)?;
        let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let expected = "a library of this or an earlier version of ixc";
        let other = |found| Error::OtherFile { path: file.clone(), expected, found };
        let application = number("application_id")
            .map_err(|error| other(format!("a file that SQLite cannot read ({error})")))?;
        if application != APPLICATION {
            return Err(other("a database of another program".into()));
        }
        let version = number("user_version").map_err(&failed)?;
        if version != VERSION {
            return Err(other(format!("one of version {version}; this ixc knows {VERSION}")));
        }
        db.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;")
            .map_err(&failed)?;
        let (encoder, memory) = (None, RefCell::default());
        Ok(Self { db, root, file, encoder, memory, graph_from: GRAPH_FROM })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// Where a picture's file is.
    pub fn path_of(&self, entry: &crate::Entry) -> PathBuf {
        self.root.join(&entry.path)
    }

    /// A transaction that may write from its beginning on: whoever else writes is waited for here.
    pub(crate) fn change(&mut self) -> Result<Transaction<'_>, Error> {
        self.memory.get_mut().changed();
        let failed = Error::database("begin to write", &self.file);
        self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)
    }

    /// For `map_err`.
    pub(crate) fn failed(&self, action: &'static str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        Error::database(action, &self.file)
    }
}
