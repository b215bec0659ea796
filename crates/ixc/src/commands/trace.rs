//! `ixc trace`: the main path as it runs, stage by stage.
//!
//! Invariant: what is traced is what answers: the same preparation, layout, model and decoding, with
//! an observer that looks away otherwise. A stage that runs once for each chunk of a long prompt is
//! one row, its times and rows added up. Deliberately absent: values; their equality is for the tests.

use std::{path::PathBuf, time::Instant};

use clap::Args;
use ixc_engine::{
    Decoding, Request,
    generate::{Reading, Speaker, Word, history},
    limits::PREFILL_ROWS,
};
use ixc_input::{
    image::{Orientation, load},
    text_stream::{Spacing, TextStream},
};
use ixc_model::{Stage, stage::watching};
use ixc_nn::{cache::KvCache, device::Device};
use serde::Serialize;

use crate::{
    exit::{Exit, Failure},
    model::{Loaded, ModelArgs, Talks},
    output, picture,
    progress::Working,
    table::{Align, bytes, milliseconds, shape, table},
    talk::{Instruction, Question, Talk},
};

const EXAMPLES: &str = "\
Examples:
  ixc trace -m ./my-model --image photo.jpg \"What is this?\"
  ixc trace -m ./my-model --image photo.jpg \"What is this?\" --json | jq '.stages[].ms'";

/// Show the model's main path as it runs: stages, shapes, times, and the files they live in
///
/// The question is answered greedily, as `ixc run --greedy` would, and only as far as --words. Times
/// count from the end of the stage before; sizes are those of the stage's value. Several pictures are
/// prepared together: the first one's row has the time of all.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TraceArgs {
    /// The question
    prompt: String,
    /// A picture to look at; may be repeated
    #[arg(short, long, value_name = "FILE")]
    image: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Words (tokens) to generate
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = "Answer")]
    words: usize,
    /// Print JSON
    #[arg(long, help_heading = "Answer")]
    json: bool,
}

/// One station of the path.
#[derive(Debug, Serialize)]
struct Row {
    stage: String,
    file: &'static str,
    shape: Vec<usize>,
    dtype: &'static str,
    ms: f64,
    bytes: u64,
    /// The word that was chosen, as the vocabulary spells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    word: Option<String>,
}

/// The trace as JSON, in this order.
#[derive(Serialize)]
struct Report<'a> {
    model: String,
    load_ms: f64,
    total_ms: f64,
    answer: String,
    stages: &'a [Row],
}

