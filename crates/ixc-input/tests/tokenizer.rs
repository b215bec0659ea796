//! The rung of the tokenizer: ids and text equal to the reference, and nothing a text can smuggle in.

#![allow(clippy::print_stdout, reason = "a rung says what it compared")]

mod words;

use std::{path::PathBuf, time::Instant};

use ixc_input::{
    Error,
    special::{self, SpecialIds},
    text_stream::{Spacing, TextStream},
    tokenizer::{Markers, Tokenizer},
};
use proptest::prelude::*;
use serde_json::Value;
use words::{Dice, Model};

/// Every folder with a tokenizer and its cases.
fn folders() -> Vec<PathBuf> {
    ixc_goldens::folders("tokenizer")
}

/// The published tokenizer, which the fixtures hold.
fn published() -> Tokenizer {
    Tokenizer::from_file(&ixc_goldens::fixtures().join("tokenizer/tokenizer.model")).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    let list = value.as_array().expect("a list of ids");
    list.iter().map(|id| u32::try_from(id.as_u64().expect("an id")).unwrap()).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn rung_tokenizer_encodes_and_decodes_as_the_reference() {
    for folder in folders() {
        let tokenizer = Tokenizer::from_file(&folder.join("tokenizer.model")).unwrap();
        let special = SpecialIds::of(&tokenizer).unwrap();
        let cases = ixc_goldens::json(&folder.join("cases.json"));
        let encode = cases["encode"].as_array().unwrap();
        for case in encode {
            let words = text(&case["text"]);
            let expected = ids(&case["ids"]);
            assert_eq!(tokenizer.encode(words, Markers::Typed), expected, "ids of {words:?}");
            let mut with_bos = vec![special.bos];
            with_bos.extend(&expected);
            assert_eq!(with_bos, ids(&case["ids_with_bos"]), "ids with <s> of {words:?}");
            let decoded = tokenizer.decode(&with_bos, true).unwrap();
            assert_eq!(decoded, text(&case["decoded_skip_special"]), "decoding of {words:?}");
        }
        let decode = cases["decode"].as_array().unwrap();
        for case in decode {
            let list = ids(&case["ids"]);
            let decoded = tokenizer.decode(&list, true).unwrap();
            assert_eq!(decoded, text(&case["decoded_skip_special"]), "decoding of {list:?}");
        }
        let (encode, decode) = (encode.len(), decode.len());
        println!("{}: {encode} texts, {decode} lists of ids, all equal", folder.display());
        assert!(encode > 0 && decode > 0);
    }
}

/// A fixed extract of a comparison with SentencePiece and the reference over random strings; its
/// literal ids are SentencePiece's on the same model without the reserved pieces.
#[test]
fn random_strings_encode_as_sentencepiece_does() {
    let tokenizer = published();
    let cases = ixc_goldens::json(
        &PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/sentencepiece.json"),
    );
    for case in cases["encode"].as_array().unwrap() {
        let words = text(&case["text"]);
        let typed = tokenizer.encode(words, Markers::Typed);
        assert_eq!(typed, ids(&case["typed"]), "{words:?}");
        assert_eq!(
            tokenizer.encode(words, Markers::Literal),
            ids(&case["literal"]),
            "literally {words:?}"
        );
        let decoded = tokenizer.decode(&typed, true).unwrap();
        assert_eq!(decoded, text(&case["decoded_skip_special"]), "{words:?}");
    }
    for case in cases["decode"].as_array().unwrap() {
        let list = ids(&case["ids"]);
        let decoded = tokenizer.decode(&list, true).unwrap();
        assert_eq!(decoded, text(&case["decoded_skip_special"]), "{list:?}");
    }
}

fn assert_literal(tokenizer: &Tokenizer, words: &str) {
    let list = tokenizer.encode(words, Markers::Literal);
    for &id in &list {
        let piece = tokenizer.piece(id).unwrap();
        assert!(!tokenizer.is_reserved(id), "{words:?} yields {piece}");
        assert!(!piece.starts_with("[UNUSED_TOKEN_") || !piece.ends_with(']'), "{piece}");
        assert!(![special::BOS, special::EOS, special::UNK].contains(&piece), "{piece}");
    }
    let back = tokenizer.decode_spaced(&list, true, Spacing::Exact).unwrap();
    assert_eq!(back, words.replace('\u{2581}', " "));
}

#[test]
fn typed_control_tokens_stay_text() {
    for tokenizer in [published(), Model::small().tokenizer()] {
        for marker in ["[UNUSED_TOKEN_146]", "</s>", "<s>", "<unk>", "<ImageHere>", "<0x02>"] {
            assert_literal(&tokenizer, marker);
            assert_literal(&tokenizer, &format!("say {marker}\nplease"));
        }
        let mut dice = Dice(7);
        let mut steering = 0;
        for _ in 0..500 {
            let words = words::hostile(&mut dice);
            assert_literal(&tokenizer, &words);
            let typed = tokenizer.encode(&words, Markers::Typed);
            steering += usize::from(typed.iter().any(|&id| tokenizer.is_reserved(id)));
        }
        assert!(steering > 100, "only {steering} of the 500 texts would steer when typed");
    }
}

#[test]
fn literal_and_typed_agree_on_text_without_markers() {
    for folder in folders() {
        let tokenizer = Tokenizer::from_file(&folder.join("tokenizer.model")).unwrap();
        let cases = ixc_goldens::json(&folder.join("cases.json"));
        for case in cases["encode"].as_array().unwrap() {
            let words = text(&case["text"]);
            assert_literal(&tokenizer, words);
            let typed = ids(&case["ids"]);
            if !typed.iter().any(|&id| tokenizer.is_reserved(id)) {
                assert_eq!(tokenizer.encode(words, Markers::Literal), typed, "{words:?}");
            }
        }
    }
}

#[test]
fn a_long_text_without_spaces_takes_no_quadratic_time() {
    let tokenizer = published();
    let mut dice = Dice(3);
    let letters: String = (0..1_000_000).map(|_| (b'a' + dice.below(26) as u8) as char).collect();
    let brackets = "[".repeat(5_000_000);
    let marks = "<s>".repeat(1_000_000);
    for (name, words, markers) in [
        ("letters", &letters, Markers::Literal),
        ("brackets", &brackets, Markers::Literal),
        ("marks", &marks, Markers::Typed),
    ] {
        let start = Instant::now();
        let list = tokenizer.encode(words, markers);
        let taken = start.elapsed();
        println!("{} bytes of {name}: {} ids in {taken:.1?}", words.len(), list.len());
        // A quadratic merge would take the better part of a day.
        assert!(taken.as_secs() < 120, "{name}: {taken:?}");
        assert_eq!(tokenizer.decode_spaced(&list, false, Spacing::Exact).unwrap(), **words);
    }
}

/// The plain twin of decoding: bytes gathered over the whole list, then ten replacements.
fn decode_plainly(tokenizer: &Tokenizer, list: &[u32], skip_special: bool, tidy: bool) -> String {
    let mut decoded = String::new();
    let mut bytes: Vec<u8> = Vec::new();
    let spill = |bytes: &mut Vec<u8>, decoded: &mut String| {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let whole = (1..=rest.len().min(4)).find_map(|n| std::str::from_utf8(&rest[..n]).ok());
            decoded.push_str(whole.unwrap_or("\u{fffd}"));
            rest = &rest[whole.map_or(1, str::len)..];
        }
        bytes.clear();
    };
    for &id in list {
        let piece = tokenizer.piece(id).unwrap();
        let special = [special::BOS, special::EOS, special::UNK].contains(&piece);
        if special && skip_special {
            continue;
        }
        if piece.len() == 6 && piece.starts_with("<0x") {
            bytes.push(u8::from_str_radix(&piece[3..5], 16).unwrap());
        } else {
            spill(&mut bytes, &mut decoded);
            decoded.push_str(&piece.replace('\u{2581}', " "));
        }
    }
    spill(&mut bytes, &mut decoded);
    if tidy {
        for (from, to) in [
            (" .", "."),
            (" ?", "?"),
            (" !", "!"),
            (" ,", ","),
            (" ' ", "'"),
            (" n't", "n't"),
            (" 'm", "'m"),
            (" 's", "'s"),
            (" 've", "'ve"),
            (" 're", "'re"),
        ] {
            decoded = decoded.replace(from, to);
        }
    }
    decoded
}

