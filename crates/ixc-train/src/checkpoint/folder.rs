//! The folders of a run's checkpoints: names, order, places, and which may go.
//!
//! `checkpoint-N` is a complete checkpoint; a hidden name that ends in `.part` is one that is being written
//! or removed, and never read. Deliberately absent: what is in them.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use ixc_files as files;

use crate::Error;

const PREFIX: &str = "checkpoint-";
const PART: &str = ".part";
const LOCK: &str = ".ixc-train.lock";

/// Where the checkpoint behind a step lies.
pub(super) fn path(out: &Path, step: u64) -> PathBuf {
    out.join(format!("{PREFIX}{step}"))
}

/// The hidden name beside a checkpoint's, under which it is written or removed.
pub(super) fn side(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}{PART}"))
}

/// Every checkpoint by its name, the newest first.
pub(super) fn newest_first(out: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut steps: Vec<u64> = names(out)?
        .iter()
        .filter_map(|name| {
            let digits = name.strip_prefix(PREFIX)?;
            digits.parse().ok().filter(|step: &u64| step.to_string() == digits)
        })
        .collect();
    steps.sort_unstable();
    Ok(steps.into_iter().rev().map(|step| path(out, step)).collect())
}

fn names(out: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", out)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io("list", out))?.file_name();
        names.extend(name.to_str().map(String::from));
    }
    Ok(names)
}

/// Removes what an earlier write or removal left unfinished.
pub(super) fn sweep(out: &Path) -> Result<(), Error> {
    fs::create_dir_all(out).map_err(Error::io("make the folder", out))?;
    let left = |name: &String| name.starts_with(&format!(".{PREFIX}")) && name.ends_with(PART);
    for name in names(out)?.into_iter().filter(left) {
        let path = out.join(name);
        fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
    }
    Ok(())
}

/// Gives a complete checkpoint its name, durably. What had it (a damaged one, whose steps were done again)
/// goes.
pub(super) fn take_place(side: &Path, place: &Path) -> Result<(), Error> {
    if place.exists() {
        let old = place.with_extension("old");
        let old = self::side(&old);
        fs::rename(place, &old).map_err(Error::io("rename", place))?;
        fs::rename(side, place).map_err(Error::io("rename", side))?;
        fs::remove_dir_all(&old).map_err(Error::io("remove", &old))?;
    } else {
        fs::rename(side, place).map_err(Error::io("rename", side))?;
    }
    let out = files::folder_of(place);
    files::sync_folder(out).map_err(Error::io("write", out))
}

/// Removes all but the newest `keep` checkpoints and those behind the steps in `protect`. Call it right
/// after [`super::write`]: then the newest is known to be whole, and it always stays.
///
/// # Errors
/// When the disk refuses; what is not removed stays whole.
pub fn prune(out: &Path, keep: usize, protect: &[u64]) -> Result<(), Error> {
    let protected: Vec<PathBuf> = protect.iter().map(|&step| path(out, step)).collect();
    for place in newest_first(out)?.into_iter().skip(keep.max(1)) {
        if protected.contains(&place) {
            continue;
        }
        // Under another name first: half a checkpoint must not look like one.
        let gone = side(&place);
        fs::rename(&place, &gone).map_err(Error::io("rename", &place))?;
        fs::remove_dir_all(&gone).map_err(Error::io("remove", &gone))?;
    }
    Ok(())
}

/// The right to write into a run's folder: one run at a time. It ends with the value, or the process.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "open for as long as the lock is to hold")] File);

impl Claim {
    /// Claims a run's folder, which is made when it is not there.
    ///
    /// # Errors
    /// When another run has it, or the folder cannot be written to.
    pub fn new(out: &Path) -> Result<Self, Error> {
        fs::create_dir_all(out).map_err(Error::io("make the folder", out))?;
        let path = out.join(LOCK);
        let file = File::create(&path).map_err(Error::io("write", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::Recipe {
                place: "out".into(),
                problem: format!(
                    "{}: another run writes into this folder; wait for it, or choose another",
                    out.display()
                ),
            }),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
        }
    }
}
