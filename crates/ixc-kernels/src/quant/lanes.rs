//! Sixteen small searches side by side: one number of each in a lane of the processor's vectors.
//!
//! The parts of a block are searched at once, so that sums run down the lanes and never across: a lane's
//! result depends neither on its neighbours nor on how wide the vectors are. Deliberately absent: fused
//! products, which would round differently from machine to machine.

use std::ops::{Add, Div, Mul, Sub};

use half::f16;
use pulp::Simd;

/// A number of each search, in memory.
pub(super) type Row = [f32; LANES];

/// Searches side by side: the widest vectors of float32.
pub(super) const LANES: usize = 16;

/// The numbers of some searches, in a vector.
#[derive(Clone, Copy)]
pub(super) struct Lanes<S: Simd>(S, S::f32s);

/// One operation on all lanes.
macro_rules! operator {
    ($name:ident, $method:ident, $of_simd:ident) => {
        impl<S: Simd> $name for Lanes<S> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0, self.0.$of_simd(self.1, other.1))
            }
        }
    };
}

operator!(Add, add, add_f32s);
operator!(Sub, sub, sub_f32s);
operator!(Mul, mul, mul_f32s);
operator!(Div, div, div_f32s);

impl<S: Simd> Lanes<S> {
    /// How many vectors a row fills.
    pub(super) const VECTORS: usize = LANES / S::F32_LANES;

    /// The same number everywhere.
    #[inline(always)]
    pub(super) fn all(simd: S, value: f32) -> Self {
        Self(simd, simd.splat_f32s(value))
    }

    /// Vector number `vector` of a row.
    #[inline(always)]
    pub(super) fn load(simd: S, row: &Row, vector: usize) -> Self {
        Self(simd, S::as_simd_f32s(row).0[vector])
    }

    /// The way back.
    #[inline(always)]
    pub(super) fn store(self, row: &mut Row, vector: usize) {
        S::as_mut_simd_f32s(row).0[vector] = self.1;
    }

    /// `yes` where this is less than `other`, else `no`.
    #[inline(always)]
    pub(super) fn less(self, other: Self, yes: Self, no: Self) -> Self {
        let simd = self.0;
        Self(simd, simd.select_f32s(simd.less_than_f32s(self.1, other.1), yes.1, no.1))
    }

    /// The lesser of each.
    #[inline(always)]
    pub(super) fn min(self, other: Self) -> Self {
        self.less(other, self, other)
    }

    /// The greater of each.
    #[inline(always)]
    pub(super) fn max(self, other: Self) -> Self {
        other.less(self, self, other)
    }

    /// The nearest whole number between two bounds, of ties the even one: adding the constant leaves no bits
    /// for a fraction.
    #[inline(always)]
    pub(super) fn whole(self, low: f32, high: f32) -> Self {
        let of = |value: f32| Self::all(self.0, value);
        let no_fraction = of(12_582_912.0);
        self.max(of(low)).min(of(high)) + no_fraction - no_fraction
    }

    /// This over `below`, and 0 where that is not positive.
    #[inline(always)]
    pub(super) fn over(self, below: Self) -> Self {
        let zero = Self::all(self.0, 0.0);
        zero.less(below, self / below, zero)
    }

    /// 1 / this; 0 where it is 0 or so small that nothing finite would come of it.
    #[inline(always)]
    pub(super) fn inverse(self) -> Self {
        let (one, zero) = (Self::all(self.0, 1.0), Self::all(self.0, 0.0));
        let inverse = one / self;
        (inverse * zero).less(one, inverse, zero) // ∞ · 0 is less than nothing
    }
}

/// The inputs of the searches, `N` each, one search behind the other in memory; what lacks is 0.
#[inline(always)]
pub(super) fn load<const N: usize>(values: &[f32]) -> [Row; N] {
    let mut rows = [[0.0; LANES]; N];
    for (lane, values) in values.chunks_exact(N).enumerate() {
        for (row, &value) in rows.iter_mut().zip(values) {
            row[lane] = value;
        }
    }
    rows
}

/// The inputs' weights; a search in which none counts gives all the same.
#[inline(always)]
pub(super) fn load_weights<const N: usize>(values: &[f32]) -> [Row; N] {
    let mut rows = load(values);
    for lane in 0..LANES {
        if rows.iter().all(|row| row[lane] <= 0.0) {
            rows.iter_mut().for_each(|row| row[lane] = 1.0);
        }
    }
    rows
}

/// The number of largest magnitude, with its sign.
#[inline(always)]
pub(super) fn extreme(values: &[f32]) -> f32 {
    values.iter().fold(0f32, |most, &value| if value.abs() > most.abs() { value } else { most })
}

/// A number as f16 holds it; what is too large becomes the largest.
#[inline(always)]
pub(super) fn rounded(value: f32) -> f32 {
    let most = f16::MAX.to_f32();
    f16::from_f32(value.clamp(-most, most)).to_f32()
}

/// 1 / value; 0 where that is not finite.
#[inline(always)]
pub(super) fn inverse(value: f32) -> f32 {
    let inverse = 1.0 / value;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// [`Lanes::whole`] for one number.
#[inline(always)]
pub(super) fn whole(value: f32, low: f32, high: f32) -> f32 {
    const NO_FRACTION: f32 = 12_582_912.0;
    value.clamp(low, high) + NO_FRACTION - NO_FRACTION
}
