//! Whether an answer is the right one.
//!
//! A wanted word must be that word and nothing else, but for case, articles and punctuation. A sentence must name
//! the right value and no other of its kind. Deliberately absent: partial credit.

use super::read::{Reading, is_chinese, read};
use crate::{
    kinds::Kind,
    scene::Size,
    text::{
        question::{Form, Question, Value},
        two::Aspect,
    },
};

/// Whether `said` answers a question rightly.
pub fn judge(question: &Question, said: &str) -> bool {
    value_is(question.value, question.form, said)
}

/// Whether `said` is `value` in a form.
pub fn value_is(value: Value, form: Form, said: &str) -> bool {
    let short = form != Form::Word || plain(said).split(' ').count() <= longest(value);
    short && names(value, said)
}

/// Words of the longest name of a value's kind.
fn longest(value: Value) -> usize {
    match value {
        Value::Kind(kind) => kind.about().many.split(' ').count(),
        Value::Place(_) | Value::Aspect(_) => 3,
        Value::Side(_) | Value::Depth(_) => 3,
        _ => 1,
    }
}

/// Small letters, single blanks, no punctuation, no article at the front.
pub fn plain(said: &str) -> String {
    let words = said.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_lowercase).collect();
    let articles =
        words.iter().take_while(|word| matches!(word.as_str(), "a" | "an" | "the")).count();
    words[articles..].join(" ")
}

fn names(value: Value, said: &str) -> bool {
    let reading = read(said);
    match value {
        Value::Truth(truth) => said_truth(said) == Some(truth),
        Value::Colour(colour) => only(&reading.colours, colour),
        Value::Count(count) => only(&counts(&reading, said), count),
        Value::Side(side) => only(&reading.sides, side),
        Value::Depth(depth) => only(&reading.depths, depth),
        Value::Size(size) => only(&sizes(&reading, said), size),
        Value::Kind(kind) => {
            let kinds: Vec<Kind> = reading.things.iter().map(|mention| mention.kind).collect();
            only(&kinds, kind)
        }
        Value::Weather(weather) => only(&reading.weathers, weather),
        Value::Hour(hour) => only(&reading.hours, hour),
        Value::Season(season) => only(&reading.seasons, season),
        Value::Place(place) => only(&reading.places, place),
        Value::Word(word) => only(&spelled(&reading, said), word),
        Value::Picture(number) => only(&pictures(said), number),
        Value::Aspect(aspect) => only(&aspects(said), aspect),
    }
}

/// Whether a value was named, and nothing else of its kind.
fn only<T: PartialEq>(found: &[T], value: T) -> bool {
    !found.is_empty() && found.iter().all(|item| *item == value)
}

/// Yes or no, by how the answer begins.
pub fn said_truth(said: &str) -> Option<bool> {
    if is_chinese(said) {
        return Some(!["没有", "不", "否"].iter().any(|no| said.contains(no)));
    }
    match plain(said).split(' ').next() {
        Some("yes") => Some(true),
        Some("no") => Some(false),
        _ => None,
    }
}

/// Numbers: those read, or the article where nothing else counts.
fn counts(reading: &Reading, said: &str) -> Vec<u8> {
    if !reading.numbers.is_empty() {
        return reading.numbers.clone();
    }
    let lone = ["一", "两", "三", "四", "五"].iter().position(|digit| plain(said) == *digit);
    if let Some(at) = lone {
        return vec![at as u8 + 1];
    }
    reading.things.iter().filter_map(|mention| mention.count).collect()
}

fn sizes(reading: &Reading, said: &str) -> Vec<Size> {
    match plain(said).as_str() {
        "大" => vec![Size::Large],
        "小" => vec![Size::Small],
        _ => reading.sizes.clone(),
    }
}

/// Words of signs, capitals or not where the whole answer is one word.
fn spelled(reading: &Reading, said: &str) -> Vec<crate::scene::Word> {
    if !reading.words.is_empty() {
        return reading.words.clone();
    }
    let said = plain(said);
    let words = crate::scene::Word::ALL.iter().copied();
    words.filter(|word| word.english().to_lowercase() == said).collect()
}

fn pictures(said: &str) -> Vec<u8> {
    let said = plain(said);
    let mut found = Vec::new();
    for (words, number) in [(["first", "第一"], 1), (["second", "第二"], 2)] {
        if words.iter().any(|word| said.contains(word)) {
            found.push(number);
        }
    }
    found
}

fn aspects(said: &str) -> Vec<Aspect> {
    let said = plain(said);
    Aspect::ALL.iter().copied().filter(|aspect| said.contains(aspect.english())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Colour, Hour, Side, Word};

    fn right(value: Value, form: Form, said: &[&str]) {
        for said in said {
            assert!(value_is(value, form, said), "{value:?} {said:?}");
        }
    }

    fn wrong(value: Value, form: Form, said: &[&str]) {
        for said in said {
            assert!(!value_is(value, form, said), "{value:?} {said:?}");
        }
    }

    #[test]
    fn words_are_exact_but_for_dress() {
        let red = Value::Colour(Colour::Red);
        right(red, Form::Word, &["Red", "red.", " RED", "红色"]);
        wrong(red, Form::Word, &["blue", "", "The car is red.", "red and blue"]);
        right(Value::Count(3), Form::Word, &["Three", "3", "三"]);
        wrong(Value::Count(3), Form::Word, &["Two", "33", "many"]);
        right(Value::Truth(true), Form::Word, &["Yes", "yes."]);
        wrong(Value::Truth(true), Form::Word, &["No", "Yes, there is a dog.", "maybe"]);
        right(Value::Word(Word::Stop), Form::Word, &["STOP", "stop", "\"STOP\""]);
        wrong(Value::Word(Word::Stop), Form::Word, &["SHOP", "STOP SHOP"]);
    }

    #[test]
    fn sentences_name_one_value() {
        right(Value::Colour(Colour::Red), Form::Sentence, &["The car is red.", "Red."]);
        wrong(
            Value::Colour(Colour::Red),
            Form::Sentence,
            &["It is red or blue.", "There is no car."],
        );
        right(Value::Side(Side::Left), Form::Open, &["The dog is on the left.", "狗在左边。"]);
        wrong(Value::Side(Side::Left), Form::Open, &["On the right.", "The dog is there."]);
        right(Value::Count(2), Form::Sentence, &["There are two dogs.", "图中有两只狗。"]);
        right(Value::Count(1), Form::Sentence, &["There is one dog.", "There is a dog."]);
        wrong(
            Value::Count(2),
            Form::Sentence,
            &["There are two or three dogs.", "There are dogs."],
        );
        right(
            Value::Hour(Hour::Night),
            Form::Sentence,
            &["It is night.", "It is late, at midnight."],
        );
        right(Value::Truth(false), Form::Sentence, &["No, there is no cat.", "图中没有猫。"]);
        right(Value::Picture(2), Form::Sentence, &["The second picture."]);
        wrong(Value::Picture(2), Form::Sentence, &["The first or the second picture."]);
        right(Value::Kind(Kind::Sheep), Form::Sentence, &["There are more sheep."]);
        wrong(Value::Kind(Kind::Sheep), Form::Sentence, &["There are more sheep than dogs."]);
    }
}