/// A number type's name and its bytes.
type Dtype = (&'static str, usize);

const F32: Dtype = ("f32", 4);

/// The rows so far, and when the last stage ended.
struct Trace {
    rows: Vec<Row>,
    last: Instant,
    device: Device,
}

impl Trace {
    fn start(device: &Device) -> Self {
        Self { rows: Vec::new(), last: Instant::now(), device: device.clone() }
    }

    /// The time since the last stage ended, which is now.
    fn lap(&mut self) -> f64 {
        // A device works behind what is asked of it. If it failed, the next stage says so.
        let _ = self.device.wait();
        let now = Instant::now();
        milliseconds(now - std::mem::replace(&mut self.last, now))
    }

    fn add(&mut self, stage: String, file: &'static str, shape: &[usize], dtype: Dtype) {
        let ms = self.lap();
        let bytes = shape.iter().product::<usize>() as u64 * dtype.1 as u64;
        let (shape, dtype) = (shape.to_vec(), dtype.0);
        self.rows.push(Row { stage, file, shape, dtype, ms, bytes, word: None });
    }

    /// Adds a stage of the decoder; a further chunk of the same stage is added to its row.
    fn add_chunk(&mut self, stage: Stage, shape: &[usize], dtype: Dtype) {
        let name = stage.name();
        let Some(index) = self.rows.iter().position(|row| row.stage == name) else {
            return self.add(name, stage.file(), shape, dtype);
        };
        let ms = self.lap();
        let row = &mut self.rows[index];
        row.shape[0] += shape[0];
        row.bytes += shape.iter().product::<usize>() as u64 * dtype.1 as u64;
        row.ms += ms;
    }

    fn total(&self) -> f64 {
        self.rows.iter().map(|row| row.ms).sum()
    }
}

/// Traces.
pub(crate) fn run(args: TraceArgs) -> Result<(), Failure> {
    let mut talk = Talk::new(Instruction::Published);
    for path in &args.image {
        talk.attach(picture::open(path, Orientation::AsStored)?);
    }
    talk.ask(&Question { marked: args.prompt.clone(), data: None })?;
    let loaded = args.model.load(Talks::One)?;
    let mut request = talk.request(&loaded.engine.instruction());
    request.decoding = Decoding::Greedy;
    // All checks, made where an answer makes them.
    drop(loaded.engine.answer(&request).map_err(Failure::mistake)?);

    let working = Working::start("tracing");
    let mut trace = Trace::start(loaded.engine.model().device());
    let answer = follow(&args, &loaded, &request, &mut trace)?;
    working.clear();
    let load = milliseconds(loaded.time);
    if args.json {
        return output::print_json(&Report {
            model: loaded.place.to_string(),
            load_ms: load,
            total_ms: load + trace.total(),
            answer,
            stages: &trace.rows,
        });
    }
    output::print(&show(&trace.rows))?;
    let path = trace.total();
    output::print(&format!(
        "\nloading {load:.1} ms, the path {path:.1} ms; the answer begins: {answer}\n"
    ))
}

/// Runs the main path; returns how the answer begins.
fn follow(
    args: &TraceArgs,
    loaded: &Loaded,
    request: &Request,
    trace: &mut Trace,
) -> Result<String, Failure> {
    let engine = &loaded.engine;
    let model = engine.model();
    for path in &args.image {
        let file = picture::read(path)?;
        trace.lap();
        let picture = load(&file, Orientation::AsStored).map_err(Failure::mistake)?;
        let shape = [picture.height() as usize, picture.width() as usize, 3];
        trace.add("decode picture".into(), "crates/ixc-input/src/image.rs", &shape, ("u8", 1));
    }
    trace.lap();
    let pixels = engine.prepare(request).map_err(Failure::mistake)?;
    for (pixels, _) in &pixels {
        let shape = [3, pixels.height as usize, pixels.width as usize];
        trace.add("prepare picture".into(), "crates/ixc-input/src/prepare.rs", &shape, F32);
    }
    let prompt = engine.layout(request).map_err(Failure::mistake)?;
    let tokens: Vec<usize> = pixels.iter().map(|(_, tokens)| *tokens).collect();
    let positions = prompt.positions(&tokens).map_err(Failure::mistake)?;
    trace.add("layout".into(), "crates/ixc-input/src/prompt.rs", &[positions], ("u32", 4));

    let broken = Failure::of::<ixc_model::Error>(Exit::Model);
    let mut features = Vec::with_capacity(pixels.len());
    for (pixels, _) in &pixels {
        let seen = model.see(
            pixels,
            &mut watching(|stage, value| {
                let dtype = (value.dtype().as_str(), value.dtype().size_in_bytes());
                trace.add(stage.name(), stage.file(), value.dims(), dtype);
            }),
        );
        features.push(seen.map_err(&broken)?);
    }
    let spliced = model.splice(
        &prompt,
        &features,
        &mut watching(|stage, value| {
            let dtype = (value.dtype().as_str(), value.dtype().size_in_bytes());
            trace.add(stage.name(), stage.file(), value.dims(), dtype);
        }),
    );
    let mut reading = Reading::new(spliced.map_err(broken)?);
    let mut cache = engine.cache();
    let scores = loop {
        let mut observe = watching(|stage, value| {
            let dtype = (value.dtype().as_str(), value.dtype().size_in_bytes());
            trace.add_chunk(stage, value.dims(), dtype);
        });
        let step = reading.step(model, &mut cache, PREFILL_ROWS, &mut observe);
        if let Some(scores) = step.map_err(Failure::of(Exit::Model))? {
            break scores;
        }
    };
    let said = history(&prompt, engine.special().bos);
    let (penalty, stops) = (request.repetition_penalty, engine.special().stops());
    let speaker = Speaker::new(scores, &said, &request.decoding, penalty, &stops);
    speak(args.words, loaded, speaker, cache, trace)
}

/// Generates the first words.
fn speak(
    words: usize,
    loaded: &Loaded,
    mut speaker: Speaker,
    mut cache: KvCache,
    trace: &mut Trace,
) -> Result<String, Failure> {
    let engine = &loaded.engine;
    let vocabulary = engine.model().config().language.vocabulary;
    let mut stream = TextStream::new(engine.tokenizer(), true, Spacing::Published);
    let mut answer = String::new();
    for number in 1..=words {
        let word = speaker.next_word(engine.model(), &mut cache);
        let (id, ended) = match word.map_err(Failure::of(Exit::Model))? {
            Word::Stop(id) => (id, true),
            Word::Next(id) => {
                answer.push_str(&stream.push(id).map_err(Failure::of(Exit::Model))?);
                (id, false)
            }
        };
        let file = "crates/ixc-engine/src/generate.rs";
        trace.add(format!("word {number}"), file, &[1, vocabulary], F32);
        if let Some(row) = trace.rows.last_mut() {
            row.word = engine.tokenizer().piece(id).map(str::to_owned);
        }
        if ended {
            break;
        }
    }
    answer.push_str(&stream.finish());
    Ok(answer)
}

/// The table.
fn show(rows: &[Row]) -> String {
    let columns = [
        ("stage", Align::Left),
        ("file", Align::Left),
        ("shape", Align::Left),
        ("dtype", Align::Left),
        ("ms", Align::Right),
        ("size", Align::Right),
        ("word", Align::Left),
    ];
    let row = |row: &Row| {
        let ms = format!("{:.1}", row.ms);
        let shape = shape(&row.shape);
        let word = row.word.clone().unwrap_or_default();
        vec![
            row.stage.clone(),
            row.file.into(),
            shape,
            row.dtype.into(),
            ms,
            bytes(row.bytes),
            word,
        ]
    };
    table(&columns, &rows.iter().map(row).collect::<Vec<_>>())
}
