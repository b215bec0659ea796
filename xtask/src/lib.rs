//! The rules of this house that a machine can check, one file each, over the text of the checkout.
//!
//! A check is a function from the [`Tree`] to its findings; all findings are reported, not the first.
//! Every rule is a table at the top of its file, so that changing a rule is changing a line.
//! Deliberately absent: anything the compiler, clippy, rustfmt or cargo-deny already says.

mod dependencies;
mod documents;
mod layers;
mod libraries;
mod rust;
mod size;
mod tree;
mod unsafety;
mod words;

pub use tree::{File, Finding, Tree};

/// One rule, by the name that `cargo xtask check NAME` takes.
#[derive(Debug)]
pub struct Check {
    /// What it is called.
    pub name: &'static str,
    /// What it holds, in one line.
    pub about: &'static str,
    /// Finds every place that breaks it.
    ///
    /// # Errors
    /// When the question itself cannot be answered: cargo does not run, a manifest is missing.
    pub run: fn(&Tree) -> anyhow::Result<Vec<Finding>>,
}

/// Every check, in the order of the house's floor plan and then from large to small.
pub const CHECKS: &[Check] = &[
    Check {
        name: "layers",
        about: "our crates know only the crates below them, and each outside crate has its place",
        run: layers::check,
    },
    Check {
        name: "dependencies",
        about: "each dependency is chosen in the root manifest, with its reason, and used",
        run: dependencies::check,
    },
    Check {
        name: "libraries",
        about: "libraries do not print, exit or read the environment",
        run: libraries::check,
    },
    Check {
        name: "unsafe",
        about: "unsafe lives in ixc-kernels alone, each with its SAFETY comment",
        run: unsafety::check,
    },
    Check {
        name: "size",
        about: "files open with a header, and files and functions stay short",
        run: size::check,
    },
    Check {
        name: "documents",
        about: "required documents exist, and the paths and links they name do too",
        run: documents::check,
    },
    Check {
        name: "words",
        about: "no machine paths, no registry addresses, no unfinished work, no trailing space",
        run: words::check,
    },
];

/// The folder this workspace stands in.
pub fn root() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask stands inside the workspace").to_path_buf()
}
