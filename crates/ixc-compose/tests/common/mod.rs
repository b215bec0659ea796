//! A model that says what a script tells it, and pictures to show it.
#![allow(dead_code)] // each test takes what it needs

use std::{cell::RefCell, fs, ops::ControlFlow, sync::OnceLock};

use ixc_compose::{
    Chat, Composition, Error, Event, Request, Sources, Watch,
    chat::{Ask, Cost, Ended, Refusal, Reply},
    compose,
    odd::Odd,
    source::{Library, Own},
};
use ixc_input::composition::{CAPTION_PREFIX, CHOICE_PREFIX, PLACES_PREFIX, marked};

/// What the model says at each step; captions and choices in turn, the last of them again and again.
#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) article: String,
    pub(crate) places: String,
    pub(crate) captions: Vec<String>,
    pub(crate) choices: Vec<String>,
    /// Words after which each answer ends by itself as at its limit.
    pub(crate) cut: bool,
    /// Refuses every step that begins so.
    pub(crate) refuses: Option<&'static str>,
}

/// The model, and what it was asked.
pub(crate) struct Scripted {
    script: RefCell<Script>,
    pub(crate) asked: RefCell<Vec<(String, usize)>>,
}

impl Scripted {
    pub(crate) fn new(script: Script) -> Self {
        Self { script: RefCell::new(script), asked: RefCell::default() }
    }
}

fn next(answers: &mut Vec<String>) -> String {
    if answers.len() > 1 { answers.remove(0) } else { answers.first().cloned().unwrap_or_default() }
}

impl Chat for Scripted {
    fn answer(
        &self,
        ask: &Ask<'_>,
        stop: &dyn Fn() -> bool,
        hear: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Reply, Refusal> {
        let turn = marked(&ask.step.parts);
        assert_eq!(turn.matches("<ImageHere>").count(), ask.pictures.len());
        self.asked.borrow_mut().push((turn, ask.pictures.len()));
        let mut script = self.script.borrow_mut();
        if script.refuses == Some(ask.step.prefix) {
            return Err(Refusal("it is too long".into()));
        }
        let answer = match ask.step.prefix {
            PLACES_PREFIX => script.places.clone(),
            CAPTION_PREFIX => next(&mut script.captions),
            CHOICE_PREFIX => next(&mut script.choices),
            _ => script.article.clone(),
        };
        let mut text = String::new();
        let reply = |text, ended| Ok(Reply { text, ended, cost: Cost::default() });
        for piece in answer.chars().map(String::from) {
            if stop() {
                return reply(text, Ended::Stopped);
            }
            text.push_str(&piece);
            if hear(&piece).is_break() {
                return reply(text, Ended::Heard);
            }
        }
        reply(text, if script.cut { Ended::Length } else { Ended::Itself })
    }
}

/// A red, green or blue picture as a file.
pub(crate) fn bmp(red: u8, green: u8, blue: u8) -> Vec<u8> {
    let mut file = b"BM".to_vec();
    for number in [58u32, 0, 54, 40, 1, 1] {
        file.extend(number.to_le_bytes());
    }
    file.extend([1, 0, 24, 0]);
    file.extend([0; 24]);
    file.extend([blue, green, red, 0]);
    file
}

pub(crate) fn own(count: u8) -> Vec<Own> {
    (0..count).map(|at| Own::new(&format!("my/photo-{at}.bmp"), bmp(at, 0, 9)).unwrap()).collect()
}

/// Twelve pictures of one colour each, no two of which look alike, with captions.
pub(crate) fn library() -> Library {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for at in 0..12 {
            let stem = folder.path().join(format!("{at:02}"));
            fs::write(stem.with_extension("bmp"), bmp(20 * at, 250 - 20 * at, 0)).unwrap();
            let caption = ["A boat by the lake", "Snow in the forest"][usize::from(at % 2)];
            fs::write(stem.with_extension("txt"), format!("{caption}, {at}")).unwrap();
        }
        let mut library = ixc_library::Library::create(folder.path()).unwrap();
        let from = vec![folder.path().into()];
        let add = ixc_library::Add { from, ..Default::default() };
        let added = library.add(&add, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(added.added, 12, "{added:?}");
        folder
    });
    let library = ixc_library::Library::open(folder.path()).unwrap();
    Library { name: "small".into(), library }
}

pub(crate) fn with_library() -> Sources {
    Sources { libraries: vec![library()], ..Sources::default() }
}

pub(crate) fn request(sources: &Sources) -> Request {
    Request {
        instruction: "A winter evening".into(),
        own: sources.own.iter().map(|own| own.known.clone()).collect(),
        ..Request::default()
    }
}

/// Composes; the article is always delivered.
pub(crate) fn run(request: Request, script: &Script, sources: &Sources) -> (Composition, Vec<Odd>) {
    let model = Scripted::new(script.clone());
    let mut made = Composition::new(request);
    let mut told = Vec::new();
    let mut observe = |event: Event<'_>| {
        if let Event::Odd(odd) = event {
            told.push(odd.clone());
        }
    };
    let mut watch = Watch { observe: &mut observe, stop: &|| false };
    compose(&mut made, &model, sources, &mut watch).unwrap();
    assert_eq!(made.odd().cloned().collect::<Vec<_>>(), told, "what is told is kept");
    let json = serde_json::to_vec(&made).unwrap();
    assert_eq!(Composition::read(&json).unwrap(), made);
    (made, told)
}

/// A composition that is stopped when `stop` says so.
pub(crate) fn stopped(
    script: &Script,
    stop: &dyn Fn() -> bool,
) -> (Composition, Result<(), Error>) {
    let sources = with_library();
    let mut made = Composition::new(request(&sources));
    let mut watch = Watch { observe: &mut |_| {}, stop };
    let result = compose(&mut made, &Scripted::new(script.clone()), &sources, &mut watch);
    (made, result)
}
