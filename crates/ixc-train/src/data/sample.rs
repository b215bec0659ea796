//! A record becomes a sample: laid out, its pictures in numbers, and known to fit.
//!
//! Invariants: layout and preparation are inference's own functions with training's choices (`<s>` once,
//! `</s>` at the end, typed markers as text); a sample is whole or refused, never cut; it has something
//! to learn. Deliberately absent: tensors, and the order in which samples come.

use std::sync::Arc;

use ixc_input::{
    conversation::Conversation,
    image::Orientation,
    prepare::{Geometry, Pixels, prepare},
    prompt::{Bos, Ending, Layout, Prompt, Segment, layout},
    special::SpecialIds,
    tokenizer::{Markers, Tokenizer},
};
use ixc_model::{ModelConfig, splice::Labels};

use super::{Error, Fault, ImageFile, Record, labels, picture};

/// How records become samples for one model.
#[derive(Clone, Debug)]
pub struct Preparation {
    tokenizer: Arc<Tokenizer>,
    config: ModelConfig,
    layout: Layout,
    context: usize,
    tiles_max: Option<u32>,
    orientation: Orientation,
}

/// A conversation ready to be learned.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Which of the dataset's files it is from.
    pub file: usize,
    /// Its place in that file, counted from 0.
    pub index: u64,
    /// What its file calls it.
    pub id: Option<String>,
    /// Text ids, learned or not, and image slots.
    pub prompt: Prompt,
    /// What the slots refer to by index.
    pub pixels: Vec<Pixels>,
    /// The positions that each of them takes.
    pub image_tokens: Vec<usize>,
    /// What each of them is to say at its rows; empty where no image has labels.
    pub labels: Vec<Labels>,
    /// What each of them is called: its path, or that it stood in the sample.
    pub image_names: Vec<String>,
    /// Rows of the decoder that the sample takes.
    pub positions: usize,
    /// How many of them are learned, at least one.
    pub learned: usize,
    /// Keys of its record that had no use.
    pub unused: Vec<String>,
}

impl Preparation {
    /// For a model with this tokenizer and a context of so many positions.
    ///
    /// # Errors
    /// When the tokenizer lacks a special piece.
    pub fn new(
        tokenizer: Arc<Tokenizer>,
        config: &ModelConfig,
        context: usize,
    ) -> Result<Self, Error> {
        SpecialIds::of(&tokenizer)?;
        let layout = Layout {
            bos: Bos::Once,
            unplaced: config.family.unplaced(),
            markers: Markers::Literal,
            ending: Ending::Closed,
        };
        let orientation = Orientation::AsStored;
        let config = config.clone();
        Ok(Self { tokenizer, config, layout, context, tiles_max: None, orientation })
    }

    /// With so many tiles a picture at most, instead of the published number (`hd_num`).
    pub fn with_tiles_max(mut self, tiles_max: Option<u32>) -> Self {
        self.tiles_max = tiles_max;
        self
    }

    /// With pictures turned as their camera noted, or as they are stored.
    pub fn with_orientation(mut self, orientation: Orientation) -> Self {
        self.orientation = orientation;
        self
    }

    /// Positions that a sample may take.
    pub fn context(&self) -> usize {
        self.context
    }

    /// The tokenizer, for showing what was laid out.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// A conversation as training's segments.
    ///
    /// # Errors
    /// When it holds more text than any context.
    pub fn layout(&self, conversation: &Conversation) -> Result<Prompt, Fault> {
        layout(conversation, &self.layout, &self.tokenizer).map_err(Fault::Layout)
    }

