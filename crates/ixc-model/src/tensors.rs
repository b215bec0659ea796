//! The checkpoint's tensor names, once, and what their shapes say about the model.
//!
//! [`expected`] lists every tensor a configuration asks for; loading, inspecting and initialising all
//! start from it. The names stay exactly as in the published weights (`wqkv`, `Plora_A`,
//! `pre_layrnorm`); readable names stand beside them in the modules that compute.

use std::collections::{BTreeMap, BTreeSet};

use ixc_input::prepare::{Geometry, TileStyle};
use ixc_nn::weights::Checkpoint;

use crate::{
    Error,
    config::{
        LAYERS_MAX, ModelConfig, PATCH, PLoraConfig, TOWER_HEAD_WIDTH, V25_TILE, VisionConfig,
        published_scale, wrong,
    },
};

/// The decoder's linear layers that carry an adapter, as the checkpoint names them within a block.
pub const LINEARS: [&str; 5] =
    ["attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"];

/// Where the vision tower's tensors start.
pub const TOWER: &str = "vit.vision_tower.vision_model";

/// The newline vector after each row of a high-resolution grid.
pub const SUB_GN: &str = "plora_sub_GN";

/// The separator between the global view and the mosaic.
pub const GLB_GN: &str = "plora_glb_GN";

/// Text adapters of 2.5, by the infix their tensors carry.
const TEXT_ADAPTER_INFIX: &str = ".lora_";

/// To which part of the model a tensor belongs; parameter counts are told by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Token embeddings and output layer.
    Words,
    /// Decoder blocks and norms.
    Decoder,
    /// Partial LoRA.
    Plora,
    /// CLIP.
    Tower,
    /// Projector, newline and separator vectors.
    Projector,
}

impl Part {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Words => "embeddings and output",
            Self::Decoder => "decoder",
            Self::Plora => "partial LoRA",
            Self::Tower => "vision tower",
            Self::Projector => "projector",
        }
    }
}

/// One tensor that the model needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedTensor {
    /// Name in the checkpoint.
    pub name: String,
    /// Shape it must have.
    pub shape: Vec<usize>,
    /// Which part it belongs to.
    pub part: Part,
    /// A 4-bit file holds this weight as `.linear.{qweight,…}` instead.
    pub quantised: bool,
}

/// The names under which a file holds an expected tensor: its own, or the parts of its 4-bit form.
///
/// `g_idx` is left out: files may omit it when groups follow the inputs' order.
pub fn stored_names(tensor: &ExpectedTensor) -> Vec<String> {
    match tensor.name.strip_suffix(".weight") {
        Some(linear) if tensor.quantised => ["qweight", "qzeros", "scales"]
            .into_iter()
            .map(|part| format!("{linear}.linear.{part}"))
            .collect(),
        _ => vec![tensor.name.clone()],
    }
}

/// Inputs and outputs of the five linear layers of a block, in the order of [`LINEARS`].
pub fn linear_shapes(config: &ModelConfig) -> [(usize, usize); 5] {
    let language = &config.language;
    let (hidden, inner) = (language.hidden, language.intermediate);
    [
        (hidden, language.wqkv_outputs()),
        (hidden, hidden),
        (hidden, inner),
        (inner, hidden),
        (hidden, inner),
    ]
}

/// Every tensor of a model, in the order of the main path's description.
pub fn expected(config: &ModelConfig) -> Vec<ExpectedTensor> {
    let mut all = Vec::new();
    let mut add = |name: String, shape: &[usize], part, quantised| {
        all.push(ExpectedTensor { name, shape: shape.to_vec(), part, quantised });
    };
    let language = &config.language;
    let hidden = language.hidden;
    add("model.tok_embeddings.weight".into(), &[language.vocabulary, hidden], Part::Words, false);
    for layer in 0..language.layers {
        let block = format!("model.layers.{layer}");
        add(format!("{block}.attention_norm.weight"), &[hidden], Part::Decoder, false);
        add(format!("{block}.ffn_norm.weight"), &[hidden], Part::Decoder, false);
        for (index, (inputs, outputs)) in linear_shapes(config).into_iter().enumerate() {
            let linear = format!("{block}.{}", LINEARS[index]);
            add(format!("{linear}.weight"), &[outputs, inputs], Part::Decoder, config.gptq);
            if let Some(plora) = &config.plora {
                let (rank, _) = plora.ranks[index];
                add(format!("{linear}.Plora_A.weight"), &[rank, inputs], Part::Plora, false);
                add(format!("{linear}.Plora_B.weight"), &[outputs, rank], Part::Plora, false);
            }
        }
    }
    add("model.norm.weight".into(), &[hidden], Part::Decoder, false);
    add("output.weight".into(), &[language.vocabulary, hidden], Part::Words, false);
    if let Some(vision) = &config.vision {
        all.extend(expected_vision(vision, hidden));
    }
    all
}

