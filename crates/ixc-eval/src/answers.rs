//! The answers of an examination in a file, one a line, in the order of the questions.
//!
//! The first line says which examination they belong to. Invariants: the file is a beginning of the whole, so
//! what is missing is what comes after; a line that was cut off by a crash is cut away when the file is opened
//! again; answers of another examination are refused, never mixed in. Deliberately absent: judging.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::Error;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Which question.
    pub key: String,
    /// What was said.
    pub text: String,
    /// A right answer, for whoever reads the file; judges know others as well.
    pub right: String,
}

/// The file, open for the next answer.
#[derive(Debug)]
pub struct Answers {
    path: PathBuf,
    file: File,
    given: Vec<Answer>,
}

impl Answers {
    /// Opens the file, or begins it; `examination` tells this one from all others.
    ///
    /// # Errors
    /// When the disk refuses, or the answers belong to another examination.
    pub fn open(path: &Path, examination: &str) -> Result<Self, Error> {
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open.map_err(Error::file("open", path))?;
        let Found { head, given, whole, torn } = read(&file).map_err(Error::file("read", path))?;
        // Nothing but an own beginning is cut away.
        let foreign = head.is_none() && !line(&examination).starts_with(&torn);
        let head = if foreign { Some(FOREIGN.into()) } else { head };
        if let Some(found) = head.filter(|found| found != examination) {
            let expected = examination.into();
            return Err(Error::OtherAnswers { path: path.into(), expected, found });
        }
        let write = |file: &mut File| {
            file.set_len(whole)?;
            file.seek(SeekFrom::Start(whole))?;
            if whole == 0 { file.write_all(&line(&examination)) } else { Ok(()) }
        };
        write(&mut file).map_err(Error::file("write", path))?;
        Ok(Self { path: path.into(), file, given })
    }

    /// The answers so far.
    pub fn given(&self) -> &[Answer] {
        &self.given
    }

    /// Keeps one more. A process that is killed behind this has it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn add(&mut self, answer: Answer) -> Result<(), Error> {
        // One call for the whole line: it is there or it is cut off, never two mixed.
        self.file.write_all(&line(&answer)).map_err(Error::file("write", &self.path))?;
        self.given.push(answer);
        Ok(())
    }

    /// Everything to the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(Error::file("write", &self.path))
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("plain data");
    line.push(b'\n');
    line
}

/// What a first line is called that is none of ours.
const FOREIGN: &str = "a file of something else";

/// What a file holds.
#[derive(Default)]
struct Found {
    head: Option<String>,
    given: Vec<Answer>,
    /// Bytes of all whole lines.
    whole: u64,
    /// What is behind them.
    torn: Vec<u8>,
}

fn read(file: &File) -> io::Result<Found> {
    let mut reader = BufReader::new(file);
    let mut found = Found::default();
    loop {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(Found { torn: line, ..found });
        }
        if found.head.is_none() {
            let text = serde_json::from_slice(&line);
            found.head = Some(text.unwrap_or_else(|_| FOREIGN.into()));
        } else {
            match serde_json::from_slice(&line) {
                Ok(answer) => found.given.push(answer),
                Err(_) => return Ok(Found { torn: line, ..found }),
            }
        }
        found.whole += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn answer(n: usize) -> Answer {
        let text = format!("line\n\"{n}\" 是");
        Answer { key: format!("q/{n}"), right: text.clone(), text }
    }

    #[test]
    fn a_file_that_is_cut_anywhere_goes_on_to_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.jsonl");
        let whole = |path: &Path| {
            let mut answers = Answers::open(path, "world 1").unwrap();
            for n in answers.given().len()..5 {
                answers.add(answer(n)).unwrap();
            }
            assert_eq!(answers.given(), (0..5).map(answer).collect::<Vec<_>>());
            answers.sync().unwrap();
            fs::read(path).unwrap()
        };
        let expected = whole(&path);
        for cut in 0..=expected.len() {
            fs::write(&path, &expected[..cut]).unwrap();
            assert_eq!(whole(&path), expected, "cut behind {cut} bytes");
        }
    }

    #[test]
    fn another_examination_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.jsonl");
        Answers::open(&path, "world 1").unwrap();
        let error = Answers::open(&path, "world 2").unwrap_err().to_string();
        assert!(error.contains("expected world 2, found world 1"), "{error}");
        for text in ["a text\n", "a text", "\"world 1\"x"] {
            fs::write(&path, text).unwrap();
            let error = Answers::open(&path, "world 2").unwrap_err().to_string();
            assert!(error.contains("found a file of something else"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
