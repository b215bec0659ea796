//! One file, from the hub into `blobs/`: locked, resumed, checked, renamed into place.
//!
//! Whatever arrives lies in a partial file until its digest is right; only then does it get its
//! name. Deliberately absent: the choice of files and the pointers to them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;

use ixc_net::{address, words::io_reason};

use crate::client::{Ask, Client, Reply};
use crate::error::{Error, Result};
use crate::layout::{RepoFolder, file_size};
use crate::limits::{CHUNK_BYTES, FRESH_BYTES, POLL};
use crate::listing::Listed;
use crate::names::is_commit;
use crate::partial::Partial;
use crate::plan::too_large;
use crate::progress::{Progress, Watch};
use crate::refusal::Subject;
use crate::retry::{Failure, retrying};
use crate::settings::Settings;
use crate::verify::Digest;

/// Where a file comes from and goes to.
pub(crate) struct Job<'a> {
    /// The hub.
    pub(crate) client: &'a Client<'a>,
    /// How patiently.
    pub(crate) settings: &'a Settings,
    /// The model's folder, already made.
    pub(crate) folder: &'a RepoFolder,
    /// The commit.
    pub(crate) commit: &'a str,
    /// The file, as the listing describes it.
    pub(crate) file: &'a Listed,
    /// How large it may be.
    pub(crate) limit: u64,
}

/// A file that is complete in `blobs/`.
pub(crate) struct Fetched {
    /// What it is called there.
    pub(crate) digest: Digest,
    /// Its bytes.
    pub(crate) size: u64,
    /// Bytes that came over the network for it.
    pub(crate) transferred: u64,
    /// Whether it was not there before.
    pub(crate) new: bool,
}

/// Brings one file into `blobs/`, unless it is there.
pub(crate) fn fetch(job: &Job<'_>, watch: &mut Watch<'_>) -> Result<Fetched> {
    let (digest, size) = job.facts(watch)?;
    if let Some(size) = size.filter(|size| *size > job.limit) {
        let what = format!("{} of {}", job.file.name, job.folder.repo);
        return Err(too_large(what, size, job.limit));
    }
    if let Some(size) = job.held(&digest, size) {
        return Ok(Fetched { digest, size, transferred: 0, new: false });
    }
    let _lock = job.lock(&digest, watch)?;
    // Whoever held the lock may have fetched it.
    if let Some(size) = job.held(&digest, size) {
        return Ok(Fetched { digest, size, transferred: 0, new: false });
    }
    let name = &job.file.name;
    let mut partial = Partial::open(job.folder.partial(&digest), &digest, size, name, watch)?;
    let resumed = partial.len;
    watch.tell(Progress::Started { file: name, size, resumed })?;
    let mut may_restart = resumed > 0;
    loop {
        job.complete(&mut partial, &digest, size, watch)?;
        let Some(found) = partial.finish()? else { break };
        // A wrong digest after resuming may be the fault of what lay there before: once more from
        // nothing. After a whole download it is the server's.
        if !may_restart {
            partial.delete()?;
            return Err(Error::Digest {
                file: name.clone(),
                algorithm: digest.algorithm(),
                expected: digest.hex().to_owned(),
                found,
            });
        }
        may_restart = false;
        partial.restart();
    }
    let (size, transferred) = (partial.len, partial.transferred);
    partial.rename(job.folder.blob(&digest))?;
    watch.tell(Progress::Finished { file: name, size })?;
    Ok(Fetched { digest, size, transferred, new: true })
}

