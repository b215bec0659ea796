//! Rooms: wall, floor, a window with the world outside, and what makes a room a kitchen or a bedroom.
//!
//! The window shows hour, weather and season as large as it can. Deliberately absent: things that can be asked
//! about; the furniture here is none of [`crate::kinds`].

use super::{
    canvas::{Canvas, circle, ellipse, lines, rect, rounded},
    colour::{Rgb, Tint, WHITE, WOOD, grass},
    ground,
    layout::FLOOR,
    sky,
};
use crate::{
    dice::Dice,
    places::Place,
    scene::{Depth, Hour, Scene, Side, Weather},
};

/// Draws the room.
pub(super) fn draw(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    canvas.tint = Tint::of(scene, 0.4);
    let wall = match scene.place {
        Place::Kitchen => *dice.pick(&[
            Rgb(232.0, 240.0, 226.0),
            Rgb(250.0, 238.0, 206.0),
            Rgb(222.0, 238.0, 244.0),
        ]),
        Place::Bedroom => *dice.pick(&[
            Rgb(224.0, 218.0, 242.0),
            Rgb(214.0, 230.0, 246.0),
            Rgb(246.0, 224.0, 226.0),
        ]),
        _ => *dice.pick(&[
            Rgb(244.0, 230.0, 206.0),
            Rgb(226.0, 234.0, 214.0),
            Rgb(240.0, 220.0, 204.0),
        ]),
    };
    canvas.fade(&rect(0.0, 0.0, 1.0, FLOOR), (wall.darker(0.05), 1.0), (wall, 1.0));
    if scene.place == Place::Kitchen {
        tiles(canvas, wall);
    } else {
        for at in 0..13 {
            canvas.fill(&rect(at as f32 * 0.08, 0.0, 0.012, FLOOR), wall.darker(0.06));
        }
    }
    let side = window_side(scene, dice);
    window(canvas, scene, side, dice);
    floor(canvas, scene, side, dice);
    if matches!(scene.hour, Hour::Night | Hour::Evening) {
        canvas.halo((0.5, 0.1), 0.75, Rgb(255.0, 214.0, 130.0), 0.22);
    }
}

/// A side of the wall that no thing needs; in a bedroom not the middle, which is the bed's.
fn window_side(scene: &Scene, dice: &mut Dice) -> Side {
    let taken = |side: Side| {
        scene.things.iter().any(|thing| thing.depth == Depth::Far && thing.side == Some(side))
    };
    let sides =
        if scene.place == Place::Bedroom { &[Side::Left, Side::Right][..] } else { Side::ALL };
    let free: Vec<Side> = sides.iter().copied().filter(|&side| !taken(side)).collect();
    // The sampler leaves one.
    if free.is_empty() { Side::Middle } else { *dice.pick(&free) }
}

fn middle(side: Side) -> f32 {
    match side {
        Side::Left => 0.2,
        Side::Middle => 0.5,
        Side::Right => 0.8,
    }
}

/// Half the window's width, its top and its sill.
const HALF: f32 = 0.165;
const TOP: f32 = 0.06;
const SILL: f32 = 0.44;

fn window(canvas: &mut Canvas, scene: &Scene, side: Side, dice: &mut Dice) {
    let x = middle(side);
    let inside = std::mem::replace(&mut canvas.tint, Tint::of(scene, 1.0));
    let (top, low) = sky::colours(scene);
    let pane = rect(x - HALF, TOP, 2.0 * HALF, SILL - TOP);
    let outside = std::mem::replace(&mut canvas.tint, Tint::NONE);
    canvas.fade(&pane, (top, 1.0), (low, 1.0));
    view(canvas, scene, x, outside, dice);
    canvas.tint = inside;
    let frame = WHITE.darker(0.02);
    let border = rounded(x - HALF, TOP, 2.0 * HALF, SILL - TOP, 0.004);
    canvas.line(&border, frame.darker(0.45), 0.034);
    canvas.line(&border, frame, 0.024);
    canvas.line(&lines(&[(x, TOP), (x, SILL)]), frame, 0.014);
    canvas.shape(&rounded(x - HALF - 0.03, SILL + 0.005, 2.0 * HALF + 0.06, 0.026, 0.008), frame);
}

