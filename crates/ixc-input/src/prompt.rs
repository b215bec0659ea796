//! The layout of a conversation: turns in, segments of token ids and image slots out.
//!
//! Published template (model.md §5): `[UNUSED_TOKEN_146]role\n…[UNUSED_TOKEN_145]\n` per turn. Only
//! this file writes those markers; words between two of them are encoded as one string together with
//! the role's name, as the published code does, because merges cross the line end. Training and
//! inference share it. Deliberately absent: truncation (a prompt fits or is refused elsewhere, with
//! both numbers), tensors, and any reading of roles back out of ids.

use crate::{
    Error,
    conversation::{Conversation, Part, Role, Turn},
    limits::MAX_PROMPT_BYTES,
    special::SpecialIds,
    tokenizer::{Markers, Tokenizer},
};

/// Where `<s>` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bos {
    /// As `chat` of 2.0 and 4KHD: in front of every stretch of text, so again after each image; and
    /// twice in front of a conversation without images, where the published code both writes one
    /// (`build_inputs`) and lets its tokenizer add one.
    EveryTextPart,
    /// Once, at the very start, even before an image: 2.5, training, evaluation, composition.
    Once,
}

/// Where an image goes that came without a place ([`Part::Unplaced`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplaced {
    /// Where the part stands: before the question.
    InTurn,
    /// A conversation's only image goes to the very beginning, before the first role: 4KHD and 2.5.
    /// Several stay where they stand.
    LoneFirst,
}

/// How the sequence ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With the assistant's header: the model speaks next. The answer begins with `prefix`, which may
    /// be empty.
    Answer {
        /// Words put into the assistant's mouth.
        prefix: String,
    },
    /// With `</s>`: a whole conversation, for training.
    Closed,
}

/// The choices in which members and uses of the family differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Where `<s>` stands.
    pub bos: Bos,
    /// Where a lone image without a place goes.
    pub unplaced: Unplaced,
    /// What typed markers turn into; anything but parity tests wants [`Markers::Literal`].
    pub markers: Markers,
    /// How the sequence ends.
    pub ending: Ending,
}

impl Layout {
    /// The layout of an inference prompt whose answer begins freely and whose text is data.
    pub fn answer(bos: Bos, unplaced: Unplaced) -> Self {
        let ending = Ending::Answer { prefix: String::new() };
        Self { bos, unplaced, markers: Markers::Literal, ending }
    }
}

/// A stretch of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Tokens.
    Text {
        /// Their ids, never empty.
        ids: Vec<u32>,
        /// Whether training teaches them: an assistant's answer with its closing marker, and what
        /// ends the sequence after the last one. Questions, instructions, role headers and the
        /// line end between turns are not.
        learned: bool,
    },
    /// A place for an image.
    Image {
        /// Position among the request's images.
        index: usize,
    },
}

/// A conversation ready to be embedded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// In order. Text neighbours differ in `learned`.
    pub segments: Vec<Segment>,
}

impl Prompt {
    /// Positions that the prompt takes, when image `i` takes `image_tokens[i]`.
    ///
    /// # Errors
    /// When a slot asks for an image beyond `image_tokens`.
    pub fn positions(&self, image_tokens: &[usize]) -> Result<usize, Error> {
        self.segments.iter().try_fold(0usize, |sum, segment| {
            let length = match segment {
                Segment::Text { ids, .. } => ids.len(),
                Segment::Image { index } => *image_tokens
                    .get(*index)
                    .ok_or(Error::ImageOutOfRange { index: *index, images: image_tokens.len() })?,
            };
            Ok(sum.saturating_add(length))
        })
    }
}

/// Lays a conversation out for one member of the family.
///
/// # Errors
/// When the conversation has no turn or more text than [`MAX_PROMPT_BYTES`], or when the tokenizer
/// lacks a special piece.
pub fn layout(
    conversation: &Conversation,
    layout: &Layout,
    tokenizer: &Tokenizer,
) -> Result<Prompt, Error> {
    if conversation.turns.is_empty() {
        return Err(Error::EmptyConversation);
    }
    let prefix = match &layout.ending {
        Ending::Answer { prefix } => prefix.len(),
        Ending::Closed => 0,
    };
    let found = conversation.text_bytes().saturating_add(prefix);
    if found > MAX_PROMPT_BYTES {
        return Err(Error::TextTooLong { found, limit: MAX_PROMPT_BYTES });
    }
    let mut writer = Writer::new(layout, tokenizer)?;
    if layout.bos == Bos::EveryTextPart && conversation.images().next().is_none() {
        writer.mark(writer.special.bos, false);
    }
    let first = image_to_move(conversation, layout.unplaced);
    if let Some(index) = first {
        writer.image(index);
    }
    let mut after_answer = false;
    for turn in &conversation.turns {
        writer.line_end(false);
        write_turn(turn, first, &mut writer);
        after_answer = turn.role == Role::Assistant;
    }
    match &layout.ending {
        Ending::Answer { prefix } => {
            writer.line_end(false);
            writer.header(Role::Assistant);
            writer.words(prefix, false);
        }
        Ending::Closed => {
            // The published masking stops at the next question; after the last answer none comes.
            writer.line_end(after_answer);
            writer.mark(writer.special.eos, after_answer);
        }
    }
    Ok(writer.into_prompt())
}

