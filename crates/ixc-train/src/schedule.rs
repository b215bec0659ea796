//! The learning rate of each step: a straight warm-up, then a fall.
//!
//! Steps count from 0. The first step of a warm-up of w steps has the share 1 / w of the peak, so that no
//! step is wasted; the warm-up's last has all of it. Behind it the rate falls by the share p of the
//! remaining steps that are behind. Deliberately absent: what a parameter makes of the rate (see
//! [`crate::trainable`]).

use std::f64::consts::PI;

use crate::recipe::{Recipe, SchedulerType};

/// The rates of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// How it falls.
    pub kind: SchedulerType,
    /// The highest rate.
    pub peak: f64,
    /// Steps of the warm-up.
    pub warmup: u64,
    /// Steps in all.
    pub steps: u64,
}

impl Schedule {
    /// The schedule of a recipe, for so many steps in all.
    pub fn new(recipe: &Recipe, steps: u64) -> Self {
        Self {
            kind: recipe.lr_scheduler_type,
            peak: recipe.learning_rate,
            warmup: recipe.warmup(steps),
            steps,
        }
    }

    /// The rate of step number `step`; behind the last step, that of the end.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let falling = self.steps.saturating_sub(self.warmup).max(1);
        let behind = ((step - self.warmup) as f64 / falling as f64).min(1.0);
        self.peak
            * match self.kind {
                SchedulerType::Cosine => 0.5 * (1.0 + (PI * behind).cos()),
                SchedulerType::Linear => 1.0 - behind,
                SchedulerType::Constant => 1.0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(kind: SchedulerType, warmup: u64, steps: u64) -> Schedule {
        Schedule { kind, peak: 2e-4, warmup, steps }
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-15, "expected {expected}, found {found}");
    }

    #[test]
    fn the_warm_up_is_a_line_that_ends_at_the_peak() {
        for kind in [SchedulerType::Cosine, SchedulerType::Linear, SchedulerType::Constant] {
            let schedule = schedule(kind, 4, 100);
            for (step, share) in [(0, 0.25), (1, 0.5), (2, 0.75), (3, 1.0), (4, 1.0)] {
                close(schedule.rate(step), 2e-4 * share);
            }
        }
    }

    #[test]
    fn the_cosine_is_half_at_half_way_and_0_at_the_end() {
        let schedule = schedule(SchedulerType::Cosine, 10, 110);
        close(schedule.rate(60), 1e-4);
        close(schedule.rate(10 + 25), 2e-4 * (0.5 + 0.5 * 0.5f64.sqrt())); // cos(π/4)
        close(schedule.rate(10 + 75), 2e-4 * (0.5 - 0.5 * 0.5f64.sqrt()));
        close(schedule.rate(110), 0.0);
        close(schedule.rate(1_000), 0.0);
        assert!((10..110).all(|step| schedule.rate(step + 1) < schedule.rate(step)));
        assert!(schedule.rate(109) > 0.0, "the last step still moves");
    }

    #[test]
    fn the_line_and_the_constant() {
        let line = schedule(SchedulerType::Linear, 0, 8);
        for step in 0..8 {
            close(line.rate(step), 2e-4 * (8 - step) as f64 / 8.0);
        }
        let flat = schedule(SchedulerType::Constant, 2, 8);
        assert!((1..20).all(|step| flat.rate(step) == 2e-4));
    }

    #[test]
    fn a_run_shorter_than_its_warm_up_never_falls() {
        let short = schedule(SchedulerType::Cosine, 10, 5);
        assert!((0..4).all(|step| short.rate(step) < short.rate(step + 1)));
        assert!(schedule(SchedulerType::Cosine, 0, 0).rate(0).is_finite());
    }
}
