//! The checkpoint's tensor names, once, and what their shapes say about the model.
//!
//! [`expected`] lists every tensor a configuration asks for; loading, inspecting and initialising all
//! start from it. The names stay exactly as in the published weights (`wqkv`, `Plora_A`,
//! `pre_layrnorm`); readable names stand beside them in the modules that compute.

use ixc_input::prepare::Geometry;

use crate::config::{ModelConfig, PATCH, VisionConfig};

/// The decoder's linear layers that carry an adapter, as the checkpoint names them within a block.
pub const LINEARS: [&str; 5] =
    ["attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"];

/// The output layer's weight.
pub const OUTPUT: &str = "output.weight";

/// Where the vision tower's tensors start.
pub const TOWER: &str = "vit.vision_tower.vision_model";

/// The newline vector after each row of a high-resolution grid.
pub const SUB_GN: &str = "plora_sub_GN";

/// The separator between the global view and the mosaic.
pub const GLB_GN: &str = "plora_glb_GN";

/// What stands between a linear layer's name and A or B of Partial LoRA.
const PLORA_INFIX: &str = ".Plora_";

/// Text adapters of 2.5, by the infix their tensors carry.
const TEXT_ADAPTER_INFIX: &str = ".lora_";

/// Published beginnings of names and the short ones that a GGUF file has; `#` stands for a block's number.
/// The first that fits counts, so a beginning stands before one that it begins with.
const SHORT: [(&str, &str); 34] = [
    ("model.tok_embeddings.", "token_embd."),
    ("model.norm.", "output_norm."),
    ("output.", "output."),
    ("model.layers.#.attention_norm.", "blk.#.attn_norm."),
    ("model.layers.#.ffn_norm.", "blk.#.ffn_norm."),
    ("model.layers.#.attention.wqkv.Plora_A.", "blk.#.attn_qkv.plora_a."),
    ("model.layers.#.attention.wqkv.Plora_B.", "blk.#.attn_qkv.plora_b."),
    ("model.layers.#.attention.wqkv.", "blk.#.attn_qkv."),
    ("model.layers.#.attention.wo.Plora_A.", "blk.#.attn_output.plora_a."),
    ("model.layers.#.attention.wo.Plora_B.", "blk.#.attn_output.plora_b."),
    ("model.layers.#.attention.wo.", "blk.#.attn_output."),
    ("model.layers.#.feed_forward.w1.Plora_A.", "blk.#.ffn_gate.plora_a."),
    ("model.layers.#.feed_forward.w1.Plora_B.", "blk.#.ffn_gate.plora_b."),
    ("model.layers.#.feed_forward.w1.", "blk.#.ffn_gate."),
    ("model.layers.#.feed_forward.w2.Plora_A.", "blk.#.ffn_down.plora_a."),
    ("model.layers.#.feed_forward.w2.Plora_B.", "blk.#.ffn_down.plora_b."),
    ("model.layers.#.feed_forward.w2.", "blk.#.ffn_down."),
    ("model.layers.#.feed_forward.w3.Plora_A.", "blk.#.ffn_up.plora_a."),
    ("model.layers.#.feed_forward.w3.Plora_B.", "blk.#.ffn_up.plora_b."),
    ("model.layers.#.feed_forward.w3.", "blk.#.ffn_up."),
    ("vit.vision_tower.vision_model.embeddings.class_embedding", "v.class_embd"),
    ("vit.vision_tower.vision_model.embeddings.patch_embedding.", "v.patch_embd."),
    ("vit.vision_tower.vision_model.embeddings.position_embedding.", "v.position_embd."),
    ("vit.vision_tower.vision_model.pre_layrnorm.", "v.pre_ln."),
    ("vit.vision_tower.vision_model.encoder.layers.#.layer_norm", "v.blk.#.ln"),
    ("vit.vision_tower.vision_model.encoder.layers.#.self_attn.out_proj.", "v.blk.#.attn_out."),
    ("vit.vision_tower.vision_model.encoder.layers.#.self_attn.q_proj.", "v.blk.#.attn_q."),
    ("vit.vision_tower.vision_model.encoder.layers.#.self_attn.k_proj.", "v.blk.#.attn_k."),
    ("vit.vision_tower.vision_model.encoder.layers.#.self_attn.v_proj.", "v.blk.#.attn_v."),
    ("vit.vision_tower.vision_model.encoder.layers.#.mlp.fc1.", "v.blk.#.ffn_up."),
    ("vit.vision_tower.vision_model.encoder.layers.#.mlp.fc2.", "v.blk.#.ffn_down."),
    ("vision_proj.", "mm."),
    (SUB_GN, "v.sub_gn"),
    (GLB_GN, "v.glb_gn"),
];

