//! What is told while an article is made.
//!
//! Deliberately absent: anything to be answered; whoever wants it to end says so in [`Watch::stop`].

use crate::{
    odd::Odd,
    record::{Candidates, Caption, Choice, Draft, Places, Stage},
};

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A stage begins, or its next place: which of how many, counted from 1.
    Begins {
        /// The stage.
        stage: Stage,
        /// Which.
        at: usize,
        /// Of how many.
        of: usize,
    },
    /// A text is about to go to a service.
    Asks {
        /// What the user calls it.
        service: &'a str,
        /// Where it is.
        host: &'a str,
    },
    /// The next piece of the article or of a changed paragraph, as it is written.
    Text(&'a str),
    /// The article is written.
    Article(&'a Draft),
    /// Places are chosen.
    Places(&'a Places),
    /// A place has a caption.
    Caption(&'a Caption),
    /// A place has candidates.
    Candidates(&'a Candidates),
    /// A place has its picture, or stays open.
    Choice(&'a Choice),
    /// Something is odd.
    Odd(&'a Odd),
}

/// Who is told, and who may end it.
pub struct Watch<'a> {
    /// Hears of everything.
    pub observe: &'a mut dyn FnMut(Event<'_>),
    /// Asked between any two words and any two pieces of work.
    pub stop: &'a dyn Fn() -> bool,
}

impl Watch<'_> {
    pub(crate) fn tell(&mut self, event: Event<'_>) {
        (self.observe)(event);
    }

    pub(crate) fn odd(&mut self, odd: &[Odd]) {
        odd.iter().for_each(|odd| self.tell(Event::Odd(odd)));
    }
}
