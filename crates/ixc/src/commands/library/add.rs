//! `ixc library add`: pictures into a library, captions for those without, and vectors.
//!
//! Invariant: whatever is not taken is said, with its reason. Deliberately absent: what is read of a picture.

use std::{ops::ControlFlow, path::PathBuf};

use clap::{Args, ValueEnum};
use ixc_engine::{Decoding, Request};
use ixc_input::{
    conversation::{Conversation, Part, Role, Turn},
    image::Picture,
};
use ixc_library::{
    About, Add, Added, Caption, Described, Embedded, Encoder, Library, Origin, Progress, Which,
};
use serde::Serialize;

use super::{failure, watched};
use crate::{
    answer,
    exit::{Exit, Failure},
    interrupt, library,
    model::{self, Loaded, ModelArgs, Talks},
    output, progress,
    table::counted,
};

const EXAMPLES: &str = "\
Examples:
  ixc library add ~/Pictures/2026 -l photos
  ixc library add horse.jpg -l photos --caption \"A horse at the fence\" --author \"Ana\" --licence \"CC BY 4.0\"
  ixc library add ~/Pictures -l photos --describe missing -m internlm/internlm-xcomposer2-vl-7b
  ixc library add ~/Pictures -l photos --embed openai/clip-vit-large-patch14

The same command again takes what is new, follows what has moved, and leaves the rest; after a stop it goes on. A \
file that equals another byte by byte is counted and not taken twice. What cannot be read is told and passed over.";

/// What a model that describes pictures is asked.
const ASK: &str = "Describe this picture in one sentence.";

/// Words (tokens) of a caption at most.
const WORDS: usize = 200;

/// Add pictures, or what has changed of them
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AddArgs {
    /// Folders of pictures, with all that is in them, and pictures
    #[arg(value_name = "PATH", required = true)]
    from: Vec<PathBuf>,
    /// The library: a folder that exists, or a name
    #[arg(short, long, value_name = "REF")]
    library: String,
    #[command(flatten)]
    source: Source,
}

/// What is said about the pictures, and who looks at them.
#[derive(Args, Debug)]
pub(crate) struct Source {
    /// What the picture shows; of one file alone
    #[arg(long, value_name = "TEXT")]
    caption: Option<String>,
    /// The language of --caption, as in en or zh [default: as its script tells]
    #[arg(long, value_name = "TAG", requires = "caption")]
    language: Option<String>,
    /// A word by which each of the pictures is to be found; may be repeated
    #[arg(long, value_name = "WORD")]
    tag: Vec<String>,
    /// Who made them
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Under which licence they may be used
    #[arg(long, visible_alias = "license", value_name = "TEXT")]
    licence: Option<String>,
    /// Where they come from: an address, a collection
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Which pictures of the library the model describes [default: missing with --model, none without]
    #[arg(long, value_name = "WHICH")]
    describe: Option<DescribeArg>,
    /// What the model is asked about each of them
    #[arg(long, value_name = "TEXT", default_value = ASK)]
    ask: String,
    /// Make vectors of all pictures of the library that have none, by this CLIP or SigLIP checkpoint: a folder, or
    /// an id on the hub
    ///
    /// Searches then compare meanings beside words. The library remembers the encoder, and takes no vectors of another.
    #[arg(long, value_name = "REF")]
    embed: Option<String>,
    /// Give up the library's vectors first: the way to another encoder
    #[arg(long, requires = "embed")]
    embed_anew: bool,
    /// Threads to read pictures with [default: RAYON_NUM_THREADS, else one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DescribeArg {
    /// Those without any caption
    Missing,
    /// Also those with captions, behind these
    All,
    /// None
    None,
}

