//! A drawn picture as a PNG.
//!
//! Deliberately absent: other formats; drawings have flat colours, which PNG keeps small and exact.

use std::{fs, path::Path};

use ixc_input::image::Picture;

use crate::{Error, draw, scene::Scene};

/// The bytes of a PNG file.
pub fn png(picture: &Picture) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().expect("memory takes a header");
    writer.write_image_data(picture.rgb()).expect("memory takes a raster of the stated size");
    writer.finish().expect("memory takes an end");
    bytes
}

/// Draws a scene into a file.
pub(super) fn draw_to(path: &Path, scene: &Scene, side: u32) -> Result<(), Error> {
    fs::write(path, png(&draw::picture(scene, side))).map_err(Error::io("write the picture", path))
}
