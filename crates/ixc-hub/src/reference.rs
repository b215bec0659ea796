//! From what a person types to a model: a path on this disk, or the id of a model on a hub.
//!
//! An existing path always wins, so a folder is never shadowed by the hub; `hf:` forces the hub.
//! Ids and revisions become folder names and parts of addresses, so their alphabet is small and
//! fixed. Deliberately absent: downloads, aliases, and the expansion of `~` (the shell's work).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ixc_net::words::quoted;

use crate::error::{Error, Result};
use crate::limits::{MAX_ID_PART_BYTES, MAX_REFERENCE_BYTES, MAX_REVISION_BYTES};

/// What a model reference names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A folder or file that existed when the reference was read.
    Local(PathBuf),
    /// A model of a hub.
    Hub {
        /// Which model.
        repo: RepoId,
        /// Which branch, tag or commit; `None` means the branch `main`.
        revision: Option<String>,
    },
}

impl Reference {
    /// Reads a reference: an existing path, `hf:org/name[@revision]` or `org/name[@revision]`.
    ///
    /// Looks at the disk to see whether the path exists. A text that is neither is an error that
    /// names both readings.
    pub fn parse(text: &str) -> Result<Self> {
        let neither = |why: &str| Error::Reference { text: quoted(text), why: why.to_owned() };
        if text.is_empty() || text.len() > MAX_REFERENCE_BYTES {
            return Err(neither("it is empty or longer than 4096 bytes"));
        }
        if let Some(id) = text.strip_prefix("hf:") {
            return hub_reference(id).map_err(|why| neither(&why));
        }
        if !text.contains('\0') && Path::new(text).exists() {
            return Ok(Reference::Local(PathBuf::from(text)));
        }
        if let Some(why) = path_shape(text) {
            return Err(neither(why));
        }
        if !text.split('@').next().unwrap_or(text).contains('/') {
            return Err(neither("the organisation before the name is missing"));
        }
        hub_reference(text).map_err(|why| neither(&why))
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// Reads `org/name[@revision]`; the error is the broken rule.
fn hub_reference(text: &str) -> Result<Reference, String> {
    let (id, revision) = match text.split_once('@') {
        Some((id, revision)) => (id, Some(revision)),
        None => (text, None),
    };
    if let Some(why) = id_danger(id) {
        return Err(why.to_owned());
    }
    if let Some(why) = revision.and_then(revision_danger) {
        return Err(format!("the revision after @ {why}"));
    }
    Ok(Reference::Hub { repo: RepoId(id.to_owned()), revision: revision.map(str::to_owned) })
}

/// Why a text can only have been meant as a path, although nothing exists there.
fn path_shape(text: &str) -> Option<&'static str> {
    let file_endings = [".safetensors", ".bin", ".gguf", ".json", ".model", ".pt", ".pth"];
    if text.contains('\\') || text.as_bytes().get(1) == Some(&b':') {
        Some("it is written like a path of Windows")
    } else if text.starts_with(['/', '.', '~']) || text.ends_with('/') {
        Some("it is written like a path")
    } else if file_endings.iter().any(|ending| text.ends_with(ending)) {
        Some("it ends like a file name")
    } else {
        None
    }
}

/// The id of a model on a hub: `org/name`, or a bare `name` for the few that have no organisation.
///
/// Always valid: letters, digits, `-`, `_`, `.`, at most 96 bytes each part, no `..`, no `--` (which
/// stands for the slash in folder names), no leading or trailing `-` or `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoId(String);

impl RepoId {
    /// Checks an id.
    pub fn new(id: &str) -> Result<Self> {
        match id_danger(id) {
            None => Ok(RepoId(id.to_owned())),
            Some(why) => Err(Error::Reference { text: quoted(id), why: why.to_owned() }),
        }
    }

    /// The id, as on the hub.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its folder in the cache: `models--org--name`.
    pub(crate) fn folder(&self) -> String {
        format!("models--{}", self.0.replace('/', "--"))
    }

    /// The id that a folder of the cache stands for, if it holds a model and is named well.
    pub(crate) fn from_folder(folder: &str) -> Option<Self> {
        let id = folder.strip_prefix("models--")?.replace("--", "/");
        RepoId::new(&id).ok().filter(|id| id.folder() == folder)
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RepoId {
    type Err = Error;

    fn from_str(id: &str) -> Result<Self> {
        Self::new(id)
    }
}

/// The rule of the hub's ids that a text breaks.
fn id_danger(id: &str) -> Option<&'static str> {
    let parts: Vec<&str> = id.split('/').collect();
    if parts.len() > 2 {
        return Some("an id has one slash, between organisation and name");
    }
    for part in parts {
        if part.is_empty() {
            return Some("the organisation or the name is empty");
        }
        if part.len() > MAX_ID_PART_BYTES {
            return Some("the organisation or the name is longer than 96 bytes");
        }
        if !part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
            return Some("an id has only letters, digits, '-', '_' and '.'");
        }
        if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
            return Some("organisation and name neither start nor end with '-' or '.'");
        }
    }
    if id.contains("--") || id.contains("..") {
        return Some("an id has neither '--' nor '..'");
    }
    if id.ends_with(".git") {
        return Some("an id does not end in '.git'");
    }
    None
}

