//! Which of some pictures is meant, on steps from "the first or the second" to the choice of an article's picture.
//!
//! The last step alone teaches a small model nothing: it has to hold on to what is asked for, find it among rows that
//! come later, tell whose rows they are, and say so behind words that are put into its mouth. Each step asks for one
//! of these more ([`Step`]). Most groups are as a search finds them: alike in place, moment and things, so that a colour
//! or the weather tells them apart. Invariant: what is asked for holds of one picture and of no other. Deliberately absent:
//! answers by elimination, which four texts of four pictures allow ([`super::matching`]).

use std::cmp::Reverse;

use ixc_input::{composition, conversation::IMAGE_MARKER};

use super::{
    Exchange, Language,
    article::{facts_of, paragraph, picked, scene_with, title},
    grammar::sentence,
    matching,
    phrases::choosing as table,
};
use crate::{
    closed::closed,
    dice::{Dice, Purpose},
    scene::{Scene, Thing},
    split::SceneId,
};

closed! {
    /// How far a question has come.
    Step {
        Order "order" "次序",
        Letter "letter" "字母",
        Lead "lead" "引语",
        Choice "choice" "选择",
    }
}

/// Conversations about one group of pictures, and questions in each.
const LESSONS: usize = 3;
const QUESTIONS: usize = 5;

/// Of a hundred searches, those that find the right picture behind another.
const SECOND: usize = 7;

/// The most pictures of a group: as many as an article's candidates.
const MOST: usize = 4;

/// A group of pictures, and conversations about some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choosing {
    /// The group; behind it pictures that articles have already.
    pub pictures: Vec<Scene>,
    /// Each a conversation of its own.
    pub lessons: Vec<Lesson>,
}

/// Questions about some pictures of a group; the first turn has their markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// How far they go.
    pub step: Step,
    /// Which pictures stand in the text before the question, by their place in `pictures`.
    pub before: Vec<usize>,
    /// Which pictures are shown to be chosen among, likewise.
    pub shown: Vec<usize>,
    /// Which of the shown ones is right, from 0, and the words; one may be right several times.
    pub questions: Vec<(usize, Exchange)>,
}

/// The group of a name.
pub fn choosing(id: SceneId) -> Choosing {
    let mut dice = Dice::of(id, Purpose::Choosing);
    let mut pictures = Vec::new();
    while pictures.len() < MOST {
        pictures = group(id, &mut dice);
    }
    let mut lessons = Vec::new();
    for _ in 0..LESSONS {
        let (lesson, earlier) = lesson(id, &pictures, &mut dice);
        pictures.extend(earlier);
        lessons.push(lesson);
    }
    Choosing { pictures, lessons }
}

/// Four pictures, each with something that no other has; fewer when that fails. The more scenes they are found among,
/// the more alike they are.
fn group(id: SceneId, dice: &mut Dice) -> Vec<Scene> {
    let among = *dice.weighted(&[(1, 30), (20, 25), (200, 45)]);
    let mut pictures = vec![scene_with(id, dice, |_| true)];
    while pictures.len() < MOST {
        let first = &pictures[0];
        let found = (0..among).map(|_| {
            let scene = scene_with(id, dice, |_| true);
            (likeness(first, &scene), scene)
        });
        let best = found.reduce(|best, next| if next.0 > best.0 { next } else { best });
        pictures.extend(best.map(|(_, scene)| scene));
    }
    let scenes: Vec<&Scene> = pictures.iter().collect();
    let known = (0..MOST).all(|right| {
        let by_thing = scenes[right]
            .things
            .iter()
            .any(|thing| told(&scenes, thing, false) || told(&scenes, thing, true));
        by_thing || WHOLES.iter().any(|whole| alone(&scenes, right, *whole))
    });
    if known { pictures } else { Vec::new() }
}

/// How much of one scene another has.
fn likeness(one: &Scene, other: &Scene) -> usize {
    let things = one.things.iter().filter_map(|thing| {
        let found = other.find(thing.kind)?;
        Some(2 + usize::from(found.colour == thing.colour))
    });
    let wholes = [
        one.place == other.place,
        one.weather == other.weather,
        one.season == other.season,
        one.hour == other.hour,
    ];
    things.sum::<usize>() + wholes.into_iter().filter(|same| *same).count() + usize::from(wholes[0])
}

