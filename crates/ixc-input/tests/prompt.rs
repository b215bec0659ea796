//! The rung of the prompt: lengths equal to the reference, ids equal to the published template
//! encoded whole, and no way for a text to become structure.

#![allow(clippy::print_stdout, reason = "a rung says what it compared")]

mod words;

use ixc_input::{
    Error,
    conversation::{
        CHAT_INSTRUCTION, Conversation, IMAGE_MARKER, Part, Role, Turn, composition_instruction,
        count_markers, parts_from_marked,
    },
    prompt::{Bos, Ending, Layout, Prompt, Segment, Unplaced, layout},
    special::SpecialIds,
    tokenizer::{Markers, Tokenizer},
};
use serde_json::Value;
use words::{Dice, Model};

/// The published tokenizer, which the fixtures hold.
fn published() -> Tokenizer {
    Tokenizer::from_file(&ixc_goldens::fixtures().join("tokenizer/tokenizer.model")).unwrap()
}

/// Texts without markers: those of the tokenizer's cases.
fn plain_texts() -> Vec<String> {
    let cases = ixc_goldens::json(&ixc_goldens::fixtures().join("tokenizer/cases.json"));
    let texts = cases["encode"].as_array().unwrap().iter();
    let texts = texts.map(|case| case["text"].as_str().unwrap().to_owned());
    texts
        .filter(|text| !["<s>", "</s>", "<unk>", "[UNUSED"].iter().any(|m| text.contains(m)))
        .collect()
}

/// All token ids of a prompt; an image is `None`.
fn flat(prompt: &Prompt) -> Vec<Option<u32>> {
    let mut ids = Vec::new();
    for segment in &prompt.segments {
        match segment {
            Segment::Text { ids: text, .. } => {
                assert!(!text.is_empty(), "an empty segment");
                ids.extend(text.iter().copied().map(Some));
            }
            Segment::Image { .. } => ids.push(None),
        }
    }
    ids
}

fn slots(prompt: &Prompt) -> Vec<usize> {
    let slot = |segment: &Segment| match segment {
        Segment::Image { index } => Some(*index),
        Segment::Text { .. } => None,
    };
    prompt.segments.iter().filter_map(slot).collect()
}

fn user(parts: Vec<Part>) -> Turn {
    Turn { role: Role::User, parts }
}

/// Question and answer of a published history entry, the question's images in their places.
fn exchange(entry: &Value, next_image: &mut usize) -> [Turn; 2] {
    let (question, answer) = (entry[0].as_str().unwrap(), entry[1].as_str().unwrap());
    let count = count_markers(question);
    let parts = parts_from_marked(question, *next_image, count).unwrap();
    *next_image += count;
    [user(parts), Turn::text(Role::Assistant, answer)]
}

#[test]
fn rung_prompt_positions_equal_the_reference_chat() {
    let mut checked = 0;
    for folder in ixc_goldens::roots().iter().map(|root| root.join("tiny-chat")) {
        if !folder.is_dir() {
            continue;
        }
        let tokenizer = Tokenizer::from_file(&folder.join("tokenizer.model")).unwrap();
        let expected = ixc_goldens::json(&folder.join("expected.json"));
        let instruction = expected["meta_instruction"].as_str().unwrap();
        assert_eq!(instruction, CHAT_INSTRUCTION);
        for case in expected["chat"].as_array().unwrap() {
            let asked = case["options"]["meta_instruction"].as_str();
            let mut conversation = Conversation::with_instruction(asked.unwrap_or(instruction));
            let mut next_image = 0;
            for entry in case["history"].as_array().unwrap() {
                conversation.turns.extend(exchange(entry, &mut next_image));
            }
            let images = case["images"].as_array().map_or(0, Vec::len);
            let query = case["query"].as_str().unwrap();
            let parts = parts_from_marked(query, next_image, images - next_image).unwrap();
            conversation.turns.push(user(parts));
            let choices = Layout::answer(Bos::EveryTextPart, Unplaced::InTurn);
            let prompt = layout(&conversation, &choices, &tokenizer).unwrap();
            let image_positions = case["image_positions"].as_u64().unwrap() as usize;
            let each = image_positions / images.max(1);
            let found = prompt.positions(&vec![each; images]).unwrap();
            let name = &case["name"];
            assert_eq!(found as u64, case["prompt_positions"].as_u64().unwrap(), "{name}");
            println!("{name}: {found} positions, equal");
            checked += 1;
        }
    }
    if checked == 0 {
        eprintln!("SKIPPED: no root holds tiny-chat; the lengths of whole chats were not compared");
    }
}