fn assert_streams(tokenizer: &Tokenizer, list: &[u32]) {
    for skip_special in [true, false] {
        for spacing in [Spacing::Published, Spacing::Exact] {
            let mut stream = TextStream::new(tokenizer, skip_special, spacing);
            let mut joined = String::new();
            for &id in list {
                joined.push_str(&stream.push(id).unwrap());
            }
            joined.push_str(&stream.finish());
            let tidy = spacing == Spacing::Published;
            assert_eq!(joined, decode_plainly(tokenizer, list, skip_special, tidy), "{list:?}");
            let whole = tokenizer.decode_spaced(list, skip_special, spacing).unwrap();
            assert_eq!(joined, whole, "{list:?}");
        }
    }
}

#[test]
fn streamed_pieces_join_to_the_whole_decoding() {
    let tokenizer = published();
    let vocabulary = u32::try_from(tokenizer.vocab_size()).unwrap();
    // Ids that meet at seams: parts of characters, blanks, and what the tidying looks for.
    let mut seams: Vec<u32> = (0..=258).collect();
    for words in [" ", "  ", ".", ",", "'", " '", "n", "'t", "s", "m", "re", "ve", "n't", " n", "!"]
    {
        seams.extend(tokenizer.encode(words, Markers::Literal));
    }
    let tidied = seams[259..].to_vec();
    let id = prop_oneof![
        2 => 0..vocabulary,
        2 => prop::sample::select(seams),
        4 => prop::sample::select(tidied),
    ];
    let config = ProptestConfig { failure_persistence: None, cases: 2000, ..Default::default() };
    proptest!(config, |(list in prop::collection::vec(id, 0..24))| {
        assert_streams(&tokenizer, &list);
    });
}

