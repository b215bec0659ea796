//! Random encoders of the published form against what transformers computes with them (`reference.py`), rung by rung:
//! ids, pixels, features. Then what is wrong with a folder, by name.

use std::{fs, path::Path};

use ixc_embed::{DualEncoder, Kind};
use ixc_goldens::{assert_close, fixtures, json, tensors};
use ixc_input::image::{Orientation, Picture, load};

fn picture(name: &str) -> Picture {
    load(&fs::read(fixtures().join("images").join(name)).unwrap(), Orientation::AsStored).unwrap()
}

fn texts(expected: &serde_json::Value, key: &str) -> Vec<String> {
    let all = expected[key].as_array().unwrap().iter();
    all.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Climbs all rungs; `of` is what is written of a text in the fixture before it is read.
fn climb(folder: &Path, encoder: &DualEncoder, of: impl Fn(&str) -> String) {
    let expected = json(&folder.join("expected.json"));
    let numbers = tensors(&folder.join("expected.safetensors"));
    for (number, text) in texts(&expected, "texts").iter().enumerate() {
        let ids: Vec<u32> = serde_json::from_value(expected["ids"][number].clone()).unwrap();
        assert_eq!(encoder.ids(&of(text)).unwrap(), ids, "{text:?}");
        let features = encoder.text(&of(text)).unwrap();
        assert_close(&format!("text {number}"), &features, &numbers[&format!("text.{number}")]);
    }
    for (number, name) in texts(&expected, "pictures").iter().enumerate() {
        let picture = picture(name);
        let pixels = encoder.pixels(&picture);
        assert_close(&format!("pixels of {name}"), &pixels, &numbers[&format!("pixels.{number}")]);
        let features = encoder.picture(&picture).unwrap();
        assert_close(name, &features, &numbers[&format!("picture.{number}")]);
    }
}

#[test]
fn clip_equals_the_reference() {
    let folder = fixtures().join("tiny-clip");
    let encoder = DualEncoder::load(&folder).unwrap();
    assert_eq!((encoder.kind(), encoder.dimensions(), encoder.positions()), (Kind::Clip, 24, 24));
    climb(&folder, &encoder, str::to_owned);
}

#[test]
fn siglip_equals_the_reference() {
    let folder = fixtures().join("tiny-siglip");
    let encoder = DualEncoder::load(&folder).unwrap();
    assert_eq!((encoder.kind(), encoder.dimensions(), encoder.positions()), (Kind::SigLip, 32, 16));
    climb(&folder, &encoder, |text| text.replace("</s>", "s"));
}

/// The files of a fixture in a folder of their own, one of them changed.
fn with(
    fixture: &str,
    name: &str,
    change: impl FnOnce(String) -> Option<String>,
) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for file in fs::read_dir(fixtures().join(fixture)).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), place.path().join(file.file_name())).unwrap();
    }
    let path = place.path().join(name);
    match change(fs::read_to_string(&path).unwrap()) {
        Some(text) => fs::write(&path, text).unwrap(),
        None => fs::remove_file(&path).unwrap(),
    }
    place
}

#[test]
fn the_older_files_of_a_tokenizer_give_the_same() {
    let place = with("tiny-clip", "tokenizer.json", |_| None);
    let encoder = DualEncoder::load(place.path()).unwrap();
    climb(&fixtures().join("tiny-clip"), &encoder, str::to_owned);
}

#[test]
fn what_tells_encoders_apart() {
    let whole = DualEncoder::load(&fixtures().join("tiny-clip")).unwrap();
    let digests =
        |encoder: &DualEncoder| (encoder.weights_digest(), encoder.preprocessing_digest());
    let again = DualEncoder::load(&fixtures().join("tiny-clip")).unwrap();
    assert_eq!(digests(&whole), digests(&again));
    let place = with("tiny-clip", "preprocessor_config.json", |text| {
        Some(text.replace("\"resample\": 3", "\"resample\": 2"))
    });
    let fed_otherwise = DualEncoder::load(place.path()).unwrap();
    assert_eq!(whole.weights_digest(), fed_otherwise.weights_digest());
    assert_ne!(whole.preprocessing_digest(), fed_otherwise.preprocessing_digest());
    let place = with("tiny-clip", "config.json", |text| Some(text.replace("1e-05", "1e-04")));
    assert_ne!(whole.weights_digest(), DualEncoder::load(place.path()).unwrap().weights_digest());
}

