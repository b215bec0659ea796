//! The rung of the labels: every position of the published masking, decided from roles alone.
//!
//! The goldens hold ids without words, so a tokenizer is made in which every id they use is a character
//! that nothing merges with, and the published headers' widths: one id and a line end for a question, two
//! and a line end for an answer. (The goldens' answers have one: the third id of their header is the first
//! of the answer, which the published masking counts as header too.) Then each sequence is a conversation.
//! Where a sequence is cut, or an answer is empty, the published masking learns or misses one position that
//! no roles explain. Such samples are refused here; those positions are named one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ixc_input::{
    conversation::{Conversation, Part, Role, Turn},
    prompt::{Prompt, Segment},
    tokenizer::Tokenizer,
};
use ixc_model::Family;
use ixc_train::data::{Preparation, targets};
use serde_json::Value;

use crate::{
    support::{SMALL, config},
    words::{BYTE, CONTROL, DEFINED, Model, NORMAL, UNKNOWN},
};

const BOS: i64 = 1;
const EOS: i64 = 2;
const LINE_END: i64 = 364;
const TURN_END: i64 = 92542;
const TURN_START: i64 = 92543;
const IMAGE_ROW: i64 = -100;

/// The character that stands for an id.
fn letter(id: i64) -> char {
    char::from_u32(0xF_0000 + u32::try_from(id).unwrap()).unwrap()
}

/// A tokenizer with the published special ids, and a letter for every other id of `used`.
fn tokenizer(used: &BTreeSet<i64>) -> Tokenizer {
    let mut pieces: BTreeMap<i64, (String, u64)> = BTreeMap::from([
        (0, ("<unk>".into(), UNKNOWN)),
        (BOS, ("<s>".into(), CONTROL)),
        (EOS, ("</s>".into(), CONTROL)),
        (LINE_END, ("\n".into(), NORMAL)),
    ]);
    for number in 0..=146 {
        pieces.insert(92397 + number, (format!("[UNUSED_TOKEN_{number}]"), DEFINED));
    }
    let headers = ["user", "assi", "stant"].map(|name| (name.to_owned(), DEFINED));
    let bytes = (0..=255).map(|byte| (format!("<0x{byte:02X}>"), BYTE));
    let mut others = headers.into_iter().chain(bytes);
    for id in 0..=TURN_START {
        pieces.entry(id).or_insert_with(|| {
            let free = if used.contains(&id) { None } else { others.next() };
            free.unwrap_or_else(|| (letter(id).into(), NORMAL))
        });
    }
    let pieces = pieces.into_values().map(|(text, kind)| (text, 0.0, kind)).collect();
    Model { pieces, ..Model::small() }.tokenizer()
}

/// A golden sequence as the turns it was made of.
struct Sequence {
    conversation: Conversation,
    image_tokens: Vec<usize>,
    /// Where the ids of the conversation end and padding begins.
    end: usize,
    /// Positions that the published masking decides otherwise than roles do, and its decision.
    exceptions: BTreeMap<usize, Option<i64>>,
    /// The positions of `]` of answers without a word, whose header lacks an id.
    empty_answers: Vec<usize>,
}

/// Reads a sequence's structure; `header` ids of an answer are not its words.
fn structure(ids: &[i64]) -> Sequence {
    let mut end = ids.len();
    while end > 1 && ids[end - 2] == EOS {
        end -= 1; // padding after the first `</s>`
    }
    let ended = ids[end - 1] == EOS;
    let words = &ids[..end - usize::from(ended)];
    assert_eq!(words[0], BOS);
    let mut sequence = Sequence {
        conversation: Conversation::default(),
        image_tokens: Vec::new(),
        end,
        exceptions: BTreeMap::new(),
        empty_answers: Vec::new(),
    };
    let (mut at, mut closed, mut answered) = (1, 0, 0);
    while at < words.len() {
        assert_eq!(words[at], TURN_START, "turn at {at} of {ids:?}");
        let role = if closed % 2 == 0 { Role::User } else { Role::Assistant };
        let stop = words[at..].iter().position(|&id| id == TURN_END).map(|stop| at + stop);
        let content = stop.unwrap_or(words.len());
        let header = if role == Role::User { 3 } else { 4 };
        let begin = (at + header).min(content);
        let parts = parts(&words[begin..content], &mut sequence.image_tokens);
        sequence.conversation.turns.push(Turn { role, parts });
        let Some(stop) = stop else { break };
        closed += 1;
        if role == Role::Assistant {
            answered = stop + 1;
            if content - at < header {
                sequence.empty_answers.push(stop);
                sequence.exceptions.insert(stop, None);
            }
        }
        assert!(stop + 1 == words.len() || words[stop + 1] == LINE_END);
        at = stop + 2;
    }
    let beyond = words.len() > answered + 1; // the line end behind the last answer
    if !ended && closed % 2 == 0 && (beyond || closed == 0) {
        // Cut within a question: masking begins one position late.
        sequence.exceptions.insert(answered, Some(words[answered]));
    } else if ended && closed == 0 {
        // Cut before any word, and `</s>` put at its end.
        assert_eq!(words, [BOS]);
        sequence.exceptions.extend([(0, Some(BOS)), (1, Some(EOS))]);
    } else if ended && closed % 2 == 1 {
        // Cut within an answer, and `</s>` put over what would have come.
        let begun = words.iter().rposition(|&id| id == TURN_START).expect("an open answer");
        if words.len() >= begun + 4 {
            sequence.exceptions.insert(end - 1, Some(EOS));
        }
    }
    sequence
}

