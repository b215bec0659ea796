//! A training step, measured in a real run: its time beside the machine's rate of products, and its memory.
//!
//! The run is `ixc train`'s own, with data of its own where the recipe has none: pictures of noise with a
//! question and an answer. It happens in a folder that goes away again. Deliberately absent: what is learned.

use std::{fs, ops::ControlFlow, path::Path, time::Instant};

use ixc_model::config::VisionConfig;
use ixc_nn::device::Device;
use ixc_train::{
    Recipe,
    run::{Event, Preview, train},
};

use super::{Draft, Measure, Sheet, limits::Limits, work::Work};
use crate::{exit::Failure, interrupt, machine, progress::Working, train as door};

/// Rows and columns of the matrices whose product tells a device's rate.
const DEVICE_SIDE: usize = 8192;

/// How many steps are taken, and how many of them count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    /// Steps first that do not.
    pub(crate) warm_up: usize,
    /// Steps that do.
    pub(crate) repetitions: usize,
}

/// The samples that a bench makes itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// How many different ones.
    pub(crate) samples: usize,
    /// Words of the question, and as many of the answer.
    pub(crate) words: usize,
}

/// Writes pictures of noise as the tower sees them, and talk about them; returns the data file.
pub(crate) fn make(
    folder: &Path,
    vision: Option<&VisionConfig>,
    made: Made,
) -> std::io::Result<std::path::PathBuf> {
    let mut lines = String::new();
    for number in 0..made.samples {
        let mut image = String::new();
        if let Some(vision) = vision {
            let side = (vision.grid() * ixc_model::config::PATCH) as u32;
            let name = format!("{number}.bmp");
            fs::write(folder.join(&name), noise(side, number as u32))?;
            image = format!("\"image\": [\"{name}\"], ");
        }
        let words = vec!["so"; made.words].join(" ");
        lines.push_str(&format!(
            "{{{image}\"conversations\": [{{\"from\": \"user\", \"value\": \"{words}\"}}, \
             {{\"from\": \"assistant\", \"value\": \"{words}\"}}]}}\n"
        ));
    }
    let data = folder.join("data.jsonl");
    fs::write(&data, lines)?;
    Ok(data)
}

/// A square picture of noise, as an uncompressed BMP file of 32 bits a pixel.
fn noise(side: u32, number: u32) -> Vec<u8> {
    let pixels = side * side * 4;
    let mut file = Vec::with_capacity(54 + pixels as usize);
    file.extend(b"BM");
    for value in [54 + pixels, 0, 54, 40, side, side] {
        file.extend(value.to_le_bytes());
    }
    file.extend([1, 0, 32, 0]);
    for value in [0, pixels, 2835, 2835, 0, 0] {
        file.extend(u32::to_le_bytes(value));
    }
    let mut state = number.wrapping_mul(0x9E37_79B9) | 1;
    for _ in 0..side * side {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        file.extend([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8, 255]);
    }
    file
}

/// Trains so many steps, the machine's limits measured between them.
pub(crate) fn measure(
    opened: &door::Opened,
    recipe: &Recipe,
    shown: &Preview,
    rounds: Rounds,
) -> Result<(Limits, Sheet), Failure> {
    let (mut limits, mut sheet) = (Limits::new(), Sheet::default());
    let (mut since, mut peak, mut taken) = (Instant::now(), None::<u64>, None::<u64>);
    let working = Working::start("loading");
    let steps = rounds.warm_up + rounds.repetitions;
    let device = recipe.device.open().map_err(Failure::mistake)?;
    let start = opened.start(recipe, false);
    let ended = train(&start, &mut |event| {
        match event {
            Event::Begun { .. } => working.say("a first step"),
            Event::Step(progress) => {
                let took = since.elapsed().as_secs_f64();
                peak = peak.max(machine::peak_memory());
                let (step, _) = progress.steps;
                if step as usize > rounds.warm_up {
                    add(&mut sheet, recipe, shown, took);
                }
                working.say(format!("step {} of {steps}", step + 1));
                if device.has_kernels() {
                    limits.measure();
                    machine::forget_peak();
                } else {
                    taken = taken.max(memory_taken(&device));
                    // Wide enough for a GPU's own rate; the CPU's limits are not its.
                    let rate = device.multiply_rate(recipe.precision.arithmetic(), DEVICE_SIDE);
                    rate.into_iter()
                        .for_each(|rate| limits.add_device(recipe.precision.numbers(), rate));
                }
                if interrupt::pressed() || step as usize == steps {
                    return ControlFlow::Break(());
                }
            }
            _ => return ControlFlow::Continue(()),
        }
        since = Instant::now();
        ControlFlow::Continue(())
    });
    working.clear();
    let ended = ended.map_err(door::failure)?;
    if (ended.step as usize) < steps {
        return Err(door::failure(ixc_train::Error::Cancelled));
    }
    if let Some(peak) = peak {
        sheet.add("memory", peak as f64, || Draft {
            what: "peak memory, loading included".into(),
            measure: Measure::Bytes,
            work: None,
        });
    }
    if let Some(taken) = taken {
        sheet.add("device-memory", taken as f64, || Draft {
            what: "memory taken on the device behind a step".into(),
            measure: Measure::Bytes,
            work: None,
        });
    }
    Ok((limits, sheet))
}

/// Bytes of a device's memory that are in use, by whomever.
fn memory_taken(device: &Device) -> Option<u64> {
    let memory = device.memory().ok()??;
    Some(memory.total.saturating_sub(memory.free))
}

fn add(sheet: &mut Sheet, recipe: &Recipe, shown: &Preview, took: f64) {
    let work = || Work {
        operations: vec![(recipe.precision.numbers(), shown.operations_per_step)],
        bytes: 0.0,
    };
    let step = shown.step;
    sheet.add("step", took, || Draft {
        what: format!("a step: {} rows, {} views, {} learned", step.rows, step.views, step.words),
        measure: Measure::Seconds,
        work: Some(work()),
    });
    sheet.add("positions", took, || Draft {
        what: "the same, in rows of the decoder".into(),
        measure: Measure::Positions(step.rows),
        work: Some(work()),
    });
}
