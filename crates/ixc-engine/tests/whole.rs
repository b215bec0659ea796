//! What is read as a whole: a calibration equals its samples read one by one, and perplexity its definition.
//!
//! On the golden small model with pictures of 1225 positions where the full goldens are, else on a random one.

mod common;

use std::{collections::BTreeMap, fs, ops::ControlFlow, path::Path};

use candle_core::Tensor;
use common::{exact, write, write_as, write_seeded};
use ixc_engine::{
    Engine, Error, LoadOptions, Request,
    calibrate::{Calibrated, calibrate},
    corpus::Corpus,
    engine::model_folder,
    limits::{PREFILL_ROWS, TEXT_POSITIONS},
    perplexity::{Passages, Report, measure},
};
use ixc_input::{
    conversation::{Conversation, Part, Role, Turn},
    image::{self, Orientation, Picture},
    prompt::{Bos, Ending, Layout, Prompt, Segment, Unplaced, layout},
    tokenizer::Markers,
};
use ixc_model::{
    Stage, XComposer,
    decoder::{Outputs, Sequence},
    gguf,
    importance::Importance,
    init::Like,
    stage::watching,
    tensors::OUTPUT,
};
use ixc_nn::{inputs::Inputs, weights::Checkpoint};

const STORY: &str = "The old lighthouse keeper climbed the stairs every evening, lit the lamp, and wrote \
                     one line in his book: the wind, the sea, the ships that passed.";

/// A model's folder: the golden one, or a random one in `folder`.
fn model(folder: &Path) -> std::path::PathBuf {
    match ixc_goldens::full() {
        Some(root) => root.join("tiny-chat"),
        None => {
            write(folder);
            folder.into()
        }
    }
}

fn picture() -> Vec<u8> {
    fs::read(ixc_goldens::fixtures().join("images/rgb_0_640x427.png")).unwrap()
}

fn decoded() -> Picture {
    image::load(&picture(), Orientation::AsStored).unwrap()
}

/// Two paragraphs, of which one is longer than a sequence; a conversation of two pictures; a picture.
fn set(folder: &Path) {
    let long = format!("{STORY} ").repeat(60);
    fs::write(folder.join("words.txt"), format!("{STORY}\n\n{long}\n")).unwrap();
    fs::write(folder.join("shown.png"), picture()).unwrap();
    fs::write(folder.join("alone.png"), picture()).unwrap();
    let talk = r#"[{"image": ["shown.png", "shown.png"], "conversations": [
        {"from": "user", "value": "<ImageHere>or <ImageHere>?"}, {"from": "gpt", "value": "The first."},
        {"from": "user", "value": "Why?"}, {"from": "gpt", "value": "It is brighter."}]}]"#;
    fs::write(folder.join("talk.json"), talk).unwrap();
}

/// The conversation of the set.
fn talk() -> Conversation {
    let shown =
        vec![Part::Image(0), Part::Text("or ".into()), Part::Image(1), Part::Text("?".into())];
    Conversation {
        turns: vec![
            Turn { role: Role::User, parts: shown },
            Turn::text(Role::Assistant, "The first."),
            Turn::text(Role::User, "Why?"),
            Turn::text(Role::Assistant, "It is brighter."),
        ],
    }
}

fn closed(engine: &Engine, conversation: &Conversation) -> Prompt {
    let rules = Layout {
        bos: Bos::Once,
        unplaced: Unplaced::InTurn,
        markers: Markers::Literal,
        ending: Ending::Closed,
    };
    layout(conversation, &rules, engine.tokenizer()).unwrap()
}

/// The prompts of the set, each with its pictures.
fn prompts(engine: &Engine) -> Vec<(Prompt, Vec<Picture>)> {
    let text = |ids: &[u32]| {
        let ids = [&[engine.special().bos], ids].concat();
        (Prompt { segments: vec![Segment::Text { ids, learned: false }] }, Vec::new())
    };
    let encode = |text: &str| engine.tokenizer().encode(text, Markers::Literal);
    let long = encode(&format!("{STORY} ").repeat(60));
    assert!(long.len() > TEXT_POSITIONS);
    let mut all = vec![text(&encode(STORY))];
    all.extend(long.chunks(TEXT_POSITIONS - 1).map(text));
    all.push((closed(engine, &talk()), vec![decoded(), decoded()]));
    let mut asked = Conversation::with_instruction(&engine.instruction());
    let parts = vec![Part::Unplaced(0), Part::Text("Describe this picture in detail.".into())];
    asked.turns.push(Turn { role: Role::User, parts });
    let request = Request::new(asked, vec![decoded()]);
    all.push((engine.layout(&request).unwrap(), request.pictures));
    all
}

