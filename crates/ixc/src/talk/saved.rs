//! A conversation in a file: JSON that `/save` writes and `--load` reopens.
//!
//! Form: `{"format": "ixc-conversation-1", "messages": [{"role", "content": [{"type": "text", "text"} |
//! {"type": "image", "path", "placed"}]}]}`. A system message holds the user's own instruction; without
//! one the checkpoint's applies. Pictures stay where they are: the file names them, by absolute paths.
//!
//! A session, which `--session` writes, is the line `ixc-session-2`, a line with the SHA-256 of the next one, the
//! same JSON on one line, and what the model has read of it, as the engine writes it: a changed byte is an
//! error. `--load` reopens its conversation as well.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use ixc_files as files;
use ixc_input::{
    conversation::{Part, Role, Turn},
    image::Orientation,
    limits::MAX_PROMPT_BYTES,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{Instruction, Talk};
use crate::{exit::Failure, picture};

/// Says what the file is, and which version of it.
const FORMAT: &str = "ixc-conversation-1";

/// A session's first line.
const SESSION: &[u8] = b"ixc-session-2\n";

/// What any version's first line begins with.
const ANY_SESSION: &[u8] = b"ixc-session-";

/// Bytes of a digest's line.
const DIGEST_BYTES: u64 = 65;

/// Bytes of a saved conversation: all its text, each character escaped at worst as six.
const BYTES_MAX: u64 = 6 * MAX_PROMPT_BYTES as u64;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: String,
    messages: Vec<Message>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    role: RoleName,
    content: Vec<Piece>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleName {
    System,
    User,
    Assistant,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Piece {
    Text {
        text: String,
    },
    Image {
        path: PathBuf,
        /// Whether the text says where it goes.
        placed: bool,
    },
}

/// Writes a conversation. A file that is there already is replaced only if it is one of these.
pub(crate) fn write(talk: &Talk, path: &Path) -> Result<(), Failure> {
    if path.exists() && open(path).is_err() {
        return Err(Failure::mistake(format!(
            "{} exists and is no saved conversation; choose another name",
            path.display()
        )));
    }
    let saved = saved(talk)?;
    replace(path, |out| {
        serde_json::to_writer_pretty(&mut *out, &saved)?;
        out.write_all(b"\n")
    })
}

/// Writes a session; `past` writes what the model has read.
pub(crate) fn write_session(
    talk: &Talk,
    path: &Path,
    past: impl FnOnce(&mut BufWriter<NamedTempFile>) -> io::Result<()>,
) -> Result<(), Failure> {
    let saved = saved(talk)?;
    replace(path, |out| {
        let mut line = serde_json::to_vec(&saved)?;
        line.push(b'\n');
        out.write_all(SESSION)?;
        out.write_all(digest(&line).as_bytes())?;
        out.write_all(&line)?;
        past(out)
    })
}

/// The SHA-256 of some bytes as a line of text.
fn digest(bytes: &[u8]) -> String {
    let mut line: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    line.push('\n');
    line
}

/// Writes a file in place of what is there.
fn replace(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<NamedTempFile>) -> io::Result<()>,
) -> Result<(), Failure> {
    files::replace(path, fill).map_err(|error| unsaved(path, error))
}

fn unsaved(path: &Path, error: io::Error) -> Failure {
    Failure::mistake(format!("cannot save {}: {error}", path.display()))
}

/// Refuses a place where no file can be made.
pub(crate) fn check_place(path: &Path) -> Result<(), Failure> {
    files::beside(files::folder_of(path)).map_err(|error| unsaved(path, error))?;
    Ok(())
}

/// Reads a conversation, and its pictures.
pub(crate) fn read(path: &Path, orientation: Orientation) -> Result<Talk, Failure> {
    talk(open(path)?.saved, path, orientation)
}

/// What a session's file holds behind the conversation: what the model has read of it.
pub(crate) type Rest = BufReader<File>;

/// Reads a session's conversation and its pictures; the rest of the file is still to be read.
pub(crate) fn read_session(path: &Path, orientation: Orientation) -> Result<(Talk, Rest), Failure> {
    let Opened { saved, rest } = open(path)?;
    let rest = rest.ok_or_else(|| {
        Failure::mistake(format!(
            "{}: expected a session that --session wrote, found a conversation that /save wrote",
            path.display()
        ))
        .with_hint("--load goes on with it; for --session choose another file")
    })?;
    Ok((talk(saved, path, orientation)?, rest))
}

/// The conversation that a file says, with its pictures.
fn talk(saved: Saved, path: &Path, orientation: Orientation) -> Result<Talk, Failure> {
    let mut talk = Talk::new(Instruction::Published);
    for (position, message) in saved.messages.into_iter().enumerate() {
        let wrong = |what: &str| {
            Failure::mistake(format!("{}: message {position}: {what}", path.display()))
        };
        let role = match message.role {
            RoleName::System => {
                let [Piece::Text { text }] = message.content.as_slice() else {
                    return Err(wrong("expected one text as the system's content"));
                };
                if position > 0 {
                    return Err(wrong("expected the system's message first"));
                }
                talk.instruction = Instruction::Own(text.clone());
                continue;
            }
            RoleName::User => Role::User,
            RoleName::Assistant => Role::Assistant,
        };
        let due = match talk.turns.last() {
            Some(turn) if turn.role == Role::User => Role::Assistant,
            _ => Role::User,
        };
        if role != due {
            return Err(wrong(&format!("expected the {}'s turn", due.name())));
        }
        let mut parts = Vec::with_capacity(message.content.len());
        for piece in message.content {
            parts.push(match piece {
                Piece::Text { text } => Part::Text(text),
                Piece::Image { .. } if role == Role::Assistant => {
                    return Err(wrong("expected text only in an answer, found a picture"));
                }
                Piece::Image { path, placed } => {
                    talk.album.push(picture::open(&path, orientation)?);
                    let index = talk.album.len() - 1;
                    if placed { Part::Image(index) } else { Part::Unplaced(index) }
                }
            });
        }
        talk.turns.push(Turn { role, parts });
    }
    Ok(talk)
}

/// The conversation as the file has it.
fn saved(talk: &Talk) -> Result<Saved, Failure> {
    let mut messages = Vec::with_capacity(1 + talk.turns.len());
    if let Instruction::Own(text) = &talk.instruction {
        messages.push(Message {
            role: RoleName::System,
            content: vec![Piece::Text { text: text.clone() }],
        });
    }
    for turn in &talk.turns {
        let role = match turn.role {
            Role::System => RoleName::System,
            Role::User => RoleName::User,
            Role::Assistant => RoleName::Assistant,
        };
        let content = turn.parts.iter().map(|part| match part {
            Part::Text(text) => Ok(Piece::Text { text: text.clone() }),
            Part::Image(index) => image(talk, *index, true),
            Part::Unplaced(index) => image(talk, *index, false),
        });
        messages.push(Message { role, content: content.collect::<Result<_, _>>()? });
    }
    Ok(Saved { format: FORMAT.into(), messages })
}

fn image(talk: &Talk, index: usize, placed: bool) -> Result<Piece, Failure> {
    let path = &talk.album[index].path;
    let path = std::path::absolute(path)
        .map_err(|error| Failure::mistake(format!("{}: {error}", path.display())))?;
    Ok(Piece::Image { path, placed })
}

/// A file of either kind.
struct Opened {
    saved: Saved,
    /// What follows the conversation, in a session.
    rest: Option<Rest>,
}

/// Reads the conversation alone.
fn open(path: &Path) -> Result<Opened, Failure> {
    let wrong = |what: String| Failure::mistake(format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut file = BufReader::new(file);
    let start = file.fill_buf().map_err(|error| wrong(error.to_string()))?;
    let session = start.starts_with(SESSION);
    let mut stated = Vec::new();
    if session {
        file.consume(SESSION.len());
        let read = file.by_ref().take(DIGEST_BYTES).read_to_end(&mut stated);
        read.map_err(|error| wrong(error.to_string()))?;
    } else if start.starts_with(ANY_SESSION) {
        return Err(wrong("expected a session of this version of ixc, found another's".into()));
    }
    let mut text = Vec::new();
    let mut part = file.by_ref().take(BYTES_MAX + 1);
    let read =
        if session { part.read_until(b'\n', &mut text) } else { part.read_to_end(&mut text) };
    read.map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(wrong(format!(
            "expected a saved conversation, found more than {BYTES_MAX} bytes"
        )));
    }
    if session && stated != digest(&text).as_bytes() {
        let changed = "the conversation in it is not the one that was written: the file was changed or cut off";
        return Err(wrong(changed.into()));
    }
    let expected =
        format!("expected a conversation that /save or --session wrote (format {FORMAT:?})");
    let saved: Saved = serde_json::from_slice(&text)
        .map_err(|error| wrong(format!("{expected}, found: {error}")))?;
    if saved.format != FORMAT {
        return Err(wrong(format!("{expected}, found format {:?}", saved.format)));
    }
    Ok(Opened { saved, rest: session.then_some(file) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::talk::Question;

    /// A conversation of an instruction, a picture that is placed and one that is not.
    fn talk(folder: &Path) -> Talk {
        let mut talk = Talk::new(Instruction::Own("Be brief.".into()));
        for (name, asked) in [("a.bmp", "<ImageHere> here"), ("b.bmp", "before")] {
            std::fs::write(folder.join(name), bmp()).unwrap();
            talk.attach(picture::open(&folder.join(name), Orientation::AsStored).unwrap());
            talk.ask(&Question { marked: asked.into(), data: None }).unwrap();
            talk.answer("<ImageHere> is text here \"quoted\"\n");
        }
        talk
    }

    /// The smallest bitmap: one pixel of 24 bits.
    fn bmp() -> Vec<u8> {
        let mut bytes = b"BM".to_vec();
        for number in [58u32, 0, 54, 40, 1, 1, 1 | 24 << 16, 0, 4, 0, 0, 0, 0, 0x00ff_ffff] {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn what_is_saved_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.json");
        let talk = talk(folder.path());
        write(&talk, &path).unwrap();
        write(&talk, &path).expect("its own file may be replaced");
        let read = read(&path, Orientation::AsStored).unwrap();
        assert_eq!(read.instruction, talk.instruction);
        assert_eq!(read.turns, talk.turns);
        let paths = |talk: &Talk| talk.album.iter().map(|p| p.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&read), paths(&talk));
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            3,
            "nothing is left beside it"
        );
    }

    #[test]
    fn other_files_are_neither_replaced_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        let message = |failure: Failure| format!("{failure:?}");
        for other in [
            "my notes",
            "{}",
            r#"{"format": "ixc-conversation-2", "messages": []}"#,
            r#"{"format": "ixc-conversation-1", "messages": [], "more": 1}"#,
        ] {
            std::fs::write(&path, other).unwrap();
            assert!(message(read(&path, Orientation::AsStored).unwrap_err()).contains("expected"));
            write(&Talk::new(Instruction::Published), &path).unwrap_err();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
        }
    }

    #[test]
    fn a_damaged_session_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.ixs");
        let talk = talk(folder.path());
        write_session(&talk, &path, |out| out.write_all(b"the past")).unwrap();
        let sound = std::fs::read(&path).unwrap();
        let mut rest = String::new();
        let (read, mut behind) = read_session(&path, Orientation::AsStored).unwrap();
        behind.read_to_string(&mut rest).unwrap();
        assert_eq!((read.turns, rest.as_str()), (talk.turns, "the past"));
        let conversation = sound.len() - rest.len();
        for place in 0..conversation {
            for bit in 0..8 {
                let mut damaged = sound.clone();
                damaged[place] ^= 1 << bit;
                std::fs::write(&path, &damaged).unwrap();
                for failure in [
                    read_session(&path, Orientation::AsStored).err(),
                    super::read(&path, Orientation::AsStored).err(),
                ] {
                    let failure = format!("{:?}", failure.expect("a changed bit"));
                    assert!(failure.contains("expected") || failure.contains("not the one"));
                }
            }
            std::fs::write(&path, &sound[..place]).unwrap();
            assert!(read_session(&path, Orientation::AsStored).is_err(), "cut at {place}");
        }
    }

    #[test]
    fn turns_in_the_wrong_order_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.json");
        let text = |role: &str| {
            format!(r#"{{"role": "{role}", "content": [{{"type": "text", "text": "x"}}]}}"#)
        };
        for (roles, expected) in [
            (&["assistant"][..], "message 0: expected the user's turn"),
            (&["user", "user"], "message 1: expected the assistant's turn"),
            (&["user", "system"], "message 1: expected the system's message first"),
        ] {
            let messages: Vec<String> = roles.iter().map(|role| text(role)).collect();
            let file =
                format!(r#"{{"format": "{FORMAT}", "messages": [{}]}}"#, messages.join(", "));
            std::fs::write(&path, file).unwrap();
            let failure = format!("{:?}", read(&path, Orientation::AsStored).unwrap_err());
            assert!(failure.contains(expected), "{failure}");
        }
    }
}
