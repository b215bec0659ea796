//! From a picture to what a vision tower is fed, as `preprocessor_config.json` says.
//!
//! Pillow's resize, the middle of it, `(byte · factor − mean) / std`: the published processors' steps. A file that
//! asks for others is refused. Deliberately absent: decoding.

use std::{fmt, path::Path};

use ixc_input::{
    image::Picture,
    resize::{Filter, resize},
};
use serde_json::Value;

use crate::{Error, config::Object};

/// How many times as long as wide a picture is resized as a whole: of a longer one the middle is taken first, of
/// which alone anything is seen, so that no picture of 65 535 × 1 becomes gigabytes.
const LONG: u32 = 32;

/// How a picture is fitted to a square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// The shorter side to so many pixels, then the middle.
    Middle(u32),
    /// Squashed.
    Squash,
}

/// How a picture becomes numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preparation {
    side: u32,
    fit: Fit,
    filter: Filter,
    factor: f64,
    mean: [f32; 3],
    std: [f32; 3],
}

/// Part of what stands for the preprocessing: never to be written otherwise.
impl fmt::Display for Preparation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, fit, filter, factor, mean, std } = self;
        write!(out, "{side} {fit:?} {filter:?} {factor:e} {mean:?} {std:?}")
    }
}

impl Preparation {
    /// Reads the folder's, for a tower of so many pixels a side.
    pub(crate) fn read(folder: &Path, side: u32) -> Result<Self, Error> {
        let path = folder.join("preprocessor_config.json");
        let file = Object::read(path, "how pictures are prepared for the encoder")?;
        let wrong = |problem: String| Error::malformed(&file.path, problem);
        for step in ["do_resize", "do_rescale", "do_normalize"] {
            if file.values.get(step) == Some(&Value::Bool(false)) {
                return Err(wrong(format!(
                    "{step} is false, where every published encoder has it"
                )));
            }
        }
        let size = file.values.get("size").unwrap_or(&Value::Null);
        let crop = file.values.get("do_center_crop") != Some(&Value::Bool(false));
        let cropped = file.values.get("crop_size").map_or(Some((side, side)), square);
        // One number, the older files' form, is the shorter side.
        let shorter = pixels(size.get("shortest_edge").unwrap_or(size));
        let fit = match (square(size), shorter) {
            (Some(both), None) if both == (side, side) => Fit::Squash,
            (_, Some(shorter)) if crop && cropped == Some((side, side)) && shorter >= side => {
                Fit::Middle(shorter)
            }
            _ => {
                return Err(wrong(format!(
                    "size is {size} and crop_size {:?}, which do not give the {side} pixels a side of the encoder",
                    file.values.get("crop_size").map(Value::to_string)
                )));
            }
        };
        let filter = match file.values.get("resample").map_or(Some(3), Value::as_u64) {
            Some(2) => Filter::Bilinear,
            Some(3) => Filter::Bicubic,
            _ => return Err(wrong("resample is neither 2 (bilinear) nor 3 (bicubic)".into())),
        };
        let three = |key: &str| -> Result<[f32; 3], Error> {
            let numbers: Option<Vec<f32>> =
                file.values.get(key).and_then(Value::as_array).and_then(|all| {
                    all.iter().map(|one| one.as_f64().map(|one| one as f32)).collect()
                });
            let usable = |all: &[f32; 3]| all.iter().all(|one| one.is_finite());
            numbers
                .and_then(|all| all.try_into().ok())
                .filter(usable)
                .ok_or_else(|| wrong(format!("{key} is not three numbers")))
        };
        let (mean, std) = (three("image_mean")?, three("image_std")?);
        if std.iter().any(|std| *std <= 0.0) {
            return Err(wrong("image_std has a number that is not above 0".into()));
        }
        let factor = file.values.get("rescale_factor").map_or(Some(1.0 / 255.0), Value::as_f64);
        let factor = factor.filter(|factor| factor.is_finite());
        let factor = factor.ok_or_else(|| wrong("rescale_factor is no number".into()))?;
        Ok(Self { side, fit, filter, factor, mean, std })
    }

    /// (3, side, side).
    pub(crate) fn pixels(&self, picture: &Picture) -> Vec<f32> {
        let fitted = match self.fit {
            Fit::Squash => resize(picture, self.side, self.side, self.filter),
            Fit::Middle(shorter) => self.middle(picture, shorter),
        };
        let (pixels, _) = fitted.rgb().as_chunks::<3>();
        let mut data = Vec::with_capacity(3 * pixels.len());
        for channel in 0..3 {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            let number = |byte: usize| ((byte as f64 * self.factor) as f32 - mean) / std;
            let table: [f32; 256] = std::array::from_fn(number);
            data.extend(pixels.iter().map(|pixel| table[usize::from(pixel[channel])]));
        }
        data
    }

    fn middle(&self, picture: &Picture, shorter: u32) -> Picture {
        let (width, height) = (picture.width(), picture.height());
        let short = width.min(height);
        let most = short.saturating_mul(LONG);
        if width.max(height) > most {
            return self.middle(&cut(picture, width.min(most), height.min(most)), shorter);
        }
        // As published: the longer side is rounded down.
        let scaled = |side: u32| {
            if side == short {
                return shorter;
            }
            (f64::from(shorter) * f64::from(side) / f64::from(short)) as u32
        };
        let resized = resize(picture, scaled(width), scaled(height), self.filter);
        cut(&resized, self.side, self.side)
    }
}

/// The middle of a picture, rounded to the upper left.
fn cut(picture: &Picture, width: u32, height: u32) -> Picture {
    let (left, top) = ((picture.width() - width) / 2, (picture.height() - height) / 2);
    let row = 3 * picture.width() as usize;
    let rows = picture.rgb().chunks_exact(row).skip(top as usize).take(height as usize);
    let part = 3 * left as usize..3 * (left + width) as usize;
    let rgb = rows.flat_map(|row| &row[part.clone()]).copied().collect();
    Picture::from_rgb(width, height, rgb)
}

fn pixels(value: &Value) -> Option<u32> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.filter(|number| (1..=ixc_input::limits::MAX_VIEW_SIDE).contains(number))
}

/// Both sides: an object, or one number for both.
fn square(value: &Value) -> Option<(u32, u32)> {
    if let Some(side) = pixels(value) {
        return Some((side, side));
    }
    Some((pixels(value.get("width")?)?, pixels(value.get("height")?)?))
}
