//! The project's only automation: `cargo xtask check [NAME]...`, `mini`, `ablation`, `sanitize` and
//! `cuda`.
//!
//! `check` runs the checks of the library beside it on this checkout and prints each finding as
//! `file:line: what, and what to do`. Exit status 0: clean, 1: findings, 2: a mistake in the call.
//! The same checks are tests (`xtask/tests/tidy.rs`), so `cargo test --workspace` needs no second command.
#![allow(clippy::print_stdout)] // a program at a developer's terminal

mod ablation;
mod cuda;
mod mini;
mod program;
mod sanitize;

use anyhow::Result;
use std::{path::Path, process::ExitCode};
use xtask::{CHECKS, Check, Tree};

fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = words.split_first() {
        let root = xtask::root();
        let job = match first.as_str() {
            "mini" => Some(mini::run as fn(&Path, &[String]) -> Result<()>),
            "ablation" => Some(ablation::run as _),
            "sanitize" => Some(sanitize::run as _),
            "cuda" => Some(cuda::run as _),
            _ => None,
        };
        if let Some(job) = job {
            job(&root, rest)?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let Some(wanted) = chosen(&words) else {
        println!(
            "cargo xtask mini [--share X] [--device cuda] [--ixc PATH]\n  makes the mini model from nothing, hours long; goes on where it stopped\n"
        );
        println!(
            "{}\n  trains vision into the mini model's language model in four ways, and compares them\n",
            ablation::USAGE
        );
        println!(
            "cargo xtask sanitize [address|thread]\n  runs the tests of unsafe code under a sanitizer\n"
        );
        println!(
            "cargo xtask cuda toolkit|pack|check FOLDER\n  makes a CUDA toolkit of Python packages, gathers a \
             build for another machine, checks it there\n"
        );
        println!("cargo xtask check [NAME]...\n\nChecks (all of them when none is named):");
        for check in CHECKS {
            println!("  {:<14}{}", check.name, check.about);
        }
        return Ok(ExitCode::from(2));
    };
    let tree = Tree::read(&xtask::root())?;
    let mut findings = 0;
    for check in wanted {
        let found = (check.run)(&tree)?;
        println!("{:<14}{}", check.name, if found.is_empty() { "clean" } else { "FINDINGS" });
        for finding in &found {
            println!("{finding}");
        }
        findings += found.len();
    }
    Ok(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The checks a command line asks for; `None` when it is not one of ours.
fn chosen(words: &[String]) -> Option<Vec<&'static Check>> {
    let (first, names) = words.split_first()?;
    if first != "check" {
        return None;
    }
    if names.is_empty() {
        return Some(CHECKS.iter().collect());
    }
    names.iter().map(|name| CHECKS.iter().find(|check| check.name == name)).collect()
}
