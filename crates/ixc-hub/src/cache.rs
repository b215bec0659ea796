//! What the cache holds: every model, or one.
//!
//! Reads what `huggingface_hub` or this crate wrote, and nothing is taken on trust: folders that
//! are links are not entered, names that are no model ids are passed over, a pointer to a blob that
//! is gone counts as a missing file. Deliberately absent: data sets and spaces, which share the
//! cache but are none of our business.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::layout::RepoFolder;
use crate::limits::{MAX_CACHE_ENTRIES, MAX_DEPTH};
use crate::names::is_commit;
use crate::needs;
use crate::reference::{RepoId, check_revision};

/// A model of which the cache holds something.
#[derive(Debug, Clone)]
pub struct CachedRepo {
    /// The model.
    pub repo: RepoId,
    /// Its folder.
    pub path: PathBuf,
    /// Bytes of all snapshots, each blob counted once.
    pub size: u64,
    /// Bytes of downloads that were broken off (`*.incomplete`).
    pub partial: u64,
    /// Its commits, the newest on this disk first.
    pub revisions: Vec<CachedRevision>,
}

/// One commit of a model in the cache.
#[derive(Debug, Clone)]
pub struct CachedRevision {
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
    /// The branches and tags that name it here, sorted.
    pub refs: Vec<String>,
    /// The folder with the model's files.
    pub path: PathBuf,
    /// Bytes, each blob counted once.
    pub size: u64,
    /// When the folder last changed.
    pub modified: Option<SystemTime>,
    /// Its files, sorted by name.
    pub files: Vec<CachedFile>,
    /// What it lacks to be loadable: file names or a description; empty when complete.
    pub missing: Vec<String>,
}

/// A file of a snapshot.
#[derive(Debug, Clone)]
pub struct CachedFile {
    /// Its name in the repository, with slashes.
    pub name: String,
    /// Its bytes; `None` when the blob it points to is gone.
    pub size: Option<u64>,
    /// Where the bytes lie: the pointer's first hop, or the file itself.
    pub(crate) blob: PathBuf,
}

/// What the cache knows of one revision of a model.
#[derive(Debug, Clone)]
pub enum Found {
    /// All that loading needs.
    Complete {
        /// The commit.
        commit: String,
        /// The folder with the model's files.
        path: PathBuf,
    },
    /// Some of it.
    Incomplete {
        /// The commit.
        commit: String,
        /// File names, or a description.
        missing: Vec<String>,
    },
    /// Nothing.
    Absent,
}

/// Lists the models of a cache, sorted by name. A cache folder that does not exist holds none.
pub fn list(cache: &Path) -> Result<Vec<CachedRepo>> {
    let entries = match fs::read_dir(cache) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("cannot list the cache", cache, e)),
    };
    let mut repos = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| Error::io("cannot list the cache", cache, e))?;
        let name = entry.file_name();
        let Some(repo) = name.to_str().and_then(RepoId::from_folder) else { continue };
        if entry.path().is_dir() {
            repos.push(scan(&RepoFolder::new(cache, &repo))?);
        }
    }
    repos.sort_by(|a, b| a.repo.cmp(&b.repo));
    Ok(repos)
}

/// Looks for a revision of a model (`None`: `main`) in a cache, without the network.
pub fn find(cache: &Path, repo: &RepoId, revision: Option<&str>) -> Result<Found> {
    let revision = revision.unwrap_or("main");
    check_revision(revision)?;
    let folder = RepoFolder::new(cache, repo);
    let Some(commit) = folder.commit_of(revision) else { return Ok(Found::Absent) };
    let path = folder.snapshot(&commit);
    if !path.is_dir() {
        return Ok(Found::Absent);
    }
    let missing = missing(&folder, &commit, &files(&path)?);
    if missing.is_empty() {
        Ok(Found::Complete { commit, path })
    } else {
        Ok(Found::Incomplete { commit, missing })
    }
}

