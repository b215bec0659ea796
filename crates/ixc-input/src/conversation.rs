//! A conversation as data: turns of text and images, and the words the model was trained to hear.
//!
//! Invariant: an image is a part of a turn, never text. `<ImageHere>` makes a place for one only in
//! [`parts_from_marked`], which a caller applies to text whose author may place images; in
//! [`Part::Text`] it is eleven ordinary characters. Deliberately absent: token ids (see
//! [`crate::prompt`]) and the pictures themselves.

use crate::Error;

/// What a person writes where an image belongs.
pub const IMAGE_MARKER: &str = "<ImageHere>";

/// What the published `chat` tells the model about itself, unless asked otherwise.
pub const CHAT_INSTRUCTION: &str = "\
You are an AI assistant whose name is InternLM-XComposer (浦语·灵笔).\n\
- InternLM-XComposer (浦语·灵笔) is a multi-modality conversational language model that is developed by \
Shanghai AI Laboratory (上海人工智能实验室). It is designed to be helpful, honest, and harmless.\n\
- InternLM-XComposer (浦语·灵笔) can understand and communicate fluently in the language chosen by the \
user such as English and 中文.\n\
- InternLM-XComposer (浦语·灵笔) is capable of comprehending and articulating responses effectively \
based on the provided image.";

/// What composition tells the model where it tells anything: the first three lines of
/// [`CHAT_INSTRUCTION`] without the word "multi-modality".
pub fn composition_instruction() -> String {
    let lines: Vec<&str> = CHAT_INSTRUCTION.lines().take(3).collect();
    lines.join("\n").replace("multi-modality ", "")
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The instruction that precedes the conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The role's name in the prompt.
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// A stretch of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words; neighbouring texts read as one.
    Text(String),
    /// An image at this place, by its position among the request's images.
    Image(usize),
    /// An image that came with the turn but without a place in its text. It stands where the part
    /// stands, unless the layout has another place for a lone image
    /// ([`crate::prompt::Unplaced`]).
    Unplaced(usize),
}

/// What one speaker says at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

impl Turn {
    /// A turn of nothing but words.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())] }
    }
}

/// Turns, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The turns; a system turn, where there is one, comes first.
    pub turns: Vec<Turn>,
}

impl Conversation {
    /// A conversation that begins with an instruction; an empty one makes no turn, as published.
    pub fn with_instruction(instruction: &str) -> Self {
        let system = (!instruction.is_empty()).then(|| Turn::text(Role::System, instruction));
        Self { turns: system.into_iter().collect() }
    }

    /// The images that the turns refer to, in the order of the parts.
    pub fn images(&self) -> impl Iterator<Item = usize> {
        self.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
            Part::Image(index) | Part::Unplaced(index) => Some(*index),
            Part::Text(_) => None,
        })
    }

    /// Bytes of all text parts together.
    pub fn text_bytes(&self) -> usize {
        let bytes = |part: &Part| match part {
            Part::Text(text) => text.len(),
            Part::Image(_) | Part::Unplaced(_) => 0,
        };
        self.turns.iter().flat_map(|turn| &turn.parts).map(bytes).sum()
    }
}

/// How many places for images a marked text has.
pub fn count_markers(text: &str) -> usize {
    text.matches(IMAGE_MARKER).count()
}

/// The parts of a text whose author may place images: each `<ImageHere>` becomes the next of
/// `count` images, counted from `first_image`. Without any marker, all images come unplaced before
/// the text.
///
/// # Errors
/// When the text has markers, but more or fewer than there are images.
pub fn parts_from_marked(text: &str, first_image: usize, count: usize) -> Result<Vec<Part>, Error> {
    let markers = count_markers(text);
    if markers > count {
        return Err(Error::TooManyImageMarkers { markers, images: count });
    }
    if markers > 0 && markers < count {
        return Err(Error::TooFewImageMarkers { markers, images: count });
    }
    let mut parts: Vec<Part> = Vec::new();
    if markers == 0 {
        parts.extend((0..count).map(|position| Part::Unplaced(first_image + position)));
    }
    for (position, words) in text.split(IMAGE_MARKER).enumerate() {
        if position > 0 {
            parts.push(Part::Image(first_image + position - 1));
        }
        if !words.is_empty() {
            parts.push(Part::Text(words.into()));
        }
    }
    Ok(parts)
}
