//! Which of some pictures is meant, on steps from "the first or the second" to the choice of an article's picture.
//!
//! The last step alone teaches a small model nothing: it has to hold on to what is asked for, find it among rows that
//! come later, tell whose rows they are, and say so behind words that are put into its mouth. Each step asks for one
//! of these more ([`Step`]). Invariant: what is asked for holds of one picture and of no other. Deliberately absent:
//! answers by elimination, which four texts of four pictures allow ([`super::matching`]).

use ixc_input::{composition, conversation::IMAGE_MARKER};

use super::{
    Exchange, Language,
    article::{facts_of, paragraph, picked, scene_with},
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

/// The most pictures of a group: as many as an article's candidates.
const MOST: usize = 4;

/// A group of pictures, and conversations about some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choosing {
    /// The group.
    pub pictures: Vec<Scene>,
    /// Each a conversation of its own.
    pub lessons: Vec<Lesson>,
}

/// Questions about some pictures of a group; the first turn has their markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// How far they go.
    pub step: Step,
    /// Which pictures are shown, by their place in the group.
    pub shown: Vec<usize>,
    /// Which of the shown ones is right, from 0, and the words; one may be right several times.
    pub questions: Vec<(usize, Exchange)>,
}

/// The group of a name.
pub fn choosing(id: SceneId) -> Choosing {
    let mut dice = Dice::of(id, Purpose::Choosing);
    let mut pictures: Vec<Scene> = Vec::new();
    while pictures.len() < MOST {
        let next = scene_with(id, &mut dice, |scene| {
            pictures.iter().all(|other| other.place != scene.place || other.hour != scene.hour)
        });
        pictures.push(next);
    }
    let lessons = (0..LESSONS).map(|_| lesson(&pictures, &mut dice)).collect();
    Choosing { pictures, lessons }
}

fn lesson(pictures: &[Scene], dice: &mut Dice) -> Lesson {
    let step = *dice.weighted(&[
        (Step::Order, 10),
        (Step::Letter, 10),
        (Step::Lead, 20),
        (Step::Choice, 60),
    ]);
    let count = if step == Step::Order { 2 } else { *dice.weighted(&[(2, 35), (3, 25), (4, 40)]) };
    let mut shown: Vec<usize> = (0..pictures.len()).collect();
    dice.shuffle(&mut shown);
    shown.truncate(count);
    let scenes: Vec<&Scene> = shown.iter().map(|&at| &pictures[at]).collect();
    let told = step == Step::Choice && dice.chance(50);
    let mut questions: Vec<(usize, Exchange)> = Vec::new();
    let mut asked: Vec<String> = Vec::new();
    while questions.len() < QUESTIONS {
        let right = dice.below(count);
        let telling = if told { text(&scenes, right, dice) } else { None };
        let asking = telling.or_else(|| question(&scenes, right, dice));
        // Some pictures have few questions that are theirs alone: then one comes again.
        let Some(asking) = asking.filter(|new| !asked.contains(new) || dice.chance(20)) else {
            continue;
        };
        asked.push(asking.clone());
        let shows = questions.is_empty().then_some(count);
        questions.push((right, exchange(step, asking, (right, shows), told, dice)));
    }
    Lesson { step, shown, questions }
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
                    let step = composition::choice(&[format!("{asked}\n")], count);
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

/// A question about the one thing, or the one property of the whole, that the right picture alone has.
fn question(scenes: &[&Scene], right: usize, dice: &mut Dice) -> Option<String> {
    let here = scenes[right];
    let alone =
        |holds: &dyn Fn(&Scene) -> bool| scenes.iter().filter(|one| holds(one)).count() == 1;
    let (ask, word): (&[&str], &str) = match dice.below(10) {
        0 if alone(&|one| one.place == here.place) => (table::PLACE, here.place.english()),
        1 if alone(&|one| one.weather == here.weather) => (table::WEATHER, here.weather.english()),
        2 if alone(&|one| one.season == here.season) => (table::SEASON, here.season.english()),
        3 if alone(&|one| one.hour == here.hour) => (table::HOUR, here.hour.english()),
        4.. => return of_thing(scenes, here, dice),
        _ => return None,
    };
    Some(sentence(ask, &[("word", word)], dice))
}

/// A question about a kind of thing, with its colour or without.
fn of_thing(scenes: &[&Scene], here: &Scene, dice: &mut Dice) -> Option<String> {
    let coloured = dice.chance(40);
    let told = |thing: &Thing| {
        let has = |scene: &&&Scene| match scene.find(thing.kind) {
            Some(found) => !coloured || found.colour == thing.colour,
            None => scene.place.background().contains(&thing.kind),
        };
        scenes.iter().filter(has).count() == 1 && (!coloured || thing.colour.is_some())
    };
    let fitting: Vec<&Thing> = here.things.iter().filter(|thing| told(thing)).collect();
    let thing = (!fitting.is_empty()).then(|| *dice.pick(&fitting))?;
    let colour = thing.colour.filter(|_| coloured).map_or("", |colour| colour.english());
    let slots = [("colour", colour), ("one", thing.kind.about().one)];
    Some(sentence(table::THING, &slots, dice))
}

/// A paragraph about the right picture that fits no other.
fn text(scenes: &[&Scene], right: usize, dice: &mut Dice) -> Option<String> {
    let language = Language::draw(dice);
    let things = picked(scenes[right], dice);
    let fits = |scene: &&&Scene| {
        let has = |thing: &Thing| {
            scene.find(thing.kind).is_some_and(|found| facts_of(found) == facts_of(thing))
        };
        things.iter().all(has)
    };
    (scenes.iter().filter(fits).count() == 1)
        .then(|| paragraph(scenes[right], &things, language, dice))
}
