//! A sample as a person can check it: runs of text, learned or not, and places of images.
//!
//! Invariant: what is shown is decoded from the ids that are trained on, not copied from the file, and
//! control tokens are shown by name. Deliberately absent: how it is printed.

use ixc_input::{Error, prompt::Segment, text_stream::Spacing, tokenizer::Tokenizer};

use super::Sample;

/// A sample, readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What its file calls it.
    pub id: Option<String>,
    /// Its place in that file, counted from 0.
    pub index: u64,
    /// What it consists of, in order.
    pub runs: Vec<Run>,
    /// Rows of the decoder that it takes.
    pub positions: usize,
    /// How many of them are learned.
    pub learned: usize,
}

/// A stretch of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Words.
    Text {
        /// Decoded from the ids; a character cut by the run's end is shown as U+FFFD.
        text: String,
        /// How many ids they are.
        tokens: usize,
        /// Whether they are learned.
        learned: bool,
    },
    /// An image.
    Image {
        /// Its path, or that it stood in the sample.
        name: String,
        /// Pixels a row of what the tower sees.
        width: u32,
        /// Rows of it.
        height: u32,
        /// The positions it takes.
        positions: usize,
        /// The beginning of what each of them is to say, empty where nothing is learned; none at all without labels.
        labels: Vec<String>,
    },
}

/// Decodes a sample.
///
/// # Errors
/// When an id is outside the tokenizer's vocabulary: it is not the one the sample was laid out with.
pub fn describe(sample: &Sample, tokenizer: &Tokenizer) -> Result<Description, Error> {
    let run = |segment: &Segment| {
        Ok(match segment {
            Segment::Text { ids, learned } => Run::Text {
                text: tokenizer.decode_spaced(ids, false, Spacing::Exact)?,
                tokens: ids.len(),
                learned: *learned,
            },
            Segment::Image { index } => Run::Image {
                name: sample.image_names[*index].clone(),
                width: sample.pixels[*index].width,
                height: sample.pixels[*index].height,
                positions: sample.image_tokens[*index],
                labels: labels(sample, *index, tokenizer)?,
            },
        })
    };
    Ok(Description {
        id: sample.id.clone(),
        index: sample.index,
        runs: sample.prompt.segments.iter().map(run).collect::<Result<_, Error>>()?,
        positions: sample.positions,
        learned: sample.learned,
    })
}

/// What an image's rows are to say.
fn labels(sample: &Sample, image: usize, tokenizer: &Tokenizer) -> Result<Vec<String>, Error> {
    let word = |label: &Option<u32>| match label {
        Some(id) => tokenizer.decode_spaced(&[*id], false, Spacing::Exact),
        None => Ok(String::new()),
    };
    sample.labels.get(image).into_iter().flatten().map(word).collect()
}
