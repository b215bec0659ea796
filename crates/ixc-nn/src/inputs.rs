//! What linear layers are fed: the squares of their inputs, summed over every row that they multiply.
//!
//! A layer made with a [`Tally`] adds each row to it before it multiplies; one made without pays for nothing.
//! Sums are float64 in the order of the rows, so they depend neither on threads nor on how rows are cut into
//! batches. Deliberately absent: what the sums are for.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use candle_core::Tensor;

use crate::{Error, numbers::read};

/// Sums over the rows that one layer has seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// How many rows.
    pub rows: u64,
    /// Σ x² of each input.
    pub squares: Vec<f64>,
}

impl Sums {
    /// The mean square of each input, (inputs); none before the first row.
    pub fn mean_squares(&self) -> Option<Vec<f32>> {
        let mean = |&sum: &f64| (sum / self.rows as f64) as f32;
        (self.rows > 0).then(|| self.squares.iter().map(mean).collect())
    }
}

/// Where one layer adds its rows.
#[derive(Debug)]
pub struct Tally(Mutex<Sums>);

impl Tally {
    fn new(inputs: usize) -> Self {
        Self(Mutex::new(Sums { rows: 0, squares: vec![0.0; inputs] }))
    }

    /// Adds those of the rows, one behind the other, that are in one of the ranges.
    pub(crate) fn add(&self, rows: &[f32], ranges: &[Range<usize>]) {
        let mut sums = lock(&self.0);
        let inputs = sums.squares.len();
        for range in ranges {
            sums.rows += range.len() as u64;
            for row in rows[range.start * inputs..range.end * inputs].chunks_exact(inputs) {
                for (sum, &x) in sums.squares.iter_mut().zip(row) {
                    *sum += f64::from(x) * f64::from(x);
                }
            }
        }
    }
}

/// The tallies of a model's layers, by the published names of their weights. Clones share.
#[derive(Clone, Debug, Default)]
pub struct Inputs(Arc<Mutex<BTreeMap<String, Arc<Tally>>>>);

impl Inputs {
    /// The tally of a layer, made when it is first asked for.
    pub fn tally(&self, weight: &str, inputs: usize) -> Arc<Tally> {
        let mut tallies = lock(&self.0);
        tallies.entry(weight.into()).or_insert_with(|| Arc::new(Tally::new(inputs))).clone()
    }

    /// Adds the rows of x, (n, inputs), to a layer's tally, as if it had multiplied them.
    ///
    /// # Errors
    /// When x is not a matrix of float32 on the CPU.
    pub fn add(&self, weight: &str, x: &Tensor) -> Result<(), Error> {
        let (rows, inputs) = x.dims2()?;
        let tally = self.tally(weight, inputs);
        read(&x.contiguous()?, |x| {
            tally.add(x, std::slice::from_ref(&(0..rows)));
            Ok(())
        })
    }

    /// The sums so far, by the names of the weights.
    pub fn sums(&self) -> BTreeMap<String, Sums> {
        let sums = |(name, tally): (&String, &Arc<Tally>)| (name.clone(), lock(&tally.0).clone());
        lock(&self.0).iter().map(sums).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under the locks can leave what they guard half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
