//! Checkpoints of training: everything a run needs to go on as if nothing had happened.
//!
//! A checkpoint is a folder `checkpoint-N` behind step N: the trained tensors' float32 masters
//! (`weights.safetensors`), AdamW's moments (`optimizer.safetensors`), where the run is (`state.json`), its
//! recipe (`recipe.toml`), and the digests of all these (`manifest.sha256`). It is written under a hidden
//! name, each file synced, the manifest last, and then renamed: so whatever stops the program or the
//! machine, what was whole before is whole after, and what has the name is complete.
//! [`resume`] trusts digests alone and takes the newest checkpoint that is as it was written.
//! Deliberately absent: frozen weights, which lie where the run began.

mod folder;
mod manifest;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use ixc_files as files;
use ixc_nn::weights::{Checkpoint, SHARD_BYTES, ShardWriter, StoredType, TensorPlan};
use serde::{Deserialize, Serialize};

use crate::{Error, data, recipe::Recipe, trainable::Trainable};

pub use folder::{Claim, prune};

const WEIGHTS: &str = "weights";
const OPTIMIZER: &str = "optimizer";
const STATE: &str = "state.json";
/// The recipe's name in checkpoints and beside results.
pub const RECIPE: &str = "recipe.toml";

/// Suffixes of the moments' names, as in PyTorch's optimiser state.
const MOMENTS: [&str; 2] = ["exp_avg", "exp_avg_sq"];

/// Version of `state.json` and of what lies beside it.
const FORMAT: u32 = 1;

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Steps that are done. Where dropout strikes depends on the recipe's seed and such numbers alone, so there
    /// is no other random state.
    pub step: u64,
    /// Steps among them that changed weights, which the optimiser counts.
    pub updates: u64,
    /// Samples that were learned from.
    pub samples: u64,
    /// Positions that were read.
    pub tokens: u64,
    /// Where the stream of samples goes on.
    pub data: data::Position,
    /// Which samples these are.
    pub dataset: data::Identity,
    /// What the next line of the log will be the mean of.
    pub window: Window,
    /// Bytes of the log that belong to these steps.
    pub log_bytes: u64,
    /// The best evaluation.
    pub best: Option<Best>,
    /// Evaluations since it.
    pub evaluations_since_best: u64,
}

impl Position {
    /// The beginning of a run on this data.
    pub fn new(dataset: data::Identity) -> Self {
        Self {
            step: 0,
            updates: 0,
            samples: 0,
            tokens: 0,
            data: data::Position::default(),
            dataset,
            window: Window::default(),
            log_bytes: 0,
            best: None,
            evaluations_since_best: 0,
        }
    }
}

/// Losses since the last line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Their sum over learned positions.
    pub loss: f64,
    /// How many positions those are.
    pub words: u64,
}

/// An evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Behind which step.
    pub step: u64,
    /// Its mean loss.
    pub loss: f64,
}

#[derive(Serialize, Deserialize)]
struct StateFile {
    format: u32,
    position: Position,
}

/// One trained tensor with all that the optimiser knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// Its name (see [`crate::trainable`]).
    pub name: &'a str,
    /// Extents, slowest first.
    pub shape: &'a [usize],
    /// float32 weights.
    pub master: &'a [f32],
    /// First moment.
    pub exp_avg: &'a [f32],
    /// Second moment.
    pub exp_avg_sq: &'a [f32],
}

/// Writes a checkpoint into the run's folder, and returns where it is.
///
/// # Errors
/// When the disk refuses or the numbers do not fit their shapes. Nothing of it is left then, and earlier
/// checkpoints are as they were.
pub fn write(
    out: &Path,
    recipe: &Recipe,
    position: &Position,
    slots: &[Slot],
) -> Result<PathBuf, Error> {
    folder::sweep(out)?;
    let place = folder::path(out, position.step);
    let side = folder::side(&place);
    let written = write_beside(&side, recipe, position, slots)
        .and_then(|()| folder::take_place(&side, &place));
    if written.is_err() {
        // What lies under a hidden name is swept by the next write, should this fail as well.
        let _ = fs::remove_dir_all(&side);
    }
    written.map(|()| place)
}

/// Fills a new folder, the manifest last.
fn write_beside(
    side: &Path,
    recipe: &Recipe,
    position: &Position,
    slots: &[Slot],
) -> Result<(), Error> {
    fs::create_dir(side).map_err(Error::io("make the folder", side))?;
    let plan = |name: String, slot: &Slot| TensorPlan {
        name,
        dtype: StoredType::F32,
        shape: slot.shape.into(),
    };
    let masters = slots.iter().map(|slot| plan(slot.name.into(), slot)).collect();
    let mut numbers = slots.iter().map(|slot| slot.master);
    write_tensors(side, WEIGHTS, masters, &mut numbers)?;
    let moments = slots
        .iter()
        .flat_map(|slot| MOMENTS.map(|moment| plan(moment_name(slot.name, moment), slot)));
    let mut numbers = slots.iter().flat_map(|slot| [slot.exp_avg, slot.exp_avg_sq]);
    write_tensors(side, OPTIMIZER, moments.collect(), &mut numbers)?;
    let state = StateFile { format: FORMAT, position: position.clone() };
    let state = serde_json::to_string_pretty(&state).expect("plain data");
    write_text(&side.join(STATE), &state)?;
    write_text(&side.join(RECIPE), &recipe.to_toml())?;
    manifest::write(side)
}

