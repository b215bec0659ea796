//! Changes of a paragraph by the model, in the protocol's words.
//!
//! An answer of several lines becomes several blocks, as an article does; one of none changes nothing.

use ixc_input::composition::{self, Step};

use super::{Change, Edit, ensure};
use crate::{Error, article::Block, chat::Refusal, stage::How};

impl Change<'_, '_> {
    /// Rewrites, expands or shortens a paragraph.
    pub(super) fn reword(&mut self, edit: &Edit) -> Result<String, Error> {
        let (at, step, name) = match edit {
            Edit::Rewrite { at, material } => {
                (*at, composition::rewrite(self.text(*at)?, material), "rewrite")
            }
            Edit::Expand { at, material } => {
                (*at, composition::expand(self.text(*at)?, material), "expand")
            }
            Edit::Shorten { at } => (*at, composition::shorten(self.text(*at)?), "shorten"),
            _ => unreachable!("the others do not reword"),
        };
        let lines = self.written(step)?;
        self.article.blocks.splice(at..=at, lines);
        Ok(format!("{name} {}", at + 1))
    }

    /// Writes a paragraph that gets the number `at`.
    pub(super) fn insert(&mut self, at: usize, outline: &str) -> Result<String, Error> {
        let blocks = self.article.blocks.len();
        ensure(at <= blocks, || {
            format!("expected a place from 1 to {}, found {}", blocks + 1, at + 1)
        })?;
        let (before, after) = (self.paragraph_before(at), self.paragraph_behind(at));
        let lines = self.written(composition::insert(&before, &after, outline))?;
        self.article.blocks.splice(at..at, lines);
        Ok(format!("insert {}", at + 1))
    }

    /// Writes a paragraph anew between its neighbours, without seeing what it was.
    pub(super) fn again(&mut self, at: usize, outline: &str) -> Result<String, Error> {
        self.text(at)?;
        let (before, after) = (self.paragraph_before(at), self.paragraph_behind(at + 1));
        let lines = self.written(composition::insert(&before, &after, outline))?;
        self.article.blocks.splice(at..=at, lines);
        Ok(format!("write {} again", at + 1))
    }

    /// The nearest paragraph above a place; empty where there is none.
    fn paragraph_before(&self, at: usize) -> String {
        let above = self.article.blocks[..at].iter().rev();
        above.filter_map(words).next().unwrap_or_default()
    }

    /// The nearest paragraph from a place on; empty where there is none.
    fn paragraph_behind(&self, at: usize) -> String {
        self.article.blocks[at..].iter().filter_map(words).next().unwrap_or_default()
    }

    /// What the model writes, as blocks.
    fn written(&mut self, step: Step) -> Result<Vec<Block>, Error> {
        let how = How::writing(self.decoding);
        let asked = self.work.ask(step, Vec::new(), &how)?.map_err(Error::NoAnswer)?;
        let lines = composition::sections(&asked.answer);
        if lines.is_empty() {
            return Err(Error::NoAnswer(Refusal("it wrote nothing; nothing was changed".into())));
        }
        Ok(lines.into_iter().map(|line| Block::Text { text: line.into() }).collect())
    }
}

fn words(block: &Block) -> Option<String> {
    match block {
        Block::Text { text } => Some(text.clone()),
        Block::Picture(_) => None,
    }
}
