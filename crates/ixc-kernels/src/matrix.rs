//! A weight matrix, kept in the precision of its file.
//!
//! `rows` are outputs and `cols` inputs, as PyTorch stores a linear layer's weight. Whatever the
//! storage, [`Matrix::widen`] yields exactly the float32 numbers that the stored ones stand for, so
//! every product is the float32 product. Deliberately absent: multiplication itself ([`crate::matmul()`]).

use std::ops::Range;

use half::{bf16, f16, slice::HalfFloatSliceExt};

use crate::{
    Buffer, Quant,
    gptq::{Gptq, Words},
};

/// A matrix of `rows` × `cols` numbers.
#[derive(Clone, Debug)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    storage: Storage,
}

#[derive(Clone, Debug)]
enum Storage {
    F32(Buffer),
    Bf16(Buffer),
    F16(Buffer),
    Gptq(Words),
    /// Rows of whole blocks, one behind the other.
    Blocks(Quant, Buffer),
}

impl Matrix {
    /// A matrix of float32.
    ///
    /// # Panics
    /// When the buffer does not hold `rows · cols` numbers; so for all constructors: readers check first.
    pub fn f32(rows: usize, cols: usize, buffer: Buffer) -> Self {
        assert_eq!(buffer.numbers::<f32>().len(), rows * cols);
        Self { rows, cols, storage: Storage::F32(buffer) }
    }

    /// A matrix of bfloat16.
    pub fn bf16(rows: usize, cols: usize, buffer: Buffer) -> Self {
        assert_eq!(buffer.numbers::<u16>().len(), rows * cols);
        Self { rows, cols, storage: Storage::Bf16(buffer) }
    }

    /// A matrix of float16.
    pub fn f16(rows: usize, cols: usize, buffer: Buffer) -> Self {
        assert_eq!(buffer.numbers::<u16>().len(), rows * cols);
        Self { rows, cols, storage: Storage::F16(buffer) }
    }

    /// A matrix in GPTQ's 4-bit storage. Copied, in another order, where a word's inputs are of several groups.
    pub fn gptq(rows: usize, cols: usize, gptq: Gptq) -> Self {
        assert_eq!(gptq.groups.len(), cols);
        Self { rows, cols, storage: Storage::Gptq(Words::new(rows, gptq)) }
    }

    /// A matrix in quantised blocks; `cols` is a whole number of them.
    pub fn blocks(quant: Quant, rows: usize, cols: usize, buffer: Buffer) -> Self {
        assert_eq!(buffer.bytes().len(), rows * quant.row_bytes(cols));
        Self { rows, cols, storage: Storage::Blocks(quant, buffer) }
    }

