//! The turns of a sample: who speaks, in words, parts and marked places.
//!
//! A turn is `from` and `value`, or `role` and `content`, under either list. Invariant: a turn that says
//! anything beyond what the layout can hold (tool calls, weights, other media) is a fault.
//! Deliberately absent: which image goes where ([`super::record`]).

use std::path::Path;

use ixc_input::conversation::{Part, Role, Turn};
use serde_json::{Map, Value};

use super::{
    Fault, ImageFile,
    fault::quoted,
    record::{image, is_void, wrong_type},
};

/// One turn, its images without places.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) role: Role,
    pub(super) content: Content,
}

/// What is said.
#[derive(Debug)]
pub(super) enum Content {
    /// A text in which markers may stand for images.
    Marked(String),
    /// A list of parts.
    Pieces(Vec<Piece>),
}

/// A part of a turn's content.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    /// An image, or a place for the next one of the sample's list.
    Image(Option<ImageFile>),
}

impl Said {
    /// The turn as a text; its pieces are texts.
    pub(super) fn into_text(self) -> (Role, String) {
        let text = match self.content {
            Content::Marked(text) => text,
            Content::Pieces(pieces) => {
                let text = |piece| match piece {
                    Piece::Text(text) => Some(text),
                    Piece::Image(_) => None,
                };
                pieces.into_iter().filter_map(text).collect()
            }
        };
        (self.role, text)
    }
}

/// Keys of a turn that change what is said or learned, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("tool_calls", "the layout has no tools: write them into the text, or leave the sample out"),
    ("tool_call_id", "the layout has no tools: write them into the text, or leave the sample out"),
    ("function_call", "the layout has no tools: write them into the text, or leave the sample out"),
    ("audio", "only texts and images are trained on: leave the sample out"),
    ("refusal", "write it as the answer's text"),
    ("weight", "every answer is learned alike: leave out the turns that should not be"),
    ("loss", "every answer is learned alike: leave out the turns that should not be"),
    ("image", "list images beside the turns, or write them as parts of the content"),
    ("images", "list images beside the turns, or write them as parts of the content"),
];

/// Reads the list of turns under `key`.
///
/// # Errors
/// When it is no list of turns, or a turn cannot be obeyed.
pub(super) fn read(
    list: &Value,
    key: &str,
    images: &Path,
    unused: &mut Vec<String>,
) -> Result<Vec<Said>, Fault> {
    let Value::Array(list) = list else {
        return Err(wrong_type(key, "a list of turns", list));
    };
    let mut said = Vec::with_capacity(list.len());
    for (number, turn) in list.iter().enumerate() {
        let place = format!("{key}[{number}]");
        let Value::Object(turn) = turn else {
            return Err(wrong_type(&place, "a turn as an object", turn));
        };
        let (from, value) = match (turn.contains_key("from"), turn.contains_key("role")) {
            (true, false) => ("from", "value"),
            (false, true) => ("role", "content"),
            _ => return Err(no_turn(turn)),
        };
        check_keys(turn, &place, key, &[from, value], unused)?;
        let Some(content) = turn.get(value) else { return Err(no_turn(turn)) };
        let role = read_role(&turn[from], number, &format!("{place}.{from}"))?;
        let place = format!("{place}.{value}");
        let content = match content {
            Value::String(text) => Content::Marked(text.clone()),
            Value::Array(parts) if value == "content" => {
                Content::Pieces(read_pieces(parts, &place, key, images, unused)?)
            }
            other => return Err(wrong_type(&place, "a text (or, as content, parts)", other)),
        };
        said.push(Said { role, content });
    }
    Ok(said)
}

fn no_turn(turn: &Map<String, Value>) -> Fault {
    let keys: Vec<String> = turn.keys().take(8).map(|key| format!("`{}`", quoted(key))).collect();
    let found = if keys.is_empty() { "of an empty object".into() } else { keys.join(", ") };
    Fault::Keys { expected: "each turn as `from` and `value`, or `role` and `content`", found }
}

/// Refuses keys that cannot be obeyed, notes those that have no use.
fn check_keys(
    turn: &Map<String, Value>,
    place: &str,
    list: &str,
    known: &[&str],
    unused: &mut Vec<String>,
) -> Result<(), Fault> {
    for (name, value) in turn {
        if known.contains(&name.as_str()) {
            continue;
        }
        let neutral = is_void(value) || is_one(value);
        match REFUSED.iter().find(|(refused, _)| refused == name) {
            Some((_, hint)) if !neutral => {
                return Err(Fault::Key { place: place.into(), key: name.clone(), hint });
            }
            Some(_) => {}
            None => note(unused, format!("{list}[].{}", quoted(name))),
        }
    }
    Ok(())
}

