//! Phrases with choices in them, so that a few lines of a table say a thing in many ways.
//!
//! `{one|other}` is either, and may hold further choices; `$name` is filled in from the caller's slots. Invariants:
//! every `$name` of a phrase has its slot (a missing one is a mistake of ours), and what slots hold is text,
//! never read for choices. Deliberately absent: agreement of verbs; templates take it as slots.

use crate::dice::Dice;

/// Words for the `$name`s of a phrase.
pub(crate) type Slots<'a> = &'a [(&'a str, &'a str)];

/// One of `phrases`, with its choices made and its slots filled.
pub(crate) fn any(phrases: &[&str], slots: Slots<'_>, dice: &mut Dice) -> String {
    let phrase = *dice.pick(phrases);
    fill(phrase, slots, dice)
}

/// One of `phrases` as sentences of English: capitals where they begin, "an" before vowels.
pub(crate) fn sentence(phrases: &[&str], slots: Slots<'_>, dice: &mut Dice) -> String {
    tidy(&any(phrases, slots, dice))
}

/// A phrase with its choices made and its slots filled.
pub(crate) fn fill(phrase: &str, slots: Slots<'_>, dice: &mut Dice) -> String {
    let mut out = String::with_capacity(phrase.len());
    let mut rest = phrase;
    while let Some(at) = rest.find(['{', '$']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if rest.as_bytes()[at] == b'{' {
            let (choices, end) = choices(tail);
            let choice = *dice.pick(&choices);
            out.push_str(&fill(choice, slots, dice));
            rest = &tail[end..];
        } else {
            let end = tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len());
            let (name, behind) = tail.split_at(end);
            let slot = slots.iter().find(|(slot, _)| *slot == name);
            let (_, words) = slot.unwrap_or_else(|| panic!("no slot ${name} for {phrase:?}"));
            out.push_str(words);
            rest = behind;
        }
    }
    out.push_str(rest);
    out
}

/// The choices behind an opening brace, and where the text behind the closing one begins.
fn choices(tail: &str) -> (Vec<&str>, usize) {
    let mut choices = Vec::new();
    let (mut depth, mut from) = (0, 0);
    for (at, symbol) in tail.char_indices() {
        match symbol {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '|' if depth == 0 => {
                choices.push(&tail[from..at]);
                from = at + 1;
            }
            '}' => {
                choices.push(&tail[from..at]);
                return (choices, at + 1);
            }
            _ => {}
        }
    }
    panic!("a phrase of the tables has an open brace: {tail:?}")
}

/// Capitals at the beginning of sentences, "an" before a vowel, single blanks.
pub(crate) fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut begins = true;
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    for (at, word) in words.iter().enumerate() {
        let vowel =
            words.get(at + 1).is_some_and(|next| next.starts_with(['a', 'e', 'i', 'o', 'u']));
        let word = match *word {
            "a" if vowel => "an",
            "A" if vowel => "An",
            word => word,
        };
        if at > 0 {
            out.push(' ');
        }
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if begins => {
                out.extend(first.to_uppercase());
                out.push_str(letters.as_str());
            }
            _ => out.push_str(word),
        }
        // Behind what somebody asks or cries the sentence goes on: "Look!" said Mia.
        begins = word.ends_with(['.', '!', '?']) || word.ends_with(".\"");
    }
    out
}

/// What is asked, one time in eight as people type it in a hurry: no capitals, and no mark at the end.
pub(crate) fn casual(ask: String, dice: &mut Dice) -> String {
    if !dice.chance(12) {
        return ask;
    }
    ask.trim_end_matches(['.', '?', '。', '？']).to_lowercase()
}

/// Items of an enumeration: "a, b and c".
pub(crate) fn list(items: &[String]) -> String {
    joined(items, ", ", " and ")
}

/// Items with a joint between, and another before the last.
pub(crate) fn joined(items: &[String], joint: &str, last_joint: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{}{last_joint}{last}", first.join(joint)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_nest_and_slots_are_text() {
        let mut dice = Dice::numbered(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            seen.insert(fill("{a|b{c|d}} $x", &[("x", "{1|2}$y")], &mut dice));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["a {1|2}$y", "bc {1|2}$y", "bd {1|2}$y"]);
    }

    #[test]
    fn sentences_are_tidy() {
        assert_eq!(tidy("a  orange cat. a dog and a owl!"), "An orange cat. A dog and an owl!");
        assert_eq!(tidy("\"look!\" said Mia. so"), "\"look!\" said Mia. So");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
