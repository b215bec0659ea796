//! The digests of a folder's files, in the form that `sha256sum --check` reads.
//!
//! One line a file, sorted, and a last one, a comment to other tools, with the digest of the lines above it.
//! So a changed byte of the manifest is noticed like one of any other file. Deliberately absent: signatures;
//! this is about accidents.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::write_text;
use crate::Error;

/// Its name in the folder.
pub(super) const NAME: &str = "manifest.sha256";

/// Bytes that are hashed at a time.
const PIECE: usize = 1 << 20;

/// Writes the manifest of what is in the folder, itself synced as all files are.
pub(super) fn write(folder: &Path) -> Result<(), Error> {
    let mut digests = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        digests.insert(name, digest(&path).map_err(Error::io("read", &path))?);
    }
    write_text(&folder.join(NAME), &text(&digests))
}

/// Checks every byte of the folder's files against the manifest.
pub(super) fn verify(folder: &Path) -> Result<(), Error> {
    let damaged = |file: &str, problem: &str| {
        Err(Error::Damaged { path: folder.join(file), problem: problem.into() })
    };
    let path = folder.join(NAME);
    let found = match fs::read(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return damaged(NAME, "the list of digests is missing: the checkpoint is not complete");
        }
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let Some(digests) = parse(&found) else {
        return damaged(NAME, "the list of digests is not as it was written");
    };
    for (name, expected) in digests {
        match digest(&folder.join(&name)) {
            Ok(found) if found == expected => {}
            Ok(_) => return damaged(&name, "its bytes are not those that were written"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return damaged(&name, "the file is missing");
            }
            Err(error) => return Err(Error::io("read", &folder.join(&name))(error)),
        }
    }
    Ok(())
}

fn text(digests: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (name, digest) in digests {
        writeln!(text, "{digest}  {name}").expect("a string grows");
    }
    let own = hex(&Sha256::digest(text.as_bytes()));
    writeln!(text, "# {own} of the lines above").expect("a string grows");
    text
}

/// The digests of a manifest that is, byte for byte, one that [`text`] writes.
fn parse(found: &[u8]) -> Option<BTreeMap<String, String>> {
    let lines = std::str::from_utf8(found).ok()?.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| {
        let (digest, name) = line.split_once("  ")?;
        Some((name.to_owned(), digest.to_owned()))
    });
    let digests: BTreeMap<String, String> = pairs.collect::<Option<_>>()?;
    let plain = |name: &String| !name.is_empty() && !name.contains(['/', '\\']);
    (digests.keys().all(plain) && text(&digests).as_bytes() == found).then_some(digests)
}

/// The digest of a file, in hexadecimal digits.
fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&piece[..count]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string grows");
        text
    })
}
