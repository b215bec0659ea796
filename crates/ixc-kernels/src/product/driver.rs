//! The one driver of tiled products: tasks, groups, and what becomes of the sums.
//!
//! How the work is cut depends on the extents alone, so results do not depend on the number of threads.
//! Deliberately absent: which numbers are multiplied ([`super::tile`]), who multiplies what.

use std::{cell::RefCell, ops::Range};

use pulp::{Arch, NullaryFnOnce};

use super::{
    packed::Packed,
    panel::{Panel, Right},
    tile::{self, GROUP_BYTES, Lane, PANEL, STRIP, Strip, TILE_ROWS},
};
use crate::{
    cpu::Path,
    math::silu,
    pool::{self, Shared},
};

/// Tiles of a task at most: their sums stay in the second cache.
const TILES_MAX: usize = 128;

/// Tiles of a task at least, where rows are cut to have more tasks: they pay for filling the panel again.
const TILES_MIN: usize = 16;

/// Bytes that come from memory together.
const LINE: usize = 64;

/// Tasks to be had where the extents allow: enough to share out evenly.
const TASKS: usize = 16;

/// Some rows over both halves of a panel: for each the right side, and how far its outputs are behind the
/// task's first; none where the pass adds nothing.
pub(super) struct Pass<'a> {
    pub(super) rows: &'a Packed,
    pub(super) weights: [Option<(Right<'a>, usize)>; PANEL / STRIP],
}

impl<'a> Pass<'a> {
    /// One right side for the whole panel.
    pub(super) fn whole(rows: &'a Packed, right: Right<'a>) -> Self {
        Self { rows, weights: std::array::from_fn(|strip| Some((right, strip * STRIP))) }
    }
}

/// What becomes of a panel's sums.
pub(super) enum Finish<'a> {
    /// They are outputs, with a bias perhaps, perhaps on top of other numbers, (m, n).
    Sum { bias: Option<&'a [f32]>, onto: Option<&'a [f32]> },
    /// They are added to outputs.
    Add,
    /// The first half gates the second. Both are kept as well, perhaps, (m, n) each.
    Gate { kept: Option<[Shared<f32>; 2]> },
}

