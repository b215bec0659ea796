//! What the tests share: a folder with data and pictures, the fixtures' tokenizer, a small model's numbers.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use ixc_input::{
    prepare::{Geometry, TileStyle},
    tokenizer::Tokenizer,
};
use ixc_model::{
    Family, ModelConfig,
    config::{LanguageConfig, VisionConfig},
};
use ixc_train::data::{
    BatchSize, Dataset, ListNumbers, OnBroken, Options, Order, Preparation, Reader, Share, Source,
};

/// The published tokenizer, which the fixtures hold.
pub(crate) fn tokenizer() -> Arc<Tokenizer> {
    static TOKENIZER: OnceLock<Arc<Tokenizer>> = OnceLock::new();
    let path = ixc_goldens::fixtures().join("tokenizer/tokenizer.model");
    TOKENIZER.get_or_init(|| Arc::new(Tokenizer::from_file(&path).unwrap())).clone()
}

/// Pictures of 28 pixels a side: 4 positions each.
pub(crate) const SMALL: Geometry = Geometry::Square { side: 28 };

/// Tiles of 56 pixels, as 2.5 lays them: (h w + 1) 4 + 1 + (h + 1) 2 positions.
pub(crate) const TILES: Geometry =
    Geometry::Tiles { tile: 56, tiles_max: 9, style: TileStyle::Bottom };

/// A model of this family that sees so, or does not see.
pub(crate) fn config(family: Family, geometry: Option<Geometry>) -> ModelConfig {
    let vision = geometry.map(|geometry| VisionConfig {
        width: 64,
        layers: 1,
        intermediate: 64,
        stored_grid: 2,
        geometry,
    });
    let language = LanguageConfig {
        vocabulary: 92544,
        hidden: 64,
        intermediate: 64,
        layers: 1,
        heads: 1,
        kv_heads: 1,
        eps: 1e-5,
        rope_theta: 1e6,
        positions_max: 4096,
        rope_dynamic_factor: None,
    };
    let (plora, gptq, text_adapters) = (None, false, Vec::new());
    ModelConfig { family, language, vision, plora, gptq, chat: Default::default(), text_adapters }
}

/// For 2.0 with small pictures.
pub(crate) fn preparation(context: usize) -> Preparation {
    Preparation::new(tokenizer(), &config(Family::Vl, Some(SMALL)), context).unwrap()
}

/// A folder with data files and the pictures `a.png`, `b.png` and `c.gif`.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let fixtures = ixc_goldens::fixtures().join("images");
        let pictures = ["rgb_6_1x1.png", "rgb_9_337x336.png", "anim.gif"];
        for (from, to) in pictures.into_iter().zip(["a.png", "b.png", "c.gif"]) {
            fs::copy(fixtures.join(from), folder.path(to)).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and names it as a source of all its samples.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Source {
        fs::write(self.path(name), content).unwrap();
        Source { path: self.path(name), images: None, share: Share::All }
    }

    /// Writes JSON Lines of numbered text samples: `{name} {number}` is asked and answered.
    pub(crate) fn numbered(&self, name: &str, count: usize) -> Source {
        let line = |number| {
            format!(
                r#"{{"id": {number}, "conversations": [{{"from": "user", "value": "{name} {number}?"}},
                   {{"from": "assistant", "value": "{name} {number}"}}]}}"#
            )
            .replace('\n', " ")
        };
        let lines: Vec<String> = (0..count).map(line).collect();
        self.write(name, lines.join("\n"))
    }
}

/// Opens sources, a list's numbers being thousands.
pub(crate) fn open(sources: &[Source]) -> Dataset {
    Dataset::open(sources, ListNumbers::Thousands).unwrap()
}

/// Shuffled, skipping what is broken, on two threads.
pub(crate) fn options(batch: BatchSize, epochs: u64) -> Options {
    Options {
        order: Order::Shuffled { seed: 3 },
        epochs: Some(epochs),
        batch,
        on_broken: OnBroken::Skip,
        threads: 2,
    }
}

/// In the file's order, one at a time.
pub(crate) fn stored() -> Options {
    Options { order: Order::AsStored, ..options(BatchSize::Samples(1), 1) }
}

/// All samples of a reader, as (file, index), with the sizes of its batches.
pub(crate) fn drain(reader: &mut Reader) -> (Vec<(usize, u64)>, Vec<usize>) {
    let (mut order, mut sizes) = (Vec::new(), Vec::new());
    while let Some(batch) = reader.next_batch().unwrap() {
        assert_eq!(batch.next, reader.position());
        order.extend(batch.samples.iter().map(|sample| (sample.file, sample.index)));
        sizes.push(batch.samples.len());
    }
    (order, sizes)
}
