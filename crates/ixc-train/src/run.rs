//! A whole run: recipe, base and data become a result.
//!
//! open → (batches → step → log → evaluation → checkpoint)* → result. [`train`] is that flow; each stage is
//! elsewhere. Invariants: what a step learns depends on the recipe, the base, the data and the step's number
//! alone, so that a resumed run continues bit for bit; who watches may stop after any step, and loses nothing.
//! Deliberately absent: the terminal, signals, the network.

mod begin;
mod evaluation;
mod preview;
mod work;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use ixc_input::tokenizer::Tokenizer;
use ixc_model::{XComposer, training::Sample};
use ixc_nn::Steps;

use crate::{
    Error, Recipe,
    checkpoint::{self, Best, Claim, Position, Slot},
    data::{self, Batch, Broken, Dataset, Preparation, Reader},
    log::{Entry, Evaluation, Log, Pace, Progress, Step as Line, now},
    result::{self, Base, Form},
    schedule::Schedule,
    step::{Optimiser, Outcome, Step, step},
};

pub use preview::{Memory, Preview, preview};

/// What a run begins with.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// What to do.
    pub recipe: &'a Recipe,
    /// The model that is trained.
    pub base: Base<'a>,
    /// Its tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// Whether to go on from the newest checkpoint in the recipe's folder.
    pub resume: bool,
}