/// A file's text → what it becomes, or that it goes.
type Change = Box<dyn FnOnce(String) -> Option<String>>;

#[test]
fn wrong_folders_are_told_by_name() {
    let replaced = |from: &'static str, to: &'static str| {
        move |text: String| {
            assert!(text.contains(from), "{from} is not in the fixture");
            Some(text.replace(from, to))
        }
    };
    let cases: Vec<(&str, &str, Change, &str)> = vec![
        ("tiny-clip", "config.json", Box::new(|_| None), "the configuration of a CLIP or SigLIP"),
        ("tiny-clip", "config.json", Box::new(|_| Some("[1]".into())), "is no JSON object"),
        (
            "tiny-clip",
            "config.json",
            Box::new(replaced("\"clip\"", "\"siglip2\"")),
            "one fixed size",
        ),
        ("tiny-clip", "config.json", Box::new(replaced("\"clip\"", "\"bert\"")), "found bert"),
        (
            "tiny-clip",
            "config.json",
            Box::new(replaced("quick_gelu", "swish")),
            "hidden_act is swish",
        ),
        (
            "tiny-clip",
            "config.json",
            Box::new(replaced("\"num_attention_heads\": 2", "\"num_attention_heads\": 3")),
            "3 heads do not divide",
        ),
        (
            "tiny-clip",
            "config.json",
            Box::new(replaced("\"patch_size\": 8", "\"patch_size\": 0")),
            "patch_size is 0, expected a number from 1",
        ),
        (
            "tiny-clip",
            "config.json",
            Box::new(replaced("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3")),
            "layers.2",
        ),
        (
            "tiny-clip",
            "config.json",
            Box::new(replaced("\"hidden_size\": 32", "\"hidden_size\": 64")),
            "token_embedding",
        ),
        (
            "tiny-clip",
            "preprocessor_config.json",
            Box::new(replaced("\"shortest_edge\": 32", "\"shortest_edge\": 16")),
            "do not give the 32 pixels",
        ),
        (
            "tiny-clip",
            "preprocessor_config.json",
            Box::new(replaced("0.26862954", "0.0")),
            "image_std",
        ),
        ("tiny-clip", "preprocessor_config.json", Box::new(|_| None), "how pictures are prepared"),
        ("tiny-clip", "tokenizer.json", Box::new(|_| Some("{}".into())), "is no tokenizer"),
        ("tiny-clip", "tokenizer.json", Box::new(replaced("\"id\": 609", "\"id\": 0")), ""),
        ("tiny-siglip", "tokenizer.json", Box::new(|_| None), "in the form of tokenizers"),
        (
            "tiny-siglip",
            "tokenizer_config.json",
            Box::new(replaced("SiglipTokenizer", "BertTokenizer")),
            "tokenizer_class is BertTokenizer",
        ),
    ];
    for (fixture, name, change, says) in cases {
        let place = with(fixture, name, change);
        match DualEncoder::load(place.path()) {
            Err(error) => {
                assert!(error.to_string().contains(says), "{name}: {error}; expected {says:?}")
            }
            // Of a marker with another id nobody can tell; it must only not fail otherwise.
            Ok(encoder) => {
                assert_eq!(says, "", "{name} was taken");
                let _ = encoder.text("a cat");
            }
        }
    }
}

#[test]
fn a_text_of_any_length_and_a_picture_of_any_shape_are_read() {
    let encoder = DualEncoder::load(&fixtures().join("tiny-clip")).unwrap();
    assert_eq!(encoder.ids(&"word ".repeat(10_000)).unwrap().len(), 24);
    assert!(encoder.text(&"w".repeat(1 << 20)).unwrap_err().to_string().contains("the limit is"));
    for (width, height) in [(1, 1), (1, 5000), (65_535, 1), (31, 1000)] {
        let rgb = (0..3 * width * height).map(|at| at as u8).collect();
        let features = encoder.picture(&Picture::from_rgb(width, height, rgb)).unwrap();
        assert!(features.iter().all(|number| number.is_finite()), "{width}x{height}");
    }
}
