//! `ixc init`: a random checkpoint of a published shape, or a fresh one from its parts.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use ixc_engine::engine::TOKENIZER_FILE;
use ixc_input::tokenizer::Tokenizer;
use ixc_model::{
    Error,
    from_parts::{self, Parts, RANK},
    init::{self, Like, Purpose},
};
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
  ixc init --like mini --tokenizer tokenizer.model --dtype f32 --out fresh-mini
  ixc init --tower clip-vit-large-patch14-336 --language internlm2-chat-7b --out fresh-7b

What a random model says means nothing: it is for trying a machine, its speed and its memory. One from
parts speaks as its language model does, and has to learn to see: `ixc train` with kind = \"pretrain\".";

/// Write a checkpoint to begin with: random, or made of a CLIP tower and an InternLM2
///
/// The files have the published form: shards, index, config.json. The same seed writes the same
/// numbers. From parts, projector and Partial LoRA are new, begun as published: A random, B zero.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitArgs {
    /// Whose shape
    #[arg(long, value_name = "MODEL", required_unless_present = "tower")]
    like: Option<LikeArg>,
    /// Number type of the files [default: bf16]
    #[arg(long, value_name = "TYPE")]
    dtype: Option<DtypeArg>,
    /// The folder of a Hugging Face CLIP model (ViT-L/14, 336 px), or of an XComposer2, whose tower is taken
    #[arg(long, value_name = "DIR", requires = "language", conflicts_with_all = ["like", "dtype"])]
    tower: Option<PathBuf>,
    /// The folder of an InternLM2 language model, or of an XComposer2, whose language model is taken
    #[arg(long, value_name = "DIR", requires = "tower")]
    language: Option<PathBuf>,
    /// Edge of the pictures that the model will see, in pixels [default: 490; for composition: 224]
    #[arg(long, value_name = "N", requires = "tower")]
    side: Option<u32>,
    /// Rank of Partial LoRA [default: 256]
    #[arg(long, value_name = "N", requires = "tower")]
    rank: Option<usize>,
    /// Keep the tower's own position table, to be resized whenever the model is loaded
    #[arg(long, requires = "tower")]
    keep_positions: bool,
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

/// Pictures of a model from parts, as `vl-7b` sees them.
const SIDE: u32 = 490;

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
    /// the family scaled down (112 px, 9 million numbers), begun as training from nothing begins; needs
    /// --tokenizer, whose vocabulary it takes
    Mini,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DtypeArg {
    Bf16,
    F16,
    F32,
}

/// Writes.
pub(crate) fn run(args: InitArgs) -> Result<(), Failure> {
    match (&args.tower, &args.language) {
        (Some(tower), Some(language)) => from_parts(&args, tower, language),
        _ => random(&args),
    }
}

fn random(args: &InitArgs) -> Result<(), Failure> {
    let like = match args.like.expect("clap requires it") {
        LikeArg::Vl7b => Like::Vl7b,
        LikeArg::Composition7b => Like::Composition7b,
        LikeArg::Vl1_8b => Like::Vl1_8b,
        LikeArg::Tiny => Like::Tiny,
        LikeArg::Mini => Like::Mini { vocabulary: vocabulary(args)? },
    };
    let purpose = match like {
        Like::Mini { .. } => Purpose::Train,
        _ => Purpose::Measure,
    };
    let dtype = match args.dtype {
        None | Some(DtypeArg::Bf16) => StoredType::Bf16,
        Some(DtypeArg::F16) => StoredType::F16,
        Some(DtypeArg::F32) => StoredType::F32,
    };
    let config = like.config();
    check_tokenizer(args, config.language.vocabulary)?;
    let tokenizer = args.tokenizer.as_deref();
    write_watched(args, "random weights", |watch| {
        init::write_for(purpose, &config, dtype, args.seed, tokenizer, &args.out, watch)
    })
}

fn from_parts(args: &InitArgs, tower: &Path, language: &Path) -> Result<(), Failure> {
    let parts = Parts {
        tower: tower.into(),
        language: language.into(),
        tokenizer: args.tokenizer.clone(),
        side: args.side.unwrap_or(SIDE),
        keep_positions: args.keep_positions,
        rank: args.rank.unwrap_or(RANK),
        seed: args.seed,
    };
    let config = from_parts::config(&parts).map_err(Failure::of(Exit::Model))?;
    check_tokenizer(args, config.language.vocabulary)?;
    write_watched(args, "a fresh model's weights", |watch| {
        from_parts::write(&parts, &args.out, watch).map(|_| ())
    })
}

/// Pieces of the tokenizer that was given, which decides the size of a model without a vocabulary of its own.
fn vocabulary(args: &InitArgs) -> Result<usize, Failure> {
    let Some(path) = &args.tokenizer else {
        return Err(Failure::mistake("--like mini: expected --tokenizer FILE, found none")
            .with_hint(
                "ixc tokenizer FILE… --size 2560 --out tokenizer.model makes one of texts",
            ));
    };
    Ok(Tokenizer::from_file(path).map_err(Failure::mistake)?.vocab_size())
}

/// Found out before gigabytes are written, not after.
fn check_tokenizer(args: &InitArgs, vocabulary: usize) -> Result<(), Failure> {
    let Some(path) = &args.tokenizer else { return Ok(()) };
    let pieces = Tokenizer::from_file(path).map_err(Failure::mistake)?.vocab_size();
    if pieces == vocabulary {
        return Ok(());
    }
    Err(Failure::mistake(ixc_engine::Error::TokenizerMismatch { pieces, vocabulary }))
}

/// Calls `write` with a bar that it moves and Ctrl-C breaks off, and says what was written.
fn write_watched(
    args: &InitArgs,
    what: &str,
    write: impl FnOnce(&mut dyn FnMut(u64, u64) -> ControlFlow<()>) -> Result<(), Error>,
) -> Result<(), Failure> {
    let bar = progress::bytes(0);
    bar.set_message(format!("writing {what}"));
    let mut written = 0;
    interrupt::watch();
    let made = write(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        written = done;
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    made.map_err(|error| match error {
        Error::Cancelled => Failure::new(Exit::Interrupted, error),
        other => Failure::mistake(other),
    })?;
    output::note(&format!("Wrote {} of {what}.", bytes(written)));
    if !args.out.join(TOKENIZER_FILE).is_file() {
        output::note(
            "To let it answer, give --tokenizer FILE with `ixc run` or put one beside it.",
        );
    }
    output::print_line(&args.out.display().to_string())
}
