//! A graph's file, checked before it is used.
//!
//! usearch maps the file and follows the numbers in it: a neighbour that is not there would be read all the same.
//! So each is checked here, in one pass that also digests the file. The form, of usearch 2 with little-endian
//! numbers: vectors (u32 rows, u32 bytes of each, then themselves), a head of 64 bytes, sizes (5 × u64), each
//! node's level (i16), and the nodes: key u64, level i16, then for each level a u32 count and as many u32 places as
//! the level has room for. Deliberately absent: whether the neighbours are near; a poor graph finds less, never
//! something else.

use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read},
    path::Path,
};

use half::bf16;
use sha2::{Digest as _, Sha256};

use super::graph::CONNECTIVITY;
use crate::Digest;

/// Bytes of the head between vectors and nodes.
const HEAD: usize = 64;

/// What the head begins with: whose it is, and the first of three numbers of the version.
const MAGIC: &[u8] = b"usearch\x02\x00";

/// Where the head says how many vectors, removed ones and dimensions there are, and what kinds of numbers.
const KINDS: usize = 13;
const COUNTS: usize = 17;

/// Kinds: inner product, bfloat16, keys of 64 bits, places of 32.
const OURS: [u8; 4] = [b'i', 4, 14, 15];

/// Levels of a node at most: each has a sixteenth of the nodes of the one below, and 2⁶⁴ nodes would have 16.
const LEVELS: i16 = 32;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// The vectors' keys.
    pub keys: Vec<u64>,
}

/// Bytes that are digested as they are read.
struct Source {
    file: BufReader<File>,
    sha: Sha256,
    left: u64,
}

impl Source {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        let short = "it ends too early";
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(short)?;
        self.file.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => short.to_owned(),
            _ => format!("cannot be read: {error}"),
        })?;
        self.sha.update(&*bytes);
        Ok(())
    }

    fn u32(&mut self) -> Result<u32, String> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn u64(&mut self) -> Result<u64, String> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// Reads a whole file and checks every number that is followed later.
pub(super) fn read(path: &Path, dimensions: usize) -> Result<Structure, String> {
    let cannot = |error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err("it is no regular file".into());
    }
    let file = BufReader::with_capacity(1 << 20, file);
    let mut source = Source { file, sha: Sha256::new(), left: metadata.len() };
    let vectors = vectors(&mut source, dimensions)?;
    head(&mut source, vectors, dimensions)?;
    let keys = nodes(&mut source, vectors)?;
    if source.left > 0 {
        return Err(format!("it has {} bytes too many", source.left));
    }
    Ok(Structure { digest: Digest(source.sha.finalize().into()), keys })
}

/// The vectors: how many.
fn vectors(source: &mut Source, dimensions: usize) -> Result<usize, String> {
    let (rows, bytes) = (source.u32()?, source.u32()?);
    if bytes as usize != 2 * dimensions {
        return Err(format!(
            "its vectors have {bytes} bytes, where {} were expected",
            2 * dimensions
        ));
    }
    if u64::from(rows) * u64::from(bytes) > source.left {
        return Err("it ends too early".into());
    }
    let mut row = vec![0; bytes as usize];
    for _ in 0..rows {
        source.fill(&mut row)?;
        let (numbers, _) = row.as_chunks::<2>();
        if !numbers.iter().all(|bytes| bf16::from_le_bytes(*bytes).is_finite()) {
            return Err("a vector of it is not finite".into());
        }
    }
    Ok(rows as usize)
}

fn head(source: &mut Source, vectors: usize, dimensions: usize) -> Result<(), String> {
    let mut head = [0; HEAD];
    source.fill(&mut head)?;
    if !head.starts_with(MAGIC) {
        return Err("it is no graph of usearch 2".into());
    }
    if head[KINDS..COUNTS] != OURS {
        return Err("it holds other kinds of numbers".into());
    }
    let count = |at: usize| {
        let bytes = head[COUNTS + 8 * at..][..8].try_into().expect("eight bytes");
        u64::from_le_bytes(bytes)
    };
    let multi = head[COUNTS + 24];
    if (count(0), count(1), count(2), multi) != (vectors as u64, 0, dimensions as u64, 0) {
        return Err("its head does not fit its vectors".into());
    }
    Ok(())
}

/// The nodes: their keys.
fn nodes(source: &mut Source, vectors: usize) -> Result<Vec<u64>, String> {
    let [size, connectivity, base, top, entry] = [(); 5].map(|()| source.u64());
    let (size, top, entry) = (size?, top?, entry?);
    if size != vectors as u64 || size == 0 || entry >= size {
        return Err("it has other nodes than vectors".into());
    }
    if (connectivity?, base?) != (CONNECTIVITY as u64, 2 * CONNECTIVITY as u64) {
        return Err("its nodes have other numbers of neighbours".into());
    }
    let mut levels = vec![0i16; vectors];
    for level in &mut levels {
        let mut bytes = [0; 2];
        source.fill(&mut bytes)?;
        *level = i16::from_le_bytes(bytes);
        if !(0..=LEVELS).contains(level) {
            return Err("a node of it has a level that cannot be".into());
        }
    }
    if top != levels[entry as usize] as u64 {
        return Err("its search begins on a level that is not there".into());
    }
    let mut keys = Vec::with_capacity(vectors);
    let mut node = Vec::new();
    for &level in &levels {
        node.resize(NODE + list(0) + level as usize * list(1), 0);
        source.fill(&mut node)?;
        let (key, rest) = node.split_first_chunk::<8>().expect("as long as that");
        keys.push(u64::from_le_bytes(*key));
        let (own, mut rest) = rest.split_first_chunk::<2>().expect("as long as that");
        if i16::from_le_bytes(*own) != level {
            return Err("a node of it has two levels".into());
        }
        for at in 0..=level {
            let (neighbours, further) = rest.split_at(list(at));
            check_neighbours(neighbours, at, &levels)?;
            rest = further;
        }
    }
    Ok(keys)
}

/// Bytes of a node before its neighbours: key and level.
const NODE: usize = 10;

/// Bytes of a node's neighbours on a level: how many, and room for their places.
fn list(level: i16) -> usize {
    4 + 4 * if level == 0 { 2 * CONNECTIVITY } else { CONNECTIVITY }
}

/// That each neighbour is there, on this level. What lies behind the last one is not read later.
fn check_neighbours(neighbours: &[u8], at: i16, levels: &[i16]) -> Result<(), String> {
    let (numbers, _) = neighbours.as_chunks::<4>();
    let mut numbers = numbers.iter().map(|bytes| u32::from_le_bytes(*bytes) as usize);
    let count = numbers.next().expect("a count");
    if count > numbers.len() {
        return Err("a node of it has too many neighbours".into());
    }
    if numbers.take(count).any(|place| levels.get(place).is_none_or(|level| *level < at)) {
        return Err("a neighbour in it is not there".into());
    }
    Ok(())
}
