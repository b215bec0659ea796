//! Which member of the family a checkpoint is, told from its tensors alone (model.md, section 1).

use std::ops::ControlFlow;

use ixc_input::prepare::{Geometry, TileStyle};
use ixc_model::{Error, Family, ModelConfig, XComposer, config::VisionConfig, init};
use ixc_nn::{
    Arithmetic,
    weights::{Checkpoint, Keep, SHARD_BYTES, ShardWriter, StoredType, TensorPlan},
};

/// A tiny checkpoint with a tower of this grid and geometry, read back from its files.
fn read(stored_grid: usize, geometry: Geometry) -> (ModelConfig, XComposer) {
    let mut config = init::Like::Tiny.config();
    config.language.vocabulary = 50;
    config.vision =
        Some(VisionConfig { width: 64, layers: 1, intermediate: 32, stored_grid, geometry });
    let folder = tempfile::tempdir().unwrap();
    let go = &mut |_, _| ControlFlow::Continue(());
    init::write(&config, StoredType::F16, 1, None, folder.path(), go).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let config = ModelConfig::read(folder.path(), &checkpoint).unwrap();
    (config.clone(), XComposer::load(config, &checkpoint, Keep::Stored, Arithmetic::Exact).unwrap())
}

#[test]
fn square_towers() {
    for (grid, side, family) in [
        (16, 224, Family::Composition),
        (35, 490, Family::Vl),
        // CLIP's own table of 24×24, not yet resized: the configuration's image size decides.
        (24, 490, Family::Vl),
        (24, 224, Family::Composition),
    ] {
        let (config, model) = read(grid, Geometry::Square { side });
        assert_eq!(config.family, family);
        let vision = config.vision.as_ref().unwrap();
        assert_eq!((vision.stored_grid, vision.grid()), (grid, side as usize / 14));
        assert_eq!(model.config(), &config);
    }
}

#[test]
fn tiled_towers() {
    for (grid, tiles_max, style, family) in
        [(24, 25, TileStyle::Centered, Family::FourKHd), (40, 24, TileStyle::Bottom, Family::V25)]
    {
        let tile = grid as u32 * 14;
        let (config, _) = read(grid, Geometry::Tiles { tile, tiles_max, style });
        assert_eq!(config.family, family);
        let expected = Geometry::Tiles { tile, tiles_max, style };
        assert_eq!(config.vision.unwrap().geometry, expected);
    }
}

/// The tiny checkpoint with one more tensor.
fn with_extra(name: &str) -> Result<ModelConfig, Error> {
    let folder = tempfile::tempdir().unwrap();
    let go = &mut |_, _| ControlFlow::Continue(());
    let config = init::Like::Tiny.config();
    init::write(&config, StoredType::Bf16, 1, None, folder.path(), go).unwrap();
    let whole = Checkpoint::open(folder.path()).unwrap();
    let mut plans: Vec<TensorPlan> = whole
        .names()
        .map(|name| {
            let info = whole.info(name).unwrap();
            TensorPlan { name: name.into(), dtype: info.dtype, shape: info.shape.clone() }
        })
        .collect();
    plans.push(TensorPlan { name: name.into(), dtype: StoredType::F32, shape: vec![2] });
    let other = tempfile::tempdir().unwrap();
    ShardWriter::new(other.path(), plans, SHARD_BYTES)
        .unwrap()
        .write::<ixc_nn::Error>(|plan, sink| match plan.name == name {
            true => sink.f32(&[0.0, 0.0]),
            false => sink.bytes(whole.buffer(&plan.name)?.bytes()),
        })
        .unwrap();
    std::fs::copy(folder.path().join("config.json"), other.path().join("config.json")).unwrap();
    ModelConfig::read(other.path(), &Checkpoint::open(other.path()).unwrap())
}

#[test]
fn a_reward_model_is_refused_by_name() {
    let message = with_extra("score.weight").unwrap_err().to_string();
    assert!(message.contains("reward model") && message.contains("score.weight"), "{message}");
}

#[test]
fn text_adapters_are_named() {
    let config = with_extra("model.layers.0.attention.wqkv.lora_sft_A.weight").unwrap();
    assert_eq!(config.text_adapters, ["sft"]);
}

#[test]
fn scales_come_from_the_rank_or_from_the_file() {
    let scales = |config: ModelConfig| config.plora.unwrap().ranks.map(|(_, scale)| scale);
    assert_eq!(scales(read(4, Geometry::Square { side: 56 }).0), [2.0; 5], "rank 8: alpha 16");
    assert_eq!(ixc_model::config::published_scale(256), 1.0);
    let folder = tempfile::tempdir().unwrap();
    let mut config = init::Like::Tiny.config();
    config.plora.as_mut().unwrap().ranks[0].1 = 0.5;
    let go = &mut |_, _| ControlFlow::Continue(());
    init::write(&config, StoredType::Bf16, 1, None, folder.path(), go).unwrap();
    let stated = ModelConfig::read(folder.path(), &Checkpoint::open(folder.path()).unwrap());
    assert_eq!(scales(stated.unwrap()), [0.5, 2.0, 2.0, 2.0, 2.0]);
}
