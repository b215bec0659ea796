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
    /// What has been read, for the next question.
    pub(crate) past: Past,
}

/// Answers a request; asks `stop` between any two steps whether to go on.
pub(crate) fn tell(
    engine: &Engine,
    request: &Request,
    past: Past,
    sink: &mut dyn FnMut(&str) -> Result<(), Failure>,
    stop: &dyn Fn() -> bool,
) -> Result<Told, Failure> {
    let mut events = engine.answer_after(request, past).map_err(refusal)?;
    let mut text = String::new();
    let mut answer = None;
    let working = Working::start("thinking");
    while let Some(event) = events.next() {
        match event.map_err(refusal)? {
            Event::Seen { image, of } => {
                working.say(format!("has looked at picture {} of {of}", image + 1));
            }
            Event::Read { positions, of } => {
                working.say(format!("has read {positions} of {of} positions"))
            }
            Event::Searched { words } => working.say(format!("searching, {words} words")),
            Event::Text(piece) => {
                working.clear();
                sink(&piece)?;
                text.push_str(&piece);
            }
            Event::End(whole) => answer = Some(whole),
        }
        if stop() {
            break;
        }
    }
    Ok(Told { text, answer, past: events.into_past() })
}

/// Why a request was not answered, as a failure.
fn refusal(error: ixc_engine::Error) -> Failure {
    match error {
        ixc_engine::Error::Model(ixc_model::Error::Numbers(_)) => Failure::new(Exit::Model, error),
        _ => Failure::mistake(error),
    }
}
