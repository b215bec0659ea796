//! Where the tests find the reference's numbers, and how they compare with them.
//!
//! Two roots have the same form: `fixtures/` inside the project, always there, and the full goldens
//! (`IXC_GOLDENS`, by default `../shared/goldens` beside the project). A rung of the ladder runs on
//! every root that holds its folder; a missing full set is said loudly, never passed over.
//! Only tests depend on this crate, so it may read the environment and print, and it panics freely.

#![allow(clippy::print_stdout)] // the figures of the rungs belong on a test's output

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

/// The environment variable that names the folder with the full goldens.
pub const GOLDENS_VARIABLE: &str = "IXC_GOLDENS";

/// The environment variable that asks for longer runs of tests that do harm at random.
pub const FUZZ_VARIABLE: &str = "IXC_FUZZ_ROUNDS";

/// How often a test does harm, to a file or a process: so often, or as `IXC_FUZZ_ROUNDS` says.
///
/// # Panics
/// When the variable holds no number.
pub fn fuzz_rounds(usual: usize) -> usize {
    std::env::var(FUZZ_VARIABLE).map_or(usual, |rounds| {
        rounds.parse().unwrap_or_else(|error| panic!("{FUZZ_VARIABLE} {rounds:?}: {error}"))
    })
}

/// The workspace's own folder: that of the crate which cargo tests, or where this one was built.
fn workspace() -> PathBuf {
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let crate_folder = crate_folder.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    crate_folder.ancestors().nth(2).expect("crates/ixc-goldens").into()
}

/// The folder of the small extracts that travel with the project.
pub fn fixtures() -> PathBuf {
    workspace().join("fixtures")
}

/// The full goldens, or `None` (said on stderr) where the machine does not have them.
///
/// A folder that `IXC_GOLDENS` names must exist: a typing error there must not pass as a skip.
pub fn full() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(GOLDENS_VARIABLE) {
        let named = PathBuf::from(named);
        assert!(named.is_dir(), "{GOLDENS_VARIABLE} names {}, not a folder", named.display());
        return Some(named);
    }
    let beside = workspace().join("../shared/goldens");
    if beside.is_dir() {
        return Some(beside);
    }
    // Written past the test harness, which hides what a passing test prints.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: the full goldens are not at {}; set {GOLDENS_VARIABLE}. Only fixtures/ ran.",
        beside.display()
    );
    None
}

/// Every root the ladder stands on: the fixtures, then the full goldens.
pub fn roots() -> Vec<PathBuf> {
    std::iter::once(fixtures()).chain(full()).collect()
}

/// The folders named `name`, or whose names start with `name` and a dash, under every root.
///
/// # Panics
/// When no root has one: a rung that tests nothing is a failure.
pub fn folders(name: &str) -> Vec<PathBuf> {
    let prefix = format!("{name}-");
    let mut found = Vec::new();
    for root in roots() {
        let Ok(entries) = std::fs::read_dir(&root) else { continue };
        let mut here: Vec<PathBuf> = entries
            .map(|entry| entry.expect("readable golden root").path())
            .filter(|path| {
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                path.is_dir() && (file == name || file.starts_with(&prefix))
            })
            .collect();
        here.sort();
        found.extend(here);
    }
    assert!(!found.is_empty(), "no root has a folder {name}");
    found
}

/// The weight files of a model folder, one path for each form it comes in: a safetensors file, or the
/// index of `.bin` shards. `expected.safetensors`, which lies beside them, is none.
///
/// # Panics
/// When there are none.
pub fn weight_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a golden folder");
    let mut forms: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable golden folder").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name.ends_with(".safetensors") && name != "expected.safetensors")
                || name.ends_with(".bin.index.json")
        })
        .collect();
    forms.sort();
    assert!(!forms.is_empty(), "{} holds no weights", folder.display());
    forms
}

/// A JSON file, parsed.
pub fn json(path: &Path) -> serde_json::Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One expected tensor: its shape, and its values widened to f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Extents, slowest first.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f64>,
}

impl Expected {
    /// The values as the float32 the reference wrote.
    pub fn f32(&self) -> Vec<f32> {
        self.values.iter().map(|&value| value as f32).collect()
    }

    /// The values as integers (token ids, labels).
    pub fn i64(&self) -> Vec<i64> {
        self.values.iter().map(|&value| value as i64).collect()
    }
}

/// All tensors of a safetensors file of expectations.
pub fn tensors(path: &Path) -> BTreeMap<String, Expected> {
    use safetensors::{Dtype, SafeTensors};
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let widen = |dtype: Dtype, data: &[u8]| -> Vec<f64> {
        match dtype {
            Dtype::F32 => data
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()) as f64)
                .collect(),
            Dtype::I64 => data
                .chunks_exact(8)
                .map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64)
                .collect(),
            Dtype::I8 => data.iter().map(|&b| b as i8 as f64).collect(),
            Dtype::U8 => data.iter().map(|&b| b as f64).collect(),
            other => panic!("goldens hold no {other:?}"),
        }
    };
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let values = widen(view.dtype(), view.data());
            (name, Expected { shape: view.shape().to_vec(), values })
        })
        .collect()
}

/// The largest absolute difference over the expected tensor's own largest magnitude.
///
/// # Panics
/// When the lengths differ or a value is not a number.
pub fn deviation(found: &[f32], expected: &Expected) -> f64 {
    assert_eq!(found.len(), expected.values.len(), "as many values as {:?}", expected.shape);
    let scale = expected.values.iter().fold(0f64, |m, v| m.max(v.abs())).max(f64::MIN_POSITIVE);
    let worst = found.iter().zip(&expected.values).fold(0f64, |worst, (&f, &e)| {
        let difference = (f as f64 - e).abs();
        assert!(difference.is_finite(), "found {f} where {e} was expected");
        worst.max(difference)
    });
    worst / scale
}

/// What float32 must hold on hidden states and logits (`goldens/README.md`).
pub const TOLERANCE: f64 = 2e-4;

/// Asserts that a tensor stays within [`TOLERANCE`], prints the figure, and returns it.
pub fn assert_close(rung: &str, found: &[f32], expected: &Expected) -> f64 {
    let worst = deviation(found, expected);
    println!("{rung}: largest deviation {worst:.2e} of the tensor's maximum");
    assert!(worst <= TOLERANCE, "{rung}: deviation {worst:.3e} is over {TOLERANCE:e}");
    worst
}