/// One conversation, and the pictures that its text has already.
fn lesson(id: SceneId, pictures: &[Scene], dice: &mut Dice) -> (Lesson, Vec<Scene>) {
    let step = *dice.weighted(&[
        (Step::Order, 10),
        (Step::Letter, 10),
        (Step::Lead, 20),
        (Step::Choice, 60),
    ]);
    let count = if step == Step::Order { 2 } else { *dice.weighted(&[(2, 35), (3, 25), (4, 40)]) };
    let group = &pictures[..MOST];
    let mut shown: Vec<usize> = (0..MOST).collect();
    dice.shuffle(&mut shown);
    shown.truncate(count);
    let told = step == Step::Choice && dice.chance(70);
    let mut first = dice.below(count);
    let mut earlier = Vec::new();
    if told {
        first = as_found(group, &mut shown, first, dice);
        earlier = sections_before(id, &group[0], dice);
    }
    let scenes: Vec<&Scene> = shown.iter().map(|&at| &group[at]).collect();
    // Of alike pictures, the weather, the season and the hour are seldom asked for, and never learned beside things.
    let of_things = if dice.chance(40) { 10 } else { 60 };
    let mut questions: Vec<(usize, Exchange)> = Vec::new();
    let mut asked: Vec<String> = Vec::new();
    let mut before = Vec::new();
    while questions.len() < QUESTIONS {
        let opens = questions.is_empty();
        let right = if opens { first } else { dice.below(count) };
        let article: &[Scene] = if opens { &earlier } else { &[] };
        let telling = if told { text(id, &scenes, right, article, dice) } else { None };
        let asking = telling.or_else(|| question(&scenes, right, of_things, dice));
        // Some pictures have few questions that are theirs alone: then one comes again.
        let Some(asking) = asking.filter(|new| !asked.contains(new) || dice.chance(20)) else {
            continue;
        };
        if opens {
            let standing = asking.matches(IMAGE_MARKER).count();
            before = (pictures.len()..).take(standing).collect();
        }
        asked.push(asking.clone());
        questions
            .push((right, exchange(step, asking, (right, opens.then_some(count)), told, dice)));
    }
    earlier.truncate(before.len());
    (Lesson { step, before, shown, questions }, earlier)
}

/// Scenes of an article's sections before the one that is asked about, often none.
fn sections_before(id: SceneId, like: &Scene, dice: &mut Dice) -> Vec<Scene> {
    let (count, one_place) = (*dice.weighted(&[(0, 50), (1, 30), (2, 20)]), dice.chance(50));
    let fits = |scene: &Scene| !one_place || scene.place == like.place;
    (0..count).map(|_| scene_with(id, dice, fits)).collect()
}

/// Puts pictures into the order in which a search for one of them finds them: it first, now and then behind another,
/// then the rest as they are alike to it. The place at which it stands.
fn as_found(pictures: &[Scene], shown: &mut [usize], right: usize, dice: &mut Dice) -> usize {
    let right = shown[right];
    shown.sort_by_key(|&at| Reverse((at == right, likeness(&pictures[right], &pictures[at]))));
    let behind = usize::from(dice.chance(SECOND));
    shown.swap(0, behind);
    behind
}

/// One exchange: the right picture's number, and how many pictures the turn shows, if it is the one that does.
fn exchange(
    step: Step,
    asked: String,
    (right, shows): (usize, Option<usize>),
    told: bool,
    dice: &mut Dice,
) -> Exchange {
    let letter = char::from(b'A' + right as u8);
    let before = dice.chance(70);
    let around = |pictures: String| {
        if before { format!("{asked}{pictures}") } else { format!("{pictures}{asked}") }
    };
    let lettered = || shows.map_or(String::new(), lettered);
    match step {
        Step::Order => {
            let ask = around(IMAGE_MARKER.repeat(shows.unwrap_or(0)));
            Exchange { ask, say: if right == 0 { "First" } else { "Second" }.to_owned() }
        }
        Step::Letter => Exchange { ask: around(lettered()), say: letter.to_string() },
        Step::Lead => {
            let lead = *dice.pick(table::LEADS);
            Exchange { ask: around(lettered()), say: format!("{lead}{letter}") }
        }
        Step::Choice => {
            let say = format!("{}{letter}", composition::CHOICE_PREFIX);
            match shows {
                Some(count) => {
                    let pieces: Vec<String> =
                        format!("{asked}\n").split(IMAGE_MARKER).map(str::to_owned).collect();
                    let step = composition::choice(&pieces, count);
                    Exchange { ask: composition::marked(&step.parts), say }
                }
                None if told => Exchange { ask: format!("{}{asked}\n", matching::ASK), say },
                None => Exchange { ask: asked, say: letter.to_string() },
            }
        }
    }
}

