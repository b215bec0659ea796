//! Opens damaged quantised files, `damage [COUNT] [SEED]`, and says what came of them.
//!
//! The tests' own damage, in any number: 50 000 files take some minutes. Ends with 1 when a file made the
//! program panic, took more than a second to be refused, or more memory than such small models need.
#![allow(clippy::print_stdout)] // a program at a developer's terminal

#[path = "../tests/common/mod.rs"]
mod common;
#[allow(dead_code)] // of which the handmade files use the rest
#[path = "../tests/damaged/files.rs"]
mod files;
#[path = "../tests/damaged/random.rs"]
mod random;

use std::{process::ExitCode, time::Duration};

/// Bytes that one file may raise what the process holds by.
const HELD_MAX: usize = 128 << 20;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>().expect("a number"));
    let (count, seed) = (numbers.next().unwrap_or(50_000), numbers.next().unwrap_or(1));
    let folder = tempfile::tempdir().expect("a folder for the files");
    let report = random::run(count as usize, seed, folder.path());
    println!("{report}");
    let fine = report.panics.is_empty()
        && report.slowest[0] < Duration::from_secs(1)
        && report.held < HELD_MAX;
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