impl Source {
    /// Refuses what cannot be, before anything is made.
    pub(crate) fn check(&self, from: &[PathBuf]) -> Result<(), Failure> {
        if self.threads == Some(0) {
            return Err(Failure::mistake("--threads 0: at least one thread is needed to read"));
        }
        if self.caption.is_some() && (from.len() != 1 || from[0].is_dir()) {
            return Err(Failure::mistake("--caption is about one picture: name one file")
                .with_hint(
                    "captions of many pictures lie beside them, as NAME.txt (docs/library.md)",
                ));
        }
        if let Some(encoder) = &self.embed {
            model::locate(Some(encoder), "--embed REF")?;
        }
        // A path that is mistyped is a mistake; a broken file within a folder is told and passed over.
        if let Some(absent) = from.iter().find(|path| !path.exists()) {
            return Err(Failure::mistake(format!(
                "{}: there is no such file or folder",
                absent.display()
            )));
        }
        Ok(())
    }

    fn about(&self) -> About {
        let caption = self.caption.clone().map(|text| Caption {
            text,
            language: self.language.clone(),
            origin: Origin::Given,
            model: None,
        });
        About {
            captions: caption.into_iter().collect(),
            tags: self.tag.clone(),
            source: self.source.clone(),
            licence: self.licence.clone(),
            author: self.author.clone(),
            generated: None,
        }
    }

    /// Which pictures are described: where no model is named, the mini model is asked only if that is wanted, since
    /// of photographs it knows nothing.
    fn which(&self) -> Option<Which> {
        let named = self.model.model.as_ref().is_some_and(|name| !name.is_empty());
        match self.describe {
            Some(DescribeArg::All) => Some(Which::All),
            Some(DescribeArg::Missing) => Some(Which::Missing),
            None if named => Some(Which::Missing),
            _ => None,
        }
    }
}

/// Adds.
pub(crate) fn run(args: AddArgs) -> Result<(), Failure> {
    args.source.check(&args.from)?;
    let mut library = library::open(Some(&args.library))?;
    add(&mut library, args.from, &args.source, &args.library)
}

/// As JSON.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    added: Added,
    described: Option<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedded: Option<Embedded>,
}

/// Adds pictures, has them described, and tells.
pub(crate) fn add(
    library: &mut Library,
    from: Vec<PathBuf>,
    source: &Source,
    reference: &str,
) -> Result<(), Failure> {
    // Another encoder than the library's is refused before hours of work.
    let encoder = source.embed.as_deref().map(library::eyes::load).transpose()?;
    if let Some(encoder) = encoder.as_ref().filter(|_| !source.embed_anew) {
        library.unembedded(encoder.identity()).map_err(failure)?;
    }
    let threads = source.threads.unwrap_or_else(library::threads);
    let add = Add { from, given: source.about(), threads };
    let bar = progress::items("adding");
    interrupt::watch();
    let mut watch = |progress: Progress<'_>| {
        let warn = |text: String| bar.suspend(|| output::warn(&text));
        match progress {
            Progress::Done { done, all } => {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
            }
            Progress::Skipped(one) => {
                warn(format!("passed over {}: {}", one.path.display(), one.reason));
            }
            Progress::Unread(one) => {
                warn(format!("not read: {}: {}", one.path.display(), one.reason));
            }
            Progress::Duplicate { .. } => {} // counted: a folder may hold each picture twice
        }
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let added = library.add(&add, &mut watch);
    bar.finish_and_clear();
    let added = added.map_err(failure)?;
    if !source.json {
        tell(&added);
    }
    let described = source.which().map(|which| describe(library, source, which)).transpose()?;
    let embedded =
        encoder.map(|encoder| embed(library, &*encoder, source.embed_anew)).transpose()?;
    if source.json {
        return output::print_json(&Told { added, described, embedded });
    }
    if let Some(described) = &described {
        let pictures = counted(described.described, "picture");
        output::note(&format!("Described {pictures}; {} could not be.", described.skipped.len()));
    }
    if let Some(embedded) = &embedded {
        let pictures = counted(embedded.embedded, "vector");
        output::note(&format!("Made {pictures}; {} could not be.", embedded.skipped.len()));
    }
    let summary = library.summary().map_err(failure)?;
    if let Some(vectors) = &summary.vectors
        && vectors.pictures < summary.pictures
        && embedded.is_none()
    {
        let pictures = counted((summary.pictures - vectors.pictures) as usize, "picture");
        output::note(&format!(
            "{pictures} of the library have no vector:\n  \
             ixc library add PATH… --library {reference} --embed {}",
            vectors.encoder.name
        ));
    }
    let without = summary.without_caption;
    if without > 0 {
        let pictures = counted(without as usize, "picture");
        output::note(&format!(
            "{pictures} of the library have no caption, and only tags find them. A model can describe them:\n  \
             ixc library add PATH… --library {reference} --describe missing --model REF"
        ));
    }
    Ok(())
}

