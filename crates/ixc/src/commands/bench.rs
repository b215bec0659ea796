//! `ixc bench`: how fast a model is here, and how near the machine's limit.
//!
//! Invariant: every round measures every row once, rivals included, so that what else the machine does
//! meanwhile touches all alike. Deliberately absent: what is measured (see `bench`).

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use ixc_nn::{cpu, measure::Numbers, pool};

use crate::{
    bench::{
        Sheet,
        limits::Limits,
        rival::Rival,
        sections::{Section, Sizes, Subject},
        show::{Machine, Model, Outcome},
        work::Costs,
    },
    commands::bench_train::{self, BenchTrainArgs},
    exit::{Exit, Failure},
    machine,
    model::{Loaded, ModelArgs, Talks, weights_in_memory},
    output,
    progress::Working,
};

const EXAMPLES: &str = "\
Examples:
  ixc bench -m ./my-model
  ixc bench -m ./my-model --only text,decode --repetitions 5
  ixc bench -m ./my-model --json > bench.json
  ixc bench train --model ./my-model --kind lora
  ixc bench -m ./my-model --against-llama-bench llama.cpp/build/bin/llama-bench \\
    --against-model other-q4_k_m.gguf --against-model other-q4_0.gguf

A model with random weights (`ixc init`) is as fast as a trained one. Fractions compare with what the \
machine itself was measured to read and multiply in the same run: linear layers for prompts and \
pictures, bytes of weights, keys and values for words.";

/// Measure a model's speed here, and how near the machine's limit it comes
///
/// Every round measures each row once; the table has medians and extremes. Figures of
/// two machines, or of two days, say little beside each other: compare with the limits, or with another
/// program in the same run.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    of: Option<Of>,
    #[command(flatten)]
    model: ModelArgs,
    /// Measure only these rows
    #[arg(long, value_name = "ROWS", value_delimiter = ',')]
    only: Vec<Section>,
    /// Rounds
    #[arg(long, value_name = "N", default_value_t = 3)]
    repetitions: usize,
    /// Rounds before them that do not count
    #[arg(long, value_name = "N", default_value_t = 1)]
    warm_up: usize,
    /// Positions of the prompts
    #[arg(long, value_name = "N", default_value_t = 1275)]
    positions: usize,
    /// Words of one decoding
    #[arg(long, value_name = "N", default_value_t = 16)]
    words: usize,
    /// Positions before the first of these words
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,1275")]
    depths: Vec<usize>,
    /// Threads [default: as many as the machine runs at once]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Use no wider instructions than these
    #[arg(long, value_name = "PATH")]
    simd: Option<Simd>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// llama.cpp's llama-bench, to be run between our measurements
    #[arg(long, value_name = "PATH", help_heading = "Rival", requires = "against_model")]
    against_llama_bench: Vec<PathBuf>,
    /// The file it is given; may be repeated
    #[arg(long, value_name = "FILE", help_heading = "Rival", requires = "against_llama_bench")]
    against_model: Vec<PathBuf>,
}

/// What else is measured.
#[derive(Debug, Subcommand)]
enum Of {
    Train(Box<BenchTrainArgs>),
}

/// Instructions, narrowest first.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Simd {
    Portable,
    Neon,
    Neondotprod,
    Avx2,
    Avxvnni,
    Avx512,
    Avx512bf16,
}

impl Simd {
    fn path(self) -> cpu::Path {
        match self {
            Self::Portable => cpu::Path::Portable,
            Self::Neon => cpu::Path::Neon,
            Self::Neondotprod => cpu::Path::NeonDotprod,
            Self::Avx2 => cpu::Path::Avx2,
            Self::Avxvnni => cpu::Path::AvxVnni,
            Self::Avx512 => cpu::Path::Avx512,
            Self::Avx512bf16 => cpu::Path::Avx512Bf16,
        }
    }
}

