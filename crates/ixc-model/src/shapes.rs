//! What the names and shapes of a checkpoint's tensors say about the model (model.md, section 1).

use std::collections::{BTreeMap, BTreeSet};

use ixc_input::prepare::{Geometry, TileStyle};
use ixc_nn::weights::Checkpoint;

use crate::{
    Error,
    config::{PATCH, PLoraConfig, TOWER_HEAD_WIDTH, V25_TILE, VisionConfig, published_scale},
    limits::{LAYERS_MAX, PROBLEM_CHARS_MAX, SIDE_MAX, TOWER_WIDTH_MAX},
    tensors::{GLB_GN, LINEARS, TOWER, text_adapter},
};

/// Published `hd_num` of 4KHD, unless asked otherwise.
pub const FOUR_K_TILES: u32 = 25;

/// Published `hd_num` of 2.5 for one picture.
pub const V25_TILES: u32 = 24;

/// A problem in `config.json`; the path is added where it is known.
pub(crate) fn wrong(problem: impl Into<String>) -> Error {
    let mut problem: String = problem.into();
    if let Some((end, _)) = problem.char_indices().nth(PROBLEM_CHARS_MAX) {
        problem.truncate(end);
        problem.push('…');
    }
    Error::Config { path: "config.json".into(), problem }
}

/// A checkpoint's names and shapes, asked for what they say.
pub struct Shapes<'a>(&'a Checkpoint);

impl<'a> Shapes<'a> {
    /// The shapes of a checkpoint.
    pub fn new(checkpoint: &'a Checkpoint) -> Self {
        Self(checkpoint)
    }

    /// Whether a tensor of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.info(name).is_some()
    }

    fn shape(&self, name: &str) -> Option<&'a [usize]> {
        self.0.info(name).map(|info| info.shape.as_slice())
    }

    /// Whether linear layers are stored in GPTQ's 4 bits.
    pub fn is_gptq(&self) -> bool {
        self.0.names().any(|name| name.ends_with(".qweight"))
    }

    /// The text adapters of 2.5 that the file carries, by name.
    pub fn text_adapters(&self) -> Vec<String> {
        let found: BTreeSet<&str> = self.0.names().filter_map(text_adapter).collect();
        found.into_iter().map(String::from).collect()
    }

    /// Rank and scale of each linear layer's adapter, from the shapes in the first block.
    ///
    /// # Errors
    /// When only some of the layers have one, or a stated scale is no number.
    pub fn plora(
        &self,
        stated: Option<&BTreeMap<String, f64>>,
    ) -> Result<Option<PLoraConfig>, Error> {
        let mut ranks = [(0, 0.0); 5];
        let mut found = 0;
        for (linear, rank) in LINEARS.iter().zip(&mut ranks) {
            let name = format!("model.layers.0.{linear}.Plora_A.weight");
            let Some(shape) = self.shape(&name) else { continue };
            let [r @ (1..), _] = shape else {
                return Err(Error::Family(format!(
                    "{name}: expected (rank, inputs), found {shape:?}"
                )));
            };
            let scale = match stated.and_then(|scales| scales.get(*linear)) {
                Some(&scale) if scale.is_finite() => scale,
                Some(scale) => {
                    return Err(wrong(format!(
                        "plora_scales.{linear}: expected a number, found {scale}"
                    )));
                }
                None => published_scale(*r),
            };
            *rank = (*r, scale);
            found += 1;
        }
        match found {
            0 if self.0.names().any(|name| name.contains("Plora_")) => Err(Error::Family(format!(
                "expected Partial LoRA on all of {LINEARS:?} in block 0, found it in other blocks only"
            ))),
            0 => Ok(None),
            5 => Ok(Some(PLoraConfig { ranks })),
            _ => Err(Error::Family(format!(
                "expected Partial LoRA on all of {LINEARS:?} in block 0, found it on {found} of them"
            ))),
        }
    }

    /// The tower's numbers, by the family's rules; none without a tower.
    ///
    /// # Errors
    /// When the position table is no square, or `img_size` does not fit.
    pub fn vision(&self, img_size: Option<u32>) -> Result<Option<VisionConfig>, Error> {
        let positions = format!("{TOWER}.embeddings.position_embedding.weight");
        let Some(shape) = self.shape(&positions) else {
            return match self.0.names().find(|name| name.starts_with("vit.")) {
                None => Ok(None),
                Some(part) => Err(Error::Family(format!(
                    "expected {positions} beside {part}, found none: the checkpoint is incomplete"
                ))),
            };
        };
        let &[rows, width] = shape else {
            return Err(Error::Family(format!(
                "{positions}: expected (rows, width), found {shape:?}"
            )));
        };
        let grid = rows.saturating_sub(1).isqrt();
        if grid == 0
            || grid * grid + 1 != rows
            || !width.is_multiple_of(TOWER_HEAD_WIDTH)
            || !(1..=TOWER_WIDTH_MAX).contains(&width)
        {
            return Err(Error::Family(format!(
                "{positions}: expected one class row and a square of patches, of a width divisible by \
                 {TOWER_HEAD_WIDTH} and at most {TOWER_WIDTH_MAX}; found {shape:?}"
            )));
        }
        let layers = self.tower_layers();
        let first = format!("{TOWER}.encoder.layers.0.mlp.fc1.weight");
        let intermediate = match self.shape(&first) {
            Some(shape @ ([] | [0, ..])) => {
                return Err(Error::Family(format!(
                    "{first}: expected (inner width, {width}), found {shape:?}"
                )));
            }
            Some([inner, ..]) => *inner,
            None => 0, // missing, as will be said
        };
        let geometry = self.geometry(grid, img_size)?;
        Ok(Some(VisionConfig { width, layers, intermediate, stored_grid: grid, geometry }))
    }

    /// Blocks of the tower: one more than the highest number any tensor names, so that a gap is noticed
    /// as missing tensors.
    fn tower_layers(&self) -> usize {
        let prefix = format!("{TOWER}.encoder.layers.");
        let numbers = self.0.names().filter_map(|name| {
            let (number, _) = name.strip_prefix(&prefix)?.split_once('.')?;
            number.parse::<usize>().ok().filter(|&number| number < LAYERS_MAX)
        });
        numbers.max().map_or(0, |last| last + 1)
    }

    fn geometry(&self, grid: usize, img_size: Option<u32>) -> Result<Geometry, Error> {
        let stored = u32::try_from(grid * PATCH).unwrap_or(u32::MAX);
        if self.has(GLB_GN) {
            if stored > SIDE_MAX {
                return Err(Error::Family(format!(
                    "expected tiles of up to {SIDE_MAX} pixels, found a position table for {stored}"
                )));
            }
            return if stored == V25_TILE {
                Ok(Geometry::Tiles { tile: stored, tiles_max: V25_TILES, style: TileStyle::Bottom })
            } else {
                Ok(Geometry::Tiles {
                    tile: stored,
                    tiles_max: FOUR_K_TILES,
                    style: TileStyle::Centered,
                })
            };
        }
        let side = img_size.unwrap_or(stored);
        if side == 0 || !side.is_multiple_of(PATCH as u32) || side > SIDE_MAX {
            return Err(wrong(format!(
                "img_size: expected a multiple of {PATCH} up to {SIDE_MAX}, found {side}"
            )));
        }
        Ok(Geometry::Square { side })
    }
}
