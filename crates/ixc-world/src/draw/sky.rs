//! Sky, sun, moon, stars, clouds, and what falls out of them.
//!
//! The hour decides the colours, the weather greys them; a coloured horizon stays under clouds, so that the hour
//! can be told in every weather. Deliberately absent: what flies.

use super::{
    canvas::{Canvas, circle, curve, ellipse, lines, polygon, rect},
    colour::{Rgb, Tint, WHITE, haze},
};
use crate::{
    dice::Dice,
    scene::{Hour, Scene, Weather},
};

/// The sky's colours at the zenith and at the horizon.
pub(super) fn colours(scene: &Scene) -> (Rgb, Rgb) {
    let (top, low) = match scene.hour {
        Hour::Morning => (Rgb(150.0, 188.0, 236.0), Rgb(255.0, 214.0, 196.0)),
        Hour::Day => (Rgb(66.0, 150.0, 236.0), Rgb(190.0, 226.0, 250.0)),
        Hour::Evening => (Rgb(92.0, 66.0, 142.0), Rgb(255.0, 138.0, 72.0)),
        Hour::Night => (Rgb(12.0, 18.0, 52.0), Rgb(48.0, 64.0, 116.0)),
    };
    let grey = match scene.hour {
        Hour::Morning => Rgb(202.0, 196.0, 204.0),
        Hour::Day => Rgb(186.0, 194.0, 204.0),
        Hour::Evening => Rgb(150.0, 116.0, 122.0),
        Hour::Night => Rgb(40.0, 46.0, 66.0),
    };
    let share = match scene.weather {
        Weather::Clear => 0.0,
        Weather::Cloudy => 0.35,
        Weather::Rainy => 0.72,
        Weather::Snowy => 0.6,
        Weather::Foggy => 0.75,
        Weather::Stormy => 0.85,
    };
    let grey = match scene.weather {
        Weather::Stormy => grey.darker(0.45),
        Weather::Rainy => grey.darker(0.18),
        Weather::Foggy => haze(scene),
        _ => grey,
    };
    (top.mix(grey, share), low.mix(grey, share * 0.6))
}

/// Draws everything above the horizon, over the whole canvas.
pub(super) fn draw(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    let tint = std::mem::replace(&mut canvas.tint, Tint::NONE);
    let (top, low) = colours(scene);
    canvas.fill(&rect(0.0, 0.0, 1.0, 1.0), low);
    canvas.fade(&rect(0.0, 0.0, 1.0, 0.56), (top, 1.0), (low, 1.0));
    let clear = scene.weather == Weather::Clear;
    if scene.hour == Hour::Night && (clear || scene.weather == Weather::Cloudy) {
        stars(canvas, dice, if clear { 34 } else { 9 });
    }
    if clear {
        light(canvas, scene.hour, 1.0);
    } else if scene.weather == Weather::Foggy {
        light(canvas, scene.hour, 0.3);
    }
    clouds(canvas, scene, dice);
    if scene.weather == Weather::Stormy {
        lightning(canvas, dice);
    }
    canvas.tint = tint;
}

fn stars(canvas: &mut Canvas, dice: &mut Dice, count: usize) {
    for _ in 0..count {
        let place = (dice.range(0.02, 0.98), dice.range(0.02, 0.45));
        let size = dice.range(0.003, 0.0075);
        canvas.halo(place, size * 3.5, Rgb(220.0, 228.0, 255.0), 0.35);
        canvas.glow(&circle(place.0, place.1, size), Rgb(255.0, 252.0, 226.0), 0.95);
    }
}

/// The sun where it is at an hour, or the moon.
pub(super) fn light(canvas: &mut Canvas, hour: Hour, strength: f32) {
    let (place, radius, core, glow) = match hour {
        Hour::Morning => ((0.14, 0.40), 0.075, Rgb(255.0, 236.0, 168.0), Rgb(255.0, 226.0, 190.0)),
        Hour::Day => ((0.86, 0.13), 0.075, Rgb(255.0, 226.0, 84.0), Rgb(255.0, 244.0, 190.0)),
        Hour::Evening => ((0.80, 0.44), 0.095, Rgb(255.0, 102.0, 58.0), Rgb(255.0, 170.0, 96.0)),
        Hour::Night => ((0.85, 0.14), 0.065, Rgb(250.0, 244.0, 214.0), Rgb(196.0, 208.0, 250.0)),
    };
    canvas.halo(place, radius * 3.4, glow, 0.75 * strength);
    if hour == Hour::Night {
        moon(canvas, place, radius, core, strength);
        return;
    }
    canvas.glow(&circle(place.0, place.1, radius), core, strength);
    if hour == Hour::Day && strength == 1.0 {
        for ray in 0..12 {
            let (sin, cos) = (ray as f32 * std::f32::consts::TAU / 12.0).sin_cos();
            let at = |far: f32| (place.0 + cos * radius * far, place.1 + sin * radius * far);
            canvas.line(&lines(&[at(1.25), at(1.5)]), core, 0.011);
        }
    }
}

