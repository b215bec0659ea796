//! What lies under an open sky: hills, woods, water, sand, streets.
//!
//! Grass and woods show the season in every place. Deliberately absent: things that can be asked about, but for
//! those that [`crate::places::Place::background`] names.

use super::{
    canvas::{Canvas, circle, curve, ellipse, lines, polygon, rect, rounded},
    colour::{GREY, LIT, Rgb, SNOW, WHITE, WOOD, grass, leaves},
    plants,
};
use crate::{
    dice::Dice,
    places::Place,
    scene::{Hour, Scene, Season},
};

/// Draws the ground of a place, from the horizon down.
pub(super) fn draw(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    match scene.place {
        Place::Mountains => mountains(canvas, scene, dice),
        Place::Forest => forest(canvas, scene, dice),
        Place::Lake => lake(canvas, scene, dice),
        Place::Beach => beach(canvas, scene, dice),
        Place::Street => street(canvas, scene, dice),
        Place::Park => park(canvas, scene, dice),
        _ => meadow(canvas, scene, dice),
    }
}

/// A hill's outline from edge to edge: heights at the left, in the middle, at the right.
fn hill(canvas: &mut Canvas, heights: [f32; 3], colour: Rgb) {
    let [left, middle, right] = heights;
    let path = curve(
        (-0.02, left),
        &[
            (0.25, (left + middle) / 2.0 - 0.07, 0.5, middle),
            (0.75, (right + middle) / 2.0 + 0.03, 1.02, right),
            (1.02, 0.8, 1.02, 1.02),
            (0.5, 1.02, -0.02, 1.02),
        ],
        true,
    );
    canvas.fade(&path, (colour.lighter(0.12), 1.0), (colour.darker(0.06), 1.0));
}

/// A wood on the horizon, in the season's leaves.
pub(super) fn wood(canvas: &mut Canvas, season: Season, (from, to): (f32, f32), y: f32, size: f32) {
    let colour = leaves(season);
    let count = ((to - from) / (size * 0.8)).ceil() as usize;
    let at = |n: usize| from + (to - from) * n as f32 / count.max(1) as f32;
    let bump = |n: usize| size * [0.9, 1.15, 0.8, 1.05][n % 4];
    for n in 0..=count {
        canvas.fill(&circle(at(n), y - bump(n) * 0.3, bump(n)), colour.darker(0.22));
    }
    for n in 0..=count {
        canvas.fill(&circle(at(n) - size * 0.15, y - bump(n) * 0.42, bump(n) * 0.78), colour);
    }
    if season == Season::Winter {
        for n in 0..=count {
            let (x, r) = (at(n), bump(n));
            let stem = Rgb(120.0, 104.0, 98.0);
            canvas.line(&lines(&[(x, y + r * 0.4), (x, y - r)]), stem, size * 0.16);
            let twigs =
                lines(&[(x - r * 0.5, y - r * 0.8), (x, y - r * 0.2), (x + r * 0.5, y - r * 0.8)]);
            canvas.line(&twigs, stem, size * 0.1);
        }
    }
}

/// Small marks of the season on the ground, between two heights.
fn marks(canvas: &mut Canvas, season: Season, (top, bottom): (f32, f32), dice: &mut Dice) {
    let count = ((bottom - top) * 110.0) as usize;
    for _ in 0..count {
        let (x, y) = (dice.unit(), dice.range(top, bottom));
        let size = 0.004 + 0.006 * (y - 0.5).max(0.0) * 2.0;
        match season {
            Season::Spring => {
                let petals =
                    *dice.pick(&[Rgb(255.0, 214.0, 232.0), WHITE, Rgb(255.0, 240.0, 160.0)]);
                canvas.fill(&circle(x, y, size), petals);
            }
            Season::Summer => {
                let blade =
                    lines(&[(x - size, y - size * 2.0), (x, y), (x + size, y - size * 2.2)]);
                canvas.line(&blade, Rgb(44.0, 112.0, 44.0), size * 0.6);
            }
            Season::Autumn => {
                let leaf = *dice.pick(&[
                    Rgb(214.0, 84.0, 30.0),
                    Rgb(232.0, 150.0, 40.0),
                    Rgb(150.0, 70.0, 36.0),
                ]);
                canvas.fill(&ellipse(x, y, size * 1.3, size * 0.8), leaf);
            }
            Season::Winter => {
                canvas.fill(&ellipse(x, y, size * 2.5, size * 0.5), Rgb(214.0, 224.0, 240.0));
            }
        }
    }
}

