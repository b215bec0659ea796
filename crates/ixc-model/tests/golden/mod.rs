//! Golden tensors as the model takes them: shared by this crate's ladder and the engine's.

#![allow(unreachable_pub, dead_code)] // each of the two takes what it needs

use std::{io::Write, path::Path, sync::Once};

use candle_core::Tensor;
use ixc_goldens::Expected;
use ixc_input::{
    prepare::{Grid, Pixels},
    prompt::{Prompt, Segment},
};
use ixc_model::{ModelConfig, XComposer, load::Weights, stage::unobserved};
use ixc_nn::{
    Arithmetic,
    device::{Device, Place},
    weights::{Checkpoint, Keep},
};

/// The model of one weight file, or of one index of shards.
pub fn load(form: &Path) -> XComposer {
    load_in(form, Arithmetic::Exact)
}

/// As [`load`], in this arithmetic.
pub fn load_in(form: &Path, arithmetic: Arithmetic) -> XComposer {
    load_on(form, arithmetic, &Device::default())
}

/// As [`load_in`], on this device.
pub fn load_on(form: &Path, arithmetic: Arithmetic, device: &Device) -> XComposer {
    let checkpoint = Checkpoint::open(form).unwrap();
    let config = ModelConfig::read(form.parent().unwrap(), &checkpoint).unwrap();
    let weights = Weights::new(&checkpoint, Keep::Stored, arithmetic).on(device);
    XComposer::of(config, &weights).unwrap()
}

/// What the ladder is climbed on: the CPU's kernels, candle's operations, and a GPU where there is one.
pub fn devices() -> Vec<(&'static str, Device)> {
    let mut devices =
        vec![("kernels", Device::default()), ("candle's operations", Device::operations())];
    match Place::Cuda(0).open() {
        Ok(device) => devices.push(("CUDA", device)),
        Err(why) => {
            static SAID: Once = Once::new();
            // Past the test harness, which hides what a passing test prints.
            SAID.call_once(|| drop(writeln!(std::io::stderr(), "SKIPPED on a GPU: {why}")));
        }
    }
    devices
}

/// Picture `index` of a (n, 3, h, w) expectation, as prepared pixels of one tile or square.
pub fn pixels(all: &Expected, index: usize) -> Pixels {
    let &[_, channels, height, width] = all.shape.as_slice() else { panic!("(n, 3, h, w)") };
    let size = channels * height * width;
    Pixels {
        width: width as u32,
        height: height as u32,
        grid: Grid { rows: 1, columns: 1 },
        data: all.f32()[index * size..(index + 1) * size].to_vec(),
    }
}

/// All pictures of a (n, 3, h, w) expectation, seen.
pub fn see(model: &XComposer, all: &Expected) -> Vec<Tensor> {
    let seen = |image| model.see(&pixels(all, image), &mut unobserved).unwrap();
    (0..all.shape[0]).map(seen).collect()
}

/// A prompt from ids in which runs of −1 are image rows; runs longer than one image hold several.
pub fn prompt(ids: &[i64], rows_per_image: usize) -> Prompt {
    let mut segments = Vec::new();
    let mut image = 0;
    for run in ids.chunk_by(|a, b| (*a < 0) == (*b < 0)) {
        if run[0] >= 0 {
            let ids = run.iter().map(|&id| id as u32).collect();
            segments.push(Segment::Text { ids, learned: false });
            continue;
        }
        assert_eq!(run.len() % rows_per_image, 0, "whole images");
        for _ in 0..run.len() / rows_per_image {
            segments.push(Segment::Image { index: image });
            image += 1;
        }
    }
    Prompt { segments }
}
