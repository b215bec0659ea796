//! The engine as the editor asks it.
//!
//! Each ask is a conversation of one turn, without a system turn, as the composition checkpoint was trained. What asks
//! begin with alike (an article's text, the pictures above a place) the engine finds by its content, so that it is
//! read once. Deliberately absent: a past of its own.

use std::ops::ControlFlow;

use ixc_compose::chat::{
    Ask, Chat, Cost, Decoding, Ended, REPETITION_PENALTY, Refusal, Reply, TOP_K, TOP_P,
};
use ixc_engine::{Engine, Event, Finish, Request, beam::Beams, sample::Sampling};
use ixc_input::conversation::{Conversation, Role, Turn};

/// The engine.
pub(crate) struct Speaker<'a>(pub(crate) &'a Engine);

impl Chat for Speaker<'_> {
    fn answer(
        &self,
        ask: &Ask<'_>,
        stop: &dyn Fn() -> bool,
        hear: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Reply, Refusal> {
        let refused = |error: ixc_engine::Error| Refusal(error.to_string());
        let mut events = self.0.answer(&request(ask)).map_err(refused)?.stop_when(stop);
        let cost = Cost { positions: events.prompt_positions(), reused: events.reused_positions() };
        let mut reply = Reply { text: String::new(), ended: Ended::Stopped, cost };
        for event in events.by_ref() {
            match event.map_err(refused)? {
                Event::Text(piece) => {
                    reply.text.push_str(&piece);
                    if hear(&piece).is_break() {
                        reply.ended = Ended::Heard;
                        break;
                    }
                }
                Event::End(answer) => {
                    reply.ended = match answer.finish {
                        Finish::Stop => Ended::Itself,
                        Finish::Length | Finish::Context => Ended::Length,
                    };
                }
                Event::Seen { .. } | Event::Read { .. } | Event::Searched { .. } => {}
            }
        }
        Ok(reply)
    }
}

fn request(ask: &Ask<'_>) -> Request {
    let turn = Turn { role: Role::User, parts: ask.step.parts.clone() };
    let pictures = ask.pictures.iter().map(|&picture| picture.clone()).collect();
    let sampling = |seed| Sampling { temperature: 1.0, top_k: TOP_K, top_p: TOP_P, seed };
    Request {
        decoding: match ask.decoding {
            Decoding::Greedy => ixc_engine::Decoding::Greedy,
            Decoding::Sample(seed) => ixc_engine::Decoding::Sample(sampling(seed)),
            Decoding::Beams(count) => {
                ixc_engine::Decoding::Beams(Beams { count, length_penalty: 1.0 })
            }
        },
        repetition_penalty: if ask.penalised { REPETITION_PENALTY } else { 1.0 },
        max_new_tokens: ask.words_max,
        prefix: ask.step.prefix.into(),
        ..Request::new(Conversation { turns: vec![turn] }, pictures)
    }
}
