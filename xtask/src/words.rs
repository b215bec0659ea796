//! Words that do not belong in a tracked file.
//!
//! Paths of one machine and addresses of package registries, in every text file but the lock file; signs of
//! unfinished work, in code and scripts; trailing space, everywhere. The words are put together from halves
//! here, so that this file does not hold them. Deliberately absent: spelling and taste.

use crate::{
    Finding, Tree,
    rust::{is_word, word_offsets},
};
use anyhow::Result;

/// Top folders of the machines this is developed on. (A user's home may stand in a test about homes.)
const MACHINE_FOLDERS: &[&str] =
    &[concat!("/", "work/"), concat!("/", "root/"), concat!("/", "farm/")];

/// Hosts of package registries and their mirrors.
const REGISTRIES: &[&str] = &[
    concat!("pypi", ".org"),
    concat!("registry.", "npmjs"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
    concat!("python", "hosted"),
];

/// Signs of unfinished work and of tests that do not test.
const UNFINISHED: &[&str] = &[
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("TO", "DO"),
    concat!("#[", "ignore"),
    concat!("assert!(", "true)"),
    concat!("not yet ", "implemented"),
    concat!("not ", "implemented"),
    concat!("place", "holder"),
    concat!("for ", "now"),
];

/// Files whose words are code.
const CODE: &[&str] = &[".rs", ".sh", ".py", ".ts", ".svelte", ".toml", ".ci/run"];

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for (path, text) in tree.texts() {
        let is_code = CODE.iter().any(|end| path.ends_with(end));
        let is_lock = path.ends_with("Cargo.lock");
        for (index, line) in text.lines().enumerate() {
            let complaints = [
                (!is_lock && machine_folder(line)).then_some("a path of one machine; take it out"),
                (!is_lock && REGISTRIES.iter().any(|host| line.contains(host)))
                    .then_some("the address of a package registry; take it out"),
                (is_code
                    && UNFINISHED.iter().any(|sign| word_offsets(line, sign).next().is_some()))
                .then_some("a sign of unfinished work; finish it, or cut it"),
                line.ends_with([' ', '\t', '\r'])
                    .then_some("space at the end of the line; delete it"),
            ];
            found.extend(
                complaints.into_iter().flatten().map(|what| Finding::new(path, index + 1, what)),
            );
        }
    }
    Ok(found)
}

/// Whether a line names a folder at the top of a file system.
fn machine_folder(line: &str) -> bool {
    let at_top = |offset: usize| {
        let before = line[..offset].chars().next_back();
        !before.is_some_and(|symbol| is_word(symbol) || symbol == '.')
    };
    MACHINE_FOLDERS
        .iter()
        .any(|folder| line.match_indices(folder).any(|(offset, _)| at_top(offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).unwrap().iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn each_kind_of_word_is_found() {
        for folder in MACHINE_FOLDERS {
            assert_eq!(
                lines("a.md", &format!("\nsee {folder}x\nand a{folder}x, ..{folder}x\n")),
                [2]
            );
        }
        for host in REGISTRIES {
            assert_eq!(lines("a.md", &format!("https://{host}/x\n")), [1]);
        }
        for sign in UNFINISHED {
            assert_eq!(lines("a.rs", &format!("// {sign} x\n")), [1], "{sign}");
        }
        assert_eq!(lines("a.json", "a\nb \nc\t\n"), [2, 3]);
    }

    #[test]
    fn words_elsewhere_pass() {
        assert_eq!(lines("CHANGELOG.md", concat!("what stands ", "for ", "now\n")), [0; 0]);
        assert_eq!(lines("a.rs", concat!("// ", "for ", "nowhere\n")), [0; 0]);
        assert_eq!(
            lines("Cargo.lock", concat!("source = \"https://static.", "crates.io\"\n")),
            [0; 0]
        );
    }
}
