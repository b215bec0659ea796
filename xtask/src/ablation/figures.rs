//! The figures of an ablation: gathered from what `ixc` printed, and as a table.
//!
//! Invariant: means and deviations are over seeds, and one seed has no deviation. Deliberately absent: verdicts.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything that was measured.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ablation {
    /// Of each run.
    pub(super) steps: u64,
    /// Asked about.
    pub(super) scenes: u64,
    /// Where training computed.
    pub(super) device: String,
    /// The language model's, before any vision.
    pub(super) before: BTreeMap<String, f64>,
    /// Each arm with each seed.
    pub(super) runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) arm: String,
    pub(super) seed: u64,
    /// How many changed.
    pub(super) numbers: u64,
    pub(super) seconds_a_step: f64,
    /// Whether it had the machine for itself, so that its time says something.
    pub(super) alone: bool,
    pub(super) figures: BTreeMap<String, f64>,
}

/// One figure: its key here, what a table calls it, and where it is from.
struct Figure {
    key: &'static str,
    title: &'static str,
    from: From,
}

/// Where a figure is from.
enum From {
    /// `ixc perplexity`.
    Perplexity,
    /// The share of this name in `ixc eval world`.
    Share(&'static str),
    /// The same, without a picture.
    Blind(&'static str),
}

/// Held-out text's perplexity.
pub(super) const PERPLEXITY: &str = "perplexity";
/// Edits that do what was asked.
pub(super) const EDITS: &str = "edits";
/// Questions answered right.
pub(super) const QUESTIONS: &str = "questions";

/// First the language that is kept, then the vision that is gained.
const FIGURES: [Figure; 9] = [
    Figure { key: PERPLEXITY, title: "held-out text: perplexity", from: From::Perplexity },
    figure("sections", "articles: sections asked for, %", "writing: sections asked for"),
    figure("mentions", "articles: must-mentions kept, %", "writing: must-mentions kept"),
    figure("unrepeated", "articles: no sentence repeated, %", "writing: no sentence repeated"),
    figure(EDITS, "edits obeyed, %", "edits obeyed"),
    figure(QUESTIONS, "questions right, %", "questions, all types"),
    Figure {
        key: "blind",
        title: "the same without the picture, %",
        from: From::Blind("questions, all types"),
    },
    figure(
        "true",
        "captions: facts stated that are true, %",
        "captions: facts stated that are true",
    ),
    figure("stated", "captions: main facts stated, %", "captions: main facts stated"),
];

const fn figure(key: &'static str, title: &'static str, name: &'static str) -> Figure {
    Figure { key, title, from: From::Share(name) }
}

/// One model's figures by their keys; a model that never came to state anything lacks some.
pub(super) fn gather(perplexity: &Value, world: &Value) -> BTreeMap<String, f64> {
    let share =
        |name: &str| world["figures"].as_array()?.iter().find(|figure| figure["name"] == name);
    let value = |figure: &Figure| match figure.from {
        From::Perplexity => perplexity["perplexity"]["value"].as_f64(),
        From::Share(name) => share(name)?["share"].as_f64(),
        From::Blind(name) => share(name)?["blind"]["share"].as_f64(),
    };
    FIGURES.iter().filter_map(|figure| Some((figure.key.to_owned(), value(figure)?))).collect()
}

/// The mean, and the deviation where there are several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mean {
    pub(super) mean: f64,
    pub(super) deviation: Option<f64>,
}

/// Of at least one number.
pub(super) fn mean(numbers: &[f64]) -> Option<Mean> {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    let deviation = (numbers.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
    (!numbers.is_empty()).then_some(Mean { mean, deviation })
}

impl Ablation {
    /// Names of the arms, in order.
    pub(super) fn arms(&self) -> Vec<&str> {
        let mut arms: Vec<&str> = self.runs.iter().map(|run| run.arm.as_str()).collect();
        arms.sort_unstable();
        arms.dedup();
        arms
    }

    /// The runs of an arm.
    pub(super) fn of(&self, arm: &str) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.arm == arm)
    }
}

