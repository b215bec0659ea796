//! `cargo xtask mini`: the mini model from nothing, by the recipes in `recipes/mini/`.
//!
//! Each step makes one thing in the working folder and is passed over when that thing is there, and training goes
//! on behind its newest checkpoint: so the same command goes on after a stop, whatever stopped it. Seeds are
//! written here and in the recipes, so it makes the same model again (`docs/mini-model.md`).
//! Deliberately absent: anything that `ixc` does not do by itself, but for changes of weights between stages.

mod columns;
mod mean;
mod weights;
mod worlds;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use weights::Tensors;
use worlds::{WORLDS, World};

use crate::{
    cuda::libraries,
    program::{Program, built},
};

/// Decides which scenes, and how training begins.
const SEED: &str = "1";

/// Pieces of the tokenizer.
const VOCABULARY: &str = "2560";

/// The training stages, the paper's first: a recipe of each name writes a folder of that name.
const STAGES: [&str; 30] = [
    "1-language",
    PRETRAIN,
    SFT,
    SIDES,
    THINGS,
    AGAIN,
    WRITING,
    ARTICLES,
    PAIRS,
    ALL,
    PAIRED,
    CHOOSING,
    SIGNS,
    ONCE_MORE,
    STEPS,
    QUESTIONS,
    WHETHER,
    ALIKE,
    WHOLE,
    CAPTIONS,
    TITLES,
    RECOVERED,
    FOUND,
    PLACED,
    ORDER,
    CHOICES,
    FRESH,
    COLOURS,
    ALL_COLOURED,
    LAST,
];

/// Everything learns everything.
const SFT: &str = "3-sft";

/// The stage that teaches left and right, and what it begins with: the stage before with columns in its tower.
const SIDES: &str = "4-sides";
const COLUMNS: &str = "columns";

/// The stage about single things and several pictures.
const THINGS: &str = "5-things";

/// Everything again, and what it begins with: a part of the way that the two stages before it went.
const AGAIN: &str = "6-sft";
const BETWEEN: &str = "between";

/// Articles above all, among everything.
const WRITING: &str = "7-writing";

/// Articles alone; and beside that stage, from the same beginning, pairs of pictures and of things alone.
const ARTICLES: &str = "8-articles";
const PAIRS: &str = "9-pairs";

/// Everything again, and what it begins with: parts of the ways of both.
const ALL: &str = "10-all";
const TOGETHER: &str = "together";

/// Pairs above all, among everything; and what the stages behind it begin with: between that and the stage before.
const PAIRED: &str = "11-pairs";
const SETTLED: &str = "settled";

/// Which of some pictures is meant, alone; and beside that stage, from the same beginning, signs alone.
const CHOOSING: &str = "12-choosing";
const SIGNS: &str = "13-signs";

/// Everything again, and what it begins with: parts of the ways of both.
const ONCE_MORE: &str = "14-all";
const BOTH: &str = "both";

/// An article's steps above all, among everything; and what the last stage begins with: most of that way.
const STEPS: &str = "15-steps";
const STEPPED: &str = "stepped";

/// Questions, comparisons and articles above all; and most of that way.
const QUESTIONS: &str = "16-questions";
const ASKED: &str = "asked";

/// Whether it is so above all, among everything; and most of that way.
const WHETHER: &str = "17-whether";
const KNOWN: &str = "known";

/// Which of some pictures is meant that are alike, alone; and most of that way.
const ALIKE: &str = "18-alike";
const LIKENED: &str = "alike";

/// Everything again, and half of the way from the stage before last.
const WHOLE: &str = "19-all";
const WEIGHED: &str = "weighed";

/// Everything, questions and captions above all; and a part of that way.
const CAPTIONS: &str = "20-captions";
const CAPTIONED: &str = "captioned";

/// Captions of an article's sections, alone; and most of that way.
const TITLES: &str = "21-titles";
const TITLED: &str = "titled";

/// Everything again.
const RECOVERED: &str = "22-all";

/// Choosing among pictures as a search finds them, beside everything; then for texts that have pictures already.
const FOUND: &str = "23-found";
const PLACED: &str = "24-placed";

/// Choosing in that order above all; and what it begins with, a mean of all that came behind 17.
const ORDER: &str = "25-order";
const GATHERED: &str = "gathered";