/// The published code: one string with typed markers, cut at the images, each part encoded whole.
fn published_chat(
    conversation: &Conversation,
    bos: Bos,
    prefix: &str,
    tokenizer: &Tokenizer,
) -> Vec<Option<u32>> {
    let mut text = String::new();
    for turn in &conversation.turns {
        text += &format!("[UNUSED_TOKEN_146]{}\n", turn.role.name());
        for part in &turn.parts {
            match part {
                Part::Text(words) => text += words,
                Part::Image(_) | Part::Unplaced(_) => text += IMAGE_MARKER,
            }
        }
        text += "[UNUSED_TOKEN_145]\n";
    }
    text += "[UNUSED_TOKEN_146]assistant\n";
    text += prefix;
    let bos_id = SpecialIds::of(tokenizer).unwrap().bos;
    let mut ids = Vec::new();
    if bos == Bos::EveryTextPart && !text.contains(IMAGE_MARKER) {
        // `build_inputs`, the way without images, writes one itself.
        ids.push(Some(bos_id));
    }
    for (position, part) in text.split(IMAGE_MARKER).enumerate() {
        if position > 0 {
            ids.push(None);
        }
        let begins = match bos {
            Bos::EveryTextPart => !part.is_empty(),
            Bos::Once => position == 0,
        };
        ids.extend(begins.then_some(Some(bos_id)));
        ids.extend(tokenizer.encode(part, Markers::Typed).into_iter().map(Some));
    }
    ids
}

#[test]
fn ids_equal_the_published_template_encoded_whole() {
    let mut texts = plain_texts();
    texts.retain(|text| !text.contains(IMAGE_MARKER));
    texts.extend(["\n", "\n\nhi", " leading", "s\n\n", "\u{2014}", "", "user\n"].map(String::from));
    for tokenizer in [published(), Model::small().tokenizer()] {
        let mut dice = Dice(5);
        for round in 0..400 {
            let mut images = 0;
            let mut turn = |role, dice: &mut Dice| {
                let mut parts = Vec::new();
                for _ in 0..dice.below(4) {
                    if dice.below(3) == 0 {
                        parts.push(Part::Image(images));
                        images += 1;
                    }
                    parts.push(Part::Text(dice.one(&texts).clone()));
                }
                Turn { role, parts }
            };
            let mut conversation = Conversation::with_instruction(["", "Be brief."][round % 2]);
            for _ in 0..1 + dice.below(3) {
                conversation.turns.push(turn(Role::User, &mut dice));
                conversation.turns.push(turn(Role::Assistant, &mut dice));
            }
            conversation.turns.push(turn(Role::User, &mut dice));
            let prefix = dice.one(&["", "\u{6807}\u{9898}\u{662f}\"", "\n"]).to_string();
            for bos in [Bos::EveryTextPart, Bos::Once] {
                for markers in [Markers::Literal, Markers::Typed] {
                    let ending = Ending::Answer { prefix: prefix.clone() };
                    let choices = Layout { bos, unplaced: Unplaced::InTurn, markers, ending };
                    let prompt = layout(&conversation, &choices, &tokenizer).unwrap();
                    let expected = published_chat(&conversation, bos, &prefix, &tokenizer);
                    assert_eq!(flat(&prompt), expected, "{bos:?} {markers:?} {conversation:?}");
                    assert_eq!(slots(&prompt), (0..images).collect::<Vec<_>>());
                    let length = prompt.positions(&vec![7; images]).unwrap();
                    assert_eq!(length, expected.len() + 6 * images);
                }
            }
        }
    }
}

#[test]
fn typed_markers_reproduce_the_published_template() {
    let tokenizer = published();
    let mut dice = Dice(9);
    for _ in 0..500 {
        let question = words::hostile(&mut dice).replace(IMAGE_MARKER, "");
        let mut conversation = Conversation::default();
        conversation.turns.push(Turn::text(Role::User, question));
        let choices =
            Layout { markers: Markers::Typed, ..Layout::answer(Bos::Once, Unplaced::InTurn) };
        let prompt = layout(&conversation, &choices, &tokenizer).unwrap();
        let expected = published_chat(&conversation, Bos::Once, "", &tokenizer);
        assert_eq!(flat(&prompt), expected, "{conversation:?}");
    }
}

