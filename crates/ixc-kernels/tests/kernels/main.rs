//! Every kernel against its slow, obvious twin.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod attention;
mod elementwise;
mod gather;
mod gptq;
mod gradient;
mod heads;
mod integers;
mod matmul;
mod measure;
mod norm;
mod paths;
mod pool;
mod product;
mod quant;

/// The path and the number of threads are the whole process's: tests that choose one take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same bits; what is not a number is like any other that is none.
fn same(left: f32, right: f32) -> bool {
    left.to_bits() == right.to_bits() || left.is_nan() && right.is_nan()
}

/// A copy that starts `by` numbers behind a vector's border.
struct Shifted(Vec<f32>, usize);

impl Shifted {
    fn new(values: &[f32], by: usize) -> Self {
        let border = vec![0f32; values.len() + 16 + by];
        let start = border.as_ptr().align_offset(64) + by;
        let mut all = border;
        all[start..start + values.len()].copy_from_slice(values);
        all.truncate(start + values.len());
        Self(all, start)
    }

    fn values(&self) -> &[f32] {
        &self.0[self.1..]
    }

    fn values_mut(&mut self) -> &mut [f32] {
        &mut self.0[self.1..]
    }
}

/// Numbers between −1 and 1 that look random and are the same for the same seed.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}
