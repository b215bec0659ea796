//! The first page of a TIFF: gray of 1 to 16 bits, palette, RGB, RGBA and CMYK, in strips or tiles.
//!
//! Invariants: as Pillow does, the page is turned by its own orientation tag, premultiplied alpha is
//! divided out before it is dropped, and 16 bits keep their high byte. The size is checked before
//! the raster is allocated. Deliberately absent: floating point, YCbCr, Lab, and JPEG inside TIFF,
//! whose own header may state any size.

use std::io::{Cursor, ErrorKind};

use ::image::metadata::Orientation as Turn;
use tiff::{
    ColorType, TiffError,
    decoder::{Decoder, DecodingResult, Limits},
    tags::Tag,
};

use super::{
    Format, Picture, check_size,
    raster::{self, Layout},
};
use crate::{
    Error,
    limits::{MAX_PICTURE_DECODE_BYTES, MAX_PICTURE_METADATA_BYTES},
};

/// `PhotometricInterpretation`: 1 is gray with black at 0, 3 is palette indices.
const PHOTOMETRIC_GRAY: u16 = 1;
const PHOTOMETRIC_PALETTE: u16 = 3;
/// `ExtraSamples`: an alpha with which the colours were multiplied.
const EXTRA_ASSOCIATED_ALPHA: u16 = 1;
/// `SampleFormat`: unsigned integers.
const SAMPLE_UNSIGNED: u16 = 1;

const KINDS: &str = "gray, palette, RGB, RGBA or CMYK of whole 1 to 16 bits, not JPEG inside";

type Reader<'a> = Decoder<Cursor<&'a [u8]>>;

pub(super) fn decode(bytes: &[u8]) -> Result<(Picture, Turn), Error> {
    let mut reader = open(bytes)?;
    let (width, height) = reader.dimensions().map_err(refusal)?;
    check_size(width, height)?;
    let turn = reader.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
    let turn = turn.and_then(Turn::from_exif).unwrap_or(Turn::NoTransforms);

    let photometric = reader.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation);
    let rgb = if photometric.map_err(refusal)? == Some(PHOTOMETRIC_PALETTE) {
        palette(reader, bytes, width)?
    } else {
        pixels(reader, width)?
    };
    if rgb.len() as u64 != 3 * u64::from(width) * u64::from(height) {
        return Err(Error::PictureDamaged { format: Format::Tiff });
    }
    Ok((Picture::from_rgb(width, height, rgb), turn))
}

/// A reader that may read tags; [`samples_of`] lets it read the raster.
fn open(bytes: &[u8]) -> Result<Reader<'_>, Error> {
    let reader = Decoder::new(Cursor::new(bytes)).map_err(refusal)?;
    Ok(reader.with_limits(limits(MAX_PICTURE_METADATA_BYTES)))
}

fn limits(bytes: u64) -> Limits {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = bytes as usize;
    limits.intermediate_buffer_size = bytes as usize;
    limits
}

/// Pixels that say their colour themselves.
fn pixels(mut reader: Reader<'_>, width: u32) -> Result<Vec<u8>, Error> {
    let kind = reader.colortype().map_err(refusal)?;
    let extra = reader.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).map_err(refusal)?;
    let associated = extra.is_some_and(|extra| extra.first() == Some(&EXTRA_ASSOCIATED_ALPHA));
    let samples = match kind {
        ColorType::Gray(depth @ (1 | 2 | 4)) => {
            let step = 255 / ((1 << depth) - 1);
            let rows = samples_of(reader, 1)?;
            return Ok(unpacked(&rows, width, depth, |level| [level * step; 3]));
        }
        ColorType::CMYK(8) => {
            let inks = samples_of(reader, 4)?;
            return Ok(inks.as_chunks().0.iter().copied().flat_map(raster::cmyk_to_rgb).collect());
        }
        ColorType::Gray(8 | 16) => 1,
        ColorType::Multiband { bit_depth: 8 | 16, num_samples: 2 } => 2,
        ColorType::RGB(8 | 16) => 3,
        ColorType::RGBA(8 | 16) => 4,
        _ => return Err(unusual()),
    };
    let mut raster = samples_of(reader, samples)?;
    if samples == 4 && associated {
        raster.as_chunks_mut().0.iter_mut().for_each(divide_alpha);
    }
    Ok(raster::to_rgb(raster, Layout::new(samples, 1, samples < 3)))
}

/// Pillow's division of premultiplied colours by their alpha; where it is 0, black.
fn divide_alpha(pixel: &mut [u8; 4]) {
    let alpha = u32::from(pixel[3]);
    for color in &mut pixel[..3] {
        *color = (255 * u32::from(*color)).checked_div(alpha).unwrap_or(0).min(255) as u8;
    }
}

