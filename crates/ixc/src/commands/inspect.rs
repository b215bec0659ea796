//! `ixc inspect`: what a checkpoint is, and whether it would load.

use std::path::PathBuf;

use clap::Args;

use crate::{
    environment,
    exit::{Exit, Failure},
    inspect::{
        show,
        survey::{Wanted, check_values, survey},
    },
    model::locate,
    output, progress,
};

const EXAMPLES: &str = "\
Examples:
  ixc inspect internlm/internlm-xcomposer2-vl-7b
  ixc inspect ./my-model --check-values && echo sound
  ixc inspect ./my-model --json | jq .problems

The exit status is 0 when the model would load and 3 when it would not; what could be read is told \
either way.";

/// Tell what a checkpoint is, what it needs, and whether it would load
///
/// Family, configuration, parameters by part, number types, files, memory, tokenizer; and a verdict:
/// which tensors are missing, unexpected or misshapen. Reads the files' tables, not their numbers, so
/// it is quick for any size.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// The checkpoint: a folder, a weight file, or an id on the hub that was pulled
    #[arg(value_name = "REF", env = environment::MODEL)]
    model: Option<String>,
    /// List every tensor
    #[arg(long)]
    tensors: bool,
    /// Read every number and look for infinite and undefined ones
    #[arg(long)]
    check_values: bool,
    /// The tokenizer, where it is not tokenizer.model beside the weights
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Looks, and tells.
pub(crate) fn run(args: InspectArgs) -> Result<(), Failure> {
    let path = locate(args.model.as_deref(), "REF")?;
    let wanted = Wanted { tensors: args.tensors, tokenizer: args.tokenizer.as_deref() };
    let (mut found, checkpoint) = survey(&path, &wanted);
    if let Some(checkpoint) = checkpoint.filter(|_| args.check_values) {
        let bar = progress::bytes(found.parameters.parts.iter().map(|part| part.bytes).sum());
        bar.set_message("checking values");
        found.problems.extend(check_values(&checkpoint, |bytes| bar.inc(bytes)));
        found.loads = found.problems.is_empty();
        bar.finish_and_clear();
    }
    if args.json {
        output::print_json(&found)?;
    } else {
        output::print(&show::text(&found))?;
    }
    if found.loads { Ok(()) } else { Err(Failure::Quiet(Exit::Model)) }
}
