//! Answers become counts: each item adds to the figures that it is about.
//!
//! Deliberately absent: what is right, which the world's judges say.

use std::collections::BTreeMap;

use ixc_world::{
    judge,
    places::Place,
    scene::{Colour, Hour, Season, Weather, Word},
    text::{question::Value, two::Aspect},
};

use super::{
    Options,
    items::{Item, Judge},
    report::{self, Report},
};
use crate::interval::Tally;

/// What was counted for one figure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) seen: Tally,
    pub(super) blind: Tally,
    /// Sum of what a guess at random is right with, over `seen`.
    pub(super) chance: f64,
}

/// All figures, by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies(pub(super) BTreeMap<String, Counted>);

impl Tallies {
    /// Adds an answer.
    pub(super) fn judge(&mut self, item: &Item, said: &str) {
        match &item.judge {
            Judge::Value { about, value, form, blind } => {
                let right = judge::answer::value_is(*value, *form, said);
                let all =
                    if about.starts_with(report::TWO) { report::TWO_ALL } else { report::ALL };
                for name in [about.as_str(), all] {
                    let counted = self.of(name);
                    if *blind {
                        counted.blind.add(right);
                    } else {
                        counted.seen.add(right);
                        counted.chance += 1.0 / values(*value) as f64;
                    }
                }
            }
            Judge::Refusal(kind) => {
                self.of(report::REFUSALS).seen.add(judge::refusal::judge(*kind, said))
            }
            Judge::Caption(scene) => {
                let facts = judge::facts::judge(said, scene);
                self.facts(
                    report::CAPTION_TRUE,
                    facts.iter().filter(|fact| fact.1).count(),
                    facts.len(),
                );
                let (stated, main) = judge::facts::coverage(said, scene);
                self.facts(report::CAPTION_MAIN, stated, main);
            }
            Judge::Article(article) => {
                let found = judge::article::judge(&article.wants, said);
                self.facts(report::SECTIONS, found.sections_kept, found.sections_asked);
                self.facts(report::MUST, found.must_kept, found.must_asked);
                self.of(report::REPEATS).seen.add(found.repeated == 0);
            }
            Judge::Writing(article) => {
                let found = judge::article::judge(&article.wants, said);
                self.facts(report::WRITING_SECTIONS, found.sections_kept, found.sections_asked);
                self.facts(report::WRITING_MUST, found.must_kept, found.must_asked);
                self.of(report::WRITING_REPEATS).seen.add(found.repeated == 0);
            }
            Judge::Places(article) => {
                let right = judge::article::places(article.lines.len(), article.places.len(), said);
                self.of(report::PLACES).seen.add(right);
            }
            Judge::PlaceCaption(article, at) => {
                let (facts, holds) = judge::article::caption(article, *at, said);
                self.facts(report::PLACE_CAPTIONS, holds, facts);
            }
            Judge::Choice(article, at) => {
                let counted = self.of(report::CHOICES);
                counted.seen.add(judge::article::choice(article, *at, said));
                counted.chance += 1.0 / article.candidates[*at].len() as f64;
            }
            Judge::Edit(edit) => {
                let right = judge::edit::judge(edit, said);
                let name = format!("{}: {}", report::EDITS, edit.action.english());
                self.of(&name).seen.add(right);
                self.of(report::EDITS).seen.add(right);
            }
        }
    }

    /// The figures in their order.
    pub(super) fn report(self, options: Options<'_>, model: String) -> Report {
        report::of(&self, options, model)
    }

    fn of(&mut self, name: &str) -> &mut Counted {
        self.0.entry(name.into()).or_default()
    }

    fn facts(&mut self, name: &str, right: usize, of: usize) {
        self.of(name).seen.add_many(right as u64, of as u64);
    }
}

/// How many answers of its kind there are: a guess among them is right as often as 1 of them.
fn values(value: Value) -> usize {
    match value {
        Value::Truth(_) | Value::Depth(_) | Value::Size(_) | Value::Picture(_) => 2,
        // A comparison names two kinds; a question for a kind of thing names none and is harder than this.
        Value::Kind(_) => 2,
        Value::Side(_) => 3,
        Value::Count(_) => 5,
        Value::Colour(_) => Colour::ALL.len(),
        Value::Weather(_) => Weather::ALL.len(),
        Value::Hour(_) => Hour::ALL.len(),
        Value::Season(_) => Season::ALL.len(),
        Value::Place(_) => Place::ALL.len(),
        Value::Word(_) => Word::ALL.len(),
        Value::Aspect(_) => Aspect::ALL.len(),
    }
}
