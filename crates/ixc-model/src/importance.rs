//! How much each input of each linear layer matters, and the file that keeps it.
//!
//! An error of a weight reaches the layer's output multiplied by its input, so that it counts by the input's
//! mean square over a calibration set ([`ixc_nn::inputs`]). The file is GGUF: a float32 vector for each layer
//! under the name that its weight has in a quantised file, and one key that says of which model they are.
//! Deliberately absent: calibration itself, which needs words and pictures (`ixc-engine`).

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use ixc_nn::{
    inputs::Inputs,
    weights::{Checkpoint, GgufPlan, GgufValue, StoredType, TensorPlan, write_gguf},
};
use serde::{Deserialize, Serialize};

use crate::{
    Error, ModelConfig,
    gguf::ARCHITECTURE,
    tensors::{self, published_name, short_name},
};

/// The key of what the file is about, as JSON.
const KEY: &str = "ixc.importance";

/// Changes with what the numbers mean.
const VERSION: u32 = 1;

/// An input counts at least this part of its layer's mean: that a small set never used it says little.
const LEAST: f32 = 1e-4;

/// What a calibration found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The mean square of each input, by the published name of the layer's weight. Layers that saw no row
    /// are not there: those of pictures, when the set had none.
    pub mean_squares: BTreeMap<String, Vec<f32>>,
    /// Positions of the decoder that it was made from.
    pub positions: u64,
    /// How many of them were image rows.
    pub image_positions: u64,
}

/// What the file says about itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    version: u32,
    /// The model's fingerprint.
    model: String,
    positions: u64,
    image_positions: u64,
}

impl Importance {
    /// From the sums of a model's layers.
    ///
    /// # Errors
    /// When a layer was fed numbers that are not finite.
    pub fn of(inputs: &Inputs, positions: u64, image_positions: u64) -> Result<Self, Error> {
        let mut mean_squares = BTreeMap::new();
        for (layer, sums) in inputs.sums() {
            let Some(means) = sums.mean_squares() else { continue };
            if means.iter().any(|mean| !mean.is_finite()) {
                return Err(Error::NotFinite { layer });
            }
            mean_squares.insert(layer, means);
        }
        Ok(Self { mean_squares, positions, image_positions })
    }

    /// What the quantisers weight errors by.
    pub fn weights(&self) -> BTreeMap<String, Vec<f32>> {
        let floored = |(layer, means): (&String, &Vec<f32>)| {
            let mean = means.iter().map(|&mean| f64::from(mean)).sum::<f64>() / means.len() as f64;
            let least = LEAST * mean as f32;
            (layer.clone(), means.iter().map(|mean| mean.max(least)).collect())
        };
        self.mean_squares.iter().map(floored).collect()
    }

    /// Writes the file; returns its bytes. `model` is the fingerprint of the checkpoint.
    ///
    /// # Errors
    /// When the file is there and may not be replaced, or the disk refuses; nothing is left then.
    pub fn write(&self, path: &Path, replace: bool, model: &[u8]) -> Result<u64, Error> {
        let about = About {
            version: VERSION,
            model: hex(model),
            positions: self.positions,
            image_positions: self.image_positions,
        };
        let about = serde_json::to_string(&about).expect("numbers and a string");
        let text = |key: &str, value: &str| (key.to_owned(), GgufValue::Text(value.into()));
        let tensor = |(layer, means): (&String, &Vec<f32>)| TensorPlan {
            name: short_name(layer).expect("every tensor of the model has one"),
            dtype: StoredType::F32,
            shape: vec![means.len()],
        };
        let plan = GgufPlan {
            path: path.into(),
            replace,
            metadata: vec![
                text("general.architecture", ARCHITECTURE),
                text("general.type", "imatrix"),
                text(KEY, &about),
            ],
            tensors: self.mean_squares.iter().map(tensor).collect(),
        };
        let mut next = self.mean_squares.values();
        write_gguf(&plan, |_, sink| Ok(sink.f32(next.next().expect("as many as the file has"))?))
    }

    /// Reads what [`Importance::write`] wrote, for the model with this fingerprint.
    ///
    /// # Errors
    /// When it is no such file, is of another model, or holds what is no mean square.
    pub fn read(path: &Path, config: &ModelConfig, model: &[u8]) -> Result<Self, Error> {
        let wrong =
            |problem: String| Error::Importance { path: path.display().to_string(), problem };
        let checkpoint = Checkpoint::open(path)?;
        let about = checkpoint.metadata_text(KEY).ok_or_else(|| {
            wrong(format!(
                "expected the key {KEY} of a file that --importance-out wrote, found none: is it a model?"
            ))
        })?;
        let about: About = serde_json::from_str(about).map_err(|error| {
            wrong(format!("{KEY}: expected what this ixc writes, found: {error}"))
        })?;
        if about.version != VERSION {
            return Err(wrong(format!(
                "expected version {VERSION} of {KEY}, found {}: make it again with --calibration",
                about.version
            )));
        }
        if about.model != hex(model) {
            return Err(wrong(
                "it was made from another checkpoint, or by another version of ixc: make it again from \
                 this one with --calibration"
                    .into(),
            ));
        }
        let inputs: HashMap<String, usize> = tensors::expected(config)
            .into_iter()
            .filter_map(|tensor| Some((tensor.name, *tensor.shape.last()?)))
            .collect();
        let mut mean_squares = BTreeMap::new();
        for name in checkpoint.names() {
            let layer = published_name(name).unwrap_or_default();
            let Some(&inputs) = inputs.get(&layer) else {
                return Err(wrong(format!("{name:?} is no layer of this model")));
            };
            let means = checkpoint.floats(name, &[inputs])?;
            if let Some(found) = means.iter().find(|mean| !(mean.is_finite() && **mean >= 0.0)) {
                return Err(wrong(format!("{name}: expected mean squares, found {found}")));
            }
            mean_squares.insert(layer, means);
        }
        let About { positions, image_positions, .. } = about;
        Ok(Self { mean_squares, positions, image_positions })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
