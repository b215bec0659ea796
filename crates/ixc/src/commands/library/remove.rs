//! `ixc library remove`: pictures leave a library; their files stay.

use std::path::Path;

use clap::Args;
use ixc_library::{Id, Library};

use super::failure;
use crate::{exit::Failure, library, output, table::counted};

const EXAMPLES: &str = "\
Examples:
  ixc library remove 12 40 -l photos
  ixc library remove ~/Pictures/old -l photos     all that were added from there
  ixc library remove --missing -l photos          those whose files are gone

A whole library is removed by removing its folder, or library.sqlite in it.";

/// Remove pictures from a library; their files stay
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RemoveArgs {
    /// Pictures by their numbers, their files, or folders of them
    #[arg(value_name = "ID|PATH", required_unless_present = "missing")]
    what: Vec<String>,
    /// The library: a folder that exists, or a name
    #[arg(short, long, value_name = "REF")]
    library: String,
    /// Also those whose files are no longer there
    #[arg(long)]
    missing: bool,
}

/// Removes.
pub(crate) fn run(args: RemoveArgs) -> Result<(), Failure> {
    let mut library = library::open(Some(&args.library))?;
    let mut ids = if args.missing { library.gone().map_err(failure)? } else { Vec::new() };
    for what in &args.what {
        ids.extend(meant(&library, what)?);
    }
    let removed = library.remove(&ids).map_err(failure)?;
    output::note(&format!("Removed {}.", counted(removed.len(), "picture")));
    Ok(())
}

/// The pictures that a word means.
fn meant(library: &Library, what: &str) -> Result<Vec<Id>, Failure> {
    if let Ok(id) = what.parse() {
        return Ok(vec![Id(id)]);
    }
    let below = library.below(Path::new(what)).map_err(failure)?;
    if below.is_empty() {
        return Err(Failure::mistake(format!("no picture of the library is {what} or lies in it"))
            .with_hint("`ixc library search` and `ixc library show` tell numbers and files"));
    }
    Ok(below)
}
