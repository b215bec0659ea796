//! What a text mentions: things with number, colour, size and place; hours, weather, seasons, places; signs.
//!
//! English goes by words, Chinese by the names' characters; both clause by clause. A property belongs to the
//! thing it stands before, else to the one before it in the clause or the sentence. Words outside of the world's
//! vocabulary are passed over. Deliberately absent: truth ([`super::facts`]), grammar.

mod chinese;
mod english;

use crate::{
    kinds::Kind,
    places::Place,
    scene::{Colour, Depth, Hour, Season, Side, Size, Weather, Word},
};

/// A thing as a text has it; what it does not say is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mention {
    /// What it is.
    pub kind: Kind,
    /// How many; 0 where the text says that there is none.
    pub count: Option<u8>,
    /// Which colour.
    pub colour: Option<Colour>,
    /// Which size.
    pub size: Option<Size>,
    /// Which side.
    pub side: Option<Side>,
    /// How far back.
    pub depth: Option<Depth>,
}

impl Mention {
    fn of(kind: Kind) -> Self {
        Self { kind, count: None, colour: None, size: None, side: None, depth: None }
    }
}

/// All that a text mentions, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Things.
    pub things: Vec<Mention>,
    /// Places.
    pub places: Vec<Place>,
    /// Seasons.
    pub seasons: Vec<Season>,
    /// Times of day.
    pub hours: Vec<Hour>,
    /// Weathers.
    pub weathers: Vec<Weather>,
    /// Words of signs.
    pub words: Vec<Word>,
    /// Colours, whatever they belong to.
    pub colours: Vec<Colour>,
    /// Sides, whatever they belong to.
    pub sides: Vec<Side>,
    /// Depths, whatever they belong to.
    pub depths: Vec<Depth>,
    /// Sizes, whatever they belong to.
    pub sizes: Vec<Size>,
    /// Numbers, whatever they belong to; articles are none.
    pub numbers: Vec<u8>,
}

/// What a clause says of a thing, wherever it says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Property {
    Count(u8),
    Colour(Colour),
    Size(Size),
    Side(Side),
    Depth(Depth),
}

impl Mention {
    /// Takes a property that is not known yet.
    fn take(&mut self, property: Property) {
        match property {
            Property::Count(count) => _ = self.count.get_or_insert(count),
            Property::Colour(colour) => _ = self.colour.get_or_insert(colour),
            Property::Size(size) => _ = self.size.get_or_insert(size),
            Property::Side(side) => _ = self.side.get_or_insert(side),
            Property::Depth(depth) => _ = self.depth.get_or_insert(depth),
        }
    }
}

/// Whether a text is Chinese: it has a character of that script.
pub fn is_chinese(text: &str) -> bool {
    text.chars().any(|symbol| ('\u{4e00}'..='\u{9fff}').contains(&symbol))
}

/// Reads a text.
pub fn read(text: &str) -> Reading {
    if is_chinese(text) { chinese::read(text) } else { english::read(text) }
}

/// The sentences of a text, without their ends, small letters and single blanks, to be compared.
pub fn sentences(text: &str) -> Vec<String> {
    let parts = text.split(['.', '!', '?', '。', '！', '？', '\n']);
    let plain = |part: &str| {
        let words: Vec<&str> =
            part.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        words.join(" ").to_lowercase()
    };
    parts.map(plain).filter(|part| !part.is_empty()).collect()
}
