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

/// Pixels a side that can be drawn: below, nothing is to be recognised; above, memory is wasted.
pub const SIDES: std::ops::RangeInclusive<u32> = 32..=4096;

/// Draws a scene, `side` pixels wide and high; a side outside of [`SIDES`] becomes the nearest in it.
pub fn picture(scene: &Scene, side: u32) -> Picture {
    let mut canvas = Canvas::new(side.clamp(*SIDES.start(), *SIDES.end()));
    let mut dice = Dice::numbered(scene.look);
    let indoors = scene.place.indoors();
    canvas.tint = Tint::of(scene, 1.0);
    if indoors {
        room::draw(&mut canvas, scene, &mut dice);
    } else {
        sky::draw(&mut canvas, scene, &mut dice);
        ground::draw(&mut canvas, scene, &mut dice);
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
            sky::mist(&mut canvas, scene);
            canvas.tint = tint;
        }
        for thing in scene.things.iter().filter(|thing| thing.depth == depth) {
            draw_group(&mut canvas, scene, thing, &mut dice);
        }
    }
    if !indoors {
        sky::fall(&mut canvas, scene, &mut dice);
    }
    canvas.into_picture()
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
