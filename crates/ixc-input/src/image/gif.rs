//! The first frame of a GIF, on its canvas, as Pillow shows it.
//!
//! Invariants: nothing after the first frame is read; a frame that reaches over the screen enlarges
//! it; what the frame leaves free has the transparent index's colour, or index 0 where there is
//! none (not the stated background: Pillow ignores it).
//! Deliberately absent: animation, disposal, alpha, and the GIF without any palette (Pillow invents
//! a gray one).

use std::{io::ErrorKind, num::NonZeroU64};

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use super::{Alpha, Format, Picture, check_size};
use crate::{Error, limits::MAX_PICTURE_DECODE_BYTES};

pub(super) fn decode(bytes: &[u8], alpha: Alpha) -> Result<Picture, Error> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    let limit = NonZeroU64::new(MAX_PICTURE_DECODE_BYTES).expect("a limit above 0");
    options.set_memory_limit(MemoryLimit::Bytes(limit));
    let mut decoder = options.read_info(bytes).map_err(refusal)?;
    let screen = [decoder.width(), decoder.height()].map(usize::from);

    let frame = decoder.next_frame_info().map_err(refusal)?;
    let frame = frame.ok_or(Error::PictureDamaged { format: Format::Gif })?;
    let [left, top] = [frame.left, frame.top].map(usize::from);
    let [width, height] = [frame.width, frame.height].map(usize::from);
    let transparent = frame.transparent;
    let free = usize::from(transparent.unwrap_or(0));
    let canvas = [screen[0].max(left + width), screen[1].max(top + height)];
    check_size(canvas[0] as u32, canvas[1] as u32)?;

    let mut indices = vec![0; width * height]; // (height, width)
    if !indices.is_empty() {
        decoder.read_into_buffer(&mut indices).map_err(refusal)?;
    }
    let mut colors = colors(decoder.palette().map_err(refusal)?);
    if let (Alpha::OnWhite, Some(transparent)) = (alpha, transparent) {
        colors[usize::from(transparent)] = [255; 3];
    }
    let mut rgb = colors[free].repeat(canvas[0] * canvas[1]); // (canvas height, canvas width, 3)
    if !indices.is_empty() {
        for (row, line) in indices.chunks_exact(width).enumerate() {
            let start = 3 * ((top + row) * canvas[0] + left);
            let (pixels, _) = rgb[start..start + 3 * width].as_chunks_mut::<3>();
            for (pixel, &index) in pixels.iter_mut().zip(line) {
                *pixel = colors[usize::from(index)];
            }
        }
    }
    Ok(Picture::from_rgb(canvas[0] as u32, canvas[1] as u32, rgb))
}

/// All 256 colours: the palette's, and black where it ends early.
fn colors(palette: &[u8]) -> [[u8; 3]; 256] {
    let (given, _) = palette.as_chunks::<3>();
    std::array::from_fn(|index| given.get(index).copied().unwrap_or_default())
}

fn refusal(error: DecodingError) -> Error {
    let format = Format::Gif;
    match error {
        DecodingError::UnexpectedEof => Error::PictureTruncated { format },
        DecodingError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Error::PictureTruncated { format }
        }
        DecodingError::OutOfMemory | DecodingError::MemoryLimit => Error::PictureMemory { format },
        _ => Error::PictureDamaged { format },
    }
}
