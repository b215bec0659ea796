//! What must hold whatever the weights: caches, chunks, batches and masks change nothing but time.
//!
//! Models are random, of several shapes; the slow twin is the whole, uncached, single forward pass.

use std::ops::ControlFlow;

use candle_core::{Device, Tensor};
use ixc_input::{
    prepare::{Geometry, Grid, Pixels, TileStyle},
    prompt::{Prompt, Segment},
};
use ixc_model::{
    Family, ModelConfig, XComposer,
    config::{LanguageConfig, PLoraConfig, VisionConfig},
    decoder::{Outputs, Sequence},
    init,
    splice::Spliced,
    stage::unobserved,
    tensors,
};
use ixc_nn::{
    Arithmetic,
    cache::{KvCache, KvType},
    plora::ImageRows,
    weights::{Checkpoint, Keep, SHARD_BYTES, ShardWriter, StoredType, TensorPlan},
};

/// A small configuration; `tiled` takes the high-resolution path.
fn config(heads: usize, kv_heads: usize, rank: usize, tiled: bool) -> ModelConfig {
    let geometry = if tiled {
        Geometry::Tiles { tile: 56, tiles_max: 25, style: TileStyle::Centered }
    } else {
        Geometry::Square { side: 56 }
    };
    ModelConfig {
        family: if tiled { Family::FourKHd } else { Family::Vl },
        language: LanguageConfig {
            vocabulary: 200,
            hidden: 16 * heads,
            intermediate: 112,
            layers: 3,
            heads,
            kv_heads,
            eps: 1e-5,
            rope_theta: 1e6,
            positions_max: 512,
            rope_dynamic_factor: None,
        },
        vision: Some(VisionConfig {
            width: 64,
            layers: 2,
            intermediate: 96,
            stored_grid: 4,
            geometry,
        }),
        plora: Some(PLoraConfig { ranks: [(rank, if rank == 8 { 2.0 } else { 1.0 }); 5] }),
        gptq: false,
        chat: Default::default(),
        text_adapters: Vec::new(),
    }
}

/// Writes a random checkpoint and loads it again: the files say what the configuration said.
fn load(config: &ModelConfig, dtype: StoredType, keep: Keep) -> XComposer {
    let folder = tempfile::tempdir().unwrap();
    init::write(config, dtype, 7, None, folder.path(), &mut |_, _| ControlFlow::Continue(()))
        .unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let read = ModelConfig::read(folder.path(), &checkpoint).unwrap();
    assert_eq!(read, ModelConfig { gptq: false, ..config.clone() });
    XComposer::load(read, &checkpoint, keep, Arithmetic::Exact).unwrap()
}

fn shapes() -> Vec<ModelConfig> {
    vec![config(4, 2, 8, false), config(6, 6, 4, false), config(4, 1, 16, true)]
}

fn picture(model: &XComposer, salt: usize) -> Tensor {
    let Geometry::Square { .. } = model.config().vision.as_ref().unwrap().geometry else {
        return see(model, 112, 56, salt);
    };
    see(model, 56, 56, salt)
}

fn see(model: &XComposer, width: usize, height: usize, salt: usize) -> Tensor {
    let data = (0..3 * width * height).map(|i| ((i * 37 + salt * 101) % 97) as f32 / 48.0 - 1.0);
    let pixels = Pixels {
        width: width as u32,
        height: height as u32,
        grid: Grid { rows: (height / 56) as u32, columns: (width / 56) as u32 },
        data: data.collect(),
    };
    model.see(&pixels, &mut unobserved).unwrap()
}

fn text(count: usize, salt: u32) -> Segment {
    let ids = (0..count as u32).map(|i| (i * 31 + salt * 17) % 200).collect();
    Segment::Text { ids, learned: false }
}

/// Prompts of different lengths, with no, one and two images, at the start, inside and at the end.
fn prompts() -> Vec<Prompt> {
    let image = |index| Segment::Image { index };
    vec![
        Prompt { segments: vec![text(9, 1)] },
        Prompt { segments: vec![text(3, 2), image(0), text(11, 3)] },
        Prompt { segments: vec![image(1), text(5, 4), image(0)] },
        Prompt { segments: vec![text(1, 5)] },
    ]
}

fn spliced(model: &XComposer, prompt: &Prompt) -> Spliced {
    let features = [picture(model, 1), picture(model, 2)];
    model.splice(prompt, &features, &mut unobserved).unwrap()
}

fn rows(x: &Tensor) -> usize {
    x.dim(0).unwrap()
}

