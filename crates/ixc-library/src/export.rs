//! A library, or a part of it, as a folder that anyone can use: pictures, captions beside them, credits.
//!
//! `00001-name.jpg`, `00001-name.txt` with its caption, `library.jsonl` with everything that is known, and
//! `credits.md`. Invariants: the folder appears when it is complete; every file is the one that was added, by its
//! digest; an import of the folder gives the same pictures with the same said about them. Deliberately absent:
//! changed sizes and stripped metadata; this is for moving pictures, an article's export is for showing them.

use std::{fs, io::ErrorKind, ops::ControlFlow, path::Path};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{About, Digest, Entry, Error, Id, LISTS, Library, add::read};

/// Letters of a picture's old name that are kept in its new one.
const NAME: usize = 40;

/// A line of the list.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    sha256: Digest,
    width: u32,
    height: u32,
    #[serde(flatten)]
    about: &'a About,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Pictures.
    pub pictures: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Pictures whose author, licence or source is not known.
    pub without_credit: usize,
}

impl Library {
    /// Writes pictures to a new or empty folder, in the order given. `watch` hears how many are done and may break
    /// off; nothing is left then.
    ///
    /// # Errors
    /// When the folder is not empty, a number is unknown, a picture's file is missing or has changed, the disk
    /// refuses, or `watch` breaks off.
    pub fn export(
        &self,
        ids: &[Id],
        out: &Path,
        watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Exported, Error> {
        match fs::read_dir(out).map(Iterator::count) {
            Ok(0) => {}
            Ok(_) => return Err(Error::NotEmpty { path: out.into() }),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("use the folder", out)(error)),
        }
        let parent = ixc_files::folder_of(out);
        fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
        let aside = ixc_files::folder_beside(parent);
        let aside = aside.map_err(Error::io("write to the folder", parent))?;
        let (mut list, mut credits) = (String::new(), String::from(CREDITS));
        let mut exported = Exported { pictures: 0, bytes: 0, without_credit: 0 };
        for (number, &id) in ids.iter().enumerate() {
            if watch(number, ids.len()).is_break() {
                return Err(Error::Cancelled);
            }
            let entry = self.get(id)?;
            let file = self.export_one(&entry, number + 1, aside.path())?;
            let Entry { sha256, width, height, about, .. } = &entry;
            let line = Line { file: &file, sha256: *sha256, width: *width, height: *height, about };
            list.push_str(&(serde_json::to_string(&line).expect("plain data") + "\n"));
            credits.push_str(&credit(&file, &entry));
            exported.pictures += 1;
            exported.bytes += entry.bytes;
            exported.without_credit += usize::from(
                about.author.is_none() && about.licence.is_none() && about.source.is_none(),
            );
        }
        for (name, text) in [(LISTS[0], list), ("credits.md", credits)] {
            put(&aside.path().join(name), text.as_bytes())?;
        }
        if cfg!(windows) {
            let _ = fs::remove_dir(out); // there a rename replaces no folder, even an empty one
        }
        fs::rename(aside.path(), out).map_err(Error::io("rename into place the folder", out))?;
        Ok(exported)
    }

    /// Writes a picture with its caption; returns its new name.
    fn export_one(&self, entry: &Entry, number: usize, folder: &Path) -> Result<String, Error> {
        let path = self.path_of(entry);
        let changed = |problem| Error::Changed { path: path.clone(), problem };
        if !path.is_file() {
            return Err(changed("is missing"));
        }
        let bytes = read(&path).map_err(|_| changed("cannot be read"))?;
        if entry.sha256.0 != <[u8; 32]>::from(Sha256::digest(&bytes)) {
            return Err(changed("has changed since it was added"));
        }
        let stem = format!("{number:05}{}", old_name(&entry.path));
        let file = format!("{stem}.{}", ending(&bytes));
        put(&folder.join(&file), &bytes)?;
        if let Some(caption) = entry.caption() {
            put(&folder.join(format!("{stem}.txt")), format!("{caption}\n").as_bytes())?;
        }
        Ok(file)
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(Error::io("write the file", path))
}

/// What of a picture's name any system and any address can take, behind a dash.
fn old_name(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    // Not twice, when an export is exported again.
    let numbered = |stem: &str| {
        let number = stem.as_bytes().first_chunk::<6>();
        number.is_some_and(|number| number[5] == b'-' && number[..5].iter().all(u8::is_ascii_digit))
    };
    let stem = if numbered(&stem) { &stem[6..] } else { &stem };
    let letters = stem.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' });
    let name: String = letters.take(NAME).collect();
    match name.trim_matches('-') {
        "" => String::new(),
        name => format!("-{name}"),
    }
}

/// The ending that says what the file is, whatever it was called.
pub(crate) fn ending(file: &[u8]) -> &'static str {
    match file {
        [0x89, b'P', ..] => "png",
        [0xff, ..] => "jpg",
        [b'R', ..] => "webp",
        [b'G', ..] => "gif",
        [b'B', ..] => "bmp",
        _ => "tif",
    }
}

const CREDITS: &str = "\
# Credits

| picture | shows | author | licence | source |
|---|---|---|---|---|
";

fn credit(file: &str, entry: &Entry) -> String {
    let About { author, licence, source, generated, .. } = &entry.about;
    let author = match generated {
        None => cell(author.as_deref()),
        Some(how) => {
            let by = how.model.as_deref().map_or(String::new(), |model| format!(" by {model}"));
            let author = author.as_deref().map_or(String::new(), |author| format!("{author}; "));
            cell(Some(&format!("{author}generated{by}")))
        }
    };
    let [caption, licence, source] =
        [entry.caption(), licence.as_deref(), source.as_deref()].map(cell);
    format!("| {file} | {caption} | {author} | {licence} | {source} |\n")
}

/// A text as a cell of a table: what Markdown or HTML would obey is only shown.
fn cell(text: Option<&str>) -> String {
    let mut cell = String::new();
    for letter in text.unwrap_or("unknown").chars() {
        if matches!(letter, '\\' | '|' | '<' | '>' | '[' | ']' | '*' | '_' | '`' | '&' | '#' | '!')
        {
            cell.push('\\');
        }
        cell.push(letter);
    }
    cell
}
