//! Runs the binary away from the user's own files, and makes the model that the tests talk to.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use ixc_model::init::{self, Like};
use ixc_nn::weights::StoredType;
use serde_json::Value;

/// What a run of the program gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The output, of a run that must have ended well.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// The output as JSON, of a run that must have ended well.
    pub(crate) fn json(self) -> Value {
        parse(&self.ok())
    }

    /// The complaint, of a run that must have ended with this code and said nothing on stdout.
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "stderr: {}", self.stderr);
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        assert!(!self.stderr.contains('\u{1b}'), "no colours without a terminal: {}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self.stderr
    }
}

pub(crate) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}

/// The program, with none of the user's settings.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let home = scratch("home");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ixc"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().into_owned();
        if text.starts_with("HF_") || text.starts_with("IXC_") || text.starts_with("XDG_") {
            command.env_remove(name);
        }
    }
    command.env("HOME", home).args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program without input.
pub(crate) fn ixc(arguments: &[&str]) -> Ran {
    finish(&mut command(arguments))
}

/// Runs the program with this input.
pub(crate) fn ixc_with_input(arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that refuses its arguments does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    ran(child.wait_with_output().unwrap())
}

pub(crate) fn finish(command: &mut Command) -> Ran {
    ran(command.output().unwrap())
}

fn ran(output: std::process::Output) -> Ran {
    Ran {
        code: output.status.code().expect("it ended by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder for this test alone, empty.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// As [`scratch`], emptied first.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let folder = scratch(name);
    fs::remove_dir_all(&folder).unwrap();
    scratch(name)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path of the tests")
}

/// A file of the fixtures.
pub(crate) fn fixture(path: &str) -> PathBuf {
    ixc_goldens::fixtures().join(path)
}

/// A picture that every machine has.
pub(crate) fn photo() -> String {
    text(&fixture("images/rgb_0_640x427.png")).to_owned()
}

/// The positions a picture takes in the tiny model.
pub(crate) const IMAGE_TOKENS: u64 = 16;

/// The tiny model's folder.
pub(crate) fn tiny() -> &'static str {
    static TINY: OnceLock<PathBuf> = OnceLock::new();
    let folder = TINY.get_or_init(|| {
        let folder = fresh("tiny");
        let tokenizer = fixture("tokenizer/tokenizer.model");
        let (config, dtype) = (Like::Tiny.config(), StoredType::Bf16);
        init::write(&config, dtype, 7, Some(&tokenizer), &folder, &mut |_, _| {
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        folder
    });
    text(folder)
}

/// A folder with the tiny model's files, but for those named: links, so that nothing is copied.
pub(crate) fn tiny_without(name: &str, left_out: &[&str]) -> PathBuf {
    let folder = fresh(name);
    for entry in fs::read_dir(tiny()).unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name();
        if !left_out.iter().any(|name| file == **name) {
            fs::hard_link(entry.path(), folder.join(file)).unwrap();
        }
    }
    folder
}

/// The tiny model with another `config.json`.
pub(crate) fn tiny_configured(name: &str, change: impl Fn(&mut Value)) -> PathBuf {
    let folder = tiny_without(name, &["config.json"]);
    let mut config = ixc_goldens::json(&Path::new(tiny()).join("config.json"));
    change(&mut config);
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    folder
}
