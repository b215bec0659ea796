//! What a picture looks like, in 80 bytes, so that the same picture in another size, format or quality is known.
//!
//! 256 bits say where it becomes clearly darker to the right (a difference hash over 17 × 16 cells), 48 bytes the
//! mean colours of 4 × 4 cells: shapes and colours must both agree, since drawings often differ in one alone.
//! Deliberately absent: crops, turns and mirrors, which are other pictures to a reader.

use ixc_input::image::Picture;

/// Cells a row whose neighbours are compared, and rows of them.
const ACROSS: usize = 17;
const DOWN: usize = 16;
/// Cells a side whose colours are kept.
const COLOURS: usize = 4;

const BITS: usize = (ACROSS - 1) * DOWN / 8;

/// Bytes of a look.
pub const BYTES: usize = BITS + 3 * COLOURS * COLOURS;

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
        let mut look = [0; BYTES];
        for y in 0..DOWN {
            let row: [f64; ACROSS] = std::array::from_fn(|x| {
                let [red, green, blue] = mean(picture, (x, ACROSS), (y, DOWN));
                0.299 * red + 0.587 * green + 0.114 * blue
            });
            for x in 0..ACROSS - 1 {
                let bit = y * (ACROSS - 1) + x;
                look[bit / 8] |= u8::from(row[x] > row[x + 1] + STEP) << (bit % 8);
            }
        }
        for cell in 0..COLOURS * COLOURS {
            let (x, y) = (cell % COLOURS, cell / COLOURS);
            let colour = mean(picture, (x, COLOURS), (y, COLOURS));
            look[BITS + 3 * cell..][..3].copy_from_slice(&colour.map(|level| level.round() as u8));
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

/// The mean colour of one cell of a grid; of the nearest pixel where the grid is finer than the picture.
fn mean(picture: &Picture, (x, across): (usize, usize), (y, down): (usize, usize)) -> [f64; 3] {
    let range = |at: usize, of: usize, pixels: u32| {
        let start = at * pixels as usize / of;
        start..((at + 1) * pixels as usize / of).max(start + 1)
    };
    let columns = range(x, across, picture.width());
    let rows = range(y, down, picture.height());
    let count = (columns.len() * rows.len()) as f64;
    let mut sums = [0u64; 3];
    for row in rows {
        let start = row * picture.width() as usize;
        let bytes = &picture.rgb()[3 * (start + columns.start)..3 * (start + columns.end)];
        for pixel in bytes.as_chunks::<3>().0 {
            for (sum, &level) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(level);
            }
        }
    }
    sums.map(|sum| sum as f64 / count)
}