/// Choices among pictures that are not alike; and what it begins with, between the stages before.
const CHOICES: &str = "26-choices";
const ORDERED: &str = "ordered";

/// Fresh samples of everything; and what it begins with, a mean of the three.
const FRESH: &str = "27-fresh";
const CHOSEN: &str = "chosen";

/// Whether two things have one colour, alone; and what it begins with, most of the way to the stage before.
const COLOURS: &str = "28-colours";
const FRESHENED: &str = "freshened";

/// Everything; and what it begins with, half of the way to the stage before.
const ALL_COLOURED: &str = "29-all";
const COLOURED: &str = "coloured";

/// First choices above all; what it begins with, a mean of the stages before; and the model, another with it.
const LAST: &str = "30-choices";
const RENEWED: &str = "renewed";
const MODEL: &str = "mini";

/// Models and the share of each, between them.
type Shares = &'static [(&'static str, f32)];

/// Means of models: the stage that begins with it, its name, and what it is made of.
const MEANS: [(&str, &str, Shares); 17] = [
    (AGAIN, BETWEEN, &[(COLUMNS, 0.25), (SIDES, 0.4), (THINGS, 0.35)]),
    (ALL, TOGETHER, &[(WRITING, -0.5), (ARTICLES, 0.8), (PAIRS, 0.7)]),
    (CHOOSING, SETTLED, &[(ALL, 0.65), (PAIRED, 0.35)]),
    (ONCE_MORE, BOTH, &[(SETTLED, -0.6), (CHOOSING, 0.9), (SIGNS, 0.7)]),
    (QUESTIONS, STEPPED, &[(ONCE_MORE, 0.4), (STEPS, 0.6)]),
    (WHETHER, ASKED, &[(STEPPED, 0.4), (QUESTIONS, 0.6)]),
    (ALIKE, KNOWN, &[(ASKED, 0.4), (WHETHER, 0.6)]),
    (WHOLE, LIKENED, &[(KNOWN, 0.4), (ALIKE, 0.6)]),
    (CAPTIONS, WEIGHED, &[(KNOWN, 0.5), (WHOLE, 0.5)]),
    (TITLES, CAPTIONED, &[(WEIGHED, 0.6), (CAPTIONS, 0.4)]),
    (RECOVERED, TITLED, &[(CAPTIONED, 0.2), (TITLES, 0.8)]),
    (ORDER, GATHERED, &[(KNOWN, 0.2), (RECOVERED, 0.2), (FOUND, 0.2), (PLACED, 0.4)]),
    (CHOICES, ORDERED, &[(PLACED, 0.4), (ORDER, 0.6)]),
    (FRESH, CHOSEN, &[(PLACED, 0.25), (ORDER, 0.5), (CHOICES, 0.25)]),
    (COLOURS, FRESHENED, &[(CHOSEN, 0.3), (FRESH, 0.7)]),
    (ALL_COLOURED, COLOURED, &[(FRESHENED, 0.5), (COLOURS, 0.5)]),
    (LAST, RENEWED, &[(CHOSEN, 0.25), (FRESH, 0.25), (ALL_COLOURED, 0.5)]),
];

/// The stage that trains the tower.
pub(crate) const PRETRAIN: &str = "2-pretrain";

/// What it begins with: a tower that knows nothing and the first stage's language model.
const PARTS: &str = "parts";

/// Pixels a side of the pictures, and rank of Partial LoRA, of `ixc init --like mini`.
pub(crate) const SIDE_AND_RANK: [&str; 4] = ["--side", "112", "--rank", "32"];

/// The precision of the file that ships.
const PRECISION: &str = "q8_0";

/// The file that the program carries.
const SHIPPED: &str = "models/mini.gguf";

/// Bytes that it may have.
const SHIPPED_BYTES_MAX: u64 = 24 << 20;

/// What is made, and how much of it.
struct Plan {
    root: PathBuf,
    program: Program,
    /// Of a trial: this share of scenes and steps, and nothing is shipped.
    share: f64,
    /// Where training computes.
    device: String,
}

