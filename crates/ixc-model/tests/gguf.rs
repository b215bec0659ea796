//! A checkpoint as a GGUF file: the same model, as exactly as its types allow.

mod golden;

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use golden::load;
use ixc_goldens::fixtures;
use ixc_input::{
    prepare::{Geometry, Grid, Pixels},
    prompt::{Prompt, Segment},
};
use ixc_model::{
    Error, ModelConfig, XComposer,
    config::{LanguageConfig, PATCH, PLoraConfig, VisionConfig},
    decoder::{Outputs, Sequence},
    gguf, init,
    quantise::{self, Gain, Options, Planned, Written},
    stage::unobserved,
    tensors::{ExpectedTensor, Part},
};
use ixc_nn::{
    Arithmetic,
    weights::{Checkpoint, Keep, StoredType},
};

const TYPES: [StoredType; 7] = [
    StoredType::F32,
    StoredType::F16,
    StoredType::Bf16,
    StoredType::Q8_0,
    StoredType::Q6K,
    StoredType::Q4K,
    StoredType::Q4_0,
];

fn options(to: StoredType, out: &Path) -> Options {
    Options {
        to,
        out: out.into(),
        replace: false,
        tokenizer: Some(vec![1, 2, 3]),
        name: "a model".into(),
        importance: BTreeMap::new(),
    }
}

/// Quantises a checkpoint of any form into a file.
fn quantised(form: &Path, options: &Options) -> Result<(Vec<Planned>, Vec<Written>), Error> {
    let folder = if form.is_dir() { form } else { form.parent().unwrap() };
    let checkpoint = gguf::open(form)?;
    let config = ModelConfig::read(folder, &checkpoint)?;
    let plan = quantise::plan(&config, &checkpoint, options.to);
    let file = quantise::file(folder, &config, &checkpoint, &plan, options)?;
    let importance = &options.importance;
    let mut last = (0, 1);
    let (bytes, written) =
        quantise::write(&file, &checkpoint, &plan, importance, &mut |done, total| {
            assert!(done > last.0 && done <= total);
            last = (done, total);
            ControlFlow::Continue(())
        })?;
    assert_eq!(last.0, last.1, "all is reported");
    assert_eq!(bytes, std::fs::metadata(&options.out).unwrap().len());
    Ok((plan, written))
}

fn model(file: &Path) -> XComposer {
    let checkpoint = gguf::open(file).unwrap();
    let config = ModelConfig::read(Path::new("/nowhere"), &checkpoint).unwrap();
    XComposer::load(config, &checkpoint, Keep::Stored, Arithmetic::Exact).unwrap()
}

/// Logits of some text, and of a picture between text where there is a tower.
fn logits(model: &XComposer) -> Vec<f32> {
    let text = |ids: [u32; 5]| Segment::Text { ids: ids.to_vec(), learned: false };
    let mut segments = vec![text([3, 1, 4, 1, 5])];
    let mut pictures = Vec::new();
    if let Some(vision) = &model.config().vision {
        let side = vision.grid() * PATCH;
        let data = (0..3 * side * side).map(|i| ((i * 37) % 97) as f32 / 48.0 - 1.0).collect();
        let pixels = Pixels {
            width: side as u32,
            height: side as u32,
            grid: Grid { rows: 1, columns: 1 },
            data,
        };
        pictures.push(model.see(&pixels, &mut unobserved).unwrap());
        segments.extend([Segment::Image { index: 0 }, text([9, 2, 6, 5, 3])]);
    }
    let spliced = model.splice(&Prompt { segments }, &pictures, &mut unobserved).unwrap();
    let rows = spliced.embeddings.dim(0).unwrap();
    let mut batch = [Sequence { rows, cache: None }];
    let hidden = model.forward(
        &spliced.embeddings,
        &spliced.images,
        &mut batch,
        Outputs::All,
        &mut unobserved,
    );
    let logits = model.logits(&hidden.unwrap(), &mut unobserved).unwrap();
    logits.flatten_all().unwrap().to_vec1().unwrap()
}

/// The root of the mean square of differences, relative to that of the expected.
fn distance(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square =
        |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
    let off = square(&mut found.iter().zip(expected).map(|(f, e)| f - e));
    (off / square(&mut expected.iter().copied())).sqrt()
}

/// Every form of the small trained-shaped models: PyTorch's shards, safetensors, GPTQ.
#[test]
fn published_forms_come_through_every_type() {
    let forms = [
        fixtures().join("tiny-vl/pytorch_model.bin.index.json"),
        fixtures().join("tiny-gptq/gptq_model-4bit-128g.safetensors"),
    ];
    for form in forms {
        let expected = logits(&load(&form));
        let out = tempfile::tempdir().unwrap();
        for to in TYPES {
            let file = out.path().join(format!("{to}.gguf"));
            let (plan, written) = quantised(&form, &options(to, &file)).unwrap();
            let found = logits(&model(&file));
            let off = distance(&found, &expected);
            let allowed = match to {
                // Stored numbers go through as they are; GPTQ's are exact in float32 too.
                StoredType::F32 => {
                    assert!(found == expected, "{}", form.display());
                    0.0
                }
                StoredType::F16 => 0.01,
                StoredType::Bf16 | StoredType::Q8_0 => 0.05,
                _ => 0.5,
            };
            println!("{} as {to}: {off:.5}", form.display());
            assert!(off <= allowed, "{} as {to}: {off}", form.display());
            assert_eq!(written.iter().map(|row| row.tensors).sum::<usize>(), plan.len());
        }
    }
}

