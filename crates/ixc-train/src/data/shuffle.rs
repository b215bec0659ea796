//! A seeded shuffle that needs no list: any place of the new order is computed when it is asked for.
//!
//! A Feistel network over the next power of four is a bijection whatever its round function is; what falls
//! outside is sent through again (cycle walking) until it is inside. The round function is SplitMix64's
//! finaliser, so that a seed means the same order in every release. Deliberately absent: any claim beyond
//! a good shuffle; this is no cipher.

/// Rounds of the network. Four make a random permutation of a random function; two more are for the
/// simple function used here.
const ROUNDS: usize = 6;

/// Bits of half an index at least: a network over two or four values has few permutations to choose from.
const HALF_BITS_MIN: u32 = 4;

/// A permutation of the numbers below `len`.
#[derive(Clone, Debug)]
pub(super) struct Permutation {
    len: u64,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation that a seed stands for.
    ///
    /// # Panics
    /// When `len` is 0 or over 2^60.
    pub(super) fn new(len: u64, seed: u64) -> Self {
        assert!(len > 0 && len <= 1 << 60, "{len} numbers to shuffle");
        let bits = u64::BITS - (len - 1).leading_zeros(); // of the largest number
        let half_bits = bits.div_ceil(2).max(HALF_BITS_MIN);
        let keys = std::array::from_fn(|round| hash(&[seed, round as u64]));
        Self { len, half_bits, keys }
    }

    /// What stands at a place of the new order.
    ///
    /// # Panics
    /// When `place` is not below the length.
    pub(super) fn at(&self, place: u64) -> u64 {
        assert!(place < self.len, "place {place} of {}", self.len);
        let mut number = self.network(place);
        while number >= self.len {
            number = self.network(number);
        }
        number
    }

    fn network(&self, number: u64) -> u64 {
        let mask = (1u64 << self.half_bits) - 1;
        let (mut left, mut right) = (number >> self.half_bits, number & mask);
        for key in self.keys {
            (left, right) = (right, left ^ mix(right ^ key) & mask);
        }
        left << self.half_bits | right
    }
}

/// SplitMix64's finaliser (Steele, Lea and Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// One number that depends on all of several.
pub(super) fn hash(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |hash, &number| mix(hash ^ number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_once() {
        for len in (1..300).chain([1023, 1024, 1025, 4096, 4097, 10_000]) {
            let shuffle = Permutation::new(len, 7 * len);
            let mut found: Vec<u64> = (0..len).map(|place| shuffle.at(place)).collect();
            found.sort_unstable();
            assert!(found.iter().copied().eq(0..len), "{len}");
        }
        let vast = Permutation::new(1 << 60, 3);
        assert!((0..1000).all(|place| vast.at(place) < 1 << 60));
    }

    #[test]
    fn every_number_comes_everywhere() {
        // 5 numbers in 5 places over 20 000 seeds: 4000 each, whose deviation is 57.
        let mut found = [[0u32; 5]; 5];
        for seed in 0..20_000 {
            let shuffle = Permutation::new(5, seed);
            (0..5).for_each(|place| found[place][shuffle.at(place as u64) as usize] += 1);
        }
        assert!(found.iter().flatten().all(|&count| count.abs_diff(4000) < 5 * 57), "{found:?}");
        // All 120 orders occur about equally often: 167 each, whose deviation is 13.
        let mut orders = std::collections::BTreeMap::new();
        for seed in 0..20_000 {
            let shuffle = Permutation::new(5, seed);
            let order: Vec<u64> = (0..5).map(|place| shuffle.at(place)).collect();
            *orders.entry(order).or_insert(0u32) += 1;
        }
        assert_eq!(orders.len(), 120);
        assert!(orders.values().all(|&count| count.abs_diff(167) < 5 * 13), "{orders:?}");
    }

    #[test]
    fn neighbours_part() {
        let shuffle = Permutation::new(1 << 16, 1);
        let near = (0..u64::from(u16::MAX))
            .filter(|&place| shuffle.at(place).abs_diff(shuffle.at(place + 1)) < 656)
            .count();
        // Two random numbers of 65 536 are less than 656 apart with a chance of 2 %.
        assert!((1000..1620).contains(&near), "{near}");
    }

    #[test]
    fn a_seed_means_the_same_in_every_release() {
        let order = |seed| {
            let shuffle = Permutation::new(8, seed);
            (0..8).map(|place| shuffle.at(place)).collect::<Vec<_>>()
        };
        assert_eq!(order(0), ORDER_OF_SEED_0);
        assert_ne!(order(0), order(1));
    }

    /// Written down once; a change here changes the order of every run.
    const ORDER_OF_SEED_0: [u64; 8] = [5, 7, 0, 4, 1, 3, 6, 2];
}