/// The slow twin: everything at once, no cache.
fn whole(model: &XComposer, x: &Tensor, images: &ImageRows) -> Tensor {
    let mut batch = [Sequence { rows: rows(x), cache: None }];
    let hidden = model.forward(x, images, &mut batch, Outputs::All, &mut unobserved).unwrap();
    model.logits(&hidden, &mut unobserved).unwrap()
}

fn cached(model: &XComposer, x: &Tensor, images: &ImageRows, cache: &mut KvCache) -> Tensor {
    let mut batch = [Sequence { rows: rows(x), cache: Some(cache) }];
    let hidden = model.forward(x, images, &mut batch, Outputs::All, &mut unobserved).unwrap();
    model.logits(&hidden, &mut unobserved).unwrap()
}

/// The last block may leave out what nobody asked for: what is left is the same, and so is the past.
#[test]
fn last_rows_alone_are_the_last_of_all_rows() {
    for config in shapes() {
        let model = load(&config, StoredType::F32, Keep::Stored);
        last_rows_of(&model);
    }
}

fn last_rows_of(model: &XComposer) {
    let members: Vec<Spliced> =
        prompts()[1..3].iter().map(|prompt| spliced(model, prompt)).collect();
    let x = Tensor::cat(&[&members[0].embeddings, &members[1].embeddings], 0).unwrap();
    let lengths = [rows(&members[0].embeddings), rows(&members[1].embeddings)];
    let mut images = members[0].images.clone();
    for run in members[1].images.runs() {
        images.push(run.start + lengths[0]..run.end + lengths[0]);
    }
    // The second prompt ends with a picture; without any, all rows are text.
    for images in [images, ImageRows::default()] {
        let run = |outputs| {
            let mut caches = [model.cache(KvType::F32), model.cache(KvType::F32)];
            let mut batch: Vec<Sequence> = caches
                .iter_mut()
                .zip(lengths)
                .map(|(cache, rows)| Sequence { rows, cache: Some(cache) })
                .collect();
            let hidden = model.forward(&x, &images, &mut batch, outputs, &mut unobserved).unwrap();
            let word = model.embed(&[8, 9]).unwrap();
            let mut batch: Vec<Sequence> =
                caches.iter_mut().map(|cache| Sequence { rows: 1, cache: Some(cache) }).collect();
            let none = ImageRows::default();
            let next = model.forward(&word, &none, &mut batch, outputs, &mut unobserved).unwrap();
            (hidden, next)
        };
        let ((all, next), (last, next_of_last)) = (run(Outputs::All), run(Outputs::Last));
        let ends = Tensor::new(vec![lengths[0] as u32 - 1, rows(&x) as u32 - 1], &Device::Cpu);
        assert_same("the last rows", &last, &all.index_select(&ends.unwrap(), 0).unwrap());
        assert_same("the words behind them", &next_of_last, &next);
    }
}

fn assert_same(what: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (found, expected) = (values(found), values(expected));
    let scale = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    let worst = found.iter().zip(&expected).fold(0f32, |m, (f, e)| m.max((f - e).abs()));
    assert!(worst <= 1e-5 * scale, "{what}: {worst:e} at scale {scale}");
}

#[test]
fn prefill_in_chunks_equals_whole() {
    for config in shapes() {
        let model = load(&config, StoredType::F32, Keep::Stored);
        for prompt in prompts() {
            let Spliced { embeddings, images } = spliced(&model, &prompt);
            let expected = whole(&model, &embeddings, &images);
            for chunk in [1, 2, 5, 16, 1000] {
                let mut cache = model.cache(KvType::F32);
                let mut found = Vec::new();
                for start in (0..rows(&embeddings)).step_by(chunk) {
                    let count = chunk.min(rows(&embeddings) - start);
                    let part = embeddings.narrow(0, start, count).unwrap();
                    let images = images.within(start..start + count);
                    found.push(cached(&model, &part, &images, &mut cache));
                }
                assert_eq!(cache.len(), rows(&embeddings));
                let found = Tensor::cat(&found, 0).unwrap();
                assert_same(&format!("chunks of {chunk}"), &found, &expected);
            }
        }
    }
}

