//! `ixc library search`: the pictures that fit a caption.

use std::path::PathBuf;

use clap::Args;
use ixc_input::image::Orientation;
use ixc_library::{Hit, Id, Query, limits::MAX_HITS};

use super::{LibraryArg, failure, shown};
use crate::{exit::Failure, output, picture};

const EXAMPLES: &str = "\
Examples:
  ixc library search \"two horses in the snow\"
  ixc library search \"湖边的夜晚\" -n 4 -l photos
  ixc library search \"a boat\" --exclude 12,40 --json | jq -r '.[].path'
  ixc library search --image boat.jpg -l photos         pictures like this one, in a library with vectors

Captions that have more of the rarer words come first (BM25). English words are found in singular and plural; Chinese \
needs no spaces. In a library with vectors (ixc library add --embed) meanings are compared as well, and what both hold \
to be good comes first. Pictures that look the same are given once.";

/// Find pictures by what they show
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SearchArgs {
    /// What the picture should show
    #[arg(value_name = "CAPTION", required_unless_present = "image")]
    caption: Option<String>,
    /// What the picture should be like: a picture, beside a caption or alone; for libraries with vectors
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
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
    // What is a mistake is told before anything is loaded.
    let image =
        args.image.as_ref().map(|path| picture::open(path, Orientation::Exif)).transpose()?;
    let library = args.library.open_to_search()?;
    let exclude: Vec<Id> = args.exclude.iter().copied().map(Id).collect();
    let query = Query {
        caption: args.caption.as_deref().unwrap_or_default(),
        picture: image.as_ref().map(|photo| &photo.picture),
    };
    let hits = library.search_for(query, &exclude, args.count).map_err(failure)?;
    if args.json {
        return output::print_json(&hits);
    }
    if hits.is_empty() {
        output::note("No picture's caption or tags have any of these words.");
        return Ok(());
    }
    let rows = hits.iter().map(|hit| (score(hit), &hit.entry));
    output::print(&shown("score", rows))
}

/// Sums of ranks are small numbers.
fn score(hit: &Hit) -> String {
    let Hit { score, cosine, .. } = hit;
    if cosine.is_some() || *score < 0.1 { format!("{score:.4}") } else { format!("{score:.2}") }
}
