//! `ixc list`: the models in the cache.

use clap::Args;
use ixc_hub::{CachedRepo, CachedRevision};
use serde_json::{Value, json};

use crate::{
    environment,
    exit::{Exit, Failure},
    output,
    table::{Align, bytes, table},
};

/// List the models that were pulled
#[derive(Args, Debug)]
#[command(visible_alias = "ls")]
pub(crate) struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Digits of a commit that tell it from others.
const COMMIT_DIGITS: usize = 12;

/// Lists.
pub(crate) fn run(args: ListArgs) -> Result<(), Failure> {
    let settings = environment::hub_settings()?;
    let repos = ixc_hub::list(&settings.cache).map_err(Failure::of(Exit::Mistake))?;
    if args.json {
        return output::print_json(&repos.iter().map(describe).collect::<Vec<_>>());
    }
    if repos.is_empty() {
        output::note(&format!("No model is in {}.", settings.cache.display()));
        output::note("Pull one: ixc pull internlm/internlm-xcomposer2-vl-7b");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = repos.iter().flat_map(rows).collect();
    let columns = [
        ("model", Align::Left),
        ("revision", Align::Left),
        ("commit", Align::Left),
        ("size", Align::Right),
        ("state", Align::Left),
    ];
    output::print(&table(&columns, &rows))
}

/// A row for each revision; one for what a broken download left.
fn rows(repo: &CachedRepo) -> Vec<Vec<String>> {
    let name = repo.repo.to_string();
    let row = |revision: &CachedRevision| {
        let commit = revision.commit.chars().take(COMMIT_DIGITS).collect();
        let state = match revision.missing.as_slice() {
            [] => "complete".into(),
            missing => format!("incomplete: {}", missing.join(", ")),
        };
        vec![name.clone(), revision.refs.join(", "), commit, bytes(revision.size), state]
    };
    let mut rows: Vec<_> = repo.revisions.iter().map(row).collect();
    if repo.partial > 0 || rows.is_empty() {
        let (none, size) = (String::new(), bytes(repo.partial));
        rows.push(vec![name, none.clone(), none, size, "unfinished download".into()]);
    }
    rows
}

fn describe(repo: &CachedRepo) -> Value {
    let revision = |revision: &CachedRevision| {
        json!({
            "commit": revision.commit,
            "refs": revision.refs,
            "path": revision.path.display().to_string(),
            "bytes": revision.size,
            "complete": revision.missing.is_empty(),
            "missing": revision.missing,
        })
    };
    json!({
        "model": repo.repo.to_string(),
        "bytes": repo.size,
        "unfinished_bytes": repo.partial,
        "revisions": repo.revisions.iter().map(revision).collect::<Vec<_>>(),
    })
}