/// A prompt alone, without a cache; stages are seen.
fn run(
    engine: &Engine,
    prompt: &Prompt,
    pictures: &[Picture],
    see: impl FnMut(Stage, &Tensor),
) -> Tensor {
    let model: &XComposer = engine.model();
    let mut see = watching(see);
    let request = Request::new(Conversation::default(), pictures.to_vec());
    let prepared = engine.prepare(&request).unwrap();
    let features: Vec<Tensor> =
        prepared.iter().map(|(pixels, _)| model.see(pixels, &mut see).unwrap()).collect();
    let spliced = model.splice(prompt, &features, &mut see).unwrap();
    let rows = spliced.embeddings.dim(0).unwrap();
    let mut batch = [Sequence { rows, cache: None }];
    model.forward(&spliced.embeddings, &spliced.images, &mut batch, Outputs::All, &mut see).unwrap()
}

fn rows(tensor: &Tensor) -> Vec<Vec<f32>> {
    let width = tensor.dims()[tensor.rank() - 1];
    let flat: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    flat.chunks(width).map(<[f32]>::to_vec).collect()
}

/// A set, calibrated.
fn calibrated(
    form: &Path,
    set: &Path,
    most: usize,
    progress: &mut dyn FnMut(Calibrated) -> ControlFlow<()>,
) -> Result<(Importance, Calibrated), Error> {
    let checkpoint = gguf::open(form).unwrap();
    let inputs = Inputs::default();
    let options = LoadOptions { inputs: Some(inputs.clone()), ..exact() };
    let engine = Engine::of(model_folder(form), &checkpoint, &options).unwrap();
    calibrate(&engine, &checkpoint, &inputs, &Corpus::open(set)?, most, progress)
}

fn onwards(_: Calibrated) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Sums of squares by layer.
#[derive(Default)]
struct Twin(BTreeMap<String, (usize, Vec<f64>)>);

impl Twin {
    fn add(&mut self, layer: &str, rows: &[Vec<f32>]) {
        let (count, sums) = self.0.entry(layer.into()).or_default();
        *count += rows.len();
        sums.resize(rows[0].len(), 0.0);
        for row in rows {
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x).powi(2));
        }
    }
}

