//! Learning a vocabulary of the family's form from texts: byte-pair encoding with byte fallback.
//!
//! Texts are cut into words (`words`), and the pair of neighbours that is met most often becomes a piece,
//! again and again, until the vocabulary is full. Special pieces have the family's places: `<unk>`, `<s>`,
//! `</s>` first, the marks of a turn last. Invariants: [`super::Tokenizer::encode`] cuts a text of the
//! training into the pieces that training left it in; the same texts give the same bytes, whatever their order.
//! Deliberately absent: unigram models, normalisation, reading files.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{BLANK, Kind, model_file};
use crate::{Error, limits::MAX_PIECES, special};

/// Share of all characters that have pieces of their own; the rest, the rarest, is spelled in bytes.
const COVERAGE: f64 = 0.9999;

/// Characters of the longest piece, as SentencePiece has it.
const LETTERS_MAX: usize = 16;

/// The same where words have no blanks between them: longer ones are phrases.
const HAN_MAX: usize = 4;

/// Pieces that are not learned: three special ones, the bytes, the marks of a turn.
const GIVEN: usize = 3 + 256 + 2;

/// What a character does to the word that it stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Blank,
    /// Alone always: digits, line ends, the character that means a byte.
    Alone,
    Han,
    Letter,
    Sign,
}

impl Class {
    fn of(character: char) -> Self {
        match character {
            ' ' | '\u{2581}' => Self::Blank,
            '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}' => {
                Self::Han
            }
            _ if character.is_numeric() || character.is_control() => Self::Alone,
            _ if character.is_alphabetic() => Self::Letter,
            _ => Self::Sign,
        }
    }
}

/// The `tokenizer.model` of a vocabulary of `size` pieces that is learned from texts.
///
/// # Errors
/// When the texts are empty, or hold more characters than pieces, or fewer pairs than are asked for.
pub fn train<'a>(texts: impl IntoIterator<Item = &'a str>, size: usize) -> Result<Vec<u8>, Error> {
    let refuse = |problem: String| Error::TokenizerTraining { size, problem };
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for text in texts {
        for word in words(text) {
            match counts.get_mut(word) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(word.into(), 1);
                }
            }
        }
    }
    let characters = characters(&counts);
    let least = GIVEN + characters.len();
    if characters.is_empty() {
        return Err(refuse("there is no text; give files with some".into()));
    }
    if !(least..=MAX_PIECES).contains(&size) {
        return Err(refuse(format!(
            "expected {least} (256 bytes, special pieces and {} characters) to {MAX_PIECES}",
            characters.len()
        )));
    }
    let learned = Learner::new(&counts, &characters).learn(size - least);
    if learned.len() < size - least {
        return Err(refuse(format!(
            "these texts hold no more than {}; give more text, or ask for fewer",
            least + learned.len()
        )));
    }
    Ok(model_file::write(pieces(learned, characters)))
}

/// All pieces in their places: given ones, learned ones from the first, characters, the marks of a turn.
fn pieces(learned: Vec<String>, characters: Vec<char>) -> Vec<(String, f32, Kind)> {
    let mut pieces = vec![
        (special::UNK.to_owned(), 0.0, Kind::Unknown),
        (special::BOS.to_owned(), 0.0, Kind::Control),
        (special::EOS.to_owned(), 0.0, Kind::Control),
    ];
    pieces.extend((0..=255u8).map(|byte| (format!("<0x{byte:02X}>"), 0.0, Kind::Byte(byte))));
    let spelled = |character| if character == ' ' { BLANK.into() } else { String::from(character) };
    let normal = learned.into_iter().chain(characters.into_iter().map(spelled));
    // A rank is exact in a float32 up to 2^24, and there are fewer pieces.
    pieces.extend(normal.enumerate().map(|(rank, text)| (text, -(rank as f32), Kind::Normal)));
    let marks = [special::TURN_END, special::TURN_START];
    pieces.extend(marks.map(|mark| (mark.to_owned(), 0.0, Kind::UserDefined)));
    pieces
}

/// A text cut where no piece may reach across: before blanks, around digits, between scripts.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut last = Class::of(rest.chars().next()?);
        let end = rest.char_indices().skip(1).find_map(|(at, character)| {
            let class = Class::of(character);
            let joins = match (last, class) {
                (_, Class::Blank | Class::Alone) | (Class::Alone, _) => false,
                // A blank begins the word behind it; no Chinese word has one.
                (Class::Blank, Class::Letter | Class::Sign) => true,
                (before, now) => before == now,
            };
            last = class;
            (!joins).then_some(at)
        });
        let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        Some(word)
    })
}

/// The characters that get pieces, the most frequent first.
fn characters(words: &BTreeMap<String, u64>) -> Vec<char> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for (word, count) in words {
        for character in word.chars().map(|c| if c == '\u{2581}' { ' ' } else { c }) {
            *counts.entry(character).or_default() += count;
        }
    }
    // SentencePiece takes a NUL for a byte.
    counts.remove(&'\0');
    let all: u64 = counts.values().sum();
    let mut found: Vec<(char, u64)> = counts.into_iter().collect();
    found.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let mut covered = 0;
    let frequent = found.into_iter().take_while(|&(_, count)| {
        let enough = covered as f64 >= COVERAGE * all as f64;
        covered += count;
        !enough
    });
    frequent.map(|(character, _)| character).collect()
}

