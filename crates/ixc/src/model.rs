//! From a reference and a few flags to a model in memory.
//!
//! A reference is a path that exists, else an id on the hub whose files are in the cache; nothing is
//! downloaded here. Without one it is the mini model that this program carries. Invariant: what a person should know before a long wait (too little memory,
//! adapters that are left out) is said before it.

use std::{
    fmt,
    io::{IsTerminal, stderr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use ixc_engine::{Engine, LoadOptions, engine::model_folder};
use ixc_hub::Reference;
use ixc_model::ModelConfig;
use ixc_nn::{
    Arithmetic,
    cache::KvType,
    device,
    weights::{Checkpoint, Keep, TensorInfo},
};

use crate::{
    environment,
    exit::{Exit, Failure},
    machine,
    memory::{self, Holding},
    mini, output,
    progress::Working,
    table::bytes,
};

/// Which model, and how it is held.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// The model: a folder, a weight file, or an id on the hub [default: the mini model, where this program
    /// carries one]
    ///
    /// A path that exists wins; `mini` is the mini model, whatever IXC_MODEL says; otherwise REF is `org/name` or `org/name@revision` on the Hugging Face
    /// hub, and must have been pulled before (`ixc pull REF`).
    #[arg(short, long, value_name = "REF", env = environment::MODEL)]
    pub(crate) model: Option<String>,
    /// Hold the weights in this precision
    ///
    /// `stored` maps the files and copies nothing. The others convert while loading: `bf16` or `f16`
    /// halve a checkpoint in float32; `f32` doubles one of 16 bits and gains no accuracy by it. Quantised
    /// weights stay as they are unless `f32` is asked for.
    #[arg(long, value_name = "TYPE", default_value = "stored")]
    dtype: Dtype,
    /// Multiply in float32, whatever the weights are stored in: many times slower
    ///
    /// Otherwise products are made of the processor's native low precision: 8-bit integers for quantised
    /// weights, bfloat16 for bfloat16 ones. For comparing with published numbers.
    #[arg(long)]
    exact: bool,
    /// Where to compute: cpu, or an NVIDIA GPU in a build for them, cuda or cuda:N
    ///
    /// A GPU holds the weights in bfloat16, or in float32 with --exact, quantised ones widened to it, and
    /// keys and values in f16 or f32.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: device::Place,
    /// Positions that prompt and answer may take together [default: the model's own limit, or what half
    /// of the available memory holds]
    #[arg(long, value_name = "N")]
    pub(crate) context: Option<usize>,
    /// Store keys and values of the context in this precision
    ///
    /// `q8` takes half of `f16`, for a small loss of accuracy; `f32` takes twice as much.
    #[arg(long, value_name = "TYPE", default_value = "f16")]
    kv: Kv,
    /// The tokenizer, where it is not tokenizer.model beside the weights
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// A LoRA adapter to act beside the weights: a folder that `ixc train` or PEFT wrote
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
}

/// A precision that weights are held in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dtype {
    /// as in the files
    Stored,
    /// float32
    F32,
    /// bfloat16
    Bf16,
    /// float16
    F16,
}

impl Dtype {
    fn keep(self) -> Keep {
        match self {
            Self::Stored => Keep::Stored,
            Self::F32 => Keep::F32,
            Self::Bf16 => Keep::Bf16,
            Self::F16 => Keep::F16,
        }
    }
}

/// A precision that keys and values are stored in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kv {
    /// float16
    F16,
    /// 8-bit integers with a scale for each position and head
    Q8,
    /// float32
    F32,
}

impl Kv {
    fn kind(self) -> KvType {
        match self {
            Self::F16 => KvType::F16,
            Self::Q8 => KvType::Q8,
            Self::F32 => KvType::F32,
        }
    }
}

/// A model in memory.
pub(crate) struct Loaded {
    /// What answers.
    pub(crate) engine: Engine,
    /// Where it came from.
    pub(crate) place: Place,
    /// How it was loaded.
    pub(crate) options: LoadOptions,
    /// How long loading took.
    pub(crate) time: Duration,
}

/// Where a model's files are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// A folder or a file.
    Path(PathBuf),
    /// In this program: a GGUF file's bytes.
    Mini(&'static [u8]),
}

impl Place {
    /// Opens the checkpoint.
    pub(crate) fn open(&self) -> Result<Checkpoint, ixc_model::Error> {
        match self {
            Self::Path(path) => ixc_model::gguf::open(path),
            Self::Mini(bytes) => ixc_model::gguf::embedded(Path::new(mini::NAME), bytes),
        }
    }

    /// The folder of the files beside the weights.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::Path(path) => model_folder(path),
            Self::Mini(_) => Path::new(""),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(out),
            Self::Mini(_) => out.write_str(mini::NAME),
        }
    }
}

/// What a model is loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talks {
    /// One answer: nothing is kept for another conversation.
    One,
    /// Any number of conversations.
    Several,
}

