//! The positions of one head of a sequence, wherever its stretches lie.
//!
//! Invariant: a tile that is gathered holds the same numbers however the positions are cut into
//! stretches, so neither does a result depend on it. Deliberately absent: products.

use std::ops::Range;

use super::{Stored, Stretch};
use crate::cpu::Path;

/// Which of the two is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Keys,
    Values,
}

impl Side {
    fn of<'a>(self, stretch: &Stretch<'a>) -> Stored<'a> {
        match self {
            Self::Keys => stretch.k,
            Self::Values => stretch.v,
        }
    }
}

/// All positions of a sequence.
#[derive(Clone, Debug)]
pub(super) struct Sequence<'a> {
    stretches: &'a [Stretch<'a>],
    /// Where each stretch starts.
    starts: Vec<usize>,
    width: usize,
    path: Path,
}

impl<'a> Sequence<'a> {
    /// Over stretches that hold rows of `width` numbers.
    pub(super) fn new(stretches: &'a [Stretch<'a>], width: usize, path: Path) -> Self {
        let starts = stretches.iter().scan(0, |end, stretch| {
            let start = *end;
            *end += stretch.len;
            Some(start)
        });
        Self { stretches, starts: starts.collect(), width, path }
    }

    /// The stretches that hold some of these positions, and which of their own those are.
    fn parts(&self, positions: Range<usize>) -> impl Iterator<Item = (&Stretch<'a>, Range<usize>)> {
        let first = self.starts.partition_point(|start| *start <= positions.start).max(1) - 1;
        let parts = self.stretches[first..].iter().zip(&self.starts[first..]);
        parts.take_while(move |(_, start)| **start < positions.end).filter_map(
            move |(stretch, &start)| {
                let from = positions.start.max(start) - start;
                let to = (positions.end - start).min(stretch.len);
                (from < to).then_some((stretch, from..to))
            },
        )
    }

    /// Some positions of a head as they are stored, when one stretch holds them all, and the rows from
    /// one to the next.
    pub(super) fn borrow(
        &self,
        side: Side,
        head: usize,
        positions: Range<usize>,
    ) -> Option<(Stored<'a>, usize)> {
        let count = positions.len();
        let (stretch, inside) = self.parts(positions).next()?;
        let (first, step) = (stretch.row(head, inside.start), stretch.position_rows);
        let rows = first..first + (count - 1) * step + 1;
        (inside.len() == count).then(|| (side.of(stretch).slice(rows, self.width), step))
    }

    /// Widens some positions of a head into rows `stride` apart; what is beyond a row's width stays.
    pub(super) fn gather(
        &self,
        side: Side,
        head: usize,
        positions: Range<usize>,
        stride: usize,
        out: &mut [f32],
    ) {
        let (path, width) = (self.path, self.width);
        let mut start = 0;
        for (stretch, inside) in self.parts(positions) {
            let (stored, row) = (side.of(stretch), stretch.row(head, inside.start));
            let count = inside.len();
            let out = &mut out[start..][..count * stride];
            if stretch.position_rows == 1 && stride == width {
                stored.widen(path, row..row + count, width, out);
            } else {
                for (index, out) in out.chunks_exact_mut(stride).enumerate() {
                    let row = row + index * stretch.position_rows;
                    stored.widen(path, row..row + 1, width, &mut out[..width]);
                }
            }
            start += count * stride;
        }
    }
}
