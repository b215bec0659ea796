//! A run as it goes: a bar on a terminal, a line now and then elsewhere, and what may surprise.
//!
//! Deliberately absent: the numbers' record, which is the log's.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ixc_train::run::Event;

use super::show;
use crate::{machine, output, table::bytes};

/// Without a terminal a line is written this often at most.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Broken samples that are told one by one; the rest is counted.
const BROKEN_TOLD: u64 = 20;

/// Who shows a run.
pub(crate) struct Watcher {
    bar: ProgressBar,
    told: Option<Instant>,
    broken: u64,
}

impl Watcher {
    /// Shows nothing yet.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("step {pos}/{len} {bar:24} {msg}");
        bar.set_style(style.expect("the template is sound").progress_chars("=> "));
        Self { bar, told: None, broken: 0 }
    }

    /// Shows what happened.
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::Begun { step, steps } => {
                self.bar.set_length(*steps);
                self.bar.set_position(*step);
                if *step > 0 {
                    self.say(&format!("going on behind step {step} of {steps}"));
                }
            }
            Event::Step(progress) => {
                let (step, steps) = progress.steps;
                let memory = machine::peak_memory()
                    .map_or(String::new(), |peak| format!("  {}", bytes(peak)));
                let left = progress
                    .left
                    .map_or(String::new(), |left| format!("  {} left", show::left(left)));
                let line = format!(
                    "loss {:.4}  rate {:.2e}  {:.0} tokens/s{memory}{left}",
                    progress.loss, progress.learning_rate, progress.tokens_per_second
                );
                self.bar.set_position(step);
                self.bar.set_message(line.clone());
                let due =
                    self.told.is_none_or(|told| told.elapsed() >= LINE_EVERY) || step == steps;
                if self.bar.is_hidden() && due {
                    self.told = Some(Instant::now());
                    output::note(&format!("step {step}/{steps}  {line}"));
                }
            }
            Event::Evaluated { step, loss, best } => {
                let best = if *best { ", the best so far" } else { "" };
                self.say(&format!("evaluation behind step {step}: loss {loss:.4}{best}"));
            }
            Event::Saved(path) => self.say(&format!("saved {}", path.display())),
            Event::Skipped { step } => {
                self.warn(&format!(
                    "the gradient of step {step} was not finite; nothing was changed by it"
                ));
            }
            Event::PassedOver(error) => {
                self.warn(&format!("{error}; an earlier checkpoint is taken"));
            }
            Event::Broken(broken) => {
                self.broken += 1;
                if self.broken <= BROKEN_TOLD {
                    self.warn(&format!("left out: {broken}"));
                }
            }
            Event::Writing { done, total } => {
                self.bar.set_message(format!(
                    "writing the result: {} of {}",
                    bytes(*done),
                    bytes(*total)
                ));
            }
        }
    }

    /// Takes the bar away, and tells what was only counted.
    pub(crate) fn clear(&mut self) {
        self.bar.finish_and_clear();
        if self.broken > BROKEN_TOLD {
            output::warn(&format!("{} broken samples were left out in all", self.broken));
        }
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| output::note(text));
    }

    fn warn(&self, text: &str) {
        self.bar.suspend(|| output::warn(text));
    }
}
