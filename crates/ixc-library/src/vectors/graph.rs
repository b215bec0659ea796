//! The nearest vectors among very many: a graph of neighbours (HNSW; Malkov and Yashunin, 2016), by usearch.
//!
//! It holds its vectors in bfloat16 and finds most of the nearest, not all; [`Graph::near`] gives more than are
//! wanted, and the caller ranks them by its own vectors. Invariants: a file is read only after every offset in it
//! has been checked (`structure`), since what reads it afterwards checks none. Two graphs of the same vectors may
//! differ, as threads add to one together. Deliberately absent: what the keys mean.

use std::{fmt, path::Path, thread};

use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use super::structure::{self, Structure};

/// Neighbours of a vector on each level but the lowest, which has twice as many: the usual number; more finds no
/// more for the time it takes (docs/log.md).
pub const CONNECTIVITY: usize = 16;

/// Vectors that are looked at when one is put in.
pub const EXPANSION_ADD: usize = 128;

/// Vectors that are looked at in a search, at the least.
pub const EXPANSION: usize = 512;

/// A graph of vectors of length 1.
pub struct Graph {
    index: Index,
    threads: usize,
}

impl fmt::Debug for Graph {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Graph").field("vectors", &self.index.size()).finish_non_exhaustive()
    }
}

fn options(dimensions: usize) -> IndexOptions {
    IndexOptions {
        dimensions,
        metric: MetricKind::IP,
        quantization: ScalarKind::BF16,
        connectivity: CONNECTIVITY,
        expansion_add: EXPANSION_ADD,
        expansion_search: EXPANSION,
        multi: false,
    }
}

impl Graph {
    /// An empty graph that will hold so many, put in by so many threads.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn new(dimensions: usize, vectors: usize, threads: usize) -> Result<Self, String> {
        let threads = threads.max(1);
        let index = Index::new(&options(dimensions)).map_err(|error| error.to_string())?;
        index.reserve_capacity_and_threads(vectors, threads).map_err(|error| error.to_string())?;
        Ok(Self { index, threads })
    }

    /// Makes room for so many more.
    ///
    /// # Errors
    /// As [`Graph::new`].
    pub fn reserve(&self, more: usize) -> Result<(), String> {
        let all = self.index.size() + more;
        self.index
            .reserve_capacity_and_threads(all, self.threads)
            .map_err(|error| error.to_string())
    }

    /// Puts vectors in under their keys, of which none may be there.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn add(&self, keys: &[u64], rows: &[f32]) -> Result<(), String> {
        let dimensions = self.index.dimensions();
        assert_eq!(rows.len(), keys.len() * dimensions, "a row for each key");
        let each = keys.len().div_ceil(self.threads).max(1);
        let work = |keys: &[u64], rows: &[f32]| -> Result<(), String> {
            for (&key, row) in keys.iter().zip(rows.chunks_exact(dimensions)) {
                self.index.add(key, row).map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let parts = keys.chunks(each).zip(rows.chunks(each * dimensions));
            let threads: Vec<_> =
                parts.map(|(keys, rows)| scope.spawn(move || work(keys, rows))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("adding does not panic"))
        })
    }

    /// Keys of vectors near a question: at most `count`, looked for among at least `expansion`.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn near(
        &self,
        question: &[f32],
        count: usize,
        expansion: usize,
    ) -> Result<Vec<u64>, String> {
        self.index.change_expansion_search(expansion.max(count));
        let found = self.index.search(question, count).map_err(|error| error.to_string())?;
        Ok(found.keys)
    }

    /// How many vectors it has.
    pub fn len(&self) -> usize {
        self.index.size()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        self.index.memory_usage()
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the disk refuses, or the path is not UTF-8.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        self.index.save(utf8(path)?).map_err(|error| error.to_string())
    }

    /// Reads what [`Graph::save`] wrote: mapped, for searching only.
    ///
    /// # Errors
    /// When it cannot be read, or is not what `save` writes for so many dimensions.
    pub fn open(path: &Path, dimensions: usize) -> Result<(Self, Structure), String> {
        let structure = structure::read(path, dimensions)?;
        let index = Index::new(&options(dimensions)).map_err(|error| error.to_string())?;
        index.view(utf8(path)?).map_err(|error| error.to_string())?;
        Ok((Self { index, threads: 1 }, structure))
    }

    /// As [`Graph::open`], read into memory, for putting in more.
    ///
    /// # Errors
    /// As [`Graph::open`].
    pub fn load(
        path: &Path,
        dimensions: usize,
        threads: usize,
    ) -> Result<(Self, Structure), String> {
        let structure = structure::read(path, dimensions)?;
        let graph = Self::new(dimensions, 0, threads)?;
        graph.index.load(utf8(path)?).map_err(|error| error.to_string())?;
        graph.reserve(0)?;
        Ok((graph, structure))
    }
}

fn utf8(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| "its path is not UTF-8".into())
}
