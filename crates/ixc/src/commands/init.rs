//! `ixc init`: a random checkpoint of a published shape.

use std::{ops::ControlFlow, path::PathBuf};

use clap::{Args, ValueEnum};
use ixc_engine::engine::TOKENIZER_FILE;
use ixc_input::tokenizer::Tokenizer;
use ixc_model::init::{Like, write};
use ixc_nn::weights::StoredType;

use crate::{
    exit::{Exit, Failure},
    interrupt, output, progress,
    table::bytes,
};

const EXAMPLES: &str = "\
Examples:
  ixc init --like vl-7b --dtype bf16 --seed 1 --out random-7b --tokenizer tokenizer.model
  ixc run -m random-7b -i photo.jpg \"What is this?\"

What such a model says means nothing: it is for trying a machine, its speed and its memory.";

/// Write a randomly initialised checkpoint of a published shape
///
/// The files have the published form: shards, index, config.json. The same seed writes the same
/// numbers.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitArgs {
    /// Whose shape
    #[arg(long, value_name = "MODEL")]
    like: LikeArg,
    /// Number type of the files
    #[arg(long, value_name = "TYPE", default_value = "bf16")]
    dtype: DtypeArg,
    /// Decides the numbers
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The folder, new or without weights
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A tokenizer.model to put beside the weights; without one the model cannot answer
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
}

/// The published shapes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LikeArg {
    /// internlm-xcomposer2-vl-7b: 490 px, 17 GB in 16 bits
    #[value(name = "vl-7b")]
    Vl7b,
    /// internlm-xcomposer2-7b: composition, 224 px, 17 GB in 16 bits
    #[value(name = "7b")]
    Composition7b,
    /// internlm-xcomposer2-vl-1_8b: the small one
    #[value(name = "vl-1_8b")]
    Vl1_8b,
    /// none that was published: real words, all else tiny (24 MB), to try the path in a second
    Tiny,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DtypeArg {
    Bf16,
    F16,
    F32,
}

/// Writes.
pub(crate) fn run(args: InitArgs) -> Result<(), Failure> {
    let like = match args.like {
        LikeArg::Vl7b => Like::Vl7b,
        LikeArg::Composition7b => Like::Composition7b,
        LikeArg::Vl1_8b => Like::Vl1_8b,
        LikeArg::Tiny => Like::Tiny,
    };
    let dtype = match args.dtype {
        DtypeArg::Bf16 => StoredType::Bf16,
        DtypeArg::F16 => StoredType::F16,
        DtypeArg::F32 => StoredType::F32,
    };
    let config = like.config();
    if let Some(path) = &args.tokenizer {
        // Found out before gigabytes are written, not after.
        let pieces = Tokenizer::from_file(path).map_err(Failure::mistake)?.vocab_size();
        let vocabulary = config.language.vocabulary;
        if pieces != vocabulary {
            return Err(Failure::mistake(ixc_engine::Error::TokenizerMismatch {
                pieces,
                vocabulary,
            }));
        }
    }
    let bar = progress::bytes(0);
    bar.set_message("writing random weights");
    let mut written = 0;
    interrupt::watch();
    let tokenizer = args.tokenizer.as_deref();
    let made = write(&config, dtype, args.seed, tokenizer, &args.out, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        written = done;
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    made.map_err(|error| match error {
        ixc_model::Error::Cancelled => Failure::new(Exit::Interrupted, error),
        other => Failure::mistake(other),
    })?;
    output::note(&format!("Wrote {} of random weights.", bytes(written)));
    if tokenizer.is_none() && !args.out.join(TOKENIZER_FILE).is_file() {
        output::note(
            "To let it answer, give --tokenizer FILE with `ixc run` or put one beside it.",
        );
    }
    output::print_line(&args.out.display().to_string())
}
