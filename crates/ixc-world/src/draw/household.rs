//! Things in rooms: furniture, and what lies on tables and floors.
//!
//! The colour is the largest part's. Deliberately absent: the room itself ([`super::room`]).

use super::{
    canvas::{Canvas, circle, curve, ellipse, lines, polygon, rect, rounded},
    colour::{BLACK, LIT, Rgb, WHITE, WOOD},
    things::Look,
};

pub(super) fn chair(canvas: &mut Canvas, look: &Look) {
    for (x, top) in [(-0.26, -0.98), (0.24, -0.46)] {
        canvas.limb(&lines(&[(x, top), (x, -0.03)]), WOOD, 0.06);
    }
    canvas.limb(&lines(&[(-0.12, -0.4), (-0.12, -0.06)]), WOOD.darker(0.15), 0.05);
    canvas.limb(&lines(&[(0.12, -0.4), (0.12, -0.06)]), WOOD.darker(0.15), 0.05);
    canvas.shape(&rounded(-0.32, -1.0, 0.13, 0.54, 0.05), look.paint);
    canvas.shape(&rounded(-0.31, -0.52, 0.62, 0.13, 0.05), look.paint);
}

pub(super) fn sofa(canvas: &mut Canvas, look: &Look) {
    for x in [-0.66, 0.66] {
        canvas.shape(&rect(x - 0.04, -0.1, 0.08, 0.1), WOOD);
    }
    canvas.shape(&rounded(-0.72, -1.0, 1.44, 0.8, 0.16), look.paint.darker(0.06));
    for x in [-0.56, 0.02] {
        canvas.shape(&rounded(x, -0.56, 0.54, 0.28, 0.08), look.paint.lighter(0.12));
    }
    canvas.shape(&rounded(-0.74, -0.32, 1.48, 0.24, 0.06), look.paint);
    for x in [-0.84, 0.6] {
        canvas.shape(&rounded(x, -0.68, 0.24, 0.6, 0.1), look.paint);
    }
}

pub(super) fn lamp(canvas: &mut Canvas, look: &Look) {
    canvas.limb(&lines(&[(0.0, -0.7), (0.0, -0.04)]), WOOD, 0.03);
    canvas.shape(&ellipse(0.0, -0.03, 0.13, 0.03), WOOD);
    if look.lit {
        canvas.halo((0.0, -0.8), 0.5, LIT, 0.7);
    }
    canvas.shape(&polygon(&[(-0.2, -0.66), (-0.11, -1.0), (0.11, -1.0), (0.2, -0.66)]), look.paint);
    if look.lit {
        canvas.wash(&ellipse(0.0, -0.72, 0.12, 0.05), LIT, 0.6);
    }
}

pub(super) fn clock(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&circle(0.0, -0.5, 0.48), look.paint);
    canvas.shape(&circle(0.0, -0.5, 0.36), WHITE);
    for (x, y) in [(0.0, -0.8), (0.3, -0.5), (0.0, -0.2), (-0.3, -0.5)] {
        canvas.fill(&circle(x, y, 0.035), BLACK);
    }
    let (sin, cos) = ((look.variant % 12) as f32 * std::f32::consts::TAU / 12.0).sin_cos();
    canvas.line(&lines(&[(0.0, -0.5), (sin * 0.17, -0.5 - cos * 0.17)]), BLACK, 0.06);
    canvas.line(&lines(&[(0.0, -0.5), (cos * 0.26, -0.5 + sin * 0.26)]), BLACK, 0.04);
}

pub(super) fn painting(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&rect(-0.62, -1.0, 1.24, 1.0), Rgb(196.0, 152.0, 74.0));
    canvas.fill(&rect(-0.5, -0.88, 1.0, 0.76), Rgb(200.0, 224.0, 236.0));
    match look.variant % 3 {
        0 => {
            canvas.fill(
                &polygon(&[(-0.5, -0.12), (-0.2, -0.66), (0.06, -0.3), (0.22, -0.5), (0.5, -0.12)]),
                Rgb(110.0, 140.0, 130.0),
            );
        }
        1 => {
            canvas.fill(&rect(-0.5, -0.44, 1.0, 0.32), Rgb(110.0, 160.0, 190.0));
            canvas.fill(&circle(0.22, -0.66, 0.11), Rgb(250.0, 216.0, 150.0));
        }
        _ => {
            canvas.fill(&rect(-0.5, -0.36, 1.0, 0.24), Rgb(170.0, 180.0, 120.0));
            canvas.fill(&ellipse(-0.1, -0.46, 0.22, 0.18), Rgb(190.0, 150.0, 130.0));
        }
    }
    canvas.ink(&rect(-0.5, -0.88, 1.0, 0.76), WOOD.darker(0.4));
}