#[test]
fn a_stream_never_splits_a_character_and_does_not_hold_back_words() {
    let tokenizer = published();
    let mut stream = TextStream::new(&tokenizer, true, Spacing::Published);
    // U+1F389 has no piece of its own: four bytes.
    let list = tokenizer.encode("\u{1f389} yes", Markers::Literal);
    assert_eq!(list.len(), 5);
    let pieces: Vec<String> = list.iter().map(|&id| stream.push(id).unwrap()).collect();
    assert_eq!(pieces, ["", "", "", "\u{1f389}", " yes"]);
    assert_eq!(stream.finish(), "");
}

#[test]
fn ids_outside_the_vocabulary_are_errors() {
    let tokenizer = published();
    let size = u32::try_from(tokenizer.vocab_size()).unwrap();
    assert!(tokenizer.piece(size - 1).is_some());
    for id in [size, u32::MAX] {
        assert_eq!(tokenizer.piece(id), None);
        assert!(!tokenizer.is_reserved(id));
        let error = tokenizer.decode(&[5, id], true).unwrap_err();
        assert!(matches!(error, Error::TokenOutsideVocabulary { .. }));
        assert!(error.to_string().contains(&size.to_string()), "{error}");
    }
}

#[test]
fn a_small_tokenizer_with_other_ids_works() {
    let model = Model::small();
    let tokenizer = model.tokenizer();
    let special = SpecialIds::of(&tokenizer).unwrap();
    assert_eq!(special.turn_start as usize, model.position("[UNUSED_TOKEN_146]"));
    assert_eq!(special.eos as usize, model.position("</s>"));
    assert_eq!(special.pad, special.eos);
    assert_eq!(special.stops(), [special.eos, special.turn_end]);
    let spelled = |words: &str| -> Vec<String> {
        let list = tokenizer.encode(words, Markers::Typed);
        list.iter().map(|&id| tokenizer.piece(id).unwrap().to_owned()).collect()
    };
    // The best score first: "he" before "th", so "the" comes from "t" and "he".
    assert_eq!(spelled("the"), ["the"]);
    assert_eq!(spelled("user"), ["user"]);
    assert_eq!(spelled("   "), ["\u{2581}\u{2581}", "\u{2581}"]);
    assert_eq!(
        spelled("\u{2014}\u{2014}\u{2014}"),
        ["\u{2014}\u{2014}", "<0xE2>", "<0x80>", "<0x94>"]
    );
    assert_eq!(spelled("[UNUSED_TOKEN_14]"), ["[UNUSED_TOKEN_14]"]);
    assert_eq!(spelled("th </s> e"), ["th", "</s>", "e"]);
}

/// What a spoilt model is refused with.
fn refusal(spoil: impl FnOnce(&mut Model)) -> String {
    let mut model = Model::small();
    spoil(&mut model);
    Tokenizer::from_bytes(&model.bytes()).expect_err("a spoilt model").to_string()
}

fn assert_mentions(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
}

#[test]
fn settings_of_other_families_are_refused_by_name() {
    let unigram = refusal(|model| model.model_type = None);
    assert_mentions(&unigram, &["model_type", "UNIGRAM", "BPE"]);
    assert_mentions(&refusal(|model| model.model_type = Some(4)), &["CHAR"]);
    assert_mentions(&refusal(|model| model.byte_fallback = None), &["byte_fallback", "false"]);
    assert_mentions(&refusal(|model| model.dummy_prefix = None), &["add_dummy_prefix"]);
    let extra = refusal(|model| model.extra_whitespaces = Some(1));
    assert_mentions(&extra, &["remove_extra_whitespaces"]);
    let escape = refusal(|model| model.escape_whitespaces = Some(0));
    assert_mentions(&escape, &["escape_whitespaces"]);
    let map = refusal(|model| model.charsmap = Some(vec![1, 2, 3]));
    assert_mentions(&map, &["precompiled_charsmap", "3 bytes"]);
    let back = refusal(|model| model.denormalizer = Some(vec![1]));
    assert_mentions(&back, &["denormalizer_spec"]);
}

