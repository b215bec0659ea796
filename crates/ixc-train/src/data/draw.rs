//! Which sample comes when: the order of an epoch, any place of which can be begun at.
//!
//! Invariants: an epoch draws from each file as many samples as its share says, no sample of a file a
//! second time before all others had their turn, across epochs too; at every moment each file has given
//! its share of what was drawn to within a few samples, so that no stretch is of one kind. The order depends
//! on seed, shares and lengths alone. Deliberately absent: samples, batches.

use std::{cmp::Reverse, collections::BinaryHeap};

use serde::{Deserialize, Serialize};

use super::shuffle::{Permutation, hash};

/// A place in the stream of samples: what comes next.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// Which epoch, counted from 0.
    pub epoch: u64,
    /// How many of its samples have gone by, broken ones included.
    pub index: u64,
}

/// In which order samples come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// File after file, each from its beginning: for evaluation.
    AsStored,
    /// Files mixed in proportion, samples shuffled: for training.
    Shuffled {
        /// Another seed is another order.
        seed: u64,
    },
}

/// How much is drawn from one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    /// Samples that the file has.
    pub(super) samples: u64,
    /// Samples that an epoch draws from it, some of them more than once when there are not enough.
    pub(super) drawn: u64,
}

/// A sample that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Which file.
    pub(super) file: usize,
    /// Which of its samples.
    pub(super) sample: u64,
    /// Where in the stream.
    pub(super) position: Position,
    /// What comes after it.
    pub(super) next: Position,
}

/// The stream of slots, endless or for some epochs.
pub(super) struct Schedule {
    quotas: Vec<Quota>,
    order: Order,
    epochs: Option<u64>,
    position: Position,
    total: u64,
    /// How many were drawn from each file in this epoch.
    drawn: Vec<u64>,
    /// When each file that is not exhausted is due next: the bits of a fraction of the epoch (positive
    /// floats are ordered as their bits are), then the file.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    /// Each file's present pass and its shuffle.
    passes: Vec<Option<(u64, Permutation)>>,
}

/// Samples of an epoch.
pub(super) fn total(quotas: &[Quota]) -> u64 {
    quotas.iter().map(|quota| quota.drawn).sum()
}

impl Schedule {
    /// The stream from a position on, which must lie within its epoch.
    pub(super) fn new(
        quotas: &[Quota],
        order: Order,
        epochs: Option<u64>,
        position: Position,
    ) -> Self {
        let mut schedule = Self {
            total: total(quotas),
            quotas: quotas.into(),
            order,
            epochs,
            position: Position { index: 0, ..position },
            drawn: Vec::new(),
            due: BinaryHeap::new(),
            passes: vec![None; quotas.len()],
        };
        assert!(position.index < schedule.total, "a position within the epoch");
        schedule.begin_epoch();
        // What has gone by is drawn again, which takes some tens of nanoseconds a sample.
        while schedule.position.index < position.index {
            schedule.draw();
            schedule.position.index += 1;
        }
        schedule
    }

    fn begin_epoch(&mut self) {
        self.drawn = vec![0; self.quotas.len()];
        self.due.clear();
        (0..self.quotas.len()).for_each(|file| self.schedule(file));
    }

    /// Puts the next sample of a file on the epoch's time line: draw j of c is due at a random moment
    /// between j/c and (j+1)/c.
    fn schedule(&mut self, file: usize) {
        let (drawn, quota) = (self.drawn[file], self.quotas[file]);
        if drawn == quota.drawn {
            return;
        }
        let moment = match self.order {
            Order::AsStored => file as f64,
            Order::Shuffled { seed } => {
                let random = hash(&[seed, MIXING, self.position.epoch, file as u64, drawn]);
                let random = (random >> 12) as f64 / (1u64 << 52) as f64; // [0, 1)
                (drawn as f64 + random) / quota.drawn as f64
            }
        };
        self.due.push(Reverse((moment.to_bits(), file)));
    }

    /// The file that is due, and which of its draws in this epoch it is.
    fn draw(&mut self) -> (usize, u64) {
        let Reverse((_, file)) = self.due.pop().expect("an epoch draws its total");
        let draw = self.drawn[file];
        self.drawn[file] += 1;
        self.schedule(file);
        (file, draw)
    }

    /// Which sample of its file a draw is. Draws of all epochs go through the file pass after pass.
    fn sample(&mut self, file: usize, draw: u64) -> u64 {
        let Quota { samples, drawn } = self.quotas[file];
        let Order::Shuffled { seed } = self.order else { return draw % samples };
        let draw = u128::from(self.position.epoch) * u128::from(drawn) + u128::from(draw);
        let (pass, place) = (draw / u128::from(samples), draw % u128::from(samples));
        let pass = pass as u64;
        let known = self.passes[file].take().filter(|(known, _)| *known == pass);
        let (_, shuffle) = self.passes[file].insert(known.unwrap_or_else(|| {
            let seed = hash(&[seed, SHUFFLING, file as u64, pass]);
            (pass, Permutation::new(samples, seed))
        }));
        shuffle.at(place as u64)
    }
}

