//! A project: an article with how it came about, every version that edits made, and its pictures. One file.
//!
//! The file (`.ixca`) is a zip archive of `project.json` and `assets/`, each asset under its SHA-256. Invariants:
//! the same project gives the same bytes; an edit adds a version and takes back nothing but what was undone;
//! reading writes nothing anywhere, so a name in an archive can lead nowhere. Deliberately absent: the disk, where
//! the door replaces the file as a whole.

use std::{
    collections::BTreeSet,
    io::{Cursor, Read, Write},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{
    Composition, Error,
    article::{Article, Assets},
    limits::{ASSET_BYTES, ASSETS_MAX, JSON_BYTES, PROJECT_BYTES},
    source::{digest, is_digest},
};

/// The form of project files; another one is refused.
pub const FORM: &str = "ixca/1";
const JSON: &str = "project.json";
const ASSETS: &str = "assets/";

/// A state of the article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// What was done to get there.
    pub done: String,
    /// The article.
    pub article: Article,
}

/// An article that can be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Seconds since 1970-01-01 UTC.
    pub created: u64,
    /// How it came about.
    pub composition: Composition,
    versions: Vec<Version>,
    at: usize,
    /// The pictures of all versions.
    pub assets: Assets,
}

/// `project.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    form: String,
    created: u64,
    at: usize,
    versions: Vec<Version>,
    composition: Composition,
}

impl Project {
    /// A project of a composed article.
    pub fn new(composition: Composition, article: Article, assets: Assets, created: u64) -> Self {
        let versions = vec![Version { done: "composed".into(), article }];
        Self { created, composition, versions, at: 0, assets }
    }

    /// The article as it is.
    pub fn article(&self) -> &Article {
        &self.versions[self.at].article
    }

    /// Every version, the first one first, and which of them is the present one.
    pub fn history(&self) -> (&[Version], usize) {
        (&self.versions, self.at)
    }

    /// Makes `article` the present version; what was undone before is given up.
    pub fn change(&mut self, done: String, article: Article) {
        self.versions.truncate(self.at + 1);
        self.versions.push(Version { done, article });
        self.at += 1;
    }

    /// Goes a version back; what was undone, if anything could be.
    pub fn undo(&mut self) -> Option<&str> {
        self.at = self.at.checked_sub(1)?;
        Some(&self.versions[self.at + 1].done)
    }

    /// Goes a version forward; what was done again, if anything could be.
    pub fn redo(&mut self) -> Option<&str> {
        let next = self.versions.get(self.at + 1)?;
        self.at += 1;
        Some(&next.done)
    }

    /// The assets that versions use: what they show, and candidates that nothing but the project has.
    fn used(&self) -> BTreeSet<&str> {
        let articles = self.versions.iter().map(|version| &version.article);
        let shown = articles.clone().flat_map(Article::pictures);
        let shown = shown.filter_map(|(_, picture)| picture.shown.as_ref());
        let shown = shown.map(|shown| shown.asset.as_str());
        shown.chain(articles.flat_map(Article::kept).map(|(_, digest)| digest)).collect()
    }

    /// The bytes of its file. Pictures that no version shows or offers any more are left out.
    ///
    /// # Errors
    /// When it is larger than can be read back, or a picture is missing.
    pub fn write(&self) -> Result<Vec<u8>, Error> {
        let json = Json {
            form: FORM.into(),
            created: self.created,
            at: self.at,
            versions: self.versions.clone(),
            composition: self.composition.clone(),
        };
        let json = serde_json::to_vec_pretty(&json).map_err(|error| bad(error.to_string()))?;
        ensure(json.len() as u64 <= JSON_BYTES, || {
            format!(
                "{} bytes of versions, the limit is {JSON_BYTES}; export it and begin anew",
                json.len()
            )
        })?;
        let used = self.used();
        ensure(used.len() <= ASSETS_MAX, || {
            format!("{} pictures, the limit is {ASSETS_MAX}", used.len())
        })?;
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let packed = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let mut add = |name: &str, options, bytes: &[u8]| {
            zip.start_file(name, options).map_err(|error| bad(error.to_string()))?;
            zip.write_all(bytes).map_err(|error| bad(error.to_string()))
        };
        add(JSON, packed, &json)?;
        for name in used {
            let bytes = self.assets.get(name).ok_or_else(|| missing(name))?;
            // Pictures are packed already.
            add(&format!("{ASSETS}{name}"), stored, bytes)?;
        }
        let bytes = zip.finish().map_err(|error| bad(error.to_string()))?.into_inner();
        ensure(bytes.len() as u64 <= PROJECT_BYTES, || {
            format!("{} bytes, the limit is {PROJECT_BYTES}", bytes.len())
        })?;
        Ok(bytes)
    }