/// What is to be seen through the window: light, clouds, a hill with a wood, rain or snow.
fn view(canvas: &mut Canvas, scene: &Scene, x: f32, outside: Tint, dice: &mut Dice) {
    let (left, right) = (x - HALF, x + HALF);
    let clear = scene.weather == Weather::Clear;
    if clear {
        canvas.within((left, TOP - 0.005), 2.0 * HALF, false, |canvas| {
            if scene.hour == Hour::Night {
                for _ in 0..9 {
                    canvas.glow(
                        &circle(dice.range(0.06, 0.94), dice.range(0.08, 0.6), 0.018),
                        WHITE,
                        0.9,
                    );
                }
            }
            sky::light(canvas, scene.hour, 1.0);
        });
    }
    let light = match scene.hour {
        Hour::Night => Rgb(98.0, 106.0, 138.0),
        Hour::Evening => Rgb(236.0, 176.0, 156.0),
        _ => WHITE,
    };
    let grey = match scene.weather {
        Weather::Cloudy => Some(light),
        Weather::Rainy => Some(light.mix(Rgb(104.0, 112.0, 130.0), 0.7)),
        Weather::Stormy => Some(light.mix(Rgb(58.0, 60.0, 80.0), 0.86)),
        Weather::Snowy => Some(light.mix(Rgb(176.0, 184.0, 200.0), 0.6)),
        _ => None,
    };
    if let Some(grey) = grey {
        sky::cloud(canvas, (x - 0.085, TOP + 0.075), 0.085, grey, 0);
        sky::cloud(canvas, (x + 0.085, TOP + 0.06), 0.08, grey, 1);
    }
    canvas.tint = outside;
    ground::wood(canvas, scene.season, (left + 0.03, right - 0.03), SILL - 0.085, 0.045);
    canvas.fade(
        &rect(left, SILL - 0.075, 2.0 * HALF, 0.075),
        (grass(scene.season).lighter(0.06), 1.0),
        (grass(scene.season), 1.0),
    );
    canvas.tint = Tint::NONE;
    match scene.weather {
        Weather::Foggy => {
            let veil = super::colour::haze(scene).lighter(0.1);
            canvas.fade(&rect(left, TOP, 2.0 * HALF, SILL - TOP), (veil, 0.55), (veil, 0.72));
        }
        Weather::Rainy | Weather::Stormy => {
            for at in 0..20 {
                let rx = left + 0.02 + (at % 5) as f32 * 0.066 + dice.range(0.0, 0.03);
                let ry = TOP + 0.02 + (at / 5) as f32 * 0.085 + dice.range(0.0, 0.03);
                canvas.line(
                    &lines(&[(rx, ry), (rx - 0.012, ry + 0.045)]),
                    Rgb(226.0, 238.0, 252.0),
                    0.0065,
                );
            }
        }
        Weather::Snowy => {
            for at in 0..24 {
                let sx = left + 0.02 + (at % 6) as f32 * 0.054 + dice.range(0.0, 0.03);
                let sy = TOP + 0.02 + (at / 6) as f32 * 0.09 + dice.range(0.0, 0.04);
                canvas.glow(&circle(sx, sy, 0.009), WHITE, 0.95);
            }
        }
        _ => {}
    }
    if scene.weather == Weather::Stormy {
        let bolt = [
            (x - 0.02, TOP + 0.1),
            (x - 0.065, TOP + 0.19),
            (x - 0.025, TOP + 0.185),
            (x - 0.06, TOP + 0.28),
        ];
        canvas.line(&lines(&bolt), Rgb(255.0, 240.0, 110.0), 0.018);
    }
}

