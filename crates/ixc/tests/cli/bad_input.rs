//! Mistakes of every kind: the code, and a message that says what was expected, found, and to do.

use std::{fs, path::Path};

use crate::support::{
    command, finish, fixture, fresh, ixc, ixc_with_input, photo, scratch, text, tiny,
    tiny_configured, tiny_without,
};

/// Asks the tiny model something; it must fail with this code and say all of these.
#[track_caller]
fn refused(arguments: &[&str], code: i32, parts: &[&str]) {
    let message = ixc(&[&["run", "-m", tiny()], arguments].concat()).fails(code);
    for part in parts {
        assert!(message.contains(part), "{part:?} in {message}");
    }
}

/// Asks a broken model something; it must not load, and say all of these.
#[track_caller]
fn unloadable(folder: &Path, parts: &[&str]) {
    let message = ixc(&["run", "-m", text(folder), "Hi"]).fails(3);
    for part in parts {
        assert!(message.contains(part), "{part:?} in {message}");
    }
}

#[test]
fn no_model() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/mini.gguf");
    if cfg!(feature = "mini") && fs::metadata(shipped).unwrap().len() > 0 {
        // Nothing has to be named: the mini model answers, and says so.
        let ran = ixc(&["run", "--greedy", "--max-new-tokens", "4", "Hi"]);
        assert!(ran.stderr.contains("this is ixc's mini model"), "{}", ran.stderr);
        assert_ne!(ran.ok(), "");
        let json = ixc(&["run", "-m", "mini", "--greedy", "--max-new-tokens", "1", "--json", "Hi"]);
        assert_eq!(json.stderr, "");
        assert_eq!(json.json()["model"], "mini");
        return;
    }
    let message = ixc(&["run", "Hi"]).fails(1);
    for part in ["IXC_MODEL", "hint:", "ixc pull", "ixc init"] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
}

#[test]
fn the_model_s_variable_is_read() {
    let mut command = command(&["run", "--greedy", "--max-new-tokens", "1", "Hi"]);
    finish(command.env("IXC_MODEL", tiny())).ok();
}

#[test]
fn wrong_paths() {
    let message = ixc(&["run", "-m", "./no/such/model", "Hi"]).fails(1);
    assert!(message.contains("./no/such/model") && message.contains("neither"), "{message}");
    let empty = fresh("empty");
    unloadable(&empty, &["no weights found", text(&empty)]);
    refused(&["-i", "no/such.png", "Hi"], 1, &["no/such.png", "No such file"]);
    refused(&["-i", text(&empty), "Hi"], 1, &["it is a folder"]);
}

#[test]
fn what_is_no_picture() {
    let config = text(&Path::new(tiny()).join("config.json")).to_owned();
    refused(&["-i", &config, "Hi"], 1, &[&config, "not a picture", "expected PNG, JPEG"]);
    let cut = scratch("pictures").join("cut.png");
    fs::write(&cut, &fs::read(photo()).unwrap()[..2000]).unwrap();
    refused(&["-i", text(&cut), "Hi"], 1, &[text(&cut), "ends before its picture does"]);
}

#[test]
fn more_and_fewer_markers_than_pictures() {
    let photo = photo();
    let one = ["-i", &photo];
    refused(
        &[&one[..], &["<ImageHere><ImageHere>?"]].concat(),
        1,
        &["has 2 `<ImageHere>` but only 1 image"],
    );
    refused(&["<ImageHere>?"], 1, &["has 1 `<ImageHere>` but only 0 image"]);
    refused(
        &[&one[..], &one, &["<ImageHere>?"]].concat(),
        1,
        &["2 images came", "only 1 `<ImageHere>`"],
    );
}

#[test]
fn a_prompt_longer_than_the_context() {
    refused(&["--context", "64", "Hi"], 1, &["the context holds 64", "the prompt takes 14"]);
    refused(&["--context", "1", "Hi"], 1, &["context: expected 2 to 4096", "found 1"]);
    refused(&["--context", "4097", "Hi"], 1, &["context: expected 2 to 4096", "found 4097"]);
}

