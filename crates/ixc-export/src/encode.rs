//! Pixels become a JPEG or a PNG.
//!
//! Invariant: the same pixels and quality give the same bytes. A colour profile travels with the pixels: they are
//! never converted. Deliberately absent: all other metadata.

use ::image::{
    ExtendedColorType, ImageEncoder,
    codecs::{
        jpeg::JpegEncoder,
        png::{CompressionType, FilterType, PngEncoder},
    },
};
use ixc_input::image::Picture;

/// A baseline JPEG. (Its header has 16 bits for a side, and so has the input's limit for a picture's.)
pub(crate) fn jpeg(picture: &Picture, quality: u8, profile: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile.to_vec()).expect("a JPEG takes a profile");
    }
    write(encoder, picture);
    bytes
}

/// A PNG, compressed as well as is quick.
pub(crate) fn png(picture: &Picture, profile: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile.to_vec()).expect("a PNG takes a profile");
    }
    write(encoder, picture);
    bytes
}

fn write(encoder: impl ImageEncoder, picture: &Picture) {
    let (width, height) = (picture.width(), picture.height());
    encoder
        .write_image(picture.rgb(), width, height, ExtendedColorType::Rgb8)
        .expect("memory takes a raster of the stated size");
}
