//! What a row costs at least: operations of its linear layers, bytes that a word reads.
//!
//! Counted from the model's shapes alone: two operations for each weight and row, adapters on image
//! rows only, the output layer on one row. The decoder's attention is left apart, as in the limits that
//! are stated for it; the tower's is counted, at the rate of its weights. Deliberately absent: what the
//! kernels really do.

use ixc_model::{
    ModelConfig,
    config::VisionConfig,
    tensors::{self, LINEARS, Part},
};
use ixc_nn::{
    measure::Numbers,
    weights::{Checkpoint, Keep, StoredType},
};

use super::limits::Limits;
use crate::model::bytes_in_memory;

/// Operations and bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Work {
    /// Multiplications and additions, by the numbers they are done in.
    pub(crate) operations: Vec<(Numbers, f64)>,
    /// Bytes read from memory.
    pub(crate) bytes: f64,
}

impl Work {
    /// The least seconds it takes; none where nothing was counted.
    pub(crate) fn seconds(&self, limits: &Limits) -> Option<f64> {
        let multiply =
            self.operations.iter().map(|(numbers, ops)| ops / limits.operations(*numbers));
        // Where no bytes were counted, none need to have been measured.
        let read = if self.bytes > 0.0 { self.bytes / limits.bytes() } else { 0.0 };
        let seconds = multiply.sum::<f64>() + read;
        (seconds > 0.0).then_some(seconds)
    }

    /// This and then that.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.operations.extend(other.operations);
        self.bytes += other.bytes;
        self
    }
}

/// What the counting needs to know of a model.
#[derive(Clone, Debug)]
pub(crate) struct Costs {
    config: ModelConfig,
    /// What the decoder's, the tower's and the projector's products are done in.
    decoder: Numbers,
    tower: Numbers,
    projector: Numbers,
    /// Bytes of weights that a word reads; 0 where the files do not tell.
    word_bytes: f64,
}

impl Costs {
    /// Of a model whose weights are held so.
    pub(crate) fn of(config: &ModelConfig, checkpoint: &Checkpoint, keep: Keep) -> Self {
        let numbers = |name: &str| numbers(checkpoint, name, keep);
        Self {
            config: config.clone(),
            decoder: numbers(&format!("model.layers.0.{}", LINEARS[2])),
            tower: numbers(&format!("{}.encoder.layers.0.mlp.fc1", tensors::TOWER)),
            projector: numbers("vision_proj.0"),
            word_bytes: word_bytes(config, checkpoint, keep).unwrap_or(0) as f64,
        }
    }

    /// What the decoder's products are done in.
    pub(crate) fn numbers(&self) -> Numbers {
        self.decoder
    }

    /// Reading so many positions, of which some are image rows, and scoring the last.
    pub(crate) fn prefill(&self, positions: usize, image_rows: usize) -> Work {
        let language = &self.config.language;
        let shapes = tensors::linear_shapes(&self.config);
        let weights: usize = shapes.iter().map(|(inputs, outputs)| inputs * outputs).sum();
        let adapters: usize = self.config.plora.as_ref().map_or(0, |plora| {
            let sizes = shapes.iter().zip(plora.ranks);
            sizes.map(|((inputs, outputs), (rank, _))| rank * (inputs + outputs)).sum()
        });
        let layers =
            language.layers as f64 * (twice(positions, weights) + twice(image_rows, adapters));
        let output = twice(1, language.vocabulary * language.hidden);
        Work { operations: vec![(self.decoder, layers + output)], bytes: 0.0 }
    }

    /// The tower on a picture of so many views.
    pub(crate) fn tower(&self, vision: &VisionConfig, views: usize) -> Work {
        let patches = vision.grid() * vision.grid();
        let rows = patches + 1;
        let width = vision.width;
        let block = twice(rows, 4 * width * width + 2 * width * vision.intermediate)
            + 2.0 * twice(rows, rows * width);
        let patch = ixc_model::config::PATCH;
        let embedding = twice(patches, 3 * patch * patch * width);
        let view = embedding + vision.layers as f64 * block;
        Work { operations: vec![(self.tower, views as f64 * view)], bytes: 0.0 }
    }

    /// The projector on so many image rows.
    pub(crate) fn projector(&self, vision: &VisionConfig, rows: usize) -> Work {
        let hidden = self.config.language.hidden;
        let operations = twice(rows, hidden * (vision.projector_inputs() + hidden));
        Work { operations: vec![(self.projector, operations)], bytes: 0.0 }
    }

