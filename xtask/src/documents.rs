//! Documents tell the truth about the tree: what they name is there.
//!
//! In every Markdown file, a path in backticks and the target of a local link must exist, counted from the
//! root of the workspace or from the document's own folder; `file::name` also wants the name in that file.
//! Deliberately absent: what documents say about anything but paths. Fenced blocks hold commands and output.

use crate::{Finding, Tree, rust::word_offsets};
use anyhow::Result;

/// Documents that must be there.
const REQUIRED: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs/log.md",
    "docs/paper-to-code.md",
    "fixtures/README.md",
];

/// Words in backticks that begin like this are paths, with an extension or without.
const OUR_FOLDERS: &[&str] = &["crates/", "docs/", "xtask/", "fixtures/", ".ci/", ".cargo/"];

/// Words in backticks that hold one of these are commands, patterns or addresses, not paths.
const NOT_A_PATH: &[char] = &[' ', '*', '<', '>', '{', '}', '$', '~', '…', '|', '=', '\\'];

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for required in REQUIRED {
        if !tree.has(required) {
            found.push(Finding::new(required, 1, "this document is required; write it"));
        }
    }
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            } else if !fenced {
                let spans = line
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .filter_map(|span| wrong_span(tree, path, span));
                let links = links(line).filter_map(|link| wrong_link(tree, path, link));
                found.extend(spans.chain(links).map(|what| Finding::new(path, index + 1, what)));
            }
        }
    }
    Ok(found)
}

/// What is wrong with a word in backticks, if it is a path.
fn wrong_span(tree: &Tree, document: &str, span: &str) -> Option<String> {
    let mut parts = span.split("::");
    let path = parts.next()?;
    let path = path.split_once(':').map_or(path, |(path, _)| path); // `file:line`
    if !looks_like_a_path(path) {
        return None;
    }
    let Some(file) = resolve(tree, document, path) else {
        return Some(format!("`{path}` does not exist; correct the path, or the sentence"));
    };
    let text = tree.text(&file)?;
    let missing = parts
        .map(|name| name.trim_end_matches("()"))
        .find(|name| word_offsets(text, name).next().is_none())?;
    Some(format!("`{path}` holds no {missing}; name what stands there now"))
}

/// Whether a word in backticks means a file or folder of this project.
fn looks_like_a_path(word: &str) -> bool {
    if word.contains(NOT_A_PATH) || word.starts_with(['/', '@', '-']) || word.starts_with("../") {
        return false;
    }
    let Some((_, file)) = word.rsplit_once('/') else { return false };
    let has_extension = file.rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty()
            && (1..=12).contains(&extension.len())
            && extension.starts_with(|first: char| first.is_ascii_lowercase())
            && extension.chars().all(|symbol| symbol.is_ascii_alphanumeric())
    });
    has_extension || OUR_FOLDERS.iter().any(|folder| word.starts_with(folder))
}

/// The targets of the links on a line: `[text](target)` and `[label]: target`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let labelled = line
        .starts_with('[')
        .then(|| line.split_once("]: "))
        .flatten()
        .and_then(|(_, target)| target.split_whitespace().next());
    inline.chain(labelled)
}

/// What is wrong with a link, if it is a local one.
fn wrong_link(tree: &Tree, document: &str, link: &str) -> Option<String> {
    let target = link.split('#').next().unwrap_or(link);
    if target.is_empty() || target.contains(':') {
        return None; // a heading of this document, or an address
    }
    let from = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let file = join(from, target);
    (!file.as_deref().is_some_and(|file| tree.has(file)))
        .then(|| format!("the link to {target} leads nowhere; correct it"))
}

/// The file or folder a document means by `path`: from the root, or from its own folder.
fn resolve(tree: &Tree, document: &str, path: &str) -> Option<String> {
    let from = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    ["", from].iter().filter_map(|folder| join(folder, path)).find(|file| tree.has(file))
}

/// `folder/path` with `.` and `..` resolved; `None` when it leaves the workspace.
fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Findings about one document in a tree that has every required one and `crates/a/src/b.rs`.
    fn findings(document: &str, text: &str) -> Vec<String> {
        let mut files: Vec<(&str, &str)> = REQUIRED.iter().map(|path| (*path, "")).collect();
        files.retain(|(path, _)| *path != document);
        files.extend([(document, text), ("crates/a/src/b.rs", "//! B.\nfn join() {}\n")]);
        check(&Tree::of(&files)).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_missing_document_is_found() {
        let found = check(&Tree::of(&[("README.md", "")])).unwrap();
        assert_eq!(found.len(), REQUIRED.len() - 1);
    }

    #[test]
    fn what_exists_and_what_is_no_path_passes() {
        let text = "`crates/a/src/b.rs`, `crates/a/src/b.rs::join`, `crates/a/`, `log.md`, `crates/a/src/b.rs:2`,\n\
                    `internlm/internlm-xcomposer2-vl-1_8b`, `../shared/goldens/x.json`, `w/h`, `cat a/b.txt`,\n\
                    `crates/*/src/x.rs`, `text/plain`, [log](log.md#top), [a](../crates/a), [b](https://x.y/z.md)\n\
                    ```\ncat `a/b.txt`\n```\n[a]: ../README.md\n";
        assert_eq!(findings("docs/paper-to-code.md", text), [""; 0]);
    }

    #[test]
    fn a_path_a_name_and_a_link_that_are_gone_are_found() {
        let text = "x `crates/c/` x `src/b.rs` x `crates/a/src/b.rs::split`\n\nx [log](log.md) `docs/x.toml`\n[x]: y\n";
        let found = findings("README.md", text);
        assert_eq!(found.len(), 6, "{found:#?}");
        assert!(found[0].starts_with("README.md:1: `crates/c/` does not exist"));
        assert!(found[2].contains("holds no split"));
        assert!(found[4].starts_with("README.md:3: the link to log.md leads nowhere"));
    }
}
