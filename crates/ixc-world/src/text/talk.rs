//! Talk about the model itself: what it is, what it knows, what it cannot do.
//!
//! Invariant: it claims nothing that a small model of a drawn world has not. Deliberately absent: pictures.

use super::{Exchange, Language, grammar::fill, phrases::talk as table};
use crate::{
    dice::{Dice, Purpose},
    split::SceneId,
};

/// Some exchanges of one conversation.
pub fn talk(id: SceneId, count: usize) -> Vec<Exchange> {
    let mut dice = Dice::of(id, Purpose::Talk);
    let subjects = match Language::draw(&mut dice) {
        Language::English => table::ENGLISH,
        Language::Chinese => table::CHINESE,
    };
    let mut at: Vec<usize> = (0..subjects.len()).collect();
    dice.shuffle(&mut at);
    at.truncate(count);
    let exchange = |at: usize| {
        let (ask, say) = subjects[at];
        Exchange { ask: fill(ask, &[], &mut dice), say: fill(say, &[], &mut dice) }
    };
    at.into_iter().map(exchange).collect()
}
