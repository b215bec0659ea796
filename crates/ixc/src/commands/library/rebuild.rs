//! `ixc library rebuild`: the indexes made anew, of words from the captions and tags, of meanings from the vectors.

use clap::Args;

use super::{LibraryArg, failure, watched};
use crate::{exit::Failure, library, output, table::counted};

const EXAMPLES: &str = "\
Examples:
  ixc library rebuild -l photos

Captions, tags and all else stay as they are. Some seconds for 100 000 pictures, and no risk: until it is whole, \
the old index is the one. The graph of a library with very many vectors takes minutes; vectors that are damaged are \
taken out, and `ixc library add --embed` makes them again.";

/// Make the indexes anew
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RebuildArgs {
    #[command(flatten)]
    library: LibraryArg,
}

/// Rebuilds.
pub(crate) fn run(args: &RebuildArgs) -> Result<(), Failure> {
    let mut library = args.library.open()?;
    let (bar, mut watch) = watched("making the indexes");
    let rebuilt = library.rebuild(library::threads(), &mut watch);
    bar.finish_and_clear();
    let rebuilt = rebuilt.map_err(failure)?;
    output::note(&format!("The index has {}.", counted(rebuilt.words, "word")));
    if rebuilt.vectors > 0 {
        output::note(&format!("The graph has {}.", counted(rebuilt.vectors, "vector")));
    }
    Ok(())
}
