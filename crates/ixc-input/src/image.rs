//! A user's picture file becomes 8-bit RGB, as Pillow's `Image.open(file).convert("RGB")` reads it.
//!
//! Invariants: the header's size meets the limits before memory for the raster is taken; any bytes
//! whatever give a picture or an error with one of a fixed list of texts. Alpha is dropped (but where
//! a person looks on, [`see`]); 16 bits become 8 by their high byte; only the first frame of an animation is read.
//! Known differences from Pillow: JPEG decoders round differently, by at most five levels in all that
//! was compared; BMPs of 5 or 6 bits a colour are rounded instead of cut off, by one level.
//! Deliberately absent: files' paths, writing pictures, colour management (Pillow ignores profiles
//! too).

mod gif;
mod header;
mod raster;
mod tiff;

use std::{fmt, io::Cursor};

use ::image::{
    DynamicImage, ImageDecoder, ImageError, Limits, RgbImage,
    codecs::{bmp::BmpDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder},
    error::LimitErrorKind,
    metadata::Orientation as Turn,
};

use crate::{
    Error,
    limits::{
        MAX_PICTURE_DECODE_BYTES, MAX_PICTURE_FILE_BYTES, MAX_PICTURE_METADATA_BYTES,
        MAX_PICTURE_PIXELS, MAX_PICTURE_SIDE,
    },
};

/// What to do with a camera's note on how it was held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orientation {
    /// EXIF is ignored, as the published code does. (A TIFF's own orientation tag is obeyed even
    /// so: Pillow obeys it while it loads.)
    #[default]
    AsStored,
    /// The picture is turned as its EXIF says.
    Exif,
}

/// The formats that [`load`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Portable Network Graphics, every colour type and depth.
    Png,
    /// Baseline and progressive JPEG: gray, YCbCr, RGB, CMYK, YCCK.
    Jpeg,
    /// Lossy and lossless WebP.
    WebP,
    /// GIF, first frame.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF, first page.
    Tiff,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Bmp => "BMP",
            Format::Tiff => "TIFF",
        })
    }
}

/// A picture in memory: 8-bit RGB, rows from the top, no gaps.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// A picture from its pixels: `height` rows of `width` times red, green, blue.
    ///
    /// # Panics
    /// When a side is 0 or `rgb` does not hold `3 * width * height` bytes.
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Picture {
        assert!(width > 0 && height > 0, "a picture has pixels, found {width}x{height}");
        assert_eq!(rgb.len(), 3 * width as usize * height as usize, "{width}x{height} RGB pixels");
        Picture { width, height, rgb }
    }

    /// Pixels a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The bytes, (height, width, 3).
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The picture mirrored at its main diagonal: a matrix transpose, not a rotation.
    pub fn transposed(&self) -> Picture {
        let (width, height) = (self.width as usize, self.height as usize);
        let (pixels, _) = self.rgb.as_chunks::<3>();
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for x in 0..width {
            for y in 0..height {
                rgb.extend_from_slice(&pixels[y * width + x]);
            }
        }
        Picture::from_rgb(self.height, self.width, rgb)
    }

    fn turned(self, turn: Turn) -> Picture {
        if turn == Turn::NoTransforms {
            return self;
        }
        let rgb = RgbImage::from_raw(self.width, self.height, self.rgb).expect("a full raster");
        let mut image = DynamicImage::ImageRgb8(rgb);
        image.apply_orientation(turn);
        Picture::from_rgb(image.width(), image.height(), image.into_rgb8().into_raw())
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

/// Reads a picture file from memory.
///
/// # Errors
/// What is not a picture, is of a format or kind that is not read, has no pixels, is damaged, ends
/// early, or goes over a limit of [`crate::limits`].
pub fn load(bytes: &[u8], orientation: Orientation) -> Result<Picture, Error> {
    if bytes.len() as u64 > MAX_PICTURE_FILE_BYTES {
        return Err(Error::PictureFileTooLarge { bytes: bytes.len() as u64 });
    }
    let format = header::read(bytes)?;
    let (picture, turn) = match format {
        Format::Gif => (gif::decode(bytes, Alpha::Dropped)?, Turn::NoTransforms),
        Format::Tiff => tiff::decode(bytes)?,
        _ => {
            let decoded = decode(bytes, format, orientation, Alpha::Dropped)?;
            (decoded.picture, decoded.turn)
        }
    };
    Ok(picture.turned(turn))
}

/// A picture as a person sees it on a page, and what was done for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Turned as its note says; what is transparent lies on white (but a TIFF's, which is dropped).
    pub picture: Picture,
    /// What the file is.
    pub format: Format,
    /// Whether the raster of the file lies differently.
    pub turned: bool,
    /// How its colours are meant: an ICC profile for RGB, where the file has one. The pixels are as stored.
    pub profile: Option<Vec<u8>>,
}