fn tell(added: &Added) {
    let Added { added: new, updated, unchanged, moved, duplicates, skipped, unread, others } =
        added;
    let parts = [
        (*new, "new"),
        (*updated, "changed"),
        (*moved, "moved"),
        (*unchanged, "as before"),
        (*duplicates, "equal to others"),
        (skipped.len(), "passed over"),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(count, what)| *count > 0 || *what == "new")
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    output::note(&format!("Pictures: {}.", told.join(", ")));
    if *others > 0 {
        output::note(&format!(
            "{} are no pictures by their names.",
            counted(*others, "other file")
        ));
    }
    if !unread.is_empty() {
        let lines = counted(unread.len(), "caption file or line");
        output::note(&format!("{lines} could not be read."));
    }
}

/// Has pictures described; loads no model where there is nothing to do.
fn describe(library: &mut Library, source: &Source, which: Which) -> Result<Described, Failure> {
    let name = source.model.place()?.to_string();
    if library.undescribed(which, &name).map_err(failure)? == 0 {
        return Ok(Described::default());
    }
    let loaded = source.model.load(Talks::One)?;
    let (bar, mut watch) = watched("describing");
    let mut caption = |picture: &Picture| said(&loaded, &source.ask, picture);
    let described = library.describe(which, &name, &mut caption, &mut watch);
    bar.finish_and_clear();
    let described = match described {
        // What stopped the model within a picture is no complaint about that picture.
        _ if interrupt::pressed() => Err(failure(ixc_library::Error::Cancelled)),
        other => other.map_err(failure),
    }?;
    for one in &described.skipped {
        output::warn(&format!("not described: {}: {}", one.path.display(), one.reason));
    }
    Ok(described)
}

/// Has vectors made, and the graph where there are many.
fn embed(library: &mut Library, encoder: &dyn Encoder, anew: bool) -> Result<Embedded, Failure> {
    if anew {
        library.forget_vectors().map_err(failure)?;
    }
    let (bar, mut watch) = watched("embedding");
    let embedded = library.embed(encoder, &mut watch);
    bar.finish_and_clear();
    let embedded = embedded.map_err(failure)?;
    for one in &embedded.skipped {
        output::warn(&format!("no vector: {}: {}", one.path.display(), one.reason));
    }
    let (bar, mut watch) = watched("making the graph");
    let graph = library.index_vectors(library::threads(), &mut watch);
    bar.finish_and_clear();
    graph.map_err(failure)?;
    Ok(embedded)
}

/// What a model says of a picture.
fn said(loaded: &Loaded, ask: &str, picture: &Picture) -> Result<String, String> {
    let engine = &loaded.engine;
    let mut conversation = Conversation::with_instruction(&engine.instruction());
    let parts = vec![Part::Image(0), Part::Text(ask.to_owned())];
    conversation.turns.push(Turn { role: Role::User, parts });
    let request = Request {
        decoding: Decoding::Greedy,
        max_new_tokens: WORDS,
        ..Request::new(conversation, vec![picture.clone()])
    };
    let mut sink = |_: &str| Ok(());
    let told = answer::tell(engine, &request, &mut engine.past(), &mut sink, &interrupt::pressed);
    match told {
        Ok(told) => told.answer.map(|answer| answer.text).ok_or_else(|| "stopped".to_owned()),
        Err(Failure::Told { exit: Exit::Mistake | Exit::Model, message, .. }) => Err(message),
        Err(_) => Err("the model could not be asked".into()),
    }
}
