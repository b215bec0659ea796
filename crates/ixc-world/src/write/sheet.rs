//! A contact sheet: many scenes on one picture, to be looked at.
//!
//! Deliberately absent: words on it; what the scenes are can be had as text.

use ixc_input::image::Picture;

use crate::{draw, sample, split::SceneId};

/// White between two pictures, in pixels.
const GAP: usize = 4;

/// Draws `count` scenes from `first` on in rows, about as many rows as columns.
///
/// # Panics
/// When `count` is 0.
pub fn sheet(first: SceneId, count: u64, side: u32) -> Picture {
    assert!(count > 0, "a sheet has pictures");
    let columns = (count as f64).sqrt().ceil() as usize;
    let rows = (count as usize).div_ceil(columns);
    let side = side.clamp(*draw::SIDES.start(), *draw::SIDES.end()) as usize;
    let (width, height) = (columns * (side + GAP) + GAP, rows * (side + GAP) + GAP);
    let mut rgb = vec![255; 3 * width * height];
    for at in 0..count as usize {
        let scene = sample::scene(SceneId { number: first.number + at as u64, ..first });
        let picture = draw::picture(&scene, side as u32);
        let (left, top) = (GAP + at % columns * (side + GAP), GAP + at / columns * (side + GAP));
        for (row, pixels) in picture.rgb().chunks_exact(3 * side).enumerate() {
            let to = 3 * ((top + row) * width + left);
            rgb[to..to + pixels.len()].copy_from_slice(pixels);
        }
    }
    Picture::from_rgb(width as u32, height as u32, rgb)
}
