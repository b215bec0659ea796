//! Buildings, their windows lit when it is dark, their roofs white in winter.
//!
//! The colour is the walls'; of a lighthouse the bands', of a windmill the tower's, of a tent the cloth's.
//! Deliberately absent: insides.

use super::{
    canvas::{Canvas, circle, curve, lines, polygon, rect, rounded},
    colour::{BLACK, GREY, LIT, Rgb, WHITE, WOOD},
    things::Look,
};

const ROOFS: [Rgb; 3] = [Rgb(158.0, 82.0, 66.0), Rgb(98.0, 90.0, 104.0), Rgb(122.0, 78.0, 56.0)];

fn window(canvas: &mut Canvas, look: &Look, x: f32, y: f32, width: f32, height: f32) {
    let pane = rect(x - width / 2.0, y, width, height);
    if look.lit {
        canvas.glow(&pane, LIT, 1.0);
        canvas.ink(&pane, WOOD.darker(0.4));
    } else {
        canvas.shape(&pane, Rgb(150.0, 196.0, 226.0));
    }
    canvas.ink(&lines(&[(x, y), (x, y + height)]), WHITE);
}

fn door(canvas: &mut Canvas, x: f32, width: f32, height: f32) {
    canvas.shape(&rounded(x - width / 2.0, -height, width, height, width * 0.2), WOOD.darker(0.15));
}

pub(super) fn house(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&rect(0.16, -0.96, 0.12, 0.3), Rgb(150.0, 96.0, 84.0));
    canvas.shape(&rect(-0.4, -0.6, 0.8, 0.6), look.paint);
    canvas.shape(
        &polygon(&[(-0.48, -0.58), (0.0, -1.0), (0.48, -0.58)]),
        look.or_snow(look.one_of(&ROOFS)),
    );
    window(canvas, look, -0.22, -0.46, 0.2, 0.2);
    window(canvas, look, 0.22, -0.46, 0.2, 0.2);
    door(canvas, 0.0, 0.18, 0.34);
}

pub(super) fn barn(canvas: &mut Canvas, look: &Look) {
    let wall = polygon(&[
        (-0.48, 0.0),
        (-0.48, -0.56),
        (-0.3, -0.86),
        (0.0, -1.0),
        (0.3, -0.86),
        (0.48, -0.56),
        (0.48, 0.0),
    ]);
    canvas.shape(&wall, look.paint);
    let roof =
        lines(&[(-0.51, -0.54), (-0.31, -0.87), (0.0, -0.985), (0.31, -0.87), (0.51, -0.54)]);
    canvas.limb(&roof, look.or_snow(Rgb(96.0, 84.0, 84.0)), 0.075);
    canvas.shape(&rect(-0.22, -0.44, 0.44, 0.44), WHITE);
    canvas.shape(&rect(-0.18, -0.4, 0.36, 0.4), look.paint.darker(0.25));
    canvas.line(&lines(&[(-0.18, -0.4), (0.18, 0.0)]), WHITE, 0.035);
    canvas.line(&lines(&[(0.18, -0.4), (-0.18, 0.0)]), WHITE, 0.035);
    window(canvas, look, 0.0, -0.74, 0.16, 0.14);
}

pub(super) fn church(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&rect(-0.08, -0.36, 0.44, 0.36), look.paint);
    canvas.shape(
        &polygon(&[(-0.12, -0.35), (0.06, -0.52), (0.3, -0.52), (0.4, -0.35)]),
        look.or_snow(ROOFS[0]),
    );
    canvas.shape(&rect(-0.34, -0.62, 0.28, 0.62), look.paint);
    canvas.shape(&polygon(&[(-0.38, -0.6), (-0.2, -0.9), (-0.02, -0.6)]), look.or_snow(ROOFS[1]));
    canvas.line(&lines(&[(-0.2, -0.89), (-0.2, -0.99)]), Rgb(226.0, 180.0, 70.0), 0.03);
    canvas.line(&lines(&[(-0.25, -0.955), (-0.15, -0.955)]), Rgb(226.0, 180.0, 70.0), 0.03);
    canvas.shape(&circle(-0.2, -0.5, 0.065), WHITE);
    canvas.ink(&lines(&[(-0.2, -0.54), (-0.2, -0.5), (-0.17, -0.49)]), BLACK);
    door(canvas, -0.2, 0.13, 0.24);
    for x in [0.08, 0.25] {
        window(canvas, look, x, -0.26, 0.09, 0.17);
    }
}

