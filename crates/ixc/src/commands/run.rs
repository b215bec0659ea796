//! `ixc run`: one answer, or a conversation.
//!
//! Invariant: everything that can be wrong with the question, the pictures and the options is found
//! before the model is loaded. Deliberately absent: the conversation's own orders (see `chat`).

use std::{
    io::{IsTerminal, Read, stdin, stdout},
    path::PathBuf,
};

use clap::Args;
use ixc_engine::{Answer, Finish, Past};
use ixc_input::{image::Orientation, limits::MAX_PROMPT_BYTES, prepare::Geometry};
use serde::Serialize;

use crate::{
    answer,
    chat::Chat,
    cli,
    exit::Failure,
    model::{Loaded, ModelArgs, Talks},
    options::AnswerArgs,
    output, picture,
    session::Session,
    table::milliseconds,
    talk::{Instruction, Question, Talk, saved},
};

const EXAMPLES: &str = "\
Examples:
  ixc run -i photo.jpg \"What is this?\"
  ixc run -i a.jpg -i b.jpg \"What is in <ImageHere> that is not in <ImageHere>?\"
  ixc run \"Summarise this text:\" < report.txt
  ixc run -i form.png --greedy --json \"Read the address.\" | jq -r .text
  ixc run                                a conversation, with -m or IXC_MODEL
  ixc run --load talk.json               the conversation that /save wrote, continued
  ixc run --session s.ixs -i photo.jpg \"What is this?\"
  ixc run --session s.ixs \"And its colour?\"   goes on, and reads only what is new

Pictures go where <ImageHere> stands in PROMPT, one for each --image, or before the question when it \
stands nowhere. Piped text comes behind PROMPT and is only text: whatever it says, it places no \
picture and steers nothing. Without PROMPT the piped text is the question.";

/// Ask about pictures and text: one answer with PROMPT, a conversation without
///
/// With PROMPT, or with text piped in, one answer is streamed to standard output. Otherwise a
/// conversation begins, with line editing, history, and orders such as /image and /retry (/help lists
/// them). Words are drawn at random as the published code does; --greedy gives the same answer every
/// time.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// The question
    prompt: Option<String>,
    /// A picture to look at: PNG, JPEG, WebP, GIF, BMP or TIFF; may be repeated
    #[arg(short, long, value_name = "FILE")]
    image: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    /// What the model is told before the conversation [default: what its publisher tells it]
    #[arg(long, value_name = "TEXT", help_heading = "Conversation", conflicts_with = "no_system")]
    system: Option<String>,
    /// Tell the model nothing before the conversation
    #[arg(long, help_heading = "Conversation")]
    no_system: bool,
    /// Go on with a conversation that /save wrote
    #[arg(long, value_name = "FILE", help_heading = "Conversation")]
    load: Option<PathBuf>,
    /// Go on with the conversation in FILE, and keep it there afterwards
    ///
    /// FILE holds the conversation and what the model has read of it (its keys and values, some 0.1 MB
    /// for each position at 7B), so that the next run neither looks at its pictures nor reads them
    /// again. It is made if it is not there. Pictures stay where they are and must not change; the
    /// model must be the same, and so must --dtype, --kv and --exact.
    #[arg(long, value_name = "FILE", help_heading = "Conversation", conflicts_with = "load")]
    session: Option<PathBuf>,
    /// Converse even where input or output is no terminal; each line is a question or an order
    #[arg(long, help_heading = "Conversation")]
    interactive: bool,
    /// Turn pictures as their cameras noted (EXIF); the published code does not
    #[arg(long, help_heading = "Answer")]
    exif: bool,
    /// Print one JSON object on one line: text, token_ids, finish_reason, token counts, timings, seed, model
    ///
    /// finish_reason is `stop` (the model ended its answer, with the token `stop`), `length`
    /// (--max-new-tokens) or `context` (nothing more fits). prompt_tokens counts image_tokens too, and
    /// reused_tokens, which were known from --session and not read again. Timings are in milliseconds.
    #[arg(long, conflicts_with = "interactive")]
    json: bool,
}

/// What kind of talk it is.
enum Mode {
    Once(Question),
    Conversation(Option<Question>),
}

/// Answers, or converses.
pub(crate) fn run(args: RunArgs) -> Result<(), Failure> {
    args.answer.check()?;
    let mode = mode(&args)?;
    let (mut talk, mut session) = talk(&args)?;
    let seed = args.answer.first_seed();
    if let Mode::Once(question) | Mode::Conversation(Some(question)) = &mode {
        talk.ask(question)?;
    }
    let mut request = talk.request("");
    args.answer.apply(&mut request, seed);
    request.check().map_err(Failure::mistake)?;

    let talks = match mode {
        Mode::Once(_) => Talks::One,
        Mode::Conversation(_) => Talks::Several,
    };
    let loaded = args.model.load(talks)?;
    check_tiles(&args, &loaded)?;
    let past = match &mut session {
        Some(session) => session.past(&loaded.engine)?,
        None => loaded.engine.past(),
    };
    let (talk, mut past) = match mode {
        Mode::Once(_) => once(&args, &loaded, talk, past, seed)?,
        Mode::Conversation(first) => {
            talk.take_back();
            let (options, orientation) = (&args.answer, orientation(&args));
            Chat::new(&loaded, options, orientation, talk, past, seed).converse(first)?
        }
    };
    match session {
        Some(session) => session.save(&talk, &loaded.engine, &mut past),
        None => Ok(()),
    }
}

