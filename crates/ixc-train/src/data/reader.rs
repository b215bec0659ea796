//! Samples in order, read ahead of the step by threads, handed out as batches.
//!
//! Thread t of n reads the slots t, t + n, t + 2n … of the same schedule into a bounded queue of its own, and
//! the queues are emptied in turn: so the order does not depend on timing, there is nothing to lock, and
//! memory is bounded. A batch is samples behind one another without padding, each an attention sequence of
//! its own. Invariant: a reader that begins at a batch's `next` goes on exactly there.
//! Deliberately absent: accumulation, several machines.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::{
    Broken, Dataset, Error, FaultKind, Order, Position, Preparation, Sample, Summary,
    draw::{Schedule, Slot},
    limits::{AHEAD, MAX_THREADS},
};

/// How many samples a batch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// So many.
    Samples(usize),
    /// As many as fit into so many positions, in their order: short samples are packed.
    Positions(usize),
}

/// What happens to a broken sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBroken {
    /// It ends the run.
    #[default]
    Fail,
    /// It is reported, counted, and the next sample takes its place.
    Skip,
}

/// How a dataset is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// In which order.
    pub order: Order,
    /// After how many epochs the stream ends, counted from the first; never if none. Batches reach over
    /// the end of an epoch, so only the stream's last one may be smaller.
    pub epochs: Option<u64>,
    /// How large batches are.
    pub batch: BatchSize,
    /// What happens to a broken sample.
    pub on_broken: OnBroken,
    /// How many threads read ahead. The result does not depend on it.
    pub threads: usize,
}

/// Samples for one forward pass.
#[derive(Debug)]
pub struct Batch {
    /// At least one.
    pub samples: Vec<Sample>,
    /// Where the stream goes on behind this batch.
    pub next: Position,
}

impl Batch {
    /// Rows of the decoder that the batch takes.
    pub fn positions(&self) -> usize {
        self.samples.iter().map(|sample| sample.positions).sum()
    }

    /// How many of them are learned.
    pub fn learned(&self) -> usize {
        self.samples.iter().map(|sample| sample.learned).sum()
    }
}

/// What a thread has read.
type Read = (Slot, Result<Result<Sample, Box<Broken>>, Error>);

/// One thread that reads ahead, and its queue.
struct Worker {
    queue: Option<Receiver<Read>>,
    thread: Option<JoinHandle<()>>,
}

/// A dataset as a stream of batches.
pub struct Reader {
    workers: Vec<Worker>,
    /// Whose turn it is.
    turn: usize,
    options: Options,
    summary: Summary,
    position: Position,
    /// A sample that did not fit into the last batch.
    held: Option<(Slot, Sample)>,
    /// What the last call passed over.
    broken: Vec<Broken>,
    barren: Barren,
    samples_per_epoch: u64,
    ended: bool,
}

/// Broken samples since the last sound one.
#[derive(Default)]
struct Barren {
    kinds: BTreeMap<FaultKind, u64>,
    first: String,
}

impl Reader {
    /// Begins to read ahead at a position.
    ///
    /// # Errors
    /// When an option is out of range, or the position is beyond its epoch's end.
    pub fn new(
        dataset: &Dataset,
        preparation: &Preparation,
        options: Options,
        position: Position,
    ) -> Result<Self, Error> {
        let samples = dataset.samples_per_epoch();
        options.check(preparation.context())?;
        if position.index >= samples {
            return Err(Error::Position { index: position.index, samples });
        }
        let dataset = Arc::new(dataset.clone());
        let preparation = Arc::new(preparation.clone());
        let worker = |number: usize| {
            let (sender, queue) = sync_channel(AHEAD);
            let (dataset, preparation) = (Arc::clone(&dataset), Arc::clone(&preparation));
            let thread = thread::spawn(move || {
                let quotas = dataset.quotas();
                let schedule = Schedule::new(&quotas, options.order, options.epochs, position);
                let mine = schedule.skip(number).step_by(options.threads);
                work(mine, &dataset, &preparation, &sender);
            });
            Worker { queue: Some(queue), thread: Some(thread) }
        };
        Ok(Self {
            workers: (0..options.threads).map(worker).collect(),
            turn: 0,
            options,
            summary: dataset.summary(),
            position,
            held: None,
            broken: Vec::new(),
            barren: Barren::default(),
            samples_per_epoch: samples,
            ended: false,
        })
    }

