//! `ixc compose`: from an instruction to an illustrated article.
//!
//! Invariant: everything that can be wrong with files, pictures and places to write to is found before the model is
//! loaded. Deliberately absent: the flow, which is `ixc_compose`'s.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum, builder::PossibleValuesParser, builder::TypedValueParser};
use ixc_compose::{
    Composition, Error, Generate, Project, Request, Sources, Stage, Watch, assemble, compose,
    limits::REQUEST_BYTES,
    request::{Images, Language},
};
use ixc_providers::Services;

use crate::{
    compose::{
        files::{self, Target},
        services::ServiceArgs,
        show::Show,
        sources,
        speaker::Speaker,
    },
    exit::{Exit, Failure},
    interrupt, library,
    model::{Loaded, ModelArgs, Place, Talks},
    options::random_seed,
    output,
};

const EXAMPLES: &str = "\
Examples:
  ixc compose \"A winter evening in a mountain village, three sections, calm tone\" --out evening.html
  ixc compose \"Our week in Norway\" --image fjord.jpg --image hut.jpg --images all --out norway.docx
  ixc compose \"给孩子们讲讲湖边的一天\" --language zh --library ~/pictures --images 3 --out lake.epub
  ixc compose --outline outline.txt --seed 7 --json stages.json --out article.ixca --out article
  ixc compose --from stages.json --again captions --out other.html
  ixc compose \"A day by the lake\" --providers comfyui.toml --generate always --out lake.html

The article streams to standard output; places, captions, candidates and choices are told on standard error. The \
same seed, model and pictures give the same article: only its words are drawn at random, everything else is the \
model's best answer. An article.ixca holds all of it, and `ixc edit` changes it. See docs/composition.md.";

/// Write an illustrated article: its text, places for pictures, captions, and pictures that fit
///
/// Pictures come from your own (--image), each used once at most, then from libraries (--library; with the mini model the
/// one that ixc draws when it is first needed), then from services (--providers), if there is a file that names some.
/// Where none has one, the place stays open under its caption.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ComposeArgs {
    /// What to write: a title, a subject, materials, how long, in which tone
    #[arg(required_unless_present_any = ["from", "outline", "requirements", "image"])]
    instruction: Option<String>,
    /// A picture of your own to write about and to place; may be repeated, 10 at most
    #[arg(short, long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// A library to take pictures from (`ixc library create`); may be repeated [default: with the mini model and no
    /// --image, the one that ixc draws]
    #[arg(long, value_name = "NAME|DIR")]
    library: Vec<String>,
    #[command(flatten)]
    services: ServiceArgs,
    /// How many pictures: a number, `auto` (the model decides), or `all` of your own
    #[arg(long, value_name = "N|auto|all", default_value = "auto", value_parser = images)]
    images: Images,
    /// Where to write it: article.html, .md, .docx, .epub, .pdf; .ixca (to edit it later); a folder (Markdown);
    /// may be repeated
    #[arg(short, long, value_name = "DIR|FILE")]
    out: Vec<PathBuf>,
    /// Replace what is there already
    #[arg(long)]
    replace: bool,
    /// A text file with an outline
    #[arg(long, value_name = "FILE")]
    outline: Option<PathBuf>,
    /// A text file with detailed requirements
    #[arg(long, value_name = "FILE")]
    requirements: Option<PathBuf>,
    /// The language to write in [default: the instruction's]
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<LanguageArg>,
    /// Decides the random draws; the same seed gives the same article [default: random, told at the end]
    #[arg(long, value_name = "N", conflicts_with = "beams")]
    seed: Option<u64>,
    /// Search the text with N answers side by side instead of drawing it
    #[arg(long, value_name = "N")]
    beams: Option<usize>,
    /// No pictures
    #[arg(long, conflicts_with_all = ["images", "library", "keep_generated"])]
    text_only: bool,
    /// Write every stage with what it was given and gave, so that any can be made again
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Go on from what --json wrote: stages that are missing in it are made, the others are taken as they are
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["instruction", "image", "images", "outline", "requirements", "language", "seed",
                              "beams", "text_only"]
    )]
    from: Option<PathBuf>,
    /// With --from: make this stage and those behind it again
    #[arg(
        long,
        value_name = "STAGE",
        requires = "from",
        conflicts_with_all = ["instruction", "image", "outline", "requirements"],
        value_parser = stages()
    )]
    again: Option<Stage>,
    #[command(flatten)]
    model: ModelArgs,
}

