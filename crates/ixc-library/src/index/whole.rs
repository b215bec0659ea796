//! The index as data, to be compared with the tables and made anew.
//!
//! Deliberately absent: changing it picture by picture.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;

use super::{BLOCK, BLOCKS, Posting, execute, failed, place, short};
use crate::{
    Error, Id,
    rows::{Rows, words_of},
    words::Words,
};

/// The index as data: each word's pictures, and the totals.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Whole {
    words: BTreeMap<String, Vec<(Id, u16, u16)>>,
    pictures: i64,
    length: i64,
}

impl Whole {
    /// Of pictures and their words, in the order of their numbers.
    pub(crate) fn add(&mut self, id: Id, words: &Words) {
        if words.length > 0 {
            self.pictures += 1;
            self.length += i64::from(words.length);
        }
        for (word, &count) in &words.counts {
            let entry = (id, short(count), short(words.length));
            self.words.entry(word.clone()).or_default().push(entry);
        }
    }

    /// As the tables have it.
    pub(crate) fn read(rows: &Rows<'_>) -> Result<Self, Error> {
        let failed = failed(rows);
        let mut whole = Self::default();
        (whole.pictures, whole.length) = rows
            .db
            .query_row("SELECT pictures, words FROM total", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(&failed)?;
        let mut named: BTreeMap<i64, (String, i64)> = BTreeMap::new();
        let mut select = rows.db.prepare("SELECT id, word, pictures FROM word").map_err(&failed)?;
        let mut found = select.query([]).map_err(&failed)?;
        while let Some(row) = found.next().map_err(&failed)? {
            let read = || Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
            let (id, word) = read().map_err(&failed)?;
            named.insert(id, word);
        }
        let mut select =
            rows.db.prepare("SELECT id, entries FROM posting ORDER BY id").map_err(&failed)?;
        let mut found = select.query([]).map_err(&failed)?;
        while let Some(row) = found.next().map_err(&failed)? {
            let number: i64 = row.get(0).map_err(&failed)?;
            let entries: Vec<u8> = row.get(1).map_err(&failed)?;
            // Entries of no word stand under no word, and so differ from the truth.
            let word = named.get(&(number / BLOCKS)).map_or("", |(word, _)| word);
            let pictures = whole.words.entry(word.to_owned()).or_default();
            pictures.extend(entries.as_chunks().0.iter().map(|entry| {
                let Posting { place, count, length } = Posting::read(entry);
                (Id(number % BLOCKS * BLOCK + i64::from(place)), count, length)
            }));
        }
        for (word, pictures) in named.values() {
            if whole.words.get(word).map_or(0, Vec::len) as i64 != *pictures {
                whole.words.insert(String::new(), Vec::new()); // a count of its own is wrong
            }
        }
        Ok(whole)
    }

    /// Words.
    pub(crate) fn count(&self) -> usize {
        self.words.len()
    }

    /// Words that are not found as they should be.
    pub(crate) fn differing(&self, other: &Self) -> usize {
        let words = self.words.keys().chain(other.words.keys());
        let words: BTreeSet<_> = words.collect();
        let wrong = words.iter().filter(|word| self.words.get(**word) != other.words.get(**word));
        let totals = (self.pictures, self.length) != (other.pictures, other.length);
        wrong.count() + usize::from(totals)
    }

    /// Writes it in place of what the tables have.
    pub(crate) fn write(&self, rows: &Rows<'_>) -> Result<(), Error> {
        for table in ["word", "posting"] {
            execute(rows, &format!("DELETE FROM {table}"), params![])?;
        }
        for (number, (word, pictures)) in (1..).zip(&self.words) {
            let sql = "INSERT INTO word (id, word, pictures) VALUES (?1, ?2, ?3)";
            execute(rows, sql, params![number, word, pictures.len() as i64])?;
            let same = |a: &(Id, u16, u16), b: &(Id, u16, u16)| a.0.0 / BLOCK == b.0.0 / BLOCK;
            for block in pictures.chunk_by(same) {
                let entries = block.iter().flat_map(|&(id, count, length)| {
                    Posting { place: place(id), count, length }.bytes()
                });
                let id = number * BLOCKS + block[0].0.0 / BLOCK;
                let values = params![id, entries.collect::<Vec<u8>>()];
                execute(rows, "INSERT INTO posting (id, entries) VALUES (?1, ?2)", values)?;
            }
        }
        let totals = params![self.pictures, self.length];
        execute(rows, "UPDATE total SET pictures = ?1, words = ?2", totals)
    }
}

/// The index of all pictures, made anew from the other tables.
pub(crate) fn of_tables(rows: &Rows<'_>) -> Result<Whole, Error> {
    let mut whole = Whole::default();
    for id in rows.ids()? {
        if let Some(entry) = rows.by_id(id)? {
            whole.add(id, &words_of(&entry.about));
        }
    }
    Ok(whole)
}
