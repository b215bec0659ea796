//! Tensors as numbers: widened, or as matrices in the precision that is wanted.
//!
//! A tensor in another type than asked for is converted a piece at a time straight into its new place,
//! and each piece of the mapped file is released behind it, so a checkpoint larger than memory converts
//! without being held twice. Deliberately absent: arithmetic on the numbers.

use ixc_kernels::{Buffer, Gptq, Matrix};

use super::{
    Checkpoint, Keep, StoredType,
    checkpoint::Stored,
    convert::{self, Overflow},
};
use crate::Error;

/// Bytes of a mapped file that stay resident while they are converted.
const PIECE: usize = 32 << 20;

impl Checkpoint {
    /// A tensor as float32, row by row. Exact: only f32, f16, bf16 and quantised blocks are taken.
    ///
    /// # Errors
    /// When the tensor is missing, of another shape, or of another type.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let stored = self.float_of_shape(name, shape)?;
        let mut out = vec![0f32; stored.info.numbers()];
        let mut rest = out.as_mut_slice();
        for piece in self.pieces(stored, PIECE) {
            let (now, later) = rest.split_at_mut(stored.info.dtype.numbers(piece.bytes().len()));
            convert::widen(stored.info.dtype, piece.bytes(), now);
            piece.release();
            rest = later;
        }
        Ok(out)
    }

    /// A tensor of shape (rows, cols) as a matrix, mapped or converted as `keep` says.
    ///
    /// # Errors
    /// As [`Self::matrix_of`].
    pub fn matrix(
        &self,
        name: &str,
        rows: usize,
        cols: usize,
        keep: Keep,
    ) -> Result<Matrix, Error> {
        self.matrix_of(name, &[rows, cols], keep)
    }

    /// A tensor of any shape as a matrix of (first axis, all others): what a convolution whose patches do
    /// not overlap multiplies with.
    ///
    /// # Errors
    /// When the tensor is missing, of another shape, of another type than f32, f16 or bf16, or holds
    /// finite numbers that are infinite in the narrower type.
    pub fn matrix_of(&self, name: &str, shape: &[usize], keep: Keep) -> Result<Matrix, Error> {
        let stored = self.float_of_shape(name, shape)?;
        let target = match keep {
            Keep::Stored => stored.info.dtype,
            Keep::F32 => StoredType::F32,
            _ if stored.info.dtype.quant().is_some() => stored.info.dtype,
            Keep::Bf16 => StoredType::Bf16,
            Keep::F16 => StoredType::F16,
        };
        let buffer = if target == stored.info.dtype {
            self.stored_buffer(stored)
        } else {
            self.converted(stored, target)?
        };
        let rows = shape.first().copied().unwrap_or(1);
        let cols = shape.iter().skip(1).fold(1usize, |cols, &axis| cols.saturating_mul(axis)); // huge only × 0
        if let Some(quant) = target.quant() {
            return Ok(Matrix::blocks(quant, rows, cols, buffer));
        }
        Ok(match target {
            StoredType::Bf16 => Matrix::bf16(rows, cols, buffer),
            StoredType::F16 => Matrix::f16(rows, cols, buffer),
            _ => Matrix::f32(rows, cols, buffer),
        })
    }

    /// How many of a tensor's numbers are infinite or not numbers; none where the type has no such.
    ///
    /// # Errors
    /// When there is no tensor of that name.
    pub fn non_finite(&self, name: &str) -> Result<usize, Error> {
        let stored = self.stored(name)?;
        let mut count = 0;
        for piece in self.pieces(stored, PIECE) {
            count += convert::count_non_finite(stored.info.dtype, piece.bytes());
            piece.release();
        }
        Ok(count)
    }

    /// A layer in GPTQ's 4-bit storage: `<layer>.linear.{qweight, qzeros, scales, g_idx}`, as a matrix of
    /// `rows` outputs and `cols` inputs. Without `g_idx` the groups are equal runs of inputs.
    ///
    /// That the bits are 4 is for the caller to see in the checkpoint's configuration.
    ///
    /// # Errors
    /// When a tensor is missing, of another type, or does not fit the others.
    pub fn gptq_matrix(&self, layer: &str, rows: usize, cols: usize) -> Result<Matrix, Error> {
        let name = |part: &str| format!("{layer}.linear.{part}");
        let scales = self.stored(&name("scales"))?;
        let fault = |reason: String| Error::Gptq {
            layer: layer.into(),
            file: self.file_of(scales),
            reason,
        };
        if !rows.is_multiple_of(8) || !cols.is_multiple_of(8) {
            let reason =
                format!("{rows} outputs and {cols} inputs, expected multiples of 8 of both");
            return Err(fault(reason));
        }
        let &[groups, outputs] = scales.info.shape.as_slice() else {
            return Err(fault(format!(
                "scales of shape {:?}, expected (groups, {rows})",
                scales.info.shape
            )));
        };
        if groups == 0 || outputs != rows {
            return Err(fault(format!(
                "scales of shape {:?}, expected (groups, {rows})",
                scales.info.shape
            )));
        }
        let scales = self.typed(&name("scales"), &[groups, rows], StoredType::F16, "f16")?;
        let qweight = self.typed(&name("qweight"), &[cols / 8, rows], StoredType::I32, "i32")?;
        let qzeros = self.typed(&name("qzeros"), &[groups, rows / 8], StoredType::I32, "i32")?;
        let groups = if self.info(&name("g_idx")).is_some() {
            let index = self.typed(&name("g_idx"), &[cols], StoredType::I32, "i32")?;
            let group = |(input, &group): (usize, &i32)| {
                let within = u32::try_from(group).ok().filter(|&group| (group as usize) < groups);
                within
                    .ok_or_else(|| fault(format!("input {input} is in group {group} of {groups}")))
            };
            index.numbers::<i32>().iter().enumerate().map(group).collect::<Result<_, _>>()?
        } else if cols.is_multiple_of(groups) {
            (0..cols).map(|input| (input / (cols / groups)) as u32).collect()
        } else {
            let reason = format!(
                "{cols} inputs in {groups} unequal groups, and no g_idx says which is where"
            );
            return Err(fault(reason));
        };
        Ok(Matrix::gptq(rows, cols, Gptq { qweight, qzeros, scales, groups }))
    }

    /// A tensor whose shape and type must be these.
    fn typed(
        &self,
        name: &str,
        shape: &[usize],
        dtype: StoredType,
        expected: &'static str,
    ) -> Result<Buffer, Error> {
        let stored = self.of_shape(name, shape)?;
        if stored.info.dtype != dtype {
            return Err(self.wrong_type(stored, expected));
        }
        Ok(self.stored_buffer(stored))
    }

    fn of_shape(&self, name: &str, shape: &[usize]) -> Result<&Stored, Error> {
        let stored = self.stored(name)?;
        if stored.info.shape != shape {
            return Err(Error::Shape {
                tensor: name.into(),
                file: self.file_of(stored),
                expected: shape.into(),
                found: stored.info.shape.clone(),
            });
        }
        Ok(stored)
    }

    fn float_of_shape(&self, name: &str, shape: &[usize]) -> Result<&Stored, Error> {
        let stored = self.of_shape(name, shape)?;
        if stored.info.dtype.is_float() {
            Ok(stored)
        } else {
            Err(self.wrong_type(stored, "f32, f16, bf16 or quantised blocks"))
        }
    }

    fn wrong_type(&self, stored: &Stored, expected: &'static str) -> Error {
        let (tensor, found) = (stored.info.name.clone(), stored.info.dtype);
        Error::Type { tensor, file: self.file_of(stored), expected, found }
    }

    /// A float tensor in another float type.
    fn converted(&self, stored: &Stored, target: StoredType) -> Result<Buffer, Error> {
        let from = stored.info.dtype;
        let numbers = stored.info.numbers(); // of mapped bytes, so eight times as many are countable
        let mut overflow = Overflow::default();
        let buffer = Buffer::build(numbers * target.size(), |out| {
            let mut rest = out;
            for piece in self.pieces(stored, PIECE) {
                let numbers = from.numbers(piece.bytes().len());
                let (now, later) = rest.split_at_mut(numbers * target.size());
                overflow = overflow.and(convert::convert(from, piece.bytes(), target, now));
                piece.release();
                rest = later;
            }
        });
        if overflow.count > 0 {
            let Overflow { count, largest } = overflow;
            let (tensor, file) = (stored.info.name.clone(), self.file_of(stored));
            return Err(Error::Overflow { tensor, file, target, count, largest });
        }
        Ok(buffer)
    }
}
