//! `ixc library`: pictures that can be searched, and everything that is done with them.
//!
//! One file for each of its commands. Deliberately absent: which library a reference means (`crate::library`).

mod add;
mod create;
mod export;
mod rebuild;
mod remove;
mod search;
mod show;
mod verify;

use std::{ops::ControlFlow, path::Path};

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use ixc_library::{Entry, Error, Library};

use crate::{
    exit::{Exit, Failure},
    interrupt, library, progress,
    table::{Align, table},
};

const EXAMPLES: &str = "\
Examples:
  ixc library search \"two horses in the snow\"         in the library that ixc draws
  ixc library create photos ~/Pictures                a library by name, of a folder's pictures
  ixc library add ~/Downloads/art -l photos --licence \"CC BY 4.0\" --author \"Ana\"
  ixc library search \"a boat in the evening\" -l photos
  ixc library add ~/Pictures -l photos --embed openai/clip-vit-large-patch14   meanings are searched too
  ixc library create ~/Pictures                       the folder itself becomes one, and can be moved
  ixc library verify -l photos
  ixc library export --out found --search \"boats\" -n 20 -l photos

Pictures stay where they are and are never written to. A library is one file, library.sqlite, in a folder: the \
one that is named, or one by name among a user's data. What it knows of a picture comes from files beside it \
(NAME.txt, NAME.json, library.jsonl, metadata.jsonl), from the picture itself (EXIF, XMP, texts of a PNG), from \
flags, or from a model; docs/library.md tells all of it.";

/// Make folders of pictures searchable, for articles and by hand
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct LibraryArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Create(create::CreateArgs),
    Add(add::AddArgs),
    Search(search::SearchArgs),
    Show(show::ShowArgs),
    Remove(remove::RemoveArgs),
    Verify(verify::VerifyArgs),
    Rebuild(rebuild::RebuildArgs),
    Export(export::ExportArgs),
}

/// Does it.
pub(crate) fn run(args: LibraryArgs) -> Result<(), Failure> {
    match args.command {
        Command::Create(args) => create::run(args),
        Command::Add(args) => add::run(args),
        Command::Search(args) => search::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Remove(args) => remove::run(args),
        Command::Verify(args) => verify::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
        Command::Export(args) => export::run(args),
    }
}

/// Which library.
#[derive(Args, Clone, Debug)]
struct LibraryArg {
    /// The library: a folder that exists, or a name [default: the one that ixc draws]
    #[arg(short, long, value_name = "REF")]
    library: Option<String>,
}

impl LibraryArg {
    fn open(&self) -> Result<Library, Failure> {
        library::open(self.library.as_deref())
    }

    fn open_to_search(&self) -> Result<Library, Failure> {
        library::open_to_search(self.library.as_deref())
    }
}

/// A library's error, as a failure.
fn failure(error: Error) -> Failure {
    match error {
        Error::Cancelled => Failure::new(Exit::Interrupted, error)
            .with_hint("`ixc library add` with the same pictures goes on with an import"),
        other => Failure::mistake(other),
    }
}

/// A bar, and what moves it and asks for Ctrl-C.
fn watched(message: &'static str) -> (ProgressBar, impl FnMut(usize, usize) -> ControlFlow<()>) {
    let bar = progress::items(message);
    let moved = bar.clone();
    interrupt::watch();
    let watch = move |done: usize, all: usize| {
        moved.set_length(all as u64);
        moved.set_position(done as u64);
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    (bar, watch)
}

/// Entries as a table, with what stands in its first column.
fn shown<'a>(first: &str, entries: impl Iterator<Item = (String, &'a Entry)>) -> String {
    let row = |(first, entry): (String, &Entry)| {
        let size = format!("{}x{}", entry.width, entry.height);
        let caption = entry.caption().unwrap_or("").to_owned();
        vec![first, entry.id.to_string(), size, one_line(&entry.path), caption]
    };
    let rows: Vec<Vec<String>> = entries.map(row).collect();
    let columns = [
        (first, Align::Right),
        ("id", Align::Right),
        ("size", Align::Right),
        ("file", Align::Left),
        ("caption", Align::Left),
    ];
    table(&columns, &rows)
}

/// A path in a table: a name may hold line ends.
fn one_line(path: &Path) -> String {
    path.display().to_string().replace(char::is_control, "\u{fffd}")
}