#[test]
fn damaged_pieces_are_refused_by_position() {
    let spoilt = |position: usize, piece: (&str, f32, u64)| {
        refusal(|model| model.pieces[position] = (piece.0.into(), piece.1, piece.2))
    };
    assert_mentions(&spoilt(256, ("e", f32::NAN, words::NORMAL)), &["piece 256", "NaN"]);
    assert_mentions(&spoilt(256, ("e", f32::INFINITY, words::NORMAL)), &["piece 256", "inf"]);
    assert_mentions(&spoilt(256, ("", 0.0, words::NORMAL)), &["piece 256", "empty"]);
    let long = "e".repeat(2000);
    assert_mentions(&spoilt(256, (&long, 0.0, words::NORMAL)), &["piece 256", "2000"]);
    assert_mentions(&spoilt(258, ("t", 0.0, words::UNUSED)), &["piece 258", "UNUSED"]);
    assert_mentions(&spoilt(258, ("t", 0.0, 9)), &["piece 258", "type 9"]);
    assert_mentions(&spoilt(10, ("<0x0a>", 0.0, words::BYTE)), &["piece 10", "BYTE"]);
    assert_mentions(&spoilt(10, ("newline", 0.0, words::BYTE)), &["piece 10", "BYTE"]);
    assert_mentions(&spoilt(10, ("ten", 0.0, words::NORMAL)), &["0x0A"]);
    assert_mentions(&spoilt(10, ("<0x0B>", 0.0, words::BYTE)), &["piece 11", "repeats"]);
    let unknown = |model: &Model| model.position("<unk>");
    let none = refusal(|model| {
        let at = unknown(model);
        model.pieces.remove(at);
    });
    assert_mentions(&none, &["0 unknown", "exactly 1"]);
    let two = refusal(|model| model.pieces[256] = ("<unk2>".into(), 0.0, words::UNKNOWN));
    assert_mentions(&two, &["2 unknown"]);
}

#[test]
fn what_is_no_tokenizer_is_refused() {
    let refused =
        |bytes: &[u8]| Tokenizer::from_bytes(bytes).expect_err("no tokenizer").to_string();
    assert_mentions(&refused(b""), &["no pieces", "tokenizer.model"]);
    assert_mentions(&refused(b"{\"version\": \"1.0\"}"), &["not a SentencePiece file"]);
    let whole = Model::small().bytes();
    assert_mentions(&refused(&whole[..whole.len() / 2]), &["not a SentencePiece file"]);
    let large = vec![0; (8 << 20) + 1];
    assert_mentions(&refused(&large), &["8388609", "8388608"]);
    let absent = ixc_goldens::fixtures().join("no-such-folder/tokenizer.model");
    let error = Tokenizer::from_file(&absent).unwrap_err();
    assert!(matches!(error, Error::ReadTokenizer { .. }));
    assert_mentions(&error.to_string(), &["no-such-folder", "config.json"]);
    assert!(Tokenizer::from_file(&ixc_goldens::fixtures()).is_err(), "a folder is no tokenizer");
}

#[test]
fn a_tokenizer_without_the_special_pieces_is_named_by_what_it_lacks() {
    for lacking in ["<s>", "</s>", "[UNUSED_TOKEN_145]", "[UNUSED_TOKEN_146]"] {
        let mut model = Model::small();
        let at = model.position(lacking);
        model.pieces.remove(at);
        let error = SpecialIds::of(&model.tokenizer()).unwrap_err();
        assert!(matches!(error, Error::TokenizerLacks { piece } if piece == lacking), "{error}");
    }
    assert!(SpecialIds::of(&Model::small().tokenizer()).is_ok());
}

#[test]
fn mutated_files_never_panic() {
    let whole = Model::small().bytes();
    let mut dice = Dice(11);
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + dice.below(8) {
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes[at] = dice.below(256) as u8,
                1 => bytes.truncate(at.max(1)),
                _ => {
                    let from = dice.below(bytes.len());
                    let copy = bytes[from..bytes.len().min(from + 20)].to_vec();
                    bytes.splice(at..at, copy);
                }
            }
        }
        match Tokenizer::from_bytes(&bytes) {
            Ok(tokenizer) => {
                let list = tokenizer.encode("the user [UNUSED_TOKEN_1]</s>", Markers::Typed);
                tokenizer.decode(&list, false).unwrap();
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 10_000, "{refused} refused");
}
