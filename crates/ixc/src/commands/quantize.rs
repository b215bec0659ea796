//! `ixc quantize`: a checkpoint as one GGUF file with smaller weights.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use ixc_engine::engine::{TOKENIZER_FILE, model_folder};
use ixc_input::tokenizer::Tokenizer;
use ixc_model::{
    ModelConfig, gguf,
    importance::Importance,
    quantise::{self, Gain, Options, Planned, Written},
};
use ixc_nn::{
    quant::Loss,
    weights::{Checkpoint, StoredType},
};

use crate::{
    calibration::{ImportanceArgs, Source, changed},
    environment,
    exit::{Exit, Failure},
    interrupt, machine,
    model::locate,
    output, progress,
    table::{Align, bytes, count, counted, table},
};

const EXAMPLES: &str = "\
Examples:
  ixc quantize internlm/internlm-xcomposer2-vl-7b --to q4_k --out vl-7b-q4_k.gguf
  ixc quantize ./my-model --to q4_k --calibration my-set --out my-model-q4_k.gguf
  ixc run -m vl-7b-q4_k.gguf -i photo.jpg \"What is this?\"
  ixc perplexity -m vl-7b-q4_k.gguf --text book.txt --against internlm/internlm-xcomposer2-vl-7b

What gets which type with --to q4_k or q4_0, and why:
  decoder's linear layers   the asked type: they are nearly all that is read for each word
  output layer              q6_k: it alone decides the word, and its errors are not averaged out
  token embeddings          q8_0: single rows are looked up, so they cost disk and no time
  Partial LoRA              q8_0: small, and all that the decoder knows of pictures passes it
  tower and projector       bf16 (f16 stays): every image row comes from them
  norms, biases, tables     f32: too small to matter
With --to q8_0 the output layer is q8_0. With --to bf16, f16 or f32 all matrices get that type.
Where a layer's inputs are no whole number of blocks (256 for q4_k and q6_k, else 32), the next type with
smaller blocks is taken, at last 16 bits; the table says how often.";

/// Write a checkpoint as one GGUF file with smaller weights
///
/// The file holds everything: language model, Partial LoRA, tower, projector, configuration, tokenizer.
/// Every --model takes it. Weights are read a few rows at a time, so memory stays far below the
/// checkpoint's size. The table at the end tells what each part takes and how far its numbers are from the
/// original ones. With --calibration the checkpoint first reads a set of texts and pictures, and errors then
/// count by how much the inputs that they meet matter.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct QuantizeArgs {
    /// The checkpoint: a folder, a weight file, or an id on the hub that was pulled
    #[arg(value_name = "REF", env = environment::MODEL)]
    model: Option<String>,
    /// Type of the decoder's linear layers
    #[arg(long, value_name = "TYPE")]
    to: To,
    /// The file to write
    #[arg(long, value_name = "FILE.gguf")]
    out: PathBuf,
    /// The tokenizer, where it is not tokenizer.model beside the weights
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    importance: ImportanceArgs,
}

/// What the decoder's linear layers can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum To {
    /// 4.5 bits: the best of 4 bits
    #[value(name = "q4_k")]
    Q4K,
    /// 4.5 bits: plainer blocks, coarser numbers
    #[value(name = "q4_0")]
    Q4_0,
    /// 6.6 bits: hardly to be told from the original
    #[value(name = "q6_k")]
    Q6K,
    /// 8.5 bits: not to be told from the original
    #[value(name = "q8_0")]
    Q8_0,
    /// bfloat16
    Bf16,
    /// float16
    F16,
    /// float32
    F32,
}

impl To {
    fn stored(self) -> StoredType {
        match self {
            Self::Q4K => StoredType::Q4K,
            Self::Q4_0 => StoredType::Q4_0,
            Self::Q6K => StoredType::Q6K,
            Self::Q8_0 => StoredType::Q8_0,
            Self::Bf16 => StoredType::Bf16,
            Self::F16 => StoredType::F16,
            Self::F32 => StoredType::F32,
        }
    }
}

