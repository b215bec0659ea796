//! Reads English.
//!
//! Number, colour and size go to the thing that follows within a few words, else to the last one; side and depth
//! to the things of their clause. Deliberately absent: anything that needs a parser.

use super::{Mention, Property, Reading};
use crate::{
    kinds::Kind,
    places::Place,
    scene::{Colour, Depth, Hour, Season, Side, Size, Weather, Word},
};

/// A token of a clause.
enum Token {
    Kind(Kind),
    /// Before a thing: belongs to it.
    Before(Property),
    /// Belongs to the clause.
    Of(Property),
    /// Begins another clause.
    Joint,
    Other,
}

pub(super) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    for sentence in text.split(['.', '!', '?', '\n', ';', ':']) {
        read_sentence(sentence, &mut reading);
    }
    reading
}

const ENDS_A_NOUN: &[&str] = &["in", "on", "by", "of", "at", "the", "is", "are", "under", "over"];

/// How many words may stand between a property and its thing.
const REACH: usize = 4;

fn read_sentence(sentence: &str, reading: &mut Reading) {
    let first = reading.things.len();
    let mut clause = first;
    // Properties that wait for their thing, with the position of their words.
    let mut waiting: Vec<(usize, Property)> = Vec::new();
    let mut placed: Vec<Property> = Vec::new();
    let words = words(sentence);
    let mut at = 0;
    while at < words.len() {
        let (token, length) = token(&words[at..], reading);
        match token {
            Token::Kind(kind) => {
                let mut mention = Mention::of(kind);
                for (place, property) in waiting.drain(..).rev() {
                    if at - place <= REACH {
                        mention.take(property);
                    } else if let Some(last) = reading.things[first..].last_mut() {
                        last.take(property);
                    }
                }
                reading.things.push(mention);
            }
            Token::Before(property) => waiting.push((at, property)),
            Token::Of(property) => placed.push(property),
            Token::Joint => {
                if words[at] == "," {
                    waiting.retain(|(_, property)| !matches!(property, Property::Count(_)));
                }
                settle(reading, first, &mut clause, &mut placed);
                if reading.things.len() > first {
                    settle_waiting(reading, first, &mut waiting);
                }
            }
            // An article's own noun ends before a preposition: "a night in the park".
            Token::Other if ENDS_A_NOUN.contains(&words[at]) => {
                waiting.retain(|(_, property)| !matches!(property, Property::Count(_)));
            }
            Token::Other => {}
        }
        at += length;
    }
    settle(reading, first, &mut clause, &mut placed);
    settle_waiting(reading, first, &mut waiting);
}

/// Gives a clause's places to its things, or, where it has none, to the sentence's last.
fn settle(reading: &mut Reading, first: usize, clause: &mut usize, placed: &mut Vec<Property>) {
    let from = if *clause < reading.things.len() {
        *clause
    } else {
        reading.things.len().saturating_sub(1).max(first)
    };
    if from < reading.things.len() {
        for property in placed.drain(..) {
            reading.things[from..].iter_mut().for_each(|mention| mention.take(property));
        }
    }
    *clause = reading.things.len();
}

fn settle_waiting(reading: &mut Reading, first: usize, waiting: &mut Vec<(usize, Property)>) {
    for (_, property) in waiting.drain(..) {
        if let Some(last) = reading.things[first..].last_mut() {
            last.take(property);
        }
    }
}

/// Words and commas.
fn words(sentence: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for chunk in sentence.split_whitespace() {
        let word = chunk.trim_matches(|c: char| !c.is_alphanumeric());
        if !word.is_empty() {
            words.push(word);
        }
        if chunk.ends_with(',') {
            words.push(",");
        }
    }
    words
}

/// The token at the front, how many words it takes, and what it adds to the reading by itself.
fn token(words: &[&str], reading: &mut Reading) -> (Token, usize) {
    if let Some(&word) = Word::ALL.iter().find(|word| word.english() == words[0]) {
        reading.words.push(word);
        return (Token::Other, 1);
    }
    let lower: Vec<String> = words.iter().take(3).map(|word| word.to_lowercase()).collect();
    let next = |at: usize| lower.get(at).map_or("", String::as_str);
    let pair = format!("{} {}", next(0), next(1));
    for &kind in Kind::ALL {
        let about = kind.about();
        for name in [about.one, about.many] {
            if name == pair {
                return (Token::Kind(kind), 2);
            }
            if name == next(0) {
                return (Token::Kind(kind), 1);
            }
        }
    }
    if pair == "living room" {
        reading.places.push(Place::LivingRoom);
        return (Token::Other, 2);
    }
    (single(next(0), next(1), reading), 1)
}

