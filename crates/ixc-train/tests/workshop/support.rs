//! Tiny models and recipes for the tests.

use std::{ops::ControlFlow, path::Path};

use ixc_model::{ModelConfig, init};
use ixc_nn::weights::{Checkpoint, StoredType};
use ixc_train::{
    Recipe,
    checkpoint::Slot,
    result::Base,
    trainable::{Trainable, trainable},
};
use tempfile::TempDir;

/// A recipe of a kind with further lines.
pub(crate) fn recipe(kind: &str, lines: &str) -> Recipe {
    let text = format!("kind = \"{kind}\"\nmodel = \"b\"\ndata = [\"d\"]\nout = \"o\"\n{lines}");
    Recipe::parse(&text, "recipe", &[]).unwrap()
}

/// Never breaks off.
pub(crate) fn on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A model on the disk.
pub(crate) struct Model {
    pub(crate) folder: TempDir,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) config: ModelConfig,
}

impl Model {
    /// A random model of 64 words in this type.
    pub(crate) fn random(dtype: StoredType) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = init::Like::Tiny.config();
        config.language.vocabulary = 64;
        init::write(&config, dtype, 7, None, folder.path(), &mut on).unwrap();
        std::fs::write(folder.path().join("tokenizer.model"), "words").unwrap();
        Self::open(folder)
    }

    pub(crate) fn open(folder: TempDir) -> Self {
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let config = ModelConfig::read(folder.path(), &checkpoint).unwrap();
        Self { folder, checkpoint, config }
    }

    pub(crate) fn base(&self) -> Base<'_> {
        Base { folder: self.folder.path(), checkpoint: &self.checkpoint, config: &self.config }
    }

    /// What a recipe trains of it, with made-up numbers.
    pub(crate) fn trained(&self, recipe: &Recipe) -> Vec<Tensor> {
        let made = |(index, parameter)| Tensor::new(parameter, index as u64);
        trainable(recipe, &self.config).unwrap().into_iter().enumerate().map(made).collect()
    }
}

/// A trained tensor and its moments.
pub(crate) struct Tensor {
    pub(crate) parameter: Trainable,
    pub(crate) numbers: [Vec<f32>; 3],
}

impl Tensor {
    pub(crate) fn new(parameter: Trainable, seed: u64) -> Self {
        let count = parameter.numbers();
        let numbers = [0, 1, 2].map(|which| numbers(count, 3 * seed + which));
        Self { parameter, numbers }
    }

    pub(crate) fn slot(&self) -> Slot<'_> {
        let [master, exp_avg, exp_avg_sq] = &self.numbers;
        Slot {
            name: &self.parameter.name,
            shape: &self.parameter.shape,
            master,
            exp_avg,
            exp_avg_sq,
        }
    }
}

pub(crate) fn slots(tensors: &[Tensor]) -> Vec<Slot<'_>> {
    tensors.iter().map(Tensor::slot).collect()
}

/// Numbers between −1 and 1, the same for the same seed.
pub(crate) fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The names in a folder, sorted.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