/// A model whose layers are whole blocks of 256, so that nothing falls back.
fn wide() -> ModelConfig {
    ModelConfig {
        family: ixc_model::Family::Vl,
        language: LanguageConfig {
            vocabulary: 300,
            hidden: 256,
            intermediate: 512,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            eps: 1e-5,
            rope_theta: 1e6,
            positions_max: 512,
            rope_dynamic_factor: None,
        },
        vision: Some(VisionConfig {
            width: 64,
            layers: 1,
            intermediate: 96,
            stored_grid: 4,
            geometry: Geometry::Square { side: 56 },
        }),
        plora: Some(PLoraConfig { ranks: [(32, 1.0); 5] }),
        gptq: false,
        chat: Default::default(),
        text_adapters: Vec::new(),
    }
}

fn random(config: &ModelConfig, dtype: StoredType, folder: &Path) {
    init::write(config, dtype, 5, None, folder, &mut |_, _| ControlFlow::Continue(())).unwrap();
}

#[test]
fn each_part_gets_the_type_of_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    random(&wide(), StoredType::Bf16, folder.path());
    let checkpoint = gguf::open(folder.path()).unwrap();
    let of = |to: StoredType, end: &str| {
        let plan = quantise::plan(&wide(), &checkpoint, to);
        let found = plan.iter().find(|planned| planned.tensor.name.ends_with(end)).expect(end);
        assert!(!found.instead);
        found.dtype
    };
    for to in [StoredType::Q4K, StoredType::Q4_0, StoredType::Q6K, StoredType::Q8_0] {
        assert_eq!(of(to, "feed_forward.w2.weight"), to);
        assert_eq!(of(to, "tok_embeddings.weight"), StoredType::Q8_0);
        assert_eq!(of(to, "wqkv.Plora_B.weight"), StoredType::Q8_0);
        assert_eq!(of(to, "mlp.fc1.weight"), StoredType::Bf16);
        assert_eq!(of(to, "vision_proj.0.weight"), StoredType::Bf16);
        for table in
            ["position_embedding.weight", "patch_embedding.weight", "fc1.bias", "norm.weight"]
        {
            assert_eq!(of(to, table), StoredType::F32);
        }
        let output = if to == StoredType::Q8_0 { StoredType::Q8_0 } else { StoredType::Q6K };
        assert_eq!(of(to, "output.weight"), output);
    }
    assert_eq!(of(StoredType::F16, "output.weight"), StoredType::F16);
}

/// Errors by type, on a random model that has the blocks' widths; and what the file says about itself.
#[test]
fn each_type_is_as_close_as_its_bits_allow() {
    let folder = tempfile::tempdir().unwrap();
    random(&wide(), StoredType::Bf16, folder.path());
    for (to, least, most) in [
        (StoredType::Q8_0, 0.001, 0.006),
        (StoredType::Q6K, 0.005, 0.018),
        (StoredType::Q4K, 0.03, 0.075),
        (StoredType::Q4_0, 0.03, 0.085),
    ] {
        let file = folder.path().join(format!("{to}.gguf"));
        let (_, written) = quantised(folder.path(), &options(to, &file)).unwrap();
        let linear = written.iter().find(|row| row.part == Part::Decoder && row.dtype == to);
        let loss = linear.unwrap().loss.relative();
        println!("{to}: {loss:.4}");
        assert!(loss > least && loss < most, "{to}: {loss}");
        let checkpoint = gguf::open(&file).unwrap();
        assert_eq!(checkpoint.metadata_text("general.architecture"), Some(gguf::ARCHITECTURE));
        assert_eq!(checkpoint.metadata_text("general.name"), Some("a model"));
        assert_eq!(checkpoint.metadata_bytes(gguf::TOKENIZER_KEY), Some(&[1, 2, 3][..]));
        let stated = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
        assert_eq!(checkpoint.metadata_text(gguf::CONFIG_KEY), Some(stated.as_str()));
    }
}

