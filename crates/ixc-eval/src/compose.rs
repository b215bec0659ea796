//! Composing as a whole: how much of illustrated articles is as it should be, over instructions that nobody trained on.
//!
//! instruction → article, places, captions → a library in which each caption has one right picture → candidates,
//! choices. The right picture is drawn of a scene that is made of what its caption states, and of what its section
//! states where the caption is silent; the library knows of it what it knows of its other pictures;
//! it comes to the pictures of all articles before, so that the wrong ones are many and alike. Deliberately absent:
//! opinions; truth is the scenes'.

use std::{collections::BTreeMap, fs, ops::ControlFlow, path::Path};

use ixc_compose::{
    Chat, Composition, Request, Sources, Stage, Watch, compose,
    record::Choice,
    request::Images,
    source::{self, Origin},
};
use ixc_library::{Add, Id, Library};
use ixc_world::{
    draw,
    judge::facts::{Fact, stated},
    sample,
    scene::Scene,
    split::{SceneId, Split},
    text::article::in_words,
    write,
};
use serde::Serialize;

use crate::{
    Error,
    interval::{Share, Tally},
    world::{SIDE, report::Figure},
};

/// Pictures that the library begins with.
const BEGUN_WITH: u64 = 120;

/// Scenes made of the facts of a caption and its section, of which the one that holds most is the right one.
const SCENES: u64 = 100;

/// Pictures asked for, in turn.
const WANTED: [usize; 3] = [1, 2, 3];

/// What is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Decides which instructions, and what is drawn at random.
    pub seed: u64,
    /// How many.
    pub articles: u64,
}

/// The figures, and what the questions cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Of the instructions.
    pub seed: u64,
    /// How many.
    pub articles: u64,
    /// Shares.
    pub figures: Vec<Figure>,
    /// Positions of all questions.
    pub positions: usize,
    /// How many of them were not read again.
    pub reused: usize,
    /// What was odd in answers, by its kind.
    pub odd: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Tallies {
    delivered: Tally,
    kept: Tally,
    found: Tally,
    first: Tally,
    chosen: Tally,
    fits: Tally,
    positions: usize,
    reused: usize,
    odd: BTreeMap<String, u64>,
}

/// Examines. `folder` is empty and gets the library. `watch` hears of articles done and of all, and says whether to go
/// on.
///
/// # Errors
/// When the library cannot be made, or `watch` breaks off.
pub fn examine(
    chat: &dyn Chat,
    options: Options,
    folder: &Path,
    watch: &dyn Fn(u64, u64) -> ControlFlow<()>,
) -> Result<Report, Error> {
    let mut shelf = Shelf::new(folder)?;
    let mut tallies = Tallies::default();
    for number in 0..options.articles {
        let stop = || watch(number, options.articles).is_break();
        if stop() {
            return Err(Error::Cancelled);
        }
        let id = SceneId { split: Split::Test, seed: options.seed, number };
        let wanted = WANTED[number as usize % WANTED.len()];
        let seed = options.seed.wrapping_add(number);
        let instruction = in_words(id).instruction;
        let images = Images::Count(wanted);
        let request = Request { instruction, images, seed, ..Request::default() };
        let mut made = Composition::new(request);
        let run = |made: &mut Composition, sources: &Sources| {
            let mut watch = Watch { observe: &mut |_| {}, stop: &stop };
            match compose(made, chat, sources, &mut watch) {
                Err(ixc_compose::Error::Cancelled) => Err(Error::Cancelled),
                result => Ok(result.is_ok()),
            }
        };
        // Up to the captions, of which the library is made; then from there on.
        let written = run(&mut made, &Sources::default())?;
        made.cut(Stage::Candidates);
        let right = shelf.put(&made)?;
        let delivered = written && run(&mut made, &shelf.sources()?)?;
        tallies.add(&made, delivered && !made.sections().is_empty(), wanted, &right, &shelf);
    }
    Ok(tallies.report(options))
}

/// The library, and the scenes of its pictures.
struct Shelf<'a> {
    folder: &'a Path,
    scenes: BTreeMap<Id, Scene>,
    /// Pictures put in beside those that it began with.
    put: u64,
}

impl<'a> Shelf<'a> {
    fn new(folder: &'a Path) -> Result<Self, Error> {
        let drawn = write::Options {
            split: Split::Library,
            seed: 0,
            count: BEGUN_WITH,
            side: SIDE,
            what: Vec::new(),
            labels: false,
            threads: 1,
            out: folder.join("drawn"),
        };
        write::library(&drawn, &|_, _| ControlFlow::Continue(())).map_err(failed)?;
        let mut library = Library::create(folder).map_err(failed)?;
        add(&mut library, &drawn.out)?;
        let mut scenes = BTreeMap::new();
        for id in library.ids().map_err(failed)? {
            // A drawing's name begins with its number.
            let entry = library.get(id).map_err(failed)?;
            let name = entry.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some(number) = name.get(..4).and_then(|digits| digits.parse().ok()) {
                scenes.insert(id, write::member(drawn.seed, number));
            }
        }
        Ok(Self { folder, scenes, put: 0 })
    }

