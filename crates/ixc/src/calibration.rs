//! How much each input matters to a quantisation: found by reading a calibration set, or kept in a file.
//!
//! Invariant: what is wrong with the set, the file or the flags is said before a weight is read. Deliberately
//! absent: reading, which is the engine's; weighting errors, which is the quantisers'.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use clap::Args;
use ixc_engine::{
    Engine, LoadOptions,
    calibrate::{Calibrated, calibrate},
    corpus::Corpus,
    engine::fingerprint,
};
use ixc_model::{ModelConfig, importance::Importance, quantise::Gain};
use ixc_nn::{
    cache::KvType,
    inputs::Inputs,
    quant::Quant,
    weights::{Checkpoint, StoredType},
};

use crate::{
    exit::{Exit, Failure},
    interrupt, output,
    progress::Working,
    table::counted,
};

/// Where a quantisation's importance comes from.
#[derive(Args, Debug)]
#[command(next_help_heading = "Importance")]
pub(crate) struct ImportanceArgs {
    /// Weight errors by how much each input matters, found by reading this text, these conversations or
    /// pictures
    ///
    /// A .txt file, a .json or .jsonl file of conversations as for training (pictures' paths count from its
    /// own folder), a picture, or a folder of such. The checkpoint reads it all as it is, before anything is
    /// quantised; the set should be like what the model will be asked, pictures included.
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "importance")]
    calibration: Option<PathBuf>,
    /// Positions of the set that are read at most, of all its files
    #[arg(long, value_name = "N", requires = "calibration", default_value_t = 16_384)]
    calibration_positions: usize,
    /// Keep what the calibration found, for --importance
    #[arg(long, value_name = "FILE.gguf", requires = "calibration")]
    importance_out: Option<PathBuf>,
    /// Weight errors by what an earlier calibration of the same checkpoint found
    #[arg(long, value_name = "FILE.gguf")]
    importance: Option<PathBuf>,
}

/// What is to be quantised.
pub(crate) struct Source<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) config: &'a ModelConfig,
    /// A tokenizer elsewhere than beside the weights.
    pub(crate) tokenizer: Option<&'a Path>,
    /// Whether files may be replaced.
    pub(crate) force: bool,
}

impl ImportanceArgs {
    /// Refuses what could have no effect, or would be found out too late.
    pub(crate) fn check(&self, to: StoredType, force: bool) -> Result<(), Failure> {
        let flag = match (&self.calibration, &self.importance) {
            (Some(_), _) => "--calibration",
            (None, Some(_)) => "--importance",
            (None, None) => return Ok(()),
        };
        if !to.quant().is_some_and(Quant::weighs) {
            return Err(Failure::mistake(format!(
                "{flag} changes nothing with --to {to}: only q4_k, q4_0 and q6_k look for the numbers that \
                 lose least; leave it out"
            )));
        }
        let Some(out) = &self.importance_out else { return Ok(()) };
        if out.extension().is_none_or(|extension| extension != "gguf") {
            let out = out.display();
            return Err(Failure::mistake(format!(
                "--importance-out {out}: expected a name that ends in .gguf, by which --importance knows it"
            )));
        }
        if out.exists() && !force {
            return Err(Failure::mistake(ixc_nn::Error::Exists { path: out.clone() }));
        }
        Ok(())
    }

    /// The importance, where any was asked for.
    pub(crate) fn find(&self, source: &Source) -> Result<Option<Importance>, Failure> {
        let Source { checkpoint, config, .. } = source;
        let model = fingerprint(config, checkpoint, None).map_err(Failure::of(Exit::Model))?;
        if let Some(path) = &self.importance {
            let read = Importance::read(path, config, &model);
            return read.map(Some).map_err(Failure::mistake);
        }
        let Some(path) = &self.calibration else { return Ok(None) };
        interrupt::watch();
        let importance = self.calibrate(source, path)?;
        if let Some(out) = &self.importance_out {
            importance.write(out, source.force, &model).map_err(Failure::mistake)?;
            output::note(&format!("Kept in {}.", out.display()));
        }
        Ok(Some(importance))
    }

    fn calibrate(&self, source: &Source, path: &Path) -> Result<Importance, Failure> {
        let corpus = Corpus::open(path).map_err(Failure::mistake)?;
        if let Some(first) = corpus.left_out.first() {
            output::warn(&format!(
                "{} of {} are no text, conversations or picture and are left out, the first of them {}",
                counted(corpus.left_out.len(), "entry"),
                path.display(),
                first.display()
            ));
        }
        let inputs = Inputs::default();
        let options = LoadOptions {
            tokenizer: source.tokenizer.map(Into::into),
            kv: KvType::F32,
            inputs: Some(inputs.clone()),
            ..LoadOptions::default()
        };
        let engine = Engine::of(source.folder, source.checkpoint, &options)
            .map_err(Failure::of(Exit::Model))?;
        let working = Working::start("calibrating");
        let of = corpus.samples.len();
        let mut progress = |Calibrated { samples, positions, .. }| {
            working.say(format!("calibrating: {samples} of {of} samples, {positions} positions"));
            if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let most = self.calibration_positions;
        let found = calibrate(&engine, source.checkpoint, &inputs, &corpus, most, &mut progress);
        working.clear();
        let (importance, read) = found.map_err(stopped)?;
        let mut line = format!(
            "Read {} positions, {} of them of pictures, in {} of {of} samples.",
            read.positions, read.image_positions, read.samples
        );
        if read.samples < of {
            line += " The rest would be more than --calibration-positions.";
        }
        output::note(&line);
        Ok(importance)
    }
}

/// A failure of the engine; Ctrl-C has an exit code of its own.
pub(crate) fn stopped(error: ixc_engine::Error) -> Failure {
    match error {
        ixc_engine::Error::Model(ixc_model::Error::Cancelled) => {
            Failure::new(Exit::Interrupted, error)
        }
        other => Failure::mistake(other),
    }
}

/// What importance changed, in words.
pub(crate) fn changed(importance: &Importance, gain: Gain) -> String {
    let (with, without) = gain.errors();
    format!(
        "importance from {} positions ({} of pictures) weighted {}: the relative error of their outputs is \
         {:.3} %, and would be {:.3} % without",
        importance.positions,
        importance.image_positions,
        counted(gain.tensors, "tensor"),
        100.0 * with,
        100.0 * without
    )
}
