//! Dropout without a stored mask: which numbers go follows from where they stand.
//!
//! A number's fate is a function of seed, step, layer and its place, so that the forward pass, the same pass
//! computed again and the backward pass agree, whatever the threads. The generator is Philox-4x32-10 (Salmon
//! et al., 2011): a counter goes in, four random words come out, and nothing is remembered.
//! Deliberately absent: other randomness.

use pulp::{Arch, NullaryFnOnce};

use crate::pool::run_parts;

/// Numbers in one task.
const PART: usize = 1 << 14;

/// Counters that are turned into words side by side, one in each lane of the processor's vectors.
const LANES: usize = 16;

/// Numbers that they decide.
const BLOCK: usize = 4 * LANES;

/// Which numbers go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The share that goes, from 0 on and below 1.
    pub share: f64,
    /// The run's seed.
    pub seed: u64,
    /// The step of the run.
    pub step: u32,
    /// The place in the model: each has its own mask.
    pub layer: u32,
}

impl Dropout {
    /// Sets a share of the numbers to 0 and divides the rest by 1 − share: forward and backward alike. The
    /// first number stands at place `first` of its layer's.
    ///
    /// # Panics
    /// When the share is not from 0 on and below 1.
    pub fn apply(self, first: u64, x: &mut [f32]) {
        assert!((0.0..1.0).contains(&self.share), "a share below 1, found {}", self.share);
        if self.share == 0.0 {
            return;
        }
        run_parts(x, PART, |part, x| {
            let first = first + (part * PART) as u64;
            Arch::new().dispatch(Apply { dropout: self, first, x });
        });
    }
}

/// One task's numbers.
struct Apply<'a> {
    dropout: Dropout,
    /// The first one's place.
    first: u64,
    x: &'a mut [f32],
}

impl NullaryFnOnce for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { dropout: Dropout { share, seed, step, layer }, first, x } = self;
        let (key, scale) = ([seed as u32, (seed >> 32) as u32], (1.0 / (1.0 - share)) as f32);
        // Words below it are those of numbers that go.
        let bound = (share * 2f64.powi(32)) as u32;
        // Number i of a block is decided by word i / LANES of its counter i % LANES.
        let (mut place, mut rest) = (first, x);
        while !rest.is_empty() {
            let (block, behind) = (place / BLOCK as u64, (place % BLOCK as u64) as usize);
            let (x, others) = rest.split_at_mut(rest.len().min(BLOCK - behind));
            let counter = block * LANES as u64;
            let low: [u32; LANES] = std::array::from_fn(|lane| counter as u32 + lane as u32);
            let high = [(counter >> 32) as u32; LANES];
            let words = philox([low, high, [step; LANES], [layer; LANES]], key);
            for (x, word) in x.iter_mut().zip(&words.as_flattened()[behind..]) {
                *x = if *word < bound { 0.0 } else { *x * scale };
            }
            (place, rest) = (place + x.len() as u64, others);
        }
    }
}

/// Ten rounds over [`LANES`] counters of four words.
#[inline(always)]
fn philox(mut words: [[u32; LANES]; 4], mut key: [u32; 2]) -> [[u32; LANES]; 4] {
    for _ in 0..10 {
        let [mut a, mut b, mut c, mut d] = [[0u32; LANES]; 4];
        for lane in 0..LANES {
            let first = u64::from(words[0][lane]) * 0xD251_1F53;
            let second = u64::from(words[2][lane]) * 0xCD9E_8D57;
            a[lane] = (second >> 32) as u32 ^ words[1][lane] ^ key[0];
            b[lane] = second as u32;
            c[lane] = (first >> 32) as u32 ^ words[3][lane] ^ key[1];
            d[lane] = first as u32;
        }
        words = [a, b, c, d];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_published_ones() {
        // Counter, key and words: the authors' known answers.
        let known = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, words) in known {
            let found = philox(counter.map(|word| [word; LANES]), key);
            assert_eq!(found, words.map(|word: u32| [word; LANES]));
        }
    }
}
