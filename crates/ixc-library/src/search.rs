//! From a caption to the pictures that fit it, the best first.
//!
//! Invariants: the order is a function of the library and the question (equal scores stand in the order of their
//! numbers); no picture that looks like one above it, or like one of those to leave out, is given. Deliberately
//! absent: filling up with pictures that have none of the words; whoever wants four and gets two should know.

use std::{cmp::Ordering, collections::BinaryHeap};

use serde::Serialize;

use crate::{
    Entry, Error, Id, Library, index,
    limits::{MAX_HITS, MAX_QUERY_WORDS},
    look::Look,
    rows::Rows,
    words::Words,
};

/// A picture that fits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// How well: the sum of BM25 over the caption's words. Comparable within one answer only.
    pub score: f64,
    /// The picture.
    #[serde(flatten)]
    pub entry: Entry,
}

/// A picture and its score, ordered so that a heap gives the best first.
#[derive(Debug)]
struct Scored(f64, Id);

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then_with(|| other.1.cmp(&self.1))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scored {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scored {}

impl Library {
    /// The `k` pictures that fit a caption best; fewer where fewer have any of its words. Those of `exclude`, and
    /// what looks like them, are left out; numbers that the library does not have are passed over.
    ///
    /// # Errors
    /// When more is asked than can be, or the database refuses.
    pub fn search(&self, caption: &str, exclude: &[Id], k: usize) -> Result<Vec<Hit>, Error> {
        if k > MAX_HITS {
            return Err(Error::TooMany {
                what: "pictures of one search",
                found: k,
                limit: MAX_HITS,
            });
        }
        let words = Words::of(caption);
        if words.counts.len() > MAX_QUERY_WORDS {
            let (found, limit) = (words.counts.len(), MAX_QUERY_WORDS);
            return Err(Error::TooMany { what: "words of one search", found, limit });
        }
        // One state of the library, whatever another process adds meanwhile.
        let state = self.db.unchecked_transaction().map_err(self.failed("search"))?;
        let rows = Rows { db: &state, file: &self.file };
        let mut looks: Vec<Look> = Vec::new();
        for &id in exclude {
            looks.extend(rows.by_id(id)?.map(|entry| entry.look));
        }
        let scores = index::scores(&rows, &words)?;
        let mut best: BinaryHeap<Scored> =
            scores.into_iter().map(|(id, score)| Scored(score, id)).collect();
        let mut hits: Vec<Hit> = Vec::new();
        while hits.len() < k {
            let Some(Scored(score, id)) = best.pop() else { break };
            if exclude.contains(&id) {
                continue;
            }
            // A damaged index may name what is gone; `verify` tells.
            let Some(entry) = rows.by_id(id)? else { continue };
            if looks.iter().all(|look| !look.resembles(&entry.look)) {
                looks.push(entry.look);
                hits.push(Hit { score, entry });
            }
        }
        Ok(hits)
    }

    /// The other pictures that look like this one.
    ///
    /// # Errors
    /// When the library has no such picture, or the database refuses.
    pub fn alike(&self, id: Id) -> Result<Vec<Id>, Error> {
        let look = self.get(id)?.look;
        let failed = self.failed("compare looks");
        let sql = "SELECT id, look FROM picture WHERE id <> ?1 ORDER BY id";
        let mut select = self.db.prepare(sql).map_err(&failed)?;
        let mut found = select.query([id.0]).map_err(&failed)?;
        let mut alike = Vec::new();
        while let Some(row) = found.next().map_err(&failed)? {
            let other: Vec<u8> = row.get(1).map_err(&failed)?;
            if other.try_into().is_ok_and(|other| look.resembles(&Look(other))) {
                alike.push(Id(row.get(0).map_err(&failed)?));
            }
        }
        Ok(alike)
    }
}
