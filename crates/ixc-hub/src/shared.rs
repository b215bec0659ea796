//! The store in which `huggingface_hub` keeps bytes that several repositories share.
//!
//! `<cache>/blobs/<2 digits>/<64 digits>` holds the bytes, `….refs` beside it the links that were
//! made to them, and a blob of a repository is then a link there. Removing a model must therefore
//! look whether anyone else still links, under the store's own lock. In doubt nothing is deleted:
//! leaking is cheaper than losing. Deliberately absent: putting anything into the store, which is
//! only done with bytes fetched through Xet.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cache::first_hop;
use crate::limits::{MAX_MANIFEST_BYTES, POLL};
use crate::names::is_lower_hex;

/// What the file that marks the store holds, in the layout known here.
const MARKER: (&str, &str) = (".huggingface-shared-blobs", "1\n");

/// How long another process may hold one payload: it only renames a file meanwhile.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// The shared bytes that a repository's blob links to, if it does.
pub(crate) fn payload(cache: &Path, blob: &Path) -> Option<PathBuf> {
    let store = cache.join("blobs");
    let is_marked = fs::symlink_metadata(&store).is_ok_and(|m| m.is_dir())
        && fs::read(store.join(MARKER.0)).is_ok_and(|text| text == MARKER.1.as_bytes());
    let target = first_hop(blob, &fs::read_link(blob).ok()?);
    let mut parts = target.strip_prefix(&store).ok()?.iter().map(|part| part.to_str());
    let (prefix, name) = (parts.next()??, parts.next()??);
    let is_canonical = parts.next().is_none() && is_lower_hex(name, 64) && name.starts_with(prefix);
    (is_marked && is_canonical && prefix.len() == 2 && is_plain(&target)).then_some(target)
}

/// Deletes shared bytes if no repository links to them any more; the bytes freed.
pub(crate) fn sweep(cache: &Path, payload: &Path) -> u64 {
    let Some(_lock) = lock(&with_suffix(payload, ".lock")) else { return 0 };
    let manifest = with_suffix(payload, ".refs");
    if !is_plain(&manifest) || has_links(cache, payload, &manifest) != Some(false) {
        return 0;
    }
    let size = fs::symlink_metadata(payload).map_or(0, |m| m.len());
    if fs::remove_file(payload).is_err() {
        return 0;
    }
    // Without the bytes a manifest left behind is harmless: its entries are checked before use.
    let _ = fs::remove_file(&manifest);
    size
}

/// Whether any link that the manifest remembers still leads to the payload; `None` when unsure.
fn has_links(cache: &Path, payload: &Path, manifest: &Path) -> Option<bool> {
    let mut text = String::new();
    File::open(manifest).ok()?.take(MAX_MANIFEST_BYTES + 1).read_to_string(&mut text).ok()?;
    if text.len() as u64 > MAX_MANIFEST_BYTES {
        return None;
    }
    for line in text.lines() {
        let parts: Vec<&str> = line.split('/').collect();
        let &[repo, "blobs", name] = parts.as_slice() else { continue };
        if [repo, name].iter().any(|part| matches!(*part, "" | "." | "..")) {
            continue;
        }
        let link = cache.join(line);
        match fs::read_link(&link) {
            Ok(target) if first_hop(&link, &target) == payload => return Some(true),
            Ok(_) => {}
            // Gone, or replaced by a file of its own.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => {}
            Err(_) => return None,
        }
    }
    Some(false)
}

/// Takes the store's lock on one payload; `None` when it cannot be had.
fn lock(path: &Path) -> Option<File> {
    if fs::symlink_metadata(path).is_ok_and(|m| !m.is_file()) {
        return None;
    }
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).ok()?;
    let end = Instant::now() + LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(POLL),
            Err(_) => return None,
        }
    }
}

/// Whether this is a file and not a link to one.
fn is_plain(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.is_file())
}

/// `<path><suffix>`.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
