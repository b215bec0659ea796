//! `ixc train`: what is shown, what is made, and what a kill costs.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use crate::support::{command, fixture, fresh, ixc, photo, text, tiny};

/// A folder with data and a recipe of a few steps on the tiny model.
struct Bench {
    folder: PathBuf,
    recipe: PathBuf,
}

impl Bench {
    fn new(name: &str, steps: u64) -> Self {
        let folder = fresh(name);
        fs::copy(fixture("images/rgb_9_337x336.png"), folder.join("a.png")).unwrap();
        let mut lines = String::new();
        for (number, word) in ["red", "green", "blue", "white"].iter().enumerate() {
            let image = if number < 3 { "\"image\": [\"a.png\"], " } else { "" };
            writeln!(
                lines,
                "{{{image}\"conversations\": [{{\"from\": \"user\", \"value\": \"number {number}\"}}, \
                 {{\"from\": \"assistant\", \"value\": \"{word}\"}}]}}"
            )
            .unwrap();
        }
        fs::write(folder.join("data.jsonl"), lines).unwrap();
        let recipe = folder.join("recipe.toml");
        let written = format!(
            "kind = \"lora\"\nmodel = \"{}\"\ndata = [\"{}\"]\nout = \"{}\"\nlora_r = 2\nmax_steps = {steps}\n\
             gradient_accumulation_steps = 2\nsave_steps = 1\nmax_length = 512\nlearning_rate = 1e-3\n",
            tiny(),
            text(&folder.join("data.jsonl")),
            text(&folder.join("out"))
        );
        fs::write(&recipe, written).unwrap();
        Self { folder, recipe }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Trains into this folder, from the last checkpoint where there is one.
    fn arguments(&self, out: &Path) -> Vec<String> {
        let mut words =
            vec!["train".into(), text(&self.recipe).into(), "--out".into(), text(out).into()];
        let any = |path: &Path| {
            fs::read_dir(path).is_ok_and(|entries| {
                entries
                    .flatten()
                    .any(|e| e.file_name().to_string_lossy().starts_with("checkpoint-"))
            })
        };
        if any(out) {
            words.push("--resume".into());
        }
        words
    }
}

#[test]
fn a_dry_run_shows_a_sample_its_mask_and_what_is_trained() {
    let bench = Bench::new("train-dry", 3);
    let shown = ixc(&["train", text(&bench.recipe), "--dry-run", "--freeze-projector=false"]).ok();
    for part in [
        "of them learned",
        "| ",
        "a.png",
        "lora",
        "projector",
        "Result: a LoRA adapter",
        "Steps: 3 of 2 samples (4 samples in an epoch)",
        "Memory: about",
        "Time: about",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let learned: Vec<&str> = shown.lines().filter(|line| line.starts_with("| ")).collect();
    let word =
        |line: &&str| ["red", "green", "blue", "white"].iter().any(|word| line.contains(word));
    assert!(learned.iter().any(word), "{shown}");
    assert!(!learned.iter().any(|line| line.contains("number")), "{shown}");
    assert!(!bench.out("out").exists(), "nothing is done");
}

#[test]
fn flags_take_the_place_of_keys_and_mistakes_are_told() {
    let bench = Bench::new("train-flags", 3);
    let recipe = text(&bench.recipe);
    let printed = ixc(&["train", recipe, "--print-recipe", "--lora-r", "8", "--seed", "5"]).ok();
    assert!(printed.contains("lora_r = 8\n") && printed.contains("seed = 5\n"), "{printed}");
    assert!(printed.contains("lr_scheduler_type = \"cosine\"\n"), "{printed}");
    let data = text(&bench.out("data.jsonl")).to_owned();
    let all = ["train", "--kind", "plora", "--model", tiny(), "--data", &data, "--out", "o"];
    let printed =
        ixc(&[&all[..], &["--packing", "--max-steps", "4", "--print-recipe"]].concat()).ok();
    assert!(printed.contains("kind = \"plora\"\n") && printed.contains("packing = true\n"));

    let message = ixc(&["train", recipe, "--learning-rate", "fast"]).fails(1);
    assert!(message.contains("--learning_rate: expected a number, found \"fast\""), "{message}");
    ixc(&["train", recipe, "--learning-rat", "1"]).fails(2);
    fs::write(&bench.recipe, "kind = \"lora\"\nlearing_rate = 1.0\n").unwrap();
    let message = ixc(&["train", recipe]).fails(1);
    assert!(
        message.contains("recipe.toml: \"learing_rate\"") && message.contains("learning_rate?")
    );
    ixc(&["train", text(&bench.out("none.toml"))]).fails(1);
    let help = ixc(&["train", "--help"]).ok();
    assert!(help.contains("--lora-target-modules") && help.contains("--early-stopping-patience"));
}

#[test]
fn a_trained_adapter_answers_and_merges() {
    let bench = Bench::new("train-whole", 3);
    let out = bench.out("out");
    let ran = ixc(&["train", text(&bench.recipe)]);
    assert!(
        ran.stderr.contains("3 steps done") && ran.stderr.contains("loss.svg"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.ok(), format!("{}\n", text(&out)));
    let ask = [
        "run",
        "-m",
        tiny(),
        "--adapter",
        text(&out),
        "-i",
        &photo(),
        "--max-new-tokens",
        "2",
        "Hi",
    ];
    ixc(&ask).ok();
    let merged = bench.out("merged");
    ixc(&["merge", tiny(), "--adapter", text(&out), "--out", text(&merged)]).ok();
    assert!(ixc(&["inspect", text(&merged)]).code == 0 && merged.join("recipe.toml").is_file());
    let again = ixc(&["train", text(&bench.recipe)]).fails(1);
    assert!(again.contains("holds a result already"), "{again}");
}

/// T1: killed at random moments, some of them inside the write of a checkpoint, a run ends bit for bit as one
/// that was left alone. `IXC_FUZZ_ROUNDS=200` kills as often as before a release.
#[test]
fn kills_cost_nothing_but_the_steps_since_the_last_checkpoint() {
    let bench = Bench::new("train-kills", 12);
    let alone = bench.out("alone");
    let left_alone = bench.arguments(&alone);
    ixc(&left_alone.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    let kills = ixc_goldens::fuzz_rounds(6);
    let (mut killed, mut inside, mut runs, mut seed) = (0, 0, 0, 12_345u64);
    while killed < kills || runs == 0 {
        let out = bench.out(&format!("killed-{runs}"));
        loop {
            let words = bench.arguments(&out);
            let mut trainer = command(&words.iter().map(String::as_str).collect::<Vec<_>>())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let moment = Duration::from_millis(100 + (seed >> 33) % 700);
            if killed < kills {
                std::thread::sleep(moment);
                trainer.kill().unwrap();
            }
            let ended = trainer.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success() || ended.status.code().is_none(), "{said}");
            killed += usize::from(!ended.status.success());
            // A kill may come behind the result, which is there when it is whole.
            if ended.status.success() || out.join("adapter_model.safetensors").is_file() {
                break;
            }
            inside += usize::from(fs::read_dir(&out).is_ok_and(|mut entries| {
                entries
                    .any(|e| e.unwrap().file_name().to_string_lossy().starts_with(".checkpoint-"))
            }));
        }
        runs += 1;
        for file in [
            "adapter_model.safetensors",
            "checkpoint-12/weights.safetensors",
            "checkpoint-12/optimizer.safetensors",
        ] {
            let same = fs::read(alone.join(file)).unwrap() == fs::read(out.join(file)).unwrap();
            assert!(same, "run {runs}, {file}");
        }
        assert_eq!(losses(&alone), losses(&out), "run {runs}");
        fs::remove_dir_all(&out).unwrap();
    }
    println!(
        "{killed} kills, {inside} of them inside a checkpoint's write; {runs} runs, all as one left alone"
    );
}

/// Steps and losses of a log, without what the clock decides.
fn losses(out: &Path) -> Vec<(u64, String)> {
    let log = fs::read_to_string(out.join("log.jsonl")).unwrap();
    let line = |line: &str| {
        let entry = crate::support::parse(line);
        (entry["step"].as_u64().unwrap(), entry["loss"].to_string())
    };
    log.lines().map(line).collect()
}