/// The conversation's only image, when it has no place of its own and the layout has one for it.
fn image_to_move(conversation: &Conversation, unplaced: Unplaced) -> Option<usize> {
    if unplaced == Unplaced::InTurn {
        return None;
    }
    let parts = conversation.turns.iter().flat_map(|turn| &turn.parts);
    let mut images = parts.filter(|part| !matches!(part, Part::Text(_)));
    match (images.next(), images.next()) {
        (Some(&Part::Unplaced(index)), None) => Some(index),
        _ => None,
    }
}

fn write_turn(turn: &Turn, moved: Option<usize>, writer: &mut Writer<'_>) {
    let learned = turn.role == Role::Assistant;
    writer.header(turn.role);
    for part in &turn.parts {
        match part {
            Part::Text(text) => writer.words(text, learned),
            Part::Unplaced(_) if moved.is_some() => {}
            Part::Image(index) | Part::Unplaced(index) => writer.image(*index),
        }
    }
    writer.mark(writer.special.turn_end, learned);
    writer.pending_line_end = true;
}

/// Collects segments; words wait until a marker or an image ends them, so that they are encoded as
/// one string.
struct Writer<'a> {
    tokenizer: &'a Tokenizer,
    special: SpecialIds,
    markers: Markers,
    bos: Bos,
    segments: Vec<Segment>,
    /// Words not yet encoded.
    words: String,
    /// Bytes of `words` at its front that are a role's header and therefore not learned.
    header: usize,
    /// Whether `words` past the header are learned.
    learned: bool,
    /// Whether the present stretch between images has its `<s>`, where it gets one.
    begun: bool,
    /// Whether the line end after a closed turn is still to be written.
    pending_line_end: bool,
}

impl<'a> Writer<'a> {
    fn new(layout: &Layout, tokenizer: &'a Tokenizer) -> Result<Self, Error> {
        Ok(Self {
            tokenizer,
            special: SpecialIds::of(tokenizer)?,
            markers: layout.markers,
            bos: layout.bos,
            segments: Vec::new(),
            words: String::new(),
            header: 0,
            learned: false,
            begun: false,
            pending_line_end: false,
        })
    }

    /// The marker and the name that begin a turn.
    fn header(&mut self, role: Role) {
        self.mark(self.special.turn_start, false);
        self.words(role.name(), false);
        self.words("\n", false);
        self.header = self.words.len();
    }

    fn words(&mut self, words: &str, learned: bool) {
        self.words.push_str(words);
        self.learned = learned;
    }

    /// The line end that follows a closed turn, if one is due.
    fn line_end(&mut self, learned: bool) {
        if std::mem::take(&mut self.pending_line_end) {
            self.words("\n", learned);
        }
    }

    fn mark(&mut self, id: u32, learned: bool) {
        self.flush();
        self.ids(&[id], learned);
    }

    fn image(&mut self, index: usize) {
        self.flush();
        if self.bos == Bos::Once {
            self.begin();
        }
        self.segments.push(Segment::Image { index });
        self.begun = self.bos == Bos::Once;
    }

    /// Encodes the words that wait.
    fn flush(&mut self) {
        let words = std::mem::take(&mut self.words);
        let header = std::mem::take(&mut self.header);
        if words.is_empty() {
            return;
        }
        let ids = self.tokenizer.encode(&words, self.markers);
        let cut = if self.learned { self.ids_covering(&ids, header) } else { ids.len() };
        self.ids(&ids[..cut], false);
        self.ids(&ids[cut..], true);
    }

    /// How many ids it takes to cover the first `header` characters, which are all ASCII. An id that
    /// also covers the answer's first characters belongs to the header: the published masking counts
    /// ids too, and never learns one that it did not reach.
    fn ids_covering(&self, ids: &[u32], header: usize) -> usize {
        let mut covered = 0;
        ids.iter()
            .take_while(|&&id| {
                let before = covered;
                covered += self.tokenizer.spoken(id).map_or(0, |spoken| spoken.width());
                before < header
            })
            .count()
    }

    /// Writes the `<s>` that is due.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.ids(&[self.special.bos], false);
        }
    }

    fn ids(&mut self, new: &[u32], now_learned: bool) {
        if new.is_empty() {
            return;
        }
        self.begin();
        match self.segments.last_mut() {
            Some(Segment::Text { ids, learned }) if *learned == now_learned => ids.extend(new),
            _ => self.segments.push(Segment::Text { ids: new.into(), learned: now_learned }),
        }
    }

    fn into_prompt(mut self) -> Prompt {
        self.flush();
        Prompt { segments: self.segments }
    }
}
