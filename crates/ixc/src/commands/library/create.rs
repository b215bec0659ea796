//! `ixc library create`: a new library, of a name or of a folder.

use std::path::PathBuf;

use clap::Args;

use super::add::{self, Source};
use crate::{exit::Failure, library, output};

const EXAMPLES: &str = "\
Examples:
  ixc library create photos ~/Pictures ~/Art
  ixc library create ~/Pictures
  ixc library create empty";

/// Make a library, and add pictures to it
///
/// Of a NAME a library is made in your data folder, with the pictures of PATHS. A folder that exists becomes one
/// itself, with the pictures in it unless PATHS are named: its file lies beside them and they can be moved together.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CreateArgs {
    /// The library: a name, or a folder
    #[arg(value_name = "REF")]
    library: String,
    /// Folders of pictures, with all that is in them, and pictures
    #[arg(value_name = "PATH")]
    from: Vec<PathBuf>,
    #[command(flatten)]
    source: Source,
}

/// Makes it.
pub(crate) fn run(args: CreateArgs) -> Result<(), Failure> {
    let CreateArgs { library: reference, mut from, source } = args;
    source.check(&from)?;
    let name = library::is_name(&reference);
    let mut library = library::create(&reference)?;
    if from.is_empty() && !name {
        from.push(library.folder().into());
    }
    output::note(&format!("Made the library {}.", library.folder().display()));
    if from.is_empty() {
        output::note(&format!("Add pictures to it: ixc library add PATH… --library {reference}"));
        return Ok(());
    }
    add::add(&mut library, from, &source, &reference)
}
