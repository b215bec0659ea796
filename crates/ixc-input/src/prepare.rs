//! A picture becomes what a vision tower reads: fitted to the model's canvas, then normalised.
//!
//! Invariants: one preprocessing for every door of the project; the canvas equals the published
//! code's to the last bit, the pixels are float32 in torchvision's order of operations; CLIP's mean
//! and deviation stand here and nowhere else. Source: the `HD_transform` of the published
//! checkpoints, and CLIP's own preprocessing.
//! Deliberately absent: the high-resolution family's global view, which torch's bicubic makes of
//! the normalised pixels; tensors.

use crate::{
    Error,
    image::Picture,
    limits::{MAX_TILES, MAX_VIEW_SIDE},
    resize::{Filter, resize},
};

/// The mean of CLIP's training pixels: red, green, blue, of 1.
pub const CLIP_MEAN: [f32; 3] = [0.48145466, 0.4578275, 0.40821073];
/// Their standard deviation.
#[expect(clippy::excessive_precision, reason = "the digits as published")]
pub const CLIP_STD: [f32; 3] = [0.26862954, 0.26130258, 0.27577711];

/// Pixels a side of one patch of the vision tower (ViT-L/14).
pub const PATCH: u32 = 14;
/// Patches a side that the high-resolution family joins into one position.
pub const MERGE: u32 = 2;

/// How a family of checkpoints fits a picture to its vision tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Geometry {
    /// Squashed to one square, the aspect ratio not kept (2.0).
    Square {
        /// Pixels a side: 490 or 224 as published.
        side: u32,
    },
    /// Scaled to a grid of tiles, the aspect ratio kept, white where the picture does not reach
    /// (4KHD, 2.5).
    Tiles {
        /// Pixels a side of a tile: 336 or 560 as published.
        tile: u32,
        /// The most tiles that a picture may take (`hd_num`).
        tiles_max: u32,
        /// Which of the two published ways.
        style: TileStyle,
    },
}

/// The two published ways to lay a picture on tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileStyle {
    /// 4KHD: always as many tiles as the budget allows; white above and below.
    Centered,
    /// 2.5: no more tiles along the long side than the picture fills; white below.
    Bottom,
}

/// Rows and columns of tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Tiles from top to bottom.
    pub rows: u32,
    /// Tiles from left to right.
    pub columns: u32,
}

/// A canvas in numbers, normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// How many tiles it is; one for a square.
    pub grid: Grid,
    /// (3, height, width): `(byte / 255 - mean) / std`.
    pub data: Vec<f32>,
}

/// Where a picture lands. For a tall one all of it is transposed.
struct Plan {
    tall: bool,
    /// The scaled picture.
    width: u32,
    height: u32,
    /// White rows above it.
    top: u32,
    /// Rows of the canvas.
    canvas_height: u32,
}

impl Geometry {
    /// The canvas of a picture of `width` by `height` pixels: its width and height.
    ///
    /// # Errors
    /// A geometry out of range; a picture too long and thin for tiles.
    pub fn canvas_size(self, width: u32, height: u32) -> Result<(u32, u32), Error> {
        match self {
            Geometry::Square { side } => {
                check_side(side)?;
                Ok((side, side))
            }
            Geometry::Tiles { tile, tiles_max, style } => {
                let plan = plan(width, height, tile, tiles_max, style)?;
                let size = (plan.width, plan.canvas_height);
                Ok(if plan.tall { (size.1, size.0) } else { size })
            }
        }
    }

    /// The tiles of a picture of `width` by `height` pixels; a square is one.
    ///
    /// # Errors
    /// As [`Geometry::canvas_size`].
    pub fn grid(self, width: u32, height: u32) -> Result<Grid, Error> {
        let (width, height) = self.canvas_size(width, height)?;
        let tile = match self {
            Geometry::Square { side } => side,
            Geometry::Tiles { tile, .. } => tile,
        };
        Ok(Grid { rows: height / tile, columns: width / tile })
    }

    /// The positions that a picture of `width` by `height` pixels takes in a prompt.
    ///
    /// # Errors
    /// As [`Geometry::canvas_size`].
    pub fn image_tokens(self, width: u32, height: u32) -> Result<usize, Error> {
        Ok(self.tokens_of(self.grid(width, height)?))
    }

    /// The positions that a picture of these tiles takes.
    ///
    /// A square gives one a patch. Tiles and the global view give one for each 2×2 patches, then one
    /// after every row of them, and one between the global view and the tiles.
    pub fn tokens_of(self, Grid { rows, columns }: Grid) -> usize {
        match self {
            Geometry::Square { side } => (side / PATCH).pow(2) as usize,
            Geometry::Tiles { tile, .. } => {
                let merged = tile / PATCH / MERGE; // positions along a tile's side
                let positions = (rows * columns + 1) * merged * merged;
                let separators = 1 + (rows + 1) * merged;
                (positions + separators) as usize
            }
        }
    }

