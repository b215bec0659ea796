//! Vehicles on roads, on water, in the air.
//!
//! The colour is the body's; of a boat, the hull's and a band of the sail. Deliberately absent: drivers.

use super::{
    canvas::{Canvas, circle, curve, ellipse, lines, polygon, rounded},
    colour::{BLACK, GREY, LIT, Rgb, WHITE, WOOD},
    things::Look,
};

const GLASS: Rgb = Rgb(176.0, 214.0, 238.0);

fn wheel(canvas: &mut Canvas, x: f32, radius: f32) {
    canvas.shape(&circle(x, -radius, radius), BLACK);
    canvas.fill(&circle(x, -radius, radius * 0.45), GREY.lighter(0.4));
}

fn pane(canvas: &mut Canvas, look: &Look, path: &tiny_skia::Path) {
    if look.lit {
        canvas.glow(path, LIT.lighter(0.2), 1.0);
        canvas.ink(path, BLACK);
    } else {
        canvas.shape(path, GLASS);
    }
}

pub(super) fn car(canvas: &mut Canvas, look: &Look) {
    let cabin = curve(
        (-0.6, -0.55),
        &[(-0.45, -0.98, -0.3, -1.0), (0.0, -1.02, 0.2, -1.0), (0.36, -0.96, 0.58, -0.55)],
        true,
    );
    canvas.shape(&cabin, look.paint);
    pane(canvas, look, &polygon(&[(-0.46, -0.58), (-0.32, -0.88), (-0.06, -0.88), (-0.06, -0.58)]));
    pane(canvas, look, &polygon(&[(0.02, -0.58), (0.02, -0.88), (0.2, -0.88), (0.4, -0.58)]));
    canvas.shape(&rounded(-0.94, -0.64, 1.88, 0.44, 0.18), look.paint);
    canvas.fill(&ellipse(0.86, -0.46, 0.07, 0.08), LIT);
    canvas.fill(&ellipse(-0.88, -0.46, 0.05, 0.07), Rgb(200.0, 40.0, 40.0));
    wheel(canvas, -0.52, 0.23);
    wheel(canvas, 0.52, 0.23);
}

pub(super) fn bus(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&rounded(-0.79, -1.0, 1.58, 0.86, 0.1), look.paint);
    for at in 0..4 {
        pane(canvas, look, &rounded(-0.68 + at as f32 * 0.31, -0.86, 0.25, 0.3, 0.03));
    }
    pane(canvas, look, &rounded(0.58, -0.86, 0.16, 0.52, 0.03));
    canvas.fill(&rounded(-0.77, -0.44, 1.3, 0.07, 0.02), WHITE);
    wheel(canvas, -0.46, 0.15);
    wheel(canvas, 0.46, 0.15);
}

pub(super) fn bicycle(canvas: &mut Canvas, look: &Look) {
    for x in [-0.44, 0.44] {
        canvas.line(&circle(x, -0.31, 0.275), BLACK, 0.07);
        canvas.fill(&circle(x, -0.31, 0.05), BLACK);
    }
    let frame =
        lines(&[(-0.44, -0.31), (-0.16, -0.76), (0.3, -0.76), (0.0, -0.31), (-0.44, -0.31)]);
    canvas.limb(&frame, look.paint, 0.085);
    canvas.limb(&lines(&[(0.0, -0.31), (-0.19, -0.88)]), look.paint, 0.085);
    canvas.limb(&lines(&[(0.44, -0.31), (0.28, -0.9)]), look.paint, 0.085);
    canvas.limb(&lines(&[(0.28, -0.92), (0.44, -0.96), (0.46, -0.86)]), BLACK, 0.05);
    canvas.shape(&ellipse(-0.2, -0.9, 0.15, 0.055), BLACK);
}

