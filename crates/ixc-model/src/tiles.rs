//! High-resolution pictures: tiles and a global view in, one sequence of merged patches out.
//!
//! Each view goes through the tower; 2 × 2 neighbouring patches become one row of width 4 C; a
//! newline vector ends each row of a grid and a separator stands between the global view and the
//! mosaic of all tiles (4KHD and 2.5, published `encode_img` / `HD_transform`).

use candle_core::Tensor;
use ixc_nn::{Error as NumbersError, interpolate::bicubic};

use crate::Error;

/// Views of one padded picture: (1 + rows · columns, 3, tile, tile), the global view first.
pub struct Views {
    /// All views.
    pub pixels: Tensor,
    /// Tiles from top to bottom.
    pub rows: usize,
    /// Tiles from left to right.
    pub columns: usize,
}

/// Cuts a normalised picture (3, rows · tile, columns · tile) into tiles, behind its global view.
///
/// # Errors
/// When the picture is not made of whole tiles.
pub fn cut(picture: &Tensor, tile: usize) -> Result<Views, Error> {
    let (channels, height, width) = picture.dims3()?;
    if height % tile != 0 || width % tile != 0 {
        return Err(candle_core::Error::Msg(format!(
            "a picture of {width}×{height} is not made of whole tiles of {tile}"
        ))
        .into());
    }
    let (rows, columns) = (height / tile, width / tile);
    let global = bicubic(picture, tile, tile)?.unsqueeze(0)?; // (1, 3, tile, tile)
    let tiles = picture
        .reshape((channels, rows, tile, columns, tile))?
        .permute((1, 3, 0, 2, 4))?
        .reshape((rows * columns, channels, tile, tile))?;
    Ok(Views { pixels: Tensor::cat(&[global, tiles], 0)?, rows, columns })
}

/// Merges the views' patches: (1 + rows · columns, grid², C) → (tokens, 4 C).
///
/// # Errors
/// When the features are not those of such views.
pub fn merge(
    features: &Tensor,
    rows: usize,
    columns: usize,
    newline: &Tensor,
    separator: &Tensor,
) -> Result<Tensor, NumbersError> {
    let global = mosaic(&features.narrow(0, 0, 1)?, 1, 1, newline)?;
    let local = mosaic(&features.narrow(0, 1, rows * columns)?, rows, columns, newline)?;
    let width = newline.elem_count();
    Ok(Tensor::cat(&[global, separator.reshape((1, width))?, local], 0)?)
}

/// One grid of merged patches with a newline behind each row: (tokens, 4 C).
fn mosaic(
    features: &Tensor,
    rows: usize,
    columns: usize,
    newline: &Tensor,
) -> Result<Tensor, NumbersError> {
    let (_, patches, width) = features.dims3()?;
    let half = patches.isqrt() / 2;
    let merged = features
        .reshape(vec![rows, columns, half, 2, half, 2, width])?
        .permute(vec![0, 2, 1, 4, 3, 5, 6])? // (rows, half, columns, half, 2, 2, C)
        .reshape((rows * half, columns * half, 4 * width))?;
    let newline = newline.reshape((1, 1, 4 * width))?.broadcast_as((rows * half, 1, 4 * width))?;
    let lines = Tensor::cat(&[merged, newline.contiguous()?], 1)?; // (rows·half, columns·half + 1, 4 C)
    Ok(lines.reshape((rows * half * (columns * half + 1), 4 * width))?)
}