#[test]
fn a_text_never_becomes_structure() {
    for tokenizer in [published(), Model::small().tokenizer()] {
        let special = SpecialIds::of(&tokenizer).unwrap();
        let mut dice = Dice(13);
        let mut texts: Vec<String> = (0..500).map(|_| words::hostile(&mut dice)).collect();
        texts.extend(["[UNUSED_TOKEN_146]", "</s>", "<ImageHere>"].map(String::from));
        for text in texts {
            let mut conversation = Conversation::with_instruction(&text);
            // Split in two: the halves of a marker must not join either.
            let cut = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
            let halves = [&text[..cut], &text[cut..]].map(|half| Part::Text(half.into()));
            conversation.turns.push(user(halves.into()));
            conversation.turns.push(Turn::text(Role::Assistant, text.clone()));
            conversation.turns.push(Turn::text(Role::User, text.clone()));
            let ending = Ending::Answer { prefix: text.clone() };
            let choices = Layout { ending, ..Layout::answer(Bos::Once, Unplaced::LoneFirst) };
            let prompt = layout(&conversation, &choices, &tokenizer).unwrap();
            assert!(slots(&prompt).is_empty(), "{text:?} made an image slot");
            let steering: Vec<u32> = flat(&prompt)
                .into_iter()
                .map(|id| id.expect("no image"))
                .filter(|&id| tokenizer.is_reserved(id))
                .collect();
            let (start, end) = (special.turn_start, special.turn_end);
            let expected = [special.bos, start, end, start, end, start, end, start, end, start];
            assert_eq!(steering, expected, "{text:?}");
        }
    }
}

#[test]
fn images_stand_where_the_markers_are() {
    let text = |words: &str| Part::Text(words.into());
    let parts = |marked: &str, first, count| parts_from_marked(marked, first, count).unwrap();
    assert_eq!(parts("", 0, 0), []);
    assert_eq!(parts("hello", 3, 0), [text("hello")]);
    assert_eq!(parts("hello", 3, 2), [Part::Unplaced(3), Part::Unplaced(4), text("hello")]);
    assert_eq!(
        parts("a<ImageHere>b<ImageHere><ImageHere>", 1, 3),
        [text("a"), Part::Image(1), text("b"), Part::Image(2), Part::Image(3)]
    );
    assert_eq!(count_markers("<ImageHere>x<ImageHere<ImageHere>"), 2);
}

#[test]
fn more_markers_than_images_is_refused() {
    let error = parts_from_marked("<ImageHere><ImageHere>", 0, 1).unwrap_err();
    assert!(matches!(error, Error::TooManyImageMarkers { markers: 2, images: 1 }));
    let message = error.to_string();
    assert!(message.contains("2 `<ImageHere>`") && message.contains("1 image"), "{message}");
    assert!(parts_from_marked("<ImageHere>", 0, 0).is_err());
}

#[test]
fn fewer_markers_than_images_is_refused() {
    let error = parts_from_marked("see <ImageHere>", 0, 3).unwrap_err();
    assert!(matches!(error, Error::TooFewImageMarkers { markers: 1, images: 3 }));
    let message = error.to_string();
    assert!(message.contains("3 images") && message.contains("1 `<ImageHere>`"), "{message}");
}

/// The order of images and `<s>` in front of what else there is.
fn shape(prompt: &Prompt, special: &SpecialIds) -> String {
    let letter = |id: Option<u32>| match id {
        None => 'i',
        Some(id) if id == special.bos => 's',
        Some(id) if id == special.turn_start => '[',
        Some(id) if id == special.turn_end => ']',
        Some(_) => '.',
    };
    let mut letters: Vec<char> = flat(prompt).into_iter().map(letter).collect();
    letters.dedup_by(|a, b| a == b && *a == '.');
    letters.into_iter().collect()
}