#[test]
fn flags_that_exclude_each_other_say_why() {
    refused(&["--greedy", "--temperature", "0.5", "Hi"], 2, &["--temperature", "drawn at random"]);
    refused(&["--greedy", "--seed", "1", "Hi"], 2, &["--greedy cannot be used with --seed"]);
    refused(&["--greedy", "--beams", "3", "Hi"], 2, &["--greedy cannot be used with --beams"]);
    refused(&["--beams", "3", "--top-p", "0.5", "Hi"], 2, &["draws nothing at random"]);
    refused(&["--length-penalty", "2", "Hi"], 2, &["needs --beams"]);
    refused(&["--interactive", "--json"], 2, &["--json"]);
}

#[test]
fn options_out_of_range_name_it() {
    refused(&["--temperature", "-1", "Hi"], 1, &["temperature", "above 0", "found -1"]);
    refused(&["--top-p", "1.5", "Hi"], 1, &["top-p", "0 to 1", "found 1.5"]);
    refused(&["--beams", "0", "Hi"], 1, &["beams", "found 0"]);
    refused(&["--max-new-tokens", "0", "Hi"], 1, &["max new tokens", "found 0"]);
    refused(&["--repetition-penalty", "nan", "Hi"], 1, &["repetition penalty", "found NaN"]);
    refused(&["--tiles", "4", "Hi"], 1, &["--tiles is for 4KHD and 2.5"]);
}

#[test]
fn no_question_and_no_text() {
    refused(&[], 1, &["there is no question"]);
    refused(&["  "], 1, &["there is no question"]);
    let message = ixc_with_input(&["run", "-m", tiny()], &[0xff, 0xd8, 0xff]).fails(1);
    assert!(message.contains("not UTF-8") && message.contains("--image FILE"), "{message}");
}

#[test]
fn a_broken_configuration() {
    let folder = tiny_without("config-nan", &["config.json"]);
    let config = fs::read_to_string(Path::new(tiny()).join("config.json")).unwrap();
    let broken = config.replace("\"rms_norm_eps\": 0.00001", "\"rms_norm_eps\": NaN");
    assert_ne!(broken, config);
    fs::write(folder.join("config.json"), broken).unwrap();
    unloadable(&folder, &["config.json", "NaN and Infinity are not JSON"]);
    unloadable(&tiny_without("config-none", &["config.json"]), &["expected a config.json"]);
    let heads = tiny_configured("config-heads", |config| config["num_attention_heads"] = 0.into());
    unloadable(&heads, &["num_attention_heads: expected 1 to", "found 0"]);
}

#[test]
fn a_tokenizer_that_does_not_fit() {
    let none = tiny_without("tokenizer-none", &["tokenizer.model"]);
    unloadable(&none, &["expected a tokenizer.model", "--tokenizer", "hint: ", "ixc inspect"]);
    let tokenizer = fixture("tokenizer/tokenizer.model");
    let short = ["run", "-m", text(&none), "--max-new-tokens", "1", "Hi"];
    ixc(&[&short[..], &["--tokenizer", text(&tokenizer)]].concat()).ok();
    let garbled = tiny_without("tokenizer-garbled", &["tokenizer.model"]);
    fs::write(garbled.join("tokenizer.model"), "hello").unwrap();
    unloadable(&garbled, &["not a SentencePiece file"]);
    // The model of the fixtures has another vocabulary than their tokenizer.
    let model = fixture("tiny-vl/pytorch_model.bin.index.json");
    let arguments = ["run", "-m", text(&model)];
    let message =
        ixc(&[&arguments[..], &["--tokenizer", text(&tokenizer), "Hi"]].concat()).fails(3);
    assert!(message.contains("pieces, but the model's vocabulary has"), "{message}");
}

#[test]
fn truncated_weights_and_missing_shards() {
    let cut = tiny_without("weights-cut", &["model.safetensors"]);
    let weights = fs::read(Path::new(tiny()).join("model.safetensors")).unwrap();
    fs::write(cut.join("model.safetensors"), &weights[..weights.len() - 1000]).unwrap();
    unloadable(&cut, &["model.safetensors", "not a sound safetensors file"]);

    let folder = fresh("shard-missing");
    for entry in fs::read_dir(fixture("tiny-vl")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".json") || name.contains("00001-of") {
            fs::copy(entry.path(), folder.join(name)).unwrap();
        }
    }
    unloadable(&folder, &["1 of 2 weight files are missing", "pytorch_model-00002-of-00002.bin"]);
}
