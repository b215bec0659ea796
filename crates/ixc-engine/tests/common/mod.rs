//! A complete small model with the real tokenizer, random weights: enough to be asked anything.

#![allow(unreachable_pub, dead_code)] // shared by the test binaries beside it, each using a part

use std::{ops::ControlFlow, path::Path};

use ixc_engine::{Engine, LoadOptions};
use ixc_model::{
    ModelConfig,
    init::{self, Like},
};
use ixc_nn::{Arithmetic, cache::KvType, weights::StoredType};

/// Float32 throughout: what was read in other pieces is then the same but for the order of sums.
pub fn exact() -> LoadOptions {
    LoadOptions { arithmetic: Arithmetic::Exact, kv: KvType::F32, ..LoadOptions::default() }
}

/// The tiny model, loaded with these options.
pub fn engine(options: &LoadOptions) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    Engine::load(folder.path(), options).unwrap()
}

/// Writes the tiny model into a folder.
pub fn write(folder: &Path) {
    write_as(&Like::Tiny.config(), folder);
}

/// Writes a random model of any configuration into a folder, with the real tokenizer.
pub fn write_as(config: &ModelConfig, folder: &Path) {
    write_seeded(config, 3, folder);
}

/// As [`write_as`], with other random weights.
pub fn write_seeded(config: &ModelConfig, seed: u64, folder: &Path) {
    let tokenizer = ixc_goldens::fixtures().join("tokenizer/tokenizer.model");
    init::write(config, StoredType::Bf16, seed, Some(&tokenizer), folder, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap();
}
