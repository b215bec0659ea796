//! Changes of an article: of a paragraph by the model, of a picture, or by hand.
//!
//! project + [`Edit`] → one more version ([`edit`]). Invariants: an edit is made as a whole or not at all; a refused
//! or stopped one leaves the project as it was. Blocks are counted from 0 here and from 1 by the door. Deliberately
//! absent: undoing, which is the project's.

mod picture;
mod text;

use crate::{
    Chat, Error, Project, Sources, Watch,
    article::{Article, Assets, Block, Picture, offered},
    chat::Decoding,
    service::Generate,
    stage::Work,
};

/// What is to be changed; numbers are blocks'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A paragraph anew, with material.
    Rewrite {
        /// Which.
        at: usize,
        /// What to base it on.
        material: String,
    },
    /// A longer paragraph, with material.
    Expand {
        /// Which.
        at: usize,
        /// What to base it on.
        material: String,
    },
    /// A shorter paragraph.
    Shorten {
        /// Which.
        at: usize,
    },
    /// A new paragraph at this place, between its neighbours.
    Insert {
        /// The number it gets.
        at: usize,
        /// What it is about.
        outline: String,
    },
    /// A paragraph written again between its neighbours.
    Again {
        /// Which.
        at: usize,
        /// What it is about.
        outline: String,
    },
    /// A block away.
    Delete {
        /// Which.
        at: usize,
    },
    /// A block elsewhere.
    Move {
        /// Which.
        at: usize,
        /// The number it gets.
        to: usize,
    },
    /// A new caption of a picture, from the model or given, and four new candidates.
    Recaption {
        /// Which.
        at: usize,
        /// The caption; the model's if none.
        caption: Option<String>,
    },
    /// Other candidates of a picture, none of those shown before.
    Candidates {
        /// Which.
        at: usize,
    },
    /// Another picture in its place.
    Replace {
        /// Which.
        at: usize,
        /// By what.
        with: With,
    },
    /// A new picture behind a block: caption, candidates, choice.
    Illustrate {
        /// The block before it.
        after: usize,
        /// The caption; the model's if none.
        caption: Option<String>,
        /// A file instead of a library's picture.
        with: Option<With>,
    },
}

/// What a place gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum With {
    /// What the model chooses of its candidates.
    Chosen,
    /// A candidate, counted from 0.
    Candidate(usize),
    /// A file.
    File {
        /// Where it is.
        path: String,
        /// What it holds.
        bytes: Vec<u8>,
    },
}

/// Makes an edit. What a paragraph's words are found with is `decoding`; choices of pictures are greedy.
///
/// # Errors
/// When the article has no such block, the model gives no answer, a picture cannot be read, or `watch` stops it.
pub fn edit(
    project: &mut Project,
    edit: &Edit,
    decoding: Decoding,
    chat: &dyn Chat,
    sources: &Sources,
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    let mut change = Change {
        article: project.article().clone(),
        assets: project.assets.clone(),
        decoding,
        generate: project.composition.request.generate,
        seed: project.composition.request.seed.wrapping_add(project.history().0.len() as u64),
        work: Work { chat, sources, watch },
    };
    // Candidates that services gave are in the project alone.
    for (_, digest) in change.article.kept() {
        if let Some(bytes) = change.assets.get(digest) {
            sources.keep(bytes.clone())?;
        }
    }
    let done = change.make(edit)?;
    let Change { article, mut assets, .. } = change;
    offered(&article, sources, &mut assets)?;
    project.assets = assets;
    project.change(done, article);
    Ok(())
}

/// An edit on its way.
struct Change<'a, 'w> {
    article: Article,
    assets: Assets,
    decoding: Decoding,
    /// When services make pictures, and from which seed.
    generate: Generate,
    seed: u64,
    work: Work<'a, 'w>,
}

impl Change<'_, '_> {
    /// Makes it; says what was done.
    fn make(&mut self, edit: &Edit) -> Result<String, Error> {
        match edit {
            Edit::Rewrite { .. } | Edit::Expand { .. } | Edit::Shorten { .. } => self.reword(edit),
            Edit::Insert { at, outline } => self.insert(*at, outline),
            Edit::Again { at, outline } => self.again(*at, outline),
            Edit::Delete { at } => {
                self.exists(*at)?;
                self.article.blocks.remove(*at);
                Ok(format!("delete {}", at + 1))
            }
            Edit::Move { at, to } => {
                self.exists(*at)?;
                self.exists(*to)?;
                let block = self.article.blocks.remove(*at);
                self.article.blocks.insert(*to, block);
                Ok(format!("move {} to {}", at + 1, to + 1))
            }
            Edit::Recaption { at, caption } => self.recaption(*at, caption.as_deref()),
            Edit::Candidates { at } => self.candidates(*at),
            Edit::Replace { at, with } => self.replace(*at, with),
            Edit::Illustrate { after, caption, with } => {
                self.illustrate(*after, caption.as_deref(), with.as_ref())
            }
        }
    }

    fn exists(&self, at: usize) -> Result<(), Error> {
        let blocks = self.article.blocks.len();
        ensure(at < blocks, || format!("expected a block from 1 to {blocks}, found {}", at + 1))
    }

    fn text(&self, at: usize) -> Result<&str, Error> {
        self.exists(at)?;
        match &self.article.blocks[at] {
            Block::Text { text } => Ok(text),
            Block::Picture(_) => Err(Error::Edit {
                what: format!("expected a paragraph, block {} is a picture", at + 1),
            }),
        }
    }

    fn picture(&self, at: usize) -> Result<&Picture, Error> {
        self.exists(at)?;
        match &self.article.blocks[at] {
            Block::Picture(picture) => Ok(picture),
            Block::Text { .. } => Err(Error::Edit {
                what: format!("expected a picture, block {} is a paragraph", at + 1),
            }),
        }
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Edit { what: what() }) }
}
