//! Animals from the side or the front, whichever tells more.
//!
//! Deliberately absent: gaits; nobody asks what an animal does.

use super::{
    canvas::{Canvas, circle, curve, ellipse, lines, polygon, rounded},
    colour::{BLACK, Rgb, WHITE},
    things::Look,
};

const BEAK: Rgb = Rgb(245.0, 150.0, 40.0);
const ROSE: Rgb = Rgb(240.0, 160.0, 160.0);

fn eye(canvas: &mut Canvas, x: f32, y: f32, radius: f32) {
    canvas.fill(&circle(x, y, radius * 1.5), WHITE);
    canvas.fill(&circle(x + radius * 0.3, y, radius), BLACK);
}

fn legs(canvas: &mut Canvas, at: &[f32], top: f32, colour: Rgb, width: f32) {
    for (n, &x) in at.iter().enumerate() {
        let shade = if n % 2 == 0 { colour.darker(0.16) } else { colour };
        canvas.limb(&lines(&[(x, top), (x, -width / 2.0)]), shade, width);
    }
}

pub(super) fn dog(canvas: &mut Canvas, look: &Look) {
    let coat = look.paint;
    let tail = curve((-0.42, -0.5), &[(-0.62, -0.6, -0.56, -0.86)], false);
    canvas.limb(&tail, coat, 0.09);
    legs(canvas, &[-0.36, -0.28, 0.2, 0.28], -0.36, coat, 0.1);
    canvas.shape(&rounded(-0.47, -0.66, 0.86, 0.36, 0.17), coat);
    canvas.shape(&ellipse(0.36, -0.76, 0.2, 0.2), coat);
    canvas.shape(&rounded(0.42, -0.77, 0.22, 0.16, 0.08), coat.lighter(0.2));
    canvas.fill(&circle(0.62, -0.74, 0.045), BLACK);
    let ear = curve((0.2, -0.9), &[(0.08, -0.9, 0.12, -0.62), (0.28, -0.6, 0.3, -0.88)], true);
    canvas.shape(&ear, coat.darker(0.3));
    eye(canvas, 0.42, -0.82, 0.032);
    canvas.line(&lines(&[(0.22, -0.6), (0.34, -0.57)]), Rgb(220.0, 60.0, 60.0), 0.07);
}

pub(super) fn cat(canvas: &mut Canvas, look: &Look) {
    let coat = look.paint;
    let tail = curve((0.24, -0.1), &[(0.56, -0.06, 0.42, -0.44)], false);
    canvas.limb(&tail, coat, 0.09);
    let body = curve(
        (-0.28, 0.0),
        &[(-0.34, -0.5, 0.0, -0.56), (0.34, -0.5, 0.28, 0.0), (0.0, 0.03, -0.28, 0.0)],
        true,
    );
    canvas.shape(&body, coat);
    canvas.fill(&ellipse(0.0, -0.2, 0.13, 0.17), coat.lighter(0.35));
    for x in [-0.1, 0.1] {
        canvas.shape(&ellipse(x, -0.04, 0.085, 0.05), coat.lighter(0.15));
    }
    for x in [-1.0, 1.0] {
        canvas.shape(&polygon(&[(x * 0.27, -0.72), (x * 0.26, -1.0), (x * 0.06, -0.88)]), coat);
        canvas.fill(&polygon(&[(x * 0.23, -0.8), (x * 0.225, -0.93), (x * 0.13, -0.87)]), ROSE);
    }
    canvas.shape(&ellipse(0.0, -0.69, 0.29, 0.23), coat);
    for x in [-0.12, 0.12] {
        canvas.fill(&ellipse(x, -0.72, 0.055, 0.06), Rgb(190.0, 220.0, 90.0));
        canvas.fill(&ellipse(x, -0.72, 0.022, 0.055), BLACK);
    }
    canvas.fill(&polygon(&[(-0.04, -0.645), (0.04, -0.645), (0.0, -0.6)]), ROSE);
    for (x, y) in [(-1.0, -0.62), (-1.0, -0.57), (1.0, -0.62), (1.0, -0.57)] {
        let whisker = lines(&[(x * 0.12, -0.6), (x * 0.38, y)]);
        canvas.ink(&whisker, coat.mix(if coat == BLACK { WHITE } else { BLACK }, 0.6));
    }
}