#[test]
fn a_set_counts_as_its_samples_one_by_one() {
    let (random, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let form = model(random.path());
    set(folder.path());
    let mut heard = Vec::new();
    let (importance, read) = calibrated(&form, folder.path(), usize::MAX, &mut |read| {
        heard.push(read);
        ControlFlow::Continue(())
    })
    .unwrap();

    let engine = Engine::load(&form, &exact()).unwrap();
    let checkpoint = Checkpoint::open(&form).unwrap();
    let norm = |layer: usize| {
        let name = format!("model.layers.{layer}.attention_norm.weight");
        checkpoint.floats(&name, &checkpoint.info(&name).unwrap().shape).unwrap()
    };
    let eps = engine.model().config().language.eps;
    let (mut twin, mut expected) = (Twin::default(), Calibrated::default());
    for (prompt, pictures) in prompts(&engine) {
        run(&engine, &prompt, &pictures, |stage, value| {
            let layer = match stage {
                Stage::Splice => {
                    expected.positions += value.dim(0).unwrap();
                    0
                }
                Stage::DecoderLayer(layer) => layer + 1,
                Stage::DecoderOutput => return twin.add(OUTPUT, &rows(value)),
                Stage::TowerOutput => return twin.add("vision_proj.0.weight", &rows(value)),
                Stage::Projector => {
                    expected.image_positions += value.dim(0).unwrap();
                    return;
                }
                _ => return,
            };
            if layer == engine.model().config().language.layers {
                return;
            }
            let weight = norm(layer);
            let normed = |row: Vec<f32>| -> Vec<f32> {
                let mean =
                    row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / row.len() as f64;
                let by = 1.0 / (mean + eps).sqrt();
                row.iter().zip(&weight).map(|(&x, w)| (f64::from(x) * by) as f32 * w).collect()
            };
            let rows: Vec<Vec<f32>> = rows(value).into_iter().map(normed).collect();
            twin.add(&format!("model.layers.{layer}.attention.wqkv.weight"), &rows);
        });
    }
    expected.samples = 4;
    assert_eq!(read, expected);
    assert!(read.positions > PREFILL_ROWS, "more than is read at once");
    assert!(heard.iter().any(|heard| 0 < heard.positions && heard.positions < read.positions));
    assert_eq!(importance.positions, read.positions as u64);
    assert_eq!(importance.image_positions, read.image_positions as u64);
    for (layer, (count, sums)) in twin.0 {
        let found = &importance.mean_squares[&layer];
        let expected: Vec<f64> = sums.iter().map(|sum| sum / count as f64).collect();
        let most = expected.iter().copied().fold(0.0, f64::max);
        for (found, expected) in found.iter().zip(&expected) {
            let off = (f64::from(*found) - expected).abs();
            assert!(off <= 2e-4 * most, "{layer}: {found}, expected {expected}");
        }
    }
    let layers = importance.mean_squares.keys().filter(|name| name.starts_with("model.layers."));
    assert_eq!(layers.count(), 15 * engine.model().config().language.layers);
}

#[test]
fn a_calibration_ends_where_it_is_told() {
    let (random, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(random.path());
    set(folder.path());
    for most in [300, 2000] {
        let (importance, read) =
            calibrated(random.path(), folder.path(), most, &mut onwards).unwrap();
        assert!(0 < read.positions && read.positions <= most, "{read:?}");
        assert_eq!(importance.positions, read.positions as u64);
    }
    let error = calibrated(random.path(), folder.path(), 3, &mut onwards).unwrap_err().to_string();
    assert!(error.contains("positions, and at most 3 were to be read"), "{error}");
    let stop = |most: usize| {
        let mut calls = 0;
        calibrated(random.path(), folder.path(), usize::MAX, &mut |_| {
            calls += 1;
            if calls > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    };
    for calls in [0, 3, 7] {
        let error = stop(calls).unwrap_err();
        assert!(matches!(error, Error::Model(ixc_model::Error::Cancelled)), "{error}");
    }
    // A sample that fits nowhere is named, with both numbers.
    let long = "word ".repeat(5000);
    let talk = format!(
        r#"[{{"conversations": [{{"from": "user", "value": "{long}"}}, {{"from": "gpt", "value": "No."}}]}}]"#
    );
    let path = folder.path().join("long.json");
    fs::write(&path, talk).unwrap();
    let error = calibrated(random.path(), &path, usize::MAX, &mut onwards).unwrap_err().to_string();
    assert!(error.contains("long.json: sample 1: it takes 50"), "{error}");
    assert!(error.contains("the context holds 4096"), "{error}");
}

#[test]
fn a_model_without_a_tower_says_so() {
    let (blind, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut config = Like::Tiny.config();
    (config.vision, config.plora) = (None, None);
    write_as(&config, blind.path());
    fs::write(folder.path().join("a.png"), picture()).unwrap();
    let error =
        calibrated(blind.path(), folder.path(), 2000, &mut onwards).unwrap_err().to_string();
    assert!(error.contains("a.png: ") && error.contains("no vision tower"), "{error}");
}

/// −ln p of each word, by the definition, from the rows that predict them.
fn losses(engine: &Engine, hidden: &Tensor, counted: &[(usize, u32)]) -> Vec<f64> {
    let scores = engine.model().logits(hidden, &mut watching(|_, _| {})).unwrap();
    let scores = rows(&scores);
    let loss = |&(row, id): &(usize, u32)| {
        let sum: f64 = scores[row].iter().map(|&score| f64::from(score).exp()).sum();
        sum.ln() - f64::from(scores[row][id as usize])
    };
    counted.iter().map(loss).collect()
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-5, "{found}, expected {expected}");
}

fn measured(model: &Engine, reference: Option<&Engine>, passages: &Passages) -> Report {
    let mut last = (0, None);
    let report = measure(model, reference, passages, &mut |read, perplexity| {
        assert!(read >= last.0);
        last = (read, perplexity);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(last.0, passages.count());
    near(last.1.unwrap(), report.perplexity.value);
    report
}

#[test]
fn perplexity_is_what_its_definition_says() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(one.path());
    write_seeded(&Like::Tiny.config(), 11, two.path());
    let [one, two] = [one, two].map(|folder| Engine::load(folder.path(), &exact()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    fs::write(&path, format!("{STORY}\r\n\r\n{STORY} Then he slept.")).unwrap();
    let text = format!("{STORY}\n\n{STORY} Then he slept.");
    let ids = one.tokenizer().encode(&text, Markers::Literal);

    // Windows of 19 words, and ones of which only the last 5 words are new.
    for stride in [19, 5] {
        let passages = Passages::text(&path, &one, 20, Some(stride)).unwrap();
        let mut expected = [Vec::new(), Vec::new()];
        let (mut start, mut counted, mut positions, mut windows) = (0, 0, 0, 0);
        while counted < ids.len() {
            let end = ids.len().min(start + 19);
            let all = [&[one.special().bos], &ids[start..end]].concat();
            let new: Vec<(usize, u32)> = (counted..end).map(|at| (at - start, ids[at])).collect();
            positions += all.len();
            let prompt = Prompt { segments: vec![Segment::Text { ids: all, learned: false }] };
            for (engine, expected) in [&one, &two].into_iter().zip(&mut expected) {
                let hidden = run(engine, &prompt, &[], |_, _| {});
                expected.extend(losses(engine, &hidden, &new));
            }
            (start, counted, windows) = (start + stride, end, windows + 1);
        }
        let report = measured(&one, Some(&two), &passages);
        assert_eq!((report.words, report.passages), (ids.len(), windows));
        assert_eq!(report.positions, positions);
        near(report.loss.value, mean(&expected[0]));
        near(report.perplexity.value, mean(&expected[0]).exp());
        let against = report.against.unwrap();
        near(against.perplexity.value, mean(&expected[1]).exp());
        near(against.ratio.value, (mean(&expected[0]) - mean(&expected[1])).exp());
        assert!(against.divergence.value > 0.0 && against.same_best.value < 0.9, "{against:?}");
        assert!(against.divergence_median <= against.divergence_99);
        assert!(against.divergence_99 <= against.divergence_max);
        let alone = measured(&one, None, &passages);
        assert_eq!((alone.loss, alone.against), (report.loss, None));
    }
    let same = measured(&one, Some(&one), &Passages::text(&path, &one, 64, None).unwrap());
    let against = same.against.unwrap();
    assert_eq!((against.ratio.value, against.ratio.error), (1.0, 0.0));
    assert_eq!((against.divergence_max, against.same_best.value), (0.0, 1.0));
    let mut first = Passages::text(&path, &one, 20, None).unwrap();
    first.keep(2);
    assert_eq!(measured(&one, None, &first).words, 38);
}

#[test]
fn of_a_conversation_the_answers_count() {
    let (random, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let form = model(random.path());
    let engine = Engine::load(&form, &exact()).unwrap();
    set(folder.path());
    let passages = Passages::conversations(&folder.path().join("talk.json")).unwrap();
    let prompt = closed(&engine, &talk());
    let hidden = run(&engine, &prompt, &[decoded(), decoded()], |_, _| {});
    let rows = hidden.dim(0).unwrap();
    let words: usize = prompt
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Text { ids, .. } => ids.len(),
            Segment::Image { .. } => 0,
        })
        .sum();
    let per_picture = (rows - words) / 2;
    let (mut row, mut counted) = (0, Vec::new());
    for segment in &prompt.segments {
        match segment {
            Segment::Image { .. } => row += per_picture,
            Segment::Text { ids, learned } => {
                for &id in ids {
                    counted.extend(learned.then_some((row - usize::from(row > 0), id)));
                    row += 1;
                }
            }
        }
    }
    let picked: Vec<u32> = counted.iter().map(|(row, _)| *row as u32).collect();
    let picked = Tensor::new(picked, &candle_core::Device::Cpu).unwrap();
    let hidden = hidden.index_select(&picked, 0).unwrap();
    let alone: Vec<(usize, u32)> =
        counted.iter().enumerate().map(|(at, (_, id))| (at, *id)).collect();
    let expected = losses(&engine, &hidden, &alone);
    let report = measured(&engine, None, &passages);
    assert_eq!((report.words, report.passages), (counted.len(), 1));
    assert_eq!(report.positions, rows);
    near(report.loss.value, mean(&expected));
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let (one, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(one.path());
    let one = Engine::load(one.path(), &exact()).unwrap();
    let path = folder.path().join("text.txt");
    let told = |text: &str, context, stride| {
        fs::write(&path, text).unwrap();
        Passages::text(&path, &one, context, stride).unwrap_err().to_string()
    };
    for (message, part) in [
        (told("", 8, None), "text.txt: expected at least 2 words (tokens) that count, found 0"),
        (told("a", 8, None), "found 1"),
        (told(STORY, 1, None), "context: expected 2 to 4096, found 1"),
        (told(STORY, 5000, None), "context: expected 2 to 4096, found 5000"),
        (told(STORY, 8, Some(0)), "stride: expected 1 to 7, one less than the context, found 0"),
        (told(STORY, 8, Some(8)), "found 8"),
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    fs::write(&path, STORY).unwrap();
    let passages = Passages::text(&path, &one, 8, None).unwrap();
    // One letter of one word is another's.
    let two = tempfile::tempdir().unwrap();
    write(two.path());
    let tokenizer = two.path().join("tokenizer.model");
    let mut bytes = fs::read(&tokenizer).unwrap();
    let at = bytes.windows(10).position(|part| part == b"Newtonsoft").unwrap();
    bytes[at] = b'n';
    fs::write(&tokenizer, bytes).unwrap();
    let two = Engine::load(two.path(), &exact()).unwrap();
    let onwards: &mut dyn FnMut(usize, Option<f64>) -> _ = &mut |_, _| ControlFlow::Continue(());
    let message = measure(&one, Some(&two), &passages, onwards).unwrap_err().to_string();
    assert!(message.contains("different vocabularies: word "), "{message}");
    assert!(message.contains(r#"Newtonsoft" and ""#), "{message}");
    let stopped = measure(&one, None, &passages, &mut |_, _| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(stopped, Error::Model(ixc_model::Error::Cancelled)), "{stopped}");
}
