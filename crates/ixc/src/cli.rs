//! The command line as a whole: the commands in the order of their importance.
//!
//! Each command's flags are in its own file under `commands/`. Deliberately absent: anything that is
//! done; here it is only named.

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

use crate::{
    commands::{
        bench, completions, compose, edit, eval, init, inspect, library, list, man, merge,
        perplexity, pull, quantize, rm, run, tokenizer, trace, train, world,
    },
    environment, exit,
    exit::Failure,
};

/// InternLM-XComposer2 on your own machine: it looks at pictures and talks about them.
#[derive(Parser, Debug)]
#[command(
    name = "ixc",
    version,
    about = "InternLM-XComposer2 on your own machine: it looks at pictures and talks about them",
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = false,
    after_help = format!("{EXAMPLES}\n\n{}\n\n{}", environment::HELP, exit::HELP),
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ixc pull internlm/internlm-xcomposer2-vl-7b
  ixc run -m internlm/internlm-xcomposer2-vl-7b -i photo.jpg \"What is this?\"
  ixc run -m ./my-model                  a conversation; /help tells what you can do
  ixc help run                           everything about a command";

/// What can be done.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Run(run::RunArgs),
    Compose(Box<compose::ComposeArgs>),
    Edit(Box<edit::EditArgs>),
    Pull(pull::PullArgs),
    List(list::ListArgs),
    Rm(rm::RmArgs),
    Inspect(inspect::InspectArgs),
    Trace(trace::TraceArgs),
    Train(Box<train::TrainArgs>),
    Merge(merge::MergeArgs),
    Quantize(quantize::QuantizeArgs),
    Perplexity(perplexity::PerplexityArgs),
    Eval(Box<eval::EvalArgs>),
    Library(Box<library::LibraryArgs>),
    World(world::WorldArgs),
    Bench(bench::BenchArgs),
    Init(init::InitArgs),
    Tokenizer(tokenizer::TokenizerArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    /// Does it.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Run(args) => run::run(args),
            Self::Compose(args) => compose::run(*args),
            Self::Edit(args) => edit::run(*args),
            Self::Pull(args) => pull::run(args),
            Self::List(args) => list::run(args),
            Self::Rm(args) => rm::run(args),
            Self::Inspect(args) => inspect::run(args),
            Self::Trace(args) => trace::run(args),
            Self::Train(args) => train::run(*args),
            Self::Merge(args) => merge::run(args),
            Self::Quantize(args) => quantize::run(args),
            Self::Perplexity(args) => perplexity::run(args),
            Self::Eval(args) => eval::run(*args),
            Self::Library(args) => library::run(*args),
            Self::World(args) => world::run(args),
            Self::Bench(args) => bench::run(args),
            Self::Init(args) => init::run(args),
            Self::Tokenizer(args) => tokenizer::run(args),
            Self::Completions(args) => completions::run(args),
            Self::Man(args) => man::run(args),
        }
    }
}

/// Flags of `ixc run` that exclude each other, with the reason.
pub(crate) fn conflict(reason: String) -> Failure {
    let mut root = Cli::command();
    root.build();
    let command = root.find_subcommand_mut("run").expect("a command of ours");
    Failure::Usage(Box::new(command.error(ErrorKind::ArgumentConflict, reason)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
