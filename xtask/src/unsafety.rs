//! `unsafe` has one home, and there each use says why it is sound.
//!
//! Outside `crates/ixc-kernels` the keyword does not occur, in no test and no macro either. Inside, the
//! statement that holds it carries a `// SAFETY:` comment: on the line, or in the comment right above the
//! statement. An `unsafe fn` may have a `# Safety` section instead, which tells its caller the condition.

use crate::{
    Finding, Tree,
    rust::{code_only, word_offsets},
};
use anyhow::Result;

const HOME: &str = "crates/ixc-kernels/";

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for (path, text) in tree.rust() {
        let code = code_only(text);
        let code: Vec<&str> = code.lines().collect();
        let raw: Vec<&str> = text.lines().collect();
        for (index, line) in code.iter().enumerate() {
            if word_offsets(line, "unsafe").next().is_none() {
                continue;
            }
            let what = if !path.starts_with(HOME) {
                "unsafe outside ixc-kernels; call a safe function of that crate, or write one there"
            } else if !is_reasoned(&raw, &code, index) {
                "unsafe without its reason; say why it is sound in a // SAFETY: comment right above"
            } else {
                continue;
            };
            found.push(Finding::new(path, index + 1, what));
        }
    }
    Ok(found)
}

/// Whether the line, or the comment above its statement, says why it is sound.
fn is_reasoned(raw: &[&str], code: &[&str], index: usize) -> bool {
    let reasons = |line: &str| line.contains("SAFETY:") || line.contains("# Safety");
    if reasons(raw[index]) {
        return true;
    }
    for above in (0..index).rev() {
        let (words, symbols) = (raw[above].trim(), code[above].trim());
        if words.is_empty() {
            return false;
        }
        if symbols.is_empty() || symbols.starts_with("#[") {
            if reasons(words) {
                return true;
            }
        } else if symbols.ends_with([';', '{', '}', ',']) {
            return false; // the end of another statement, or the block around this one
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).unwrap().iter().map(|finding| finding.line).collect()
    }

    const REASONED: &str = "// SAFETY: in bounds, checked above,\n// and aligned.\nlet a =\n    f(unsafe { b });\n\n\
                            /// # Safety\n/// `c` is not null.\n#[inline]\npub unsafe fn d(c: *const u8) {}\n";

    #[test]
    fn unsafe_away_from_home_is_found_whatever_it_says() {
        assert_eq!(lines("crates/ixc-nn/src/lib.rs", REASONED), [4, 9]);
        assert_eq!(lines("crates/ixc-nn/src/lib.rs", "#![deny(unsafe_code)] // unsafe\n"), [0; 0]);
    }

    #[test]
    fn at_home_each_use_needs_its_own_reason() {
        assert_eq!(lines("crates/ixc-kernels/src/lib.rs", REASONED), [0; 0]);
        let bare = "// SAFETY: fine.\nlet a = unsafe { b };\nlet c = unsafe { d };\n\nunsafe impl Send for E {}\n";
        assert_eq!(lines("crates/ixc-kernels/src/lib.rs", bare), [3, 5]);
    }
}