/// A weight or a choice that changes nothing.
fn is_one(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_f64() == Some(1.0)
}

fn note(unused: &mut Vec<String>, key: String) {
    if !unused.contains(&key) {
        unused.push(key);
    }
}

fn read_role(value: &Value, turn: usize, place: &str) -> Result<Role, Fault> {
    let Value::String(name) = value else {
        return Err(wrong_type(place, "who speaks, as a text", value));
    };
    match name.to_ascii_lowercase().as_str() {
        "user" | "human" => Ok(Role::User),
        "assistant" | "gpt" | "bot" => Ok(Role::Assistant),
        "system" => Ok(Role::System),
        _ => Err(Fault::Role { turn, found: quoted(name) }),
    }
}

fn read_pieces(
    parts: &[Value],
    place: &str,
    list: &str,
    images: &Path,
    unused: &mut Vec<String>,
) -> Result<Vec<Piece>, Fault> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(parts.len());
    for (number, part) in parts.iter().enumerate() {
        let place = format!("{place}[{number}]");
        let Value::Object(part) = part else {
            return Err(wrong_type(&place, "a part as an object", part));
        };
        let kind = part.get("type").unwrap_or(&Value::Null);
        let (own, piece): (&[&str], Piece) = match kind.as_str() {
            Some("text") => {
                let text = part.get("text").unwrap_or(&Value::Null);
                let Value::String(text) = text else {
                    return Err(wrong_type(&format!("{place}.text"), "a text", text));
                };
                (&["text"], Piece::Text(text.clone()))
            }
            Some("image_url") => {
                let url = part.get("image_url").unwrap_or(&Value::Null);
                let file = image(url, &format!("{place}.image_url"), images)?;
                (&["image_url"], Piece::Image(Some(file)))
            }
            Some("image") => {
                let keys = ["image", "path", "url"];
                let given = keys.iter().find_map(|key| Some((key, part.get(*key)?)));
                let file = given
                    .map(|(key, value)| image(value, &format!("{place}.{key}"), images))
                    .transpose()?;
                (&["image", "path", "url"], Piece::Image(file))
            }
            _ => {
                let found = quoted(kind.as_str().unwrap_or("none"));
                return Err(Fault::Part { place, found });
            }
        };
        for name in part.keys().filter(|name| *name != "type" && !own.contains(&name.as_str())) {
            note(unused, format!("{list}[].content[].{}", quoted(name)));
        }
        match (pieces.last_mut(), piece) {
            (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
            (_, piece) => pieces.push(piece),
        }
    }
    Ok(pieces)
}

/// A system turn or none, then questions and answers in turn, an answer last.
///
/// # Errors
/// Otherwise, with the first turn that is out of order.
pub(super) fn check_order(said: &[Said]) -> Result<(), Fault> {
    let turns = said.len();
    if !said.iter().any(|turn| turn.role == Role::Assistant) {
        return Err(Fault::NoAnswer { turns });
    }
    let begins = said.first().is_some_and(|turn| turn.role == Role::System);
    let questions = usize::from(begins);
    for (turn, Said { role, .. }) in said.iter().enumerate().skip(questions) {
        let due = if (turn - questions).is_multiple_of(2) { Role::User } else { Role::Assistant };
        if *role != due {
            return Err(Fault::Order { turn, expected: spoken_by(due), found: spoken_by(*role) });
        }
    }
    if said.last().is_some_and(|turn| turn.role != Role::Assistant) {
        let expected = "an answer to the last question";
        return Err(Fault::Order { turn: turns, expected, found: "the end of the conversation" });
    }
    Ok(())
}

fn spoken_by(role: Role) -> &'static str {
    match role {
        Role::System => "a turn of system",
        Role::User => "a turn of user (or human)",
        Role::Assistant => "a turn of assistant (or gpt, bot)",
    }
}

/// Every answer has a word to learn.
///
/// # Errors
/// When one has none.
pub(super) fn check_answers(turns: &[Turn]) -> Result<(), Fault> {
    let has_words = |part: &Part| matches!(part, Part::Text(text) if !text.trim().is_empty());
    for (number, turn) in turns.iter().enumerate() {
        if turn.role == Role::Assistant && !turn.parts.iter().any(has_words) {
            return Err(Fault::EmptyAnswer { turn: number });
        }
    }
    Ok(())
}
