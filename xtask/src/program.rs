//! The program, run in a working folder: what `mini` and `ablation` are made of.
//!
//! Invariant: what [`Program::once`] makes has its name only when it is whole, so whatever stopped a command, the
//! same command goes on. Deliberately absent: what is made.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// `ixc`, and the folder that its paths count from.
pub(crate) struct Program {
    pub(crate) ixc: PathBuf,
    pub(crate) folder: PathBuf,
    /// Environment variables that it gets besides ours.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// Builds `ixc` for release, and says where it is.
///
/// # Errors
/// When cargo fails.
pub(crate) fn built(root: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--release", "--package", "ixc"])
        .status()?;
    ensure!(status.success(), "building ixc ended with {status}");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or(root.join("target"), |target| root.join(target));
    Ok(target.join("release").join(format!("ixc{}", std::env::consts::EXE_SUFFIX)))
}

impl Program {
    fn command(&self, arguments: &[&str]) -> Command {
        eprintln!("ixc {}", arguments.join(" "));
        let mut command = Command::new(&self.ixc);
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.current_dir(&self.folder).args(arguments).envs(variables);
        command
    }

    /// Runs it.
    ///
    /// # Errors
    /// When it cannot be run, or fails.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<()> {
        let ixc = || self.ixc.display().to_string();
        let status = self.command(arguments).status().with_context(ixc)?;
        ensure!(status.success(), "ixc {} ended with {status}", arguments.join(" "));
        Ok(())
    }

    /// Runs it, and returns what it prints.
    ///
    /// # Errors
    /// When it cannot be run, or fails.
    pub(crate) fn output(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let ixc = || self.ixc.display().to_string();
        let output = self.command(arguments).stderr(Stdio::inherit()).output().with_context(ixc)?;
        let status = output.status;
        ensure!(status.success(), "ixc {} ended with {status}", arguments.join(" "));
        Ok(output.stdout)
    }

    /// Makes one thing under another name, which it gets when it is whole; nothing where it is there already.
    ///
    /// # Errors
    /// When the program fails, or the disk refuses.
    pub(crate) fn once(&self, name: &str, arguments: &[&str]) -> Result<()> {
        let (made, making) = (self.folder.join(name), self.folder.join(format!("{name}.part")));
        if made.exists() {
            return Ok(());
        }
        if making.is_dir() {
            fs::remove_dir_all(&making)?;
        } else if making.exists() {
            fs::remove_file(&making)?;
        }
        let out = making.display().to_string();
        self.run(&[arguments, &["--out", &out]].concat())?;
        fs::rename(&making, &made).with_context(|| format!("{}", made.display()))
    }

    /// Runs a recipe that writes into `out`, or goes on behind its newest checkpoint.
    ///
    /// # Errors
    /// When training fails.
    pub(crate) fn train(&self, recipe: &Path, out: &Path, more: &[&str]) -> Result<()> {
        let recipe = recipe.display().to_string();
        let mut arguments = [&["train", &recipe][..], more].concat();
        let begun = out.is_dir()
            && fs::read_dir(out)?
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with("checkpoint-"));
        if begun {
            arguments.push("--resume");
        }
        self.run(&arguments)
    }
}
