//! Conversations with answers, in the form in which training files are published.
//!
//! A JSON list, or one object after another (JSONL): `{"image": ["path", …], "conversations": [{"from":
//! "user", "value": "<ImageHere> …"}, {"from": "assistant", "value": "…"}, …]}`. Invariants: each sample is
//! whole or named in the error by its place, counted from 1; a picture is a part of a question, never text.
//! Deliberately absent: files (a picture is only its path as written), and what is learned of a sample (see
//! [`crate::prompt`]).

use serde::Deserialize;
use serde_json::{Value, error::Category};

use crate::{
    Error,
    conversation::{Conversation, Part, Role, Turn, count_markers, parts_from_marked},
    limits::MAX_SAMPLES_BYTES,
};

/// A conversation that ends with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The turns; pictures are counted from 0.
    pub conversation: Conversation,
    /// The paths of its pictures, as written.
    pub pictures: Vec<String>,
}

/// A sample as it is written; other keys are not ours to judge.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    image: Pictures,
    conversations: Vec<Said>,
}

/// One path, several, or none.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Pictures {
    #[default]
    None,
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct Said {
    from: String,
    value: String,
}

/// Reads all samples of a file's text.
///
/// # Errors
/// When the text is too long, is not JSON, holds no sample, or one that is not of this form.
pub fn parse(text: &str) -> Result<Vec<Sample>, Error> {
    if text.len() > MAX_SAMPLES_BYTES {
        return Err(Error::SamplesTooLong { found: text.len(), limit: MAX_SAMPLES_BYTES });
    }
    let text = text.trim_start_matches('\u{feff}');
    let values = if text.trim_start().starts_with('[') {
        serde_json::from_str::<Vec<Value>>(text)
    } else {
        serde_json::Deserializer::from_str(text).into_iter::<Value>().collect()
    };
    let values = values.map_err(|error| Error::SamplesJson {
        line: error.line(),
        column: error.column(),
        what: match error.classify() {
            Category::Eof => "the text ends early",
            _ => "this is not JSON",
        },
    })?;
    if values.is_empty() {
        return Err(Error::NoSamples);
    }
    let sample = |(at, value)| {
        let sample = at + 1;
        let record = serde_json::from_value::<Record>(value).map_err(|_| Error::Sample {
            sample,
            problem: "expected {\"image\": [paths], \"conversations\": [{\"from\": who, \"value\": words}, …]}"
                .into(),
        })?;
        record.sample().map_err(|problem| Error::Sample { sample, problem })
    };
    values.into_iter().enumerate().map(sample).collect()
}

impl Record {
    /// The sample, or what is wrong with it.
    fn sample(self) -> Result<Sample, String> {
        let pictures = match self.image {
            Pictures::None => Vec::new(),
            Pictures::One(path) => vec![path],
            Pictures::Several(paths) => paths,
        };
        let asks = |said: &&Said| role(&said.from) == Some(Role::User);
        let markers: usize =
            self.conversations.iter().filter(asks).map(|said| count_markers(&said.value)).sum();
        let mut turns: Vec<Turn> = Vec::with_capacity(self.conversations.len());
        let mut shown = 0;
        for (at, Said { from, value }) in self.conversations.into_iter().enumerate() {
            let turn = at + 1;
            let role = role(&from).ok_or(format!(
                "turn {turn}: expected user, human, assistant, gpt, bot or system after \"from\""
            ))?;
            let due = match turns.last().map(|turn| turn.role) {
                None if role == Role::System => Role::System,
                None | Some(Role::System | Role::Assistant) => Role::User,
                Some(Role::User) => Role::Assistant,
            };
            if role != due {
                return Err(format!("turn {turn}: expected the {}'s", due.name()));
            }
            if value.is_empty() && role == Role::Assistant {
                return Err(format!("turn {turn}: expected an answer, found no word"));
            }
            let parts = if role == Role::User {
                // Without any place in the whole conversation, all pictures come before the first question.
                let count = match markers {
                    0 => pictures.len() - shown,
                    _ => count_markers(&value),
                };
                let parts = parts_from_marked(&value, shown, count)
                    .map_err(|error| format!("turn {turn}: {error}"))?;
                shown += count;
                parts
            } else {
                vec![Part::Text(value)]
            };
            turns.push(Turn { role, parts });
        }
        if turns.last().is_none_or(|turn| turn.role != Role::Assistant) {
            return Err("expected an answer as the last turn".into());
        }
        if shown != pictures.len() {
            return Err(format!(
                "its questions have {shown} `<ImageHere>`, and it has {} picture(s)",
                pictures.len()
            ));
        }
        Ok(Sample { conversation: Conversation { turns }, pictures })
    }
}

