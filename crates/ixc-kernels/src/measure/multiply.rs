//! Multiplying and adding in registers, path by path.
//!
//! Every loop multiplies ones, so the sum of its accumulators is the number of products it made: that is
//! what it returns. As many accumulators as keep the units busy, and no memory. An empty `asm` hides a
//! value from the compiler where it could otherwise take a product out of the loop.

use std::hint::black_box;

use super::Numbers;
use crate::cpu::Path;

/// Makes so many rounds; returns how many products that were.
pub(super) type Work = fn(u64) -> f64;

/// The loop for these numbers on a path that this processor has.
pub(super) fn work(numbers: Numbers, path: Path) -> Work {
    #[cfg(target_arch = "x86_64")]
    {
        // The caller's path is one that this processor has, and each loop needs no more than its path's
        // instructions.
        match (numbers, path) {
            (Numbers::Bf16, Path::Avx512Bf16) => {
                // SAFETY: as said above.
                return |rounds| unsafe { x86::bf16_avx512(rounds) };
            }
            (Numbers::Int8, Path::Avx512 | Path::Avx512Bf16) => {
                // SAFETY: as said above.
                return |rounds| unsafe { x86::int8_avx512(rounds) };
            }
            (_, Path::Avx512 | Path::Avx512Bf16) => {
                // SAFETY: as said above.
                return |rounds| unsafe { x86::f32_avx512(rounds) };
            }
            (Numbers::Int8, Path::AvxVnni) => {
                // SAFETY: as said above.
                return |rounds| unsafe { x86::int8_avx_vnni(rounds) };
            }
            (Numbers::Int8, Path::Avx2) => {
                // SAFETY: as said above.
                return |rounds| unsafe { x86::int8_avx2(rounds) };
            }
            (_, Path::Avx2 | Path::AvxVnni) => {
                // SAFETY: as said above.
                return |rounds| unsafe { x86::f32_avx2(rounds) };
            }
            _ => {}
        }
    }
    #[cfg(target_arch = "aarch64")]
    match (numbers, path) {
        (Numbers::Int8, Path::NeonDotprod) => {
            // SAFETY: the caller's path is one that this processor has.
            return |rounds| unsafe { neon::int8_dotprod(rounds) };
        }
        (Numbers::Int8, Path::Neon) => {
            // SAFETY: as above.
            return |rounds| unsafe { neon::int8(rounds) };
        }
        _ => {}
    }
    let _ = path;
    match numbers {
        Numbers::Int8 => int8_portable,
        Numbers::Bf16 | Numbers::F32 => f32_portable,
    }
}

/// Numbers that the portable loops hold.
const LANES: usize = 32;

/// What the compiler makes of 8-bit products.
fn int8_portable(rounds: u64) -> f64 {
    let (a, b) = ([1i8; LANES], black_box([1i8; LANES]));
    let mut sums = [0i32; LANES];
    for _ in 0..rounds {
        for ((sum, &a), &b) in sums.iter_mut().zip(black_box(&a)).zip(&b) {
            *sum += i32::from(i16::from(a) * i16::from(b));
        }
    }
    sums.iter().map(|&sum| f64::from(sum)).sum()
}