/// What happens in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// It begins behind a step, of so many.
    Begun {
        /// Steps that are done.
        step: u64,
        /// Steps in all.
        steps: u64,
    },
    /// A checkpoint is not as it was written; one before it is taken.
    PassedOver(&'a Error),
    /// A sample was left out.
    Broken(&'a Broken),
    /// A step was done.
    Step(&'a Progress),
    /// A step's gradient was not finite; nothing was changed by it.
    Skipped {
        /// Which.
        step: u64,
    },
    /// An evaluation ended.
    Evaluated {
        /// Behind which step.
        step: u64,
        /// The mean loss of a learned position.
        loss: f64,
        /// Whether no earlier one was better.
        best: bool,
    },
    /// A checkpoint was written.
    Saved(&'a Path),
    /// The result is being written: bytes so far and in all.
    Writing {
        /// So far.
        done: u64,
        /// In all.
        total: u64,
    },
}

/// Hears what happens, and says whether to go on.
pub type Watch<'a> = dyn FnMut(Event) -> ControlFlow<()> + 'a;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Steps done.
    pub step: u64,
    /// Why.
    pub why: Why,
    /// The best evaluation.
    pub best: Option<Best>,
    /// The picture of the loss.
    pub picture: PathBuf,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// All steps are done, and the result is written.
    Done(Form),
    /// Evaluations got no better; the result is that of the best one.
    Early(Form),
    /// Who watched wanted it; a checkpoint is written, and no result.
    Asked,
}

/// Steps in a row whose gradients may be not finite.
const SKIPPED_MAX: u64 = 10;

/// An open run.
struct Run<'a> {
    recipe: &'a Recipe,
    base: Base<'a>,
    model: XComposer,
    optimiser: Optimiser,
    schedule: Schedule,
    preparation: Preparation,
    samples_per_epoch: u64,
    reader: Reader,
    evaluation: Option<Dataset>,
    log: Log,
    position: Position,
    skipped: u64,
    pace: Pace,
    /// A step's memory serves the next one.
    buffers: Steps,
    /// Holds the folder for as long as the run lasts.
    _claim: Claim,
}

/// Trains as the recipe says, and writes the result into its folder.
///
/// # Errors
/// When anything the recipe names cannot be used, or not together; a sample is broken where that is fatal; the
/// loss is no number; the disk refuses. Checkpoints that were written stay.
pub fn train(start: &Start, watch: &mut Watch) -> Result<Ended, Error> {
    let mut run = Run::open(start, watch)?;
    let steps = run.schedule.steps;
    let (mut going, mut saved) = (watch(Event::Begun { step: run.position.step, steps }), true);
    while going.is_continue() && run.position.step < steps && !run.is_stale() {
        going = run.step(watch)?;
        let best = run.evaluate_if_due(watch)?;
        let last = going.is_break() || run.position.step == steps || run.is_stale();
        saved = last || best || is_due(run.position.step, run.recipe.save_steps);
        if saved {
            run.save(watch)?;
        }
    }
    debug_assert!(saved, "a run ends with a checkpoint");
    let picture = run.log.draw()?;
    let why = if going.is_break() {
        Why::Asked
    } else {
        let form = run.write_result(watch)?;
        if run.position.step < steps { Why::Early(form) } else { Why::Done(form) }
    };
    Ok(Ended { step: run.position.step, why, best: run.position.best, picture })
}

/// Whether something that happens every so many steps happens behind this one; 0 is never.
fn is_due(step: u64, every: u64) -> bool {
    every > 0 && step.is_multiple_of(every)
}

impl Run<'_> {
    /// Takes one step and tells of it.
    fn step(&mut self, watch: &mut Watch) -> Result<ControlFlow<()>, Error> {
        let batches = self.batches(watch)?;
        let samples: Vec<Vec<Sample>> = batches.iter().map(learned).collect();
        let passes: Vec<&[Sample]> = samples.iter().map(Vec::as_slice).collect();
        let rate = self.schedule.rate(self.position.step);
        let told = Step {
            rate,
            seed: Some(self.recipe.seed),
            checkpointing: self.recipe.gradient_checkpointing,
        };
        let outcome = step(&self.model, &mut self.optimiser, &passes, told)?;
        self.buffers.next();
        self.position.step += 1;
        self.check(&outcome)?;
        let last = batches.last().expect("a step has at least one pass");
        self.position.data = last.next;
        self.position.samples +=
            batches.iter().map(|batch| batch.samples.len() as u64).sum::<u64>();
        self.position.updates = self.optimiser.steps();
        let rows = outcome.extent.rows as u64;
        self.position.tokens += rows;
        self.pace.step(Instant::now(), rows);
        let window = &mut self.position.window;
        window.loss += outcome.loss * outcome.extent.words as f64;
        window.words += outcome.extent.words as u64;
        if is_due(self.position.step, self.recipe.logging_steps)
            || self.position.step == self.schedule.steps
        {
            self.log_step(rate, outcome.norm)?;
        }
        let (step, steps) = (self.position.step, self.schedule.steps);
        if !outcome.updated {
            let _ = watch(Event::Skipped { step });
        }
        Ok(watch(Event::Step(&Progress {
            steps: (step, steps),
            loss: outcome.loss,
            learning_rate: rate,
            tokens_per_second: self.pace.tokens_per_second(),
            left: self.pace.left(steps - step),
        })))
    }

    /// The passes of one step.
    fn batches(&mut self, watch: &mut Watch) -> Result<Vec<Batch>, Error> {
        let mut batches = Vec::new();
        for _ in 0..self.recipe.gradient_accumulation_steps {
            let batch = self.reader.next_batch()?;
            for broken in self.reader.broken() {
                let _ = watch(Event::Broken(broken));
            }
            batches.push(batch.expect("the stream of training data is endless"));
        }
        Ok(batches)
    }

    /// A loss that is no number ends the run; gradients that are not finite may happen now and then.
    fn check(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let step = self.position.step;
        let diverged = |what: &str| {
            Err(Error::Diverged {
                step,
                problem: format!("{what}; lower learning_rate, or look at the data"),
            })
        };
        if !outcome.loss.is_finite() {
            return diverged("the loss is not a finite number");
        }
        self.skipped = if outcome.updated { 0 } else { self.skipped + 1 };
        if self.skipped == SKIPPED_MAX {
            return diverged(&format!(
                "the gradients of {SKIPPED_MAX} steps in a row are not finite"
            ));
        }
        Ok(())
    }

    fn log_step(&mut self, learning_rate: f64, grad_norm: f64) -> Result<(), Error> {
        let window = std::mem::take(&mut self.position.window);
        let data = &self.position.data;
        let epoch = data.epoch as f64 + data.index as f64 / self.samples_per_epoch as f64;
        self.log.add(&Entry::Train(Line {
            step: self.position.step,
            epoch,
            loss: window.loss / window.words.max(1) as f64,
            learning_rate,
            // JSON has no word for infinity, which a skipped step may have.
            grad_norm: grad_norm.min(f64::MAX),
            tokens: self.position.tokens,
            tokens_per_second: self.pace.tokens_per_second(),
            time: now(),
        }))
    }

    /// Evaluates where that is due; returns whether it is the best so far and is to be kept as such.
    fn evaluate_if_due(&mut self, watch: &mut Watch) -> Result<bool, Error> {
        let step = self.position.step;
        let due = is_due(step, self.recipe.eval_steps) || step == self.schedule.steps;
        let Some(data) = self.evaluation.as_ref().filter(|_| due) else { return Ok(false) };
        let began = Instant::now();
        let loss = evaluation::loss(&self.model, data, &self.preparation, self.recipe, watch)?;
        let best = self.position.best.is_none_or(|best| loss < best.loss);
        if best {
            self.position.best = Some(Best { step, loss });
            self.position.evaluations_since_best = 0;
        } else {
            self.position.evaluations_since_best += 1;
        }
        self.log.add(&Entry::Eval(Evaluation { step, loss, time: now() }))?;
        self.pace.pause(began, Instant::now());
        let _ = watch(Event::Evaluated { step, loss, best });
        Ok(best && self.recipe.early_stopping_patience > 0)
    }

    /// Whether so many evaluations were no better that training stops.
    fn is_stale(&self) -> bool {
        let patience = self.recipe.early_stopping_patience;
        patience > 0 && self.position.evaluations_since_best >= patience
    }

    /// Writes a checkpoint and lets old ones go.
    fn save(&mut self, watch: &mut Watch) -> Result<(), Error> {
        let began = Instant::now();
        self.position.log_bytes = self.log.synced_bytes()?;
        let out = &self.recipe.out;
        let path =
            self.with_slots(|slots| checkpoint::write(out, self.recipe, &self.position, slots))?;
        let best = self.position.best.filter(|_| self.recipe.early_stopping_patience > 0);
        let protect: Vec<u64> = best.iter().map(|best| best.step).collect();
        checkpoint::prune(out, self.recipe.save_total_limit, &protect)?;
        self.log.draw()?;
        self.pace.pause(began, Instant::now());
        let _ = watch(Event::Saved(&path));
        Ok(())
    }

    /// Writes the result: of the best evaluation where early stopping looks for it, else of the last step.
    fn write_result(&mut self, watch: &mut Watch) -> Result<Form, Error> {
        let best = self.position.best.filter(|_| self.recipe.early_stopping_patience > 0);
        if let Some(best) = best.filter(|best| best.step != self.position.step) {
            let saved = checkpoint::Saved::of_step(&self.recipe.out, best.step)?;
            begin::restore(&mut self.optimiser, &saved)?;
        }
        let mut written = |done, total| watch(Event::Writing { done, total });
        let out = &self.recipe.out;
        self.with_slots(|slots| result::write(out, self.recipe, self.base, slots, &mut written))
    }

    /// Lends what was trained, with all that the optimiser knows of it.
    fn with_slots<R>(&self, with: impl FnOnce(&[Slot]) -> Result<R, Error>) -> Result<R, Error> {
        let slots = self.optimiser.slots();
        let lent: Result<Vec<_>, ixc_nn::Error> =
            slots.iter().map(|slot| slot.parameter.weight.numbers()).collect();
        let lent = lent?;
        let moments: Result<Vec<_>, ixc_nn::Error> =
            slots.iter().map(|slot| slot.moments.numbers()).collect();
        let moments = moments?;
        let mut all = Vec::with_capacity(slots.len());
        for ((slot, master), [exp_avg, exp_avg_sq]) in slots.iter().zip(&lent).zip(&moments) {
            let (name, shape) = (slot.parameter.name.as_str(), slot.parameter.weight.dims());
            all.push(Slot { name, shape, master, exp_avg, exp_avg_sq });
        }
        with(&all)
    }
}

/// A batch as the model takes it.
fn learned<'a>(batch: &'a Batch) -> Vec<Sample<'a>> {
    let sample = |read: &'a data::Sample| Sample {
        prompt: &read.prompt,
        pictures: &read.pixels,
        labels: &read.labels,
    };
    batch.samples.iter().map(sample).collect()
}
