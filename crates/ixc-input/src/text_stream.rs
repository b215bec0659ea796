//! Token ids in, text out, as soon as it is certain.
//!
//! Invariant: the pieces of text joined equal the whole decoding ([`Tokenizer::decode`] is this
//! stream run to its end), and no piece ends inside a character. Each id costs the length of its own
//! text; nothing is decoded twice. Deliberately absent: stop ids and stop strings, which belong to
//! generation.

mod clean_up;

use clean_up::CleanUp;

use crate::{
    Error,
    tokenizer::{BLANK, Spoken, Tokenizer},
};

/// What happens to blanks in decoded text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// As the published tokenizer decodes (`clean_up_tokenization` of transformers): a blank before
    /// `.`, `?`, `!`, `,`, `n't`, `'m`, `'s`, `'ve` and `'re`, and those around a lone `'`, are
    /// dropped. It damages text such as `ls .`.
    #[default]
    Published,
    /// As the ids say.
    Exact,
}

/// Decodes one sequence of ids piece by piece.
#[derive(Debug)]
pub struct TextStream<'t> {
    tokenizer: &'t Tokenizer,
    skip_special: bool,
    /// Bytes that begin a character, at most three.
    pending: Vec<u8>,
    clean_up: Option<CleanUp>,
}

impl<'t> TextStream<'t> {
    /// Begins a text; the arguments are those of [`Tokenizer::decode_spaced`].
    pub fn new(tokenizer: &'t Tokenizer, skip_special: bool, spacing: Spacing) -> Self {
        let clean_up = (spacing == Spacing::Published).then(CleanUp::default);
        Self { tokenizer, skip_special, pending: Vec::new(), clean_up }
    }

    /// The text that became certain with one more id; empty when nothing did.
    ///
    /// # Errors
    /// When the id is outside the vocabulary; the stream is unchanged then.
    pub fn push(&mut self, id: u32) -> Result<String, Error> {
        let mut raw = String::new();
        match self.tokenizer.spoken(id)? {
            Spoken::Byte(byte) => {
                self.pending.push(byte);
                self.take_characters(&mut raw);
            }
            Spoken::Special(_) if self.skip_special => {}
            Spoken::Special(name) => {
                self.give_up_pending(&mut raw);
                raw.push_str(name);
            }
            Spoken::Text(text) => {
                self.give_up_pending(&mut raw);
                raw.push_str(&text.replace(BLANK, " "));
            }
        }
        Ok(match &mut self.clean_up {
            Some(clean_up) => clean_up.push(raw),
            None => raw,
        })
    }

    /// The rest of the text: what waited for an id that did not come.
    pub fn finish(mut self) -> String {
        let mut raw = String::new();
        self.give_up_pending(&mut raw);
        match self.clean_up {
            Some(mut clean_up) => {
                let mut text = clean_up.push(raw);
                text.push_str(&clean_up.finish());
                text
            }
            None => raw,
        }
    }

    /// Moves every character that is complete, and every byte that can begin none, to the text.
    ///
    /// SentencePiece replaces byte by byte, where Rust would replace a whole broken prefix at once.
    fn take_characters(&mut self, text: &mut String) {
        while !self.pending.is_empty() {
            match std::str::from_utf8(&self.pending) {
                Ok(characters) => {
                    text.push_str(characters);
                    self.pending.clear();
                }
                // Bytes are taken as they come, so what is broken is broken at the front.
                Err(error) if error.error_len().is_some() => {
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.pending.remove(0);
                }
                Err(_) => return,
            }
        }
    }

    /// No more bytes follow: those that wait form no character.
    fn give_up_pending(&mut self, text: &mut String) {
        text.extend(self.pending.drain(..).map(|_| char::REPLACEMENT_CHARACTER));
    }
}
