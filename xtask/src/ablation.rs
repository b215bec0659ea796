//! `cargo xtask ablation`: vision trained into one language model in four ways, and what that costs its language.
//!
//! parts → each arm of `recipes/ablation/` × seed → what a run changed → text and pictures examined → one file of
//! figures, a table, a plot; all in the folder `ablation` of one that `cargo xtask mini` made. What is there is
//! passed over, so the same command goes on after a stop. Training and examining may happen on two machines, the
//! first with neither cargo nor source tree: `ablation/results` is all that has to come back (docs/ablation.md).
//! Deliberately absent: anything that `ixc` does not do by itself.

mod changes;
mod figures;
mod options;
mod plot;
mod results;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    cuda::libraries,
    mini::{PRETRAIN, SIDE_AND_RANK, max_steps},
    program::{Program, built},
};
use changes::{Part, Tensors};
use figures::{Ablation, Run};
use options::Options;
pub(crate) use options::USAGE;
use results::{ADAPTER, CHANGES, MODEL, Training, training};

/// One way of training vision in.
struct Arm {
    /// Of its recipe.
    name: &'static str,
    /// What it trains, and nothing else may change.
    trains: &'static [Part],
}

const ARMS: [Arm; 4] = [
    Arm { name: "a-plora", trains: &[Part::Plora, Part::Projector] },
    Arm { name: "b-lora", trains: &[Part::Lora, Part::Projector] },
    Arm { name: "c-full", trains: &[Part::Language, Part::Projector] },
    Arm { name: "d-projector", trains: &[Part::Projector] },
];

/// Text that no model has learned from.
const TEXT: &str = "world/val/language.jsonl";

/// Parts of `ixc eval world`: vision that was trained, writing that was not.
const WHAT: &str = "questions,captions,edits,writing";

/// An arm with a seed.
#[derive(Clone, Copy)]
struct Job {
    arm: &'static Arm,
    seed: u64,
}

impl Job {
    fn name(self) -> String {
        format!("{}-{}", self.arm.name, self.seed)
    }
}

struct Plan {
    options: Options,
    program: Program,
    steps: u64,
}

/// Runs it.
///
/// # Errors
/// When a flag is wrong, a program fails, or a run changed what its arm leaves alone.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<()> {
    let options = Options::read(root, words)?;
    let ixc = options.ixc.as_ref().map_or_else(|| built(root), |ixc| Ok(ixc.clone()))?;
    let steps = match options.steps {
        Some(steps) => steps,
        None => max_steps(&fs::read_to_string(recipe(&options, &ARMS[0]))?)
            .with_context(|| format!("{}: no max_steps", ARMS[0].name))?,
    };
    let program = Program { ixc, folder: options.folder.clone(), variables: variables(&options)? };
    let plan = Plan { options, program, steps };
    fs::create_dir_all(plan.folder("results"))?;
    for seed in &plan.options.seeds {
        plan.parts(*seed)?;
    }
    let jobs: Vec<Job> = plan
        .options
        .seeds
        .iter()
        .flat_map(|&seed| ARMS.iter().map(move |arm| Job { arm, seed }))
        .collect();
    if plan.options.train {
        each(plan.options.jobs, &jobs, |job| plan.train(*job).with_context(|| job.name()))?;
    }
    if plan.options.evaluate { plan.evaluate(&jobs) } else { Ok(()) }
}

/// What `ixc` is told by its environment: where a GPU's libraries are, and its share of the cores.
fn variables(options: &Options) -> Result<Vec<(&'static str, String)>> {
    let mut variables = Vec::new();
    if [&options.device, &options.evaluate_device].iter().any(|device| *device != "cpu") {
        variables.push(("LD_LIBRARY_PATH", libraries()));
    }
    if options.jobs > 1 {
        let cores = std::thread::available_parallelism()?.get();
        variables.push(("RAYON_NUM_THREADS", (cores / options.jobs).max(1).to_string()));
    }
    Ok(variables)
}

fn recipe(options: &Options, arm: &Arm) -> PathBuf {
    options.recipes.join(format!("{}.toml", arm.name))
}

/// Does `work` for each item, so many at the same time; none is begun behind one that failed.
fn each<T: Sync>(jobs: usize, items: &[T], work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = work(item) {
                next.store(items.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })
}

/// The folder of what all arms of a seed begin with: its projector, its Partial LoRA.
fn parts(seed: u64) -> String {
    format!("ablation/parts-{seed}")
}

