//! Under what terms the weights are given, in the words of whoever publishes them.
//!
//! The card's data on the hub names a licence; for many models that name is `other` and the terms
//! stand as text in the card (`README.md`). Both are repeated as given, nothing is known here
//! beforehand. Deliberately absent: a judgement what the terms allow.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::limits::{MAX_CARD_BYTES, MAX_LICENCE_BYTES};
use ixc_net::words::is_invisible;

/// The licence of a model's weights, as its publisher gives it. All empty: none is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Licence {
    /// The hub's short name, such as `apache-2.0` or `other`.
    pub id: Option<String>,
    /// The publisher's name for it, when the short one is `other`.
    pub name: Option<String>,
    /// Where its text is.
    pub link: Option<String>,
    /// The section on the licence in the model's card, as Markdown, shortened if long.
    pub text: Option<String>,
}

impl Licence {
    /// Reads the card of a snapshot (`README.md`). A snapshot without one has an empty licence.
    pub fn of_snapshot(snapshot: &Path) -> Self {
        let mut bytes = Vec::new();
        let read = File::open(snapshot.join("README.md"))
            .and_then(|file| file.take(MAX_CARD_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) => Self::of_text(&String::from_utf8_lossy(&bytes)),
            Err(_) => Licence::default(),
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Licence::default()
    }

    /// The fields of `cardData` and the tag `license:…` in a hub's answer.
    pub(crate) fn from_card(card: Option<&Value>, tags: Option<&Value>) -> Self {
        let field = |name: &str| card.and_then(|card| card.get(name)).and_then(words);
        let tag = || {
            let tags = tags?.as_array()?.iter().filter_map(Value::as_str);
            tags.filter_map(|tag| tag.strip_prefix("license:")).next().and_then(clean)
        };
        Licence {
            id: field("license").or_else(tag),
            name: field("license_name"),
            link: field("license_link"),
            text: None,
        }
    }

    /// This licence, its gaps filled from another source.
    pub(crate) fn or(self, other: Licence) -> Self {
        Licence {
            id: self.id.or(other.id),
            name: self.name.or(other.name),
            link: self.link.or(other.link),
            text: self.text.or(other.text),
        }
    }

    /// Reads a card: the fields between the two `---` lines at its start, and the section whose
    /// heading speaks of a licence.
    fn of_text(card: &str) -> Self {
        let card = card.trim_start_matches('\u{feff}');
        let (front, body) = match card.strip_prefix("---") {
            Some(rest) => rest.split_once("\n---").unwrap_or(("", rest)),
            None => ("", card),
        };
        let field = |name: &str| {
            let line = front.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
            clean(line.trim().trim_matches(['"', '\'']))
        };
        Licence {
            id: field("license"),
            name: field("license_name"),
            link: field("license_link"),
            text: section(body),
        }
    }
}

/// The text below the first heading that speaks of a licence, up to the next heading.
fn section(body: &str) -> Option<String> {
    let is_heading = |line: &str| {
        let level = line.bytes().take_while(|b| *b == b'#').count();
        (1..=6).contains(&level) && line.as_bytes().get(level) == Some(&b' ')
    };
    let speaks = |line: &&str| {
        let lower = line.to_lowercase();
        is_heading(line) && ["license", "licence", "许可"].iter().any(|word| lower.contains(word))
    };
    let mut lines = body.lines().skip_while(|line| !speaks(line));
    lines.next()?;
    let text: Vec<&str> = lines.take_while(|line| !is_heading(line)).collect();
    clean(&text.join("\n"))
}

/// A string of a card, or the strings of a list.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => clean(text),
        Value::Array(items) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            clean(&texts.join(", "))
        }
        _ => None,
    }
}

/// Text fit for a terminal: trimmed, shortened, without invisible characters but line ends.
fn clean(text: &str) -> Option<String> {
    let mut out: String = text.trim().chars().filter(|c| *c == '\n' || !is_invisible(*c)).collect();
    if out.len() > MAX_LICENCE_BYTES {
        let end = (0..=MAX_LICENCE_BYTES).rev().find(|end| out.is_char_boundary(*end));
        out.truncate(end.unwrap_or(0));
        out.push('…');
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn card_data_and_tags() {
        let card = json!({"license": "other", "license_name": "acme-1", "license_link": "LICENSE"});
        let licence = Licence::from_card(Some(&card), Some(&json!(["x", "license:mit"])));
        assert_eq!(licence.id.as_deref(), Some("other"));
        assert_eq!(licence.name.as_deref(), Some("acme-1"));
        assert_eq!(licence.link.as_deref(), Some("LICENSE"));
        let tagged = Licence::from_card(None, Some(&json!(["x", "license:mit", 3])));
        assert_eq!(tagged.id.as_deref(), Some("mit"));
        let many = Licence::from_card(Some(&json!({"license": ["mit", "apache-2.0"]})), None);
        assert_eq!(many.id.as_deref(), Some("mit, apache-2.0"));
        for odd in
            [json!(null), json!(7), json!([]), json!({"license": {}}), json!({"license": ""})]
        {
            assert!(Licence::from_card(Some(&odd), Some(&odd)).is_empty(), "{odd}");
        }
    }

    #[test]
    fn the_section_of_a_card() {
        let card = "---\nlicense: other\nlicense_name: 'acme'\ntags:\n- x\n---\n# Model\nText\n\
            ## Open Source License\nCode is A, weights\nare \u{1b}[31mB.\n\n### Contact\nlicense";
        let licence = Licence::of_text(card);
        assert_eq!(licence.id.as_deref(), Some("other"));
        assert_eq!(licence.name.as_deref(), Some("acme"));
        assert_eq!(licence.text.as_deref(), Some("Code is A, weights\nare [31mB."));
        assert_eq!(Licence::of_text("# 开源许可证\n学术").text.as_deref(), Some("学术"));
        let long = Licence::of_text(&format!("# Licence\n{}", "é".repeat(3000))).text.unwrap();
        assert!(long.len() <= MAX_LICENCE_BYTES + '…'.len_utf8() && long.ends_with('…'));
        for none in ["", "---", "---\n---", "#License", "text about a license", "# License\n# Next"]
        {
            assert!(Licence::of_text(none).is_empty(), "{none}");
        }
    }
}