    /// The views of such a picture that the tower sees: its tiles behind the whole.
    pub fn views_of(self, Grid { rows, columns }: Grid) -> usize {
        match self {
            Geometry::Square { .. } => 1,
            Geometry::Tiles { .. } => (1 + rows * columns) as usize,
        }
    }
}

/// The 8-bit picture that the vision tower sees, before normalisation.
///
/// # Errors
/// As [`Geometry::canvas_size`].
pub fn canvas(picture: &Picture, geometry: Geometry) -> Result<Picture, Error> {
    let (tile, tiles_max, style) = match geometry {
        Geometry::Square { side } => {
            check_side(side)?;
            return Ok(resize(picture, side, side, Filter::Bicubic));
        }
        Geometry::Tiles { tile, tiles_max, style } => (tile, tiles_max, style),
    };
    let plan = plan(picture.width(), picture.height(), tile, tiles_max, style)?;
    let scaled = if plan.tall {
        resize(&picture.transposed(), plan.width, plan.height, Filter::Bilinear)
    } else {
        resize(picture, plan.width, plan.height, Filter::Bilinear)
    };
    let row = 3 * plan.width as usize;
    let mut rgb = vec![255; row * plan.canvas_height as usize]; // white
    rgb[row * plan.top as usize..][..scaled.rgb().len()].copy_from_slice(scaled.rgb());
    let canvas = Picture::from_rgb(plan.width, plan.canvas_height, rgb);
    Ok(if plan.tall { canvas.transposed() } else { canvas })
}

/// A picture as the numbers that the vision tower reads.
///
/// # Errors
/// As [`Geometry::canvas_size`].
pub fn prepare(picture: &Picture, geometry: Geometry) -> Result<Pixels, Error> {
    let grid = geometry.grid(picture.width(), picture.height())?;
    let canvas = canvas(picture, geometry)?;
    Ok(Pixels { width: canvas.width(), height: canvas.height(), grid, data: normalise(&canvas) })
}

/// (height, width, 3) bytes to (3, height, width) normalised float32.
fn normalise(canvas: &Picture) -> Vec<f32> {
    let (pixels, _) = canvas.rgb().as_chunks::<3>();
    let mut data = Vec::with_capacity(3 * pixels.len());
    for channel in 0..3 {
        let (mean, std) = (CLIP_MEAN[channel], CLIP_STD[channel]);
        // A byte has 256 values: torchvision's three operations are done once for each.
        let table: [f32; 256] = std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std);
        data.extend(pixels.iter().map(|pixel| table[usize::from(pixel[channel])]));
    }
    data
}

/// The published rule. Floating point decides here as it does there.
fn plan(
    width: u32,
    height: u32,
    tile: u32,
    tiles_max: u32,
    style: TileStyle,
) -> Result<Plan, Error> {
    check_side(tile)?;
    if !(1..=MAX_TILES).contains(&tiles_max) {
        return Err(Error::TileBudget { tiles: tiles_max });
    }
    let tall = width < height;
    let (long, short) = if tall { (height, width) } else { (width, height) };
    let ratio = f64::from(long) / f64::from(short);
    let tiles = |columns: u32| f64::from(columns) * (f64::from(columns) / ratio).ceil();
    // A single tile always fits, and every column is at least one tile.
    let most = (1..=tiles_max).take_while(|&columns| tiles(columns) <= f64::from(tiles_max)).last();
    let columns = match style {
        TileStyle::Centered => most.unwrap_or(1),
        TileStyle::Bottom => most.unwrap_or(1).min(long.div_ceil(tile)),
    };
    let scaled_width = tile * columns;
    let scaled_height = (f64::from(scaled_width) / ratio) as u32;
    if scaled_height == 0 {
        return Err(Error::PictureTooThin { width, height });
    }
    let canvas_height = scaled_height.next_multiple_of(tile);
    let top = match style {
        TileStyle::Centered => (canvas_height - scaled_height) / 2,
        TileStyle::Bottom => 0,
    };
    Ok(Plan { tall, width: scaled_width, height: scaled_height, top, canvas_height })
}

fn check_side(side: u32) -> Result<(), Error> {
    if !(PATCH..=MAX_VIEW_SIDE).contains(&side) {
        return Err(Error::ViewSide { side });
    }
    Ok(())
}