/// Reads a picture file from memory for the eyes of a person, not of a model ([`load`]).
///
/// # Errors
/// As [`load`].
pub fn see(bytes: &[u8]) -> Result<Seen, Error> {
    if bytes.len() as u64 > MAX_PICTURE_FILE_BYTES {
        return Err(Error::PictureFileTooLarge { bytes: bytes.len() as u64 });
    }
    let format = header::read(bytes)?;
    let plain = |(picture, turn)| Decoded { picture, turn, profile: None };
    let Decoded { picture, turn, profile } = match format {
        Format::Gif => plain((gif::decode(bytes, Alpha::OnWhite)?, Turn::NoTransforms)),
        Format::Tiff => plain(tiff::decode(bytes)?),
        _ => decode(bytes, format, Orientation::Exif, Alpha::OnWhite)?,
    };
    // Bytes 16 to 19 of a profile name the colours it is for; gray and inks have become RGB.
    let profile = profile.filter(|profile| profile.get(16..20) == Some(b"RGB "));
    Ok(Seen { picture: picture.turned(turn), format, turned: turn != Turn::NoTransforms, profile })
}

/// What becomes of transparency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alpha {
    /// Colours stay as they are stored, as the published code has it.
    Dropped,
    /// The picture lies on white paper.
    OnWhite,
}

/// What [`decode`] finds in a file.
struct Decoded {
    picture: Picture,
    /// How it is to be turned.
    turn: Turn,
    /// Its colour profile, as it stands there.
    profile: Option<Vec<u8>>,
}

/// Reads the formats whose pixels the `image` crate gives as Pillow does.
fn decode(
    bytes: &[u8],
    format: Format,
    orientation: Orientation,
    alpha: Alpha,
) -> Result<Decoded, Error> {
    let refuse = |error| refusal(error, format);
    let mut decoder = open(bytes, format).map_err(refuse)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_PICTURE_DECODE_BYTES);
    decoder.set_limits(limits).map_err(refuse)?;

    let color = decoder.color_type();
    let layout =
        raster::Layout::of(color).ok_or(Error::PictureKind { format, expected: "8 or 16 bits" })?;
    let turn = match orientation {
        Orientation::AsStored => Turn::NoTransforms,
        // An EXIF block that cannot be read says nothing about the picture beside it.
        Orientation::Exif => decoder.orientation().unwrap_or(Turn::NoTransforms),
    };
    // Neither does a profile that cannot be read.
    let profile = decoder.icc_profile().ok().flatten();
    let bytes = decoder.total_bytes();
    if bytes > MAX_PICTURE_DECODE_BYTES {
        return Err(Error::PictureMemory { format });
    }
    let mut samples = vec![0; bytes as usize];
    decoder.read_image_boxed(&mut samples).map_err(refuse)?;
    if alpha == Alpha::OnWhite {
        raster::lay_on_white(&mut samples, layout);
    }
    let picture = Picture::from_rgb(width, height, raster::to_rgb(samples, layout));
    Ok(Decoded { picture, turn, profile })
}

fn open<'a>(bytes: &'a [u8], format: Format) -> Result<Box<dyn ImageDecoder + 'a>, ImageError> {
    let reader = Cursor::new(bytes);
    Ok(match format {
        Format::Png => {
            // These limits bound what a PNG unpacks beside its raster: profiles and texts.
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(MAX_PICTURE_METADATA_BYTES);
            Box::new(PngDecoder::with_limits(reader, limits)?)
        }
        Format::Jpeg => Box::new(JpegDecoder::new(reader)?),
        Format::WebP => Box::new(WebPDecoder::new(reader)?),
        Format::Bmp => Box::new(BmpDecoder::new(reader)?),
        Format::Gif | Format::Tiff => unreachable!("read by their own modules"),
    })
}

/// The size limits, met before anything of that size is allocated.
fn check_size(width: u32, height: u32) -> Result<(), Error> {
    if width == 0 || height == 0 {
        return Err(Error::PictureWithoutPixels { width, height });
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PICTURE_PIXELS || width.max(height) > MAX_PICTURE_SIDE {
        return Err(Error::PictureTooLarge { width, height });
    }
    Ok(())
}

/// The decoder's many errors, as the few that a user can act on. Its texts are not passed on: they
/// may quote the file.
fn refusal(error: ImageError, format: Format) -> Error {
    match error {
        ImageError::Limits(limit) => match limit.kind() {
            LimitErrorKind::DimensionError => Error::PictureDamaged { format },
            _ => Error::PictureMemory { format },
        },
        ImageError::Unsupported(_) => {
            Error::PictureKind { format, expected: "one of the usual kinds" }
        }
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::PictureTruncated { format }
        }
        _ => Error::PictureDamaged { format },
    }
}
