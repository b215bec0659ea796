//! A conversation with its pictures, as the commands that talk hold it.
//!
//! Invariants: turns refer to pictures by their place in the album; only the last question may be
//! without an answer, and it is taken back when another one is asked. Deliberately absent: the model,
//! the terminal.

pub(crate) mod saved;

use ixc_engine::Request;
use ixc_input::conversation::{Conversation, Part, Role, Turn, parts_from_marked};

use crate::{exit::Failure, picture::Photo};

/// What the model is told before the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// What the checkpoint's published `chat` tells it.
    Published,
    /// The user's own words; nothing when empty.
    Own(String),
}

/// What a user asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Question {
    /// Words in which `<ImageHere>` marks a picture's place.
    pub(crate) marked: String,
    /// Words that follow and are data: `<ImageHere>` is text there.
    pub(crate) data: Option<String>,
}

impl Question {
    /// Whether there is nothing to ask.
    pub(crate) fn is_empty(&self) -> bool {
        self.marked.trim().is_empty() && self.data.is_none()
    }
}

/// A conversation.
#[derive(Debug)]
pub(crate) struct Talk {
    /// What precedes it.
    pub(crate) instruction: Instruction,
    turns: Vec<Turn>,
    album: Vec<Photo>,
    /// Pictures of the next question.
    waiting: Vec<Photo>,
}

impl Talk {
    /// A conversation that has not begun.
    pub(crate) fn new(instruction: Instruction) -> Self {
        Self { instruction, turns: Vec::new(), album: Vec::new(), waiting: Vec::new() }
    }

    /// How many answers there are.
    pub(crate) fn answers(&self) -> usize {
        self.turns.iter().filter(|turn| turn.role == Role::Assistant).count()
    }

    /// Gives a picture to the next question.
    pub(crate) fn attach(&mut self, photo: Photo) {
        self.waiting.push(photo);
    }

    /// Takes the next question's pictures back.
    pub(crate) fn detach(&mut self) {
        self.waiting.clear();
    }

    /// The pictures of the next question.
    pub(crate) fn waiting(&self) -> &[Photo] {
        &self.waiting
    }

    /// Puts a question, with the pictures that wait for it.
    pub(crate) fn ask(&mut self, question: &Question) -> Result<(), Failure> {
        self.take_back();
        let (first, count) = (self.album.len(), self.waiting.len());
        let mut parts =
            parts_from_marked(&question.marked, first, count).map_err(Failure::mistake)?;
        if let Some(data) = &question.data {
            parts.push(Part::Text(data.clone()));
        }
        self.album.append(&mut self.waiting);
        self.turns.push(Turn { role: Role::User, parts });
        Ok(())
    }

    /// Takes an unanswered question back; its pictures wait for the next one.
    pub(crate) fn take_back(&mut self) {
        if !self.turns.last().is_some_and(|turn| turn.role == Role::User) {
            return;
        }
        let taken = self.turns.pop().map_or(0, |turn| pictures(&turn));
        let mut photos = self.album.split_off(self.album.len() - taken);
        photos.append(&mut self.waiting);
        self.waiting = photos;
    }

    /// Takes the last answer away, so that its question can be asked again. Says whether there is a
    /// question.
    pub(crate) fn reopen(&mut self) -> bool {
        if self.turns.last().is_some_and(|turn| turn.role == Role::Assistant) {
            self.turns.pop();
        }
        self.turns.last().is_some_and(|turn| turn.role == Role::User)
    }

    /// Puts the answer to the last question. An empty one leaves the question open.
    pub(crate) fn answer(&mut self, text: &str) {
        if !text.is_empty() {
            self.turns.push(Turn::text(Role::Assistant, text));
        }
    }

    /// Forgets what was said and shown.
    pub(crate) fn clear(&mut self) {
        self.turns.clear();
        self.album.clear();
        self.waiting.clear();
    }

    /// The request for the answer to the last question; `published` is the checkpoint's instruction.
    pub(crate) fn request(&self, published: &str) -> Request {
        let instruction = match &self.instruction {
            Instruction::Published => published,
            Instruction::Own(text) => text,
        };
        let mut conversation = Conversation::with_instruction(instruction);
        conversation.turns.extend(self.turns.iter().cloned());
        Request::new(conversation, self.album.iter().map(|photo| photo.picture.clone()).collect())
    }
}

/// How many pictures a turn refers to.
fn pictures(turn: &Turn) -> usize {
    turn.parts.iter().filter(|part| !matches!(part, Part::Text(_))).count()
}

#[cfg(test)]
mod tests {
    use ixc_input::image::Picture;

    use super::*;

    fn photo(name: &str) -> Photo {
        Photo { path: name.into(), picture: Picture::from_rgb(1, 1, vec![0; 3]) }
    }

    fn question(marked: &str) -> Question {
        Question { marked: marked.into(), data: None }
    }

    #[test]
    fn a_question_takes_the_waiting_pictures_and_gives_them_back() {
        let mut talk = Talk::new(Instruction::Published);
        talk.attach(photo("a"));
        talk.ask(&question("<ImageHere>?")).unwrap();
        talk.answer("A.");
        talk.attach(photo("b"));
        talk.ask(&question("and <ImageHere>?")).unwrap();
        assert!(talk.waiting().is_empty());
        let request = talk.request("be kind");
        assert_eq!(request.conversation.images().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(request.pictures.len(), 2);
        // Stopped before the first word, then asked differently: the picture is still there.
        talk.answer("");
        talk.attach(photo("c"));
        talk.ask(&question("<ImageHere> or <ImageHere>?")).unwrap();
        let request = talk.request("be kind");
        assert_eq!(request.conversation.turns.len(), 4, "instruction, question, answer, question");
        assert_eq!(request.conversation.images().collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_refused_question_loses_no_picture() {
        let mut talk = Talk::new(Instruction::Published);
        talk.attach(photo("a"));
        talk.ask(&question("<ImageHere><ImageHere>")).unwrap_err();
        assert_eq!(talk.waiting().len(), 1);
        assert!(talk.turns.is_empty());
        assert!(!talk.reopen());
    }

    #[test]
    fn reopening_drops_the_answer_only() {
        let mut talk = Talk::new(Instruction::Own(String::new()));
        talk.ask(&question("one")).unwrap();
        talk.answer("1");
        assert!(talk.reopen() && talk.reopen(), "again and again");
        assert_eq!(talk.request("unused").conversation.turns, [Turn::text(Role::User, "one")]);
        talk.clear();
        assert!(talk.turns.is_empty());
    }

    #[test]
    fn data_places_no_picture() {
        let mut talk = Talk::new(Instruction::Own(String::new()));
        let data = Some("<ImageHere>".into());
        talk.ask(&Question { marked: "Summarise:".into(), data }).unwrap();
        assert_eq!(talk.request("").conversation.images().count(), 0);
    }
}
