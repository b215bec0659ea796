//! Large buffers of a pass, used again instead of given back to the system.
//!
//! A prompt's activations are tens of megabytes each and live for a moment. The system takes such a
//! buffer back when it is freed, and hands out the next one page by page, each zeroed: that can take
//! longer than the work done on it. While a [`Pass`] lasts, buffers that are [given](give) wait for
//! whoever [asks](floats) next; when the last pass ends they are freed. Passes that are alike, the [`Steps`]
//! of training, leave theirs to the next one.
//! Deliberately absent: small buffers, which the allocator keeps by itself.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Numbers from which on a buffer is worth keeping: 256 KiB.
const LEN_MIN: usize = 1 << 16;

/// Buffers kept at most outside [`Steps`]: more than a layer has at a time.
const BUFFERS_MAX: usize = 16;

struct Kept {
    passes: usize,
    /// Among them, those that are [`Steps`].
    runs: usize,
    /// Steps so far.
    step: u64,
    /// In the order in which they were given, with the step in which that was.
    buffers: Vec<(u64, Vec<f32>)>,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { passes: 0, runs: 0, step: 0, buffers: Vec::new() });

fn kept() -> MutexGuard<'static, Kept> {
    // Whatever panicked, the buffers are only numbers.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While it lives, buffers are kept.
#[derive(Debug)]
#[must_use]
pub struct Pass(());

/// Begins a pass.
pub fn pass() -> Pass {
    kept().passes += 1;
    Pass(())
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut kept = kept();
        kept.passes -= 1;
        if kept.passes == 0 {
            let buffers = std::mem::take(&mut kept.buffers);
            drop(kept); // others need not wait while memory is freed
            drop(buffers);
        }
    }
}

/// Passes that are alike: while it lives, all buffers that a pass gave are there for the next one.
#[derive(Debug)]
#[must_use]
pub struct Steps(Pass);

/// Begins passes that are alike.
pub fn steps() -> Steps {
    let pass = pass();
    kept().runs += 1;
    Steps(pass)
}

impl Steps {
    /// Ends a step: buffers that nobody asked for since the step before it began are freed, so that no more is
    /// kept than two steps in a row needed.
    pub fn next(&self) {
        let mut kept = kept();
        kept.step += 1;
        let oldest = kept.step.saturating_sub(2);
        let (stay, go) =
            std::mem::take(&mut kept.buffers).into_iter().partition(|(given, _)| *given >= oldest);
        kept.buffers = stay;
        drop(kept);
        drop::<Vec<_>>(go);
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        kept().runs -= 1;
    }
}

/// A buffer of `len` numbers, whatever they are: zeros, or what an earlier owner left.
pub fn floats(len: usize) -> Vec<f32> {
    if len >= LEN_MIN {
        let mut kept = kept();
        // The smallest that is large enough, and of those the last one given, which a cache may still hold; one
        // far too large waits for who needs it.
        let fitting = kept.buffers.iter().enumerate().rev();
        let fitting = fitting.filter(|(_, (_, b))| (len..=2 * len).contains(&b.capacity()));
        if let Some((index, _)) = fitting.min_by_key(|(_, (_, buffer))| buffer.capacity()) {
            let (_, mut buffer) = kept.buffers.remove(index);
            drop(kept);
            buffer.resize(len, 0.0);
            return buffer;
        }
    }
    vec![0.0; len]
}

/// Gives a buffer to whoever asks next. Outside a pass, and when it is small, it is freed.
pub fn give(buffer: Vec<f32>) {
    if buffer.capacity() < LEN_MIN {
        return;
    }
    let mut kept = kept();
    if kept.passes == 0 {
        return;
    }
    if kept.runs == 0 && kept.buffers.len() >= BUFFERS_MAX {
        kept.buffers.remove(0); // nobody wanted it for the longest time
    }
    let step = kept.step;
    kept.buffers.push((step, buffer));
}