pub(super) fn tent(canvas: &mut Canvas, look: &Look) {
    canvas.ink(&lines(&[(-0.1, -1.0), (0.1, -1.0)]), WOOD);
    canvas.shape(&polygon(&[(-0.66, 0.0), (0.0, -0.98), (0.66, 0.0)]), look.paint);
    canvas.wash(&polygon(&[(0.0, -0.98), (0.66, 0.0), (0.3, 0.0)]), BLACK, 0.16);
    let inside = if look.lit { LIT.darker(0.15) } else { look.paint.darker(0.62) };
    canvas.fill(&polygon(&[(-0.22, 0.0), (0.0, -0.7), (0.22, 0.0)]), inside);
    canvas.shape(
        &curve((-0.02, -0.7), &[(-0.12, -0.3, -0.3, -0.0), (-0.2, 0.0, -0.16, 0.0)], true),
        look.paint.lighter(0.3),
    );
}

pub(super) fn windmill(canvas: &mut Canvas, look: &Look) {
    canvas.shape(&polygon(&[(-0.2, 0.0), (-0.12, -0.6), (0.12, -0.6), (0.2, 0.0)]), look.paint);
    canvas
        .shape(&curve((-0.15, -0.59), &[(0.0, -0.86, 0.15, -0.59)], true), look.or_snow(ROOFS[0]));
    door(canvas, 0.0, 0.11, 0.18);
    window(canvas, look, 0.0, -0.42, 0.09, 0.11);
    canvas.within((0.0, -0.64), 1.0, false, |canvas| {
        let lean = 20.0 + (look.variant % 50) as f32;
        for quarter in 0..4 {
            canvas.turned(lean + 90.0 * quarter as f32, |canvas| {
                canvas.line(&lines(&[(0.0, 0.0), (0.0, -0.36)]), WOOD, 0.025);
                canvas.shape(
                    &polygon(&[(0.01, -0.1), (0.1, -0.12), (0.1, -0.36), (0.01, -0.36)]),
                    Rgb(252.0, 244.0, 220.0),
                );
            });
        }
        canvas.shape(&circle(0.0, 0.0, 0.035), WOOD);
    });
}

pub(super) fn lighthouse(canvas: &mut Canvas, look: &Look) {
    canvas.shape(
        &curve((-0.3, 0.02), &[(-0.2, -0.12, 0.0, -0.1), (0.22, -0.12, 0.3, 0.02)], true),
        GREY.darker(0.25),
    );
    let side = |y: f32| 0.09 + 0.07 * (1.0 + y / 0.78);
    let band = |top: f32, low: f32| {
        polygon(&[(-side(low), low), (-side(top), top), (side(top), top), (side(low), low)])
    };
    canvas.shape(&band(-0.74, -0.04), WHITE);
    for (top, low) in [(-0.74, -0.6), (-0.46, -0.32), (-0.18, -0.04)] {
        canvas.shape(&band(top, low), look.paint);
    }
    let room = rect(-0.075, -0.87, 0.15, 0.12);
    if look.lit {
        canvas.halo((0.0, -0.81), 0.34, LIT, 0.8);
        canvas.glow(&room, LIT.lighter(0.3), 1.0);
        canvas.ink(&room, BLACK);
    } else {
        canvas.shape(&room, Rgb(236.0, 232.0, 190.0));
    }
    canvas.shape(&rect(-0.13, -0.765, 0.26, 0.035), BLACK);
    canvas.shape(
        &curve((-0.11, -0.86), &[(-0.06, -1.0, 0.0, -1.0), (0.06, -1.0, 0.11, -0.86)], true),
        look.paint,
    );
}

pub(super) fn castle(canvas: &mut Canvas, look: &Look) {
    let merlons = |canvas: &mut Canvas, from: f32, to: f32, y: f32| {
        let count = 4;
        let width = (to - from) / (2 * count - 1) as f32;
        for at in 0..count {
            canvas.shape(&rect(from + at as f32 * 2.0 * width, y - 0.07, width, 0.08), look.paint);
        }
    };
    merlons(canvas, -0.3, 0.3, -0.46);
    canvas.shape(&rect(-0.32, -0.46, 0.64, 0.46), look.paint);
    for x in [-0.4, 0.4] {
        canvas.shape(&rect(x - 0.12, -0.66, 0.24, 0.66), look.paint.darker(0.06));
        canvas.shape(
            &polygon(&[(x - 0.15, -0.65), (x, -0.92), (x + 0.15, -0.65)]),
            look.or_snow(Rgb(74.0, 96.0, 150.0)),
        );
        window(canvas, look, x, -0.5, 0.09, 0.15);
    }
    canvas.line(&lines(&[(0.4, -0.9), (0.4, -1.0)]), WOOD, 0.02);
    canvas.fill(&polygon(&[(0.4, -1.0), (0.52, -0.965), (0.4, -0.93)]), Rgb(220.0, 60.0, 60.0));
    canvas.shape(&rounded(-0.13, -0.3, 0.26, 0.3, 0.12), WOOD.darker(0.3));
}
