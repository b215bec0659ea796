//! What a run tells: a line a step in `log.jsonl`, the same for TensorBoard, and a picture of the loss.
//!
//! `log.jsonl` is the run's own record: a checkpoint remembers how much of it belongs to its steps, and a
//! resumed run cuts off what came after. The picture is made from it. TensorBoard's files are never cut:
//! a new one says from where on older ones no longer hold. Deliberately absent: the terminal; what a person
//! watches is a [`Progress`], drawn by the door.

mod axis;
mod picture;
mod tensorboard;

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{Error, checkpoint::write_text};

pub use picture::loss_picture;
pub use tensorboard::EventFile;

const JSONL: &str = "log.jsonl";
const PICTURE: &str = "loss.svg";

/// The folder of TensorBoard's files in a run's.
const RUNS: &str = "runs";

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Entry {
    /// Optimiser steps since the last such line.
    Train(Step),
    /// An evaluation.
    Eval(Evaluation),
}

/// What is told of training, at a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Optimiser steps done, this one included.
    pub step: u64,
    /// Passes over the data so far.
    pub epoch: f64,
    /// Mean loss of a learned position, over the steps since the last line.
    pub loss: f64,
    /// The step's rate, before a parameter's own share.
    pub learning_rate: f64,
    /// The gradients' norm before clipping.
    pub grad_norm: f64,
    /// Positions read since the run's beginning.
    pub tokens: u64,
    /// Positions read in a second, since the last line.
    pub tokens_per_second: f64,
    /// Seconds since 1970.
    pub time: f64,
}

/// What is told of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Optimiser steps done.
    pub step: u64,
    /// Mean loss of a learned position.
    pub loss: f64,
    /// Seconds since 1970.
    pub time: f64,
}

impl Entry {
    /// The step it is about.
    pub fn step(&self) -> u64 {
        match self {
            Self::Train(step) => step.step,
            Self::Eval(evaluation) => evaluation.step,
        }
    }
}

/// Seconds since 1970, as logs have them.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The open log of a run.
#[derive(Debug)]
pub struct Log {
    out: PathBuf,
    lines: File,
    bytes: u64,
    events: EventFile,
}

impl Log {
    /// Opens the log of the run in `out`, to go on behind its first `bytes` bytes, which belong to the steps
    /// up to `step`; (0, 0) begins anew.
    ///
    /// # Errors
    /// When the log is shorter than that, or the disk refuses.
    pub fn open(out: &Path, bytes: u64, step: u64) -> Result<Self, Error> {
        fs::create_dir_all(out).map_err(Error::io("make the folder", out))?;
        let path = out.join(JSONL);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let mut lines = options.open(&path).map_err(Error::io("open", &path))?;
        let found = lines.metadata().map_err(Error::io("read", &path))?.len();
        if found < bytes {
            let problem =
                format!("expected at least {bytes} bytes, as at step {step}; found {found}");
            return Err(Error::Damaged { path, problem });
        }
        lines.set_len(bytes).map_err(Error::io("write", &path))?;
        lines.seek(SeekFrom::End(0)).map_err(Error::io("write", &path))?;
        let events = EventFile::create(&out.join(RUNS), now(), (bytes > 0).then_some(step + 1))?;
        Ok(Self { out: out.into(), lines, bytes, events })
    }

    /// Adds an entry. It is with the system when this returns, so the program's end does not lose it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn add(&mut self, entry: &Entry) -> Result<(), Error> {
        let mut line = serde_json::to_string(entry).expect("plain data");
        line.push('\n');
        let path = self.out.join(JSONL);
        self.lines.write_all(line.as_bytes()).map_err(Error::io("write", &path))?;
        self.bytes += line.len() as u64;
        let step = entry.step() as i64;
        match entry {
            Entry::Train(train) => self.events.scalars(
                train.time,
                step,
                &[
                    ("train/loss", train.loss),
                    ("train/learning_rate", train.learning_rate),
                    ("train/grad_norm", train.grad_norm),
                    ("train/epoch", train.epoch),
                    ("train/tokens_per_second", train.tokens_per_second),
                ],
            ),
            Entry::Eval(eval) => self.events.scalars(eval.time, step, &[("eval/loss", eval.loss)]),
        }
    }

    /// Bytes of `log.jsonl` so far, all of them on the disk: what a checkpoint remembers.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn synced_bytes(&mut self) -> Result<u64, Error> {
        let path = self.out.join(JSONL);
        self.lines.sync_all().map_err(Error::io("write", &path))?;
        Ok(self.bytes)
    }

    /// Draws the loss so far into `loss.svg`.
    ///
    /// # Errors
    /// When the log cannot be read back, or the disk refuses.
    pub fn draw(&self) -> Result<PathBuf, Error> {
        let path = self.out.join(PICTURE);
        write_text(&path, &loss_picture(&entries(&self.out)?))?;
        Ok(path)
    }
}

