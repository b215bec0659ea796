//! Where pictures come from: the user's own, and libraries.
//!
//! Invariant: a picture is known by its source and its name there; its bytes are taken only when it is looked at
//! or kept. Deliberately absent: the network.

use std::{fs::File, io::Read as _, sync::Arc};

use ixc_input::{
    image::{Orientation, Picture, load},
    limits::MAX_PICTURE_FILE_BYTES,
};
use ixc_library::{About, Generated, Hit, Id};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Error, request::OwnPicture};

/// Where a picture comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The user's own, by its place among them.
    Own(usize),
    /// A library's.
    Library {
        /// Which.
        library: String,
        /// The picture's name there.
        id: Id,
    },
    /// A file that an edit brought; its bytes are in the project alone.
    File {
        /// Where it was.
        path: String,
    },
}

/// A picture that can be taken, with what its source says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Where it comes from.
    pub origin: Origin,
    /// What it shows; may be empty.
    pub caption: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Credit::is_empty")]
    pub credit: Credit,
}

/// Who made a picture, and what others may do with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Under what terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Where it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Of a generated picture: by what, and from which words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
}

impl Credit {
    /// What a library knows.
    fn of(about: About) -> Self {
        let About { author, licence, source, generated, .. } = about;
        let told = |generated: Generated| {
            let told: Vec<String> =
                [generated.model, generated.prompt].into_iter().flatten().collect();
            told.join(": ")
        };
        Self { author, licence, source, generated: generated.map(told) }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A picture of the user's own.
#[derive(Clone, Debug)]
pub struct Own {
    /// What is said of it.
    pub known: OwnPicture,
    /// Its file.
    pub bytes: Vec<u8>,
    /// Its pixels, turned as its camera noted: what the model sees and what an export shows.
    pub picture: Arc<Picture>,
}

impl Own {
    /// A picture of a file's bytes.
    ///
    /// # Errors
    /// When they are no picture that is read here.
    pub fn new(path: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        let picture = Arc::new(decode(path, &bytes)?);
        let known = OwnPicture { path: path.into(), digest: digest(&bytes) };
        Ok(Self { known, bytes, picture })
    }

    /// Its file's name without folder and ending.
    pub fn stem(&self) -> &str {
        stem(&self.known.path)
    }
}

/// Decodes a picture that is called so.
pub(crate) fn decode(name: &str, bytes: &[u8]) -> Result<Picture, Error> {
    load(bytes, Orientation::Exif).map_err(|source| Error::Picture { name: name.into(), source })
}

/// SHA-256 in hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A path's last name without its ending.
pub(crate) fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// A library that can be searched, and what the user calls it.
#[derive(Debug)]
pub struct Library {
    /// Its name or path; the same in every run.
    pub name: String,
    /// Itself.
    pub library: ixc_library::Library,
}

impl Library {
    /// Up to `most` pictures for a caption, the best first, none of `exclude`.
    ///
    /// # Errors
    /// When it cannot be searched.
    pub fn search(&self, caption: &str, exclude: &[Id], most: usize) -> Result<Vec<Found>, Error> {
        let hits =
            self.library.search(caption, exclude, most).map_err(|error| self.failed(error))?;
        let found = |hit: Hit| Found {
            origin: Origin::Library { library: self.name.clone(), id: hit.entry.id },
            caption: hit.entry.caption().unwrap_or_default().to_owned(),
            credit: Credit::of(hit.entry.about),
        };
        Ok(hits.into_iter().map(found).collect())
    }

    /// A picture's file.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn bytes(&self, id: Id) -> Result<Vec<u8>, Error> {
        let entry = self.library.get(id).map_err(|error| self.failed(error))?;
        let path = self.library.path_of(&entry);
        let failed = |source| Error::File { path: path.clone(), source };
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(MAX_PICTURE_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(failed)?;
        Ok(bytes)
    }

    fn failed(&self, error: ixc_library::Error) -> Error {
        Error::Library { library: self.name.clone(), reason: error.to_string() }
    }
}

/// All that pictures can be taken from.
#[derive(Debug, Default)]
pub struct Sources {
    /// The user's own, each taken once at most.
    pub own: Vec<Own>,
    /// Searched one after another.
    pub libraries: Vec<Library>,
}

impl Sources {
    /// Up to `most` pictures of all libraries for a caption: each library's best, then each's second, and so on.
    ///
    /// # Errors
    /// When one of them cannot be searched.
    pub fn search(
        &self,
        caption: &str,
        exclude: &[Origin],
        most: usize,
    ) -> Result<Vec<Found>, Error> {
        let mut ranks = Vec::new();
        for library in &self.libraries {
            let shown = exclude.iter().filter_map(|origin| match origin {
                Origin::Library { library: name, id } if *name == library.name => Some(*id),
                _ => None,
            });
            let found = library.search(caption, &shown.collect::<Vec<_>>(), most)?;
            ranks.extend(found.into_iter().enumerate());
        }
        // Stable: of one rank the library named first goes first.
        ranks.sort_by_key(|(rank, _)| *rank);
        Ok(ranks.into_iter().map(|(_, found)| found).take(most).collect())
    }

    /// A picture's file.
    ///
    /// # Errors
    /// When its source is not given, or does not have it any more.
    pub fn bytes(&self, origin: &Origin) -> Result<Vec<u8>, Error> {
        match origin {
            Origin::Own(at) => Ok(self.own(*at)?.bytes.clone()),
            Origin::File { path } => Err(Error::Changed { path: path.clone() }),
            Origin::Library { library: name, id } => {
                match self.libraries.iter().find(|library| library.name == *name) {
                    Some(library) => library.bytes(*id),
                    None => Err(Error::Library {
                        library: name.clone(),
                        reason: "it is not given; name it with --library".into(),
                    }),
                }
            }
        }
    }

    /// A picture's pixels.
    ///
    /// # Errors
    /// As [`Sources::bytes`], and when they are no picture.
    pub fn picture(&self, origin: &Origin) -> Result<Arc<Picture>, Error> {
        match origin {
            Origin::Own(at) => Ok(self.own(*at)?.picture.clone()),
            Origin::File { path } => Ok(Arc::new(decode(path, &self.bytes(origin)?)?)),
            Origin::Library { id, .. } => {
                Ok(Arc::new(decode(&format!("picture {id}"), &self.bytes(origin)?)?))
            }
        }
    }

    fn own(&self, at: usize) -> Result<&Own, Error> {
        let missing = Error::OwnPictures { expected: at + 1, found: self.own.len() };
        self.own.get(at).ok_or(missing)
    }

    /// Checks that the own pictures are those a request names.
    ///
    /// # Errors
    /// When they are others.
    pub fn check(&self, named: &[OwnPicture]) -> Result<(), Error> {
        if named.len() != self.own.len() {
            return Err(Error::OwnPictures { expected: named.len(), found: self.own.len() });
        }
        let other = named.iter().zip(&self.own).find(|(a, b)| a.digest != b.known.digest);
        other.map_or(Ok(()), |(named, _)| Err(Error::Changed { path: named.path.clone() }))
    }
}
