//! `ixc world`: pictures of a drawn world and conversations about them, for training and trying.

use std::{fs, ops::ControlFlow, path::PathBuf};

use clap::{Args, ValueEnum};
use ixc_world::{
    Error, draw,
    split::{SceneId, Split},
    write::{self, Options, What, Written},
};
use serde::Serialize;

use crate::{
    exit::{Exit, Failure},
    interrupt, output, progress,
    table::{Align, counted, table},
};

const EXAMPLES: &str = "\
Examples:
  ixc world --out world/train --count 20000
  ixc world --out world/test --split test --count 2000 --what questions,captions,truth
  ixc world --out sheet --split val --show 24 --size 224
  ixc world --out library --library --count 120

The folder gets a file of conversations for each of --what (JSON Lines, the published form), pictures/, \
and data.txt, which names the files: `ixc train` reads it. --count is the number of scenes; an article gives \
several samples. The same command goes on where an earlier one stopped.
What `ixc world` draws and says is a function of split, seed and number alone. No scene of one split occurs \
in another, whatever the seeds.";

/// Draw a world of scenes and write conversations about them
///
/// Landscapes, towns, coasts and rooms with people, animals, vehicles, plants and things; captions, questions,
/// refusals, articles with their places, captions and choices, and edits, each made of the scene's own truth.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WorldArgs {
    /// The folder, new or from an earlier run of the same world
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Which of the disjoint worlds
    #[arg(long, value_name = "SPLIT", default_value = "train")]
    split: SplitArg,
    /// Scenes to write
    #[arg(long, value_name = "N", default_value_t = 1000)]
    count: u64,
    /// Another seed is another world of the same split
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Pixels a side [default: 112; of a library: 640]
    #[arg(long, value_name = "PX")]
    size: Option<u32>,
    /// Which files, separated by commas [default: all but patches and truth]
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with_all = ["library", "show"])]
    what: Vec<WhatArg>,
    /// Add a word for each patch of a picture to every sample that has pictures, not only to `patches`
    #[arg(long, conflicts_with_all = ["library", "show"])]
    labels: bool,
    /// Write larger pictures with captions beside them instead, of a split of their own
    #[arg(long, conflicts_with_all = ["split", "show"])]
    library: bool,
    /// Only draw N scenes on one sheet, DIR/sheet.png
    #[arg(long, value_name = "N", conflicts_with = "count")]
    show: Option<u64>,
    /// Threads to draw with [default: RAYON_NUM_THREADS, else one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The splits that have conversations.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SplitArg {
    /// For training
    Train,
    /// For choosing between trainings
    Val,
    /// For the final figures
    Test,
}

/// The files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WhatArg {
    /// Captions in several styles
    Captions,
    /// A word for each patch of a picture, for training towers of that patch and size
    Patches,
    /// Questions about one picture, several a conversation
    Questions,
    /// Questions about single things of a picture: whether they are there, where, how many
    Things,
    /// On which side each thing of a picture is, and nothing else
    Sides,
    /// How every two things of a picture compare, and nothing else
    Comparisons,
    /// Whether every two things of a picture have one colour, and nothing else
    Colours,
    /// Whether it is a certain weather, hour, season and place
    Whether,
    /// What a sign says, of scenes that have one
    Signs,
    /// Questions about two pictures
    Two,
    /// Questions about what is not there
    Refusals,
    /// Which of four pictures goes with a text
    Matching,
    /// Which of two to four pictures a question or a text means, in steps up to an article's choice
    Choosing,
    /// Captions for the sections of an article, one after another
    Titles,
    /// Articles, places, captions, choices
    Articles,
    /// Articles without their places, captions and choices
    Writing,
    /// Changes of a paragraph
    Edits,
    /// Texts without pictures
    Language,
    /// About the model itself
    Talk,
    /// The scenes as data
    Truth,
}

