//! What can go wrong, in words for the person in front of the screen.
//!
//! Every message says what was expected, what was found, where, and what to do next. No message
//! holds a token, a proxy's password or the query of a signed address, and text that came from a
//! server passes `ixc_net::words::quoted` first, so that it cannot drive a terminal. Deliberately absent: exit
//! codes and colours, which belong to the binary.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ixc_net::{Unusable, words::quoted};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every way in which a reference, the cache or a download can fail.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text names neither something on this disk nor a model of a hub.
    #[error(
        "'{text}' is neither an existing file or folder nor the id of a model on a hub: {why}. \
         Expected a path that exists, or org/name[@revision], as in internlm/internlm-xcomposer2-vl-7b"
    )]
    Reference {
        /// What was given.
        text: String,
        /// Which rule of a hub id it breaks.
        why: String,
    },

    /// A revision that cannot be one.
    #[error(
        "'{revision}' cannot be a revision: {why}. Expected a branch, a tag or a commit, as in main"
    )]
    Revision {
        /// What was given.
        revision: String,
        /// Which rule it breaks.
        why: &'static str,
    },

    /// A setting or the variable it came from is not usable.
    #[error("{name} is not usable: {why}")]
    Setting {
        /// The variable or setting.
        name: String,
        /// What is wrong with it; never the value of a secret.
        why: String,
    },

    /// Nothing may be asked from the network, and the cache does not have it all.
    #[error(
        "offline, and the cache {} does not hold all of {repo}@{revision}: {missing}. Go online \
         once (unset HF_HUB_OFFLINE) and pull it",
        cache.display()
    )]
    Offline {
        /// The model.
        repo: String,
        /// The revision asked for.
        revision: String,
        /// What is not there.
        missing: String,
        /// The cache that was searched.
        cache: PathBuf,
    },

    /// The cache does not hold the model.
    #[error(
        "{repo}@{revision} is not in the cache {}: {missing}. Pull it first: ixc pull {repo}@{revision}",
        cache.display()
    )]
    NotCached {
        /// The model.
        repo: String,
        /// The revision asked for.
        revision: String,
        /// What is not there.
        missing: String,
        /// The cache that was searched.
        cache: PathBuf,
    },

    /// The server could not be reached, or broke off, as often as was tried.
    #[error(
        "{what} from {host} failed after {attempts} attempt(s): {why}. Check the network, \
         HTTPS_PROXY and HF_ENDPOINT; what arrived is kept, so pulling again goes on where it stopped"
    )]
    Unreachable {
        /// What was asked for.
        what: String,
        /// The server, without the path.
        host: String,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        why: String,
    },

    /// The model's files are given only to those who accepted its terms.
    #[error("{repo} is gated: its terms must be accepted first, at {page}. {hint}")]
    Gated {
        /// The model.
        repo: String,
        /// Where to accept.
        page: String,
        /// What to do about the token.
        hint: &'static str,
    },

    /// The server wants to know who asks, or does not like who does.
    #[error("{repo}: the hub refuses access (status {status}{said}). {hint}")]
    Denied {
        /// The model.
        repo: String,
        /// 401 or 403.
        status: u16,
        /// What the server said, with a leading colon, or nothing.
        said: String,
        /// What to do about the token.
        hint: &'static str,
    },

    /// The hub does not have it.
    #[error("{host} has no {what}. {hint}")]
    NotFound {
        /// What was looked for.
        what: String,
        /// The server.
        host: String,
        /// What to check.
        hint: &'static str,
    },

    /// Too many questions in too short a time.
    #[error(
        "{host} answers 429, too many requests{wait}. Wait and pull again; with HF_TOKEN set the \
         hub allows more"
    )]
    Busy {
        /// The server.
        host: String,
        /// How long it asks to wait, as text with a leading comma, or nothing.
        wait: String,
    },

    /// An answer that the protocol of a hub does not have.
    #[error("{host}: {why}. Is HF_ENDPOINT the address of a hub?")]
    Protocol {
        /// The server.
        host: String,
        /// What was expected and what came.
        why: String,
    },

    /// A redirect that is not followed.
    #[error("{host} redirects to somewhere that is not followed: {why}")]
    Redirect {
        /// The server that answered with the redirect.
        host: String,
        /// The reason.
        why: String,
    },

    /// A file name that would leave the cache, or was made to.
    #[error(
        "{repo} lists a file with a dangerous name, '{name}': {why}. Nothing was written; do not \
         use this repository"
    )]
    HostileName {
        /// The model.
        repo: String,
        /// The name, escaped.
        name: String,
        /// The rule it breaks.
        why: &'static str,
    },

    /// The repository is not a model that could be loaded.
    #[error(
        "{repo} holds no {missing}: {found}. Expected config.json and weights as \
             *.safetensors or pytorch_model*.bin in its top folder"
    )]
    NotAModel {
        /// The model.
        repo: String,
        /// What is missing.
        missing: &'static str,
        /// What there is.
        found: String,
    },

    /// More than this crate takes from outside.
    #[error("{what} is {found}, more than the limit of {limit}")]
    TooLarge {
        /// What.
        what: String,
        /// How much was found.
        found: String,
        /// How much is allowed.
        limit: String,
    },

    /// The bytes are not those the hub promised.
    #[error(
        "{file}: the {algorithm} of what arrived is {found}, the hub promised {expected}. The \
         download was deleted; pull again, and if it persists the server or a proxy alters files"
    )]
    Digest {
        /// The file.
        file: String,
        /// `SHA-256`, or `git blob SHA-1`.
        algorithm: &'static str,
        /// The promised digest, in hex.
        expected: String,
        /// The digest of what arrived, in hex.
        found: String,
    },

    /// The number of bytes is not what the hub promised.
    #[error(
        "{file}: the hub promised {expected} bytes, {host} sends {found}. Pull again later; if it \
         persists the server or a proxy alters files"
    )]
    Size {
        /// The file.
        file: String,
        /// The server.
        host: String,
        /// Promised bytes.
        expected: u64,
        /// Found bytes, as text ("at least n" when the rest was not read).
        found: String,
    },

    /// The hub gives nothing by which a file could be checked.
    #[error(
        "{file}: {host} gives neither a SHA-256 nor a git blob id for it, so it cannot be checked \
         and is not stored"
    )]
    NoDigest {
        /// The file.
        file: String,
        /// The server.
        host: String,
    },

    /// The disk is too small.
    #[error(
        "not enough space in {}: {needed} still to write, {available} free. Free some, remove a \
         model (ixc rm), or set HF_HUB_CACHE to a larger disk",
        path.display()
    )]
    NoSpace {
        /// The cache.
        path: PathBuf,
        /// Bytes needed, as text.
        needed: String,
        /// Bytes free, as text.
        available: String,
    },

    /// The operating system refused.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done, as "cannot …".
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// What is to be removed is not there.
    #[error("the cache {} does not hold {what}: {there}. See ixc list", cache.display())]
    NothingToRemove {
        /// The model, with the revision if one was given.
        what: String,
        /// The cache that was searched.
        cache: PathBuf,
        /// What is there instead.
        there: String,
    },

    /// A folder of the cache is not what this crate may delete.
    #[error("{} is not removed: {why}", path.display())]
    NotRemoved {
        /// The folder.
        path: PathBuf,
        /// The reason.
        why: &'static str,
    },

    /// The caller's progress function asked to stop.
    #[error("stopped; what arrived is kept, so pulling again goes on where it stopped")]
    Cancelled,
}

