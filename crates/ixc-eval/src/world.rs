//! The drawn world: what a model sees in scenes that it was not trained on, says of them, and writes.
//!
//! scene by scene: `items::of` → answers → `judge` → [`report::Report`]. Scenes are of the test split, which
//! shares none with training. Beside each figure stand what chance gives, where answers are one of a few, and
//! what the same model says to the same question without the picture. Deliberately absent: opinions; all judges
//! are the world's.

mod items;
mod judge;
pub mod report;

use std::{ops::ControlFlow, path::Path};

use ixc_engine::Engine;
use ixc_input::image::Picture;
use ixc_world::{draw, scene::Scene, split::Split};

use crate::{Error, Question, answers::Answers, hold};
use items::{Item, Judge};
use judge::Tallies;
pub use report::Report;

/// A part of the examination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Questions about one picture.
    Questions,
    /// What is not in the picture.
    Refusals,
    /// Descriptions of the picture.
    Captions,
    /// Questions over two pictures.
    Two,
    /// Articles with their places, captions and choices.
    Articles,
    /// Changed paragraphs; without pictures.
    Edits,
    /// Articles in words alone, asked for as the language model learned it.
    Writing,
}

impl What {
    /// Every part, in the order in which a scene is asked about.
    pub const ALL: &[Self] = &[
        Self::Questions,
        Self::Refusals,
        Self::Captions,
        Self::Two,
        Self::Articles,
        Self::Edits,
        Self::Writing,
    ];

    /// What a whole model is examined in: all but [`Self::Writing`], which asks a language model.
    pub const USUAL: &[Self] = Self::ALL.split_at(Self::ALL.len() - 1).0;

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Questions => "questions",
            Self::Refusals => "refusals",
            Self::Captions => "captions",
            Self::Two => "two",
            Self::Articles => "articles",
            Self::Edits => "edits",
            Self::Writing => "writing",
        }
    }
}

/// What is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a> {
    /// Which parts, in any order.
    pub what: &'a [What],
    /// Decides which scenes.
    pub seed: u64,
    /// How many.
    pub scenes: u64,
    /// Words of an answer at most, where an item allows more.
    pub words_max: usize,
}

/// Scenes between two writes to the disk itself: a loss of power costs a minute.
const SYNC_EVERY: u64 = 50;

/// Examines; answers are kept in `path`, where an interrupted examination goes on. `watch` hears of scenes done
/// and of all, and says whether to go on.
///
/// # Errors
/// When the answers there belong to another examination, the disk refuses, or `watch` breaks off.
pub fn examine(
    engine: &Engine,
    options: Options<'_>,
    path: &Path,
    watch: &dyn Fn(u64, u64) -> ControlFlow<()>,
) -> Result<Report, Error> {
    let Options { what, seed, scenes, words_max } = options;
    let what: Vec<What> = What::ALL.iter().copied().filter(|part| what.contains(part)).collect();
    let parts = match &what[..] {
        What::USUAL => String::new(),
        some => {
            format!(" in {}", some.iter().map(|part| part.name()).collect::<Vec<_>>().join(", "))
        }
    };
    let model: String = engine.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
    let examination = format!(
        "world{parts}, seed {seed}, {scenes} scenes, up to {words_max} words an answer, articles sampled, model {model}"
    );
    let mut answers = Answers::open(path, &examination)?;
    let (mut tallies, mut next) = (Tallies::default(), 0);
    for number in 0..scenes {
        let stop = || watch(number, scenes).is_break();
        if stop() {
            answers.sync()?;
            return Err(Error::Cancelled);
        }
        for item in items::of(&what, Split::Test, seed, number) {
            if next == answers.given().len() {
                answers.add(hold(engine, &question(&item, words_max, number), &stop)?)?;
            }
            let answer = &answers.given()[next];
            if answer.key != item.key {
                let (expected, found) = (item.key, answer.key.clone());
                return Err(Error::OtherAnswers { path: path.into(), expected, found });
            }
            tallies.judge(&item, &answer.text);
            next += 1;
        }
        if number % SYNC_EVERY == SYNC_EVERY - 1 {
            answers.sync()?;
        }
    }
    answers.sync()?;
    Ok(tallies.report(options, model))
}

/// An item with its pictures drawn; an article is written from this seed.
fn question(item: &Item, words_max: usize, seed: u64) -> Question {
    Question {
        key: item.key.clone(),
        parts: item.parts.clone(),
        pictures: item.scenes.iter().map(picture).collect(),
        prefix: item.prefix.into(),
        words_max: item.words_max.min(words_max),
        article: matches!(item.judge, Judge::Article(_) | Judge::Writing(_)).then_some(seed),
        right: item.right.clone(),
    }
}

/// As `ixc world` draws them for training.
fn picture(scene: &Scene) -> Picture {
    draw::picture(scene, SIDE)
}

/// Pixels a side of a drawing.
pub const SIDE: u32 = 112;
