//! The graph's file: made of the tables, found damaged, made anew.
//!
//! A file is written under a name of its own, goes to the disk, and only then becomes the one, by the transaction
//! that says so: a kill at any moment leaves the file before or the file behind it. Its name has its digest, so
//! who reads the old one is not disturbed. Deliberately absent: how a graph is searched.

use std::{
    collections::HashSet,
    fs::{self, File},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use super::{GRAPH_FROM, Kept, Vectors, graph::Graph, structure::Structure, widen};
use crate::{Error, Library};

/// Vectors that are put in between two words to whoever watches.
const LOT: usize = 1024;

/// Vectors behind the graph that a search compares one by one; with more, they are put in.
const NEWER: usize = 4096;

/// A graph is made anew when this share of it belongs to pictures that are gone or have changed.
const GONE: f64 = 0.25;

impl Library {
    /// From how many vectors on a graph is made, instead of [`GRAPH_FROM`]: for tests and measurements.
    pub fn make_graph_from(&mut self, vectors: usize) {
        self.graph_from = vectors;
    }

    /// Makes the graph, where there are many vectors, or puts in what is newer, where that is much. Returns how
    /// many vectors it has; 0 where there is none. `watch` hears how many of all are done and may break off.
    ///
    /// # Errors
    /// When the disk refuses, or `watch` breaks off: then the graph is as it was.
    pub fn index_vectors(
        &mut self,
        threads: usize,
        watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<usize, Error> {
        self.make_graph(false, threads, watch)
    }

    /// As above, or all of it `anew`.
    pub(crate) fn make_graph(
        &mut self,
        anew: bool,
        threads: usize,
        watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<usize, Error> {
        let Some(encoder) = self.encoder()? else { return Ok(0) };
        let old = self.vectors().graph()?;
        if self.vectors().count()? < self.graph_from {
            if old.is_some() {
                self.put_graph(None)?;
            }
            return Ok(0);
        }
        let begun = match &old {
            Some(kept) if !anew => self.begun(kept, encoder.dimensions, threads)?,
            _ => None,
        };
        let (graph, behind) = match begun {
            Some(Begun::Enough(vectors)) => return Ok(vectors),
            Some(Begun::Graph(graph, last)) => (graph, last),
            None => {
                let all = self.vectors().count()?;
                let graph = Graph::new(encoder.dimensions, all, threads);
                (graph.map_err(|problem| self.no_graph(problem))?, 0)
            }
        };
        let last = self.put_in(&graph, behind, encoder.dimensions, watch)?;
        let kept = self.save(&graph, last)?;
        self.put_graph(Some(&kept))?;
        Ok(kept.vectors)
    }

    fn no_graph(&self, problem: String) -> Error {
        Error::Graph { path: self.file.clone(), problem }
    }

    /// What of a graph that is there can be gone on with; `None` where it is to be made anew.
    fn begun(
        &self,
        kept: &Kept,
        dimensions: usize,
        threads: usize,
    ) -> Result<Option<Begun>, Error> {
        let Ok((graph, structure)) = self.checked_graph(kept, dimensions) else { return Ok(None) };
        let live = self.live()?;
        let gone = structure.keys.iter().filter(|&&key| !live.contains(&key.cast_signed())).count();
        if gone as f64 > GONE * structure.keys.len() as f64 {
            return Ok(None);
        }
        let newer = live.iter().filter(|&&number| number > kept.last).count();
        if newer <= NEWER.min(self.graph_from) {
            return Ok(Some(Begun::Enough(graph.len())));
        }
        drop(graph);
        let path = self.root.join(&kept.file);
        let Ok((graph, structure)) = Graph::load(&path, dimensions, threads) else {
            return Ok(None);
        };
        if structure.digest != kept.digest || graph.reserve(newer).is_err() {
            return Ok(None);
        }
        Ok(Some(Begun::Graph(graph, kept.last)))
    }

    /// The numbers of the vectors of pictures as they are.
    fn live(&self) -> Result<HashSet<i64>, Error> {
        let failed = self.failed("list the vectors");
        let sql = "SELECT e.id FROM embedding e JOIN picture p ON p.id = e.picture AND p.digest = e.digest";
        let mut select = self.db.prepare(sql).map_err(&failed)?;
        let numbers = select.query_map([], |row| row.get(0)).map_err(&failed)?;
        numbers.collect::<Result<_, _>>().map_err(failed)
    }

    /// Puts in all vectors behind one of them; returns the last one's number.
    fn put_in(
        &self,
        graph: &Graph,
        behind: i64,
        dimensions: usize,
        watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<i64, Error> {
        let state = self.db.unchecked_transaction().map_err(self.failed("read the vectors"))?;
        let vectors = Vectors { db: &state, file: &self.file };
        let all = vectors.count()?;
        let (mut last, mut keys, mut rows) = (behind, Vec::new(), Vec::new());
        let add = |keys: &[u64], rows: &[f32]| {
            graph.add(keys, rows).map_err(|problem| self.no_graph(problem))
        };
        vectors.each(behind, dimensions, |number, _, row| {
            last = number;
            keys.push(number.cast_unsigned());
            rows.extend_from_slice(row);
            if keys.len() == LOT {
                add(&keys, &rows)?;
                keys.clear();
                rows.clear();
                if watch(graph.len().min(all), all).is_break() {
                    return Err(Error::Cancelled);
                }
            }
            Ok(())
        })?;
        add(&keys, &rows)?;
        Ok(last)
    }

    /// Writes a graph to the disk, under its name.
    fn save(&self, graph: &Graph, last: i64) -> Result<Kept, Error> {
        let aside = ixc_files::beside(&self.root)
            .map_err(Error::io("write to the folder", &self.root))?
            .into_temp_path();
        graph.save(&aside).map_err(|problem| self.no_graph(problem))?;
        let synced = File::open(&aside).and_then(|file| file.sync_all());
        synced.map_err(Error::io("write", &aside))?;
        let encoder = self.encoder()?.expect("it has vectors");
        let (_, Structure { digest, keys }) =
            Graph::open(&aside, encoder.dimensions).map_err(|problem| self.no_graph(problem))?;
        let file = format!("{PREFIX}{}{SUFFIX}", &digest.to_string()[..16]);
        let path = self.root.join(&file);
        aside.persist(&path).map_err(|refused| Error::io("write", &path)(refused.error))?;
        let synced = ixc_files::sync_folder(&self.root);
        synced.map_err(Error::io("write to the folder", &self.root))?;
        Ok(Kept { file, digest, last, vectors: keys.len() })
    }

    /// From now on this is the graph, or there is none; the files of others go.
    fn put_graph(&mut self, kept: Option<&Kept>) -> Result<(), Error> {
        let (file, commit) = (self.file.clone(), self.failed("keep the graph"));
        let change = self.change()?;
        Vectors { db: &change, file: &file }.set_graph(kept)?;
        change.commit().map_err(commit)?;
        self.clear_graphs(kept);
        Ok(())
    }

    /// Removes the files of graphs but that of one. One that cannot be removed takes room and does no harm.
    pub(super) fn clear_graphs(&self, but: Option<&Kept>) {
        for path in graphs(&self.root) {
            if but.is_none_or(|kept| path.file_name() != Some(kept.file.as_ref())) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Opens the graph's file if it is what the tables say.
    pub(super) fn checked_graph(
        &self,
        kept: &Kept,
        dimensions: usize,
    ) -> Result<(Graph, Structure), String> {
        // A name that leads elsewhere was not written here.
        if !is_graph(Path::new(&kept.file)) {
            return Err(format!("the library names {:?} as its graph", kept.file));
        }
        let (graph, structure) = Graph::open(&self.root.join(&kept.file), dimensions)?;
        if structure.digest != kept.digest {
            return Err("it is not the file that was written".into());
        }
        Ok((graph, structure))
    }

    /// What is wrong with the vectors and their graph: how many are damaged, and in words.
    pub(crate) fn vector_faults(&self) -> Result<(usize, Option<String>), Error> {
        let Some(encoder) = self.encoder()? else { return Ok((0, None)) };
        let damaged = self.damaged_vectors(encoder.dimensions)?.len();
        let Some(kept) = self.vectors().graph()? else { return Ok((damaged, None)) };
        let structure = match self.checked_graph(&kept, encoder.dimensions) {
            Ok((_, structure)) => structure,
            Err(problem) => return Ok((damaged, Some(format!("{}: {problem}", kept.file)))),
        };
        let keys: HashSet<u64> = structure.keys.iter().copied().collect();
        let missing = self
            .live()?
            .into_iter()
            .filter(|&number| number <= kept.last && !keys.contains(&number.cast_unsigned()));
        let missing = missing.count().saturating_sub(damaged);
        let problem = (missing > 0).then(|| format!("{}: lacks {missing} vectors", kept.file));
        Ok((damaged, problem))
    }

    /// The numbers of vectors that cannot be used.
    pub(crate) fn damaged_vectors(&self, dimensions: usize) -> Result<Vec<i64>, Error> {
        let failed = self.failed("read the vectors");
        let mut select = self.db.prepare("SELECT id, vector FROM embedding").map_err(&failed)?;
        let mut found = select.query([]).map_err(&failed)?;
        let (mut damaged, mut row) = (Vec::new(), Vec::new());
        while let Some(next) = found.next().map_err(&failed)? {
            row.clear();
            let stored = next.get_ref(1).map_err(&failed)?.as_blob().unwrap_or_default();
            if !widen(stored, dimensions, &mut row) {
                damaged.push(next.get(0).map_err(&failed)?);
            }
        }
        Ok(damaged)
    }

    /// Takes out vectors that cannot be used, and makes the graph anew. Returns how many vectors it has.
    pub(crate) fn rebuild_vectors(
        &mut self,
        threads: usize,
        watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<usize, Error> {
        let Some(encoder) = self.encoder()? else { return Ok(0) };
        let damaged = self.damaged_vectors(encoder.dimensions)?;
        if !damaged.is_empty() {
            let failed = self.failed("take damaged vectors out");
            let change = self.change()?;
            for number in damaged {
                change.execute("DELETE FROM embedding WHERE id = ?1", [number]).map_err(&failed)?;
            }
            change.commit().map_err(failed)?;
        }
        self.make_graph(true, threads, watch)
    }
}

/// A graph that is there.
enum Begun {
    /// It will do.
    Enough(usize),
    /// What is behind this number is to be put in.
    Graph(Graph, i64),
}

/// The names of graphs' files: sixteen digits between these.
const PREFIX: &str = "library.";
const SUFFIX: &str = ".hnsw";

fn is_graph(name: &Path) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
    digits.is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// The graphs' files of a folder.
fn graphs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_one = |path: &PathBuf| path.file_name().is_some_and(|name| is_graph(Path::new(name)));
    entries.map(|entry| entry.path()).filter(is_one).collect()
}

const _: () = assert!(NEWER < GRAPH_FROM, "what is newer is compared one by one");
