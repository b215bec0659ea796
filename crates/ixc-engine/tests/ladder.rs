//! The upper rungs: sampling, generation, whole answers, against the published PyTorch code.
//!
//! Numbers of new words, prompts, pictures and options are read from the files.

#[path = "../../ixc-model/tests/golden/mod.rs"]
mod golden;

use std::path::Path;

use candle_core::Tensor;
use golden::{load, load_in, prompt, see};
use ixc_engine::{
    Decoding, Engine, Event, LoadOptions, Request,
    beam::{Beams, Found},
    generate::{BeamSpeaker, Reading, Speaker, Word, history},
    sample::{self, Sampling},
};
use ixc_goldens::{folders, full, json, tensors, weight_files};
use ixc_input::{
    conversation::{Conversation, Role, Turn, count_markers, parts_from_marked},
    image::{self, Orientation},
    prompt::Prompt,
    tokenizer::Markers,
};
use ixc_model::{XComposer, stage::unobserved};
use ixc_nn::{Arithmetic, cache::KvType};
use serde_json::Value;

/// The reference keeps keys and values in float32.
fn exact() -> LoadOptions {
    LoadOptions { arithmetic: Arithmetic::Exact, kv: KvType::F32, ..LoadOptions::default() }
}

/// Generates from a prompt with the options of a golden entry; returns ids as the reference prints
/// them: the seed first, the stop last.
fn generate(
    model: &XComposer,
    prompt: &Prompt,
    features: &[Tensor],
    options: &Value,
    stops: &[u32],
    most: usize,
) -> Vec<u32> {
    let number =
        |key: &str, default: f64| options.get(key).map_or(default, |v| v.as_f64().unwrap());
    let penalty = number("repetition_penalty", 1.0) as f32;
    let beams = number("num_beams", 1.0) as usize;
    let said = history(prompt, BOS);
    let spliced = model.splice(prompt, features, &mut unobserved).unwrap();
    let mut cache = model.cache(KvType::F32);
    let mut reading = Reading::new(spliced);
    let scores = loop {
        // Chunks far smaller than a request's: they change nothing.
        if let Some(scores) = reading.step(model, &mut cache, 16, &mut unobserved).unwrap() {
            break scores;
        }
    };
    let mut ids = vec![BOS];
    if beams > 1 {
        let beams = Beams { count: beams, length_penalty: number("length_penalty", 1.0) as f32 };
        let mut speaker = BeamSpeaker::new(&cache, scores, said, beams, penalty, stops, most);
        while speaker.step(model).unwrap() {}
        let Found { ids: found, ended } = speaker.finish();
        ids.extend(found);
        // The reference ends every shorter answer with the first of its stops.
        ids.extend(ended.then_some(stops[0]));
        return ids;
    }
    let mut speaker = Speaker::new(scores, &said, &Decoding::Greedy, penalty, stops);
    while ids.len() <= most {
        match speaker.next_word(model, &mut cache).unwrap() {
            Word::Next(id) => ids.push(id),
            Word::Stop(id) => {
                ids.push(id);
                break;
            }
        }
    }
    ids
}

/// `<s>` in every published vocabulary; these folders have no tokenizer.
const BOS: u32 = 1;

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[test]
fn generated_ids() {
    let mut entries = 0;
    for folder in folders("tiny-vl") {
        let model = load(&weight_files(&folder)[0]);
        let expected = tensors(&folder.join("expected.safetensors"));
        let about = json(&folder.join("expected.json"));
        let features = see(&model, &expected["pixel_values"]);
        let prompt = prompt(&expected["inter.input_ids"].i64(), features[0].dim(0).unwrap());
        let generate_entries = about["generate"].as_array().unwrap();
        // The longest of all answers ran into the limit, which the file does not state.
        let most = generate_entries.iter().map(|e| ids(&e["output_ids"]).len()).max().unwrap() - 1;
        for entry in generate_entries {
            assert!(entry["first_id_is_bos_seed"].as_bool().unwrap());
            let stops = ids(&entry["eos"]);
            let found = generate(&model, &prompt, &features, &entry["options"], &stops, most);
            let name = format!("{}: {} stops {stops:?}", folder.display(), entry["name"]);
            assert_eq!(found, ids(&entry["output_ids"]), "{name}");
            entries += 1;
        }
    }
    println!("generate: {entries} entries identical");
}

#[test]
fn gptq_greedy() {
    // In fast arithmetic the choices of these folders are clear enough to fall the same way.
    let ways = [Arithmetic::Exact, Arithmetic::Fast];
    for (folder, way) in folders("tiny-gptq").into_iter().flat_map(|f| ways.map(|w| (f.clone(), w)))
    {
        let model = load_in(&weight_files(&folder)[0], way);
        let expected = tensors(&folder.join("expected.safetensors"));
        let greedy = ids(&json(&folder.join("expected.json"))["greedy"]);
        let features = see(&model, &expected["pixel_values"]);
        let prompt = prompt(&expected["input_ids"].i64(), features[0].dim(0).unwrap());
        let options = Value::Object(Default::default());
        let stops = [greedy.last().copied().filter(|&id| id == 2).unwrap_or(2)];
        let found = generate(&model, &prompt, &features, &options, &stops, greedy.len() - 1);
        assert_eq!(found, greedy, "{} {way:?}", folder.display());
    }
}

