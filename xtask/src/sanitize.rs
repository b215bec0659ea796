//! `cargo xtask sanitize [address|thread]`: tests of the code that is unsafe, watched by the compiler.
//!
//! AddressSanitizer sees every read and write outside its buffer, ThreadSanitizer two threads at one number
//! without an order between them. Both need a nightly compiler; they build below `target/sanitize`, beside the
//! other builds. Deliberately absent: Miri, which knows none of the vector instructions.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// One sanitizer: what the compiler is told, what the program is told, and what is run.
struct Sanitizer {
    name: &'static str,
    flags: &'static str,
    options: (&'static str, &'static str),
    runs: &'static [&'static [&'static str]],
}

const SANITIZERS: [Sanitizer; 2] = [
    Sanitizer {
        name: "address",
        flags: "-Zsanitizer=address",
        options: ("ASAN_OPTIONS", "detect_stack_use_after_return=1:strict_string_checks=1"),
        runs: &[
            &["test", "--package", "ixc-kernels"],
            &["test", "--package", "ixc-nn", "--test", "weights", "--test", "cache"],
            &["run", "--package", "ixc-engine", "--example", "damage", "--", "3000"],
        ],
    },
    Sanitizer {
        name: "thread",
        flags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
        options: ("TSAN_OPTIONS", "halt_on_error=1"),
        runs: &[
            &["test", "--package", "ixc-kernels", "--test", "threads"],
            &["test", "--package", "ixc-kernels", "--test", "kernels"],
        ],
    },
];

/// Runs the named sanitizer, or both.
///
/// # Errors
/// When there is no nightly toolchain, no such sanitizer, or a run finds something.
pub(crate) fn run(root: &Path, names: &[String]) -> Result<()> {
    let known = |name: &String| SANITIZERS.iter().any(|sanitizer| sanitizer.name == *name);
    if let Some(other) = names.iter().find(|name| !known(name)) {
        anyhow::bail!("expected address or thread, found {other:?}");
    }
    let host = host()?;
    for sanitizer in &SANITIZERS {
        if !names.is_empty() && !names.iter().any(|name| name == sanitizer.name) {
            continue;
        }
        for words in sanitizer.runs {
            println!("== {} sanitizer: cargo {}", sanitizer.name, words.join(" "));
            let (command, rest) = words.split_first().context("a command")?;
            let status = nightly("cargo")
                .current_dir(root)
                .env("RUSTFLAGS", sanitizer.flags)
                .env(sanitizer.options.0, sanitizer.options.1)
                .args([*command, "--target", host.as_str()])
                .arg("--target-dir")
                .arg(Path::new("target/sanitize").join(sanitizer.name))
                .args(rest)
                .status()?;
            ensure!(status.success(), "the {} sanitizer has found something", sanitizer.name);
        }
    }
    Ok(())
}

/// A tool of the nightly toolchain; what this run's own toolchain has set is not for it.
fn nightly(tool: &str) -> Command {
    let mut command = Command::new(tool);
    command.arg("+nightly");
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "RUSTDOC", "CARGO_ENCODED_RUSTFLAGS"] {
        command.env_remove(name);
    }
    command
}

/// The machine's target, as the nightly compiler names it.
fn host() -> Result<String> {
    const MISSING: &str = "sanitizers need a nightly compiler: rustup toolchain install nightly";
    let answer = nightly("rustc").arg("-vV").stderr(Stdio::null()).output().context(MISSING)?;
    ensure!(answer.status.success(), MISSING);
    let text = String::from_utf8(answer.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context(MISSING)?;
    Ok(host.to_owned())
}
