//! A checkpoint as one GGUF file, its decoder quantised.
//!
//! [`plan`] decides each tensor's type; [`write()`] streams one tensor after the other, a few rows at a time,
//! and tells how far the new numbers are from the old. The policy, in short: what is multiplied for every
//! word takes the asked type; what decides words or is small keeps more. The reasons stand in
//! `docs/quantisation.md`. Deliberately absent: the blocks themselves (`ixc-kernels`), the format (`ixc-nn`).

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use ixc_nn::{
    Matrix, Quant, bf16, f16,
    quant::{LARGEST, Loss},
    weights::{Checkpoint, GgufPlan, Keep, Sink, StoredType, TensorPlan, write_gguf},
};

use crate::{
    Error, ModelConfig, gguf, load, read,
    tensors::{self, ExpectedTensor, Part, short_name},
};

/// Numbers that are held as float32 at a time: 32 MiB.
const GROUP: usize = 8 << 20;

/// One row of so many is also quantised without importance, to tell what importance changes.
const PICKED: usize = 32;

/// What a file is made of, and where it goes.
#[derive(Clone, Debug)]
pub struct Options {
    /// The type of the decoder's linear layers.
    pub to: StoredType,
    /// The file.
    pub out: PathBuf,
    /// Whether it may replace another.
    pub replace: bool,
    /// The tokenizer's SentencePiece file, to go along.
    pub tokenizer: Option<Vec<u8>>,
    /// The model's name, for public tools.
    pub name: String,
    /// How much each input of a linear layer matters, by the published name of its weight.
    pub importance: BTreeMap<String, Vec<f32>>,
}

/// One tensor and the type that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Which.
    pub tensor: ExpectedTensor,
    /// Its type in the file.
    pub dtype: StoredType,
    /// Whether its rows are no whole number of the wanted type's blocks, so that it gets another.
    pub instead: bool,
}

/// What was written, by part and type.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// To which part of the model the tensors belong.
    pub part: Part,
    /// Their type in the file.
    pub dtype: StoredType,
    /// How many.
    pub tensors: usize,
    /// Numbers of them all.
    pub numbers: u64,
    /// Bytes of them all.
    pub bytes: u64,
    /// How far the numbers are from the source's.
    pub loss: Loss,
    /// How many of them have another type than their part wants, because their rows do not fit its blocks.
    pub instead: usize,
    /// What importance changed.
    pub gain: Gain,
}

/// What importance changed in some tensors: each one's error, its inputs weighted by their importance, in
/// rows picked from all over it. It is about the relative error of the layer's outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gain {
    /// Tensors that were quantised with importance.
    pub tensors: usize,
    /// Σ of their squared relative errors.
    with: f64,
    /// The same of the same rows quantised without.
    without: f64,
}

impl Gain {
    /// The root mean square of the tensors' relative errors with importance, and what it would be without.
    pub fn errors(self) -> (f64, f64) {
        let tensors = self.tensors.max(1) as f64;
        ((self.with / tensors).sqrt(), (self.without / tensors).sqrt())
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            tensors: self.tensors + other.tensors,
            with: self.with + other.with,
            without: self.without + other.without,
        }
    }

    /// One tensor's.
    fn of(with: Loss, without: Loss) -> Self {
        Self { tensors: 1, with: with.relative().powi(2), without: without.relative().powi(2) }
    }
}

/// The type of each tensor when the decoder's linear layers become `to`.
pub fn plan(config: &ModelConfig, checkpoint: &Checkpoint, to: StoredType) -> Vec<Planned> {
    let each = |tensor: ExpectedTensor| {
        let stored = checkpoint.info(&tensor.name).map(|info| info.dtype);
        let wanted = wanted(&tensor, to, stored);
        let inputs = tensor.shape.last().copied().unwrap_or(1);
        let dtype = fitting(wanted, inputs, stored);
        Planned { tensor, dtype, instead: dtype != wanted }
    };
    tensors::expected(config).into_iter().map(each).collect()
}

/// The type that the policy gives a tensor.
fn wanted(tensor: &ExpectedTensor, to: StoredType, stored: Option<StoredType>) -> StoredType {
    let small = tensor.shape.len() != 2 || tensor.name.contains(".embeddings.");
    if small {
        return StoredType::F32; // norms, biases, separators, the tower's tables
    }
    if to.quant().is_none() {
        return to;
    }
    match tensor.part {
        Part::Decoder => to,
        Part::Words if tensor.name.contains("tok_embeddings") => StoredType::Q8_0,
        Part::Words if to == StoredType::Q8_0 => StoredType::Q8_0,
        Part::Words => StoredType::Q6K,
        Part::Plora => StoredType::Q8_0,
        Part::Tower | Part::Projector => half(stored),
    }
}

