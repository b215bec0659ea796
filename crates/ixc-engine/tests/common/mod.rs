//! A complete small model with the real tokenizer, random weights: enough to be asked anything.

#![allow(unreachable_pub, dead_code)] // shared by the test binaries beside it, each using a part

use std::{ops::ControlFlow, path::Path};

use ixc_engine::{Decoding, Engine, LoadOptions, Request, beam::Beams};
use ixc_input::{
    conversation::{Conversation, Role, Turn, count_markers, parts_from_marked},
    image::{self, Orientation},
    prepare::{Geometry, TileStyle},
};
use ixc_model::{
    Family, ModelConfig,
    config::{LanguageConfig, PLoraConfig, VisionConfig},
    gguf,
    init::{self, Like},
    quantise,
};
use ixc_nn::{Arithmetic, cache::KvType, weights::StoredType};
use serde_json::Value;

/// Float32 throughout: what was read in other pieces is then the same but for the order of sums.
pub fn exact() -> LoadOptions {
    LoadOptions { arithmetic: Arithmetic::Exact, kv: KvType::F32, ..LoadOptions::default() }
}

/// The tiny model, loaded with these options.
pub fn engine(options: &LoadOptions) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    Engine::load(folder.path(), options).unwrap()
}

/// Writes the tiny model into a folder.
pub fn write(folder: &Path) {
    write_as(&Like::Tiny.config(), folder);
}

/// Writes a random model of any configuration into a folder, with the real tokenizer.
pub fn write_as(config: &ModelConfig, folder: &Path) {
    write_seeded(config, 3, folder);
}

/// As [`write_as`], with other random weights.
pub fn write_seeded(config: &ModelConfig, seed: u64, folder: &Path) {
    let tokenizer = ixc_goldens::fixtures().join("tokenizer/tokenizer.model");
    init::write(config, StoredType::Bf16, seed, Some(&tokenizer), folder, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap();
}

/// What the small model looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eye {
    None,
    Square,
    Tiles,
}

/// Pieces of [`small_tokenizer`], and rows of the small model's vocabulary.
const SMALL_VOCABULARY: usize = 320;

/// A model of half a megabyte whose rows are whole blocks of every type.
pub fn small(eye: Eye) -> ModelConfig {
    let geometry = match eye {
        Eye::None => None,
        Eye::Square => Some(Geometry::Square { side: 56 }),
        Eye::Tiles => Some(Geometry::Tiles { tile: 28, tiles_max: 25, style: TileStyle::Centered }),
    };
    let vision = geometry.map(|geometry| VisionConfig {
        width: 64,
        layers: 1,
        intermediate: 96,
        stored_grid: if eye == Eye::Tiles { 2 } else { 3 },
        geometry,
    });
    ModelConfig {
        family: match eye {
            Eye::None => Family::Language,
            Eye::Square => Family::Vl,
            Eye::Tiles => Family::FourKHd,
        },
        language: LanguageConfig {
            vocabulary: SMALL_VOCABULARY,
            hidden: 256,
            intermediate: 256,
            layers: 1,
            heads: 4,
            kv_heads: 2,
            eps: 1e-5,
            rope_theta: 1e6,
            positions_max: 512,
            rope_dynamic_factor: None,
        },
        vision,
        plora: (eye != Eye::None).then_some(PLoraConfig { ranks: [(32, 1.0); 5] }),
        gptq: false,
        chat: Default::default(),
        text_adapters: Vec::new(),
    }
}

/// A SentencePiece file of the special pieces, all bytes and some letters.
pub fn small_tokenizer() -> Vec<u8> {
    let [normal, unknown, control, defined, byte_kind] = [1u8, 2, 3, 4, 6];
    let mut pieces =
        vec![("<unk>".to_owned(), unknown), ("<s>".into(), control), ("</s>".into(), control)];
    pieces.extend((0..=255u8).map(|byte| (format!("<0x{byte:02X}>"), byte_kind)));
    pieces.extend(["[UNUSED_TOKEN_145]", "[UNUSED_TOKEN_146]"].map(|name| (name.into(), defined)));
    pieces.extend(('a'..='z').map(|letter| (letter.to_string(), normal)));
    pieces.push(("\u{2581}".into(), normal));
    let padding = SMALL_VOCABULARY - pieces.len();
    pieces.extend((0..padding).map(|index| (format!("filler {index}"), normal)));
    let field = |out: &mut Vec<u8>, tag: u8, bytes: &[u8]| {
        out.extend([tag, bytes.len() as u8]); // all are shorter than 128
        out.extend(bytes);
    };
    let mut out = Vec::new();
    for (text, kind) in pieces {
        let mut piece = Vec::new();
        field(&mut piece, 0x0A, text.as_bytes());
        piece.extend([0x15, 0, 0, 0, 0, 0x18, kind]); // score 0, type
        field(&mut out, 0x0A, &piece);
    }
    field(&mut out, 0x12, &[0x18, 2, 0x98, 2, 1]); // BPE, byte fallback
    field(&mut out, 0x1A, &[0x18, 0, 0x20, 0]); // nothing in front, blanks stay
    out
}

/// Writes a random model of this configuration as one quantised file, the small tokenizer in it.
pub fn write_quantised(config: &ModelConfig, to: StoredType, out: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let going = &mut |_, _| ControlFlow::Continue(());
    init::write(config, StoredType::Bf16, 3, None, folder.path(), going).unwrap();
    quantise_as(folder.path(), to, small_tokenizer(), out);
}

/// Quantises a checkpoint's folder into one file.
pub fn quantise_as(folder: &Path, to: StoredType, tokenizer: Vec<u8>, out: &Path) {
    let checkpoint = gguf::open(folder).unwrap();
    let config = ModelConfig::read(folder, &checkpoint).unwrap();
    let plan = quantise::plan(&config, &checkpoint, to);
    let options = quantise::Options {
        to,
        out: out.into(),
        replace: true,
        tokenizer: Some(tokenizer),
        name: "small".into(),
        importance: Default::default(),
    };
    let file = quantise::file(folder, &config, &checkpoint, &plan, &options).unwrap();
    let going = &mut |_, _| ControlFlow::Continue(());
    quantise::write(&file, &checkpoint, &plan, &options.importance, going).unwrap();
}

/// The request of one `chat` case.
pub fn chat_request(case: &Value, instruction: &str, root: &Path) -> Request {
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
