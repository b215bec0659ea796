//! Which files a checkpoint consists of.
//!
//! A folder as published, a single file, or an index. Names that come from a file are used only as
//! plain names beside it. Deliberately absent: opening the files, and anything about their content.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::Format;
use crate::{
    Error,
    limits::{MAX_FILES, MAX_INDEX_BYTES},
};

/// The files of a checkpoint, and what an index promises about them.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) files: Vec<(PathBuf, Format)>,
    pub(super) index: Option<Index>,
}

/// An index: where each tensor is.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) path: PathBuf,
    /// File name by tensor name.
    pub(super) shards: BTreeMap<String, String>,
}

const INDEX: &str = ".index.json";
const SAFETENSORS: &str = ".safetensors";
const GGUF: &str = ".gguf";

/// Finds the files that `path` stands for. See [`super::Checkpoint::open`] for what is preferred.
pub(super) fn find(path: &Path) -> Result<Found, Error> {
    let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
    if metadata.is_dir() {
        return find_in_folder(path);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(INDEX) {
        return read_index(path);
    }
    let format = match format_of(&name) {
        Some(format) => format,
        None => sniff(path)?, // a file of the hub's cache is named after its digest
    };
    Ok(single(path.into(), format))
}

fn single(path: PathBuf, format: Format) -> Found {
    Found { files: vec![(path, format)], index: None }
}

fn format_of(name: &str) -> Option<Format> {
    match name {
        _ if name.ends_with(SAFETENSORS) => Some(Format::Safetensors),
        _ if name.ends_with(GGUF) => Some(Format::Gguf),
        _ if [".bin", ".pt", ".pth"].iter().any(|end| name.ends_with(end)) => Some(Format::Pickle),
        _ => None,
    }
}

/// The format of a file whose name says nothing.
fn sniff(path: &Path) -> Result<Format, Error> {
    regular(path)?;
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(9).read_to_end(&mut start))
        .map_err(Error::io("read", path))?;
    match start.as_slice() {
        [b'G', b'G', b'U', b'F', ..] => Ok(Format::Gguf),
        [b'P', b'K', ..] | [0x80, ..] => Ok(Format::Pickle),
        [.., b'{'] if start.len() == 9 => Ok(Format::Safetensors),
        _ => {
            let found = "a file of another form (neither its name nor its first bytes are known)";
            Err(Error::NoWeights { path: path.into(), found: found.into() })
        }
    }
}

/// Refuses what is not a file with a length: opening a pipe would wait for its other end.
pub(super) fn regular(path: &Path) -> Result<(), Error> {
    let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
    if metadata.is_file() {
        return Ok(());
    }
    Err(Error::NoWeights {
        path: path.into(),
        found: "something that is not a regular file".into(),
    })
}

fn find_in_folder(folder: &Path) -> Result<Found, Error> {
    let names = names_in(folder)?;
    let has = |name: &str| names.contains(name);
    let ending = |end: &str| names.iter().filter(|name| name.ends_with(end)).collect::<Vec<_>>();
    let file = |name: &str| folder.join(name);
    if has("model.safetensors") {
        return Ok(single(file("model.safetensors"), Format::Safetensors));
    }
    if has("model.safetensors.index.json") {
        return read_index(&file("model.safetensors.index.json"));
    }
    match ending(".safetensors.index.json").as_slice() {
        [] => {}
        [index] => return read_index(&file(index)),
        several => {
            let reason =
                format!("{} indexes lie side by side; open one of them by name", several.len());
            return Err(Error::Index { path: folder.into(), reason });
        }
    }
    // GPTQ's tools write one file named gptq_model-4bit-128g or so; whatever lies beside it is not it.
    let loose = ending(SAFETENSORS);
    let quantised: Vec<_> =
        loose.iter().copied().filter(|name| name.starts_with("gptq_model")).collect();
    if !quantised.is_empty() {
        return loose_files(folder, &quantised);
    }
    if has("pytorch_model.bin") {
        return Ok(single(file("pytorch_model.bin"), Format::Pickle));
    }
    if has("pytorch_model.bin.index.json") {
        return read_index(&file("pytorch_model.bin.index.json"));
    }
    // Last, because any safetensors may lie beside weights of a known name.
    if !loose.is_empty() {
        return loose_files(folder, &loose);
    }
    match ending(GGUF).as_slice() {
        [] => Err(Error::NoWeights { path: folder.into(), found: summary(&names) }),
        [file] => Ok(single(folder.join(file), Format::Gguf)),
        several => {
            let reason =
                format!("{} GGUF files lie side by side; open one of them by name", several.len());
            Err(Error::Index { path: folder.into(), reason })
        }
    }
}