    /// A record as a sample, its images read, decoded and fitted to the model. It is given the place 0 in
    /// file 0, which its caller knows better.
    ///
    /// # Errors
    /// When an image is missing or cannot be read, its labels do not fit its rows, or the sample does not fit the
    /// context.
    pub fn prepare(&self, record: Record) -> Result<Sample, Fault> {
        let prompt = self.layout(&record.conversation)?;
        let (pixels, image_tokens) = self.pictures(&prompt, &record.images)?;
        let positions = prompt.positions(&image_tokens).map_err(Fault::Layout)?;
        let geometry = self.geometry(record.images.len());
        let rows = (&prompt, image_tokens.as_slice());
        let labels = labels::ids(&record.image_labels, rows, geometry, &self.tokenizer)?;
        let learned = targets(&prompt, &image_tokens, &labels).iter().flatten().count();
        let names = record.images.iter().enumerate();
        Ok(Sample {
            file: 0,
            index: 0,
            id: record.id,
            prompt,
            pixels,
            image_tokens,
            labels,
            image_names: names.map(|(number, file)| picture::name(file, number)).collect(),
            positions,
            learned,
            unused: record.unused,
        })
    }

    /// How the model sees so many images; none where it has no tower.
    fn geometry(&self, images: usize) -> Option<Geometry> {
        self.config.geometry(images, self.tiles_max)
    }

    /// The images in numbers, and the positions each takes; none is opened once the context is full.
    fn pictures(
        &self,
        prompt: &Prompt,
        images: &[ImageFile],
    ) -> Result<(Vec<Pixels>, Vec<usize>), Fault> {
        let too_long = |positions: usize, all| {
            let context = self.context;
            (positions > context).then_some(Fault::TooLong { positions, all, context })
        };
        let text = text_positions(prompt);
        if images.is_empty() {
            return too_long(text, true).map_or(Ok((Vec::new(), Vec::new())), Err);
        }
        let none = || Fault::NoTower { images: images.len() };
        let geometry = self.geometry(images.len()).ok_or_else(none)?;
        // A square's positions are known beforehand; a grid of tiles has at least one.
        let (least, all) = match geometry {
            Geometry::Square { .. } => (geometry.image_tokens(1, 1).map_err(Fault::Layout)?, true),
            Geometry::Tiles { .. } => (1, false),
        };
        if let Some(fault) = too_long(text.saturating_add(images.len().saturating_mul(least)), all)
        {
            return Err(fault);
        }
        let (mut pixels, mut tokens) = (Vec::new(), Vec::new());
        let mut positions = text;
        for (number, file) in images.iter().enumerate() {
            let picture = picture::load(file, number, self.orientation)?;
            let unfit = |error: ixc_input::Error| Fault::ImageUnreadable {
                image: picture::name(file, number),
                reason: error.to_string(),
            };
            let takes = geometry.image_tokens(picture.width(), picture.height()).map_err(unfit)?;
            positions += takes;
            if let Some(fault) = too_long(positions, number + 1 == images.len()) {
                return Err(fault);
            }
            tokens.push(takes);
            pixels.push(prepare(&picture, geometry).map_err(unfit)?);
        }
        Ok((pixels, tokens))
    }
}

fn text_positions(prompt: &Prompt) -> usize {
    let length = |segment: &Segment| match segment {
        Segment::Text { ids, .. } => ids.len(),
        Segment::Image { .. } => 0,
    };
    prompt.segments.iter().map(length).sum()
}

/// What each position of a prompt is to be, where it is learned: the published labels, and those of image rows. A
/// word is learned from the row before it, an image row's label from that row. The image in slot `i` takes
/// `image_tokens[i]` positions, and has the labels `labels[i]` if there are any.
///
/// # Panics
/// When a slot asks for an image beyond `image_tokens`.
pub fn targets(prompt: &Prompt, image_tokens: &[usize], labels: &[Labels]) -> Vec<Option<u32>> {
    let mut targets = Vec::new();
    for segment in &prompt.segments {
        match segment {
            Segment::Text { ids, learned: true } => targets.extend(ids.iter().copied().map(Some)),
            Segment::Text { ids, learned: false } => targets.extend(ids.iter().map(|_| None)),
            Segment::Image { index } => match labels.get(*index) {
                Some(labels) => targets.extend(labels),
                None => targets.extend((0..image_tokens[*index]).map(|_| None)),
            },
        }
    }
    targets
}

impl Sample {
    /// Its [`targets`], (positions).
    pub fn targets(&self) -> Vec<Option<u32>> {
        targets(&self.prompt, &self.image_tokens, &self.labels)
    }
}
