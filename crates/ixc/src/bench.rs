//! What `ixc bench` measures, as plain data: rows of samples, and what each row costs at least.
//!
//! `sections` runs the engine, `work` counts operations and bytes, `rival` runs another program,
//! `show` sets the result out. Invariants: a row's samples come from different rounds, so that a noisy
//! moment touches every row alike; a limit is measured in the same run as what is held against it.
//! Deliberately absent: targets; a number is good or bad only beside another.

pub(crate) mod limits;
pub(crate) mod rival;
pub(crate) mod sections;
pub(crate) mod show;
pub(crate) mod train;
pub(crate) mod work;

use serde::Serialize;

use self::{limits::Limits, work::Work};

/// What a row's samples, which are seconds or bytes, are told as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measure {
    /// Seconds.
    Seconds,
    /// Positions a second, of so many.
    Positions(usize),
    /// Words a second; a sample is one word's seconds.
    Words,
    /// Bytes.
    Bytes,
}

impl Measure {
    /// A sample in the row's unit.
    pub(crate) fn value(self, sample: f64) -> f64 {
        match self {
            Self::Seconds | Self::Bytes => sample,
            Self::Positions(count) => count as f64 / sample,
            Self::Words => 1.0 / sample,
        }
    }

    /// The unit's name.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Positions(_) => "positions/s",
            Self::Words => "words/s",
            Self::Bytes => "bytes",
        }
    }
}

/// One thing that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Its name in JSON.
    pub(crate) id: String,
    /// Its name in the table.
    pub(crate) what: String,
    /// Its unit.
    pub(crate) measure: Measure,
    /// What it takes at least, where that is known.
    pub(crate) work: Option<Work>,
    /// Seconds or bytes, one a round.
    pub(crate) samples: Vec<f64>,
}

/// All rows, in the order of their first sample.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) rows: Vec<Row>,
}

impl Sheet {
    /// Adds a sample to the row of that name, which is made by `row` when it is the first.
    pub(crate) fn add(&mut self, id: &str, sample: f64, row: impl FnOnce() -> Draft) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.id == id) {
            return row.samples.push(sample);
        }
        let Draft { what, measure, work } = row();
        self.rows.push(Row { id: id.into(), what, measure, work, samples: vec![sample] });
    }

    /// The row of that name.
    pub(crate) fn row(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Forgets the samples, which were for warming up.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
    }
}

/// A row before it has samples.
pub(crate) struct Draft {
    pub(crate) what: String,
    pub(crate) measure: Measure,
    pub(crate) work: Option<Work>,
}

/// Median and extremes of some samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one sample.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (count, middle) = (sorted.len(), sorted.len() / 2);
        let median = if count.is_multiple_of(2) {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        } else {
            sorted[middle]
        };
        Self { median, min: sorted[0], max: sorted[count - 1] }
    }
}

impl Row {
    /// The samples' spread in the row's unit.
    pub(crate) fn spread(&self) -> Spread {
        Spread::of(self.samples.iter().map(|&sample| self.measure.value(sample)))
    }

    /// The median sample: seconds or bytes.
    pub(crate) fn median(&self) -> f64 {
        Spread::of(self.samples.iter().copied()).median
    }

    /// The least seconds that the machine could take for it.
    pub(crate) fn limit(&self, limits: &Limits) -> Option<f64> {
        self.work.as_ref().and_then(|work| work.seconds(limits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
        assert_eq!(Spread::of([5.0]), Spread { median: 5.0, min: 5.0, max: 5.0 });
    }

    #[test]
    fn rates_turn_the_spread_around() {
        let row = Row {
            id: "x".into(),
            what: "x".into(),
            measure: Measure::Positions(100),
            work: None,
            samples: vec![1.0, 2.0, 4.0],
        };
        assert_eq!(row.spread(), Spread { median: 50.0, min: 25.0, max: 100.0 });
        assert_eq!(row.median(), 2.0);
    }

    #[test]
    fn samples_of_one_name_are_one_row() {
        let mut sheet = Sheet::default();
        for sample in [1.0, 2.0] {
            let draft = || Draft { what: "x".into(), measure: Measure::Seconds, work: None };
            sheet.add("x", sample, draft);
        }
        assert_eq!(sheet.rows.len(), 1);
        assert_eq!(sheet.row("x").unwrap().samples, [1.0, 2.0]);
        assert!(sheet.row("y").is_none());
    }
}
