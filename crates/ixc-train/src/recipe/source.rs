//! One data file of a recipe, and how much of it an epoch takes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A data file or list, and how much of it an epoch takes: all of it, a number of samples, or a ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, from = "Written", into = "Written")]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Samples drawn for each epoch, down- or up-sampled.
    pub samples: Option<u64>,
    /// Share of its own samples drawn for each epoch; 2.0 draws each twice.
    pub ratio: Option<f64>,
}

/// A source as a file has it: a path, or a table.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Path(PathBuf),
    Table(Mixed),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mixed {
    path: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

impl From<Written> for Source {
    fn from(written: Written) -> Self {
        match written {
            Written::Path(path) => Self { path, samples: None, ratio: None },
            Written::Table(Mixed { path, samples, ratio }) => Self { path, samples, ratio },
        }
    }
}

impl From<Source> for Written {
    fn from(source: Source) -> Self {
        match source {
            Source { path, samples: None, ratio: None } => Self::Path(path),
            Source { path, samples, ratio } => Self::Table(Mixed { path, samples, ratio }),
        }
    }
}

impl Source {
    /// A source as a flag has it: `PATH`, `PATH:samples=N` or `PATH:ratio=X`.
    ///
    /// # Errors
    /// When what follows `:samples=` or `:ratio=` is no number.
    pub fn read(text: &str) -> Result<Self, String> {
        let number =
            |text: &str, what: &str| format!("expected a number after :{what}=, found {text:?}");
        if let Some((path, count)) = text.rsplit_once(":samples=") {
            let samples = count.parse().map_err(|_| number(count, "samples"))?;
            return Ok(Self { path: path.into(), samples: Some(samples), ratio: None });
        }
        if let Some((path, share)) = text.rsplit_once(":ratio=") {
            let ratio = share.parse().map_err(|_| number(share, "ratio"))?;
            return Ok(Self { path: path.into(), samples: None, ratio: Some(ratio) });
        }
        Ok(Self { path: text.into(), samples: None, ratio: None })
    }

    /// What is wrong with it, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        let path = self.path.display();
        match (self.samples, self.ratio) {
            _ if self.path.as_os_str().is_empty() => Err("expected a path, found \"\"".into()),
            (Some(_), Some(_)) => {
                Err(format!("{path}: expected samples or ratio, found both; leave one out"))
            }
            (Some(0), _) => {
                Err(format!("{path}: expected samples of 1 or more, found 0; leave the source out"))
            }
            (_, Some(ratio)) if !(ratio.is_finite() && ratio > 0.0) => {
                Err(format!("{path}: expected a ratio above 0, found {ratio}"))
            }
            _ => Ok(()),
        }
    }
}
