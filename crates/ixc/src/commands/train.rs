//! `ixc train`: a recipe and data become a model or an adapter.

use std::{ops::ControlFlow, path::PathBuf};

use clap::Args;
use ixc_train::{
    result::Form,
    run::{self, Ended, Event, Start, Why, preview},
};

use crate::{
    exit::{Exit, Failure},
    interrupt, machine, output,
    table::{bytes, counted},
    train::{self, Opened, failure, flags::RecipeFlags, show, watch::Watcher},
};

const EXAMPLES: &str = "\
Examples:
  ixc train recipe.toml --dry-run        a sample with what is learned of it, what is trained, what it takes
  ixc train recipe.toml
  ixc train recipe.toml --learning-rate 1e-4 --out second-try
  ixc train recipe.toml --resume         go on after Ctrl-C, a crash, or a loss of power

A recipe is a TOML file whose keys are the flags below, with _ for -:
  kind = \"lora\"
  model = \"internlm/internlm-xcomposer2-vl-1_8b\"
  data = [\"train.json\", { path = \"more.json\", ratio = 0.5 }]
  out = \"my-adapter\"
Everything else has a default that depends on the kind; --print-recipe shows all.";

/// Train a model on pictures and conversations
///
/// What is trained depends on the recipe's kind: `lora` makes a small adapter, for `ixc run --adapter` or
/// `ixc merge`; the others make a whole model. The folder of the result also gets checkpoints, log.jsonl,
/// loss.svg, and TensorBoard's files under runs/.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TrainArgs {
    /// The recipe; without one, the flags are all of it
    #[arg(value_name = "RECIPE.toml")]
    recipe: Option<PathBuf>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the recipe with everything that was left to defaults, and do nothing
    #[arg(long, conflicts_with_all = ["dry_run", "resume"])]
    print_recipe: bool,
    /// Go on from the newest whole checkpoint in the recipe's folder
    #[arg(long)]
    resume: bool,
    /// The tokenizer, where it is not tokenizer.model beside the weights
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    #[command(flatten)]
    flags: RecipeFlags,
}

/// Trains.
pub(crate) fn run(args: TrainArgs) -> Result<(), Failure> {
    let recipe = train::recipe(args.recipe.as_deref(), &args.flags)?;
    if args.print_recipe {
        return output::print(&recipe.to_toml());
    }
    let opened = Opened::new(&recipe, args.tokenizer.as_deref())?;
    let start = opened.start(&recipe, args.resume);
    if args.dry_run {
        let shown = preview(&start).map_err(failure)?;
        return output::print(&show::preview(&recipe, &shown, machine::available()));
    }
    learn(&start)
}

fn learn(start: &Start) -> Result<(), Failure> {
    interrupt::watch();
    let mut watcher = Watcher::new();
    let ended = run::train(start, &mut |event: Event| {
        watcher.hear(&event);
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    watcher.clear();
    let Ended { step, why, best, picture } = ended.map_err(failure)?;
    let out = start.recipe.out.display();
    let best =
        best.map(|best| format!("; best evaluation {:.4} behind step {}", best.loss, best.step));
    output::note(&format!(
        "{} done{}. Loss: {}",
        counted(step as usize, "step"),
        best.unwrap_or_default(),
        picture.display()
    ));
    if let Some(peak) = machine::peak_memory() {
        output::note(&format!("Memory at the most: {}.", bytes(peak)));
    }
    let form = match why {
        Why::Asked => {
            return Err(Failure::new(Exit::Interrupted, "stopped before all steps were done")
                .with_hint("the same command with --resume goes on from here"));
        }
        Why::Early(form) => {
            output::note("Evaluations got no better, so the result is that of the best one.");
            form
        }
        Why::Done(form) => form,
    };
    output::note(&match form {
        Form::Adapter => format!("An adapter: ixc run -m {} --adapter {out}", start.recipe.model),
        Form::Model => format!("A model: ixc run -m {out}"),
    });
    output::print_line(&out.to_string())
}
