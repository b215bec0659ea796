//! What a recorded pass made, so that its memory serves the next one.
//!
//! A plain pass recycles a tensor as soon as the next one is made of it; in a recorded pass steps back still
//! need it: those of what is made of it, which rise in number, and its own. So layers' results are remembered
//! while there is a [`Recording`], and their memory is given away behind their own step back, or at the end.
//! Deliberately absent: what shares its numbers with something older than the pass (a view, a weight).

use std::cell::RefCell;

use candle_core::Tensor;

use crate::{device::has_kernels, numbers::recycle};

#[derive(Default)]
struct Made {
    recordings: usize,
    /// With the numbers of their steps, which rise.
    tensors: Vec<(u64, Tensor)>,
}

thread_local! {
    static MADE: RefCell<Made> = RefCell::default();
}

/// While it lives, what this thread's recorded passes make is remembered. Nothing of it may be looked at behind
/// the way back or when it ends, as its memory goes round (see [`ixc_kernels::recycle`]).
#[derive(Debug)]
#[must_use]
pub struct Recording {
    /// What was made before it began belongs to another one.
    first: usize,
}

/// Begins to remember.
pub fn record() -> Recording {
    MADE.with_borrow_mut(|made| {
        made.recordings += 1;
        Recording { first: made.tensors.len() }
    })
}

impl Drop for Recording {
    fn drop(&mut self) {
        let tensors = MADE.with_borrow_mut(|made| {
            made.recordings -= 1;
            made.tensors.split_off(self.first)
        });
        give(tensors);
    }
}

/// Remembers what a step of a recorded pass made.
pub(super) fn remember(step: u64, tensor: &Tensor) {
    if !has_kernels(tensor) {
        return;
    }
    MADE.with_borrow_mut(|made| {
        if made.recordings > 0 {
            made.tensors.push((step, tensor.clone()));
        }
    });
}

/// Lets go of what was made by a step and by those behind it, when they were taken back.
pub(super) fn release(step: u64) {
    let tensors = MADE.with_borrow_mut(|made| {
        let first = made.tensors.partition_point(|(made_by, _)| *made_by < step);
        made.tensors.split_off(first)
    });
    give(tensors);
}

fn give(tensors: Vec<(u64, Tensor)>) {
    tensors.into_iter().for_each(|(_, tensor)| recycle(tensor));
}
