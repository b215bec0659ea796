//! An axis with round ticks: the loss's picture has two, and so has the ablation's (`xtask`, which takes this file as its
//! own, because whoever runs a check there is not to build all of training). Deliberately absent: drawing.

/// A round interval that holds all values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) tick: f64,
}

impl Axis {
    /// Ticks at multiples of 1, 2 or 5 times a power of ten; about so many `ticks`; `whole` allows no fraction.
    pub(crate) fn over(low: f64, high: f64, ticks: f64, whole: bool) -> Self {
        let span = if high > low { high - low } else { high.abs().max(1.0) * 0.1 };
        let power = 10f64.powf((span / ticks).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
        let tick = steps.into_iter().find(|tick| span / tick <= ticks).unwrap_or(10.0 * power);
        let tick = if whole { tick.max(1.0) } else { tick };
        let from = (low / tick).floor() * tick;
        let to = (high / tick).ceil() * tick;
        Self { from, to: if to > from { to } else { from + tick }, tick }
    }

    pub(crate) fn ticks(self) -> impl Iterator<Item = f64> {
        let count = ((self.to - self.from) / self.tick).round() as u64;
        (0..=count).map(move |index| self.from + index as f64 * self.tick)
    }

    /// Digits behind the point that ticks need.
    pub(crate) fn digits(self) -> usize {
        (-self.tick.log10().floor()).clamp(0.0, 12.0) as usize
    }

    /// 0 at the beginning, 1 at the end.
    pub(crate) fn share(self, value: f64) -> f64 {
        (value - self.from) / (self.to - self.from)
    }
}