pub(super) fn tractor(canvas: &mut Canvas, look: &Look) {
    canvas.limb(&lines(&[(0.34, -0.6), (0.34, -0.94)]), BLACK, 0.06);
    canvas.shape(&rounded(-0.1, -0.62, 0.7, 0.36, 0.06), look.paint);
    canvas.shape(&rounded(-0.5, -1.0, 0.52, 0.09, 0.03), look.paint);
    pane(canvas, look, &rounded(-0.44, -0.92, 0.4, 0.4, 0.02));
    canvas.shape(&rounded(-0.5, -0.54, 0.5, 0.3, 0.05), look.paint);
    canvas.shape(&circle(-0.26, -0.31, 0.31), BLACK);
    canvas.shape(&circle(-0.26, -0.31, 0.15), Rgb(244.0, 210.0, 80.0));
    canvas.shape(&circle(0.44, -0.19, 0.19), BLACK);
    canvas.fill(&circle(0.44, -0.19, 0.09), Rgb(244.0, 210.0, 80.0));
}

pub(super) fn boat(canvas: &mut Canvas, look: &Look) {
    canvas.limb(&lines(&[(0.0, -0.24), (0.0, -0.98)]), WOOD, 0.035);
    let main = curve((0.04, -0.94), &[(0.4, -0.6, 0.4, -0.32), (0.2, -0.34, 0.04, -0.32)], true);
    canvas.shape(&main, WHITE);
    canvas.shape(&polygon(&[(-0.04, -0.84), (-0.04, -0.32), (-0.36, -0.32)]), look.paint);
    let hull = curve(
        (-0.45, -0.27),
        &[
            (0.0, -0.24, 0.46, -0.28),
            (0.4, -0.02, 0.24, 0.0),
            (0.0, 0.0, -0.24, 0.0),
            (-0.4, -0.04, -0.45, -0.27),
        ],
        true,
    );
    canvas.shape(&hull, look.paint);
    canvas.wash(&ellipse(0.0, 0.01, 0.4, 0.03), WHITE, 0.6);
}

pub(super) fn balloon(canvas: &mut Canvas, look: &Look) {
    for x in [-0.12, 0.12] {
        canvas.ink(&lines(&[(x * 1.6, -0.36), (x * 0.8, -0.15)]), WOOD.darker(0.3));
    }
    let bag = curve(
        (0.0, -1.0),
        &[
            (0.38, -1.0, 0.37, -0.64),
            (0.34, -0.44, 0.12, -0.29),
            (0.0, -0.27, -0.12, -0.29),
            (-0.34, -0.44, -0.37, -0.64),
            (-0.38, -1.0, 0.0, -1.0),
        ],
        true,
    );
    canvas.shape(&bag, look.paint);
    let gore = curve(
        (0.0, -1.0),
        &[
            (0.2, -0.9, 0.17, -0.62),
            (0.14, -0.42, 0.05, -0.29),
            (0.0, -0.28, -0.05, -0.29),
            (-0.14, -0.42, -0.17, -0.62),
            (-0.2, -0.9, 0.0, -1.0),
        ],
        true,
    );
    canvas.wash(&gore, look.paint.lighter(0.35), 0.75);
    canvas.shape(&rounded(-0.11, -0.16, 0.22, 0.16, 0.03), WOOD);
}

pub(super) fn plane(canvas: &mut Canvas, look: &Look) {
    canvas.shape(
        &polygon(&[(-0.92, -0.98), (-0.72, -0.98), (-0.5, -0.5), (-0.84, -0.5)]),
        look.paint,
    );
    canvas.shape(
        &polygon(&[(0.0, -0.5), (-0.28, -0.96), (-0.12, -0.96), (0.24, -0.5)]),
        look.paint.darker(0.2),
    );
    let body = curve(
        (-0.92, -0.62),
        &[
            (0.0, -0.76, 0.6, -0.7),
            (0.96, -0.62, 0.96, -0.46),
            (0.9, -0.3, 0.5, -0.28),
            (-0.4, -0.28, -0.92, -0.62),
        ],
        true,
    );
    canvas.shape(&body, look.paint);
    canvas.shape(
        &polygon(&[(0.14, -0.42), (-0.42, 0.0), (-0.18, 0.0), (0.46, -0.4)]),
        look.paint.darker(0.08),
    );
    for at in 0..5 {
        canvas.fill(&circle(-0.36 + at as f32 * 0.2, -0.54, 0.05), Rgb(60.0, 80.0, 120.0));
    }
    canvas.fill(&polygon(&[(0.66, -0.64), (0.84, -0.58), (0.86, -0.48), (0.66, -0.5)]), GLASS);
}
