//! The one table of special pieces: their names, and their ids in a given tokenizer.
//!
//! Invariant: no other file writes such a name or such an id. Ids differ between tokenizers, so
//! they are looked up by name. Deliberately absent: `<ImageHere>`, which is no piece at all (see
//! [`crate::conversation`]).

use crate::{Error, tokenizer::Tokenizer};

/// Begins a sequence.
pub const BOS: &str = "<s>";
/// Ends a sequence; the published code pads with it as well.
pub const EOS: &str = "</s>";
/// What no piece covers.
pub const UNK: &str = "<unk>";
/// Ends a turn, and with it an answer.
pub const TURN_END: &str = "[UNUSED_TOKEN_145]";
/// Begins a turn; the role's name follows.
pub const TURN_START: &str = "[UNUSED_TOKEN_146]";

/// The ids of the special pieces in one tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialIds {
    /// [`BOS`], 1 in the published tokenizer.
    pub bos: u32,
    /// [`EOS`], 2 in the published tokenizer.
    pub eos: u32,
    /// Fills a batch; the published tokenizer uses [`EOS`].
    pub pad: u32,
    /// [`UNK`], 0 in the published tokenizer.
    pub unk: u32,
    /// [`TURN_START`], 92543 in the published tokenizer.
    pub turn_start: u32,
    /// [`TURN_END`], 92542 in the published tokenizer.
    pub turn_end: u32,
}

impl SpecialIds {
    /// Looks the table up in a tokenizer.
    ///
    /// # Errors
    /// When the tokenizer lacks one of the pieces, named in the error.
    pub fn of(tokenizer: &Tokenizer) -> Result<Self, Error> {
        let id = |piece| tokenizer.id(piece).ok_or(Error::TokenizerLacks { piece });
        let eos = id(EOS)?;
        Ok(Self {
            bos: id(BOS)?,
            eos,
            pad: eos,
            unk: id(UNK)?,
            turn_start: id(TURN_START)?,
            turn_end: id(TURN_END)?,
        })
    }

    /// The ids that end an answer in the published `chat`: [`EOS`] and [`TURN_END`].
    pub fn stops(&self) -> [u32; 2] {
        [self.eos, self.turn_end]
    }
}

/// Whether a piece of this name steers the model, whatever type its tokenizer gives it.
pub(crate) fn is_reserved_name(name: &str) -> bool {
    let number = name.strip_prefix("[UNUSED_TOKEN_").and_then(|rest| rest.strip_suffix(']'));
    let unused = number
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    unused || [BOS, EOS, UNK].contains(&name)
}