    fn sources(&self) -> Result<Sources, Error> {
        let library = Library::open(self.folder).map_err(failed)?;
        let library = source::Library { name: "examination".into(), library };
        Ok(Sources { libraries: vec![library], ..Sources::default() })
    }

    /// Puts in the right picture of each caption that states anything; its number, or that of its equal.
    fn put(&mut self, made: &Composition) -> Result<BTreeMap<usize, Id>, Error> {
        let mut library = Library::open(self.folder).map_err(failed)?;
        let mut right = BTreeMap::new();
        for asked in made.captions.iter().flatten() {
            let caption = stated(&asked.caption);
            if caption.is_empty() {
                continue;
            }
            let section = made.sections().get(asked.place).map_or("", String::as_str);
            let scene = self.scene(&caption, &stated(section));
            let name = format!("right-{:05}", self.put);
            let folder = self.folder.join(&name);
            fs::create_dir_all(&folder).map_err(Error::file("make the folder", &folder))?;
            let path = folder.join("picture.png");
            let png = write::png(&draw::picture(&scene, SIDE));
            fs::write(&path, png).map_err(Error::file("write", &path))?;
            let beside = path.with_extension("json");
            fs::write(&beside, write::known(&scene).to_string())
                .map_err(Error::file("write", &beside))?;
            add(&mut library, &folder)?;
            self.put += 1;
            if let Some(entry) = library.find(&path).map_err(failed)? {
                self.scenes.insert(entry.id, scene);
                right.insert(asked.place, entry.id);
            }
        }
        Ok(right)
    }

    /// Of scenes made of the facts that no picture has yet, the one in which most of the caption's hold, then of the
    /// section's; the first of equals.
    fn scene(&self, caption: &[Fact], section: &[Fact]) -> Scene {
        let facts = [caption, section].concat();
        let scenes = (0..SCENES).map(|at| {
            let number = (1 << 40) + self.put * SCENES + at;
            let id = SceneId { split: Split::Library, seed: 0, number };
            sample::of_facts(id, &facts)
        });
        let held =
            |facts: &[Fact], scene: &Scene| facts.iter().filter(|fact| fact.holds(scene)).count();
        let best = scenes
            .map(|scene| ((held(caption, &scene), held(section, &scene)), scene))
            .reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.expect("there are scenes").1
    }
}

fn add(library: &mut Library, folder: &Path) -> Result<(), Error> {
    let add = Add { from: vec![folder.into()], threads: 1, ..Add::default() };
    library.add(&add, &mut |_| ControlFlow::Continue(())).map_err(failed)?;
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Library { reason: error.to_string() }
}

impl Tallies {
    fn add(
        &mut self,
        made: &Composition,
        delivered: bool,
        wanted: usize,
        right: &BTreeMap<usize, Id>,
        shelf: &Shelf<'_>,
    ) {
        self.delivered.add(delivered);
        let places = made.places.as_ref().map_or(0, |places| places.places.len());
        self.kept.add(places == wanted);
        for choice in made.choices.iter().flatten() {
            let right = right.get(&choice.place);
            let is_right = |at: usize| number(choice, at).is_some_and(|id| right == Some(&id));
            self.found.add((0..choice.shown.len()).any(is_right));
            self.first.add(is_right(0));
            self.chosen.add(choice.taken.is_some_and(is_right));
            let scene = choice.taken.and_then(|at| shelf.scenes.get(&number(choice, at)?));
            let section = made.sections().get(choice.place).map_or("", String::as_str);
            let mut facts = stated(&choice.caption);
            facts.extend(stated(section));
            let held = facts.iter().filter(|fact| scene.is_some_and(|scene| fact.holds(scene)));
            self.fits.add_many(held.count() as u64, facts.len() as u64);
        }
        let cost = made.cost();
        self.positions += cost.positions;
        self.reused += cost.reused;
        for odd in made.odd() {
            let kind = serde_json::to_value(odd).ok();
            let kind = kind.and_then(|value| Some(value.get("odd")?.as_str()?.to_owned()));
            *self.odd.entry(kind.unwrap_or_default()).or_default() += 1;
        }
    }

    fn report(self, options: Options) -> Report {
        let figure = |name: &str, share: Option<Share>, chance, aim| {
            let (name, blind) = (name.to_owned(), None);
            Some(Figure { name, share: share?, chance, blind, aim })
        };
        let figures = [
            figure("articles delivered", self.delivered.share(), None, Some(1.0)),
            figure("number of pictures kept", self.kept.share(), None, Some(0.95)),
            figure("right picture among the candidates", self.found.share(), None, Some(0.90)),
            // Whoever always takes the first has this.
            figure("right picture first among them", self.first.share(), None, None),
            figure("right picture chosen", self.chosen.share(), Some(0.25), Some(0.85)),
            figure(
                "facts of caption and section in the picture",
                self.fits.share(),
                None,
                Some(0.85),
            ),
        ];
        Report {
            seed: options.seed,
            articles: options.articles,
            figures: figures.into_iter().flatten().collect(),
            positions: self.positions,
            reused: self.reused,
            odd: self.odd,
        }
    }
}

/// The number of a candidate in the library.
fn number(choice: &Choice, at: usize) -> Option<Id> {
    match &choice.shown.get(at)?.origin {
        Origin::Library { id, .. } => Some(*id),
        _ => None,
    }
}