impl Job<'_> {
    /// The path of the file on the hub.
    fn path(&self) -> String {
        let name: Vec<String> = self.file.name.split('/').map(address::segment).collect();
        format!("/{}/resolve/{}/{}", self.folder.repo, self.commit, name.join("/"))
    }

    /// What requests for it are about.
    fn subject(&self) -> Subject<'_> {
        let repo = self.folder.repo.as_str();
        Subject { repo, revision: self.commit, file: Some(&self.file.name) }
    }

    /// Digest and size: from the listing, or from the head of the file where the listing is silent.
    fn facts(&self, watch: &mut Watch<'_>) -> Result<(Digest, Option<u64>)> {
        if let Some(digest) = &self.file.digest {
            return Ok((digest.clone(), self.file.size));
        }
        let name = &self.file.name;
        let head = retrying(name, self.settings.retries, self.settings, watch, |_| {
            let reply = self.client.send(Ask::Head, &self.path(), &self.subject())?;
            self.check_commit(&reply)?;
            Ok(reply.head)
        })?;
        let host = self.client.host().to_owned();
        match head.digest {
            Some(digest) => Ok((digest, self.file.size.or(head.size))),
            None => Err(Error::NoDigest { file: name.clone(), host }),
        }
    }

    /// The size of the blob, if it is there and whole. One of another size is damaged, and will be
    /// replaced.
    fn held(&self, digest: &Digest, size: Option<u64>) -> Option<u64> {
        file_size(&self.folder.blob(digest), size)
    }

    /// Takes the lock under which the blob is written. The system lets go of it if we die. A file
    /// system that knows no locks costs only a download done twice.
    fn lock(&self, digest: &Digest, watch: &mut Watch<'_>) -> Result<Option<File>> {
        let path = self.folder.lock(digest);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| Error::io("cannot open the lock", &path, e))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => watch.pause(&self.file.name, POLL)?,
                Err(TryLockError::Error(_)) => return Ok(None),
            }
        }
    }

    /// Fetches until the partial file has all its bytes.
    fn complete(
        &self,
        partial: &mut Partial,
        digest: &Digest,
        size: Option<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        if size == Some(partial.len) && partial.len > 0 {
            return Ok(());
        }
        let name = &self.file.name;
        retrying(name, self.settings.retries, self.settings, watch, |watch| {
            let reached = partial.reached;
            let mut result = self.attempt(partial, digest, size, watch);
            if let Err(Failure::Broken(broken)) = &mut result {
                broken.fresh = partial.reached.saturating_sub(reached) >= FRESH_BYTES;
            }
            result
        })
    }

    /// One request for what is still missing.
    fn attempt(
        &self,
        partial: &mut Partial,
        digest: &Digest,
        size: Option<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<(), Failure> {
        let reply = self.client.send(Ask::File(partial.len), &self.path(), &self.subject())?;
        self.check_commit(&reply)?;
        self.check_answer(&reply, digest)?;
        match (reply.status, reply.head.range) {
            (206, Some((first, _))) if first == partial.len => {}
            // A server that cannot resume sends it all.
            (200, _) => partial.restart(),
            (416, _) | (206, _) => {
                let had = partial.len;
                partial.restart();
                let why = format!("the server cannot go on at byte {had}");
                return Err(Failure::broken(&reply.host, why));
            }
            (status, _) => {
                let why = format!("the server answers {status} to a request for a file");
                return Err(Failure::broken(&reply.host, why));
            }
        }
        self.receive(reply, partial, size, watch)
    }

    /// Moves the answer's body to the disk.
    fn receive(
        &self,
        reply: Reply,
        partial: &mut Partial,
        size: Option<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<(), Failure> {
        let file = &self.file.name;
        let announced = match (reply.status, reply.head.range) {
            (206, Some((_, whole))) => whole,
            _ => reply.body.content_length(),
        };
        let wrong = |found: String, expected: u64| Error::Size {
            file: file.clone(),
            host: reply.host.clone(),
            expected,
            found,
        };
        if let (Some(expected), Some(found)) = (size, announced)
            && expected != found
        {
            return Err(wrong(found.to_string(), expected).into());
        }
        let end = size.or(announced);
        let limit = end.unwrap_or(self.limit).min(self.limit);
        let mut body = reply.body.into_reader();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let n =
                body.read(&mut chunk).map_err(|e| Failure::broken(&reply.host, io_reason(&e)))?;
            if n == 0 {
                break;
            }
            if n as u64 > limit.saturating_sub(partial.len) {
                return Err(wrong(format!("more than {limit}"), limit).into());
            }
            partial.write(&chunk[..n])?;
            watch.tell(Progress::Advanced { file, done: partial.len })?;
        }
        match end {
            Some(end) if partial.len < end => {
                let why = format!("the connection ended after {} of {end} bytes", partial.len);
                Err(Failure::broken(&reply.host, why))
            }
            _ => Ok(()),
        }
    }

    /// The answer must belong to the commit that was listed.
    fn check_commit(&self, reply: &Reply) -> Result<()> {
        match &reply.head.commit {
            Some(commit) if commit != self.commit => Err(Error::Protocol {
                host: reply.host.clone(),
                why: format!(
                    "asked for {} of commit {}, it gives that of {}",
                    self.file.name,
                    self.commit,
                    if is_commit(commit) { commit } else { "something else" }
                ),
            }),
            _ => Ok(()),
        }
    }

    /// The answer must promise the same bytes as the listing, and send them as they are.
    fn check_answer(&self, reply: &Reply, digest: &Digest) -> Result<()> {
        let name = &self.file.name;
        let protocol = |why: String| Err(Error::Protocol { host: reply.host.clone(), why });
        if reply.head.is_packed {
            return protocol(format!("it sends {name} compressed, which was not asked for"));
        }
        match &reply.head.digest {
            Some(now) if now.algorithm() == digest.algorithm() && now != digest => {
                protocol(format!(
                    "the listing promised {name} with {} {}, the file's own headers say {}",
                    digest.algorithm(),
                    digest.hex(),
                    now.hex()
                ))
            }
            _ => Ok(()),
        }
    }
}
