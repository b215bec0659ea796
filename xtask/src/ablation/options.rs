//! The flags of `cargo xtask ablation`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// How it is called.
pub(crate) const USAGE: &str = "\
cargo xtask ablation [--folder WORK] [--recipes DIR] [--ixc PATH] [--steps N] [--seeds 1,2,3] [--jobs N]
                     [--device cuda] [--scenes N] [--evaluate-device cuda] [--train-only | --evaluate-only]";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub(super) struct Options {
    /// The working folder of `cargo xtask mini`.
    pub(super) folder: PathBuf,
    /// Where the arms' recipes are.
    pub(super) recipes: PathBuf,
    /// The program; none: built here.
    pub(super) ixc: Option<PathBuf>,
    /// Steps of a run; none: the recipes'.
    pub(super) steps: Option<u64>,
    pub(super) seeds: Vec<u64>,
    /// How many runs, or examinations, at the same time.
    pub(super) jobs: usize,
    /// Where training computes.
    pub(super) device: String,
    /// How many scenes are asked about.
    pub(super) scenes: u64,
    /// Where examinations compute.
    pub(super) evaluate_device: String,
    pub(super) train: bool,
    pub(super) evaluate: bool,
}

impl Options {
    /// Reads flags; paths count from the current folder.
    pub(super) fn read(root: &Path, words: &[String]) -> Result<Self> {
        let beside = PathBuf::from("recipes/ablation");
        let mut all = Self {
            folder: root.join("target/mini"),
            recipes: if beside.is_dir() { beside } else { root.join("recipes/ablation") },
            ixc: None,
            steps: None,
            seeds: vec![1, 2, 3],
            jobs: 1,
            device: "cpu".into(),
            scenes: 200,
            evaluate_device: "cpu".into(),
            train: true,
            evaluate: true,
        };
        let mut words = words.iter();
        while let Some(flag) = words.next() {
            match flag.as_str() {
                "--train-only" => all.evaluate = false,
                "--evaluate-only" => all.train = false,
                _ => {
                    let value = words.next().with_context(|| format!("{flag}\n{USAGE}"))?;
                    all.set(flag, value)?;
                }
            }
        }
        ensure!(all.train || all.evaluate, "--train-only and --evaluate-only leave nothing to do");
        ensure!(all.jobs > 0 && all.scenes > 0, "--jobs, --scenes: expected 1 or more");
        ensure!(all.steps != Some(0), "--steps: expected 1 or more, found 0");
        all.folder = std::path::absolute(all.folder)?;
        all.recipes = std::path::absolute(all.recipes)?;
        all.ixc = all.ixc.map(std::path::absolute).transpose()?;
        Ok(all)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<()> {
        let number = || -> Result<u64> {
            value
                .parse()
                .with_context(|| format!("{flag}: expected a whole number, found {value:?}"))
        };
        match flag {
            "--folder" => self.folder = value.into(),
            "--recipes" => self.recipes = value.into(),
            "--ixc" => self.ixc = Some(value.into()),
            "--steps" => self.steps = Some(number()?),
            "--seeds" => {
                let seeds: Result<Vec<u64>, _> = value.split(',').map(str::parse).collect();
                let mut seeds = seeds.with_context(|| format!("--seeds: found {value:?}"))?;
                seeds.sort_unstable();
                seeds.dedup();
                self.seeds = seeds;
            }
            "--jobs" => self.jobs = number()? as usize,
            "--device" => self.device = value.into(),
            "--scenes" => self.scenes = number()?,
            "--evaluate-device" => self.evaluate_device = value.into(),
            _ => bail!("{flag} is no flag of it\n{USAGE}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Options> {
        let words: Vec<String> = words.split_whitespace().map(String::from).collect();
        Options::read(Path::new("/root"), &words)
    }

    #[test]
    fn flags_are_read() {
        let all = read("").unwrap();
        assert_eq!((all.seeds.len(), all.jobs, all.train && all.evaluate), (3, 1, true));
        let all =
            read("--folder w --seeds 3,1,3 --jobs 4 --steps 9 --device cuda --train-only").unwrap();
        assert_eq!((all.seeds, all.jobs, all.steps), (vec![1, 3], 4, Some(9)));
        assert!(all.folder.is_absolute() && all.train && !all.evaluate);
    }

    #[test]
    fn mistakes_are_told() {
        for words in [
            "--jobs",
            "--jobs 0",
            "--steps x",
            "--seeds a",
            "--other 1",
            "--train-only --evaluate-only",
        ] {
            assert!(read(words).is_err(), "{words}");
        }
    }
}
