//! `ixc bench train`: how fast a training step is here, and how near the machine's limit.

use std::path::{Path, PathBuf};

use clap::Args;
use ixc_nn::{measure::Numbers, pool};
use ixc_train::{Recipe, run::preview};

use crate::{
    bench::{
        show::{Model, Outcome},
        train::{Made, Rounds, make, measure},
    },
    commands::bench::here,
    exit::Failure,
    interrupt,
    model::{locate, weights_in_memory},
    output,
    train::{self, Opened, failure, flags::RecipeFlags, show},
};

const EXAMPLES: &str = "\
Examples:
  ixc bench train --model ./my-model --kind lora --gradient-accumulation-steps 1
  ixc bench train recipe.toml --json > bench.json

The run is a real one, in a folder that is removed again. Operations are counted from shapes: products \
forward, back, and of blocks that are computed again; attention; the rest (norms, activations, the optimiser) \
costs time and does not count.";

/// Measure a training step: time, memory, and how near the machine's rate of products it comes
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchTrainArgs {
    /// The recipe; without one, the flags are all of it
    #[arg(value_name = "RECIPE.toml")]
    recipe: Option<PathBuf>,
    /// Steps that count
    #[arg(long, value_name = "N", default_value_t = 3)]
    repetitions: usize,
    /// Steps before them that do not
    #[arg(long, value_name = "N", default_value_t = 1)]
    warm_up: usize,
    /// Words of question and answer, each, where the recipe has no data
    #[arg(long, value_name = "N", default_value_t = 24)]
    words: usize,
    /// The tokenizer, where it is not tokenizer.model beside the weights
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: RecipeFlags,
}

/// Measures.
pub(crate) fn run(args: BenchTrainArgs) -> Result<(), Failure> {
    for (flag, found) in [("repetitions", args.repetitions), ("words", args.words)] {
        if found == 0 {
            return Err(Failure::mistake(format!("--{flag}: expected 1 or more, found 0")));
        }
    }
    interrupt::watch();
    let folder = tempfile::tempdir()
        .map_err(|error| Failure::mistake(format!("a folder for temporary files: {error}")))?;
    let recipe = recipe(&args, folder.path())?;
    let opened = Opened::new(&recipe, args.tokenizer.as_deref())?;
    if recipe.data[0].path.starts_with(folder.path()) {
        let samples = recipe.batch_size * recipe.gradient_accumulation_steps;
        let made = Made { samples, words: args.words };
        make(folder.path(), opened.config.vision.as_ref(), made)
            .map_err(|error| Failure::mistake(format!("{}: {error}", folder.path().display())))?;
    }
    let shown = preview(&opened.start(&recipe, false)).map_err(failure)?;
    let rounds = Rounds { warm_up: args.warm_up, repetitions: args.repetitions };
    let (limits, sheet) = measure(&opened, &recipe, &shown, rounds)?;
    let outcome = Outcome {
        machine: here(),
        model: Model {
            path: opened.path.display().to_string(),
            family: opened.config.family.name(),
            weights: weights_in_memory(&opened.checkpoint, ixc_nn::weights::Keep::Stored),
            products: match recipe.precision.numbers() {
                Numbers::Bf16 => "bf16",
                _ => "f32",
            },
        },
        repetitions: args.repetitions,
        limits: &limits,
        sheet: &sheet,
        comparisons: Vec::new(),
    };
    if args.json {
        return output::print_json(&outcome.json());
    }
    output::print(&format!("Trained:\n{}\n{}", show::groups(&shown), outcome.text()))
}

/// The recipe, in a place of its own, of as many steps as are measured.
fn recipe(args: &BenchTrainArgs, folder: &Path) -> Result<Recipe, Failure> {
    let mut flags = args.flags.clone();
    let given = |key: &str| flags.0.iter().any(|(name, _)| name == key);
    let has_data = args.recipe.is_some() || given("data");
    let text = |path: PathBuf| path.display().to_string();
    if !has_data {
        flags.0.push(("data".into(), text(folder.join("data.jsonl"))));
    }
    flags.0.retain(|(name, _)| name != "out");
    flags.0.push(("out".into(), text(folder.join("out"))));
    let mut recipe = train::recipe(args.recipe.as_deref(), &flags)?;
    locate(Some(&recipe.model), "model = \"REF\" in the recipe")?;
    recipe.max_steps = (args.warm_up + args.repetitions) as u64;
    recipe.save_steps = 0;
    recipe.eval_data.clear();
    if recipe.threads > 0 {
        pool::set_threads(recipe.threads);
    }
    Ok(recipe)
}
