//! `ixc library show`: what a library holds, or all that it knows of a picture.

use std::collections::BTreeMap;

use clap::Args;
use ixc_library::{Embeddings, Entry, Id, Library};
use serde::Serialize;

use super::{LibraryArg, failure, one_line};
use crate::{
    exit::Failure,
    output,
    table::{bytes, counted},
};

const EXAMPLES: &str = "\
Examples:
  ixc library show
  ixc library show 12 40 -l photos
  ixc library show 12 -l photos --json";

/// Show what a library holds, or all that it knows of pictures
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ShowArgs {
    /// Pictures by their numbers
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    #[command(flatten)]
    library: LibraryArg,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A picture, and those that look like it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    entry: Entry,
    alike: Vec<Id>,
}

/// Shows.
pub(crate) fn run(args: &ShowArgs) -> Result<(), Failure> {
    let library = args.library.open()?;
    if args.ids.is_empty() {
        return summary(&library, args.json);
    }
    let shown = args.ids.iter().map(|&id| {
        let entry = library.get(Id(id))?;
        Ok(Shown { alike: library.alike(entry.id)?, entry })
    });
    let shown: Vec<Shown> = shown.collect::<Result<_, _>>().map_err(failure)?;
    if args.json {
        return output::print_json(&shown);
    }
    let texts: Vec<String> = shown.iter().map(|shown| text(&library, shown)).collect();
    output::print(&texts.join("\n"))
}

fn summary(library: &Library, json: bool) -> Result<(), Failure> {
    let summary = library.summary().map_err(failure)?;
    if json {
        return output::print_json(&summary);
    }
    let groups = |groups: &BTreeMap<String, u64>| {
        let groups: Vec<String> =
            groups.iter().map(|(name, count)| format!("{name} {count}")).collect();
        groups.join(", ")
    };
    let pictures =
        format!("{}, {}", counted(summary.pictures as usize, "picture"), bytes(summary.bytes));
    output::print(&lines(&[
        ("folder", library.folder().display().to_string()),
        ("holds", pictures),
        ("captions", groups(&summary.captions)),
        ("languages", groups(&summary.languages)),
        ("without", number(summary.without_caption)),
        ("generated", number(summary.generated)),
        ("licences", groups(&summary.licences)),
        ("words", number(summary.words)),
        ("vectors", summary.vectors.as_ref().map_or(String::new(), vectors)),
    ]))
}

/// Whose vectors, and how they are searched.
fn vectors(vectors: &Embeddings) -> String {
    let Embeddings { encoder, pictures, graph } = vectors;
    let how = match graph {
        0 => "all compared".to_owned(),
        graph => format!("a graph of {graph}"),
    };
    format!("{pictures}, {how}, of {encoder}")
}

/// A number worth a line.
fn number(number: u64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

/// Names and values, one a line, without those that have no value.
fn lines(rows: &[(&str, String)]) -> String {
    let rows = rows.iter().filter(|(_, value)| !value.is_empty());
    rows.map(|(name, value)| format!("{name:<10} {value}\n")).collect()
}

fn text(library: &Library, Shown { entry, alike }: &Shown) -> String {
    let about = &entry.about;
    let mut rows = vec![
        ("picture", entry.id.to_string()),
        ("file", one_line(&library.path_of(entry))),
        ("size", format!("{}x{}, {}", entry.width, entry.height, bytes(entry.bytes))),
        ("sha256", entry.sha256.to_string()),
    ];
    for caption in &about.captions {
        let by = caption.model.as_deref().unwrap_or(caption.origin.name());
        let language = caption.language.as_deref().map_or(String::new(), |tag| format!(", {tag}"));
        rows.push(("caption", format!("{} ({by}{language})", caption.text)));
    }
    rows.push(("tags", about.tags.join(", ")));
    for (name, value) in
        [("author", &about.author), ("licence", &about.licence), ("source", &about.source)]
    {
        rows.push((name, value.clone().unwrap_or_default()));
    }
    if let Some(how) = &about.generated {
        let parts = [("model", &how.model), ("seed", &how.seed), ("prompt", &how.prompt)];
        let parts: Vec<String> = parts
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)))
            .collect();
        rows.push(("generated", if parts.is_empty() { "yes".into() } else { parts.join(", ") }));
    }
    let alike: Vec<String> = alike.iter().map(Id::to_string).collect();
    rows.push(("alike", alike.join(", ")));
    lines(&rows)
}
