//! ixc-hub: model references, the standard Hugging Face cache, and downloads into it.
//!
//! The flow: a text becomes a [`Reference`]; [`locate`] finds its folder without the network;
//! [`pull`] asks the hub what the revision is (`listing.rs`), chooses what a model needs
//! (`plan.rs`), brings each file into the cache checked by its digest (`fetch.rs`), and names the
//! result by a ref. Invariant: nothing is written outside the cache, nothing unchecked gets a name,
//! and the token goes to the hub's own origin only. Deliberately absent: printing, the process's
//! environment, async, uploads, data sets.

mod cache;
mod client;
mod error;
mod fetch;
mod head;
mod layout;
mod licence;
pub mod limits;
mod listing;
mod names;
mod needs;
mod partial;
mod plan;
mod progress;
mod reference;
mod refusal;
mod remove;
mod retry;
mod settings;
mod shared;
mod verify;

use std::path::{Path, PathBuf};

pub use cache::{CachedFile, CachedRepo, CachedRevision, Found, find, list};
pub use error::{Error, Result};
pub use ixc_net::{Proxy, Token};
pub use licence::Licence;
pub use progress::{Progress, Report};
pub use reference::{Reference, RepoId};
pub use remove::{Removed, remove};
pub use settings::{DEFAULT_ENDPOINT, Settings};

use client::Client;
use fetch::Job;
use layout::RepoFolder;
use progress::Watch;

/// A model that is complete in the cache.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The model.
    pub repo: RepoId,
    /// The branch, tag or commit that was asked for.
    pub revision: String,
    /// The commit it means.
    pub commit: String,
    /// The folder with the model's files.
    pub path: PathBuf,
    /// The files a model needs, in the order of the download.
    pub files: Vec<PulledFile>,
    /// How many files of the repository were left out, as not needed.
    pub left_out: usize,
    /// Bytes that came over the network.
    pub transferred: u64,
    /// Under what terms the weights are given.
    pub licence: Licence,
}

/// A file of a [`Pulled`] model.
#[derive(Debug, Clone)]
pub struct PulledFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// Whether it was in the cache before.
    pub cached: bool,
}

/// The folder or file that a reference names, without the network.
///
/// A model of a hub must be complete in the cache; otherwise the error says what is missing and how
/// to get it.
pub fn locate(reference: &Reference, settings: &Settings) -> Result<PathBuf> {
    let (repo, revision) = match reference {
        Reference::Local(path) => return Ok(path.clone()),
        Reference::Hub { repo, revision } => (repo, revision.as_deref().unwrap_or("main")),
    };
    complete(&settings.cache, repo, revision)?.map(|(_, path)| path).map_err(|missing| {
        let (repo, revision) = (repo.to_string(), revision.to_owned());
        Error::NotCached { repo, revision, missing, cache: settings.cache.clone() }
    })
}

/// Brings a revision of a model (`None`: the branch `main`) into the cache.
///
/// Files that are there are not fetched again; what a broken download left is resumed; every file
/// is checked by its digest; the ref is written last. Offline it answers from the cache. `report`
/// hears of every step and may stop it with `ControlFlow::Break`. Never writes outside
/// `settings.cache`.
pub fn pull(
    repo: &RepoId,
    revision: Option<&str>,
    settings: &Settings,
    report: &mut Report<'_>,
) -> Result<Pulled> {
    let revision = revision.unwrap_or("main");
    reference::check_revision(revision)?;
    if settings.offline {
        return pull_offline(repo, revision, settings);
    }
    let watch = &mut Watch::new(report);
    let client = &Client::new(settings)?;
    let listing = listing::fetch(client, settings, repo, revision, watch)?;
    let wanted = plan::choose(&listing, repo)?;
    let folder = &RepoFolder::new(&settings.cache, repo);
    let commit = listing.commit.as_str();
    plan::announce(folder, commit, &wanted, watch)?;

    folder.create(commit)?;
    let mut files = Vec::with_capacity(wanted.len());
    let mut transferred = 0u64;
    for file in &wanted {
        let name = file.name.clone();
        if let Some(size) = folder.has(commit, &name, file.size) {
            watch.tell(Progress::Cached { file: &name, size })?;
            files.push(PulledFile { name, size, cached: true });
            continue;
        }
        let limit = plan::limit(&name);
        let job = Job { client, settings, folder, commit, file, limit };
        let fetched = fetch::fetch(&job, watch)?;
        folder.point(commit, &name, &fetched.digest, fetched.new)?;
        if !fetched.new {
            watch.tell(Progress::Cached { file: &name, size: fetched.size })?;
        }
        transferred = transferred.saturating_add(fetched.transferred);
        files.push(PulledFile { name, size: fetched.size, cached: !fetched.new });
    }
    folder.write_ref(revision, commit)?;

    let path = folder.snapshot(commit);
    Ok(Pulled {
        repo: repo.clone(),
        revision: revision.to_owned(),
        licence: listing.licence.or(Licence::of_snapshot(&path)),
        left_out: listing.files.len() - wanted.len(),
        commit: listing.commit,
        path,
        files,
        transferred,
    })
}

/// The answer of a pull that may not use the network.
fn pull_offline(repo: &RepoId, revision: &str, settings: &Settings) -> Result<Pulled> {
    let (commit, path) = complete(&settings.cache, repo, revision)?.map_err(|missing| {
        let (repo, revision) = (repo.to_string(), revision.to_owned());
        Error::Offline { repo, revision, missing, cache: settings.cache.clone() }
    })?;
    let held = cache::scan(&RepoFolder::new(&settings.cache, repo))?;
    let files = held.revisions.into_iter().filter(|r| r.commit == commit).flat_map(|r| r.files);
    let cached = |file: CachedFile| {
        let size = file.size.unwrap_or(0);
        PulledFile { name: file.name, size, cached: true }
    };
    Ok(Pulled {
        repo: repo.clone(),
        revision: revision.to_owned(),
        files: files.map(cached).collect(),
        left_out: 0,
        transferred: 0,
        licence: Licence::of_snapshot(&path),
        commit,
        path,
    })
}

/// Commit and folder of a complete copy in the cache, or in words what is missing.
fn complete(
    cache: &Path,
    repo: &RepoId,
    revision: &str,
) -> Result<Result<(String, PathBuf), String>> {
    Ok(match find(cache, repo, Some(revision))? {
        Found::Complete { commit, path } => Ok((commit, path)),
        Found::Incomplete { missing, .. } => Err(format!("{} missing", error::named(&missing))),
        Found::Absent => Err("nothing of it is there".to_owned()),
    })
}
