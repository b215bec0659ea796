//! From a caption to the pictures that fit it, the best first.
//!
//! Words rank by BM25, meanings by the cosine of vectors where the library has them and the caller an encoder; ranks
//! are then put together (`fuse`). Invariants: the order is a function of the library and the question (equal scores
//! stand in the order of their numbers); no picture that looks like one above it, or like one of those to leave out,
//! is given; without vectors, pictures that have none of the words are not given: whoever wants four and gets two
//! should know. With vectors every picture is near to some degree, and as many are given as are wanted.

mod fuse;

use std::{cmp::Ordering, collections::BinaryHeap};

use ixc_input::image::Picture;
use serde::Serialize;

use self::fuse::fuse;
use crate::{
    Encoder, Entry, Error, Id, Identity, Library, index,
    limits::{MAX_HITS, MAX_QUERY_WORDS},
    look::Look,
    rows::Rows,
    vectors::{Near, unit},
    words::Words,
};

/// Pictures of each ranking that are put together, for each that is wanted or left out, and at least: what looks
/// like another is dropped, and more are taken where too few are left.
const DEPTH: (usize, usize) = (4, 200);

/// What is searched for. One of the two must say something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'a> {
    /// What the picture should show; may be empty.
    pub caption: &'a str,
    /// What it should be like.
    pub picture: Option<&'a Picture>,
}

/// A picture that fits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// How well: the sum of BM25 over the caption's words, or with vectors the sum of what its ranks give.
    /// Comparable within one answer only.
    pub score: f64,
    /// With vectors: the cosine of its vector and that of what was searched for, the best of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f32>,
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
    /// The `k` pictures that fit a caption best; fewer where fewer have any of its words and the library has no
    /// vectors. Those of `exclude`, and what looks like them, are left out; numbers that the library does not have
    /// are passed over.
    ///
    /// # Errors
    /// When more is asked than can be, the encoder cannot embed the caption, or the database refuses.
    pub fn search(&self, caption: &str, exclude: &[Id], k: usize) -> Result<Vec<Hit>, Error> {
        self.search_for(Query { caption, picture: None }, exclude, k)
    }

    /// As [`Library::search`], by a caption, a picture, or both.
    ///
    /// # Errors
    /// As there; and with a picture when the library has no vectors, or was given no encoder.
    pub fn search_for(
        &self,
        query: Query<'_>,
        exclude: &[Id],
        k: usize,
    ) -> Result<Vec<Hit>, Error> {
        if k > MAX_HITS {
            let (found, limit) = (k, MAX_HITS);
            return Err(Error::TooMany { what: "pictures of one search", found, limit });
        }
        let words = Words::of(query.caption);
        if words.counts.len() > MAX_QUERY_WORDS {
            let (found, limit) = (words.counts.len(), MAX_QUERY_WORDS);
            return Err(Error::TooMany { what: "words of one search", found, limit });
        }
        let (encoder, questions) = self.questions(query)?;
        // One state of the library, whatever another process adds meanwhile.
        let state = self.db.unchecked_transaction().map_err(self.failed("search"))?;
        let rows = Rows { db: &state, file: &self.file };
        let mut looks: Vec<Look> = Vec::new();
        for &id in exclude {
            looks.extend(rows.by_id(id)?.map(|entry| entry.look));
        }
        let scores = index::scores(&rows, &words)?;
        let Some(encoder) = encoder else {
            let best: BinaryHeap<Scored> =
                scores.into_iter().map(|(id, score)| Scored(score, id)).collect();
            return self.take(&rows, best, &[], (exclude, looks), k);
        };
        let mut depth = DEPTH.1.max(DEPTH.0 * (k + exclude.len()));
        loop {
            let near = questions
                .iter()
                .map(|question| self.near(&rows.into(), encoder, question, depth))
                .collect::<Result<Vec<_>, _>>()?;
            let exhausted = near.iter().all(|near| near.len() < depth) && scores.len() <= depth;
            let best = fuse(&scores, &near, depth);
            let hits = self.take(&rows, best, &near, (exclude, looks.clone()), k)?;
            if hits.len() == k || exhausted {
                return Ok(hits);
            }
            depth = depth.saturating_mul(4);
        }
    }

    /// The vectors to which near ones are searched, by the encoder whose the library's are.
    fn questions(&self, query: Query<'_>) -> Result<(Option<&Identity>, Vec<Vec<f32>>), Error> {
        let missing = |problem| Error::NoVectors { path: self.file.clone(), problem };
        let has_vectors = self.encoder()?.is_some();
        let encoder: &dyn Encoder = match (&self.encoder, query.picture) {
            (Some(encoder), _) if has_vectors => &**encoder,
            (_, None) => return Ok((None, Vec::new())),
            (None, Some(_)) if has_vectors => return Err(missing("their encoder is not at hand")),
            (_, Some(_)) => return Err(missing("the library has none")),
        };
        let identity = encoder.identity();
        // Another process may have made them anew by another.
        self.check_encoder(identity)?;
        let made = |what, made: Result<Vec<f32>, String>| {
            let made = made.and_then(|vector| unit(vector, identity.dimensions));
            let encoder = identity.name.clone();
            made.map_err(|problem| Error::Encoder { encoder, what, problem })
        };
        let mut questions = Vec::new();
        if !query.caption.trim().is_empty() {
            questions.push(made("the caption", encoder.text(query.caption))?);
        }
        if let Some(picture) = query.picture {
            questions.push(made("the picture", encoder.picture(picture))?);
        }
        Ok((Some(identity), questions))
    }

    /// The best that are not to be left out and look like none before.
    fn take(
        &self,
        rows: &Rows<'_>,
        mut best: BinaryHeap<Scored>,
        near: &[Near],
        (exclude, mut looks): (&[Id], Vec<Look>),
        k: usize,
    ) -> Result<Vec<Hit>, Error> {
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
                let cosines = near.iter().flatten().filter(|(other, _)| *other == id);
                let cosine = cosines.map(|(_, cosine)| *cosine).max_by(f32::total_cmp);
                hits.push(Hit { score, cosine, entry });
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
