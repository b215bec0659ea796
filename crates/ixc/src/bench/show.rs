//! The result as a table and as JSON.
//!
//! Deliberately absent: judgement; targets are not the program's business.

use serde::Serialize;

use super::{
    Measure, Row, Sheet,
    limits::{Limit, Limits},
    rival::Comparison,
};
use crate::table::{Align, bytes, counted, table};

/// Where it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: Option<String>,
    /// The widest instructions in use.
    pub(crate) instructions: &'static str,
    pub(crate) threads: usize,
    /// Bytes.
    pub(crate) memory: Option<u64>,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Model {
    pub(crate) path: String,
    pub(crate) family: &'static str,
    /// Bytes of all weights in memory.
    pub(crate) weights: u64,
    /// What the decoder's products are held against.
    pub(crate) products: &'static str,
}

/// All of it.
pub(crate) struct Outcome<'a> {
    pub(crate) machine: Machine,
    pub(crate) model: Model,
    pub(crate) repetitions: usize,
    pub(crate) limits: &'a Limits,
    pub(crate) sheet: &'a Sheet,
    pub(crate) comparisons: Vec<Comparison>,
}

/// As JSON, in this order.
#[derive(Serialize)]
struct Report<'a> {
    machine: &'a Machine,
    model: &'a Model,
    repetitions: usize,
    limits: Vec<Limit>,
    rows: Vec<Told<'a>>,
    comparisons: &'a [Comparison],
}

#[derive(Serialize)]
struct Told<'a> {
    row: &'a str,
    what: &'a str,
    unit: &'static str,
    #[serde(flatten)]
    spread: super::Spread,
    samples: Vec<f64>,
    /// The best that the limits allow, in the row's unit.
    limit: Option<f64>,
    /// Of that, how much was reached.
    reached: Option<f64>,
}

impl<'a> Outcome<'a> {
    /// As JSON.
    pub(crate) fn json(&'a self) -> impl Serialize + 'a {
        let told = |row: &'a Row| {
            let limit = row.limit(self.limits);
            Told {
                row: &row.id,
                what: &row.what,
                unit: row.measure.unit(),
                spread: row.spread(),
                samples: row.samples.iter().map(|&sample| row.measure.value(sample)).collect(),
                limit: limit.map(|seconds| row.measure.value(seconds)),
                reached: limit.map(|seconds| seconds / row.median()),
            }
        };
        Report {
            machine: &self.machine,
            model: &self.model,
            repetitions: self.repetitions,
            limits: self.limits.list(),
            rows: self.sheet.rows.iter().map(told).collect(),
            comparisons: &self.comparisons,
        }
    }

    /// For people, at most 100 columns.
    pub(crate) fn text(&self) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "{}, {}, {}{}\n{}, {}: {} of weights\n\n",
            machine.processor.as_deref().unwrap_or("a processor without a name"),
            machine.instructions,
            counted(machine.threads, "thread"),
            machine.memory.map(|memory| format!(", {}", bytes(memory))).unwrap_or_default(),
            self.model.path,
            self.model.family,
            bytes(self.model.weights),
        );
        text.push_str(&limits(&self.limits.list()));
        text.push('\n');
        text.push_str(&self.rows());
        if let (Some(first), Some(second)) =
            (self.sheet.row("first-word"), self.sheet.row("second-question"))
        {
            let part = second.median() / first.median() * 100.0;
            text.push_str(&format!(
                "\nThe second question took {part:.1} % of the first one's time.\n"
            ));
        }
        if !self.comparisons.is_empty() {
            text.push('\n');
            text.push_str(&self.compared());
        }
        text
    }

    fn rows(&self) -> String {
        let columns = [
            ("what", Align::Left),
            ("unit", Align::Left),
            ("median", Align::Right),
            ("min", Align::Right),
            ("max", Align::Right),
            ("limit", Align::Right),
            ("reached", Align::Right),
        ];
        let row = |row: &Row| {
            let (spread, limit) = (row.spread(), row.limit(self.limits));
            let (unit, scale) = scale(row.measure, spread.median);
            let figure = |value: f64| figure(value / scale);
            vec![
                row.what.clone(),
                unit.into(),
                figure(spread.median),
                figure(spread.min),
                figure(spread.max),
                limit.map(|seconds| figure(row.measure.value(seconds))).unwrap_or_default(),
                limit.map(|seconds| percent(seconds / row.median())).unwrap_or_default(),
            ]
        };
        table(&columns, &self.sheet.rows.iter().map(row).collect::<Vec<_>>())
    }

    fn compared(&self) -> String {
        let columns = [
            ("ours beside llama.cpp's", Align::Left),
            ("its file", Align::Left),
            ("setting", Align::Left),
            ("median", Align::Right),
            ("min", Align::Right),
            ("max", Align::Right),
            ("ours/its", Align::Right),
        ];
        let row = |found: &Comparison| {
            let rate = |value: f64| format!("{value:.2}/s");
            vec![
                found.row.clone(),
                found.model.clone(),
                found.setting.into(),
                rate(found.spread.median),
                rate(found.spread.min),
                rate(found.spread.max),
                format!("{:.2}", found.ratio),
            ]
        };
        table(&columns, &self.comparisons.iter().map(row).collect::<Vec<_>>())
    }
}

fn limits(limits: &[Limit]) -> String {
    let columns = [
        ("the machine's own limit", Align::Left),
        ("1 thread", Align::Right),
        ("all", Align::Right),
        ("min", Align::Right),
        ("max", Align::Right),
    ];
    let row = |limit: &Limit| {
        let giga = |rate: f64| match limit.unit {
            "bytes/s" => format!("{:.1} GB/s", rate / 1e9),
            _ => format!("{:.0} Gop/s", rate / 1e9),
        };
        let what = match limit.name {
            "read" => "reading memory".into(),
            name => format!("multiplying and adding in {name}"),
        };
        let all = limit.all_threads;
        vec![what, giga(limit.one_thread), giga(all.median), giga(all.min), giga(all.max)]
    };
    table(&columns, &limits.iter().map(row).collect::<Vec<_>>())
}

/// The unit of a row whose median is this, and how much of the measure's own unit it is.
fn scale(measure: Measure, median: f64) -> (&'static str, f64) {
    match measure {
        Measure::Seconds if median < 1.0 => ("ms", 1e-3),
        Measure::Seconds => ("s", 1.0),
        Measure::Positions(_) => ("pos/s", 1.0),
        Measure::Words => ("words/s", 1.0),
        Measure::Bytes if median < 1e9 => ("MB", 1e6),
        Measure::Bytes => ("GB", 1e9),
    }
}

/// A number with about four digits.
fn figure(value: f64) -> String {
    let decimals = if value < 10.0 {
        3
    } else if value < 100.0 {
        2
    } else if value < 1000.0 {
        1
    } else {
        0
    };
    format!("{value:.decimals$}")
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}
