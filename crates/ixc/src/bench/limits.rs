//! The machine's limits, measured in every round like everything else.
//!
//! Deliberately absent: how they are measured, which is `ixc_nn::measure`.

use ixc_nn::measure::{Numbers, Rate, multiply_rate, read_rate};
use serde::Serialize;

use super::Spread;
use crate::machine;

/// Bytes that are streamed through: far more than any cache holds.
const STREAM_BYTES: u64 = 1 << 30;

/// Of the machine's memory, at most this part is taken for that.
const STREAM_PART: u64 = 8;

/// Kinds of numbers, as JSON and the table name them.
const KINDS: [(Numbers, &str); 3] =
    [(Numbers::Int8, "int8"), (Numbers::Bf16, "bf16"), (Numbers::F32, "f32")];

/// One limit's samples.
#[derive(Clone, Debug)]
struct Samples {
    name: &'static str,
    one: Vec<f64>,
    all: Vec<f64>,
}

/// All samples of the limits.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    read: Samples,
    multiply: Vec<(Numbers, Samples)>,
}

/// One limit, a second: bytes or operations.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// By one thread: the median.
    pub(crate) one_thread: f64,
    /// By all threads.
    #[serde(flatten)]
    pub(crate) all_threads: Spread,
}

impl Limits {
    /// Nothing measured yet.
    pub(crate) fn new() -> Self {
        let samples = |name| Samples { name, one: Vec::new(), all: Vec::new() };
        Self {
            read: samples("read"),
            multiply: KINDS.map(|(numbers, name)| (numbers, samples(name))).into(),
        }
    }

    /// Measures every limit once more.
    pub(crate) fn measure(&mut self) {
        let memory = machine::memory().unwrap_or(u64::MAX);
        let bytes = STREAM_BYTES.min(memory / STREAM_PART) as usize;
        // Not zeros: pages of zeros may all be one page.
        self.read.push(read_rate(&vec![1u8; bytes]));
        for (numbers, samples) in &mut self.multiply {
            samples.push(multiply_rate(*numbers));
        }
    }

    /// Adds how many operations on these numbers another device did in a second.
    pub(crate) fn add_device(&mut self, numbers: Numbers, rate: f64) {
        let samples = self.multiply.iter_mut().find(|(kind, _)| *kind == numbers);
        let (_, samples) = samples.expect("every kind has its samples");
        samples.push(Rate { one: rate, all: rate });
    }

    /// Forgets what was measured.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Bytes that all threads read in a second; not a number where that was not measured.
    pub(crate) fn bytes(&self) -> f64 {
        self.read.median()
    }

    /// Operations on these numbers that all threads do in a second; not a number where that was not measured.
    pub(crate) fn operations(&self, numbers: Numbers) -> f64 {
        let samples = self.multiply.iter().find(|(kind, _)| *kind == numbers);
        samples.map_or(f64::NAN, |(_, samples)| samples.median())
    }

    /// Each of them that was measured.
    pub(crate) fn list(&self) -> Vec<Limit> {
        let multiply = self.multiply.iter().map(|(_, samples)| (samples, "op/s"));
        let all = [(&self.read, "bytes/s")].into_iter().chain(multiply);
        let measured = all.filter(|(samples, _)| !samples.all.is_empty());
        measured.map(|(samples, unit)| samples.limit(unit)).collect()
    }
}

impl Samples {
    fn push(&mut self, rate: Rate) {
        self.one.push(rate.one);
        self.all.push(rate.all);
    }

    fn median(&self) -> f64 {
        match self.all.is_empty() {
            true => f64::NAN,
            false => Spread::of(self.all.iter().copied()).median,
        }
    }

    /// At least one was taken.
    fn limit(&self, unit: &'static str) -> Limit {
        Limit {
            name: self.name,
            unit,
            one_thread: Spread::of(self.one.iter().copied()).median,
            all_threads: Spread::of(self.all.iter().copied()),
        }
    }
}

#[cfg(test)]
impl Limits {
    /// Limits that are known, for tests: bytes a second, and operations in int8, bf16, f32.
    pub(crate) fn known(bytes: f64, operations: [f64; 3]) -> Self {
        let mut limits = Self::new();
        limits.read.push(Rate { one: bytes, all: bytes });
        for ((_, samples), rate) in limits.multiply.iter_mut().zip(operations) {
            samples.push(Rate { one: rate, all: rate });
        }
        limits
    }
}
