//! Checkpoints: what comes back, what is noticed, what is kept. (What a kill leaves: `crash.rs`.)

use std::{fs, path::Path};

use ixc_train::{
    Error, Recipe,
    checkpoint::{Best, Claim, Position, Window, prune, resume, write},
    data::{self, Identity},
    trainable::trainable,
};

use crate::support::{Model, Tensor, names_in, recipe, slots};
use ixc_nn::weights::StoredType;

fn position(step: u64) -> Position {
    Position {
        step,
        updates: step - 1,
        samples: 8 * step,
        tokens: 1_000 * step,
        data: data::Position { epoch: 3, index: u64::MAX },
        window: Window { loss: 1.0 / 3.0, words: 5 },
        log_bytes: 77,
        best: Some(Best { step: 2, loss: 0.1 + 0.2 }),
        evaluations_since_best: 1,
        ..Position::new(Identity { files: Vec::new() })
    }
}

fn model() -> (Model, Recipe) {
    (Model::random(StoredType::Bf16), recipe("plora", "learning_rate = 1.234567890123e-4"))
}

fn write_steps(out: &Path, recipe: &Recipe, tensors: &[Tensor], steps: &[u64]) {
    for &step in steps {
        write(out, recipe, &position(step), &slots(tensors)).unwrap();
    }
}

#[test]
fn everything_comes_back_bit_for_bit() {
    let (model, recipe) = model();
    let tensors = model.trained(&recipe);
    let out = tempfile::tempdir().unwrap();
    let path = write(out.path(), &recipe, &position(12), &slots(&tensors)).unwrap();
    assert_eq!(path, out.path().join("checkpoint-12"));
    let files = [
        "manifest.sha256",
        "optimizer.safetensors",
        "recipe.toml",
        "state.json",
        "weights.safetensors",
    ];
    assert_eq!(names_in(&path), files);
    assert_eq!(names_in(out.path()), ["checkpoint-12"], "nothing is left beside it");

    let resumed = resume(out.path()).unwrap();
    let saved = resumed.saved.unwrap();
    assert!(resumed.passed_over.is_empty());
    assert_eq!((&saved.position, &saved.recipe), (&position(12), &recipe));
    saved.check(&trainable(&recipe, &model.config).unwrap()).unwrap();
    for Tensor { parameter, numbers } in &tensors {
        assert_eq!(&saved.slot(&parameter.name, &parameter.shape).unwrap(), numbers);
    }
}

#[test]
fn a_checkpoint_of_another_recipe_is_noticed() {
    let (model, recipe_) = model();
    let tensors = model.trained(&recipe_);
    let out = tempfile::tempdir().unwrap();
    write_steps(out.path(), &recipe_, &tensors, &[1]);
    let saved = resume(out.path()).unwrap().saved.unwrap();
    let check = |kind: &str, lines: &str| {
        let other = recipe(kind, lines);
        saved.check(&trainable(&other, &model.config).unwrap()).unwrap_err().to_string()
    };
    assert!(check("full", "").contains("found no such tensor"));
    assert!(check("plora", "freeze_projector = true").contains("is not trained by this recipe"));
    assert!(check("lora", "").contains("another recipe or model"));
}

#[test]
fn the_newest_whole_checkpoint_is_found_by_its_number() {
    let (model, recipe) = model();
    let tensors = model.trained(&recipe);
    let out = tempfile::tempdir().unwrap();
    assert!(resume(out.path()).unwrap().saved.is_none());
    assert!(resume(&out.path().join("nowhere")).unwrap().saved.is_none());
    write_steps(out.path(), &recipe, &tensors, &[9, 10, 2]);
    for other in ["checkpoint-", "checkpoint-x", "checkpoint-007", ".checkpoint-99.part"] {
        fs::create_dir(out.path().join(other)).unwrap();
    }
    let found = |out: &Path| resume(out).unwrap().saved.unwrap().position.step;
    assert_eq!(found(out.path()), 10);
    // A later write sweeps what one before it left unfinished.
    write_steps(out.path(), &recipe, &tensors, &[11]);
    assert!(!out.path().join(".checkpoint-99.part").exists());
    assert_eq!(found(out.path()), 11);
}

