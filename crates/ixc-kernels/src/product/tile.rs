//! The register tile: [`TILE_ROWS`] rows times [`STRIP`] outputs over one group of inputs.
//!
//! Both sides come as words of four bytes, four 8-bit integers, two bfloat16 or one float32: `rows` as
//! (word, row), the strip as (word, output), so that a step is one word of each row against a vector of
//! outputs.
//! Weights in 8 bits come with 128 added, which x86's dot product instructions want; what that adds is known
//! per row beforehand ([`Left::start`]). Paths without these take the 128 off again. Every path does the same
//! sums in the same order for integers; bfloat16 exists on one path alone, float32 where there are vectors for
//! it ([`has_f32`]).

use crate::cpu::Path;

#[cfg(target_arch = "aarch64")]
#[path = "tile_neon.rs"]
mod neon;
#[cfg(target_arch = "x86_64")]
#[path = "tile_x86.rs"]
mod x86;

/// Rows of a tile. With two vectors of outputs, 24 of 32 vector registers hold sums.
pub const TILE_ROWS: usize = 12;

/// Outputs of a tile.
pub const STRIP: usize = 32;

/// Outputs of a panel: a row tile is used twice while it is in the first cache.
pub const PANEL: usize = 64;

/// Words of a group.
pub const GROUP_WORDS: usize = 64;

/// Bytes of one row, or of one output's weights, in a group.
pub const GROUP_BYTES: usize = 4 * GROUP_WORDS;

/// What the numbers in a word are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Four 8-bit integers, with a scale for each row and each output of a group.
    Int8,
    /// Two bfloat16.
    Bf16,
    /// One float32.
    F32,
}

impl Lane {
    /// Inputs in a word.
    pub fn word(self) -> usize {
        match self {
            Self::Int8 => 4,
            Self::Bf16 => 2,
            Self::F32 => 1,
        }
    }

    /// Inputs in a group; the last group of a row may have fewer.
    pub fn group(self) -> usize {
        GROUP_WORDS * self.word()
    }
}

/// One group of a tile's rows.
#[derive(Clone, Copy, Debug)]
pub struct Left<'a> {
    /// Rows that are there, at most [`TILE_ROWS`]; what becomes of the sums of others is not said.
    pub rows: usize,
    /// (word, row): at most [`GROUP_WORDS`] × [`TILE_ROWS`]. 8-bit integers are from −127 to 127.
    pub words: &'a [i32],
    /// The rows' scales; only integers have them.
    pub scales: &'a [f32],
    /// What each row's integer sums start from: −128 · the sum of the row's integers. Only for integers.
    pub start: &'a [i32],
}

/// One group of a strip's weights.
#[derive(Clone, Copy, Debug)]
pub struct Strip<'a> {
    /// What they are.
    pub lane: Lane,
    /// (word, output): as many words as the rows have.
    pub words: &'a [i32],
    /// The outputs' scales; meaningless but for integers.
    pub scales: &'a [f32],
}

/// Whether a path has float32 tiles. Where it has none, whole matrices go to a library's product.
pub fn has_f32(path: Path) -> bool {
    matches!(path, Path::Avx2 | Path::AvxVnni | Path::Avx512 | Path::Avx512Bf16)
}

/// Adds the tile's products to `sums`, whose rows are [`PANEL`] apart.
///
/// # Panics
/// When a slice is too short, or the lane is asked of a path that has none.
pub fn run(path: Path, left: &Left, strip: &Strip, sums: &mut [f32]) {
    let words = strip.words.len() / STRIP;
    assert!(left.words.len() == words * TILE_ROWS && strip.words.len() == words * STRIP);
    assert!(left.rows <= TILE_ROWS && sums.len() >= (TILE_ROWS - 1) * PANEL + STRIP);
    match strip.lane {
        Lane::Int8 => {
            assert!(left.scales.len() == TILE_ROWS && left.start.len() == TILE_ROWS);
            assert!(strip.scales.len() == STRIP);
            match path {
                #[cfg(target_arch = "x86_64")]
                Path::Avx512 | Path::Avx512Bf16 => {
                    // SAFETY: the path is only chosen on processors that have its instructions; the
                    // slices are as long as the kernel reads (checked above).
                    unsafe { x86::int8_avx512(left, strip, sums) }
                }
                #[cfg(target_arch = "x86_64")]
                Path::AvxVnni => {
                    // SAFETY: as above.
                    unsafe { x86::int8_avx_vnni(left, strip, sums) }
                }
                #[cfg(target_arch = "x86_64")]
                Path::Avx2 => {
                    // SAFETY: as above.
                    unsafe { x86::int8_avx2(left, strip, sums) }
                }
                #[cfg(target_arch = "aarch64")]
                Path::NeonDotprod => {
                    // SAFETY: as above.
                    unsafe { neon::int8_dotprod(left, strip, sums) }
                }
                #[cfg(target_arch = "aarch64")]
                Path::Neon => {
                    // SAFETY: as above.
                    unsafe { neon::int8(left, strip, sums) }
                }
                _ => int8_plain(left, strip, sums),
            }
        }
        Lane::Bf16 => match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512Bf16 => {
                // SAFETY: as above.
                unsafe { x86::bf16_avx512(left, strip, sums) }
            }
            _ => panic!("{} has no bfloat16 products", path.name()),
        },
        Lane::F32 => match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 | Path::Avx512Bf16 => {
                // SAFETY: as above.
                unsafe { x86::f32_avx512(left, strip, sums) }
            }
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 | Path::AvxVnni => {
                // SAFETY: as above.
                unsafe { x86::f32_avx2(left, strip, sums) }
            }
            _ => panic!("{} has no float32 tiles", path.name()),
        },
    }
}

/// The tile in plain Rust: what every other form must equal.
fn int8_plain(left: &Left, strip: &Strip, sums: &mut [f32]) {
    for row in 0..left.rows {
        let mut totals = [left.start[row]; STRIP];
        for (word, weights) in strip.words.chunks_exact(STRIP).enumerate() {
            let x = left.words[word * TILE_ROWS + row].to_le_bytes().map(|x| i32::from(x as i8));
            for (total, weights) in totals.iter_mut().zip(weights) {
                let w = weights.to_le_bytes().map(i32::from);
                *total += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
            }
        }
        let sums = &mut sums[row * PANEL..][..STRIP];
        for ((sum, total), scale) in sums.iter_mut().zip(totals).zip(strip.scales) {
            *sum = (total as f32 * left.scales[row]).mul_add(*scale, *sum);
        }
    }
}