/// 16 bits of the kind that the source has.
fn half(stored: Option<StoredType>) -> StoredType {
    if stored == Some(StoredType::F16) { StoredType::F16 } else { StoredType::Bf16 }
}

/// The wanted type where rows are whole blocks of it, else the next with smaller blocks.
fn fitting(wanted: StoredType, inputs: usize, stored: Option<StoredType>) -> StoredType {
    let smaller = match wanted {
        StoredType::Q4K => StoredType::Q4_0,
        StoredType::Q6K => StoredType::Q8_0,
        _ => half(stored),
    };
    let fits = |dtype: &StoredType| inputs.is_multiple_of(dtype.block());
    [wanted, smaller].into_iter().find(fits).unwrap_or(half(stored))
}

/// The number by which public tools know the type of most tensors.
fn file_type(to: StoredType) -> u32 {
    match to {
        StoredType::F16 => 1,
        StoredType::Q4_0 => 2,
        StoredType::Q8_0 => 7,
        StoredType::Q4K => 15,
        StoredType::Q6K => 18,
        StoredType::Bf16 => 32,
        _ => 0,
    }
}

/// What the file will be: keys, tensors, sizes.
///
/// # Errors
/// When tensors are missing or the configuration cannot be read.
pub fn file(
    folder: &Path,
    config: &ModelConfig,
    checkpoint: &Checkpoint,
    plan: &[Planned],
    options: &Options,
) -> Result<GgufPlan, Error> {
    load::check_complete(config, checkpoint)?;
    let (mut text, path) = read::config_text(folder, checkpoint)?;
    if config.gptq {
        text = without_gptq(&text).map_err(|problem| Error::Config { path, problem })?;
    }
    let planned = |planned: &Planned| TensorPlan {
        name: short_name(&planned.tensor.name).expect("every tensor of the model has one"),
        dtype: planned.dtype,
        shape: planned.tensor.shape.clone(),
    };
    let tokenizer = options.tokenizer.clone();
    Ok(GgufPlan {
        path: options.out.clone(),
        replace: options.replace,
        metadata: gguf::metadata(config, &options.name, file_type(options.to), text, tokenizer),
        tensors: plan.iter().map(planned).collect(),
    })
}

/// A configuration whose weights are no longer GPTQ's.
fn without_gptq(text: &str) -> Result<String, String> {
    let mut config: serde_json::Value =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    if let Some(keys) = config.as_object_mut() {
        keys.remove("quantization_config");
    }
    Ok(config.to_string())
}

