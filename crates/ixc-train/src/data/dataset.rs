//! A dataset: data files, how much an epoch draws from each, and where their images are.
//!
//! Invariant: the same sources give the same dataset, and [`Identity`] says whether a later run has it
//! still. Deliberately absent: the order of samples ([`super::draw`]) and what they hold.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    Broken, Error, Preparation, Sample, Summary,
    draw::{Quota, Slot, total},
    index::{self, Index, Opened},
    limits::MAX_DRAWN,
    list, record,
};

/// A data file, or a list of data files, as the user names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// A JSON list, JSON Lines, or a list of `path number` lines; told apart by how it begins.
    pub path: PathBuf,
    /// Where relative image paths start; the data file's own folder if none.
    pub images: Option<PathBuf>,
    /// How much an epoch draws from it; of a list, whose lines say so, [`Share::All`].
    pub share: Share,
}

/// How much of a file an epoch draws.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Share {
    /// Every sample once.
    #[default]
    All,
    /// So many samples.
    Count(u64),
    /// So many times its length, rounded to whole samples.
    Ratio(f64),
}

/// What the number on a line of a list means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListNumbers {
    /// Thousands of samples an epoch, as published.
    #[default]
    Thousands,
    /// A ratio.
    Ratio,
}

/// One data file.
#[derive(Clone, Debug)]
struct DataFile {
    index: Arc<Index>,
    images: PathBuf,
    drawn: u64,
}

/// Data files that are drawn from together.
#[derive(Clone, Debug)]
pub struct Dataset {
    files: Vec<DataFile>,
}

/// What a dataset is, to be kept beside a checkpoint and compared when a run goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its files, in order.
    pub files: Vec<FileIdentity>,
}

/// What one data file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// Where it was; a dataset may move.
    pub path: PathBuf,
    /// Samples it has.
    pub samples: u64,
    /// Samples that an epoch draws from it.
    pub drawn: u64,
    /// Of its bytes, in hexadecimal digits. Images are not part of it.
    pub sha256: String,
}

impl Dataset {
    /// Finds the samples of all sources, in one pass over each file.
    ///
    /// # Errors
    /// When there is no source, a file cannot be read or cut into samples, or a share cannot be drawn.
    pub fn open(sources: &[Source], numbers: ListNumbers) -> Result<Self, Error> {
        let mut files = Vec::new();
        for source in sources {
            let images = source.images.as_deref();
            match index::open(&source.path)? {
                Opened::Data(index) => files.push(DataFile::new(index, images, source.share)?),
                Opened::List(_) if source.share != Share::All => {
                    return Err(Error::ShareOfList { path: source.path.clone() });
                }
                Opened::List(text) => {
                    for line in list::read(&source.path, &text)? {
                        files.push(DataFile::of_line(&line, &source.path, images, numbers)?);
                    }
                }
            }
        }
        if files.is_empty() {
            return Err(Error::NoFiles);
        }
        Ok(Self { files })
    }

    /// Samples that an epoch draws, broken ones included.
    pub fn samples_per_epoch(&self) -> u64 {
        total(&self.quotas())
    }

    /// What the dataset is.
    pub fn identity(&self) -> Identity {
        let identity = |file: &DataFile| FileIdentity {
            path: file.index.path.clone(),
            samples: file.index.samples(),
            drawn: file.drawn,
            sha256: file.index.sha256.clone(),
        };
        Identity { files: self.files.iter().map(identity).collect() }
    }

