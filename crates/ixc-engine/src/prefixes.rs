//! What other conversations have read, for a new one that begins alike.
//!
//! An answer leaves behind what it read; a request that begins with the same words and pictures goes on
//! from there. Invariants: any number of answers share what is kept and none can change it; nothing is
//! copied to keep it or to go on from it; the bytes counted never pass the limit (stretches that two
//! prefixes share are counted twice). Deliberately absent: time; the order of use decides alone what
//! goes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
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

    /// The prefix that has most in common with `steps`, if that is more than so many
    /// positions.
    pub(crate) fn best(&self, steps: &[Step], more_than: usize) -> Option<Past> {
        let mut held = self.lock();
        let common = held.values().map(|past| past.common(steps).1).enumerate();
        match common.max_by_key(|(_, rows)| *rows) {
            Some((index, rows)) if rows > more_than => Some(held.touch(index).share()),
            _ => None,
        }
    }

    /// Keeps what `past` has read, of so many bytes, in place of what it begins with.
    pub(crate) fn add(&self, past: &Past, bytes: usize) {
        if !self.lock().takes(bytes) {
            return;
        }
        let shared = past.share();
        let steps = shared.read();
        let mut held = self.lock();
        let longer = held.values().position(|known| known.read().starts_with(steps));
        if let Some(index) = longer {
            held.touch(index);
            return;
        }
        held.retain(|known| !steps.starts_with(known.read()));
        held.add(bytes, shared);
    }

    fn lock(&self) -> MutexGuard<'_, Recent<Past>> {
        // Nothing under the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ixc_nn::cache::{CacheShape, KvCache, KvType};

    use super::*;

    fn words(ids: &[u32]) -> Vec<Step> {
        ids.iter().map(|&id| Step::Word(id)).collect()
    }

    fn past(ids: &[u32]) -> Past {
        let nothing = CacheShape { layers: 0, kv_heads: 1, width: 1, kind: KvType::F32 };
        let mut cache = KvCache::new(nothing);
        cache.advance(ids.len());
        Past::of(words(ids), cache)
    }

    fn held(prefixes: &Prefixes) -> Vec<Vec<Step>> {
        prefixes.lock().values().map(|past| past.read().to_vec()).collect()
    }

    #[test]
    fn the_longest_common_beginning_is_found() {
        let prefixes = Prefixes::new(100);
        prefixes.add(&past(&[1, 2, 3, 4]), 4);
        prefixes.add(&past(&[1, 2, 5]), 3);
        let best = |ids: &[u32], more_than| {
            let past = prefixes.best(&words(ids), more_than);
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
        prefixes.add(&past(&[1, 2]), 2);
        prefixes.add(&past(&[1, 2, 3]), 3);
        prefixes.add(&past(&[1, 2]), 2);
        assert_eq!(held(&prefixes), [words(&[1, 2, 3])]);
        prefixes.add(&past(&[1, 4]), 98);
        assert_eq!(held(&prefixes), [words(&[1, 4])], "the limit is kept");
        prefixes.add(&past(&[9; 101]), 101);
        assert_eq!(held(&prefixes), [words(&[1, 4])]);
    }
}
