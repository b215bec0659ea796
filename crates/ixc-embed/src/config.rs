//! `config.json` of a dual encoder, as transformers writes it.
//!
//! Invariant: what a file leaves out has the value that transformers gives it, and what this crate cannot compute
//! is an error. Deliberately absent: what the tensors must be; loading checks their shapes.

use std::{
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::{
    Error,
    limits::{MAX_CONFIG_BYTES, MAX_LAYERS, MAX_PATCHES, MAX_POSITIONS, MAX_WIDTH},
};

/// The published kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Contrastive language-image pretraining: causal text, a class row, projections.
    Clip,
    /// The sigmoid form: padded text, a head that attends to the patches.
    SigLip,
}

/// What lies between a feed-forward layer's two products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    QuickGelu,
    Gelu,
    GeluTanh,
}

/// A stack of blocks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stack {
    pub(crate) width: usize,
    pub(crate) inner: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) eps: f64,
    pub(crate) activation: Activation,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TextConfig {
    pub(crate) stack: Stack,
    pub(crate) vocabulary: usize,
    pub(crate) positions: usize,
    /// What a text is filled up with, where it is.
    pub(crate) pad: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VisionConfig {
    pub(crate) stack: Stack,
    /// Pixels a side.
    pub(crate) side: u32,
    /// Pixels a side of a patch.
    pub(crate) patch: usize,
}

impl VisionConfig {
    /// Patches a side.
    pub(crate) fn grid(&self) -> usize {
        self.side as usize / self.patch
    }
}

/// A dual encoder's numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) kind: Kind,
    pub(crate) text: TextConfig,
    pub(crate) vision: VisionConfig,
    pub(crate) dimensions: usize,
}

/// Part of what stands for a checkpoint: never to be written otherwise.
impl fmt::Display for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stack = |stack: &Stack| {
            let Stack { heads, eps, activation, .. } = stack;
            format!("{heads} {eps:e} {activation:?}")
        };
        let Self { kind, text, vision, dimensions } = self;
        let (text, seen) = (stack(&text.stack), stack(&vision.stack));
        write!(
            out,
            "{kind:?} {dimensions} text {text} vision {} {} {seen}",
            vision.side, vision.patch
        )
    }
}

/// An object of a JSON file, with the file's name for messages.
pub(crate) struct Object {
    pub(crate) path: PathBuf,
    pub(crate) values: Map<String, Value>,
}

impl Object {
    /// Reads a file.
    pub(crate) fn read(path: PathBuf, expected: &'static str) -> Result<Self, Error> {
        let bytes = read(&path, MAX_CONFIG_BYTES, expected)?;
        let values = serde_json::from_slice(&bytes)
            .map_err(|error| Error::malformed(&path, format!("is no JSON object: {error}")))?;
        Ok(Self { path, values })
    }

    /// An object within it; an empty one where it is left out.
    fn object(&self, key: &str) -> Self {
        let values = self.values.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        Self { path: self.path.clone(), values }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(Value::as_str)
    }

    /// A number of a range, or what it is where it is left out.
    pub(crate) fn number(&self, key: &str, usual: usize, limit: usize) -> Result<usize, Error> {
        let number = match self.values.get(key) {
            None | Some(Value::Null) => Some(usual as u64),
            Some(value) => value.as_u64(),
        };
        match number.and_then(|number| usize::try_from(number).ok()) {
            Some(number) if (1..=limit).contains(&number) => Ok(number),
            _ => Err(Error::malformed(
                &self.path,
                format!("{key} is {}, expected a number from 1 to {limit}", self.values[key]),
            )),
        }
    }
}

