//! What a picture looks like, in 78 bytes, so that the same picture in another size, format or quality is known.
//!
//! The picture becomes 16 × 16 cells of its mean colours. 240 bits say where a cell is clearly brighter than its
//! right neighbour (a difference hash), 48 bytes are the mean colours of 4 × 4 larger cells: shapes and colours
//! must both agree, since drawings often differ in one alone. Deliberately absent: crops, turns and mirrors, which
//! are other pictures to a reader.

use std::ops::Range;

use ixc_input::image::Picture;

/// Cells a side.
const CELLS: usize = 16;
/// Cells a side whose colours are kept.
const COLOURS: usize = 4;

const BITS: usize = (CELLS - 1) * CELLS / 8;

/// Bytes of a look.
pub(crate) const BYTES: usize = BITS + 3 * COLOURS * COLOURS;

/// Levels of brightness that a cell must be darker by. Below lies what compression does to a plain sky.
const STEP: f64 = 3.0;

/// Bits that may differ in the same picture, and levels of any colour of any cell.
const BITS_APART: u32 = 8;
const LEVELS_APART: u8 = 12;

/// What a picture looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look(pub(crate) [u8; BYTES]);

impl Look {
    /// Looks.
    pub fn of(picture: &Picture) -> Self {
        let cells = cells(picture);
        let brightness = |[red, green, blue]: [f64; 3]| 0.299 * red + 0.587 * green + 0.114 * blue;
        let mut look = [0; BYTES];
        let neighbours = cells.iter().flat_map(|row| row.windows(2));
        for (bit, pair) in neighbours.enumerate() {
            let brighter = brightness(pair[0]) > brightness(pair[1]) + STEP;
            look[bit / 8] |= u8::from(brighter) << (bit % 8);
        }
        const EACH: usize = CELLS / COLOURS;
        for (at, colour) in look[BITS..].chunks_exact_mut(3).enumerate() {
            let (x, y) = (at % COLOURS * EACH, at / COLOURS * EACH);
            for (channel, level) in colour.iter_mut().enumerate() {
                let rows = cells[y..y + EACH].iter();
                let sum: f64 =
                    rows.flat_map(|row| &row[x..x + EACH]).map(|cell| cell[channel]).sum();
                *level = (sum / (EACH * EACH) as f64).round() as u8;
            }
        }
        Self(look)
    }

    /// Whether both show the same, as far as a reader would say.
    pub fn resembles(&self, other: &Self) -> bool {
        let (bits, colours) = self.0.split_at(BITS);
        let (other_bits, other_colours) = other.0.split_at(BITS);
        let apart: u32 = bits.iter().zip(other_bits).map(|(a, b)| (a ^ b).count_ones()).sum();
        apart <= BITS_APART
            && colours.iter().zip(other_colours).all(|(a, b)| a.abs_diff(*b) <= LEVELS_APART)
    }
}

/// The mean colours of the cells, row by row. A pixel that lies in several cells counts in each by its share, so
/// that another size gives the same.
fn cells(picture: &Picture) -> [[[f64; 3]; CELLS]; CELLS] {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let columns: [_; CELLS] = std::array::from_fn(|cell| shares(cell, width));
    let mut sums = [[[0.0; 3]; CELLS]; CELLS];
    let (pixels, _) = picture.rgb().as_chunks::<3>();
    for (cell, sums) in sums.iter_mut().enumerate() {
        let rows = shares(cell, height);
        for (y, share) in parts(&rows) {
            let row = &pixels[y * width..][..width];
            for (columns, sum) in columns.iter().zip(sums.iter_mut()) {
                for (whole, part) in sum.iter_mut().zip(row_sum(row, columns)) {
                    *whole += share * part;
                }
            }
        }
        let area = (width * height) as f64 / (CELLS * CELLS) as f64;
        sums.iter_mut().flatten().for_each(|level| *level /= area);
    }
    sums
}

/// The pixels that lie wholly in a cell, and the shares of those at its two edges.
struct Shares {
    whole: Range<usize>,
    edges: [(usize, f64); 2],
}

/// Of one side of so many pixels.
fn shares(cell: usize, pixels: usize) -> Shares {
    let edge = |cell: usize| (cell * pixels) as f64 / CELLS as f64;
    let (start, end) = (edge(cell), edge(cell + 1));
    let (first, last) = (start.ceil() as usize, end.floor() as usize);
    if first > last {
        // All of it within one pixel.
        return Shares { whole: 0..0, edges: [(last, end - start), (last, 0.0)] };
    }
    // A share of nothing may lie behind the last pixel.
    let before = (first.saturating_sub(1), first as f64 - start);
    let behind = (last.min(pixels - 1), end - last as f64);
    Shares { whole: first..last, edges: [before, behind] }
}

fn parts(shares: &Shares) -> impl Iterator<Item = (usize, f64)> {
    shares.whole.clone().map(|at| (at, 1.0)).chain(shares.edges).filter(|(_, share)| *share > 0.0)
}

/// The sum of a row's pixels in a cell. Whole numbers, where whole pixels are summed, are several times faster.
fn row_sum(row: &[[u8; 3]], columns: &Shares) -> [f64; 3] {
    let mut whole = [0u32; 3];
    for pixel in &row[columns.whole.clone()] {
        for (sum, &level) in whole.iter_mut().zip(pixel) {
            *sum += u32::from(level);
        }
    }
    let mut sum = whole.map(f64::from);
    for (x, share) in columns.edges {
        for (sum, &level) in sum.iter_mut().zip(&row[x]) {
            *sum += share * f64::from(level);
        }
    }
    sum
}
