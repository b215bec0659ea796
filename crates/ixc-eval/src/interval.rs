//! Shares with what chance leaves open about them.
//!
//! Deliberately absent: comparisons of two models, which see the same items and need a paired test.

use serde::Serialize;

/// The normal distribution's quantile that 2.5 % lie above.
const Z: f64 = 1.959_963_984_540_054;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many held.
    pub right: u64,
    /// Of how many.
    pub of: u64,
}

/// A share with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// How many held.
    pub right: u64,
    /// Of how many.
    pub of: u64,
    /// The share, from 0 to 1.
    pub share: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, right: bool) {
        self.add_many(u64::from(right), 1);
    }

    /// Counts several.
    pub fn add_many(&mut self, right: u64, of: u64) {
        self.right += right;
        self.of += of;
    }

    /// The share with the Wilson score interval, which also holds near 0 and 1 and for few; none without items.
    pub fn share(self) -> Option<Share> {
        let Self { right, of } = self;
        if of == 0 {
            return None;
        }
        let (n, p) = (of as f64, right as f64 / of as f64);
        let scale = 1.0 + Z * Z / n;
        let middle = (p + Z * Z / (2.0 * n)) / scale;
        let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        // At the ends rounding must not push a share out of its own interval.
        let (low, high) = ((middle - half).max(0.0).min(p), (middle + half).min(1.0).max(p));
        Some(Share { right, of, share: p, low, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_wilsons() {
        // Computed by hand from the formula: 8 of 10, 0 of 20, 95 of 100.
        for (right, of, low, high) in
            [(8, 10, 0.4902, 0.9433), (0, 20, 0.0, 0.1611), (95, 100, 0.8882, 0.9785)]
        {
            let share = Tally { right, of }.share().unwrap();
            assert!((share.low - low).abs() < 5e-5, "{share:?}");
            assert!((share.high - high).abs() < 5e-5, "{share:?}");
        }
        let all = Tally { right: 7, of: 7 }.share().unwrap();
        assert!((all.share, all.high) == (1.0, 1.0) && all.low > 0.6, "{all:?}");
        assert_eq!(Tally::default().share(), None);
    }
}
