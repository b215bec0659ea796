//! `cargo xtask demo`: the main job from end to end on a machine that has no weights yet.
//!
//! Makes a small random model below `target/` once, then asks it about a picture among the fixtures.
//! Its words mean nothing; every stage that a published checkpoint runs through does.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};

/// The folder of the random model, from the workspace's root.
const MODEL: &str = "target/demo-model";

/// Runs `ixc` with these arguments, built for release.
fn ixc(root: &Path, arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["run", "--quiet", "--release", "--package", "ixc", "--"])
        .args(arguments)
        .status()?;
    ensure!(status.success(), "ixc {} ended with {status}", arguments.join(" "));
    Ok(())
}

/// Makes the model where it is missing, and asks it.
///
/// # Errors
/// When cargo cannot be run, or `ixc` fails.
pub(crate) fn run(root: &Path) -> Result<()> {
    if !root.join(MODEL).join("config.json").is_file() {
        let tokenizer = "fixtures/tokenizer/tokenizer.model";
        ixc(root, &["init", "--like", "tiny", "--tokenizer", tokenizer, "--out", MODEL])?;
    }
    let picture = "fixtures/images/rgb_0_640x427.png";
    let question = "<ImageHere>What is this?";
    ixc(
        root,
        &[
            "run",
            "--model",
            MODEL,
            "--image",
            picture,
            question,
            "--greedy",
            "--max-new-tokens",
            "24",
        ],
    )
}
