//! Captions for the sections of one article, asked for one after another.
//!
//! The first is asked for as an article's caption is ([`ixc_input::composition::caption`]), the others shortly, so that
//! the section's number is all that tells them apart. Deliberately absent: pictures, and captions of earlier places.

use ixc_input::composition;

use super::{
    Exchange, Language,
    article::{body, picked, scene_with, title},
    caption,
    phrases::articles as table,
};
use crate::{
    dice::{Dice, Purpose},
    scene::{Scene, Thing},
    split::SceneId,
};

/// An article's sections, and questions about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Titles {
    /// What each section is about, the title left out.
    pub scenes: Vec<Scene>,
    /// The section of each question, from 1, and the words.
    pub questions: Vec<(usize, Exchange)>,
}

/// The questions of a name.
pub fn titles(id: SceneId) -> Titles {
    let mut dice = Dice::of(id, Purpose::Titles);
    let language = Language::draw(&mut dice);
    let (count, one_place) = (dice.between(2, 5), dice.chance(50));
    let mut scenes = vec![scene_with(id, &mut dice, |_| true)];
    while scenes.len() < count {
        let place = scenes[0].place;
        scenes.push(scene_with(id, &mut dice, |scene| !one_place || scene.place == place));
    }
    let picks: Vec<Vec<Thing>> = scenes.iter().map(|scene| picked(scene, &mut dice)).collect();
    let tones = if language == Language::Chinese { table::TONES_CHINESE } else { table::TONES };
    let tone = dice.below(tones.len());
    let mut lines = vec![title(&scenes, one_place, language, &mut dice)];
    lines.extend(body(&scenes, &picks, language, tone, &mut dice));
    let mut order: Vec<usize> = (1..=count).collect();
    dice.shuffle(&mut order);
    // The published prompt shows one section behind the place, so the first question is about one of the last two.
    let first = order.iter().position(|&at| at + 1 >= count).expect("there is a last section");
    order.swap(0, first);
    let questions = order.into_iter().enumerate().map(|(turn, at)| {
        let ask = match turn {
            0 => composition::marked(
                &composition::caption(&lines, &[] as &[(usize, &str)], at).parts,
            ),
            _ => format!("给出适合在<Seg{at}>后插入的图像对应的标题。"),
        };
        let said = caption::of_things(&scenes[at - 1], &picks[at - 1], language, &mut dice);
        let say = format!("{}{said}\"", composition::CAPTION_PREFIX);
        (at, Exchange { ask, say })
    });
    let questions = questions.collect();
    Titles { scenes, questions }
}
