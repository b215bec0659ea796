//! The loss of a run as an SVG picture that a browser, a README and an editor show alike.
//!
//! Training as a pale line and smoothed as a strong one, evaluations as points on a line; both axes have
//! round ticks. Light or dark comes from a CSS media query. No script, no font of its own, nothing fetched.
//! Deliberately absent: any other curve; TensorBoard draws those.

use std::fmt::Write;

use super::{Entry, axis::Axis};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
/// Left, top, right, bottom edges of the plot within the picture.
const PLOT: [f64; 4] = [72.0, 56.0, 936.0, 424.0];

/// Points of a line at most: more cannot be told apart in so many pixels.
const POINTS_MAX: usize = 864;

/// Intervals between ticks that are aimed at.
const TICKS: f64 = 6.0;

const STYLE: &str = "\
text{font:14px system-ui,sans-serif;fill:#3b3b45}.title{font-size:18px;font-weight:600}\
.back{fill:#fff}.grid{stroke:#dcdce2}.raw{stroke:#2a6fdb;opacity:.3}.smooth{stroke:#2a6fdb}\
.eval{stroke:#c2410c}.dot{fill:#c2410c}path,line{fill:none;stroke-width:1}.smooth,.eval{stroke-width:2.5}\
@media(prefers-color-scheme:dark){text{fill:#d6d6de}.back{fill:#17171c}.grid{stroke:#36363f}\
.raw,.smooth{stroke:#7fb0ff}.eval{stroke:#ffa064}.dot{fill:#ffa064}}";

/// One curve: (step, loss), steps ascending.
type Curve = Vec<(f64, f64)>;

/// Draws the loss of a log's entries. Without any it says so.
pub fn loss_picture(entries: &[Entry]) -> String {
    let point = |step: u64, loss: f64| Some((step as f64, loss)).filter(|_| loss.is_finite());
    let train: Curve = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Train(step) => point(step.step, step.loss),
            Entry::Eval(_) => None,
        })
        .collect();
    let eval: Curve = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Eval(evaluation) => point(evaluation.step, evaluation.loss),
            Entry::Train(_) => None,
        })
        .collect();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>Loss by step</title>\n<style>{STYLE}</style>\n\
         <rect class=\"back\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
         <text class=\"title\" x=\"{}\" y=\"32\">Loss</text>\n",
        PLOT[0]
    );
    let all = || train.iter().chain(&eval).copied();
    match Scale::over(all()) {
        None => push(
            &mut svg,
            format_args!("<text x=\"{}\" y=\"80\">nothing was logged</text>", PLOT[0]),
        ),
        Some(scale) => {
            scale.axes(&mut svg);
            let thin = thinned(&train);
            scale.line(&mut svg, "raw", &thin);
            scale.line(&mut svg, "smooth", &thinned(&smoothed(&train)));
            scale.line(&mut svg, "eval", &eval);
            for &(step, loss) in &eval {
                let (x, y) = scale.place(step, loss);
                push(
                    &mut svg,
                    format_args!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"),
                );
            }
            legend(&mut svg, &train, &eval);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn push(svg: &mut String, line: std::fmt::Arguments) {
    writeln!(svg, "{line}").expect("a string grows");
}

/// Names of the curves with their last values.
fn legend(svg: &mut String, train: &Curve, eval: &Curve) {
    let mut right = PLOT[2];
    let curves = [("eval", "evaluation", eval.clone()), ("smooth", "training", smoothed(train))];
    for (class, name, curve) in curves {
        let Some((_, last)) = curve.last() else { continue };
        let (text, y) = (format!("{name} {last:.4}"), 32.0);
        push(svg, format_args!("<text x=\"{right}\" y=\"{y}\" text-anchor=\"end\">{text}</text>"));
        right -= 8.0 * text.len() as f64 + 12.0;
        let (from, y) = (right - 24.0, y - 5.0);
        push(
            svg,
            format_args!(
                "<line class=\"{class}\" x1=\"{from}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\"/>"
            ),
        );
        right = from - 24.0;
    }
}

/// From steps and losses to places in the picture.
struct Scale {
    steps: Axis,
    losses: Axis,
}

impl Scale {
    fn over(points: impl Iterator<Item = (f64, f64)> + Clone) -> Option<Self> {
        points.clone().next()?;
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            })
        };
        let (_, last) = range(&mut points.clone().map(|(step, _)| step));
        let (low, high) = range(&mut points.map(|(_, loss)| loss));
        Some(Self {
            steps: Axis::over(0.0, last, TICKS, true),
            losses: Axis::over(low, high, TICKS, false),
        })
    }

    fn place(&self, step: f64, loss: f64) -> (f64, f64) {
        let [left, top, right, bottom] = PLOT;
        (
            left + self.steps.share(step) * (right - left),
            bottom - self.losses.share(loss) * (bottom - top),
        )
    }

    fn axes(&self, svg: &mut String) {
        let [left, top, right, bottom] = PLOT;
        for loss in self.losses.ticks() {
            let (_, y) = self.place(0.0, loss);
            let digits = self.losses.digits();
            push(
                svg,
                format_args!(
                    "<line class=\"grid\" x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>"
                ),
            );
            push(
                svg,
                format_args!(
                    "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{loss:.digits$}</text>",
                    left - 8.0,
                    y + 5.0
                ),
            );
        }
        for step in self.steps.ticks() {
            let (x, _) = self.place(step, 0.0);
            push(
                svg,
                format_args!(
                    "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>"
                ),
            );
            push(
                svg,
                format_args!(
                    "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{step:.0}</text>",
                    bottom + 20.0
                ),
            );
        }
        push(
            svg,
            format_args!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">step</text>",
                (left + right) / 2.0,
                bottom + 42.0
            ),
        );
    }

    fn line(&self, svg: &mut String, class: &str, curve: &Curve) {
        if curve.is_empty() {
            return;
        }
        let mut path = String::new();
        for (index, &(step, loss)) in curve.iter().enumerate() {
            let (x, y) = self.place(step, loss);
            let letter = if index == 0 { 'M' } else { 'L' };
            write!(path, "{letter}{x:.1} {y:.1}").expect("a string grows");
        }
        push(svg, format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
    }
}

