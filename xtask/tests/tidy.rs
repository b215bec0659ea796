//! The house's rules as tests, so that `cargo test --workspace` runs every check a reviewer would make.
//!
//! One test per check, named after it; `cargo xtask check NAME` prints the same findings.
//! That each check can fail is tested beside it, on made-up input.

use xtask::{CHECKS, Tree};

fn assert_clean(name: &str) {
    let check = CHECKS.iter().find(|check| check.name == name).expect("a check of that name");
    let findings = (check.run)(&Tree::read(&xtask::root()).unwrap()).unwrap();
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} ({} findings)\n{}", check.about, lines.len(), lines.join("\n"));
}

macro_rules! clean {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { assert_clean($name); })*

        #[test]
        fn every_check_has_its_test() {
            assert_eq!(CHECKS.iter().map(|check| check.name).collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

clean! {
    crates_know_only_those_below: "layers",
    dependencies_have_reasons_and_uses: "dependencies",
    libraries_are_quiet: "libraries",
    unsafe_stays_at_home: "unsafe",
    files_and_functions_are_short: "size",
    documents_name_what_exists: "documents",
    files_hold_no_stray_words: "words",
}
