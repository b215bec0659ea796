//! `ixc library rebuild`: the index made anew from the captions and tags.

use clap::Args;

use super::{LibraryArg, failure};
use crate::{exit::Failure, output, progress::Working, table::counted};

const EXAMPLES: &str = "\
Examples:
  ixc library rebuild -l photos

Captions, tags and all else stay as they are. A pinch of time (some seconds for 100 000 pictures), and no risk: \
until it is whole, the old index is the one.";

/// Make the index anew
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RebuildArgs {
    #[command(flatten)]
    library: LibraryArg,
}

/// Rebuilds.
pub(crate) fn run(args: &RebuildArgs) -> Result<(), Failure> {
    let mut library = args.library.open()?;
    let working = Working::start("making the index");
    let words = library.rebuild().map_err(failure);
    working.clear();
    output::note(&format!("The index has {}.", counted(words?, "word")));
    Ok(())
}
