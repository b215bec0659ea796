//! The figures of an examination, in the order in which they are told.
//!
//! Invariant: nothing in a report depends on time or machine, so that the same answers give the same bytes.
//! Deliberately absent: layout on a terminal, which is the door's.

use serde::Serialize;

use super::{
    Options,
    judge::{Counted, Tallies},
};
use crate::interval::Share;

/// Questions about one picture, all types.
pub(super) const ALL: &str = "questions, all types";
/// What the names of questions over two pictures begin with.
pub(super) const TWO: &str = "two pictures";
/// Questions over two pictures, all types.
pub(super) const TWO_ALL: &str = "two pictures, all types";
/// What is not there is denied.
pub(super) const REFUSALS: &str = "refusals";
/// Facts that captions state.
pub(super) const CAPTION_TRUE: &str = "captions: facts stated that are true";
/// Main facts that captions state.
pub(super) const CAPTION_MAIN: &str = "captions: main facts stated";
/// Sections asked for.
pub(super) const SECTIONS: &str = "articles: sections asked for";
/// Mentions asked for.
pub(super) const MUST: &str = "articles: must-mentions kept";
/// Articles in which no sentence occurs twice.
pub(super) const REPEATS: &str = "articles: no sentence repeated";
/// Valid, distinct places, as many as asked for.
pub(super) const PLACES: &str = "places valid and distinct";
/// Facts that captions of places state.
pub(super) const PLACE_CAPTIONS: &str = "captions of places: facts that are true";
/// The right candidate.
pub(super) const CHOICES: &str = "choice among candidates";
/// Changes that do what was asked.
pub(super) const EDITS: &str = "edits obeyed";
/// Sections asked for, in words alone.
pub(super) const WRITING_SECTIONS: &str = "writing: sections asked for";
/// Mentions asked for, in words alone.
pub(super) const WRITING_MUST: &str = "writing: must-mentions kept";
/// Texts in words alone in which no sentence occurs twice.
pub(super) const WRITING_REPEATS: &str = "writing: no sentence repeated";

/// The least share that is aimed at, of those figures that have one; of single types of questions
/// [`EACH_TYPE`].
const AIMS: [(&str, f64); 10] = [
    (ALL, 0.95),
    (TWO_ALL, 0.85),
    (REFUSALS, 0.95),
    (CAPTION_TRUE, 0.95),
    (CAPTION_MAIN, 0.85),
    (SECTIONS, 0.95),
    (MUST, 0.90),
    (PLACES, 0.98),
    (CHOICES, 0.90),
    (EDITS, 0.90),
];

/// The aim of each type of questions about one picture.
const EACH_TYPE: f64 = 0.90;

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What it is about.
    pub name: String,
    /// The model's share.
    #[serde(flatten)]
    pub share: Share,
    /// What a guess among the possible answers would reach.
    pub chance: Option<f64>,
    /// The model's share where it was not shown the pictures.
    pub blind: Option<Share>,
    /// What is aimed at.
    pub aim: Option<f64>,
}

/// All figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Which benchmark.
    pub benchmark: &'static str,
    /// The model's fingerprint.
    pub model: String,
    /// Which scenes.
    pub seed: u64,
    /// How many.
    pub scenes: u64,
    /// In the order in which they are told.
    pub figures: Vec<Figure>,
}

pub(super) fn of(tallies: &Tallies, options: Options<'_>, model: String) -> Report {
    let mut figures: Vec<Figure> =
        tallies.0.iter().filter_map(|(name, counted)| figure(name, counted)).collect();
    figures.sort_by_key(|figure| place(&figure.name));
    let Options { seed, scenes, .. } = options;
    Report { benchmark: "world", model, seed, scenes, figures }
}

fn figure(name: &str, counted: &Counted) -> Option<Figure> {
    let share = counted.seen.share()?;
    let chance = counted.chance / share.of as f64;
    let aim = AIMS.iter().find(|(aimed, _)| *aimed == name).map(|(_, aim)| *aim);
    Some(Figure {
        name: name.into(),
        share,
        chance: (chance > 0.0).then_some(chance),
        blind: counted.blind.share(),
        aim: aim.or_else(|| (place(name).0 == 0).then_some(EACH_TYPE)),
    })
}

/// Where a figure stands: single types of questions first, each group's sum behind it.
fn place(name: &str) -> (usize, bool) {
    let groups = [
        ALL,
        TWO,
        REFUSALS,
        CAPTION_TRUE,
        CAPTION_MAIN,
        SECTIONS,
        MUST,
        REPEATS,
        PLACES,
        PLACE_CAPTIONS,
        CHOICES,
        EDITS,
        WRITING_SECTIONS,
        WRITING_MUST,
        WRITING_REPEATS,
    ];
    let sum = [ALL, TWO_ALL, EDITS].contains(&name);
    let group = groups.iter().position(|group| name.starts_with(group));
    (group.unwrap_or(0), sum)
}
