//! Fonts of the user's: files that were named, and folders in which to find what is missing.
//!
//! Invariants: nothing is read where nothing is missing; likely files come first, and the search ends when every
//! character has a face; it does not depend on the order in which a system lists its files. A font that forbids
//! embedding is not used. Deliberately absent: where a system keeps its fonts, which the caller knows.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustybuzz::ttf_parser::{Face, Permissions, fonts_in_collection, name_id};

use super::fonts::FontFile;
use crate::{
    Error,
    limits::{MAX_FONT_BYTES, MAX_FONT_FILES},
};

const ENDINGS: [&str; 4] = ["ttf", "otf", "ttc", "otc"];

/// Parts of the names of files, the most suitable first: serif faces of Chinese, Japanese and Korean, then others.
const LIKELY: [&str; 24] = [
    "notoserifcjk",
    "notoserifsc",
    "notoseriftc",
    "sourcehanserif",
    "songti",
    "simsun",
    "notosanscjk",
    "notosanssc",
    "sourcehansans",
    "pingfang",
    "hiragino",
    "stheiti",
    "msyh",
    "msjh",
    "yumin",
    "batang",
    "malgun",
    "wqy",
    "uming",
    "droidsansfallback",
    "notonaskh",
    "notoserif",
    "noto",
    "dejavuserif",
];

/// The face of a file that the user named.
pub(super) fn named(path: &Path, language: &str) -> Result<FontFile, Error> {
    let refused = |why| Error::Font { path: path.into(), why };
    let bytes = read(path).map_err(|error| refused(error.to_string()))?;
    let faces = faces(&Arc::new(bytes));
    let wanted = faces.into_iter().max_by_key(|file| fitness(file, language));
    wanted.ok_or_else(|| refused("it is no font that may be embedded".to_owned()))
}

/// Takes out the characters that a file's face has.
pub(super) fn remove_covered(file: &FontFile, missing: &mut BTreeSet<char>) {
    if let Ok(face) = Face::parse(&file.bytes, file.index) {
        missing.retain(|&character| face.glyph_index(character).is_none());
    }
}

/// Adds faces from the folders until nothing is missing, or nothing is left to look at.
pub(super) fn complete(
    files: &mut Vec<FontFile>,
    missing: &mut BTreeSet<char>,
    given: &[PathBuf],
    language: &str,
) {
    if missing.is_empty() {
        return;
    }
    let mut paths = Vec::new();
    for folder in given.iter().filter(|path| path.is_dir()) {
        walk(folder, 0, &mut paths);
    }
    paths.sort_by_cached_key(|path| (rank(path), path.clone()));
    paths.dedup();
    for path in paths {
        if missing.is_empty() {
            return;
        }
        // A file among others that cannot be read is none of the user's business.
        let Ok(bytes) = read(&path) else { continue };
        let count = |file: &FontFile| {
            let mut left = missing.clone();
            remove_covered(file, &mut left);
            missing.len() - left.len()
        };
        let best = faces(&Arc::new(bytes))
            .into_iter()
            .map(|file| (count(&file), fitness(&file, language), file))
            .max_by_key(|(count, fitness, _)| (*count, *fitness));
        if let Some((1.., _, file)) = best {
            remove_covered(&file, missing);
            files.push(file);
        }
    }
}

/// Files of fonts below a folder.
fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    // Links may lead around in a circle; no system nests its fonts deeper.
    const DEEPEST: usize = 8;
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if found.len() >= MAX_FONT_FILES {
            return;
        }
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if path.is_dir() && depth < DEEPEST {
            walk(&path, depth + 1, found);
        } else if ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
            found.push(path);
        }
    }
}

/// How late a file's turn is, by its name: its place in [`LIKELY`], plain weights first.
fn rank(path: &Path) -> usize {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let place = LIKELY.iter().position(|part| plain.contains(part)).unwrap_or(LIKELY.len());
    let is_odd =
        ["bold", "italic", "oblique", "light", "thin", "black", "mono", "medium", "condensed"]
            .iter()
            .any(|odd| plain.contains(odd));
    2 * place + usize::from(is_odd)
}

/// How well a face suits a language, by its name: collections hold one for each region.
fn fitness(file: &FontFile, language: &str) -> u8 {
    let Ok(face) = Face::parse(&file.bytes, file.index) else { return 0 };
    let names = face.names().into_iter().filter(|name| name.name_id == name_id::FULL_NAME);
    let name = names.filter_map(|name| name.to_string()).next().unwrap_or_default();
    let tag = language.to_ascii_lowercase();
    let region = match tag.split('-').next() {
        Some("ja") => "JP",
        Some("ko") => "KR",
        Some("yue") => "HK",
        _ if tag.contains("hk") => "HK",
        _ if tag.contains("tw") || tag.contains("hant") => "TC",
        _ => "SC",
    };
    let is_regional = name.split(' ').any(|part| part == region);
    2 * u8::from(is_regional) + u8::from(!name.contains("Mono"))
}

/// The faces of a file that may be embedded.
fn faces(bytes: &Arc<Vec<u8>>) -> Vec<FontFile> {
    let count = fonts_in_collection(bytes).unwrap_or(1).min(64);
    (0..count)
        .map(|index| FontFile { bytes: bytes.clone(), index })
        .filter(|file| {
            let face = Face::parse(&file.bytes, file.index);
            let allowed =
                face.is_ok_and(|face| face.permissions() != Some(Permissions::Restricted));
            let opens = || krilla::text::Font::new(file.bytes.clone().into(), file.index).is_some();
            allowed && opens()
        })
        .collect()
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let known = fs::metadata(path)?;
    if !known.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    if known.len() > MAX_FONT_BYTES {
        return Err(std::io::Error::other("it is larger than any font"));
    }
    fs::read(path)
}
