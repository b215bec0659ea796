//! Questions about single things, several about one picture: whether they are there, where, how many, which are alike;
//! or nothing but where each of them is; or nothing but how they compare, or whether their colours are the same.
//!
//! What a whole scene shows is learned by itself; that a thing is there, and where, takes many more questions
//! ([`crate::text::question`] has all types in even shares). Deliberately absent: other questions.

use super::{
    Language,
    question::{Question, Type, Value, question},
};
use crate::{
    dice::{Dice, Purpose},
    scene::{Scene, Thing},
};

/// Types, each as often as it is asked.
const TYPES: [(Type, usize); 7] = [
    (Type::Existence, 6),
    (Type::Position, 6),
    (Type::Comparison, 3),
    (Type::Count, 1),
    (Type::Size, 1),
    (Type::Distance, 1),
    (Type::Colour, 1),
];

/// Of a hundred pairs of things whose colours differ, those that are asked about: about as many as there are alike ones.
const UNLIKE: usize = 10;

/// Throws until a scene with few things is taken to have no more questions.
const THROWS: usize = 40;

/// So many questions about a scene's things, or as many as there are.
pub fn things(scene: &Scene, count: usize) -> Vec<Question> {
    let mut dice = Dice::of(scene.id, Purpose::Things);
    let language = Language::of(scene.id);
    let mut found: Vec<Question> = Vec::new();
    for _ in 0..THROWS {
        let about = *dice.weighted(&TYPES);
        let Some(asked) = question(scene, about, language, &mut dice) else { continue };
        if found.iter().all(|other| other.exchange.ask != asked.exchange.ask) {
            found.push(asked);
        }
        if found.len() == count {
            break;
        }
    }
    found
}

/// Where each thing is that has a side, each asked for once, so that no answer can be taken from the one before; none where
/// no thing has one.
pub fn sides(scene: &Scene) -> Vec<Question> {
    let mut dice = Dice::of(scene.id, Purpose::Sides);
    let language = Language::of(scene.id);
    let alone = |thing: &Thing| Scene { things: vec![thing.clone()], ..scene.clone() };
    let mut scenes: Vec<Scene> = scene.things.iter().map(alone).collect();
    dice.shuffle(&mut scenes);
    let ask = |one: &Scene| question(one, Type::Position, language, &mut dice);
    scenes.iter().filter_map(ask).collect()
}

/// How things compare, of every two once, where they have something to compare. Colours that are not the same are the
/// most, and few of them are asked about.
pub fn comparisons(scene: &Scene) -> Vec<Question> {
    let mut dice = Dice::of(scene.id, Purpose::Comparisons);
    let language = Language::of(scene.id);
    let alone = |one: &Thing, other: &Thing| Scene {
        things: vec![one.clone(), other.clone()],
        ..scene.clone()
    };
    let things = scene.things.iter().enumerate();
    let mut scenes: Vec<Scene> = things
        .flat_map(|(at, one)| scene.things[at + 1..].iter().map(move |other| alone(one, other)))
        .collect();
    dice.shuffle(&mut scenes);
    let ask = |two: &Scene| {
        let asked = question(two, Type::Comparison, language, &mut dice)?;
        (asked.value != Value::Truth(false) || dice.chance(UNLIKE)).then_some(asked)
    };
    scenes.iter().filter_map(ask).collect()
}

/// Of [`comparisons`], those of colours alone.
pub fn colours(scene: &Scene) -> Vec<Question> {
    let of_colours = |asked: &Question| matches!(asked.value, Value::Truth(_));
    comparisons(scene).into_iter().filter(of_colours).collect()
}
