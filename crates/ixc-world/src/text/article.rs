//! Illustrated articles: instruction, text, places, captions, candidates, all made of scenes.
//!
//! An article is a title and a few sections, each about one scene; what a section says is enough to know its
//! picture among others. Each step becomes a lesson in the prompts of [`ixc_input::composition`]. Invariants: no
//! sentence occurs twice; what is asked for is there, in its order. Deliberately absent: opinions on the world.

use ixc_input::composition;
use serde::{Deserialize, Serialize};

use super::{
    Language, caption,
    grammar::{any, joined, list, sentence, tidy},
    nouns::{self, Detail},
    phrases::articles as table,
};
use crate::{
    dice::{Dice, Purpose},
    judge::{facts::Fact, read},
    sample,
    scene::{Scene, Thing},
    split::SceneId,
};

/// Of a hundred English instructions, those in the words that people type.
const FREE: usize = 25;

/// What an instruction asks for, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wants {
    /// Sections below the title.
    pub sections: usize,
    /// What each section is about, in order: facts that it must state.
    pub outline: Vec<Vec<Fact>>,
    /// What must be mentioned somewhere.
    pub must: Vec<Fact>,
}

/// An article with all its steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// The language.
    pub language: Language,
    /// The user's words.
    pub instruction: String,
    /// The user's pictures.
    pub supplied: Vec<Scene>,
    /// What is asked for.
    pub wants: Wants,
    /// The title, then the sections.
    pub lines: Vec<String>,
    /// Lines that are followed by a picture, counted from 0.
    pub places: Vec<usize>,
    /// The pictures' captions.
    pub captions: Vec<String>,
    /// The right picture of each place.
    pub scenes: Vec<Scene>,
    /// Four candidates of each place; of supplied pictures, those not yet used.
    pub candidates: Vec<Vec<Scene>>,
    /// Which candidate is right.
    pub right: Vec<usize>,
}

/// One exchange with pictures, in the training data's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// The turn, with `<ImageHere>` for each picture.
    pub ask: String,
    /// The answer, with the beginning that is put into the model's mouth.
    pub say: String,
    /// The pictures.
    pub pictures: Vec<Scene>,
}

/// The article of a name.
pub fn article(id: SceneId) -> Article {
    let mut dice = Dice::of(id, Purpose::Articles);
    let language = Language::draw(&mut dice);
    let mut made = attempt(id, language, &mut dice);
    while repeats(&made.lines) {
        made = attempt(id, language, &mut dice);
    }
    made
}

/// The article of a name whose instruction brings no pictures, so that the words alone decide.
pub fn in_words(id: SceneId) -> Article {
    let mut number = id.number;
    loop {
        let article = article(SceneId { number, ..id });
        if article.supplied.is_empty() {
            return article;
        }
        number = number.wrapping_add(1 << 50);
    }
}

fn repeats(lines: &[String]) -> bool {
    let mut sentences = read::sentences(&lines.join("\n"));
    let all = sentences.len();
    sentences.sort_unstable();
    sentences.dedup();
    sentences.len() != all
}

/// A scene of the same split, in which something holds.
pub(crate) fn scene_with(id: SceneId, dice: &mut Dice, holds: impl Fn(&Scene) -> bool) -> Scene {
    loop {
        // Numbers of their own, that nobody counts up to.
        let scene = sample::scene(SceneId { number: (1 << 48) | (dice.bits() >> 17), ..id });
        if holds(&scene) {
            return scene;
        }
    }
}

fn attempt(id: SceneId, language: Language, dice: &mut Dice) -> Article {
    let sections = dice.between(2, 4);
    let mut scenes = vec![scene_with(id, dice, |_| true)];
    let free = language == Language::English && dice.chance(FREE);
    let one_place = free || dice.chance(40);
    while scenes.len() < sections {
        let first = scenes[0].clone();
        let used: Vec<_> = scenes.iter().map(|scene| (scene.place, scene.hour)).collect();
        // A section is known by its place, or by its hour where all have one place.
        scenes.push(scene_with(id, dice, |scene| {
            if one_place {
                let season = !free || scene.season == first.season;
                let known = used.contains(&(scene.place, scene.hour));
                scene.place == first.place && season && !known
            } else {
                !used.iter().any(|(place, _)| *place == scene.place)
            }
        }));
    }
    let tone = dice.below(if language == Language::Chinese { 2 } else { table::TONES.len() });
    let picks: Vec<Vec<Thing>> = scenes.iter().map(|scene| picked(scene, dice)).collect();
    let title = title(&scenes, one_place, language, dice);
    let mut lines = vec![title.clone()];
    lines.extend(body(&scenes, &picks, language, tone, dice));
    let supplied = if !free && dice.chance(30) { scenes.clone() } else { Vec::new() };
    let brief = Brief {
        scenes: &scenes,
        picks: &picks,
        title: &title,
        tone,
        one_place,
        with_pictures: !supplied.is_empty(),
        language,
    };
    let asked = if free { instruct_freely } else { instruct };
    let (instruction, wants) = asked(&brief, dice);
    illustrate(
        id,
        Article {
            language,
            instruction,
            supplied,
            wants,
            lines,
            places: Vec::new(),
            captions: Vec::new(),
            scenes,
            candidates: Vec::new(),
            right: Vec::new(),
        },
        &picks,
        dice,
    )
}

