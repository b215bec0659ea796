//! Texts, conversations and pictures from files, to calibrate a model with or to judge it by.
//!
//! `.txt` is text, neighbouring paragraphs read together; `.json` and `.jsonl` are conversations
//! ([`ixc_input::samples`]), their pictures' paths counted from the file's own folder; a picture alone is asked
//! to be described. Of a folder all such files are read, in the order of their names, but for pictures that a
//! conversation shows. Invariants: what cannot be used is named before the first is read by a model; nothing
//! is left out in silence. Deliberately absent: tokens and pixels, which are made one sample at a time.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use ixc_input::{
    conversation::Conversation,
    image::{Orientation, Picture, load},
    limits::{MAX_PICTURE_FILE_BYTES, MAX_SAMPLES_BYTES},
    samples,
};

use crate::Error;

/// Paragraphs are read together up to so many bytes: some thousand positions. A sequence begins with `<s>`,
/// which is like no other word, so it should not be every tenth.
const TOGETHER: usize = 4096;

/// What the files of a picture may end with.
const PICTURES: [&str; 8] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"];

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    /// In the order of their files.
    pub samples: Vec<Sample>,
    /// Entries of the folder that are none of the kinds that are read.
    pub left_out: Vec<PathBuf>,
}

/// One thing to be read.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Where it is from.
    pub place: String,
    pub(crate) matter: Matter,
}

#[derive(Clone, Debug)]
pub(crate) enum Matter {
    Text(String),
    Conversation {
        conversation: Conversation,
        pictures: Vec<PathBuf>,
    },
    /// To be described.
    Picture(PathBuf),
}

/// What a file holds, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Conversations,
    Picture,
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "txt" => Some(Self::Text),
            "json" | "jsonl" => Some(Self::Conversations),
            picture if PICTURES.contains(&picture) => Some(Self::Picture),
            _ => None,
        }
    }
}

impl Corpus {
    /// Reads a file, or all of a folder.
    ///
    /// # Errors
    /// When it cannot be read, holds nothing of a known kind, or a conversation is broken or its picture not
    /// there.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut corpus = Self::default();
        if path.is_dir() {
            corpus.add_folder(path)?;
            if corpus.samples.is_empty() {
                return Err(at(
                    path,
                    "expected .txt, .json, .jsonl or picture files in it, found none",
                ));
            }
            return Ok(corpus);
        }
        let kind = Kind::of(path).ok_or_else(|| {
            at(
                path,
                "expected a name that ends in .txt, .json, .jsonl or as a picture's, or a folder",
            )
        })?;
        corpus.add(path, kind)?;
        Ok(corpus)
    }

    /// Reads a file of conversations.
    ///
    /// # Errors
    /// As [`Corpus::open`].
    pub fn conversations(path: &Path) -> Result<Self, Error> {
        let mut corpus = Self::default();
        corpus.add(path, Kind::Conversations)?;
        Ok(corpus)
    }

    fn add_folder(&mut self, folder: &Path) -> Result<(), Error> {
        let entries = fs::read_dir(folder).map_err(|error| at(folder, &error.to_string()))?;
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| at(folder, &error.to_string()))?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue; // hidden: the system's, not the user's
            }
            match Kind::of(&entry.path()).filter(|_| !entry.path().is_dir()) {
                Some(kind) => files.push((entry.path(), kind)),
                None => self.left_out.push(entry.path()),
            }
        }
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.left_out.sort();
        for (path, kind) in files.iter().filter(|(_, kind)| *kind != Kind::Picture) {
            self.add(path, *kind)?;
        }
        let shown: HashSet<PathBuf> = self
            .samples
            .iter()
            .flat_map(|sample| match &sample.matter {
                Matter::Conversation { pictures, .. } => pictures.as_slice(),
                Matter::Text(_) | Matter::Picture(_) => &[],
            })
            .filter_map(|path| path.canonicalize().ok())
            .collect();
        for (path, kind) in files.iter().filter(|(_, kind)| *kind == Kind::Picture) {
            if !path.canonicalize().is_ok_and(|path| shown.contains(&path)) {
                self.add(path, *kind)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, kind: Kind) -> Result<(), Error> {
        let place = path.display();
        match kind {
            Kind::Text => {
                let text = read_text(path)?;
                let pieces = together(&text);
                if pieces.is_empty() {
                    return Err(at(path, "expected text, found none"));
                }
                self.samples.extend(pieces.into_iter().map(|(first, text)| Sample {
                    place: format!("{place}: paragraph {first}"),
                    matter: Matter::Text(text),
                }));
            }
            Kind::Conversations => {
                let samples = samples::parse(&read_text(path)?)
                    .map_err(|error| at(path, &error.to_string()))?;
                let folder = path.parent().unwrap_or(Path::new(""));
                for (index, samples::Sample { conversation, pictures }) in
                    samples.into_iter().enumerate()
                {
                    let place = format!("{place}: sample {}", index + 1);
                    let pictures: Vec<PathBuf> =
                        pictures.iter().map(|picture| folder.join(picture)).collect();
                    if let Some(missing) = pictures.iter().find(|picture| !picture.is_file()) {
                        let problem = format!(
                            "its picture {} is not there (paths count from the file's own folder)",
                            missing.display()
                        );
                        return Err(Error::Sample { place, problem });
                    }
                    let matter = Matter::Conversation { conversation, pictures };
                    self.samples.push(Sample { place, matter });
                }
            }
            Kind::Picture => {
                if !path.is_file() {
                    return Err(at(path, "expected a picture file, found none"));
                }
                let matter = Matter::Picture(path.into());
                self.samples.push(Sample { place: place.to_string(), matter });
            }
        }
        Ok(())
    }
}