/// The token of a word that is no thing.
fn single(word: &str, next: &str, reading: &mut Reading) -> Token {
    if let Some(&colour) = Colour::ALL.iter().find(|colour| colour.english() == word) {
        reading.colours.push(colour);
        return Token::Before(Property::Colour(colour));
    }
    if let Some(count) = number(word) {
        if !matches!(word, "a" | "an" | "no" | "without") {
            reading.numbers.push(count);
        }
        return Token::Before(Property::Count(count));
    }
    if let Some(size) = size(word) {
        reading.sizes.push(size);
        return Token::Before(Property::Size(size));
    }
    if let Some(side) = side(word) {
        reading.sides.push(side);
        return Token::Of(Property::Side(side));
    }
    if let Some(depth) = depth(word, next) {
        reading.depths.push(depth);
        return Token::Of(Property::Depth(depth));
    }
    if matches!(word, "," | "and" | "while" | "but" | "with" | "or") {
        return Token::Joint;
    }
    if let Some(&place) = Place::ALL.iter().find(|place| place.english() == word) {
        reading.places.push(place);
    } else if word == "mountain" {
        reading.places.push(Place::Mountains);
    } else if let Some(&season) = Season::ALL.iter().find(|season| season.english() == word) {
        reading.seasons.push(season);
    } else if let Some(hour) = hour(word) {
        reading.hours.push(hour);
    } else if let Some(weather) = weather(word) {
        reading.weathers.push(weather);
    }
    Token::Other
}

fn number(word: &str) -> Option<u8> {
    Some(match word {
        "no" | "zero" | "0" | "without" => 0,
        "a" | "an" | "one" | "single" | "1" => 1,
        "two" | "2" => 2,
        "three" | "3" => 3,
        "four" | "4" => 4,
        "five" | "5" => 5,
        _ => return None,
    })
}

fn size(word: &str) -> Option<Size> {
    match word {
        "small" | "little" | "tiny" => Some(Size::Small),
        "large" | "big" => Some(Size::Large),
        _ => None,
    }
}

fn side(word: &str) -> Option<Side> {
    match word {
        "left" => Some(Side::Left),
        "middle" | "centre" | "center" => Some(Side::Middle),
        "right" => Some(Side::Right),
        _ => None,
    }
}

fn depth(word: &str, next: &str) -> Option<Depth> {
    match (word, next) {
        ("sky", _) => Some(Depth::Sky),
        ("far" | "distance" | "background", _) => Some(Depth::Far),
        ("near" | "nearby" | "foreground", _) | ("close", "by") => Some(Depth::Near),
        _ => None,
    }
}

fn hour(word: &str) -> Option<Hour> {
    match word {
        "morning" | "dawn" | "sunrise" => Some(Hour::Morning),
        "day" | "daytime" | "noon" | "midday" | "afternoon" => Some(Hour::Day),
        "evening" | "dusk" | "sunset" => Some(Hour::Evening),
        "night" | "midnight" | "nighttime" => Some(Hour::Night),
        _ => None,
    }
}

fn weather(word: &str) -> Option<Weather> {
    match word {
        "clear" | "sunny" | "cloudless" => Some(Weather::Clear),
        "cloudy" | "overcast" | "clouds" => Some(Weather::Cloudy),
        "rain" | "rainy" | "raining" | "rains" => Some(Weather::Rainy),
        "snowy" | "snowing" | "snowfall" | "snowflakes" | "snows" => Some(Weather::Snowy),
        "fog" | "foggy" | "mist" | "misty" => Some(Weather::Foggy),
        "storm" | "stormy" | "thunder" | "thunderstorm" | "lightning" => Some(Weather::Stormy),
        _ => None,
    }
}
