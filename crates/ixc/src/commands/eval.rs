//! `ixc eval`: a model's examination.

use std::{
    fs,
    io::Write as _,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ixc_eval::{
    Error, compose,
    interval::Share,
    world::{self, Options, Report, What, report::Figure},
};
use ixc_files as files;

use crate::{
    compose::speaker::Speaker,
    exit::{Exit, Failure},
    interrupt,
    model::{ModelArgs, Talks},
    output,
    progress::Working,
    table::{Align, counted, table},
};

const EXAMPLES: &str = "\
Examples:
  ixc eval world                              the mini model
  ixc eval world -m my-mini.gguf --scenes 200 --out results
  ixc eval world --what edits,writing         what it writes without pictures
  ixc eval world --out results --json | jq '.figures[] | {name, share}'
  ixc eval compose                            illustrated articles of the mini model

Answers are kept as they are given: the same command with the same --out goes on after a stop, and the figures \
are the same as without one.";

/// Examine a model
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand, Debug)]
enum Benchmark {
    World(WorldArgs),
    Compose(ComposeArgs),
}

/// Illustrated articles of instructions that nobody trained on: pictures asked for, found, chosen, fitting
///
/// The library holds 120 drawn pictures and, for each caption that the model gives, one that it is right for; so the
/// right answer is known, and the pictures of other captions are wrong ones.
#[derive(Args, Debug)]
struct ComposeArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// How many articles
    #[arg(long, value_name = "N", default_value_t = 100)]
    articles: u64,
    /// Decides which instructions, and the random draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Questions, captions, refusals, articles, places, choices and edits over drawn scenes that are in no training
///
/// Every answer is greedy, but for articles, which are sampled as the protocol says (top-p 0.8, top-k 40, repetition
/// penalty 1.005) with the scene's number as seed. Answers are judged by the truth that the scene was drawn from. Beside each share stand its 95 %
/// interval (Wilson), what a guess among the possible answers reaches, and what the same model says without seeing
/// the picture.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
struct WorldArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Which parts, with commas between: writing is articles from words alone [default: all but writing]
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = parts())]
    what: Vec<What>,
    /// How many scenes
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    scenes: u64,
    /// Decides which scenes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The folder of the answers (world.jsonl) and the figures (world.json, world.md) [default: nothing is kept]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Words (tokens) of an answer at most, where a question allows more
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_new_tokens: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Parts of an examination, by their names.
fn parts() -> impl TypedValueParser<Value = What> {
    let named = |name: &str| What::ALL.iter().copied().find(|part| part.name() == name);
    PossibleValuesParser::new(What::ALL.iter().map(|part| part.name()))
        .map(move |name| named(&name).expect("one of these"))
}

/// Examines.
pub(crate) fn run(args: EvalArgs) -> Result<(), Failure> {
    match args.benchmark {
        Benchmark::World(args) => run_world(&args),
        Benchmark::Compose(args) => run_compose(&args),
    }
}