fn at(path: &Path, problem: &str) -> Error {
    Error::Sample { place: path.display().to_string(), problem: problem.into() }
}

/// A file's text, with line ends of one kind.
///
/// # Errors
/// When it cannot be read, is too long, or not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Error> {
    let bytes = read(path, MAX_SAMPLES_BYTES as u64)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let found = error.utf8_error().valid_up_to();
        at(path, &format!("expected UTF-8 text, found other bytes from byte {found} on"))
    })?;
    Ok(text.replace("\r\n", "\n"))
}

/// A picture file's picture.
pub(crate) fn read_picture(path: &Path) -> Result<Picture, Error> {
    let bytes = read(path, MAX_PICTURE_FILE_BYTES)?;
    load(&bytes, Orientation::AsStored).map_err(|error| at(path, &error.to_string()))
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(|error| at(path, &error.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(at(
            path,
            &format!("it has more than {limit} bytes, the limit; give a part of it"),
        ));
    }
    Ok(bytes)
}

/// Paragraphs, joined with their neighbours up to [`TOGETHER`] bytes; each with the number of its first,
/// counted from 1.
fn together(text: &str) -> Vec<(usize, String)> {
    let mut pieces: Vec<(usize, String)> = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    let paragraphs = lines.split(|line| line.trim().is_empty()).filter(|lines| !lines.is_empty());
    for (index, paragraph) in paragraphs.map(|lines| lines.join("\n")).enumerate() {
        match pieces.last_mut() {
            Some((_, piece)) if piece.len() + 2 + paragraph.len() <= TOGETHER => {
                piece.push_str("\n\n");
                piece.push_str(&paragraph);
            }
            _ => pieces.push((index + 1, paragraph)),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_stay_whole_and_nothing_is_lost() {
        let long = "word ".repeat(1200);
        let text = format!("\n\na\nb\n \t\nc\n\n{long}\n\n\nd\n");
        let pieces = together(&text);
        let expected = [(1, "a\nb\n\nc".to_owned()), (3, long), (4, "d".into())];
        assert_eq!(pieces, expected);
        assert_eq!(together(" \n\n"), []);
    }

    #[test]
    fn a_folder_is_read_by_kinds() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("b.txt", "one\r\ntwo\n\nthree");
        write(
            "a.jsonl",
            r#"{"image": "shown.png", "conversations": [{"from": "user", "value": "?"}, {"from": "gpt", "value": "!"}]}"#,
        );
        write("shown.png", "");
        write("alone.JPG", "");
        write(".hidden.txt", "");
        write("notes.md", "");
        fs::create_dir(folder.path().join("more.txt")).unwrap();
        let corpus = Corpus::open(folder.path()).unwrap();
        let places: Vec<String> = corpus
            .samples
            .iter()
            .map(|sample| sample.place.rsplit('/').next().unwrap().to_owned())
            .collect();
        assert_eq!(places, ["a.jsonl: sample 1", "b.txt: paragraph 1", "alone.JPG"]);
        assert!(
            matches!(&corpus.samples[1].matter, Matter::Text(text) if text == "one\ntwo\n\nthree")
        );
        assert_eq!(corpus.left_out, ["more.txt", "notes.md"].map(|name| folder.path().join(name)));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.md"), "words").unwrap();
        fs::write(path("empty.txt"), " \n").unwrap();
        fs::write(path("latin.txt"), b"caf\xe9").unwrap();
        fs::write(path("b.json"), "{").unwrap();
        let missing = r#"[{"image": ["no.png"], "conversations": [{"from": "user", "value": "?"}, {"from": "gpt", "value": "!"}]}]"#;
        fs::write(path("c.json"), missing).unwrap();
        fs::create_dir(path("bare")).unwrap();
        for (name, part) in [
            ("a.md", "ends in .txt"),
            ("none.txt", "No such file"),
            ("none.png", "expected a picture file"),
            ("empty.txt", "expected text, found none"),
            ("latin.txt", "from byte 3 on"),
            ("b.json", "line 1, column 1: the text ends early"),
            ("c.json", "sample 1: its picture"),
            ("bare", "found none"),
        ] {
            let error = Corpus::open(&path(name)).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(name), "{part:?} in {error}");
        }
    }
}