/// The names in a folder, hidden ones and those that are not text left out.
fn names_in(folder: &Path) -> Result<BTreeSet<String>, Error> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        if let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with('.')) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

fn summary(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 8;
    if names.is_empty() {
        return "an empty folder".into();
    }
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Several files without an index: their names must not promise others.
fn loose_files(folder: &Path, names: &[&String]) -> Result<Found, Error> {
    let (mut wanted, mut total) = (BTreeSet::new(), 0);
    let present: BTreeSet<&str> = names.iter().map(|name| name.as_str()).collect();
    let mut series = BTreeSet::new();
    for name in &present {
        let Some((stem, count, width)) = numbered(name) else { continue };
        if count > MAX_FILES {
            return Err(too_many_files(folder, count));
        }
        if series.insert((stem, count, width)) {
            total += count;
            wanted.extend(
                (1..=count).map(|i| format!("{stem}-{i:0width$}-of-{count:0width$}{SAFETENSORS}")),
            );
        }
    }
    let missing: Vec<_> =
        wanted.into_iter().filter(|name| !present.contains(name.as_str())).collect();
    if !missing.is_empty() {
        return Err(Error::MissingShards { index: folder.into(), missing, total });
    }
    let files = present.into_iter().map(|name| (folder.join(name), Format::Safetensors)).collect();
    Ok(Found { files, index: None })
}

/// Of `model-00002-of-00007.safetensors`: the stem, how many there are, and the digits they are written with.
fn numbered(name: &str) -> Option<(&str, usize, usize)> {
    let (rest, count) = name.strip_suffix(SAFETENSORS)?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| {
        (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    (digits(number) && digits(count)).then(|| Some((stem, count.parse().ok()?, count.len())))?
}

fn too_many_files(path: &Path, found: usize) -> Error {
    Error::TooMany { path: path.into(), what: "weight files", found, limit: MAX_FILES }
}

/// Reads an index and checks that its files are there.
fn read_index(path: &Path) -> Result<Found, Error> {
    let bad = |reason: String| Error::Index { path: path.into(), reason };
    regular(path)?;
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_INDEX_BYTES as u64 + 1).read_to_end(&mut text))
        .map_err(Error::io("read", path))?;
    if text.len() > MAX_INDEX_BYTES {
        return Err(bad(format!("it is longer than {MAX_INDEX_BYTES} bytes")));
    }
    let parsed: IndexFile = serde_json::from_slice(&text)
        .map_err(|error| bad(error.to_string().chars().take(300).collect()))?;
    let shards = parsed.weight_map.0;
    let names: BTreeSet<&str> = shards.values().map(String::as_str).collect();
    if names.is_empty() {
        return Err(bad("it names no tensor".into()));
    }
    if names.len() > MAX_FILES {
        return Err(too_many_files(path, names.len()));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files = Vec::new();
    let mut missing = Vec::new();
    for &name in &names {
        if !is_plain(name) {
            return Err(Error::UnsafeShardName { index: path.into(), name: name.into() });
        }
        let Some(format) = format_of(name).filter(|&format| format != Format::Gguf) else {
            return Err(bad(format!("it names {name:?}, expected .safetensors or .bin files")));
        };
        let file = folder.join(name);
        if file.exists() { files.push((file, format)) } else { missing.push(name.to_owned()) }
    }
    if !missing.is_empty() {
        return Err(Error::MissingShards { index: path.into(), missing, total: names.len() });
    }
    Ok(Found { files, index: Some(Index { path: path.into(), shards }) })
}

/// Whether a name stays in its folder on every system.
fn is_plain(name: &str) -> bool {
    let unsafe_character = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':');
    !name.is_empty()
        && name.len() <= 255
        && name != "."
        && name != ".."
        && !name.contains(unsafe_character)
}

/// The part of an index that we use; `metadata` beside it is often wrong and never needed.
#[derive(serde::Deserialize)]
struct IndexFile {
    weight_map: UniqueKeys,
}

/// A map of strings in which no key stands twice.
struct UniqueKeys(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = UniqueKeys;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("weight_map as an object of file names by tensor name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueKeys, A::Error> {
                let mut found = BTreeMap::new();
                while let Some((tensor, file)) = map.next_entry::<String, String>()? {
                    let message = format!("tensor {tensor:?} is placed twice");
                    if found.insert(tensor, file).is_some() {
                        return Err(A::Error::custom(message));
                    }
                }
                Ok(UniqueKeys(found))
            }
        }
        json.deserialize_map(Keys)
    }
}
