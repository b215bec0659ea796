//! Results: what was trained, in the forms that others load.
//!
//! A whole model in the published file form, with every file that lay beside the base's weights, so that
//! whatever loads the base loads the result; or, where only LoRA and what PEFT saves along were trained, an
//! adapter in PEFT's form. [`merge`] makes a whole model of a base and an adapter. Tensors are streamed one
//! after another, in the base's stored precision; the recipe travels along.
//! Deliberately absent: quantisation (`ixc quantize` reads the result).

mod adapter;
mod changes;
mod model;

use std::{
    collections::BTreeSet,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use ixc_files as files;
use ixc_model::{
    ModelConfig,
    adapter::{Adapter, module_of},
};
use ixc_nn::weights::Checkpoint;

use crate::{
    Error,
    checkpoint::{RECIPE, Slot, write_text},
    recipe::Recipe,
    trainable::{Trainable, is_lora},
};

use changes::Changes;

/// The model that training began with.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// Its folder: `config.json` and what else lies beside the weights.
    pub folder: &'a Path,
    /// Its tensors.
    pub checkpoint: &'a Checkpoint,
    /// What it is.
    pub config: &'a ModelConfig,
}

/// Hears of bytes written so far and in all, and says whether to go on.
pub type Watch<'a> = dyn FnMut(u64, u64) -> ControlFlow<()> + 'a;

/// What a recipe's result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A whole model in the published form.
    Model,
    /// An adapter in PEFT's form.
    Adapter,
}

impl Form {
    /// The form of a run that trains tensors of these names: an adapter where PEFT has words for all of them,
    /// which are LoRA, and whole modules in which no layer has LoRA.
    pub fn of<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let (mut lora, mut whole) = (BTreeSet::new(), BTreeSet::new());
        for name in names {
            let side = if is_lora(name) { &mut lora } else { &mut whole };
            side.insert(module_of(name));
        }
        let saved = !whole.contains(&None) && lora.is_disjoint(&whole);
        if saved && !lora.is_empty() { Self::Adapter } else { Self::Model }
    }
}

/// Checks, before anything is trained, that the result can be written over this base, and returns its form.
///
/// # Errors
/// When a whole model would have to be made of quantised weights.
pub fn check(parameters: &[Trainable], base: Base) -> Result<Form, Error> {
    let form = Form::of(parameters.iter().map(|parameter| parameter.name.as_str()));
    if form == Form::Model {
        model::check(base)?;
    }
    Ok(form)
}

/// The name of a result's first file in a run's folder, where there is one.
///
/// # Errors
/// When the folder cannot be listed.
pub fn found(out: &Path) -> Result<Option<String>, Error> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(out).map_err(Error::io("list", out))? {
        names.extend(entry.map_err(Error::io("list", out))?.file_name().to_str().map(String::from));
    }
    names.sort();
    Ok(names.into_iter().find(|name| name.ends_with(".safetensors")))
}

/// Writes what was trained into the run's folder.
///
/// # Errors
/// When the folder holds weights already, the disk refuses, or `watch` breaks off; no weights are left
/// then.
pub fn write(
    out: &Path,
    recipe: &Recipe,
    base: Base,
    slots: &[Slot],
    watch: &mut Watch,
) -> Result<Form, Error> {
    let form = Form::of(slots.iter().map(|slot| slot.name));
    fs::create_dir_all(out).map_err(Error::io("make the folder", out))?;
    write_text(&out.join(RECIPE), &recipe.to_toml())?;
    match form {
        Form::Model => model::write(out, base, &Changes::trained(recipe, slots), watch)?,
        Form::Adapter => adapter::write(out, recipe, slots, watch)?,
    }
    Ok(form)
}

/// Adds an adapter to its base for good: W + scale · B · A in float32, rounded to W's stored precision. The
/// folder appears when it is complete; the adapter's recipe, where it has one, comes along.
///
/// # Errors
/// When the adapter does not fit the base, the base is quantised, the folder is there already, the disk
/// refuses, or `watch` breaks off; no folder is left then.
pub fn merge(base: Base, adapter: &Path, out: &Path, watch: &mut Watch) -> Result<(), Error> {
    let open = Adapter::open(adapter)?;
    open.check(base.config)?;
    model::check(base)?;
    let side = side_of(out)?;
    fs::create_dir(&side).map_err(Error::io("make the folder", &side))?;
    let written = fill(base, &open, adapter, &side, watch).and_then(|()| {
        fs::rename(&side, out).map_err(Error::io("rename", &side))?;
        let parent = files::folder_of(out);
        files::sync_folder(parent).map_err(Error::io("write", parent))
    });
    if written.is_err() {
        let _ = fs::remove_dir_all(&side);
    }
    written
}

fn fill(
    base: Base,
    open: &Adapter,
    adapter: &Path,
    side: &Path,
    watch: &mut Watch,
) -> Result<(), Error> {
    let recipe = adapter.join(RECIPE);
    if recipe.is_file() {
        fs::copy(&recipe, side.join(RECIPE)).map_err(Error::io("copy", &recipe))?;
    }
    model::write(side, base, &Changes::Adapter(open), watch)
}

/// A hidden name beside a folder that is to be made, once it is known that it can be.
pub(crate) fn side_of(out: &Path) -> Result<PathBuf, Error> {
    let empty = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(Error::io("list", out)(error)),
    };
    let Some(name) = out.file_name().filter(|_| empty) else {
        let found = "something".to_owned();
        return Err(ixc_nn::Error::Occupied { dir: out.into(), found }.into());
    };
    let parent = files::folder_of(out);
    fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
    let side = parent.join(format!(".{}.part", name.to_string_lossy()));
    if side.exists() {
        // An earlier try that was killed.
        fs::remove_dir_all(&side).map_err(Error::io("remove", &side))?;
    }
    Ok(side)
}
