//! How fast this machine can be: the rates that no kernel exceeds.
//!
//! Reading memory in one linear stream a thread, and multiplying in registers with the widest
//! instructions of [`cpu::path`](crate::cpu::path). Operations are counted from the sums that the loops
//! return, so a loop that the compiler shortened would count for less. Deliberately absent: the kernels,
//! which are measured by whoever calls them; processor names; reports.

mod multiply;
mod stream;

use std::time::{Duration, Instant};

use crate::pool;

/// What is multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Numbers {
    /// 8-bit integers, summed in 32 bits.
    Int8,
    /// bfloat16, summed in float32. Without instructions for it: the rate of float32, to which it is
    /// widened.
    Bf16,
    /// float32.
    F32,
}

/// So much a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// By one thread alone.
    pub one: f64,
    /// By all threads together, [`pool::threads`].
    pub all: f64,
}

/// Passes of which the median counts.
const PASSES: usize = 5;

/// How long one pass of multiplications takes at least: long against waking a thread.
const PASS_TIME: Duration = Duration::from_millis(10);

/// Rounds of a pass at most: float32 counts exactly that far.
const ROUNDS_MAX: u64 = 1 << 22;

/// Bytes a second that are read from `bytes`: memory of at least a gigabyte, or a mapped file that the
/// system holds in memory. Smaller ones may fit a cache and say nothing about memory.
///
/// # Panics
/// When there are fewer than 8 bytes a thread.
pub fn read_rate(bytes: &[u8]) -> Rate {
    let words = stream::words(bytes);
    assert!(words.len() >= pool::threads(), "expected at least 8 bytes a thread");
    stream::read(words); // pages that were never touched come in here
    let rate = |threads: usize| {
        let part = words.len() / threads;
        median(|| {
            let started = Instant::now();
            share(threads, &|task| {
                stream::read(&words[task * part..(task + 1) * part]);
            });
            (part * threads * size_of::<u64>()) as f64 / started.elapsed().as_secs_f64()
        })
    };
    Rate { one: rate(1), all: rate(pool::threads()) }
}

/// Multiplications and additions a second, each counted as one operation, in the widest instructions
/// that the path in use has for these numbers.
pub fn multiply_rate(numbers: Numbers) -> Rate {
    let work = multiply::work(numbers, crate::cpu::path());
    let mut rounds = 1 << 12;
    while rounds < ROUNDS_MAX {
        let started = Instant::now();
        work(rounds);
        if started.elapsed() >= PASS_TIME {
            break;
        }
        rounds *= 2;
    }
    let rate = |threads: usize| {
        median(|| {
            let done = std::sync::Mutex::new(0.0);
            let started = Instant::now();
            share(threads, &|_| {
                let products = work(rounds);
                *done.lock().expect("no panic while held") += products;
            });
            let time = started.elapsed().as_secs_f64();
            2.0 * done.into_inner().expect("no panic while held") / time
        })
    };
    Rate { one: rate(1), all: rate(pool::threads()) }
}

/// One task a thread; one thread is the caller's own.
fn share(threads: usize, work: &(dyn Fn(usize) + Sync)) {
    if threads == 1 {
        return work(0);
    }
    pool::run(threads, work);
}

/// The median of some passes.
fn median(mut pass: impl FnMut() -> f64) -> f64 {
    let mut rates: Vec<f64> = (0..PASSES).map(|_| pass()).collect();
    rates.sort_by(f64::total_cmp);
    rates[PASSES / 2]
}