#[test]
fn cached_decoding_equals_uncached() {
    for config in shapes() {
        let model = load(&config, StoredType::F32, Keep::Stored);
        for prompt in prompts() {
            let Spliced { embeddings, images } = spliced(&model, &prompt);
            let mut cache = model.cache(KvType::F32);
            cached(&model, &embeddings, &images, &mut cache);
            let mut all = embeddings;
            for (step, id) in [3u32, 150, 3, 42, 199].into_iter().enumerate() {
                // Copies and cut-off ends must not be felt.
                if step == 2 {
                    cache = cache.clone();
                }
                if step == 3 {
                    let before = cache.len();
                    cached(
                        &model,
                        &model.embed(&[7, 8, 9]).unwrap(),
                        &Default::default(),
                        &mut cache,
                    );
                    cache.truncate(before);
                }
                let word = model.embed(&[id]).unwrap();
                let found = cached(&model, &word, &Default::default(), &mut cache);
                all = Tensor::cat(&[&all, &word], 0).unwrap();
                let expected = whole(&model, &all, &images);
                let last = expected.narrow(0, rows(&all) - 1, 1).unwrap();
                assert_same(&format!("word {step}"), &found, &last);
            }
        }
    }
}

#[test]
fn a_copy_does_not_disturb_its_origin() {
    let model = load(&config(4, 2, 8, false), StoredType::F32, Keep::Stored);
    let Spliced { embeddings, images } = spliced(&model, &prompts()[1]);
    let mut origin = model.cache(KvType::F32);
    cached(&model, &embeddings, &images, &mut origin);
    let word = |id: u32| model.embed(&[id]).unwrap();
    let none = ImageRows::default();
    let mut copy = origin.clone();
    cached(&model, &word(11), &none, &mut copy);
    let found = cached(&model, &word(12), &none, &mut origin);
    let all = Tensor::cat(&[&embeddings, &word(12)], 0).unwrap();
    let last = whole(&model, &all, &images).narrow(0, rows(&all) - 1, 1).unwrap();
    assert_same("the origin", &found, &last);
}

#[test]
fn stored_keys_and_values_differ_only_by_rounding() {
    for config in shapes() {
        let model = load(&config, StoredType::F32, Keep::Stored);
        let Spliced { embeddings, images } = spliced(&model, &prompts()[1]);
        let logits = |kind| {
            let mut cache = model.cache(kind);
            let mut found = vec![cached(&model, &embeddings, &images, &mut cache)];
            for id in [3u32, 150, 42] {
                let word = model.embed(&[id]).unwrap();
                found.push(cached(&model, &word, &ImageRows::default(), &mut cache));
            }
            Tensor::cat(&found, 0).unwrap()
        };
        let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        let exact = logits(KvType::F32);
        // 11 bits of a number; 7 bits of the largest in its row.
        for (kind, tolerance) in [(KvType::F16, 1e-3), (KvType::Q8, 2e-2)] {
            let off = largest(&(logits(kind) - &exact).unwrap()) / largest(&exact);
            assert!(off > 0.0 && off <= tolerance, "{kind:?}: {off:e}");
        }
    }
}

#[test]
fn a_batch_equals_its_members() {
    for config in shapes() {
        let model = load(&config, StoredType::F32, Keep::Stored);
        let members: Vec<Spliced> = prompts().iter().map(|p| spliced(&model, p)).collect();
        let mut images = ImageRows::default();
        let mut start = 0;
        for member in &members {
            for run in member.images.runs() {
                images.push(start + run.start..start + run.end);
            }
            start += rows(&member.embeddings);
        }
        let parts: Vec<&Tensor> = members.iter().map(|member| &member.embeddings).collect();
        let mut caches: Vec<KvCache> = members.iter().map(|_| model.cache(KvType::F32)).collect();
        let run = |x: &Tensor, images: &ImageRows, lengths: &[usize], caches: &mut [KvCache]| {
            let mut batch: Vec<Sequence> = caches
                .iter_mut()
                .zip(lengths)
                .map(|(cache, &rows)| Sequence { rows, cache: Some(cache) })
                .collect();
            let hidden =
                model.forward(x, images, &mut batch, Outputs::All, &mut unobserved).unwrap();
            model.logits(&hidden, &mut unobserved).unwrap()
        };
        let lengths: Vec<usize> = parts.iter().map(|part| rows(part)).collect();
        let together = run(&Tensor::cat(&parts, 0).unwrap(), &images, &lengths, &mut caches);
        let words = [5u32, 6, 7, 8];
        let next = run(&model.embed(&words).unwrap(), &ImageRows::default(), &[1; 4], &mut caches);
        let mut start = 0;
        for (index, member) in members.iter().enumerate() {
            let count = rows(&member.embeddings);
            let found = together.narrow(0, start, count).unwrap();
            let expected = whole(&model, &member.embeddings, &member.images);
            assert_same(&format!("prompt {index}"), &found, &expected);
            let word = model.embed(&[words[index]]).unwrap();
            let all = Tensor::cat(&[&member.embeddings, &word], 0).unwrap();
            let expected = whole(&model, &all, &member.images).narrow(0, count, 1).unwrap();
            let found = next.narrow(0, index, 1).unwrap();
            assert_same(&format!("the word after prompt {index}"), &found, &expected);
            start += count;
        }
    }
}