#[test]
fn bos_and_a_lone_image_go_where_each_family_has_them() {
    let tokenizer = published();
    let special = SpecialIds::of(&tokenizer).unwrap();
    let shaped = |marked: &str, count, bos, unplaced| {
        let mut conversation = Conversation::with_instruction("Be brief.");
        conversation.turns.push(user(parts_from_marked(marked, 0, count).unwrap()));
        let prompt = layout(&conversation, &Layout::answer(bos, unplaced), &tokenizer).unwrap();
        shape(&prompt, &special)
    };
    use {Bos::*, Unplaced::*};
    assert_eq!(shaped("Hi", 0, EveryTextPart, InTurn), "ss[.].[.].[.");
    assert_eq!(shaped("Hi", 0, Once, LoneFirst), "s[.].[.].[.");
    // 2.0: before the question.
    assert_eq!(shaped("Hi", 1, EveryTextPart, InTurn), "s[.].[.is.].[.");
    assert_eq!(shaped("Hi", 1, Once, InTurn), "s[.].[.i.].[.");
    // 4KHD: the image, then `<s>`. 2.5: `<s>`, then the image.
    assert_eq!(shaped("Hi", 1, EveryTextPart, LoneFirst), "is[.].[.].[.");
    assert_eq!(shaped("Hi", 1, Once, LoneFirst), "si[.].[.].[.");
    // A marked place stays a place, and several images stay in their turn.
    assert_eq!(shaped("Hi <ImageHere>", 1, Once, LoneFirst), "s[.].[.i].[.");
    assert_eq!(shaped("Hi", 2, Once, LoneFirst), "s[.].[.ii.].[.");
    assert_eq!(shaped("Hi", 2, EveryTextPart, LoneFirst), "s[.].[.iis.].[.");
}

#[test]
fn a_lone_image_of_an_earlier_turn_comes_first_too() {
    let tokenizer = published();
    let special = SpecialIds::of(&tokenizer).unwrap();
    let mut conversation = Conversation::default();
    conversation.turns.push(user(parts_from_marked("What is it?", 0, 1).unwrap()));
    conversation.turns.push(Turn::text(Role::Assistant, "A car."));
    conversation.turns.push(Turn::text(Role::User, "Which colour?"));
    let choices = Layout::answer(Bos::Once, Unplaced::LoneFirst);
    let prompt = layout(&conversation, &choices, &tokenizer).unwrap();
    assert_eq!(shape(&prompt, &special), "si[.].[.].[.].[.");
    assert_eq!(conversation.images().collect::<Vec<_>>(), [0]);
}

/// The published masking of training targets, which finds the roles in the ids: every second
/// `turn_end` closes an answer, and a role header is three ids long. `None` is masked.
fn published_targets(ids: &[Option<u32>], special: &SpecialIds) -> Vec<Option<u32>> {
    let mut targets = ids.to_vec();
    let mask = |targets: &mut Vec<Option<u32>>, range: std::ops::Range<usize>| {
        let end = range.end.min(targets.len());
        targets[range.start.min(end)..end].fill(None);
    };
    let (mut ends, mut answered) = (0, 0);
    let mut last = None;
    for (position, &id) in ids.iter().enumerate() {
        last = id;
        if id == Some(special.turn_end) {
            if ends % 2 == 0 {
                mask(&mut targets, answered..position + 6);
            } else {
                answered = position + 1;
            }
            ends += 1;
        } else if id == Some(special.eos) {
            mask(&mut targets, position + 1..ids.len());
            break;
        }
    }
    if last != Some(special.eos) && ends % 2 == 0 {
        mask(&mut targets, answered + 1..ids.len());
    }
    targets
}

#[test]
fn the_twin_of_the_published_masking_equals_the_reference() {
    let special = SpecialIds::of(&published()).unwrap();
    let list = |value: &Value| -> Vec<Option<u32>> {
        let ids = value.as_array().unwrap().iter();
        ids.map(|id| u32::try_from(id.as_i64().unwrap()).ok()).collect()
    };
    for folder in ixc_goldens::folders("labels") {
        for case in ixc_goldens::json(&folder.join("cases.json"))["cases"].as_array().unwrap() {
            let ids = list(&case["input_ids"]);
            assert_eq!(published_targets(&ids, &special), list(&case["targets"]), "{ids:?}");
        }
    }
}