/// The name that a GGUF file has for a published one; none for tensors that the model does not read.
pub fn short_name(published: &str) -> Option<String> {
    SHORT.iter().find_map(|(long, short)| exchanged(published, long, short))
}

/// The way back from [`short_name`].
pub fn published_name(short: &str) -> Option<String> {
    SHORT.iter().find_map(|(long, name)| exchanged(short, name, long))
}

/// `name` with `to` for `from` at its beginning.
fn exchanged(name: &str, from: &str, to: &str) -> Option<String> {
    let Some((before, after)) = from.split_once('#') else {
        return Some(format!("{to}{}", name.strip_prefix(from)?));
    };
    let rest = name.strip_prefix(before)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&digits| digits > 0)?;
    let (number, rest) = rest.split_at(digits);
    Some(format!("{}{}", to.replacen('#', number, 1), rest.strip_prefix(after)?))
}

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

/// The part that a tensor belongs to, by its published name.
pub fn part(name: &str) -> Part {
    if name.contains(PLORA_INFIX) {
        Part::Plora
    } else if name.starts_with(TOWER) {
        Part::Tower
    } else if name.starts_with("vision_proj.") || name == SUB_GN || name == GLB_GN {
        Part::Projector
    } else if name.starts_with("output.") || name.starts_with("model.tok_embeddings.") {
        Part::Words
    } else {
        Part::Decoder
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
    add(OUTPUT.into(), &[language.vocabulary, hidden], Part::Words, false);
    if let Some(vision) = &config.vision {
        all.extend(expected_vision(vision, hidden));
    }
    all
}

/// Numbers in all of a model's tensors.
pub fn numbers(config: &ModelConfig) -> u64 {
    expected(config).iter().map(|tensor| tensor.shape.iter().product::<usize>() as u64).sum()
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
    add(position_table(), &[rows, width], Part::Tower);
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

/// The name of the tower's position table.
pub fn position_table() -> String {
    format!("{TOWER}.embeddings.position_embedding.weight")
}

/// The name, without `.weight`, of the linear layer that a tensor is the weight of, if it is one's: tables of
/// embeddings and the parts of adapters are none.
pub fn linear(tensor: &ExpectedTensor) -> Option<&str> {
    let name = tensor.name.strip_suffix(".weight")?;
    let matrix = tensor.shape.len() == 2 && tensor.part != Part::Plora;
    (matrix && !name.contains("embedding")).then_some(name)
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

#[cfg(test)]
mod tests {
    use super::{expected, part, published_name, short_name};
    use crate::init::Like;

    /// Bytes that public tools keep a name in, less the 0 at its end.
    const NAME_BYTES: usize = 63;

    #[test]
    fn every_name_has_a_short_one_and_comes_back() {
        for like in [Like::Vl7b, Like::Composition7b, Like::Tiny] {
            let mut config = like.config();
            let tiles = ixc_input::prepare::TileStyle::Bottom;
            config.vision.as_mut().unwrap().geometry =
                ixc_input::prepare::Geometry::Tiles { tile: 560, tiles_max: 4, style: tiles };
            let mut seen = std::collections::BTreeSet::new();
            for tensor in expected(&config) {
                let short = short_name(&tensor.name).expect(&tensor.name);
                assert!(short.len() <= NAME_BYTES, "{short}");
                assert_eq!(published_name(&short).as_deref(), Some(tensor.name.as_str()));
                assert!(seen.insert(short));
                assert_eq!(part(&tensor.name), tensor.part, "{}", tensor.name);
            }
        }
        assert_eq!(
            short_name("model.layers.31.feed_forward.w2.Plora_B.weight").unwrap(),
            "blk.31.ffn_down.plora_b.weight"
        );
        for foreign in ["blk..attn_qkv.weight", "blk.x.attn_qkv.weight", "rope_freqs.weight", ""] {
            assert_eq!(published_name(foreign), None);
        }
    }
}