/// Keeps the two uses of a seed apart.
const MIXING: u64 = 1;
const SHUFFLING: u64 = 2;

impl Iterator for Schedule {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        let position = self.position;
        if self.epochs.is_some_and(|epochs| position.epoch >= epochs) {
            return None;
        }
        let (file, draw) = self.draw();
        let sample = self.sample(file, draw);
        self.position.index += 1;
        if self.position.index == self.total {
            self.position = Position { epoch: position.epoch + 1, index: 0 };
            self.begin_epoch();
        }
        Some(Slot { file, sample, position, next: self.position })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHUFFLED: Order = Order::Shuffled { seed: 11 };

    fn quotas(of: &[(u64, u64)]) -> Vec<Quota> {
        of.iter().map(|&(samples, drawn)| Quota { samples, drawn }).collect()
    }

    fn epochs(of: &[(u64, u64)], order: Order, epochs: u64) -> Vec<Slot> {
        Schedule::new(&quotas(of), order, Some(epochs), Position::default()).collect()
    }

    #[test]
    fn each_file_gives_its_share_and_no_sample_twice_before_all() {
        let mix = [(10, 25), (7, 7), (100, 30), (5, 0), (1, 3)];
        let stream = epochs(&mix, SHUFFLED, 8);
        assert_eq!(stream.len(), 8 * 65);
        for (epoch, slots) in stream.chunks(65).enumerate() {
            for (file, &(_, drawn)) in mix.iter().enumerate() {
                let found = slots.iter().filter(|slot| slot.file == file).count() as u64;
                assert_eq!(found, drawn);
            }
            let numbered = |(index, slot): (usize, &Slot)| {
                slot.position == Position { epoch: epoch as u64, index: index as u64 }
            };
            assert!(slots.iter().enumerate().all(numbered));
        }
        for (file, &(samples, drawn)) in mix.iter().enumerate() {
            let mut times = vec![0u64; samples as usize];
            for slot in stream.iter().filter(|slot| slot.file == file) {
                times[slot.sample as usize] += 1;
                let (least, most) = (times.iter().min(), times.iter().max());
                assert!(most.unwrap() - least.unwrap() <= 1, "{times:?}");
            }
            assert_eq!(times.iter().sum::<u64>(), 8 * drawn);
        }
    }

    #[test]
    fn no_stretch_is_of_one_kind() {
        // 10 % text among two kinds of pictures, as in the published mix.
        let mix = [(9000, 9000), (1000, 1000), (500, 2000)];
        let stream = epochs(&mix, SHUFFLED, 1);
        for window in [12, 40, 100, 1000] {
            for slots in stream.windows(window) {
                for (file, &(_, drawn)) in mix.iter().enumerate() {
                    let found = slots.iter().filter(|slot| slot.file == file).count() as f64;
                    let due = window as f64 * drawn as f64 / 12_000.0;
                    assert!((found - due).abs() < 4.0, "{found} of {due} in {window}");
                }
            }
        }
        // And no rhythm: a text may stand anywhere in a batch of twelve. (The two places beside the bounds
        // of its twelfths share one gap between the others, so they have half as many.)
        let texts = |phase| stream.iter().skip(phase).step_by(12).filter(|slot| slot.file == 1);
        let texts: Vec<usize> = (0..12).map(|phase| texts(phase).count()).collect();
        assert!(texts.iter().all(|count| (30..130).contains(count)), "{texts:?}");
    }

    #[test]
    fn every_position_can_be_begun_at() {
        let mix = [(10, 25), (7, 7), (3, 0)];
        for order in [SHUFFLED, Order::AsStored] {
            let whole = epochs(&mix, order, 3);
            for (at, slot) in whole.iter().enumerate() {
                let rest = Schedule::new(&quotas(&mix), order, Some(3), slot.position);
                assert!(rest.eq(whole[at..].iter().copied()), "{:?}", slot.position);
                assert_eq!(whole.get(at + 1).map_or(slot.next, |next| next.position), slot.next);
            }
        }
    }

    #[test]
    fn seeds_and_epochs_differ_and_stored_order_is_stored_order() {
        let mix = [(50, 50), (20, 20)];
        let order = |slots: &[Slot]| slots.iter().map(|s| (s.file, s.sample)).collect::<Vec<_>>();
        let stream = order(&epochs(&mix, SHUFFLED, 2));
        assert_ne!(stream[..70], stream[70..]);
        assert_ne!(stream, order(&epochs(&mix, Order::Shuffled { seed: 12 }, 2)));
        let stored = order(&epochs(&[(3, 5), (2, 1)], Order::AsStored, 2));
        let epoch = [(0, 0), (0, 1), (0, 2), (0, 0), (0, 1), (1, 0)];
        assert_eq!(stored, [epoch, epoch].concat());
    }
}
