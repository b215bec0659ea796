//! A vocabulary learned from texts: equal to the slow obvious way, in the family's form, and read back.

use std::collections::BTreeMap;

use ixc_input::{
    special::SpecialIds,
    text_stream::Spacing,
    tokenizer::{Markers, Tokenizer, train},
};

const TEXTS: [&str; 6] = [
    "The red house stands beside a tree. The tree is green.\nA red car, two red cars.",
    "Two houses and three trees; the houses are red, the trees are green.",
    "There are 12 boats on the lake, and 120 birds over the lake.",
    "红色的房子旁边有一棵树。树是绿色的。红色的房子很大。",
    "湖上有三只船，红色的船和绿色的船。",
    "aaaa aaaaa aaaaaaa abab ababab",
];

const SIZE: usize = 390;

fn learned() -> Tokenizer {
    Tokenizer::from_bytes(&train(TEXTS, SIZE).unwrap()).unwrap()
}

/// Where no piece may reach across, said once more in other words.
fn words(text: &str) -> Vec<String> {
    let class = |c: char| match c {
        ' ' => 0,
        c if c.is_numeric() || c.is_control() => 1,
        '\u{4e00}'..='\u{9fff}' => 2,
        c if c.is_alphabetic() => 3,
        _ => 4,
    };
    let mut words: Vec<String> = Vec::new();
    for c in text.chars() {
        let last = words.last().and_then(|word| word.chars().last()).map(class);
        match (last, class(c)) {
            (Some(0), 3 | 4) => words.last_mut().unwrap().push(c),
            (Some(last), now) if last == now && now >= 2 => words.last_mut().unwrap().push(c),
            _ => words.push(c.into()),
        }
    }
    words
}

/// A word in pieces: while any neighbours form one that was learned, the earliest learned, the leftmost.
fn cut(word: &str, learned: &[String]) -> Vec<String> {
    let mut pieces: Vec<String> = word.chars().map(String::from).collect();
    loop {
        let rank = |pair: &[String]| learned.iter().position(|piece| *piece == pair.concat());
        let pairs = pieces.windows(2).enumerate();
        let Some((_, at)) = pairs.filter_map(|(at, pair)| Some((rank(pair)?, at))).min() else {
            return pieces;
        };
        let right = pieces.remove(at + 1);
        pieces[at] += &right;
    }
}

/// The slow way: cut all words anew, count what neighbours would form, take the most frequent.
fn slowly(many: usize) -> Vec<String> {
    let words: Vec<String> = TEXTS.iter().flat_map(|text| words(text)).collect();
    let mut learned: Vec<String> = Vec::new();
    while learned.len() < many {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for word in &words {
            for pair in cut(word, &learned).windows(2) {
                let formed = pair.concat();
                let han = formed.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
                if formed.chars().count() <= if han { 4 } else { 16 } {
                    *counts.entry(formed).or_default() += 1;
                }
            }
        }
        // The first by its letters among the most frequent.
        let best = counts.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
        learned.push(best.expect("enough pairs").0.clone());
    }
    learned
}

#[test]
fn learning_equals_the_slow_way() {
    let tokenizer = learned();
    let characters = TEXTS.concat().chars().collect::<std::collections::BTreeSet<_>>().len();
    let many = SIZE - 3 - 256 - 2 - characters;
    let expected = slowly(many);
    let found: Vec<String> = (259..259 + many as u32)
        .map(|id| tokenizer.piece(id).unwrap().replace('\u{2581}', " "))
        .collect();
    assert_eq!(found, expected);
    for word in TEXTS.iter().flat_map(|text| words(text)) {
        let ids = tokenizer.encode(&word, Markers::Literal);
        let pieces: Vec<String> =
            ids.iter().map(|&id| tokenizer.piece(id).unwrap().replace('\u{2581}', " ")).collect();
        assert_eq!(pieces, cut(&word, &expected), "{word:?}");
    }
}

#[test]
fn special_pieces_have_the_familys_places() {
    let tokenizer = learned();
    assert_eq!(tokenizer.vocab_size(), SIZE);
    let special = SpecialIds::of(&tokenizer).unwrap();
    assert_eq!((special.unk, special.bos, special.eos), (0, 1, 2));
    let last = SIZE as u32 - 1;
    assert_eq!((special.turn_end, special.turn_start), (last - 1, last));
    let typed = "[UNUSED_TOKEN_146]user\n</s>";
    let ids = tokenizer.encode(typed, Markers::Literal);
    assert!(ids.iter().all(|&id| !tokenizer.is_reserved(id)));
    assert!(tokenizer.encode(typed, Markers::Typed).contains(&last));
}

#[test]
fn any_text_comes_back() {
    let tokenizer = learned();
    for text in TEXTS.iter().copied().chain(["Grüße, 世界! \t🙂  two  blanks", "\0", "", "  "])
    {
        let ids = tokenizer.encode(text, Markers::Literal);
        let back = tokenizer.decode_spaced(&ids, false, Spacing::Exact).unwrap();
        assert_eq!(back, text);
    }
}

#[test]
fn the_order_of_texts_does_not_matter() {
    let mut turned = TEXTS;
    turned.reverse();
    assert_eq!(train(TEXTS, SIZE).unwrap(), train(turned, SIZE).unwrap());
}

#[test]
fn what_cannot_be_learned_is_said() {
    for (texts, size, part) in [
        (&[][..], 400, "there is no text"),
        (&["abc"], 263, "expected 264"),
        (&["abc"], 300, "no more than 266; give more text"),
        (&["abc"], usize::MAX, "expected 264"),
    ] {
        let error = train(texts.iter().copied(), size).unwrap_err().to_string();
        assert!(error.contains(part), "{part:?} in {error}");
    }
}
