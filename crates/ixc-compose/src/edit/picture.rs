//! Changes of pictures: captions, candidates, what is shown, new ones.
//!
//! The model is asked as when the article was composed: with the pictures that stand above. Invariant: no candidate
//! is one that the article shows or offered at another place.

use std::sync::Arc;

use super::{Change, With};
use crate::{
    Error, Event,
    article::{Block, Picture, Shown, placed, shown, supplied},
    odd::Odd,
    record,
    source::{Found, Origin, decode},
    stage::{self, Query, Standing},
};

impl Change<'_, '_> {
    pub(super) fn recaption(&mut self, at: usize, given: Option<&str>) -> Result<String, Error> {
        self.picture(at)?;
        let caption = self.caption(at, given)?;
        self.picture_mut(at).caption = caption;
        self.search(at)?;
        Ok(format!("recaption {}", at + 1))
    }

    pub(super) fn candidates(&mut self, at: usize) -> Result<String, Error> {
        self.picture(at)?;
        self.search(at)?;
        Ok(format!("candidates {}", at + 1))
    }

    pub(super) fn replace(&mut self, at: usize, with: &With) -> Result<String, Error> {
        self.picture(at)?;
        self.fill(at, with)?;
        Ok(format!("replace {}", at + 1))
    }

    pub(super) fn illustrate(
        &mut self,
        after: usize,
        given: Option<&str>,
        with: Option<&With>,
    ) -> Result<String, Error> {
        self.exists(after)?;
        let at = after + 1;
        self.article.blocks.insert(at, Block::Picture(Box::default()));
        match with {
            // A picture of one's own has no caption but the one that is given, as when composing.
            Some(with) => {
                self.picture_mut(at).caption = given.unwrap_or_default().into();
                self.fill(at, with)?;
            }
            None => {
                self.picture_mut(at).caption = self.caption(at, given)?;
                self.search(at)?;
                self.fill(at, &With::Chosen)?;
            }
        }
        Ok(format!("picture {}", at + 1))
    }

    fn picture_mut(&mut self, at: usize) -> &mut Picture {
        match &mut self.article.blocks[at] {
            Block::Picture(picture) => picture,
            Block::Text { .. } => unreachable!("it was found to be a picture"),
        }
    }

    /// The section that a picture follows.
    fn place(&self, at: usize) -> usize {
        self.article.section_of(at).unwrap_or(0)
    }

    /// The given caption, or the model's, which knows those above.
    fn caption(&mut self, at: usize, given: Option<&str>) -> Result<String, Error> {
        if let Some(given) = given {
            return Ok(given.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let above = self.article.pictures().take_while(|(block, _)| *block < at);
        let past: Vec<(usize, String)> = above
            .filter(|(_, picture)| !picture.caption.is_empty())
            .map(|(block, picture)| (self.place(block), picture.caption.clone()))
            .collect();
        let past: Vec<(usize, &str)> =
            past.iter().map(|(place, caption)| (*place, caption.as_str())).collect();
        let (sections, place) = (self.article.sections(), self.place(at));
        if sections.is_empty() {
            return Ok(String::new());
        }
        let caption = stage::asked_caption(&sections, &past, place, &mut self.work)?;
        self.work.watch.tell(Event::Caption(&caption));
        self.work.watch.odd(&caption.odd);
        Ok(caption.caption)
    }

    /// New candidates for a picture's caption, or its section's words.
    fn search(&mut self, at: usize) -> Result<(), Error> {
        let place = self.place(at);
        let query = match self.picture(at)?.caption.as_str() {
            "" => self.article.sections().get(place).cloned().unwrap_or_default(),
            caption => caption.to_owned(),
        };
        let mut known: Vec<Origin> = Vec::new();
        for (_, picture) in self.article.pictures() {
            known.extend(picture.shown.iter().map(|shown| shown.origin.clone()));
            known.extend(picture.candidates.iter().map(|found| found.origin.clone()));
        }
        let mut odd = Vec::new();
        let asked =
            Query { words: &query, shown: &known, place, generate: self.generate, seed: self.seed };
        let found = stage::searched(&asked, &mut self.work, &mut odd)?;
        if found.is_empty() {
            odd.push(Odd::NoPicture { place });
        }
        self.picture_mut(at).candidates = found.clone();
        let told = record::Candidates { place, query, found, odd };
        self.work.watch.tell(Event::Candidates(&told));
        self.work.watch.odd(&told.odd);
        Ok(())
    }

    /// Puts a picture into a place.
    fn fill(&mut self, at: usize, with: &With) -> Result<(), Error> {
        let shown: Option<Shown> = match with {
            With::File { path, bytes } => Some(supplied(path, bytes.clone(), &mut self.assets)?),
            With::Candidate(which) => {
                let candidates = &self.picture(at)?.candidates;
                let found = candidates.get(*which).cloned().ok_or_else(|| Error::Edit {
                    what: format!(
                        "picture {} has {} candidates and none of that letter; `candidates` finds some",
                        at + 1,
                        candidates.len()
                    ),
                })?;
                Some(shown(&found, self.work.sources, &mut self.assets)?)
            }
            With::Chosen => {
                let found = self.picture(at)?.candidates.clone();
                self.choose(at, found)?
            }
        };
        self.picture_mut(at).shown = shown;
        Ok(())
    }

    /// What the model chooses among candidates.
    fn choose(&mut self, at: usize, found: Vec<Found>) -> Result<Option<Shown>, Error> {
        let (sections, place) = (self.article.sections(), self.place(at));
        let mut standing: Vec<Standing> = Vec::new();
        for (block, picture) in self.article.pictures().take_while(|(block, _)| *block < at) {
            if let Some(shown) = &picture.shown
                && let Some(bytes) = self.assets.get(&shown.asset)
            {
                standing.push((self.place(block), Arc::new(decode(&shown.alternative, bytes)?)));
            }
        }
        let caption = self.picture(at)?.caption.clone();
        let choice = stage::chosen(&sections, &standing, place, found, caption, &mut self.work)?;
        self.work.watch.tell(Event::Choice(&choice));
        self.work.watch.odd(&choice.odd);
        Ok(placed(&choice, self.work.sources, &mut self.assets)?.shown)
    }
}
