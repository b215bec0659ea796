//! `ixc perplexity`: how well a model predicts, and what quantising it has changed.

use std::{ops::ControlFlow, path::PathBuf};

use clap::Args;
use ixc_engine::perplexity::{Figure, Passages, Report, measure};
use ixc_model::ModelConfig;
use serde::Serialize;

use crate::{
    calibration::stopped,
    exit::Failure,
    interrupt,
    model::{ModelArgs, Talks},
    output,
    progress::Working,
    table::{Align, counted, table},
};

const EXAMPLES: &str = "\
Examples:
  ixc perplexity -m vl-7b-q4_k.gguf --text book.txt --against internlm/internlm-xcomposer2-vl-7b
  ixc perplexity -m ./my-model --text book.txt --context 4096 --stride 2048
  ixc perplexity -m ./my-model --data questions.json --limit 100 --json | jq .perplexity.value

Perplexity is e to the mean of -ln p over the words (tokens) that count: 1 would be a model that knows \
each word beforehand. It compares models of one vocabulary on one text, and nothing else. Figures stand \
with their standard errors.
--against also tells, word by word, how far the model's probabilities are from the other's: the \
Kullback-Leibler divergence (0: the same), and how often both find the same word likeliest. A good \
quantisation has a ratio of perplexities close to 1 and a small divergence; the ratio is known far better \
than either perplexity, because both models read the same words.";

/// Positions of a window unless asked otherwise: what most published figures are made with.
const CONTEXT: usize = 2048;

/// Tell how well a model predicts a text, and how far a quantised one is from its original
///
/// A text is cut into windows of --context positions, each read by itself, and every word counts once. Of
/// conversations the answers count. Nothing is generated.
#[derive(Args, Debug)]
#[command(
    after_help = EXAMPLES,
    mut_arg("context", |arg| {
        arg.help("Positions of a window of text [default: 2048]; what a conversation may take [default: the \
                  model's own limit]")
            .long_help(None)
    })
)]
pub(crate) struct PerplexityArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// A text in UTF-8
    #[arg(long, value_name = "FILE", required_unless_present = "data", conflicts_with = "data")]
    text: Option<PathBuf>,
    /// Conversations with pictures, JSON or JSONL as for training; pictures' paths count from its folder
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Compare with this model of the same vocabulary, held as --dtype, --kv and --exact say
    #[arg(long, value_name = "REF")]
    against: Option<String>,
    /// Begin the next window N words after the last one, so that words have more before them [default: one
    /// window's words]
    #[arg(long, value_name = "N", conflicts_with = "data")]
    stride: Option<usize>,
    /// Read only the first N windows or conversations
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print JSON; divergences are in nats
    #[arg(long)]
    json: bool,
}

/// The report as JSON, in this order.
#[derive(Serialize)]
struct Told<'a> {
    model: String,
    reference: Option<String>,
    /// Windows or conversations that there are.
    of: usize,
    #[serde(flatten)]
    report: &'a Report,
}

/// Measures.
pub(crate) fn run(args: PerplexityArgs) -> Result<(), Failure> {
    if args.limit == Some(0) {
        return Err(Failure::mistake("--limit: expected at least 1, found 0"));
    }
    let model = args.model.with_context(context(&args)?);
    let loaded = model.load(Talks::One)?;
    let mut passages = match (&args.text, &args.data) {
        (Some(path), _) => {
            Passages::text(path, &loaded.engine, loaded.engine.context(), args.stride)
        }
        (None, Some(path)) => Passages::conversations(path),
        (None, None) => unreachable!("clap wants one of them"),
    }
    .map_err(Failure::mistake)?;
    let of = passages.count();
    passages.keep(args.limit.unwrap_or(of));
    let reference = args.against.as_deref().map(|name| model.other(name).load(Talks::One));
    let reference = reference.transpose()?;

    interrupt::watch();
    let working = Working::start("reading");
    let count = passages.count();
    let mut progress = |read: usize, perplexity: Option<f64>| {
        let far = perplexity.map_or(String::new(), |so_far| format!(", perplexity {so_far:.4}"));
        working.say(format!("read {read} of {count}{far}"));
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let report = measure(
        &loaded.engine,
        reference.as_ref().map(|reference| &reference.engine),
        &passages,
        &mut progress,
    );
    working.clear();
    let report = report.map_err(stopped)?;
    if args.json {
        return output::print_json(&Told {
            model: loaded.place.to_string(),
            reference: reference.map(|reference| reference.place.to_string()),
            of,
            report: &report,
        });
    }
    let thing = if args.text.is_some() { "window" } else { "conversation" };
    output::print(&show(&report, of, thing))
}

/// Positions of the context: a window's, where there are windows.
fn context(args: &PerplexityArgs) -> Result<Option<usize>, Failure> {
    if args.model.context.is_some() || args.text.is_none() {
        return Ok(args.model.context);
    }
    let place = args.model.place()?;
    let config = place.open().and_then(|checkpoint| ModelConfig::read(place.folder(), &checkpoint));
    // What cannot be opened is refused by the loader, with the reason.
    let limit = config.map_or(CONTEXT, |config| config.language.positions_max);
    Ok(Some(CONTEXT.min(limit)))
}

/// The table.
fn show(report: &Report, of: usize, thing: &str) -> String {
    let figure = |name: &str, Figure { value, error }: Figure| {
        vec![name.to_owned(), format!("{value:.4}"), format!("± {error:.4}")]
    };
    let part = |name: &str, value: f64| vec![name.to_owned(), format!("{value:.4}"), String::new()];
    let mut rows = vec![figure("perplexity", report.perplexity)];
    if let Some(against) = &report.against {
        rows.push(figure("perplexity of the reference", against.perplexity));
        rows.push(figure("ratio of the two", against.ratio));
        rows.push(figure("divergence from the reference, mean", against.divergence));
        rows.push(part("  median", against.divergence_median));
        rows.push(part("  99 % are below", against.divergence_99));
        rows.push(part("  greatest", against.divergence_max));
        let Figure { value, error } = against.same_best;
        let percent = Figure { value: 100.0 * value, error: 100.0 * error };
        rows.push(figure("same likeliest word, %", percent));
    }
    let columns = [("figure", Align::Left), ("value", Align::Right), ("", Align::Right)];
    let Report { words, passages, positions, .. } = report;
    let read = match *passages == of {
        true => counted(of, thing),
        false => format!("the first {passages} of {}", counted(of, thing)),
    };
    format!("{}\n{words} words in {read}, {positions} positions\n", table(&columns, &rows))
}
