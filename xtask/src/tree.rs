//! The checkout as the checks see it: every file's path and text, read once.
//!
//! Invariant: paths are relative to the workspace, with `/`, in order. Build output and whatever else
//! `.gitignore` anchors to the root is not part of the tree. A file that is not UTF-8 text has no text.
//! Deliberately absent: git. A source archive without history is checked the same way.

use anyhow::{Context, Result};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The file, relative to the workspace.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub what: String,
}

impl Finding {
    pub(crate) fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// One file of the checkout.
#[derive(Debug)]
pub struct File {
    /// Its path relative to the workspace.
    pub path: String,
    /// Its text; `None` for binary files.
    pub text: Option<String>,
}

/// All files of the checkout.
#[derive(Debug)]
pub struct Tree {
    /// The workspace's folder.
    pub root: PathBuf,
    /// Its files, in order of their paths.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads the checkout at `root`.
    ///
    /// # Errors
    /// When a folder or a file in it cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
        let mut skip: Vec<&str> =
            ignored.lines().filter_map(|line| line.strip_prefix('/')).collect();
        skip.push(".git");
        let mut tree = Self { root: root.into(), files: Vec::new() };
        tree.gather(root, "", &skip)?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn gather(&mut self, folder: &Path, prefix: &str, skip: &[&str]) -> Result<()> {
        let entries =
            fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if skip.contains(&path.as_str()) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.gather(&entry.path(), &format!("{path}/"), skip)?;
            } else if kind.is_file() {
                let bytes =
                    fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                let text = if bytes.contains(&0) { None } else { String::from_utf8(bytes).ok() };
                self.files.push(File { path, text });
            }
        }
        Ok(())
    }

    /// Every text file: its path and its text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }

    /// Every Rust file: its path and its text.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// The text of one file, or `None` where there is no such text file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts().find(|(file, _)| *file == path).map(|(_, text)| text)
    }

    /// Whether a file or a folder stands at `path`.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files.iter().any(|file| {
            file.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// A made-up checkout, for the tests of the checks.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file =
            |&(path, text): &(&str, &str)| File { path: path.into(), text: Some(text.into()) };
        Self { root: PathBuf::new(), files: files.iter().map(file).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_checkout_holds_this_file_and_no_build_output() {
        let tree = Tree::read(&crate::root()).unwrap();
        assert!(tree.text("xtask/src/tree.rs").unwrap().contains("this very sentence"));
        assert!(tree.has("xtask/src") && tree.has("xtask/src/") && !tree.has("xtask/sr"));
        assert!(!tree.has("target") && !tree.has(".git"));
    }
}