fn meadow(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    let green = grass(scene.season);
    let high = dice.range(0.42, 0.48);
    hill(canvas, [high, 0.5, high + 0.03], green.mix(Rgb(120.0, 160.0, 190.0), 0.3));
    wood(canvas, scene.season, (-0.03, 1.03), 0.535, 0.034);
    hill(canvas, [0.54, 0.56, 0.53], green);
    hill(canvas, [0.78, 0.74, 0.8], green.darker(0.06));
    marks(canvas, scene.season, (0.6, 0.99), dice);
}

fn mountains(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    let rock = Rgb(120.0, 126.0, 150.0);
    let mut peak = |x: f32, y: f32, half: f32, rock: Rgb, canvas: &mut Canvas| {
        let lean = dice.range(-0.02, 0.02);
        canvas.fill(&polygon(&[(x - half, 0.58), (x + lean, y), (x + half, 0.58)]), rock);
        canvas.fill(
            &polygon(&[(x + lean, y), (x + half, 0.58), (x + half * 0.2, 0.58)]),
            rock.darker(0.18),
        );
        let cap = 0.36;
        let (wide, deep) = (half * cap, (0.58 - y) * cap);
        let zigzag = [
            (x + lean, y - 0.004),
            (x + lean + wide, y + deep),
            (x + lean + wide * 0.4, y + deep * 0.78),
            (x + lean, y + deep * 1.1),
            (x + lean - wide * 0.45, y + deep * 0.76),
            (x + lean - wide, y + deep),
        ];
        canvas.fill(&polygon(&zigzag), SNOW);
    };
    peak(0.2, 0.24, 0.32, rock.lighter(0.16), canvas);
    peak(0.84, 0.27, 0.3, rock.lighter(0.12), canvas);
    peak(0.52, 0.19, 0.36, rock, canvas);
    let green = grass(scene.season);
    wood(canvas, scene.season, (-0.03, 1.03), 0.55, 0.03);
    hill(canvas, [0.57, 0.55, 0.58], green);
    hill(canvas, [0.75, 0.8, 0.74], green.darker(0.07));
    marks(canvas, scene.season, (0.62, 0.99), dice);
}

fn forest(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    let green = grass(scene.season);
    wood(canvas, scene.season, (-0.05, 1.05), 0.5, 0.075);
    hill(canvas, [0.56, 0.57, 0.55], green);
    // Trunks stand at the edges and behind; the clearing in the middle is for what can be asked about.
    for at in 0..9 {
        let x = at as f32 / 8.0 + dice.range(-0.02, 0.02);
        let height = dice.range(0.4, 0.52);
        canvas
            .within((x, 0.575), height, at % 2 == 0, |canvas| plants::crown(canvas, scene.season));
    }
    hill(canvas, [0.68, 0.71, 0.69], green.darker(0.05));
    marks(canvas, scene.season, (0.6, 0.99), dice);
}

/// Water between two heights, with waves and the sky's light on it.
fn water(canvas: &mut Canvas, scene: &Scene, (top, bottom): (f32, f32), dice: &mut Dice) {
    let (_, low) = super::sky::colours(scene);
    let blue = match scene.hour {
        Hour::Evening => Rgb(96.0, 104.0, 156.0),
        Hour::Night => Rgb(60.0, 104.0, 170.0),
        _ => Rgb(48.0, 132.0, 196.0),
    };
    let shine = blue.mix(low, 0.4);
    canvas.fade(&rect(0.0, top, 1.0, bottom - top), (shine, 1.0), (blue, 1.0));
    let rows = 5;
    for row in 0..rows {
        let y = top + (bottom - top) * (row as f32 + 0.6) / rows as f32;
        for wave in 0..4 {
            let x = (wave as f32 + dice.range(0.1, 0.8)) / 4.0;
            let width = 0.03 + 0.02 * row as f32 / rows as f32;
            let crest = curve((x - width, y), &[(x, y - 0.012, x + width, y)], false);
            canvas.line(&crest, shine.lighter(0.45), 0.005);
        }
    }
}