impl Plan {
    fn folder(&self, name: &str) -> PathBuf {
        self.program.folder.join("ablation").join(name)
    }

    fn parts(&self, seed: u64) -> Result<()> {
        let written = seed.to_string();
        let made = ["init", "--tower", PRETRAIN, "--language", "1-language", "--seed", &written];
        self.program.once(&parts(seed), &[&made[..], &SIDE_AND_RANK].concat())
    }

    /// The weights that all arms of a seed begin with.
    fn base(&self, seed: u64) -> Result<Tensors> {
        Tensors::read(&self.program.folder.join(parts(seed)).join(MODEL))
    }

    /// Where a run's result is.
    fn kept(&self, job: Job) -> PathBuf {
        self.folder("results").join(job.name())
    }

    /// One run, and what is kept of it.
    fn train(&self, job: Job) -> Result<()> {
        if let Some(training) = training(&self.kept(job))? {
            let (found, steps) = (training.steps, self.steps);
            ensure!(
                found == steps,
                "expected {steps} steps, found {found} in results; take --steps {found}, or remove it"
            );
            return Ok(());
        }
        let name = job.name();
        let (out, seed) = (self.folder("runs").join(&name), job.seed.to_string());
        if !out.join(MODEL).is_file() && !out.join(ADAPTER).is_file() {
            let (steps, parts) = (self.steps.to_string(), parts(job.seed));
            let written = format!("ablation/runs/{name}");
            let mut more = vec!["--model", &parts, "--out", &written, "--seed", &seed];
            more.extend(["--max-steps", &steps, "--device", &self.options.device]);
            if self.steps < LOGGING_STEPS {
                more.extend(["--logging-steps", &steps]);
            }
            self.program.train(&recipe(&self.options, job.arm), &out, &more)?;
        }
        let training = Training {
            arm: job.arm.name.into(),
            seed: job.seed,
            steps: self.steps,
            device: self.options.device.clone(),
            jobs: self.options.jobs,
            ..Training::default()
        };
        results::keep(&self.base(job.seed)?, &out, job.arm.trains, training, &self.kept(job))?;
        fs::remove_dir_all(out)?;
        Ok(())
    }

    /// Examines what is kept, and the language model as it was; then tells.
    fn evaluate(&self, jobs: &[Job]) -> Result<()> {
        let mut kept = Vec::new();
        for job in jobs {
            match training(&self.kept(*job))? {
                Some(training) => kept.push((*job, training)),
                None => eprintln!("{}: not trained, and left out", job.name()),
            }
        }
        let Some((_, first)) = kept.first() else {
            bail!("{}: no results", self.folder("results").display());
        };
        let steps = first.steps;
        for (job, training) in &kept {
            ensure!(training.steps == steps, "{}: other steps than {steps}", job.name());
            ensure!(
                training.base == self.base(job.seed)?.digest(),
                "{}: trained from other weights than those in {}",
                job.name(),
                parts(job.seed)
            );
        }
        let subjects: Vec<Option<Job>> =
            [None].into_iter().chain(kept.iter().map(|(job, _)| Some(*job))).collect();
        each(self.options.jobs, &subjects, |subject| self.examine(*subject))?;
        let run = |(job, training): &(Job, Training)| {
            Ok(Run {
                arm: training.arm.clone(),
                seed: training.seed,
                numbers: training.numbers.values().sum(),
                seconds_a_step: training.seconds_a_step,
                alone: training.jobs == 1,
                figures: self.figures(&job.name())?,
            })
        };
        let ablation = Ablation {
            steps,
            scenes: self.options.scenes,
            device: first.device.clone(),
            before: self.figures(BEFORE)?,
            runs: kept.iter().map(run).collect::<Result<_>>()?,
        };
        let json = serde_json::to_string_pretty(&ablation)? + "\n";
        fs::write(self.folder("ablation.json"), json)?;
        fs::write(self.folder("ablation.md"), figures::table(&ablation))?;
        fs::write(self.folder("ablation.svg"), plot::picture(&ablation))?;
        println!("{}", figures::table(&ablation));
        eprintln!("{}: ablation.json, ablation.md, ablation.svg", self.folder("").display());
        Ok(())
    }

