//! An illustrated article: what a composition comes to, and what edits change.
//!
//! Invariant: plain data; a picture's file is known by its digest ([`Assets`]), so that every version of an article
//! shares it. Deliberately absent: how any of it is shown (`document`).

use std::{collections::BTreeMap, sync::Arc};

use ixc_library::About;
use serde::{Deserialize, Serialize};

use crate::{
    Composition, Error, Sources,
    record::Choice,
    source::{Credit, Found, Origin, digest, stem},
};

/// Files of pictures by their SHA-256, in hexadecimal digits.
pub type Assets = BTreeMap<String, Arc<[u8]>>;

/// An article.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Article {
    /// From top to bottom.
    pub blocks: Vec<Block>,
}

/// A part of an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "block", rename_all = "lowercase")]
pub enum Block {
    /// A section: one line of the text.
    Text {
        /// The words.
        text: String,
    },
    /// A picture, or the place of one.
    Picture(Box<Picture>),
}

/// A picture's place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// What stands below it; may be empty.
    pub caption: String,
    /// What is there; an open place has its caption alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// What else was found for it, in the order of the letters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Found>,
}

/// A picture that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its file, in the article's assets.
    pub asset: String,
    /// What its source says that it shows.
    pub alternative: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Credit::is_empty")]
    pub credit: Credit,
}

impl Article {
    /// The words of its sections, in order.
    pub fn sections(&self) -> Vec<String> {
        let text = |block: &Block| match block {
            Block::Text { text } => Some(text.clone()),
            Block::Picture(_) => None,
        };
        self.blocks.iter().filter_map(text).collect()
    }

    /// The section that a block belongs to: itself, or the last one above it. None above the first.
    pub fn section_of(&self, block: usize) -> Option<usize> {
        let texts = self.blocks.iter().take(block + 1);
        texts.filter(|block| matches!(block, Block::Text { .. })).count().checked_sub(1)
    }

    /// Its candidates that services gave: which service, and the file's digest.
    pub fn kept(&self) -> impl Iterator<Item = (&str, &str)> {
        let candidates = self.pictures().flat_map(|(_, picture)| &picture.candidates);
        candidates.filter_map(|found| Some((found.origin.service()?, found.origin.kept()?)))
    }

    /// Its pictures that services made, those that it offers and those that it shows: each file's digest, and what a
    /// library is told of it.
    pub fn made(&self) -> impl Iterator<Item = (&str, About)> {
        let offered = self.pictures().flat_map(|(_, picture)| &picture.candidates);
        let shown = self.pictures().filter_map(|(_, picture)| picture.shown.as_ref());
        let shown = shown.filter_map(|shown| shown.origin.made(&shown.alternative));
        offered.filter_map(|found| found.origin.made(&found.caption)).chain(shown)
    }

    /// Its pictures, with their blocks' numbers.
    pub fn pictures(&self) -> impl Iterator<Item = (usize, &Picture)> {
        self.blocks.iter().enumerate().filter_map(|(at, block)| match block {
            Block::Picture(picture) => Some((at, &**picture)),
            Block::Text { .. } => None,
        })
    }
}

/// The article that a finished composition comes to, with the files of its pictures.
///
/// # Errors
/// When a picture is not there any more.
pub fn assemble(made: &Composition, sources: &Sources) -> Result<(Article, Assets), Error> {
    let (mut article, mut assets) = (Article::default(), Assets::new());
    for (at, text) in made.sections().iter().enumerate() {
        article.blocks.push(Block::Text { text: text.clone() });
        for choice in made.choices.iter().flatten().filter(|choice| choice.place == at) {
            let picture = placed(choice, sources, &mut assets)?;
            article.blocks.push(Block::Picture(Box::new(picture)));
        }
    }
    offered(&article, sources, &mut assets)?;
    Ok((article, assets))
}

/// Takes the files of candidates that services gave into the assets: nothing else has them.
pub(crate) fn offered(
    article: &Article,
    sources: &Sources,
    assets: &mut Assets,
) -> Result<(), Error> {
    for (service, digest) in article.kept() {
        if !assets.contains_key(digest) {
            assets.insert(digest.to_owned(), sources.kept(service, digest)?);
        }
    }
    Ok(())
}

/// A choice as a picture of the article.
pub(crate) fn placed(
    choice: &Choice,
    sources: &Sources,
    assets: &mut Assets,
) -> Result<Picture, Error> {
    let taken = choice.taken.map(|at| &choice.shown[at]);
    let shown = taken.map(|found| shown(found, sources, assets)).transpose()?;
    let mut candidates = choice.shown.clone();
    candidates.retain(|found| !matches!(found.origin, Origin::Own(_)));
    Ok(Picture { caption: choice.caption.clone(), shown, candidates })
}

/// A picture that was found, its file taken into the assets.
pub(crate) fn shown(found: &Found, sources: &Sources, assets: &mut Assets) -> Result<Shown, Error> {
    let bytes = sources.bytes(&found.origin)?;
    let asset = digest(&bytes);
    assets.entry(asset.clone()).or_insert_with(|| bytes.into());
    Ok(Shown {
        asset,
        alternative: found.caption.clone(),
        origin: found.origin.clone(),
        credit: found.credit.clone(),
    })
}

/// A picture of the user's own that comes to an article by an edit.
pub(crate) fn supplied(path: &str, bytes: Vec<u8>, assets: &mut Assets) -> Result<Shown, Error> {
    crate::source::decode(path, &bytes)?;
    let asset = digest(&bytes);
    assets.entry(asset.clone()).or_insert_with(|| bytes.into());
    let origin = Origin::File { path: path.into() };
    Ok(Shown { asset, alternative: stem(path).into(), origin, credit: Credit::default() })
}
