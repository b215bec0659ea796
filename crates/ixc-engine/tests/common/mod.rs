//! A complete small model with the real tokenizer, random weights: enough to be asked anything.

#![allow(unreachable_pub)] // shared by the test binaries beside it

use std::{ops::ControlFlow, path::Path};

use ixc_model::{
    ModelConfig,
    init::{self, Like},
};
use ixc_nn::weights::StoredType;

/// Writes the tiny model into a folder.
pub fn write(folder: &Path) {
    write_as(&Like::Tiny.config(), folder);
}

/// Writes a random model of any configuration into a folder, with the real tokenizer.
pub fn write_as(config: &ModelConfig, folder: &Path) {
    let tokenizer = ixc_goldens::fixtures().join("tokenizer/tokenizer.model");
    init::write(config, StoredType::Bf16, 3, Some(&tokenizer), folder, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap();
}
