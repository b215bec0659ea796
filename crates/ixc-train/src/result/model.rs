//! A whole model in the published form: the base's tensors, some of them changed.
//!
//! Each tensor keeps its name and its stored type. What is unchanged is copied byte for byte, with every
//! small file beside the base's weights: configuration, tokenizer, and the published code, which so loads
//! the result. Deliberately absent: quantised bases, whose weights a change would have to be rounded into.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use ixc_files as files;
use ixc_nn::weights::{Checkpoint, Keep, SHARD_BYTES, ShardWriter, Sink, TensorInfo, TensorPlan};

use super::{
    Base, Watch,
    changes::{Changes, Delta},
};
use crate::Error;

/// Endings of the files beside the weights that belong to a model.
const BESIDE: [&str; 6] = ["json", "py", "model", "txt", "md", "jinja"];

/// Files with such endings that belong to something else: other weights' index, an adapter.
const NOT_BESIDE: [&str; 2] = [".index.json", "adapter_config.json"];

/// Bytes of a file beside the weights at most; the largest published one, the tokenizer, has 1.5 MB.
const BESIDE_BYTES_MAX: u64 = 64 << 20;

/// Numbers that are made at a time.
const GROUP: usize = 1 << 22;

/// Bytes that are copied at a time.
const PIECE: usize = 32 << 20;

/// Checks that a whole model can be written over this base.
pub(super) fn check(base: Base) -> Result<(), Error> {
    let refuse =
        |problem: String| Err(Error::Recipe { place: base.folder.display().to_string(), problem });
    let quantised = base
        .checkpoint
        .names()
        .find(|name| base.checkpoint.info(name).is_some_and(|info| info.dtype.quant().is_some()));
    let hint = "take the full-precision checkpoint that these files were made from";
    match quantised {
        _ if base.config.gptq => {
            refuse(format!("a whole model cannot be made of 4-bit weights (GPTQ); {hint}"))
        }
        Some(name) => {
            refuse(format!("a whole model cannot be made of quantised weights ({name}); {hint}"))
        }
        None if !base.folder.join("config.json").is_file() => refuse(
            "expected config.json beside the base's weights, found none; take the published folder"
                .into(),
        ),
        None => Ok(()),
    }
}

/// Writes the model into a folder, the weights last.
pub(super) fn write(
    out: &Path,
    base: Base,
    changes: &Changes,
    watch: &mut Watch,
) -> Result<(), Error> {
    let checkpoint = base.checkpoint;
    if let Some(name) = changes.names().into_iter().find(|name| checkpoint.info(name).is_none()) {
        return Err(Error::Recipe {
            place: base.folder.display().to_string(),
            problem: format!("expected tensor {name} in the base, found none; it is another model"),
        });
    }
    let plan = |info: &TensorInfo| TensorPlan {
        name: info.name.clone(),
        dtype: info.dtype,
        shape: changes.shape(&info.name).map_or_else(|| info.shape.clone(), <[usize]>::to_vec),
    };
    let plans: Vec<TensorPlan> =
        checkpoint.names().filter_map(|name| checkpoint.info(name)).map(plan).collect();
    let bytes =
        |plan: &TensorPlan| (plan.shape.iter().product::<usize>() * plan.dtype.size()) as u64;
    let total = plans.iter().map(bytes).sum();
    let writer = ShardWriter::new(out, plans, SHARD_BYTES)?;
    for file in beside(base.folder)? {
        let text = fs::read(&file).map_err(Error::io("read", &file))?;
        let target = out.join(file.file_name().unwrap_or_default());
        files::replace(&target, |out| out.write_all(&text)).map_err(Error::io("write", &target))?;
    }
    let mut done = 0;
    writer.write::<Error>(|plan, sink| {
        let name = &plan.name;
        match (changes.whole(name)?, changes.delta(name)?) {
            (None, None) => copy(checkpoint, name, sink)?,
            (Some(whole), None) => sink.f32(&whole)?,
            (whole, Some(delta)) => add(checkpoint, plan, whole.as_deref(), &delta, sink)?,
        }
        checkpoint.release(name);
        done += bytes(plan);
        if watch(done, total).is_break() { Err(Error::Cancelled) } else { Ok(()) }
    })?;
    Ok(())
}

/// Copies a tensor as it is stored.
fn copy(checkpoint: &Checkpoint, name: &str, sink: &mut Sink) -> Result<(), Error> {
    let buffer = checkpoint.buffer(name)?;
    buffer.bytes().chunks(PIECE).try_for_each(|piece| Ok(sink.bytes(piece)?))
}

/// W + scale · B · A, a few rows at a time; W is the base's, unless it was trained as well.
fn add(
    checkpoint: &Checkpoint,
    plan: &TensorPlan,
    whole: Option<&[f32]>,
    delta: &Delta,
    sink: &mut Sink,
) -> Result<(), Error> {
    let &[rows, cols] = plan.shape.as_slice() else {
        unreachable!("LoRA was checked to be on matrices")
    };
    let weight = checkpoint.matrix(&plan.name, rows, cols, Keep::Stored)?;
    let a = Tensor::from_slice(&delta.a, (delta.rank, cols), &Device::Cpu).map_err(numbers)?;
    let height = (GROUP / cols).clamp(1, rows);
    let mut wide = vec![0f32; height * cols];
    for first in (0..rows).step_by(height) {
        let last = (first + height).min(rows);
        let wide = &mut wide[..(last - first) * cols];
        match whole {
            Some(whole) => wide.copy_from_slice(&whole[first * cols..last * cols]),
            None => weight.widen(first..last, wide),
        }
        let b = &delta.b[first * delta.rank..last * delta.rank];
        let b = Tensor::from_slice(b, (last - first, delta.rank), &Device::Cpu).map_err(numbers)?;
        let product = b.matmul(&a).and_then(|product| product.flatten_all()); // (rows, cols)
        let product = product.and_then(|product| product.to_vec1::<f32>()).map_err(numbers)?;
        let scale = delta.scale as f32;
        wide.iter_mut().zip(product).for_each(|(weight, change)| *weight += scale * change);
        sink.f32(wide)?;
    }
    Ok(())
}

fn numbers(error: candle_core::Error) -> Error {
    ixc_nn::Error::from(error).into()
}

/// The small files that lie beside a model's weights and belong to it.
fn beside(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let belongs = (BESIDE.contains(&ending) || name.starts_with("LICENSE"))
            && !name.starts_with('.')
            && !NOT_BESIDE.iter().any(|other| name.ends_with(other));
        let small = |path: &Path| {
            fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= BESIDE_BYTES_MAX)
        };
        if belongs && small(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