/// Measures.
pub(crate) fn run(args: BenchArgs) -> Result<(), Failure> {
    if let Some(Of::Train(args)) = args.of {
        return bench_train::run(*args);
    }
    check(&args)?;
    settle(&args)?;
    let mut rivals = Rival::all(&args.against_llama_bench, &args.against_model, pool::threads())?;
    let Loaded { engine, place, options, .. } = args.model.load(Talks::Several)?;
    check_context(&args, engine.context())?;
    let config = engine.model().config().clone();
    let checkpoint = place.open().map_err(Failure::of(Exit::Model))?;
    let keep = args.model.keep();
    let costs = Costs::of(&config, &checkpoint, keep);
    let model = Model {
        path: place.to_string(),
        family: config.family.name(),
        weights: weights_in_memory(&checkpoint, keep),
        products: match costs.numbers() {
            Numbers::Int8 => "int8",
            Numbers::Bf16 => "bf16",
            Numbers::F32 => "f32",
        },
    };
    let sizes = Sizes { positions: args.positions, words: args.words, depths: args.depths.clone() };
    let mut subject = Subject::new(&options, &place, engine, costs, sizes);
    let sections = sections(&args.only, &subject)?;
    let (mut limits, mut sheet) = (Limits::new(), Sheet::default());
    let working = Working::start("measuring");
    for round in 0..args.warm_up + args.repetitions {
        if round == args.warm_up {
            limits.clear();
            sheet.clear();
        }
        let counts = round >= args.warm_up;
        let say = |what: &str| match round.checked_sub(args.warm_up) {
            Some(round) => {
                working.say(format!("{what}, round {} of {}", round + 1, args.repetitions))
            }
            None => working.say(format!("{what}, warming up")),
        };
        for &section in &sections {
            say(&name(section));
            subject.measure(section, &mut sheet)?;
            for rival in rivals.iter_mut().filter(|_| counts) {
                against(rival, section, &sections, &args, &say)?;
            }
        }
        say("the machine's limits");
        limits.measure();
    }
    working.clear();
    let comparisons =
        rivals.iter().flat_map(|rival| rival.compare(&sheet, args.positions)).collect();
    let (limits, sheet) = (&limits, &sheet);
    let (repetitions, machine) = (args.repetitions, here());
    let outcome = Outcome { machine, model, repetitions, limits, sheet, comparisons };
    if args.json { output::print_json(&outcome.json()) } else { output::print(&outcome.text()) }
}

/// Runs the rival's part of a section, right after ours.
fn against(
    rival: &mut Rival,
    section: Section,
    sections: &[Section],
    args: &BenchArgs,
    say: &dyn Fn(&str),
) -> Result<(), Failure> {
    let reads = [Section::Text, Section::Image, Section::Answer];
    // Its one prompt stands beside all of ours.
    let first = sections.iter().find(|section| reads.contains(section));
    if first == Some(&section) {
        say(&format!("prompts of {}", rival.name()));
        rival.read(args.positions)?;
    }
    if section == Section::Decode {
        say(&format!("words of {}", rival.name()));
        rival.speak(args.words, &args.depths)?;
    }
    Ok(())
}

/// The sections to measure, in their order.
fn sections(only: &[Section], subject: &Subject) -> Result<Vec<Section>, Failure> {
    if let Some(&section) = only.iter().find(|&&section| !subject.can(section)) {
        return Err(Failure::mistake(format!(
            "--only {}: this model has no part that it would measure",
            name(section)
        )));
    }
    let wanted = |section: &Section| only.is_empty() || only.contains(section);
    let all = Section::value_variants().iter().copied();
    Ok(all.filter(|section| wanted(section) && subject.can(*section)).collect())
}

/// A section as --only names it.
fn name(section: Section) -> String {
    section.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Refuses sizes that cannot be measured.
fn check(args: &BenchArgs) -> Result<(), Failure> {
    if args.model.is_on_device() {
        return Err(Failure::mistake(
            "bench holds times against the processor's limits, not a GPU's",
        )
        .with_hint("leave --device out; `ixc trace --device` has times of a GPU's stages"));
    }
    let least = [
        ("repetitions", args.repetitions, 1),
        ("positions", args.positions, 2),
        ("words", args.words, 1),
        ("threads", args.threads.unwrap_or(1), 1),
    ];
    for (flag, found, least) in least {
        if found < least {
            return Err(Failure::mistake(format!(
                "--{flag}: expected {least} or more, found {found}"
            )));
        }
    }
    Ok(())
}

/// Refuses sizes that the context does not hold.
fn check_context(args: &BenchArgs, context: usize) -> Result<(), Failure> {
    let deepest = args.depths.iter().copied().max().unwrap_or(0);
    // One word more is said before the time counts.
    let needed = args.positions.max(deepest + args.words + 1);
    if needed > context {
        return Err(Failure::mistake(format!(
            "--positions {}, --depths {deepest} and --words {} take {needed} positions, but the context \
             holds {context}",
            args.positions, args.words
        )));
    }
    Ok(())
}

/// Sets threads and instructions for the whole run.
fn settle(args: &BenchArgs) -> Result<(), Failure> {
    if let Some(threads) = args.threads {
        pool::set_threads(threads);
    }
    let Some(simd) = args.simd else { return Ok(()) };
    if !simd.path().is_available() {
        let available: Vec<&str> = cpu::Path::available().map(cpu::Path::name).collect();
        return Err(Failure::mistake(format!(
            "--simd {}: this processor does not have it; it has {}",
            simd.path().name(),
            available.join(", ")
        )));
    }
    cpu::limit(simd.path());
    Ok(())
}

/// This machine.
pub(crate) fn here() -> Machine {
    Machine {
        processor: machine::processor(),
        instructions: cpu::path().name(),
        threads: pool::threads(),
        memory: machine::memory(),
    }
}