/// The tower's, projector's and separators' tensors.
pub fn expected_vision(vision: &VisionConfig, hidden: usize) -> Vec<ExpectedTensor> {
    let mut all = Vec::new();
    let mut add = |name: String, shape: &[usize], part| {
        all.push(ExpectedTensor { name, shape: shape.to_vec(), part, quantised: false });
    };
    let (width, inner) = (vision.width, vision.intermediate);
    let rows = vision.stored_grid * vision.stored_grid + 1;
    add(format!("{TOWER}.embeddings.class_embedding"), &[width], Part::Tower);
    add(
        format!("{TOWER}.embeddings.patch_embedding.weight"),
        &[width, 3, PATCH, PATCH],
        Part::Tower,
    );
    add(format!("{TOWER}.embeddings.position_embedding.weight"), &[rows, width], Part::Tower);
    for side in ["weight", "bias"] {
        add(format!("{TOWER}.pre_layrnorm.{side}"), &[width], Part::Tower);
    }
    for layer in 0..vision.layers {
        let block = format!("{TOWER}.encoder.layers.{layer}");
        for norm in ["layer_norm1", "layer_norm2"] {
            for side in ["weight", "bias"] {
                add(format!("{block}.{norm}.{side}"), &[width], Part::Tower);
            }
        }
        for (linear, inputs, outputs) in [
            ("self_attn.q_proj", width, width),
            ("self_attn.k_proj", width, width),
            ("self_attn.v_proj", width, width),
            ("self_attn.out_proj", width, width),
            ("mlp.fc1", width, inner),
            ("mlp.fc2", inner, width),
        ] {
            add(format!("{block}.{linear}.weight"), &[outputs, inputs], Part::Tower);
            add(format!("{block}.{linear}.bias"), &[outputs], Part::Tower);
        }
    }
    for (linear, inputs) in
        [("vision_proj.0", vision.projector_inputs()), ("vision_proj.2", hidden)]
    {
        add(format!("{linear}.weight"), &[hidden, inputs], Part::Projector);
        add(format!("{linear}.bias"), &[hidden], Part::Projector);
    }
    if let Geometry::Tiles { .. } = vision.geometry {
        add(SUB_GN.into(), &[1, 1, 1, 4 * width], Part::Projector);
        add(GLB_GN.into(), &[1, 1, 4 * width], Part::Projector);
    }
    all
}

/// Tensors that published files carry but no computation of ours reads: CLIP's last norm (the
/// features are taken before it) and its constant position numbers.
pub fn is_known_unused(name: &str) -> bool {
    name.starts_with(&format!("{TOWER}.post_layernorm."))
        || name.ends_with(".embeddings.position_ids")
        || name.ends_with(".rotary_emb.inv_freq")
}

/// The name of a text adapter's tensor, `sft` in `….lora_sft_A.weight`.
pub fn text_adapter(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once(TEXT_ADAPTER_INFIX)?;
    rest.split_once('_').map(|(adapter, _)| adapter)
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
            let [r, _] = shape else {
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
            || width == 0
        {
            return Err(Error::Family(format!(
                "{positions}: expected one class row and a square of patches, of a width divisible by \
                 {TOWER_HEAD_WIDTH}; found {shape:?}"
            )));
        }
        let layers = self.tower_layers();
        let first = format!("{TOWER}.encoder.layers.0.mlp.fc1.weight");
        let intermediate = self.shape(&first).and_then(|shape| shape.first()).copied().unwrap_or(0);
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
        let stored = (grid * PATCH) as u32;
        if self.has(GLB_GN) {
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

/// Published `hd_num` of 4KHD, unless asked otherwise.
pub const FOUR_K_TILES: u32 = 25;

/// Published `hd_num` of 2.5 for one picture.
pub const V25_TILES: u32 = 24;

/// Largest square input: 4 times the largest published, so that attention fits in memory.
const SIDE_MAX: u32 = 2016;
