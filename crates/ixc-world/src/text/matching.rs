//! Which of four pictures goes with a text, one text after another about the same four.
//!
//! The first is asked as the choice of an article's picture is ([`ixc_input::composition::choice`]), the others
//! shortly. Half of the pictures are of one place, so that things tell them apart. Deliberately absent: articles.

use ixc_input::composition;

use super::{
    Exchange, Language,
    article::{facts_of, paragraph, picked, scene_with},
};
use crate::{
    dice::{Dice, Purpose},
    scene::{Scene, Thing},
    split::SceneId,
};

/// Pictures to choose from.
const CANDIDATES: usize = 4;

/// How the texts behind the first are asked about.
pub(crate) const ASK: &str = "根据给定上下文和以上候选图像，选择合适的配图：";

/// Four pictures and a text for each, in an order of its own; the first turn has the pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// A to D.
    pub pictures: Vec<Scene>,
    /// Texts with their letters; the first has a marker for each picture.
    pub exchanges: Vec<Exchange>,
}

/// The matching of a name.
pub fn matching(id: SceneId) -> Matching {
    let mut dice = Dice::of(id, Purpose::Matching);
    let language = Language::draw(&mut dice);
    let alike = dice.chance(50);
    let mut pictures = vec![scene_with(id, &mut dice, |_| true)];
    let mut things = vec![picked(&pictures[0], &mut dice)];
    while pictures.len() < CANDIDATES {
        let place = pictures[0].place;
        let next = scene_with(id, &mut dice, |scene| {
            // No text may fit two pictures.
            let fits = |things: &Vec<Thing>| things.iter().all(|thing| shows(scene, thing));
            (!alike || scene.place == place) && !things.iter().any(fits)
        });
        let told = picked(&next, &mut dice);
        if !pictures.iter().any(|scene| told.iter().all(|thing| shows(scene, thing))) {
            pictures.push(next);
            things.push(told);
        }
    }
    let mut order: Vec<usize> = (0..CANDIDATES).collect();
    dice.shuffle(&mut order);
    let exchanges = order.into_iter().enumerate().map(|(turn, right)| {
        let text =
            format!("{}\n", paragraph(&pictures[right], &things[right], language, &mut dice));
        let ask = match turn {
            0 => composition::marked(&composition::choice(&[text], CANDIDATES).parts),
            _ => format!("{ASK}{text}"),
        };
        let letter = char::from(b'A' + right as u8);
        Exchange { ask, say: format!("{}{letter}", composition::CHOICE_PREFIX) }
    });
    let exchanges = exchanges.collect();
    Matching { pictures, exchanges }
}

/// Whether a scene has a thing of this kind and colour.
fn shows(scene: &Scene, thing: &Thing) -> bool {
    scene.find(thing.kind).is_some_and(|found| facts_of(found) == facts_of(thing))
}
