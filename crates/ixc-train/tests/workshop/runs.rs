//! Whole runs on a tiny model: what is learned, what a stop costs, what is refused.

use std::{fmt::Write as _, fs, ops::ControlFlow, path::Path, sync::Arc};

use ixc_input::tokenizer::Tokenizer;
use ixc_model::init::{self, Like};
use ixc_nn::weights::StoredType;
use ixc_train::{
    Error, Recipe,
    data::Run as Stretch,
    log::{Entry, entries},
    result::Form,
    run::{Ended, Event, Start, Why, preview, train},
};
use tempfile::TempDir;

use crate::support::{Model, names_in, on};

/// A base with the real words, data with pictures, and a place for runs.
struct Bench {
    model: Model,
    tokenizer: Arc<Tokenizer>,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let tokenizer = ixc_goldens::fixtures().join("tokenizer/tokenizer.model");
        let config = Like::Tiny.config();
        init::write(&config, StoredType::F32, 7, Some(&tokenizer), base.path(), &mut on).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let pictures = ixc_goldens::fixtures().join("images");
        for picture in ["rgb_9_337x336.png", "gray.png"] {
            fs::copy(pictures.join(picture), folder.path().join(picture)).unwrap();
        }
        let mut lines = String::new();
        for (number, word) in ["red", "green", "blue", "white", "black"].iter().enumerate() {
            let picture = ["rgb_9_337x336.png", "gray.png"][number % 2];
            let image =
                if number < 4 { format!("\"image\": [\"{picture}\"], ") } else { String::new() };
            let turns = format!(
                "[{{\"from\": \"user\", \"value\": \"number {number}\"}}, \
                 {{\"from\": \"assistant\", \"value\": \"{word}\"}}]"
            );
            writeln!(lines, "{{{image}\"conversations\": {turns}}}").unwrap();
        }
        fs::write(folder.path().join("data.jsonl"), lines).unwrap();
        let tokenizer = Arc::new(Tokenizer::from_file(&tokenizer).unwrap());
        Self { model: Model::open(base), tokenizer, folder }
    }

    fn recipe(&self, kind: &str, out: &str, lines: &str) -> Recipe {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let text = format!(
            "kind = \"{kind}\"\nmodel = \"base\"\ndata = [\"{}\"]\nout = \"{}\"\nprecision = \"f32\"\n\
             max_length = 512\nlearning_rate = 0.01\n{lines}",
            path("data.jsonl"),
            path(out)
        );
        Recipe::parse(&text, "recipe", &[]).unwrap()
    }

    fn start<'a>(&'a self, recipe: &'a Recipe, resume: bool) -> Start<'a> {
        Start { recipe, base: self.model.base(), tokenizer: self.tokenizer.clone(), resume }
    }

    /// Trains until the end, or until `stop` steps are done.
    fn train(&self, recipe: &Recipe, resume: bool, stop: u64) -> Result<Ended, Error> {
        train(&self.start(recipe, resume), &mut |event| match event {
            Event::Step(progress) if progress.steps.0 == stop => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    }

    fn refused(&self, recipe: &Recipe, resume: bool) -> String {
        self.train(recipe, resume, 0).unwrap_err().to_string()
    }

    fn out(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

/// The log without what the clock and the machine decide.
fn losses(out: &Path) -> Vec<(u64, &'static str, u64, u64)> {
    let bits = |entry| match entry {
        Entry::Train(line) => {
            (line.step, "train", f64::to_bits(line.loss), line.grad_norm.to_bits())
        }
        Entry::Eval(eval) => (eval.step, "eval", f64::to_bits(eval.loss), 0),
    };
    entries(out).unwrap().into_iter().map(bits).collect()
}

fn mean_loss(out: &Path, steps: std::ops::Range<u64>) -> f64 {
    let of = |entry| match entry {
        Entry::Train(line) if steps.contains(&line.step) => Some(line.loss),
        _ => None,
    };
    let found: Vec<f64> = entries(out).unwrap().into_iter().filter_map(of).collect();
    found.iter().sum::<f64>() / found.len() as f64
}

#[test]
fn a_run_learns_and_leaves_a_result_a_log_and_a_picture() {
    let bench = Bench::new();
    let lines = "lora_r = 4\nlora_alpha = 8\ngradient_accumulation_steps = 1\nbatch_size = 5\nmax_steps = 30\n\
                 save_steps = 10\nlora_target_modules = [\"wqkv\", \"wo\", \"w1\", \"w2\", \"w3\", \"output\"]\n";
    let recipe = bench.recipe("lora", "learns", lines);
    let mut saved = 0;
    let ended = train(&bench.start(&recipe, false), &mut |event| {
        saved += usize::from(matches!(event, Event::Saved(_)));
        ControlFlow::Continue(())
    });
    let ended = ended.unwrap();
    assert_eq!((ended.step, ended.why, saved), (30, Why::Done(Form::Adapter), 3));
    let out = bench.out("learns");
    let names = names_in(&out);
    for name in [
        "adapter_config.json",
        "adapter_model.safetensors",
        "checkpoint-20",
        "checkpoint-30",
        "log.jsonl",
        "loss.svg",
        "recipe.toml",
        "runs",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} among {names:?}");
    }
    assert!(!names.contains(&"checkpoint-10".to_owned()), "two are kept");
    let (before, after) = (mean_loss(&out, 1..4), mean_loss(&out, 28..31));
    println!("loss {before:.3} at first, {after:.3} at last");
    assert!(after < 0.7 * before, "{before} {after}");
    let message = bench.refused(&recipe, true);
    assert!(message.contains("holds a result already (adapter_model.safetensors)"), "{message}");
}

#[test]
fn a_run_that_was_stopped_goes_on_bit_for_bit() {
    let bench = Bench::new();
    // Two passes a step, lines of three steps, dropout, an evaluation, a checkpoint every other step.
    let lines = |kind: &str| {
        let rank = if kind == "lora" { "lora_r = 3\nfreeze_projector = false\n" } else { "" };
        let eval =
            format!("eval_data = [\"{}\"]\neval_steps = 4\n", bench.out("data.jsonl").display());
        format!(
            "{rank}{eval}gradient_accumulation_steps = 2\nbatch_size = 2\nmax_steps = 9\nsave_steps = 2\n\
             logging_steps = 3\nplora_dropout = 0.2\n"
        )
    };
    for (kind, result) in [("lora", "adapter_model.safetensors"), ("plora", "model.safetensors")] {
        let whole = bench.recipe(kind, &format!("{kind}-whole"), &lines(kind));
        bench.train(&whole, false, 0).unwrap();
        let parts = bench.recipe(kind, &format!("{kind}-parts"), &lines(kind));
        let mut resume = false;
        for stop in [3, 4, 8] {
            let ended = bench.train(&parts, resume, stop).unwrap();
            assert_eq!((ended.step, ended.why), (stop, Why::Asked));
            resume = true;
        }
        // As after a kill: the newest checkpoint lost, its steps done again.
        fs::remove_dir_all(parts.out.join("checkpoint-8")).unwrap();
        assert_eq!(bench.train(&parts, true, 0).unwrap().step, 9);
        let read = |recipe: &Recipe| fs::read(recipe.out.join(result)).unwrap();
        assert!(read(&whole) == read(&parts), "{kind}: the same weights");
        for file in ["weights.safetensors", "optimizer.safetensors"] {
            let read =
                |recipe: &Recipe| fs::read(recipe.out.join("checkpoint-9").join(file)).unwrap();
            assert!(read(&whole) == read(&parts), "{kind}: the same {file}");
        }
        assert_eq!(losses(&whole.out), losses(&parts.out), "{kind}: the same curve");
        assert_eq!(losses(&whole.out).len(), 3 + 3);
    }
}

#[test]
fn going_on_is_refused_where_it_would_be_another_run() {
    let bench = Bench::new();
    let lines = "lora_r = 2\nmax_steps = 3\ngradient_accumulation_steps = 1\n";
    let recipe = |more: &str| bench.recipe("lora", "once", &format!("{lines}{more}"));
    let message = bench.refused(&recipe(""), true);
    assert!(message.contains("expected a checkpoint, found none"), "{message}");
    bench.train(&recipe(""), false, 1).unwrap();
    let message = bench.refused(&recipe(""), false);
    assert!(message.contains("holds checkpoints of a run; --resume"), "{message}");
    let message = bench.refused(&recipe("seed = 3"), true);
    assert!(message.contains("began with seed = 0, and now it is 3"), "{message}");
    let message = bench.refused(&recipe("weight_decay = 0"), true);
    assert!(message.contains("weight_decay = 0.1, and now it is 0"), "{message}");
    let data = bench.out("data.jsonl");
    let text = fs::read_to_string(&data).unwrap();
    fs::write(&data, text.replace("blue", "pink")).unwrap();
    let message = bench.refused(&recipe(""), true);
    assert!(message.contains("SHA-256"), "{message}");
    fs::write(&data, text).unwrap();
    let ended = bench.train(&recipe("save_steps = 1\nthreads = 1\n"), true, 0).unwrap();
    assert_eq!(ended.step, 3);
}

#[test]
fn evaluations_that_get_no_better_end_a_run_with_the_best() {
    let bench = Bench::new();
    // What is learned says nothing of what is evaluated, so that soon no evaluation is better than before.
    let contrary = bench.out("contrary.jsonl");
    let answer = vec!["violet"; 40].join(" ");
    let turns = format!(
        "[{{\"from\": \"user\", \"value\": \"number 4\"}}, \
         {{\"from\": \"assistant\", \"value\": \"{answer}\"}}]"
    );
    fs::write(&contrary, format!("{{\"conversations\": {turns}}}\n")).unwrap();
    let lines = format!(
        "eval_data = [\"{}\"]\neval_steps = 1\nearly_stopping_patience = 3\nmax_steps = 40\nlora_r = 4\n\
         gradient_accumulation_steps = 1\nlr_scheduler_type = \"constant\"\nsave_total_limit = 1\n\
         weight_decay = 0\nmax_grad_norm = 0\n",
        contrary.display()
    );
    let mut recipe = bench.recipe("lora", "stale", &lines);
    recipe.learning_rate = 0.1;
    let ended = bench.train(&recipe, false, 0).unwrap();
    assert_eq!(ended.why, Why::Early(Form::Adapter));
    let best = ended.best.unwrap();
    assert_eq!(ended.step, best.step + 3);
    let evals = losses(&recipe.out).into_iter().filter(|(_, kind, ..)| *kind == "eval");
    let lowest = evals.map(|(.., loss, _)| f64::from_bits(loss)).fold(f64::INFINITY, f64::min);
    assert_eq!(best.loss, lowest);
    // The best checkpoint was kept, and its weights are the result.
    let numbers = |path: &Path, name: &str| {
        let checkpoint = ixc_nn::weights::Checkpoint::open(path).unwrap();
        checkpoint.floats(name, &checkpoint.info(name).unwrap().shape).unwrap()
    };
    let name = "model.layers.0.attention.wo.lora_B.weight";
    let kept = recipe.out.join(format!("checkpoint-{}/weights.safetensors", best.step));
    let result = recipe.out.join("adapter_model.safetensors");
    assert_eq!(numbers(&kept, name), numbers(&result, &format!("base_model.model.{name}")));
}

#[test]
fn a_broken_sample_ends_a_run_or_is_left_out_as_asked() {
    let bench = Bench::new();
    let data = bench.out("data.jsonl");
    let broken = "{\"conversations\": [{\"from\": \"user\", \"value\": \"alone\"}]}\n";
    fs::write(&data, fs::read_to_string(&data).unwrap() + broken).unwrap();
    let lines = "lora_r = 2\nmax_steps = 2\nbatch_size = 3\ngradient_accumulation_steps = 1\n";
    let message = bench.refused(&bench.recipe("lora", "fatal", lines), false);
    assert!(message.contains("data.jsonl, sample 5"), "{message}");
    let skip = bench.recipe("lora", "skip", &format!("{lines}on_broken_sample = \"skip\"\n"));
    let mut told = Vec::new();
    train(&bench.start(&skip, false), &mut |event| {
        if let Event::Broken(broken) = event {
            told.push(broken.to_string());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("sample 5"), "{told:?}");
}

#[test]
fn a_preview_shows_a_sample_with_its_mask_and_what_is_trained() {
    let bench = Bench::new();
    let recipe = bench.recipe("pretrain", "never", "batch_size = 2\n");
    let shown = preview(&bench.start(&recipe, false)).unwrap();
    assert!(!bench.out("never").exists(), "nothing is written");
    assert_eq!((shown.samples_per_epoch, shown.steps, shown.form), (5, 1, Form::Model));
    let learned: String = shown
        .sample
        .runs
        .iter()
        .filter_map(|run| match run {
            Stretch::Text { text, learned: true, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let word = ["red", "green", "blue", "white", "black"].iter().any(|word| learned.contains(word));
    assert!(word && !learned.contains("number"), "{learned}");
    let groups: Vec<&str> = shown.groups.iter().map(|group| group.group.name()).collect();
    assert_eq!(groups, ["tower", "projector", "plora"]);
    let trained: usize = shown.groups.iter().map(|group| group.numbers).sum();
    assert_eq!(shown.memory.trained, 16 * trained as u64);
    assert!(shown.memory.activations > 0 && shown.memory.frozen > 0);
    let packed =
        bench.recipe("pretrain", "packed", "batch_size = 2\npacking = true\nmax_steps = 1\n");
    let full = preview(&bench.start(&packed, false)).unwrap().memory.activations;
    assert!(
        full > shown.memory.activations,
        "a packed pass is full, however short its samples are"
    );
    assert!(shown.seconds_per_step > 0.0 && shown.seconds_per_step < 60.0);

    // Nothing to learn is refused, here as in a run.
    let silent = "{\"conversations\": [{\"from\": \"user\", \"value\": \"alone\"}]}\n";
    fs::write(bench.out("data.jsonl"), silent).unwrap();
    let message = preview(&bench.start(&recipe, false)).unwrap_err().to_string();
    assert!(message.contains("data.jsonl, sample 0"), "{message}");
}
