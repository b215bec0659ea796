//! Parts of a batch side by side, each on a thread of its own.
//!
//! Kernels share each product among all threads, and a small model's are so short that the threads wait for each
//! other a tenth of the time. Lanes share the batch instead: one thread goes through a part of it forth and back,
//! and trained weights keep a gradient for each lane ([`crate::trained`]), which are added up in their order
//! afterwards. Where there are more threads than lanes, the lanes come one after another and kernels are shared
//! as ever; the numbers are the same to the last bit. Deliberately absent: what is dealt to which lane.

use std::cell::Cell;

use ixc_kernels::pool;

thread_local! {
    /// The lane that this thread is in; 0 outside.
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// The lane that this thread is in; 0 where nobody asked for lanes.
pub(crate) fn current() -> usize {
    LANE.get()
}

/// Does `work` in each lane, from 0, and returns when all have ended.
///
/// # Panics
/// When `work` does.
pub fn run(lanes: usize, work: &(dyn Fn(usize) + Sync)) {
    let within = |lane: usize| {
        let _left = Left(LANE.replace(lane));
        work(lane);
    };
    if pool::threads() > lanes { (0..lanes).for_each(within) } else { pool::run(lanes, &within) }
}

/// Goes back to the lane before, also when a lane's work panics.
struct Left(usize);

impl Drop for Left {
    fn drop(&mut self) {
        LANE.set(self.0);
    }
}
