//! What each patch of a picture shows, by the drawing itself.
//!
//! Every shape that hides what is below it is drawn a second time, evenly in its owner's number; what is seen last of
//! a pixel is what was drawn last. Light, shadow, mist, rain and snow are nobody's. Deliberately absent: words for it
//! ([`crate::text::patches`]).

use super::{Canvas, SIDES, paint};
use crate::scene::Scene;

/// Pixels a side of a patch, as the tower cuts pictures.
pub const PATCH: u32 = 14;

/// A thing that covers so much of a patch is what the patch shows, before any background.
const SHARE: f32 = 0.2;

/// What can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The sky; only outdoors.
    Sky,
    /// The place itself: its ground and what its background holds, or the room.
    Place,
    /// A thing of the scene's, by its index.
    Thing(usize),
}

impl Shown {
    /// Its number on the canvas.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Sky => 1,
            Self::Place => 2,
            Self::Thing(index) => u8::try_from(index + 3).expect("a scene has a few things"),
        }
    }

    fn numbered(number: usize) -> Option<Self> {
        match number {
            0 => None,
            1 => Some(Self::Sky),
            2 => Some(Self::Place),
            thing => Some(Self::Thing(thing - 3)),
        }
    }
}

/// Patches a side of a picture of so many pixels: of [`PATCH`] pixels where these divide it, and a little larger
/// elsewhere.
pub fn grid(side: u32) -> u32 {
    side.clamp(*SIDES.start(), *SIDES.end()) / PATCH
}

/// What each patch of a scene's picture shows, row by row: the thing with the most pixels if they are a fifth of
/// the patch, otherwise the larger part of the background. None where nothing can be told.
pub fn patches(scene: &Scene, side: u32) -> Vec<Option<Shown>> {
    let side = side.clamp(*SIDES.start(), *SIDES.end());
    let mut canvas = Canvas::noting(side);
    paint(&mut canvas, scene);
    let (owners, grid) = (canvas.owners(), grid(side));
    let edge = |patch: u32| patch * side / grid;
    let patch = |at: u32| {
        let (row, column) = (at / grid, at % grid);
        let (top, bottom) = (edge(row), edge(row + 1));
        let (left, right) = (edge(column), edge(column + 1));
        let rows = (top..bottom).map(|y| (y * side + left) as usize..(y * side + right) as usize);
        let pixels = rows.flat_map(|row| &owners[row]);
        most(pixels, scene.things.len(), ((bottom - top) * (right - left)) as f32)
    };
    (0..grid * grid).map(patch).collect()
}

/// What a patch of so many pixels shows.
fn most<'a>(pixels: impl Iterator<Item = &'a u8>, things: usize, area: f32) -> Option<Shown> {
    let mut counts = vec![0u32; things + 3];
    pixels.for_each(|&owner| counts[usize::from(owner)] += 1);
    let largest = |numbers: std::ops::Range<usize>| {
        // Of equals the last, which lies in front.
        numbers.max_by_key(|&number| counts[number]).filter(|&number| counts[number] > 0)
    };
    let thing = largest(3..counts.len()).filter(|&number| counts[number] as f32 >= SHARE * area);
    Shown::numbered(thing.or_else(|| largest(1..3))?)
}
