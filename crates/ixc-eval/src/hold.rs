//! Holding an examination: one question after another, each apart from all others.
//!
//! Deliberately absent: what is asked, and whether an answer is right.

use ixc_compose::chat::{REPETITION_PENALTY, TOP_K, TOP_P};
use ixc_engine::{Decoding, Engine, Event, Request, sample::Sampling};
use ixc_input::{
    conversation::{Conversation, Part, Role, Turn},
    image::Picture,
};

use crate::{Error, answers::Answer};

/// A question as the model gets it.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its name in the file of answers.
    pub key: String,
    /// The user's turn; pictures are counted from 0.
    pub parts: Vec<Part>,
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// What the answer begins with.
    pub prefix: String,
    /// Words at most.
    pub words_max: usize,
    /// Whether it is an article, which is drawn as the protocol draws it, from this seed; all else is greedy.
    pub article: Option<u64>,
    /// A right answer, kept beside what is said.
    pub right: String,
}

/// Asks, and returns the answer, without the prefix. `stop` is asked between any two stages of the model.
///
/// # Errors
/// When the engine refuses the question, or `stop` said so.
pub fn hold(
    engine: &Engine,
    question: &Question,
    stop: &dyn Fn() -> bool,
) -> Result<Answer, Error> {
    let mut conversation = Conversation::with_instruction(&engine.instruction());
    conversation.turns.push(Turn { role: Role::User, parts: question.parts.clone() });
    let (decoding, repetition_penalty) = match question.article {
        None => (Decoding::Greedy, 1.0),
        Some(seed) => {
            let sampling = Sampling { temperature: 1.0, top_k: TOP_K, top_p: TOP_P, seed };
            (Decoding::Sample(sampling), REPETITION_PENALTY)
        }
    };
    let request = Request {
        decoding,
        repetition_penalty,
        max_new_tokens: question.words_max,
        prefix: question.prefix.clone(),
        ..Request::new(conversation, question.pictures.clone())
    };
    let failed = |source| Error::Engine { key: question.key.clone(), source: Box::new(source) };
    for event in engine.answer(&request).map_err(failed)?.stop_when(stop) {
        if let Event::End(answer) = event.map_err(failed)? {
            let (key, right) = (question.key.clone(), question.right.clone());
            return Ok(Answer { key, text: answer.text, right });
        }
    }
    Err(Error::Cancelled)
}
