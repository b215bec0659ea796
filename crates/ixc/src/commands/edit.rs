//! `ixc edit`: changes of a composed article, kept in its project file.
//!
//! Invariant: the file is replaced as a whole, behind an edit that was made as a whole; every edit can be undone.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ixc_compose::{
    Edit, Error, Project, Sources, Watch,
    chat::Decoding,
    edit::{self, With},
};
use ixc_providers::Services;

use crate::{
    compose::{
        files::{self, Target},
        services::ServiceArgs,
        show::{self, Show},
        sources,
        speaker::Speaker,
    },
    exit::{Exit, Failure},
    interrupt,
    model::{ModelArgs, Talks},
    output, picture,
};

const EXAMPLES: &str = "\
Examples:
  ixc edit evening.ixca show
  ixc edit evening.ixca rewrite 3 \"more snow, fewer words\"
  ixc edit evening.ixca insert 4 \"a paragraph about the fire\"
  ixc edit evening.ixca candidates 5
  ixc edit evening.ixca replace 5 --with B
  ixc edit evening.ixca undo
  ixc edit evening.ixca export evening.html --replace

Blocks are counted from 1, as `show` numbers them: paragraphs and pictures alike. The file keeps every version, so \
that undo and redo work in any later run.";

/// Change a composed article: its paragraphs, its pictures, their order
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct EditArgs {
    /// The project that `ixc compose --out FILE.ixca` wrote
    file: PathBuf,
    #[command(subcommand)]
    action: Action,
}

/// What can be done.
#[derive(Subcommand, Debug)]
enum Action {
    /// Print the article with its blocks' numbers
    Show,
    /// Print what was done, the present version marked
    History,
    /// Take the last change back
    Undo,
    /// Make a change again that was taken back
    Redo,
    /// Write the article to files for readers
    Export(ExportArgs),
    /// Write a paragraph anew, from material
    Rewrite(ParagraphArgs),
    /// Make a paragraph longer, with material
    Expand(ParagraphArgs),
    /// Make a paragraph shorter
    Shorten(AskArgs),
    /// Write a new paragraph that gets the number AT
    Insert(ParagraphArgs),
    /// Write a paragraph again between its neighbours
    Again(ParagraphArgs),
    /// Take a block out
    Delete(BlockArgs),
    /// Put a block elsewhere
    Move(MoveArgs),
    /// A new caption of a picture, yours or the model's, and new candidates
    Recaption(CaptionArgs),
    /// Find four other pictures for a picture's caption
    Candidates(AskArgs),
    /// Show another picture: a candidate, a file, or what the model chooses
    Replace(ReplaceArgs),
    /// Add a picture behind block AT
    Picture(PictureArgs),
}

#[derive(Args, Debug)]
struct ExportArgs {
    /// article.html, .md, .docx, .epub, .pdf, or a folder
    #[arg(required = true)]
    out: Vec<PathBuf>,
    /// Replace what is there already
    #[arg(long)]
    replace: bool,
    /// Pixels of a picture's width at most
    #[arg(long, value_name = "PX", default_value_t = 1600)]
    max_width: u32,
    /// Quality of pictures that become JPEG, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 85)]
    jpeg_quality: u8,
    /// Keep what cameras wrote into pictures: place, time, serial numbers
    #[arg(long)]
    keep_metadata: bool,
}

#[derive(Args, Debug)]
struct BlockArgs {
    /// The block's number
    at: usize,
}

#[derive(Args, Debug)]
struct MoveArgs {
    /// The block's number
    at: usize,
    /// The number it gets
    to: usize,
}

#[derive(Args, Debug)]
struct ParagraphArgs {
    /// The block's number
    at: usize,
    /// What to write, or to base it on
    #[arg(default_value = "")]
    text: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Args, Debug)]
struct AskArgs {
    /// The block's number
    at: usize,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Args, Debug)]
struct CaptionArgs {
    /// The picture's number
    at: usize,
    /// The caption [default: the model's]
    caption: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Args, Debug)]