fn write_tensors(
    side: &Path,
    stem: &'static str,
    plans: Vec<TensorPlan>,
    numbers: &mut dyn Iterator<Item = &[f32]>,
) -> Result<(), Error> {
    // All of one type, so the writer keeps their order.
    ShardWriter::named(side, stem, plans, SHARD_BYTES)?
        .write::<ixc_nn::Error>(|_, sink| sink.f32(numbers.next().expect("as many as plans")))?;
    Ok(())
}

fn moment_name(name: &str, moment: &str) -> String {
    format!("{name}.{moment}")
}

/// Writes a text as a whole or not at all.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    files::replace(path, |out| out.write_all(text.as_bytes())).map_err(Error::io("write", path))
}

/// A checkpoint whose digests are right.
#[derive(Debug)]
pub struct Saved {
    /// Its folder.
    pub path: PathBuf,
    /// Where the run was.
    pub position: Position,
    /// What it was told to do.
    pub recipe: Recipe,
    weights: Checkpoint,
    optimizer: Checkpoint,
}

/// What [`resume`] found.
#[derive(Debug)]
pub struct Resumed {
    /// The newest checkpoint that is whole; none where there is none at all.
    pub saved: Option<Saved>,
    /// Newer ones that are not, each with what is wrong with it.
    pub passed_over: Vec<Error>,
}

/// Finds the newest checkpoint of a run that is as it was written. Reads all of its bytes, and those of
/// newer ones that turn out to be damaged.
///
/// # Errors
/// When there are checkpoints and all are damaged, or the folder cannot be listed.
pub fn resume(out: &Path) -> Result<Resumed, Error> {
    let mut passed_over = Vec::new();
    for path in folder::newest_first(out)? {
        match Saved::open(&path) {
            Ok(saved) => return Ok(Resumed { saved: Some(saved), passed_over }),
            Err(error) => passed_over.push(error),
        }
    }
    match passed_over.first() {
        None => Ok(Resumed { saved: None, passed_over }),
        Some(newest) => Err(Error::Damaged {
            path: out.into(),
            problem: format!(
                "none of the {} checkpoints is as it was written, so nothing can be resumed; the newest: {newest}",
                passed_over.len()
            ),
        }),
    }
}

/// Whether a run's folder holds any checkpoint, whole or not.
///
/// # Errors
/// When it cannot be listed.
pub fn any(out: &Path) -> Result<bool, Error> {
    Ok(!folder::newest_first(out)?.is_empty())
}

impl Saved {
    /// Opens the checkpoint behind a step.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of_step(out: &Path, step: u64) -> Result<Self, Error> {
        Self::open(&folder::path(out, step))
    }

    /// Opens one checkpoint and checks every byte of it.
    ///
    /// # Errors
    /// When anything is not as it was written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        manifest::verify(path)?;
        let damaged = |problem: String| Error::Damaged { path: path.join(STATE), problem };
        let state: serde_json::Value = serde_json::from_str(&read_text(&path.join(STATE))?)
            .map_err(|error| damaged(error.to_string()))?;
        if state["format"] != FORMAT {
            return Err(damaged(format!(
                "expected format {FORMAT}, found {}; it is of another version of this program",
                state["format"]
            )));
        }
        let state: StateFile =
            serde_json::from_value(state).map_err(|error| damaged(error.to_string()))?;
        let recipe = path.join(RECIPE);
        Ok(Self {
            path: path.into(),
            position: state.position,
            recipe: Recipe::parse(&read_text(&recipe)?, &recipe.display().to_string(), &[])?,
            weights: open_tensors(path, WEIGHTS)?,
            optimizer: open_tensors(path, OPTIMIZER)?,
        })
    }

    /// A parameter's master, first and second moment.
    ///
    /// # Errors
    /// When it is not there in that shape: the checkpoint is of another recipe or model.
    pub fn slot(&self, name: &str, shape: &[usize]) -> Result<[Vec<f32>; 3], Error> {
        let [first, second] = MOMENTS.map(|moment| moment_name(name, moment));
        Ok([
            self.weights.floats(name, shape)?,
            self.optimizer.floats(&first, shape)?,
            self.optimizer.floats(&second, shape)?,
        ])
    }

    /// Checks that exactly these parameters were trained.
    ///
    /// # Errors
    /// When one is missing, left over, or of another shape.
    pub fn check(&self, parameters: &[Trainable]) -> Result<(), Error> {
        let other = |problem: String| {
            let hint = "the checkpoint is of another recipe or model; choose another out";
            Err(Error::Damaged { path: self.path.clone(), problem: format!("{problem}: {hint}") })
        };
        for Trainable { name, shape, .. } in parameters {
            match self.weights.info(name) {
                Some(info) if info.shape == *shape => {}
                Some(info) => {
                    return other(format!(
                        "{name}: expected shape {shape:?}, found {:?}",
                        info.shape
                    ));
                }
                None => return other(format!("expected {name}, found no such tensor")),
            }
        }
        let left_over =
            self.weights.names().find(|&name| parameters.iter().all(|known| known.name != name));
        left_over.map_or(Ok(()), |name| other(format!("{name} is not trained by this recipe")))
    }
}

fn open_tensors(path: &Path, stem: &str) -> Result<Checkpoint, Error> {
    let index = path.join(format!("{stem}.safetensors.index.json"));
    let file = if index.is_file() { index } else { path.join(format!("{stem}.safetensors")) };
    Ok(Checkpoint::open(&file)?)
}

fn read_text(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}
