//! `ixc merge` and `--adapter`: one answer, whether an adapter acts beside its base or was merged into it.

use std::{fs, path::Path};

use ixc_model::ModelConfig;
use ixc_nn::weights::Checkpoint;
use ixc_train::{
    Recipe,
    checkpoint::Slot,
    result::{Base, write},
    trainable::trainable,
};

use crate::support::{fresh, ixc, photo, text, tiny};

/// Writes an adapter on the tiny model.
fn adapter(out: &Path) {
    let folder = Path::new(tiny());
    let checkpoint = Checkpoint::open(folder).unwrap();
    let config = ModelConfig::read(folder, &checkpoint).unwrap();
    let text =
        "kind = \"lora\"\nmodel = \"m\"\ndata = [\"d\"]\nout = \"o\"\nlora_r = 4\nlora_alpha = 8\n";
    let recipe = Recipe::parse(text, "recipe", &[]).unwrap();
    let parameters = trainable(&recipe, &config).unwrap();
    let made = |(index, parameter): (usize, &ixc_train::trainable::Trainable)| -> Vec<f32> {
        (0..parameter.numbers())
            .map(|at| ((index * 31 + at * 17) % 23) as f32 / 40.0 - 0.27)
            .collect()
    };
    let numbers: Vec<Vec<f32>> = parameters.iter().enumerate().map(made).collect();
    let slot = |(parameter, numbers)| {
        let parameter: &ixc_train::trainable::Trainable = parameter;
        let numbers: &Vec<f32> = numbers;
        let (name, shape) = (parameter.name.as_str(), parameter.shape.as_slice());
        Slot { name, shape, master: numbers, exp_avg: numbers, exp_avg_sq: numbers }
    };
    let slots: Vec<Slot> = parameters.iter().zip(&numbers).map(slot).collect();
    let base = Base { folder, checkpoint: &checkpoint, config: &config };
    write(out, &recipe, base, &slots, &mut |_, _| std::ops::ControlFlow::Continue(())).unwrap();
}

fn answer(arguments: &[&str]) -> String {
    let photo = photo();
    let run = ["run", "-i", &photo, "--greedy", "--exact", "--max-new-tokens", "12", "Well?"];
    ixc(&[&run[..], arguments].concat()).ok()
}

#[test]
fn an_adapter_beside_its_base_answers_as_the_merged_model() {
    let (folder, out) = (fresh("adapter"), fresh("merged"));
    adapter(&folder);
    fs::remove_dir(&out).unwrap();
    let ran = ixc(&["merge", tiny(), "--adapter", text(&folder), "--out", text(&out)]);
    assert_eq!(ran.ok(), format!("{}\n", text(&out)));
    let beside = answer(&["-m", tiny(), "--adapter", text(&folder)]);
    // bfloat16 rounds the merged weights, and the tiny model's words are far apart.
    assert_eq!(beside, answer(&["-m", text(&out)]));
    assert_ne!(beside, answer(&["-m", tiny()]), "the adapter says something");

    let message = ixc(&["merge", tiny(), "--adapter", text(&folder), "--out", text(&out)]).fails(1);
    assert!(message.contains("already holds"), "{message}");
}

#[test]
fn what_is_no_adapter_or_none_of_this_model_is_refused() {
    let empty = fresh("no-adapter");
    let out = fresh("never").join("out");
    let arguments = ["merge", tiny(), "--adapter", text(&empty), "--out", text(&out)];
    assert!(ixc(&arguments).fails(1).contains("a folder with adapter_config.json"));
    let message = ixc(&["run", "-m", tiny(), "--adapter", text(&empty), "Hi"]).fails(3);
    assert!(message.contains("a folder with adapter_config.json"), "{message}");
    adapter(&empty);
    let config = empty.join("adapter_config.json");
    let other = fs::read_to_string(&config).unwrap().replace("\"LORA\"", "\"LOHA\"");
    fs::write(&config, other).unwrap();
    assert!(ixc(&arguments).fails(1).contains("peft_type: expected \"LORA\", found \"LOHA\""));
    assert!(!out.exists());
}
