//! Another program on another file: llama.cpp's `llama-bench`, run between our own measurements.
//!
//! It gets the same sizes and threads, one repetition at a time. For prompts it runs as it comes and, where
//! it knows the flag, with `--repack 0`; the better median counts. What it prints is another program's:
//! anything unexpected is an error that shows it. Deliberately absent: building it, making its model.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde::{Deserialize, Serialize};

use super::{Sheet, Spread};
use crate::exit::Failure;

/// Positions that a process reads before it is timed, where it can be told to leave its own warm-up out:
/// its own reads the whole prompt once more.
const WARM_UP_POSITIONS: usize = 32;

/// How much of unexpected output is shown.
const SHOWN: usize = 400;

/// A program with a model.
pub(crate) struct Rival {
    program: PathBuf,
    model: PathBuf,
    threads: usize,
    /// Flags that it knows.
    repack: bool,
    no_warm_up: bool,
    /// Positions or words a second: by test and setting.
    samples: BTreeMap<(Test, &'static str), Vec<f64>>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    /// Reading so many positions.
    Prompt(usize),
    /// Words after so many positions.
    Words(usize),
}

/// One entry of its JSON; of all others nothing is asked.
#[derive(Debug, Deserialize)]
struct Entry {
    n_prompt: usize,
    n_gen: usize,
    #[serde(default)]
    n_depth: usize,
    avg_ts: f64,
}

/// One of our rows beside one of its tests.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    /// Our row.
    pub(crate) row: String,
    /// Its file.
    pub(crate) model: String,
    /// Its setting: the better one, where there were two.
    pub(crate) setting: &'static str,
    /// Its rate; for a row of seconds the rate of reading as many positions as the row's prompt.
    pub(crate) unit: &'static str,
    #[serde(flatten)]
    pub(crate) spread: Spread,
    pub(crate) samples: Vec<f64>,
    /// Our speed over its speed.
    pub(crate) ratio: f64,
}

impl Rival {
    /// Pairs programs with models; one program may serve all models.
    pub(crate) fn all(
        programs: &[PathBuf],
        models: &[PathBuf],
        threads: usize,
    ) -> Result<Vec<Self>, Failure> {
        if programs.len() > 1 && programs.len() != models.len() {
            return Err(Failure::mistake(format!(
                "expected one --against-llama-bench for all, or one for each --against-model; found {} \
                 and {}",
                programs.len(),
                models.len()
            )));
        }
        let programs = programs.iter().cycle();
        models
            .iter()
            .zip(programs)
            .map(|(model, program)| Self::new(program, model, threads))
            .collect()
    }

    fn new(program: &Path, model: &Path, threads: usize) -> Result<Self, Failure> {
        if !model.is_file() {
            return Err(Failure::mistake(format!(
                "--against-model {}: no such file",
                model.display()
            )));
        }
        let output = run(program, &["--help".into()])?;
        let mut help = String::from_utf8_lossy(&output.stdout).into_owned();
        help.push_str(&String::from_utf8_lossy(&output.stderr));
        if !help.contains("--n-prompt") {
            return Err(Failure::mistake(format!(
                "--against-llama-bench {}: expected llama.cpp's llama-bench, whose help has --n-prompt; \
                 its help says: {}",
                program.display(),
                shown(&help)
            )));
        }
        Ok(Self {
            program: program.into(),
            model: model.into(),
            threads,
            repack: help.contains("--repack"),
            no_warm_up: help.contains("--no-warmup"),
            samples: BTreeMap::new(),
        })
    }

