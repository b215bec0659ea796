//! Values in the order of their last use, as many as fit into so many bytes.
//!
//! Invariant: the bytes held never pass the limit; what was not used for longest goes first.
//! Deliberately absent: keys (the caller searches), and a lock (the caller holds one).

/// The values, the one not used for longest first.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    entries: Vec<(usize, T)>,
    bytes: usize,
    bytes_max: usize,
}

impl<T> Recent<T> {
    /// Nothing yet; at most so many bytes ever, none at 0.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { entries: Vec::new(), bytes: 0, bytes_max }
    }

    /// Whether a value of so many bytes would be held at all.
    pub(crate) fn takes(&self, bytes: usize) -> bool {
        bytes > 0 && bytes <= self.bytes_max
    }

    /// The values, the one not used for longest first.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// The value at this place of [`Recent::values`], which is now the last used.
    pub(crate) fn touch(&mut self, index: usize) -> &T {
        self.entries[index..].rotate_left(1);
        &self.entries[self.entries.len() - 1].1
    }

    /// Holds a value of so many bytes, giving up others for it; one over the limit is not held.
    pub(crate) fn add(&mut self, bytes: usize, value: T) {
        if !self.takes(bytes) {
            return;
        }
        let mut over = (self.bytes + bytes).saturating_sub(self.bytes_max);
        let oldest = self.entries.iter().take_while(|(bytes, _)| {
            let goes = over > 0;
            over = over.saturating_sub(*bytes);
            goes
        });
        let gone = oldest.count();
        self.entries.drain(..gone);
        self.entries.push((bytes, value));
        self.bytes = self.entries.iter().map(|(bytes, _)| bytes).sum();
    }

    /// Gives up the values that are not to stay.
    pub(crate) fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        self.entries.retain(|(_, value)| stays(value));
        self.bytes = self.entries.iter().map(|(bytes, _)| bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    fn values(recent: &Recent<char>) -> String {
        recent.values().collect()
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut recent = Recent::new(10);
        recent.add(3, 'a');
        recent.add(3, 'b');
        recent.add(3, 'c');
        assert_eq!(values(&recent), "abc");
        assert_eq!(recent.touch(0), &'a');
        assert_eq!(values(&recent), "bca");
        recent.add(1, 'd');
        assert_eq!(values(&recent), "bcad", "exactly the limit fits");
        recent.add(4, 'e');
        assert_eq!(values(&recent), "ade");
        recent.add(11, 'f');
        recent.add(0, 'g');
        assert_eq!(values(&recent), "ade", "neither too much nor nothing is held");
        recent.retain(|&value| value != 'd');
        recent.add(3, 'h');
        assert_eq!(values(&recent), "aeh", "room that was given up is free again");
        recent.add(10, 'i');
        assert_eq!(values(&recent), "i");
    }

    #[test]
    fn a_limit_of_nothing_holds_nothing() {
        let mut recent = Recent::new(0);
        recent.add(1, 'a');
        assert_eq!(values(&recent), "");
    }
}
