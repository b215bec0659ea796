//! The stream of events that answers a request.
//!
//! An [`Answering`] is an iterator: each call does the next piece of work and says what came of it.
//! Dropping it cancels the answer; [`Answering::stop_when`] reaches into a step that takes long. Text comes in whole characters; the pieces joined equal the
//! decoding of all ids.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use candle_core::Tensor;
use ixc_input::{
    prompt::Prompt,
    text_stream::{Spacing, TextStream},
};
use ixc_model::{Stage, stage::unobserved};

use crate::{
    Engine, Error, Past,
    generate::{BeamSpeaker, Reading, Speaker, Word},
    limits::PREFILL_ROWS,
    past::Shown,
    request::Decoding,
};

/// What happened next.
#[derive(Clone, Debug)]
pub enum Event {
    /// A picture was looked at.
    Seen {
        /// Which of those that are not known from the past, from 0.
        image: usize,
        /// Of how many.
        of: usize,
        /// Whether it was seen before, so that nothing was computed for it.
        known: bool,
    },
    /// Part of the prompt was read.
    Read {
        /// Positions so far.
        positions: usize,
        /// Of how many.
        of: usize,
    },
    /// A step of a beam search was taken; its text comes at the end.
    Searched {
        /// Words so far.
        words: usize,
    },
    /// The next piece of the answer, in whole characters.
    Text(String),
    /// The answer is complete.
    End(Answer),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model ended it.
    Stop,
    /// It reached the words allowed.
    Length,
    /// It reached the end of the context.
    Context,
}

/// How long each step took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Looking at the pictures.
    pub see: Duration,
    /// Reading the prompt.
    pub read: Duration,
    /// Finding the words.
    pub speak: Duration,
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// All of the text.
    pub text: String,
    /// The words' ids, without the stop.
    pub ids: Vec<u32>,
    /// The id the answer stopped with, if it did: for beams the first stop, as published.
    pub stop: Option<u32>,
    /// Why it ended.
    pub finish: Finish,
    /// Positions the prompt took.
    pub prompt_positions: usize,
    /// How many of them were image rows.
    pub image_positions: usize,
    /// How many were known, from the conversation's past or another's, and not read again.
    pub reused_positions: usize,
    /// How long it took.
    pub timings: Timings,
}

/// An answer in the making.
pub struct Answering<'a> {
    engine: &'a Engine,
    decoding: Decoding,
    penalty: f32,
    past: Held<'a>,
    /// What the past does not hold yet: the rest of the prompt, and the pictures in it.
    unread: Prompt,
    unseen: Vec<Shown>,
    features: Vec<Tensor>,
    /// Ids that count for the penalty.
    said: Vec<u32>,
    prompt_positions: usize,
    image_positions: usize,
    reused_positions: usize,
    words_max: usize,
    /// Whether `words_max` is the context's end rather than the request's.
    context_bound: bool,
    /// Taken when the last characters are out.
    text: Option<TextStream<'a>>,
    answer: String,
    ids: Vec<u32>,
    timings: Timings,
    /// Asked between two stages of the model whether to stop.
    stop: Option<&'a dyn Fn() -> bool>,
    state: State,
}

/// The past of an answer: of this answer alone, or a conversation's.
pub(crate) enum Held<'a> {
    Own(Past),
    Lent(&'a mut Past),
}

impl Held<'_> {
    pub(crate) fn get(&mut self) -> &mut Past {
        match self {
            Self::Own(past) => past,
            Self::Lent(past) => past,
        }
    }
}

enum State {
    Seeing,
    Reading(Reading),
    Speaking(Box<Speaker>),
    Searching(Box<BeamSpeaker>),
    Ending { stop: Option<u32>, finish: Finish },
    Done,
}

/// What a request comes down to once its prompt is laid out and its past found.
pub(crate) struct Plan {
    pub decoding: Decoding,
    pub spacing: Spacing,
    pub penalty: f32,
    /// Ids that count for the penalty.
    pub said: Vec<u32>,
    /// What the past does not hold yet.
    pub unread: Prompt,
    pub unseen: Vec<Shown>,
    pub prompt_positions: usize,
    pub image_positions: usize,
    pub words_max: usize,
    pub context_bound: bool,
}

impl<'a> Answering<'a> {
    pub(crate) fn new(engine: &'a Engine, mut past: Held<'a>, plan: Plan) -> Self {
        Self {
            engine,
            decoding: plan.decoding,
            penalty: plan.penalty,
            reused_positions: past.get().positions(),
            past,
            unread: plan.unread,
            unseen: plan.unseen,
            features: Vec::new(),
            said: plan.said,
            prompt_positions: plan.prompt_positions,
            image_positions: plan.image_positions,
            words_max: plan.words_max,
            context_bound: plan.context_bound,
            text: Some(TextStream::new(engine.tokenizer(), true, plan.spacing)),
            answer: String::new(),
            ids: Vec::new(),
            timings: Timings::default(),
            stop: None,
            state: State::Seeing,
        }
    }

    /// Asks `stop` between any two stages of the model, also within a long step; when it says yes, the
    /// events end without [`Event::End`].
    pub fn stop_when(self, stop: &'a dyn Fn() -> bool) -> Self {
        Self { stop: Some(stop), ..self }
    }

    /// Positions the prompt takes.
    pub fn prompt_positions(&self) -> usize {
        self.prompt_positions
    }

    /// How many of them are known, from the conversation's past or another's.
    pub fn reused_positions(&self) -> usize {
        self.reused_positions
    }

    /// Pictures that are still to be looked at.
    pub fn unseen_pictures(&self) -> usize {
        self.unseen.len() - self.features.len()
    }

