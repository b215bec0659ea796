//! `ixc tokenizer`: a vocabulary of the family's form, learned from texts.
//!
//! Deliberately absent: how it is learned ([`ixc_input::tokenizer::train`]).

use std::path::{Path, PathBuf};

use clap::Args;
use ixc_engine::corpus::read_text;
use ixc_files as files;
use ixc_input::{
    conversation::Part,
    samples,
    tokenizer::{Markers, Tokenizer, train},
};

use crate::{
    exit::Failure,
    output,
    progress::Working,
    table::{count, counted},
};

const EXAMPLES: &str = "\
Examples:
  ixc tokenizer train.jsonl more.txt --size 2560 --out tokenizer.model
  ixc init --like mini --tokenizer tokenizer.model --out fresh-mini

The file is a SentencePiece model: byte-pair encoding with byte fallback, no normalisation, and the special \
pieces in the family's places (<unk>, <s>, </s> first, [UNUSED_TOKEN_145] and [UNUSED_TOKEN_146] last).";

/// Learn a tokenizer from texts, for a model that is trained from nothing
///
/// Reads the words of all turns of conversations (.json, .jsonl, as for training) and of plain texts (any other
/// file, UTF-8). The same texts give the same file.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenizerArgs {
    /// Files of conversations or of text
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Pieces of the vocabulary, special ones and the 256 bytes included
    #[arg(long, value_name = "N")]
    size: usize,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Learns and writes.
pub(crate) fn run(args: TokenizerArgs) -> Result<(), Failure> {
    let working = Working::start("reading texts");
    let texts = args.files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?.concat();
    working.say("learning a vocabulary");
    let learned = train(texts.iter().map(String::as_str), args.size).map_err(Failure::mistake)?;
    let tokenizer = Tokenizer::from_bytes(&learned).map_err(Failure::mistake)?;
    files::replace(&args.out, |out| std::io::Write::write_all(out, &learned))
        .map_err(|error| Failure::mistake(format!("{}: {error}", args.out.display())))?;
    let characters: usize = texts.iter().map(|text| text.chars().count()).sum();
    let pieces: usize =
        texts.iter().map(|text| tokenizer.encode(text, Markers::Literal).len()).sum();
    working.clear();
    output::note(&format!(
        "{} in {}, {:.2} to a piece.",
        counted(characters, "character"),
        counted(texts.len(), "text"),
        characters as f64 / pieces.max(1) as f64
    ));
    output::note(&format!("{} pieces.", count(tokenizer.vocab_size() as u64)));
    output::print_line(&args.out.display().to_string())
}

/// The texts of a file: each turn's words, or all of it.
fn read(path: &Path) -> Result<Vec<String>, Failure> {
    let text = read_text(path).map_err(Failure::mistake)?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    if !matches!(extension, Some("json" | "jsonl")) {
        return Ok(vec![text]);
    }
    let samples = samples::parse(&text)
        .map_err(|error| Failure::mistake(format!("{}: {error}", path.display())))?;
    let parts = samples.into_iter().flat_map(|sample| sample.conversation.turns);
    Ok(parts
        .flat_map(|turn| turn.parts)
        .filter_map(|part| match part {
            Part::Text(text) => Some(text),
            Part::Image(_) | Part::Unplaced(_) => None,
        })
        .collect())
}
