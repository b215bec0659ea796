//! The beginning of a run: everything that can be wrong is found before the first step.
//!
//! Order: what costs nothing first, the model's weights last. A folder that holds a run is gone on with only
//! when that was asked for, and only by the recipe that began it.

use std::{path::Path, time::Instant};

use ixc_model::{XComposer, load::Weights};
use ixc_nn::{pool, weights::Keep};

use super::{Event, Run, Start, Watch};
use crate::{
    Error, Recipe,
    checkpoint::{self, Claim, Position, Saved, resume},
    data::{BatchSize, Dataset, Options, Order, Preparation, Reader},
    log::{Log, Pace},
    recipe::Precision,
    result,
    schedule::Schedule,
    step::{self, Optimiser},
    trainable::{Trainable, plan, trainable},
};

/// Threads that read samples ahead of the step. A GPU takes a picture in less time than a thread reads it in.
const READERS_MAX: usize = 16;

impl<'a> Run<'a> {
    /// Opens everything.
    pub(super) fn open(start: &Start<'a>, watch: &mut Watch) -> Result<Self, Error> {
        let Start { recipe, base, .. } = *start;
        if recipe.threads > 0 {
            pool::set_threads(recipe.threads);
        }
        let parameters = trainable(recipe, base.config)?;
        result::check(&parameters, base)?;
        let claim = Claim::new(&recipe.out)?;
        check_place(start)?;
        let saved = saved(start, watch)?;
        let Data { training, evaluation, preparation } = Data::open(start)?;
        let position = match &saved {
            Some(saved) => {
                same_recipe(recipe, &saved.recipe, &saved.path)?;
                saved.check(&parameters)?;
                training.expect(&saved.position.dataset)?;
                saved.position.clone()
            }
            None => Position::new(training.identity()),
        };
        let options = options(recipe, Order::Shuffled { seed: recipe.seed }, None);
        let reader = Reader::new(&training, &preparation, options, position.data)?;
        let model = load(start)?;
        let mut optimiser = optimiser(recipe, &model, &parameters)?;
        if let Some(saved) = &saved {
            restore(&mut optimiser, saved)?;
        }
        let samples_per_epoch = training.samples_per_epoch();
        let steps = recipe.total_steps(samples_per_epoch);
        Ok(Self {
            recipe,
            base,
            model,
            optimiser,
            schedule: Schedule::new(recipe, steps),
            preparation,
            samples_per_epoch,
            reader,
            evaluation,
            log: Log::open(&recipe.out, position.log_bytes, position.step)?,
            position,
            skipped: 0,
            pace: Pace::new(Instant::now()),
            buffers: ixc_nn::steps(),
            _claim: claim,
        })
    }
}

/// A recipe's data, found and known to be of this model's kind.
pub(super) struct Data {
    pub(super) training: Dataset,
    pub(super) evaluation: Option<Dataset>,
    pub(super) preparation: Preparation,
}

impl Data {
    pub(super) fn open(start: &Start) -> Result<Self, Error> {
        let Start { recipe, base, tokenizer, .. } = start;
        let numbers = recipe.list_numbers.into();
        let preparation = Preparation::new(tokenizer.clone(), base.config, recipe.max_length)?
            .with_tiles_max((recipe.hd_num > 0).then_some(recipe.hd_num));
        let evaluation = match recipe.eval_data.is_empty() {
            true => None,
            false => Some(Dataset::open(&recipe.eval_data, numbers)?),
        };
        Ok(Self { training: Dataset::open(&recipe.data, numbers)?, evaluation, preparation })
    }
}

/// How a recipe's data is read.
pub(super) fn options(recipe: &Recipe, order: Order, epochs: Option<u64>) -> Options {
    let batch = match recipe.packing {
        true => BatchSize::Positions(recipe.batch_size.saturating_mul(recipe.max_length)),
        false => BatchSize::Samples(recipe.batch_size),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(READERS_MAX);
    Options { order, epochs, batch, on_broken: recipe.on_broken_sample.into(), threads }
}

/// The model, trained as the recipe says.
pub(super) fn load(start: &Start) -> Result<XComposer, Error> {
    let Start { recipe, base, .. } = start;
    let keep = match recipe.precision {
        Precision::F32 => Keep::Stored,
        // Quantised weights stay as they are; float32 ones are multiplied as bfloat16.
        Precision::Bf16 => Keep::Bf16,
    };
    let config = base.config.clone();
    let device = recipe.device.open()?;
    let weights = Weights::new(base.checkpoint, keep, recipe.precision.arithmetic());
    Ok(XComposer::of(config, &weights.training(&plan(recipe)).on(&device))?)
}

fn optimiser(
    recipe: &Recipe,
    model: &XComposer,
    parameters: &[Trainable],
) -> Result<Optimiser, Error> {
    let options = step::Options {
        betas: (recipe.adam_beta1, recipe.adam_beta2),
        eps: recipe.adam_epsilon,
        norm_max: if recipe.max_grad_norm > 0.0 { recipe.max_grad_norm } else { f64::INFINITY },
    };
    Ok(Optimiser::new(model.parameters(), options, |parameter| {
        let own = parameters.iter().find(|own| own.name == parameter.name);
        let own = own.expect("the loader trains what the recipe lists");
        step::Pace { rate: own.lr_scale, decay: own.weight_decay }
    })?)
}

/// Puts a checkpoint's numbers in the place of what the model was loaded with.
pub(super) fn restore(optimiser: &mut Optimiser, saved: &Saved) -> Result<(), Error> {
    for slot in optimiser.restore(saved.position.updates) {
        let weight = &slot.parameter.weight;
        let [master, mean, square] = saved.slot(&slot.parameter.name, weight.dims())?;
        weight.set(&master)?;
        slot.moments.set(weight, mean, square)?;
    }
    Ok(())
}

fn refuse(place: &str, problem: String) -> Error {
    Error::Recipe { place: place.into(), problem }
}

/// A folder holds one run, and its result once.
fn check_place(start: &Start) -> Result<(), Error> {
    let out = &start.recipe.out;
    if let Some(found) = result::found(out)? {
        return Err(refuse(
            "out",
            format!("{} holds a result already ({found}); choose another folder", out.display()),
        ));
    }
    if !start.resume && checkpoint::any(out)? {
        return Err(refuse(
            "out",
            format!(
                "{} holds checkpoints of a run; --resume goes on with it, another folder begins anew",
                out.display()
            ),
        ));
    }
    Ok(())
}

/// The checkpoint to go on from, where that was asked for.
fn saved(start: &Start, watch: &mut Watch) -> Result<Option<Saved>, Error> {
    if !start.resume {
        return Ok(None);
    }
    let out = &start.recipe.out;
    let found = resume(out)?;
    for error in &found.passed_over {
        let _ = watch(Event::PassedOver(error));
    }
    let none = || {
        refuse(
            "--resume",
            format!("{}: expected a checkpoint, found none; leave it out", out.display()),
        )
    };
    found.saved.ok_or_else(none).map(Some)
}

/// What decides a run's numbers must be what it was.
fn same_recipe(now: &Recipe, then: &Recipe, path: &Path) -> Result<(), Error> {
    match now.differences(then).first() {
        None => Ok(()),
        Some((key, now, then)) => Err(refuse(
            "--resume",
            format!(
                "{}: the run began with {key} = {then}, and now it is {now}: it would not go on as it \
                 began; take the old value, or begin another run from this one's result",
                path.display()
            ),
        )),
    }
}