/// Writes the file. `progress` hears of source numbers done so far and in all, and says whether to go on.
///
/// # Errors
/// When a tensor cannot be read or quantised, the file is there already, the disk refuses, or `progress`
/// breaks off; nothing is left then.
pub fn write(
    file: &GgufPlan,
    checkpoint: &Checkpoint,
    plan: &[Planned],
    importance: &BTreeMap<String, Vec<f32>>,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(u64, Vec<Written>), Error> {
    let count = |planned: &Planned| planned.tensor.shape.iter().product::<usize>() as u64;
    let total: u64 = plan.iter().map(count).sum();
    let mut done = 0;
    let mut written: BTreeMap<(Part, StoredType), Written> = BTreeMap::new();
    let mut next = plan.iter();
    let bytes = write_gguf::<Error>(file, |_, sink| {
        let planned = next.next().expect("as many as the file has");
        let importance = importance.get(&planned.tensor.name).map(Vec::as_slice);
        let mut bytes = 0;
        let (loss, gain) = convert(checkpoint, planned, importance, sink, &mut |numbers, size| {
            done += numbers as u64;
            bytes += size as u64;
            progress(done, total)
        })?;
        let key = (planned.tensor.part, planned.dtype);
        let row = written.entry(key).or_insert(Written {
            part: key.0,
            dtype: key.1,
            tensors: 0,
            numbers: 0,
            bytes: 0,
            loss: Loss::default(),
            instead: 0,
            gain: Gain::default(),
        });
        row.tensors += 1;
        row.numbers += count(planned);
        row.bytes += bytes;
        row.loss = row.loss.and(loss);
        row.instead += usize::from(planned.instead);
        row.gain = row.gain.and(gain);
        Ok(())
    })?;
    Ok((bytes, written.into_values().collect()))
}

/// Streams one tensor; `wrote` hears of numbers and their bytes.
fn convert(
    checkpoint: &Checkpoint,
    planned: &Planned,
    importance: Option<&[f32]>,
    sink: &mut Sink<'_>,
    wrote: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<(Loss, Gain), Error> {
    let name = &planned.tensor.name;
    let source = source(checkpoint, &planned.tensor)?;
    let (rows, cols) = (source.rows(), source.cols());
    let height = (GROUP / cols).clamp(1, rows);
    let mut wide = vec![0f32; height * cols];
    let mut blocks = Vec::new();
    let mut loss = Loss::default();
    let quant = planned.dtype.quant();
    let mut compared = importance
        .zip(quant.filter(|quant| quant.weighs()))
        .map(|(importance, quant)| Compared::new(quant, importance));
    for first in (0..rows).step_by(height) {
        let last = (first + height).min(rows);
        let wide = &mut wide[..(last - first) * cols];
        source.widen(first..last, wide);
        let size = match quant {
            Some(quant) => {
                blocks.resize((last - first) * quant.row_bytes(cols), 0);
                let quantised = quant.quantise(wide, cols, importance, &mut blocks);
                loss = loss.and(quantised.map_err(|fault| Error::Unquantisable {
                    tensor: name.clone(),
                    row: first + fault.row,
                    input: fault.col,
                    value: fault.value,
                    limit: LARGEST,
                })?);
                if let Some(compared) = &mut compared {
                    compared.add(first, wide, &blocks);
                }
                sink.bytes(&blocks)?;
                blocks.len()
            }
            None => {
                loss = loss.and(rounding(wide, planned.dtype));
                sink.f32(wide)?;
                wide.len() * planned.dtype.size()
            }
        };
        checkpoint.release(name);
        if wrote(wide.len(), size).is_break() {
            return Err(Error::Cancelled);
        }
    }
    let gain = compared.map(|compared| Gain::of(compared.with, compared.without));
    Ok((loss, gain.unwrap_or_default()))
}

/// One tensor's picked rows, quantised with importance and without, errors weighted alike.
struct Compared<'a> {
    quant: Quant,
    importance: &'a [f32],
    with: Loss,
    without: Loss,
}

impl<'a> Compared<'a> {
    fn new(quant: Quant, importance: &'a [f32]) -> Self {
        Self { quant, importance, with: Loss::default(), without: Loss::default() }
    }

    /// Looks at the picked ones among these rows, of which the tensor has `first` more before them; `blocks`
    /// is what they became.
    fn add(&mut self, first: usize, rows: &[f32], blocks: &[u8]) {
        let cols = self.importance.len();
        let bytes = self.quant.row_bytes(cols);
        let pairs = rows.chunks_exact(cols).zip(blocks.chunks_exact(bytes)).enumerate();
        let picked = pairs.filter(|(at, _)| (first + at).is_multiple_of(PICKED));
        let picked: Vec<(&[f32], &[u8])> = picked.map(|(_, pair)| pair).collect();
        let together = picked.iter().flat_map(|(row, _)| *row).copied().collect::<Vec<f32>>();
        let mut even = vec![0; picked.len() * bytes];
        // What could be quantised with importance can be without.
        let _ = self.quant.quantise(&together, cols, None, &mut even);
        for ((row, blocks), even) in picked.into_iter().zip(even.chunks_exact(bytes)) {
            self.with = self.with.and(self.weighted(row, blocks));
            self.without = self.without.and(self.weighted(row, even));
        }
    }

    /// The weighted errors of one row.
    fn weighted(&self, row: &[f32], blocks: &[u8]) -> Loss {
        let mut back = vec![0f32; row.len()];
        self.quant.dequantise(blocks, &mut back);
        let mut loss = Loss::default();
        for ((&x, &value), &weight) in row.iter().zip(&back).zip(self.importance) {
            loss.error += f64::from(weight) * f64::from(value - x).powi(2);
            loss.energy += f64::from(weight) * f64::from(x).powi(2);
        }
        loss
    }
}

/// A tensor as rows to be widened, mapped where it lies.
fn source(checkpoint: &Checkpoint, tensor: &ExpectedTensor) -> Result<Matrix, Error> {
    let ExpectedTensor { name, shape, quantised, .. } = tensor;
    Ok(match (name.strip_suffix(".weight"), shape.as_slice()) {
        (Some(layer), &[rows, cols]) if *quantised => checkpoint.gptq_matrix(layer, rows, cols)?,
        _ => checkpoint.matrix_of(name, shape, Keep::Stored)?,
    })
}

/// What rounding to 16 bits loses.
fn rounding(wide: &[f32], dtype: StoredType) -> Loss {
    let mut loss = Loss::default();
    for &x in wide {
        let value = match dtype {
            StoredType::Bf16 => bf16::from_f32(x).to_f32(),
            StoredType::F16 => f16::from_f32(x).to_f32(),
            _ => x,
        };
        loss.error += f64::from(value - x) * f64::from(value - x);
        loss.energy += f64::from(x) * f64::from(x);
    }
    loss
}