/// Everything about one model's folder.
pub(crate) fn scan(folder: &RepoFolder) -> Result<CachedRepo> {
    let mut refs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in walk(&folder.refs())? {
        if let Some(commit) = folder.read_ref(&name) {
            refs.entry(commit).or_default().push(name);
        }
    }
    let mut revisions = Vec::new();
    for entry in entries(&folder.snapshots())? {
        let Some(commit) = entry.file_name().to_str().filter(|n| is_commit(n)).map(str::to_owned)
        else {
            continue;
        };
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        let files = files(&path)?;
        revisions.push(CachedRevision {
            refs: refs.remove(&commit).unwrap_or_default(),
            size: size_of(files.iter()),
            modified: fs::metadata(&path).and_then(|m| m.modified()).ok(),
            missing: missing(folder, &commit, &files),
            commit,
            path,
            files,
        });
    }
    revisions.sort_by(|a, b| b.modified.cmp(&a.modified).then(a.commit.cmp(&b.commit)));
    let mut partial = 0u64;
    for entry in entries(&folder.blobs())? {
        if entry.path().extension().is_some_and(|e| e == "incomplete") {
            partial = partial.saturating_add(entry.metadata().map_or(0, |m| m.len()));
        }
    }
    Ok(CachedRepo {
        repo: folder.repo.clone(),
        path: folder.path.clone(),
        size: size_of(revisions.iter().flat_map(|r| &r.files)),
        partial,
        revisions,
    })
}

/// The files of a snapshot, sorted by name.
fn files(snapshot: &Path) -> Result<Vec<CachedFile>> {
    let mut files = Vec::new();
    for name in walk(snapshot)? {
        let path = snapshot.join(&name);
        let blob = match fs::read_link(&path) {
            Ok(target) => first_hop(&path, &target),
            Err(_) => path.clone(),
        };
        let size = fs::metadata(&path).ok().filter(|m| m.is_file()).map(|m| m.len());
        files.push(CachedFile { name, size, blob });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// What a snapshot of these files lacks.
fn missing(folder: &RepoFolder, commit: &str, files: &[CachedFile]) -> Vec<String> {
    let present: BTreeSet<String> =
        files.iter().filter(|f| f.size.is_some()).map(|f| f.name.clone()).collect();
    let tree = folder.path.join("trees").join(format!("{commit}.json"));
    needs::missing(&folder.snapshot(commit), &present, &tree)
}

/// Bytes of some files, each blob counted once.
fn size_of<'f>(files: impl Iterator<Item = &'f CachedFile>) -> u64 {
    let blobs: BTreeMap<&Path, u64> =
        files.map(|f| (f.blob.as_path(), f.size.unwrap_or(0))).collect();
    blobs.values().fold(0, |sum, size| sum.saturating_add(*size))
}

/// Where a link leads, by its text alone: each `..` takes one folder away, nothing is looked up. The
/// blob it names may be a link itself, to the store that repositories share; the first hop counts.
pub(crate) fn first_hop(link: &Path, target: &Path) -> PathBuf {
    let mut out = link.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in target.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

/// The entries of a folder; none when it does not exist.
fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    let cannot = |e| Error::io("cannot list", folder, e);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(cannot(e)),
    };
    let entries: Vec<_> =
        entries.take(MAX_CACHE_ENTRIES + 1).collect::<Result<_, _>>().map_err(cannot)?;
    if entries.len() > MAX_CACHE_ENTRIES {
        return Err(too_many(folder));
    }
    Ok(entries)
}

/// The names of everything below a folder that is not a folder, with slashes. Links are not entered.
fn walk(folder: &Path) -> Result<Vec<String>> {
    let mut out = Vec::new();
    let mut open = vec![(folder.to_path_buf(), String::new(), 0)];
    while let Some((path, prefix, depth)) = open.pop() {
        for entry in entries(&path)? {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| *name != ".DS_Store") else { continue };
            let name = format!("{prefix}{name}");
            let is_folder = entry.file_type().is_ok_and(|t| t.is_dir());
            if !is_folder {
                out.push(name);
            } else if depth < MAX_DEPTH {
                open.push((entry.path(), format!("{name}/"), depth + 1));
            }
            if out.len() + open.len() > MAX_CACHE_ENTRIES {
                return Err(too_many(folder));
            }
        }
    }
    Ok(out)
}

/// A folder larger than any cache.
fn too_many(folder: &Path) -> Error {
    Error::TooLarge {
        what: format!("the number of files in {}", folder.display()),
        found: format!("more than {MAX_CACHE_ENTRIES}"),
        limit: MAX_CACHE_ENTRIES.to_string(),
    }
}
