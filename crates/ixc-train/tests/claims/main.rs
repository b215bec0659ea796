//! What training must and must not change: the paper's claims, freezing, and that neither the way a step is
//! cut nor what is computed again is felt ([`cuts`]).
//!
//! Models are random, of several shapes, in files as a user has them.

mod cuts;

use std::{collections::BTreeSet, ops::ControlFlow};

use candle_core::Tensor;
use ixc_input::{
    prepare::{Geometry, Grid, Pixels, TileStyle},
    prompt::{Prompt, Segment},
};
use ixc_model::{
    Error, Family, Group, ModelConfig, Plan, XComposer,
    config::{LanguageConfig, PLoraConfig, VisionConfig},
    decoder::{Outputs, Sequence},
    init,
    parameters::Lora,
    splice::Labels,
    stage::unobserved,
    tensors,
    training::Sample,
};
use ixc_nn::{
    Arithmetic,
    plora::Reach,
    weights::{Checkpoint, Keep, StoredType},
};
use ixc_train::step::{Optimiser, Options, Pace, Step, evaluate, gradients, step};

const OPTIONS: Options = Options { betas: (0.9, 0.95), eps: 1e-8, norm_max: 1.0 };
const PACE: Pace = Pace { rate: 1.0, decay: 0.1 };
const PLAIN: Step = Step { rate: 1e-2, seed: None, checkpointing: false };

/// A random checkpoint in a folder of its own.
struct Files {
    folder: tempfile::TempDir,
    config: ModelConfig,
}