fn lake(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    let green = grass(scene.season);
    hill(canvas, [0.44, 0.5, 0.42], green.mix(Rgb(110.0, 150.0, 190.0), 0.3));
    wood(canvas, scene.season, (-0.03, 1.03), 0.49, 0.036);
    water(canvas, scene, (0.515, 0.76), dice);
    let shore = curve(
        (-0.02, 0.74),
        &[
            (0.25, 0.69, 0.5, 0.73),
            (0.75, 0.77, 1.02, 0.71),
            (1.02, 0.9, 1.02, 1.02),
            (0.5, 1.02, -0.02, 1.02),
        ],
        true,
    );
    canvas.fade(&shore, (green.lighter(0.1), 1.0), (green.darker(0.06), 1.0));
    marks(canvas, scene.season, (0.79, 0.99), dice);
    for x in [0.02, 0.07, 0.95] {
        let reed = lines(&[(x, 0.78), (x + 0.01, 0.68)]);
        canvas.line(&reed, green.darker(0.4), 0.008);
    }
}

fn beach(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    water(canvas, scene, (0.48, 0.74), dice);
    // A green head on one side tells the season.
    let left = dice.chance(50);
    let (from, to) = if left { (-0.05, 0.42) } else { (0.58, 1.05) };
    let (edge, tip) = if left { (from, to) } else { (to, from) };
    let head = curve(
        (edge, 0.36),
        &[((edge + tip) / 2.0, 0.37, tip, 0.505), (edge, 0.51, edge, 0.505)],
        true,
    );
    let green = grass(scene.season);
    canvas.fill(&head, green.darker(0.08));
    let (wood_from, wood_to) = if left { (-0.02, 0.2) } else { (0.8, 1.02) };
    wood(canvas, scene.season, (wood_from, wood_to), 0.405, 0.034);
    let sand = match scene.season {
        Season::Winter => Rgb(232.0, 228.0, 222.0),
        _ => Rgb(240.0, 214.0, 158.0),
    };
    let edge = [
        (0.25, 0.69, 0.5, 0.725),
        (0.75, 0.76, 1.02, 0.71),
        (1.02, 0.9, 1.02, 1.02),
        (0.5, 1.02, -0.02, 1.02),
    ];
    canvas.fill(&curve((-0.02, 0.705), &edge, true), WHITE);
    canvas.within((0.0, 0.015), 1.0, false, |canvas| {
        canvas.fade(&curve((-0.02, 0.705), &edge, true), (sand, 1.0), (sand.darker(0.08), 1.0));
    });
    for _ in 0..26 {
        let (x, y) = (dice.unit(), dice.range(0.78, 0.99));
        canvas.fill(&ellipse(x, y, 0.006, 0.003), sand.darker(0.2));
    }
    // Dune grass in the season's colour along the lower edge.
    let tuft =
        if scene.season == Season::Winter { Rgb(206.0, 214.0, 224.0) } else { green.darker(0.12) };
    for at in 0..24 {
        let x = at as f32 / 24.0 + dice.range(0.0, 0.03);
        let blades = lines(&[
            (x - 0.015, 0.955),
            (x, 1.0),
            (x + 0.004, 0.945),
            (x + 0.006, 1.0),
            (x + 0.02, 0.96),
        ]);
        canvas.line(&blades, tuft, 0.007);
    }
}