/// A language that can be asked for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LanguageArg {
    /// English
    En,
    /// Chinese
    Zh,
}

fn images(text: &str) -> Result<Images, String> {
    match text {
        "auto" => Ok(Images::Auto),
        "all" => Ok(Images::All),
        number => number
            .parse()
            .map(Images::Count)
            .map_err(|_| "expected a number, `auto` or `all`".into()),
    }
}

fn stages() -> impl TypedValueParser<Value = Stage> {
    let named = |name: &str| Stage::ALL.into_iter().find(|stage| stage.name() == name);
    PossibleValuesParser::new(Stage::ALL.map(Stage::name))
        .map(move |name| named(&name).expect("one of these"))
}

/// Composes.
pub(crate) fn run(args: ComposeArgs) -> Result<(), Failure> {
    let targets: Vec<Target> = args
        .out
        .iter()
        .map(|path| Target::of(path, args.replace))
        .collect::<Result<_, Failure>>()?;
    check_json(&args)?;
    let mut made = match &args.from {
        Some(path) => recorded(path, &args)?,
        None => Composition::new(request(&args)?),
    };
    made.request.check().map_err(Failure::mistake)?;
    interrupt::watch();
    let own: Vec<PathBuf> = made.request.own.iter().map(|own| own.path.clone().into()).collect();
    // What is found already needs no service any more.
    let asks = !made.has(Stage::Candidates) && made.request.images != Images::None;
    let services = if asks { args.services.open()? } else { Services::default() };
    if args.services.keeps() && asks && (services.generators.is_empty() || never(&made)) {
        let what = "--keep-generated: no service that makes pictures is asked";
        return Err(Failure::mistake(what)
            .with_hint("--providers FILE.toml names services; docs/composition.md tells how"));
    }
    let mut keeper = args.services.keeper()?;
    let sources = sources::open(&own, &made.request.libraries, services)?;
    if let Some(path) = &args.from {
        files::take_up(path, &made, &sources)?;
    }
    if args.from.is_none() {
        made.request.own = sources.own.iter().map(|own| own.known.clone()).collect();
    }
    sources.check(&made.request.own).map_err(Failure::mistake)?;
    if asks && sources.own.is_empty() && !sources.has_others(made.request.generate) {
        output::warn(
            "no pictures are given (--image) and no library is named (--library): their places stay open",
        );
    }
    let result = match Stage::ALL.iter().all(|stage| made.has(*stage)) {
        true => Ok(()),
        false => composed(&mut made, &args.model.load(Talks::Several)?, &sources),
    };
    // Before anything else can fail: nobody makes them again.
    let kept =
        keeper.as_mut().map(|keeper| keeper.keep(made.made(), |name| sources.kept.get(name)));
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&made).expect("plain data") + "\n";
        files::keep(path, &made, &sources)?;
        files::replace(path, json.as_bytes())?;
    }
    result.map_err(|failure| match &args.json {
        Some(path) => failure.with_hint(format!(
            "what was made until then is in it: `ixc compose --from {}` goes on",
            path.display()
        )),
        None => failure,
    })?;
    finish(made, &sources, &targets)?;
    kept.unwrap_or(Ok(()))
}

/// Whether services are not to make pictures.
fn never(made: &Composition) -> bool {
    made.request.generate == Generate::Never
}