/// Places for pictures with their letters, as an article's candidates have them.
fn lettered(count: usize) -> String {
    let lines: Vec<String> =
        ('A'..).take(count).map(|letter| format!("{letter}.{IMAGE_MARKER}")).collect();
    lines.join("\n")
}

/// What the whole of a scene is, beside its things.
#[derive(Clone, Copy)]
enum Whole {
    Place,
    Weather,
    Season,
    Hour,
}

const WHOLES: [Whole; 4] = [Whole::Place, Whole::Weather, Whole::Season, Whole::Hour];

/// Whether one picture alone is so.
fn alone(scenes: &[&Scene], right: usize, whole: Whole) -> bool {
    let here = scenes[right];
    let same = |other: &&&Scene| match whole {
        Whole::Place => other.place == here.place,
        Whole::Weather => other.weather == here.weather,
        Whole::Season => other.season == here.season,
        Whole::Hour => other.hour == here.hour,
    };
    scenes.iter().filter(same).count() == 1
}

/// A question about the one thing, so many times of a hundred, or the one property of the whole, that the right picture
/// alone has.
fn question(scenes: &[&Scene], right: usize, of_things: usize, dice: &mut Dice) -> Option<String> {
    if dice.chance(of_things) {
        return of_thing(scenes, scenes[right], dice);
    }
    let (here, whole) = (scenes[right], *dice.pick(&WHOLES));
    let (ask, word): (&[&str], &str) = match whole {
        Whole::Place => (table::PLACE, here.place.english()),
        Whole::Weather => (table::WEATHER, here.weather.english()),
        Whole::Season => (table::SEASON, here.season.english()),
        Whole::Hour => (table::HOUR, here.hour.english()),
    };
    alone(scenes, right, whole).then(|| sentence(ask, &[("word", word)], dice))
}

/// A question about a kind of thing, with its colour or without.
fn of_thing(scenes: &[&Scene], here: &Scene, dice: &mut Dice) -> Option<String> {
    let coloured = dice.chance(50);
    let fitting: Vec<&Thing> =
        here.things.iter().filter(|thing| told(scenes, thing, coloured)).collect();
    let thing = (!fitting.is_empty()).then(|| *dice.pick(&fitting))?;
    let colour = thing.colour.filter(|_| coloured).map_or("", |colour| colour.english());
    let slots = [("colour", colour), ("one", thing.kind.about().one)];
    Some(sentence(table::THING, &slots, dice))
}

/// Whether one picture alone has such a thing: of this kind, or of this kind and colour.
fn told(scenes: &[&Scene], thing: &Thing, coloured: bool) -> bool {
    let has = |scene: &&&Scene| match scene.find(thing.kind) {
        Some(found) => !coloured || found.colour == thing.colour,
        None => scene.place.background().contains(&thing.kind),
    };
    scenes.iter().filter(has).count() == 1 && (!coloured || thing.colour.is_some())
}

/// A paragraph about the right picture that fits no other, at times behind others: of an article with its pictures, where
/// there are sections before it.
fn text(
    id: SceneId,
    scenes: &[&Scene],
    right: usize,
    before: &[Scene],
    dice: &mut Dice,
) -> Option<String> {
    let language = Language::draw(dice);
    let things = picked(scenes[right], dice);
    let here = scenes[right];
    let fits = |scene: &&&Scene| {
        let has = |thing: &Thing| {
            scene.find(thing.kind).is_some_and(|found| facts_of(found) == facts_of(thing))
        };
        (scene.place, scene.weather, scene.season, scene.hour)
            == (here.place, here.weather, here.season, here.hour)
            && things.iter().all(has)
    };
    if scenes.iter().filter(fits).count() != 1 {
        return None;
    }
    let last = paragraph(here, &things, language, dice);
    if !before.is_empty() {
        let mut about = before.to_vec();
        about.push(here.clone());
        let one_place = about.iter().all(|scene| scene.place == here.place);
        let mut article = format!("{}\n", title(&about, one_place, language, dice));
        for scene in before {
            let things = picked(scene, dice);
            let section = paragraph(scene, &things, language, dice);
            article.push_str(&format!("{section}\n{IMAGE_MARKER}"));
        }
        return Some(article + &last);
    }
    let mut paragraphs = Vec::new();
    for _ in 0..*dice.weighted(&[(0, 50), (1, 30), (2, 20)]) {
        let other = scene_with(id, dice, |_| true);
        let things = picked(&other, dice);
        paragraphs.push(paragraph(&other, &things, language, dice));
    }
    paragraphs.push(last);
    Some(paragraphs.join("\n"))
}
