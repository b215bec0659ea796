//! `ixc library verify`: whether pictures and index are as the library says.

use clap::Args;

use super::{LibraryArg, failure, watched};
use crate::{
    exit::{Exit, Failure},
    library, output,
    table::counted,
};

const EXAMPLES: &str = "\
Examples:
  ixc library verify -l photos
  ixc library verify -l photos --json | jq -r '.faults[].path'

Every file is read and digested again. Changed files: `ixc library add` takes them in as they are. Missing ones: \
`ixc library remove --missing`. A wrong index: `ixc library rebuild`. The exit status is 1 where anything is wrong.";

/// Check every picture's file, and the index
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    library: LibraryArg,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Checks.
pub(crate) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let library = args.library.open()?;
    let (bar, mut watch) = watched("checking");
    let verified = library.verify(library::threads(), &mut watch);
    bar.finish_and_clear();
    let verified = verified.map_err(failure)?;
    if args.json {
        output::print_json(&verified)?;
    } else {
        let faults: String = verified.faults.iter().map(|fault| format!("{fault}\n")).collect();
        output::print(&faults)?;
        let pictures = counted(verified.pictures, "picture");
        let faults = match verified.faults.len() {
            0 => "nothing is wrong".to_owned(),
            count => counted(count, "fault"),
        };
        output::note(&format!("{pictures}: {faults}."));
    }
    if verified.faults.is_empty() { Ok(()) } else { Err(Failure::Quiet(Exit::Mistake)) }
}