/// A file's bytes.
pub(crate) fn read(path: &Path, limit: u64, expected: &'static str) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File { path: path.into(), expected, source };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(Error::malformed(path, format!("has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// What a kind's file may leave out.
struct Usual {
    text: [usize; 4],
    vision: [usize; 4],
    vocabulary: usize,
    positions: usize,
    patch: usize,
    eps: f64,
    activation: &'static str,
}

const CLIP: Usual = Usual {
    text: [512, 2048, 12, 8],
    vision: [768, 3072, 12, 12],
    vocabulary: 49408,
    positions: 77,
    patch: 32,
    eps: 1e-5,
    activation: "quick_gelu",
};

const SIGLIP: Usual = Usual {
    text: [768, 3072, 12, 12],
    vision: [768, 3072, 12, 12],
    vocabulary: 32000,
    positions: 64,
    patch: 16,
    eps: 1e-6,
    activation: "gelu_pytorch_tanh",
};

impl Config {
    /// Reads the folder's.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let expected = "the configuration of a CLIP or SigLIP checkpoint";
        let file = Object::read(folder.join("config.json"), expected)?;
        let kind = match file.text("model_type") {
            Some("clip") => Kind::Clip,
            Some("siglip") => Kind::SigLip,
            other => {
                let found = other.unwrap_or("of no model_type");
                let hint = match found {
                    "siglip2" => {
                        "; the checkpoints of SigLIP 2 with one fixed size (such as google/siglip2-base-patch16-224) are siglip"
                    }
                    _ => "",
                };
                let problem =
                    format!("expected a model_type of clip or siglip, found {found}{hint}");
                return Err(Error::malformed(&file.path, problem));
            }
        };
        let usual = if kind == Kind::Clip { &CLIP } else { &SIGLIP };
        let (text, vision) = (file.object("text_config"), file.object("vision_config"));
        let text_config = TextConfig {
            stack: stack(&text, usual.text, usual)?,
            vocabulary: text.number("vocab_size", usual.vocabulary, 1 << 20)?,
            positions: text.number("max_position_embeddings", usual.positions, MAX_POSITIONS)?,
            pad: text.values.get("pad_token_id").and_then(|id| id.as_u64()?.try_into().ok()),
        };
        let side = vision.number("image_size", 224, ixc_input::limits::MAX_VIEW_SIDE as usize)?;
        let vision_config = VisionConfig {
            stack: stack(&vision, usual.vision, usual)?,
            side: side as u32,
            patch: vision.number("patch_size", usual.patch, side)?,
        };
        if vision.number("num_channels", 3, 3)? != 3 || vision_config.grid().pow(2) > MAX_PATCHES {
            let problem = format!("expected 3 channels and at most {MAX_PATCHES} patches");
            return Err(Error::malformed(&vision.path, problem));
        }
        let dimensions = match kind {
            Kind::Clip => file.number("projection_dim", 512, MAX_WIDTH)?,
            Kind::SigLip => vision_config.stack.width,
        };
        if kind == Kind::SigLip {
            let head =
                vision.values.get("vision_use_head").is_none_or(|head| head == &Value::Bool(true));
            let width = text.number("projection_size", text_config.stack.width, MAX_WIDTH)?;
            if !head || width != dimensions {
                let problem = format!(
                    "expected a vision head and texts of {dimensions} numbers as pictures have, found {width}"
                );
                return Err(Error::malformed(&file.path, problem));
            }
        }
        Ok(Self { kind, text: text_config, vision: vision_config, dimensions })
    }
}

fn stack(object: &Object, usual: [usize; 4], of: &Usual) -> Result<Stack, Error> {
    let [width, inner, layers, heads] = usual;
    let width = object.number("hidden_size", width, MAX_WIDTH)?;
    let heads = object.number("num_attention_heads", heads, width)?;
    if !width.is_multiple_of(heads) {
        let problem = format!("{heads} heads do not divide a width of {width}");
        return Err(Error::malformed(&object.path, problem));
    }
    let eps = object.values.get("layer_norm_eps").map_or(Some(of.eps), Value::as_f64);
    let eps = eps.filter(|eps| (0.0..1.0).contains(eps));
    let activation = match object.text("hidden_act").unwrap_or(of.activation) {
        "quick_gelu" => Activation::QuickGelu,
        "gelu" => Activation::Gelu,
        "gelu_pytorch_tanh" => Activation::GeluTanh,
        other => {
            let problem =
                format!("hidden_act is {other}; expected quick_gelu, gelu or gelu_pytorch_tanh");
            return Err(Error::malformed(&object.path, problem));
        }
    };
    Ok(Stack {
        width,
        inner: object.number("intermediate_size", inner, MAX_WIDTH)?,
        layers: object.number("num_hidden_layers", layers, MAX_LAYERS)?,
        heads,
        eps: eps.ok_or_else(|| {
            Error::malformed(&object.path, "layer_norm_eps is no number from 0 to 1")
        })?,
        activation,
    })
}