/// What a calibration says to matter is kept better.
#[test]
fn importance_reaches_the_blocks() {
    let folder = tempfile::tempdir().unwrap();
    random(&wide(), StoredType::Bf16, folder.path());
    let name = "model.layers.0.attention.wo.weight";
    let error = |importance: BTreeMap<String, Vec<f32>>| {
        let out = folder.path().join("out.gguf");
        let mut options = options(StoredType::Q4K, &out);
        (options.importance, options.replace) = (importance, true);
        quantised(&folder.path().join("model.safetensors"), &options).unwrap();
        let source = Checkpoint::open(&folder.path().join("model.safetensors")).unwrap();
        let before = source.floats(name, &[256, 256]).unwrap();
        let after = gguf::open(&out).unwrap().floats(name, &[256, 256]).unwrap();
        let first = before.iter().zip(&after).step_by(4);
        first.map(|(b, a)| f64::from(b - a).powi(2)).sum::<f64>()
    };
    let even = error(BTreeMap::new());
    let weights = (0..256).map(|input| if input % 4 == 0 { 100.0 } else { 1.0 }).collect();
    let led = error(BTreeMap::from([(name.to_owned(), weights)]));
    assert!(led < 0.7 * even, "{led} of {even}");
}

/// In the norm that importance makes, its own numbers are no farther off; and the account of it adds up.
#[test]
fn importance_never_loses_in_its_own_norm() {
    let folder = tempfile::tempdir().unwrap();
    random(&wide(), StoredType::Bf16, folder.path());
    let source = folder.path().join("model.safetensors");
    let checkpoint = Checkpoint::open(&source).unwrap();
    // Activations have a few inputs that are far larger than the others.
    let weights = |inputs: usize| -> Vec<f32> {
        (0..inputs)
            .map(|input| {
                0.1 + ((input * 37) % 101) as f32 / 50.0 * (1 + input % 11 / 10 * 60) as f32
            })
            .collect()
    };
    let linear =
        |planned: &Planned| planned.tensor.part == Part::Decoder && planned.tensor.shape.len() == 2;
    for to in [StoredType::Q4K, StoredType::Q4_0, StoredType::Q6K] {
        let mut options = options(to, &folder.path().join(format!("{to}.gguf")));
        quantised(&source, &options).unwrap();
        let even = gguf::open(&options.out).unwrap();
        let plan = quantise::plan(&wide(), &checkpoint, to);
        for planned in plan.iter().filter(|planned| linear(planned)) {
            let ExpectedTensor { name, shape, .. } = &planned.tensor;
            options.importance.insert(name.clone(), weights(shape[1]));
        }
        options.replace = true;
        options.out = folder.path().join(format!("{to}-led.gguf"));
        let (plan, written) = quantised(&source, &options).unwrap();
        let led = gguf::open(&options.out).unwrap();
        let (mut with, mut without) = (0.0, 0.0);
        for planned in plan.iter().filter(|planned| linear(planned)) {
            let ExpectedTensor { name, shape, .. } = &planned.tensor;
            let weights = &options.importance[name];
            let before = checkpoint.floats(name, shape).unwrap();
            let error = |after: &Checkpoint| {
                let after = after.floats(name, shape).unwrap();
                let (mut error, mut energy) = (0f64, 0f64);
                for (at, (b, a)) in before.iter().zip(&after).enumerate() {
                    let weight = f64::from(weights[at % weights.len()]);
                    error += weight * f64::from(b - a).powi(2);
                    energy += weight * f64::from(*b).powi(2);
                }
                error / energy
            };
            let (led, even) = (error(&led), error(&even));
            assert!(led <= even, "{to} {name}: {led} of {even}");
            (with, without) = (with + led, without + even);
        }
        let gain = written.iter().fold(Gain::default(), |gain, row| gain.and(row.gain));
        assert_eq!(gain.tensors, options.importance.len());
        let tensors = gain.tensors as f64;
        let expected = ((with / tensors).sqrt(), (without / tensors).sqrt());
        println!("{to}: {expected:?} in all rows, {:?} in those that are picked", gain.errors());
        assert!((gain.errors().0 / expected.0 - 1.0).abs() < 0.05);
        assert!((gain.errors().1 / expected.1 - 1.0).abs() < 0.05);
        assert!(expected.0 < 0.97 * expected.1);
    }
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    random(&wide(), StoredType::F32, folder.path());
    let weights = folder.path().join("model.safetensors");
    let out = folder.path().join("out.gguf");
    let options = options(StoredType::Q4K, &out);
    // Stopped in the middle.
    let checkpoint = gguf::open(&weights).unwrap();
    let plan = quantise::plan(&wide(), &checkpoint, options.to);
    let file = quantise::file(folder.path(), &wide(), &checkpoint, &plan, &options).unwrap();
    let mut calls = 0;
    let stopped = quantise::write(&file, &checkpoint, &plan, &options.importance, &mut |_, _| {
        calls += 1;
        if calls == 9 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(Error::Cancelled)));
    drop(checkpoint);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "config.json and the weights");
    // Numbers that are none: the tensor and the place are named.
    let length = std::fs::metadata(&weights).unwrap().len() as usize;
    let mut bytes = std::fs::read(&weights).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let second = header + 256 * 4 + 7 * 4; // the second row of the token embeddings, which come first
    bytes[second..second + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&weights, &bytes[..length]).unwrap();
    let error = quantised(&weights, &options).unwrap_err();
    assert!(
        error.to_string().contains("tensor model.tok_embeddings.weight, row 1, input 7"),
        "{error}"
    );
    assert!(!out.exists());
}