fn run_compose(args: &ComposeArgs) -> Result<(), Failure> {
    if args.articles == 0 {
        return Err(Failure::mistake("--articles: expected at least 1, found 0"));
    }
    let folder = tempfile::tempdir().map_err(|error| Failure::mistake(error.to_string()))?;
    let loaded = args.model.load(Talks::Several)?;
    interrupt::watch();
    let working = Working::start("composing");
    let watch = |done: u64, of: u64| {
        working.say(format!("article {} of {of}", done + 1));
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = compose::Options { seed: args.seed, articles: args.articles };
    let report = compose::examine(&Speaker(&loaded.engine), options, folder.path(), &watch);
    working.clear();
    let report = report.map_err(|error| match error {
        Error::Cancelled => Failure::new(Exit::Interrupted, "stopped before the last article"),
        error => Failure::mistake(error),
    })?;
    if args.json {
        return output::print_json(&report);
    }
    let odd: Vec<String> =
        report.odd.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    output::print(&format!(
        "{}\n{}, seed {}; {} positions, {} of them not read again; odd: {}\n",
        table(&COLUMNS, &cells(&report.figures)),
        counted(report.articles as usize, "article"),
        report.seed,
        report.positions,
        report.reused,
        if odd.is_empty() { "nothing".into() } else { odd.join(", ") }
    ))
}

fn run_world(args: &WorldArgs) -> Result<(), Failure> {
    for (flag, found) in
        [("--scenes", args.scenes), ("--max-new-tokens", args.max_new_tokens as u64)]
    {
        if found == 0 {
            return Err(Failure::mistake(format!("{flag}: expected at least 1, found 0")));
        }
    }
    let kept = args.out.is_some();
    let own = tempfile::tempdir().map_err(|error| Failure::mistake(error.to_string()))?;
    let out = args.out.as_deref().unwrap_or(own.path());
    let failed = |error: std::io::Error| Failure::mistake(format!("{}: {error}", out.display()));
    fs::create_dir_all(out).map_err(failed)?;
    let loaded = args.model.load(Talks::One)?;
    interrupt::watch();
    let working = Working::start("examining");
    let watch = |done: u64, of: u64| {
        working.say(format!("scene {} of {of}", done + 1));
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let (seed, scenes, words_max) = (args.seed, args.scenes, args.max_new_tokens);
    let what = if args.what.is_empty() { What::USUAL } else { &args.what };
    let options = Options { what, seed, scenes, words_max };
    let report = world::examine(&loaded.engine, options, &out.join("world.jsonl"), &watch);
    working.clear();
    let report = report.map_err(|error| match error {
        Error::Cancelled if kept => Failure::new(Exit::Interrupted, error),
        Error::Cancelled => Failure::new(Exit::Interrupted, "stopped before the last question")
            .with_hint("--out DIR keeps the answers, so that it can go on"),
        error => Failure::mistake(error),
    })?;
    let json = serde_json::to_string_pretty(&report).expect("plain data") + "\n";
    if kept {
        write(&out.join("world.json"), &json).map_err(failed)?;
        write(&out.join("world.md"), &markdown(&report)).map_err(failed)?;
    }
    if args.json { output::print(&json) } else { output::print(&shown(&report)) }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    files::replace(path, |out| out.write_all(text.as_bytes()))
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// A figure's cells: share, interval, of how many, chance, blind, aim.
fn cells(figures: &[Figure]) -> Vec<Vec<String>> {
    let rows = figures.iter().map(|figure| {
        let Share { share, low, high, of, .. } = figure.share;
        let optional = |value: Option<f64>| value.map_or(String::new(), percent);
        let aim = figure.aim.map_or(String::new(), |aim| {
            format!("{} {}", percent(aim), if share >= aim { "reached" } else { "missed" })
        });
        vec![
            figure.name.clone(),
            percent(share),
            format!("{} to {}", percent(low), percent(high)),
            of.to_string(),
            optional(figure.chance),
            optional(figure.blind.map(|blind| blind.share)),
            aim,
        ]
    });
    rows.collect()
}

const COLUMNS: [(&str, Align); 7] = [
    ("figure", Align::Left),
    ("%", Align::Right),
    ("95 % interval", Align::Right),
    ("of", Align::Right),
    ("chance", Align::Right),
    ("no picture", Align::Right),
    ("aim", Align::Left),
];

fn shown(report: &Report) -> String {
    let scenes = counted(report.scenes as usize, "scene");
    format!(
        "{}\n{scenes} of the test split, seed {}\n",
        table(&COLUMNS, &cells(&report.figures)),
        report.seed
    )
}

fn markdown(report: &Report) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(COLUMNS.iter().map(|(name, _)| (*name).into()).collect());
    text += &line(
        COLUMNS
            .iter()
            .map(|(_, align)| match align {
                Align::Left => "---".into(),
                Align::Right => "---:".into(),
            })
            .collect(),
    );
    text.extend(cells(&report.figures).into_iter().map(line));
    text
}
