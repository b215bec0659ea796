//! Vector code for a path that the caller names, and the exponentials of a softmax in it.
//!
//! Deliberately absent: functions of one number for loops that become vectors by themselves (see `math`).

use pulp::{Scalar, Simd, WithSimd};

use crate::cpu::Path;

/// Runs `op` compiled for the path's vectors; for plain Rust's where pulp does not know them.
pub(crate) fn vectorize<O: WithSimd>(path: Path, op: O) -> O::Output {
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 | Path::Avx512Bf16 => match pulp::x86::V4::try_new() {
            Some(simd) => Simd::vectorize(simd, op),
            None => Simd::vectorize(Scalar::new(), op),
        },
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 | Path::AvxVnni => match pulp::x86::V3::try_new() {
            Some(simd) => Simd::vectorize(simd, op),
            None => Simd::vectorize(Scalar::new(), op),
        },
        #[cfg(target_arch = "aarch64")]
        Path::Neon | Path::NeonDotprod => match pulp::aarch64::Neon::try_new() {
            Some(simd) => Simd::vectorize(simd, op),
            None => Simd::vectorize(Scalar::new(), op),
        },
        _ => Simd::vectorize(Scalar::new(), op),
    }
}

/// Below this the exponential is 0: its float32 would lose digits.
const LEAST: f32 = -87.0;

/// eˣ of numbers that are at most 0, to within 2 units of the last place; 0 below −87. What is not a number
/// stays none.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let all = |value: f32| simd.splat_f32s(value);
    let (given, small) = (x, simd.less_than_f32s(x, all(LEAST)));
    let x = simd.max_f32s(x, all(LEAST));
    // x = n · ln 2 + rest. Adding 1.5 · 2²³ rounds, and leaves n in the lowest bits.
    let shifted = simd.mul_add_f32s(x, all(std::f32::consts::LOG2_E), all(12_582_912.0));
    let n = simd.sub_f32s(shifted, all(12_582_912.0));
    let rest = simd.mul_add_f32s(n, all(-0.693_359_4), x);
    let rest = simd.mul_add_f32s(n, all(2.121_944_4e-4), rest);
    let mut sum = all(1.0 / 720.0);
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = simd.mul_add_f32s(sum, rest, all(coefficient));
    }
    let n = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let scaled = simd.add_u32s(simd.transmute_u32s_f32s(sum), n);
    let exp = simd.select_f32s(small, all(0.0), simd.transmute_f32s_u32s(scaled));
    simd.select_f32s(simd.equal_f32s(given, given), exp, given)
}

/// The largest of some numbers.
#[inline(always)]
pub(crate) fn largest<S: Simd>(simd: S, numbers: &[f32]) -> f32 {
    let (vectors, tail) = S::as_simd_f32s(numbers);
    let start = simd.splat_f32s(f32::MIN);
    let most = vectors.iter().fold(start, |most, vector| simd.max_f32s(most, *vector));
    tail.iter().fold(simd.reduce_max_f32s(most), |most, number| most.max(*number))
}

/// Turns scores into e^(score − shift) and returns their sum.
#[inline(always)]
pub(crate) fn exponents<S: Simd>(simd: S, scores: &mut [f32], shift: f32) -> f32 {
    let (vectors, tail) = S::as_mut_simd_f32s(scores);
    let shifts = simd.splat_f32s(shift);
    let mut sum = simd.splat_f32s(0.0);
    for vector in vectors {
        *vector = exp(simd, simd.sub_f32s(*vector, shifts));
        sum = simd.add_f32s(sum, *vector);
    }
    let mut total = simd.reduce_sum_f32s(sum);
    if !tail.is_empty() {
        let ends = exp(simd, simd.sub_f32s(simd.partial_load_f32s(tail), shifts));
        simd.partial_store_f32s(tail, ends);
        total += tail.iter().sum::<f32>();
    }
    total
}
