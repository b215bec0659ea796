//! Keys and values as they are stored, and their way to float32 and back.
//!
//! Invariant: widening gives exactly the stored numbers. Deliberately absent: who owns the storage and
//! how it grows.

use std::ops::Range;

use half::f16;
use pulp::{Simd, WithSimd};

use super::simd::vectorize;
use crate::cpu::Path;

/// How the numbers of keys and values are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KvType {
    /// float32: nothing is lost.
    F32,
    /// float16; what it cannot hold becomes its largest number.
    #[default]
    F16,
    /// 8-bit integers with one float32 scale for each position and head.
    Q8,
}

impl KvType {
    /// All types, widest first.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Q8];

    /// Bytes that a row of `width` numbers takes, its scale included.
    pub fn row_bytes(self, width: usize) -> usize {
        match self {
            Self::F32 => 4 * width,
            Self::F16 => 2 * width,
            Self::Q8 => width + 4,
        }
    }

    /// Its name in reports and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8 => "q8",
        }
    }
}

/// Rows of stored numbers, one behind the other.
#[derive(Clone, Copy, Debug)]
pub enum Stored<'a> {
    /// float32.
    F32(&'a [f32]),
    /// float16.
    F16(&'a [f16]),
    /// 8-bit integers, and a scale for each row. They lie apart, so that rows keep whole cache lines.
    Q8 {
        /// The integers.
        numbers: &'a [i8],
        /// One for each row.
        scales: &'a [f32],
    },
}

/// Rows of stored numbers to be written.
#[derive(Debug)]
pub enum StoredMut<'a> {
    /// float32.
    F32(&'a mut [f32]),
    /// float16.
    F16(&'a mut [f16]),
    /// 8-bit integers, and a scale for each row.
    Q8 {
        /// The integers.
        numbers: &'a mut [i8],
        /// One for each row.
        scales: &'a mut [f32],
    },
}

impl<'a> Stored<'a> {
    /// Some of the rows of `width` numbers.
    pub(super) fn slice(self, rows: Range<usize>, width: usize) -> Self {
        let place = rows.start * width..rows.end * width;
        match self {
            Self::F32(numbers) => Self::F32(&numbers[place]),
            Self::F16(numbers) => Self::F16(&numbers[place]),
            Self::Q8 { numbers, scales } => {
                Self::Q8 { numbers: &numbers[place], scales: &scales[rows] }
            }
        }
    }

    /// Whole rows of `width` numbers that are there.
    pub fn rows(self, width: usize) -> usize {
        match self {
            Self::F32(numbers) => numbers.len() / width,
            Self::F16(numbers) => numbers.len() / width,
            Self::Q8 { numbers, scales } => (numbers.len() / width).min(scales.len()),
        }
    }

    /// Widens rows of `width` numbers.
    pub(super) fn widen(self, path: Path, rows: Range<usize>, width: usize, out: &mut [f32]) {
        match self.slice(rows, width) {
            Self::F32(numbers) => out.copy_from_slice(numbers),
            Self::F16(numbers) => widen_f16(path, numbers, out),
            Self::Q8 { numbers, scales } => {
                vectorize(path, WidenQ8 { numbers, scales, width, out })
            }
        }
    }
}

impl StoredMut<'_> {
    /// Stores a row of float32 numbers as row `row` of this width.
    ///
    /// # Panics
    /// When there is no such row or the path is not this processor's.
    pub fn set_row(&mut self, path: Path, row: usize, values: &[f32]) {
        assert!(path.is_available());
        let place = row * values.len()..(row + 1) * values.len();
        match self {
            Self::F32(numbers) => numbers[place].copy_from_slice(values),
            Self::F16(numbers) => narrow_f16(path, values, &mut numbers[place]),
            Self::Q8 { numbers, scales } => {
                let out = &mut numbers[place];
                scales[row] = vectorize(path, NarrowQ8 { values, out });
            }
        }
    }
}

/// Keys and values of consecutive positions. The row of a head's position is
/// head · `head_rows` + position · `position_rows`.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// Keys, already rotated.
    pub k: Stored<'a>,
    /// Values.
    pub v: Stored<'a>,
    /// Positions in use.
    pub len: usize,
    /// Rows from one head to the next.
    pub head_rows: usize,
    /// Rows from one position to the next.
    pub position_rows: usize,
}

impl Stretch<'_> {
    /// The row of a head's position.
    pub(super) fn row(&self, head: usize, position: usize) -> usize {
        head * self.head_rows + position * self.position_rows
    }
}

