//! Dependencies are chosen once, in the root manifest, each with its reason, and leave when unused.
//!
//! A reason is a `#` comment on the entry's line, on the line above it, or at the head of the entry's
//! paragraph. Members take everything with `workspace = true`, lints included, so there is one version
//! and one set of rules. Deliberately absent: a TOML parser. Manifests here have one entry a line.

use crate::{Finding, Tree};
use anyhow::Result;

const ROOT: &str = "Cargo.toml";

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let root = tree.text(ROOT).unwrap_or_default();
    let members: Vec<(&str, &str)> =
        tree.texts().filter(|(path, _)| path.ends_with("/Cargo.toml")).collect();
    let mut found = Vec::new();
    let mut reason = false;
    for (index, line) in root.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('[') {
            reason = false;
        } else if line.starts_with('#') {
            reason = true;
        }
        let Some(name) = entry(root, index, "[workspace.dependencies]") else { continue };
        if !reason && !line.contains(" # ") {
            let what = format!("{name} came without a reason; say in a # comment what it is for");
            found.push(Finding::new(ROOT, index + 1, what));
        }
        let used = |(_, text): &(&str, &str)| {
            (0..text.lines().count()).any(|at| member_entry(text, at) == Some(name))
        };
        if !members.iter().any(used) {
            let what = format!("no member uses {name}; delete the line");
            found.push(Finding::new(ROOT, index + 1, what));
        }
    }
    for (path, text) in members {
        found.extend(judge_member(path, text));
    }
    Ok(found)
}

fn judge_member(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(name) = member_entry(text, index) else { continue };
        if !line.contains("workspace = true") {
            let what = format!(
                "{name} is chosen here; choose it in the root manifest, take it with workspace = true"
            );
            found.push(Finding::new(path, index + 1, what));
        }
    }
    if !text.contains("[lints]\nworkspace = true") {
        found.push(Finding::new(
            path,
            1,
            "without the house's lints; add [lints] workspace = true",
        ));
    }
    found
}

/// The dependency a member's manifest names on a line.
fn member_entry(manifest: &str, index: usize) -> Option<&str> {
    let header = section(manifest, index)?;
    header.trim_end_matches(']').ends_with("dependencies").then_some(())?;
    entry(manifest, index, header)
}

/// The key of the entry on a line of the section `header`.
fn entry<'a>(manifest: &'a str, index: usize, header: &str) -> Option<&'a str> {
    if section(manifest, index)? != header {
        return None;
    }
    let line = manifest.lines().nth(index)?;
    let (key, _) = line.split_once('=')?;
    let name = key.trim().split('.').next()?;
    (!name.is_empty() && !line.starts_with('#')).then_some(name)
}

/// The `[header]` a line stands under.
fn section(manifest: &str, index: usize) -> Option<&str> {
    let above: Vec<&str> = manifest.lines().take(index).collect();
    above.into_iter().rev().find(|line| line.starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "\n[lints]\nworkspace = true\n";

    fn findings(root: &str, member: &str) -> Vec<String> {
        let member = format!("{member}{LINTS}");
        let tree = Tree::of(&[("Cargo.toml", root), ("crates/a/Cargo.toml", &member)]);
        check(&tree).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn reasons_beside_above_and_at_the_head_of_a_paragraph_count() {
        let root = "[workspace.dependencies]\na = \"1\" # beside\n# above\nb = \"1\"\nc = { version = \"1\" }\n";
        let member = "[dependencies]\na.workspace = true\n[dev-dependencies]\nb = { workspace = true }\n\
                      [target.'cfg(unix)'.dependencies]\nc.workspace = true\n";
        assert_eq!(findings(root, member), [""; 0]);
    }

    #[test]
    fn a_dependency_without_reason_or_use_is_found() {
        let root = "[workspace.dependencies]\n# Files\na = \"1\"\n\nb = \"1\"\n";
        let found = findings(root, "[dependencies]\nb.workspace = true\n");
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("Cargo.toml:3: no member uses a"));
        assert!(found[1].starts_with("Cargo.toml:5: b came without a reason"));
    }

    #[test]
    fn a_version_chosen_by_a_member_and_missing_lints_are_found() {
        let found = findings("", "[dependencies]\na = \"1\"\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/a/Cargo.toml:2: a is chosen here"));
        assert_eq!(judge_member("m", "[package]\nname = \"m\"\n").len(), 1);
    }
}