    /// Does the next piece of work; `None` when there was nothing to tell about it.
    fn step(&mut self) -> Result<Option<Event>, Error> {
        let started = Instant::now();
        match std::mem::replace(&mut self.state, State::Done) {
            State::Seeing => {
                let event = self.see()?;
                self.timings.see += started.elapsed();
                Ok(event)
            }
            State::Reading(reading) => {
                let event = self.read(reading)?;
                self.timings.read += started.elapsed();
                Ok(Some(event))
            }
            State::Speaking(speaker) => {
                let event = self.speak(speaker)?;
                self.timings.speak += started.elapsed();
                Ok(event)
            }
            State::Searching(search) => {
                let event = self.search(search)?;
                self.timings.speak += started.elapsed();
                Ok(event)
            }
            State::Ending { stop, finish } => self.end(stop, finish).map(Some),
            State::Done => Ok(None),
        }
    }

    fn see(&mut self) -> Result<Option<Event>, Error> {
        let model = self.engine.model();
        let image = self.features.len();
        let Some(picture) = self.unseen.get(image) else {
            let spliced = model.splice(&self.unread, &self.features, &mut unobserved)?;
            self.state = State::Reading(Reading::new(spliced));
            return Ok(None);
        };
        let (features, known) = self.engine.see(picture, &mut stopper(self.stop))?;
        self.features.push(features);
        self.state = State::Seeing;
        Ok(Some(Event::Seen { image, of: self.unseen.len(), known }))
    }

    fn read(&mut self, mut reading: Reading) -> Result<Event, Error> {
        let (model, cache) = (self.engine.model(), &mut self.past.get().cache);
        let scores = reading.step(model, cache, PREFILL_ROWS, &mut stopper(self.stop))?;
        let positions = self.reused_positions + reading.done();
        if scores.is_some() {
            self.engine.remember(self.past.get());
        }
        let cache = &mut self.past.get().cache;
        let stops = self.engine.special().stops();
        self.state = match (scores, self.decoding) {
            (None, _) => State::Reading(reading),
            (Some(scores), Decoding::Beams(beams)) => {
                let said = std::mem::take(&mut self.said);
                let most = self.words_max;
                let search =
                    BeamSpeaker::new(cache, scores, said, beams, self.penalty, &stops, most);
                State::Searching(Box::new(search))
            }
            (Some(scores), decoding) => {
                let speaker = Speaker::new(scores, &self.said, &decoding, self.penalty, &stops);
                State::Speaking(Box::new(speaker))
            }
        };
        Ok(Event::Read { positions, of: self.prompt_positions })
    }

    /// The characters that one more word makes certain.
    fn decode(&mut self, id: u32) -> Result<String, Error> {
        let stream = self.text.as_mut();
        Ok(stream.map(|stream| stream.push(id)).transpose()?.unwrap_or_default())
    }

    /// What ended an answer of as many words as were allowed.
    fn limit(&self) -> Finish {
        if self.context_bound { Finish::Context } else { Finish::Length }
    }

    fn speak(&mut self, mut speaker: Box<Speaker>) -> Result<Option<Event>, Error> {
        match speaker.next_word(self.engine.model(), &mut self.past.get().cache)? {
            Word::Stop(id) => {
                self.state = State::Ending { stop: Some(id), finish: Finish::Stop };
                Ok(None)
            }
            Word::Next(id) => {
                self.ids.push(id);
                self.past.get().push(id);
                self.state = if self.ids.len() == self.words_max {
                    State::Ending { stop: None, finish: self.limit() }
                } else {
                    State::Speaking(speaker)
                };
                let piece = self.decode(id)?;
                self.answer.push_str(&piece);
                Ok((!piece.is_empty()).then_some(Event::Text(piece)))
            }
        }
    }

    fn search(&mut self, mut search: Box<BeamSpeaker>) -> Result<Option<Event>, Error> {
        if search.step(self.engine.model())? {
            let words = search.words();
            self.state = State::Searching(search);
            return Ok(Some(Event::Searched { words }));
        }
        let found = search.finish();
        self.state = if found.ended {
            State::Ending { stop: Some(self.engine.special().stops()[0]), finish: Finish::Stop }
        } else {
            State::Ending { stop: None, finish: self.limit() }
        };
        let mut text = String::new();
        for &id in &found.ids {
            text.push_str(&self.decode(id)?);
        }
        self.ids = found.ids;
        self.answer.push_str(&text);
        Ok((!text.is_empty()).then_some(Event::Text(text)))
    }

    /// The last characters that were still waiting for more, then the whole answer.
    fn end(&mut self, stop: Option<u32>, finish: Finish) -> Result<Event, Error> {
        let rest = self.text.take().map(TextStream::finish).unwrap_or_default();
        if !rest.is_empty() {
            self.answer.push_str(&rest);
            self.state = State::Ending { stop, finish };
            return Ok(Event::Text(rest));
        }
        self.engine.remember(self.past.get());
        Ok(Event::End(Answer {
            text: std::mem::take(&mut self.answer),
            ids: std::mem::take(&mut self.ids),
            stop,
            finish,
            prompt_positions: self.prompt_positions,
            image_positions: self.image_positions,
            reused_positions: self.reused_positions,
            timings: self.timings,
        }))
    }
}

/// An observer that breaks off as soon as it is told to.
fn stopper(stop: Option<&dyn Fn() -> bool>) -> impl FnMut(Stage, &Tensor) -> ControlFlow<()> {
    move |_, _| match stop {
        Some(stop) if stop() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

impl Iterator for Answering<'_> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !matches!(self.state, State::Done) {
            if self.stop.is_some_and(|stop| stop()) {
                self.state = State::Done;
                return None;
            }
            match self.step() {
                Err(Error::Model(ixc_model::Error::Cancelled)) => return None,
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}
