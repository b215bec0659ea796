//! Where pictures come from: the user's own, libraries, services.
//!
//! Invariant: a picture is known by its source and its name there; its bytes are taken only when it is looked at
//! or kept, but for a service's, which are kept as soon as they are given. Deliberately absent: the network.

use std::{fs::File, io::Read as _, sync::Arc};

use ixc_input::{
    image::{Orientation, Picture, load},
    limits::MAX_PICTURE_FILE_BYTES,
};
use ixc_library::{Hit, Id};
use sha2::{Digest as _, Sha256};

pub use crate::found::{Credit, Found, Origin};
use crate::{
    Error,
    limits::KEPT_BYTES,
    request::OwnPicture,
    service::{About, Generate, Kept, Offered, Service},
};

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

/// Whether a name is a SHA-256 in hexadecimal digits.
pub(crate) fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
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

    /// Which of these pictures are its own.
    pub(crate) fn known(&self, shown: &[Origin]) -> Vec<Id> {
        let own = |origin: &Origin| match origin {
            Origin::Library { library, id } if *library == self.name => Some(*id),
            _ => None,
        };
        shown.iter().filter_map(own).collect()
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
    /// Services that are searched behind them.
    pub searches: Vec<Box<dyn Service>>,
    /// Services that make pictures; each stands in for those before it.
    pub generators: Vec<Box<dyn Service>>,
    /// Files of pictures that services gave, in this run or in an earlier one.
    pub kept: Kept,
}

impl Sources {
    /// Whether anything but the user's own can fill a place.
    pub fn has_others(&self, generate: Generate) -> bool {
        let makes = generate != Generate::Never && !self.generators.is_empty();
        !self.libraries.is_empty() || !self.searches.is_empty() || makes
    }

    /// Keeps a service's file; its digest.
    pub(crate) fn keep(&self, bytes: impl Into<Arc<[u8]>>) -> Result<String, Error> {
        self.kept.keep(bytes).map_err(|sum| Error::Option {
            option: "pictures of services",
            expected: format!("at most {KEPT_BYTES} bytes for one article"),
            found: sum.to_string(),
        })
    }

    /// A picture that a service gives for these words, its file kept.
    pub(crate) fn offered(
        &self,
        service: &dyn Service,
        words: &str,
        offered: Offered,
    ) -> Result<Found, Error> {
        let (name, digest) = (service.name().to_owned(), self.keep(offered.bytes)?);
        Ok(match offered.about {
            About::Found { key, address } => Found {
                origin: Origin::Search { service: name, key, digest },
                caption: String::new(),
                credit: Credit { source: Some(address), ..Credit::default() },
            },
            About::Made(made) => Found {
                caption: words.to_owned(),
                credit: Credit::made(&name, &made),
                origin: Origin::Generated { service: name, made, digest },
            },
        })
    }

    /// A service's file.
    pub(crate) fn kept(&self, service: &str, digest: &str) -> Result<Arc<[u8]>, Error> {
        self.kept
            .get(digest)
            .ok_or_else(|| Error::NotKept { service: service.into(), picture: digest.into() })
    }

    /// A picture's file.
    ///
    /// # Errors
    /// When its source is not given, or does not have it any more.
    pub fn bytes(&self, origin: &Origin) -> Result<Vec<u8>, Error> {
        match origin {
            Origin::Own(at) => Ok(self.own(*at)?.bytes.clone()),
            Origin::File { path } => Err(Error::Changed { path: path.clone() }),
            Origin::Search { service, digest, .. } | Origin::Generated { service, digest, .. } => {
                Ok(self.kept(service, digest)?.to_vec())
            }
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
            other => Ok(Arc::new(decode(&other.to_string(), &self.bytes(other)?)?)),
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