#[test]
fn what_is_learned_equals_the_published_masking() {
    let tokenizer = published();
    let special = SpecialIds::of(&tokenizer).unwrap();
    let mut texts = plain_texts();
    texts.extend(["\n", "\n\nhi", "", "s\n"].map(String::from));
    let mut dice = Dice(17);
    for _ in 0..300 {
        let mut conversation = Conversation::default();
        let mut images = 0;
        for _ in 0..1 + dice.below(3) {
            let mut parts = vec![Part::Text(dice.one(&texts).clone())];
            if dice.below(2) == 0 {
                parts.insert(dice.below(2), Part::Image(images));
                images += 1;
            }
            conversation.turns.push(user(parts));
            conversation.turns.push(Turn::text(Role::Assistant, dice.one(&texts).clone()));
        }
        let choices =
            Layout { ending: Ending::Closed, ..Layout::answer(Bos::Once, Unplaced::InTurn) };
        let prompt = layout(&conversation, &choices, &tokenizer).unwrap();
        let ids = flat(&prompt);
        assert_eq!(ids.last(), Some(&Some(special.eos)));
        let mut learned = Vec::new();
        for segment in &prompt.segments {
            match segment {
                Segment::Text { ids, learned: true } => {
                    learned.extend(ids.iter().copied().map(Some))
                }
                Segment::Text { ids, learned: false } => learned.extend(ids.iter().map(|_| None)),
                Segment::Image { .. } => learned.push(None),
            }
        }
        assert_eq!(learned, published_targets(&ids, &special), "{conversation:?}");
    }
}

#[test]
fn an_open_answer_and_a_question_are_not_learned() {
    let tokenizer = published();
    let mut conversation = Conversation::with_instruction(CHAT_INSTRUCTION);
    conversation.turns.push(Turn::text(Role::User, "Hi"));
    let ending = Ending::Answer { prefix: "Hello".into() };
    let choices = Layout { ending, ..Layout::answer(Bos::Once, Unplaced::InTurn) };
    let prompt = layout(&conversation, &choices, &tokenizer).unwrap();
    assert!(matches!(&prompt.segments[..], [Segment::Text { learned: false, .. }]), "{prompt:?}");
    // A question that nobody answered ends a training sequence unlearned.
    let closed = Layout { ending: Ending::Closed, ..choices };
    let prompt = layout(&conversation, &closed, &tokenizer).unwrap();
    assert!(matches!(&prompt.segments[..], [Segment::Text { learned: false, .. }]), "{prompt:?}");
}

#[test]
fn impossible_prompts_are_refused() {
    let tokenizer = published();
    let choices = Layout::answer(Bos::Once, Unplaced::InTurn);
    let error = layout(&Conversation::default(), &choices, &tokenizer).unwrap_err();
    assert!(matches!(error, Error::EmptyConversation));

    let mut conversation = Conversation::default();
    conversation.turns.push(user(vec![Part::Image(1), Part::Text("Hi".into())]));
    let prompt = layout(&conversation, &choices, &tokenizer).unwrap();
    let error = prompt.positions(&[1225]).unwrap_err();
    assert!(matches!(error, Error::ImageOutOfRange { index: 1, images: 1 }));
    assert!(prompt.positions(&[1225, 1225]).is_ok());

    let limit = ixc_input::limits::MAX_PROMPT_BYTES;
    conversation.turns.push(Turn::text(Role::User, "a".repeat(limit)));
    let error = layout(&conversation, &choices, &tokenizer).unwrap_err();
    let message = error.to_string();
    let (found, limit) = ((limit + 2).to_string(), limit.to_string());
    assert!(message.contains(&found) && message.contains(&limit), "{message}");

    let mut model = Model::small();
    let at = model.position("[UNUSED_TOKEN_145]");
    model.pieces.remove(at);
    let conversation = Conversation { turns: vec![Turn::text(Role::User, "Hi")] };
    let error = layout(&conversation, &choices, &model.tokenizer()).unwrap_err();
    assert!(matches!(error, Error::TokenizerLacks { piece: "[UNUSED_TOKEN_145]" }));
}

#[test]
fn composition_speaks_of_itself_without_the_word_multi_modality() {
    let instruction = composition_instruction();
    assert_eq!(instruction.lines().count(), 3);
    assert!(instruction.contains("is a conversational language model"), "{instruction}");
    assert!(!instruction.contains("provided image") && !instruction.ends_with('\n'));
    assert!(CHAT_INSTRUCTION.contains("is a multi-modality conversational language model"));
}
