//! What a person sees while an article is made: its words on stdout, all else on stderr.
//!
//! Sections, pictures and candidates are shown as the prompts name them: sections from 0, candidates by letters.

use std::collections::BTreeSet;

use ixc_compose::{
    Event, Stage,
    article::{Article, Block, Picture},
    source::{Found, Origin},
};

use crate::{exit::Failure, output, progress::Working};

/// Shows events.
#[derive(Default)]
pub(crate) struct Show {
    /// The services that were named.
    asked: BTreeSet<String>,
    working: Option<Working>,
    /// A broken pipe and the like: told when all is done.
    failed: Option<Failure>,
}

impl Show {
    /// One event.
    pub(crate) fn event(&mut self, event: Event<'_>) {
        self.working = None;
        match event {
            Event::Begins { stage, at, of } => {
                let doing = match stage {
                    Stage::Article => "reading the instruction".into(),
                    Stage::Places => "finding places for pictures".into(),
                    Stage::Captions => format!("captions, {at} of {of}"),
                    Stage::Candidates => format!("searching, {at} of {of}"),
                    Stage::Choices => format!("choosing, {at} of {of}"),
                };
                self.working = Some(Working::start(doing));
            }
            Event::Asks { service, host } => {
                if self.asked.insert(service.into()) {
                    output::note(&format!("captions go to the service {service} ({host})"));
                }
                self.working = Some(Working::start(format!("asking {service}")));
            }
            Event::Text(piece) => self.print(piece),
            Event::Article(_) => self.print("\n"),
            Event::Places(places) if places.places.is_empty() => {}
            Event::Places(places) => {
                let places: Vec<String> = places.places.iter().map(usize::to_string).collect();
                output::note(&format!("pictures behind sections {}", places.join(", ")));
            }
            Event::Caption(caption) => {
                output::note(&format!("section {}: \"{}\"", caption.place, caption.caption));
            }
            Event::Candidates(candidates) => {
                output::note(&format!("section {}, found:", candidates.place));
                output::note(&lettered(&candidates.found));
            }
            Event::Choice(choice) => {
                let taken = match choice.taken {
                    Some(at) => format!("{} {}", letter(at), named(&choice.shown[at])),
                    None => "no picture".into(),
                };
                output::note(&format!("section {}: {taken}", choice.place));
            }
            Event::Odd(odd) => output::warn(&odd.to_string()),
        }
    }

    fn print(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = output::print(text).err();
        }
    }

    /// What went wrong with showing it.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        self.failed.map_or(Ok(()), Err)
    }
}

fn letter(at: usize) -> char {
    char::from(b'A' + (at % 26) as u8)
}

fn named(found: &Found) -> String {
    match &found.origin {
        Origin::Own(_) | Origin::File { .. } => found.caption.clone(),
        Origin::Library { id, .. } => format!("{} ({id})", found.caption),
        Origin::Search { .. } => found.origin.to_string(),
        Origin::Generated { .. } => format!("{} ({})", found.caption, found.origin),
    }
}

/// Candidates, one a line.
fn lettered(found: &[Found]) -> String {
    let line = |(at, found): (usize, &Found)| format!("  {} {}", letter(at), named(found));
    found.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// An article, block by block, with the numbers that edits name.
pub(crate) fn blocks(article: &Article) -> String {
    let block = |(at, block): (usize, &Block)| match block {
        Block::Text { text } => format!("{}  {text}\n", at + 1),
        Block::Picture(picture) => format!("{}  {}", at + 1, pictured(picture)),
    };
    article.blocks.iter().enumerate().map(block).collect()
}

fn pictured(picture: &Picture) -> String {
    let shown = match &picture.shown {
        Some(shown) => format!("picture: {}", shown.alternative),
        None => "picture: none".into(),
    };
    let candidates = lettered(&picture.candidates);
    let candidates = if candidates.is_empty() { String::new() } else { format!("{candidates}\n") };
    format!("[{shown}] \"{}\"\n{candidates}", picture.caption)
}