impl ModelArgs {
    /// Where the model is that was named, or the mini model.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        place(self.model.as_deref(), mini::FILE)
    }

    /// The same model with a context of so many positions.
    pub(crate) fn with_context(&self, context: Option<usize>) -> Self {
        Self { context, ..self.clone() }
    }

    /// Another model, held likewise.
    pub(crate) fn other(&self, model: &str) -> Self {
        Self { model: Some(model.into()), ..self.clone() }
    }

    /// Loads the model.
    pub(crate) fn load(&self, talks: Talks) -> Result<Loaded, Failure> {
        let place = self.place()?;
        if let (Place::Mini(_), None | Some("")) = (&place, self.model.as_deref()) {
            output::note(mini::INTRODUCTION);
        }
        let mut options = self.options()?;
        // A checkpoint that cannot be opened is refused by the loader, with the reason.
        if let Ok(checkpoint) = place.open() {
            let advice = match options.device.has_kernels() {
                true => advice(&checkpoint, self.keep()),
                false => on_device(&checkpoint, &options)?,
            };
            if let Some(advice) = advice {
                output::warn(&advice);
            }
            if let Ok(config) = ModelConfig::read(place.folder(), &checkpoint) {
                plan(&mut options, &config, talks)?;
            }
        }
        let working = Working::start(format!("loading {place}"));
        let started = Instant::now();
        let engine = open(&place, &options)?;
        let time = started.elapsed();
        working.clear();
        let adapters = &engine.model().config().text_adapters;
        if !adapters.is_empty() {
            output::warn(&format!(
                "this checkpoint also holds text adapters ({}), which ixc does not apply: the answers \
                 are those of its base weights",
                adapters.join(", ")
            ));
        }
        Ok(Loaded { engine, place, options, time })
    }

    /// As the flags say, the device opened.
    fn options(&self) -> Result<LoadOptions, Failure> {
        if self.is_on_device() && matches!(self.kv, Kv::Q8) {
            return Err(Failure::mistake("--kv q8 is the CPU's alone")
                .with_hint("a GPU stores keys and values with --kv f16, or --kv f32"));
        }
        Ok(LoadOptions {
            device: self.device.open().map_err(Failure::mistake)?,
            keep: self.keep(),
            arithmetic: if self.exact { Arithmetic::Exact } else { Arithmetic::Fast },
            tokenizer: self.tokenizer.clone(),
            adapter: self.adapter.clone(),
            context: self.context,
            kv: self.kv.kind(),
            ..LoadOptions::default()
        })
    }

    /// Whether another device than the processor computes.
    pub(crate) fn is_on_device(&self) -> bool {
        self.device != device::Place::Cpu
    }

    /// How the weights are held.
    pub(crate) fn keep(&self) -> Keep {
        self.dtype.keep()
    }
}

/// Fits the context, and what is kept beside it, into this machine's memory; says what they take.
fn plan(options: &mut LoadOptions, config: &ModelConfig, talks: Talks) -> Result<(), Failure> {
    let language = &config.language;
    let holding = Holding {
        shape: language.cache_shape(options.kv),
        sees: config.vision.is_some(),
        several: talks == Talks::Several,
    };
    let memory = options.device.memory().map_err(Failure::mistake)?;
    let available = match memory {
        Some(memory) => Some(memory.free),
        None => machine::available(),
    };
    let plan = memory::plan(&holding, language.positions_max, options.context, available)?;
    if let Some(warning) = &plan.warning {
        output::warn(warning);
    }
    if stderr().is_terminal() {
        output::note(&plan.line);
    }
    options.context = plan.context;
    (options.feature_bytes, options.prefix_bytes) = (plan.feature_bytes, plan.prefix_bytes);
    Ok(())
}

/// Loads what [`ModelArgs::place`] found, without a word.
pub(crate) fn open(place: &Place, options: &LoadOptions) -> Result<Engine, Failure> {
    let checkpoint = place.open().map_err(|error| refusal(error.into(), place))?;
    Engine::of(place.folder(), &checkpoint, options).map_err(|error| refusal(error, place))
}

/// Where the model is that a reference names; without one, the mini model in `carried`, which is empty where
/// this program carries none.
fn place(reference: Option<&str>, carried: &'static [u8]) -> Result<Place, Failure> {
    match reference.filter(|text| !text.is_empty()) {
        None if !carried.is_empty() => Ok(Place::Mini(carried)),
        Some(mini::NAME) if !carried.is_empty() && !Path::new(mini::NAME).exists() => {
            Ok(Place::Mini(carried))
        }
        reference => Ok(Place::Path(locate(reference, "--model REF")?)),
    }
}

