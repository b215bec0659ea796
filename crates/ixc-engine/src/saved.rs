//! A past in a file, so that a later run goes on where this one ended.
//!
//! Layout: the first line [`FORMAT`]; what it was made with and for how many positions ([`Maker`]); the
//! SHA-256 of both; the steps, each a tag, then for a word its id (u32), for a picture its digest (32
//! bytes) and its positions (u32), all little endian; a tag that ends them; the keys and values as the
//! cache writes them; the SHA-256 of all that.
//! Invariants: a changed byte is an error; so is another model, precision or arithmetic, and what differs
//! is named; nothing is allocated by a number in the file. Deliberately absent: the conversation's text
//! and the pictures, which the caller has.

use std::io::{self, Read, Write};

use ixc_nn::{
    Arithmetic,
    cache::{KvCache, KvType},
    weights::Keep,
};
use sha2::{Digest as _, Sha256};

use crate::{
    Engine, Error, Past,
    engine::Holding,
    features::Digest,
    past::{Step, rows},
};

/// Says what it is, and which version of it.
const FORMAT: &[u8] = b"ixc-past-2\n";

const WORD: u8 = 0;
const PICTURE: u8 = 1;
const END: u8 = 2;

const CHANGED: &str = "its bytes are not those that were written";

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

impl<T: Write> Hashed<T> {
    /// Writes the digest of all that was written.
    fn write_digest(&mut self) -> io::Result<()> {
        let digest: Digest = self.hash.clone().finalize().into();
        self.write_all(&digest)
    }
}

impl<T: Read> Hashed<T> {
    /// Reads what [`Hashed::write_digest`] wrote behind the same bytes.
    fn check_digest(&mut self) -> io::Result<()> {
        let digest: Digest = self.hash.clone().finalize().into();
        match self.array()? == digest {
            true => Ok(()),
            false => Err(io::Error::other(CHANGED)),
        }
    }

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
        self.maker(positions).write(&mut out)?;
        out.write_digest()?;
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
        out.write_digest()
    }

    /// What it is made with here.
    fn maker(&self, positions: usize) -> Maker {
        let Holding { keep, arithmetic, kv } = self.holding;
        Maker { model: self.fingerprint, keep, arithmetic, kv, positions: positions as u64 }
    }

    /// Reads what [`Engine::write_past`] wrote; nothing may follow it.
    ///
    /// # Errors
    /// When it was written with another model, precision or arithmetic, holds more than this engine's
    /// context, or is damaged.
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
        let found = Maker::read(&mut input).map_err(damaged)?;
        input.check_digest().map_err(damaged)?;
        // It is as it was written; only now is it said what differs.
        let Some(found) = found else {
            return Err(Error::Past("it was made by another version of ixc".into()));
        };
        let differences = found.differences(&self.maker(0), self.context());
        if !differences.is_empty() {
            return Err(Error::Past(differences.join("; ")));
        }
        let steps = read_steps(&mut input, found.positions, damaged)?;
        let cache = KvCache::read_from(&mut input, *self.cache().shape(), rows(&steps))
            .map_err(|error| Error::Past(error.to_string()))?;
        input.check_digest().map_err(damaged)?;
        match input.read(&mut [0]).map_err(damaged)? {
            0 => Ok(Past::of(steps, cache)),
            _ => Err(Error::Past("expected its end, found more bytes".into())),
        }
    }
}

/// Reads steps that take so many positions.
fn read_steps(
    input: &mut Hashed<impl Read>,
    positions: u64,
    damaged: impl Fn(io::Error) -> Error + Copy,
) -> Result<Vec<Step>, Error> {
    let (mut steps, mut left) = (Vec::new(), positions);
    let changed = || Error::Past(CHANGED.into());
    loop {
        let [tag] = input.array().map_err(damaged)?;
        let (step, rows) = match tag {
            WORD => (Step::Word(input.number().map_err(damaged)?), 1),
            PICTURE => {
                let digest = input.array().map_err(damaged)?;
                let rows = input.number().map_err(damaged)?;
                (Step::Picture { digest, rows: rows as usize }, rows)
            }
            END if left == 0 => return Ok(steps),
            _ => return Err(changed()),
        };
        // Steps without positions would go on for as long as the file does.
        if rows == 0 {
            return Err(changed());
        }
        left = left.checked_sub(rows.into()).ok_or_else(changed)?;
        steps.push(step);
    }
}

/// What a past was made with.
#[derive(Debug, PartialEq, Eq)]
struct Maker {
    /// The model's fingerprint.
    model: Digest,
    keep: Keep,
    arithmetic: Arithmetic,
    kv: KvType,
    /// Positions that it holds.
    positions: u64,
}

const KEEPS: [Keep; 4] = [Keep::Stored, Keep::F32, Keep::Bf16, Keep::F16];
const ARITHMETICS: [Arithmetic; 2] = [Arithmetic::Exact, Arithmetic::Fast];

impl Maker {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let number = |place: Option<usize>| place.expect("all are listed") as u8;
        out.write_all(&self.model)?;
        out.write_all(&[
            number(KEEPS.iter().position(|keep| *keep == self.keep)),
            number(ARITHMETICS.iter().position(|arithmetic| *arithmetic == self.arithmetic)),
            number(KvType::ALL.iter().position(|kind| *kind == self.kv)),
        ])?;
        out.write_all(&self.positions.to_le_bytes())
    }

    /// Nothing where it names what this version does not know.
    fn read(input: &mut Hashed<impl Read>) -> io::Result<Option<Self>> {
        let model = input.array()?;
        let [keep, arithmetic, kv] = input.array()?.map(usize::from);
        let positions = input.array().map(u64::from_le_bytes)?;
        let known = (KEEPS.get(keep), ARITHMETICS.get(arithmetic), KvType::ALL.get(kv));
        let (Some(&keep), Some(&arithmetic), Some(&kv)) = known else { return Ok(None) };
        Ok(Some(Self { model, keep, arithmetic, kv, positions }))
    }

    /// What keeps a past that was made so from one that is made like `here`, each with what helps.
    fn differences(&self, here: &Self, context: usize) -> Vec<String> {
        let mut found = Vec::new();
        if self.model != here.model {
            found.push("it was made with another model, or another version of ixc".into());
        }
        if self.keep != here.keep {
            let [then, now] = [self.keep, here.keep].map(keep_name);
            found.push(format!("it was made with --dtype {then}, and this is --dtype {now}"));
        }
        if self.arithmetic != here.arithmetic {
            found.push(match self.arithmetic {
                Arithmetic::Exact => "it was made with --exact, and this is without".into(),
                Arithmetic::Fast => "it was made without --exact, and this is with it".into(),
            });
        }
        if self.kv != here.kv {
            let (then, now) = (self.kv.name(), here.kv.name());
            found.push(format!("it was made with --kv {then}, and this is --kv {now}"));
        }
        if self.positions > context as u64 {
            found.push(format!(
                "it holds {} positions, and the context is {context}: give a greater --context",
                self.positions
            ));
        }
        found
    }
}

fn keep_name(keep: Keep) -> &'static str {
    match keep {
        Keep::Stored => "stored",
        Keep::F32 => "f32",
        Keep::Bf16 => "bf16",
        Keep::F16 => "f16",
    }
}