pub(super) fn shelf(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&rounded(-0.34, -1.0, 0.68, 1.0, 0.02), look.paint);
    let spines = [
        Rgb(170.0, 92.0, 84.0),
        Rgb(96.0, 122.0, 158.0),
        Rgb(206.0, 182.0, 120.0),
        Rgb(112.0, 146.0, 116.0),
        Rgb(140.0, 118.0, 150.0),
    ];
    for row in 0..3 {
        let bottom = -0.68 + row as f32 * 0.31;
        canvas.fill(&rect(-0.29, bottom - 0.25, 0.58, 0.25), look.paint.darker(0.42));
        for at in 0..7 {
            let colour = spines[(at * 3 + row * 2 + look.variant) % spines.len()];
            let height = [0.21, 0.18, 0.2, 0.16, 0.22, 0.19, 0.17][(at + row) % 7];
            canvas.fill(&rect(-0.28 + at as f32 * 0.081, bottom - height, 0.068, height), colour);
        }
    }
}

pub(super) fn book(canvas: &mut Canvas, look: &Look) {
    canvas
        .shape(&polygon(&[(-0.6, -0.2), (0.44, -0.2), (0.66, -0.84), (-0.34, -0.84)]), look.paint);
    canvas.shape(&polygon(&[(-0.6, -0.2), (0.44, -0.2), (0.44, 0.0), (-0.6, 0.0)]), WHITE);
    canvas.shape(
        &polygon(&[(0.44, -0.2), (0.66, -0.84), (0.66, -0.64), (0.44, 0.0)]),
        Rgb(226.0, 222.0, 212.0),
    );
    canvas.limb(&lines(&[(-0.6, 0.0), (0.44, 0.0)]), look.paint, 0.06);
    canvas.line(&lines(&[(-0.18, -0.64), (0.36, -0.64)]), look.paint.lighter(0.6), 0.07);
}

pub(super) fn cup(canvas: &mut Canvas, look: &Look) {
    canvas.limb(
        &curve((0.3, -0.76), &[(0.66, -0.74, 0.54, -0.46), (0.46, -0.26, 0.28, -0.26)], false),
        look.paint,
        0.1,
    );
    let body = curve(
        (-0.44, -0.96),
        &[
            (0.0, -0.92, 0.38, -0.96),
            (0.38, -0.2, 0.24, -0.02),
            (0.0, 0.02, -0.3, -0.02),
            (-0.44, -0.2, -0.44, -0.96),
        ],
        true,
    );
    canvas.shape(&body, look.paint);
    canvas.shape(&ellipse(-0.03, -0.93, 0.41, 0.07), look.paint.lighter(0.25));
    canvas.fill(&ellipse(-0.03, -0.92, 0.32, 0.045), Rgb(112.0, 72.0, 48.0));
}

pub(super) fn bottle(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&rounded(-0.07, -1.0, 0.14, 0.12, 0.03), WOOD);
    let glass = curve(
        (-0.06, -0.9),
        &[
            (0.0, -0.92, 0.06, -0.9),
            (0.05, -0.7, 0.1, -0.66),
            (0.2, -0.6, 0.2, -0.5),
            (0.2, -0.2, 0.2, -0.02),
            (0.0, 0.02, -0.2, -0.02),
            (-0.2, -0.2, -0.2, -0.5),
            (-0.2, -0.6, -0.1, -0.66),
            (-0.05, -0.7, -0.06, -0.9),
        ],
        true,
    );
    canvas.shape(&glass, look.paint);
    canvas.shape(&rect(-0.19, -0.4, 0.38, 0.22), Rgb(246.0, 236.0, 206.0));
    canvas.wash(&rounded(-0.14, -0.56, 0.05, 0.5, 0.02), WHITE, 0.55);
}

pub(super) fn apple(canvas: &mut Canvas, look: &Look) {
    let body = curve(
        (0.0, -0.78),
        &[
            (0.5, -0.98, 0.46, -0.42),
            (0.4, 0.02, 0.1, 0.0),
            (0.0, -0.03, -0.1, 0.0),
            (-0.4, 0.02, -0.46, -0.42),
            (-0.5, -0.98, 0.0, -0.78),
        ],
        true,
    );
    canvas.shape(&body, look.paint);
    canvas.limb(&curve((0.0, -0.76), &[(0.0, -0.92, 0.06, -0.98)], false), WOOD.darker(0.3), 0.06);
    canvas.shape(
        &curve((0.04, -0.84), &[(0.2, -1.04, 0.36, -0.92), (0.2, -0.78, 0.04, -0.84)], true),
        Rgb(70.0, 150.0, 66.0),
    );
    canvas.wash(&ellipse(-0.22, -0.56, 0.08, 0.14), WHITE, 0.5);
}

