//! An ablation as an SVG picture: language kept to the right, vision gained upward.
//!
//! Two panels with one upward axis: questions right, against the share of the perplexity that is kept, and against
//! edits obeyed. A seed is a point, an arm's mean a ring; a line stands where the language model was
//! before. Light or dark comes from a CSS media query. No script, no font of its own, nothing fetched.
//! Deliberately absent: any figure that `super::figures` does not have.

#[path = "../../../crates/ixc-train/src/log/axis.rs"]
mod axis;

use std::fmt::Write as _;

use super::figures::{Ablation, EDITS, PERPLEXITY, QUESTIONS, Run, mean};
use axis::Axis;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
/// Left and right edges of the panels.
const PANELS: [[f64; 2]; 2] = [[72.0, 480.0], [528.0, 936.0]];
/// Top and bottom edges of both.
const TOP: f64 = 72.0;
const BOTTOM: f64 = 416.0;

/// Intervals between ticks that are aimed at.
const TICKS: f64 = 5.0;

const STYLE: &str = "\
text{font:14px system-ui,sans-serif;fill:#3b3b45}.title{font-size:18px;font-weight:600}\
.back{fill:#fff}line{stroke:#dcdce2}.before{stroke:#3b3b45;stroke-dasharray:4 4}.seed{opacity:.7}\
.a0{fill:#2a6fdb;stroke:#2a6fdb}.a1{fill:#c2410c;stroke:#c2410c}.a2{fill:#15803d;stroke:#15803d}\
.a3{fill:#7e22ce;stroke:#7e22ce}circle.mean{fill:none;stroke-width:2.5}\
@media(prefers-color-scheme:dark){text{fill:#d6d6de}.back{fill:#17171c}line{stroke:#36363f}\
.before{stroke:#d6d6de}.a0{fill:#7fb0ff;stroke:#7fb0ff}.a1{fill:#ffa064;stroke:#ffa064}\
.a2{fill:#6ee79a;stroke:#6ee79a}.a3{fill:#d3a6ff;stroke:#d3a6ff}}";

/// An axis over percentages.
fn over(values: impl Iterator<Item = f64>) -> Axis {
    let ends = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(ends, |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 100.0) };
    // Narrower than a percent is noise, and must not look like a difference.
    Axis::over(low, high.max(low + 1.0), TICKS, false)
}

fn place(axis: Axis, value: f64, from: f64, to: f64) -> f64 {
    from + axis.share(value) * (to - from)
}

/// What a panel has to the right.
struct Panel<'a> {
    ends: [f64; 2],
    title: &'a str,
    of: &'a dyn Fn(&Run) -> Option<f64>,
    before: Option<f64>,
}

