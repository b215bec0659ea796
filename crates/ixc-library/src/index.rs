//! The index: for each word the pictures that have it, ranked by BM25.
//!
//! A word's pictures stand in blocks of a thousand, each a blob of six bytes a picture: what a search reads is a
//! few hundred blobs, not a row for each of ten thousand pictures. (FTS5 takes seconds for a caption of common
//! words among 100 000; see docs/log.md.) The words themselves come from `words`. Invariant: the index is a
//! function of the other tables; [`rebuild`] makes it anew and `verify` compares. Deliberately absent: phrases and
//! operators; a caption is a bag of words.

mod whole;

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Statement, params};

pub(crate) use self::whole::{Whole, of_tables};
use crate::{Error, Id, rows::Rows, words::Words};

/// Pictures of a block: their low bits fit an entry's first two bytes.
const BLOCK: i64 = 1 << 10;

/// Blocks of a word at most; above in a posting's number stands the word.
const BLOCKS: i64 = 1 << 24;

/// Bytes of an entry: place in the block, count of the word, words of the picture, 16 bits each.
const ENTRY: usize = 6;

/// How soon a word's repetition stops to count, and how much a long text is held against a picture: the usual
/// ones (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).
pub(crate) const K1: f64 = 1.2;
pub(crate) const B: f64 = 0.75;

/// A picture's occurrence of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Posting {
    place: u16,
    count: u16,
    length: u16,
}

impl Posting {
    fn read(entry: &[u8; ENTRY]) -> Self {
        let word = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
        Self { place: word(0), count: word(2), length: word(4) }
    }

    fn bytes(self) -> [u8; ENTRY] {
        let [place, count, length] = [self.place, self.count, self.length].map(u16::to_le_bytes);
        [place[0], place[1], count[0], count[1], length[0], length[1]]
    }
}

/// Puts a picture's words in.
pub(crate) fn put(rows: &Rows<'_>, id: Id, words: &Words) -> Result<(), Error> {
    if words.length == 0 {
        return Ok(());
    }
    let add = "INSERT INTO word (word, pictures) VALUES (?1, 1)
        ON CONFLICT (word) DO UPDATE SET pictures = pictures + 1 RETURNING id";
    let mut blocks = Blocks::new(rows, add)?;
    for (word, &count) in &words.counts {
        let number = blocks.number(word)?.expect("it is there by now");
        let posting =
            Posting { place: place(id), count: short(count), length: short(words.length) };
        blocks.change(number, id, |entries| match position(entries, posting.place) {
            Ok(at) => entries[at * ENTRY..][..ENTRY].copy_from_slice(&posting.bytes()),
            Err(at) => drop(entries.splice(at * ENTRY..at * ENTRY, posting.bytes())),
        })?;
    }
    count(rows, 1, words)
}

/// Takes a picture's words out: those that were put in.
pub(crate) fn take(rows: &Rows<'_>, id: Id, words: &Words) -> Result<(), Error> {
    if words.length == 0 {
        return Ok(());
    }
    let less = "UPDATE word SET pictures = pictures - 1 WHERE word = ?1 RETURNING id";
    let mut blocks = Blocks::new(rows, less)?;
    for word in words.counts.keys() {
        // A word that is missing is a damaged index, which `verify` tells and `rebuild` mends.
        let Some(number) = blocks.number(word)? else { continue };
        blocks.change(number, id, |entries| {
            if let Ok(at) = position(entries, place(id)) {
                entries.drain(at * ENTRY..(at + 1) * ENTRY);
            }
        })?;
        execute(rows, "DELETE FROM word WHERE id = ?1 AND pictures <= 0", params![number])?;
    }
    count(rows, -1, words)
}

fn place(id: Id) -> u16 {
    (id.0 & (BLOCK - 1)) as u16
}

/// Counts beyond 65 535 change no rank that a person would see.
fn short(count: u32) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// Where an entry is, or would be.
fn position(entries: &[u8], place: u16) -> Result<usize, usize> {
    entries.as_chunks().0.binary_search_by_key(&place, |entry| Posting::read(entry).place)
}

fn failed(rows: &Rows<'_>) -> impl Fn(rusqlite::Error) -> Error + use<> {
    Error::database("use the index of words", rows.file)
}

fn execute(rows: &Rows<'_>, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<(), Error> {
    let failed = failed(rows);
    rows.db.prepare(sql).map_err(&failed)?.execute(values).map_err(failed)?;
    Ok(())
}

