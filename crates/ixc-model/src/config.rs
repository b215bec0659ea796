//! What a checkpoint is, as plain numbers: family, decoder, tower, adapters.
//!
//! Deliberately absent: where the numbers come from; that is [`crate::read`].

use ixc_input::{
    prepare::Geometry,
    prompt::{Bos, Unplaced},
};
use ixc_nn::{
    cache::{CacheShape, KvType},
    rope::Rope,
};

/// Edge of a vision patch in pixels: CLIP ViT-L/14.
pub const PATCH: usize = ixc_input::prepare::PATCH as usize;

/// Width of one head of the vision tower: CLIP's, in every published size.
pub const TOWER_HEAD_WIDTH: usize = 64;

/// Edge of a tile of 2.5 in pixels.
pub const V25_TILE: u32 = 560;

/// Tiles a picture of 2.5 when several come together, as published.
const V25_TILES_OF_SEVERAL: u32 = 6;

/// Edge of the composition checkpoint's pictures in pixels.
pub const COMPOSITION_SIDE: u32 = 224;

/// Which member of the family a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// 2.0, comprehension and chat (`vl-7b`, `vl-1_8b`).
    Vl,
    /// 2.0, free-form text-image composition (`7b`, 224 px).
    Composition,
    /// 4KHD: tiles of 336 px.
    FourKHd,
    /// 2.5: tiles of 560 px.
    V25,
    /// A language model alone.
    Language,
}

impl Family {
    /// The name users know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vl => "InternLM-XComposer2-VL",
            Self::Composition => "InternLM-XComposer2 (composition)",
            Self::FourKHd => "InternLM-XComposer2-4KHD",
            Self::V25 => "InternLM-XComposer-2.5",
            Self::Language => "InternLM2 (no vision tower)",
        }
    }

    /// Where the published `chat` has `<s>`.
    pub fn bos(self) -> Bos {
        if self == Self::V25 { Bos::Once } else { Bos::EveryTextPart }
    }

    /// Where a picture stands in the prompt that came without a place.
    pub fn unplaced(self) -> Unplaced {
        match self {
            Self::Vl | Self::Composition | Self::Language => Unplaced::InTurn,
            Self::FourKHd | Self::V25 => Unplaced::LoneFirst,
        }
    }
}

/// The language model's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageConfig {
    /// Rows of the embedding table.
    pub vocabulary: usize,
    /// Width of a position.
    pub hidden: usize,
    /// Width inside the feed-forward layers.
    pub intermediate: usize,
    /// Decoder blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Added to the mean square in RMSNorm.
    pub eps: f64,
    /// θ of the rotary embedding.
    pub rope_theta: f64,
    /// Positions the model was made for.
    pub positions_max: usize,
    /// The factor of dynamic NTK scaling, if any.
    pub rope_dynamic_factor: Option<f64>,
}

impl LanguageConfig {
    /// Width of one head.
    pub fn head_width(&self) -> usize {
        self.hidden / self.heads
    }

    /// What a cache holds for each position.
    pub fn cache_shape(&self, kind: KvType) -> CacheShape {
        CacheShape { layers: self.layers, kv_heads: self.kv_heads, width: self.head_width(), kind }
    }

    /// Outputs of the fused query, key and value layer.
    pub fn wqkv_outputs(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_width()
    }

    /// The rotary embedding.
    pub fn rope(&self) -> Rope {
        Rope {
            width: self.head_width(),
            base: self.rope_theta,
            positions_max: self.positions_max,
            dynamic_factor: self.rope_dynamic_factor,
        }
    }
}

/// The vision tower's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionConfig {
    /// Width of a patch row.
    pub width: usize,
    /// Blocks.
    pub layers: usize,
    /// Width inside the blocks' MLPs.
    pub intermediate: usize,
    /// Patches along one side of the stored position table.
    pub stored_grid: usize,
    /// How pictures become pixels.
    pub geometry: Geometry,
}

impl VisionConfig {
    /// Attention heads.
    pub fn heads(&self) -> usize {
        self.width / TOWER_HEAD_WIDTH
    }

    /// Patches along one side of one view, after the position table is resized.
    pub fn grid(&self) -> usize {
        match self.geometry {
            Geometry::Square { side } => side as usize / PATCH,
            Geometry::Tiles { tile, .. } => tile as usize / PATCH,
        }
    }

    /// Width of the projector's input: one patch, or four merged.
    pub fn projector_inputs(&self) -> usize {
        match self.geometry {
            Geometry::Square { .. } => self.width,
            Geometry::Tiles { .. } => 4 * self.width,
        }
    }
}

/// How a checkpoint wants to be talked to, where its own configuration says so. Published ones do not say;
/// then their family decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chat {
    /// The system turn that a conversation begins with; empty for none.
    pub instruction: Option<String>,
    /// Where `<s>` stands in a question: training has it once.
    pub bos: Option<Bos>,
}

/// Everything a checkpoint is.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Which member of the family.
    pub family: Family,
    /// The decoder.
    pub language: LanguageConfig,
    /// The tower, where there is one.
    pub vision: Option<VisionConfig>,
    /// Adapter rank and scale of each linear layer; none in a plain language model.
    pub plora: Option<PLoraConfig>,
    /// Whether the decoder's linear layers are stored in GPTQ's 4 bits.
    pub gptq: bool,
    /// How it wants to be talked to, where it says so.
    pub chat: Chat,
    /// Names of text adapters in the file that this program does not apply (2.5's `sft`, `dpo`, …).
    pub text_adapters: Vec<String>,
}

impl ModelConfig {
    /// How each of `pictures` that come together becomes pixels, or `None` without a tower. `tiles_max`
    /// replaces the published number of tiles (`hd_num`) in the high-resolution family.
    pub fn geometry(&self, pictures: usize, tiles_max: Option<u32>) -> Option<Geometry> {
        let stored = self.vision.as_ref()?.geometry;
        let Geometry::Tiles { tile, tiles_max: published, style } = stored else {
            return Some(stored);
        };
        let several = pictures > 1 && self.family == Family::V25;
        let published = if several { V25_TILES_OF_SEVERAL } else { published };
        Some(Geometry::Tiles { tile, tiles_max: tiles_max.unwrap_or(published), style })
    }
}

/// Rank and scale of Partial LoRA, layer kind by layer kind.
#[derive(Clone, Debug, PartialEq)]
pub struct PLoraConfig {
    /// In the order of [`crate::tensors::LINEARS`]: (rank, scale).
    pub ranks: [(usize, f64); 5],
}

/// alpha of the published class default: at rank 8 the scale is 16 / 8.
const ALPHA_DEFAULT: f64 = 16.0;

/// The published scale of a rank: alpha 16 at rank 8, alpha = rank elsewhere.
pub fn published_scale(rank: usize) -> f64 {
    if rank == 8 { ALPHA_DEFAULT / 8.0 } else { 1.0 }
}