/// A thread's own working memory, kept between kernels.
#[derive(Default)]
struct Scratch {
    panel: Panel,
    /// (rows of a task in whole tiles, PANEL).
    sums: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Tiles of a task when there are so many, and so many panels.
fn tiles_of_task(tiles: usize, panels: usize) -> usize {
    let wanted = tiles.div_ceil(TASKS.div_ceil(panels)).clamp(TILES_MIN, TILES_MAX);
    tiles.div_ceil(tiles.div_ceil(wanted)) // of one size, about
}

/// Products of (m, n) outputs, in tasks of `height` outputs and some of the rows each.
pub(super) fn tiled(
    path: Path,
    passes: &[Pass],
    (m, n): (usize, usize),
    height: usize,
    out: &mut [f32],
    finish: &Finish,
) {
    let (tiles, panels) = (m.div_ceil(TILE_ROWS), n.div_ceil(height));
    if tiles == 0 {
        return;
    }
    let share = tiles_of_task(tiles, panels);
    let out = Shared::new(out);
    pool::run(panels * tiles.div_ceil(share), &|task| {
        SCRATCH.with_borrow_mut(|scratch| {
            let (first, tile) = (task % panels * height, task / panels * share);
            let tiles = tile..tiles.min(tile + share);
            sum(path, passes, (first, n), tiles.clone(), scratch);
            let rows = tiles.start * TILE_ROWS..m.min(tiles.end * TILE_ROWS);
            let columns = first..n.min(first + height);
            Arch::new().dispatch(Write { sums: &scratch.sums, out, rows, n, columns, finish });
        });
    });
}

/// The sums of some tiles over the panel of outputs `first` to, at most, `n`.
fn sum(
    path: Path,
    passes: &[Pass],
    (first, n): (usize, usize),
    tiles: Range<usize>,
    Scratch { panel, sums }: &mut Scratch,
) {
    sums.resize(tiles.len() * TILE_ROWS * PANEL, 0.0);
    let mut begun = [false; PANEL / STRIP];
    for Pass { rows, weights } in passes {
        // A half of the panel may have no weights in this pass, or no outputs.
        let weights = weights.map(|weight| weight.filter(|(_, behind)| first + behind < n));
        for group in 0..rows.groups() {
            for (strip, weight) in weights.iter().enumerate() {
                if let Some((right, behind)) = *weight {
                    panel.fill(strip, path, rows.lane(), right, outputs(first + behind, n), group);
                }
            }
            for (strip, weight) in weights.iter().enumerate() {
                let Some((stored, behind)) = *weight else { continue };
                let begin = !std::mem::replace(&mut begun[strip], true);
                let right = panel.strip(strip);
                let next = shares(outputs(first + behind, n), tiles.len());
                let tiles = tiles.clone().zip(sums.chunks_exact_mut(TILE_ROWS * PANEL));
                for ((tile, sums), next) in tiles.zip(next) {
                    ask(stored, rows.lane(), next, group + 1);
                    add(path, rows, (group, tile), &right, begin, &mut sums[strip * STRIP..]);
                }
            }
        }
    }
}

/// A strip's outputs, of `n`.
fn outputs(first: usize, n: usize) -> Range<usize> {
    first..(first + STRIP).min(n)
}

/// A range cut into so many parts.
fn shares(range: Range<usize>, count: usize) -> impl Iterator<Item = Range<usize>> {
    let place = move |part: usize| range.start + range.len() * part / count;
    (0..count).map(move |part| place(part)..place(part + 1))
}

/// Asks for a group of these outputs' weights, where they are blocks and there is such a group: so they come
/// while other weights are multiplied. All at once they would hold up what unpacks a panel.
fn ask(right: Right, lane: Lane, outputs: Range<usize>, group: usize) {
    let Some((quant, blocks)) = right.weight.as_blocks().filter(|_| right.turned.is_none()) else {
        return;
    };
    let cols = right.weight.cols();
    let [start, end] =
        [group, group + 1].map(|group| quant.row_bytes(cols.min(group * lane.group())));
    for output in outputs {
        let row = blocks.as_ptr().wrapping_add(output * quant.row_bytes(cols));
        let (start, end) = (row.wrapping_add(start), row.wrapping_add(end));
        let mut line = start.wrapping_sub(start.addr() % LINE);
        while line < end {
            ask_for(line);
            line = line.wrapping_add(LINE);
        }
    }
}

/// Asks for a line into the second cache, where there is an instruction for that.
#[inline(always)]
fn ask_for(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch reads nothing; any address will do.
        unsafe { _mm_prefetch(line.cast(), _MM_HINT_T1) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// A tile's products over one group's strip, added to its sums, or to 0 where it is the first to `begin`.
fn add(
    path: Path,
    rows: &Packed,
    (group, tile): (usize, usize),
    right: &Strip,
    begin: bool,
    sums: &mut [f32],
) {
    if begin {
        sums.chunks_mut(PANEL).for_each(|sums| sums[..STRIP].fill(0.0));
    }
    if let Some(left) = rows.tile(group, tile) {
        tile::run(path, &left, right, sums);
    }
}

/// A task's sums on their way to its columns.
struct Write<'a> {
    sums: &'a [f32],
    out: Shared<f32>,
    rows: Range<usize>,
    n: usize,
    columns: Range<usize>,
    finish: &'a Finish<'a>,
}

impl NullaryFnOnce for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { sums, out, rows, n, columns, finish } = self;
        let width = columns.len();
        for (row, sums) in rows.zip(sums.chunks_exact(PANEL)) {
            let start = row * n + columns.start;
            // SAFETY: these columns of these rows are this task's own.
            let part = |out: Shared<f32>| unsafe { out.part(start, width) };
            let target = part(out);
            match finish {
                Finish::Sum { bias, onto } => {
                    match bias {
                        None => target.copy_from_slice(&sums[..width]),
                        Some(bias) => {
                            let numbers = sums.iter().zip(&bias[columns.clone()]);
                            target.iter_mut().zip(numbers).for_each(|(t, (sum, b))| *t = sum + b);
                        }
                    }
                    if let Some(onto) = onto {
                        let onto = &onto[start..start + width];
                        target.iter_mut().zip(onto).for_each(|(target, x)| *target += x);
                    }
                }
                Finish::Add => {
                    target.iter_mut().zip(sums).for_each(|(target, sum)| *target += sum);
                }
                Finish::Gate { kept } => {
                    let (gates, ups) = sums.split_at(STRIP);
                    for ((target, gate), up) in target.iter_mut().zip(gates).zip(ups) {
                        *target = silu(*gate) * up;
                    }
                    if let Some([of_gates, of_ups]) = *kept {
                        part(of_gates).copy_from_slice(&gates[..width]);
                        part(of_ups).copy_from_slice(&ups[..width]);
                    }
                }
            }
        }
    }
}

const _: () = assert!(GROUP_BYTES.is_multiple_of(64) && PANEL.is_multiple_of(STRIP));