/// What the compiler makes of float32 products; fused where every processor of the kind can.
fn f32_portable(rounds: u64) -> f64 {
    let (a, b) = ([1f32; LANES], black_box([1f32; LANES]));
    let mut sums = [0f32; LANES];
    for _ in 0..rounds {
        for ((sum, &a), &b) in sums.iter_mut().zip(black_box(&a)).zip(&b) {
            *sum = if cfg!(target_arch = "aarch64") { a.mul_add(b, *sum) } else { a * b + *sum };
        }
    }
    sums.iter().map(|&sum| f64::from(sum)).sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{
        arch::{asm, x86_64::*},
        hint::black_box,
        mem::transmute,
    };

    /// Accumulators of the 512-bit loops: 32 registers less two factors and some room.
    const WIDE: usize = 24;

    /// Accumulators of the 256-bit loops, of 16 registers.
    const NARROW: usize = 12;

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn int8_avx512(rounds: u64) -> f64 {
        let (a, b) = (black_box(_mm512_set1_epi8(1)), black_box(_mm512_set1_epi8(1)));
        let mut sums = [_mm512_setzero_si512(); WIDE];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, a, b);
            }
        }
        // SAFETY: registers are their lanes, and every lane is a number.
        let lanes: [i32; 16 * WIDE] = unsafe { transmute(sums) };
        lanes.iter().map(|&lane| f64::from(lane)).sum()
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn bf16_avx512(rounds: u64) -> f64 {
        let ones = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1.0), _mm512_set1_ps(1.0));
        let (a, b) = (black_box(ones), black_box(ones));
        let mut sums = [_mm512_setzero_ps(); WIDE];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, a, b);
            }
        }
        // SAFETY: registers are their lanes, and every lane is a number.
        let lanes: [f32; 16 * WIDE] = unsafe { transmute(sums) };
        lanes.iter().map(|&lane| f64::from(lane)).sum()
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn f32_avx512(rounds: u64) -> f64 {
        let (a, b) = (black_box(_mm512_set1_ps(1.0)), black_box(_mm512_set1_ps(1.0)));
        let mut sums = [_mm512_setzero_ps(); WIDE];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(a, b, *sum);
            }
        }
        // SAFETY: registers are their lanes, and every lane is a number.
        let lanes: [f32; 16 * WIDE] = unsafe { transmute(sums) };
        lanes.iter().map(|&lane| f64::from(lane)).sum()
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn int8_avx2(rounds: u64) -> f64 {
        let (mut a, b) = (black_box(_mm256_set1_epi8(1)), black_box(_mm256_set1_epi8(1)));
        let ones = black_box(_mm256_set1_epi16(1));
        let mut sums = [_mm256_setzero_si256(); NARROW];
        for _ in 0..rounds {
            for sum in &mut sums {
                // SAFETY: no instruction; it only hides that `a` stays the same.
                unsafe { asm!("/* {0} */", inout(ymm_reg) a, options(pure, nomem, nostack)) };
                let pairs = _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones);
                *sum = _mm256_add_epi32(*sum, pairs);
            }
        }
        // SAFETY: registers are their lanes, and every lane is a number.
        let lanes: [i32; 8 * NARROW] = unsafe { transmute(sums) };
        lanes.iter().map(|&lane| f64::from(lane)).sum()
    }

    #[target_feature(enable = "avx2,avxvnni")]
    pub(super) fn int8_avx_vnni(rounds: u64) -> f64 {
        let (a, b) = (black_box(_mm256_set1_epi8(1)), black_box(_mm256_set1_epi8(1)));
        let mut sums = [_mm256_setzero_si256(); NARROW];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_dpbusd_avx_epi32(*sum, a, b);
            }
        }
        // SAFETY: registers are their lanes, and every lane is a number.
        let lanes: [i32; 8 * NARROW] = unsafe { transmute(sums) };
        lanes.iter().map(|&lane| f64::from(lane)).sum()
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn f32_avx2(rounds: u64) -> f64 {
        let (a, b) = (black_box(_mm256_set1_ps(1.0)), black_box(_mm256_set1_ps(1.0)));
        let mut sums = [_mm256_setzero_ps(); NARROW];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(a, b, *sum);
            }
        }
        // SAFETY: registers are their lanes, and every lane is a number.
        let lanes: [f32; 8 * NARROW] = unsafe { transmute(sums) };
        lanes.iter().map(|&lane| f64::from(lane)).sum()
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::{
        arch::{aarch64::*, asm},
        hint::black_box,
        mem::transmute,
    };

    use crate::neon::sdot;

    /// Accumulators: 32 registers less two factors and some room.
    const SUMS: usize = 24;

    #[target_feature(enable = "neon,dotprod")]
    pub(super) fn int8_dotprod(rounds: u64) -> f64 {
        let (a, b) = (black_box(vdupq_n_s8(1)), black_box(vdupq_n_s8(1)));
        let mut sums = [vdupq_n_s32(0); SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = sdot(*sum, a, b);
            }
        }
        // SAFETY: registers are their lanes, and every lane is a number.
        let lanes: [i32; 4 * SUMS] = unsafe { transmute(sums) };
        lanes.iter().map(|&lane| f64::from(lane)).sum()
    }

    #[target_feature(enable = "neon")]
    pub(super) fn int8(rounds: u64) -> f64 {
        let (mut a, b) = (black_box(vdupq_n_s8(1)), black_box(vdupq_n_s8(1)));
        let mut sums = [vdupq_n_s32(0); SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                // SAFETY: no instruction; it only hides that `a` stays the same.
                unsafe { asm!("/* {0:v} */", inout(vreg) a, options(pure, nomem, nostack)) };
                let pairs = vmull_s8(vget_low_s8(a), vget_low_s8(b));
                *sum = vpadalq_s16(*sum, vmlal_high_s8(pairs, a, b));
            }
        }
        // SAFETY: registers are their lanes, and every lane is a number.
        let lanes: [i32; 4 * SUMS] = unsafe { transmute(sums) };
        lanes.iter().map(|&lane| f64::from(lane)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products of one round.
    fn expected(numbers: Numbers, path: Path) -> f64 {
        match (numbers, path) {
            (Numbers::Int8, Path::Neon | Path::NeonDotprod) => 24.0 * 16.0,
            (_, Path::Portable | Path::Neon | Path::NeonDotprod) => 32.0,
            (Numbers::Int8, Path::Avx2 | Path::AvxVnni) => 12.0 * 32.0,
            (_, Path::Avx2 | Path::AvxVnni) => 12.0 * 8.0,
            (Numbers::Int8, _) => 24.0 * 64.0,
            (Numbers::Bf16, Path::Avx512Bf16) => 24.0 * 32.0,
            (Numbers::F32 | Numbers::Bf16, _) => 24.0 * 16.0,
        }
    }

    #[test]
    fn every_product_of_every_round_is_made_on_every_path() {
        for path in Path::available() {
            for numbers in [Numbers::Int8, Numbers::Bf16, Numbers::F32] {
                for rounds in [0, 1, 3, super::super::ROUNDS_MAX >> 8] {
                    let expected = rounds as f64 * expected(numbers, path);
                    assert_eq!(work(numbers, path)(rounds), expected, "{numbers:?} {path:?}");
                }
            }
        }
    }
}
