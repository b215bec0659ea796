//! Reads Chinese.
//!
//! Names are found as characters, the longest first; a clause's properties go to its things. Deliberately absent:
//! a segmentation into words; the world's names do not contain each other.

use super::{Mention, Property, Reading};
use crate::{
    kinds::Kind,
    places::Place,
    scene::{Colour, Depth, Hour, Season, Side, Size, Weather, Word},
};

const NUMBERS: &[(&str, u8)] =
    &[("没有", 0), ("零", 0), ("一", 1), ("两", 2), ("二", 2), ("三", 3), ("四", 4), ("五", 5)];

pub(super) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    for sentence in text.split(['。', '！', '？', '；', '\n', '.', '!', '?', ';']) {
        let first = reading.things.len();
        for clause in sentence.split(['，', '、', ',', '和', '：', ':']) {
            read_clause(clause, first, &mut reading);
        }
    }
    reading
}

fn read_clause(clause: &str, first: usize, reading: &mut Reading) {
    let quoted: Vec<&str> =
        clause.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).collect();
    reading.words.extend(Word::ALL.iter().filter(|word| quoted.contains(&word.english())));
    reading.places.extend(Place::ALL.iter().filter(|place| clause.contains(place.chinese())));
    reading.seasons.extend(Season::ALL.iter().filter(|season| clause.contains(season.chinese())));
    reading.hours.extend(Hour::ALL.iter().filter(|hour| clause.contains(hour.chinese())));
    reading
        .weathers
        .extend(Weather::ALL.iter().filter(|weather| clause.contains(weather.chinese())));
    let mut kinds: Vec<(usize, Kind)> = Kind::ALL
        .iter()
        .filter_map(|&kind| Some((clause.find(kind.about().chinese)?, kind)))
        .collect();
    kinds.sort_unstable();
    let mut properties = properties(clause, reading);
    let mut before = 0;
    for &(at, kind) in &kinds {
        let mut mention = Mention::of(kind);
        if let Some(count) = count(&clause[before..at], kind) {
            mention.take(Property::Count(count));
        }
        before = at + kind.about().chinese.len();
        properties.retain(|&(place, property)| {
            let own = place < at || kinds.last().is_some_and(|last| last.1 == kind);
            if own {
                mention.take(property);
            }
            // Where things are holds for all things of the clause.
            !own || matches!(property, Property::Side(_) | Property::Depth(_))
        });
        reading.things.push(mention);
    }
    if kinds.is_empty()
        && let Some(last) = reading.things[first..].last_mut()
    {
        properties.into_iter().for_each(|(_, property)| last.take(property));
    }
}

/// Colours, sizes, sides, depths and bare numbers of a clause, in order; numbers go into the reading alone.
fn properties(clause: &str, reading: &mut Reading) -> Vec<(usize, Property)> {
    let mut found = Vec::new();
    for &colour in Colour::ALL {
        if let Some(at) = clause.find(colour.chinese()) {
            reading.colours.push(colour);
            found.push((at, Property::Colour(colour)));
        }
    }
    for (words, size) in
        [(["大大的", "很大", "大的"], Size::Large), (["小小的", "很小", "小的"], Size::Small)]
    {
        if let Some(at) = words.iter().find_map(|word| clause.find(word)) {
            reading.sizes.push(size);
            found.push((at, Property::Size(size)));
        }
    }
    for &side in Side::ALL {
        if let Some(at) = clause.find(side.chinese()) {
            reading.sides.push(side);
            found.push((at, Property::Side(side)));
        }
    }
    for &depth in Depth::ALL {
        if let Some(at) = clause.find(depth.chinese()) {
            reading.depths.push(depth);
            found.push((at, Property::Depth(depth)));
        }
    }
    let counted = clause.chars().zip(clause.chars().skip(1).chain([' ']));
    for (digit, measure) in counted {
        let mut encoded = [0; 4];
        let digit: &str = digit.encode_utf8(&mut encoded);
        let known = NUMBERS.iter().find(|(word, _)| *word == digit);
        let is_measure = Kind::ALL.iter().any(|kind| kind.about().measure.starts_with(measure));
        if let Some(&(_, number)) = known.filter(|_| is_measure || clause.chars().count() == 1) {
            reading.numbers.push(number);
        }
    }
    found.sort_by_key(|&(at, _)| at);
    found
}

/// The number before a thing's name: one with the thing's measure word, or that there is none.
fn count(before: &str, kind: Kind) -> Option<u8> {
    let counts = |(word, count): &(&str, u8)| {
        let counted = format!("{word}{}", kind.about().measure);
        (before.contains(&counted) || (*count == 0 && before.contains(word))).then_some(*count)
    };
    NUMBERS.iter().find_map(counts)
}
