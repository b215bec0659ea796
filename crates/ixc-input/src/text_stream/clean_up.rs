//! The published tokenizer's tidying of blanks, as a stream.
//!
//! Published: ten replacements over the whole text, one after the other (`clean_up_tokenization` of
//! transformers). Here each is a machine that holds back at most three characters, and the text runs
//! through all ten. Invariant: equal to the ten replacements of the whole, wherever the text is cut.

/// What is replaced by what, in the published order: later rules see what earlier ones made.
const RULES: [(&str, &str); 10] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// All rules, each with the number of characters of its pattern that have been seen and held back.
#[derive(Debug, Default)]
pub(super) struct CleanUp {
    held: [usize; RULES.len()],
}

impl CleanUp {
    /// The text that became certain.
    pub(super) fn push(&mut self, text: String) -> String {
        self.run(text, false)
    }

    /// What was held back; nothing follows.
    pub(super) fn finish(&mut self) -> String {
        self.run(String::new(), true)
    }

    fn run(&mut self, text: String, ends: bool) -> String {
        RULES.iter().zip(&mut self.held).fold(text, |text, (&(pattern, with), held)| {
            let mut tidied = String::with_capacity(text.len());
            for character in text.chars() {
                step(pattern, with, held, character, &mut tidied);
            }
            if ends {
                tidied.push_str(&pattern[..std::mem::take(held)]);
            }
            tidied
        })
    }
}

/// One character through one rule. Patterns are ASCII and begin with a blank; before its last
/// character none has another, so a failed match can only begin again at the present character.
fn step(pattern: &str, with: &str, held: &mut usize, character: char, tidied: &mut String) {
    if pattern[*held..].starts_with(character) {
        *held += 1;
        if *held == pattern.len() {
            tidied.push_str(with);
            *held = 0;
        }
        return;
    }
    tidied.push_str(&pattern[..std::mem::take(held)]);
    if character == ' ' {
        *held = 1;
    } else {
        tidied.push(character);
    }
}