impl Files {
    fn new(tiled: bool) -> Self {
        let geometry = if tiled {
            Geometry::Tiles { tile: 56, tiles_max: 25, style: TileStyle::Centered }
        } else {
            Geometry::Square { side: 56 }
        };
        let config = ModelConfig {
            family: if tiled { Family::FourKHd } else { Family::Vl },
            language: LanguageConfig {
                vocabulary: 200,
                hidden: 64,
                intermediate: 112,
                layers: 3,
                heads: 4,
                kv_heads: 2,
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
            plora: Some(PLoraConfig { ranks: [(8, 2.0); 5] }),
            gptq: false,
            chat: Default::default(),
            text_adapters: Vec::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        init::write(&config, StoredType::F32, 7, None, folder.path(), &mut |_, _| {
            ControlFlow::Continue(())
        })
        .unwrap();
        Self { folder, config }
    }

    fn load(&self, plan: &Plan) -> XComposer {
        self.load_as(self.config.clone(), Arithmetic::Exact, plan).unwrap()
    }

    fn load_as(
        &self,
        config: ModelConfig,
        arithmetic: Arithmetic,
        plan: &Plan,
    ) -> Result<XComposer, Error> {
        let checkpoint = Checkpoint::open(self.folder.path()).unwrap();
        XComposer::load_for(config, &checkpoint, Keep::Stored, arithmetic, plan)
    }

    /// Conversations of different lengths: without a picture, with one, with two, in different places.
    fn samples(&self) -> Vec<(Prompt, Vec<Pixels>)> {
        let (width, height) = match self.config.vision.as_ref().unwrap().geometry {
            Geometry::Square { .. } => (56, 56),
            Geometry::Tiles { .. } => (112, 56),
        };
        let picture = |salt: usize| Pixels {
            width: width as u32,
            height: height as u32,
            grid: Grid { rows: 1, columns: width as u32 / 56 },
            data: (0..3 * width * height)
                .map(|i| ((i * 37 + salt * 101) % 97) as f32 / 48.0 - 1.0)
                .collect(),
        };
        let image = |index| Segment::Image { index };
        [
            (vec![text(9, 1, false), text(4, 2, true)], vec![]),
            (vec![text(3, 3, false), image(0), text(5, 4, false), text(7, 5, true)], vec![1]),
            (
                vec![image(1), text(5, 6, true), image(0), text(2, 7, false), text(3, 8, true)],
                vec![2, 3],
            ),
            (vec![text(6, 9, true)], vec![]),
        ]
        .map(|(segments, salts)| (Prompt { segments }, salts.into_iter().map(picture).collect()))
        .into()
    }
}

fn text(count: usize, salt: u32, learned: bool) -> Segment {
    let ids = (0..count as u32).map(|i| (i * 31 + salt * 17) % 200).collect();
    Segment::Text { ids, learned }
}

fn borrowed(samples: &[(Prompt, Vec<Pixels>)]) -> Vec<Sample<'_>> {
    samples.iter().map(|(prompt, pictures)| Sample { prompt, pictures, labels: &[] }).collect()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// What inference says to a prompt.
fn logits(model: &XComposer, prompt: &Prompt, pictures: &[Pixels]) -> Vec<f32> {
    let see = |picture| model.see(picture, &mut unobserved).unwrap();
    let features: Vec<Tensor> = pictures.iter().map(see).collect();
    let spliced = model.splice(prompt, &features, &mut unobserved).unwrap();
    let rows = spliced.embeddings.dim(0).unwrap();
    let mut batch = [Sequence { rows, cache: None }];
    let hidden = model
        .forward(&spliced.embeddings, &spliced.images, &mut batch, Outputs::All, &mut unobserved)
        .unwrap();
    values(&model.logits(&hidden, &mut unobserved).unwrap())
}

fn optimiser(model: &XComposer) -> Optimiser {
    Optimiser::new(model.parameters(), OPTIONS, |_| PACE).unwrap()
}

/// Trained weights, by name.
fn weights(model: &XComposer) -> Vec<(String, Vec<f32>)> {
    let weight = |p: &ixc_model::Parameter| (p.name.clone(), p.weight.numbers().unwrap().to_vec());
    model.parameters().iter().map(weight).collect()
}

/// Gradients, by name; none where nothing came by.
fn found(model: &XComposer) -> Vec<(String, Option<Vec<f32>>)> {
    let gradient = |p: &ixc_model::Parameter| {
        let gradient = p.weight.gradient(|gradient| gradient.map(<[f32]>::to_vec)).unwrap();
        p.weight.forget_gradient();
        (p.name.clone(), gradient)
    };
    model.parameters().iter().map(gradient).collect()
}

fn assert_close(
    what: &str,
    found: &[(String, Option<Vec<f32>>)],
    other: &[(String, Option<Vec<f32>>)],
) {
    assert_eq!(found.len(), other.len());
    let scales = other.iter().flat_map(|(_, gradient)| gradient.iter().flatten());
    let largest = scales.fold(0f32, |most, value| most.max(value.abs()));
    for ((name, found), (_, other)) in found.iter().zip(other) {
        let (Some(found), Some(other)) = (found, other) else {
            assert_eq!(found.is_some(), other.is_some(), "{what}: {name}");
            continue;
        };
        let own = other.iter().fold(0f32, |most, value| most.max(value.abs()));
        // A key's bias has no gradient but rounding.
        let scale = if name.ends_with("k_proj.bias") { largest } else { own };
        for (f, o) in found.iter().zip(other) {
            assert!((f - o).abs() <= 1e-5 * scale, "{what}: {name}: {f} against {o} of {scale}");
        }
    }
}

fn lora() -> Lora {
    Lora {
        targets: ["wqkv", "w2", "q_proj", "fc2", "vision_proj.0", "output"]
            .map(String::from)
            .into(),
        rank: 4,
        alpha: 8.0,
        dropout: 0.1,
        reach: Reach::All,
        seed: 5,
    }
}

fn all_with_lora() -> Plan {
    Plan { lora: Some(lora()), plora_dropout: 0.2, ..Plan::of(Group::ALL) }
}

#[test]
fn with_partial_lora_at_zero_the_model_is_the_base_model() {
    let files = Files::new(false);
    let plain = ModelConfig { plora: None, ..files.config.clone() };
    let base = files.load_as(plain, Arithmetic::Exact, &Plan::default()).unwrap();
    let model = files.load(&Plan::of([Group::Plora]));
    for parameter in model.parameters().iter().filter(|p| p.name.contains("Plora_B")) {
        parameter.weight.set(&vec![0.0; parameter.weight.master().elem_count()]).unwrap();
    }
    for (prompt, pictures) in files.samples() {
        assert!(logits(&model, &prompt, &pictures) == logits(&base, &prompt, &pictures));
    }
}

#[test]
fn training_partial_lora_leaves_text_alone() {
    let files = Files::new(false);
    let model = files.load(&Plan::of([Group::Plora]));
    let samples = files.samples();
    let said = |model: &XComposer| {
        samples.iter().map(|(prompt, pictures)| logits(model, prompt, pictures)).collect::<Vec<_>>()
    };
    let before = said(&model);
    let mut optimiser = optimiser(&model);
    let told = Step { seed: Some(3), checkpointing: true, ..PLAIN };
    for _ in 0..3 {
        assert!(step(&model, &mut optimiser, &[&borrowed(&samples)], told).unwrap().updated);
    }
    for ((before, after), (_, pictures)) in before.iter().zip(said(&model)).zip(&samples) {
        assert_eq!(*before == after, pictures.is_empty(), "text alone is bit for bit as before");
    }
}

#[test]
fn text_alone_has_nothing_to_teach_partial_lora() {
    let files = Files::new(false);
    let model = files.load(&Plan::of([Group::Plora]));
    for checkpointing in [false, true] {
        let told = Step { checkpointing, ..PLAIN };
        let (loss, extent) =
            gradients(&model, &[&borrowed(&files.samples()[..1])], told, 0).unwrap();
        assert!(loss > 0.0 && extent.words == 4);
        assert!(found(&model).iter().all(|(_, gradient)| gradient.is_none()));
    }
}

#[test]
fn freezing_does_what_was_said() {
    let files = Files::new(true);
    let samples = files.samples();
    let every = |groups: &BTreeSet<Group>| -> BTreeSet<String> {
        let all = tensors::expected(&files.config).into_iter().map(|tensor| tensor.name);
        all.filter(|name| groups.contains(&Group::of(name))).collect()
    };
    for groups in [
        vec![],
        vec![Group::Tower],
        vec![Group::Projector],
        vec![Group::Language],
        vec![Group::Plora, Group::Projector],
        vec![Group::Tower, Group::Projector, Group::Plora],
    ] {
        let plan = Plan::of(groups.clone());
        let model = files.load(&plan);
        let before = weights(&model);
        let names: BTreeSet<String> = before.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(names, every(&plan.groups), "{groups:?}");
        let mut optimiser = optimiser(&model);
        let outcome = step(&model, &mut optimiser, &[&borrowed(&samples)], PLAIN).unwrap();
        assert!(outcome.updated);
        let after = weights(&model);
        for ((name, before), (_, after)) in before.iter().zip(&after) {
            assert!(before != after, "{name} has not moved, with {groups:?}");
        }
        // Nothing but these has moved: a fresh model that is given them says the same.
        let fresh = files.load(&plan);
        for (parameter, (_, weights)) in fresh.parameters().iter().zip(&after) {
            parameter.weight.set(weights).unwrap();
        }
        for (prompt, pictures) in &samples {
            assert!(logits(&model, prompt, pictures) == logits(&fresh, prompt, pictures));
        }
    }
    let some = Plan { names: vec!["model.layers.2.".into()], ..Plan::default() };
    let model = files.load(&some);
    assert!(model.parameters().iter().all(|p| p.layer == Some(2)));
    assert_eq!(model.parameters().len(), 2 + 5 * 3);
}

#[test]
fn lora_begins_without_effect_and_learns() {
    let files = Files::new(false);
    let base = files.load(&Plan::default());
    let plan = Plan { lora: Some(lora()), ..Plan::of([Group::Lora]) };
    let model = files.load(&plan);
    let samples = files.samples();
    for (prompt, pictures) in &samples {
        assert!(logits(&model, prompt, pictures) == logits(&base, prompt, pictures));
    }
    // 3 blocks × (wqkv, w2), 2 × (q_proj, fc2), projector and output: A and B each.
    assert_eq!(model.parameters().len(), 2 * (3 * 2 + 2 * 2 + 2));
    assert!(model.parameters().iter().all(|p| p.group == Group::Lora));
    let mut optimiser = optimiser(&model);
    let first = evaluate(&model, &borrowed(&samples)).unwrap().0;
    for _ in 0..8 {
        let told = Step { seed: Some(1), ..PLAIN };
        step(&model, &mut optimiser, &[&borrowed(&samples)], told).unwrap();
    }
    let last = evaluate(&model, &borrowed(&samples)).unwrap().0;
    assert!(last < 0.8 * first, "{first} has become {last}");
    let none = Plan { lora: Some(Lora { targets: vec!["w9".into()], ..lora() }), ..plan };
    let message = files.load_as(files.config.clone(), Arithmetic::Exact, &none);
    let message = message.err().unwrap().to_string();
    assert!(message.contains("\"w9\""), "{message}");
}

#[test]
fn everything_overfits() {
    let files = Files::new(true);
    let model = files.load(&Plan::of(Group::ALL));
    let samples = files.samples();
    let mut optimiser = optimiser(&model);
    for _ in 0..60 {
        let told = Step { checkpointing: true, ..PLAIN };
        step(&model, &mut optimiser, &[&borrowed(&samples)], told).unwrap();
    }
    let (loss, words) = evaluate(&model, &borrowed(&samples)).unwrap();
    assert!(loss < 0.05, "{loss} a word for {words} words");
}

/// Pictures with a label for each of their 16 rows but every fifth, between words that are not learned and some that
/// are.
fn labelled(files: &Files, count: u32) -> Vec<(Prompt, Vec<Pixels>, Vec<Labels>)> {
    let mut samples = files.samples();
    let picture = samples.swap_remove(1).1.remove(0);
    let sample = |salt: u32| {
        let prompt = Prompt {
            segments: vec![
                text(3, 3, false),
                Segment::Image { index: 0 },
                text(2, 4, false),
                text(2, salt, true),
            ],
        };
        let mut picture = picture.clone();
        let shade = |(i, x): (usize, &mut f32)| *x *= (i as f32 * 0.001 * (salt + 1) as f32).sin();
        picture.data.iter_mut().enumerate().for_each(shade);
        let label = |row: u32| (row % 5 != 4).then_some((row * 7 + salt * 31) % 200);
        (prompt, vec![picture], vec![(0..16).map(label).collect()])
    };
    (0..count).map(sample).collect()
}

fn with_labels(samples: &[(Prompt, Vec<Pixels>, Vec<Labels>)]) -> Vec<Sample<'_>> {
    samples.iter().map(|(prompt, pictures, labels)| Sample { prompt, pictures, labels }).collect()
}

#[test]
fn labels_are_asked_for_at_the_image_rows_themselves() {
    let files = Files::new(false);
    let model = files.load(&Plan::of(Group::ALL));
    let samples = labelled(&files, 2);
    let mut expected = 0.0;
    for (prompt, pictures, labels) in &samples {
        let scores = logits(&model, prompt, pictures); // (3 + 16 + 2 + 2, 200)
        let cost = |row: usize, id: u32| {
            let row: Vec<f64> = scores[row * 200..][..200].iter().map(|&x| f64::from(x)).collect();
            row.iter().map(|x| x.exp()).sum::<f64>().ln() - row[id as usize]
        };
        let labels = labels[0].iter().enumerate();
        expected += labels.filter_map(|(row, id)| Some(cost(3 + row, (*id)?))).sum::<f64>();
        let Segment::Text { ids, .. } = &prompt.segments[3] else { unreachable!() };
        expected += cost(20, ids[0]) + cost(21, ids[1]);
    }
    let (loss, words) = evaluate(&model, &with_labels(&samples)).unwrap();
    assert_eq!(words, 2 * (13 + 2));
    assert_eq!(words, with_labels(&samples).iter().map(Sample::words).sum::<usize>());
    let off = (loss * words as f64 - expected).abs() / expected;
    assert!(off < 1e-5, "{loss} a word, expected {}", expected / words as f64);
    // However a step is cut.
    let told = with_labels(&samples);
    let (whole, _) = gradients(&model, &[&told], PLAIN, 0).unwrap();
    let together = found(&model);
    let (cut, extent) = gradients(&model, &[&told[..1], &told[1..]], PLAIN, 0).unwrap();
    assert_eq!(extent.words, words);
    assert!((whole - cut).abs() < 1e-6 * whole);
    assert!(together.iter().all(|(_, gradient)| gradient.is_some()));
    // Labels that ask for nothing are none.
    let silent = [vec![None; 16]];
    let of = |labels| evaluate(&model, &[Sample { labels, ..told[0] }]).unwrap();
    assert_eq!(of(&silent), of(&[]));
}

#[test]
fn labels_that_do_not_fit_are_refused() {
    let files = Files::new(false);
    let model = files.load(&Plan::of(Group::ALL));
    let samples = labelled(&files, 1);
    let message = |labels: &[Labels], prompt: &Prompt| {
        let sample = Sample { prompt, labels, pictures: &samples[0].1 };
        evaluate(&model, &[sample]).unwrap_err().to_string()
    };
    let message_of_15 = message(&[vec![None; 15]], &samples[0].0);
    assert_eq!(message_of_15, "image 0 has 16 rows, but 15 label(s) were given");
    let tight = Prompt { segments: vec![Segment::Image { index: 0 }, text(2, 1, true)] };
    assert!(message(&[vec![Some(1); 16]], &tight).starts_with("row 15 is asked for"));
    let mut labels = vec![Some(1); 16];
    labels[15] = None;
    let told = Sample { prompt: &tight, labels: &[labels], pictures: &samples[0].1 };
    assert_eq!(evaluate(&model, &[told]).unwrap().1, 17);
}

#[test]
fn labels_are_learned_by_heart() {
    let files = Files::new(false);
    let model = files.load(&Plan::of(Group::ALL));
    let samples = labelled(&files, 8);
    let mut optimiser = optimiser(&model);
    let (first, _) = evaluate(&model, &with_labels(&samples)).unwrap();
    for _ in 0..100 {
        step(&model, &mut optimiser, &[&with_labels(&samples)], PLAIN).unwrap();
    }
    let (last, words) = evaluate(&model, &with_labels(&samples)).unwrap();
    assert!(first > 4.0 && last < 0.3, "{first} has become {last} a word for {words} words");
}

#[test]
fn low_precision_stays_near() {
    let files = Files::new(false);
    let plan = Plan::of([Group::Tower, Group::Projector, Group::Plora]);
    let samples = files.samples();
    let run = |arithmetic| {
        let model = files.load_as(files.config.clone(), arithmetic, &plan).unwrap();
        let (loss, _) = gradients(&model, &[&borrowed(&samples)], PLAIN, 0).unwrap();
        (loss, found(&model))
    };
    let (exact, fast) = (run(Arithmetic::Exact), run(Arithmetic::Fast));
    assert!((exact.0 - fast.0).abs() < 1e-2 * exact.0, "{} against {}", exact.0, fast.0);
    let length = |x: &[f32]| x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    for ((name, exact), (_, fast)) in exact.1.iter().zip(&fast.1) {
        let (exact, fast) = (exact.as_ref().unwrap(), fast.as_ref().unwrap());
        let off: Vec<f32> = exact.iter().zip(fast).map(|(e, f)| e - f).collect();
        let share = length(&off) / length(exact);
        assert!(share < 0.05 || name.ends_with("k_proj.bias"), "{name}: off by {share:.3}");
    }
}

#[test]
fn a_step_that_cannot_be_taken_changes_nothing() {
    let files = Files::new(false);
    let model = files.load(&Plan::of(Group::ALL));
    let mut optimiser = optimiser(&model);
    let before = weights(&model);
    // Nothing to learn.
    let silent = (Prompt { segments: vec![text(5, 1, false)] }, vec![]);
    let outcome = step(&model, &mut optimiser, &[&borrowed(&[silent])], PLAIN).unwrap();
    assert!(!outcome.updated && outcome.extent.words == 0);
    // A picture that is not there, behind a pass that was fine.
    let samples = files.samples();
    let missing =
        (Prompt { segments: vec![Segment::Image { index: 0 }, text(5, 1, true)] }, vec![]);
    let passes: [&[Sample]; 2] = [&borrowed(&samples), &borrowed(std::slice::from_ref(&missing))];
    assert!(step(&model, &mut optimiser, &passes, PLAIN).is_err());
    assert!(found(&model).iter().all(|(_, gradient)| gradient.is_none()));
    assert!(weights(&model) == before);
    // A gradient that is not finite.
    let norm = model.parameters().iter().find(|p| p.name == "model.norm.weight").unwrap();
    norm.weight.set(&[f32::INFINITY; 64]).unwrap();
    let before = weights(&model);
    let outcome = step(&model, &mut optimiser, &[&borrowed(&samples)], PLAIN).unwrap();
    assert!(!outcome.updated && !outcome.norm.is_finite());
    assert!(weights(&model) == before);
    assert_eq!(optimiser.steps(), 0);
    // Words outside the vocabulary.
    let outside = (
        Prompt {
            segments: vec![text(2, 1, false), Segment::Text { ids: vec![200], learned: true }],
        },
        vec![],
    );
    assert!(step(&model, &mut optimiser, &[&borrowed(&[outside])], PLAIN).is_err());
}
