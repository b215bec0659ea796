//! Trees by season, flowers, mushrooms, a plant in a pot.
//!
//! Trees have no colour that is asked for: the season has it. Deliberately absent: grass and woods, which are
//! the ground's.

use super::{
    canvas::{Canvas, circle, curve, ellipse, lines, polygon, rect, rounded},
    colour::{Rgb, SNOW, WHITE, WOOD, leaves},
    things::Look,
};
use crate::scene::Season;

const BARK: Rgb = Rgb(112.0, 78.0, 54.0);
const STALK: Rgb = Rgb(58.0, 140.0, 60.0);

pub(super) fn tree(canvas: &mut Canvas, look: &Look) {
    crown(canvas, look.season);
}

/// A broad-leaved tree of a season; bare in winter.
pub(super) fn crown(canvas: &mut Canvas, season: Season) {
    canvas.shape(&polygon(&[(-0.06, 0.0), (-0.045, -0.5), (0.045, -0.5), (0.06, 0.0)]), BARK);
    if season == Season::Winter {
        let boughs: [&[(f32, f32)]; 6] = [
            &[(0.0, -0.4), (-0.2, -0.66), (-0.33, -0.78)],
            &[(0.0, -0.4), (0.2, -0.66), (0.33, -0.78)],
            &[(0.0, -0.5), (0.0, -0.98)],
            &[(-0.13, -0.58), (-0.17, -0.88)],
            &[(0.13, -0.58), (0.17, -0.9)],
            &[(0.0, -0.7), (0.1, -0.86)],
        ];
        for bough in boughs {
            canvas.limb(&lines(bough), BARK, 0.05);
        }
        for (x, y) in [(-0.33, -0.79), (0.33, -0.79), (0.0, -0.98), (-0.17, -0.89), (0.17, -0.91)] {
            canvas.fill(&ellipse(x, y, 0.055, 0.03), SNOW);
        }
        return;
    }
    let colour = leaves(season);
    let puffs = [
        (-0.2, -0.5, 0.17),
        (0.2, -0.5, 0.17),
        (-0.17, -0.72, 0.19),
        (0.17, -0.7, 0.19),
        (0.0, -0.82, 0.18),
    ];
    for (x, y, r) in puffs {
        canvas.shape(&circle(x, y, r), colour);
    }
    canvas.fill(&ellipse(0.0, -0.62, 0.22, 0.2), colour);
    for (x, y) in [(-0.16, -0.76), (0.05, -0.84), (0.14, -0.62), (-0.12, -0.56)] {
        canvas.fill(&ellipse(x, y, 0.06, 0.04), colour.lighter(0.28));
    }
}

pub(super) fn pine(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&rect(-0.05, -0.16, 0.1, 0.16), BARK);
    let green = Rgb(34.0, 104.0, 72.0);
    for (top, low, half) in [(-0.56, -0.1, 0.27), (-0.8, -0.36, 0.215), (-1.0, -0.62, 0.155)] {
        canvas.shape(&polygon(&[(-half, low), (0.0, top), (half, low), (0.0, low + 0.035)]), green);
        if look.season == Season::Winter {
            let at = |share: f32| top + (low - top) * share;
            let snow = polygon(&[
                (-half * 0.62, at(0.62)),
                (0.0, top),
                (half * 0.62, at(0.62)),
                (half * 0.2, at(0.5)),
                (-half * 0.1, at(0.66)),
            ]);
            canvas.fill(&snow, SNOW);
        }
    }
}

pub(super) fn palm(canvas: &mut Canvas, _: &Look) {
    let trunk = curve((-0.12, 0.0), &[(-0.08, -0.4, 0.03, -0.72)], false);
    canvas.limb(&trunk, Rgb(168.0, 122.0, 78.0), 0.08);
    let green = Rgb(44.0, 140.0, 74.0);
    for (x, y, lift) in [
        (-0.36, -0.56, -0.86),
        (0.38, -0.56, -0.86),
        (-0.3, -0.84, -0.98),
        (0.34, -0.84, -0.98),
        (0.06, -0.48, -0.8),
    ] {
        let frond = curve(
            (0.03, -0.74),
            &[((x + 0.03) / 2.0, lift, x, y), ((x + 0.03) / 2.0, lift + 0.16, 0.03, -0.74)],
            true,
        );
        canvas.shape(&frond, green);
    }
    for (x, y) in [(-0.02, -0.69), (0.08, -0.68)] {
        canvas.shape(&circle(x, y, 0.045), Rgb(120.0, 78.0, 48.0));
    }
}

pub(super) fn flower(canvas: &mut Canvas, look: &Look) {
    canvas.limb(&curve((0.0, 0.0), &[(0.05, -0.3, 0.0, -0.62)], false), STALK, 0.055);
    for x in [-1.0, 1.0] {
        let leaf = curve(
            (0.02, -0.14),
            &[(x * 0.24, -0.4, x * 0.28, -0.36), (x * 0.2, -0.1, 0.02, -0.14)],
            true,
        );
        canvas.shape(&leaf, STALK);
    }
    for petal in 0..6 {
        let (sin, cos) = (petal as f32 * std::f32::consts::TAU / 6.0).sin_cos();
        canvas.shape(&circle(cos * 0.165, -0.72 + sin * 0.165, 0.115), look.paint);
    }
    let heart = if look.paint == Rgb(252.0, 214.0, 48.0) {
        Rgb(150.0, 92.0, 40.0)
    } else {
        Rgb(255.0, 214.0, 70.0)
    };
    canvas.shape(&circle(0.0, -0.72, 0.1), heart);
}

pub(super) fn mushroom(canvas: &mut Canvas, look: &Look) {
    let stem = curve(
        (-0.14, -0.5),
        &[(-0.1, -0.2, -0.18, 0.0), (0.0, 0.03, 0.18, 0.0), (0.1, -0.2, 0.14, -0.5)],
        true,
    );
    canvas.shape(&stem, Rgb(248.0, 238.0, 220.0));
    let cap = curve(
        (-0.48, -0.46),
        &[(-0.44, -1.0, 0.0, -1.0), (0.44, -1.0, 0.48, -0.46), (0.0, -0.36, -0.48, -0.46)],
        true,
    );
    canvas.shape(&cap, look.paint);
    let spots = if look.paint == WHITE { Rgb(206.0, 190.0, 170.0) } else { WHITE };
    for (x, y, r) in [(-0.22, -0.64, 0.08), (0.06, -0.8, 0.085), (0.26, -0.6, 0.07)] {
        canvas.fill(&circle(x, y, r), spots);
    }
}

pub(super) fn potted(canvas: &mut Canvas, look: &Look) {
    let green = Rgb(66.0, 150.0, 84.0);
    for (x, y) in [(-0.34, -0.66), (0.34, -0.66), (-0.2, -0.9), (0.2, -0.9), (0.0, -1.0)] {
        let (sx, sy) = (x * 0.5 - y * 0.08, -0.62);
        let leaf =
            curve((0.0, -0.36), &[(sx - 0.1, sy, x, y), (sx + 0.1, sy + 0.1, 0.0, -0.36)], true);
        canvas.shape(&leaf, green);
    }
    canvas.shape(&polygon(&[(-0.24, -0.4), (0.24, -0.4), (0.17, 0.0), (-0.17, 0.0)]), look.paint);
    canvas.shape(&rounded(-0.27, -0.45, 0.54, 0.1, 0.03), look.paint);
    canvas.line(&lines(&[(-0.2, -0.2), (0.2, -0.2)]), WOOD.mix(look.paint, 0.6), 0.03);
}