pub(super) fn cow(canvas: &mut Canvas, look: &Look) {
    let coat = look.paint;
    let patches = if coat == WHITE { BLACK } else { WHITE };
    canvas.limb(&curve((-0.55, -0.7), &[(-0.68, -0.6, -0.64, -0.32)], false), coat, 0.05);
    legs(canvas, &[-0.46, -0.34, 0.22, 0.34], -0.4, coat, 0.12);
    canvas.shape(&ellipse(-0.16, -0.32, 0.12, 0.1), ROSE);
    canvas.shape(&rounded(-0.58, -0.82, 1.0, 0.5, 0.16), coat);
    if coat != Rgb(134.0, 82.0, 46.0) {
        canvas.fill(&ellipse(-0.3, -0.66, 0.15, 0.11), patches);
        canvas.fill(&ellipse(0.08, -0.52, 0.12, 0.09), patches);
    }
    for x in [0.36, 0.62] {
        let horn = curve(
            (x, -0.9),
            &[(x + 0.02, -1.0, x + 0.07 * if x < 0.5 { -1.0 } else { 1.0 }, -1.0)],
            false,
        );
        canvas.limb(&horn, Rgb(236.0, 224.0, 196.0), 0.05);
    }
    for x in [-1.0, 1.0] {
        canvas.shape(&ellipse(0.49 + x * 0.21, -0.82, 0.09, 0.055), coat.darker(0.1));
    }
    canvas.shape(&rounded(0.33, -0.94, 0.32, 0.4, 0.12), coat);
    canvas.shape(&ellipse(0.49, -0.6, 0.18, 0.11), ROSE);
    for x in [0.43, 0.55] {
        canvas.fill(&circle(x, -0.6, 0.025), Rgb(150.0, 80.0, 80.0));
        eye(canvas, x, -0.8, 0.026);
    }
}

pub(super) fn horse(canvas: &mut Canvas, look: &Look) {
    let coat = look.paint;
    let mane = if coat == BLACK { Rgb(120.0, 110.0, 110.0) } else { coat.darker(0.5) };
    let tail = curve((-0.42, -0.58), &[(-0.6, -0.52, -0.52, -0.18)], false);
    canvas.limb(&tail, mane, 0.09);
    legs(canvas, &[-0.34, -0.26, 0.14, 0.22], -0.36, coat, 0.085);
    canvas.shape(&rounded(-0.45, -0.64, 0.76, 0.31, 0.15), coat);
    let neck = curve(
        (0.04, -0.56),
        &[
            (0.2, -0.7, 0.24, -0.92),
            (0.34, -1.0, 0.4, -0.9),
            (0.5, -0.8, 0.56, -0.74),
            (0.56, -0.64, 0.46, -0.66),
            (0.38, -0.7, 0.36, -0.7),
            (0.34, -0.5, 0.28, -0.42),
            (0.1, -0.4, 0.04, -0.56),
        ],
        true,
    );
    canvas.shape(&neck, coat);
    canvas.limb(&curve((0.27, -0.93), &[(0.12, -0.84, 0.06, -0.6)], false), mane, 0.07);
    canvas.shape(&polygon(&[(0.27, -0.9), (0.28, -1.0), (0.35, -0.92)]), coat);
    eye(canvas, 0.38, -0.84, 0.024);
    canvas.fill(&circle(0.52, -0.71, 0.018), BLACK);
}

pub(super) fn sheep(canvas: &mut Canvas, look: &Look) {
    let wool = look.paint;
    let skin = if wool == BLACK { Rgb(110.0, 100.0, 100.0) } else { Rgb(76.0, 66.0, 66.0) };
    legs(canvas, &[-0.32, -0.22, 0.14, 0.24], -0.3, skin, 0.09);
    let puffs = [
        (-0.4, -0.5),
        (-0.26, -0.72),
        (0.0, -0.78),
        (0.22, -0.68),
        (0.3, -0.48),
        (0.1, -0.34),
        (-0.2, -0.34),
    ];
    for (x, y) in puffs {
        canvas.shape(&circle(x, y, 0.2), wool);
    }
    canvas.fill(&ellipse(-0.06, -0.54, 0.38, 0.26), wool);
    canvas.shape(&ellipse(0.46, -0.68, 0.14, 0.18), skin);
    canvas.shape(&ellipse(0.32, -0.72, 0.09, 0.05), skin);
    canvas.shape(&circle(0.42, -0.85, 0.11), wool);
    eye(canvas, 0.49, -0.7, 0.032);
}