    /// A project of its file's bytes.
    ///
    /// # Errors
    /// When they are no project, damaged, or more than any has.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let found = bytes.len() as u64;
        ensure(found <= PROJECT_BYTES, || {
            format!("it has {found} bytes, the limit is {PROJECT_BYTES}")
        })?;
        let mut zip = ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| bad(format!("it is no zip archive, or a damaged one ({error})")))?;
        let entries = zip.len();
        ensure(entries <= ASSETS_MAX + 1, || {
            format!("it has {entries} files, the limit is {}", ASSETS_MAX + 1)
        })?;
        let (mut json, mut assets, mut total) = (None, Assets::new(), 0);
        for at in 0..entries {
            let mut entry = zip.by_index(at).map_err(|error| {
                bad(format!("its file number {} cannot be read ({error})", at + 1))
            })?;
            let name = entry.name().map(|name| name.into_owned()).map_err(|error| {
                bad(format!("its file number {} has no name ({error})", at + 1))
            })?;
            let asset = name.strip_prefix(ASSETS).filter(|asset| is_digest(asset));
            let is_json = name == JSON;
            ensure(is_json || asset.is_some(), || {
                format!("it holds {name:?}; expected {JSON} and {ASSETS}, named by digests, alone")
            })?;
            let limit = if is_json { JSON_BYTES } else { ASSET_BYTES };
            let mut bytes = Vec::new();
            // What the archive says of its sizes is not believed.
            let read = entry.by_ref().take(limit + 1).read_to_end(&mut bytes);
            read.map_err(|error| bad(format!("its {name} is damaged ({error})")))?;
            ensure(bytes.len() as u64 <= limit, || {
                format!("its {name} has more than {limit} bytes")
            })?;
            total += bytes.len() as u64;
            ensure(total <= PROJECT_BYTES, || {
                format!("it unpacks to more than {PROJECT_BYTES} bytes")
            })?;
            match asset {
                Some(asset) => {
                    ensure(digest(&bytes) == asset, || format!("its {name} is damaged"))?;
                    assets.insert(asset.to_owned(), Arc::from(bytes));
                }
                None => json = Some(bytes),
            }
        }
        let json = json.ok_or_else(|| bad(format!("it has no {JSON}")))?;
        Self::of(&json, assets)
    }

    fn of(json: &[u8], assets: Assets) -> Result<Self, Error> {
        let json: Json = serde_json::from_slice(json)
            .map_err(|error| bad(format!("its {JSON} cannot be read ({error})")))?;
        let Json { form, created, at, versions, composition } = json;
        ensure(form == FORM, || format!("it is of the form {form:?}; this ixc knows {FORM:?}"))?;
        ensure(at < versions.len(), || {
            format!("its present version is {at} of {}", versions.len())
        })?;
        // The composition is held to what a record of stages is held to.
        let composition =
            serde_json::to_vec(&composition).map_err(|error| bad(error.to_string()))?;
        let composition = Composition::read(&composition)?;
        let project = Self { created, composition, versions, at, assets };
        let gone = project.used().into_iter().find(|name| !project.assets.contains_key(*name));
        match gone {
            Some(name) => Err(missing(name)),
            None => Ok(project),
        }
    }
}

fn bad(what: String) -> Error {
    Error::Project { what }
}

fn missing(name: &str) -> Error {
    bad(format!("its picture {name} is missing"))
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(bad(what())) }
}
