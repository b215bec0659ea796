//! What a user asks for, as data.
//!
//! Invariant: what is asked of the model is a function of this alone. Deliberately absent: files; the door reads
//! them.

use ixc_input::composition::{MAX_SECTIONS, MAX_SUPPLIED};
use serde::{Deserialize, Serialize};

use crate::{Error, chat::Decoding, limits::REQUEST_BYTES, service::Generate};

/// A language that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
}

impl Language {
    /// That of a text: Chinese if it has Han characters.
    pub fn of(text: &str) -> Self {
        let han = |c: char| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{323af}');
        if text.contains(han) { Self::Zh } else { Self::En }
    }

    /// Its tag (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }
}

/// How many pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Images {
    /// None; places are not asked for.
    None,
    /// As many as the model wants.
    #[default]
    Auto,
    /// All of the user's own.
    All,
    /// So many.
    Count(usize),
}

/// A picture of the user's own, as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnPicture {
    /// Where it was.
    pub path: String,
    /// Its file's SHA-256, in hexadecimal digits.
    pub digest: String,
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The user's words.
    pub instruction: String,
    /// An outline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outline: Option<String>,
    /// Detailed requirements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements: Option<String>,
    /// The article's language; the instruction's if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// How many pictures.
    #[serde(default)]
    pub images: Images,
    /// The user's own pictures, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<OwnPicture>,
    /// The libraries that are searched, by name or path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<String>,
    /// When services are asked to make pictures.
    #[serde(default, skip_serializing_if = "Generate::is_default")]
    pub generate: Generate,
    /// Decides what is drawn at random.
    #[serde(default)]
    pub seed: u64,
    /// Searches the article with so many beams instead of drawing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beams: Option<usize>,
}

impl Request {
    /// Checks what a user may have got wrong.
    ///
    /// # Errors
    /// Names the first thing that is out of range, its range and its value.
    pub fn check(&self) -> Result<(), Error> {
        let texts = [Some(&self.instruction), self.outline.as_ref(), self.requirements.as_ref()];
        let bytes: usize = texts.iter().flatten().map(|text| text.len()).sum();
        let asks = texts.iter().flatten().any(|text| !text.trim().is_empty());
        ensure(
            asks || !self.own.is_empty(),
            "instruction",
            "words, an outline or pictures",
            || "nothing".into(),
        )?;
        let expected = format!("at most {REQUEST_BYTES} bytes");
        ensure(bytes <= REQUEST_BYTES, "instruction", &expected, || bytes.to_string())?;
        let (own, expected) = (self.own.len(), format!("at most {MAX_SUPPLIED} of your own"));
        ensure(own <= MAX_SUPPLIED, "pictures", &expected, || own.to_string())?;
        let all = self.images == Images::All;
        ensure(!all || own > 0, "images", "pictures of your own, if all are to be used", || {
            "none".into()
        })?;
        if let Images::Count(count) = self.images {
            let expected = format!("1 to {MAX_SECTIONS}, one for each section at most");
            let fits = (1..=MAX_SECTIONS).contains(&count);
            ensure(fits, "images", &expected, || count.to_string())?;
        }
        Ok(())
    }

    /// The language that it is to be written in.
    pub fn written_in(&self) -> Language {
        self.language.unwrap_or_else(|| Language::of(&self.instruction))
    }

    /// The instruction as the model gets it: the user's words, then outline and requirements, then the language
    /// where it is not the words' own.
    pub fn asked(&self) -> String {
        let own = Language::of(&self.instruction);
        let (outline, requirements) = match own {
            Language::En => ("Outline:", "Requirements:"),
            Language::Zh => ("提纲：", "要求："),
        };
        let mut asked = self.instruction.trim().to_owned();
        let mut add = |line: &str| {
            if !asked.is_empty() {
                asked.push('\n');
            }
            asked.push_str(line);
        };
        for (label, text) in [(outline, &self.outline), (requirements, &self.requirements)] {
            if let Some(text) = text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
                add(&format!("{label}\n{text}"));
            }
        }
        match self.language {
            Some(Language::En) if own != Language::En => add("Write in English."),
            Some(Language::Zh) if own != Language::Zh => add("请用中文写。"),
            _ => {}
        }
        asked
    }

    /// How an article's and a paragraph's words are found.
    pub fn decoding(&self) -> Decoding {
        self.beams.map_or(Decoding::Sample(self.seed), Decoding::Beams)
    }

    /// How many pictures are asked for, if a number is.
    pub fn wanted(&self) -> Option<usize> {
        match self.images {
            Images::None | Images::Auto => None,
            Images::All => Some(self.own.len()),
            Images::Count(count) => Some(count),
        }
    }
}

fn ensure(
    holds: bool,
    option: &'static str,
    expected: &str,
    found: impl FnOnce() -> String,
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::Option { option, expected: expected.into(), found: found() })
}