/// Adds places, captions and candidates.
fn illustrate(id: SceneId, mut article: Article, picks: &[Vec<Thing>], dice: &mut Dice) -> Article {
    let sections = article.scenes.len();
    let count =
        if article.supplied.is_empty() { dice.between(1, sections.min(3)) } else { sections };
    let mut at: Vec<usize> = (0..sections).collect();
    dice.shuffle(&mut at);
    at.truncate(count);
    at.sort_unstable();
    article.scenes = at.iter().map(|&at| article.scenes[at].clone()).collect();
    article.places = at.iter().map(|at| at + 1).collect();
    let mut unused = article.supplied.clone();
    for (scene, &at) in article.scenes.iter().zip(&at) {
        article.captions.push(caption::of_things(scene, &picks[at], article.language, dice));
        let mut candidates = if article.supplied.is_empty() {
            let says = |scene: &Scene, thing: &Thing| scene.find(thing.kind).is_some();
            let mut others: Vec<Scene> = (0..3)
                .map(|_| {
                    scene_with(id, dice, |other| {
                        other.place != scene.place
                            || !picks[at].iter().all(|thing| says(other, thing))
                    })
                })
                .collect();
            others.push(scene.clone());
            others
        } else {
            unused.clone()
        };
        dice.shuffle(&mut candidates);
        let right = candidates.iter().position(|candidate| candidate == scene);
        article.right.push(right.expect("the right one is among them"));
        article.candidates.push(candidates);
        unused.retain(|other| other != scene);
    }
    article
}

/// The things that a section tells of: one or two.
pub(crate) fn picked(scene: &Scene, dice: &mut Dice) -> Vec<Thing> {
    let mut things = scene.things.clone();
    dice.shuffle(&mut things);
    things.truncate(dice.between(1, 2).max(1));
    things
}

pub(super) fn title(
    scenes: &[Scene],
    one_place: bool,
    language: Language,
    dice: &mut Dice,
) -> String {
    let (first, last) = (scenes[0].place, scenes[scenes.len() - 1].place);
    if language == Language::Chinese {
        if one_place {
            return format!("{}的{}", first.chinese(), any(&["时光", "故事", "一天"], &[], dice));
        }
        return any(
            table::TITLES_CHINESE,
            &[("the", first.chinese()), ("other", last.chinese())],
            dice,
        );
    }
    let slots = [("the", nouns::the(first)), ("at", nouns::at(first)), ("other", nouns::the(last))];
    sentence(if one_place { table::TITLES_ONE } else { table::TITLES_MANY }, &slots, dice)
}

/// The sections, each with at most one sentence of the tone, none of them twice.
pub(super) fn body(
    scenes: &[Scene],
    picks: &[Vec<Thing>],
    language: Language,
    tone: usize,
    dice: &mut Dice,
) -> Vec<String> {
    let tones = if language == Language::Chinese { table::TONES_CHINESE } else { table::TONES };
    let mut feelings: Vec<&str> = tones[tone].1.to_vec();
    dice.shuffle(&mut feelings);
    let section = |(scene, things): (&Scene, &Vec<Thing>)| {
        let mut text = paragraph(scene, things, language, dice);
        if dice.chance(75)
            && let Some(feeling) = feelings.pop()
        {
            let blank = if language == Language::Chinese { "" } else { " " };
            text = format!("{text}{blank}{}", any(&[feeling], &[], dice));
        }
        text
    };
    scenes.iter().zip(picks).map(section).collect()
}

/// A paragraph about some things of a scene: the moment, then a sentence a thing.
pub(crate) fn paragraph(
    scene: &Scene,
    things: &[Thing],
    language: Language,
    dice: &mut Dice,
) -> String {
    if language == Language::Chinese {
        let moment = nouns::chinese_moment(scene);
        let slots = [("moment", moment.as_str()), ("place", scene.place.chinese())];
        let mut text = any(super::phrases::captions::OPENING_CHINESE, &slots, dice);
        text = text.replace("图中", "这里").replace("画面中", "这里");
        things.iter().for_each(|thing| text.push_str(&caption::chinese_about(scene, thing, dice)));
        return text;
    }
    let moment = nouns::moment(scene, dice);
    let slots = [
        ("moment", moment.as_str()),
        ("at", nouns::at(scene.place)),
        ("the", nouns::the(scene.place)),
    ];
    let mut sentences = vec![any(table::OPENINGS, &slots, dice)];
    for thing in things {
        sentences.push(one_sentence(scene, thing, dice));
    }
    tidy(&sentences.join(" "))
}

