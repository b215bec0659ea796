//! Byte-pair merges: neighbours that form a piece are joined, the best score first.
//!
//! The order is SentencePiece's: the highest score, among equals the leftmost. A heap of candidate
//! pairs and a linked list of symbols make it n log n in the length of the text. Deliberately
//! absent: what a piece is; the caller answers that by a score.

use std::{cmp::Ordering, collections::BinaryHeap};

/// No neighbour.
const NONE: usize = usize::MAX;

/// A stretch of the text that is one piece so far, linked to its neighbours.
#[derive(Debug)]
struct Symbol {
    start: usize,
    /// Bytes; 0 once it has been joined to its left neighbour.
    length: usize,
    previous: usize,
    next: usize,
    /// Cut out in advance: never merges.
    frozen: bool,
}

/// The text cut into characters and pieces that are frozen in advance.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    list: Vec<Symbol>,
}

impl Symbols {
    /// Appends the next `length` bytes of the text.
    pub(super) fn push(&mut self, length: usize, frozen: bool) {
        let index = self.list.len();
        let (start, previous) = match self.list.last_mut() {
            Some(last) => {
                last.next = index;
                (last.start + last.length, index - 1)
            }
            None => (0, NONE),
        };
        self.list.push(Symbol { start, length, previous, next: NONE, frozen });
    }
}

/// Two neighbours that form a piece, as they were when the pair was found.
#[derive(Debug)]
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    length: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

/// Joins neighbours until no pair has a score; returns the stretches of text that remain, in order.
///
/// `score` says how good a piece is, `None` when the text is no piece.
pub(super) fn merge(
    text: &str,
    symbols: Symbols,
    score: impl Fn(&str) -> Option<f32>,
) -> impl Iterator<Item = &str> {
    let mut list = symbols.list;
    let pair = |list: &[Symbol], left: usize, right: usize| {
        if left == NONE || right == NONE || list[left].frozen || list[right].frozen {
            return None;
        }
        let length = list[left].length + list[right].length;
        let start = list[left].start;
        let score = score(&text[start..start + length])?;
        Some(Pair { score, left, right, length })
    };
    let mut heap: BinaryHeap<Pair> =
        (1..list.len()).filter_map(|right| pair(&list, right - 1, right)).collect();
    while let Some(Pair { left, right, length, .. }) = heap.pop() {
        // A pair is stale once either side was joined to something else.
        let alive = list[left].length > 0 && list[right].length > 0;
        if !alive || list[left].length + list[right].length != length {
            continue;
        }
        let next = list[right].next;
        list[left].length = length;
        list[left].next = next;
        list[right].length = 0;
        if next != NONE {
            list[next].previous = left;
        }
        heap.extend(pair(&list, list[left].previous, left));
        heap.extend(pair(&list, left, next));
    }
    list.into_iter()
        .filter(|symbol| symbol.length > 0)
        .map(move |symbol| &text[symbol.start..symbol.start + symbol.length])
}
