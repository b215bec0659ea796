//! Labels of images: a word for each image row, which the decoder is to say at that row.
//!
//! An extension of ixc's, for data whose truth is known patch by patch: `image_labels` beside `image`, a list for each
//! image, a text for each row, empty where nothing is learned. Invariant: what is read fits the model's rows exactly,
//! or is a fault. Deliberately absent: where rows are asked (`ixc_model::splice`).

use ixc_input::{
    prepare::Geometry,
    prompt::{Prompt, Segment},
    tokenizer::{Markers, Tokenizer},
};
use ixc_model::splice::Labels;
use serde_json::{Map, Value};

use super::{
    Fault,
    record::{is_void, wrong_type},
};

/// The key.
pub(super) const KEY: &str = "image_labels";

/// What SentencePiece writes for a blank alone.
const BLANK: &str = "\u{2581}";

/// A sample's labels as words, a list for each of so many images; none at all where the key is not there.
pub(super) fn read(sample: &Map<String, Value>, images: usize) -> Result<Vec<Vec<String>>, Fault> {
    let Some(value) = sample.get(KEY).filter(|value| !is_void(value)) else {
        return Ok(Vec::new());
    };
    let Value::Array(lists) = value else {
        return Err(wrong_type(KEY, "a list for each image", value));
    };
    if lists.len() != images {
        return Err(Fault::LabelLists { lists: lists.len(), images });
    }
    lists.iter().enumerate().map(|(image, list)| words(image, list)).collect()
}

fn words(image: usize, list: &Value) -> Result<Vec<String>, Fault> {
    let Value::Array(words) = list else {
        return Err(wrong_type(&format!("{KEY}[{image}]"), "a list of words", list));
    };
    let word = |(row, word): (usize, &Value)| match word {
        Value::String(word) => Ok(word.clone()),
        other => Err(wrong_type(&format!("{KEY}[{image}][{row}]"), "a word or \"\"", other)),
    };
    words.iter().enumerate().map(word).collect()
}

/// The ids that images' rows are to say, image `i` having `rows[i]` rows.
pub(super) fn ids(
    words: &[Vec<String>],
    (prompt, rows): (&Prompt, &[usize]),
    geometry: Option<Geometry>,
    tokenizer: &Tokenizer,
) -> Result<Vec<Labels>, Fault> {
    if !words.is_empty() && !matches!(geometry, Some(Geometry::Square { .. })) {
        return Err(Fault::LabelsOfTiles);
    }
    let mut labels = Vec::with_capacity(words.len());
    for (image, (words, &rows)) in words.iter().zip(rows).enumerate() {
        if words.len() != rows {
            return Err(Fault::LabelWords { image, words: words.len(), rows });
        }
        labels.push(words.iter().map(|word| first_piece(word, tokenizer)).collect::<Labels>());
    }
    // The word behind an image is asked for at its last row, which cannot say two things.
    for pair in prompt.segments.windows(2) {
        if let [Segment::Image { index }, Segment::Text { learned: true, .. }] = pair
            && let Some(last) = labels.get_mut(*index).and_then(|labels| labels.last_mut())
        {
            *last = None;
        }
    }
    Ok(labels)
}

/// The id that a word begins with inside a text; none of an empty one.
fn first_piece(word: &str, tokenizer: &Tokenizer) -> Option<u32> {
    let word = word.trim();
    if word.is_empty() {
        return None;
    }
    let ids = tokenizer.encode(&format!(" {word}"), Markers::Literal);
    // A word that never stands behind a blank, as in Chinese, has it as a piece of its own.
    let says = |id: &u32| tokenizer.piece(*id) != Some(BLANK);
    ids.iter().copied().find(says)
}