#[test]
fn sampling_probabilities() {
    let mut worst = 0f64;
    for folder in folders("sampling") {
        for case in json(&folder.join("cases.json"))["cases"].as_array().unwrap() {
            let numbers = |key: &str| -> Vec<f64> {
                case[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
            };
            let mut scores: Vec<f32> = numbers("logits").iter().map(|&v| v as f32).collect();
            let said = ids(&case["previous_ids"]).into_iter().collect();
            let number = |key: &str| case[key].as_f64().unwrap() as f32;
            sample::penalise(&mut scores, &said, number("repetition_penalty"));
            let sampling = Sampling {
                temperature: number("temperature"),
                top_k: case["top_k"].as_u64().unwrap() as usize,
                top_p: number("top_p"),
                seed: 0,
            };
            let found = sample::probabilities(&scores, &sampling);
            for (found, expected) in found.iter().zip(numbers("probabilities")) {
                assert_eq!(*found == 0.0, expected == 0.0, "the same words are left: {case}");
                worst = worst.max((f64::from(*found) - expected).abs());
            }
        }
    }
    println!("sampling: largest deviation {worst:.2e}");
    assert!(worst <= 1e-5, "{worst}");
}

/// The request of one `chat` case.
fn chat_request(case: &Value, instruction: &str, root: &Path) -> Request {
    let empty = Vec::new();
    let paths = case["images"].as_array().unwrap_or(&empty);
    let pictures: Vec<image::Picture> = paths
        .iter()
        .map(|path| {
            let bytes = std::fs::read(root.join(path.as_str().unwrap())).unwrap();
            image::load(&bytes, Orientation::AsStored).unwrap()
        })
        .collect();
    let options = &case["options"];
    let instruction = options["meta_instruction"].as_str().unwrap_or(instruction);
    let mut conversation = Conversation::with_instruction(instruction);
    let mut next = 0;
    let mut user = |text: &str| {
        let count = count_markers(text);
        let parts = parts_from_marked(text, next, count).unwrap();
        next += count;
        Turn { role: Role::User, parts }
    };
    for pair in case["history"].as_array().unwrap() {
        conversation.turns.push(user(pair[0].as_str().unwrap()));
        conversation.turns.push(Turn::text(Role::Assistant, pair[1].as_str().unwrap()));
    }
    conversation.turns.push(user(case["query"].as_str().unwrap()));
    let number = |key: &str, default: f64| options[key].as_f64().unwrap_or(default);
    let mut request = Request::new(conversation, pictures);
    request.decoding = match number("num_beams", 1.0) as usize {
        1 => Decoding::Greedy,
        count => {
            Decoding::Beams(Beams { count, length_penalty: number("length_penalty", 1.0) as f32 })
        }
    };
    request.repetition_penalty = number("repetition_penalty", 1.005) as f32;
    request
}

#[test]
fn whole_answers() {
    let Some(root) = full() else { return };
    let mut answers = 0;
    for folder in folders("tiny-chat") {
        let about = json(&folder.join("expected.json"));
        let engine = Engine::load(&folder, &exact()).unwrap();
        let cases = about["chat"].as_array().unwrap();
        let instruction = about["meta_instruction"].as_str().unwrap();
        assert_eq!(engine.instruction(), instruction);
        let new_ids = |case: &Value| {
            let all = ids(&case["output_ids"]);
            all[usize::from(!case["images"].is_null())..].to_vec()
        };
        // The longest of all answers ran into the limit, which the file does not state.
        let most = cases.iter().map(|case| new_ids(case).len()).max().unwrap();
        for case in cases {
            let mut request = chat_request(case, instruction, &root);
            // Stated in the case, or else the limit that the longest answer ran into.
            let stated = case["options"]["max_new_tokens"].as_u64();
            request.max_new_tokens = stated.map_or(most, |stated| stated as usize);
            let mut streamed = String::new();
            let mut answer = None;
            for event in engine.answer(&request).unwrap() {
                match event.unwrap() {
                    Event::Text(piece) => streamed.push_str(&piece),
                    Event::End(end) => answer = Some(end),
                    _ => {}
                }
            }
            let answer = answer.unwrap();
            let name = case["name"].as_str().unwrap();
            assert_eq!(
                answer.prompt_positions as u64,
                case["prompt_positions"].as_u64().unwrap(),
                "{name}"
            );
            assert_eq!(
                answer.image_positions as u64,
                case["image_positions"].as_u64().unwrap(),
                "{name}"
            );
            let mut found = answer.ids.clone();
            found.extend(answer.stop);
            assert_eq!(found, new_ids(case), "{name}");
            assert_eq!(answer.text, case["response"].as_str().unwrap(), "{name}");
            assert_eq!(streamed, answer.text, "{name}: streamed pieces");
            assert_eq!(request.markers, Markers::Literal);
            answers += 1;
        }
    }
    println!("chat: {answers} whole answers identical");
}
