//! People: friendly, simple, told apart by dress, height and hair.
//!
//! Their colour is that of their clothes. Deliberately absent: faces beyond eyes and a smile.

use super::{
    canvas::{Canvas, circle, curve, ellipse, lines, polygon, rounded},
    colour::{BLACK, Rgb},
    things::Look,
};

const SKINS: [Rgb; 4] = [
    Rgb(250.0, 214.0, 182.0),
    Rgb(232.0, 186.0, 146.0),
    Rgb(190.0, 136.0, 98.0),
    Rgb(132.0, 90.0, 66.0),
];
const HAIRS: [Rgb; 3] = [Rgb(70.0, 48.0, 36.0), Rgb(40.0, 36.0, 40.0), Rgb(196.0, 140.0, 70.0)];
const TROUSERS: [Rgb; 2] = [Rgb(74.0, 84.0, 112.0), Rgb(104.0, 94.0, 88.0)];

fn skin(look: &Look) -> Rgb {
    look.one_of(&SKINS)
}

fn hair(look: &Look) -> Rgb {
    HAIRS[look.variant / 7 % HAIRS.len()]
}

/// Eyes and a smile on a head.
fn face(canvas: &mut Canvas, y: f32, radius: f32) {
    for x in [-0.36, 0.36] {
        canvas.fill(&circle(x * radius, y - 0.02 * radius, radius * 0.13), BLACK);
    }
    let smile = curve(
        (-0.34 * radius, y + 0.36 * radius),
        &[(0.0, y + 0.66 * radius, 0.34 * radius, y + 0.36 * radius)],
        false,
    );
    canvas.line(&smile, Rgb(150.0, 70.0, 60.0), radius * 0.13);
}

pub(super) fn man(canvas: &mut Canvas, look: &Look) {
    let trousers = TROUSERS[look.variant / 3 % 2];
    for x in [-0.085, 0.085] {
        canvas.limb(&lines(&[(x, -0.4), (x * 1.1, -0.05)]), trousers, 0.11);
        canvas.shape(&ellipse(x * 1.3, -0.025, 0.075, 0.035), BLACK);
    }
    for x in [-1.0, 1.0] {
        canvas.limb(
            &lines(&[(x * 0.16, -0.66), (x * 0.215, -0.42)]),
            look.paint.darker(0.06),
            0.09,
        );
        canvas.shape(&circle(x * 0.22, -0.385, 0.04), skin(look));
    }
    canvas.shape(&rounded(-0.18, -0.725, 0.36, 0.37, 0.08), look.paint);
    canvas.shape(&circle(0.0, -0.845, 0.125), skin(look));
    let top = curve(
        (-0.13, -0.85),
        &[
            (-0.13, -1.0, 0.0, -1.0),
            (0.13, -1.0, 0.13, -0.85),
            (0.06, -0.93, -0.02, -0.92),
            (-0.08, -0.92, -0.13, -0.85),
        ],
        true,
    );
    canvas.shape(&top, hair(look));
    face(canvas, -0.835, 0.12);
}

pub(super) fn woman(canvas: &mut Canvas, look: &Look) {
    let locks = curve(
        (-0.15, -0.62),
        &[(-0.21, -1.02, 0.0, -1.0), (0.21, -1.02, 0.15, -0.62), (0.0, -0.68, -0.15, -0.62)],
        true,
    );
    canvas.shape(&locks, hair(look));
    for x in [-0.07, 0.07] {
        canvas.limb(&lines(&[(x, -0.24), (x, -0.05)]), skin(look), 0.07);
        canvas.shape(&ellipse(x * 1.2, -0.025, 0.06, 0.03), BLACK);
    }
    for x in [-1.0, 1.0] {
        canvas.limb(&lines(&[(x * 0.12, -0.66), (x * 0.22, -0.46)]), skin(look), 0.07);
    }
    let dress = curve(
        (-0.12, -0.72),
        &[
            (0.0, -0.75, 0.12, -0.72),
            (0.1, -0.55, 0.12, -0.5),
            (0.2, -0.32, 0.25, -0.2),
            (0.0, -0.14, -0.25, -0.2),
            (-0.2, -0.32, -0.12, -0.5),
            (-0.1, -0.55, -0.12, -0.72),
        ],
        true,
    );
    canvas.shape(&dress, look.paint);
    canvas.shape(&circle(0.0, -0.845, 0.115), skin(look));
    let fringe = curve(
        (-0.12, -0.84),
        &[
            (-0.12, -0.99, 0.0, -0.985),
            (0.12, -0.99, 0.12, -0.84),
            (0.08, -0.92, 0.0, -0.93),
            (-0.08, -0.92, -0.12, -0.84),
        ],
        true,
    );
    canvas.shape(&fringe, hair(look));
    face(canvas, -0.835, 0.11);
}

pub(super) fn child(canvas: &mut Canvas, look: &Look) {
    for x in [-0.1, 0.1] {
        canvas.limb(&lines(&[(x, -0.24), (x, -0.06)]), TROUSERS[0], 0.11);
        canvas.shape(&ellipse(x * 1.2, -0.035, 0.085, 0.04), Rgb(180.0, 60.0, 50.0));
    }
    // Arms up: nobody else has them so.
    for x in [-1.0, 1.0] {
        canvas.limb(&lines(&[(x * 0.16, -0.46), (x * 0.28, -0.66)]), look.paint.darker(0.06), 0.09);
        canvas.shape(&circle(x * 0.29, -0.69, 0.045), skin(look));
    }
    canvas.shape(&rounded(-0.19, -0.54, 0.38, 0.34, 0.1), look.paint);
    canvas.shape(&circle(0.0, -0.74, 0.215), skin(look));
    let cap = polygon(&[
        (-0.21, -0.8),
        (-0.17, -0.93),
        (0.0, -1.0),
        (0.17, -0.93),
        (0.21, -0.8),
        (0.0, -0.86),
    ]);
    canvas.shape(&cap, hair(look));
    face(canvas, -0.72, 0.2);
}