/// An exponential mean, without the pull of its beginning: of about a fortieth of the curve.
fn smoothed(curve: &Curve) -> Curve {
    let keep = 1.0 - 1.0 / (curve.len() as f64 / 40.0).max(1.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let mean = |&(step, loss): &(f64, f64)| {
        sum = keep * sum + (1.0 - keep) * loss;
        weight = keep * weight + (1.0 - keep);
        (step, sum / weight)
    };
    curve.iter().map(mean).collect()
}

/// Means of as many neighbours as leave few enough points.
fn thinned(curve: &Curve) -> Curve {
    let group = curve.len().div_ceil(POINTS_MAX).max(1);
    let mean = |points: &[(f64, f64)]| {
        let count = points.len() as f64;
        let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / count, sum.1 / count)
    };
    curve.chunks(group).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Evaluation, Step},
        *,
    };

    fn train(step: u64, loss: f64) -> Entry {
        Entry::Train(Step {
            step,
            epoch: 0.0,
            loss,
            learning_rate: 1e-4,
            grad_norm: 1.0,
            tokens: step,
            tokens_per_second: 1.0,
            time: 0.0,
        })
    }

    fn eval(step: u64, loss: f64) -> Entry {
        Entry::Eval(Evaluation { step, loss, time: 0.0 })
    }

    #[test]
    fn ticks_are_round_and_hold_every_value() {
        let axis = Axis::over(1.83, 7.1, TICKS, false);
        assert_eq!(axis, Axis { from: 1.0, to: 8.0, tick: 1.0 });
        let axis = Axis::over(0.0, 37.0, TICKS, true);
        assert_eq!(axis, Axis { from: 0.0, to: 40.0, tick: 10.0 });
        assert_eq!(Axis::over(0.0, 1.0, TICKS, true), Axis { from: 0.0, to: 1.0, tick: 1.0 });
        for (low, high) in [(0.5, 0.5), (0.0, 0.0), (1e-9, 2e-9), (-3.0, 1e6), (6.0, 6.0 + 1e-12)] {
            let axis = Axis::over(low, high, TICKS, false);
            assert!(axis.from <= low && axis.to >= high && axis.to > axis.from, "{axis:?}");
            assert!(axis.ticks().count() <= 9, "{axis:?}");
        }
    }

    #[test]
    fn a_line_stays_in_the_plot_and_curves_have_their_classes() {
        let mut entries: Vec<Entry> =
            (1..=5_000).map(|step| train(step, 6.0 / (step as f64).sqrt())).collect();
        entries.extend([eval(1_000, 0.4), eval(5_000, 0.2)]);
        entries.push(train(5_001, f64::NAN));
        let svg = loss_picture(&entries);
        assert_eq!(svg.matches("<circle").count(), 2);
        for class in ["raw", "smooth", "eval"] {
            assert_eq!(svg.matches(&format!("<path class=\"{class}\"")).count(), 1, "{class}");
        }
        assert!(svg.contains("prefers-color-scheme:dark") && !svg.contains("<script"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let paths = svg.lines().filter_map(|line| line.split("d=\"M").nth(1));
        for pair in paths.flat_map(|path| path.trim_end_matches("\"/>").split('L')) {
            let (x, y) = pair.split_once(' ').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((PLOT[0]..=PLOT[2]).contains(&x) && (PLOT[1]..=PLOT[3]).contains(&y), "{pair}");
        }
        assert!(svg.len() < 40_000, "{} bytes", svg.len());
    }

    #[test]
    fn nothing_one_point_and_only_evaluations_are_pictures_too() {
        assert!(loss_picture(&[]).contains("nothing was logged"));
        for entries in [vec![train(1, 0.0)], vec![eval(3, 2.0)]] {
            let svg = loss_picture(&entries);
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
        }
    }

    #[test]
    fn smoothing_keeps_a_constant_and_ends_near_the_last_values() {
        let flat: Curve = (0..100).map(|step| (f64::from(step), 3.0)).collect();
        assert!(smoothed(&flat).iter().all(|(_, loss)| (loss - 3.0).abs() < 1e-12));
        let step: Curve =
            (0..100).map(|s| (f64::from(s), if s < 50 { 5.0 } else { 1.0 })).collect();
        assert!((smoothed(&step).last().unwrap().1 - 1.0).abs() < 1e-3);
        assert_eq!(thinned(&flat), flat);
    }
}
