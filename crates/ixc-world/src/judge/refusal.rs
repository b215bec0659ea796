//! Whether an answer says that what was asked about is not there.
//!
//! It must deny that kind and state nothing else about it. Deliberately absent: politeness.

use super::read::{is_chinese, read};
use crate::kinds::Kind;

/// Whether `said` denies that there is such a thing.
pub fn judge(kind: Kind, said: &str) -> bool {
    let reading = read(said);
    let named = reading.things.iter().any(|mention| mention.kind == kind);
    let states = |mention: &super::read::Mention| {
        mention.colour.is_some() || mention.side.is_some() || mention.depth.is_some()
    };
    named && denies(said) && !reading.things.iter().any(states)
}

/// Whether a text denies anything.
pub fn denies(said: &str) -> bool {
    if is_chinese(said) {
        return ["没有", "不在", "看不到"].iter().any(|word| said.contains(word));
    }
    let words = said.to_lowercase();
    let mut words = words.split(|c: char| !c.is_alphanumeric() && c != '\'');
    words.any(|word| {
        matches!(word, "no" | "not" | "cannot" | "none" | "without") || word.ends_with("n't")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_are_told_from_answers() {
        for said in [
            "There is no boat in this picture.",
            "I don't see a boat here.",
            "Sorry, I cannot see any boats.",
            "图中没有帆船。",
        ] {
            assert!(judge(Kind::Boat, said), "{said}");
        }
        for said in [
            "The boat is red.",
            "There is no dog in this picture.",
            "No, the boat is on the left.",
            "",
            "帆船在左边。",
        ] {
            assert!(!judge(Kind::Boat, said), "{said}");
        }
    }
}
