//! What other conversations have read, for a new one that begins alike.
//!
//! An answer leaves behind what it read; a request that begins with the same words and pictures goes on
//! from there. Invariants: what is kept is frozen, so that any number of answers share it and none can
//! change it; nothing is copied to keep it or to go on from it; the bytes counted never pass the limit
//! (stretches that two prefixes share are counted twice). Deliberately absent: time; the order of use
//! decides alone what goes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    Error,
    past::{Past, Step},
    recent::Recent,
};

/// The prefixes.
#[derive(Debug)]
pub(crate) struct Prefixes(Mutex<Recent<Past>>);

impl Prefixes {
    /// None yet; at most so many bytes ever.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Mutex::new(Recent::new(bytes_max)))
    }

    /// A fork of the prefix that has most in common with `steps`, if that is more than so many
    /// positions.
    ///
    /// # Errors
    /// When its cache cannot be forked.
    pub(crate) fn best(&self, steps: &[Step], more_than: usize) -> Result<Option<Past>, Error> {
        let mut held = self.lock();
        let common = held.values().map(|past| past.common(steps).1).enumerate();
        match common.max_by_key(|(_, rows)| *rows) {
            Some((index, rows)) if rows > more_than => held.touch(index).fork().map(Some),
            _ => Ok(None),
        }
    }

    /// Keeps what `past` has read, of so many bytes, in place of what it begins with.
    ///
    /// # Errors
    /// When its cache cannot be forked.
    pub(crate) fn add(&self, past: &mut Past, bytes: usize) -> Result<(), Error> {
        if !self.lock().takes(bytes) {
            return Ok(());
        }
        let shared = past.share()?;
        let steps = shared.read();
        let mut held = self.lock();
        let longer = held.values().position(|known| known.read().starts_with(steps));
        if let Some(index) = longer {
            held.touch(index);
            return Ok(());
        }
        held.retain(|known| !steps.starts_with(known.read()));
        held.add(bytes, shared);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Recent<Past>> {
        // Nothing under the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ixc_nn::cache::KvCache;

    use super::*;

    fn words(ids: &[u32]) -> Vec<Step> {
        ids.iter().map(|&id| Step::Word(id)).collect()
    }

    fn past(ids: &[u32]) -> Past {
        let mut cache = KvCache::new(0);
        cache.advance(ids.len());
        Past::of(words(ids), cache)
    }

    fn held(prefixes: &Prefixes) -> Vec<Vec<Step>> {
        prefixes.lock().values().map(|past| past.read().to_vec()).collect()
    }

    #[test]
    fn the_longest_common_beginning_is_found() {
        let prefixes = Prefixes::new(100);
        prefixes.add(&mut past(&[1, 2, 3, 4]), 4).unwrap();
        prefixes.add(&mut past(&[1, 2, 5]), 3).unwrap();
        let best = |ids: &[u32], more_than| {
            let past = prefixes.best(&words(ids), more_than).unwrap();
            past.map(|past| past.read().to_vec())
        };
        assert_eq!(best(&[1, 2, 5, 6], 2), Some(words(&[1, 2, 5])));
        assert_eq!(best(&[1, 2, 3, 6], 2), Some(words(&[1, 2, 3, 4])), "to be cut by its user");
        assert_eq!(best(&[1, 2, 3, 6], 3), None, "the conversation itself has as much");
        assert_eq!(best(&[7], 0), None);
    }

    #[test]
    fn one_conversation_is_one_entry() {
        let prefixes = Prefixes::new(100);
        prefixes.add(&mut past(&[1, 2]), 2).unwrap();
        prefixes.add(&mut past(&[1, 2, 3]), 3).unwrap();
        prefixes.add(&mut past(&[1, 2]), 2).unwrap();
        assert_eq!(held(&prefixes), [words(&[1, 2, 3])]);
        prefixes.add(&mut past(&[1, 4]), 98).unwrap();
        assert_eq!(held(&prefixes), [words(&[1, 4])], "the limit is kept");
        prefixes.add(&mut past(&[9; 101]), 101).unwrap();
        assert_eq!(held(&prefixes), [words(&[1, 4])]);
    }
}
