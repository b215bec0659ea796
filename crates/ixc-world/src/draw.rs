//! From a scene to its picture: sky, ground or room, far things, near things, weather.
//!
//! A drawing is a function of the scene and the size alone, bit for bit on one kind of processor. Invariants:
//! things keep apart, as the truth says they do; everything but the pixels of edges is the same at every size.
//! Deliberately absent: files, and any choice that somebody could ask about (that is the sampler's).

mod animals;
mod buildings;
mod canvas;
mod colour;
mod ground;
mod household;
mod layout;
mod letters;
mod objects;
pub mod patches;
mod people;
mod plants;
mod room;
mod sky;
mod things;
mod vehicles;

use ixc_input::image::Picture;

use crate::{
    dice::Dice,
    scene::{Depth, Hour, Scene, Thing, Weather},
};
use canvas::Canvas;
use colour::Tint;
use patches::Shown;

/// Pixels a side that can be drawn: below, nothing is to be recognised; above, memory is wasted.
pub const SIDES: std::ops::RangeInclusive<u32> = 32..=4096;

/// Draws a scene, `side` pixels wide and high; a side outside of [`SIDES`] becomes the nearest in it.
pub fn picture(scene: &Scene, side: u32) -> Picture {
    let mut canvas = Canvas::new(side.clamp(*SIDES.start(), *SIDES.end()));
    paint(&mut canvas, scene);
    canvas.into_picture()
}

/// Draws a scene, and gives everything its owner's number: see [`patches::Shown`].
fn paint(canvas: &mut Canvas, scene: &Scene) {
    let mut dice = Dice::numbered(scene.look);
    let indoors = scene.place.indoors();
    canvas.tint = Tint::of(scene, 1.0);
    if indoors {
        canvas.owner = Shown::Place.number();
        room::draw(canvas, scene, &mut dice);
    } else {
        canvas.owner = Shown::Sky.number();
        sky::draw(canvas, scene, &mut dice);
        canvas.owner = Shown::Place.number();
        ground::draw(canvas, scene, &mut dice);
    }
    let foggy = scene.weather == Weather::Foggy && !indoors;
    for depth in [Depth::Sky, Depth::Far, Depth::Near] {
        let light = Tint::of(scene, if indoors { 0.15 } else { 0.38 });
        let veil = match depth {
            Depth::Near => 0.04,
            Depth::Far | Depth::Sky => 0.2,
        };
        canvas.tint = if foggy { light.veiled(veil) } else { light };
        if foggy && depth == Depth::Far {
            let tint = canvas.tint;
            sky::mist(canvas, scene);
            canvas.tint = tint;
        }
        for (at, thing) in scene.things.iter().enumerate().filter(|(_, thing)| thing.depth == depth)
        {
            canvas.owner = Shown::Thing(at).number();
            draw_group(canvas, scene, thing, &mut dice);
        }
    }
    canvas.owner = 0; // through rain and snow all else is seen
    if !indoors {
        sky::fall(canvas, scene, &mut dice);
    }
}

/// Draws each thing of a group on its spot.
fn draw_group(canvas: &mut Canvas, scene: &Scene, thing: &Thing, dice: &mut Dice) {
    for spot in layout::spots(scene, thing, dice) {
        let look = things::Look {
            paint: thing.colour.map_or(colour::GREY, colour::paint),
            season: scene.season,
            outdoors: !scene.place.indoors(),
            lit: matches!(scene.hour, Hour::Night | Hour::Evening),
            word: thing.word,
            variant: dice.below(1 << 16),
        };
        canvas.within((spot.x, spot.y), spot.height, spot.mirrored, |canvas| {
            things::draw(canvas, thing.kind, &look);
        });
    }
}
