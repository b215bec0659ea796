//! What was read of a dataset, file by file: samples, images, positions, and what is broken in which way.
//!
//! Deliberately absent: printing; `Display` of a kind and of a broken sample are all the words there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{Broken, FaultKind, Sample, limits::MAX_UNUSED_KEYS};

/// What was read of each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// In the dataset's order.
    pub files: Vec<FileSummary>,
}

/// What was read of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSummary {
    /// The file.
    pub path: PathBuf,
    /// Counts of its sound samples.
    pub seen: Seen,
    /// How many samples are broken in which way, and what is said of the first such.
    pub broken: BTreeMap<FaultKind, (u64, String)>,
    /// Keys that had no use, each with its place; at most [`MAX_UNUSED_KEYS`].
    pub unused: BTreeSet<String>,
}

/// Counts of sound samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Samples.
    pub samples: u64,
    /// Images in them.
    pub images: u64,
    /// Rows of the decoder.
    pub positions: u64,
    /// How many of those are learned.
    pub learned: u64,
    /// Rows of the longest sample.
    pub longest: usize,
}

impl Summary {
    /// Nothing read yet of these files.
    pub(super) fn of(paths: impl Iterator<Item = PathBuf>) -> Self {
        let empty = |path| FileSummary { path, ..FileSummary::default() };
        Self { files: paths.map(empty).collect() }
    }

    /// All files together.
    pub fn seen(&self) -> Seen {
        self.files.iter().fold(Seen::default(), |sum, file| Seen {
            samples: sum.samples + file.seen.samples,
            images: sum.images + file.seen.images,
            positions: sum.positions + file.seen.positions,
            learned: sum.learned + file.seen.learned,
            longest: sum.longest.max(file.seen.longest),
        })
    }

    /// How many samples of all files are broken in which way.
    pub fn broken(&self) -> BTreeMap<FaultKind, u64> {
        let mut sum = BTreeMap::new();
        for (kind, (count, _)) in self.files.iter().flat_map(|file| &file.broken) {
            *sum.entry(*kind).or_default() += count;
        }
        sum
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        let file = &mut self.files[sample.file];
        file.seen.samples += 1;
        file.seen.images += sample.pixels.len() as u64;
        file.seen.positions += sample.positions as u64;
        file.seen.learned += sample.learned as u64;
        file.seen.longest = file.seen.longest.max(sample.positions);
        for key in &sample.unused {
            if file.unused.len() < MAX_UNUSED_KEYS && !file.unused.contains(key) {
                file.unused.insert(key.clone());
            }
        }
    }

    pub(super) fn add_broken(&mut self, file: usize, broken: &Broken) {
        let kinds = &mut self.files[file].broken;
        kinds.entry(broken.fault.kind()).or_insert_with(|| (0, broken.to_string())).0 += 1;
    }
}
