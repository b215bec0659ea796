//! The folder of one model in the cache, laid out as `huggingface_hub` lays it out.
//!
//! ```text
//! <cache>/models--org--name/blobs/<digest>            the bytes, named by what they are
//!                           refs/main                 a commit, 40 digits without a line end
//!                           snapshots/<commit>/<file> -> ../../blobs/<digest>
//! <cache>/.locks/models--org--name/<digest>.lock      held while the blob is written
//! ```
//! A blob appears by renaming, a pointer by renaming, a ref last: whoever reads the cache meanwhile
//! sees nothing half done. Deliberately absent: `trees/` and `.no_exist/`, which `huggingface_hub`
//! keeps for itself.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::limits::MAX_REF_BYTES;
use crate::names::is_commit;
use crate::reference::RepoId;
use crate::verify::Digest;

/// What marks a folder as a cache for backup programs (<https://bford.info/cachedir/>).
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This folder holds models fetched from a hub; they can be fetched again.\n";

/// Shortest beginning of a commit that may stand for it.
const MIN_COMMIT_PREFIX: usize = 7;

/// One model's folder. Making this value touches nothing.
pub(crate) struct RepoFolder {
    /// The model.
    pub(crate) repo: RepoId,
    /// The cache it lies in.
    pub(crate) cache: PathBuf,
    /// `<cache>/models--org--name`.
    pub(crate) path: PathBuf,
}

impl RepoFolder {
    /// The folder of a model in a cache.
    pub(crate) fn new(cache: &Path, repo: &RepoId) -> Self {
        let path = cache.join(repo.folder());
        RepoFolder { repo: repo.clone(), cache: cache.to_path_buf(), path }
    }

    /// Where the bytes lie.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// Where a file's bytes lie when they are complete.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    /// Where they lie until then.
    pub(crate) fn partial(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(format!("{}.incomplete", digest.hex()))
    }

    /// The file whose lock says who writes them.
    pub(crate) fn lock(&self, digest: &Digest) -> PathBuf {
        let folder = self.cache.join(".locks").join(self.repo.folder());
        folder.join(format!("{}.lock", digest.hex()))
    }

    /// All snapshots.
    pub(crate) fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// The files of one commit.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.snapshots().join(commit)
    }

    /// All refs.
    pub(crate) fn refs(&self) -> PathBuf {
        self.path.join("refs")
    }

    /// Makes the folders that a download into `commit` needs.
    pub(crate) fn create(&self, commit: &str) -> Result<()> {
        let locks = self.cache.join(".locks").join(self.repo.folder());
        for folder in [&self.blobs(), &self.snapshot(commit), &locks] {
            fs::create_dir_all(folder)
                .map_err(|e| Error::io("cannot make the cache folder", folder, e))?;
        }
        let tag = self.cache.join("CACHEDIR.TAG");
        if !tag.exists() {
            // A courtesy to backup programs: a cache without the mark works as well.
            let _ = fs::write(&tag, CACHE_TAG);
        }
        Ok(())
    }

    /// Lets `snapshots/<commit>/<name>` show the blob. `name` has one segment.
    pub(crate) fn point(&self, commit: &str, name: &str, digest: &Digest, new: bool) -> Result<()> {
        self.point_by(commit, name, digest, new, symlink)
    }

    /// [`Self::point`] with the function that makes symbolic links, so that a test can play a file
    /// system that has none. There the file itself takes the pointer's place: a new blob is moved,
    /// an old one copied, since another snapshot may use it.
    fn point_by(
        &self,
        commit: &str,
        name: &str,
        digest: &Digest,
        new: bool,
        symlink: impl Fn(&Path, &Path) -> io::Result<()>,
    ) -> Result<()> {
        let folder = self.snapshot(commit);
        let pointer = folder.join(name);
        let target = Path::new("../../blobs").join(digest.hex());
        if fs::read_link(&pointer).is_ok_and(|now| now == target) {
            return Ok(());
        }
        let cannot = |e: io::Error| Error::io("cannot write the snapshot's file", &pointer, e);
        let linked = tempfile::Builder::new()
            .prefix(".link-")
            .make_in(&folder, |path| symlink(&target, path));
        match linked {
            Ok(link) => link.persist(&pointer).map(drop).map_err(|e| cannot(e.error)),
            Err(_) if new => fs::rename(self.blob(digest), &pointer).map_err(cannot),
            Err(_) => {
                let mut copy = ixc_files::beside(&folder).map_err(cannot)?;
                let mut blob = File::open(self.blob(digest)).map_err(cannot)?;
                io::copy(&mut blob, copy.as_file_mut()).map_err(cannot)?;
                copy.persist(&pointer).map(drop).map_err(|e| cannot(e.error))
            }
        }
    }

    /// The size of a snapshot's file, if it is there, with the size it should have if known.
    pub(crate) fn has(&self, commit: &str, name: &str, size: Option<u64>) -> Option<u64> {
        file_size(&self.snapshot(commit).join(name), size)
    }

    /// The commit a ref names, if there is such a ref and it holds one.
    pub(crate) fn read_ref(&self, revision: &str) -> Option<String> {
        let mut text = String::new();
        let file = File::open(self.refs().join(revision)).ok()?;
        file.take(MAX_REF_BYTES).read_to_string(&mut text).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Lets a branch or tag name a commit. A commit needs no ref.
    pub(crate) fn write_ref(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit || self.read_ref(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.refs().join(revision);
        let cannot = |e| Error::io("cannot write the ref", &path, e);
        let folder = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder).map_err(cannot)?;
        let mut file = ixc_files::beside(folder).map_err(cannot)?;
        file.write_all(commit.as_bytes()).map_err(cannot)?;
        file.as_file().sync_all().map_err(cannot)?;
        file.persist(&path).map(drop).map_err(|e| cannot(e.error))
    }

    /// The commit that a revision means in this cache: a ref, a whole commit, or the beginning of
    /// exactly one commit that has a snapshot.
    pub(crate) fn commit_of(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        self.read_ref(revision).or_else(|| {
            let is_hex = revision.bytes().all(|b| b.is_ascii_hexdigit());
            if revision.len() < MIN_COMMIT_PREFIX || !is_hex {
                return None;
            }
            let entries = fs::read_dir(self.snapshots()).ok()?;
            let mut names = entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| is_commit(name) && name.starts_with(revision));
            names.next().filter(|_| names.next().is_none())
        })
    }
}

