//! Things out of doors that neither live nor drive.
//!
//! A sign's letters are as large as its board allows. Deliberately absent: what stands in rooms
//! ([`super::household`]).

use super::{
    canvas::{Canvas, circle, curve, ellipse, lines, polygon, rect, rounded},
    colour::{BLACK, LIT, Rgb, SNOW, WHITE, WOOD},
    letters,
    things::Look,
};

pub(super) fn bench(canvas: &mut Canvas, look: &Look) {
    for x in [-0.64, 0.64] {
        canvas.limb(&lines(&[(x, -0.96), (x, -0.04)]), BLACK, 0.07);
        canvas.limb(&lines(&[(x * 0.8, -0.42), (x * 0.8, -0.04)]), BLACK, 0.07);
    }
    for (y, height) in [(-0.98, 0.16), (-0.76, 0.16), (-0.5, 0.17)] {
        canvas.shape(&rounded(-0.82, y, 1.64, height, 0.05), look.paint);
    }
}

pub(super) fn kite(canvas: &mut Canvas, look: &Look) {
    let tail = curve((0.0, -0.34), &[(0.16, -0.22, 0.0, -0.14), (-0.14, -0.08, 0.04, 0.0)], false);
    canvas.line(&tail, look.paint.darker(0.3), 0.03);
    for (x, y) in [(0.06, -0.22), (-0.04, -0.09)] {
        canvas.fill(
            &polygon(&[
                (x - 0.07, y - 0.05),
                (x + 0.07, y + 0.05),
                (x + 0.07, y - 0.05),
                (x - 0.07, y + 0.05),
            ]),
            WHITE,
        );
    }
    canvas.shape(&polygon(&[(0.0, -1.0), (0.38, -0.72), (0.0, -0.32), (-0.38, -0.72)]), look.paint);
    canvas.wash(&polygon(&[(0.0, -1.0), (0.38, -0.72), (0.0, -0.72)]), WHITE, 0.3);
    canvas.wash(&polygon(&[(0.0, -0.72), (0.0, -0.32), (-0.38, -0.72)]), BLACK, 0.14);
}

pub(super) fn umbrella(canvas: &mut Canvas, look: &Look) {
    canvas.limb(&lines(&[(0.0, -0.9), (0.0, -0.02)]), WOOD, 0.04);
    let top = curve(
        (-0.5, -0.54),
        &[
            (-0.46, -0.98, 0.0, -0.98),
            (0.46, -0.98, 0.5, -0.54),
            (0.42, -0.62, 0.34, -0.54),
            (0.25, -0.62, 0.16, -0.54),
            (0.0, -0.62, -0.16, -0.54),
            (-0.25, -0.62, -0.34, -0.54),
            (-0.42, -0.62, -0.5, -0.54),
        ],
        true,
    );
    canvas.shape(&top, look.paint);
    for x in [-0.3, 0.1] {
        let strip = curve(
            (0.0, -0.975),
            &[
                (x, -0.86, x - 0.03, -0.57),
                (x + 0.1, -0.6, x + 0.19, -0.57),
                (x + 0.12, -0.84, 0.0, -0.975),
            ],
            true,
        );
        canvas.wash(&strip, look.paint.lighter(0.55), 0.8);
    }
}

pub(super) fn ball(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&circle(0.0, -0.5, 0.48), look.paint);
    let stripe = curve(
        (-0.42, -0.72),
        &[
            (0.0, -0.46, 0.42, -0.72),
            (0.5, -0.56, 0.47, -0.44),
            (0.0, -0.2, -0.47, -0.44),
            (-0.5, -0.56, -0.42, -0.72),
        ],
        true,
    );
    let band = if look.paint == WHITE { Rgb(120.0, 126.0, 140.0) } else { WHITE };
    canvas.wash(&stripe, band, 0.75);
    canvas.wash(&ellipse(-0.16, -0.76, 0.13, 0.08), WHITE, 0.7);
}

pub(super) fn snowman(canvas: &mut Canvas, _: &Look) {
    for x in [-1.0, 1.0] {
        canvas.limb(&lines(&[(x * 0.16, -0.5), (x * 0.36, -0.64)]), WOOD.darker(0.3), 0.03);
    }
    canvas.shape(&circle(0.0, -0.23, 0.23), SNOW);
    canvas.shape(&circle(0.0, -0.53, 0.175), SNOW);
    canvas.shape(&circle(0.0, -0.77, 0.135), SNOW);
    canvas.line(
        &lines(&[(-0.12, -0.66), (0.12, -0.66), (0.16, -0.55)]),
        Rgb(214.0, 50.0, 50.0),
        0.06,
    );
    canvas.shape(&rect(-0.11, -1.0, 0.22, 0.13), BLACK);
    canvas.shape(&rounded(-0.17, -0.89, 0.34, 0.045, 0.02), BLACK);
    for x in [-0.05, 0.05] {
        canvas.fill(&circle(x, -0.8, 0.02), BLACK);
    }
    canvas.shape(&polygon(&[(0.0, -0.78), (0.0, -0.73), (0.15, -0.745)]), Rgb(245.0, 140.0, 40.0));
    for y in [-0.52, -0.43] {
        canvas.fill(&circle(0.0, y, 0.02), BLACK);
    }
}

pub(super) fn lantern(canvas: &mut Canvas, look: &Look) {
    let iron = Rgb(62.0, 70.0, 84.0);
    canvas.limb(&lines(&[(0.0, -0.74), (0.0, -0.02)]), iron, 0.035);
    canvas.shape(&rounded(-0.06, -0.07, 0.12, 0.07, 0.015), iron);
    let glass = polygon(&[(-0.075, -0.74), (-0.1, -0.91), (0.1, -0.91), (0.075, -0.74)]);
    if look.lit {
        canvas.halo((0.0, -0.83), 0.3, LIT, 0.85);
        canvas.glow(&glass, LIT.lighter(0.3), 1.0);
        canvas.ink(&glass, BLACK);
    } else {
        canvas.shape(&glass, Rgb(240.0, 236.0, 206.0));
    }
    canvas.shape(&polygon(&[(-0.13, -0.905), (0.0, -1.0), (0.13, -0.905)]), iron);
}

/// Half a board's width and its height, in heights of the sign.
const BOARD: (f32, f32) = (0.66, 0.56);

pub(super) fn sign(canvas: &mut Canvas, look: &Look) {
    for x in [-0.36, 0.36] {
        canvas.limb(&lines(&[(x, -0.5), (x, -0.02)]), WOOD, 0.07);
    }
    canvas.shape(&rounded(-BOARD.0, -1.0, 2.0 * BOARD.0, BOARD.1, 0.07), look.paint);
    let pale = look.paint == WHITE || look.paint == Rgb(252.0, 214.0, 48.0);
    let ink = if pale { Rgb(24.0, 24.0, 34.0) } else { WHITE };
    let word = look.word.map_or("", |word| word.english());
    let height = (1.16 / letters::width(word).max(1.0)).min(0.36);
    let left = -letters::width(word) * height / 2.0;
    letters::write(canvas, word, (left, -1.0 + (BOARD.1 - height) / 2.0), height, ink);
}