/// float16 to float32.
fn widen_f16(path: Path, from: &[f16], to: &mut [f32]) {
    assert_eq!(from.len(), to.len());
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the path is available: whoever chose it has asked.
        Path::Avx512 | Path::Avx512Bf16 => unsafe { x86::widen_512(from, to) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Path::Avx2 | Path::AvxVnni => unsafe { x86::widen_256(from, to) },
        _ => from.iter().zip(to).for_each(|(from, to)| *to = from.to_f32()),
    }
}

/// float32 to float16, ties to even; numbers beyond its range become its largest.
fn narrow_f16(path: Path, from: &[f32], to: &mut [f16]) {
    assert_eq!(from.len(), to.len());
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the path is available: whoever chose it has asked.
        Path::Avx2 | Path::AvxVnni | Path::Avx512 | Path::Avx512Bf16 => unsafe {
            x86::narrow_256(from, to)
        },
        _ => from.iter().zip(to).for_each(|(from, to)| *to = narrow_one(*from)),
    }
}

fn narrow_one(value: f32) -> f16 {
    f16::from_f32(value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()))
}

/// Rows of integers times their scales.
struct WidenQ8<'a> {
    numbers: &'a [i8],
    scales: &'a [f32],
    width: usize,
    out: &'a mut [f32],
}

impl WithSimd for WidenQ8<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.numbers.chunks_exact(self.width).zip(self.out.chunks_exact_mut(self.width));
        for ((numbers, out), scale) in rows.zip(self.scales) {
            numbers.iter().zip(out).for_each(|(number, out)| *out = f32::from(*number) * scale);
        }
    }
}

/// A row divided by its largest magnitude / 127, to the nearest; returns that scale.
struct NarrowQ8<'a> {
    values: &'a [f32],
    out: &'a mut [i8],
}

impl WithSimd for NarrowQ8<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        // As many running maxima as the widest vector has numbers.
        let mut largest = [0f32; 16];
        let (chunks, tail) = self.values.as_chunks::<16>();
        for chunk in chunks {
            for (largest, value) in largest.iter_mut().zip(chunk) {
                *largest = largest.max(value.abs());
            }
        }
        let largest = largest.iter().chain(tail).fold(0f32, |most, value| most.max(value.abs()));
        let scale = largest / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        for (value, out) in self.values.iter().zip(self.out) {
            *out = (value * inverse).round_ties_even() as i8;
        }
        scale
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use half::f16;

    /// # Safety
    /// The processor has AVX-512 F; the slices are equally long.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn widen_512(from: &[f16], to: &mut [f32]) {
        let whole = from.len() / 16 * 16;
        for start in (0..whole).step_by(16) {
            // SAFETY: 16 numbers from `start` on are within both.
            unsafe {
                let numbers = _mm256_loadu_si256(from.as_ptr().add(start).cast());
                _mm512_storeu_ps(to.as_mut_ptr().add(start), _mm512_cvtph_ps(numbers));
            }
        }
        from[whole..].iter().zip(&mut to[whole..]).for_each(|(from, to)| *to = from.to_f32());
    }

    /// # Safety
    /// The processor has AVX2 and F16C; the slices are equally long.
    #[target_feature(enable = "avx2,f16c")]
    pub(super) unsafe fn widen_256(from: &[f16], to: &mut [f32]) {
        let whole = from.len() / 8 * 8;
        for start in (0..whole).step_by(8) {
            // SAFETY: 8 numbers from `start` on are within both.
            unsafe {
                let numbers = _mm_loadu_si128(from.as_ptr().add(start).cast());
                _mm256_storeu_ps(to.as_mut_ptr().add(start), _mm256_cvtph_ps(numbers));
            }
        }
        from[whole..].iter().zip(&mut to[whole..]).for_each(|(from, to)| *to = from.to_f32());
    }

    /// # Safety
    /// The processor has AVX2 and F16C; the slices are equally long.
    #[target_feature(enable = "avx2,f16c")]
    pub(super) unsafe fn narrow_256(from: &[f32], to: &mut [f16]) {
        let whole = from.len() / 8 * 8;
        let most = _mm256_set1_ps(f16::MAX.to_f32());
        let least = _mm256_set1_ps(f16::MIN.to_f32());
        for start in (0..whole).step_by(8) {
            // SAFETY: 8 numbers from `start` on are within both.
            unsafe {
                let numbers = _mm256_loadu_ps(from.as_ptr().add(start));
                // With the bound first, what is not a number stays so.
                let numbers = _mm256_max_ps(least, _mm256_min_ps(most, numbers));
                let narrow = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(numbers);
                _mm_storeu_si128(to.as_mut_ptr().add(start).cast(), narrow);
            }
        }
        let tail = from[whole..].iter().zip(&mut to[whole..]);
        tail.for_each(|(from, to)| *to = super::narrow_one(*from));
    }
}