impl WhatArg {
    fn what(self) -> What {
        match self {
            Self::Captions => What::Captions,
            Self::Patches => What::Patches,
            Self::Questions => What::Questions,
            Self::Things => What::Things,
            Self::Sides => What::Sides,
            Self::Comparisons => What::Comparisons,
            Self::Colours => What::Colours,
            Self::Whether => What::Whether,
            Self::Signs => What::Signs,
            Self::Two => What::Two,
            Self::Matching => What::Matching,
            Self::Choosing => What::Choosing,
            Self::Titles => What::Titles,
            Self::Refusals => What::Refusals,
            Self::Articles => What::Articles,
            Self::Writing => What::Writing,
            Self::Edits => What::Edits,
            Self::Language => What::Language,
            Self::Talk => What::Talk,
            Self::Truth => What::Truth,
        }
    }
}

/// Pixels a side, unless asked otherwise: what the mini model sees, and what a page shows.
const SIDE: u32 = 112;
const LIBRARY_SIDE: u32 = 640;
/// Pixels a side of a sheet at most, which are held in memory.
const MAX_SHEET: u64 = 1 << 14;

/// Writes.
pub(crate) fn run(args: WorldArgs) -> Result<(), Failure> {
    let mut what: Vec<What> = Vec::new();
    for &asked in &args.what {
        if !what.contains(&asked.what()) {
            what.push(asked.what());
        }
    }
    if what.is_empty() {
        // Patches fit towers of one size alone, writing is among the articles, and truth is no conversation.
        let special = [What::Patches, What::Writing, What::Truth];
        what = What::ALL.iter().copied().filter(|what| !special.contains(what)).collect();
    }
    let options = Options {
        split: match args.split {
            SplitArg::Train => Split::Train,
            SplitArg::Val => Split::Val,
            SplitArg::Test => Split::Test,
        },
        seed: args.seed,
        count: args.count,
        side: args.size.unwrap_or(if args.library { LIBRARY_SIDE } else { SIDE }),
        what,
        labels: args.labels,
        threads: threads(args.threads)?,
        out: args.out,
    };
    match args.show {
        Some(count) => show(&options, count),
        None => write(&options, args.library, args.json),
    }
}

fn threads(asked: Option<usize>) -> Result<usize, Failure> {
    match asked {
        Some(0) => Err(Failure::mistake("--threads 0: at least one thread is needed to draw")),
        Some(threads) => Ok(threads),
        None => Ok(ixc_nn::pool::threads()),
    }
}

fn write(options: &Options, library: bool, json: bool) -> Result<(), Failure> {
    let bar = progress::items("drawing");
    interrupt::watch();
    let watch = |done: u64, all: u64| {
        bar.set_length(all);
        bar.set_position(done);
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let written =
        if library { write::library(options, &watch) } else { write::write(options, &watch) };
    bar.finish_and_clear();
    let written = written.map_err(failure)?;
    if json { output::print_json(&Told { files: &written }) } else { told(&written) }
}

/// What was written, as JSON.
#[derive(Serialize)]
struct Told<'a> {
    files: &'a [Written],
}

fn told(written: &[Written]) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = written
        .iter()
        .map(|file| vec![file.path.display().to_string(), file.samples.to_string()])
        .collect();
    output::print(&table(&[("file", Align::Left), ("samples", Align::Right)], &rows))
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Cancelled => Failure::new(Exit::Interrupted, error),
        other => Failure::mistake(other),
    }
}

/// Draws a sheet.
fn show(options: &Options, count: u64) -> Result<(), Failure> {
    if !draw::SIDES.contains(&options.side) {
        return Err(Failure::mistake(Error::Side { found: options.side }));
    }
    let across = (count as f64).sqrt().ceil() as u64 * u64::from(options.side + 4);
    if count == 0 || across > MAX_SHEET {
        let message = format!(
            "--show {count} at {} px: a sheet holds at least one picture and is {MAX_SHEET} px wide at most",
            options.side
        );
        return Err(Failure::mistake(message));
    }
    let first = SceneId { split: options.split, seed: options.seed, number: 0 };
    let png = write::png(&write::sheet(first, count, options.side));
    let path = options.out.join("sheet.png");
    fs::create_dir_all(&options.out).and_then(|()| fs::write(&path, png)).map_err(|error| {
        Failure::mistake(format!("{}: cannot be written: {error}", path.display()))
    })?;
    output::note(&format!("Drew {} on one sheet.", counted(count as usize, "scene")));
    output::print_line(&path.display().to_string())
}