    /// One word, after positions whose keys and values take so many bytes.
    pub(crate) fn word(&self, cache_bytes: f64) -> Work {
        let bytes = if self.word_bytes > 0.0 { self.word_bytes + cache_bytes } else { 0.0 };
        Work { operations: Vec::new(), bytes }
    }
}

/// Operations of so many rows over so many weights.
fn twice(rows: usize, weights: usize) -> f64 {
    2.0 * rows as f64 * weights as f64
}

/// What products with a layer's weight are done in: int8 where it is quantised and stays so.
fn numbers(checkpoint: &Checkpoint, layer: &str, keep: Keep) -> Numbers {
    numbers_of(checkpoint.info(&format!("{layer}.weight")).map(|info| info.dtype), keep)
}

/// As [`numbers`], of a stored type; 4-bit GPTQ files have no tensor of the weight's own name.
fn numbers_of(stored: Option<StoredType>, keep: Keep) -> Numbers {
    let Some(stored) = stored.filter(|stored| stored.quant().is_none()) else {
        return if keep == Keep::F32 { Numbers::F32 } else { Numbers::Int8 };
    };
    match (stored, keep) {
        (_, Keep::Bf16) | (StoredType::Bf16, Keep::Stored) => Numbers::Bf16,
        _ => Numbers::F32,
    }
}

/// Bytes of the decoder's and the output layer's weights; adapters do not act on words.
fn word_bytes(config: &ModelConfig, checkpoint: &Checkpoint, keep: Keep) -> Option<u64> {
    let mut bytes = 0;
    for tensor in tensors::expected(config) {
        if tensor.part != Part::Decoder && tensor.name != "output.weight" {
            continue;
        }
        for name in tensors::stored_names(&tensor) {
            bytes += bytes_in_memory(checkpoint.info(&name)?, keep);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use ixc_model::init::Like;

    use super::*;

    fn costs() -> Costs {
        Costs {
            config: Like::Vl7b.config(),
            decoder: Numbers::Int8,
            tower: Numbers::Bf16,
            projector: Numbers::Bf16,
            word_bytes: 4.5e9,
        }
    }

    fn tera(work: &Work) -> f64 {
        work.operations.iter().map(|(_, ops)| ops).sum::<f64>() / 1e12
    }

    /// The figures of the published 7B, added up by hand: a block has 218.1 million weights, 32 of them
    /// read 1275 positions; its adapters of rank 256 have 18.1 million.
    #[test]
    fn one_photograph_and_fifty_words_of_the_7b() {
        let costs = costs();
        let vision = costs.config.vision.clone().unwrap();
        assert!((tera(&costs.prefill(1275, 0)) - 17.80).abs() < 0.01);
        let adapters = tera(&costs.prefill(1275, 1225)) - tera(&costs.prefill(1275, 0));
        assert!((adapters - 1.48).abs() < 0.01, "{adapters}");
        assert!((tera(&costs.tower(&vision, 1)) - 0.89).abs() < 0.01);
        assert!((tera(&costs.projector(&vision, 1225)) - 0.05).abs() < 0.005);
    }

    #[test]
    fn products_are_counted_in_what_they_are_done_in() {
        for quantised in [Some(StoredType::Q4K), Some(StoredType::Q8_0), None] {
            assert_eq!(numbers_of(quantised, Keep::Stored), Numbers::Int8);
            assert_eq!(numbers_of(quantised, Keep::F32), Numbers::F32);
        }
        assert_eq!(numbers_of(Some(StoredType::Bf16), Keep::Stored), Numbers::Bf16);
        assert_eq!(numbers_of(Some(StoredType::F32), Keep::Bf16), Numbers::Bf16);
        assert_eq!(numbers_of(Some(StoredType::F32), Keep::Stored), Numbers::F32);
        assert_eq!(numbers_of(Some(StoredType::Bf16), Keep::F32), Numbers::F32);
    }

    #[test]
    fn the_least_time_is_work_over_rate() {
        let limits = Limits::known(10.0, [100.0, 50.0, 25.0]);
        let work =
            Work { operations: vec![(Numbers::Int8, 200.0), (Numbers::F32, 50.0)], bytes: 5.0 };
        assert_eq!(work.seconds(&limits), Some(2.0 + 2.0 + 0.5));
        assert_eq!(work.clone().and(work).seconds(&limits), Some(9.0));
        assert_eq!(Work::default().seconds(&limits), None);
        assert_eq!(costs().word(0.0).seconds(&Limits::known(9e9, [1.0; 3])), Some(0.5));
    }
}