/// A sentence of a section about a thing.
pub(crate) fn one_sentence(scene: &Scene, thing: &Thing, dice: &mut Dice) -> String {
    let location = nouns::location(thing, scene.place.indoors(), dice);
    let location = if location.is_empty() { "side by side".to_owned() } else { location };
    let name = nouns::indefinite(thing, Detail::Full);
    let verb = nouns::agree(nouns::verb(thing.kind, dice), thing.count);
    let slots = [
        ("thing", name.as_str()),
        ("where", &location),
        ("verb", verb),
        ("is", nouns::is(thing.count)),
    ];
    any(table::THINGS, &slots, dice)
}

/// All that an instruction is made of.
struct Brief<'a> {
    scenes: &'a [Scene],
    picks: &'a [Vec<Thing>],
    title: &'a str,
    tone: usize,
    one_place: bool,
    with_pictures: bool,
    language: Language,
}

impl Brief<'_> {
    /// What one section is about, as words and as facts.
    fn item(&self, scene: &Scene) -> (String, Vec<Fact>) {
        if self.language == Language::Chinese {
            let words = format!("{}的{}", scene.hour.chinese(), scene.place.chinese());
            return (words, vec![Fact::Hour(scene.hour), Fact::Place(scene.place)]);
        }
        if self.one_place {
            let words = format!("the {} {}", scene.hour.english(), nouns::at(scene.place));
            return (words, vec![Fact::Hour(scene.hour), Fact::Place(scene.place)]);
        }
        let words = format!("{} in {}", nouns::the(scene.place), scene.season.english());
        (words, vec![Fact::Place(scene.place), Fact::Season(scene.season)])
    }
}

/// The instruction: title, and outline or number, tone, and what to mention, each or not.
fn instruct(brief: &Brief<'_>, dice: &mut Dice) -> (String, Wants) {
    let chinese = brief.language == Language::Chinese;
    let sections = brief.scenes.len();
    let (items, facts): (Vec<String>, Vec<Vec<Fact>>) =
        brief.scenes.iter().map(|scene| brief.item(scene)).unzip();
    let number = if chinese { nouns::chinese_number } else { nouns::number }(sections as u8);
    let tones = if chinese { table::TONES_CHINESE } else { table::TONES };
    let must: Vec<&Thing> = brief.picks.iter().filter_map(|things| things.first()).collect();
    let must = &must[..dice.between(1, 2).min(must.len())];
    let names: Vec<String> = must
        .iter()
        .map(|thing| match brief.language {
            Language::Chinese => nouns::chinese(thing, Detail::Full),
            Language::English => nouns::indefinite(thing, Detail::Full),
        })
        .collect();
    let blank = if chinese { "" } else { " " };
    let outlined = !brief.with_pictures && dice.chance(75);
    let mut detail = Vec::new();
    let numbered: Vec<String> =
        items.iter().enumerate().map(|(at, item)| format!("{}. {item}", at + 1)).collect();
    if outlined {
        let outline = numbered.join(if chinese { "；" } else { "; " });
        let phrases = if chinese { table::OUTLINE_CHINESE } else { table::OUTLINE };
        detail.push(any(phrases, &[("outline", &outline)], dice));
    } else if !brief.with_pictures || dice.chance(50) {
        let phrases = if chinese { table::LENGTH_CHINESE } else { table::LENGTH };
        detail.push(any(phrases, &[("number", number)], dice));
    }
    if dice.chance(60) {
        let phrases = if chinese { table::TONE_CHINESE } else { table::TONE };
        detail.push(any(phrases, &[("tone", tones[brief.tone].0)], dice));
    }
    let mut wants = Wants { sections, outline: Vec::new(), must: Vec::new() };
    if outlined || brief.with_pictures {
        wants.outline = facts;
    }
    if !brief.with_pictures && dice.chance(70) {
        let phrases = if chinese { table::MUST_CHINESE } else { table::MUST };
        let names = if chinese { joined(&names, "、", "和") } else { list(&names) };
        detail.push(any(phrases, &[("must", &names)], dice));
        wants.must = must.iter().flat_map(|thing| facts_of(thing)).collect();
    }
    let subject = if brief.one_place {
        nouns::the(brief.scenes[0].place).to_owned()
    } else {
        list(&places(brief))
    };
    let detail = if chinese { detail.join(blank) } else { tidy(&detail.join(blank)) };
    let slots = [
        ("title", brief.title),
        ("subject", subject.as_str()),
        ("number", number),
        ("detail", detail.as_str()),
    ];
    let phrases = match (chinese, brief.with_pictures) {
        (true, true) => table::INSTRUCTIONS_PICTURES_CHINESE,
        (true, false) => table::INSTRUCTIONS_CHINESE,
        (false, true) => table::INSTRUCTIONS_PICTURES,
        (false, false) => table::INSTRUCTIONS,
    };
    (any(phrases, &slots, dice).trim().to_owned(), wants)
}