/// Makes it. `words` may be `--share X`: a trial with that share of scenes and steps, in a folder of its own;
/// `--device cuda`: where it is trained; `--ixc PATH`: a program that was built for that.
///
/// # Errors
/// When a command fails, or the file would be too large.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<()> {
    let (mut share, mut device, mut ixc) = (1.0, String::from("cpu"), None);
    for pair in words.chunks(2) {
        match pair {
            [flag, value] if flag == "--share" => {
                share = value.parse().context("--share takes a number")?;
            }
            [flag, value] if flag == "--device" => device.clone_from(value),
            [flag, value] if flag == "--ixc" => ixc = Some(std::path::absolute(value)?),
            _ => bail!("cargo xtask mini [--share X] [--device cuda] [--ixc PATH]"),
        }
    }
    let ixc = ixc.map_or_else(|| built(root), Ok)?;
    ensure!(share > 0.0 && share <= 1.0, "--share: expected above 0 and up to 1, found {share}");
    let name = if share == 1.0 { "mini".into() } else { format!("mini-{share}") };
    let variables = match device.as_str() {
        "cpu" => Vec::new(),
        _ => vec![("LD_LIBRARY_PATH", libraries())],
    };
    let plan = Plan {
        root: root.into(),
        program: Program { ixc, folder: root.join("target").join(name), variables },
        share,
        device,
    };
    fs::create_dir_all(&plan.program.folder)?;
    plan.data()?;
    plan.beginning()?;
    for stage in STAGES {
        if stage == PRETRAIN {
            let parts = ["init", "--tower", "begin", "--language", "1-language", "--seed", SEED];
            plan.program.once(PARTS, &[&parts[..], &SIDE_AND_RANK].concat())?;
        }
        if stage == SIDES {
            plan.change(COLUMNS, &[SFT], |mut models| {
                columns::columns(&mut models[0])?;
                Ok(models.remove(0))
            })?;
        }
        for (_, name, of) in MEANS.into_iter().filter(|(before, ..)| *before == stage) {
            plan.mean(name, of)?;
        }
        plan.train(stage)?;
    }
    let shares = [(CHOSEN, 0.475), (FRESH, 0.075), (ALL_COLOURED, 0.15), (LAST, 0.3)];
    plan.mean(MODEL, &shares)?;
    plan.file()?;
    plan.evaluate()?;
    if share == 1.0 { plan.ship() } else { Ok(()) }
}

impl Plan {
    /// So much of a number, at least one.
    fn share(&self, of: u64) -> u64 {
        ((of as f64 * self.share).round() as u64).max(1)
    }

    /// The world's pictures and words; `ixc world` itself goes on where it stopped, and writes the list last.
    fn data(&self) -> Result<()> {
        WORLDS.iter().try_for_each(|&World { folder, split, seed, scenes, what, labels }| {
            let (out, count) = (format!("world/{folder}"), self.share(scenes).to_string());
            if self.program.folder.join(&out).join("data.txt").is_file() {
                return Ok(());
            }
            let world =
                ["world", "--out", &out, "--split", split, "--seed", seed, "--count", &count];
            let labels = if labels { &["--labels"][..] } else { &[] };
            self.program.run(&[&world[..], &["--what", what], labels].concat())
        })
    }

    /// The tokenizer, and the weights that training begins with.
    fn beginning(&self) -> Result<()> {
        let of = |folder, name| format!("world/{folder}/{name}.jsonl");
        let train = ["captions", "questions", "two", "edits", "language", "talk"];
        let mut files = train.map(|name| of("train", name)).to_vec();
        files.push(of("articles", "articles"));
        let files = files.iter().map(String::as_str);
        let arguments: Vec<&str> =
            ["tokenizer"].into_iter().chain(files).chain(["--size", VOCABULARY]).collect();
        self.program.once("tokenizer.model", &arguments)?;
        let tokenizer = ["--tokenizer", "tokenizer.model"];
        let init = ["init", "--like", "mini", "--dtype", "f32", "--seed", SEED];
        self.program.once("begin", &[&init[..], &tokenizer].concat())
    }

    /// A model made of others' weights, which has its name when it is whole.
    fn change(
        &self,
        name: &str,
        from: &[&str],
        make: impl FnOnce(Vec<Tensors>) -> Result<Tensors>,
    ) -> Result<()> {
        let folder = |name: &str| self.program.folder.join(name);
        if folder(name).exists() {
            return Ok(());
        }
        let (from, making): (Vec<PathBuf>, PathBuf) =
            (from.iter().map(|name| folder(name)).collect(), folder(&format!("{name}.part")));
        let from: Vec<&Path> = from.iter().map(PathBuf::as_path).collect();
        weights::write(&from, &making, make)?;
        fs::rename(making, folder(name)).with_context(|| name.to_owned())
    }

