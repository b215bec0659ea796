//! Fonts of the user's, for characters that are missing.
//!
//! Invariants: nothing is read where nothing is missing; likely files come first, and the search ends when every
//! character has a face; it does not depend on the order in which a system lists its files. A font that forbids
//! embedding is not used. Deliberately absent: where a system keeps its fonts, which the caller knows.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustybuzz::ttf_parser::{Face, Permissions, fonts_in_collection, name_id};

use super::fonts::FontFile;
use crate::limits::{MAX_FONT_BYTES, MAX_FONT_FILES, MAX_FONT_SEARCH_BYTES};

const ENDINGS: [&str; 4] = ["ttf", "otf", "ttc", "otc"];

/// Parts of the names of files, the most suitable first: serif faces of Chinese, Japanese and Korean, then others.
const LIKELY: [&str; 25] = [
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
    "emoji",
    "dejavuserif",
];

/// Parts of the names of files that are not for plain text.
const ODD: [&str; 9] =
    ["bold", "italic", "oblique", "light", "thin", "black", "mono", "medium", "condensed"];

/// Faces from the folders until nothing is missing, or nothing is left to look at.
pub(super) fn search(
    folders: &[PathBuf],
    missing: &mut BTreeSet<char>,
    language: &str,
) -> Vec<FontFile> {
    let mut found = Vec::new();
    if missing.is_empty() {
        return found;
    }
    let mut paths = Vec::new();
    let mut seen = BTreeSet::new();
    folders.iter().for_each(|folder| walk(folder, 0, &mut seen, &mut paths));
    paths.sort_by_cached_key(|path| (rank(path), path.clone()));
    paths.dedup();
    let mut left = MAX_FONT_SEARCH_BYTES;
    for path in paths {
        if missing.is_empty() {
            break;
        }
        // A file among others that cannot be read is none of the user's business.
        let Some(bytes) = read(&path, &mut left) else { continue };
        let count = |file: &FontFile| {
            let mut left = missing.clone();
            file.remove_covered(&mut left);
            missing.len() - left.len()
        };
        let best = faces(&Arc::new(bytes))
            .into_iter()
            .map(|file| (count(&file), fitness(&file, language), file))
            .filter(|(count, _, _)| *count > 0)
            .max_by_key(|(count, fitness, file)| (*count, *fitness, u32::MAX - file.index));
        if let Some((_, _, file)) = best.filter(|(_, _, file)| file.open().is_some()) {
            file.remove_covered(missing);
            found.push(file);
        }
    }
    found
}

/// Files of fonts below a folder. Links may lead around in a circle: a folder is entered once.
fn walk(folder: &Path, depth: usize, seen: &mut BTreeSet<PathBuf>, found: &mut Vec<PathBuf>) {
    // No system nests its fonts deeper.
    const DEEPEST: usize = 8;
    let Ok(place) = fs::canonicalize(folder) else { return };
    if !seen.insert(place) {
        return;
    }
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if found.len() >= MAX_FONT_FILES {
            return;
        }
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if path.is_dir() {
            if depth < DEEPEST {
                walk(&path, depth + 1, seen, found);
            }
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
    let is_odd = ODD.iter().any(|odd| plain.contains(odd));
    place + if is_odd { LIKELY.len() + 1 } else { 0 }
}

/// The part of a font's name that stands for the region whose forms of characters a language is written in.
pub(super) fn region(language: &str) -> &'static str {
    let tag = language.to_ascii_lowercase();
    let has = |wanted: &[&str]| tag.split('-').any(|part| wanted.contains(&part));
    match tag.split('-').next() {
        Some("ja") => "JP",
        Some("ko") => "KR",
        Some("yue") => "HK",
        Some("zh" | "cmn") if has(&["hk", "mo"]) => "HK",
        Some("zh" | "cmn") if has(&["tw", "hant"]) => "TC",
        _ => "SC",
    }
}

/// How well a face suits a language, by its name: collections hold one for each region.
fn fitness(file: &FontFile, language: &str) -> u8 {
    let Ok(face) = Face::parse(&file.bytes, file.index) else { return 0 };
    let names = face.names().into_iter().filter(|name| name.name_id == name_id::FULL_NAME);
    let name = names.filter_map(|name| name.to_string()).next().unwrap_or_default();
    let is_regional = name.split(' ').any(|part| part == region(language));
    2 * u8::from(is_regional) + u8::from(!name.contains("Mono"))
}

/// The faces of a file that may be embedded.
fn faces(bytes: &Arc<Vec<u8>>) -> Vec<FontFile> {
    let count = fonts_in_collection(bytes).unwrap_or(1).min(64);
    let file = |index| FontFile { bytes: bytes.clone(), index, is_packaged: false };
    let allowed = |file: &FontFile| {
        let face = Face::parse(&file.bytes, file.index);
        face.is_ok_and(|face| face.permissions() != Some(Permissions::Restricted))
    };
    (0..count).map(file).filter(allowed).collect()
}

/// A font's file, where it is one, not larger than any font, and within what a search may read.
fn read(path: &Path, left: &mut u64) -> Option<Vec<u8>> {
    let known = fs::metadata(path).ok()?;
    if !known.is_file() || known.len() > MAX_FONT_BYTES {
        return None;
    }
    *left = left.checked_sub(known.len())?;
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MAX_FONT_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