/// Draws it.
pub(super) fn picture(all: &Ablation) -> String {
    let before = |key: &str| all.before.get(key).copied();
    let kept =
        |run: &Run| Some(100.0 * before(PERPLEXITY)? / run.figures.get(PERPLEXITY).copied()?);
    let edits = |run: &Run| run.figures.get(EDITS).map(|share| 100.0 * share);
    let panels = [
        Panel {
            ends: PANELS[0],
            title: "text: perplexity before / after, %",
            of: &kept,
            before: before(PERPLEXITY).map(|_| 100.0),
        },
        Panel {
            ends: PANELS[1],
            title: "text: edits obeyed, %",
            of: &edits,
            before: before(EDITS).map(|share| 100.0 * share),
        },
    ];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>Language kept and vision gained</title>\n<style>{STYLE}</style>\n\
         <rect class=\"back\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n"
    );
    legend(&mut svg, all);
    let upward = over(all.runs.iter().filter_map(vision));
    for panel in &panels {
        draw(&mut svg, all, panel, upward);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The vision that a run gained.
fn vision(run: &Run) -> Option<f64> {
    run.figures.get(QUESTIONS).map(|share| 100.0 * share)
}

fn push(svg: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(svg, "{line}").expect("a string grows");
}

fn legend(svg: &mut String, all: &Ablation) {
    let left = PANELS[0][0];
    push(
        svg,
        format_args!(
            "<text class=\"title\" x=\"{left}\" y=\"32\">Pictures: questions right, %</text>"
        ),
    );
    for (index, arm) in all.arms().iter().enumerate() {
        let x = PANELS[1][0] - 130.0 + 140.0 * index as f64;
        push(svg, format_args!("<circle class=\"a{index}\" cx=\"{x}\" cy=\"27\" r=\"7\"/>"));
        push(svg, format_args!("<text x=\"{}\" y=\"32\">{arm}</text>", x + 14.0));
    }
}

fn draw(svg: &mut String, all: &Ablation, panel: &Panel<'_>, upward: Axis) {
    let [left, right] = panel.ends;
    let across = over(all.runs.iter().filter_map(panel.of).chain(panel.before));
    for tick in upward.ticks() {
        let (y, digits) = (place(upward, tick, BOTTOM, TOP), upward.digits());
        push(svg, format_args!("<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>"));
        let (x, y) = (left - 8.0, y + 5.0);
        let end = "text-anchor=\"end\"";
        push(svg, format_args!("<text x=\"{x}\" y=\"{y:.1}\" {end}>{tick:.digits$}</text>"));
    }
    let middle = "text-anchor=\"middle\"";
    for tick in across.ticks() {
        let (x, y, digits) = (place(across, tick, left, right), BOTTOM + 20.0, across.digits());
        push(svg, format_args!("<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{BOTTOM}\"/>"));
        push(svg, format_args!("<text x=\"{x:.1}\" y=\"{y}\" {middle}>{tick:.digits$}</text>"));
    }
    let (x, y, title) = (f64::midpoint(left, right), BOTTOM + 42.0, panel.title);
    push(svg, format_args!("<text x=\"{x}\" y=\"{y}\" {middle}>{title}</text>"));
    if let Some(before) = panel.before {
        let (x, y) = (place(across, before, left, right), TOP - 8.0);
        push(
            svg,
            format_args!(
                "<line class=\"before\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{BOTTOM}\"/>"
            ),
        );
        push(svg, format_args!("<text x=\"{x:.1}\" y=\"{y}\" {middle}>before</text>"));
    }
    for (index, arm) in all.arms().into_iter().enumerate() {
        let points: Vec<(f64, f64)> =
            all.of(arm).filter_map(|run| Some(((panel.of)(run)?, vision(run)?))).collect();
        let mut dot = |class: &str, radius: f64, (x, y): (f64, f64)| {
            let (x, y) = (place(across, x, left, right), place(upward, y, BOTTOM, TOP));
            push(
                svg,
                format_args!(
                    "<circle class=\"{class} a{index}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"
                ),
            );
        };
        for &point in &points {
            dot("seed", 3.5, point);
        }
        let (x, y): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
        if let (Some(x), Some(y)) = (mean(&x), mean(&y)) {
            dot("mean", 10.0, (x.mean, y.mean));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::figures::tests::example, *};

    #[test]
    fn ticks_are_round_and_hold_every_value() {
        let axis = over([41.0, 97.5].into_iter());
        assert_eq!(axis, Axis { from: 40.0, to: 100.0, tick: 20.0 });
        for values in [vec![], vec![100.0], vec![0.0, 0.0], vec![99.9, 100.0]] {
            let axis = over(values.iter().copied());
            assert!(axis.to > axis.from && axis.ticks().count() <= 8, "{axis:?}");
            assert!(values.iter().all(|&value| axis.from <= value && value <= axis.to));
        }
    }

    #[test]
    fn every_seed_and_every_mean_has_a_point_in_its_panel() {
        let svg = picture(&example());
        assert_eq!(svg.matches("class=\"seed ").count(), 2 * 3);
        assert_eq!(svg.matches("class=\"mean ").count(), 2 * 2);
        assert_eq!(svg.matches(">before<").count(), 2);
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<script"));
        let places = svg.lines().filter(|line| line.contains("seed ") || line.contains("mean "));
        for line in places {
            let number = |key: &str| -> f64 {
                let rest = line.split(&format!("{key}=\"")).nth(1).unwrap();
                rest.split('"').next().unwrap().parse().unwrap()
            };
            let (x, y) = (number("cx"), number("cy"));
            assert!(PANELS.iter().any(|[left, right]| (*left..=*right).contains(&x)), "{line}");
            assert!((TOP..=BOTTOM).contains(&y), "{line}");
        }
    }

    #[test]
    fn a_model_without_figures_is_a_picture_too() {
        let mut all = example();
        all.before.clear();
        all.runs.iter_mut().for_each(|run| run.figures.clear());
        let svg = picture(&all);
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains(">before<"));
    }
}
