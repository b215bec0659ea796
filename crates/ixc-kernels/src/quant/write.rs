//! Float32 rows to blocks, with as little loss as the format allows.
//!
//! Every search minimises the weighted squared error Σ w (value − x)², w being how much an input matters
//! (its mean square over a calibration set; 1 where nothing is known). The result depends on the row alone,
//! never on the machine's vectors or threads: sums have a fixed order and nothing is fused.
//! Deliberately absent: which part of a model gets which type.

use std::sync::Mutex;

use pulp::{Arch, Simd, WithSimd};

use super::{Quant, q4k, signed};
use crate::pool;

/// The largest magnitude that has a scale in f16 in every type.
pub const LARGEST: f32 = 450_000.0;

/// Numbers of one task: enough to hide its dispatch.
const TASK: usize = 1 << 16;

/// A row that cannot be quantised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unquantisable {
    /// Its number among the rows that were given.
    pub row: usize,
    /// The first such input.
    pub col: usize,
    /// What is there: not finite, or beyond [`LARGEST`].
    pub value: f32,
}

/// How far quantised numbers are from what they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// Σ (value − x)².
    pub error: f64,
    /// Σ x².
    pub energy: f64,
}

impl Loss {
    /// The root of error over energy; 0 for zeros.
    pub fn relative(self) -> f64 {
        if self.energy == 0.0 { 0.0 } else { (self.error / self.energy).sqrt() }
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self { error: self.error + other.error, energy: self.energy + other.energy }
    }
}

impl Quant {
    /// Quantises whole rows of `cols` numbers on all threads. `importance`, one weight of at least 0 for each
    /// input, says which errors count most.
    ///
    /// # Errors
    /// When a number is not finite or too large; `out` is then of no use.
    ///
    /// # Panics
    /// When the lengths do not fit each other, or `cols` is not a whole number of blocks.
    pub fn quantise(
        self,
        rows: &[f32],
        cols: usize,
        importance: Option<&[f32]>,
        out: &mut [u8],
    ) -> Result<Loss, Unquantisable> {
        let row_bytes = self.row_bytes(cols);
        assert!(cols > 0 && rows.len().is_multiple_of(cols));
        assert_eq!(out.len(), rows.len() / cols * row_bytes);
        assert!(importance.is_none_or(|importance| importance.len() == cols));
        let height = (TASK / cols).max(1);
        let parts: Vec<_> = rows
            .chunks(height * cols)
            .zip(out.chunks_mut(height * row_bytes))
            .map(|(rows, out)| Mutex::new((rows, out, Ok(Loss::default()))))
            .collect();
        pool::run(parts.len(), &|task| {
            let mut part = parts[task].lock().expect("each task has a part of its own");
            let (rows, out, result) = &mut *part;
            *result = Arch::new().dispatch(Rows { quant: self, rows, cols, importance, out });
        });
        let mut total = Loss::default();
        for (task, part) in parts.into_iter().enumerate() {
            let (.., result) = part.into_inner().expect("no task has failed");
            total = total.and(
                result
                    .map_err(|fault| Unquantisable { row: task * height + fault.row, ..fault })?,
            );
        }
        Ok(total)
    }
}

/// One group of blocks after the other. A macro, because a function handed over as a value is not compiled
/// into its caller and so not for the caller's vectors.
macro_rules! each {
    ($pack:path, $simd:expr, $numbers:literal => $bytes:literal, $row:expr, $weights:expr, $out:expr) => {{
        let groups = $row.chunks($numbers).zip($weights.chunks($numbers));
        for ((x, weights), out) in groups.zip($out.chunks_mut($bytes)) {
            $pack($simd, x, weights, out);
        }
    }};
}

/// Some rows, compiled for the widest vectors this processor has.
struct Rows<'a> {
    quant: Quant,
    rows: &'a [f32],
    cols: usize,
    importance: Option<&'a [f32]>,
    out: &'a mut [u8],
}

impl WithSimd for Rows<'_> {
    type Output = Result<Loss, Unquantisable>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { quant, rows, cols, importance, out } = self;
        let row_bytes = quant.row_bytes(cols);
        let even = vec![1f32; if importance.is_none() { cols } else { 0 }];
        let importance = importance.unwrap_or(&even);
        let mut back = vec![0f32; cols];
        let mut loss = Loss::default();
        let pairs = rows.chunks_exact(cols).zip(out.chunks_exact_mut(row_bytes));
        for (number, (row, out)) in pairs.enumerate() {
            let unfit = |value: &f32| value.is_nan() || value.abs() > LARGEST;
            if let Some(col) = row.iter().position(unfit) {
                return Err(Unquantisable { row: number, col, value: row[col] });
            }
            match quant {
                Quant::Q4_0 => each!(signed::q4_0, simd, 512 => 288, row, importance, out),
                Quant::Q8_0 => each!(signed::q8_0, simd, 32 => 34, row, importance, out),
                Quant::Q4K => each!(q4k::q4_k, simd, 512 => 288, row, importance, out),
                Quant::Q6K => each!(signed::q6_k, simd, 256 => 210, row, importance, out),
            }
            quant.dequantise(out, &mut back);
            for (&x, &value) in row.iter().zip(&back) {
                loss.error += f64::from(value - x) * f64::from(value - x);
                loss.energy += f64::from(x) * f64::from(x);
            }
        }
        Ok(loss)
    }
}