    /// A model between others, with a share of each.
    fn mean(&self, name: &str, of: &[(&str, f32)]) -> Result<()> {
        let (from, shares): (Vec<&str>, Vec<f32>) = of.iter().copied().unzip();
        self.change(name, &from, |models| mean::mean(&models, &shares))
    }

    /// One stage.
    fn train(&self, stage: &str) -> Result<()> {
        let out = self.program.folder.join(stage);
        if out.join("model.safetensors").is_file() {
            return Ok(());
        }
        let recipe = self.root.join("recipes/mini").join(format!("{stage}.toml"));
        let text = fs::read_to_string(&recipe).with_context(|| format!("{}", recipe.display()))?;
        let steps = max_steps(&text).with_context(|| format!("{}", recipe.display()))?;
        let steps = self.share(steps).to_string();
        let mut more = vec!["--device", &self.device];
        if self.share < 1.0 {
            more.extend(["--max-steps", &steps]);
        }
        self.program.train(&recipe, &out, &more)
    }

    /// The model in one file.
    fn file(&self) -> Result<()> {
        self.program.once("mini.gguf", &["quantize", MODEL, "--to", PRECISION])
    }

    /// What it can do.
    fn evaluate(&self) -> Result<()> {
        let scenes = self.share(2_000).to_string();
        self.program.run(&[
            "eval",
            "world",
            "--model",
            "mini.gguf",
            "--scenes",
            &scenes,
            "--out",
            "eval",
        ])
    }

    /// Puts the file into its place, and beside the recipes what tells how it came about.
    fn ship(&self) -> Result<()> {
        let file = self.program.folder.join("mini.gguf");
        let bytes = fs::metadata(&file)?.len();
        ensure!(
            bytes <= SHIPPED_BYTES_MAX,
            "{}: {bytes} bytes, the limit is {SHIPPED_BYTES_MAX}",
            file.display()
        );
        let logs = self.root.join("recipes/mini/log");
        fs::create_dir_all(&logs)?;
        for stage in STAGES {
            for end in ["jsonl", "svg"] {
                let from = if end == "svg" { "loss.svg" } else { "log.jsonl" };
                fs::copy(
                    self.program.folder.join(stage).join(from),
                    logs.join(format!("{stage}.{end}")),
                )?;
            }
        }
        for (from, to) in [("eval/world.json", "world.json"), ("eval/world.md", "world.md")] {
            fs::copy(self.program.folder.join(from), logs.join(to))?;
        }
        fs::copy(file, self.root.join(SHIPPED))?;
        eprintln!("{SHIPPED} and recipes/mini/log/ are what they were made to be; commit them");
        Ok(())
    }
}

/// The key of a recipe that says how long it takes.
pub(crate) fn max_steps(recipe: &str) -> Option<u64> {
    let line = recipe.lines().find(|line| line.starts_with("max_steps"))?;
    line.split_once('=')?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{STAGES, max_steps};

    #[test]
    fn every_stage_has_a_recipe_that_goes_on_from_one_before() {
        let bases = [
            "begin",
            super::PARTS,
            super::PRETRAIN,
            super::COLUMNS,
            super::SIDES,
            super::BETWEEN,
            super::AGAIN,
            super::WRITING,
            super::WRITING,
            super::TOGETHER,
            super::ALL,
            super::SETTLED,
            super::SETTLED,
            super::BOTH,
            super::ONCE_MORE,
            super::STEPPED,
            super::ASKED,
            super::KNOWN,
            super::LIKENED,
            super::WEIGHED,
            super::CAPTIONED,
            super::TITLED,
            super::RECOVERED,
            super::FOUND,
            super::GATHERED,
            super::ORDERED,
        ];
        for (stage, before) in STAGES.into_iter().zip(bases) {
            let path = xtask::root().join("recipes/mini").join(format!("{stage}.toml"));
            let text = std::fs::read_to_string(path).unwrap();
            assert!(max_steps(&text).is_some_and(|steps| steps > 0), "{stage}");
            assert!(text.contains(&format!("\nmodel = \"{before}\"\n")), "{stage}");
            assert!(text.contains(&format!("\nout = \"{stage}\"\n")), "{stage}");
        }
    }
}