fn moon(canvas: &mut Canvas, (x, y): (f32, f32), radius: f32, colour: Rgb, strength: f32) {
    let r = radius;
    // A crescent: the outer half circle, and an inner arc back.
    let path = curve(
        (x - 0.2 * r, y - r),
        &[
            (x + 1.05 * r, y - 0.95 * r, x + r, y + 0.05 * r),
            (x + 0.95 * r, y + 1.05 * r, x - 0.3 * r, y + 0.98 * r),
            (x - 0.75 * r, y + 0.9 * r, x - 0.95 * r, y + 0.55 * r),
            (x + 0.35 * r, y + 0.5 * r, x + 0.25 * r, y - 0.3 * r),
            (x + 0.2 * r, y - 0.8 * r, x - 0.2 * r, y - r),
        ],
        true,
    );
    canvas.glow(&path, colour, strength);
}

/// A cloud of puffs on a flat foot.
pub(super) fn cloud(
    canvas: &mut Canvas,
    place: (f32, f32),
    size: f32,
    colour: Rgb,
    variant: usize,
) {
    canvas.within(place, size, variant.is_multiple_of(2), |canvas| {
        let shade = colour.darker(0.14);
        for (x, y, r) in
            [(-0.62, -0.02, 0.3), (0.64, 0.0, 0.28), (-0.2, -0.04, 0.36), (0.24, -0.02, 0.36)]
        {
            canvas.wash(&ellipse(x, y + 0.07, r * 1.05, r * 0.75), shade, 0.9);
        }
        for (x, y, r) in
            [(-0.6, -0.05, 0.28), (0.62, -0.03, 0.26), (-0.24, -0.2, 0.36), (0.22, -0.13, 0.34)]
        {
            canvas.wash(&ellipse(x, y, r * 1.05, r * 0.8), colour, 1.0);
        }
    });
}

fn clouds(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    let light = match scene.hour {
        Hour::Morning => Rgb(255.0, 240.0, 236.0),
        Hour::Day => WHITE,
        Hour::Evening => Rgb(236.0, 176.0, 156.0),
        Hour::Night => Rgb(98.0, 106.0, 138.0),
    };
    let (count, colour, size) = match scene.weather {
        Weather::Clear | Weather::Foggy => return,
        Weather::Cloudy => (5, light, 0.17),
        Weather::Rainy => (6, light.mix(Rgb(104.0, 112.0, 130.0), 0.7), 0.19),
        Weather::Snowy => (5, light.mix(Rgb(176.0, 184.0, 200.0), 0.6), 0.18),
        Weather::Stormy => (7, light.mix(Rgb(58.0, 60.0, 80.0), 0.86), 0.21),
    };
    for at in 0..count {
        let x = (at as f32 + dice.range(0.25, 0.75)) / count as f32;
        let y = dice.range(0.07, if scene.weather == Weather::Cloudy { 0.3 } else { 0.2 });
        cloud(canvas, (x, y), size * dice.range(0.85, 1.2), colour, dice.below(2));
    }
}

fn lightning(canvas: &mut Canvas, dice: &mut Dice) {
    let x = dice.range(0.2, 0.8);
    let bolt = polygon(&[
        (x + 0.02, 0.2),
        (x - 0.05, 0.36),
        (x - 0.005, 0.355),
        (x - 0.045, 0.5),
        (x + 0.06, 0.32),
        (x + 0.012, 0.325),
        (x + 0.06, 0.2),
    ]);
    canvas.halo((x, 0.34), 0.22, Rgb(255.0, 250.0, 190.0), 0.5);
    canvas.glow(&bolt, Rgb(255.0, 240.0, 110.0), 1.0);
}

/// Banks of fog between what is far and what is near.
pub(super) fn mist(canvas: &mut Canvas, scene: &Scene) {
    let veil = haze(scene).lighter(0.12);
    canvas.tint = Tint::NONE;
    canvas.fade(&rect(0.0, 0.3, 1.0, 0.26), (veil, 0.0), (veil, 0.5));
    canvas.fade(&rect(0.0, 0.56, 1.0, 0.2), (veil, 0.5), (veil, 0.0));
    for (x, y, width) in [(0.25, 0.5, 0.34), (0.78, 0.57, 0.32), (0.4, 0.66, 0.4)] {
        canvas.glow(&ellipse(x, y, width, 0.026), veil, 0.5);
    }
}

/// Rain or snow over everything.
pub(super) fn fall(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    match scene.weather {
        Weather::Rainy | Weather::Stormy => {
            let colour = match scene.hour {
                Hour::Night => Rgb(150.0, 172.0, 214.0),
                _ => Rgb(226.0, 238.0, 252.0),
            };
            canvas.tint = Tint::NONE;
            for at in 0..64 {
                let x = (at % 8) as f32 / 8.0 + dice.range(0.0, 0.125);
                let y = (at / 8) as f32 / 8.0 + dice.range(0.0, 0.125);
                canvas.line(&lines(&[(x, y), (x - 0.014, y + 0.055)]), colour, 0.0065);
            }
        }
        Weather::Snowy => {
            for at in 0..81 {
                let x = (at % 9) as f32 / 9.0 + dice.range(0.0, 0.11);
                let y = (at / 9) as f32 / 9.0 + dice.range(0.0, 0.11);
                canvas.glow(&circle(x, y, dice.range(0.006, 0.012)), WHITE, 0.95);
            }
        }
        _ => {}
    }
}
