//! Libraries are quiet and take what they need as arguments.
//!
//! No library reads the environment, prints or ends the process: configuration comes down from the door
//! as options, and words go up as values. The door, the test helper and this crate may.
//! Tests and examples of a library may print; the environment stays closed to them as well.

use crate::{
    Finding, Tree,
    rust::{code_only, is_test_file, lines_before_tests, word_offsets},
};
use anyhow::Result;

/// Where the process begins, and what never reaches a user.
const FREE: &[&str] = &["crates/ixc/", "crates/ixc-goldens/", "xtask/"];

/// What is closed to every file of a library, and what to do instead.
const CLOSED: &[(&str, &str)] = &[
    ("env::var", ENVIRONMENT),
    ("env::var_os", ENVIRONMENT),
    ("env::vars", ENVIRONMENT),
    ("env::vars_os", ENVIRONMENT),
    ("env::set_var", ENVIRONMENT),
    ("env::remove_var", ENVIRONMENT),
];

/// What is closed to the code of a library that ships.
const CLOSED_WHEN_SHIPPED: &[(&str, &str)] = &[
    ("process::exit", "return an error; the binary decides how to end"),
    ("process::abort", "return an error; the binary decides how to end"),
    ("print!", WORDS),
    ("println!", WORDS),
    ("eprint!", WORDS),
    ("eprintln!", WORDS),
];

const ENVIRONMENT: &str = "take the value as an argument; the binary reads the environment";
const WORDS: &str = "return a value or an event; the binary prints";

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for (path, text) in tree.rust() {
        if FREE.iter().any(|free| path.starts_with(free)) {
            continue;
        }
        let code = code_only(text);
        let shipped = if is_test_file(path) { 0 } else { lines_before_tests(&code) };
        for (index, line) in code.lines().enumerate() {
            let also = if index < shipped { CLOSED_WHEN_SHIPPED } else { &[] };
            for (word, instead) in CLOSED.iter().chain(also) {
                if word_offsets(line, word).next().is_some() {
                    found.push(Finding::new(
                        path,
                        index + 1,
                        format!("{word} in a library; {instead}"),
                    ));
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).unwrap().iter().map(|finding| finding.line).collect()
    }

    const LOUD: &str = "let a = std::env::var(\"A\");\n// env::var\nprintln!(\"env::var_os\");\n\
                        std::process::exit(1);\n\n#[cfg(test)]\nmod tests {\n    eprintln!();\n    env::vars();\n}\n";

    #[test]
    fn a_loud_library_is_found() {
        assert_eq!(findings("crates/ixc-nn/src/lib.rs", LOUD), [1, 3, 4, 9]);
    }

    #[test]
    fn tests_may_print_and_the_door_may_everything() {
        assert_eq!(findings("crates/ixc-nn/tests/ladder.rs", LOUD), [1, 9]);
        assert_eq!(findings("crates/ixc/src/main.rs", LOUD), [0; 0]);
    }
}
