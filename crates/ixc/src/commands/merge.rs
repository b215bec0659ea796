//! `ixc merge`: a base and a LoRA adapter as one checkpoint.

use std::{ops::ControlFlow, path::PathBuf};

use clap::Args;
use ixc_engine::engine::model_folder;
use ixc_model::{ModelConfig, gguf};
use ixc_train::{Error, result};

use crate::{
    environment,
    exit::{Exit, Failure},
    interrupt,
    model::locate,
    output, progress,
};

const EXAMPLES: &str = "\
Examples:
  ixc run -m internlm/internlm-xcomposer2-vl-7b --adapter my-adapter -i photo.jpg \"What is this?\"
  ixc merge internlm/internlm-xcomposer2-vl-7b --adapter my-adapter --out my-model
  ixc quantize my-model --to q4_k --out my-model.gguf";

/// Add a LoRA adapter to its base for good
///
/// The adapter is a folder that `ixc train` or PEFT wrote. What comes out has the published file form: the base's
/// tensors in their precision, W + scale · B · A computed in float32, and every small file beside the base's
/// weights. It answers as base and adapter together, and is as fast as the base alone. Tensors are read one
/// after another, so memory stays far below the checkpoint's size.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MergeArgs {
    /// The base: a folder in full precision, or an id on the hub that was pulled
    #[arg(value_name = "REF", env = environment::MODEL)]
    model: Option<String>,
    /// The adapter's folder, with adapter_config.json
    #[arg(long, value_name = "DIR")]
    adapter: PathBuf,
    /// The folder to write, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Merges.
pub(crate) fn run(args: MergeArgs) -> Result<(), Failure> {
    let path = locate(args.model.as_deref(), "REF")?;
    let not_loaded = |error: ixc_model::Error| {
        Failure::new(Exit::Model, error)
            .with_hint(format!("all that is wrong with it: ixc inspect {}", path.display()))
    };
    let folder = model_folder(&path);
    let checkpoint = gguf::open(&path).map_err(not_loaded)?;
    let config = ModelConfig::read(folder, &checkpoint).map_err(not_loaded)?;
    let base = result::Base { folder, checkpoint: &checkpoint, config: &config };
    let bar = progress::bytes(0);
    bar.set_message("merging");
    interrupt::watch();
    let merged = result::merge(base, &args.adapter, &args.out, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    merged.map_err(|error| match error {
        Error::Cancelled => Failure::new(Exit::Interrupted, error),
        other => Failure::mistake(other),
    })?;
    output::print_line(&args.out.display().to_string())
}
