//! The measurements, each through the calls that an answer makes.
//!
//! Positions that are not the subject of a row have random words: numbers decide the time, not what they
//! say. Every picture is a new one, so that no cache of features answers for the tower. Deliberately
//! absent: rounds, medians, printing.

use std::time::Instant;

use ixc_engine::{
    Decoding, Engine, Event, LoadOptions, Past, Request,
    generate::{Reading, advance},
    limits::PREFILL_ROWS,
};
use ixc_input::{
    conversation::{Conversation, Part, Role, Turn},
    image::Picture,
};
use ixc_model::{
    Stage,
    config::VisionConfig,
    splice::Spliced,
    stage::{unobserved, watching},
};
use ixc_nn::{cache::KvCache, plora::ImageRows};

use super::{Draft, Measure, Sheet, work::Costs};
use crate::{
    exit::{Exit, Failure},
    machine,
    model::{self, Place},
};

/// Pixels a side of the picture that is shown: the published 490.
const SIDE: u32 = 490;

/// Text positions beside a picture.
const TEXT_POSITIONS: usize = 50;

/// A group of rows that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Section {
    /// from opening the files to a model, and to its first position
    Load,
    /// the tower and the projector, on one picture
    See,
    /// a picture and 50 words to the first word of the answer; memory; further questions
    Answer,
    /// a prompt of image rows, with Partial LoRA, but for 50
    Image,
    /// a prompt of text, as long
    Text,
    /// words one by one, after prompts of several lengths
    Decode,
}

/// How much is measured.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// Positions of the prompts.
    pub(crate) positions: usize,
    /// Words of one decoding.
    pub(crate) words: usize,
    /// Positions before the first of them.
    pub(crate) depths: Vec<usize>,
}

/// A model that is measured.
pub(crate) struct Subject<'a> {
    options: &'a LoadOptions,
    place: &'a Place,
    costs: Costs,
    sizes: Sizes,
    /// None only while another one is loaded.
    engine: Option<Engine>,
    /// What was read for the deepest decoding; copies of it are cut back.
    deep: Option<KvCache>,
    pictures: u32,
}

impl<'a> Subject<'a> {
    /// A model that is loaded.
    pub(crate) fn new(
        options: &'a LoadOptions,
        place: &'a Place,
        engine: Engine,
        costs: Costs,
        sizes: Sizes,
    ) -> Self {
        Self { options, place, costs, sizes, engine: Some(engine), deep: None, pictures: 0 }
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("loading puts one back or ends the program")
    }

    /// What sees, where the model has it.
    fn vision(&self) -> Option<VisionConfig> {
        self.engine().model().config().vision.clone()
    }

    /// Whether this model can do a section.
    pub(crate) fn can(&self, section: Section) -> bool {
        let config = self.engine().model().config();
        match section {
            Section::See | Section::Answer => config.vision.is_some(),
            Section::Image => config.plora.is_some(),
            Section::Load | Section::Text | Section::Decode => true,
        }
    }

    /// Measures a section once.
    pub(crate) fn measure(&mut self, section: Section, sheet: &mut Sheet) -> Result<(), Failure> {
        match section {
            Section::Load => self.load(sheet),
            Section::See => self.see(sheet),
            Section::Answer => self.answer(sheet),
            Section::Image => self.image(sheet),
            Section::Text => self.text(sheet),
            Section::Decode => self.decode(sheet),
        }
    }

    fn load(&mut self, sheet: &mut Sheet) -> Result<(), Failure> {
        self.engine = None;
        let started = Instant::now();
        let engine = self.engine.insert(model::open(self.place, self.options)?);
        let loaded = started.elapsed().as_secs_f64();
        read(engine, 1, 0, empty(engine))?;
        let read = started.elapsed().as_secs_f64();
        sheet.add("load", loaded, || seconds("load the model"));
        sheet.add("load-first", read, || seconds("load and read one position"));
        Ok(())
    }

    fn see(&mut self, sheet: &mut Sheet) -> Result<(), Failure> {
        let Some(vision) = self.vision() else { return Ok(()) };
        let request = self.request(&[question("what", 1)]);
        let engine = self.engine();
        let shown = engine.prepare(&request).map_err(Failure::mistake)?;
        for (pixels, rows) in &shown {
            let mut tower = None;
            let started = Instant::now();
            let seen = engine.model().see(
                pixels,
                &mut watching(|stage, _| {
                    if stage == Stage::TowerOutput {
                        tower = Some(started.elapsed().as_secs_f64());
                    }
                }),
            );
            let all = started.elapsed().as_secs_f64();
            seen.map_err(Failure::of(Exit::Model))?;
            let tower = tower.unwrap_or(all);
            let views = views(pixels.grid.rows, pixels.grid.columns);
            sheet.add("tower", tower, || Draft {
                what: format!("tower, a picture of {SIDE} px"),
                measure: Measure::Seconds,
                work: Some(self.costs.tower(&vision, views)),
            });
            sheet.add("projector", all - tower, || Draft {
                what: format!("projector, {rows} rows"),
                measure: Measure::Seconds,
                work: Some(self.costs.projector(&vision, *rows)),
            });
        }
        Ok(())
    }