/// A word as the pieces that it is made of so far, and how often it was met.
struct Word {
    pieces: Vec<u32>,
    count: u64,
}

/// Words, and what may be joined in them. A piece and what two pieces would form are numbers of one table.
struct Learner {
    words: Vec<Word>,
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
    /// Which of them are pieces, in the order in which they were learned.
    ranks: HashMap<u32, usize>,
    /// What a pair would form, if that may be a piece.
    formed: HashMap<(u32, u32), Option<u32>>,
    /// How often each text could be formed, and in which words that was ever so.
    met: HashMap<u32, (u64, BTreeSet<usize>)>,
}

impl Learner {
    fn new(counts: &BTreeMap<String, u64>, characters: &[char]) -> Self {
        let known: BTreeSet<char> = characters.iter().copied().collect();
        let mut learner = Self {
            words: Vec::new(),
            texts: Vec::new(),
            numbers: HashMap::new(),
            ranks: HashMap::new(),
            formed: HashMap::new(),
            met: HashMap::new(),
        };
        for (word, &count) in counts {
            let word = word.replace('\u{2581}', " ");
            // What is spelled in bytes parts a word.
            for part in word.split(|character| !known.contains(&character)) {
                let letter = |character: char| learner.number(character.into());
                let pieces: Vec<u32> = part.chars().map(letter).collect();
                if pieces.len() > 1 {
                    learner.words.push(Word { pieces, count });
                    learner.count(learner.words.len() - 1, true);
                }
            }
        }
        learner
    }

    /// So many pieces, or all that there are, in the order in which they are joined.
    fn learn(mut self, many: usize) -> Vec<String> {
        let mut learned = Vec::new();
        while learned.len() < many {
            let texts = &self.texts;
            let text = |number: u32| &texts[number as usize];
            // The most frequent; among equals the first by its letters.
            let best = self.met.iter().filter(|(_, (count, _))| *count > 0).max_by(|a, b| {
                let by_count = (a.1).0.cmp(&(b.1).0);
                by_count.then_with(|| text(*b.0).cmp(text(*a.0)))
            });
            let Some((&best, _)) = best else { break };
            learned.push(text(best).replace(' ', BLANK));
            self.join(best);
        }
        learned
    }

    /// Joins the pairs that form a text, wherever they are.
    fn join(&mut self, best: u32) {
        let (_, words) = self.met.remove(&best).expect("it was met");
        self.ranks.insert(best, self.ranks.len());
        for index in words {
            self.count(index, false);
            self.settle(index);
            self.count(index, true);
        }
        self.met.remove(&best);
    }

    /// Joins in a word what pieces there are, in the order in which they were learned, the leftmost first: as
    /// encoding does. So no pair is left that forms a piece, also by other halves than those it was learned of.
    fn settle(&mut self, index: usize) {
        loop {
            let pieces = &self.words[index].pieces;
            let pairs = pieces.windows(2).enumerate().filter_map(|(at, pair)| {
                let formed = self.formed.get(&(pair[0], pair[1])).copied().flatten()?;
                Some((*self.ranks.get(&formed)?, at, formed))
            });
            let Some((_, at, formed)) = pairs.min() else { return };
            let pieces = &mut self.words[index].pieces;
            pieces[at] = formed;
            pieces.remove(at + 1);
            // What its new neighbours form with it.
            for at in at.saturating_sub(1)..=at {
                if let Some(&[left, right]) = self.words[index].pieces.get(at..at + 2) {
                    self.form((left, right));
                }
            }
        }
    }

    /// Adds what a word's pairs could form, or takes it away.
    fn count(&mut self, index: usize, add: bool) {
        let count = self.words[index].count;
        for at in 1..self.words[index].pieces.len() {
            let pair = (self.words[index].pieces[at - 1], self.words[index].pieces[at]);
            let Some(formed) = self.form(pair) else { continue };
            let (met, words) = self.met.entry(formed).or_default();
            if add {
                *met += count;
                words.insert(index);
            } else {
                *met = met.saturating_sub(count);
            }
        }
    }

    /// The text that two pieces form, if it may be one.
    fn form(&mut self, pair: (u32, u32)) -> Option<u32> {
        if let Some(&formed) = self.formed.get(&pair) {
            return formed;
        }
        let text = self.texts[pair.0 as usize].clone() + &self.texts[pair.1 as usize];
        let han = text.chars().next().is_some_and(|first| Class::of(first) == Class::Han);
        let most = if han { HAN_MAX } else { LETTERS_MAX };
        let formed = (text.chars().count() <= most).then(|| self.number(text));
        self.formed.insert(pair, formed);
        formed
    }

    fn number(&mut self, text: String) -> u32 {
        if let Some(&number) = self.numbers.get(&text) {
            return number;
        }
        let number = u32::try_from(self.texts.len()).expect("pairs of a limited text");
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }
}