impl Error {
    /// An operating system's error with its place. A full disk becomes [`Error::NoSpace`].
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        if matches!(source.kind(), StorageFull | QuotaExceeded) {
            let free = fs4::available_space(path.parent().unwrap_or(path)).unwrap_or(0);
            return Error::NoSpace {
                path: path.to_path_buf(),
                needed: "more".to_owned(),
                available: bytes(free),
            };
        }
        Error::Io { doing, path: path.to_path_buf(), source }
    }
}

impl From<Unusable> for Error {
    fn from(Unusable { name, why }: Unusable) -> Self {
        Error::Setting { name, why }
    }
}

/// A few names for a message.
pub(crate) fn named<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 5;
    let mut out: Vec<String> = names.iter().take(SHOWN).map(|name| quoted(name.as_ref())).collect();
    if names.len() > SHOWN {
        out.push(format!("and {} more", names.len() - SHOWN));
    }
    out.join(", ")
}

/// Bytes for people, in powers of 1000 as disks are sold: `15.6 GB`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1000.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A duration for people: `42 s`.
pub(crate) fn seconds(d: Duration) -> String {
    format!("{} s", d.as_secs_f64().ceil())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.0 kB");
        assert_eq!(bytes(15_600_000_000), "15.6 GB");
        assert_eq!(bytes(u64::MAX), "18446.7 PB");
    }

    #[test]
    fn a_full_disk_says_so() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = Error::io("cannot write", Path::new("/tmp/blob"), full);
        assert!(matches!(error, Error::NoSpace { .. }), "{error}");
        let quota = io::Error::from(io::ErrorKind::QuotaExceeded);
        let error = Error::io("cannot write", Path::new("/tmp/blob"), quota);
        assert!(error.to_string().contains("HF_HUB_CACHE"), "{error}");
        let other = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = Error::io("cannot write", Path::new("/tmp/blob"), other);
        assert!(error.to_string().starts_with("cannot write /tmp/blob"), "{error}");
    }
}