    /// Its file's name.
    pub(crate) fn name(&self) -> String {
        let name = self.model.file_name().unwrap_or(self.model.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// Reads a prompt, once in each setting.
    pub(crate) fn read(&mut self, positions: usize) -> Result<(), Failure> {
        let sizes = match self.no_warm_up {
            true => format!("{WARM_UP_POSITIONS},{positions}"),
            false => positions.to_string(),
        };
        let mut arguments = vec!["-p", &sizes, "-n", "0"];
        if self.no_warm_up {
            arguments.push("--no-warmup");
        }
        self.sample(&arguments, "default", &[Test::Prompt(positions)])?;
        if self.repack {
            arguments.extend(["--repack", "0"]);
            self.sample(&arguments, "--repack 0", &[Test::Prompt(positions)])?;
        }
        Ok(())
    }

    /// Says words after each number of positions.
    pub(crate) fn speak(&mut self, words: usize, depths: &[usize]) -> Result<(), Failure> {
        let list: Vec<String> = depths.iter().map(ToString::to_string).collect();
        let tests: Vec<Test> = depths.iter().map(|&depth| Test::Words(depth)).collect();
        let arguments = ["-p", "0", "-n", &words.to_string(), "-d", &list.join(",")];
        self.sample(&arguments, "default", &tests)
    }

    /// Runs it, and keeps the rates of these tests.
    fn sample(
        &mut self,
        arguments: &[&str],
        setting: &'static str,
        tests: &[Test],
    ) -> Result<(), Failure> {
        let threads = self.threads.to_string();
        let mut all: Vec<String> = vec!["-m".into(), self.model.display().to_string()];
        all.extend(["-t", &threads, "-r", "1", "-o", "json"].map(String::from));
        all.extend(arguments.iter().map(ToString::to_string));
        let output = run(&self.program, &all)?;
        let complaint = |what: &str, text: &[u8]| {
            Failure::mistake(format!(
                "{} {}: {what}: {}",
                self.program.display(),
                all.join(" "),
                shown(&String::from_utf8_lossy(text))
            ))
        };
        if !output.status.success() {
            return Err(complaint(&format!("it failed ({})", output.status), &output.stderr));
        }
        let entries = parse(&output.stdout).map_err(|problem| {
            complaint(&format!("expected JSON, but {problem}; found"), &output.stdout)
        })?;
        for &test in tests {
            let entry = entries.iter().find(|entry| entry.is(test));
            let rate =
                entry.map(|entry| entry.avg_ts).filter(|rate| rate.is_finite() && *rate > 0.0);
            let Some(rate) = rate else {
                return Err(complaint(
                    &format!("expected a rate for {test:?}; found"),
                    &output.stdout,
                ));
            };
            self.samples.entry((test, setting)).or_default().push(rate);
        }
        Ok(())
    }

    /// Its tests beside our rows.
    pub(crate) fn compare(&self, sheet: &Sheet, positions: usize) -> Vec<Comparison> {
        let ids = ["prefill-text", "prefill-image", "first-word"];
        let prompts = ids.map(|id| (id.to_owned(), Test::Prompt(positions)));
        let depths = self.samples.keys().filter_map(|(test, _)| match test {
            Test::Words(depth) => Some((format!("decode-{depth}"), *test)),
            Test::Prompt(_) => None,
        });
        let pairs = prompts.into_iter().chain(depths);
        pairs.filter_map(|(id, test)| self.comparison(sheet, &id, test)).collect()
    }

    fn comparison(&self, sheet: &Sheet, id: &str, test: Test) -> Option<Comparison> {
        let row = sheet.row(id)?;
        let settings = self.samples.iter().filter(|((of, _), _)| *of == test);
        let (setting, samples) = settings
            .map(|((_, setting), samples)| (*setting, samples))
            .max_by(|(_, a), (_, b)| median(a).total_cmp(&median(b)))?;
        let spread = Spread::of(samples.iter().copied());
        let (unit, theirs) = match test {
            Test::Prompt(positions) => ("positions/s", positions as f64 / spread.median),
            Test::Words(_) => ("words/s", 1.0 / spread.median),
        };
        Some(Comparison {
            row: id.into(),
            model: self.name(),
            setting,
            unit,
            spread,
            samples: samples.clone(),
            ratio: theirs / row.median(),
        })
    }
}

impl Entry {
    fn is(&self, test: Test) -> bool {
        match test {
            Test::Prompt(positions) => {
                (self.n_prompt, self.n_gen, self.n_depth) == (positions, 0, 0)
            }
            Test::Words(depth) => self.n_prompt == 0 && self.n_gen > 0 && self.n_depth == depth,
        }
    }
}

fn median(samples: &[f64]) -> f64 {
    Spread::of(samples.iter().copied()).median
}

/// Runs a program to its end; what it prints is kept.
fn run(program: &Path, arguments: &[String]) -> Result<Output, Failure> {
    Command::new(program).args(arguments).stdin(Stdio::null()).output().map_err(|error| {
        Failure::mistake(format!(
            "--against-llama-bench {}: cannot run it: {error}",
            program.display()
        ))
        .with_hint("give the path of llama.cpp's llama-bench, built in release mode")
    })
}

/// The list of entries in its output; lines before it are other programs' chatter.
fn parse(stdout: &[u8]) -> Result<Vec<Entry>, String> {
    let text = String::from_utf8_lossy(stdout);
    let list = text
        .match_indices('[')
        .map(|(at, _)| at)
        .find(|&at| at == 0 || text[..at].ends_with('\n'))
        .ok_or("no line begins with [")?;
    let mut values = serde_json::Deserializer::from_str(&text[list..]).into_iter();
    values.next().ok_or("it ends")?.map_err(|error| error.to_string())
}

/// The beginning of a program's output.
fn shown(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "nothing".into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_llama_bench_prints_is_read() {
        let text =
            b"load_backend: loaded CPU\n[\n  {\"n_prompt\": 8, \"n_gen\": 0, \"n_depth\": 0, \
                     \"avg_ts\": 2.5, \"samples_ns\": [ 1 ]},\n  {\"n_prompt\": 0, \"n_gen\": 4, \
                     \"avg_ts\": 1.5}\n]\nbye\n";
        let entries = parse(text).unwrap();
        assert!(entries[0].is(Test::Prompt(8)) && !entries[0].is(Test::Words(0)));
        assert!(entries[1].is(Test::Words(0)) && !entries[1].is(Test::Words(8)));
        assert_eq!(entries[1].avg_ts, 1.5);
    }

    #[test]
    fn what_is_something_else_is_refused() {
        for text in ["", "| model | size |", "[{\"n_prompt\": 8}]", "[", "{\"a\": [1]}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(shown(" \n"), "nothing");
        assert_eq!(shown(&"é".repeat(500)).chars().count(), SHOWN + 1);
    }
}
