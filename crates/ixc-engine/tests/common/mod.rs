//! A complete small model with the real tokenizer, random weights: enough to be asked anything.

#![allow(unreachable_pub)] // shared by the test binaries beside it

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use ixc_input::prepare::Geometry;
use ixc_model::{
    Family, ModelConfig,
    config::{LanguageConfig, PLoraConfig, VisionConfig},
    init,
};
use ixc_nn::weights::StoredType;

/// The configuration: a real vocabulary, everything else tiny.
pub fn config() -> ModelConfig {
    ModelConfig {
        family: Family::Vl,
        language: LanguageConfig {
            vocabulary: 92_544,
            hidden: 32,
            intermediate: 48,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            eps: 1e-5,
            rope_theta: 1e6,
            positions_max: 4096,
            rope_dynamic_factor: None,
        },
        vision: Some(VisionConfig {
            width: 64,
            layers: 1,
            intermediate: 96,
            stored_grid: 4,
            geometry: Geometry::Square { side: 56 },
        }),
        plora: Some(PLoraConfig { ranks: [(8, 2.0); 5] }),
        gptq: false,
        text_adapters: Vec::new(),
    }
}

/// The tokenizer among the fixtures.
pub fn tokenizer() -> PathBuf {
    ixc_goldens::fixtures().join("tokenizer/tokenizer.model")
}

/// Writes the model into a folder.
pub fn write(folder: &Path) {
    init::write(&config(), StoredType::Bf16, 3, Some(&tokenizer()), folder, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap();
}