/// An instruction as people type it: a moment somewhere, in words that are not the world's own, and a few wishes.
fn instruct_freely(brief: &Brief<'_>, dice: &mut Dice) -> (String, Wants) {
    let first = &brief.scenes[0];
    let sections = brief.scenes.len();
    let wherever = any(&[nouns::somewhere(first.place)], &[], dice);
    let moment = nouns::moment(first, dice);
    let names: Vec<String> =
        brief.picks[0].iter().take(1).map(|thing| nouns::indefinite(thing, Detail::Full)).collect();
    let slots = [
        ("where", wherever.as_str()),
        ("season", first.season.english()),
        ("hour", first.hour.english()),
        ("moment", moment.as_str()),
        ("number", nouns::number(sections as u8)),
        ("tone", table::TONES[brief.tone].0),
        ("must", &list(&names)),
    ];
    let (subject, holds): (_, fn(&Scene) -> Vec<Fact>) = match dice.below(3) {
        0 => (table::FREE_PLACE, |_| Vec::new()),
        1 => (table::FREE_SEASON, |scene| vec![Fact::Season(scene.season)]),
        _ => (table::FREE_HOUR, |scene| vec![Fact::Season(scene.season), Fact::Hour(scene.hour)]),
    };
    let mut parts = vec![sentence(subject, &slots, dice), any(table::FREE_LENGTH, &slots, dice)];
    if dice.chance(60) {
        parts.push(any(table::FREE_TONE, &slots, dice));
    }
    let must = !names.is_empty() && dice.chance(30);
    if must {
        parts.push(any(table::FREE_MUST, &slots, dice));
    }
    // What the first section is about is asked for; the others are in the same place.
    let about = |(at, scene): (usize, &Scene)| {
        let mut facts = vec![Fact::Place(scene.place)];
        facts.extend(if at == 0 { holds(scene) } else { Vec::new() });
        facts
    };
    let outline = brief.scenes.iter().enumerate().map(about).collect();
    let must =
        if must { brief.picks[0].iter().take(1).flat_map(facts_of).collect() } else { Vec::new() };
    (parts.join(", "), Wants { sections, outline, must })
}

fn places(brief: &Brief<'_>) -> Vec<String> {
    brief.scenes.iter().map(|scene| nouns::the(scene.place).to_owned()).collect()
}

/// A thing's kind and colour, as facts.
pub(crate) fn facts_of(thing: &Thing) -> Vec<Fact> {
    let mut facts = vec![Fact::Exists(thing.kind)];
    facts.extend(thing.colour.map(|colour| Fact::Colour(thing.kind, colour)));
    facts
}

impl Article {
    /// Every step as a lesson: the article, its places, a caption and a choice for each.
    pub fn lessons(&self) -> Vec<Lesson> {
        let lesson = |step: composition::Step, answer: &str, pictures: Vec<Scene>| Lesson {
            ask: composition::marked(&step.parts),
            say: format!("{}{answer}", step.prefix),
            pictures,
        };
        let supplied = self.supplied.len();
        let mut lessons = vec![
            lesson(
                composition::article(supplied, &self.instruction),
                &self.lines.join("\n"),
                self.supplied.clone(),
            ),
            {
                let places: Vec<String> =
                    self.places.iter().map(|place| format!("<Seg{place}>")).collect();
                let step = composition::places(supplied, &self.lines, Some(self.places.len()));
                lesson(step, &places.join(", "), self.supplied.clone())
            },
        ];
        let texts = composition::pieces(&self.lines, &self.places);
        for at in 0..self.places.len() {
            let past: Vec<(usize, &str)> = (0..at)
                .map(|before| (self.places[before], self.captions[before].as_str()))
                .collect();
            if supplied == 0 {
                let step = composition::caption(&self.lines, &past, self.places[at]);
                lessons.push(lesson(step, &format!("{}\"", self.captions[at]), Vec::new()));
            }
            let candidates = &self.candidates[at];
            if candidates.len() > 1 {
                let step = composition::choice(&texts[..=at], candidates.len());
                let letter = char::from(b'A' + self.right[at] as u8).to_string();
                let pictures = self.scenes[..at].iter().chain(candidates).cloned().collect();
                lessons.push(lesson(step, &letter, pictures));
            }
        }
        lessons
    }
}