/// Quantises.
pub(crate) fn run(args: QuantizeArgs) -> Result<(), Failure> {
    let path = locate(args.model.as_deref(), "REF")?;
    let not_loaded = |error: ixc_model::Error| {
        Failure::new(Exit::Model, error)
            .with_hint(format!("all that is wrong with it: ixc inspect {}", path.display()))
    };
    if args.out.exists() && !args.force {
        let path = args.out;
        return Err(Failure::mistake(ixc_nn::Error::Exists { path }));
    }
    args.importance.check(args.to.stored(), args.force)?;
    let folder = model_folder(&path);
    let checkpoint = gguf::open(&path).map_err(not_loaded)?;
    let config = ModelConfig::read(folder, &checkpoint).map_err(not_loaded)?;
    let mut options = Options {
        to: args.to.stored(),
        out: args.out,
        replace: args.force,
        tokenizer: tokenizer(folder, &checkpoint, args.tokenizer.as_deref(), &config)?,
        name: name(&path),
        importance: Default::default(),
    };
    let plan = quantise::plan(&config, &checkpoint, options.to);
    say_what_is_lost(&config, &checkpoint, &plan);
    let file = quantise::file(folder, &config, &checkpoint, &plan, &options).map_err(not_loaded)?;
    let needed = file.bytes().map_err(Failure::mistake)?;
    if let Some(free) = machine::free_space(&options.out).filter(|&free| free < needed) {
        return Err(Failure::mistake(format!(
            "{}: the file takes {}, and {} are free there; make room or choose another disk",
            options.out.display(),
            bytes(needed),
            bytes(free)
        )));
    }
    let importance = args.importance.find(&Source {
        folder,
        checkpoint: &checkpoint,
        config: &config,
        tokenizer: args.tokenizer.as_deref(),
        force: args.force,
    })?;
    options.importance = importance.as_ref().map(Importance::weights).unwrap_or_default();
    let bar = progress::bytes(0);
    bar.set_message(format!("quantising to {}", options.to));
    interrupt::watch();
    let written =
        quantise::write(&file, &checkpoint, &plan, &options.importance, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
            if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    bar.finish_and_clear();
    let (size, parts) = written.map_err(|error| match error {
        ixc_model::Error::Cancelled => Failure::new(Exit::Interrupted, error),
        other => Failure::mistake(other),
    })?;
    output::note(&summary(&parts, importance.as_ref()));
    output::note(&format!("Wrote {}.", bytes(size)));
    output::print_line(&options.out.display().to_string())
}

/// The tokenizer's file, found to be the model's.
fn tokenizer(
    folder: &Path,
    checkpoint: &Checkpoint,
    elsewhere: Option<&Path>,
    config: &ModelConfig,
) -> Result<Option<Vec<u8>>, Failure> {
    let beside = folder.join(TOKENIZER_FILE);
    let bytes = match (elsewhere, checkpoint.metadata_bytes(gguf::TOKENIZER_KEY)) {
        (None, Some(bytes)) => bytes.to_vec(),
        (None, None) if !beside.is_file() => {
            output::warn(
                "no tokenizer.model beside the weights: the file will have none, and running it will need \
                 --tokenizer FILE",
            );
            return Ok(None);
        }
        (elsewhere, _) => {
            let path = elsewhere.unwrap_or(&beside);
            std::fs::read(path)
                .map_err(|error| Failure::mistake(format!("{}: {error}", path.display())))?
        }
    };
    let pieces = Tokenizer::from_bytes(&bytes).map_err(Failure::mistake)?.vocab_size();
    let vocabulary = config.language.vocabulary;
    if pieces != vocabulary {
        return Err(Failure::mistake(ixc_engine::Error::TokenizerMismatch { pieces, vocabulary }));
    }
    Ok(Some(bytes))
}

/// A name for public tools: the folder's or file's.
fn name(path: &Path) -> String {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// What a person should know before the work begins.
fn say_what_is_lost(config: &ModelConfig, checkpoint: &Checkpoint, plan: &[Planned]) {
    let again = |planned: &&Planned| {
        let stored = checkpoint.info(&planned.tensor.name).map(|info| info.dtype);
        let quantised = stored.is_some_and(|stored| stored.quant().is_some());
        (planned.tensor.quantised || quantised) && stored != Some(planned.dtype)
    };
    let again = plan.iter().filter(again).count();
    if again > 0 {
        output::warn(&format!(
            "{} of this checkpoint are quantised already and will be once more: the errors add up; start \
             from the original if you can",
            counted(again, "tensor")
        ));
    }
    if !config.text_adapters.is_empty() {
        output::warn(&format!(
            "the text adapters {} are not applied by ixc and are left out",
            config.text_adapters.join(", ")
        ));
    }
}

/// The table by part, and what importance changed.
fn summary(parts: &[Written], importance: Option<&Importance>) -> String {
    let row = |part: &str, dtype: &str, numbers: u64, size: u64, loss: Loss| {
        let bits = 8.0 * size as f64 / numbers as f64;
        let error = format!("{:.3} %", 100.0 * loss.relative());
        vec![part.into(), dtype.into(), count(numbers), bytes(size), format!("{bits:.2}"), error]
    };
    let mut rows: Vec<Vec<String>> = parts
        .iter()
        .map(|part| {
            let dtype = part.dtype.to_string();
            row(part.part.name(), &dtype, part.numbers, part.bytes, part.loss)
        })
        .collect();
    let sum = |of: fn(&Written) -> u64| parts.iter().map(of).sum::<u64>();
    let loss = parts.iter().fold(Loss::default(), |loss, part| loss.and(part.loss));
    rows.push(row("total", "", sum(|part| part.numbers), sum(|part| part.bytes), loss));
    let columns = [
        ("part", Align::Left),
        ("type", Align::Left),
        ("numbers", Align::Right),
        ("bytes", Align::Right),
        ("bits each", Align::Right),
        ("relative error", Align::Right),
    ];
    let mut text = table(&columns, &rows);
    let instead: usize = parts.iter().map(|part| part.instead).sum();
    if instead > 0 {
        text.push_str(&format!(
            "{} got another type than their part: their inputs are no whole number of its blocks\n",
            counted(instead, "tensor")
        ));
    }
    if let Some(importance) = importance {
        let gain = parts.iter().fold(Gain::default(), |gain, part| gain.and(part.gain));
        text.push_str(&changed(importance, gain));
    }
    text.trim_end().to_owned()
}