pub(super) fn vase(canvas: &mut Canvas, look: &Look) {
    for (x, y) in [(-0.2, -0.86), (0.2, -0.86), (0.0, -0.94)] {
        canvas.limb(&lines(&[(0.0, -0.5), (x, y)]), Rgb(70.0, 140.0, 70.0), 0.025);
        // Blossoms are grey-white, so that the vase's colour is the only one.
        canvas.shape(&circle(x, y, 0.065), Rgb(240.0, 236.0, 226.0));
    }
    let body = curve(
        (-0.11, -0.6),
        &[
            (0.0, -0.57, 0.11, -0.6),
            (0.08, -0.5, 0.2, -0.4),
            (0.34, -0.2, 0.14, 0.0),
            (0.0, 0.02, -0.14, 0.0),
            (-0.34, -0.2, -0.2, -0.4),
            (-0.08, -0.5, -0.11, -0.6),
        ],
        true,
    );
    canvas.shape(&body, look.paint);
    canvas.line(
        &curve((-0.22, -0.26), &[(0.0, -0.2, 0.22, -0.26)], false),
        look.paint.lighter(0.5),
        0.035,
    );
    canvas.shape(&rounded(-0.13, -0.64, 0.26, 0.06, 0.02), look.paint);
}

pub(super) fn candle(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&ellipse(0.0, -0.04, 0.2, 0.05), Rgb(170.0, 150.0, 110.0));
    canvas.shape(&rounded(-0.11, -0.7, 0.22, 0.66, 0.03), look.paint);
    canvas.ink(&lines(&[(0.0, -0.7), (0.0, -0.78)]), BLACK);
    canvas.halo((0.0, -0.86), 0.32, LIT, 0.6);
    let flame = curve((0.0, -1.0), &[(0.14, -0.82, 0.0, -0.74), (-0.14, -0.82, 0.0, -1.0)], true);
    canvas.glow(&flame, Rgb(255.0, 190.0, 50.0), 1.0);
}

pub(super) fn teddy(canvas: &mut Canvas, look: &Look) {
    let fur = look.paint;
    for x in [-1.0, 1.0] {
        canvas.shape(&circle(x * 0.2, -0.92, 0.09), fur);
        canvas.shape(&ellipse(x * 0.3, -0.42, 0.1, 0.13), fur);
        canvas.shape(&ellipse(x * 0.22, -0.09, 0.15, 0.1), fur);
    }
    canvas.shape(&ellipse(0.0, -0.3, 0.27, 0.26), fur);
    canvas.fill(&ellipse(0.0, -0.28, 0.15, 0.15), fur.lighter(0.4));
    canvas.shape(&circle(0.0, -0.72, 0.24), fur);
    canvas.fill(&ellipse(0.0, -0.64, 0.11, 0.08), fur.lighter(0.5));
    canvas.fill(&ellipse(0.0, -0.68, 0.045, 0.032), BLACK);
    for x in [-0.1, 0.1] {
        canvas.fill(&circle(x, -0.78, 0.03), BLACK);
    }
}

pub(super) fn cake(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&ellipse(0.0, -0.05, 0.62, 0.06), Rgb(206.0, 214.0, 224.0));
    canvas.shape(&rounded(-0.5, -0.6, 1.0, 0.55, 0.06), look.paint);
    let cream = if look.paint == WHITE { Rgb(250.0, 232.0, 214.0) } else { WHITE };
    let icing = curve(
        (-0.52, -0.58),
        &[
            (0.0, -0.78, 0.52, -0.58),
            (0.46, -0.34, 0.34, -0.48),
            (0.24, -0.3, 0.14, -0.48),
            (0.02, -0.32, -0.1, -0.48),
            (-0.22, -0.3, -0.32, -0.48),
            (-0.44, -0.34, -0.52, -0.58),
        ],
        true,
    );
    canvas.shape(&icing, cream);
    for x in [-0.26, 0.0, 0.26] {
        canvas.shape(&circle(x, -0.7, 0.07), Rgb(206.0, 40.0, 56.0));
    }
}