/// Composes and shows it.
fn composed(made: &mut Composition, loaded: &Loaded, sources: &Sources) -> Result<(), Failure> {
    let mut show = Show::default();
    let result = {
        let mut observe = |event: ixc_compose::Event<'_>| show.event(event);
        let mut watch = Watch { observe: &mut observe, stop: &interrupt::pressed };
        compose(made, &Speaker(&loaded.engine), sources, &mut watch)
    };
    show.finish()?;
    result.map_err(|error| match error {
        Error::Cancelled => Failure::new(Exit::Interrupted, error),
        error => Failure::mistake(error),
    })?;
    let cost = made.cost();
    if cost.positions > 0 {
        output::note(&format!(
            "{} positions, of which {} were read once for several questions; seed {}",
            cost.positions, cost.reused, made.request.seed
        ));
    }
    Ok(())
}

/// Writes the files.
fn finish(made: Composition, sources: &Sources, targets: &[Target]) -> Result<(), Failure> {
    if made.sections().is_empty() {
        return Err(Failure::mistake(
            "the model wrote nothing, so there is nothing to write to a file",
        )
        .with_hint("another --seed, or other words, may help"));
    }
    let (article, assets) = assemble(&made, sources).map_err(Failure::mistake)?;
    let project = Project::new(made, article, assets, files::now());
    targets.iter().try_for_each(|target| target.write(&project, &files::options()))
}

/// A place for the record that cannot be written is told before an hour is spent.
fn check_json(args: &ComposeArgs) -> Result<(), Failure> {
    let Some(path) = &args.json else { return Ok(()) };
    let is_same = args.from.as_ref() == Some(path);
    if path.is_dir() || (path.exists() && !args.replace && !is_same) {
        return Err(Failure::mistake(format!("{} is there already", path.display()))
            .with_hint("--replace replaces what is there"));
    }
    let folder = ixc_files::folder_of(path);
    if folder.is_dir() {
        return Ok(());
    }
    Err(Failure::mistake(format!("{}: there is no folder {}", path.display(), folder.display())))
}

/// The flags as a request.
fn request(args: &ComposeArgs) -> Result<Request, Failure> {
    let text = |path: &Option<PathBuf>| path.as_deref().map(text).transpose();
    let own = args.image.iter().map(|path| ixc_compose::request::OwnPicture {
        path: path.display().to_string(),
        digest: String::new(),
    });
    let own: Vec<_> = own.collect();
    let images = if args.text_only { Images::None } else { args.images };
    // A model that cannot be found is told of when it is loaded.
    let is_mini = matches!(args.model.place(), Ok(Place::Mini(_)));
    let mut libraries = args.library.clone();
    if is_mini && libraries.is_empty() && own.is_empty() && images != Images::None {
        libraries.push(library::DRAWN.into());
    }
    Ok(Request {
        instruction: args.instruction.clone().unwrap_or_default(),
        outline: text(&args.outline)?,
        requirements: text(&args.requirements)?,
        language: args.language.map(|language| match language {
            LanguageArg::En => Language::En,
            LanguageArg::Zh => Language::Zh,
        }),
        images,
        own,
        libraries,
        generate: args.services.generate().unwrap_or_default(),
        seed: args.seed.unwrap_or_else(random_seed),
        beams: args.beams,
    })
}

/// A record to go on from.
fn recorded(path: &Path, args: &ComposeArgs) -> Result<Composition, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::mistake(format!("{}: {error}", path.display()));
    let json = fs::read(path).map_err(|error| failed(&error))?;
    let mut made = Composition::read(&json).map_err(|error| failed(&error))?;
    if let Some(stage) = args.again {
        made.cut(stage);
    }
    if !args.library.is_empty() {
        made.request.libraries = args.library.clone();
    }
    if let Some(when) = args.services.generate() {
        made.request.generate = when;
    }
    Ok(made)
}

/// A text file.
fn text(path: &Path) -> Result<String, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::mistake(format!("{}: {error}", path.display()));
    let size = fs::metadata(path).map_err(|error| failed(&error))?.len();
    if size > REQUEST_BYTES as u64 {
        return Err(failed(&format!("it has {size} bytes, the limit is {REQUEST_BYTES}")));
    }
    let held = fs::read(path).map_err(|error| failed(&error))?;
    String::from_utf8(held).map_err(|_| failed(&"expected a text in UTF-8"))
}
