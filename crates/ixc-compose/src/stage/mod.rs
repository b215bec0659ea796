//! The stages, one file each, and how each of them asks.
//!
//! Invariant: a stage reads the composition and gives its own data; it changes nothing. Deliberately absent: which
//! stages are made ([`crate::compose`]).

mod article;
mod candidates;
mod captions;
mod choices;
mod places;

use std::ops::ControlFlow;

use ixc_input::{
    composition::{Step, marked},
    image::Picture,
};

pub(crate) use article::article;
pub(crate) use candidates::{Query, candidates, searched};
pub(crate) use captions::{asked_caption, captions};
pub(crate) use choices::{Standing, choices, chosen};
pub(crate) use places::places;

use crate::{
    Error, Sources,
    chat::{Ask, Chat, Decoding, Ended, Refusal},
    event::{Event, Watch},
    limits::ARTICLE_WORDS,
    record::Exchange,
};

/// Who answers, what there is, who hears.
pub(crate) struct Work<'a, 'w> {
    pub(crate) chat: &'a dyn Chat,
    pub(crate) sources: &'a Sources,
    pub(crate) watch: &'a mut Watch<'w>,
}

/// How an answer is found, and what of it is enough.
pub(crate) struct How {
    decoding: Decoding,
    words_max: usize,
    /// Text for a reader: told as it comes, its words not said again and again.
    writes: bool,
    enough: fn(&str) -> bool,
}

impl How {
    /// A text to be read.
    pub(crate) fn writing(decoding: Decoding) -> Self {
        Self { decoding, words_max: ARTICLE_WORDS, writes: true, enough: |_| false }
    }

    /// A short answer, which is judged rather than read; no more is said once `enough` of it is.
    pub(crate) fn greedy(words_max: usize, enough: fn(&str) -> bool) -> Self {
        Self { decoding: Decoding::Greedy, words_max, writes: false, enough }
    }
}

impl Work<'_, '_> {
    /// Asks.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; inside, why the model gives no answer.
    pub(crate) fn ask(
        &mut self,
        step: Step,
        pictures: Vec<&Picture>,
        how: &How,
    ) -> Result<Result<Exchange, Refusal>, Error> {
        let (turn, prefix) = (marked(&step.parts), step.prefix.to_owned());
        let How { decoding, words_max, writes, enough } = *how;
        let ask = Ask { step, pictures, decoding, penalised: writes, words_max };
        let stop = self.watch.stop;
        if stop() {
            return Err(Error::Cancelled);
        }
        let watch = &mut *self.watch;
        let mut answer = String::new();
        let reply = self.chat.answer(&ask, stop, &mut |piece| {
            answer.push_str(piece);
            if writes {
                watch.tell(Event::Text(piece));
            }
            if stop() || enough(&answer) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        match reply {
            Ok(reply) if reply.ended == Ended::Stopped || stop() => Err(Error::Cancelled),
            Ok(reply) => {
                let (ended, cost) = (reply.ended, reply.cost);
                Ok(Ok(Exchange { turn, prefix, answer: reply.text, ended, cost }))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }
}