/// The size of a file, through links, unless it should have another.
pub(crate) fn file_size(path: &Path, expected: Option<u64>) -> Option<u64> {
    let len = fs::metadata(path).ok().filter(fs::Metadata::is_file)?.len();
    Some(len).filter(|len| expected.is_none_or(|expected| *len == expected))
}

/// Makes a symbolic link to a file.
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, link);
    #[cfg(windows)]
    return std::os::windows::fs::symlink_file(target, link);
    #[cfg(not(any(unix, windows)))]
    return Err(io::ErrorKind::Unsupported.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789012345678901234567890123456789";

    fn folder(cache: &Path) -> (RepoFolder, Digest) {
        let folder = RepoFolder::new(cache, &RepoId::new("org/name").unwrap());
        folder.create(COMMIT).unwrap();
        let digest = Digest::parse(&"a".repeat(64)).unwrap();
        fs::write(folder.blob(&digest), b"weights").unwrap();
        (folder, digest)
    }

    fn no_symlinks(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    #[cfg(unix)]
    #[test]
    fn pointers_are_relative_links() {
        let cache = tempfile::tempdir().unwrap();
        let (folder, digest) = folder(cache.path());
        for _ in 0..2 {
            folder.point(COMMIT, "w.bin", &digest, true).unwrap();
        }
        let pointer = folder.snapshot(COMMIT).join("w.bin");
        let target = fs::read_link(&pointer).unwrap();
        assert_eq!(target, Path::new("../../blobs").join("a".repeat(64)));
        assert_eq!(fs::read(&pointer).unwrap(), b"weights");
        assert_eq!(fs::read_dir(folder.snapshot(COMMIT)).unwrap().count(), 1);
        assert!(fs::read_to_string(cache.path().join("CACHEDIR.TAG")).unwrap().starts_with("Sig"));
    }

    #[test]
    fn without_links_the_file_takes_the_pointers_place() {
        let cache = tempfile::tempdir().unwrap();
        let (folder, digest) = folder(cache.path());
        folder.point_by(COMMIT, "copy.bin", &digest, false, no_symlinks).unwrap();
        assert!(folder.blob(&digest).exists());
        folder.point_by(COMMIT, "moved.bin", &digest, true, no_symlinks).unwrap();
        assert!(!folder.blob(&digest).exists());
        for name in ["copy.bin", "moved.bin"] {
            assert_eq!(fs::read(folder.snapshot(COMMIT).join(name)).unwrap(), b"weights");
            assert_eq!(folder.has(COMMIT, name, None), Some(7));
            assert_eq!(folder.has(COMMIT, name, Some(8)), None);
        }
        assert_eq!(fs::read_dir(folder.snapshot(COMMIT)).unwrap().count(), 2);
    }

    #[test]
    fn refs_hold_the_bare_commit() {
        let cache = tempfile::tempdir().unwrap();
        let (folder, _) = folder(cache.path());
        folder.write_ref("refs/pr/1", COMMIT).unwrap();
        assert_eq!(fs::read(folder.refs().join("refs/pr/1")).unwrap(), COMMIT.as_bytes());
        folder.write_ref(COMMIT, COMMIT).unwrap();
        assert!(!folder.refs().join(COMMIT).exists());
        let commit = Some(COMMIT.to_owned());
        for revision in ["refs/pr/1", COMMIT, &COMMIT[..7]] {
            assert_eq!(folder.commit_of(revision), commit, "{revision}");
        }
        for revision in ["main", "012345", "0123457"] {
            assert_eq!(folder.commit_of(revision), None, "{revision}");
        }
        fs::write(folder.refs().join("main"), "../../../etc").unwrap();
        assert_eq!(folder.commit_of("main"), None);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_the_mask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let cache = tempfile::tempdir().unwrap();
        let (folder, _) = folder(cache.path());
        folder.write_ref("main", COMMIT).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let plain = cache.path().join("plain");
        fs::write(&plain, b"").unwrap();
        assert_eq!(mode(&folder.refs().join("main")), mode(&plain));
    }
}