/// The entries of a run's log.
///
/// # Errors
/// When it cannot be read or a line is no entry.
pub fn entries(out: &Path) -> Result<Vec<Entry>, Error> {
    let path = out.join(JSONL);
    let file = File::open(&path).map_err(Error::io("open", &path))?;
    let entry = |(index, line): (usize, std::io::Result<String>)| {
        let line = line.map_err(Error::io("read", &path))?;
        serde_json::from_str(&line).map_err(|error| Error::Damaged {
            path: path.clone(),
            problem: format!("line {}: {error}", index + 1),
        })
    };
    BufReader::new(file).lines().enumerate().map(entry).collect()
}

/// What a person watches while training.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Steps done and in all.
    pub steps: (u64, u64),
    /// The last step's loss.
    pub loss: f64,
    /// Its rate.
    pub learning_rate: f64,
    /// Positions read in a second, over the last steps.
    pub tokens_per_second: f64,
    /// Until all steps are done, at the pace of the last ones; none before there is a pace.
    pub left: Option<Duration>,
}

/// Measures the pace of the last steps.
#[derive(Debug)]
pub struct Pace {
    /// When steps ended, and the positions read until then.
    ends: std::collections::VecDeque<(Instant, u64)>,
}

/// Steps over which the pace is measured.
const PACE_STEPS: usize = 32;

impl Pace {
    /// Begins to measure at `now`.
    pub fn new(now: Instant) -> Self {
        Self { ends: [(now, 0)].into() }
    }

    /// A step of so many positions ended at `now`.
    pub fn step(&mut self, now: Instant, tokens: u64) {
        let read = self.ends.back().map_or(0, |(_, read)| *read);
        self.ends.push_back((now, read + tokens));
        if self.ends.len() > PACE_STEPS + 1 {
            self.ends.pop_front();
        }
    }

    /// Leaves out the time until `now`, in which nothing was trained: an evaluation, a checkpoint.
    pub fn pause(&mut self, from: Instant, now: Instant) {
        for (end, _) in &mut self.ends {
            *end += now.duration_since(from);
        }
    }

    /// Positions in a second; 0 before the first step.
    pub fn tokens_per_second(&self) -> f64 {
        let (seconds, tokens, _) = self.window();
        if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 }
    }

    /// The time that so many more steps take.
    pub fn left(&self, steps: u64) -> Option<Duration> {
        let (seconds, _, measured) = self.window();
        let each = (measured > 0).then(|| seconds / measured as f64)?;
        Duration::try_from_secs_f64(each * steps as f64).ok()
    }

    /// Seconds, positions and steps of what is remembered.
    fn window(&self) -> (f64, u64, usize) {
        let (Some(first), Some(last)) = (self.ends.front(), self.ends.back()) else {
            return (0.0, 0, 0);
        };
        (last.0.duration_since(first.0).as_secs_f64(), last.1 - first.1, self.ends.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_last_steps_without_pauses() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(start);
        assert_eq!((pace.tokens_per_second(), pace.left(3)), (0.0, None));
        pace.step(at(2), 100);
        pace.step(at(4), 300);
        assert_eq!(pace.tokens_per_second(), 100.0);
        assert_eq!(pace.left(3), Some(Duration::from_secs(6)));
        pace.pause(at(4), at(1_004));
        pace.step(at(1_006), 200);
        assert_eq!(pace.tokens_per_second(), 100.0);
        for second in 1..=PACE_STEPS as u64 {
            pace.step(at(1_006 + second), 7);
        }
        assert_eq!(pace.tokens_per_second(), 7.0, "older steps are forgotten");
        assert_eq!(pace.left(10), Some(Duration::from_secs(10)));
    }
}
