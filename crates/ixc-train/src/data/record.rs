//! One sample of a data file, in any of the formats people have, becomes a conversation and its images.
//!
//! `conversations` (published, LLaVA, ShareGPT) and `messages` (OpenAI) are told apart by what is there, a
//! sample at a time. Invariants: images take their places by a marker in the text or by a part of the
//! content, and their numbers agree; every key is read, reported as unused, or a fault, so nothing that
//! changes what is learned is passed over. Deliberately absent: opening images, token ids.

use std::path::{Path, PathBuf};

use ixc_input::{
    conversation::{
        Conversation, IMAGE_MARKER, Part, Role, Turn, count_markers, parts_from_marked,
    },
    data_url,
};
use serde_json::{Map, Value};

use super::{
    Fault,
    fault::quoted,
    labels,
    turns::{self, Content, Piece, Said},
};

/// A sample, understood and not yet laid out.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What its file calls it.
    pub id: Option<String>,
    /// The turns: a system turn or none, then questions and answers in turn, an answer last.
    pub conversation: Conversation,
    /// The images that the turns refer to by index.
    pub images: Vec<ImageFile>,
    /// A list for each image with a word for each of its rows, or no list at all.
    pub image_labels: Vec<Vec<String>>,
    /// Keys that had no use, each with its place, such as `messages[].name`.
    pub unused: Vec<String>,
}

/// Where an image's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageFile {
    /// In a file.
    Path(PathBuf),
    /// In the sample itself, from a `data:` URL.
    Inline(Vec<u8>),
}

/// What LLaVA and others write where an image belongs.
const OTHER_MARKER: &str = "<image>";

/// Keys of a sample whose meaning changes what is said or learned, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("system", "write it as a first turn of the role system"),
    ("tools", NO_TOOLS),
    ("functions", NO_TOOLS),
    ("video", NO_VIDEO),
    ("videos", NO_VIDEO),
    ("audio", NO_VIDEO),
    ("audios", NO_VIDEO),
    ("history", "write all turns into one list"),
    ("chosen", NO_PREFERENCE),
    ("rejected", NO_PREFERENCE),
    ("rejected_response", NO_PREFERENCE),
    ("rejected_messages", NO_PREFERENCE),
    ("objects", "write boxes into the text"),
    ("image_path", NAME_IMAGE),
    ("image_paths", NAME_IMAGE),
    ("image_file", NAME_IMAGE),
    ("image_files", NAME_IMAGE),
    ("image_url", NAME_IMAGE),
    ("img", NAME_IMAGE),
    ("imgs", NAME_IMAGE),
    ("picture", NAME_IMAGE),
    ("pictures", NAME_IMAGE),
];
const NO_TOOLS: &str = "the layout has no tools: write them into the text, or leave the sample out";
const NO_VIDEO: &str = "only texts and images are trained on: leave the sample out";
const NO_PREFERENCE: &str = "answers are learned, not compared: keep the better one as a turn";
const NAME_IMAGE: &str = "name the key `image` or `images`";

/// Reads one sample, whose relative image paths start at the folder `images`.
///
/// # Errors
/// Whatever keeps it from being learned from, images' files aside.
pub fn parse(bytes: &[u8], images: &Path) -> Result<Record, Fault> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| Fault::Json { reason: error.to_string() })?;
    let Value::Object(sample) = value else {
        return Err(wrong_type("the sample", "an object", &value));
    };
    let key = turns_key(&sample)?;
    let mut unused = Vec::new();
    for (name, value) in &sample {
        if let Some((_, hint)) = REFUSED.iter().find(|(refused, _)| refused == name) {
            if !is_void(value) {
                let place = "the sample".into();
                return Err(Fault::Key { place, key: name.clone(), hint });
            }
        } else if !["id", "image", "images", labels::KEY, key].contains(&name.as_str()) {
            unused.push(quoted(name));
        }
    }
    let listed = listed_images(&sample, images)?;
    let said = turns::read(&sample[key], key, images, &mut unused)?;
    turns::check_order(&said)?;
    let (mut turns, images) = place_images(said, listed)?;
    turns::check_answers(&turns)?;
    // As published: an instruction that says nothing makes no turn.
    turns.retain(|turn| turn.role != Role::System || !turn.parts.is_empty());
    let image_labels = labels::read(&sample, images.len())?;
    let conversation = Conversation { turns };
    Ok(Record { id: id_of(&sample), conversation, images, image_labels, unused })
}

/// The `id` of a sample that could not be read further.
pub(super) fn id(bytes: &[u8]) -> Option<String> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(sample)) => id_of(&sample),
        _ => None,
    }
}

fn id_of(sample: &Map<String, Value>) -> Option<String> {
    match sample.get("id")? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// Under which key the turns are.
fn turns_key(sample: &Map<String, Value>) -> Result<&'static str, Fault> {
    match (sample.contains_key("conversations"), sample.contains_key("messages")) {
        (true, false) => Ok("conversations"),
        (false, true) => Ok("messages"),
        (both, _) => Err(Fault::Keys {
            expected: if both {
                "one of `conversations` and `messages`"
            } else {
                "`conversations` (published form, LLaVA, ShareGPT) or `messages` (OpenAI)"
            },
            found: names(sample),
        }),
    }
}

fn names(sample: &Map<String, Value>) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<String> =
        sample.keys().take(SHOWN).map(|key| format!("`{}`", quoted(key))).collect();
    if sample.is_empty() {
        names.push("of an empty object".into());
    } else if sample.len() > SHOWN {
        names.push(format!("{} more", sample.len() - SHOWN));
    }
    names.join(", ")
}

