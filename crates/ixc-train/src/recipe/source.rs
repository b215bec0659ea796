//! A recipe's words for data files and how much of each an epoch takes.
//!
//! In a file a path, or a table with `path` and any of `images`, `samples` or `ratio`; as a flag a path, or
//! one with `:samples=N` or `:ratio=X` behind it. Deliberately absent: what is in the files.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::data::{Share, Source};

/// A source as a recipe has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Written {
    /// All of a file.
    Path(PathBuf),
    /// What is to be said about one.
    Table(Table),
}

/// A source that says more than its path.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    path: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

impl From<Written> for Source {
    fn from(written: Written) -> Self {
        let Table { path, images, samples, ratio } = match written {
            Written::Path(path) => return Self { path, images: None, share: Share::All },
            Written::Table(table) => table,
        };
        let share = samples.map(Share::Count).or(ratio.map(Share::Ratio)).unwrap_or_default();
        Self { path, images, share }
    }
}

impl From<Source> for Written {
    fn from(Source { path, images, share }: Source) -> Self {
        let (samples, ratio) = match share {
            Share::All if images.is_none() => return Self::Path(path),
            Share::All => (None, None),
            Share::Count(count) => (Some(count), None),
            Share::Ratio(ratio) => (None, Some(ratio)),
        };
        Self::Table(Table { path, images, samples, ratio })
    }
}

impl Written {
    /// A source as a flag has it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let number =
            |text: &str, what: &str| format!("expected a number after :{what}=, found {text:?}");
        let table = |path: &str, samples, ratio| {
            Self::Table(Table { path: path.into(), images: None, samples, ratio })
        };
        if let Some((path, count)) = text.rsplit_once(":samples=") {
            let samples = count.parse().map_err(|_| number(count, "samples"))?;
            return Ok(table(path, Some(samples), None));
        }
        if let Some((path, share)) = text.rsplit_once(":ratio=") {
            let ratio = share.parse().map_err(|_| number(share, "ratio"))?;
            return Ok(table(path, None, Some(ratio)));
        }
        Ok(Self::Path(text.into()))
    }

    /// What is wrong with it, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        let (path, samples, ratio) = match self {
            Self::Path(path) => (path, None, None),
            Self::Table(Table { path, samples, ratio, .. }) => (path, *samples, *ratio),
        };
        let place = path.display();
        match (samples, ratio) {
            _ if path.as_os_str().is_empty() => Err("expected a path, found \"\"".into()),
            (Some(_), Some(_)) => {
                Err(format!("{place}: expected samples or ratio, found both; leave one out"))
            }
            (Some(0), _) => Err(format!(
                "{place}: expected samples of 1 or more, found 0; leave the source out"
            )),
            (_, Some(ratio)) if !(ratio.is_finite() && ratio > 0.0) => {
                Err(format!("{place}: expected a ratio above 0, found {ratio}"))
            }
            _ => Ok(()),
        }
    }
}

/// For serde: how a recipe writes its sources.
pub(super) fn serialize<S: Serializer>(sources: &[Source], out: S) -> Result<S::Ok, S::Error> {
    sources.iter().cloned().map(Written::from).collect::<Vec<_>>().serialize(out)
}

/// For serde: how a recipe's sources are read.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Source>, D::Error> {
    let written = Vec::<Written>::deserialize(from)?;
    Ok(written.into_iter().map(Source::from).collect())
}