    /// The next batch, or none when the last epoch is over.
    ///
    /// # Errors
    /// A broken sample where that is fatal, a whole epoch of them where it is not, a data file that
    /// cannot be read or has changed. After an error the stream has ended.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Error> {
        self.broken.clear();
        if self.ended {
            return Ok(None);
        }
        let batch = self.collect();
        self.ended = !matches!(batch, Ok(Some(_)));
        batch
    }

    /// The broken samples that the last [`Reader::next_batch`] passed over.
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// What was handed out and passed over since this reader began.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Where the stream goes on behind the last batch.
    pub fn position(&self) -> Position {
        self.position
    }

    fn collect(&mut self) -> Result<Option<Batch>, Error> {
        let mut samples: Vec<Sample> = Vec::new();
        let mut positions = 0;
        loop {
            if matches!(self.options.batch, BatchSize::Samples(most) if samples.len() == most) {
                break;
            }
            let next = match self.held.take() {
                Some(held) => Some(held),
                None => self.next_sound()?,
            };
            let Some((slot, sample)) = next else { break };
            positions += sample.positions;
            if matches!(self.options.batch, BatchSize::Positions(most) if positions > most) {
                self.held = Some((slot, sample));
                break;
            }
            self.position = slot.next;
            self.summary.add(&sample);
            samples.push(sample);
        }
        let batch = Batch { samples, next: self.position };
        Ok((!batch.samples.is_empty()).then_some(batch))
    }

    /// The next sample that is not broken.
    fn next_sound(&mut self) -> Result<Option<(Slot, Sample)>, Error> {
        while let Some((slot, read)) = self.receive() {
            match read? {
                Ok(sample) => {
                    self.barren.kinds.clear();
                    return Ok(Some((slot, sample)));
                }
                Err(broken) => {
                    self.summary.add_broken(slot.file, &broken);
                    self.position = slot.next;
                    self.pass_over(broken)?;
                }
            }
        }
        Ok(None)
    }

    /// Skips a broken sample where that is asked for and something else is left to learn.
    fn pass_over(&mut self, broken: Box<Broken>) -> Result<(), Error> {
        if self.options.on_broken == OnBroken::Fail {
            return Err(Error::Broken(broken));
        }
        if self.barren.kinds.is_empty() {
            self.barren.first = broken.to_string();
        }
        *self.barren.kinds.entry(broken.fault.kind()).or_default() += 1;
        self.broken.push(*broken);
        let samples = self.samples_per_epoch;
        if self.barren.kinds.values().sum::<u64>() < samples {
            return Ok(());
        }
        let kinds: Vec<String> =
            self.barren.kinds.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        let first = std::mem::take(&mut self.barren.first);
        Err(Error::NothingLearned { samples, kinds: kinds.join(", "), first })
    }

    /// What the thread whose turn it is has read; none behind the last epoch.
    fn receive(&mut self) -> Option<Read> {
        let worker = &mut self.workers[self.turn];
        self.turn = (self.turn + 1) % self.options.threads;
        let read = worker.queue.as_ref().and_then(|queue| queue.recv().ok());
        if read.is_none() {
            worker.end();
        }
        read
    }
}

impl Options {
    fn check(&self, context: usize) -> Result<(), Error> {
        let wrong = |option, expected, found| Err(Error::Option { option, expected, found });
        if !(1..=MAX_THREADS).contains(&self.threads) {
            return wrong("data threads", format!("1 to {MAX_THREADS}"), self.threads);
        }
        match self.batch {
            BatchSize::Samples(0) => wrong("samples in a batch", "at least 1".into(), 0),
            // A sample may fill the context, and must fit into a batch.
            BatchSize::Positions(found) if found < context => {
                let expected = format!("at least the context's {context}");
                wrong("positions in a batch", expected, found)
            }
            BatchSize::Samples(_) | BatchSize::Positions(_) => Ok(()),
        }
    }
}

/// Reads slots until there are no more, nobody wants them, or one cannot be read.
fn work(
    slots: impl Iterator<Item = Slot>,
    dataset: &Dataset,
    preparation: &Preparation,
    sender: &SyncSender<Read>,
) {
    for slot in slots {
        let read = dataset.fetch(slot, preparation);
        let failed = read.is_err();
        if sender.send((slot, read)).is_err() || failed {
            return;
        }
    }
}

impl Worker {
    /// Waits for the thread; a panic there is one here.
    fn end(&mut self) {
        self.queue = None;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Reader {
    /// Lets the threads go: each ends at its next sample, since nobody takes it any more.
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.queue = None;
            if let Some(thread) = worker.thread.take() {
                let _ = thread.join(); // a panic was either seen in `end` or concerns no batch
            }
        }
    }
}

/// Reads a dataset through without learning from it: every sample of every file once, or the first `limit`
/// that training with this order would draw, broken ones included.
///
/// # Errors
/// When a data file cannot be read or has changed, and when every sample is broken.
pub fn survey(
    dataset: &Dataset,
    preparation: &Preparation,
    threads: usize,
    order: Order,
    limit: Option<u64>,
) -> Result<Summary, Error> {
    let options = Options {
        order: if limit.is_some() { order } else { Order::AsStored },
        epochs: Some(1),
        batch: BatchSize::Samples(1),
        on_broken: OnBroken::Skip,
        threads,
    };
    let whole = limit.is_none().then(|| dataset.whole());
    let dataset = whole.as_ref().unwrap_or(dataset);
    let mut reader = Reader::new(dataset, preparation, options, Position::default())?;
    while limit.is_none_or(|limit| reader.position().index < limit) {
        if reader.next_batch()?.is_none() {
            break;
        }
    }
    Ok(reader.summary().clone())
}
