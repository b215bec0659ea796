//! One answer, from request to the last character, as it happens.
//!
//! Text goes to a sink as soon as it is certain; everything before the first character is told by a
//! line of progress. Invariant: whatever stops the answer, the text so far is returned.

use ixc_engine::{Answer, Engine, Event, Past, Request};

use crate::{
    exit::{Exit, Failure},
    progress::Working,
};

/// What was said.
#[derive(Debug)]
pub(crate) struct Told {
    /// The text, or as much of it as there was when it was stopped.
    pub(crate) text: String,
    /// Everything about the answer; nothing when it was stopped.
    pub(crate) answer: Option<Answer>,
}

/// Answers a request; asks `stop` between any two stages of the model.
pub(crate) fn tell(
    engine: &Engine,
    request: &Request,
    past: &mut Past,
    sink: &mut dyn FnMut(&str) -> Result<(), Failure>,
    stop: &dyn Fn() -> bool,
) -> Result<Told, Failure> {
    let mut events = engine.answer_after(request, past).map_err(refusal)?.stop_when(stop);
    let mut text = String::new();
    let mut answer = None;
    let positions = events.prompt_positions();
    let working = Working::start(if events.unseen_pictures() == 0 {
        format!("reading {positions} positions")
    } else {
        "looking and reading".into()
    });
    for event in events.by_ref() {
        match event.map_err(refusal)? {
            Event::Seen { image, of, .. } if image + 1 < of => {
                working.say(format!("looking at picture {} of {of}", image + 2));
            }
            Event::Seen { .. } => working.say(format!("reading {positions} positions")),
            Event::Read { positions, of } if positions < of => {
                working.say(format!("reading, {positions} of {of} positions are done"));
            }
            Event::Read { .. } => working.say("finding the first words"),
            Event::Searched { words } => working.say(format!("searching, {words} words")),
            Event::Text(piece) => {
                working.clear();
                sink(&piece)?;
                text.push_str(&piece);
            }
            Event::End(whole) => answer = Some(whole),
        }
    }
    Ok(Told { text, answer })
}

/// Why a request was not answered, as a failure.
fn refusal(error: ixc_engine::Error) -> Failure {
    match error {
        ixc_engine::Error::Model(ixc_model::Error::Numbers(_)) => Failure::new(Exit::Model, error),
        _ => Failure::mistake(error),
    }
}
