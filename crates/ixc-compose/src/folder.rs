//! A folder of pictures with a text file beside each: searched by the words that captions share.
//!
//! Rare words count more; a caption's share of its own words breaks ties. Deliberately absent: an index on the disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Error,
    source::{Credit, Found, Origin},
};

/// A folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    name: String,
    pictures: Vec<(String, String, BTreeSet<String>)>,
    holding: BTreeMap<String, usize>,
}

impl Folder {
    /// Reads the captions of a folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.into(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".png") || name.ends_with(".jpg") {
                names.push(name);
            }
        }
        names.sort();
        let mut folder = Self {
            path: path.into(),
            name: path.display().to_string(),
            pictures: Vec::new(),
            holding: BTreeMap::new(),
        };
        for name in names {
            let beside = path.join(&name).with_extension("txt");
            let caption = fs::read_to_string(beside).unwrap_or_default().trim().to_owned();
            let words = words(&caption);
            for word in &words {
                *folder.holding.entry(word.clone()).or_default() += 1;
            }
            folder.pictures.push((name, caption, words));
        }
        Ok(folder)
    }

    /// Its path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// See [`crate::source::Library::search`].
    pub fn search(&self, caption: &str, exclude: &[&str], most: usize) -> Vec<Found> {
        let asked = words(caption);
        let rarity = |word: &String| {
            (self.pictures.len() as f64 / self.holding.get(word).map_or(1.0, |n| *n as f64)).ln()
        };
        let mut scored: Vec<(f64, usize)> = Vec::new();
        for (at, (name, _, words)) in self.pictures.iter().enumerate() {
            let shared: f64 = words.intersection(&asked).map(rarity).sum();
            if shared > 0.0 && !exclude.contains(&name.as_str()) {
                scored.push((shared - words.len() as f64 * 1e-6, at));
            }
        }
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let found = |(_, at): (f64, usize)| Found {
            origin: Origin::Library { library: self.name.clone(), id: self.pictures[at].0.clone() },
            caption: self.pictures[at].1.clone(),
            credit: Credit::default(),
        };
        scored.into_iter().take(most).map(found).collect()
    }

    /// See [`crate::source::Library::bytes`].
    pub fn bytes(&self, id: &str) -> Result<Vec<u8>, Error> {
        let path = self.path.join(id);
        fs::read(&path).map_err(|source| Error::File { path, source })
    }
}

fn words(text: &str) -> BTreeSet<String> {
    let word = |word: &str| word.to_lowercase();
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(word).collect()
}
