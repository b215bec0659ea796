//! Quantised files from strangers: whatever is wrong with one, an error says it, soon and within little memory.
//!
//! `handmade` holds what readers elsewhere were broken with, `random` any damage at all; the long run of it is
//! the example `damage`.

#![allow(clippy::print_stdout)] // figures belong on a test's output

#[path = "../common/mod.rs"]
mod common;
mod files;
mod handmade;
mod random;

/// Damaged files here: seconds. The example `damage` takes any number.
const FILES: usize = 250;

/// Bytes that one file may raise what the process holds by, and all of them what it asks the system for:
/// models of half a megabyte need a few.
const HELD_MAX: usize = 128 << 20;
const ASKED_MAX: usize = 1 << 30;

#[test]
fn damaged_files_are_refused_or_answer() {
    let folder = tempfile::tempdir().unwrap();
    let report = random::run(FILES, 1, folder.path());
    println!("{report}");
    assert!(report.panics.is_empty(), "{report}");
    assert!(report.held < HELD_MAX && report.asked < ASKED_MAX, "{report}");
    // Damage that never or always shows tests nothing, nor does damage that only one check sees.
    assert!(report.answered > FILES / 10 && report.refused.len() > 10, "{report}");
}