/// Who a name in the file is.
fn role(name: &str) -> Option<Role> {
    match name {
        "user" | "human" => Some(Role::User),
        "assistant" | "gpt" | "bot" => Some(Role::Assistant),
        "system" => Some(Role::System),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"
        {"id": 1, "image": ["a.jpg", "b.jpg"], "conversations": [
            {"from": "human", "value": "<ImageHere>or <ImageHere>?"}, {"from": "gpt", "value": "<ImageHere> a"}]}
        {"image": "c.jpg", "conversations": [{"from": "system", "value": "Be brief."},
            {"from": "user", "value": "What?"}, {"from": "bot", "value": "A"},
            {"from": "user", "value": "Why?"}, {"from": "assistant", "value": "B"}]}"#;

    #[test]
    fn lists_and_lines_hold_the_same() {
        let lines = parse(TWO).unwrap();
        let list = format!("\u{feff} [{}]", TWO.replace("}]}\n        {", "}]}, {"));
        assert_eq!(parse(&list).unwrap(), lines);
        let [first, second] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(first.pictures, ["a.jpg", "b.jpg"]);
        let parts = &first.conversation.turns[0].parts;
        assert_eq!(
            *parts,
            [Part::Image(0), Part::Text("or ".into()), Part::Image(1), Part::Text("?".into())]
        );
        assert_eq!(first.conversation.turns[1], Turn::text(Role::Assistant, "<ImageHere> a"));
        let roles: Vec<&str> =
            second.conversation.turns.iter().map(|turn| turn.role.name()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "user", "assistant"]);
        assert_eq!(second.conversation.turns[1].parts[0], Part::Unplaced(0));
        assert_eq!(second.conversation.turns[3].parts, [Part::Text("Why?".into())]);
    }

    #[test]
    fn what_is_no_sample_is_named() {
        let said = |turns: &str| format!(r#"{{"image": ["a"], "conversations": [{turns}]}}"#);
        let asked = r#"{"from": "user", "value": "<ImageHere>?"}"#;
        let answered = r#"{"from": "bot", "value": "A"}"#;
        let good = said(&format!("{asked}, {answered}"));
        for (text, part) in [
            (String::new(), "no conversation"),
            ("[]".into(), "no conversation"),
            (format!("{good}\n{{\"image\""), "line 2, column 8: the text ends early"),
            ("[{]".into(), "line 1, column 3: this is not JSON"),
            (format!("{good}\n{{\"image\": []}}"), "sample 2: expected {\"image\""),
            (said(asked), "sample 1: expected an answer as the last turn"),
            (said(answered), "turn 1: expected the user's"),
            (said(&format!("{asked}, {asked}")), "turn 2: expected the assistant's"),
            (
                said(&format!("{asked}, {answered}, {{\"from\": \"system\", \"value\": \"\"}}")),
                "turn 3: expected the user's",
            ),
            (said(r#"{"from": "me", "value": "A"}"#), "turn 1: expected user, human"),
            (
                said(&format!("{asked}, {{\"from\": \"bot\", \"value\": \"\"}}")),
                "turn 2: expected an answer",
            ),
            (good.replace("[\"a\"]", "[]"), "have 1 `<ImageHere>`, and it has 0"),
            (good.replace("[\"a\"]", "[\"a\", \"b\"]"), "have 1 `<ImageHere>`, and it has 2"),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(part), "{part:?} in {error} of {text}");
        }
    }
}