/// Palette indices, looked up. The decoder reads no palettes, so it is shown a copy of the file
/// whose tag says gray: the indices then come out as they are.
fn palette(mut labelled: Reader<'_>, bytes: &[u8], width: u32) -> Result<Vec<u8>, Error> {
    let damaged = Error::PictureDamaged { format: Format::Tiff };
    let map = labelled.get_tag_u16_vec(Tag::ColorMap).map_err(refusal)?;
    let mut copy = bytes.to_vec();
    relabel_as_gray(&mut copy).ok_or_else(unusual)?;
    let mut reader = open(&copy)?;
    let ColorType::Gray(depth @ (1 | 2 | 4 | 8)) = reader.colortype().map_err(refusal)? else {
        return Err(unusual());
    };
    let colors = 1 << depth;
    if map.len() != 3 * colors {
        return Err(damaged);
    }
    // The map holds all reds, all greens, all blues, of 16 bits each.
    let color = |index: u8| {
        [0, 1, 2].map(|channel| (map[channel * colors + usize::from(index)] >> 8) as u8)
    };
    Ok(unpacked(&samples_of(reader, 1)?, width, depth, color))
}

/// Writes "gray" over the first directory's photometric tag; `None` where it is not a plain entry.
fn relabel_as_gray(file: &mut [u8]) -> Option<()> {
    let little = file.starts_with(b"II*\0");
    if !little && !file.starts_with(b"MM\0*") {
        return None; // BigTIFF has a directory of another form
    }
    let u16_at = |file: &[u8], offset: usize| {
        let bytes = *file.get(offset..)?.first_chunk()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let offset: [u8; 4] = *file.get(4..)?.first_chunk()?;
    let offset = if little { u32::from_le_bytes(offset) } else { u32::from_be_bytes(offset) };
    let directory = offset as usize;
    let entries = usize::from(u16_at(file, directory)?);
    let tag = Tag::PhotometricInterpretation.to_u16();
    let entry = (0..entries)
        .map(|entry| directory + 2 + 12 * entry)
        .find(|&entry| u16_at(file, entry) == Some(tag))?;
    // An entry: tag, type, count, value; a short value stands at offset 8.
    if u16_at(file, entry + 8)? != PHOTOMETRIC_PALETTE {
        return None;
    }
    let gray = if little { PHOTOMETRIC_GRAY.to_le_bytes() } else { PHOTOMETRIC_GRAY.to_be_bytes() };
    file[entry + 8..entry + 10].copy_from_slice(&gray);
    Some(())
}

/// The colours of rows packed at `depth` bits a sample, each row from a whole byte.
fn unpacked(raster: &[u8], width: u32, depth: u8, color: impl Fn(u8) -> [u8; 3]) -> Vec<u8> {
    let (width, depth) = (width as usize, usize::from(depth));
    let per_byte = 8 / depth;
    let mask = 0xff >> (8 - depth);
    let rows = raster.chunks_exact(width.div_ceil(per_byte));
    let mut rgb = Vec::with_capacity(3 * rows.len() * width);
    for row in rows {
        rgb.extend(
            (0..width).flat_map(|x| {
                color(row[x / per_byte] >> (8 - depth - x % per_byte * depth) & mask)
            }),
        );
    }
    rgb
}

/// The raster with samples of at most 8 bits (16 keep their high byte), the samples of a pixel side
/// by side even where the file keeps them in planes.
fn samples_of(mut reader: Reader<'_>, samples: usize) -> Result<Vec<u8>, Error> {
    let format = reader.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).map_err(refusal)?;
    if format.is_some_and(|format| format.iter().any(|&format| format != SAMPLE_UNSIGNED)) {
        return Err(unusual());
    }
    let mut reader = reader.with_limits(limits(MAX_PICTURE_DECODE_BYTES));
    let mut result = DecodingResult::U8(Vec::new());
    let layout = reader.read_image_to_buffer(&mut result).map_err(refusal)?;
    if result.as_buffer(0).as_bytes().len() < layout.complete_len {
        return Err(Error::PictureMemory { format: Format::Tiff });
    }
    let raster = match result {
        DecodingResult::U8(bytes) => bytes,
        DecodingResult::U16(words) => words.into_iter().map(|word| (word >> 8) as u8).collect(),
        _ => return Err(unusual()),
    };
    if layout.planes <= 1 || samples == 1 {
        return Ok(raster);
    }
    let planes: Vec<&[u8]> = raster.chunks_exact((raster.len() / layout.planes).max(1)).collect();
    if planes.len() < samples {
        return Err(unusual());
    }
    let mut pixels = Vec::with_capacity(samples * planes[0].len());
    for place in 0..planes[0].len() {
        pixels.extend(planes[..samples].iter().map(|plane| plane[place]));
    }
    Ok(pixels)
}

fn unusual() -> Error {
    Error::PictureKind { format: Format::Tiff, expected: KINDS }
}

fn refusal(error: TiffError) -> Error {
    let format = Format::Tiff;
    match error {
        TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Error::PictureTruncated { format }
        }
        TiffError::UnsupportedError(_) => unusual(),
        TiffError::LimitsExceeded => Error::PictureMemory { format },
        _ => Error::PictureDamaged { format },
    }
}