#[test]
fn without_image_rows_it_is_plain_internlm2() {
    for with in shapes() {
        let folder = tempfile::tempdir().unwrap();
        init::write(&with, StoredType::F32, 7, None, folder.path(), &mut |_, _| {
            ControlFlow::Continue(())
        })
        .unwrap();
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let plain = ModelConfig { plora: None, ..with.clone() };
        let plain = XComposer::load(plain, &checkpoint, Keep::Stored, Arithmetic::Exact).unwrap();
        let with = XComposer::load(with, &checkpoint, Keep::Stored, Arithmetic::Exact).unwrap();
        let x = with.embed(&(0..40).map(|i| i * 5 % 200).collect::<Vec<_>>()).unwrap();
        let values = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let none = ImageRows::from_mask([false; 40]);
        assert!(none.is_empty());
        // Bit for bit: where no row is an image's, the adapters are not touched.
        assert_eq!(values(whole(&with, &x, &none)), values(whole(&plain, &x, &none)));
        let some = ImageRows::from_mask((0..40).map(|row| (10..20).contains(&row)));
        assert_ne!(values(whole(&with, &x, &some)), values(whole(&plain, &x, &some)));
    }
}

#[test]
fn text_before_an_image_does_not_feel_it() {
    let model = load(&config(4, 2, 8, false), StoredType::F32, Keep::Stored);
    let prompt = Prompt { segments: vec![text(7, 1), Segment::Image { index: 0 }, text(4, 2)] };
    let Spliced { embeddings, images } = spliced(&model, &prompt);
    let with = whole(&model, &embeddings, &images).narrow(0, 0, 7).unwrap();
    let alone = whole(&model, &embeddings.narrow(0, 0, 7).unwrap(), &ImageRows::default());
    assert_same("the text before", &with, &alone);
}

#[test]
fn precisions_differ_only_by_rounding() {
    let shape = config(4, 2, 8, false);
    let exact = load(&shape, StoredType::F32, Keep::Stored);
    let prompt = &prompts()[1];
    let logits = |model: &XComposer| {
        let Spliced { embeddings, images } = spliced(model, prompt);
        whole(model, &embeddings, &images)
    };
    let expected = logits(&exact);
    // A bf16 file mapped, and an f32 file rounded while it is loaded, hold the same numbers.
    let mapped = logits(&load(&shape, StoredType::Bf16, Keep::Stored));
    let rounded = logits(&load(&shape, StoredType::F32, Keep::Bf16));
    let scale = expected.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    let worst = |a: &Tensor, b: &Tensor| {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap()
    };
    assert!(worst(&mapped, &expected) <= 0.05 * scale);
    assert!(worst(&mapped, &rounded) <= 0.02 * scale);
    assert!(worst(&logits(&load(&shape, StoredType::F16, Keep::F32)), &expected) <= 0.01 * scale);
}

#[test]
fn any_tensor_left_out_is_missed() {
    let config = config(4, 2, 8, true);
    let folder = tempfile::tempdir().unwrap();
    init::write(&config, StoredType::F32, 7, None, folder.path(), &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap();
    let whole = Checkpoint::open(folder.path()).unwrap();
    let mut found: Vec<&str> = whole.names().collect();
    let expected: Vec<String> = tensors::expected(&config).into_iter().map(|t| t.name).collect();
    let mut names: Vec<&str> = expected.iter().map(String::as_str).collect();
    found.sort_unstable();
    names.sort_unstable();
    assert_eq!(found, names, "what is written is what is asked for");
    for left_out in names {
        let other = tempfile::tempdir().unwrap();
        let plans = whole.names().filter(|name| *name != left_out).map(|name| TensorPlan {
            name: name.into(),
            dtype: StoredType::F32,
            shape: whole.info(name).unwrap().shape.clone(),
        });
        ShardWriter::new(other.path(), plans.collect(), SHARD_BYTES)
            .unwrap()
            .write::<ixc_nn::Error>(|plan, sink| sink.bytes(whole.buffer(&plan.name)?.bytes()))
            .unwrap();
        std::fs::copy(folder.path().join("config.json"), other.path().join("config.json")).unwrap();
        let checkpoint = Checkpoint::open(other.path()).unwrap();
        let loaded = ModelConfig::read(other.path(), &checkpoint).and_then(|config| {
            XComposer::load(config, &checkpoint, Keep::Stored, Arithmetic::Exact)
        });
        assert!(loaded.is_err(), "{left_out} was not missed");
    }
}