/// T2: every file, one byte at a time.
#[test]
fn a_flipped_byte_anywhere_is_noticed_and_the_one_before_is_taken() {
    const FLIPS: usize = 100;
    let (model, recipe) = model();
    let tensors = &model.trained(&recipe)[..6];
    let out = tempfile::tempdir().unwrap();
    write_steps(out.path(), &recipe, tensors, &[1, 2]);
    let newest = out.path().join("checkpoint-2");
    let mut flipped = 0;
    for name in names_in(&newest) {
        let path = newest.join(&name);
        let sound = fs::read(&path).unwrap();
        for flip in 0..FLIPS {
            // Both ends, and places all over the file.
            let at = (flip * 7_919 + flip / 2 * (sound.len() - 1)) % sound.len();
            let mut bytes = sound.clone();
            bytes[at] ^= 1 << (flip % 8);
            fs::write(&path, &bytes).unwrap();
            let resumed = resume(out.path()).unwrap();
            assert_eq!(resumed.saved.unwrap().position.step, 1, "{name}, byte {at}");
            let said = resumed.passed_over[0].to_string();
            assert!(said.contains("checkpoint-2") && said.contains("written"), "{said}");
            flipped += 1;
        }
        fs::write(&path, &sound).unwrap();
    }
    println!("{flipped} flipped bytes in {} files, all noticed", names_in(&newest).len());
    assert_eq!(resume(out.path()).unwrap().saved.unwrap().position.step, 2);
}

#[test]
fn a_file_that_is_cut_or_gone_is_noticed() {
    let (model, recipe) = model();
    let tensors = &model.trained(&recipe)[..6];
    let out = tempfile::tempdir().unwrap();
    write_steps(out.path(), &recipe, tensors, &[1, 2]);
    let newest = out.path().join("checkpoint-2");
    for name in names_in(&newest) {
        let path = newest.join(&name);
        let sound = fs::read(&path).unwrap();
        for length in [0, 1, sound.len() / 2, sound.len() - 1] {
            fs::write(&path, &sound[..length]).unwrap();
            let resumed = resume(out.path()).unwrap();
            assert_eq!(resumed.saved.unwrap().position.step, 1, "{name} of {length} bytes");
            assert_eq!(resumed.passed_over.len(), 1);
        }
        fs::write(&path, [sound.as_slice(), b"\n"].concat()).unwrap();
        assert_eq!(resume(out.path()).unwrap().saved.unwrap().position.step, 1, "{name} is longer");
        fs::remove_file(&path).unwrap();
        let resumed = resume(out.path()).unwrap();
        assert_eq!(resumed.saved.unwrap().position.step, 1, "{name} is gone");
        assert!(resumed.passed_over[0].to_string().contains("missing"));
        fs::write(&path, &sound).unwrap();
    }
    // All damaged: an error that says so, not a fresh start.
    for step in [1, 2] {
        fs::write(out.path().join(format!("checkpoint-{step}/state.json")), "{}").unwrap();
    }
    let error = resume(out.path()).unwrap_err().to_string();
    assert!(error.contains("none of the 2 checkpoints") && error.contains("state.json"), "{error}");
}

#[test]
fn steps_that_are_done_again_replace_a_damaged_checkpoint() {
    let (model, recipe) = model();
    let tensors = &model.trained(&recipe)[..6];
    let out = tempfile::tempdir().unwrap();
    write_steps(out.path(), &recipe, tensors, &[1, 2]);
    fs::write(out.path().join("checkpoint-2/weights.safetensors"), "damage").unwrap();
    write_steps(out.path(), &recipe, tensors, &[2]);
    let resumed = resume(out.path()).unwrap();
    assert_eq!(resumed.saved.unwrap().position.step, 2);
    assert!(resumed.passed_over.is_empty());
    assert_eq!(names_in(out.path()), ["checkpoint-1", "checkpoint-2"]);
}

#[test]
fn old_ones_go_but_not_the_last_nor_the_best() {
    let (model, recipe) = model();
    let tensors = &model.trained(&recipe)[..2];
    let out = tempfile::tempdir().unwrap();
    write_steps(out.path(), &recipe, tensors, &[8, 9, 10, 11]);
    prune(out.path(), 2, &[8]).unwrap();
    assert_eq!(names_in(out.path()), ["checkpoint-10", "checkpoint-11", "checkpoint-8"]);
    prune(out.path(), 1, &[]).unwrap();
    assert_eq!(names_in(out.path()), ["checkpoint-11"]);
    prune(out.path(), 0, &[]).unwrap();
    assert_eq!(names_in(out.path()), ["checkpoint-11"], "the only one never goes");
}

#[test]
fn a_folder_belongs_to_one_run_at_a_time() {
    let out = tempfile::tempdir().unwrap();
    let claim = Claim::new(out.path()).unwrap();
    let second = Claim::new(out.path());
    assert!(matches!(&second, Err(Error::Recipe { .. })), "{second:?}");
    assert!(second.unwrap_err().to_string().contains("another run writes"));
    drop(claim);
    Claim::new(out.path()).unwrap();
}

#[test]
fn a_place_that_cannot_be_written_to_is_an_error_that_names_it() {
    let (model, recipe) = model();
    let tensors = &model.trained(&recipe)[..2];
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("file");
    fs::write(&file, "").unwrap();
    let error = write(&file, &recipe, &position(1), &slots(tensors)).unwrap_err().to_string();
    assert!(error.contains(&*file.to_string_lossy()), "{error}");
}
