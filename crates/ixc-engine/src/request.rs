//! What a caller asks for: turns, pictures, and how to decode the answer.
//!
//! The defaults are those of the published `chat` (model.md, section 6). Every option is checked
//! before any work is done.

use ixc_input::{
    conversation::{Conversation, Role, Turn},
    image::Picture,
    text_stream::Spacing,
    tokenizer::Markers,
};

use crate::{
    Error,
    beam::Beams,
    limits::{BEAMS_MAX, IMAGES_MAX},
    sample::Sampling,
};

/// How the next word is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decoding {
    /// Always the best.
    Greedy,
    /// Drawn at random.
    Sample(Sampling),
    /// The best whole answer among several kept side by side.
    Beams(Beams),
}

/// One question to the model.
#[derive(Clone, Debug)]
pub struct Request {
    /// The turns so far; the last one is answered.
    pub conversation: Conversation,
    /// The pictures that the turns refer to by index.
    pub pictures: Vec<Picture>,
    /// How words are chosen.
    pub decoding: Decoding,
    /// Divides the scores of words already said; 1 changes nothing.
    pub repetition_penalty: f32,
    /// Words at most.
    pub max_new_tokens: usize,
    /// Whether typed control markers become special ids, as in the published code.
    pub markers: Markers,
    /// Tiles at most per picture (`hd_num`), in the high-resolution family; the published number if
    /// none.
    pub tiles_max: Option<u32>,
    /// How blanks are decoded; published unless asked otherwise.
    pub spacing: Spacing,
    /// Words put into the assistant's mouth before it goes on.
    pub prefix: String,
}

/// Published `chat`: temperature 1, top-p 0.8.
pub const SAMPLING_DEFAULT: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.8, seed: 0 };

impl Request {
    /// A request for the answer to a conversation, decoded as the published `chat` does.
    pub fn new(conversation: Conversation, pictures: Vec<Picture>) -> Self {
        Self {
            conversation,
            pictures,
            decoding: Decoding::Sample(SAMPLING_DEFAULT),
            repetition_penalty: 1.005,
            max_new_tokens: 1024,
            markers: Markers::Literal,
            tiles_max: None,
            spacing: Spacing::Published,
            prefix: String::new(),
        }
    }

    /// A single question without pictures or instruction.
    pub fn text(question: &str) -> Self {
        Self::new(Conversation { turns: vec![Turn::text(Role::User, question)] }, Vec::new())
    }

    /// Checks every option against its range.
    ///
    /// # Errors
    /// Names the first option that is out of range, its range and its value.
    pub fn check(&self) -> Result<(), Error> {
        let positive = |v: f32| v.is_finite() && v > 0.0;
        ensure(
            positive(self.repetition_penalty),
            "repetition penalty",
            "a number above 0",
            self.repetition_penalty,
        )?;
        ensure(self.max_new_tokens > 0, "max new tokens", "at least 1", self.max_new_tokens)?;
        let images = format!("at most {IMAGES_MAX}");
        ensure(self.pictures.len() <= IMAGES_MAX, "images", images, self.pictures.len())?;
        match self.decoding {
            Decoding::Greedy => Ok(()),
            Decoding::Sample(Sampling { temperature, top_p, .. }) => {
                ensure(
                    positive(temperature),
                    "temperature",
                    "a number above 0 (for none, decode greedily)",
                    temperature,
                )?;
                ensure((0.0..=1.0).contains(&top_p), "top-p", "0 to 1", top_p)
            }
            Decoding::Beams(Beams { count, length_penalty }) => {
                ensure(
                    (1..=BEAMS_MAX).contains(&count),
                    "beams",
                    format!("1 to {BEAMS_MAX}"),
                    count,
                )?;
                ensure(length_penalty.is_finite(), "length penalty", "a number", length_penalty)
            }
        }
    }
}

fn ensure(
    holds: bool,
    option: &'static str,
    expected: impl Into<String>,
    found: impl ToString,
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::Option { option, expected: expected.into(), found: found.to_string() })
}