fn street(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    let walls = [
        Rgb(226.0, 178.0, 140.0),
        Rgb(198.0, 206.0, 214.0),
        Rgb(236.0, 216.0, 172.0),
        Rgb(206.0, 170.0, 168.0),
        Rgb(178.0, 198.0, 190.0),
    ];
    let first = dice.below(walls.len());
    for at in 0..5 {
        let (x, width) = (at as f32 * 0.2, 0.2);
        let top = dice.range(0.27, 0.34);
        facade(canvas, scene, (x, top, width), walls[(first + at) % walls.len()], dice);
    }
    let hedge = leaves(scene.season);
    for at in 0..34 {
        canvas.fill(
            &circle(at as f32 * 0.03, 0.585, 0.022),
            hedge.darker(if at % 2 == 0 { 0.1 } else { 0.22 }),
        );
    }
    let winter = scene.season == Season::Winter;
    let paving = if winter { SNOW } else { Rgb(196.0, 192.0, 190.0) };
    canvas.fill(&rect(0.0, 0.6, 1.0, 0.4), paving);
    canvas.fade(
        &rect(0.0, 0.64, 1.0, 0.25),
        (Rgb(104.0, 106.0, 116.0), 1.0),
        (Rgb(84.0, 86.0, 96.0), 1.0),
    );
    for at in 0..6 {
        canvas.fill(&rect(0.02 + at as f32 * 0.18, 0.748, 0.09, 0.016), WHITE);
    }
    canvas.fill(&rect(0.0, 0.885, 1.0, 0.012), paving.darker(0.3));
    marks(canvas, scene.season, (0.9, 0.995), dice);
}

/// A house front: wall, roof, two rows of windows, lit when it is dark.
fn facade(
    canvas: &mut Canvas,
    scene: &Scene,
    (x, top, width): (f32, f32, f32),
    wall: Rgb,
    dice: &mut Dice,
) {
    let roof =
        *dice.pick(&[Rgb(150.0, 84.0, 70.0), Rgb(108.0, 96.0, 110.0), Rgb(172.0, 108.0, 76.0)]);
    canvas.fill(&rect(x, top, width, 0.4), wall);
    canvas.fill(&rect(x, top, 0.008, 0.4), wall.darker(0.3));
    let slope = polygon(&[
        (x - 0.006, top),
        (x + 0.035, top - 0.07),
        (x + width - 0.035, top - 0.07),
        (x + width + 0.006, top),
    ]);
    canvas.shape(&slope, if scene.season == Season::Winter { SNOW } else { roof });
    for row in 0..2 {
        for column in 0..3 {
            let (wx, wy) = (x + 0.026 + column as f32 * 0.055, top + 0.035 + row as f32 * 0.115);
            let pane = rect(wx, wy, 0.036, 0.062);
            canvas.fill(&rect(wx - 0.005, wy - 0.005, 0.046, 0.072), WHITE);
            let dark = matches!(scene.hour, Hour::Night | Hour::Evening);
            if dark && dice.chance(65) {
                canvas.glow(&pane, LIT, 1.0);
            } else {
                canvas.fill(&pane, Rgb(110.0, 136.0, 166.0));
            }
        }
    }
    let door = rounded(x + 0.08, 0.52, 0.042, 0.1, 0.012);
    canvas.fill(&door, WOOD.darker(0.2));
}

fn park(canvas: &mut Canvas, scene: &Scene, dice: &mut Dice) {
    let green = grass(scene.season);
    wood(canvas, scene.season, (-0.03, 1.03), 0.5, 0.055);
    let hedge = leaves(scene.season).mix(grass(scene.season), 0.4).darker(0.12);
    canvas.fill(&rect(0.0, 0.52, 1.0, 0.06), hedge);
    hill(canvas, [0.56, 0.55, 0.56], green);
    let path = curve(
        (0.1, 1.02),
        &[
            (0.3, 0.86, 0.62, 0.8),
            (0.9, 0.74, 1.02, 0.69),
            (1.02, 0.72, 1.02, 0.74),
            (0.9, 0.8, 0.68, 0.86),
            (0.5, 0.93, 0.46, 1.02),
        ],
        true,
    );
    canvas.fill(
        &path,
        if scene.season == Season::Winter {
            Rgb(216.0, 220.0, 228.0)
        } else {
            Rgb(226.0, 204.0, 164.0)
        },
    );
    for x in [0.0, 0.25, 0.5, 0.75] {
        canvas.line(&lines(&[(x, 0.6), (x + 0.25, 0.6)]), GREY.lighter(0.3), 0.006);
        canvas.line(&lines(&[(x + 0.12, 0.6), (x + 0.12, 0.565)]), GREY.lighter(0.3), 0.006);
    }
    marks(canvas, scene.season, (0.62, 0.99), dice);
}
