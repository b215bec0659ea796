//! Digests: what a file's bytes must be, and what they are.
//!
//! The hub names a large file by the SHA-256 of its bytes and a small one by the id that git gives
//! it: the SHA-1 of `blob <length>\0` and the bytes. The same text is the file's name below
//! `blobs/`, so only these two forms ever become file names. Deliberately absent: trust in a file
//! without a digest.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::limits::CHUNK_BYTES;
use crate::names::is_lower_hex;

/// The digest a file must have, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Digest {
    /// SHA-256 of the bytes, 64 digits.
    Sha256(String),
    /// Git's id of the bytes as a blob, 40 digits.
    GitBlob(String),
}

impl Digest {
    /// Reads an ETag or a listing's field; `None` when it is neither form.
    ///
    /// An ETag comes in quotes, perhaps with `W/` in front (RFC 9110, section 8.8.3).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        if is_lower_hex(text, 64) {
            Some(Digest::Sha256(text.to_owned()))
        } else if is_lower_hex(text, 40) {
            Some(Digest::GitBlob(text.to_owned()))
        } else {
            None
        }
    }

    /// The digits: also the file's name below `blobs/`.
    pub(crate) fn hex(&self) -> &str {
        let (Digest::Sha256(hex) | Digest::GitBlob(hex)) = self;
        hex
    }

    /// Its name, for messages.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Digest::Sha256(_) => "SHA-256",
            Digest::GitBlob(_) => "git blob SHA-1",
        }
    }
}

/// A digest in the making, fed in the order of the file.
///
/// Git's needs the length first, which is certain only at the end; its files are small, so it
/// reads them once more then.
pub(crate) enum Running {
    /// Grows with each piece.
    Sha256(Sha256),
    /// Computed by [`Running::finish`].
    GitBlob,
}

impl Running {
    /// A digest of nothing yet, of the same kind as the expected one.
    pub(crate) fn like(expected: &Digest) -> Self {
        match expected {
            Digest::Sha256(_) => Running::Sha256(Sha256::new()),
            Digest::GitBlob(_) => Running::GitBlob,
        }
    }

    /// Takes the next bytes of the file.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Running::Sha256(hash) = self {
            hash.update(bytes);
        }
    }

    /// The digest of all that was fed, which must be the first `len` bytes of `file`.
    pub(crate) fn finish(self, file: &mut File, len: u64) -> std::io::Result<String> {
        match self {
            Running::Sha256(hash) => Ok(hex(&hash.finalize())),
            Running::GitBlob => git_blob(file, len),
        }
    }
}

/// Git's id of the first `len` bytes of a file as a blob.
fn git_blob(file: &mut File, len: u64) -> std::io::Result<String> {
    let mut hash = Sha1::new();
    hash.update(format!("blob {len}\0"));
    file.seek(SeekFrom::Start(0))?;
    let mut rest = file.take(len);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let n = rest.read(&mut chunk)?;
        if n == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&chunk[..n]);
    }
}

/// Bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn digest_of(kind: &str, bytes: &[u8]) -> String {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut running = Running::like(&Digest::parse(kind).unwrap());
        for piece in bytes.chunks(3) {
            running.update(piece);
        }
        running.finish(&mut file, bytes.len() as u64).unwrap()
    }

    #[test]
    fn known_digests() {
        // FIPS 180-2, appendix B.1; and `git hash-object` of nothing and of "hello\n".
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest_of(abc, b"abc"), abc);
        let empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        assert_eq!(digest_of(empty, b""), empty);
        let hello = "ce013625030ba8dba906f756967f9e9ca394464a";
        assert_eq!(digest_of(hello, b"hello\n"), hello);
    }

    #[test]
    fn etags() {
        let sha1 = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for text in [sha1.to_owned(), format!("\"{sha1}\""), format!(" W/\"{sha1}\"")] {
            assert_eq!(Digest::parse(&text), Some(Digest::GitBlob(sha1.into())), "{text}");
        }
        assert_eq!(Digest::parse(sha256), Some(Digest::Sha256(sha256.into())));
        for text in [
            "",
            "\"\"",
            "../../../../etc/passwd",
            "\"..\"",
            "ce013625030ba8dba906f756967f9e9ca394464",
            "CE013625030BA8DBA906F756967F9E9CA394464A",
            "ce013625030ba8dba906f756967f9e9ca394464/",
            "9bb58f26192e4ba00f01e2e7b136bbd8-12",
        ] {
            assert_eq!(Digest::parse(text), None, "{text}");
        }
    }
}