/// Ids as words, each run of image rows as one image.
fn parts(ids: &[i64], image_tokens: &mut Vec<usize>) -> Vec<Part> {
    let mut parts = Vec::new();
    for run in ids.chunk_by(|a, b| (*a == IMAGE_ROW) == (*b == IMAGE_ROW)) {
        if run[0] == IMAGE_ROW {
            parts.push(Part::Image(image_tokens.len()));
            image_tokens.push(run.len());
        } else {
            parts.push(Part::Text(run.iter().map(|&id| letter(id)).collect()));
        }
    }
    parts
}

fn flat(prompt: &Prompt, image_tokens: &[usize]) -> Vec<i64> {
    let mut ids = Vec::new();
    for segment in &prompt.segments {
        match segment {
            Segment::Text { ids: text, .. } => ids.extend(text.iter().map(|&id| i64::from(id))),
            Segment::Image { index } => ids.extend((0..image_tokens[*index]).map(|_| IMAGE_ROW)),
        }
    }
    ids
}

fn numbers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect()
}

#[test]
fn rung_every_position_of_the_published_labels() {
    let (mut sequences, mut equal, mut named) = (0, 0, 0);
    for folder in ixc_goldens::folders("labels") {
        let cases = ixc_goldens::json(&folder.join("cases.json"));
        let cases = cases["cases"].as_array().unwrap();
        let used = cases.iter().flat_map(|case| numbers(&case["input_ids"])).collect();
        let tokenizer = Arc::new(tokenizer(&used));
        let model = config(Family::Vl, Some(SMALL));
        let preparation = Preparation::new(tokenizer, &model, 4096).unwrap();
        for case in cases {
            let (ids, published) = (numbers(&case["input_ids"]), numbers(&case["targets"]));
            let sequence = structure(&ids);
            let (own_ids, own) = lay_out(&sequence, &preparation);
            for (position, (&id, &published)) in ids.iter().zip(&published).enumerate() {
                let published = (published != IMAGE_ROW).then_some(published);
                let at = format!("position {position} of {ids:?}");
                if position >= sequence.end {
                    assert_eq!(published, None, "padding, which there is none of here: {at}");
                } else if let Some(exception) = sequence.exceptions.get(&position) {
                    assert_eq!(published, *exception, "{at}");
                    named += 1;
                    continue;
                } else {
                    assert_eq!(published, own[position], "{at}");
                    let structure = [IMAGE_ROW, BOS, TURN_START, TURN_END];
                    if published.is_some() || structure.contains(&id) {
                        assert_eq!(id, own_ids[position], "{at}");
                    }
                }
                equal += 1;
            }
            sequences += 1;
        }
    }
    assert!(named <= sequences && equal > 20 * named, "{equal} equal, {named} exceptions");
    println!(
        "{sequences} sequences: {equal} positions equal; {named} of cut or empty ones, all refused as \
         samples, as named"
    );
}

/// Ids and labels of a sequence's conversation, the positions of headers' missing ids left out.
fn lay_out(sequence: &Sequence, preparation: &Preparation) -> (Vec<i64>, Vec<Option<i64>>) {
    if sequence.conversation.turns.is_empty() {
        return (vec![BOS, EOS], vec![None, None]);
    }
    let prompt = preparation.layout(&sequence.conversation).unwrap();
    let mut ids = flat(&prompt, &sequence.image_tokens);
    let mut labels: Vec<Option<i64>> = targets(&prompt, &sequence.image_tokens, &[])
        .into_iter()
        .map(|id| id.map(i64::from))
        .collect();
    assert_eq!(ids.len(), labels.len());
    for &stop in &sequence.empty_answers {
        ids.remove(stop - 1);
        assert_eq!(labels.remove(stop - 1), None);
    }
    (ids, labels)
}