/// The images that stand beside the turns.
fn listed_images(sample: &Map<String, Value>, folder: &Path) -> Result<Vec<ImageFile>, Fault> {
    let given = |key| sample.get(key).filter(|value| !is_void(value)).map(|value| (key, value));
    let (key, value) = match (given("image"), given("images")) {
        (Some(_), Some(_)) => {
            let expected = "one of `image` and `images`";
            return Err(Fault::Keys { expected, found: names(sample) });
        }
        (one, other) => match one.or(other) {
            Some(given) => given,
            None => return Ok(Vec::new()),
        },
    };
    match value {
        Value::Array(list) => {
            let each = list.iter().enumerate();
            each.map(|(at, value)| image(value, &format!("{key}[{at}]"), folder)).collect()
        }
        one => Ok(vec![image(one, key, folder)?]),
    }
}

/// One image: a path, a `data:` URL, or an object that holds one as `path` or `url`.
pub(super) fn image(value: &Value, place: &str, folder: &Path) -> Result<ImageFile, Fault> {
    let named = match value {
        Value::Object(object) => object.get("url").or_else(|| object.get("path")),
        other => Some(other),
    };
    let text = match named {
        Some(Value::String(text)) if !text.trim().is_empty() => text,
        _ => return Err(wrong_type(place, "an image's path or data: URL", value)),
    };
    if data_url::is_data_url(text) {
        let bytes = data_url::decode(text).map_err(|error| Fault::ImageUnreadable {
            image: format!("at {place}"),
            reason: error.to_string(),
        })?;
        return Ok(ImageFile::Inline(bytes));
    }
    if text.contains("://") {
        return Err(Fault::ImageRemote { url: quoted(text) });
    }
    Ok(ImageFile::Path(folder.join(text)))
}

/// Gives every image its place in the turns.
fn place_images(
    said: Vec<Said>,
    listed: Vec<ImageFile>,
) -> Result<(Vec<Turn>, Vec<ImageFile>), Fault> {
    let is_image = |piece: &Piece| matches!(piece, Piece::Image(_));
    let by_parts = said.iter().any(|turn| match &turn.content {
        Content::Marked(_) => false,
        Content::Pieces(pieces) => pieces.iter().any(is_image),
    });
    if by_parts { place_by_parts(said, listed) } else { place_by_markers(said, listed) }
}

/// Image parts stand where they stand; those without an image of their own take the list's in order.
/// All text is text.
fn place_by_parts(
    said: Vec<Said>,
    listed: Vec<ImageFile>,
) -> Result<(Vec<Turn>, Vec<ImageFile>), Fault> {
    let in_list = listed.len();
    let (mut listed, mut open) = (listed.into_iter(), 0);
    let mut images = Vec::new();
    let mut turns = Vec::new();
    for turn in said {
        let pieces = match turn.content {
            Content::Marked(text) => vec![Piece::Text(text)],
            Content::Pieces(pieces) => pieces,
        };
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => parts.push(Part::Text(text)),
                Piece::Image(own) => {
                    open += usize::from(own.is_none());
                    parts.push(Part::Image(images.len()));
                    images.extend(own.or_else(|| listed.next()));
                }
            }
        }
        turns.push(Turn { role: turn.role, parts: trimmed(parts) });
    }
    if open != in_list {
        return Err(Fault::ImageParts { parts: open, images: in_list });
    }
    Ok((turns, images))
}

/// Each marker is the place of the list's next image; without any marker all come unplaced with the first
/// question, as in inference.
fn place_by_markers(
    said: Vec<Said>,
    listed: Vec<ImageFile>,
) -> Result<(Vec<Turn>, Vec<ImageFile>), Fault> {
    let texts: Vec<(Role, String)> = said.into_iter().map(Said::into_text).collect();
    let count = |marker| texts.iter().map(|(_, text)| text.matches(marker).count()).sum();
    let (own, other): (usize, usize) = (count(IMAGE_MARKER), count(OTHER_MARKER));
    // Whoever writes `<ImageHere>` means it; then `<image>` is a word.
    let (marker, markers) =
        if own > 0 || other == 0 { (IMAGE_MARKER, own) } else { (OTHER_MARKER, other) };
    if markers != listed.len() && (markers > 0 || listed.is_empty()) {
        return Err(Fault::Markers { marker, markers, images: listed.len() });
    }
    let mut unplaced = if markers == 0 { listed.len() } else { 0 };
    let mut placed = 0;
    let mut turns = Vec::with_capacity(texts.len());
    for (role, text) in texts {
        let text = match marker {
            OTHER_MARKER => text.trim().replace(OTHER_MARKER, IMAGE_MARKER),
            _ => text.trim().to_owned(),
        };
        let here = count_markers(&text);
        let whole = if role == Role::User { std::mem::take(&mut unplaced) } else { 0 };
        let parts = parts_from_marked(&text, placed, here + whole).map_err(Fault::Layout)?;
        placed += here + whole;
        turns.push(Turn { role, parts });
    }
    Ok((turns, listed))
}

/// Parts without the white space at a turn's ends, which the published code strips too.
fn trimmed(mut parts: Vec<Part>) -> Vec<Part> {
    if let Some(Part::Text(first)) = parts.first_mut() {
        *first = first.trim_start().into();
    }
    if let Some(Part::Text(last)) = parts.last_mut() {
        last.truncate(last.trim_end().len());
    }
    parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
    parts
}

/// Whether a value says nothing, so that its key changes nothing either.
pub(super) fn is_void(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value of another type than belongs there.
pub(super) fn wrong_type(place: &str, expected: &'static str, found: &Value) -> Fault {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(text) if text.trim().is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Fault::Type { place: place.into(), expected, found }
}
