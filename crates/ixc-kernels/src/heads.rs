//! From packed rows to heads: the layout attention reads, with rotary positions on the way.
//!
//! A product's row holds all heads side by side; attention wants each head's rows behind one another.
//! Tasks take rows, so that a row is read once, from its first number to its last.
//! Deliberately absent: angles (the caller's tables), the cache.

use pulp::{Arch, NullaryFnOnce};

use crate::{
    attention::Heads,
    elementwise::rows_of_part,
    pool::{Shared, run},
    recycle::floats,
};

/// Cosines and sines of each row's position, both (rows, width / 2).
#[derive(Clone, Copy, Debug)]
pub struct Angles<'a> {
    /// Cosines.
    pub cos: &'a [f32],
    /// Sines.
    pub sin: &'a [f32],
}

impl<'a> Angles<'a> {
    fn of_row(self, row: usize, width: usize) -> Self {
        let of = |numbers: &'a [f32]| &numbers[row * width / 2..][..width / 2];
        Self { cos: of(self.cos), sin: of(self.sin) }
    }
}

/// What [`rope_split`] makes of packed rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Queries, rotated: (kv_heads, group, rows, width).
    pub q: Vec<f32>,
    /// Keys, rotated: (kv_heads, rows, width).
    pub k: Vec<f32>,
    /// Values: (kv_heads, rows, width).
    pub v: Vec<f32>,
}

/// Takes one sequence's packed rows, (rows, kv_heads, group + 2, width), apart, and rotates queries and
/// keys. Each key head's columns are its group of queries, then its key, then its value. In the
/// rotate-half form numbers i and i + width / 2 are the two sides of one rotation.
///
/// # Panics
/// When a slice is not as long as the extents say, or the width is odd.
pub fn rope_split(rows: &[f32], heads: Heads, angles: Angles) -> Split {
    let Heads { kv_heads, group, rows: count, width } = heads;
    let packed = kv_heads * (group + 2) * width;
    assert!(width.is_multiple_of(2) && rows.len() == count * packed, "rows of {packed} numbers");
    assert!(angles.cos.len() == count * width / 2 && angles.sin.len() == angles.cos.len());
    let keys = kv_heads * count * width;
    let mut split = Split { q: floats(keys * group), k: floats(keys), v: floats(keys) };
    let (q, k, v) =
        (Shared::new(&mut split.q), Shared::new(&mut split.k), Shared::new(&mut split.v));
    by_rows(count, packed, |row| {
        let angles = angles.of_row(row, width);
        let columns = rows[row * packed..][..packed].chunks_exact(width);
        for (column, x) in columns.enumerate() {
            let (head, member) = (column / (group + 2), column % (group + 2));
            // SAFETY: each head and row has a place of its own in each of the three, and rows are
            // given to one task each.
            unsafe {
                let place = (head * count + row) * width;
                if member < group {
                    let place = ((head * group + member) * count + row) * width;
                    rotate::<false>(x, angles, q.part(place, width));
                } else if member == group {
                    rotate::<false>(x, angles, k.part(place, width));
                } else {
                    v.part(place, width).copy_from_slice(x);
                }
            }
        }
    });
    split
}

/// The gradient of [`rope_split`]'s rows, (rows, kv_heads, group + 2, width), from those of what it made.
///
/// # Panics
/// As [`rope_split`].
pub fn rope_split_backward(split: &Split, heads: Heads, angles: Angles) -> Vec<f32> {
    let Heads { kv_heads, group, rows: count, width } = heads;
    let (packed, keys) = (kv_heads * (group + 2) * width, kv_heads * count * width);
    let Split { q, k, v } = split;
    assert!(width.is_multiple_of(2) && q.len() == keys * group);
    assert!(k.len() == keys && v.len() == keys);
    assert!(angles.cos.len() == count * width / 2 && angles.sin.len() == angles.cos.len());
    let mut rows = floats(count * packed); // every number is written
    let out = Shared::new(&mut rows);
    by_rows(count, packed, |row| {
        let angles = angles.of_row(row, width);
        // SAFETY: rows are given to one task each.
        let columns = unsafe { out.part(row * packed, packed) }.chunks_exact_mut(width);
        for (column, out) in columns.enumerate() {
            let (head, member) = (column / (group + 2), column % (group + 2));
            let place = (head * count + row) * width;
            if member < group {
                let place = ((head * group + member) * count + row) * width;
                rotate::<true>(&q[place..][..width], angles, out);
            } else if member == group {
                rotate::<true>(&k[place..][..width], angles, out);
            } else {
                out.copy_from_slice(&v[place..][..width]);
            }
        }
    });
    rows
}

/// Calls `work` with each row of `width` numbers, tasks taking several.
fn by_rows(count: usize, width: usize, work: impl Fn(usize) + Sync) {
    let height = rows_of_part(width);
    run(count.div_ceil(height), &|task| {
        (task * height..((task + 1) * height).min(count)).for_each(&work);
    });
}

/// Rotates a head's row by the angles, or by their opposites.
#[inline(always)]
fn rotate<const BACK: bool>(x: &[f32], angles: Angles, out: &mut [f32]) {
    Arch::new().dispatch(Rotate::<BACK> { x, angles, out });
}

struct Rotate<'a, const BACK: bool> {
    x: &'a [f32],
    angles: Angles<'a>,
    out: &'a mut [f32],
}

impl<const BACK: bool> NullaryFnOnce for Rotate<'_, BACK> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let half = self.x.len() / 2;
        let (a, b) = self.x.split_at(half);
        let (out_a, out_b) = self.out.split_at_mut(half);
        let (cos, sin) = (&self.angles.cos[..half], &self.angles.sin[..half]);
        let b = &b[..half];
        for i in 0..half {
            let sin = if BACK { -sin[i] } else { sin[i] };
            out_a[i] = a[i] * cos[i] - b[i] * sin;
            out_b[i] = b[i] * cos[i] + a[i] * sin;
        }
    }
}
