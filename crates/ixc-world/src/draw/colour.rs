//! Colours of paint, and what light makes of them.
//!
//! Invariant: light never turns one palette colour into another; things are tinted less than the ground they
//! stand on. Deliberately absent: shapes.

use crate::scene::{Colour, Hour, Scene, Season, Weather};

/// Red, green, blue, each 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rgb(pub(super) f32, pub(super) f32, pub(super) f32);

pub(super) const WHITE: Rgb = Rgb(246.0, 246.0, 244.0);
pub(super) const BLACK: Rgb = Rgb(46.0, 46.0, 54.0);
pub(super) const GREY: Rgb = Rgb(150.0, 152.0, 160.0);
pub(super) const WOOD: Rgb = Rgb(150.0, 104.0, 66.0);
pub(super) const SNOW: Rgb = Rgb(242.0, 246.0, 252.0);
pub(super) const LIT: Rgb = Rgb(255.0, 221.0, 120.0);

impl Rgb {
    pub(super) fn mix(self, other: Self, share: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * share;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    pub(super) fn lighter(self, share: f32) -> Self {
        self.mix(Self(255.0, 255.0, 255.0), share)
    }

    pub(super) fn darker(self, share: f32) -> Self {
        self.mix(Self(12.0, 10.0, 24.0), share)
    }

    /// The colour of an outline around it: darker, but where that would be black on black.
    pub(super) fn outline(self) -> Self {
        if self.0 + self.1 + self.2 < 180.0 { self.lighter(0.3) } else { self.darker(0.62) }
    }

    fn times(self, by: Self) -> Self {
        Self(self.0 * by.0, self.1 * by.1, self.2 * by.2)
    }

    pub(super) fn skia(self, alpha: f32) -> tiny_skia::Color {
        let unit = |value: f32| (value / 255.0).clamp(0.0, 1.0);
        tiny_skia::Color::from_rgba(unit(self.0), unit(self.1), unit(self.2), alpha.clamp(0.0, 1.0))
            .expect("every part is from 0 to 1")
    }
}

/// The paint of a named colour.
pub(super) fn paint(colour: Colour) -> Rgb {
    match colour {
        Colour::Red => Rgb(216.0, 44.0, 46.0),
        Colour::Orange => Rgb(247.0, 140.0, 28.0),
        Colour::Yellow => Rgb(252.0, 214.0, 48.0),
        Colour::Green => Rgb(52.0, 164.0, 76.0),
        Colour::Blue => Rgb(44.0, 108.0, 220.0),
        Colour::Purple => Rgb(128.0, 66.0, 182.0),
        Colour::Pink => Rgb(248.0, 152.0, 196.0),
        Colour::Brown => Rgb(134.0, 82.0, 46.0),
        Colour::Black => BLACK,
        Colour::White => WHITE,
    }
}

/// What happens to paint on its way to the eye.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tint {
    by: Rgb,
    haze: Rgb,
    thickness: f32,
}

impl Tint {
    /// Paint as it is.
    pub(super) const NONE: Self = Self { by: Rgb(1.0, 1.0, 1.0), haze: WHITE, thickness: 0.0 };

    /// The tint of `scene`'s light; `strength` 1 for the ground, less for things.
    pub(super) fn of(scene: &Scene, strength: f32) -> Self {
        let by = match scene.hour {
            Hour::Morning => Rgb(1.0, 0.95, 0.93),
            Hour::Day => Rgb(1.0, 1.0, 1.0),
            Hour::Evening => Rgb(0.96, 0.80, 0.72),
            Hour::Night => Rgb(0.50, 0.56, 0.80),
        };
        let dull = match scene.weather {
            Weather::Stormy => 0.82,
            Weather::Rainy => 0.9,
            _ => 1.0,
        };
        let by = Rgb(by.0 * dull, by.1 * dull, by.2 * dull);
        Self { by: Rgb(1.0, 1.0, 1.0).mix(by, strength), haze: haze(scene), thickness: 0.0 }
    }

    /// The same with so much of fog's veil before it.
    pub(super) fn veiled(self, thickness: f32) -> Self {
        Self { thickness, ..self }
    }

    pub(super) fn apply(self, colour: Rgb) -> Rgb {
        colour.times(self.by).mix(self.haze, self.thickness)
    }
}

/// The colour of fog and of the horizon under clouds.
pub(super) fn haze(scene: &Scene) -> Rgb {
    match scene.hour {
        Hour::Morning => Rgb(240.0, 222.0, 220.0),
        Hour::Day => Rgb(222.0, 226.0, 230.0),
        Hour::Evening => Rgb(222.0, 168.0, 140.0),
        Hour::Night => Rgb(74.0, 82.0, 112.0),
    }
}

/// Grass or whatever the season has made of it.
pub(super) fn grass(season: Season) -> Rgb {
    match season {
        Season::Spring => Rgb(160.0, 214.0, 104.0),
        Season::Summer => Rgb(82.0, 160.0, 66.0),
        Season::Autumn => Rgb(204.0, 160.0, 82.0),
        Season::Winter => SNOW,
    }
}

/// Leaves or whatever the season has left of them.
pub(super) fn leaves(season: Season) -> Rgb {
    match season {
        Season::Spring => Rgb(246.0, 178.0, 204.0),
        Season::Summer => Rgb(48.0, 128.0, 58.0),
        Season::Autumn => Rgb(224.0, 108.0, 36.0),
        Season::Winter => Rgb(226.0, 232.0, 240.0),
    }
}
