//! Randomness as a function of names and numbers: the same key gives the same throws in every release.
//!
//! A key is written out into the generator's 32 bytes, nothing is hashed: different keys are different
//! streams for certain. Only the generator's raw words are used, so that no library's way of making ranges
//! out of them can change a world. Deliberately absent: the clock, the system's randomness.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::split::SceneId;

/// What a stream of throws is for; each purpose of a scene has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What is in the scene.
    Truth,
    /// How it is drawn.
    Look,
    /// Captions.
    Captions,
    /// Questions about one picture.
    Questions,
    /// Questions about two.
    Two,
    /// What is not there.
    Refusals,
    /// Articles, their places, captions and choices.
    Articles,
    /// Changes of a paragraph.
    Edits,
    /// Which language is spoken of a scene.
    Language,
    /// Words without pictures.
    Texts,
    /// Conversations about the model itself.
    Talk,
    /// Which of these comes next.
    Mix,
    /// A word for each patch.
    Patches,
    /// Questions about single things.
    Things,
    /// Which of four pictures.
    Matching,
    /// Where single things are.
    Sides,
    /// How two things compare.
    Comparisons,
    /// Which of some pictures is meant.
    Choosing,
    /// What signs say.
    Signs,
    /// Whether it is this or that.
    Whether,
    /// Captions of sections.
    Titles,
}

/// A stream of throws.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of one scene's one purpose.
    pub fn of(id: SceneId, purpose: Purpose) -> Self {
        let mut key = [0; 32];
        key[..9].copy_from_slice(b"ixc-world");
        key[9] = id.split as u8;
        key[10] = purpose as u8;
        key[12..20].copy_from_slice(&id.seed.to_le_bytes());
        key[20..28].copy_from_slice(&id.number.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// The stream that one number names, for what hangs on a scene's look.
    pub fn numbered(number: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(number))
    }

    /// Any 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        // The product's upper half: even to one part in 2^32 for the small n of this world.
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// A number from 0 to 1, 1 excluded.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// A number from `low` to `high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True `percent` times of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several, which are not none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of several with weights that are not all 0.
    pub fn weighted<'a, T>(&mut self, from: &'a [(T, usize)]) -> &'a T {
        let mut at = self.below(from.iter().map(|(_, weight)| weight).sum());
        for (item, weight) in from {
            if at < *weight {
                return item;
            }
            at -= weight;
        }
        unreachable!("a throw is below the sum of the weights")
    }

    /// Puts items in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Split;

    #[test]
    fn streams_repeat_and_differ() {
        let id = SceneId { split: Split::Train, seed: 1, number: 2 };
        let draw = |id, purpose| Dice::of(id, purpose).bits();
        assert_eq!(draw(id, Purpose::Truth), draw(id, Purpose::Truth));
        assert_ne!(draw(id, Purpose::Truth), draw(id, Purpose::Look));
        assert_ne!(
            draw(id, Purpose::Truth),
            draw(SceneId { split: Split::Test, ..id }, Purpose::Truth)
        );
        assert_ne!(draw(id, Purpose::Truth), draw(SceneId { number: 3, ..id }, Purpose::Truth));
    }

    #[test]
    fn throws_stay_in_their_ranges_and_reach_all_of_them() {
        let mut dice = Dice::numbered(7);
        let mut seen = [0; 5];
        for _ in 0..500 {
            seen[dice.below(5)] += 1;
            assert!((2.0..3.0).contains(&dice.range(2.0, 3.0)));
            assert!((3..=4).contains(&dice.between(3, 4)));
            assert_eq!(*dice.weighted(&[(1, 0), (2, 3)]), 2);
        }
        assert!(seen.iter().all(|&times| times > 50), "{seen:?}");
        let mut items = [0, 1, 2, 3, 4];
        dice.shuffle(&mut items);
        items.sort_unstable();
        assert_eq!(items, [0, 1, 2, 3, 4]);
    }
}
