//! Removing a model, or one revision of it, from the cache.
//!
//! Refs go first, then snapshots, then the blobs that no other snapshot shows, so that a removal
//! broken off leaves no pointer into nothing. Only files of this model's own `blobs/` are deleted,
//! whatever a snapshot's link may say. Deliberately absent: a question whether to go on; that is
//! asked by whoever calls.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::cache::{self, CachedRepo};
use crate::error::{Error, Result};
use crate::layout::RepoFolder;
use crate::reference::{RepoId, check_revision};
use crate::shared;

/// What a removal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Bytes that are free now.
    pub freed: u64,
    /// The commits that are gone, sorted.
    pub commits: Vec<String>,
    /// Whether the model is gone altogether.
    pub whole: bool,
}

/// Removes a model from a cache, or only one revision of it (branch, tag, commit, or the first
/// digits of a commit). Removing the last revision removes the model.
pub fn remove(cache: &Path, repo: &RepoId, revision: Option<&str>) -> Result<Removed> {
    if let Some(revision) = revision {
        check_revision(revision)?;
    }
    let folder = RepoFolder::new(cache, repo);
    let metadata = fs::symlink_metadata(&folder.path);
    if metadata.as_ref().is_ok_and(|m| m.is_symlink()) {
        let why = "the model's folder is a link to somewhere else; remove it by hand";
        return Err(Error::NotRemoved { path: folder.path, why });
    }
    if !metadata.is_ok_and(|m| m.is_dir()) {
        return Err(unknown(&folder, revision, "nothing of it is there"));
    }
    let held = cache::scan(&folder)?;
    let Some(revision) = revision else { return remove_all(&folder, &held) };
    let commit = folder.commit_of(revision);
    let known = commit.filter(|commit| held.revisions.iter().any(|r| r.commit == *commit));
    let Some(commit) = known else {
        let names: Vec<&str> = held
            .revisions
            .iter()
            .flat_map(|r| r.refs.iter().chain([&r.commit]))
            .map(|n| n.as_str())
            .collect();
        return Err(unknown(&folder, Some(revision), &format!("there are {}", names.join(", "))));
    };
    if held.revisions.len() == 1 {
        return remove_all(&folder, &held);
    }
    remove_commit(&folder, &held, &commit)
}

/// Removes everything of a model. Lock files stay: deleting one that is held would let two
/// processes hold "it" at once.
fn remove_all(folder: &RepoFolder, held: &CachedRepo) -> Result<Removed> {
    let mut freed = 0u64;
    let mut payloads = BTreeSet::new();
    for entry in fs::read_dir(folder.blobs()).into_iter().flatten().flatten() {
        payloads.extend(shared::payload(&folder.cache, &entry.path()));
        freed = freed.saturating_add(plain_size(&entry.path()));
    }
    for file in held.revisions.iter().flat_map(|r| &r.files) {
        if file.blob.starts_with(folder.snapshots()) {
            freed = freed.saturating_add(plain_size(&file.blob));
        }
    }
    for part in [folder.refs(), folder.snapshots(), folder.blobs(), folder.path.clone()] {
        remove_tree(&part)?;
    }
    let swept = sweep_all(folder, &payloads);
    let mut commits: Vec<String> = held.revisions.iter().map(|r| r.commit.clone()).collect();
    commits.sort();
    Ok(Removed { freed: freed.saturating_add(swept), commits, whole: true })
}

/// Removes one commit of several, and the blobs that only it shows.
fn remove_commit(folder: &RepoFolder, held: &CachedRepo, commit: &str) -> Result<Removed> {
    let (gone, kept): (Vec<_>, Vec<_>) =
        held.revisions.iter().partition(|revision| revision.commit == commit);
    let kept: BTreeSet<&Path> =
        kept.iter().flat_map(|r| &r.files).map(|f| f.blob.as_path()).collect();
    let files: BTreeSet<&Path> =
        gone.iter().flat_map(|r| &r.files).map(|f| f.blob.as_path()).collect();
    for name in gone.iter().flat_map(|r| &r.refs) {
        remove_file(&folder.refs().join(name))?;
    }
    let own = |blob: &&Path| blob.parent() == Some(&folder.blobs()) && !kept.contains(*blob);
    let copies = |blob: &&Path| blob.starts_with(folder.snapshot(commit));
    let copied: u64 = files.iter().copied().filter(copies).map(plain_size).sum();
    remove_tree(&folder.snapshot(commit))?;
    let mut freed = copied;
    let mut payloads = BTreeSet::new();
    for blob in files.iter().copied().filter(own) {
        payloads.extend(shared::payload(&folder.cache, blob));
        let size = plain_size(blob);
        remove_file(blob)?;
        freed = freed.saturating_add(size);
    }
    let swept = sweep_all(folder, &payloads);
    let freed = freed.saturating_add(swept);
    Ok(Removed { freed, commits: vec![commit.to_owned()], whole: false })
}

/// Frees what other repositories do not share any more.
fn sweep_all(folder: &RepoFolder, payloads: &BTreeSet<PathBuf>) -> u64 {
    payloads.iter().map(|payload| shared::sweep(&folder.cache, payload)).sum()
}

/// The bytes of a file that is not a link.
fn plain_size(path: &Path) -> u64 {
    fs::symlink_metadata(path).ok().filter(|m| m.is_file()).map_or(0, |m| m.len())
}

/// Deletes a folder and all in it, entering no link; one that is not there is as good.
fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("cannot remove", path, e)),
        _ => Ok(()),
    }
}

/// Deletes a file or link; one that is not there is as good.
fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("cannot remove", path, e)),
        _ => Ok(()),
    }
}

/// The cache does not hold what is to be removed.
fn unknown(folder: &RepoFolder, revision: Option<&str>, there: &str) -> Error {
    let at = revision.map(|revision| format!("@{revision}")).unwrap_or_default();
    Error::NothingToRemove {
        what: format!("{}{at}", folder.repo),
        cache: folder.cache.clone(),
        there: there.to_owned(),
    }
}