/// One answer. Returns the conversation with it, and what was read.
fn once(
    args: &RunArgs,
    loaded: &Loaded,
    mut talk: Talk,
    mut past: Past,
    seed: u64,
) -> Result<(Talk, Past), Failure> {
    let mut request = talk.request(&loaded.engine.instruction());
    args.answer.apply(&mut request, seed);
    let mut sink = |piece: &str| if args.json { Ok(()) } else { output::print(piece) };
    let told = answer::tell(&loaded.engine, &request, &mut past, &mut sink, &|| false)?;
    match &told.answer {
        Some(answer) if args.json => {
            output::print_json_line(&report(answer, loaded, args.answer.draws().then_some(seed)))
        }
        _ => output::print("\n"),
    }?;
    talk.answer(&told.text);
    Ok((talk, past))
}

/// The answer as JSON, in this order.
#[derive(Serialize)]
struct Report<'a> {
    text: &'a str,
    token_ids: &'a [u32],
    finish_reason: Finish,
    stop: Option<u32>,
    prompt_tokens: usize,
    image_tokens: usize,
    reused_tokens: usize,
    new_tokens: usize,
    timings_ms: Timings,
    seed: Option<u64>,
    model: String,
}

#[derive(Serialize)]
struct Timings {
    load: f64,
    see: f64,
    read: f64,
    speak: f64,
    total: f64,
}

/// The answer with what it cost; `seed` where words were drawn at random.
fn report<'a>(answer: &'a Answer, loaded: &Loaded, seed: Option<u64>) -> Report<'a> {
    let ixc_engine::Timings { see, read, speak } = answer.timings;
    Report {
        text: &answer.text,
        token_ids: &answer.ids,
        finish_reason: answer.finish,
        stop: answer.stop,
        prompt_tokens: answer.prompt_positions,
        image_tokens: answer.image_positions,
        reused_tokens: answer.reused_positions,
        new_tokens: answer.ids.len(),
        timings_ms: Timings {
            load: milliseconds(loaded.time),
            see: milliseconds(see),
            read: milliseconds(read),
            speak: milliseconds(speak),
            total: milliseconds(loaded.time + see + read + speak),
        },
        seed,
        model: loaded.place.to_string(),
    }
}

/// Whether there is one question or a conversation, and what is piped in.
fn mode(args: &RunArgs) -> Result<Mode, Failure> {
    let prompt = args.prompt.clone();
    if args.interactive {
        return Ok(Mode::Conversation(prompt.map(|marked| Question { marked, data: None })));
    }
    let at_terminal = stdin().is_terminal();
    if prompt.is_none() && at_terminal && stdout().is_terminal() {
        if args.json {
            return Err(cli::conflict("--json tells about one answer: give a PROMPT".into()));
        }
        return Ok(Mode::Conversation(None));
    }
    let piped = if at_terminal && prompt.is_some() { String::new() } else { piped(at_terminal)? };
    let question = match prompt {
        // Piped text stands on lines of its own, and a program's output ends in a line end anyway.
        Some(marked) if piped.is_empty() => Question { marked, data: None },
        Some(marked) if args.answer.typed_markers => {
            Question { marked: format!("{marked}\n{piped}"), data: None }
        }
        Some(marked) => Question { marked, data: Some(format!("\n{piped}")) },
        None => Question { marked: piped, data: None },
    };
    if question.is_empty() && args.image.is_empty() {
        return Err(Failure::mistake("there is no question: PROMPT and the piped text are empty")
            .with_hint("for a conversation, run it at a terminal or add --interactive"));
    }
    Ok(Mode::Once(question))
}

/// All of standard input, without the line end at its end.
fn piped(at_terminal: bool) -> Result<String, Failure> {
    if at_terminal {
        output::note("Type the question; Ctrl-D ends it.");
    }
    let mut bytes = Vec::new();
    let limit = MAX_PROMPT_BYTES as u64;
    stdin()
        .lock()
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::mistake(format!("cannot read standard input: {error}")))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::mistake(format!(
            "more than {limit} bytes of text were piped in, which no context holds; pipe in less"
        )));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        Failure::mistake(format!(
            "the piped text is not UTF-8 (byte {} is the first wrong one)",
            error.utf8_error().valid_up_to()
        ))
        .with_hint("pictures are given with --image FILE, not piped")
    })?;
    if text.ends_with('\n') {
        text.truncate(text.len() - 1);
    }
    if text.ends_with('\r') {
        text.truncate(text.len() - 1);
    }
    Ok(text)
}

/// The conversation to begin with: loaded, a session's, or new, with the pictures of the first question.
fn talk(args: &RunArgs) -> Result<(Talk, Option<Session>), Failure> {
    let (mut talk, session) = match (&args.load, &args.session) {
        (Some(path), _) => (saved::read(path, orientation(args))?, None),
        (None, Some(path)) => {
            let (session, talk) = Session::open(path, orientation(args))?;
            (talk, Some(session))
        }
        (None, None) => (Talk::new(Instruction::Published), None),
    };
    if let Some(text) = &args.system {
        talk.instruction = Instruction::Own(text.clone());
    } else if args.no_system {
        talk.instruction = Instruction::Own(String::new());
    }
    for path in &args.image {
        talk.attach(picture::open(path, orientation(args))?);
    }
    Ok((talk, session))
}

fn orientation(args: &RunArgs) -> Orientation {
    if args.exif { Orientation::Exif } else { Orientation::AsStored }
}

/// Refuses --tiles where the model has none.
fn check_tiles(args: &RunArgs, loaded: &Loaded) -> Result<(), Failure> {
    let config = loaded.engine.model().config();
    let tiled =
        config.vision.as_ref().is_some_and(|v| matches!(v.geometry, Geometry::Tiles { .. }));
    if args.answer.tiles.is_some() && !tiled {
        return Err(Failure::mistake(format!(
            "--tiles is for 4KHD and 2.5, but this is {}, which does not cut pictures into tiles",
            config.family.name()
        )));
    }
    Ok(())
}