    fn answer(&mut self, sheet: &mut Sheet) -> Result<(), Failure> {
        let Some(vision) = self.vision() else { return Ok(()) };
        let mut request = self.request(&[question("what", 1)]);
        self.deep = None; // an answer's memory is its own
        let engine = self.engine();
        let shown = engine.prepare(&request).map_err(Failure::mistake)?;
        let views =
            shown.iter().map(|(pixels, _)| views(pixels.grid.rows, pixels.grid.columns)).sum();
        let words = fitting(engine, &mut request, TEXT_POSITIONS)?;
        machine::forget_peak();
        let mut past = engine.past();
        let first = first_word(engine, &request, &mut past)?;
        let peak = machine::peak_memory();
        let (positions, rows) = (first.positions, first.image_rows);
        sheet.add("first-word", first.seconds, || Draft {
            what: format!("first word on a picture, {rows} + {}", positions - rows),
            measure: Measure::Seconds,
            work: Some(
                self.costs
                    .tower(&vision, views)
                    .and(self.costs.projector(&vision, rows))
                    .and(self.costs.prefill(first.read, rows)),
            ),
        });
        if let Some(peak) = peak {
            sheet.add("memory", peak as f64, || Draft {
                what: "peak memory of that first answer".into(),
                measure: Measure::Bytes,
                work: None,
            });
        }
        let turns = &mut request.conversation.turns;
        turns.push(Turn::text(
            Role::Assistant,
            if first.text.is_empty() { "Yes." } else { &first.text },
        ));
        turns.push(question("why", words));
        let second = first_word(engine, &request, &mut past)?;
        sheet.add("second-question", second.seconds, || {
            seconds(&format!("second question, {} new positions", second.read))
        });
        // Another conversation: nothing but the picture is known.
        request.conversation.turns.truncate(1);
        request.conversation.turns[0] = question("why", words);
        request.conversation.turns[0].parts.insert(0, Part::Image(0));
        let other = first_word(engine, &request, &mut engine.past())?;
        sheet.add("same-picture", other.seconds, || {
            seconds(&format!("same picture, new talk, {} new positions", other.read))
        });
        Ok(())
    }

    fn image(&mut self, sheet: &mut Sheet) -> Result<(), Failure> {
        let positions = self.sizes.positions;
        let rows = positions - TEXT_POSITIONS.min(positions / 2);
        let engine = self.engine();
        let (_, time) = read(engine, positions, rows, empty(engine))?;
        sheet.add("prefill-image", time, || Draft {
            what: format!("prefill, {rows} image rows + {}", positions - rows),
            measure: Measure::Positions(positions),
            work: Some(self.costs.prefill(positions, rows)),
        });
        Ok(())
    }

    fn text(&mut self, sheet: &mut Sheet) -> Result<(), Failure> {
        let positions = self.sizes.positions;
        let engine = self.engine();
        let (cache, time) = read(engine, positions, 0, empty(engine))?;
        sheet.add("prefill-text", time, || Draft {
            what: format!("prefill, {positions} text positions"),
            measure: Measure::Positions(positions),
            work: Some(self.costs.prefill(positions, 0)),
        });
        if self.deep.as_ref().is_none_or(|deep| deep.len() < cache.len()) {
            self.deep = Some(cache);
        }
        Ok(())
    }

    fn decode(&mut self, sheet: &mut Sheet) -> Result<(), Failure> {
        self.deepen()?;
        let engine = self.engine();
        let model = engine.model();
        let broken = Failure::of::<ixc_engine::Error>(Exit::Model);
        for &depth in &self.sizes.depths {
            let mut cache = match &self.deep {
                Some(deep) if depth > 0 => deep.clone(),
                _ => empty(engine),
            };
            cache.truncate(depth);
            let caches = std::slice::from_mut(&mut cache);
            advance(model, &[word(engine, 0)], caches).map_err(&broken)?;
            let started = Instant::now();
            for index in 0..self.sizes.words {
                advance(model, &[word(engine, index)], caches).map_err(&broken)?;
            }
            let time = started.elapsed().as_secs_f64() / self.sizes.words as f64;
            sheet.add(&format!("decode-{depth}"), time, || Draft {
                what: match depth {
                    0 => "decode, from the start".into(),
                    _ => format!("decode, after {depth} positions"),
                },
                measure: Measure::Words,
                work: Some(self.costs.word(depth as f64 * position_bytes(engine))),
            });
        }
        Ok(())
    }

