//! Large buffers of a pass, used again instead of given back to the system.
//!
//! A prompt's activations are tens of megabytes each and live for a moment. The system takes such a
//! buffer back when it is freed, and hands out the next one page by page, each zeroed: that can take
//! longer than the work done on it. While a [`Pass`] lasts, buffers that are [given](give) wait for
//! whoever [asks](floats) next; when the last pass ends they are freed.
//! Deliberately absent: small buffers, which the allocator keeps by itself.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Numbers from which on a buffer is worth keeping: 1 MiB.
const LEN_MIN: usize = 1 << 18;

/// Buffers kept at most: more than a layer has at a time.
const BUFFERS_MAX: usize = 16;

struct Kept {
    passes: usize,
    /// In the order in which they were given.
    buffers: Vec<Vec<f32>>,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { passes: 0, buffers: Vec::new() });

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

/// A buffer of `len` numbers, whatever they are: zeros, or what an earlier owner left.
pub fn floats(len: usize) -> Vec<f32> {
    if len >= LEN_MIN {
        let mut kept = kept();
        // The smallest that is large enough; one far too large waits for who needs it.
        let fitting = kept.buffers.iter().enumerate();
        let fitting = fitting.filter(|(_, b)| (len..=2 * len).contains(&b.capacity()));
        if let Some((index, _)) = fitting.min_by_key(|(_, buffer)| buffer.capacity()) {
            let mut buffer = kept.buffers.remove(index);
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
    if kept.buffers.len() == BUFFERS_MAX {
        kept.buffers.remove(0); // nobody wanted it for the longest time
    }
    kept.buffers.push(buffer);
}
