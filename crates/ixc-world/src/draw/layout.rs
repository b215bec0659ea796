//! Where on the picture each thing of a group stands, and how high it is.
//!
//! Invariants: a single thing's middle lies in its third of the width; several stand apart. Deliberately
//! absent: what may stand together (the sampler's).

use crate::{
    dice::Dice,
    kinds::Kind,
    places::Place,
    scene::{Depth, Scene, Side, Size, Thing},
};

/// The foot of a thing, its height, and whether it looks the other way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) height: f32,
    pub(super) mirrored: bool,
}

/// How much smaller far things are; a room's wall is less far than a horizon.
const FAR: f32 = 0.72;
const WALL: f32 = 0.88;

/// Where the floor of a room meets its wall.
pub(super) const FLOOR: f32 = 0.64;

/// The spots of all things of a group, from left to right.
pub(super) fn spots(scene: &Scene, thing: &Thing, dice: &mut Dice) -> Vec<Spot> {
    let about = thing.kind.about();
    let count = f32::from(thing.count);
    let distance = match thing.depth {
        Depth::Far if scene.place.indoors() => WALL,
        Depth::Far => FAR,
        _ => 1.0,
    };
    let size = match thing.size {
        None => 1.0,
        Some(Size::Small) => 0.66,
        Some(Size::Large) => 1.3,
    };
    let room = if thing.count == 1 { 0.46 } else { 0.94 / count - 0.03 };
    let height = (about.height * distance * size).min(room / about.aspect);
    let width = height * about.aspect;
    let spot = |x: f32, dice: &mut Dice| {
        let x = x.clamp(width / 2.0 + 0.01, 0.99 - width / 2.0);
        let y = foot(scene, thing, height, dice);
        // Letters do not read from right to left.
        let mirrored = thing.kind != Kind::Sign && dice.chance(50);
        Spot { x, y, height: height * dice.range(0.95, 1.0), mirrored }
    };
    match thing.side {
        Some(side) => {
            let x = match side {
                Side::Left => 0.19,
                Side::Middle => 0.5,
                Side::Right => 0.81,
            };
            vec![spot(x + dice.range(-0.03, 0.03), dice)]
        }
        None => {
            let step = 0.98 / count;
            let slack = ((step - width) / 2.0 - 0.012).max(0.0);
            let jitter = |dice: &mut Dice| dice.range(-slack, slack);
            (0..thing.count)
                .map(|at| {
                    let x = 0.01 + (f32::from(at) + 0.5) * step + jitter(dice);
                    spot(x, dice)
                })
                .collect()
        }
    }
}

/// Where the foot of a thing of so much height is.
fn foot(scene: &Scene, thing: &Thing, height: f32, dice: &mut Dice) -> f32 {
    let several = if thing.side.is_none() { 0.02 } else { 0.01 };
    let jitter = dice.range(-several, several);
    match (thing.depth, scene.place) {
        // Above roofs and crowns, where there are any.
        (Depth::Sky, Place::Street | Place::Forest) => height + dice.range(0.02, 0.05),
        (Depth::Sky, _) => height + dice.range(0.05, (0.36 - height).max(0.07)),
        (Depth::Far, place) if place.indoors() => match thing.kind {
            Kind::Clock | Kind::Painting => 0.27 + height / 2.0 + jitter,
            _ if place == Place::Kitchen => 0.572,
            _ => FLOOR + 0.03,
        },
        (Depth::Far, Place::Street) => match thing.kind {
            Kind::Car | Kind::Bus => 0.70,
            _ => 0.625,
        },
        (Depth::Far, Place::Lake | Place::Beach) => 0.62 + jitter,
        (Depth::Far, _) => 0.62 + jitter,
        (Depth::Near, Place::Kitchen) => 0.9 + jitter,
        (Depth::Near, Place::Street) => match thing.kind {
            Kind::Car | Kind::Bus => 0.9,
            _ => 0.955 + jitter / 2.0,
        },
        (Depth::Near, _) => 0.93 + jitter,
    }
}