/// Checks a revision: a branch, a tag or a commit.
pub(crate) fn check_revision(revision: &str) -> Result<()> {
    match revision_danger(revision) {
        None => Ok(()),
        Some(why) => Err(Error::Revision { revision: quoted(revision), why }),
    }
}

/// The rule of revisions that a text breaks. It becomes a file below `refs/`, slashes and all.
fn revision_danger(revision: &str) -> Option<&'static str> {
    if revision.is_empty() {
        return Some("is empty");
    }
    if revision.len() > MAX_REVISION_BYTES {
        return Some("is longer than 200 bytes");
    }
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b'+');
    if !revision.bytes().all(allowed) {
        return Some("has other characters than letters, digits and - _ . / +");
    }
    let bad_part = |part: &str| {
        part.is_empty()
            || part.starts_with(['.', '-'])
            || part.ends_with(['.'])
            || part.contains("..")
            || part.ends_with(".lock")
            || crate::names::is_device(part)
    };
    if revision.split('/').any(bad_part) {
        return Some("has a part that no branch may have (empty, '..', a leading '.' or '-')");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hub(repo: &str, revision: Option<&str>) -> Reference {
        Reference::Hub { repo: RepoId::new(repo).unwrap(), revision: revision.map(str::to_owned) }
    }

    #[test]
    fn hub_ids() {
        let id = "internlm/internlm-xcomposer2-vl-7b";
        for (text, want) in [
            (id.to_owned(), hub(id, None)),
            (format!("hf:{id}"), hub(id, None)),
            (format!("{id}@main"), hub(id, Some("main"))),
            (format!("hf:{id}@refs/pr/1"), hub(id, Some("refs/pr/1"))),
            (format!("{id}@{}", "0a".repeat(20)), hub(id, Some(&"0a".repeat(20)))),
            ("hf:gpt2".to_owned(), hub("gpt2", None)),
            ("a_b.c/D-e_1.5".to_owned(), hub("a_b.c/D-e_1.5", None)),
        ] {
            assert_eq!(Reference::parse(&text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn an_existing_path_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        assert_eq!(Reference::parse(path).unwrap(), Reference::Local(path.into()));
        let file = folder.path().join("w@1.safetensors");
        std::fs::write(&file, b"x").unwrap();
        let text = file.to_str().unwrap();
        assert_eq!(Reference::parse(text).unwrap(), Reference::Local(file.clone()));
    }

    #[test]
    fn what_is_neither_names_both_readings() {
        for text in [
            "",
            "missing",
            "./missing",
            "../up/and/away",
            "/no/such/folder",
            "~/models/x",
            "a/b/c",
            "a/../b",
            "../b",
            "a/..",
            "a\\b",
            "C:/models",
            "org/model.safetensors",
            "org/name/",
            "-org/name",
            "org/.name",
            "org/na--me",
            "org/name.git",
            "org/na me",
            "org/näme",
            "org/name@",
            "org/name@../x",
            "org/name@a//b",
            "org/name@-x",
            "org/name@a@b",
            "org/name@a\nb",
            "hf:",
            "hf:/",
            "hf:a/b/c",
            "hf:../..",
            "org/\0",
        ] {
            let error = Reference::parse(text).expect_err(text).to_string();
            assert!(error.contains("neither an existing file or folder nor"), "{text}: {error}");
            assert!(error.contains("org/name[@revision]"), "{text}: {error}");
        }
        assert!(Reference::parse(&format!("o/{}", "x".repeat(97))).is_err());
        assert!(Reference::parse(&format!("o/x@{}", "x".repeat(201))).is_err());
        assert!(Reference::parse(&"x".repeat(5000)).is_err());
    }

    #[test]
    fn folders_of_the_cache() {
        let id = RepoId::new("internlm/internlm-xcomposer2-vl-7b").unwrap();
        assert_eq!(id.folder(), "models--internlm--internlm-xcomposer2-vl-7b");
        assert_eq!(RepoId::from_folder(&id.folder()), Some(id));
        for folder in ["models--", "models--a--b--c", "datasets--a--b", "models--..--x", "models"] {
            assert_eq!(RepoId::from_folder(folder), None, "{folder}");
        }
    }

    proptest! {
        /// No accepted id or revision can name anything above the folder it is put into.
        #[test]
        fn accepted_ids_and_revisions_stay_inside(text in "[a./@:\\\\~ -]{0,20}|\\PC{0,30}") {
            if let Ok(Reference::Hub { repo, revision }) = Reference::parse(&format!("hf:{text}")) {
                for part in repo.as_str().split('/').chain(revision.iter().flat_map(|r| r.split('/'))) {
                    prop_assert!(!part.is_empty() && part != "." && part != "..");
                    prop_assert!(!part.contains(['\\', ':', '\0']));
                }
                prop_assert!(!repo.folder().contains('/'));
            }
        }
    }
}