/// The folder or file that a reference names, without the network; `how` says how one is given.
pub(crate) fn locate(reference: Option<&str>, how: &str) -> Result<PathBuf, Failure> {
    let Some(text) = reference.filter(|text| !text.is_empty()) else {
        return Err(Failure::mistake(format!("no model was named; give {how} or set IXC_MODEL"))
            .with_hint(
                "REF is a folder with a checkpoint, or the id of one on the hub:\n  \
                 ixc pull internlm/internlm-xcomposer2-vl-1_8b\n  \
                 ixc run --model internlm/internlm-xcomposer2-vl-1_8b\n\
                 Without a download, a random model shows how things work (not what it says):\n  \
                 ixc init --like tiny --out random-model --tokenizer FILE",
            ));
    };
    match Reference::parse(text).map_err(Failure::of(Exit::Mistake))? {
        Reference::Local(path) => Ok(path),
        hub => ixc_hub::locate(&hub, &environment::hub_settings()?).map_err(|error| match error {
            ixc_hub::Error::NotCached { .. } => Failure::new(Exit::Model, error),
            other => Failure::mistake(other),
        }),
    }
}

/// Why a model could not be loaded, as a failure.
fn refusal(error: ixc_engine::Error, place: &Place) -> Failure {
    match (error, place) {
        (error @ ixc_engine::Error::Option { .. }, _) => Failure::mistake(error),
        (error, Place::Mini(_)) => Failure::new(Exit::Model, error),
        (error, Place::Path(path)) => Failure::new(Exit::Model, error)
            .with_hint(format!("all that is wrong with it: ixc inspect {}", path.display())),
    }
}

/// Bytes that the weights take in memory when they are held so.
pub(crate) fn weights_in_memory(checkpoint: &Checkpoint, keep: Keep) -> u64 {
    let infos = checkpoint.names().filter_map(|name| checkpoint.info(name));
    infos.map(|info| bytes_in_memory(info, keep)).sum()
}

/// Bytes that one tensor takes in memory when weights are held so.
pub(crate) fn bytes_in_memory(info: &TensorInfo, keep: Keep) -> u64 {
    let stored = info.bytes as u64;
    let numbers = info.numbers() as u64;
    match keep {
        _ if !info.dtype.is_float() || info.shape.len() < 2 => stored,
        Keep::Stored => stored,
        Keep::Bf16 | Keep::F16 if info.dtype.quant().is_some() => stored,
        Keep::F32 => numbers * 4,
        Keep::Bf16 | Keep::F16 => numbers * 2,
    }
}

/// What to say before loading a model that this machine's memory does not hold.
fn advice(checkpoint: &Checkpoint, keep: Keep) -> Option<String> {
    let memory = machine::memory()?;
    let needed = weights_in_memory(checkpoint, keep);
    judge(needed, weights_in_memory(checkpoint, Keep::Bf16), memory)
}

/// What to say before loading a model onto a device: that quantised weights grow there.
fn on_device(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Option<String>, Failure> {
    let Some(memory) = options.device.memory().map_err(Failure::mistake)? else {
        return Ok(None);
    };
    let size = match options.arithmetic {
        Arithmetic::Exact => 4,
        Arithmetic::Fast => 2,
    };
    let infos = || checkpoint.names().filter_map(|name| checkpoint.info(name));
    let is_quantised = |info: &TensorInfo| info.dtype.quant().is_some() || !info.dtype.is_float();
    let numbers = |info: &TensorInfo| match info.dtype.is_float() {
        true => info.numbers() as u64,
        false => info.bytes as u64 * 2, // words of 4-bit numbers
    };
    let needed: u64 = infos().map(|info| numbers(info) * size).sum();
    if needed >= memory.free {
        return Err(Failure::mistake(format!(
            "the weights take {} on the device, and {} of its {} are free",
            bytes(needed),
            bytes(memory.free),
            bytes(memory.total)
        ))
        .with_hint("a smaller model of the family may fit, or --device cpu"));
    }
    Ok(infos().any(is_quantised).then(|| {
        format!("quantised weights are widened on a device: they take {} there", bytes(needed))
    }))
}

/// Compares what the weights need with what there is.
fn judge(needed: u64, at_16_bits: u64, memory: u64) -> Option<String> {
    if needed < memory {
        return None;
    }
    let remedy = if at_16_bits < needed && at_16_bits < memory {
        format!("add --dtype bf16, which takes {}", bytes(at_16_bits))
    } else {
        "use a smaller model of the family, or its 4-bit form".into()
    };
    Some(format!(
        "the weights take {} and this machine has {} of memory, so answers will be very slow or the \
         system will end the program; {remedy}",
        bytes(needed),
        bytes(memory)
    ))
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn too_little_memory_is_said_with_what_helps() {
        let gigabytes = |n: u64| n * 1_000_000_000;
        assert_eq!(judge(gigabytes(17), gigabytes(17), gigabytes(24)), None);
        let halved = judge(gigabytes(34), gigabytes(17), gigabytes(24)).unwrap();
        assert!(halved.contains("34.0 GB") && halved.contains("--dtype bf16, which takes 17.0 GB"));
        let hopeless = judge(gigabytes(34), gigabytes(17), gigabytes(16)).unwrap();
        assert!(hopeless.contains("4-bit"), "{hopeless}");
        let already = judge(gigabytes(17), gigabytes(17), gigabytes(16)).unwrap();
        assert!(already.contains("4-bit"), "{already}");
    }
}
