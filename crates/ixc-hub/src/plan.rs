//! Before a download: which files, how many bytes, and whether the disk can hold them.
//!
//! Deliberately absent: the network. All this follows from the listing and the cache.

use std::path::PathBuf;

use ixc_net::words::quoted;

use crate::error::{Error, Result, bytes, named};
use crate::layout::RepoFolder;
use crate::limits::{MAX_FILE_BYTES, MAX_SMALL_FILE_BYTES, MAX_TOTAL_BYTES};
use crate::listing::{Listed, Listing};
use crate::names::is_device;
use crate::needs;
use crate::progress::{Progress, Watch};
use crate::reference::RepoId;

/// The files a model needs, small ones first, so that a wrong model is noticed before its weights
/// are there.
pub(crate) fn choose(listing: &Listing, repo: &RepoId) -> Result<Vec<Listed>> {
    let names: Vec<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
    let not_a_model = |missing| Error::NotAModel {
        repo: repo.to_string(),
        missing,
        found: match names.len() {
            0 => "it is empty".to_owned(),
            n => format!("it has {n} files, among them {}", named(&names)),
        },
    };
    if !names.contains(&"config.json") {
        return Err(not_a_model("config.json"));
    }
    let (form, weights) = needs::weights(&names).ok_or_else(|| not_a_model("weights"))?;
    let mut chosen = Vec::new();
    let mut total = 0u64;
    for file in &listing.files {
        let is_weights = weights.contains(&file.name.as_str());
        if !is_weights && !needs::is_companion(&file.name, form) {
            continue;
        }
        let size = file.size.unwrap_or(0);
        let limit = limit(&file.name);
        if size > limit {
            if !is_weights && !needs::is_essential(&file.name) {
                continue;
            }
            return Err(too_large(format!("{} of {repo}", file.name), size, limit));
        }
        if is_device(&file.name) {
            let name = quoted(&file.name);
            let why = "Windows takes it for a device";
            return Err(Error::HostileName { repo: repo.to_string(), name, why });
        }
        total = total.saturating_add(size);
        chosen.push((is_weights, file.clone()));
    }
    if total > MAX_TOTAL_BYTES {
        return Err(too_large(format!("the sum of the files of {repo}"), total, MAX_TOTAL_BYTES));
    }
    chosen.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    Ok(chosen.into_iter().map(|(_, file)| file).collect())
}

/// Tells what is to come, and refuses if the disk cannot hold it.
pub(crate) fn announce(
    folder: &RepoFolder,
    commit: &str,
    wanted: &[Listed],
    watch: &mut Watch<'_>,
) -> Result<()> {
    let mut total = 0u64;
    let mut to_fetch = 0u64;
    for file in wanted {
        let size = file.size.unwrap_or(0);
        total = total.saturating_add(size);
        let len = |path: PathBuf| std::fs::metadata(path).map_or(0, |m| m.len());
        let there = match &file.digest {
            _ if folder.has(commit, &file.name, file.size).is_some() => size,
            Some(digest) => len(folder.blob(digest)).max(len(folder.partial(digest))),
            None => 0,
        };
        to_fetch = to_fetch.saturating_add(size.saturating_sub(there));
    }
    // The cache's own folder may not exist yet; the disk is that of the nearest one that does.
    let nearest = folder.cache.ancestors().find(|path| path.exists());
    if let Some(available) = nearest.and_then(|path| fs4::available_space(path).ok())
        && available < to_fetch
    {
        return Err(Error::NoSpace {
            path: folder.cache.clone(),
            needed: bytes(to_fetch),
            available: bytes(available),
        });
    }
    watch.tell(Progress::Resolved { commit, files: wanted.len(), total, to_fetch })
}

/// How large a file of this name may be.
pub(crate) fn limit(name: &str) -> u64 {
    if needs::is_large(name) { MAX_FILE_BYTES } else { MAX_SMALL_FILE_BYTES }
}

/// More bytes than are taken.
pub(crate) fn too_large(what: String, found: u64, limit: u64) -> Error {
    Error::TooLarge { what, found: bytes(found), limit: bytes(limit) }
}
