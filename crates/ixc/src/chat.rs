//! The interactive conversation: read a line, do what it asks, again.
//!
//! Answers go to stdout, everything else to stderr. Invariant: no mistake ends the conversation; only
//! `/exit`, the end of the input or a closed stdout do. Ctrl-C stops the answer, whose text so far
//! stays in the conversation.

mod lines;
mod slash;

use std::path::Path;

use ixc_engine::Past;
use ixc_input::image::Orientation;

use crate::{
    answer, environment,
    exit::Failure,
    interrupt,
    model::Loaded,
    options::AnswerArgs,
    output, picture,
    table::counted,
    talk::{Instruction, Question, Talk, saved},
};
use lines::{Line, Lines};
use slash::{Order, System};

/// What a conversation needs.
pub(crate) struct Chat<'a> {
    loaded: &'a Loaded,
    options: &'a AnswerArgs,
    /// How pictures are read.
    orientation: Orientation,
    /// The conversation so far.
    talk: Talk,
    /// What the model has read of it.
    past: Past,
    /// The next answer's seed.
    seed: u64,
}

impl<'a> Chat<'a> {
    /// A conversation that goes on from `talk`, of which the model has read `past`; `seed` is the next
    /// answer's.
    pub(crate) fn new(
        loaded: &'a Loaded,
        options: &'a AnswerArgs,
        orientation: Orientation,
        talk: Talk,
        past: Past,
        seed: u64,
    ) -> Self {
        Self { past, loaded, options, orientation, talk, seed }
    }

    /// Converses until the user leaves; `first` is asked before the first line is read. Returns the
    /// conversation, and what was read of it.
    pub(crate) fn converse(mut self, first: Option<Question>) -> Result<(Talk, Past), Failure> {
        interrupt::watch();
        let mut lines = Lines::open()?;
        if lines.is_terminal() {
            let family = self.loaded.engine.model().config().family.name();
            output::note(&format!("{family}. /help tells what you can do, Ctrl-D ends."));
            if self.talk.answers() > 0 {
                output::note(&format!(
                    "It goes on after {}.",
                    counted(self.talk.answers(), "answer")
                ));
            }
            if !self.talk.waiting().is_empty() {
                self.say_waiting();
            }
        }
        if let Some(question) = first {
            self.report(|chat| chat.ask(&question))?;
        }
        loop {
            match lines.next()? {
                Line::Text(text) => match slash::parse(&text) {
                    Ok(Order::Leave) => return Ok((self.talk, self.past)),
                    Ok(order) => self.report(|chat| chat.obey(order))?,
                    Err(message) => output::note(&message),
                },
                Line::Cleared => {}
                Line::End => return Ok((self.talk, self.past)),
            }
        }
    }

    /// Does something; a mistake in it is told and the conversation goes on.
    fn report(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match act(self) {
            Err(failure @ Failure::Told { .. }) => {
                failure.tell();
                Ok(())
            }
            other => other,
        }
    }

    fn obey(&mut self, order: Order) -> Result<(), Failure> {
        match order {
            Order::Ask(text) => self.ask(&Question { marked: text, data: None }),
            Order::Nothing => Ok(()),
            Order::Help => {
                output::note(slash::HELP);
                Ok(())
            }
            Order::Image(files) => {
                // All or none: a mistyped name must not leave half of the list attached.
                let open = |file| picture::open(&environment::expand(file), self.orientation);
                let photos = files.iter().map(|file| open(file)).collect::<Result<Vec<_>, _>>()?;
                photos.into_iter().for_each(|photo| self.talk.attach(photo));
                self.say_waiting();
                Ok(())
            }
            Order::NoImage => {
                self.talk.detach();
                self.say_waiting();
                Ok(())
            }
            Order::System(system) => {
                self.set_system(system);
                Ok(())
            }
            Order::Retry if self.talk.reopen() => self.answer(),
            Order::Retry => {
                output::note("Nothing has been asked yet.");
                Ok(())
            }
            Order::Clear => {
                self.talk.clear();
                output::note("The conversation begins anew.");
                Ok(())
            }
            Order::Save(file) => self.save(&environment::expand(&file)),
            Order::Leave => Ok(()),
        }
    }

    fn ask(&mut self, question: &Question) -> Result<(), Failure> {
        self.talk.ask(question)?;
        self.answer()
    }

    /// Answers the last question. Each further answer has the next seed, so that /retry differs.
    fn answer(&mut self) -> Result<(), Failure> {
        let engine = &self.loaded.engine;
        let mut request = self.talk.request(&engine.instruction());
        self.options.apply(&mut request, self.seed);
        self.seed = self.seed.wrapping_add(1);
        interrupt::reset();
        let mut said = String::new();
        let told = answer::tell(
            engine,
            &request,
            &mut self.past,
            &mut |piece| {
                said.push_str(piece);
                output::print(piece)
            },
            &interrupt::pressed,
        );
        if !said.is_empty() {
            output::print("\n")?;
        }
        // What was said before something went wrong was said.
        self.talk.answer(&said);
        let told = told?;
        if told.answer.is_none() {
            output::note("(stopped)");
        } else if told.text.is_empty() {
            output::note("(the model has nothing to say)");
        }
        Ok(())
    }

    fn say_waiting(&self) {
        let waiting = self.talk.waiting();
        if waiting.is_empty() {
            return output::note("No picture waits for the next question.");
        }
        let names: Vec<String> = waiting
            .iter()
            .map(|photo| {
                let (width, height) = (photo.picture.width(), photo.picture.height());
                format!("{} ({width}×{height})", photo.path.display())
            })
            .collect();
        output::note(&format!("With the next question: {}", names.join(", ")));
    }

    fn set_system(&mut self, system: System) {
        let published = || self.loaded.engine.instruction();
        match system {
            System::Show => {}
            System::Published => self.talk.instruction = Instruction::Published,
            System::Own(text) => self.talk.instruction = Instruction::Own(text),
        }
        let text = match &self.talk.instruction {
            Instruction::Published => published(),
            Instruction::Own(text) => text.clone(),
        };
        output::note(if text.is_empty() { "The model is told nothing beforehand." } else { &text });
    }

    fn save(&self, path: &Path) -> Result<(), Failure> {
        saved::write(&self.talk, path)?;
        output::note(&format!("Saved to {}; --load reopens it.", path.display()));
        Ok(())
    }
}