    /// Makes sure that a run's [`super::Position`] means the same samples as when it was written down.
    ///
    /// # Errors
    /// When files were added or taken away, changed their bytes, or have another share.
    pub fn expect(&self, earlier: &Identity) -> Result<(), Error> {
        let other = |what: String| Err(Error::OtherData { what });
        let now = self.identity();
        if now.files.len() != earlier.files.len() {
            let (expected, found) = (earlier.files.len(), now.files.len());
            return other(format!("expected {expected} data file(s), found {found}"));
        }
        for (now, earlier) in now.files.iter().zip(&earlier.files) {
            let path = now.path.display();
            if now.sha256 != earlier.sha256 {
                let (digest, samples) = (&earlier.sha256, earlier.samples);
                return other(format!(
                    "{path}: expected the {samples} samples of {} with the SHA-256 {digest}, found {} \
                     with {}",
                    earlier.path.display(),
                    now.samples,
                    now.sha256
                ));
            }
            if now.drawn != earlier.drawn {
                let (expected, found) = (earlier.drawn, now.drawn);
                return other(format!(
                    "{path}: expected {expected} samples an epoch, found {found}"
                ));
            }
        }
        Ok(())
    }

    /// The dataset with every sample of every file once.
    pub(super) fn whole(&self) -> Self {
        let whole = |file: &DataFile| DataFile { drawn: file.index.samples(), ..file.clone() };
        Self { files: self.files.iter().map(whole).collect() }
    }

    pub(super) fn quotas(&self) -> Vec<Quota> {
        let quota = |file: &DataFile| Quota { samples: file.index.samples(), drawn: file.drawn };
        self.files.iter().map(quota).collect()
    }

    pub(super) fn summary(&self) -> Summary {
        Summary::of(self.files.iter().map(|file| file.index.path.clone()))
    }

    /// Reads a sample that is due.
    ///
    /// # Errors
    /// When its file cannot be read any more; inside, when the sample is broken.
    pub(super) fn fetch(
        &self,
        slot: Slot,
        preparation: &Preparation,
    ) -> Result<Result<Sample, Box<Broken>>, Error> {
        let file = &self.files[slot.file];
        let broken = |id, fault| {
            Box::new(Broken { file: file.index.path.clone(), index: slot.sample, id, fault })
        };
        let bytes = match file.index.read(slot.sample)? {
            Ok(bytes) => bytes,
            Err(fault) => return Ok(Err(broken(None, fault))),
        };
        let record = match record::parse(&bytes, &file.images) {
            Ok(record) => record,
            Err(fault) => return Ok(Err(broken(record::id(&bytes), fault))),
        };
        drop(bytes); // a sample with its pictures inside is large
        let id = record.id.clone();
        Ok(match preparation.prepare(record) {
            Ok(sample) => Ok(Sample { file: slot.file, index: slot.sample, ..sample }),
            Err(fault) => Err(broken(id, fault)),
        })
    }
}

impl DataFile {
    fn new(index: Index, images: Option<&Path>, share: Share) -> Result<Self, Error> {
        let samples = index.samples();
        let (drawn, found) = match share {
            Share::All => (samples, "all".into()),
            Share::Count(count) => (count, format!("a count of {count}")),
            // Rounding an ordinary product; what is no number, or negative, becomes 0 and is refused.
            Share::Ratio(ratio) => {
                ((samples as f64 * ratio).round() as u64, format!("a ratio of {ratio}"))
            }
        };
        if !(1..=MAX_DRAWN).contains(&drawn) {
            return Err(Error::Share { path: index.path, found, samples });
        }
        let own = index.path.parent().unwrap_or(Path::new(""));
        let images = images.unwrap_or(own).to_owned();
        Ok(Self { index: Arc::new(index), images, drawn })
    }

    fn of_line(
        line: &list::Line,
        list: &Path,
        images: Option<&Path>,
        numbers: ListNumbers,
    ) -> Result<Self, Error> {
        let share = match (line.share, numbers) {
            (None, _) => Share::All,
            (Some(ratio), ListNumbers::Ratio) => Share::Ratio(ratio),
            (Some(thousands), ListNumbers::Thousands) => {
                Share::Count((thousands * 1000.0).round() as u64)
            }
        };
        match index::open(&line.path)? {
            Opened::Data(index) => Self::new(index, images, share),
            Opened::List(_) => {
                let problem = format!(
                    "expected a JSON list of samples or JSON Lines, found a file that begins like neither: \
                     {}",
                    line.path.display()
                );
                Err(Error::List { path: list.into(), line: line.number, problem })
            }
        }
    }
}
