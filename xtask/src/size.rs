//! Files open with a header and stay short; so do functions.
//!
//! A file's unit tests at its end are not counted, nor are functions of tests. A function is measured from
//! the line of its `fn` to the closing brace at the same indentation, which rustfmt guarantees.
//! What must be longer stands in `EXCEPTIONS` with its reason, and leaves it when it has become short.

use crate::{
    Finding, Tree,
    rust::{code_only, is_test_file, lines_before_tests},
};
use anyhow::Result;

/// Lines of a file, without its unit tests.
const FILE_LIMIT: usize = 600;
/// Lines of a function, signature and closing brace included.
const FUNCTION_LIMIT: usize = 80;

/// What may be longer: file, function (empty: the file itself), and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// What may stand before `fn` on its line.
const MODIFIERS: &[&str] =
    &["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern"];

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    Ok(judge(tree, EXCEPTIONS))
}

fn judge(tree: &Tree, exceptions: &[(&str, &str, &str)]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut needed = vec![false; exceptions.len()];
    let mut excused = |path: &str, function: &str| {
        let index = exceptions.iter().position(|entry| (entry.0, entry.1) == (path, function));
        index.inspect(|&index| needed[index] = true).is_some()
    };
    for (path, text) in tree.rust() {
        if !text.starts_with("//!") {
            let what = "no header; open with //!: purpose, invariant, what is deliberately absent";
            found.push(Finding::new(path, 1, what));
        }
        let code = code_only(text);
        let lines = lines_before_tests(&code);
        if lines > FILE_LIMIT && !excused(path, "") {
            let what =
                format!("{lines} lines, the limit is {FILE_LIMIT}; split it where a reader would");
            found.push(Finding::new(path, lines, what));
        }
        if is_test_file(path) {
            continue;
        }
        let shipped: Vec<&str> = code.lines().take(lines).collect();
        for (start, name, length) in functions(&shipped) {
            if length > FUNCTION_LIMIT && !excused(path, name) {
                let what = format!(
                    "{name} has {length} lines, the limit is {FUNCTION_LIMIT}; give a part of it a name"
                );
                found.push(Finding::new(path, start + 1, what));
            }
        }
    }
    for ((path, function, _), _) in exceptions.iter().zip(needed).filter(|(_, needed)| !needed) {
        let what = format!("the exception for {path} {function} is not needed; delete it");
        found.push(Finding::new("xtask/src/size.rs", 1, what));
    }
    found
}

/// Every function with a body: the index of its first line, its name, its length in lines.
fn functions<'a>(code: &[&'a str]) -> Vec<(usize, &'a str, usize)> {
    let mut found = Vec::new();
    for (start, line) in code.iter().enumerate() {
        let Some(name) = function_name(line.trim_start()) else { continue };
        let indentation = line.len() - line.trim_start().len();
        let closes = |line: &&str| {
            line.split_at_checked(indentation).is_some_and(|(before, rest)| {
                before.trim().is_empty() && rest.starts_with(['}', ')'])
            })
        };
        let mut end = start;
        // The parenthesis that closes a long signature stands there too, and the body opens behind it.
        while !code[end].trim_end().ends_with(['}', ';']) || (end == start && opens_only(code[end]))
        {
            match code[end + 1..].iter().position(closes) {
                Some(offset) => end += 1 + offset,
                None => break,
            }
        }
        found.push((start, name, end - start + 1));
    }
    found
}

/// Whether a line opens a body that a later line closes.
fn opens_only(line: &str) -> bool {
    line.matches('{').count() > line.matches('}').count()
}

/// The name after `fn`, where the line begins a function.
fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| MODIFIERS.contains(word));
    if words.next()? != "fn" {
        return None;
    }
    let name = words.next()?;
    Some(name.split(['(', '<']).next().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str, exceptions: &[(&str, &str, &str)]) -> Vec<String> {
        judge(&Tree::of(&[(path, text)]), exceptions).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_missing_header_is_found() {
        assert_eq!(findings("a.rs", "//! A.\n", &[]), [""; 0]);
        assert!(findings("a.rs", "// A.\n", &[])[0].starts_with("a.rs:1: no header"));
    }

    #[test]
    fn a_long_file_is_found_without_its_tests() {
        let body = |lines: usize| format!("//! A.\n{}", "const A: u8 = 0;\n".repeat(lines - 1));
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(300));
        assert_eq!(findings("a.rs", &(body(600) + &tests), &[]), [""; 0]);
        assert!(findings("a.rs", &body(601), &[])[0].starts_with("a.rs:601: 601 lines"));
        assert_eq!(findings("a.rs", &body(601), &[("a.rs", "", "a table")]), [""; 0]);
    }

    #[test]
    fn a_long_function_is_found_and_a_short_one_is_not() {
        let function = |inside: usize| {
            let signature = "    pub(crate) fn long<T>(\n        a: T,\n    ) -> u8 {\n";
            format!("//! A.\nimpl A {{\n{signature}{}    }}\n}}\n", "        a();\n".repeat(inside))
        };
        assert_eq!(findings("a.rs", &function(76), &[]), [""; 0]);
        let found = findings("a.rs", &function(77), &[]);
        assert!(found[0].starts_with("a.rs:3: long has 81 lines"), "{found:?}");
        assert_eq!(findings("a.rs", &function(77), &[("a.rs", "long", "a table")]), [""; 0]);
        assert_eq!(findings("crates/a/tests/a.rs", &function(77), &[]), [""; 0]);
    }

    #[test]
    fn functions_of_every_layout_are_measured() {
        let code =
            ["fn a();", "fn b() {}", "fn c() {", "    d()", "}", "fn e(", ") where", "{", "}", "}"];
        let lengths: Vec<_> =
            functions(&code).into_iter().map(|(_, name, length)| (name, length)).collect();
        assert_eq!(lengths, [("a", 1), ("b", 1), ("c", 3), ("e", 4)]);
    }

    #[test]
    fn an_exception_that_nothing_needs_is_found() {
        let found = findings("a.rs", "//! A.\n", &[("a.rs", "short", "was long once")]);
        assert!(found[0].contains("is not needed"));
    }
}