fn tiles(canvas: &mut Canvas, wall: Rgb) {
    for row in 0..8 {
        let y = row as f32 * 0.08;
        canvas.line(&lines(&[(0.0, y), (1.0, y)]), wall.darker(0.1), 0.004);
    }
    for column in 0..13 {
        let x = column as f32 * 0.08;
        canvas.line(&lines(&[(x, 0.0), (x, FLOOR)]), wall.darker(0.1), 0.004);
    }
}

fn floor(canvas: &mut Canvas, scene: &Scene, window: Side, dice: &mut Dice) {
    if scene.place == Place::Kitchen {
        counter(canvas);
        return;
    }
    let boards =
        *dice.pick(&[Rgb(190.0, 142.0, 98.0), Rgb(172.0, 126.0, 88.0), Rgb(206.0, 166.0, 120.0)]);
    canvas.fade(&rect(0.0, FLOOR, 1.0, 1.0 - FLOOR), (boards.darker(0.12), 1.0), (boards, 1.0));
    for at in 0..5 {
        let y = FLOOR + 0.02 + at as f32 * at as f32 * 0.02;
        canvas.line(&lines(&[(0.0, y), (1.0, y)]), boards.darker(0.22), 0.004);
    }
    canvas.fill(&rect(0.0, FLOOR - 0.02, 1.0, 0.024), WHITE.darker(0.05));
    if scene.place == Place::Bedroom {
        bed(canvas, window);
    }
    let rug =
        *dice.pick(&[Rgb(198.0, 206.0, 222.0), Rgb(222.0, 206.0, 196.0), Rgb(204.0, 214.0, 198.0)]);
    canvas.shape(&ellipse(0.5, 0.9, 0.42, 0.085), rug);
    canvas.ink(&ellipse(0.5, 0.9, 0.36, 0.066), rug.darker(0.25));
}

/// The bed below the window, its head at the picture's edge.
fn bed(canvas: &mut Canvas, window: Side) {
    let mirrored = window == Side::Right;
    let edge = if mirrored { 1.0 } else { 0.0 };
    canvas.within((edge, 0.74), 1.0, mirrored, |canvas| {
        canvas.shape(&rounded(-0.05, -0.26, 0.09, 0.26, 0.02), WOOD);
        canvas.shape(&rounded(0.0, -0.14, 0.56, 0.12, 0.02), WHITE);
        canvas.shape(&rounded(0.17, -0.16, 0.4, 0.14, 0.025), Rgb(156.0, 178.0, 214.0));
        canvas.shape(&rounded(0.03, -0.19, 0.13, 0.075, 0.03), WHITE);
        canvas.shape(&rounded(0.55, -0.17, 0.035, 0.18, 0.012), WOOD);
    });
}

/// A kitchen's counter at the wall and the table in front.
fn counter(canvas: &mut Canvas) {
    let front = Rgb(216.0, 208.0, 196.0);
    canvas.fill(&rect(0.0, 0.56, 1.0, 0.44), front);
    for at in 0..4 {
        let x = at as f32 * 0.25;
        canvas.ink(&rounded(x + 0.015, 0.61, 0.22, 0.2, 0.01), front.darker(0.35));
        canvas.fill(&rect(x + 0.1, 0.63, 0.05, 0.012), front.darker(0.5));
    }
    let top = Rgb(150.0, 150.0, 158.0);
    canvas.shape(&rect(-0.02, 0.555, 1.04, 0.035), top);
    canvas.fade(&rect(0.0, 0.79, 1.0, 0.21), (WOOD.lighter(0.35), 1.0), (WOOD.lighter(0.15), 1.0));
    canvas.line(&lines(&[(0.0, 0.79), (1.0, 0.79)]), WOOD.darker(0.3), 0.008);
    canvas.line(&lines(&[(0.0, 0.955), (1.0, 0.955)]), WOOD.darker(0.1), 0.006);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_has_its_side() {
        for side in Side::ALL {
            assert!(middle(*side) - HALF > 0.0 && middle(*side) + HALF < 1.0);
        }
    }
}
