//! `ixc pull`: a model comes into the cache.
//!
//! stdout gets the folder, so that a script can use it; progress and the licence go to stderr.

use std::{collections::HashMap, ops::ControlFlow};

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use ixc_hub::{Licence, Progress, Pulled, RepoId};
use serde_json::{Value, json};

use crate::{
    environment,
    exit::{Exit, Failure},
    interrupt, output,
    progress::bytes_style,
    table::{bytes, counted},
};

const EXAMPLES: &str = "\
Examples:
  ixc pull internlm/internlm-xcomposer2-vl-7b
  ixc pull internlm/internlm-xcomposer2-vl-7b@main
  HF_ENDPOINT=https://mirror.example ixc pull internlm/internlm-xcomposer2-vl-1_8b
  ixc inspect \"$(ixc pull internlm/internlm-xcomposer2-vl-7b)\"

A pull that was stopped goes on where it stopped. Every file is checked by its digest. The cache is the \
one that huggingface_hub uses; HF_TOKEN says who you are where a model asks for it.";

/// Download a model into the Hugging Face cache
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PullArgs {
    /// The model's id on the hub: org/name or org/name@revision
    #[arg(value_name = "REF")]
    model: String,
    /// Print JSON: the folder, the commit, the files, the licence
    #[arg(long)]
    json: bool,
}

/// Downloads.
pub(crate) fn run(args: PullArgs) -> Result<(), Failure> {
    let (repo, revision) = hub_model(&args.model)?;
    let settings = environment::hub_settings()?;
    interrupt::watch();
    let mut screen = Screen::new();
    let pulled = ixc_hub::pull(&repo, revision.as_deref(), &settings, &mut |progress| {
        screen.show(progress);
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    screen.clear();
    let pulled = pulled.map_err(|error| match error {
        ixc_hub::Error::Cancelled => Failure::new(Exit::Interrupted, error),
        ixc_hub::Error::Revision { .. } | ixc_hub::Error::Setting { .. } => Failure::mistake(error),
        _ => Failure::new(Exit::Hub, error),
    })?;
    if args.json {
        return output::print_json(&describe(&pulled));
    }
    summarise(&pulled);
    output::print_line(&pulled.path.display().to_string())
}

/// The model that a reference names on the hub; a path is none, even where it exists.
pub(crate) fn hub_model(text: &str) -> Result<(RepoId, Option<String>), Failure> {
    let text = text.strip_prefix("hf:").unwrap_or(text);
    let (id, revision) = match text.split_once('@') {
        Some((id, revision)) => (id, Some(revision.to_owned())),
        None => (text, None),
    };
    Ok((RepoId::new(id).map_err(Failure::of(Exit::Mistake))?, revision))
}

/// What came, and under what terms.
fn summarise(pulled: &Pulled) {
    let size = pulled.files.iter().fold(0u64, |sum, file| sum.saturating_add(file.size));
    output::note(&format!(
        "{}@{} ({}): {}, {}, of which {} were fetched now",
        pulled.repo,
        pulled.revision,
        pulled.commit,
        counted(pulled.files.len(), "file"),
        bytes(size),
        bytes(pulled.transferred)
    ));
    output::note(&format!("Licence of the weights: {}", terms(&pulled.licence)));
}

/// A licence in words.
fn terms(licence: &Licence) -> String {
    let Licence { id, name, link, text } = licence;
    let names: Vec<&str> = [id, name, link].into_iter().flatten().map(String::as_str).collect();
    let names = if names.is_empty() { "none is stated".to_owned() } else { names.join(", ") };
    match text {
        Some(text) => format!("{names}\n{text}"),
        None => names,
    }
}

fn describe(pulled: &Pulled) -> Value {
    let Licence { id, name, link, text } = &pulled.licence;
    let file = |file: &ixc_hub::PulledFile| json!({ "name": file.name, "bytes": file.size, "cached": file.cached });
    json!({
        "model": pulled.repo.to_string(),
        "revision": pulled.revision,
        "commit": pulled.commit,
        "path": pulled.path.display().to_string(),
        "files": pulled.files.iter().map(file).collect::<Vec<_>>(),
        "left_out": pulled.left_out,
        "transferred_bytes": pulled.transferred,
        "licence": { "id": id, "name": name, "link": link, "text": text },
    })
}

/// A bar for each file, on a terminal.
struct Screen {
    all: MultiProgress,
    bars: HashMap<String, ProgressBar>,
}

impl Screen {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self { all, bars: HashMap::new() }
    }

    fn show(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Resolved { commit, files, total, to_fetch } => self.say(&format!(
                "commit {commit}: {}, {}, {} to fetch",
                counted(files, "file"),
                bytes(total),
                bytes(to_fetch)
            )),
            Progress::Cached { file, .. } => self.say(&format!("{file}: in the cache")),
            Progress::Started { file, size, resumed } => {
                let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::hidden());
                bar.set_style(bytes_style());
                bar.set_message(file.to_owned());
                let bar = self.all.add(bar);
                bar.set_position(resumed);
                bar.reset_eta();
                self.bars.insert(file.into(), bar);
            }
            Progress::Advanced { file, done } => {
                if let Some(bar) = self.bars.get(file) {
                    bar.set_position(done);
                }
            }
            Progress::Retrying { what, failed, allowed, why, .. } => {
                // Worth knowing without a terminal, too: it explains a long silence.
                self.all.suspend(|| {
                    output::warn(&format!("{what}: {why}; trying again ({failed} of {allowed})"));
                });
            }
            Progress::Finished { file, size } => {
                if let Some(bar) = self.bars.remove(file) {
                    bar.finish_and_clear();
                }
                self.say(&format!("{file}: {}", bytes(size)));
            }
            _ => {}
        }
    }

    /// A line above the bars; nothing without a terminal.
    fn say(&self, text: &str) {
        // Without a terminal the line is dropped, which is what is wanted.
        let _ = self.all.println(text);
    }

    fn clear(&self) {
        let _ = self.all.clear();
    }
}
