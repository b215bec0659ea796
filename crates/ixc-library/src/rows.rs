//! Entries as rows of the tables, and back.
//!
//! Invariant: whatever changes a picture's words changes the index in the same transaction. Deliberately absent:
//! transactions; the caller decides what belongs together.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    Error, Id, Library,
    entry::{About, Caption, Digest, Entry, Generated, Origin},
    index,
    look::Look,
    words::Words,
};

const COLUMNS: &str = "id, path, digest, look, bytes, modified, width, height, tags, source, licence, author, generated";

/// A row as SQLite gives it: what is not of its form is known only when it is read.
struct Raw {
    id: Id,
    path: String,
    digest: Vec<u8>,
    look: Vec<u8>,
    numbers: [i64; 4],
    tags: String,
    words: [Option<String>; 3],
    generated: Option<String>,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        id: Id(row.get(0)?),
        path: row.get(1)?,
        digest: row.get(2)?,
        look: row.get(3)?,
        numbers: [row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?],
        tags: row.get(8)?,
        words: [row.get(9)?, row.get(10)?, row.get(11)?],
        generated: row.get(12)?,
    })
}

/// A database and its name in messages: a library's, or a transaction's of it.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) file: &'a Path,
}

impl Library {
    /// Its tables, outside of a transaction.
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows { db: &self.db, file: &self.file }
    }

    /// A picture by its number.
    ///
    /// # Errors
    /// When there is none, or the database refuses.
    pub fn get(&self, id: Id) -> Result<Entry, Error> {
        self.rows().by_id(id)?.ok_or(Error::NoPicture { id })
    }

    /// A picture by its file: as the library keeps the path, or as the caller would open it.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn find(&self, path: &Path) -> Result<Option<Entry>, Error> {
        let Some(kept) = self.kept(path) else { return Ok(None) };
        self.rows().by_path(&kept)
    }

    /// The numbers of all pictures, in their order.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn ids(&self) -> Result<Vec<Id>, Error> {
        self.rows().ids()
    }
}