    /// One model's figures; answers that were given are kept by `ixc`, which also sees whether they are this model's.
    fn examine(&self, subject: Option<Job>) -> Result<()> {
        let name = subject.map_or(BEFORE.into(), Job::name);
        let Some(job) = subject else {
            return self.ask(&name, &["--model", &parts(self.options.seeds[0])]);
        };
        let (base, kept) = (parts(job.seed), format!("ablation/results/{name}"));
        if self.program.folder.join(&kept).join(ADAPTER).is_file() {
            return self.ask(&name, &["--model", &base, "--adapter", &kept]);
        }
        let changes = Tensors::read(&self.program.folder.join(&kept).join(CHANGES))?;
        let whole = self.base(job.seed)?.with(&changes)?;
        let model = format!("ablation/models/{name}");
        let folder = self.program.folder.join(&model);
        fs::create_dir_all(&folder)?;
        for file in ["config.json", "tokenizer.model"] {
            fs::copy(self.program.folder.join(&base).join(file), folder.join(file))?;
        }
        fs::write(folder.join(MODEL), whole.bytes())?;
        self.ask(&name, &["--model", &model])?;
        fs::remove_dir_all(folder)?;
        Ok(())
    }

    fn ask(&self, name: &str, model: &[&str]) -> Result<()> {
        let (out, device) = (self.answers(name), &self.options.evaluate_device);
        fs::create_dir_all(&out)?;
        let mut held = [model, &["--device", device]].concat();
        if device != "cpu" {
            // A device's weights are bfloat16 otherwise, which would be another model.
            held.push("--exact");
        }
        let perplexity = [&["perplexity", "--data", TEXT, "--json"], &held[..]].concat();
        fs::write(out.join(PERPLEXITY), self.program.output(&perplexity)?)?;
        let (out, scenes) = (out.display().to_string(), self.options.scenes.to_string());
        let world = ["eval", "world", "--what", WHAT, "--scenes", &scenes, "--out", &out];
        self.program.output(&[&world[..], &held].concat())?;
        Ok(())
    }

    /// Where a model's answers to so many scenes are.
    fn answers(&self, name: &str) -> PathBuf {
        self.folder("evaluations").join(self.options.scenes.to_string()).join(name)
    }

    fn figures(&self, name: &str) -> Result<BTreeMap<String, f64>> {
        let answers = self.answers(name);
        let json = |file| -> Result<serde_json::Value> {
            Ok(serde_json::from_slice(&fs::read(answers.join(file))?)?)
        };
        Ok(figures::gather(&json(PERPLEXITY)?, &json("world.json")?))
    }
}

/// Steps between lines of the recipes' logs.
const LOGGING_STEPS: u64 = 20;

/// The language model before any vision.
const BEFORE: &str = "before";

/// What `ixc perplexity` said.
const PERPLEXITY: &str = "perplexity.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_differ_in_what_is_trained_alone() {
        let text = |arm: &Arm| {
            let path = xtask::root().join("recipes/ablation").join(format!("{}.toml", arm.name));
            fs::read_to_string(path).unwrap()
        };
        let same = |text: &str| text.split_once("\n# The same in all four").unwrap().1.to_owned();
        let first = text(&ARMS[0]);
        assert!(max_steps(&first).is_some_and(|steps| steps > 0));
        assert!(first.contains(&format!("\nlogging_steps = {LOGGING_STEPS}\n")));
        for arm in &ARMS {
            let text = text(arm);
            assert_eq!(same(&text), same(&first), "{}", arm.name);
            for line in first.lines().filter(|line| {
                ["model", "data", "eval_data", "seed", "learning_rate"]
                    .iter()
                    .any(|key| line.starts_with(&format!("{key} = ")))
            }) {
                assert!(text.contains(&format!("\n{line}\n")), "{}: {line}", arm.name);
            }
        }
        let [_, _, _, rank] = SIDE_AND_RANK;
        let scale_1 = format!("\nlora_r = {rank}\nlora_alpha = {rank}\n");
        assert!(text(&ARMS[1]).contains(&scale_1), "Partial LoRA's rank and scale");
    }

    #[test]
    fn every_item_is_done_once_and_none_behind_a_failure() {
        let items: Vec<usize> = (0..50).collect();
        let done = AtomicUsize::new(0);
        let add = |item: &usize| {
            done.fetch_add(1 + item, Ordering::Relaxed);
            Ok(())
        };
        each(3, &items, add).unwrap();
        assert_eq!(done.into_inner(), 50 + 49 * 50 / 2);
        let tried = AtomicUsize::new(0);
        let fail = |item: &usize| {
            tried.fetch_add(1, Ordering::Relaxed);
            ensure!(*item != 2, "no");
            Ok(())
        };
        assert!(each(1, &items, fail).is_err());
        assert_eq!(tried.into_inner(), 3);
    }
}