/// A row for each figure, a column for each arm.
pub(super) fn table(all: &Ablation) -> String {
    let arms = all.arms();
    let mut text = format!("| | before | {} |\n|---|---:|", arms.join(" | "));
    text += &"---:|".repeat(arms.len());
    text.push('\n');
    let mut row = |title: &str, before: Option<f64>, of: &dyn Fn(&Run) -> Option<f64>, digits| {
        let before = before.and_then(|number| mean(&[number]));
        let cells = arms.iter().map(|arm| mean(&all.of(arm).filter_map(of).collect::<Vec<_>>()));
        let cells: Vec<String> =
            [before].into_iter().chain(cells).map(|mean| cell(mean, digits)).collect();
        writeln!(text, "| {title} | {} |", cells.join(" | ")).expect("a string grows");
    };
    for figure in &FIGURES {
        let (times, digits) = match figure.from {
            From::Perplexity => (1.0, 3),
            From::Share(_) | From::Blind(_) => (100.0, 1),
        };
        let of = |figures: &BTreeMap<String, f64>| figures.get(figure.key).map(|it| times * it);
        row(figure.title, of(&all.before), &|run| of(&run.figures), digits);
    }
    row("numbers that changed, thousands", None, &|run| Some(run.numbers as f64 / 1e3), 0);
    row("seconds a step", None, &|run| Some(run.seconds_a_step), 3);
    row("seeds", None, &|run| all.of(&run.arm).next().map(|_| all.of(&run.arm).count() as f64), 0);
    let several = if all.runs.iter().all(|run| run.alone) {
        ""
    } else {
        " Several runs shared the machine, so their times say little."
    };
    let Ablation { steps, scenes, device, .. } = all;
    writeln!(
        text,
        "\nMeans over seeds ± one standard deviation; {steps} steps on {device}, {scenes} scenes of the test split.\
         {several}"
    )
    .expect("a string grows");
    text
}

fn cell(mean: Option<Mean>, digits: usize) -> String {
    match mean {
        None => "–".into(),
        Some(Mean { mean, deviation: Some(deviation) }) if deviation > 0.0 => {
            format!("{mean:.digits$} ± {deviation:.digits$}")
        }
        Some(Mean { mean, .. }) => format!("{mean:.digits$}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// Two arms, the second of which states nothing in captions.
    pub(in super::super) fn example() -> Ablation {
        let run = |arm: &str, seed: u64, perplexity: f64, questions: f64| Run {
            arm: arm.into(),
            seed,
            numbers: 852_480,
            seconds_a_step: 1.5,
            alone: true,
            figures: [(PERPLEXITY, perplexity), (QUESTIONS, questions), (EDITS, 0.5)]
                .map(|(key, value)| (key.to_owned(), value))
                .into(),
        };
        Ablation {
            steps: 7,
            scenes: 4,
            device: "cpu".into(),
            before: [(PERPLEXITY.to_owned(), 2.0), (EDITS.to_owned(), 0.5)].into(),
            runs: vec![
                run("a-plora", 1, 2.0, 0.9),
                run("a-plora", 2, 2.0, 0.8),
                run("c-full", 1, 4.0, 0.95),
            ],
        }
    }

    #[test]
    fn figures_are_found_by_their_names() {
        let perplexity = json!({ "perplexity": { "value": 3.5, "error": 0.1 } });
        let world = json!({ "figures": [
            { "name": "colour", "share": 0.1 },
            { "name": "questions, all types", "share": 0.75, "blind": { "share": 0.25 } },
            { "name": "edits obeyed", "share": 0.5, "blind": null },
        ]});
        let found = gather(&perplexity, &world);
        let expected = [("perplexity", 3.5), ("questions", 0.75), ("blind", 0.25), ("edits", 0.5)];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value)).into());
    }

    #[test]
    fn a_mean_has_a_deviation_where_there_are_several() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[2.0]), Some(Mean { mean: 2.0, deviation: None }));
        assert_eq!(mean(&[1.0, 3.0]), Some(Mean { mean: 2.0, deviation: Some(2f64.sqrt()) }));
    }

    #[test]
    fn a_table_has_a_row_for_each_figure_and_a_column_for_each_arm() {
        let text = table(&example());
        assert!(
            text.starts_with("| | before | a-plora | c-full |\n|---|---:|---:|---:|\n"),
            "{text}"
        );
        for row in [
            "| held-out text: perplexity | 2.000 | 2.000 | 4.000 |",
            "| questions right, % | – | 85.0 ± 7.1 | 95.0 |",
            "| captions: main facts stated, % | – | – | – |",
            "| numbers that changed, thousands | – | 852 | 852 |",
            "| seeds | – | 2 | 1 |",
        ] {
            assert!(text.lines().any(|line| line == row), "{row} in\n{text}");
        }
        assert!(!text.contains("shared the machine"));
        let mut shared = example();
        shared.runs[0].alone = false;
        assert!(table(&shared).contains("shared the machine"));
    }
}