/// What changes words and their blocks, prepared once for all words of a picture.
struct Blocks<'a> {
    failed: Box<dyn Fn(rusqlite::Error) -> Error>,
    /// Changes a word's count, and tells its number.
    number: Statement<'a>,
    select: Statement<'a>,
    replace: Statement<'a>,
    delete: Statement<'a>,
}

impl<'a> Blocks<'a> {
    fn new(rows: &Rows<'a>, number: &str) -> Result<Self, Error> {
        let failed = failed(rows);
        let prepare = |sql: &str| rows.db.prepare(sql).map_err(&failed);
        Ok(Self {
            number: prepare(number)?,
            select: prepare("SELECT entries FROM posting WHERE id = ?1")?,
            replace: prepare("REPLACE INTO posting (id, entries) VALUES (?1, ?2)")?,
            delete: prepare("DELETE FROM posting WHERE id = ?1")?,
            failed: Box::new(failed),
        })
    }

    fn number(&mut self, word: &str) -> Result<Option<i64>, Error> {
        self.number.query_row([word], |row| row.get(0)).optional().map_err(&self.failed)
    }

    /// Changes the entries of a word in a picture's block.
    fn change(
        &mut self,
        word: i64,
        id: Id,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Error> {
        let number = word * BLOCKS + id.0 / BLOCK;
        let found: Option<Vec<u8>> =
            self.select.query_row([number], |row| row.get(0)).optional().map_err(&self.failed)?;
        let mut entries = found.unwrap_or_default();
        change(&mut entries);
        let written = if entries.is_empty() {
            self.delete.execute(params![number])
        } else {
            self.replace.execute(params![number, entries])
        };
        written.map(drop).map_err(&self.failed)
    }
}

fn count(rows: &Rows<'_>, pictures: i64, words: &Words) -> Result<(), Error> {
    let sql = "UPDATE total SET pictures = pictures + ?1, words = words + ?2";
    execute(rows, sql, params![pictures, pictures * i64::from(words.length)])
}

/// The pictures that have any of the words, with their scores, in no order.
pub(crate) fn scores(rows: &Rows<'_>, words: &Words) -> Result<Vec<(Id, f64)>, Error> {
    let failed = failed(rows);
    let sql = "SELECT pictures, words FROM total";
    let (pictures, length): (f64, f64) = rows
        .db
        .query_row(sql, [], |row| Ok((row.get::<_, i64>(0)? as f64, row.get::<_, i64>(1)? as f64)))
        .map_err(&failed)?;
    let mean = length / pictures.max(1.0);
    let mut blocks: HashMap<i64, Vec<f64>> = HashMap::new();
    let sql = "SELECT id, entries FROM posting WHERE id >= ?1 AND id < ?2";
    let mut select = rows.db.prepare(sql).map_err(&failed)?;
    let sql = "SELECT id, pictures FROM word WHERE word = ?1";
    let mut number_of = rows.db.prepare(sql).map_err(&failed)?;
    // In the words' order, so that sums are the same each time.
    for word in words.counts.keys() {
        let found: Option<(i64, i64)> = number_of
            .query_row([word], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(&failed)?;
        let Some((number, having)) = found else { continue };
        let weight = weight(pictures, having as f64);
        let range = [number * BLOCKS, (number + 1) * BLOCKS];
        let mut found = select.query(range).map_err(&failed)?;
        while let Some(row) = found.next().map_err(&failed)? {
            let block = row.get::<_, i64>(0).map_err(&failed)? % BLOCKS;
            let entries = row.get_ref(1).map_err(&failed)?;
            let entries = entries.as_blob().map_err(|error| failed(error.into()))?;
            let sums = blocks.entry(block).or_insert_with(|| vec![0.0; BLOCK as usize]);
            for entry in entries.as_chunks().0 {
                let Posting { place, count, length } = Posting::read(entry);
                if let Some(sum) = sums.get_mut(usize::from(place)) {
                    *sum += weight * saturation(count.into(), length.into(), mean);
                }
            }
        }
    }
    let of_block = |(block, sums): (i64, Vec<f64>)| {
        let scored = sums.into_iter().zip(0..).filter(|(score, _)| *score > 0.0);
        scored.map(move |(score, place)| (Id(block * BLOCK + place), score))
    };
    Ok(blocks.into_iter().flat_map(of_block).collect())
}

/// How much a word says that so many of the pictures have.
pub(crate) fn weight(pictures: f64, having: f64) -> f64 {
    (1.0 + (pictures - having + 0.5) / (having + 0.5)).ln()
}

/// How much of that a picture gets that has the word so often among so many.
pub(crate) fn saturation(count: f64, length: f64, mean: f64) -> f64 {
    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / mean.max(1.0)))
}