    /// How many outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many inputs.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The stored precision's name.
    pub fn precision(&self) -> &'static str {
        match &self.storage {
            Storage::F32(_) => "f32",
            Storage::Bf16(_) => "bf16",
            Storage::F16(_) => "f16",
            Storage::Gptq(_) => "gptq-4bit",
            Storage::Blocks(quant, _) => quant.name(),
        }
    }

    /// How many bytes a product reads: what decoding streams for each word.
    pub fn bytes(&self) -> usize {
        match &self.storage {
            Storage::F32(buffer)
            | Storage::Bf16(buffer)
            | Storage::F16(buffer)
            | Storage::Blocks(_, buffer) => buffer.bytes().len(),
            Storage::Gptq(words) => words.bytes(),
        }
    }

    /// Whether the numbers live in mapped files alone rather than in memory of our own.
    pub fn is_mapped(&self) -> bool {
        match &self.storage {
            Storage::F32(buffer)
            | Storage::Bf16(buffer)
            | Storage::F16(buffer)
            | Storage::Blocks(_, buffer) => buffer.is_mapped(),
            Storage::Gptq(words) => words.is_mapped(),
        }
    }

    /// The stored float32 rows, when that is how they are stored: nothing to widen then.
    pub(crate) fn as_f32(&self) -> Option<&[f32]> {
        match &self.storage {
            Storage::F32(buffer) => Some(buffer.numbers()),
            _ => None,
        }
    }

    /// The stored bfloat16, (rows, cols), when that is how they are stored.
    pub fn as_bf16(&self) -> Option<&[u16]> {
        match &self.storage {
            Storage::Bf16(buffer) => Some(buffer.numbers()),
            _ => None,
        }
    }

    /// Whether the numbers are bfloat16.
    pub fn is_bf16(&self) -> bool {
        matches!(self.storage, Storage::Bf16(_))
    }

    /// Whether the numbers are stored in fewer than 16 bits.
    pub fn is_quantised(&self) -> bool {
        matches!(self.storage, Storage::Blocks(..) | Storage::Gptq(_))
    }

    /// The type and bytes of quantised rows, when that is how they are stored.
    pub fn as_blocks(&self) -> Option<(Quant, &[u8])> {
        match &self.storage {
            Storage::Blocks(quant, buffer) => Some((*quant, buffer.bytes())),
            _ => None,
        }
    }

    /// The words of 4-bit numbers, when that is how they are stored.
    pub(crate) fn as_words(&self) -> Option<&Words> {
        match &self.storage {
            Storage::Gptq(words) => Some(words),
            _ => None,
        }
    }

    /// Writes some inputs of one output as float32 into `out`, (inputs.len()). Exact.
    ///
    /// # Panics
    /// When they are not the matrix's, `out` has another size, or 32 inputs of a block are cut.
    #[inline(always)] // so that the caller's run-time SIMD dispatch reaches the loops
    pub(crate) fn widen_part(&self, output: usize, inputs: Range<usize>, out: &mut [f32]) {
        assert!(output < self.rows && inputs.end <= self.cols && out.len() == inputs.len());
        match &self.storage {
            Storage::Gptq(words) => words.widen_part(output, inputs, out),
            Storage::Blocks(quant, buffer) => {
                let row_bytes = quant.row_bytes(self.cols);
                let row = &buffer.bytes()[output * row_bytes..][..row_bytes];
                quant.dequantise_part(row, inputs.start, out);
            }
            _ => {
                let start = output * self.cols + inputs.start;
                self.widen_dense(start..start + out.len(), out);
            }
        }
    }

    /// Writes some rows as float32 into `out`, (rows.len(), cols). Exact.
    ///
    /// # Panics
    /// When the rows are not the matrix's or `out` has another size.
    #[inline(always)] // as above
    pub fn widen(&self, rows: Range<usize>, out: &mut [f32]) {
        assert!(rows.end <= self.rows);
        assert_eq!(out.len(), rows.len() * self.cols);
        match &self.storage {
            Storage::Gptq(words) => {
                for (output, out) in rows.zip(out.chunks_exact_mut(self.cols)) {
                    words.widen_part(output, 0..self.cols, out);
                }
            }
            Storage::Blocks(quant, buffer) => {
                let row_bytes = quant.row_bytes(self.cols);
                let span = rows.start * row_bytes..rows.end * row_bytes;
                quant.dequantise(&buffer.bytes()[span], out);
            }
            _ => self.widen_dense(rows.start * self.cols..rows.end * self.cols, out),
        }
    }

    /// Numbers `span` of a matrix that is not quantised.
    #[inline(always)] // as above
    fn widen_dense(&self, span: Range<usize>, out: &mut [f32]) {
        match &self.storage {
            Storage::F32(buffer) => out.copy_from_slice(&buffer.numbers::<f32>()[span]),
            Storage::Bf16(buffer) => {
                // Widening bfloat16 is a shift: plain enough for the compiler to vectorise.
                for (out, &bits) in out.iter_mut().zip(&buffer.numbers::<u16>()[span]) {
                    *out = f32::from_bits(u32::from(bits) << 16);
                }
            }
            Storage::F16(buffer) => {
                let values: &[f16] = bytemuck::cast_slice(&buffer.numbers::<u16>()[span]);
                values.convert_to_f32_slice(out);
            }
            Storage::Gptq(_) | Storage::Blocks(..) => unreachable!("quantised"),
        }
    }
}

/// Rounds float32 to bfloat16, to nearest even, as PyTorch does; NaN stays NaN.
pub fn round_to_bf16(values: &[f32], out: &mut [u16]) {
    assert_eq!(values.len(), out.len());
    for (out, &value) in out.iter_mut().zip(values) {
        *out = bf16::from_f32(value).to_bits();
    }
}