struct ReplaceArgs {
    /// The picture's number
    at: usize,
    /// The letter of a candidate [default: the model chooses]
    #[arg(long, value_name = "LETTER", conflicts_with = "image")]
    with: Option<char>,
    /// A picture of your own
    #[arg(short, long, value_name = "FILE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Args, Debug)]
struct PictureArgs {
    /// The number of the block before it
    at: usize,
    /// The caption [default: the model's; none for a picture of your own]
    caption: Option<String>,
    /// A picture of your own instead of a library's
    #[arg(short, long, value_name = "FILE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
}

/// Who is asked, and where pictures are searched.
#[derive(Args, Debug)]
struct Asking {
    /// Decides the random draws [default: another one for every version]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// A library to take pictures from; may be repeated [default: those the article was composed with]
    #[arg(long, value_name = "NAME|DIR")]
    library: Vec<String>,
    #[command(flatten)]
    services: ServiceArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// Edits.
pub(crate) fn run(args: EditArgs) -> Result<(), Failure> {
    let mut project = files::read(&args.file)?;
    let (edit, asking) = match args.action {
        Action::Show => return output::print(&show::blocks(project.article())),
        Action::History => return history(&project),
        Action::Undo => {
            let undone =
                project.undo().ok_or_else(|| Failure::mistake("there is nothing to undo"))?;
            output::note(&format!("undone: {undone}"));
            return files::save(&args.file, &project);
        }
        Action::Redo => {
            let done =
                project.redo().ok_or_else(|| Failure::mistake("there is nothing to redo"))?;
            output::note(&format!("done again: {done}"));
            return files::save(&args.file, &project);
        }
        Action::Export(args) => return export(&project, &args),
        action => action.edit(&project)?,
    };
    let keeper = asking.as_ref().map(|asking| asking.services.keeper());
    let mut keeper = keeper.transpose()?.flatten();
    change(&mut project, &edit, asking.as_ref())?;
    files::save(&args.file, &project)?;
    if let Some(keeper) = &mut keeper {
        keeper.keep(project.article().made(), |name| project.assets.get(name).cloned())?;
    }
    output::print(&show::blocks(project.article()))
}

/// A number as a person counts, from 1.
fn index(number: usize) -> Result<usize, Failure> {
    number.checked_sub(1).ok_or_else(|| Failure::mistake("blocks are counted from 1, found 0"))
}

impl Action {
    /// As the editor's edit; with whom to ask, where anyone is asked.
    fn edit(self, project: &Project) -> Result<(Edit, Option<Asking>), Failure> {
        let words = |args: &ParagraphArgs| match args.text.trim() {
            "" => project.composition.request.asked(),
            text => text.to_owned(),
        };
        Ok(match self {
            Self::Rewrite(args) => {
                (Edit::Rewrite { at: index(args.at)?, material: args.text }, Some(args.asking))
            }
            Self::Expand(args) => {
                (Edit::Expand { at: index(args.at)?, material: args.text }, Some(args.asking))
            }
            Self::Shorten(args) => (Edit::Shorten { at: index(args.at)? }, Some(args.asking)),
            Self::Insert(args) => {
                (Edit::Insert { at: index(args.at)?, outline: words(&args) }, Some(args.asking))
            }
            Self::Again(args) => {
                (Edit::Again { at: index(args.at)?, outline: words(&args) }, Some(args.asking))
            }
            Self::Delete(args) => (Edit::Delete { at: index(args.at)? }, None),
            Self::Move(args) => (Edit::Move { at: index(args.at)?, to: index(args.to)? }, None),
            Self::Recaption(args) => {
                (Edit::Recaption { at: index(args.at)?, caption: args.caption }, Some(args.asking))
            }
            Self::Candidates(args) => (Edit::Candidates { at: index(args.at)? }, Some(args.asking)),
            Self::Replace(args) => {
                let with = match (args.with, &args.image) {
                    (Some(letter), _) => With::Candidate(candidate(letter)?),
                    (None, Some(path)) => file(path)?,
                    (None, None) => With::Chosen,
                };
                (Edit::Replace { at: index(args.at)?, with }, Some(args.asking))
            }
            Self::Picture(args) => {
                let with = args.image.as_deref().map(file).transpose()?;
                let (after, caption) = (index(args.at)?, args.caption);
                (Edit::Illustrate { after, caption, with }, Some(args.asking))
            }
            Self::Show | Self::History | Self::Undo | Self::Redo | Self::Export(_) => {
                unreachable!("these edit nothing")
            }
        })
    }
}

fn candidate(letter: char) -> Result<usize, Failure> {
    let upper = letter.to_ascii_uppercase();
    ('A'..='Z').position(|known| known == upper).ok_or_else(|| {
        Failure::mistake(format!("--with: expected a candidate's letter, found {letter:?}"))
    })
}

fn file(path: &Path) -> Result<With, Failure> {
    Ok(With::File { path: path.display().to_string(), bytes: picture::read(path)? })
}

/// Whether an edit asks the model anything.
fn asks(edit: &Edit) -> bool {
    match edit {
        Edit::Delete { .. } | Edit::Move { .. } | Edit::Candidates { .. } => false,
        Edit::Recaption { caption, .. } => caption.is_none(),
        Edit::Replace { with, .. } => *with == With::Chosen,
        Edit::Illustrate { with, .. } => with.is_none(),
        _ => true,
    }
}

/// Whether an edit looks for pictures.
fn searches(edit: &Edit) -> bool {
    match edit {
        Edit::Recaption { .. } | Edit::Candidates { .. } => true,
        Edit::Illustrate { with, .. } => with.is_none(),
        _ => false,
    }
}

/// Makes an edit.
fn change(project: &mut Project, edit: &Edit, asking: Option<&Asking>) -> Result<(), Failure> {
    interrupt::watch();
    let request = project.composition.request.clone();
    let versions = project.history().0.len() as u64;
    let mut sources = Sources::default();
    let mut decoding = request.decoding();
    if let Some(asking) = asking {
        let names = if asking.library.is_empty() { &request.libraries } else { &asking.library };
        let services = if searches(edit) { asking.services.open()? } else { Services::default() };
        sources = sources::open(&[], names, services)?;
        if let Some(when) = asking.services.generate() {
            project.composition.request.generate = when;
        }
        decoding = match (asking.seed, request.beams) {
            (Some(seed), _) => Decoding::Sample(seed),
            (None, Some(beams)) => Decoding::Beams(beams),
            (None, None) => Decoding::Sample(request.seed.wrapping_add(versions)),
        };
    }
    let mut show = Show::default();
    let result = {
        // The changed article is printed as a whole.
        let mut observe = |event: ixc_compose::Event<'_>| match event {
            ixc_compose::Event::Text(_) => {}
            event => show.event(event),
        };
        let mut watch = Watch { observe: &mut observe, stop: &interrupt::pressed };
        match asking.filter(|_| asks(edit)) {
            Some(asking) => {
                let loaded = asking.model.load(Talks::Several)?;
                let speaker = Speaker(&loaded.engine);
                edit::edit(project, edit, decoding, &speaker, &sources, &mut watch)
            }
            None => edit::edit(project, edit, decoding, &Nobody, &sources, &mut watch),
        }
    };
    // What was said of this edit alone is not the article's.
    project.composition.request.generate = request.generate;
    show.finish()?;
    result.map_err(|error| match error {
        Error::Cancelled => Failure::new(Exit::Interrupted, error),
        error => Failure::mistake(error),
    })
}

/// Who answers where nothing is asked, so that no model is loaded for it.
struct Nobody;

impl ixc_compose::Chat for Nobody {
    fn answer(
        &self,
        _: &ixc_compose::chat::Ask<'_>,
        _: &dyn Fn() -> bool,
        _: &mut dyn FnMut(&str) -> std::ops::ControlFlow<()>,
    ) -> Result<ixc_compose::chat::Reply, ixc_compose::chat::Refusal> {
        Err(ixc_compose::chat::Refusal("no model is loaded for this edit".into()))
    }
}

fn history(project: &Project) -> Result<(), Failure> {
    let (versions, present) = project.history();
    let line = |(at, version): (usize, &ixc_compose::project::Version)| {
        let mark = if at == present { "*" } else { " " };
        format!("{mark} {at}  {}\n", version.done)
    };
    output::print(&versions.iter().enumerate().map(line).collect::<String>())
}

fn export(project: &Project, args: &ExportArgs) -> Result<(), Failure> {
    let options = ixc_export::Options {
        max_width: args.max_width,
        jpeg_quality: args.jpeg_quality,
        keep_metadata: args.keep_metadata,
        ..files::options()
    };
    let targets: Vec<Target> = args
        .out
        .iter()
        .map(|path| Target::of(path, args.replace))
        .collect::<Result<_, Failure>>()?;
    targets.iter().try_for_each(|target| target.write(project, &options))
}
