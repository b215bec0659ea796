//! `ixc library export`: a library, or a part of it, as a folder for others.

use std::path::PathBuf;

use clap::Args;
use ixc_library::{Id, Library, limits::MAX_HITS};

use super::{LibraryArg, failure, watched};
use crate::{
    exit::Failure,
    output,
    table::{bytes, counted},
};

const EXAMPLES: &str = "\
Examples:
  ixc library export --out copy -l photos
  ixc library export --out boats --search \"boats on a lake\" -n 20 -l photos
  ixc library export 12 40 --out two -l photos

The folder has the pictures as they are, a caption beside each, library.jsonl with all that is known of them, and \
credits.md. `ixc library create NAME copy` makes a library of it again, with nothing lost.";

/// Write pictures, captions and credits to a folder
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// Pictures by their numbers [default: all]
    #[arg(value_name = "ID", conflicts_with = "search")]
    ids: Vec<i64>,
    #[command(flatten)]
    library: LibraryArg,
    /// The folder, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only what a search for this caption finds, the best first
    #[arg(long, value_name = "CAPTION")]
    search: Option<String>,
    /// With --search: pictures at most
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, requires = "search")]
    count: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Exports.
pub(crate) fn run(args: ExportArgs) -> Result<(), Failure> {
    if !(1..=MAX_HITS).contains(&args.count) {
        let message =
            format!("--count {}: a search gives from 1 to {MAX_HITS} pictures", args.count);
        return Err(Failure::mistake(message));
    }
    let library = match &args.search {
        Some(_) => args.library.open_to_search()?,
        None => args.library.open()?,
    };
    let ids = wanted(&library, &args)?;
    if ids.is_empty() {
        return Err(Failure::mistake("there is no picture to export"));
    }
    let (bar, mut watch) = watched("exporting");
    let exported = library.export(&ids, &args.out, &mut watch);
    bar.finish_and_clear();
    // Nothing is kept of an export that was stopped.
    let exported = exported.map_err(|error| match error {
        ixc_library::Error::Cancelled => {
            Failure::new(crate::exit::Exit::Interrupted, "stopped; nothing was written")
        }
        other => failure(other),
    })?;
    if args.json {
        return output::print_json(&exported);
    }
    output::note(&format!(
        "Wrote {}, {}.",
        counted(exported.pictures, "picture"),
        bytes(exported.bytes)
    ));
    if exported.without_credit > 0 {
        output::warn(&format!(
            "of {} neither author nor licence nor source is known: ask before you publish them",
            counted(exported.without_credit, "picture")
        ));
    }
    output::print_line(&args.out.display().to_string())
}

fn wanted(library: &Library, args: &ExportArgs) -> Result<Vec<Id>, Failure> {
    if let Some(caption) = &args.search {
        let hits = library.search(caption, &[], args.count).map_err(failure)?;
        return Ok(hits.into_iter().map(|hit| hit.entry.id).collect());
    }
    if args.ids.is_empty() {
        return library.ids().map_err(failure);
    }
    Ok(args.ids.iter().copied().map(Id).collect())
}
