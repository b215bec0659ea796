//! Quantised weights: GGUF's blocks, as the file stores them.
//!
//! A row of inputs is cut into blocks of 32 or 256 numbers; each block holds its own scale, so a row is a
//! whole number of bytes and rows follow one another. The layouts are ggml's, byte for byte: a weight file
//! is read where it lies and public tools read what we write. [`Quant::dequantise`] gives exactly the float32
//! numbers that a block stands for; every faster reading is judged by it.
//! Deliberately absent: products (`matmul`), files (`ixc-nn`), which part of a model gets which type.

mod lanes;
mod q4k;
mod read;
mod signed;
mod write;

pub use read::scales_and_minima;
pub use write::{LARGEST, Loss, Unquantisable};

/// A type of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quant {
    /// 32 inputs in 18 bytes: an f16 scale, 4 bits each. Value = scale · (q − 8).
    Q4_0,
    /// 32 inputs in 34 bytes: an f16 scale, an i8 each. Value = scale · q.
    Q8_0,
    /// 256 inputs in 144 bytes: two f16, eight 6-bit scales and minima (one of each for 32 inputs), 4 bits
    /// each. Value = d · scale · q − dmin · min.
    Q4K,
    /// 256 inputs in 210 bytes: 6 bits each, an i8 scale for 16 inputs, one f16. Value = d · scale · (q − 32).
    Q6K,
}

impl Quant {
    /// All types, smallest first.
    pub const ALL: [Self; 4] = [Self::Q4_0, Self::Q4K, Self::Q6K, Self::Q8_0];

    /// How many inputs a block covers.
    pub const fn block_elements(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q8_0 => 32,
            Self::Q4K | Self::Q6K => 256,
        }
    }

    /// How many bytes a block takes.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q6K => 210,
        }
    }

    /// How many bytes a row of `cols` inputs takes.
    ///
    /// # Panics
    /// When `cols` is not a whole number of blocks.
    pub const fn row_bytes(self, cols: usize) -> usize {
        assert!(cols.is_multiple_of(self.block_elements()));
        cols / self.block_elements() * self.block_bytes()
    }

    /// The type's name, as `--to` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "q4_0",
            Self::Q8_0 => "q8_0",
            Self::Q4K => "q4_k",
            Self::Q6K => "q6_k",
        }
    }

    /// Whether importance changes its blocks: 8 bits are rounded without a search.
    pub const fn weighs(self) -> bool {
        !matches!(self, Self::Q8_0)
    }

    /// The numbers that some whole blocks stand for.
    ///
    /// # Panics
    /// When `blocks` is not a whole number of blocks or `out` does not hold just their numbers.
    #[inline(always)] // so that the caller's run-time SIMD dispatch reaches the loops
    pub fn dequantise(self, blocks: &[u8], out: &mut [f32]) {
        assert_eq!(blocks.len(), self.row_bytes(out.len()));
        self.dequantise_part(blocks, 0, out);
    }

    /// Of the numbers that some blocks stand for, those from `first` on: whole 32s.
    ///
    /// # Panics
    /// When a 32 is cut, or there are not as many numbers.
    #[inline(always)] // as above
    pub(crate) fn dequantise_part(self, blocks: &[u8], first: usize, out: &mut [f32]) {
        assert!(first.is_multiple_of(32) && out.len().is_multiple_of(32), "whole 32s");
        let parts = (first / 32..).zip(out.as_chunks_mut::<32>().0);
        match self {
            Self::Q4_0 => {
                let (blocks, _) = blocks.as_chunks();
                parts.for_each(|(part, out)| read::q4_0(&blocks[part], out));
            }
            Self::Q8_0 => {
                let (blocks, _) = blocks.as_chunks();
                parts.for_each(|(part, out)| read::q8_0(&blocks[part], out));
            }
            Self::Q4K => {
                let (blocks, _) = blocks.as_chunks();
                parts.for_each(|(part, out)| read::q4_k(&blocks[part / 8], part % 8, out));
            }
            Self::Q6K => {
                let (blocks, _) = blocks.as_chunks();
                parts.for_each(|(part, out)| read::q6_k(&blocks[part / 8], part % 8, out));
            }
        }
    }
}