    /// Reads as many positions as the deepest decoding begins with.
    fn deepen(&mut self) -> Result<(), Failure> {
        let depth = self.sizes.depths.iter().copied().max().unwrap_or(0);
        let cache = self.deep.take().unwrap_or_else(|| empty(self.engine()));
        let missing = depth.saturating_sub(cache.len());
        self.deep = Some(match missing {
            0 => cache,
            _ => read(self.engine(), missing, 0, cache)?.0,
        });
        Ok(())
    }

    /// A request about a picture that no request was about before.
    fn request(&mut self, turns: &[Turn]) -> Request {
        self.pictures += 1;
        let conversation = Conversation { turns: turns.to_vec() };
        let mut request = Request::new(conversation, vec![picture(self.pictures)]);
        request.decoding = Decoding::Greedy;
        request.max_new_tokens = 1;
        request.conversation.turns[0].parts.insert(0, Part::Image(0));
        request
    }
}

fn seconds(what: &str) -> Draft {
    Draft { what: what.into(), measure: Measure::Seconds, work: None }
}

/// A word that stands for any word.
fn word(engine: &Engine, index: usize) -> u32 {
    // A prime step, so that words come from all over the table.
    (index * 7919 % engine.model().config().language.vocabulary) as u32
}

/// An empty cache.
fn empty(engine: &Engine) -> KvCache {
    engine.cache()
}

/// Bytes of one position's keys and values.
fn position_bytes(engine: &Engine) -> f64 {
    engine.cache().shape().bytes_per_position() as f64
}

/// Reads positions, image rows in the middle, and scores the last. Returns the seconds it took.
fn read(
    engine: &Engine,
    positions: usize,
    image_rows: usize,
    mut cache: KvCache,
) -> Result<(KvCache, f64), Failure> {
    let model = engine.model();
    let ids: Vec<u32> = (0..positions).map(|index| word(engine, index)).collect();
    let embeddings = model.embed(&ids).map_err(Failure::of(Exit::Model))?; // (positions, hidden)
    let mut images = ImageRows::default();
    let before = (positions - image_rows) / 2;
    images.push(before..before + image_rows);
    let started = Instant::now();
    let mut reading = Reading::new(Spliced { embeddings, images });
    loop {
        let step = reading.step(model, &mut cache, PREFILL_ROWS, &mut unobserved);
        if step.map_err(Failure::of(Exit::Model))?.is_some() {
            return Ok((cache, started.elapsed().as_secs_f64()));
        }
    }
}

/// What came of asking.
struct First {
    seconds: f64,
    text: String,
    positions: usize,
    image_rows: usize,
    /// Positions that were not known from before.
    read: usize,
}

/// Asks, and waits for the first word.
fn first_word(engine: &Engine, request: &Request, past: &mut Past) -> Result<First, Failure> {
    let started = Instant::now();
    for event in engine.answer_after(request, past).map_err(Failure::mistake)? {
        if let Event::End(answer) = event.map_err(Failure::of(Exit::Model))? {
            return Ok(First {
                seconds: started.elapsed().as_secs_f64(),
                text: answer.text,
                positions: answer.prompt_positions,
                image_rows: answer.image_positions,
                read: answer.prompt_positions - answer.reused_positions,
            });
        }
    }
    unreachable!("an answer that nobody stops ends with its end")
}

/// A question of so many words.
fn question(word: &str, words: usize) -> Turn {
    Turn::text(Role::User, vec![word; words].join(" "))
}

/// Makes the question as long as fits `text` positions beside the picture; returns its words.
fn fitting(engine: &Engine, request: &mut Request, text: usize) -> Result<usize, Failure> {
    let mut asked = 1;
    for words in 2..=text {
        let mut turn = question("what", words);
        turn.parts.insert(0, Part::Image(0));
        let last = std::mem::replace(&mut request.conversation.turns[0], turn);
        let prompt = engine.layout(request).map_err(Failure::mistake)?;
        if prompt.positions(&[0]).map_err(Failure::mistake)? > text {
            request.conversation.turns[0] = last;
            break;
        }
        asked = words;
    }
    Ok(asked)
}

/// A picture that is like no other number's.
fn picture(number: u32) -> Picture {
    let pixel = |at: u32| {
        let (x, y) = (at % SIDE, at / SIDE);
        let noise = (at ^ number.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B) >> 27;
        [x * 224 / SIDE + noise, y * 224 / SIDE + noise, (x ^ y) & 0xff].map(|level| level as u8)
    };
    Picture::from_rgb(SIDE, SIDE, (0..SIDE * SIDE).flat_map(pixel).collect())
}

/// Views of a picture of so many tiles: the tiles, and all of it once more where there are several.
fn views(rows: u32, columns: u32) -> usize {
    let tiles = (rows * columns) as usize;
    if tiles > 1 { tiles + 1 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_picture_is_like_another() {
        assert!(picture(1) == picture(1));
        assert!(picture(1) != picture(2));
    }
}