impl Rows<'_> {
    fn failed(&self, action: &'static str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        Error::database(action, self.file)
    }

    pub(crate) fn ids(&self) -> Result<Vec<Id>, Error> {
        let failed = self.failed("list the pictures");
        let mut statement =
            self.db.prepare("SELECT id FROM picture ORDER BY id").map_err(&failed)?;
        let ids = statement.query_map([], |row| row.get(0).map(Id)).map_err(&failed)?;
        ids.collect::<Result<_, _>>().map_err(failed)
    }

    pub(crate) fn by_id(&self, id: Id) -> Result<Option<Entry>, Error> {
        self.one("id", id.0)
    }

    pub(crate) fn by_path(&self, path: &str) -> Result<Option<Entry>, Error> {
        self.one("path", path)
    }

    pub(crate) fn by_digest(&self, digest: &Digest) -> Result<Option<Entry>, Error> {
        self.one("digest", digest.0.as_slice())
    }

    fn one(&self, column: &str, value: impl rusqlite::ToSql) -> Result<Option<Entry>, Error> {
        let failed = self.failed("read a picture's record");
        let sql = format!("SELECT {COLUMNS} FROM picture WHERE {column} = ?1");
        let mut statement = self.db.prepare(&sql).map_err(&failed)?;
        let found = statement.query_row([value], raw).optional().map_err(failed)?;
        found.map(|raw| self.entry(raw)).transpose()
    }

    fn entry(&self, raw: Raw) -> Result<Entry, Error> {
        let Raw { id, path, digest, look, numbers, tags, words, generated } = raw;
        let damaged = |what| Error::Damaged { path: self.file.into(), id, what };
        let [bytes, modified, width, height] = numbers;
        let [source, licence, author] = words;
        let side = |side: i64| u32::try_from(side).map_err(|_| damaged("its size"));
        let generated: Option<Option<Generated>> =
            generated.map(|json| serde_json::from_str(&json).ok());
        Ok(Entry {
            id,
            path: path.into(),
            sha256: Digest(digest.try_into().map_err(|_| damaged("its digest"))?),
            look: Look(look.try_into().map_err(|_| damaged("its look"))?),
            bytes: u64::try_from(bytes).map_err(|_| damaged("its bytes"))?,
            modified,
            width: side(width)?,
            height: side(height)?,
            about: About {
                captions: self.captions(id)?,
                tags: serde_json::from_str(&tags).map_err(|_| damaged("its tags"))?,
                source,
                licence,
                author,
                generated: match generated {
                    Some(None) => return Err(damaged("how it was generated")),
                    other => other.flatten(),
                },
            },
        })
    }

    fn captions(&self, id: Id) -> Result<Vec<Caption>, Error> {
        let failed = self.failed("read a picture's captions");
        let sql =
            "SELECT text, language, origin, model FROM caption WHERE picture = ?1 ORDER BY place";
        let mut statement = self.db.prepare(sql).map_err(&failed)?;
        let mut rows = statement.query([id.0]).map_err(&failed)?;
        let mut captions = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let origin: String = row.get(2).map_err(&failed)?;
            let known = Origin::ALL.into_iter().find(|known| known.name() == origin);
            captions.push(Caption {
                text: row.get(0).map_err(&failed)?,
                language: row.get(1).map_err(&failed)?,
                origin: known.ok_or_else(|| Error::Damaged {
                    path: self.file.into(),
                    id,
                    what: "a caption's origin",
                })?,
                model: row.get(3).map_err(&failed)?,
            });
        }
        Ok(captions)
    }

    /// Writes a new picture; the number in `entry` is not used. Returns the one that it gets.
    pub(crate) fn insert(&self, entry: &Entry) -> Result<Id, Error> {
        let sql = "INSERT INTO picture
            (path, digest, look, bytes, modified, width, height, tags, source, licence, author, generated)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        self.write(sql, entry, None)?;
        let id = Id(self.db.last_insert_rowid());
        self.put_captions(id, &entry.about)?;
        index::put(self, id, &words_of(&entry.about))?;
        Ok(id)
    }

    /// Writes what is known of a picture now in place of what was.
    pub(crate) fn update(&self, old: &Entry, new: &Entry) -> Result<(), Error> {
        let sql = "UPDATE picture SET path = ?1, digest = ?2, look = ?3, bytes = ?4, modified = ?5, width = ?6,
            height = ?7, tags = ?8, source = ?9, licence = ?10, author = ?11, generated = ?12 WHERE id = ?13";
        self.write(sql, new, Some(old.id))?;
        if old.about.captions != new.about.captions {
            let failed = self.failed("write a picture's captions");
            let mut delete =
                self.db.prepare("DELETE FROM caption WHERE picture = ?1").map_err(&failed)?;
            delete.execute([old.id.0]).map_err(failed)?;
            self.put_captions(old.id, &new.about)?;
        }
        let (before, after) = (words_of(&old.about), words_of(&new.about));
        if before != after {
            index::take(self, old.id, &before)?;
            index::put(self, old.id, &after)?;
        }
        Ok(())
    }

    /// Takes a picture out.
    pub(crate) fn delete(&self, entry: &Entry) -> Result<(), Error> {
        index::take(self, entry.id, &words_of(&entry.about))?;
        let failed = self.failed("remove a picture");
        let mut delete = self.db.prepare("DELETE FROM picture WHERE id = ?1").map_err(&failed)?;
        delete.execute([entry.id.0]).map_err(failed)?;
        Ok(())
    }

    fn write(&self, sql: &str, entry: &Entry, id: Option<Id>) -> Result<(), Error> {
        let failed = self.failed("write a picture's record");
        let about = &entry.about;
        let json = |value: &Generated| serde_json::to_string(value).expect("plain data");
        let (path, bytes) =
            (entry.path.to_str().expect("checked on the way in"), entry.bytes as i64);
        let tags = serde_json::to_string(&about.tags).expect("plain data");
        let generated = about.generated.as_ref().map(json);
        let mut statement = self.db.prepare(sql).map_err(&failed)?;
        let values = params![
            path,
            entry.sha256.0.as_slice(),
            entry.look.0.as_slice(),
            bytes,
            entry.modified,
            entry.width,
            entry.height,
            tags,
            about.source,
            about.licence,
            about.author,
            generated,
            id.map(|id| id.0),
        ];
        // A new row has no number to be found by.
        let count = if id.is_some() { values.len() } else { values.len() - 1 };
        statement.execute(&values[..count]).map_err(failed)?;
        Ok(())
    }

    fn put_captions(&self, id: Id, about: &About) -> Result<(), Error> {
        let failed = self.failed("write a picture's captions");
        let sql = "INSERT INTO caption (picture, place, text, language, origin, model)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut statement = self.db.prepare(sql).map_err(&failed)?;
        for (place, caption) in about.captions.iter().enumerate() {
            let Caption { text, language, origin, model } = caption;
            let values = params![id.0, place as i64, text, language, origin.name(), model];
            statement.execute(values).map_err(&failed)?;
        }
        Ok(())
    }
}

/// The words by which a picture is found.
pub(crate) fn words_of(about: &About) -> Words {
    let mut words = Words::default();
    let captions = about.captions.iter().map(|caption| caption.text.as_str());
    captions.chain(about.tags.iter().map(String::as_str)).for_each(|text| words.add(text));
    words
}