pub(super) fn duck(canvas: &mut Canvas, look: &Look) {
    let coat = look.paint;
    let body = curve(
        (-0.58, -0.56),
        &[
            (-0.4, -0.5, -0.1, -0.56),
            (0.2, -0.6, 0.42, -0.4),
            (0.4, 0.02, -0.1, 0.0),
            (-0.52, -0.02, -0.58, -0.56),
        ],
        true,
    );
    canvas.shape(&body, coat);
    canvas.shape(&polygon(&[(0.48, -0.76), (0.66, -0.7), (0.5, -0.62)]), BEAK);
    canvas.shape(&circle(0.3, -0.74, 0.24), coat);
    let wing = curve((-0.3, -0.4), &[(0.1, -0.5, 0.12, -0.3), (-0.1, -0.08, -0.3, -0.4)], true);
    canvas.shape(&wing, coat.darker(0.14));
    eye(canvas, 0.36, -0.8, 0.05);
}

pub(super) fn rabbit(canvas: &mut Canvas, look: &Look) {
    let coat = look.paint;
    canvas.shape(&circle(-0.3, -0.14, 0.1), coat.lighter(0.6));
    canvas.shape(&ellipse(-0.04, -0.24, 0.28, 0.24), coat);
    canvas.shape(&ellipse(-0.14, -0.08, 0.16, 0.08), coat);
    canvas.shape(&ellipse(0.16, -0.06, 0.1, 0.06), coat);
    for (x, lean) in [(0.06, -10.0), (0.2, 8.0)] {
        canvas.within((x, -0.62), 1.0, false, |canvas| {
            canvas.turned(lean, |canvas| {
                canvas.shape(&ellipse(0.0, -0.18, 0.065, 0.2), coat);
                canvas.fill(&ellipse(0.0, -0.18, 0.03, 0.14), ROSE);
            });
        });
    }
    canvas.shape(&ellipse(0.14, -0.5, 0.2, 0.17), coat);
    eye(canvas, 0.2, -0.54, 0.036);
    canvas.fill(&circle(0.33, -0.48, 0.03), ROSE);
}

pub(super) fn bird(canvas: &mut Canvas, look: &Look) {
    let coat = look.paint;
    let wing = |x: f32| {
        curve(
            (x * 0.06, -0.42),
            &[(x * 0.35, -1.15, x * 0.78, -0.92), (x * 0.45, -0.66, x * 0.16, -0.2)],
            true,
        )
    };
    canvas.shape(&wing(-1.0), coat.darker(0.08));
    canvas.shape(&polygon(&[(-0.24, -0.3), (-0.6, -0.24), (-0.5, -0.06)]), coat);
    canvas.shape(&ellipse(0.0, -0.28, 0.32, 0.2), coat);
    canvas.shape(&circle(0.3, -0.42, 0.16), coat);
    canvas.shape(&polygon(&[(0.44, -0.48), (0.62, -0.4), (0.44, -0.34)]), BEAK);
    canvas.shape(&wing(0.6), coat);
    eye(canvas, 0.33, -0.46, 0.035);
}

pub(super) fn crab(canvas: &mut Canvas, look: &Look) {
    let shell = look.paint;
    for x in [-1.0, 1.0] {
        for (out, y) in [(0.5, -0.02), (0.6, -0.14), (0.64, -0.28)] {
            let leg = lines(&[(x * 0.3, -0.34), (x * out, y - 0.16), (x * (out + 0.06), y)]);
            canvas.limb(&leg, shell.darker(0.1), 0.07);
        }
        canvas.limb(&lines(&[(x * 0.34, -0.5), (x * 0.56, -0.66)]), shell, 0.1);
        canvas.shape(&circle(x * 0.6, -0.78, 0.17), shell);
        canvas.fill(
            &polygon(&[(x * 0.6, -0.78), (x * 0.5, -1.0), (x * 0.72, -1.0)]),
            Rgb(240.0, 220.0, 180.0),
        );
        canvas.limb(&lines(&[(x * 0.13, -0.6), (x * 0.13, -0.78)]), shell, 0.05);
        canvas.fill(&circle(x * 0.13, -0.82, 0.085), WHITE);
        canvas.fill(&circle(x * 0.13, -0.82, 0.045), BLACK);
    }
    canvas.shape(&ellipse(0.0, -0.38, 0.42, 0.28), shell);
    let smile = curve((-0.14, -0.34), &[(0.0, -0.22, 0.14, -0.34)], false);
    canvas.line(&smile, shell.darker(0.6), 0.045);
}
