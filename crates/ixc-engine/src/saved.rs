//! A past in a file, so that a later run goes on where this one ended.
//!
//! Layout: the first line [`FORMAT`]; the model's fingerprint (32 bytes); the steps, each a tag, then
//! for a word its id (u32), for a picture its digest (32 bytes) and its positions (u32), all little
//! endian; a tag that ends them; the keys and values as the cache writes them; the SHA-256 of all that.
//! Invariants: a changed byte is an error, and so is another model; nothing is allocated by a number in
//! the file. Deliberately absent: the conversation's text and the pictures, which the caller has.

use std::io::{self, Read, Write};

use ixc_nn::cache::KvCache;
use sha2::{Digest as _, Sha256};

use crate::{
    Engine, Error, Past,
    features::Digest,
    past::{Step, rows},
};

/// Says what it is, and which version of it.
const FORMAT: &[u8] = b"ixc-past-1\n";

const WORD: u8 = 0;
const PICTURE: u8 = 1;
const END: u8 = 2;

/// Hashes what passes through.
struct Hashed<T> {
    inner: T,
    hash: Sha256,
}

impl<T> Hashed<T> {
    fn new(inner: T) -> Self {
        Self { inner, hash: Sha256::new() }
    }
}

impl<T: Write> Write for Hashed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashed<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }
}

impl<T: Read> Hashed<T> {
    fn array<const COUNT: usize>(&mut self) -> io::Result<[u8; COUNT]> {
        let mut bytes = [0; COUNT];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }
}

impl Engine {
    /// Writes what a conversation has read, for [`Engine::read_past`]. Many small writes: give a
    /// buffered `out`.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn write_past(&self, past: &Past, out: &mut impl Write) -> io::Result<()> {
        let mut past = past.share();
        let positions = rows(past.read());
        past.cache.truncate(positions);
        let mut out = Hashed::new(out);
        out.write_all(FORMAT)?;
        out.write_all(&self.fingerprint)?;
        for step in past.read() {
            match step {
                Step::Word(id) => {
                    out.write_all(&[WORD])?;
                    out.write_all(&id.to_le_bytes())?;
                }
                Step::Picture { digest, rows } => {
                    let rows = u32::try_from(*rows).map_err(io::Error::other)?;
                    out.write_all(&[PICTURE])?;
                    out.write_all(digest)?;
                    out.write_all(&rows.to_le_bytes())?;
                }
            }
        }
        out.write_all(&[END])?;
        past.cache.write_to(&mut out)?;
        let digest: Digest = out.hash.finalize().into();
        out.inner.write_all(&digest)
    }

    /// Reads what [`Engine::write_past`] wrote; nothing may follow it.
    ///
    /// # Errors
    /// When it was written with another model or precision, holds more than this engine's context, or
    /// is damaged.
    pub fn read_past(&self, input: &mut impl Read) -> Result<Past, Error> {
        let damaged = |error: io::Error| {
            Error::Past(match error.kind() {
                io::ErrorKind::UnexpectedEof => "the file ends early, it was cut off".into(),
                _ => error.to_string(),
            })
        };
        let mut input = Hashed::new(input);
        let format = input.array::<{ FORMAT.len() }>().map_err(damaged)?;
        if format != FORMAT {
            let expected = String::from_utf8_lossy(FORMAT.trim_ascii());
            let found = String::from_utf8_lossy(&format).into_owned();
            return Err(Error::Past(format!("expected format {expected:?}, found {found:?}")));
        }
        if input.array().map_err(damaged)? != self.fingerprint {
            let reason = "it was made with another model, another precision of its weights \
                          (--dtype), or another version of ixc";
            return Err(Error::Past(reason.into()));
        }
        let steps = self.read_steps(&mut input, damaged)?;
        let positions = rows(&steps);
        let cache = KvCache::read_from(&mut input, *self.cache().shape(), self.context())
            .map_err(|error| Error::Past(error.to_string()))?;
        if cache.len() != positions {
            return Err(Error::Past(format!(
                "expected keys and values of {positions} positions, found {}",
                cache.len()
            )));
        }
        let digest: Digest = input.hash.clone().finalize().into();
        if input.array().map_err(damaged)? != digest {
            return Err(Error::Past("its bytes are not those that were written".into()));
        }
        match input.read(&mut [0]).map_err(damaged)? {
            0 => Ok(Past::of(steps, cache)),
            _ => Err(Error::Past("expected its end, found more bytes".into())),
        }
    }

    fn read_steps(
        &self,
        input: &mut Hashed<impl Read>,
        damaged: impl Fn(io::Error) -> Error + Copy,
    ) -> Result<Vec<Step>, Error> {
        let (mut steps, mut positions) = (Vec::new(), 0);
        loop {
            let [tag] = input.array().map_err(damaged)?;
            let step = match tag {
                WORD => Step::Word(input.number().map_err(damaged)?),
                PICTURE => {
                    let digest = input.array().map_err(damaged)?;
                    Step::Picture { digest, rows: input.number().map_err(damaged)? as usize }
                }
                END => return Ok(steps),
                _ => return Err(Error::Past(format!("expected a word or a picture, found {tag}"))),
            };
            positions += step.rows();
            if positions > self.context() {
                return Err(Error::Past(format!(
                    "expected at most {} positions, the context, found more; give a greater --context",
                    self.context()
                )));
            }
            steps.push(step);
        }
    }
}
