//! The pictures whose vectors are nearest to a question: by comparing all, or by the graph and what is newer.
//!
//! Invariants: cosines are of the tables' vectors, so a graph that is damaged, old or another's changes at most how
//! many of the nearest are found; one that does not pass its check is not used, and all are compared. What is kept in
//! memory between searches is of one state of the tables. Deliberately absent: how ranks are put together.

use rusqlite::OptionalExtension;

use super::{
    Identity, Kept, Vectors,
    exact::{self, best},
    graph::{EXPANSION, Graph},
    widen,
};
use crate::{Error, Id, Library};

/// Bytes of vectors that are kept in memory between searches.
const MEMORY: usize = 512 << 20;

/// The pictures nearest to a question, the nearest first, with their cosines.
pub(crate) type Near = Vec<(Id, f32)>;

/// What a library keeps in memory of its vectors.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// All vectors, where they are few.
    rows: Option<Rows>,
    /// The graph of a file, or that this one cannot be used.
    graph: Option<(Kept, Option<Graph>)>,
}

impl Memory {
    /// Forgets what a change of the tables makes untrue.
    pub(crate) fn changed(&mut self) {
        self.rows = None;
    }
}

/// All vectors of a state of the tables.
#[derive(Debug)]
struct Rows {
    /// SQLite's number of the state, as far as others change it.
    state: i64,
    pictures: Vec<Id>,
    numbers: Vec<f32>,
}

impl Library {
    /// The `count` pictures nearest to a vector of length 1; all where there are fewer.
    pub(crate) fn near(
        &self,
        vectors: &Vectors<'_>,
        encoder: &Identity,
        question: &[f32],
        count: usize,
    ) -> Result<Near, Error> {
        if vectors.encoder()?.is_none() {
            return Ok(Near::new());
        }
        let mut memory = self.memory.borrow_mut();
        if let Some(kept) = vectors.graph()? {
            self.open_graph(&mut memory, &kept, encoder.dimensions);
            if let Some((_, Some(graph))) = &memory.graph
                && let Ok(keys) = graph.near(question, count, EXPANSION)
            {
                let mut near = vectors.of_keys(&keys, question)?;
                let newer = |_, id, row: &[f32]| {
                    near.push((id, exact::dot(row, question)));
                    Ok(())
                };
                vectors.each(kept.last, encoder.dimensions, newer)?;
                return Ok(best(near, count));
            }
        }
        compare_all(&mut memory, vectors, question, count)
    }

    /// Opens the graph that is the one, unless it is open, or was found not to be usable.
    fn open_graph(&self, memory: &mut Memory, kept: &Kept, dimensions: usize) {
        if memory.graph.as_ref().is_none_or(|(known, _)| known != kept) {
            let graph = self.checked_graph(kept, dimensions).ok().map(|(graph, _)| graph);
            memory.graph = Some((kept.clone(), graph));
        }
    }
}

/// Compares all, from memory where they fit in it.
fn compare_all(
    memory: &mut Memory,
    vectors: &Vectors<'_>,
    question: &[f32],
    count: usize,
) -> Result<Near, Error> {
    let state = "PRAGMA data_version";
    let state = vectors.db.query_row(state, [], |row| row.get(0)).map_err(vectors.failed())?;
    if memory.rows.as_ref().is_none_or(|rows| rows.state != state) {
        memory.rows = None;
        if vectors.count()? * size_of_val(question) > MEMORY {
            let mut near = Near::new();
            vectors.each(0, question.len(), |_, id, row| {
                near.push((id, exact::dot(row, question)));
                Ok(())
            })?;
            return Ok(best(near, count));
        }
        let (mut pictures, mut numbers) = (Vec::new(), Vec::new());
        vectors.each(0, question.len(), |_, id, row| {
            pictures.push(id);
            numbers.extend_from_slice(row);
            Ok(())
        })?;
        memory.rows = Some(Rows { state, pictures, numbers });
    }
    let rows = memory.rows.as_ref().expect("read above");
    let cosines = rows.numbers.chunks_exact(question.len()).map(|row| exact::dot(row, question));
    Ok(best(rows.pictures.iter().copied().zip(cosines).collect(), count))
}

impl Vectors<'_> {
    /// The pictures of the graph's keys with their cosines; keys of what is gone or has changed are passed over.
    fn of_keys(&self, keys: &[u64], question: &[f32]) -> Result<Near, Error> {
        let failed = self.failed();
        let sql = "SELECT e.picture, e.vector FROM embedding e JOIN picture p
            ON p.id = e.picture AND p.digest = e.digest WHERE e.id = ?1";
        let mut select = self.db.prepare(sql).map_err(&failed)?;
        let (mut near, mut row) = (Near::with_capacity(keys.len()), Vec::new());
        for &key in keys {
            let read = |found: &rusqlite::Row<'_>| {
                row.clear();
                let stored = found.get_ref(1)?.as_blob().unwrap_or_default();
                let whole = widen(stored, question.len(), &mut row);
                Ok((Id(found.get(0)?), whole.then(|| exact::dot(&row, question))))
            };
            let found = select.query_row([key.cast_signed()], read).optional().map_err(&failed)?;
            if let Some((id, Some(cosine))) = found {
                near.push((id, cosine));
            }
        }
        Ok(near)
    }
}
