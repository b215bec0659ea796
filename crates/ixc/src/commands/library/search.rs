//! `ixc library search`: the pictures that fit a caption.

use clap::Args;
use ixc_library::{Id, limits::MAX_HITS};

use super::{LibraryArg, failure, shown};
use crate::{exit::Failure, output};

const EXAMPLES: &str = "\
Examples:
  ixc library search \"two horses in the snow\"
  ixc library search \"湖边的夜晚\" -n 4 -l photos
  ixc library search \"a boat\" --exclude 12,40 --json | jq -r '.[].path'

Words are compared, not meanings: captions that have more of the rarer words come first (BM25). English words are \
found in singular and plural; Chinese needs no spaces. Pictures that look the same are given once.";

/// Find pictures by what they show
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SearchArgs {
    /// What the picture should show
    #[arg(value_name = "CAPTION")]
    caption: String,
    #[command(flatten)]
    library: LibraryArg,
    /// Pictures at most
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    count: usize,
    /// Pictures to leave out, with all that look like them
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    exclude: Vec<i64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Searches.
pub(crate) fn run(args: &SearchArgs) -> Result<(), Failure> {
    if !(1..=MAX_HITS).contains(&args.count) {
        let message =
            format!("--count {}: a search gives from 1 to {MAX_HITS} pictures", args.count);
        return Err(Failure::mistake(message));
    }
    let library = args.library.open()?;
    let exclude: Vec<Id> = args.exclude.iter().copied().map(Id).collect();
    let hits = library.search(&args.caption, &exclude, args.count).map_err(failure)?;
    if args.json {
        return output::print_json(&hits);
    }
    if hits.is_empty() {
        output::note("No picture's caption or tags have any of these words.");
        return Ok(());
    }
    let rows = hits.iter().map(|hit| (format!("{:.2}", hit.score), &hit.entry));
    output::print(&shown("score", rows))
}
