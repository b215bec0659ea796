//! `ixc rm`: a model leaves the cache.
//!
//! Invariant: nothing is deleted without a yes, given at a terminal or as a flag.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use clap::Args;
use ixc_hub::{CachedRepo, RepoId};

use crate::{
    commands::pull::hub_model,
    environment,
    exit::{Exit, Failure},
    output,
    table::{bytes, counted},
};

const EXAMPLES: &str = "\
Examples:
  ixc rm internlm/internlm-xcomposer2-vl-7b
  ixc rm internlm/internlm-xcomposer2-vl-7b@main --yes";

/// Remove a model that was pulled, or one revision of it
///
/// Only files in the cache are removed. What other models or revisions share stays.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RmArgs {
    /// The model's id on the hub, with @revision for one revision alone
    #[arg(value_name = "REF")]
    model: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Asks and removes.
pub(crate) fn run(args: RmArgs) -> Result<(), Failure> {
    let (repo, revision) = hub_model(&args.model)?;
    let cache = environment::hub_settings()?.cache;
    if !args.yes {
        let held = ixc_hub::list(&cache).map_err(Failure::of(Exit::Mistake))?;
        let held = held.into_iter().find(|held| held.repo == repo);
        if !confirm(&repo, revision.as_deref(), held.as_ref())? {
            output::note("Nothing was removed.");
            return Ok(());
        }
    }
    let removed =
        ixc_hub::remove(&cache, &repo, revision.as_deref()).map_err(Failure::of(Exit::Mistake))?;
    let what = if removed.whole { repo.to_string() } else { args.model };
    output::note(&format!("Removed {what}: {} are free.", bytes(removed.freed)));
    Ok(())
}

/// Asks at the terminal.
fn confirm(
    repo: &RepoId,
    revision: Option<&str>,
    held: Option<&CachedRepo>,
) -> Result<bool, Failure> {
    // What is not there is refused by the removal itself, with the reason.
    let Some(held) = held else { return Ok(true) };
    if !(stdin().is_terminal() && stderr().is_terminal()) {
        return Err(Failure::mistake(
            "removing a model needs a yes, and there is no terminal to ask at",
        )
        .with_hint("add --yes"));
    }
    let what = match revision {
        Some(revision) => format!("revision {revision} of {repo}"),
        None => format!(
            "{repo} ({}, {})",
            bytes(held.size.saturating_add(held.partial)),
            counted(held.revisions.len(), "revision")
        ),
    };
    let cannot = |error| Failure::mistake(format!("cannot ask at the terminal: {error}"));
    write!(stderr(), "Remove {what}? [y/N] ").and_then(|()| stderr().flush()).map_err(cannot)?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).map_err(cannot)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
