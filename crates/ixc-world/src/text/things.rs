//! Questions about single things, several about one picture: whether they are there, where, how many, which are alike;
//! or where each of them is, and nothing else.
//!
//! What a whole scene shows is learned by itself; that a thing is there, and where, takes many more questions
//! ([`crate::text::question`] has all types in even shares). Deliberately absent: other questions.

use super::{
    Language,
    question::{Question, Type, question},
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
